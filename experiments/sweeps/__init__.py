"""Sweeps: many trainings from one file, side by side on this machine or a cluster, and the table of what they cost."""
