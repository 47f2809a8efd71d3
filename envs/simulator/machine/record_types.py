"""Sizes of the records, and the counters that they hold.

Room: `envs.simulator.machine`. Touches numpy only.

Sizes come in steps, so that all scenarios of a step share the compiled code.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

MAX_BANDS = 4
MAX_OPEN_PERIODS = 64
"""Opening hours of a week, at most."""
RESIDUAL_POINTS = 65
CUMULATIVE_POINTS = 1025
BLOCK = 16
"""Width of a block of the block argmin over reps (DESIGN section 4.5)."""
WAIT_OCTAVES = 22
"""Octaves of the histogram of waits: row 0 covers waits of less than a second, row k those from 2^(k-1) to 2^k."""
WAIT_CELLS = 16
"""Equal cells in each row of the histogram."""
MAX_CENSUSES = 16
"""Times at which those waiting are counted, at most."""
MAX_SUSPENDED = 8
"""Suspended contacts of a rep that the code of a state of an exact chain has room for."""
MAX_NOTES = 128
"""Notes that one event or one action may leave (`envs.simulator.machine.journal`)."""


class Sizes(NamedTuple):
    """Capacities of the records. A scenario takes the first of `SIZES` that hold it, and of contacts as many as it
    seems to need (`envs.inputs.parameters.choose_sizes`)."""

    reps: int
    queues: int
    contacts: int
    actions: int
    classes: int
    shift_changes: int
    pooled_queues: int
    """Of how many queues other reps may take suspended contacts over: all, or none, which then have no room for it."""


SIZES = (
    Sizes(reps=32, queues=8, contacts=64, actions=64, classes=16, shift_changes=2048, pooled_queues=0),
    Sizes(reps=256, queues=16, contacts=64, actions=128, classes=64, shift_changes=16384, pooled_queues=0),
    Sizes(reps=1024, queues=32, contacts=64, actions=256, classes=128, shift_changes=65536, pooled_queues=0),
)
GROWTH = 2
"""Where more contacts are open than there is room for, there becomes room for so many times as many."""
MAX_CONTACTS = 2**20
"""Contacts that one environment may hold, waiting, in service, suspended or still to come back."""


def record_type(fields: list[Any]) -> np.dtype[Any]:
    """Return an aligned record type whose fields plain Python, too, may write as attributes.

    Offsets are reckoned here: a type that `np.record` wraps forgets its alignment, and stood anywhere in another.
    """
    names = [name for name, *_ in fields]
    kinds = [np.dtype((kind, *shape)) if shape else np.dtype(kind) for _, kind, *shape in fields]
    offsets, end = [], 0
    for kind in kinds:
        offsets.append(_round_up(end, _alignment(kind)))
        end = offsets[-1] + kind.itemsize
    size = _round_up(end, max(map(_alignment, kinds)))
    layout: Any = {"names": names, "formats": kinds, "offsets": offsets, "itemsize": size}
    return _first_like(np.dtype((np.record, np.dtype(layout, align=True))))


@cache
def _first_like(kind: np.dtype[Any]) -> np.dtype[Any]:
    """Return the first of all record types that are equal to `kind`: numba knows that one at once, and compares any
    other with it, field by field, at each call."""
    return kind


def _alignment(kind: np.dtype[Any]) -> int:
    """Return of how many bytes a field of this type must begin at a multiple."""
    return max((_alignment(kind.base[name]) for name in kind.base.names or ()), default=kind.base.alignment)


def _round_up(size: int, unit: int) -> int:
    return -(-size // unit) * unit


QUEUE_COUNT = record_type(
    [
        (name, np.float64)
        for name in (
            "arrived",
            "blocked",
            "lost",
            "waited",
            "started",
            "to_answer",
            "started_within_threshold",
            "abandoned",
            "redialled",
            "completed",
            "on_time",
            "late",
            "preferring_started",
            "preferred_started",
            "wait_s",
            "wait_started_s",
            "wait_abandoned_s",
            "cycle_s",
            "handle_s",
            "interruptions",
            "taken_over",
            "pick_up_s",
            "errors",
            "reworked",
            "callbacks_offered",
            "callbacks_accepted",
            "callbacks_refused",
            "attempts",
            "unreached",
            "given_up",
            "deferred",
            "first_contacts",
            "first_resolved",
            "unresolved",
            "returned",
            "escalated",
            "waiting_time_s",
            "in_service_time_s",
            "suspended_time_s",
            "account_loss_usd",
            "recalled",
            "recalled_scheduled",
            "recovered_usd",
            "commission_usd",
            "wait_squared_s2",
            "after_work_time_s",
            "scheduled_time_s",
            "line_time_s",
            "came",
            "found_open",
            "open_at_start",
            "open_at_end",
        )
    ]
)
"""Sums per queue after the warm-up; `envs.metrics` says what each metric makes of them."""
BAND_COUNT = record_type(
    [
        (name, np.float64)
        for name in (
            "arrived",
            "started",
            "to_answer",
            "started_within_threshold",
            "abandoned",
            "completed",
            "on_time",
            "late",
            "blocked",
            "account_loss_usd",
        )
    ]
)
CENTER_COUNT = record_type(
    [
        (name, np.float64)
        for name in (
            "busy_s",
            "staffed_s",
            "pick_up_s",
            "overtime_s",
            "absent_s",
            "all_busy_s",
            "all_busy_spells",
            "decisions",
            "events",
            "substituted",
        )
    ]
)
