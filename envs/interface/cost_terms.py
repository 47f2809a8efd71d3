"""The terms of the total cost: name, code and meaning, one row each.

Room: `envs.interface`. One table; imports nobody.
"""

from typing import Literal

COST_TERMS = (
    "abandonment",
    "wait",
    "lateness",
    "broken_promise",
    "error",
    "interruption",
    "callback",
    "backlog",
    "blocked",
    "handling",
    "unresolved",
    "forgone",
    "sow_penalty",
    "fairness",
)
"""The terms of the total cost, each >= 0 USD. Order is part of the file formats: append only."""
CostTerm = Literal[
    "abandonment",
    "wait",
    "lateness",
    "broken_promise",
    "error",
    "interruption",
    "callback",
    "backlog",
    "blocked",
    "handling",
    "unresolved",
    "forgone",
    "sow_penalty",
    "fairness",
]
