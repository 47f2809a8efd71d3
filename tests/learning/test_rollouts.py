"""Rollouts: every open action of a visited decision meets the same future, and costs what the center charges."""

import time

import numpy as np
import pytest

from agents.episodes import advance_rows
from agents.learning.rollouts import Choices, Rollouts, join
from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.scenario.scenario import load_scenario

SEED = 11


@pytest.fixture(scope="module")
def day():
    return load_scenario("premium_desk", ("horizon.days=1",))


def rollouts_of(scenario, *, horizon_s=3600.0, share_frac=0.2, exploration_frac=0.0):
    settings = RulePolicy("expected_loss", scenario).settings
    return Rollouts(scenario, settings, horizon_s=horizon_s, share_frac=share_frac, exploration_frac=exploration_frac)


def assert_same(found, expected):
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_to_the_end_of_the_day_the_rules_own_action_costs_what_the_rest_of_its_day_does(day):
    found = rollouts_of(day, horizon_s=np.inf).play_episode(SEED, 0)
    rows, rule = CenterRows(day, 1), RulePolicy("expected_loss", day)
    rows.start(rows.all_rows, np.array([SEED]), np.array([0]))
    observation, own = rows.observation(), np.zeros(1, np.int64)
    costs_usd, centers = [], []
    while not rows.done[0]:
        rule.choose_into(rows.all_rows, observation, own)
        costs_usd.append(rows.states["cost_usd"][0].sum())
        centers.append(rows.center[0].copy())
        rows.step(rows.all_rows, own)
    rest_usd = rows.states["cost_usd"][0].sum() - np.array(costs_usd)
    places = {center.tobytes(): place for place, center in enumerate(centers)}
    assert len(found.center) > 50
    met = [places[center.tobytes()] for center in found.center]
    np.testing.assert_allclose(found.cost_usd[found.is_rules], rest_usd[met], rtol=1e-9, atol=1e-6)


def test_any_other_action_costs_what_the_day_does_when_it_is_taken_once(day):
    found = rollouts_of(day, horizon_s=np.inf, share_frac=1.0).play_episode(SEED, 1)
    other = int(np.flatnonzero(~found.is_rules & (found.decision > 40))[0])
    decision = int(found.decision[other])
    rows, rule = CenterRows(day, 1), RulePolicy("expected_loss", day)
    rows.start(rows.all_rows, np.array([SEED]), np.array([1]))
    own = np.zeros(1, np.int64)
    while not np.array_equal(rows.center[0], found.center[decision]) or rows.mask[0].sum() < 2:
        rule.choose_into(rows.all_rows, rows.observation(), own)
        rows.step(rows.all_rows, own)
    before_usd = rows.states["cost_usd"][0].sum()
    rows.step(rows.all_rows, found.action[other : other + 1])
    advance_rows(rows, rule, rows.all_rows)
    assert found.cost_usd[other] == pytest.approx(rows.states["cost_usd"][0].sum() - before_usd, rel=1e-9)


def test_every_open_action_is_played_and_one_of_them_is_the_rules(day):
    found = rollouts_of(day).play_episode(SEED, 0)
    rule = RulePolicy("expected_loss", day)
    n_actions = len(rule.layout.kind)
    for decision in range(0, len(found.center), 7):
        mine = np.flatnonzero(found.decision == decision)
        assert len(mine) > 1
        observation = {
            "center": found.center[[decision]],
            "candidates": np.zeros((1, n_actions, found.candidates.shape[1]), np.float32),
            "action_mask": np.zeros((1, n_actions), np.int8),
        }
        observation["candidates"][0, found.action[mine]] = found.candidates[mine]
        observation["action_mask"][0, found.action[mine]] = 1
        assert found.action[mine][found.is_rules[mine]].tolist() == rule.predict(observation).tolist()


def test_a_shorter_rollout_costs_no_more(day):
    hour, half = (rollouts_of(day, horizon_s=horizon_s).play_episode(SEED, 0) for horizon_s in (3600.0, 1800.0))
    np.testing.assert_array_equal(hour.action, half.action)
    assert (half.cost_usd <= hour.cost_usd + 1e-9).all()
    assert half.cost_usd.sum() < hour.cost_usd.sum()


def test_what_the_end_of_a_warm_up_forgets_costs_nothing():
    # Counts and costs begin anew after one of two days. To the end of the second, whatever is done on the first costs
    # what the second day does, which is charged alone: never less than nothing.
    scenario = load_scenario("premium_desk", ("horizon.days=2", "horizon.warm_up_days=1"))
    found = rollouts_of(scenario, horizon_s=np.inf, share_frac=0.05).play_episode(SEED, 0)
    rows, rule = CenterRows(scenario, 1), RulePolicy("expected_loss", scenario)
    rows.start(rows.all_rows, np.array([SEED]), np.array([0]))
    advance_rows(rows, rule, rows.all_rows)
    first = found.is_rules & (found.decision == 0)
    assert found.cost_usd[first] == pytest.approx(rows.states["cost_usd"][0].sum())
    assert (found.cost_usd >= 0.0).all()


def test_threads_change_nothing(day):
    one, two = (list(rollouts_of(day).play(SEED, 3, 3, threads=threads)) for threads in (1, 2))
    assert [part.episode[0] for part in one] == [3, 4, 5]
    for mine, other in zip(one, two, strict=True):
        assert_same(mine, other)
    joined = join(one)
    assert np.array_equal(np.unique(joined.decision), np.arange(len(joined.center)))
    assert (joined.episode[joined.decision[np.flatnonzero(joined.is_rules)]] == joined.episode).all()


def test_no_episode_is_begun_after_the_end(day):
    assert len(list(rollouts_of(day).play(SEED, 0, 9, threads=2, end_s=time.monotonic()))) == 2


def test_an_episode_without_choices_has_none(day):
    found = rollouts_of(day, share_frac=1e-12).play_episode(SEED, 0)
    assert [len(column) for column in found] == [0] * len(found)
    assert found.candidates.shape[1] == rollouts_of(day).play_episode(SEED, 0).candidates.shape[1]


def test_exploration_meets_decisions_that_the_rule_does_not_lead_to(day):
    kept, explored = (rollouts_of(day, exploration_frac=frac).play_episode(SEED, 0) for frac in (0.0, 0.3))
    seen = {center.tobytes() for center in kept.center}
    assert not {center.tobytes() for center in explored.center[-20:]} & seen


def test_noise_is_taken_off_as_far_as_it_explains_the_differences():
    # Four decisions of two actions; the rule takes the first. What the second saves is 10 plus twice its noise, which
    # goes up as often as down: savings 10 + 2 * (3, -3, 1, -1). The weight is sum(saved * noise) / sum(noise^2)
    # = (16 * 3 + 4 * -3 + 12 * 1 + 8 * -1) / 20 = 40 / 20 = 2, so what is left is 10 everywhere.
    noise_usd = np.array([3.0, -3.0, 1.0, -1.0])
    zero = np.zeros(4)
    choices = Choices(
        center=np.zeros((4, 1), np.float32),
        episode=np.zeros(4, np.int64),
        candidates=np.zeros((8, 1), np.float32),
        decision=np.repeat(np.arange(4), 2),
        action=np.tile([0, 1], 4),
        is_rules=np.tile([True, False], 4),
        cost_usd=np.stack([zero, -10.0 - 2.0 * noise_usd], axis=1).ravel(),
        noise_usd=np.stack([zero, -noise_usd], axis=1).ravel(),
    )
    np.testing.assert_allclose(choices.saved_usd(), np.tile([0.0, 10.0], 4))
