"""Trainings compared over seeds: final costs, paired differences, learning curves."""
