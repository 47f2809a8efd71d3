"""The adjustments of the prior rule: zero is the rule, threads change nothing, torch agrees, the search repeats."""

from typing import get_args

import numpy as np
import pytest
import torch
from playing import EMAIL, VOICE, contact, day

from agents.action_layout import action_layout
from agents.episodes import play_episodes
from agents.learning.adjustment import AdjustedPlay, _race, search_adjustments
from agents.learning.index_formulas import OF_NAME as INDEX_FORMULAS
from agents.learning.learned_policy import LearnedPolicy, make_network
from agents.rules.compiled.adjustments import count_adjustments
from agents.rules.compiled.choice import EXPECTED_LOSS, choose_rows
from agents.rules.compiled.expected_loss import HELD_SCORE
from agents.rules.compiled.network import NO_NETWORK
from agents.rules.expected_loss_rule import ExpectedLossRule, Ranking
from agents.rules.registry import default_rule
from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.errors import ConfigurationError
from envs.interface.actions import ASSIGN, HOLD, SERVE
from envs.interface.fields import C_REP_AT_HOME, C_REP_IS_PREFERRED
from envs.scenario.scenario import Scenario, load_scenario
from experiments.training.onnx_export import export_policy

EPISODES = np.arange(3)
N_BANK = count_adjustments(5)  # of the five channels of `bank`


@pytest.fixture(scope="module")
def bank_day() -> Scenario:
    return load_scenario("bank", ("horizon.days=1",))


def some_adjustments(count: int, seed: int = 0, size: int = N_BANK) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.5, (count, size))


def test_no_adjustment_costs_exactly_what_the_rule_costs(bank_day: Scenario) -> None:
    play = AdjustedPlay(bank_day)
    found = play.costs_usd(np.zeros((1, N_BANK)), 4, EPISODES)[0]
    counts = play_episodes(bank_day, RulePolicy("expected_loss", bank_day), 4, EPISODES)
    assert found.tolist() == [count["cost_usd"].sum() for count in counts]


def test_the_adjusted_baseline_costs_exactly_what_the_search_was_told(bank_day: Scenario) -> None:
    adjustment = some_adjustments(1)
    told = AdjustedPlay(bank_day).costs_usd(adjustment, 4, EPISODES)[0]
    counts = play_episodes(bank_day, RulePolicy("expected_loss", bank_day, adjustment[0]), 4, EPISODES)
    assert told.tolist() == [count["cost_usd"].sum() for count in counts]


def test_the_decisions_counted_are_those_of_all_candidates(bank_day: Scenario) -> None:
    adjustments, play = some_adjustments(3), AdjustedPlay(bank_day, threads=2)
    play.costs_usd(adjustments, 4, EPISODES)
    counts = [
        play_episodes(bank_day, RulePolicy("expected_loss", bank_day, adjustment), 4, EPISODES)
        for adjustment in adjustments
    ]
    assert play.decisions == sum(count["center_count"]["decisions"] for of_one in counts for count in of_one)


def test_only_the_rule_with_adjustments_takes_any(bank_day: Scenario) -> None:
    with pytest.raises(ConfigurationError, match="policy fifo: has no settings"):
        RulePolicy("fifo", bank_day, np.zeros(N_BANK))


def test_threads_and_earlier_plays_change_no_cost(bank_day: Scenario) -> None:
    adjustments = some_adjustments(3)
    alone = AdjustedPlay(bank_day, threads=1)
    shared = AdjustedPlay(bank_day, threads=2)
    shared.costs_usd(adjustments, 5, EPISODES + 7)
    assert np.array_equal(alone.costs_usd(adjustments, 4, EPISODES), shared.costs_usd(adjustments, 4, EPISODES))


@pytest.mark.parametrize("ranking", [None, *INDEX_FORMULAS])
def test_a_network_with_adjustments_acts_as_the_compiled_rule_with_them(
    bank_day: Scenario, ranking: str | None
) -> None:
    seed = 0 if ranking is None else list(INDEX_FORMULAS).index(ranking)
    scenario, generator = bank_day, np.random.default_rng(seed)
    n_rows, layout, held, taken = 16, action_layout(scenario), set(), set()
    rule = ExpectedLossRule(rule="expected_loss", ranking=ranking and default_rule(ranking))
    line = rule.with_adjustment(some_adjustments(1, seed)[0], scenario).settings(scenario)
    network = make_network(scenario, width=8, prior_weight=4.0)
    network.prior.set_settings(line)
    np.testing.assert_allclose(network.prior.read_settings(), line, rtol=1e-6)
    policy = LearnedPolicy(network)
    rows = CenterRows(scenario, n_rows)
    rows.start(rows.all_rows, np.full(n_rows, 4), np.arange(n_rows))
    actions, agreed, compared = np.zeros(n_rows, np.int64), 0, 0
    for _ in range(200):
        observation = {key: value.copy() for key, value in rows.observation().items()}
        for field in (C_REP_IS_PREFERRED, C_REP_AT_HOME):  # which `bank` has not
            chance = generator.integers(0, 2, observation["action_mask"].shape)
            observation["candidates"][:, :, field] = chance * observation["action_mask"]
        settings = np.repeat(line[None], n_rows, axis=0)
        choose_rows(EXPECTED_LOSS, layout, settings, NO_NETWORK, rows.all_rows, *observation.values(), actions)
        with torch.no_grad():
            scores = network.prior.scores(*(torch.as_tensor(value) for value in observation.values()))
        held |= set(layout.kind[np.flatnonzero((scores == HELD_SCORE).any(dim=0).numpy())].tolist())
        best = scores.topk(2, dim=1).values
        clear = ((best[:, 0] - best[:, 1]) > 1e-5 * best[:, 0].abs().clamp(min=1e-3)).numpy()
        agreed += int((policy.predict(observation) == actions)[clear].sum())
        compared += int(clear.sum())
        taken |= set(layout.kind[actions].tolist())
        rows.step(rows.all_rows, actions)
    assert compared > 1000
    assert agreed == compared
    assert held & {SERVE, ASSIGN}  # the reserves of these adjustments hold something
    assert (HOLD in taken) == (ASSIGN in held)


