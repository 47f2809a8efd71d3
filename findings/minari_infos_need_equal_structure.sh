#!/usr/bin/env bash
# Minari 0.5.4: DataCollector(record_infos=True) needs `info` to have the same keys at reset and at every step. One more
# key at the last step, where most environments report the episode, or an empty `info` at reset, ends in ValueError, and
# nothing of that episode is kept. Nested dictionaries are fine, and so are values that change their type.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export MINARI_DATASETS_PATH="$folder/datasets"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet gymnasium==1.4.0 "minari[hdf5,create]==0.5.4" pillow==13.0.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import gymnasium
import minari
import numpy as np


class FiveSteps(gymnasium.Env):
    """Every episode has five steps; `infos` are the `info` at reset, at the last step and at every other."""

    observation_space = gymnasium.spaces.Box(0, 5, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, at_reset, at_step, at_end):
        self.infos = at_reset, at_step, at_end

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, np.float32), dict(self.infos[0])

    def step(self, action):
        self.steps += 1
        return np.full(1, self.steps, np.float32), 1.0, self.steps == 5, False, dict(self.infos[1 + (self.steps == 5)])


def outcome(*infos):
    """Return what recording one episode ends with."""
    collector = minari.DataCollector(FiveSteps(*infos), record_infos=True)
    try:
        collector.reset(seed=0)
        for _ in range(5):
            collector.step(0)
    except ValueError as error:
        return f"ValueError: {str(error).partition(':')[0]}"
    return "recorded"


observed = {
    "equal keys": outcome({"s": 0.0}, {"s": 1.0}, {"s": 2.0}),
    "equal keys, other types": outcome({"s": 0}, {"s": 1.0}, {"s": np.float64(2.0)}),
    "equal keys, nested": outcome(*3 * [{"cost": {"wait": 1.0}}]),
    "one key more at the last step": outcome({"s": 0.0}, {"s": 1.0}, {"s": 2.0, "total": 5.0}),
    "nothing at reset": outcome({}, {"s": 1.0}, {"s": 2.0}),
}
print(f"minari {minari.__version__}, gymnasium {gymnasium.__version__}")
for given, ending in observed.items():
    print(f"observed with {given}: {ending}")
if list(observed.values()) != 3 * ["recorded"] + 2 * ["ValueError: pytree structure error"]:
    sys.exit("FAIL: expected equal keys recorded, and others refused")
print("PASS")
PYTHON
