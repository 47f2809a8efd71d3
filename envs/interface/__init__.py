"""What center and router say to each other: units, cost terms, fields of the observation, actions.

One table each; codes are looked up by name. Imported by everyone, imports nobody: no pydantic, no numba, nothing of the
project.
"""
