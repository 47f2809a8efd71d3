"""How fast and how small: the figures of `make bench`."""
