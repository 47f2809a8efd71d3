#!/usr/bin/env bash
# RLlib 2.60.0: with gym_env_vectorize_mode="vector_entry_point" the autoreset mode that a vector environment states in
# its metadata is not read. One that resets in the same step (AutoresetMode.SAME_STEP) loses the first step of every
# episode but the first, reward included, and the last observation of every episode is the first one of the next.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet --quiet torch==2.13.0 gymnasium==1.2.2 "ray[rllib]==2.60.0"
"$folder/venv/bin/python" -W ignore - 2> "$folder/log" <<'PYTHON' || { tail -n 20 "$folder/log"; exit 1; }
import sys

import gymnasium
import numpy as np
import ray
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner


class FiveSteps(gymnasium.Env):
    """Every episode has five steps of reward 1; the observation counts them."""

    observation_space = gymnasium.spaces.Box(0, 5, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        return np.full(1, self.steps, np.float32), 1.0, self.steps == 5, False, {}


class ManyFiveSteps(SyncVectorEnv):
    def __init__(self, num_envs=1):
        super().__init__([FiveSteps] * num_envs, autoreset_mode=AutoresetMode.SAME_STEP)


gymnasium.register("FiveSteps-v0", entry_point=FiveSteps, vector_entry_point=ManyFiveSteps)


def episodes(vectorize_mode):
    """Return length, return and observations of the episodes that end in 15 to 20 steps of one environment."""
    config = PPOConfig().environment("FiveSteps-v0")
    config.env_runners(num_env_runners=0, num_envs_per_env_runner=1, gym_env_vectorize_mode=vectorize_mode)
    sampled = SingleAgentEnvRunner(config=config).sample(num_timesteps=20, random_actions=True)
    return [
        (len(episode), float(episode.get_return()), [int(row[0]) for row in episode.get_observations()])
        for episode in sampled
        if episode.is_done
    ]


observed = {mode: episodes(mode) for mode in ("sync", "vector_entry_point")}
print(f"ray {ray.__version__}, gymnasium {gymnasium.__version__}; length, return, observations of episodes of five steps")
for mode, kept in observed.items():
    print(f"observed with {mode}: {kept}")
expected = {
    "sync": 4 * [(5, 5.0, [0, 1, 2, 3, 4, 5])],
    "vector_entry_point": [(5, 5.0, [0, 1, 2, 3, 4, 0])] + 3 * [(4, 4.0, [1, 2, 3, 4, 0])],
}
if observed != expected:
    sys.exit(f"FAIL: expected {expected}")
print("PASS")
PYTHON
