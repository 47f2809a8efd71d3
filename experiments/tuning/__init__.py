"""Tuning: the free parameters of rules, searched on training episodes, kept where better on validation."""
