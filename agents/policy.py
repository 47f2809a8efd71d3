"""The protocol of all policies: a batch of observations in, a batch of actions out.

Room: `agents`. Touches numpy only.
"""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Observations = dict[str, NDArray[Any]]
"""`center` float32 (n, center fields), `candidates` float32 (n, actions, candidate fields), `action_mask` int8
(n, actions)."""

MASKED_LOGIT = -1e8
"""What a network's logits are where an action is masked, in training and in an exported file alike: finite, so that no
runtime meets an infinity, and far below any other."""


@runtime_checkable
class Policy(Protocol):
    """Anything that chooses an open action for each of n observations."""

    def predict(self, observations: Observations, deterministic: bool = True) -> NDArray[np.int64]:
        """Return one open action per observation, int64 (n,)."""
        ...


@runtime_checkable
class StochasticPolicy(Policy, Protocol):
    """A policy that also tells how likely it takes each action."""

    def action_probabilities(self, observations: Observations) -> NDArray[np.float64]:
        """Return probabilities, float (n, actions); rows sum to 1 and masked actions have 0."""
        ...
