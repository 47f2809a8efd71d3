"""Training of DQN and QR-DQN that was stopped goes on bit for bit as if it had not been."""

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback
from value_learners import build_dqn

from envs.scenario.scenario import load_scenario
from experiments.training.algorithm_settings import Dqn, Network, Qrdqn

N_ENVS, STEPS = 4, 640
SETTINGS = {
    "environments": N_ENVS,
    "batch_size": 16,
    "learning_starts": 80,
    "train_every_steps": 2,
    "target_update_every_steps": 80,
    "reward_scale_usd": 5.0,
}


class StateAt(BaseCallback):
    """Keeps the training state of a moment."""

    def __init__(self, steps):
        super().__init__()
        self.steps, self.state = steps, None

    def _on_step(self):
        return True

    def _on_rollout_start(self):
        if self.num_timesteps == self.steps:
            self.state = self.model.training_state()


def record_actions(env):
    """Return a list that the actions of every step of `env` from now on are added to."""
    taken, step_async = [], env.step_async

    def record(actions):
        taken.append(np.array(actions))
        step_async(actions)

    env.step_async = record
    return taken


def leaves(data, path=""):
    """Yield (path, plain value) of nested plain data; raises `TypeError` for anything else."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, f"{path}/{key}")
    elif isinstance(data, list | tuple):
        for i, value in enumerate(data):
            yield from leaves(value, f"{path}/{i}")
    elif data is None or isinstance(data, bool | int | float | str | np.ndarray | np.generic):
        yield path, data
    elif isinstance(data, torch.Tensor):
        yield path, data.numpy()
    else:
        raise TypeError(f"{path}: {type(data)}")


def check_same(found, wanted):
    """Assert that two states are equal, bit for bit."""
    found, wanted = dict(leaves(found)), dict(leaves(wanted))
    assert found.keys() == wanted.keys()
    for path, value in wanted.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)


@pytest.mark.parametrize("kind", [Dqn, Qrdqn])
@pytest.mark.parametrize("buffer_size", [200, 2000])  # a ring that is full when training stops, and one that is not
def test_going_on_from_a_state_is_as_if_training_had_not_stopped(kind, buffer_size):
    torch.set_num_threads(1)
    tiny, network = load_scenario("tiny"), Network(width=8, prior_weight=0.5)
    settings = kind(**SETTINGS, buffer_size=buffer_size)
    whole = build_dqn(tiny, settings, network, seed=3)
    taken = record_actions(whole.env)
    stopped = StateAt(STEPS // 2)
    whole.learn(STEPS, callback=stopped)
    assert whole.replay_buffer.full == (buffer_size == 200)
    assert whole._n_updates > 50

    again = build_dqn(tiny, settings, network, seed=3)
    again.env.reset()
    for actions in taken[: STEPS // 2 // N_ENVS]:
        again.env.step(actions)
    torch.manual_seed(99)  # nothing global matters
    np.random.seed(99)  # noqa: NPY002 (the generator that SB3 draws from)
    again.restore_training_state(stopped.state)
    check_same(again.training_state(), stopped.state)
    again.learn(STEPS - again.num_timesteps, reset_num_timesteps=False)
    check_same(again.training_state(), whole.training_state())


def test_a_state_is_a_copy():
    tiny = load_scenario("tiny")
    model = build_dqn(tiny, Dqn(**SETTINGS, buffer_size=800), Network(width=8, prior_weight=0), seed=3)
    model.learn(400)
    state = model.training_state()
    before = {path: np.array(value) for path, value in leaves(state)}
    model.learn(400, reset_num_timesteps=False)
    for path, value in leaves(state):
        np.testing.assert_array_equal(value, before[path], err_msg=path)
    now = dict(leaves(model.training_state()))
    moved = {
        "/counters/num_timesteps",
        "/replay/pos",
        "/exploration/state/state",
        "/policy/online.scorer_network.scorer.3.bias",
    }
    for path in moved:
        assert not np.array_equal(now[path], before[path]), path
