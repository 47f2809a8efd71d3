"""Figures of service that a log and a simulation both have: abandonment, mean wait, service level, share that waits.

Room: `experiments.calibration.hold_out`. Pure functions of arrays. A figure of several half-hours, days or repetitions
is a sum over a sum.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.interface.units import DAY_S, WEEK_INTERVAL_S
from experiments.calibration.contact_log import ABANDONED, SERVED

THRESHOLD_S = 20.0
"""Of the service level."""
N_INTERVALS = round(DAY_S / WEEK_INTERVAL_S)
SUMS = ("contacts", "abandoned", "wait_s", "in_time", "waited")
"""What is summed, in the last axis of every array of sums."""
FIGURES = {
    "abandoned_frac": ("abandonment", 1),
    "mean_wait_s": ("mean wait, s", 2),
    "service_level_frac": (f"service level within {THRESHOLD_S:g} s", 3),
    "waited_frac": ("share that waits", 4),
}
"""Key of a figure: how tables call it, and the place in `SUMS` that is divided by the number of contacts."""
_INSTANT_S = 1e-6
Floats = NDArray[np.float64]


def sum_service(arrived_s: Floats, wait_s: Floats, served: NDArray[np.bool_], abandoned: NDArray[np.bool_]) -> Floats:
    """Return the sums by half-hour of arrival, float64 (48, 5)."""
    place = np.minimum((arrived_s // WEEK_INTERVAL_S).astype(np.int64), N_INTERVALS - 1)
    columns = (np.ones(len(place)), abandoned, wait_s, served & (wait_s <= THRESHOLD_S), wait_s > _INSTANT_S)
    return np.stack([np.bincount(place, column, N_INTERVALS) for column in columns], axis=1)


def sum_logged(contacts: NDArray[Any]) -> Floats:
    """Return the sums of logged contacts (`LOGGED`) whose wait the log tells, float64 (48, 5)."""
    told = contacts[np.isfinite(contacts["wait_s"])]
    return sum_service(told["arrived_s"], told["wait_s"], told["outcome"] == SERVED, told["outcome"] == ABANDONED)


def figures(sums: Floats) -> dict[str, Floats]:
    """Return the figures of sums (..., 5), each of shape (...); NaN where nobody came."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return {key: sums[..., place] / sums[..., 0] for key, (_, place) in FIGURES.items()}
