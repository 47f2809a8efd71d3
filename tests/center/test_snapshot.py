"""Snapshots: an episode goes on from one exactly as it went, anywhere, or as it might have gone."""

from typing import Any

import numpy as np
import pytest
from playing import bank_day, random_action

from agents.rules.rule_policy import RulePolicy
from envs.center import BlendedCenter
from envs.center_rows import CenterRows
from envs.errors import ArgumentError, ConfigurationError
from envs.scenario.scenario import load_scenario
from envs.vector_center import BlendedCenterVector


def trace(environment: BlendedCenter, steps: int, seed: int = 3) -> list[Any]:
    """Play random open actions; return everything that a caller sees."""
    generator = np.random.default_rng(seed)
    seen = []
    for _ in range(steps):
        action = random_action(generator, environment.action_masks())
        observation, reward, terminated, _, info = environment.step(action)
        values = [observation[key].tobytes() for key in sorted(observation)]
        seen.append((action, reward, terminated, info["elapsed_s"], info["time_s"], values))
        if terminated:
            break
    return seen


def test_an_episode_goes_on_from_a_snapshot_as_it_went_and_the_snapshot_can_be_used_again():
    environment = BlendedCenter(bank_day())
    environment.reset(seed=5)
    trace(environment, 400, seed=1)
    before = environment._observe()
    snapshot = environment.snapshot()
    went = trace(environment, 500)
    for _ in range(2):
        observation, info = environment.restore(snapshot)
        assert all((observation[key] == before[key]).all() for key in before)
        assert info["demand_episode"] == 0
        assert trace(environment, 500) == went


def test_a_snapshot_outlives_its_episode():
    environment = BlendedCenter("tiny")
    environment.reset(seed=5)
    snapshot = environment.snapshot()
    whole = trace(environment, 1000)
    assert whole[-1][2]
    environment.reset(seed=6)
    environment.restore(snapshot)
    assert trace(environment, 1000) == whole


def test_a_snapshot_goes_into_any_row_of_the_vector_environment_and_leaves_the_others_alone():
    scenario = bank_day()
    single = BlendedCenter(scenario)
    single.reset(seed=5)
    trace(single, 300, seed=1)
    snapshot = single.snapshot()
    went = trace(single, 200)
    centers = BlendedCenterVector(scenario, 3)
    alone = BlendedCenterVector(scenario, 3)
    centers.reset(seed=9)
    alone.reset(seed=9)
    centers.restore(1, snapshot)
    generator = np.random.default_rng(0)
    for action, reward, _, elapsed_s, _, values in went:
        actions = np.array([random_action(generator, mask) for mask in alone.action_masks()])
        _, other_rewards, _, _, _ = alone.step(actions)
        actions[1] = action
        observations, rewards, _, _, info = centers.step(actions)
        assert (rewards[1], info["elapsed_s"][1]) == (reward, elapsed_s)
        assert [observations[key][1].tobytes() for key in sorted(observations)] == values
        assert rewards[0] == other_rewards[0]
        assert rewards[2] == other_rewards[2]
    back = centers.snapshot(1)
    single.restore(back)
    assert single.action_masks().tolist() == centers.action_masks()[1].tolist()


def test_a_snapshot_of_another_scenario_is_refused():
    first, second = BlendedCenter("tiny"), BlendedCenter(load_scenario("tiny", ("review_interval_s=60",)))
    first.reset(seed=0)
    second.reset(seed=0)
    with pytest.raises(ValueError, match="snapshot of scenario tiny: must be of the environment's own"):
        second.restore(first.snapshot())


def test_there_is_nothing_to_keep_before_the_first_reset():
    with pytest.raises(RuntimeError, match="call reset"):
        BlendedCenter("tiny").snapshot()


# Without foresight: laws of what is drawn anew are in test_foresight --------------------------------


def test_a_fresh_restore_is_a_function_of_snapshot_and_seed_and_goes_elsewhere_than_the_episode():
    environment = BlendedCenter(bank_day())
    environment.reset(seed=5)
    trace(environment, 400, seed=1)
    before = environment._observe()
    snapshot = environment.snapshot()
    went = trace(environment, 300)
    traces = []
    for fresh_seed in (0, 0, 1, 5):
        observation, info = environment.restore(snapshot, fresh_seed=fresh_seed)
        assert all(observation[key].tobytes() == before[key].tobytes() for key in before)
        assert (info["demand_episode"], info["demand_seed"]) == (0, 5)
        traces.append(trace(environment, 300))
    assert traces[0] == traces[1]
    assert went not in traces
    assert traces[0] != traces[2] != traces[3] != traces[0]
    environment.restore(snapshot)
    assert trace(environment, 300) == went  # the snapshot is as it was


def test_a_row_of_the_vector_environment_looks_ahead_as_the_scalar_environment_does():
    scenario = bank_day()
    single, centers = BlendedCenter(scenario), BlendedCenterVector(scenario, 2)
    single.reset(seed=5)
    centers.reset(seed=9)
    trace(single, 300, seed=1)
    snapshot = single.snapshot()
    centers.restore(1, snapshot, fresh_seed=4)
    single.restore(snapshot, fresh_seed=4)
    for action, reward, _, elapsed_s, _, values in trace(single, 100):
        actions = np.array([0, action])
        observations, rewards, _, _, info = centers.step(actions)
        assert (rewards[1], info["elapsed_s"][1]) == (reward, elapsed_s)
        assert [observations[key][1].tobytes() for key in sorted(observations)] == values


@pytest.mark.parametrize("fresh_seed", [-1, 0.5, "now"])
def test_a_seed_that_is_none_is_refused(fresh_seed):
    environment = BlendedCenter("tiny")
    environment.reset(seed=0)
    with pytest.raises(ConfigurationError, match=r"fresh_seed = .*: must be a whole number >= 0"):
        environment.restore(environment.snapshot(), fresh_seed=fresh_seed)


def test_a_copied_row_goes_on_as_the_row_that_it_was_copied_from():
    rows = CenterRows(bank_day(), 3, journal=True)
    rows.start(np.array([0, 1]), np.array([5, 6]), np.array([0, 0]))
    rule = RulePolicy("expected_loss", rows.scenario)
    rule.play_until(rows, np.array([0, 1]), np.array([36_000.0, 43_200.0, 0.0]))
    for row in (2, 1):  # one that was never started, and one that is elsewhere
        rows.copy(0, row)
        assert len(rows.drain(row)) == 0
        for key, buffer in rows.observation().items():
            np.testing.assert_array_equal(buffer[row], buffer[0], err_msg=key)
        assert rows.time_s[row] == rows.time_s[0]
    rule.play_until(rows, rows.all_rows, np.full(3, np.inf))
    assert rows.metrics(1) == rows.metrics(2) == rows.metrics(0)


@pytest.mark.parametrize("rows", [(0, 2), (2, 0), (-1, 0), (0, 0.5)])
def test_only_rows_that_are_there_are_copied(rows):
    center = CenterRows(load_scenario("tiny"), 2)
    center.start(center.all_rows, np.zeros(2, np.int64), np.zeros(2, np.int64))
    with pytest.raises(ArgumentError, match=r"(source|row) = "):
        center.copy(*rows)
