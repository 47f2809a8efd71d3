"""MaskablePPO whose training can be kept as plain data, and go on from there bit for bit.

Room: `agents.learning.maskable_ppo`. Touches sb3-contrib's MaskablePPO.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from sb3_contrib import MaskablePPO

from agents.learning.training_env import TrainingVecEnv


class ResumablePPO(MaskablePPO):
    """MaskablePPO (Huang and Ontañón 2022, arXiv 2006.14171) of sb3-contrib.

    Between two rollouts its buffer says nothing that is still needed, so what is kept there is the policy, its
    optimizer, and the counts that schedules and statistics follow. The environment is somebody else's.
    """

    env: TrainingVecEnv

    def training_state(self) -> dict[str, Any]:
        """Return the training as it is between two rollouts; random numbers are those of the process, and not in it."""
        return {
            "policy": self.policy.state_dict(),
            "optimizer": self.policy.optimizer.state_dict(),
            "observations": self._last_obs,
            "episode_starts": self._last_episode_starts,
            "episodes": list(self.ep_info_buffer or ()),
            "decisions": self.num_timesteps,
            "updates": self._n_updates,
        }

    def restore_training_state(self, state: Mapping[str, Any]) -> None:
        """Take a training up where `training_state` left it, in a model made by the same configuration; to be followed
        by `learn(…, reset_num_timesteps=False)`."""
        self.policy.load_state_dict(state["policy"])
        self.policy.optimizer.load_state_dict(state["optimizer"])
        self._last_obs = state["observations"]
        self._last_episode_starts = state["episode_starts"]
        self.ep_info_buffer = deque(state["episodes"], maxlen=self._stats_window_size)
        self.ep_success_buffer = deque(maxlen=self._stats_window_size)
        self.num_timesteps, self._n_updates = state["decisions"], state["updates"]
