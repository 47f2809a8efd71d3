"""Policies that explore on purpose, with known probabilities, so that other policies can be valued from their records."""
