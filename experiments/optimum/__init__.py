"""Exact optima of small Markovian scenarios, and the exact cost of policies in them."""
