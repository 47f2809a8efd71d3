"""The compiled loop of the baselines: what it plays is what choosing and stepping in turn plays, to the last bit."""

import numpy as np
import pytest
from playing import bank_day

from agents.rules.compiled.adjustments import count_adjustments
from agents.rules.compiled.choice import BASELINES
from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.scenario.scenario import Scenario, load_scenario


def started(scenario: Scenario, n_rows: int = 3) -> CenterRows:
    rows = CenterRows(scenario, n_rows)
    rows.start(rows.all_rows, np.full(n_rows, 5), np.arange(n_rows))
    return rows


def play_in_turn(policy: RulePolicy, rows: CenterRows, running: np.ndarray, until_s: np.ndarray) -> int:
    """Choose and step as the interface of an environment does it; return the number of steps."""
    n_steps = 0
    for row in running:
        while not rows.done[row] and rows.time_s[row] < until_s[row]:
            rows.step(np.array([row]), policy.predict(rows.observation()))
            n_steps += 1
    return n_steps


def assert_equal(found: CenterRows, expected: CenterRows) -> None:
    assert found.states.tobytes() == expected.states.tobytes()
    assert found.results.tobytes() == expected.results.tobytes()
    for key, values in expected.observation().items():
        np.testing.assert_array_equal(found.observation()[key], values, err_msg=key)


def adjusted(scenario: Scenario) -> RulePolicy:
    adjustment = np.random.default_rng(0).normal(0.0, 0.5, count_adjustments(len(scenario.channels)))
    return RulePolicy("expected_loss", scenario, adjustment)


@pytest.mark.parametrize("rule", [*BASELINES, "adjusted"])
def test_the_loop_plays_what_choosing_and_stepping_in_turn_plays(rule: str) -> None:
    scenario = bank_day()
    policy = adjusted(scenario) if rule == "adjusted" else RulePolicy(rule, scenario)
    found, expected = started(scenario), started(scenario)
    to_the_end = np.full(3, np.inf)
    policy.play_until(found, found.all_rows, to_the_end)
    n_steps = play_in_turn(policy, expected, expected.all_rows, to_the_end)
    assert found.done.all()
    assert n_steps > 1000
    assert_equal(found, expected)


def test_each_row_stops_at_its_own_time_and_goes_on_from_there() -> None:
    scenario = bank_day()
    policy = RulePolicy("fifo", scenario)
    found, expected = started(scenario), started(scenario)
    until_s = np.array([36_000.0, 0.0, 50_000.0])
    policy.play_until(found, np.array([0, 1]), until_s)  # row 2 takes no part
    play_in_turn(policy, expected, np.array([0, 1]), until_s)
    assert_equal(found, expected)
    # The first decision at or after ten o'clock; a day of the bank has several a minute.
    assert 36_000.0 <= found.time_s[0] < 36_300.0
    assert found.time_s[1:].tolist() == started(scenario).time_s[1:].tolist()
    until_s = np.full(3, np.inf)
    policy.play_until(found, found.all_rows, until_s)
    play_in_turn(policy, expected, expected.all_rows, until_s)
    assert_equal(found, expected)


def test_an_environment_at_its_horizon_is_left_alone() -> None:
    scenario = load_scenario("tiny")
    policy = RulePolicy("fifo", scenario)
    rows = started(scenario, 1)
    policy.play_until(rows, rows.all_rows, np.array([np.inf]))
    before = rows.states.tobytes()
    policy.play_until(rows, rows.all_rows, np.array([np.inf]))
    assert rows.states.tobytes() == before
