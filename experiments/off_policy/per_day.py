"""Weighted importance sampling per day: the cost of a calendar day weighed by all its decisions.

Room: `experiments.off_policy`. Self-normalised over days (Precup, Sutton and Singh 2000, ICML, section 3, the weighted
estimator of whole trajectories); each calendar day of an episode by itself, so a day's beginning is as the log left it.
"""

import numpy as np
from numpy.typing import NDArray

from envs.interface.units import DAY_S
from experiments.off_policy.estimate import Estimate, make_estimate
from experiments.off_policy.logged_days import Counterpart, LoggedDays

NAME = "per_day"


def per_day(logged: LoggedDays, policy: Counterpart, *, refused: str | None = None) -> Estimate:
    """Return the estimate of `policy`."""
    weights, costs_usd = day_sums(logged, policy.ratio)

    def value(counts: NDArray[np.float64]) -> float:
        totals = counts @ weights
        means_usd = np.divide(counts @ costs_usd, totals, out=np.full(len(totals), np.nan), where=totals > 0.0)
        return float(means_usd.sum() / logged.days)

    return make_estimate(NAME, "all decisions of the day", weights, value, refused=refused)


def day_sums(logged: LoggedDays, ratio: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights of each unit's calendar days, and weight × cost, USD, both float64 (units, days): the product
    of `ratio` over the decisions of the day, 1 where there is none."""
    n_days = int(np.ceil(logged.scenario.horizon.days))
    day = np.minimum(logged.time_s // DAY_S, n_days - 1).astype(np.int64)
    place = logged.episode * n_days + day
    size = logged.n_episodes * n_days
    zero = ratio == 0.0
    log_weight = np.bincount(place, np.log(np.where(zero, 1.0, ratio)), size)
    weight = np.where(np.bincount(place, zero, size) > 0, 0.0, np.exp(log_weight)).reshape(-1, n_days)
    cost_usd = np.bincount(place, logged.cost_usd, size).reshape(-1, n_days)
    return logged.by_unit(weight), logged.by_unit(weight * cost_usd)
