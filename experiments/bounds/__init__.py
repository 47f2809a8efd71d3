"""Lower bounds: what no policy can cost less than, with proofs in docs/bound.md."""
