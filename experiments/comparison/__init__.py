"""Policies on the same episodes: play, compare, evaluate, show, write."""
