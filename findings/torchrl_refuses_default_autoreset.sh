#!/usr/bin/env bash
# TorchRL 0.14.1 wraps a vector environment of Gymnasium only if its attribute `autoreset_mode` says that it resets in the
# same step or not at all. Gymnasium's default, AutoresetMode.NEXT_STEP, is refused; and a VectorEnv that states its mode
# in its metadata alone, as Gymnasium 1.4.0 defines it and its own CartPole does, ends in AttributeError. So no
# gymnasium.make_vec(ID, n) can be wrapped as it comes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet --quiet torch==2.13.0 gymnasium==1.4.0 torchrl==0.14.1
"$folder/venv/bin/python" -W ignore - 2> "$folder/log" <<'PYTHON' || { tail -n 20 "$folder/log"; exit 1; }
import sys

import gymnasium
import torchrl
from gymnasium.vector import AutoresetMode
from torchrl.envs import GymWrapper


def outcome(**arguments):
    """Return what wrapping two of Gymnasium's CartPoles ends with."""
    try:
        wrapped = GymWrapper(gymnasium.make_vec("CartPole-v1", 2, **arguments))
    except (AttributeError, RuntimeError) as error:
        return f"{type(error).__name__}: {str(error).partition('. ')[0]}"
    return f"wrapped, batch size {tuple(wrapped.batch_size)}"


observed = {"its own vector form": outcome(), "sync": outcome(vectorization_mode="sync")}
for mode in AutoresetMode:
    observed[f"sync, {mode.name}"] = outcome(vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
print(f"torchrl {torchrl.__version__}, gymnasium {gymnasium.__version__}")
for made, ending in observed.items():
    print(f"observed with {made}: {ending}")
refused = "RuntimeError: The auto-reset mode must be one of SAME_STEP or DISABLED (which is preferred)"
expected = {
    "its own vector form": "AttributeError: 'CartPoleVectorEnv' object has no attribute 'autoreset_mode'",
    "sync": refused,
    "sync, NEXT_STEP": refused,
    "sync, SAME_STEP": "wrapped, batch size (2,)",
    "sync, DISABLED": "wrapped, batch size (2,)",
}
if observed != expected:
    sys.exit(f"FAIL: expected {expected}")
print("PASS")
PYTHON
