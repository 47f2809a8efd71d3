"""What masked DQN and masked QR-DQN have in common: exploration among open actions, and a training that can be resumed.

Room: `agents.learning.value_learning`. Touches torch and SB3.
"""

import copy
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from agents.learning.training_env import TrainingVecEnv
from agents.learning.value_learning.elapsed_time_replay import ElapsedTimeReplay

_COUNTERS = (
    "num_timesteps",
    "_total_timesteps",
    "_current_progress_remaining",
    "_episode_num",
    "_n_calls",
    "_n_updates",
    "exploration_rate",
)
"""Of SB3's algorithms: decisions made and planned, the share that is left, episodes, steps of all environments,
gradient steps, and the probability of exploring."""


class MaskedOffPolicy(OffPolicyAlgorithm):
    """Exploration and resumption for SB3's value learners over `DuelingPolicy` and `ElapsedTimeReplay`.

    Each environment explores by itself: with the probability `exploration_rate` it takes any of its open actions, all
    as likely; otherwise the greedy one. So it does from the first step, with a prior or without; `learning_starts`
    only delays the first gradient. The generator of exploration is the algorithm's own, seeded by `seed`.
    """

    policy: Any  # a `DuelingPolicy`; DQN and QR-DQN each declare a class of their own
    env: TrainingVecEnv
    replay_buffer: ElapsedTimeReplay
    exploration_schedule: Any
    exploration_rate: float
    _n_calls: int

    def _setup_model(self) -> None:
        super()._setup_model()
        # A stream of its own: the replay memory's generator may have the same seed.
        self.generator = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(1,)))

    def _sample_action(
        self, learning_starts: int, action_noise: Any = None, n_envs: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the actions of the next step of all environments, int64 (environments,), twice: as they are taken, and
        as they are stored."""
        self.exploration_rate = self.exploration_schedule(self._current_progress_remaining)
        actions = self.explore(self._last_obs)  # type: ignore[arg-type]  # a dictionary, after `learn` has begun
        return actions, actions

    def explore(self, observations: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
        """Return an action for each observation, int64 (batch,): greedy, or with the present probability any that is
        open."""
        greedy: NDArray[np.int64] = self.policy.greedy_actions(observations)
        is_open = observations["action_mask"] != 0
        # The largest of independent uniform numbers is at any of the open actions with equal probability.
        lots = np.where(is_open, self.generator.random(is_open.shape), -1.0)
        return np.where(self.generator.random(len(greedy)) < self.exploration_rate, lots.argmax(axis=1), greedy)

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[NDArray[np.int64], Any]:
        """Return (greedy actions of one observation or a batch, `state`); who wants to explore calls `explore`."""
        return self.policy.predict(observation, state, episode_start, deterministic=True)

    def training_state(self) -> dict[str, Any]:
        """Return all that training goes on from, but for the environment: numbers, texts, arrays and tensors in
        dictionaries and lists. Everything is a copy, the replay memory too.

        It is whole between two rollouts: when `learn` has ended, or in a callback's `_on_rollout_start`. To go on as
        if nothing had happened, make the algorithm anew with the same arguments, restore the state, bring its
        environment to where it was, and call `learn(total - num_timesteps, reset_num_timesteps=False)`.
        """
        return {
            "counters": {name: getattr(self, name) for name in _COUNTERS},
            "policy": {name: tensor.detach().cpu().clone() for name, tensor in self.policy.state_dict().items()},
            "optimizer": copy.deepcopy(self.policy.optimizer.state_dict()),
            "replay": self.replay_buffer.training_state(),
            "exploration": self.generator.bit_generator.state,
            "last_observations": copy.deepcopy(self._last_obs),
            "episodes": [dict(episode) for episode in self.ep_info_buffer or ()],
        }

    def restore_training_state(self, state: dict[str, Any]) -> None:
        """Take up `training_state` of an algorithm that was made with the same arguments."""
        for name, number in state["counters"].items():
            setattr(self, name, number)
        self.policy.load_state_dict(state["policy"])
        self.policy.optimizer.load_state_dict(state["optimizer"])
        self.replay_buffer.restore_training_state(state["replay"])
        self.generator.bit_generator.state = state["exploration"]
        self._last_obs = copy.deepcopy(state["last_observations"])
        self._last_episode_starts = np.zeros(self.n_envs, np.bool_)  # which off-policy learners never read
        self.ep_info_buffer = deque(state["episodes"], maxlen=self._stats_window_size)
        self.ep_success_buffer = deque(maxlen=self._stats_window_size)
