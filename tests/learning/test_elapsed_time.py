"""Advantages by elapsed time, against SB3's own and against sums worked by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib.common.maskable.buffers import MaskableDictRolloutBuffer

from agents.learning.maskable_ppo.elapsed_time_buffer import ElapsedTimeBuffer

SPACE = spaces.Dict({"center": spaces.Box(-1, 1, (1,), dtype=np.float32)})
HOUR_S = 3600.0


def fill(buffer, rewards, values, starts, elapsed_s=None, source=None):
    """Add one step per row of `rewards`; all arrays have the shape (steps, environments)."""
    n_envs = rewards.shape[1]
    for step in range(len(rewards)):
        if source is not None:
            source.elapsed_s = elapsed_s[step]
        buffer.add(
            {"center": np.zeros((n_envs, 1), np.float32)},
            np.zeros((n_envs, 1)),
            rewards[step],
            starts[step],
            torch.as_tensor(values[step], dtype=torch.float32),
            torch.zeros(n_envs),
            action_masks=np.ones((n_envs, 2)),
        )


def advantages(rewards, values, elapsed_s, last_values, dones=None, starts=None, discount_h=2.0, trace_h=1.0):
    """Return (advantages, returns) of one rollout; arguments are nested lists of the shape (steps, environments)."""
    rewards, values, elapsed_s = (np.array(x, np.float32) for x in (rewards, values, elapsed_s))
    n_steps, n_envs = rewards.shape
    source = SimpleNamespace(elapsed_s=np.zeros(n_envs))
    buffer = ElapsedTimeBuffer(
        n_steps,
        SPACE,
        spaces.Discrete(2),
        "cpu",
        n_envs=n_envs,
        source=source,
        discount_half_life_s=discount_h * HOUR_S,
        trace_half_life_s=trace_h * HOUR_S,
    )
    buffer.reset()
    starts = np.zeros((n_steps, n_envs)) if starts is None else np.array(starts, np.float32)
    dones = np.zeros(n_envs) if dones is None else np.array(dones, np.float32)
    fill(buffer, rewards, values, starts, elapsed_s, source)
    buffer.compute_returns_and_advantage(torch.tensor(last_values, dtype=torch.float32), dones)
    np.testing.assert_allclose(buffer.returns, buffer.advantages + buffer.values, rtol=1e-6)
    return buffer.advantages, buffer.returns


def test_equal_to_sb3_where_every_step_takes_as_long():
    generator = np.random.default_rng(0)
    shape = (12, 5)
    rewards, values = generator.normal(size=shape), generator.normal(size=shape)
    starts = (generator.random(shape) < 0.2).astype(np.float32)
    last_values, dones = generator.normal(size=5), (generator.random(5) < 0.5).astype(np.float32)
    found, returns = advantages(rewards, values, np.full(shape, 600.0), last_values, dones, starts)
    usual = MaskableDictRolloutBuffer(
        12, SPACE, spaces.Discrete(2), "cpu", gamma=2 ** (-1 / 12), gae_lambda=2 ** (-1 / 6), n_envs=5
    )
    usual.reset()
    fill(usual, rewards, values, starts)
    usual.compute_returns_and_advantage(torch.tensor(last_values, dtype=torch.float32), dones)
    np.testing.assert_allclose(found, usual.advantages, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(returns, usual.returns, rtol=1e-5, atol=1e-6)


def test_worked_by_hand():
    # Discount half-life 2 h, trace half-life 1 h. Steps of 2 h and 4 h: gamma 1/2 and 1/4, lambda 1/4 and 1/16.
    found, _ = advantages([[1.0], [2.0]], [[3.0], [8.0]], [[2 * HOUR_S], [4 * HOUR_S]], [16.0])
    last = 2.0 + 16.0 / 4 - 8.0
    assert found[1, 0] == pytest.approx(last)
    assert found[0, 0] == pytest.approx(1.0 + 8.0 / 2 - 3.0 + last / 8)


def test_decisions_of_the_same_second_are_not_discounted():
    found, _ = advantages([[1.0], [2.0], [4.0]], [[0.5], [0.25], [0.125]], [[0.0]] * 3, [8.0])
    np.testing.assert_allclose(found[:, 0], [15.0 - 0.5, 14.0 - 0.25, 12.0 - 0.125])


def test_nothing_is_carried_over_the_end_of_an_episode():
    # The second environment ends with the first step, so its later values and rewards must not be seen there.
    starts = [[0, 0], [0, 1], [0, 0]]
    rewards = [[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]]
    values = [[0.5, 0.5], [9.0, 9.0], [9.0, 9.0]]
    found, _ = advantages(rewards, values, np.zeros((3, 2)), [0.0, 0.0], starts=starts)
    assert found[0, 0] == pytest.approx(7.0 - 0.5)
    assert found[0, 1] == pytest.approx(1.0 - 0.5)
    assert found[1, 1] == pytest.approx(6.0 - 9.0)


def test_an_episode_that_ends_with_the_rollout_is_not_bootstrapped():
    found, _ = advantages([[1.0, 1.0]], [[0.5, 0.5]], [[0.0, 0.0]], [100.0, 100.0], dones=[1, 0])
    np.testing.assert_allclose(found[0], [0.5, 100.5])


def test_each_environment_has_its_own_time():
    found, _ = advantages([[0.0, 0.0]], [[0.0, 0.0]], [[2 * HOUR_S, 4 * HOUR_S]], [8.0, 8.0])
    np.testing.assert_allclose(found[0], [4.0, 2.0])


def test_a_long_half_life_is_the_whole_return():
    generator = np.random.default_rng(1)
    rewards, values = generator.normal(size=(6, 1)), generator.normal(size=(6, 1))
    found, returns = advantages(rewards, values, np.full((6, 1), HOUR_S), [0.0], dones=[1], discount_h=1e9, trace_h=1e9)
    np.testing.assert_allclose(returns[:, 0], np.cumsum(rewards[::-1, 0])[::-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found, returns - values, rtol=1e-4, atol=1e-5)
