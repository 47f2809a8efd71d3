"""Fitted Q evaluation: what is still to be spent after a decision, as a linear function of state and action.

Room: `experiments.off_policy`. Linear algebra on `LoggedDays` and a `Counterpart`.

Fitted Q evaluation (Le, Voloshin and Yue 2019, ICML, algorithm 3) regresses cost + value of what follows on state and
action, again and again. With a linear function and squares as the loss it ends where

    sum over decisions of φ (cost + γ V(next) − Q) = 0,   Q = θ·φ(state, action),   V = θ·mean φ of the policy's actions

(LSTDQ, Lagoudakis and Parr 2003, JMLR 4), which is solved at once. Closed actions have no chance in any policy, so the
mean leaves them out. γ is 1, since what is wanted is the cost until the horizon, after which V is 0; with a half-life
stated it is 2^(−seconds until the next decision / half-life), the discount of a semi-Markov process.
"""

import numpy as np
from numpy.typing import NDArray

from experiments.off_policy.logged_days import Counterpart, LoggedDays

RIDGE = 1e-3
"""Weight of θ² against the mean square of a feature: what the log hardly varies is left at 0."""


class QEquations:
    """The equations of Q for a policy, those of each unit by themselves, so that units can be left out.

    Attributes:
        discount: γ of each decision, float64 (n,).
        pieces: of each unit the sum over its episodes of V(first) + sum of (1 − γ) V(next), as numbers by which θ is to
            be multiplied, float64 (units, numbers).
    """

    def __init__(self, logged: LoggedDays, policy: Counterpart, half_life_s: float | None) -> None:
        self._logged, self._policy = logged, policy
        scale = np.sqrt(np.einsum("ni,ni->i", logged.features, logged.features, dtype=np.float64) / len(logged.episode))
        self._used = np.flatnonzero(scale > 1e-6)
        self._scale = scale[self._used]
        length_s = logged.until_s - logged.time_s
        self.discount = np.ones(len(length_s)) if half_life_s is None else 0.5 ** (length_s / half_life_s)
        size, n_units = len(self._used), len(logged.units)
        self._matrices, self._sides = np.zeros((n_units, size, size)), np.zeros((n_units, size))
        self.pieces = np.zeros((n_units, size))
        self._ridge = np.zeros(n_units)
        for unit, start, stop in zip(
            logged.unit, logged.first, np.append(logged.first[1:], len(length_s)), strict=True
        ):
            taken, expected = (
                each[start:stop, self._used].astype(np.float64) / self._scale
                for each in (logged.features, policy.features)
            )
            following = np.append(expected[1:], np.zeros((1, size)), axis=0)
            discount = self.discount[start:stop, np.newaxis]
            self._matrices[unit] += taken.T @ (taken - discount * following)
            self._sides[unit] += taken.T @ logged.cost_usd[start:stop]
            self.pieces[unit] += expected[0] + ((1.0 - discount) * following).sum(axis=0)
            self._ridge[unit] += RIDGE * (stop - start)

    def solve(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return θ of the scaled numbers from units that are counted so often, float64 (numbers,)."""
        matrix = np.tensordot(counts, self._matrices, 1) + (counts @ self._ridge) * np.eye(len(self._scale))
        return np.linalg.solve(matrix, counts @ self._sides).astype(np.float64)

    def of_taken_usd(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return Q of every decision and the action taken, USD, float64 (n,)."""
        return self._logged.features @ self._plain(theta)

    def of_policy_usd(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return V of every decision, the mean of Q over the policy's actions, USD, float64 (n,)."""
        return self._policy.features @ self._plain(theta)

    def _plain(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        plain = np.zeros(self._logged.features.shape[1])
        plain[self._used] = theta / self._scale
        return plain
