"""The compiled loop: a rule or a network and the center take turns without Python in between.

Room: `agents.rules.compiled`. Touches the rules, the kernel's one step function and the rows of `CenterRows`.

Threads that each play rows of their own run side by side: for the whole loop none of them needs Python's lock. With a
call per decision two threads were slower than one.
"""

import numpy as np
from numpy.typing import NDArray

from agents.rules.compiled.choice import choose
from agents.rules.compiled.network import NO_NETWORK, NetworkWeights
from agents.rules.compiled.reading import ActionLayout, Scratch
from envs.center_rows import CenterRows
from envs.interface.actions import WAIT
from envs.interface.fields import N_CANDIDATE_FIELDS
from envs.simulator.machine.compilation import compiled, entry_point
from envs.simulator.step import count_full, journal_of, step_one


@compiled
def _play_row(
    rule, layout, settings, network, scratch, until_s, state, parameters, demand, center, candidates, mask, result,
    journal,
):  # fmt: skip
    """Let the rule with code `rule` route one environment until the horizon, or its first decision at or after
    `until_s` seconds, or as long as its records have room."""
    while not result.done and not result.is_full and result.time_s < until_s:
        action = choose(rule, layout, settings, network, center, candidates, mask, scratch)
        step_one(state, parameters, demand, max(action, WAIT), center, candidates, mask, result, journal)


@entry_point
def _play_rows(
    rule, layout, settings, network, until_s, rows, states, parameters, demands, demand_counts, centers, candidates,
    masks, results, journals,
):  # fmt: skip
    """Let the rule with code `rule` route each environment of `rows` (int64 indices) as `_play_row` does, one after the
    other; `settings` and `until_s` have a line for every environment. Return how many stopped for want of room."""
    scratch = Scratch(np.empty(masks.shape[1]), np.empty(N_CANDIDATE_FIELDS))
    for i in range(rows.shape[0]):
        row = rows[i]
        _play_row(
            rule,
            layout,
            settings[row],
            network,
            scratch,
            until_s[row],
            states[row],
            parameters[0],
            demands[row, : demand_counts[row]],
            centers[row],
            candidates[row],
            masks[row],
            results[row],
            journal_of(journals, row),
        )
    return count_full(rows, results)


def play_rule(
    rule: int,
    layout: ActionLayout,
    settings: NDArray[np.float64],
    rows: CenterRows,
    running: NDArray[np.int64],
    until_s: NDArray[np.float64],
    network: NetworkWeights = NO_NETWORK,
) -> None:
    """Let a rule route the environments `running` of `rows` until each reaches its horizon, or its first decision at or
    after its `until_s`, one environment after the other.

    Args:
        rule: its code (`agents.rules.compiled.choice`).
        layout: of the scenario (`agents.action_layout`).
        settings: of the rule, float64 with one line for each of the rows.
        rows: `CenterRows`; afterwards as if every action had been a `step`.
        running: int64 indices.
        until_s: float64 (rows,), seconds since the start of the horizon; `inf` is the horizon.
        network: the weights, where `rule` is `NETWORK`.

    Raises `ArgumentError`, before anything moves, if these do not fit each other.
    """
    running = rows.check_started(running)
    rows.check_rule(len(layout.kind), len(layout.real_time), settings, until_s)
    while _play_rows(
        rule,
        layout,
        np.array(settings, order="C"),  # a copy: for an array that is read-only numba would compile anew
        network,
        np.array(until_s, order="C"),
        running,
        *rows.kernel_arrays(),
        *rows.seen_arrays(),
    ):
        rows.make_room()
