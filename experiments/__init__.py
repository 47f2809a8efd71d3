"""Train, compare, export and evaluate policies; the command line is in `experiments.cli`."""
