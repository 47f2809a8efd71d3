"""Fitted Q evaluation: what is still to be spent after a decision, as a linear function of state and action.

Room: `experiments.off_policy`. Linear algebra on `LoggedDays` and a `Counterpart`.

Fitted Q evaluation (Le, Voloshin and Yue 2019, ICML, algorithm 3) regresses cost + value of what follows on state and
action, again and again. With a linear function and squares as the loss it ends where

    sum over decisions of φ (cost + γ V(next) − Q) = 0,   Q = θ·φ(state, action),   V = θ·mean φ of the policy's actions

(LSTDQ, Lagoudakis and Parr 2003, JMLR 4), which is solved at once. Closed actions have no chance in any policy, so the
mean leaves them out. γ is 1, since what is wanted is the cost until the horizon, after which V is 0; with a half-life
stated it is 2^(−seconds until the next decision / half-life), the discount of a semi-Markov process.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from experiments.off_policy.logged_days import Counterpart, LoggedDays

RIDGE = 1e-6
"""Weight of θ² against the mean square of a feature: what the log hardly varies is left at 0."""


class QEquations:
    """The equations of Q for a policy, those of each unit by themselves, so that units can be left out.

    Attributes:
        taken, expected: features of the actions taken and the mean over those of the policy, (n, numbers), scaled.
        following: `expected` of the next decision, 0 after the last one.
        discount: γ of each decision, float64 (n,).
    """

    def __init__(self, logged: LoggedDays, policy: Counterpart, half_life_s: float | None) -> None:
        scale = np.sqrt((logged.features.astype(np.float64) ** 2).mean(axis=0))
        used = scale > 1e-6
        self.taken = logged.features[:, used] / scale[used]
        self.expected = policy.features[:, used] / scale[used]
        self.following = np.where(logged.is_last[:, np.newaxis], 0.0, np.roll(self.expected, -1, axis=0))
        length_s = logged.until_s - logged.time_s
        self.discount = np.ones(len(length_s)) if half_life_s is None else 0.5 ** (length_s / half_life_s)
        ahead = self.taken - self.discount[:, np.newaxis] * self.following
        bounds = np.append(logged.first, len(length_s))
        matrices, sides = [], []
        for start, stop in pairwise(bounds):
            own = self.taken[start:stop].T
            matrices.append(own @ ahead[start:stop])
            sides.append(own @ logged.cost_usd[start:stop])
        self._matrices = logged.by_unit(np.array(matrices))
        self._sides = logged.by_unit(np.array(sides))
        self._ridge = RIDGE * np.bincount(logged.unit, np.diff(bounds), len(logged.units))

    def solve(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return θ from units that are counted so often, float64 (numbers,)."""
        size = self._matrices.shape[1]
        matrix = np.tensordot(counts, self._matrices, 1) + (counts @ self._ridge) * np.eye(size)
        theta: NDArray[np.float64] = np.linalg.solve(matrix, counts @ self._sides)
        return theta
