"""The simulator against theory: models with known answers, generic checks, the trace of decisions."""
