"""Policies: baselines, learned and exported ones."""
