"""The weighted doubly robust estimator, per decision.

Room: `experiments.off_policy`. Over the weights and a fitted Q.

    estimate = mean of V(first) + sum over periods of the weighted mean of  cost + V(next) − Q(state, action)

with the weights of `experiments.off_policy.weights` (Jiang and Li 2016, ICML; weighted: Thomas and Brunskill 2016,
ICML, section 5). Written with differences of one step, as Kallus and Uehara (2020, JMLR 21) do, it needs of the weights
only what Q leaves over: a cost that Q foresees is credited as far ahead as Q reaches, only the surprise as far back as
the weights. It is right where the weights are, and where Q is. Q comes from the other half of the units
(cross-fitting), so that no day judges a Q that has learned from it, and does not change when a unit is left out.

With the weights of `experiments.off_policy.marginalised` in place of the products it is the doubly robust estimator of
Kallus and Uehara (2020): the same sum, whose weights reach back through the state to the beginning of the episode.
"""

import numpy as np
from numpy.typing import NDArray

from experiments.off_policy.estimate import Estimate, make_estimate
from experiments.off_policy.fitted_q import QEquations
from experiments.off_policy.logged_days import LoggedDays
from experiments.off_policy.weights import Weights, normalised_usd_per_day

NAME = "doubly_robust"
MARGINAL_NAME = "doubly_robust_marginalised"


def doubly_robust(
    name: str, logged: LoggedDays, weights: Weights, equations: QEquations, credit: str, *, refused: str | None = None
) -> Estimate:
    """Return the estimate, called `name`, of the policy to which `weights` and `equations` belong."""
    half = np.arange(len(logged.units)) % 2
    is_first_half = half[logged.unit[logged.episode]] == 0
    surprise_usd, value_usd = np.zeros(len(is_first_half)), np.zeros(len(is_first_half))
    for own, other in ((is_first_half, half == 1), (~is_first_half, half == 0)):
        theta = equations.solve(other.astype(np.float64))
        policy_usd = equations.of_policy_usd(theta)
        following_usd = np.where(logged.is_last, 0.0, np.roll(policy_usd, -1))
        found_usd = logged.cost_usd + following_usd - equations.of_taken_usd(theta)
        surprise_usd[own], value_usd[own] = found_usd[own], policy_usd[own]
    first_usd = value_usd[logged.first]
    return weigh_surprises(name, logged, weights, first_usd, surprise_usd, credit, refused=refused)


def weigh_surprises(
    name: str,
    logged: LoggedDays,
    weights: Weights,
    first_usd: NDArray[np.float64],
    surprise_usd: NDArray[np.float64],
    credit: str,
    *,
    refused: str | None = None,
) -> Estimate:
    """Return the estimate from the value of the first decision of each episode (episodes,) and what each decision's
    cost and next value surprised by (n,), USD."""
    firsts_usd = logged.by_unit(first_usd)
    surprises_usd = logged.sum_by_unit(weights.of_decision * surprise_usd)
    sizes = np.array([len(episodes) for episodes in logged.units], np.float64)

    def value(counts: NDArray[np.float64]) -> float:
        mean_first_usd = float(counts @ firsts_usd / (counts @ sizes))
        return mean_first_usd / logged.days + normalised_usd_per_day(
            logged, counts @ surprises_usd, counts @ weights.seconds
        )

    return make_estimate(name, credit, weights.seconds, value, refused=refused)
