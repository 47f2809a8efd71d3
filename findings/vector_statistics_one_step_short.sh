#!/usr/bin/env bash
# Gymnasium 1.2.2: the vector wrapper RecordEpisodeStatistics counts every episode but the first one step short, and
# leaves out that step's reward, where the environment resets in the same step (AutoresetMode.SAME_STEP): it takes the
# first step of an episode for the reset of AutoresetMode.NEXT_STEP. Gymnasium 1.4.0 counts them whole.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/episodes.py" <<'PYTHON'
import sys

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics


class FiveSteps(gymnasium.Env):
    """Every episode has five steps of reward 1."""

    observation_space = gymnasium.spaces.Box(0, 5, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        return np.full(1, self.steps, np.float32), 1.0, self.steps == 5, False, {}


vector = RecordEpisodeStatistics(SyncVectorEnv([FiveSteps], autoreset_mode=AutoresetMode.SAME_STEP))
vector.reset(seed=0)
observed = []
for _ in range(20):
    info = vector.step(np.zeros(1, np.int64))[-1]
    if "episode" in info:
        observed.append((int(info["episode"]["l"][0]), float(info["episode"]["r"][0])))

print(f"gymnasium {gymnasium.__version__}, length and return of four episodes of five steps: {observed}")
expected = {"1.2.2": [(5, 5.0)] + 3 * [(4, 4.0)], "1.4.0": 4 * [(5, 5.0)]}[gymnasium.__version__]
if observed != expected:
    sys.exit(f"FAIL: expected {expected}")
PYTHON

for version in 1.2.2 1.4.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --quiet "gymnasium==$version"
    "$folder/$version/bin/python" "$folder/episodes.py"
done
echo PASS
