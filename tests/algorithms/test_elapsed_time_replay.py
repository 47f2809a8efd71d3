"""The replay memory gives back what was put in, with a discount by elapsed time."""

from types import SimpleNamespace

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from agents.learning.value_learning.elapsed_time_replay import ElapsedTimeReplay
from envs.center_rows import CenterRows
from envs.scenario.scenario import load_scenario
from envs.spaces import observation_space

HOUR_S = 3600.0
SPACE = spaces.Dict(
    {
        "center": spaces.Box(-np.inf, np.inf, (1,), np.float32),
        "candidates": spaces.Box(-np.inf, np.inf, (2, 1), np.float32),
        "action_mask": spaces.MultiBinary(2),
    }
)


def make_replay(size, n_envs, seed=0, half_life_h=1.0):
    """Return (memory, its source of elapsed times)."""
    source = SimpleNamespace(elapsed_s=np.zeros(n_envs))
    replay = ElapsedTimeReplay(
        size,
        SPACE,
        spaces.Discrete(2),
        "cpu",
        n_envs=n_envs,
        source=source,
        discount_half_life_s=half_life_h * HOUR_S,
        seed=seed,
    )
    return replay, source


def observe(numbers):
    """Return an observation for each environment in which everything says its number."""
    numbers = np.asarray(numbers, np.float32)
    return {
        "center": numbers[:, None],
        "candidates": numbers[:, None, None] + np.array([[0.25], [0.5]], np.float32),
        "action_mask": np.stack([np.ones(len(numbers)), numbers % 2], axis=1).astype(np.int8),
    }


def play(replay, source, dones, elapsed_s=None):
    """Add a step for each row of `dones` (steps, environments), as SB3 does; returns the transitions (observation,
    action, reward, next observation or None at an end, elapsed seconds) by step and environment."""
    n_envs = len(dones[0])
    count = 0
    last = np.arange(n_envs)  # observations are numbered, none twice
    count += n_envs
    added = []
    for step, ended in enumerate(dones):
        new, terminal = count + np.arange(n_envs), count + n_envs + np.arange(n_envs)
        count += 2 * n_envs
        source.elapsed_s = np.full(n_envs, 60.0 * step) if elapsed_s is None else np.asarray(elapsed_s[step])
        actions, rewards = last % 2, -1.0 - last
        following = np.where(
            ended, terminal, new
        )  # a `VecEnv` has begun the next episode, SB3 passes the last one's end
        replay.add(observe(last), observe(following), actions, rewards, np.asarray(ended), [{}] * n_envs)
        added.append(
            [
                (last[i], actions[i], rewards[i], None if ended[i] else new[i], source.elapsed_s[i])
                for i in range(n_envs)
            ]
        )
        last = new
    return added


def check_equal(found, wanted):
    """Assert that a batch of the memory is `wanted`, a list of transitions."""
    for i, (before, action, reward, after, elapsed_s) in enumerate(wanted):
        assert found.actions[i].item() == action
        assert found.rewards[i].item() == reward
        assert found.dones[i].item() == (after is None)
        assert found.discounts[i].item() == pytest.approx(2.0 ** (-elapsed_s / HOUR_S))
        for key, value in observe([before]).items():
            np.testing.assert_array_equal(found.observations[key][i].numpy(), value[0])
        if after is not None:
            for key, value in observe([after]).items():
                np.testing.assert_array_equal(found.next_observations[key][i].numpy(), value[0])


@given(
    size=st.integers(1, 5),
    dones=st.integers(1, 3).flatmap(
        lambda n_envs: st.lists(st.lists(st.booleans(), min_size=n_envs, max_size=n_envs), min_size=1, max_size=14)
    ),
)
def test_it_holds_the_newest_steps_as_they_were_across_ends_and_around_the_ring(size, dones):
    n_envs = len(dones[0])
    replay, source = make_replay(size * n_envs, n_envs)
    added = play(replay, source, dones)
    kept = added[-size:]
    assert replay.size() == len(kept)
    for age, wanted in enumerate(reversed(kept)):
        slots = np.full(n_envs, (replay.pos - 1 - age) % replay.n_slots)
        check_equal(replay.read(slots, np.arange(n_envs)), wanted)


@pytest.mark.parametrize("n_steps", [3, 4, 9])
def test_every_transition_that_is_held_is_drawn_as_often_and_no_other(n_steps):
    replay, source = make_replay(8, 2)  # four steps of two environments
    added = play(replay, source, [[False, False]] * n_steps)
    wanted = sorted(int(transition[0]) for step in added[-4:] for transition in step)
    drawn, counts = np.unique(replay.sample(20_000).observations["center"].numpy().astype(int), return_counts=True)
    assert drawn.tolist() == wanted
    mean = 20_000 / len(wanted)
    assert (np.abs(counts - mean) < 5 * np.sqrt(mean)).all()


def test_draws_follow_from_the_seed():
    rewards = []
    for seed in (1, 1, 2):
        replay, source = make_replay(8, 2, seed)
        play(replay, source, [[False, True]] * 6)
        rewards.append(replay.sample(50).rewards.flatten().tolist())
    assert rewards[0] == rewards[1] != rewards[2]


def test_discounts_are_by_elapsed_time():
    # Half-life 2 h: none, 2 h and 6 h make 1, 1/2 and 1/8, each environment by its own clock.
    replay, source = make_replay(6, 2, half_life_h=2.0)
    elapsed_s = [[0.0, 2 * HOUR_S], [6 * HOUR_S, 0.0]]
    play(replay, source, [[False, False]] * 2, elapsed_s)
    found = replay.read(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])).discounts.flatten().tolist()
    assert found == [1.0, 0.5, 0.125, 1.0]


def test_bytes_of_a_transition_in_bank():
    # Floats: 4 x (84 + 28 x 37) = 4,480; the mask 28; action 2, reward 4, discount 4, end 1. Together 4,519.
    scenario = load_scenario("bank")
    rows = CenterRows(scenario, 1)
    replay = ElapsedTimeReplay(
        9,
        observation_space(rows.fields, rows.n_actions),
        spaces.Discrete(rows.n_actions),
        source=SimpleNamespace(elapsed_s=np.zeros(1)),
        discount_half_life_s=1.0,
    )
    arrays = [*replay.observations.values(), replay.actions, replay.rewards, replay.discounts, replay.dones]
    assert sum(array.nbytes for array in arrays) == 10 * 4_519  # nine, and the newest observation's


def test_a_restored_memory_draws_and_fills_as_the_first_would_have():
    for n_steps in (2, 7):  # before and after the ring is full
        first, source = make_replay(8, 2)
        play(first, source, [[False, True]] * n_steps)
        second, other = make_replay(8, 2, seed=9)
        second.restore_training_state(first.training_state())
        for replay, clock in ((first, source), (second, other)):
            play(replay, clock, [[True, False]] * 3)
        one, two = first.sample(40), second.sample(40)
        assert one.rewards.tolist() == two.rewards.tolist()
        for key in one.observations:
            np.testing.assert_array_equal(one.next_observations[key].numpy(), two.next_observations[key].numpy())
