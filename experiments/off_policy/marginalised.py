"""Marginalised importance sampling: how often the policy would be in each state, instead of products.

Room: `experiments.off_policy`. Linear algebra on `LoggedDays` and a `Counterpart`.

States are put into cells. From the ratios of single decisions follow the policy's chances to go from cell to cell, and
from these, solving one linear system, how often it visits each cell in an episode; a decision then weighs its ratio ×
visits of the policy / visits of the log to its cell (Xie, Ma and Wang 2019, NeurIPS 32, with visits of a whole episode
in place of those of each step, since steps of a semi-Markov process mean different times; Liu et al. 2018, NeurIPS 31).
Costs are credited to all decisions before them, through the state; the bias is what the cells do not tell apart.

    estimate = horizon × sum over cells of visits × cost / sum over cells of visits × seconds
"""

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2, vq

from experiments.off_policy.estimate import Estimate, make_estimate
from experiments.off_policy.logged_days import Counterpart, LoggedDays
from experiments.off_policy.weights import Weights, weigh

NAME = "marginalised"
MOST_CELLS = 150
"""More states than that are put together."""
LEAST_COMMON_FRAC = 0.8
"""Of the decisions, what the commonest states must hold to be the cells, to the nearest of which all others go; else
cells come of k-means."""
FITTED_ROWS = 2000
"""States that k-means sees, at most."""
PRIOR_DECISIONS = 1.0
"""Decisions of the log by which the policy's chances, costs and times of a cell are completed: where the policy's own
weigh little, it is taken to go on as the log did."""
MOST_LOST_FRAC = 0.05
"""Share of the policy's visits that may be to cells in which the log never did what the policy does."""


def make_cells(states: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the cell of each state, int64 (n,): equal states where there are at most `MOST_CELLS`, else near ones."""
    found, cells, counts = np.unique(states, axis=0, return_inverse=True, return_counts=True)
    if len(found) <= MOST_CELLS:
        return cells.reshape(-1).astype(np.int64)
    spread = states.std(axis=0)
    varies = spread > 0.0
    common = np.argsort(-counts, kind="stable")[:MOST_CELLS]
    scaled = (found[:, varies] / spread[varies]).astype(np.float64)
    if counts[common].sum() >= LEAST_COMMON_FRAC * len(states):
        centers = scaled[common]
    else:
        seen = scaled[cells.reshape(-1)[:: -(-len(states) // FITTED_ROWS)]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a cell stayed empty, which is then none
            centers, _ = kmeans2(seen, MOST_CELLS, minit="points", rng=np.random.default_rng(0))
    near, _ = vq(scaled, centers)
    return np.unique(near[cells.reshape(-1)], return_inverse=True)[1].astype(np.int64)


class Visits:
    """Sums of each unit from which the visits of the policy follow: of all ways from cell to cell, of decisions, costs
    and seconds in each cell, weighed by the ratio and as they were."""

    def __init__(self, logged: LoggedDays, ratio: NDArray[np.float64], cells: NDArray[np.int64]) -> None:
        self.n_cells = n = int(cells.max()) + 1
        n_units = len(logged.units)
        place = logged.unit[logged.episode] * n + cells
        ways = (place * n + np.roll(cells, -1))[~logged.is_last]
        length_s = logged.until_s - logged.time_s
        self._ways, self._sums = [], []
        for weight in (ratio, np.ones(len(ratio))):
            self._ways.append(np.bincount(ways, weight[~logged.is_last], n_units * n * n).reshape(n_units, n, n))
            sums = (weight, weight * logged.cost_usd, weight * length_s)
            self._sums.append(np.stack([np.bincount(place, each, n_units * n).reshape(n_units, n) for each in sums], 1))
        starts = np.bincount(logged.unit * n + cells[logged.first], minlength=n_units * n)
        self._starts = starts.reshape(n_units, n).astype(np.float64)
        self._before_s = logged.by_unit(logged.time_s[logged.first])
        self._scale = logged.horizon_s / logged.days

    def of_policy(self, counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Return how often the policy visits each cell in an episode, and the mean cost and seconds there, each
        (cells,); 0 in cells that no unit counted visits."""
        own, log = (np.tensordot(counts, sums, 1) for sums in self._sums)
        ways, log_ways = (np.tensordot(counts, each, 1) for each in self._ways)
        prior = np.divide(PRIOR_DECISIONS, log[0], out=np.zeros(self.n_cells), where=log[0] > 0.5)
        means = own + prior * log
        size = np.where(means[0] > 0.0, means[0], 1.0)
        chances = (ways + prior[:, np.newaxis] * log_ways) / size[:, np.newaxis]
        starts = counts @ self._starts
        visits: NDArray[np.float64] = np.linalg.solve(np.eye(self.n_cells) - chances.T, starts / starts.sum())
        return visits, means[1] / size, means[2] / size

    def usd_per_day(self, counts: NDArray[np.float64]) -> float:
        """Return the cost of a day, USD."""
        visits, cost_usd, seconds = self.of_policy(counts)
        before_s = float(counts @ self._before_s / (counts @ self._starts).sum())
        return float(self._scale * (visits @ cost_usd) / (before_s + visits @ seconds))


class Marginal(NamedTuple):
    """What is known of a policy through cells: sums from which its visits follow, the weight of each decision, and why
    nothing is said, or None."""

    visits: Visits
    weights: Weights
    refused: str | None


def marginalise(logged: LoggedDays, policy: Counterpart, cells: NDArray[np.int64]) -> Marginal:
    """Return how `policy` goes through `cells`, int64 (n,)."""
    sums = Visits(logged, policy.ratio, cells)
    visits = sums.of_policy(np.ones(len(logged.units)))[0]
    weight = np.bincount(cells, policy.ratio, sums.n_cells)
    factor = np.divide(visits, weight, out=np.zeros(len(visits)), where=weight > 0.0)
    lost_frac = float(visits[weight == 0.0].sum() / visits.sum())
    refused = None
    if lost_frac > MOST_LOST_FRAC:
        refused = f"{100 * lost_frac:.0f} % of the policy's visits are to states in which the log never did as it does"
    return Marginal(sums, weigh(logged, logged.n_episodes * factor[cells] * policy.ratio), refused)


def marginalised(marginal: Marginal, *, refused: str | None = None) -> Estimate:
    """Return the estimate of the policy of `marginal`."""
    return make_estimate(
        NAME,
        f"all decisions before, through {marginal.visits.n_cells} cells of states",
        marginal.weights.seconds,
        marginal.visits.usd_per_day,
        refused=refused or marginal.refused,
    )
