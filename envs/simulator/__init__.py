"""The simulator: compiled, deterministic, without any randomness of its own. `README.md` beside this file is its map.

Imports `envs.interface`, and nothing else of the project.
"""
