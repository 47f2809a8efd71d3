"""The direct method: the cost that a fitted Q expects from the first decision on.

Room: `experiments.off_policy`. Over `experiments.off_policy.fitted_q`; uses no weights, so it is as good as the linear
function, and says something wherever that does, right or wrong.

With a half-life stated Q counts less of what comes later, and the cost of a day is put together of pieces: since Q =
cost + γ V(next) on average, the sum of costs is V(first) + sum of (1 − γ) V(next), here over the states that the log
went through. That values the policy from the log's own states on, about a half-life ahead.
"""

import numpy as np
from numpy.typing import NDArray

from experiments.off_policy.estimate import Estimate, make_estimate
from experiments.off_policy.fitted_q import QEquations
from experiments.off_policy.logged_days import LoggedDays
from experiments.off_policy.weights import Weights

NAME = "direct"


def direct_method(
    logged: LoggedDays, equations: QEquations, own_weights: Weights, credit: str, *, refused: str | None = None
) -> Estimate:
    """Return the estimate of the policy of `equations`; `own_weights` are those of single decisions, by which it is
    judged whether the log has anything of the policy. `credit` says how far ahead Q looks."""
    sizes = np.array([len(episodes) for episodes in logged.units], np.float64)

    def value(counts: NDArray[np.float64]) -> float:
        theta = equations.solve(counts)
        return float((counts @ equations.pieces) @ theta / (counts @ sizes) / logged.days)

    return make_estimate(NAME, credit, own_weights.seconds, value, refused=refused)
