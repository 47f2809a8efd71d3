"""Replay memory of a semi-Markov process: each observation once, and a discount of its own for each transition.

Room: `agents.learning.value_learning`. Touches numpy and SB3's buffers.
"""

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import DictReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

from agents.learning.maskable_ppo.elapsed_time_buffer import ReportsElapsed


class ElapsedTimeReplay(ReplayBuffer):
    """The last `buffer_size` transitions of `n_envs` environments side by side, in a ring of steps.

    A transition that took d seconds has the discount 2^(-d / discount half-life) (Bradtke and Duff 1994, for elapsed
    time); decisions of the same second are not discounted. The next observation of a step is the observation of the
    step after it, so each is stored once. Where an episode ended that is the first one of another episode, or the last
    one of its own, whichever was seen later: what follows an end is worth 0, so nobody may read it.

    Memory: 4 (center fields + actions x candidate fields) + actions + 11 bytes for each transition, of which there is
    one more than asked for in each environment; in `bank` (84, 28 x 36) 4,407 bytes, so 441 MB for 100,000. It is
    taken as it fills.

    `replay_buffer_kwargs`: `source` (the environment, read after each step), `discount_half_life_s`, `seed` of the
    generator that draws.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Dict,
        action_space: spaces.Discrete,
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        *,
        source: ReportsElapsed,
        discount_half_life_s: float,
        seed: int = 0,
    ) -> None:
        # Not the constructor of SB3's replay memory, which would take room for every observation twice.
        super(ReplayBuffer, self).__init__(buffer_size, observation_space, action_space, device, n_envs)
        self._source = source
        self._discount_half_life_s = discount_half_life_s
        self.generator = np.random.default_rng(seed)
        self.n_slots = max(buffer_size // n_envs, 1) + 1  # that at `pos` has the newest observation alone
        shape = (self.n_slots, n_envs)
        self.observations: dict[str, NDArray[Any]] = {  # type: ignore[assignment]  # as SB3's memory of dictionaries
            key: np.zeros((*shape, *space.shape), space.dtype)  # type: ignore[misc]  # boxes have a shape
            for key, space in observation_space.spaces.items()
        }
        self.actions = np.zeros(shape, np.int16)
        self.rewards = np.zeros(shape, np.float32)
        self.discounts = np.zeros(shape, np.float32)
        self.dones = np.zeros(shape, np.bool_)

    def size(self) -> int:
        """Return of how many steps of all environments there are transitions."""
        return self.n_slots - 1 if self.full else self.pos

    def add(  # type: ignore[override]  # dictionaries of observations, as in SB3's memory of dictionaries
        self,
        obs: dict[str, NDArray[Any]],
        next_obs: dict[str, NDArray[Any]],
        action: NDArray[Any],
        reward: NDArray[Any],
        done: NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        """Add a step of all environments, with the time it took; the oldest step gives way."""
        after = (self.pos + 1) % self.n_slots
        for key, kept in self.observations.items():
            kept[self.pos], kept[after] = obs[key], next_obs[key]
        self.actions[self.pos] = np.asarray(action).reshape(self.n_envs)
        self.rewards[self.pos] = reward
        self.discounts[self.pos] = np.exp2(-self._source.elapsed_s / self._discount_half_life_s)
        self.dones[self.pos] = done
        self.full = self.full or after == 0
        self.pos = after

    def sample(  # type: ignore[override]
        self, batch_size: int, env: VecNormalize | None = None
    ) -> DictReplayBufferSamples:
        """Return `batch_size` transitions drawn with equal probability, with replacement; actions, rewards, dones and
        discounts are (batch, 1)."""
        ages = self.generator.integers(self.size(), size=batch_size)
        slots = (self.pos - 1 - ages) % self.n_slots
        return self.read(slots, self.generator.integers(self.n_envs, size=batch_size))

    def read(self, slots: NDArray[np.int64], rows: NDArray[np.int64]) -> DictReplayBufferSamples:
        """Return the transitions at these `slots` of the ring (batch,), of these environments (batch,)."""
        after = (slots + 1) % self.n_slots
        return DictReplayBufferSamples(
            observations={key: self.to_torch(kept[slots, rows]) for key, kept in self.observations.items()},
            actions=self.to_torch(self.actions[slots, rows].astype(np.int64)[:, None]),
            next_observations={key: self.to_torch(kept[after, rows]) for key, kept in self.observations.items()},
            dones=self.to_torch(self.dones[slots, rows].astype(np.float32)[:, None]),
            rewards=self.to_torch(self.rewards[slots, rows][:, None]),
            discounts=self.to_torch(self.discounts[slots, rows][:, None]),
        )

    def training_state(self) -> dict[str, Any]:
        """Return copies of what is stored, where the ring stands, and the state of the generator."""
        filled = self.n_slots if self.full else self.pos + 1
        return {
            "pos": self.pos,
            "full": self.full,
            "generator": self.generator.bit_generator.state,
            "observations": {key: kept[:filled].copy() for key, kept in self.observations.items()},
            **{name: getattr(self, name)[:filled].copy() for name in ("actions", "rewards", "discounts", "dones")},
        }

    def restore_training_state(self, state: dict[str, Any]) -> None:
        """Take up the state of a memory of the same size, environments and spaces."""
        self.pos, self.full = state["pos"], state["full"]
        self.generator.bit_generator.state = state["generator"]
        filled = len(state["actions"])
        for key, kept in self.observations.items():
            kept[:filled] = state["observations"][key]
        for name in ("actions", "rewards", "discounts", "dones"):
            getattr(self, name)[:filled] = state[name]
