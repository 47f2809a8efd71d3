#!/usr/bin/env bash
# TorchRL 0.14.1: auto_register_info_dict() reads a number of `info` only if it is a numpy array or scalar. A float, int
# or bool of Python, and a dictionary of numbers, end in AttributeError, though Gymnasium's `info` may hold anything.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet --quiet torch==2.13.0 gymnasium==1.4.0 torchrl==0.14.1
"$folder/venv/bin/python" -W ignore - 2> "$folder/log" <<'PYTHON' || { tail -n 20 "$folder/log"; exit 1; }
import sys

import gymnasium
import numpy as np
import torchrl
from torchrl.envs import GymWrapper


class Timed(gymnasium.Env):
    """Three steps; `info["elapsed_s"]` is `value`."""

    observation_space = gymnasium.spaces.Box(0, 3, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, value):
        self.value = value

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, np.float32), {"elapsed_s": self.value}

    def step(self, action):
        self.steps += 1
        return np.full(1, self.steps, np.float32), 1.0, self.steps == 3, False, {"elapsed_s": self.value}


def outcome(value):
    """Return what reading `value` in 'info' ends with."""
    try:
        environment = GymWrapper(Timed(value)).auto_register_info_dict()
    except AttributeError as error:
        return f"AttributeError: {error}"
    return environment.rollout(2)["next", "elapsed_s"].flatten().tolist()


values = {
    "float": 1.5,
    "int": 1,
    "bool": True,
    "dict": {"voice": np.float64(1.5)},
    "np.float64": np.float64(1.5),
    "np.ndarray": np.array([1.5]),
}
observed = {kind: outcome(value) for kind, value in values.items()}
print(f"torchrl {torchrl.__version__}, gymnasium {gymnasium.__version__}")
for kind, ending in observed.items():
    print(f"observed with {kind}: {ending}")
expected = {kind: f"AttributeError: '{kind}' object has no attribute 'dtype'" for kind in ("float", "int", "bool", "dict")}
expected |= {"np.float64": [1.5, 1.5], "np.ndarray": [1.5, 1.5]}
if observed != expected:
    sys.exit(f"FAIL: expected {expected}")
print("PASS")
PYTHON
