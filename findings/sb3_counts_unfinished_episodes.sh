#!/usr/bin/env bash
# Stable-Baselines3 2.9.2: whatever stands under `info["episode"]` is taken for a finished episode, at every step and not
# only where an episode ends. An environment that reports its progress there has every step counted as an episode in
# `rollout/ep_len_mean` and `rollout/ep_rew_mean`. SB3's own Monitor wraps it and does not mend that.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet --quiet torch==2.13.0 gymnasium==1.4.0 stable-baselines3==2.9.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import gymnasium
import numpy as np
import stable_baselines3
from stable_baselines3 import A2C


class TenSteps(gymnasium.Env):
    """Every episode has ten steps of reward 1; `info["episode"]` is its return and length so far."""

    observation_space = gymnasium.spaces.Box(0, 10, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        info = {"episode": {"r": float(self.steps), "l": self.steps, "t": 0.0}}
        return np.full(1, self.steps, np.float32), 1.0, self.steps == 10, False, info


model = A2C("MlpPolicy", TenSteps(), n_steps=50, device="cpu").learn(50)
counted = [episode["l"] for episode in model.ep_info_buffer]

print(f"stable-baselines3 {stable_baselines3.__version__}")
print(f"observed in 50 steps, five episodes of ten: {len(counted)} episodes, mean length {np.mean(counted)}")
# The mean of 1 to 10 is 5.5.
if len(counted) != 50 or np.mean(counted) != 5.5:
    sys.exit("FAIL: expected 50 episodes of mean length 5.5")
print("PASS")
PYTHON
