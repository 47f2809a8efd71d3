"""The counters of episodes, whole ones or so far, added up, and what the formulas of several metrics have in common.

Room: `envs`. Reads the counters of a state; touches nothing.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.interface.cost_terms import N_TERMS
from envs.interface.units import DAY_S
from envs.simulator.machine.record_types import (
    BAND_COUNT,
    CENTER_COUNT,
    MAX_BANDS,
    MAX_CENSUSES,
    QUEUE_COUNT,
    WAIT_CELLS,
    WAIT_OCTAVES,
)
from envs.simulator.machine.state import IN_SERVICE, PICKING_UP, RESUMING, SUSPENDED, WAITING

Counts = dict[str, Any]

LEFT = np.dtype([("open", np.float64), ("overdue", np.float64), ("age_s", np.float64)])
"""Of a queue: its open contacts, those of them that are overdue, and the sum of their ages."""


def read_counts(state: Any) -> Counts:
    """Return a copy of the counters of one state record as they stand, names to arrays: at the end of an episode or at
    any time in it. `counted_s` is the time that has been counted and `days` the calendar days that it touches, at least
    one; `left` (queues,) are `LEFT` records of what is open now."""
    begin_s, now_s = float(state["counted_from_s"]), float(state["now_s"])
    queue_count = np.array(state["queue_count"])
    if not state["done"]:  # the end pays them
        _add_running_pick_ups(state, queue_count)
    return {
        "cost_usd": np.array(state["cost_usd"]),
        # Of a single record `np.array` makes an array that shares its memory, even with `copy=True`.
        "center_count": np.array(state["center_count"]).copy(),
        "queue_count": queue_count,
        "band_count": np.array(state["band_count"]),
        "wait_count": np.array(state["wait_count"]).astype(np.int64),
        "census_waiting": np.array(state["census_waiting"]).astype(np.int64),
        "left": _count_left(state),
        "counted_s": np.float64(now_s - begin_s),
        "days": np.float64(max(math.ceil(now_s / DAY_S) - math.floor(begin_s / DAY_S), 1)),
    }


def _add_running_pick_ups(state: Any, queue_count: NDArray[Any]) -> None:
    """Add to the counters of each queue the time that reps have spent so far in pick-ups that are under way."""
    reps = state["reps"]
    picking_up = reps[reps["status"] == RESUMING]
    begun_s = np.maximum(picking_up["phase_start_s"], float(state["counted_from_s"]))
    np.add.at(
        queue_count["pick_up_s"], state["slots"]["person"]["queue"][picking_up["contact"]], state["now_s"] - begun_s
    )


def _count_left(state: Any) -> NDArray[Any]:
    """Return the `LEFT` record of each queue: contacts that wait, are in the hands of a rep or suspended. What always
    waits at the head of an unlimited list is nobody's contact yet."""
    contacts, queues = state["slots"]["person"], state["queues"]
    left = np.zeros(len(queues), LEFT)
    here = contacts[np.isin(contacts["status"], (WAITING, IN_SERVICE, PICKING_UP, SUSPENDED))]
    is_listed = (queues["end_supply"][here["queue"]] > 0) & (here["status"] == WAITING) & (here["interruptions"] == 0)
    here = here[~is_listed]
    np.add.at(left["open"], here["queue"], 1.0)
    np.add.at(left["overdue"], here["queue"], here["overdue"])
    np.add.at(left["age_s"], here["queue"], float(state["now_s"]) - here["arrival_s"])
    return left


def no_counts(n_queues: int) -> Counts:
    """Return the counters of a day in which nothing happened."""
    return {
        "cost_usd": np.zeros(N_TERMS),
        "center_count": np.zeros((), CENTER_COUNT),
        "queue_count": np.zeros(n_queues, QUEUE_COUNT),
        "band_count": np.zeros(MAX_BANDS, BAND_COUNT),
        "wait_count": np.zeros((n_queues, 1 + WAIT_OCTAVES, WAIT_CELLS), np.int64),
        "census_waiting": np.zeros((n_queues, MAX_CENSUSES), np.int64),
        "left": np.zeros(n_queues, LEFT),
        "counted_s": np.float64(DAY_S),
        "days": np.float64(1.0),
    }


