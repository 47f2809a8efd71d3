"""Wrappers of the environments for libraries beside this project (`docs/peers.md`).

Room: `envs.wrappers`. May import gymnasium; knows an environment by its attributes, not by its class.
"""
