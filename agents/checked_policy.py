"""A guard around policies of unknown make: whatever they answer, only open actions reach the center.

Room: `agents`. Touches numpy and a policy.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.policy import Observations, Policy
from envs.errors import ConfigurationError


class CheckedPolicy:
    """A policy whose answers are checked: one whole number per observation, each the index of an open action.

    The compiled center replaces a masked action by `wait` and trusts an index to be in range. A benchmark
    must do neither, since both would hide a mistake of the policy.

    Args:
        name: names the policy in messages.
        policy: the policy; it has `predict`.
        action_names: the scenario's action table.
    """

    def __init__(self, name: str, policy: Policy, action_names: Sequence[str]) -> None:
        self.name = name
        self.policy = policy
        self.action_names = tuple(action_names)

    def predict(self, observations: Observations, deterministic: bool = True) -> NDArray[np.int64]:
        """Return the policy's actions, int64 (n,); raises `ConfigurationError` where they are not open
        actions."""
        mask = observations["action_mask"]
        answer = np.asarray(self.policy.predict(observations, deterministic))
        if answer.shape != (len(mask),) or answer.dtype.kind not in "iu":
            raise ConfigurationError(
                f"policy {self.name}: predict returned shape {answer.shape} of {answer.dtype}: "
                f"must be whole numbers of shape ({len(mask)},), one action per observation"
            )
        actions = answer.astype(np.int64)
        outside = (actions < 0) | (actions >= mask.shape[1])
        if outside.any():
            raise ConfigurationError(
                f"policy {self.name}: predict returned action {actions[outside][0]}: must be >= 0 and < {mask.shape[1]}"
            )
        masked = mask[np.arange(len(mask)), actions] == 0
        if masked.any():
            row = int(np.flatnonzero(masked)[0])
            open_names = ", ".join(self.action_names[action] for action in np.flatnonzero(mask[row]))
            raise ConfigurationError(
                f"policy {self.name}: predict returned action {actions[row]} "
                f"({self.action_names[actions[row]]}), which is masked; open were: {open_names}"
            )
        return actions
