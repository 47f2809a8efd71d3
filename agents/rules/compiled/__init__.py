"""Rules as they act: each once, as a compiled function over one observation, for `predict` and the compiled loop alike.

Imports of the center only `envs.interface` and how code is compiled; the loop alone knows the center's rows.
"""
