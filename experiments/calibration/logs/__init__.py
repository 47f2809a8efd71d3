"""A log of a real center, read: what its columns mean, its times and numbers, its faults."""
