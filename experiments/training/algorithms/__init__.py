"""The algorithms of a training, one module each: how each of them learns in a run, keeps its state, and goes on."""
