#!/usr/bin/env bash
# Tianshou 2.0.1: a trainer stores `info` in the replay buffer and ends with MalformedBufferError if any number in it is
# NaN, or any value None, though DQN reads nothing of it; the message blames hooks of the collector. A key that is
# missing at some steps becomes 0 there without a word if it holds numbers, and None, so an error, if it holds text.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet --quiet torch==2.13.0 gymnasium==1.4.0 tianshou==2.0.1
"$folder/venv/bin/python" -W ignore - 2> "$folder/log" <<'PYTHON' || { tail -n 20 "$folder/log"; exit 1; }
import sys

import gymnasium
import numpy as np
import tianshou
from tianshou.algorithm.modelfree.dqn import DQN, DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Net


class FiveSteps(gymnasium.Env):
    """Every episode has five steps; the last one's `info` is `last`, that of the others `before`."""

    observation_space = gymnasium.spaces.Box(0, 5, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, before, last):
        self.before, self.last = before, last

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, np.float32), dict(self.before)

    def step(self, action):
        self.steps += 1
        info = self.last if self.steps == 5 else self.before
        return np.full(1, self.steps, np.float32), 1.0, self.steps == 5, False, dict(info)


def outcome(before, last):
    """Return what a few steps of DQN end with: an error, or what the buffer holds of `info` of an episode."""
    environments = DummyVectorEnv([lambda: FiveSteps(before, last)])
    policy = DiscreteQLearningPolicy(
        model=Net(state_shape=(1,), action_shape=2), action_space=FiveSteps.action_space
    )
    algorithm = DQN(policy=policy, optim=AdamOptimizerFactory(lr=1e-3))
    collector = Collector(algorithm, environments, VectorReplayBuffer(100, 1))
    parameters = OffPolicyTrainerParams(
        training_collector=collector,
        max_epochs=1,
        epoch_num_steps=20,
        collection_step_num_env_steps=10,
        batch_size=5,
        verbose=False,
        show_progress=False,
    )
    try:
        algorithm.run_training(parameters)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).partition('.')[0]}"
    return collector.buffer.info["value"][:5].tolist()


observed = {
    "a number at every step": outcome({"value": 7.0}, {"value": 9.0}),
    "NaN at the last step": outcome({"value": 7.0}, {"value": float("nan")}),
    "None at the last step": outcome({"value": 7.0}, {"value": None}),
    "no number at the last step": outcome({"value": 7.0}, {}),
    "a text at the last step alone": outcome({}, {"value": "done"}),
}
print(f"tianshou {tianshou.__version__}, gymnasium {gymnasium.__version__}")
for given, ending in observed.items():
    print(f"observed with {given}: {ending}")
refused = "MalformedBufferError: Encountered NaNs in buffer after 0 steps"
expected = [[7.0, 7.0, 7.0, 7.0, 9.0], refused, refused, [7.0, 7.0, 7.0, 7.0, 0.0], refused]
if list(observed.values()) != expected:
    sys.exit(f"FAIL: expected {expected}")
print("PASS")
PYTHON
