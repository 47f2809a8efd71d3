"""The stationary M/M/n+M queue (Erlang A): who waits and who abandons with n reps, for n not whole as well.

Room: `experiments.calibration.estimators`. Pure functions of numbers.

Source: Mandelbaum and Zeltyn 2007, Service engineering in action: the Palm/Erlang-A queue.
"""

import math
from typing import NamedTuple

import numpy as np


class Performance(NamedTuple):
    """Stationary figures: share that abandons, mean wait of all (seconds), share that waits."""

    abandoned_frac: float
    wait_s: float
    waits_frac: float


def erlang_a(rate_per_s: float, service_s: float, patience_s: float, n_reps: int) -> Performance:
    """Return the stationary figures of Poisson arrivals at `rate_per_s`, exponential services of mean `service_s` and
    patience of mean `patience_s`, at `n_reps` reps >= 0.

    Birth and death: with j in the center, births at the rate λ, deaths at min(j, n) / service + max(j − n, 0) /
    patience. By Little's law the mean wait is E[queue] / λ, and abandonments are E[queue] / patience.
    """
    if rate_per_s <= 0.0:
        return Performance(0.0, 0.0, 0.0)
    load = rate_per_s * service_s
    most = int(n_reps + rate_per_s * patience_s + 12.0 * math.sqrt(rate_per_s * patience_s + load) + 50)
    states = np.arange(1, most + 1)
    deaths = np.minimum(states, n_reps) / service_s + np.maximum(states - n_reps, 0) / patience_s
    log_weight = np.concatenate([[0.0], np.cumsum(np.log(rate_per_s) - np.log(deaths))])
    prob = np.exp(log_weight - log_weight.max())
    prob /= prob.sum()
    queue = float((prob[n_reps:] * np.arange(len(prob) - n_reps)).sum())
    return Performance(queue / patience_s / rate_per_s, queue / rate_per_s, float(prob[n_reps:].sum()))


def interpolated(rate_per_s: float, service_s: float, patience_s: float, reps: float) -> Performance:
    """Return the figures of `erlang_a` for `reps` >= 0 that need not be whole, linear between the whole numbers."""
    low = int(reps)
    first = erlang_a(rate_per_s, service_s, patience_s, low)
    if reps == low:
        return first
    second = erlang_a(rate_per_s, service_s, patience_s, low + 1)
    share = reps - low
    return Performance(*((1.0 - share) * a + share * b for a, b in zip(first, second, strict=True)))
