"""Training: from a configuration to a run folder, the chosen checkpoint and the exported file."""