def add_counts(counts: list[Counts]) -> Counts:
    """Return the sums of the counters of several episodes."""
    total: Counts = {}
    for key, first in counts[0].items():
        if first.dtype.names is None:
            total[key] = sum(count[key] for count in counts)
            continue
        added = first.copy()
        for name in added.dtype.names:
            added[name] = sum(count[key][name] for count in counts)
        total[key] = added
    return total


class Counted(NamedTuple):
    """What a metric is computed from: the counters of a queue, a band or the center over episodes.

    Attributes:
        count: the counter record: of one queue, of one band, or `center_count`.
        left: the `LEFT` record of the queue.
        queues: the counters of all queues.
        wait_count: the queue's histogram of waits.
        cost_usd: total cost.
        days: calendar days touched, over all episodes.
        counted_s: counted time, seconds, over all episodes.
        n_episodes: how many episodes were added up.
        real_time: whether the queue is real-time.
    """

    count: Any
    left: Any
    queues: Any
    wait_count: Any
    cost_usd: float
    days: float
    counted_s: float
    n_episodes: int
    real_time: bool

    def of_queues(self, name: str) -> float:
        """Return the sum of a counter over all queues."""
        return float(self.queues[name].sum())

    def average(self, total: float) -> float:
        """Return the time average of what sums up to `total` over the counted time; 0 before any time has passed."""
        return float(total / self.counted_s) if self.counted_s > 0 else 0.0


def ratio(numerator: float, denominator: float) -> float:
    """Return a sum over a sum, NaN where the denominator is 0."""
    return float(numerator / denominator) if denominator > 0 else math.nan


def admitted(c: Counted) -> float:
    """Return the contacts that reached the queue and were not blocked."""
    return float(c.count["arrived"] - c.count["blocked"])


def service_level_frac(c: Counted) -> float:
    """Return the service level of a queue or a band: contacts started within the threshold / contacts to answer, those
    that arrived and were not blocked, less whom the scenario's `service_level` leaves out."""
    return ratio(c.count["started_within_threshold"], c.count["to_answer"])


def n_waits(c: Counted) -> float:
    """Return the number of waits that have ended: by a start, an abandonment or a callback."""
    return float(c.count["started"] + c.count["abandoned"] + (c.count["callbacks_accepted"] if c.real_time else 0.0))


def mean_wait_s(c: Counted) -> float:
    """Return the mean of the waits that have ended, seconds."""
    return ratio(c.count["wait_s"], n_waits(c))


def in_center_s(c: Counted) -> float:
    """Return the contact-seconds spent waiting, in service and suspended."""
    return float(c.count["waiting_time_s"] + c.count["in_service_time_s"] + c.count["suspended_time_s"])


def wait_quantile_s(wait_count: NDArray[np.int64], n_waits: float, probability: float) -> float:
    """Return the quantile of `n_waits` waits, seconds; those that the histogram `wait_count` leaves out are 0. Linear
    within a cell."""
    if n_waits <= 0:
        return math.nan
    edges_s = [np.arange(WAIT_CELLS) / WAIT_CELLS]
    edges_s += [2.0**octave * (1.0 + np.arange(WAIT_CELLS) / WAIT_CELLS) for octave in range(WAIT_OCTAVES)]
    upper_s = np.append(np.concatenate(edges_s), 2.0**WAIT_OCTAVES)
    at_most = np.cumsum(np.insert(wait_count.ravel(), 0, round(n_waits) - wait_count.sum()))
    return float(np.interp(probability * n_waits, at_most, upper_s))
