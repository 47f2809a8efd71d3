"""A training by the name of its algorithm: what is meant, what belongs to it, and from where it begins."""

import sys

import numpy as np
import pytest
import yaml

from agents.episodes import play_episodes
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario
from experiments.cli import main as cli
from experiments.seeds import demand_seeds
from experiments.training.algorithms.policy_search import choose_start, known_starts
from experiments.training.training_config import ALGORITHMS, TrainingConfig, load_training

SECTIONS = {name: found.section for name, found in ALGORITHMS.items()}


@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - {"policy_search"}))
def test_a_section_says_which_algorithm_is_meant_and_another_ones_is_refused_by_name(algorithm, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"scenario": "tiny", SECTIONS[algorithm]: {}}))
    assert load_training(file).algorithm == algorithm
    other = "maskable_ppo" if algorithm != "maskable_ppo" else "masked_dqn"
    file.write_text(yaml.safe_dump({"scenario": "tiny", "algorithm": other, SECTIONS[algorithm]: {}}))
    with pytest.raises(
        ConfigurationError, match=f"{SECTIONS[algorithm]}.*belongs to algorithm {algorithm}, not to {other}"
    ):
        load_training(file)


def test_a_prior_is_stated_only_where_no_search_fits_it():
    assert load_training("bank", ("prior=expected_loss",), algorithm="maskable_ppo").prior == "expected_loss"
    with pytest.raises(ConfigurationError, match=r"training\.prior.*must not be there with adjustment"):
        load_training("bank", ("prior=expected_loss",))


def test_without_any_section_it_is_policy_search():
    assert TrainingConfig.model_validate({"scenario": "tiny"}).algorithm == "policy_search"


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_another_algorithm_than_the_file_has_is_taken_alone(algorithm):
    found = load_training("certify_value", algorithm=algorithm)  # whose file has a search and rollouts
    sections = {section for section in SECTIONS.values() if getattr(found, section) is not None}
    own = {"controlled_learning": {"controlled_learning", "adjustment"}}.get(algorithm, {SECTIONS[algorithm]})
    assert sections == own
    assert found.scenario_overrides == ("horizon.days=2",)


def test_an_unknown_algorithm_is_one_message_with_the_nearest():
    with pytest.raises(ConfigurationError, match=r"--algorithm masked_dqm: must be one of .*did you mean 'masked_dqn'"):
        load_training("bank", algorithm="masked_dqm")


def test_networks_begin_as_their_algorithm_wants_and_without_a_prior_layers_are_free():
    weights = {}
    for name in ALGORITHMS:
        network = load_training("bank", algorithm=name).network
        weights[name] = (network.prior_weight, network.residual_weight)
    assert weights["maskable_ppo"] == weights["policy_search"] == (8.0, 0.02)
    assert weights["masked_dqn"] == weights["masked_qrdqn"] == (1.0, 1.0)
    assert load_training("bank", ("network.prior_weight=0",), algorithm="maskable_ppo").network.residual_weight == 1.0


def test_seeds_of_a_sweep_are_judged_on_the_same_episodes_and_learn_from_their_own():
    one, other = (load_training("tiny", ("episodes_seed=7",), seed=seed).demand for seed in (1, 2))
    assert (one.validation, one.test) == (other.validation, other.test) == demand_seeds(7)[1:]
    assert (one.train, other.train) == (demand_seeds(1).train, demand_seeds(2).train)


def test_the_prior_of_gradients_is_the_known_start_that_costs_least_on_validation_episodes():
    scenario = load_scenario("premium_desk", ("horizon.days=1",))
    config = load_training(
        "premium_desk", ("validation.episodes=6", "scenario_overrides=[horizon.days=1]"), algorithm="maskable_ppo"
    )
    costs_usd = {}
    for start in known_starts(scenario):
        counts = play_episodes(scenario, start.rule.make(scenario), config.demand.validation, np.arange(6))
        costs_usd[start.name] = np.mean([count["cost_usd"].sum() for count in counts])
    assert len(costs_usd) > 2
    assert choose_start(scenario, config).name == min(costs_usd, key=costs_usd.get)


def test_the_list_names_every_training_and_algorithm_in_full(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["blended", "train", "--list"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    said = capsys.readouterr().out
    for name in ("bank", "certify_deadline", "million_dollar_interrupt", "retail_peak", *ALGORITHMS):
        assert name in said
