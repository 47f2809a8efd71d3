"""The counters of whole episodes, added up, and what the formulas of several metrics have in common.

Room: `envs`. Reads the counters of a state; touches nothing.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.simulator.machine.record_types import WAIT_CELLS, WAIT_OCTAVES

Counts = dict[str, Any]


def read_counts(state: Any) -> Counts:
    """Return a copy of the counters of one state record: names to arrays, times of the counted part in `counted_s`."""
    return {
        "cost_usd": np.array(state["cost_usd"]),
        # Of a single record `np.array` makes an array that shares its memory, even with `copy=True`.
        "center_count": np.array(state["center_count"]).copy(),
        "queue_count": np.array(state["queue_count"]),
        "band_count": np.array(state["band_count"]),
        "wait_count": np.array(state["wait_count"]).astype(np.int64),
        "census_waiting": np.array(state["census_waiting"]).astype(np.int64),
    }


def add_counts(counts: list[Counts]) -> Counts:
    """Return the sums of the counters of several episodes."""
    total: Counts = {key: sum(count[key] for count in counts) for key in ("cost_usd", "wait_count", "census_waiting")}
    for key in ("center_count", "queue_count", "band_count"):
        added = counts[0][key].copy()
        for name in added.dtype.names:
            added[name] = sum(count[key][name] for count in counts)
        total[key] = added
    return total


class Counted(NamedTuple):
    """What a metric is computed from: the counters of a queue, a band or the center over whole episodes.

    Attributes:
        count: the counter record: of one queue, of one band, or `center_count`.
        queues: the counters of all queues.
        wait_count: the queue's histogram of waits.
        cost_usd: total cost.
        days: calendar days touched, over all episodes.
        counted_s: counted time, seconds, over all episodes.
        n_episodes: how many episodes were added up.
        real_time: whether the queue is real-time.
    """

    count: Any
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


def ratio(numerator: float, denominator: float) -> float:
    """Return a sum over a sum, NaN where the denominator is 0."""
    return float(numerator / denominator) if denominator > 0 else math.nan


def admitted(c: Counted) -> float:
    """Return the contacts that reached the queue and were not blocked."""
    return float(c.count["arrived"] - c.count["blocked"])


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
