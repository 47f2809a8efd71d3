"""An estimate of a policy's cost with its interval, or the reason why there is none.

Room: `experiments.off_policy`. Touches numpy and `experiments.intervals`.

Episodes are independent, so they are what is left out and drawn again: an estimator tells its value with all episodes
and with all but each one, the jackknife makes one pseudo-value an episode of them, and their mean has a BCa bootstrap
interval (`experiments.intervals`; Efron 1987, JASA 82(397)). Of more than
`experiments.off_policy.logged_days.MOST_UNITS` episodes neighbours are left out together; of recorded days the day is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.intervals import Interval, bootstrap_intervals, pseudo_values
from experiments.texts import interval_json, json_number

LEAST_EFFECTIVE_DAYS = 10.0
"""Episodes' worth of weight below which nothing is said."""
RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """What an estimator says of a policy.

    Attributes:
        estimator: its name.
        cost: USD/day, with its 95 % interval; NaN where it is refused.
        credit: which decisions it holds responsible for a cost.
        effective_days: the effective sample size, in episodes; of the period in which it is least.
        largest_weight_frac: the largest share of one episode in the weight of a period.
        refused: why nothing is said, None where something is.
    """

    estimator: str
    cost: Interval
    credit: str
    effective_days: float
    largest_weight_frac: float
    refused: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as plain data."""
        return {
            **interval_json(self.cost),
            "credit": self.credit,
            "effective_days": json_number(self.effective_days),
            "largest_weight_frac": json_number(self.largest_weight_frac),
            "refused": self.refused,
        }


def effective_days(weights: NDArray[np.float64]) -> float:
    """Return the least over periods of (sum of weights)² / sum of squared weights, of `weights` (units, periods); 0
    where a period has none (Kish 1965, Survey Sampling, section 11.7)."""
    squares = (weights**2).sum(axis=0)
    return float(np.divide(weights.sum(axis=0) ** 2, squares, out=np.zeros(len(squares)), where=squares > 0.0).min())


def largest_weight_frac(weights: NDArray[np.float64]) -> float:
    """Return the largest share of one unit in the weight of a period, of `weights` (units, periods)."""
    totals = weights.sum(axis=0)
    return float(np.divide(weights, totals, out=np.ones_like(weights), where=totals > 0.0).max())


def make_estimate(
    estimator: str,
    credit: str,
    weights: NDArray[np.float64],
    value: Callable[[NDArray[np.float64]], float],
    *,
    refused: str | None = None,
) -> Estimate:
    """Return the estimate of `value`, a function of how often each unit is counted, float64 (units,).

    `weights` (units, periods) are what it weighs the units with. Refused if these say so, or with `refused`.
    """
    n_effective, largest = effective_days(weights), largest_weight_frac(weights)
    if refused is None and n_effective < LEAST_EFFECTIVE_DAYS:
        refused = (
            f"overlap is too thin: {n_effective:.1f} effective days of {len(weights)}, at least "
            f"{LEAST_EFFECTIVE_DAYS:.0f} are needed"
        )
    if refused is not None:
        return Estimate(estimator, Interval(np.nan, np.nan, np.nan), credit, n_effective, largest, refused)
    n_units = len(weights)
    everyone = np.ones(n_units)
    whole = np.array([value(everyone)])
    without = np.array([[value(everyone - (np.arange(n_units) == unit))] for unit in range(n_units)])
    if not (np.isfinite(whole).all() and np.isfinite(without).all()):
        reason = "one day decides whether there is an estimate at all"
        return Estimate(estimator, Interval(np.nan, np.nan, np.nan), credit, n_effective, largest, reason)
    ends = bootstrap_intervals(pseudo_values(whole, without), resamples=RESAMPLES)
    return Estimate(estimator, Interval(*ends[:, 0].tolist()), credit, n_effective, largest, None)