def test_every_ranking_has_its_torch_form() -> None:
    names = {name for kind in get_args(Ranking) for name in get_args(kind.model_fields["rule"].annotation)}
    assert names == set(INDEX_FORMULAS)


def test_the_search_leaves_the_ranking_alone(bank_day: Scenario) -> None:
    rule = ExpectedLossRule(rule="expected_loss", ranking=default_rule("whittle"))
    line = rule.settings(bank_day)
    settings = {"generations": 1, "population": 4, "episodes": 1, "sigma": 0.4}
    (generation,) = search_adjustments(bank_day, 3, start=line, **settings)
    assert np.array_equal(generation.mean[N_BANK:], line[N_BANK:])
    assert not np.array_equal(generation.mean[:N_BANK], line[:N_BANK])


def test_the_search_is_repeatable(bank_day: Scenario) -> None:
    settings = {"generations": 2, "population": 4, "episodes": 2, "sigma": 0.4}
    alone, shared = (list(search_adjustments(bank_day, 3, **settings, threads=threads)) for threads in (1, 2))
    assert [generation.number for generation in alone] == [1, 2]
    assert all(np.array_equal(first.mean, second.mean) for first, second in zip(alone, shared, strict=True))


def test_the_search_finds_what_is_cheaper_on_episodes_it_has_not_met(bank_day: Scenario) -> None:
    *_, last = search_adjustments(bank_day, 3, generations=20, population=12, episodes=8, sigma=0.4, threads=2)
    found = last.mean
    play = AdjustedPlay(bank_day, threads=2)
    rule, adjusted = play.costs_usd(np.array([np.zeros(N_BANK), found]), 4, np.arange(128))
    difference = adjusted - rule
    assert difference.mean() + 2 * difference.std() / np.sqrt(len(difference)) < 0


@pytest.mark.parametrize("channels", [[VOICE], [EMAIL]])
def test_a_center_of_one_kind_of_channels_has_the_same_rule_in_the_exported_file(tmp_path, channels) -> None:
    scenario = day(channels, *(contact(100 * i, channels[0]["name"]) for i in range(20)))
    network = make_network(scenario, width=4, prior_weight=8.0)
    network.prior.set_settings(some_adjustments(1, size=count_adjustments(1))[0])
    parity = export_policy(network, scenario, tmp_path / "one.onnx", parity_states=50)
    assert parity.states == 50


def test_the_dearer_half_of_a_generation_plays_half_of_its_episodes() -> None:
    # Four candidates, three episodes. Of the first two, means 3, 1, 2, 5: the second and third go on, to means
    # (1 + 1 + 10) / 3 = 4 and (2 + 2 + 2) / 3 = 2. So the third is first, then the second; the others as they stood.
    costs_usd = np.array([[3.0, 3.0, 0.0], [1.0, 1.0, 10.0], [2.0, 2.0, 2.0], [5.0, 5.0, 0.0]])
    asked = []

    def play(candidates: np.ndarray, episodes: np.ndarray) -> np.ndarray:
        asked.append((candidates[:, 0].tolist(), episodes.tolist()))
        return costs_usd[np.ix_(candidates[:, 0].astype(int), episodes)]

    ranks, cost_usd, played = _race(play, np.arange(4.0)[:, None], np.arange(3))
    assert ranks.tolist() == [2, 1, 0, 3]
    assert cost_usd == 11 / 4
    assert asked == [([0, 1, 2, 3], [0, 1]), ([1, 2], [2])]
    assert played == 4 * 2 + 2


def test_one_episode_ranks_all_candidates() -> None:
    ranks, _, played = _race(lambda some, few: 10.0 - some[:, few], np.arange(3.0)[:, None], np.arange(1))
    assert (ranks.tolist(), played) == ([2, 1, 0], 3)
