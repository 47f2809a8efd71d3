"""What index rules lose because a rep is offered only the contacts that the lenses name.

Room: `experiments`, run as `python -m experiments.lens_loss SCENARIO [RULE…]`. Reads the kernel's states; changes none.

Whenever the last free rep is given a waiting contact, the rule's index is computed for every contact that waits and
that this rep may serve, whether a lens names it or not. Counted are the choices in which somebody unnamed has a higher
index than the one chosen, and by how much: the sum of what was missed over the sum of the highest indices, which must
not be negative.
"""

import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rich.table import Table

from agents.rules.compiled.lens_loss import compare_indices
from agents.rules.registry import default_rule
from envs.center_rows import CenterRows
from envs.errors import ConfigurationError
from envs.interface.actions import ASSIGN, SERVE
from envs.interface.fields import G_FREE
from envs.scenario.scenario import Scenario, load_scenario
from experiments.console import table_console
from experiments.seeds import demand_seeds

COMPARED_RULES = ("apparent_tardiness", "generalized_cmu", "whittle", "value_cmu", "hazard_cmu_theta", "cmu_theta")
"""Rules whose best contact no lens may name: their indices weigh value, age, slack and work against each other."""


class LensLoss(NamedTuple):
    """Choices for the last free rep among waiting contacts; those in which an unnamed one had a higher index; the share
    of the highest indices that was missed."""

    choices: int
    missed: int
    missed_index_frac: float


def measure(name: str, scenario: Scenario, *, seed: int = 0, episodes: int = 2) -> LensLoss:
    """Return what the lenses lose for the rule `name` with its defaults, in the first validation episodes of the user's
    `seed`."""
    rule = default_rule(name).make(scenario)
    rows = CenterRows(scenario, 1)
    actions = np.zeros(1, np.int64)
    starts = np.isin(rule.layout.kind, (SERVE, ASSIGN))
    choices, missed, lost, total = 0, 0, 0.0, 0.0
    for episode in range(episodes):
        rows.start(rows.all_rows, np.array([demand_seeds(seed).validation]), np.array([episode]))
        while not rows.done[0]:
            rule.choose_into(rows.all_rows, rows.observation(), actions)
            if starts[actions[0]] and rows.center[0, G_FREE] == 1:
                highest, chosen = compare_indices(
                    rule.layout,
                    rule.settings,
                    rows.kernel_arrays()[0],
                    rows.parameters,
                    rows.center,
                    rows.candidates,
                    actions,
                )
                choices += 1
                missed += highest > chosen + 1e-6 * abs(chosen)
                lost += max(highest - chosen, 0.0)
                total += max(highest, 0.0)
            rows.step(rows.all_rows, actions)
    return LensLoss(choices, int(missed), lost / total if total > 0.0 else 0.0)


def main(scenario_name: str, names: Sequence[str]) -> None:
    """Print a row for each rule that makes sense in the scenario."""
    scenario = load_scenario(scenario_name)
    table = Table(title=f"{scenario.name}: what the lenses hide from the last free rep")
    table.add_column("rule", no_wrap=True)
    for heading in ("choices", "better one unnamed", "index lost"):
        table.add_column(heading, justify="right")
    for name in names:
        try:
            found = measure(name, scenario)
        except ConfigurationError:
            continue
        share = 100 * found.missed / max(found.choices, 1)
        table.add_row(name, f"{found.choices:,}", f"{share:.2f} %", f"{100 * found.missed_index_frac:.3f} %")
    table_console().print(table)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "bank", sys.argv[2:] or COMPARED_RULES)
