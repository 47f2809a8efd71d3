"""Importance weights: products of ratios over the decisions to which a cost is credited.

Room: `experiments.off_policy`. Plain arithmetic on `LoggedDays` and a `Counterpart`.

The ratio of a decision is the chance of its action under the policy to be valued / that under the log's. The product
over all decisions of an episode so far makes the mean over the log the mean under the policy, without any model
(Precup, Sutton and Singh 2000, ICML). Its spread grows exponentially with their number (Liu et al. 2018, NeurIPS 31),
and a day has hundreds: so a cost is credited to the decisions of the last so many seconds alone. What is valued then is
to follow the log until so long before, and the policy from there on: the center forgets, in queues within some times
the time that a wait lasts, and what it has not forgotten is the bias.

Weights are normalised by time: whatever the policy, every second of the horizon passes once, so in each period

    estimated cost = length of the period × sum of weight × cost / sum of weight × seconds

where the seconds before a first decision have weight 1 and a cost that spans periods is divided by time. This is the
self-normalised estimator of importance sampling (Owen 2013, Monte Carlo, section 9.2) for a process whose number of
decisions depends on the policy.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.off_policy.estimate import LEAST_EFFECTIVE_DAYS, effective_days
from experiments.off_policy.logged_days import Counterpart, LoggedDays
from experiments.texts import duration_text

CREDITS_S = (0.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, np.inf)
"""Credit horizons among which the weights choose, seconds."""
LEAST_EFFECTIVE_FRAC = 0.15
"""Of the days, what must be left as effective days by the credit horizon that is taken, the longest such one."""


class Weights(NamedTuple):
    """The weight of each decision, float64 (n,), for costs credited `credit_s` back; and what it makes of each unit and
    period: weighted seconds, float64 (units, periods)."""

    credit_s: float
    of_decision: NDArray[np.float64]
    seconds: NDArray[np.float64]


def window_products(logged: LoggedDays, ratio: NDArray[np.float64], credit_s: float) -> NDArray[np.float64]:
    """Return for each decision the product of `ratio` over itself and those of its episode that were made no more than
    `credit_s` seconds before, float64 (n,)."""
    reach_s = logged.horizon_s + 1.0
    key = logged.episode * reach_s + logged.time_s
    earliest = logged.episode * reach_s + np.maximum(logged.time_s - credit_s, 0.0)
    start = np.maximum(np.searchsorted(key, earliest - 1e-6), logged.first[logged.episode])
    zero = ratio == 0.0
    logs = np.append(0.0, np.cumsum(np.log(np.where(zero, 1.0, ratio))))
    zeros = np.append(0, np.cumsum(zero))
    after = np.arange(1, len(ratio) + 1)
    products: NDArray[np.float64] = np.where(zeros[after] > zeros[start], 0.0, np.exp(logs[after] - logs[start]))
    return products


def weigh(logged: LoggedDays, of_decision: NDArray[np.float64], credit_s: float = np.inf) -> Weights:
    """Return these weights with the seconds of each unit and period that they weigh."""
    return Weights(credit_s, of_decision, logged.sum_over_time(of_decision) + logged.seconds_before)


def choose_weights(logged: LoggedDays, policy: Counterpart, credit_s: float | None) -> Weights:
    """Return the weights for costs credited `credit_s` back; None: as far back as leaves `LEAST_EFFECTIVE_FRAC` of the
    days, and `LEAST_EFFECTIVE_DAYS`, as effective days. Costs take no part in the choice."""
    if credit_s is not None:
        return weigh(logged, window_products(logged, policy.ratio, credit_s), credit_s)
    least = max(LEAST_EFFECTIVE_DAYS, LEAST_EFFECTIVE_FRAC * len(logged.units))
    ladder = [weigh(logged, window_products(logged, policy.ratio, rung_s), rung_s) for rung_s in CREDITS_S]
    left = [effective_days(weights.seconds) for weights in ladder]
    long_enough = [weights for weights, n_effective in zip(ladder, left, strict=True) if n_effective >= least]
    return long_enough[-1] if long_enough else ladder[int(np.argmax(left))]


def credit_text(credit_s: float) -> str:
    """Return in words how far back costs are credited."""
    if credit_s == 0.0:
        return "decisions of the same second"
    return "all decisions before" if np.isinf(credit_s) else f"decisions of the last {duration_text(credit_s)}"


def normalised_usd_per_day(logged: LoggedDays, cost_usd: NDArray[np.float64], seconds: NDArray[np.float64]) -> float:
    """Return the cost of a day, USD, from the weighted costs and the weighted seconds of each period, float64
    (periods,); NaN where a period has no seconds."""
    rate = np.divide(cost_usd, seconds, out=np.full(len(seconds), np.nan), where=seconds > 0.0)
    return float((np.diff(logged.edges_s) * rate).sum() / logged.days)
