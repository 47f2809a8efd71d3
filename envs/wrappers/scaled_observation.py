"""The observation as one flat vector of moderate numbers, for networks that take no dictionary.

Room: `envs.wrappers`. Reads the field table of the environment that it wraps.

The vector is the action mask, n numbers that are 0 or 1, then the fields of the center, then those of the candidates,
row by row. Every field x enters as sign(x) log(1 + |x| / scale) with the scale of its row in `observation_fields`, as
the project's own network reads it (`agents.learning.network`), so that seconds and dollars of every magnitude come to
about -20 to 20. So that the mask is at hand wherever only observations are kept, it is the first n numbers.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.interface.fields import Field, FieldTable


def flatten_scaled(observation: dict[str, NDArray[Any]], fields: FieldTable) -> NDArray[np.float32]:
    """Return one observation as float32 (n_flat,), or a batch of them as float32 (batch, n_flat)."""
    mask = observation["action_mask"]
    center = _compress(observation["center"], fields.center)
    candidates = _compress(observation["candidates"], fields.candidates)
    return np.concatenate([mask, center, candidates.reshape(*mask.shape[:-1], -1)], axis=-1, dtype=np.float32)


def _compress(values: NDArray[Any], fields: tuple[Field, ...]) -> NDArray[np.float32]:
    scale = np.array([field.scale for field in fields], np.float32)
    compressed: NDArray[np.float32] = np.copysign(np.log1p(np.abs(values) / scale), values)
    return compressed


def _flat_space(space: gymnasium.Space[Any], fields: FieldTable) -> Box:
    """Return the space of a flat observation, from that of the dictionary."""
    assert isinstance(space, gymnasium.spaces.Dict)
    low, high = ({key: getattr(box, end) for key, box in space.items()} for end in ("low", "high"))
    return Box(flatten_scaled(low, fields), flatten_scaled(high, fields), dtype=np.float32)


class ScaledObservation(
    gymnasium.ObservationWrapper[NDArray[np.float32], np.int64, dict[str, NDArray[Any]]],
    gymnasium.utils.RecordConstructorArgs,
):
    """`BlendedCenter` with a flat, scaled observation, float32 (n_flat,) in [0, 1] and about -20 to 20: see above.

    The first `action_space.n` numbers are the action mask; `info["action_mask"]` and `action_masks()` stay.
    """

    def __init__(self, env: gymnasium.Env[dict[str, NDArray[Any]], np.int64]) -> None:
        gymnasium.utils.RecordConstructorArgs.__init__(self)
        super().__init__(env)
        self._fields: FieldTable = env.get_wrapper_attr("observation_fields")
        self.observation_space = _flat_space(env.observation_space, self._fields)  # type: ignore[assignment]

    def observation(self, observation: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Return the flat observation."""
        return flatten_scaled(observation, self._fields)

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are open now, bool (n,)."""
        masks: NDArray[np.bool_] = self.env.get_wrapper_attr("action_masks")()
        return masks


class ScaledObservationVector(VectorWrapper, gymnasium.utils.RecordConstructorArgs):  # not generic in Gymnasium 1.2
    """`BlendedCenterVector` with flat, scaled observations, float32 (num_envs, n_flat), in every autoreset mode: where
    episodes end in the same step, `final_obs` is flat too. `autoreset_mode` is the wrapped environment's."""

    def __init__(self, env: VectorEnv[dict[str, NDArray[Any]], NDArray[Any], NDArray[Any]]) -> None:
        gymnasium.utils.RecordConstructorArgs.__init__(self)
        super().__init__(env)
        self.autoreset_mode = env.metadata["autoreset_mode"]
        self._fields: FieldTable = env.unwrapped.observation_fields  # type: ignore[attr-defined]
        self.single_observation_space = _flat_space(env.single_observation_space, self._fields)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start episodes as the wrapped environment does. Returns (flat observations, info)."""
        observations, info = self.env.reset(seed=seed, options=options)
        return flatten_scaled(observations, self._fields), info

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Carry out one action per row. Returns (flat observations, rewards in USD, terminated, truncated, info)."""
        observations, rewards_usd, terminated, truncated, info = self.env.step(actions)
        if "final_obs" in info:
            last = np.full(self.num_envs, None, object)
            for row in np.flatnonzero(info["_final_obs"]).tolist():
                last[row] = flatten_scaled(info["final_obs"][row], self._fields)
            info = info | {"final_obs": last}
        return flatten_scaled(observations, self._fields), rewards_usd, terminated, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are open now, bool (num_envs, n)."""
        masks: NDArray[np.bool_] = self.env.unwrapped.action_masks()  # type: ignore[attr-defined]
        return masks
