"""Policies that explore on purpose, with known chances, so that their records tell of other policies."""
