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

from agents.catalog import default_rule
from agents.index_rules import index_of, reserve_of
from envs.center_rows import CenterRows
from envs.compilation import compiled, entry_point
from envs.errors import ConfigurationError
from envs.event_list import queue_heap
from envs.observation import (
    C_CHANNEL,
    G_FREE,
    N_CANDIDATE_FIELDS,
    N_CENTER_FIELDS,
    N_QUEUE_FIELDS,
    Q_REPS_FREE,
    write_contact,
    write_rep,
)
from envs.scenario import Scenario, load_scenario
from envs.state import ASSIGN, BY_ARRIVAL, SERVE
from experiments.seeds import demand_seeds
from experiments.table_console import table_console

RULES = ("apparent_tardiness", "generalized_cmu", "whittle", "value_cmu", "hazard_cmu_theta", "cmu_theta")
"""Rules whose best contact no lens may name: their indices weigh value, age, slack and work against each other."""


class LensLoss(NamedTuple):
    """Choices for the last free rep among waiting contacts; those in which an unnamed one had a higher index; the share
    of the highest indices that was missed."""

    choices: int
    missed: int
    missed_index_frac: float


@compiled
def _highest_index(layout, settings, state, parameters, center, rep, row):
    """Return the highest index of all contacts that wait and that `rep` may start, -inf without any."""
    highest = -np.inf
    for q in range(parameters.n_queues):
        if not parameters.skill[state.reps[rep].seat_class, q]:
            continue
        reserve = reserve_of(layout, settings, center, q)
        if reserve > 0.0 and center[N_CENTER_FIELDS + q * N_QUEUE_FIELDS + Q_REPS_FREE] <= reserve:
            continue
        heap = queue_heap(q, BY_ARRIVAL)
        for i in range(state.heap_size[heap]):
            contact = np.int64(state.heap_item[i, heap])
            row[:] = 0.0
            write_contact(state, parameters, contact, row)
            write_rep(state, parameters, rep, contact, row)
            highest = max(highest, index_of(settings, q, row))
    return highest


@entry_point
def _compare(layout, settings, states, parameters, centers, candidates, actions):
    """Return the highest index of those who wait, and that of the chosen one."""
    row = np.zeros(N_CANDIDATE_FIELDS, np.float32)
    rep = np.int64(states[0].action_rep[actions[0]])
    highest = _highest_index(layout, settings, states[0], parameters[0], centers[0], rep, row)
    chosen = candidates[0, actions[0]]
    return highest, index_of(settings, int(chosen[C_CHANNEL]) - 1, chosen)


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
                highest, chosen = _compare(
                    rule.layout, rule.settings, rows.states, rows.parameters, rows.center, rows.candidates, actions
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
    main(sys.argv[1] if len(sys.argv) > 1 else "bank", sys.argv[2:] or RULES)
