"""Marginalised importance sampling: how often the policy would be in each state, instead of products.

Room: `experiments.off_policy`. Linear algebra on `LoggedDays` and a `Counterpart`.

States are put into cells. From the ratios of single decisions follow the policy's chances to go from cell to cell, and from
these, solving one linear system, how often it visits each cell in an episode; a decision then weighs its ratio × visits of
the policy / visits of the log to its cell (Xie, Ma and Wang 2019, NeurIPS 32, with visits of a whole episode in place of
those of each step, since steps of a semi-Markov process mean different times; Liu et al. 2018, NeurIPS 31). Costs are
credited to all decisions before them, through the state; the bias is what the cells do not tell apart.

    estimate = horizon × sum over cells of visits × cost / sum over cells of visits × seconds
"""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2, vq

from experiments.off_policy.estimate import Estimate, make_estimate
from experiments.off_policy.logged_days import Counterpart, LoggedDays
from experiments.off_policy.weights import weigh

NAME = "marginalised"
MOST_CELLS = 120
"""More states than that are put together, by k-means of their scaled fields."""
FITTED_ROWS = 20_000
"""States that k-means sees, at most."""
MOST_LOST_FRAC = 0.05
"""Share of the policy's visits that may be to cells in which the log never did what the policy does."""


def make_cells(states: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the cell of each state, int64 (n,): equal states where there are at most `MOST_CELLS`, else near ones."""
    found, cells = np.unique(states, axis=0, return_inverse=True)
    if len(found) <= MOST_CELLS:
        return cells.reshape(-1).astype(np.int64)
    spread = states.std(axis=0)
    scaled = (states[:, spread > 0.0] / spread[spread > 0.0]).astype(np.float64)
    step = -(-len(scaled) // FITTED_ROWS)
    centers, _ = kmeans2(scaled[::step], MOST_CELLS, minit="++", rng=np.random.default_rng(0))
    near, _ = vq(scaled, centers)
    return np.unique(near, return_inverse=True)[1].astype(np.int64)


class _Visits:
    """Sums of each unit from which the visits of the policy follow."""

    def __init__(self, logged: LoggedDays, ratio: NDArray[np.float64], cells: NDArray[np.int64]) -> None:
        self._n_cells = n = int(cells.max()) + 1
        unit = logged.unit[logged.episode]
        n_units = len(logged.units)
        place = unit * n + cells
        goes_on = ~logged.is_last
        ways = (place * n + np.roll(cells, -1))[goes_on]
        length_s = logged.until_s - logged.time_s
        self._ways = np.bincount(ways, ratio[goes_on], n_units * n * n).reshape(n_units, n, n)
        sums = (ratio, ratio * logged.cost_usd, ratio * length_s)
        self._sums = np.stack([np.bincount(place, each, n_units * n).reshape(n_units, n) for each in sums], axis=1)
        starts = logged.unit * n + cells[logged.first]
        self._starts = np.bincount(starts, minlength=n_units * n).reshape(n_units, n).astype(np.float64)
        self._before_s = logged.by_unit(logged.time_s[logged.first])
        self._scale = logged.horizon_s / logged.days

    def of_policy(self, counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how often the policy visits each cell in an episode, and the sums of ratios, of ratio × cost and of
        ratio × seconds there, (cells,) and (3, cells)."""
        sums = np.tensordot(counts, self._sums, 1)
        weight = sums[0]
        chances = np.tensordot(counts, self._ways, 1)
        chances = np.divide(chances, weight[:, np.newaxis], out=np.zeros_like(chances), where=weight[:, np.newaxis] > 0)
        starts = counts @ self._starts
        visits: NDArray[np.float64] = np.linalg.solve(np.eye(self._n_cells) - chances.T, starts / starts.sum())
        return visits, sums

    def usd_per_day(self, counts: NDArray[np.float64]) -> float:
        """Return the cost of a day, USD."""
        visits, (weight, cost_usd, seconds) = self.of_policy(counts)
        known = weight > 0.0
        factor = np.divide(visits, weight, out=np.zeros(self._n_cells), where=known)
        before_s = float(counts @ self._before_s / (counts @ self._starts).sum())
        return float(self._scale * (factor @ cost_usd) / (before_s + factor @ seconds))


def marginalised(
    logged: LoggedDays, policy: Counterpart, cells: NDArray[np.int64], *, refused: str | None = None
) -> Estimate:
    """Return the estimate of `policy`, states told apart by `cells` (n,)."""
    sums = _Visits(logged, policy.ratio, cells)
    visits, (weight, _, _) = sums.of_policy(np.ones(len(logged.units)))
    factor = np.divide(visits, weight, out=np.zeros(len(visits)), where=weight > 0.0)
    weights = weigh(logged, logged.n_episodes * factor[cells] * policy.ratio)
    lost_frac = float(visits[weight == 0.0].sum() / visits.sum())
    if refused is None and lost_frac > MOST_LOST_FRAC:
        refused = f"{100 * lost_frac:.0f} % of the policy's visits are to states in which the log never did as it does"
    credit = f"all decisions before, through {len(visits)} cells of states"
    return make_estimate(NAME, credit, weights.seconds, sums.usd_per_day, refused=refused)
