"""Reps and queues: who waits in which order, who is free, what work takes, shifts, interruptions."""
