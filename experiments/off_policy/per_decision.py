"""Weighted importance sampling per decision: each cost weighed by the decisions before it that may have caused it.

Room: `experiments.off_policy`. The estimator of Precup, Sutton and Singh (2000, ICML, section 3) with the products cut
off and normalised as `experiments.off_policy.weights` says.
"""

import numpy as np
from numpy.typing import NDArray

from experiments.off_policy.estimate import Estimate, make_estimate
from experiments.off_policy.logged_days import LoggedDays
from experiments.off_policy.weights import Weights, credit_text, normalised_usd_per_day

NAME = "per_decision"


def per_decision(logged: LoggedDays, weights: Weights, *, refused: str | None = None) -> Estimate:
    """Return the estimate of the policy to which `weights` belong."""
    costs_usd = spread_costs(logged, weights.of_decision)

    def value(counts: NDArray[np.float64]) -> float:
        return normalised_usd_per_day(logged, counts @ costs_usd, counts @ weights.seconds)

    return make_estimate(NAME, credit_text(weights.credit_s), weights.seconds, value, refused=refused)


def spread_costs(logged: LoggedDays, of_decision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted costs of each unit and period, USD, float64 (units, periods): the cost of a decision is
    spread evenly over the time until the next one."""
    length_s = logged.until_s - logged.time_s
    lasts = length_s > 0.0
    usd_per_s = np.divide(of_decision * logged.cost_usd, length_s, out=np.zeros(len(length_s)), where=lasts)
    at_once_usd = np.where(lasts, 0.0, of_decision * logged.cost_usd)
    return logged.sum_over_time(usd_per_s) + logged.sum_by_unit(at_once_usd)
