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
from trainings import begun

from agents.episodes import play_episodes
from agents.learning.learned_policy import LearnedPolicy, load_network, make_network
from agents.learning.rollout_classification import Epoch
from agents.learning.rollouts import Rollouts
from agents.rules.compiled.adjustments import adjustment_names
from agents.rules.rule_policy import RulePolicy
from envs.errors import ConfigurationError
from envs.interface.actions import WAIT
from envs.scenario.scenario import load_scenario
from experiments.cli import main as cli
from experiments.seeds import demand_seeds
from experiments.training import reproduction
from experiments.training.algorithms import controlled_learning
from experiments.training.algorithms.controlled_learning import COLUMNS, NOTHING, Classified, learn_from_rollouts
from experiments.training.pretrained import make_card
from experiments.training.training_config import TrainingConfig

SEED, EPISODES, VALIDATION_EPISODES, EPOCHS = 3, 6, 8, 2
TRAINING = {
    "scenario": "premium_desk",
    "scenario_overrides": ["horizon.days=1"],
    "seed": SEED,
    "threads": 2,
    "network": {"width": 4, "prior_weight": 2, "residual_weight": 1},
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
    with (folder / "metrics.csv").open(newline="") as stream:
        noted = [row for row in csv.DictReader(stream) if row["tag"] == "classification/loss"]
    assert [(row["run"], int(row["step"])) for row in noted] == [("learned", 1), ("learned", 2)]
    assert [float(row["value"]) for row in noted] == [float(row["loss"]) for row in rows]


def test_the_learner_has_a_curve_from_its_prior_to_what_it_learned(run):
    folder, _, _ = run
    with (folder / "metrics.csv").open(newline="") as stream:
        noted = [row for row in csv.DictReader(stream) if (row["run"], row["tag"]) == ("learned", "cost/total_usd")]
    with (folder / "classification.csv").open(newline="") as stream:
        decisions = next(csv.DictReader(stream))["decisions"]
    assert [row["step"] for row in noted] == ["0", decisions]
    scenario = load_scenario("premium_desk", ("horizon.days=1",))
    seed, episodes = demand_seeds(SEED).validation, np.arange(VALIDATION_EPISODES)
    prior = load_network(folder, "checkpoints/start.pt")[0].prior.read_settings()
    counts = play_episodes(scenario, RulePolicy("expected_loss", scenario, prior, needs=()), seed, episodes)
    assert float(noted[0]["value"]) == pytest.approx(np.mean([count["cost_usd"].sum() for count in counts]))


def test_rollouts_start_in_training_episodes_and_are_judged_on_validation_episodes(run):
    _, met, _ = run
    seeds = demand_seeds(SEED)
    assert sorted({episode for seed, episode in met if seed == seeds.train}) == list(range(EPISODES))
    before_test = list(itertools.takewhile(lambda pair: pair[0] != seeds.test, met))
    judged = {episode for seed, episode in before_test if seed == seeds.validation}
    assert set(range(VALIDATION_EPISODES)) <= judged


def fake_learning(monkeypatch, *, waits: bool):
    """Let rollouts be few, and classification end with a network that always waits, or never does where it may not."""

    def learned(network, choices, **settings):
        with torch.no_grad():
            network.action_embedding[WAIT] = 50.0 if waits else -50.0
            network.scorer[-1].weight[:] = 1.0
        yield Epoch(1, 1.0, 1.0)

    monkeypatch.setattr(controlled_learning, "classify", learned)


def test_what_costs_more_on_validation_episodes_is_dropped(monkeypatch, tmp_path):
    scenario = load_scenario("premium_desk", ("horizon.days=1",))
    network = make_network(scenario, width=4, prior_weight=2.0)
    fake_learning(monkeypatch, waits=True)
    found = learn_from_rollouts(begun(tmp_path, scenario, config_of()), network)
    assert found.difference_usd > found.error_usd > 0.0
    assert not found.is_kept
    assert network.is_prior
    assert_plays_as_the_prior(network, scenario)


def test_what_costs_less_on_validation_episodes_is_kept(monkeypatch, tmp_path):
    # The prior is told to keep all reps free for callers, so whoever works instead costs less.
    scenario = load_scenario("premium_desk", ("horizon.days=1",))
    network = make_network(scenario, width=4, prior_weight=2.0)
    settings = network.prior.read_settings()
    names = adjustment_names(tuple(channel.name for channel in scenario.channels))
    settings[[names.index("reserve_real_time"), names.index("reserve_deferred")]] = 20.0
    network.prior.set_settings(settings)
    fake_learning(monkeypatch, waits=False)
    found = learn_from_rollouts(begun(tmp_path, scenario, config_of()), network)
    assert found.is_kept
    assert not network.is_prior
    episodes, seed = np.arange(VALIDATION_EPISODES), demand_seeds(SEED).validation
    learned, prior = (
        np.array([count["cost_usd"].sum() for count in play_episodes(scenario, policy, seed, episodes)])
        for policy in (LearnedPolicy(network), RulePolicy("expected_loss", scenario, settings))
    )
    difference_usd = learned - prior
    assert found.difference_usd == pytest.approx(difference_usd.mean())
    assert found.error_usd == pytest.approx(difference_usd.std(ddof=1) / math.sqrt(VALIDATION_EPISODES))


def assert_plays_as_the_prior(network, scenario):
    chosen = []
    for policy in (LearnedPolicy(network), RulePolicy("expected_loss", scenario, network.prior.read_settings())):
        (count,) = play_episodes(scenario, policy, SEED, np.array([0]))
        chosen.append(count["cost_usd"].sum())
    assert chosen[0] == pytest.approx(chosen[1], rel=1e-3)  # one computes in float32


def test_the_chosen_policy_is_tested(run):
    _, _, result = run
    assert set(result["benchmark"]["scenarios"]["premium_desk"]["policies"]) == {"learned", "fifo"}


@pytest.mark.parametrize(("difference_usd", "error_usd", "is_kept"), [(-3, 2, True), (-2, 2, False), (0, 0, False)])
def test_the_prior_has_the_benefit_of_the_doubt(difference_usd, error_usd, is_kept):
    assert Classified(100, difference_usd, error_usd).is_kept is is_kept


def test_after_ctrl_c_the_prior_stays_and_the_run_counts_as_unfinished(monkeypatch, tmp_path):
    scenario = load_scenario("premium_desk", ("horizon.days=1",))
    network = make_network(scenario, width=4, prior_weight=2.0)
    play = Rollouts.play

    def interrupted(self, *args, **kwargs):
        yield from itertools.islice(play(self, *args, **kwargs), 1)
        raise KeyboardInterrupt

    monkeypatch.setattr(Rollouts, "play", interrupted)
    assert learn_from_rollouts(begun(tmp_path, scenario, config_of()), network) == NOTHING
    assert network.is_prior
    assert not reproduction._is_whole(tmp_path, config_of())


def test_from_no_decision_at_all_nothing_is_learned(tmp_path):
    scenario = load_scenario("premium_desk", ("horizon.days=1",))
    config = config_of(controlled_learning={"episodes": 5, "share_frac": 1e-12})
    network = make_network(scenario, width=4, prior_weight=2.0)
    assert learn_from_rollouts(begun(tmp_path, scenario, config), network) == NOTHING


def test_after_a_policy_search_rollouts_start_in_episodes_that_it_has_not_met(monkeypatch, tmp_path):
    scenario = load_scenario("premium_desk", ("horizon.days=1",))
    config = config_of(adjustment={"generations": 5, "episodes": 3})
    firsts = []

    def noted(self, seed, first_episode, n_episodes, **kwargs):
        firsts.append(first_episode)
        raise KeyboardInterrupt

    monkeypatch.setattr(Rollouts, "play", noted)
    learn_from_rollouts(begun(tmp_path, scenario, config), make_network(scenario, width=4, prior_weight=2.0))
    assert firsts == [15]  # 5 generations of 3 episodes: 0 to 14


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": {"width": 4, "prior_weight": 0}}, "needs a prior, and layers"),
        (
            {"network": {"width": 4, "prior_weight": 2, "residual_weight": 0}},
            "needs a prior, and layers",
        ),
        ({"steps": 1000}, "must not be there: controlled_learning has no gradients of returns"),
        ({"adjustment": {"centers": {}}}, "it learns in the scenario alone"),
    ],
)
def test_what_does_not_go_with_it_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        config_of(**changes)


def test_a_policy_from_rollouts_is_not_shipped_as_one_of_policy_search(run):
    folder, _, _ = run
    (folder / "search.csv").write_text("")
    with pytest.raises(ConfigurationError, match="went on with controlled_learning; must be a policy search alone"):
        make_card(folder)
