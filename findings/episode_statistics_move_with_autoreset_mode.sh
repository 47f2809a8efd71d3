#!/usr/bin/env bash
# Gymnasium 1.4.0: where the statistics of a finished episode stand in the info of a vector environment depends on its
# autoreset mode, though the wrapper and what it counts are the same. Under NEXT_STEP, the default, there is no
# `final_info`, and they are `info["episode"]`; under SAME_STEP they are `info["final_info"]["episode"]` and nowhere
# else. Training code that looks in one place logs no episode in the other mode, without a word.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet gymnasium==1.4.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import RecordEpisodeStatistics


class ThreeSteps(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 3, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        return np.full(1, self.steps, np.float32), 1.0, self.steps == 3, False, {}


def recorded_three_steps():
    return RecordEpisodeStatistics(ThreeSteps())


def places(mode):
    """Return where the info of 12 steps has statistics of finished episodes, with the number of times."""
    vector = SyncVectorEnv([recorded_three_steps], autoreset_mode=mode)
    vector.reset(seed=0)
    infos = [vector.step(np.zeros(1, np.int64))[-1] for _ in range(12)]
    return {
        "info[episode]": sum("episode" in info for info in infos),
        "info[final_info]": sum("final_info" in info for info in infos),
        "info[final_info][episode]": sum("episode" in info.get("final_info", {}) for info in infos),
    }


observed = {mode.name: places(mode) for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)}
print(f"gymnasium {gymnasium.__version__}")
for mode, counts in observed.items():
    print(f"observed under {mode}: {counts}")
expected = {
    # Under NEXT_STEP a reset takes a step of its own, so that 12 steps hold three episodes, else four.
    "NEXT_STEP": {"info[episode]": 3, "info[final_info]": 0, "info[final_info][episode]": 0},
    "SAME_STEP": {"info[episode]": 0, "info[final_info]": 4, "info[final_info][episode]": 4},
}
if observed != expected:
    sys.exit(f"FAIL: expected {expected}")
print("PASS")
PYTHON
