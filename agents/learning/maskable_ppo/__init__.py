"""MaskablePPO on the candidate-scoring network: its policy, its buffer with discounts by elapsed time, its state."""
