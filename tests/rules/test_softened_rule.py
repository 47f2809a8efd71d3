"""Softened rules: chances by formula, draws that follow them, and the policy file that states one."""

import numpy as np
import pytest

from agents.catalog import load_policy
from agents.exploration.softened_policy import SoftenedPolicy
from agents.network_policy import random_states
from agents.policy import StochasticPolicy
from agents.rules.rule_policy import RulePolicy
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario


@pytest.fixture(scope="module")
def tiny():
    return load_scenario("tiny")


@pytest.fixture(scope="module")
def states(tiny):
    return random_states(tiny, 500)


def test_chances_are_those_of_a_rule_that_explores(tiny, states):
    rule = RulePolicy("value_first", tiny)
    softened = SoftenedPolicy(rule, 0.25)
    assert isinstance(softened, StochasticPolicy)
    found, own = softened.action_probabilities(states), rule.predict(states)
    for row, mask in enumerate(states["action_mask"]):
        each = 0.25 / mask.sum()
        expected = np.where(mask == 1, each, 0.0)
        expected[own[row]] += 0.75
        assert found[row].tolist() == pytest.approx(expected.tolist())


def test_draws_follow_the_chances_and_the_seed(tiny, states):
    one = {key: np.repeat(values[:1], 20_000, axis=0) for key, values in states.items()}
    softened = SoftenedPolicy(RulePolicy("value_first", tiny), 0.5, seed=1)
    drawn = softened.predict(one)
    frequency = np.bincount(drawn, minlength=one["action_mask"].shape[1]) / 20_000
    # Five standard errors of a share: 5 * sqrt(0.25 / 20,000) = 0.018.
    assert np.abs(frequency - softened.action_probabilities(states)[0]).max() < 0.018
    softened.seed(1)
    assert (softened.predict(one) == drawn).all()
    assert (softened.predict(one) != drawn).any()


def test_if_asked_to_be_deterministic_it_is_the_rule(tiny, states):
    rule = RulePolicy("value_first", tiny)
    assert (SoftenedPolicy(rule, 1.0).predict(states, deterministic=True) == rule.predict(states)).all()


def test_every_draw_is_an_open_action(tiny, states):
    actions = SoftenedPolicy(RulePolicy("fifo", tiny), 1.0).predict(states)
    assert (states["action_mask"][np.arange(len(actions)), actions] == 1).all()


@pytest.mark.parametrize(
    ("of", "rule"),
    [("fifo", "fifo"), ("value_cmu", "index_rule"), ("{rule: priority, order: [voice, callback, email]}", "priority")],
)
def test_a_policy_file_softens_a_rule_by_name_or_with_parameters(tiny, tmp_path, of, rule):
    file = tmp_path / "soft.yaml"
    file.write_text(f"rule: softened\nname: soft\nof: {of}\nexplore_frac: 0.1\n")
    found = load_policy(str(file), tiny)
    assert (found.name, found.deterministic, found.file) == ("soft", False, file)
    assert isinstance(found.policy, SoftenedPolicy)
    assert (found.policy.rule.name, found.policy.explore_frac) == (rule, 0.1)
    assert load_policy(f"mine={file}", tiny).name == "mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("of: fifoo\nexplore_frac: 0.1", "policy softened.of = 'fifoo': no such rule"),
        ("of: fifo\nexplore_frac: 0", "explore_frac"),
        ("of: fifo\nexplore_frac: 1.5", "explore_frac"),
        ("of: fifo", "explore_frac"),
        ("of: fifo\nexplore_frac: 0.1\nmore: 1", "more"),
    ],
)
def test_mistakes_are_told(tiny, tmp_path, text, message):
    file = tmp_path / "soft.yaml"
    file.write_text(f"rule: softened\n{text}\n")
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_policy(str(file), tiny)
    assert "Traceback" not in str(caught.value)
