"""The adjustments of the prior rule: zero is the rule, threads change nothing, torch agrees, the search repeats."""

import numpy as np
import pytest
import torch

from agents.action_layout import action_layout
from agents.episodes import play_episodes
from agents.learning.adjustment import AdjustedPlay, fit_adjustment
from agents.learning.learned_policy import LearnedPolicy, make_network
from agents.rules.compiled.choice import EXPECTED_LOSS, choose_rows
from agents.rules.compiled.expected_loss import ADJUSTMENTS
from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario, load_scenario

EPISODES = np.arange(3)


@pytest.fixture(scope="module")
def bank_day() -> Scenario:
    return load_scenario("bank", ("horizon.days=1",))


def some_adjustments(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0.0, 0.5, (count, len(ADJUSTMENTS)))


def test_no_adjustment_costs_exactly_what_the_rule_costs(bank_day: Scenario) -> None:
    play = AdjustedPlay(bank_day, 1, len(EPISODES))
    found = play.costs_usd(np.zeros((1, len(ADJUSTMENTS))), 4, EPISODES)[0]
    counts = play_episodes(bank_day, RulePolicy("expected_loss", bank_day), 4, EPISODES)
    assert found.tolist() == [count["cost_usd"].sum() for count in counts]


def test_the_adjusted_baseline_costs_exactly_what_the_search_was_told(bank_day: Scenario) -> None:
    adjustment = some_adjustments(1)
    told = AdjustedPlay(bank_day, 1, len(EPISODES)).costs_usd(adjustment, 4, EPISODES)[0]
    counts = play_episodes(bank_day, RulePolicy("expected_loss", bank_day, adjustment[0]), 4, EPISODES)
    assert told.tolist() == [count["cost_usd"].sum() for count in counts]


def test_only_the_rule_with_adjustments_takes_any(bank_day: Scenario) -> None:
    with pytest.raises(ConfigurationError, match="policy fifo: has no settings"):
        RulePolicy("fifo", bank_day, np.zeros(len(ADJUSTMENTS)))


def test_threads_and_earlier_plays_change_no_cost(bank_day: Scenario) -> None:
    adjustments = some_adjustments(3)
    alone = AdjustedPlay(bank_day, 3, len(EPISODES), threads=1)
    shared = AdjustedPlay(bank_day, 3, len(EPISODES), threads=2)
    shared.costs_usd(adjustments, 5, EPISODES + 7)
    assert np.array_equal(alone.costs_usd(adjustments, 4, EPISODES), shared.costs_usd(adjustments, 4, EPISODES))


def test_a_network_with_adjustments_acts_as_the_compiled_rule_with_them(bank_day: Scenario) -> None:
    n_rows, layout = 16, action_layout(bank_day)
    adjustment = some_adjustments(1)
    network = make_network(bank_day, width=8, prior_weight=4.0)
    network.prior.set_adjustment(adjustment[0])
    policy = LearnedPolicy(network)
    rows = CenterRows(bank_day, n_rows)
    rows.start(rows.all_rows, np.full(n_rows, 4), np.arange(n_rows))
    actions, agreed, compared = np.zeros(n_rows, np.int64), 0, 0
    for _ in range(200):
        observation = rows.observation()
        settings = np.repeat(adjustment, n_rows, axis=0)
        choose_rows(EXPECTED_LOSS, layout, settings, rows.all_rows, *observation.values(), actions)
        with torch.no_grad():
            scores = network.prior.scores(*(torch.as_tensor(value) for value in observation.values()))
        best = scores.topk(2, dim=1).values
        clear = ((best[:, 0] - best[:, 1]) > 1e-5 * best[:, 0].abs().clamp(min=1e-3)).numpy()
        agreed += int((policy.predict(observation) == actions)[clear].sum())
        compared += int(clear.sum())
        rows.step(rows.all_rows, actions)
    assert compared > 1500
    assert agreed == compared


def test_the_search_is_repeatable(bank_day: Scenario) -> None:
    settings = {"generations": 2, "population": 4, "episodes": 2, "sigma": 0.4}
    assert np.array_equal(
        fit_adjustment(bank_day, 3, **settings, threads=1), fit_adjustment(bank_day, 3, **settings, threads=2)
    )


def test_the_search_finds_what_is_cheaper_on_episodes_it_has_not_met(bank_day: Scenario) -> None:
    found = fit_adjustment(bank_day, 3, generations=20, population=12, episodes=8, sigma=0.4, threads=2)
    play = AdjustedPlay(bank_day, 2, 128, threads=2)
    rule, adjusted = play.costs_usd(np.array([np.zeros(len(ADJUSTMENTS)), found]), 4, np.arange(128))
    difference = adjusted - rule
    assert difference.mean() + 2 * difference.std() / np.sqrt(len(difference)) < 0
