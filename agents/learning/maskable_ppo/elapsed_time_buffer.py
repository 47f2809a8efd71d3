"""Advantages of a semi-Markov process: discount and trace decay by elapsed time, not by decisions.

Room: `agents.learning.maskable_ppo`. Touches numpy and SB3's buffers.
"""

from typing import Any, Protocol

import numpy as np
import torch
from sb3_contrib.common.maskable.buffers import MaskableDictRolloutBuffer


class ReportsElapsed(Protocol):
    """A vector environment that tells how long each row's last step took."""

    elapsed_s: np.ndarray


class ElapsedTimeBuffer(MaskableDictRolloutBuffer):
    """MaskablePPO's buffer with the generalised advantage of a semi-Markov decision process.

    With elapsed time d_t of step t: gamma_t = 2^(-d_t / discount half-life), lambda_t = 2^(-d_t / trace half-life),
    A_t = r_t + gamma_t V_{t+1} - V_t + gamma_t lambda_t A_{t+1} (Schulman et al. 2016, arXiv 1506.02438, eq. 16, with
    the discount of Bradtke and Duff 1994 for elapsed time). Decisions of the same second are not discounted.

    `rollout_buffer_kwargs`: `source` (the environment, read after each step), `discount_half_life_s`,
    `trace_half_life_s`.
    """

    def __init__(
        self,
        *args: Any,
        source: ReportsElapsed,
        discount_half_life_s: float,
        trace_half_life_s: float,
        **kwargs: Any,
    ) -> None:
        self._source = source
        self._discount_half_life_s = discount_half_life_s
        self._trace_half_life_s = trace_half_life_s
        super().__init__(*args, **kwargs)

    def reset(self) -> None:
        """Empty the buffer."""
        self.elapsed_s = np.zeros((self.buffer_size, self.n_envs), np.float32)
        super().reset()

    def add(self, *args: Any, **kwargs: Any) -> None:
        """Add a step of all environments, with the time it took."""
        self.elapsed_s[self.pos] = self._source.elapsed_s
        super().add(*args, **kwargs)

    def compute_returns_and_advantage(self, last_values: torch.Tensor, dones: np.ndarray) -> None:
        """Fill advantages and returns (advantage + value)."""
        next_value = last_values.clone().cpu().numpy().flatten()
        next_running = 1.0 - dones.astype(np.float32)
        advantage = np.zeros(self.n_envs, np.float32)
        for step in reversed(range(self.buffer_size)):
            if step < self.buffer_size - 1:
                next_value = self.values[step + 1]
                next_running = 1.0 - self.episode_starts[step + 1]
            gamma = np.exp2(-self.elapsed_s[step] / self._discount_half_life_s) * next_running
            trace = np.exp2(-self.elapsed_s[step] / self._trace_half_life_s)
            delta = self.rewards[step] + gamma * next_value - self.values[step]
            advantage = delta + gamma * trace * advantage
            self.advantages[step] = advantage
        self.returns = self.advantages + self.values
