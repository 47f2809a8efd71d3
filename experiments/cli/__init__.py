"""The command line: one file a command, each a thin shell over a Python function that a notebook can call."""
