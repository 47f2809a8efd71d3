"""A guard around policies of unknown make: they are handed copies, and of their answers only open actions reach the
center.

Room: `agents`. Touches numpy and a policy.

A policy has `predict(observations, deterministic=True)`, and returns one whole number per observation: as an array or
anything that numpy reads as one, or, as Stable-Baselines3's policies do, as `(actions, None)`. `deterministic` is
handed over by its name; a `predict` without it is asked for observations alone. What a policy is handed is its own: it
may write into it. It must decide by the observation: a state to be handed back, as of a recurrent network, is refused,
since many episodes are played side by side and end one by one.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.policy import Observations, Policy
from agents.user_code import OUR_PACKAGES, telling
from envs.errors import ConfigurationError


class CheckedPolicy:
    """A policy whose answers are checked: one whole number per observation, each the index of an open action.

    The compiled center replaces a masked action by `wait` and trusts an index to be in range. A benchmark
    must do neither, since both would hide a mistake of the policy.

    Args:
        name: names the policy in messages.
        policy: the policy; it has `predict`.
        action_names: the scenario's action table; None lets masked actions pass, which the center takes for `wait`.

    Raises:
        ConfigurationError: there is no such `predict`; by the methods also, whatever the policy raises or answers that
            is not as it must be.
    """

    def __init__(self, name: str, policy: Policy, action_names: Sequence[str] | None) -> None:
        self.name = name
        self.policy = policy
        self.action_names = None if action_names is None else tuple(action_names)
        self._what = f"policy {name}: {type(policy).__name__}.predict"
        self._is_ours = type(policy).__module__.partition(".")[0] in OUR_PACKAGES
        self._passes_flag = _passes_flag(self._what, policy)

    def predict(self, observations: Observations, deterministic: bool = True) -> NDArray[np.int64]:
        """Return the policy's actions, int64 (n,)."""
        mask = observations["action_mask"]
        actions = self._read(self._ask(observations, deterministic), len(mask))
        outside = (actions < 0) | (actions >= mask.shape[1])
        if outside.any():
            raise ConfigurationError(
                f"{self._what} returned action {actions[outside][0]}: must be >= 0 and < {mask.shape[1]}"
            )
        chosen: NDArray[np.int64] = actions.astype(np.int64)
        masked = mask[np.arange(len(mask)), chosen] == 0
        if self.action_names is not None and masked.any():
            row = int(np.flatnonzero(masked)[0])
            open_names = ", ".join(self.action_names[action] for action in np.flatnonzero(mask[row]))
            raise ConfigurationError(
                f"{self._what} returned action {chosen[row]} "
                f"({self.action_names[chosen[row]]}), which is masked; open were: {open_names}"
            )
        return chosen

    def seed(self, seed: int) -> None:
        """Tell the policy the seed of what it samples, if it has a method for that."""
        with telling(f"policy {self.name}: {type(self.policy).__name__}.seed raised", type(self.policy)):
            reseed = getattr(self.policy, "seed", None)
            if callable(reseed):
                reseed(seed)

    def action_probabilities(self, observations: Observations) -> NDArray[np.float64]:
        """Return the probabilities that the policy, one of `agents.policy.StochasticPolicy`, tells, float64
        (n, actions)."""
        what = f"policy {self.name}: {type(self.policy).__name__}.action_probabilities"
        handed = observations if self._is_ours else _copied(observations)
        with telling(f"{what} raised", type(self.policy)):
            answer = self.policy.action_probabilities(handed)  # type: ignore[attr-defined]
            found = np.array(answer, np.float64)
        wanted = observations["action_mask"].shape
        if found.shape != wanted:
            raise ConfigurationError(
                f"{what} returned shape {found.shape}: must be {wanted}, one row per observation and one column per "
                "action"
            )
        if not ((found >= 0.0) & (found <= 1.0 + 1e-6)).all():
            raise ConfigurationError(f"{what} returned numbers that are no probabilities: must be >= 0 and <= 1")
        return found

    def _ask(self, observations: Observations, deterministic: bool) -> Any:
        if self._is_ours:
            return self.policy.predict(observations, deterministic)
        flag = {"deterministic": deterministic} if self._passes_flag else {}
        with telling(f"{self._what} raised", type(self.policy)):
            return self.policy.predict(_copied(observations), **flag)

    def _read(self, answer: Any, count: int) -> NDArray[Any]:
        """Return an answer as an array of whole numbers, of whatever size of integers."""
        actions = _array(answer[0]) if isinstance(answer, tuple) and len(answer) == 2 else None
        if actions is not None and actions.ndim > 0:
            answer, state = answer
            if state is not None:
                raise ConfigurationError(
                    f"{self._what} returned a state of class {type(state).__name__} beside the actions: must be None, "
                    "since a policy is not handed its state back and decides by the observation"
                )
        found = _array(answer)
        if found is None or found.shape != (count,) or found.dtype.kind not in "iu":
            raise ConfigurationError(
                f"{self._what} returned {_described(answer, found)}: must be whole numbers of shape ({count},), one "
                "action per observation"
            )
        return found


def _passes_flag(what: str, policy: Any) -> bool:
    """Return True if `predict` takes `deterministic`; raises `ConfigurationError` if there is no `predict` to ask."""
    if not callable(getattr(policy, "predict", None)):
        raise ConfigurationError(f"{what}: no such method: must be predict(observations, deterministic=True)")
    try:
        signature = inspect.signature(policy.predict)
    except ValueError:  # of compiled code
        return True
    for flag in ({"deterministic": True}, {}):
        try:
            signature.bind({}, **flag)
        except TypeError:
            continue
        return bool(flag)
    raise ConfigurationError(f"{what}{signature}: must be callable as predict(observations, deterministic=True)")


def _copied(observations: Observations) -> Observations:
    return {key: buffer.copy() for key, buffer in observations.items()}


def _array(answer: Any) -> NDArray[Any] | None:
    """Return an answer as numpy reads it; None where it cannot."""
    if answer is None or isinstance(answer, Mapping | set | str):
        return None
    try:
        return np.asarray(answer)
    except Exception:  # a ragged list, a tensor on a device or with gradients: whatever its own library raises
        return None


def _described(answer: Any, found: NDArray[Any] | None) -> str:
    if found is None or found.dtype.kind == "O":
        length = f" of length {len(answer)}" if isinstance(answer, list | tuple) else ""
        return "None" if answer is None else f"{type(answer).__name__}{length}"
    worst = ""
    if found.dtype.kind == "f" and found.size:
        parts = found[found != np.floor(found)]  # NaN too, which equals nothing
        worst = f" (such as {parts.flat[0]:g})" if parts.size else ""
    return f"shape {found.shape} of {found.dtype}{worst}"
