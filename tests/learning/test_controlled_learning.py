"""Controlled learning as a stage of a training: which episodes it meets, what is kept, and when what it learned is."""

import csv
import itertools
import json
import math
import sys

import numpy as np
import pytest
import torch
import yaml
from playing import meet_demand
from pydantic import ValidationError

from agents.episodes import play_episodes
from agents.learning.learned_policy import LearnedPolicy, load_network, make_network
from agents.learning.rollouts import Rollouts
from agents.rules.rule_policy import RulePolicy
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario
from experiments.cli import main as cli
from experiments.seeds import demand_seeds
from experiments.training.controlled_learning import COLUMNS, Classified, learn_from_rollouts
from experiments.training.training_config import TrainingConfig

SEED, EPISODES, VALIDATION_EPISODES, EPOCHS = 3, 6, 8, 2
TRAINING = {
    "scenario": "premium_desk",
    "scenario_overrides": ["horizon.days=1"],
    "seed": SEED,
    "steps": 0,
    "threads": 2,
    "network": {"width": 4, "prior_weight": 2},
    "controlled_learning": {
        "episodes": EPISODES,
        "share_frac": 0.1,
        "horizon_h": 0.5,
        "epochs": EPOCHS,
        "validation_episodes": VALIDATION_EPISODES,
    },
    "validation": {"episodes": 2},
    "benchmark": {"episodes": 4, "policies": ["fifo"]},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run, the (seed, episode) that it met in order, and its JSON result."""
    folder = tmp_path_factory.mktemp("controlled")
    (folder / "small.yaml").write_text(yaml.safe_dump(TRAINING))
    with pytest.MonkeyPatch.context() as monkeypatch:
        met = meet_demand(monkeypatch)
        arguments = ["train", folder / "small.yaml", "--runs", folder / "runs", "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", ["blended", *map(str, arguments), "--json", str(folder / "result.json")])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
    (found,) = (folder / "runs" / "small").iterdir()
    return found, met, json.loads((folder / "result.json").read_text())


def config_of(**changes) -> TrainingConfig:
    return TrainingConfig.model_validate(TRAINING | changes)


def test_every_pass_is_kept_in_a_table(run):
    folder, _, _ = run
    with (folder / "classification.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert [int(row["epoch"]) for row in rows] == list(range(1, EPOCHS + 1))
    assert len({row["decisions"] for row in rows}) == 1
    assert all(float(row["loss"]) > 0.0 for row in rows)
    assert list((folder / "tensorboard" / "controlled_learning").iterdir())


def test_rollouts_start_in_training_episodes_and_are_judged_on_validation_episodes(run):
    _, met, _ = run
    seeds = demand_seeds(SEED)
    assert sorted({episode for seed, episode in met if seed == seeds.train}) == list(range(EPISODES))
    before_test = list(itertools.takewhile(lambda pair: pair[0] != seeds.test, met))
    judged = {episode for seed, episode in before_test if seed == seeds.validation}
    assert set(range(VALIDATION_EPISODES)) <= judged


def test_what_is_not_surely_better_on_validation_episodes_is_dropped(run):
    folder, _, _ = run
    network, scenario = load_network(folder, "checkpoints/classified.pt")
    episodes, seed = np.arange(VALIDATION_EPISODES), demand_seeds(SEED).validation
    rule = RulePolicy("expected_loss", scenario)
    learned, prior = (
        np.array([count["cost_usd"].sum() for count in play_episodes(scenario, policy, seed, episodes)])
        for policy in (LearnedPolicy(network), rule)
    )
    difference = learned - prior
    if torch.count_nonzero(network.scorer[-1].weight):
        assert difference.mean() + difference.std(ddof=1) / math.sqrt(len(episodes)) < 0.0
    else:
        assert not difference.any()


def test_the_chosen_policy_is_tested(run):
    _, _, result = run
    assert set(result["benchmark"]["scenarios"]["premium_desk"]["policies"]) == {"learned", "fifo"}


@pytest.mark.parametrize(("difference_usd", "error_usd", "is_kept"), [(-3, 2, True), (-2, 2, False), (0, 0, False)])
def test_the_prior_has_the_benefit_of_the_doubt(difference_usd, error_usd, is_kept):
    assert Classified(100, 50.0, difference_usd, error_usd).is_kept is is_kept


@pytest.mark.parametrize("n_played", [0, 1])
def test_ctrl_c_ends_the_rollouts_with_those_that_are_there(monkeypatch, tmp_path, n_played):
    scenario = load_scenario("premium_desk", ("horizon.days=1",))
    network = make_network(scenario, width=4, prior_weight=2.0)
    play = Rollouts.play

    def interrupted(self, *args, **kwargs):
        yield from itertools.islice(play(self, *args, **kwargs), n_played)
        raise KeyboardInterrupt

    monkeypatch.setattr(Rollouts, "play", interrupted)
    if n_played:
        assert learn_from_rollouts(network, scenario, config_of(), tmp_path).decisions > 0
    else:
        with pytest.raises(KeyboardInterrupt):
            learn_from_rollouts(network, scenario, config_of(), tmp_path)


def test_after_a_policy_search_rollouts_start_in_episodes_that_it_has_not_met(monkeypatch, tmp_path):
    scenario = load_scenario("premium_desk", ("horizon.days=1",))
    config = config_of(adjustment={"generations": 5, "episodes": 3})
    firsts = []

    def noted(self, seed, first_episode, n_episodes, **kwargs):
        firsts.append(first_episode)
        raise KeyboardInterrupt

    monkeypatch.setattr(Rollouts, "play", noted)
    with pytest.raises(KeyboardInterrupt):
        learn_from_rollouts(make_network(scenario, width=4, prior_weight=2.0), scenario, config, tmp_path)
    assert firsts == [15]  # 5 generations of 3 episodes: 0 to 14


def test_without_a_prior_there_is_nothing_to_roll_out():
    with pytest.raises(ValidationError, match=r"network\.prior_weight must be > 0"):
        config_of(network={"width": 4})


def test_rollouts_from_no_decision_at_all_are_one_message(tmp_path):
    scenario = load_scenario("premium_desk", ("horizon.days=1",))
    config = config_of(controlled_learning={"episodes": 2, "share_frac": 1e-12})
    with pytest.raises(ConfigurationError, match=r"share_frac = 1e-12: in 2 episodes of scenario premium_desk no deci"):
        learn_from_rollouts(make_network(scenario, width=4, prior_weight=2.0), scenario, config, tmp_path)
