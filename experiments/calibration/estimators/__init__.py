"""Estimators: pure functions from the contacts of a log to the laws of a scenario."""
