#!/usr/bin/env bash
# Stable-Baselines3 2.9.2: make_vec_env of an id asks every environment for render_mode="rgb_array", though its caller
# asks for no pictures and whatever modes the environment's metadata lists, and goes on without only after a TypeError.
# An environment that refuses a mode it has not with a ValueError cannot be made; with a TypeError it can.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet --quiet torch==2.13.0 gymnasium==1.4.0 stable-baselines3==2.9.2
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import gymnasium
import numpy as np
import stable_baselines3
from stable_baselines3.common.env_util import make_vec_env

asked = []


class TextOnly(gymnasium.Env):
    """Renders as text alone, as its metadata says, and refuses other modes with `error`."""

    metadata = {"render_modes": ["ansi"], "render_fps": 1}
    observation_space = gymnasium.spaces.Box(0, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, error, render_mode=None):
        asked.append(render_mode)
        if render_mode not in (None, "ansi"):
            raise error(f"render_mode = {render_mode!r}: must be None or 'ansi'")
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), 0.0, True, False, {}


gymnasium.register("TextOnly-v0", entry_point=TextOnly)


def outcome(error):
    """Return what making two environments ends with, and the modes that were asked for."""
    asked.clear()
    try:
        make_vec_env("TextOnly-v0", n_envs=2, env_kwargs={"error": error})
    except Exception as raised:
        return type(raised).__name__, list(asked)
    return "made", list(asked)


observed = {error.__name__: outcome(error) for error in (ValueError, TypeError)}
print(f"stable-baselines3 {stable_baselines3.__version__}")
for error, (ending, modes) in observed.items():
    print(f"observed with an environment that refuses with {error}: {ending}, modes asked for: {modes}")
expected = {
    "ValueError": ("ValueError", ["rgb_array"]),
    "TypeError": ("made", ["rgb_array", None, "rgb_array", None]),
}
if observed != expected:
    sys.exit(f"FAIL: expected {expected}")
print("PASS")
PYTHON
