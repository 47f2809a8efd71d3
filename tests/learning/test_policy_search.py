"""Policy search as a training: what is kept, where it starts, which episodes it meets, and what becomes the policy."""

import csv
import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from playing import meet_demand
from pydantic import ValidationError
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from trainings import begun

from agents.catalog import load_policy
from agents.episodes import play_episodes
from agents.learning import adjustment
from agents.learning.adjustment import AdjustedPlay
from agents.learning.learned_policy import load_network, make_network
from agents.learning.training_env import TrainingVecEnv
from agents.rules.compiled.adjustments import count_adjustments
from agents.rules.rule_policy import RulePolicy
from envs.configuration.document import named_files
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario, load_scenario
from experiments.cli import main as cli
from experiments.comparison import tuned_rules
from experiments.seeds import demand_seeds
from experiments.training.algorithms import policy_search
from experiments.training.algorithms.policy_search import COLUMNS, known_starts
from experiments.training.train import train
from experiments.training.training_config import TrainingConfig, load_training
from experiments.transfer.moves import RandomCenters, moved

SEED, DAYS = 5, 2
GENERATIONS, POPULATION, EPISODES, VALIDATION_EPISODES = 3, 4, 2, 6
TRAINING = {
    "scenario": "bank",
    "scenario_overrides": [f"horizon.days={DAYS}"],
    "seed": SEED,
    "threads": 2,
    "network": {"width": 4, "prior_weight": 8, "residual_weight": 0.02},
    "adjustment": {
        "generations": GENERATIONS,
        "population": POPULATION,
        "episodes": EPISODES,
        "validation_episodes": VALIDATION_EPISODES,
        "every_generations": 2,
    },
    "validation": {"every_steps": 128, "episodes": 2},
    "benchmark": {"episodes": 4, "policies": ["fifo"]},
}
PPO = {"environments": 2, "rollout_steps": 16, "batch_size": 32}
ORIGIN = (
    "{command: blended tune, date: '2026-01-01', seed: 0, trials: 1, episodes: 1, validation_episodes: 1, kept: tuned, "
    "training_cost_usd: {default: 1, tuned: 1}, validation_cost_usd: {default: 1, tuned: 1}}"
)
TUNED = """
scenario: bank
rules:
  - {{rule: expected_loss, name: tuned_expected_loss, {keys}}}
origins: {{tuned_expected_loss: {origin}}}
"""


def ship(folder: Path, monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "bank.yaml").write_text(TUNED.format(keys=keys, origin=ORIGIN))
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", folder)
    monkeypatch.setattr(tuned_rules, "PUBLISHED_FOLDER", folder / "none")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run, the (seed, episode) that it met in order, and its JSON result."""
    folder = tmp_path_factory.mktemp("search")
    (folder / "small.yaml").write_text(yaml.safe_dump(TRAINING))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", folder / "none")
        met = meet_demand(monkeypatch)
        arguments = ["train", folder / "small.yaml", "--runs", folder / "runs", "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", ["blended", *map(str, arguments), "--json", str(folder / "result.json")])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
    (found,) = (folder / "runs" / "small").iterdir()
    return found, met, json.loads((folder / "result.json").read_text())


def search(scenario: Scenario, config: TrainingConfig, folder: Path) -> policy_search.Found:
    """Return what a search finds that keeps its tables in `folder`."""
    return policy_search.search_policy(begun(folder, scenario, config), make_network(scenario, width=4))


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "search.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def validated(folder: Path) -> list[float]:
    """Return what each validation cost, USD/day."""
    return [float(row["validation_usd"]) for row in rows_of(folder) if row["validation_usd"]]


def test_gradients_begin_in_the_backlogs_of_the_rule_that_the_search_found(monkeypatch, tmp_path):
    ship(tmp_path / "tuned", monkeypatch, "reserve_by_stake: 0.5")
    started = []
    reset = TrainingVecEnv.reset

    def noted(self):
        started.append(self.starter.settings)
        return reset(self)

    monkeypatch.setattr(TrainingVecEnv, "reset", noted)
    config = TrainingConfig.model_validate(
        TRAINING | {"algorithm": "maskable_ppo", "steps": 32, "ppo": PPO, "benchmark": None}
    )
    folder = train(config, experiment="search", runs_folder=tmp_path, device="cpu", progress_bar=False).folder
    found = load_policy(str(folder / "adjusted.yaml"), load_scenario("bank")).policy.settings
    assert found.any()
    assert len(started) == 1
    np.testing.assert_allclose(started[0], found, rtol=1e-6)


def test_every_generation_is_kept_and_validated_as_often_as_asked(run):
    folder, _, _ = run
    rows = rows_of(folder)
    assert tuple(rows[0]) == COLUMNS
    assert [int(row["generation"]) for row in rows] == [0, 1, 2, 3]
    assert {row["start"] for row in rows} == {"expected_loss"}
    # Four candidates play the first of two episodes, the cheaper two of them the second.
    assert [int(row["episodes"]) for row in rows] == [6 * number for number in range(4)]
    decisions = [int(row["decisions"]) for row in rows]
    assert decisions[0] == 0
    assert all(later > before for before, later in pairwise(decisions))
    assert [row["validation_usd"] != "" for row in rows] == [True, False, True, True]
    assert [row["training_usd"] != "" for row in rows] == [False, True, True, True]
    events = EventAccumulator(str(folder / "tensorboard" / "learned"))
    events.Reload()
    shown = [(event.step, event.value) for event in events.Scalars("cost/total_usd")]
    assert shown == [
        (int(row["decisions"]), pytest.approx(float(row["validation_usd"]), rel=1e-6))
        for row in rows
        if row["validation_usd"]
    ]


def test_the_policy_is_the_cheapest_of_start_and_means_on_validation_episodes(run):
    folder, _, _ = run
    network, scenario = load_network(folder, "checkpoints/adjusted.pt")
    named = load_policy(str(folder / "adjusted.yaml"), scenario)
    assert named.name == "adjusted_rule"
    np.testing.assert_allclose(network.prior.read_settings(), named.policy.settings, rtol=1e-6)
    counts = play_episodes(scenario, named.policy, demand_seeds(SEED).validation, np.arange(VALIDATION_EPISODES))
    cost_usd = np.mean([count["cost_usd"].sum() for count in counts]) / DAYS
    assert cost_usd == pytest.approx(min(validated(folder)))


def test_without_steps_the_adjusted_rule_is_the_learned_policy(run):
    folder, _, result = run
    assert result["best_steps"] == 0
    policies = result["benchmark"]["scenarios"]["bank"]["policies"]
    assert set(policies) == {"learned", "fifo"}  # the start is the rule `expected_loss`, which may take part itself
    scenario = load_scenario(folder / "scenario.yaml")
    adjusted = load_policy(str(folder / "adjusted.yaml"), scenario).policy
    counts = play_episodes(scenario, adjusted, demand_seeds(SEED).test, np.arange(4))
    cost_usd = np.mean([count["cost_usd"].sum() for count in counts]) / DAYS
    # The exported graph computes in float32, the rule in float64: ties may break otherwise.
    assert policies["learned"]["total_cost_usd"]["mean"] == pytest.approx(cost_usd, rel=0.02)


def test_the_search_meets_training_and_validation_episodes_and_the_test_comes_last(run):
    _, met, _ = run
    seeds = demand_seeds(SEED)
    assert {seed for seed, _ in met} == set(seeds)
    trained = {episode for seed, episode in met if seed == seeds.train}
    assert set(range(GENERATIONS * EPISODES)) <= trained
    first_test = next(place for place, (seed, _) in enumerate(met) if seed == seeds.test)
    assert {seed for seed, _ in met[first_test:]} == {seeds.test}


def test_the_start_is_the_rule_or_its_shipped_tuned_form(tmp_path, monkeypatch):
    bank = load_scenario("bank", ("horizon.days=1",))
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", tmp_path / "none")
    assert [start.name for start in known_starts(bank)] == ["expected_loss"]
    ship(tmp_path, monkeypatch, "interrupt_price: 0.5")
    plain, tuned = known_starts(bank)
    assert not plain.rule.settings(bank).any()
    assert (tuned.name, tuned.rule.settings(bank).sum()) == ("tuned_expected_loss", 0.5)


def test_an_index_rule_is_a_start_with_its_ranking_and_the_search_keeps_that(tmp_path, monkeypatch, capsys):
    tuned_rules_text = TUNED.replace(
        "rule: expected_loss, name: tuned_expected_loss", "rule: whittle, name: tuned_whittle"
    )
    (tmp_path / "bank.yaml").write_text(
        tuned_rules_text.replace("tuned_expected_loss", "tuned_whittle").format(keys="power: 1.5", origin=ORIGIN)
    )
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", tmp_path)
    monkeypatch.setattr(tuned_rules, "PUBLISHED_FOLDER", tmp_path / "none")
    scenario = load_scenario("bank", (f"horizon.days={DAYS}",))
    monkeypatch.setattr(policy_search, "known_starts", lambda bank: known_starts(bank)[1:])
    result = train(TrainingConfig.model_validate(TRAINING), experiment="search", runs_folder=tmp_path, device="cpu")
    assert "Policy search from tuned_whittle" in capsys.readouterr().err
    adjusted = load_policy(str(result.folder / "adjusted.yaml"), scenario).policy
    network, _ = load_network(result.folder)
    np.testing.assert_allclose(network.prior.read_settings(), adjusted.settings, rtol=1e-6)
    assert len(adjusted.settings) > count_adjustments(len(scenario.channels))


@pytest.mark.parametrize("name", ["premium_desk", "configs/scenarios/premium_desk.yaml"])
def test_a_scenario_is_trained_as_its_own_training_says_which_inherits_the_common_one(name):
    root = Path(__file__).resolve().parents[2]
    text = str(root / name) if "/" in name else name
    found = load_training(text, ("adjustment.generations=7",), seed=3)
    assert load_scenario(found.scenario) == load_scenario("premium_desk")
    assert (found.seed, found.gradient_steps, found.adjustment.generations) == (3, 0, 7)


def test_a_scenario_with_a_training_of_its_own_keeps_it():
    assert load_training("bank").scenario == "bank"
    file = Path(__file__).resolve().parents[2] / "configs" / "scenarios" / "bank.yaml"
    assert load_training(file) == load_training("bank")
    assert load_training("million_dollar_interrupt").scenario == "million_dollar_interrupt_random"


def test_what_is_neither_is_named_as_a_training():
    with pytest.raises(ConfigurationError, match="bnak: no such file, and no such name in configs/training"):
        load_training("bnak")


def test_who_stops_the_search_goes_on_with_the_best_so_far(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", tmp_path / "none")
    config = TrainingConfig.model_validate(TRAINING)
    scenario = load_scenario("bank", (f"horizon.days={DAYS}",))
    found = adjustment.search_adjustments

    def stop(*arguments, **settings):
        for generation in found(*arguments, **settings):
            yield generation
            if generation.number == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(policy_search, "search_adjustments", stop)
    best = search(scenario, config, tmp_path)
    rows = rows_of(tmp_path)
    assert [int(row["generation"]) for row in rows] == [0, 1, 2]
    assert best.validation_usd == min(validated(tmp_path))
    assert "Policy search stopped" in capsys.readouterr().err


def test_a_cheaper_shipped_form_is_where_the_search_starts_and_its_best_rule_takes_part_in_the_test(
    tmp_path, monkeypatch, capsys
):
    # Keep a rep free, above all of callers with little to lose.
    keys = "idle_last_rep: 16, idle_second_rep: 30, reserve_by_stake: 1, reserve_real_time: 0.4, deferred_index: -4.7"
    ship(tmp_path / "tuned", monkeypatch, f"{keys}, due_scale: 2, offer_benefit: 1")
    scenario = load_scenario("bank", (f"horizon.days={DAYS}",))
    plain, tuned = known_starts(scenario)
    config = TrainingConfig.model_validate(TRAINING | {"benchmark": TRAINING["benchmark"] | {"best_tuned": True}})
    result = train(config, experiment="search", runs_folder=tmp_path / "runs", device="cpu")
    play = AdjustedPlay(scenario)
    both = np.array([start.rule.settings(scenario) for start in (plain, tuned)])
    costs_usd = play.costs_usd(both, demand_seeds(SEED).validation, np.arange(VALIDATION_EPISODES)).mean(axis=1)
    assert costs_usd[1] < costs_usd[0]
    assert validated(result.folder)[0] == pytest.approx(costs_usd[1] / DAYS)
    assert "Policy search from tuned_expected_loss" in capsys.readouterr().err
    found = result.benchmark.scenarios["bank"]
    assert found.chosen == {"best_tuned": "tuned_expected_loss"}
    assert "best_tuned" in found.outcomes


def test_over_random_centers_each_episode_has_its_own_and_all_candidates_meet_it(tmp_path, monkeypatch):
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", tmp_path / "none")
    centers = RandomCenters(size_factor=(1.5, 3.0), value_factor=(1.0, 1.0))
    config = TrainingConfig.model_validate(
        TRAINING | {"adjustment": TRAINING["adjustment"] | {"centers": centers.model_dump()}}
    )
    scenario = load_scenario("bank", (f"horizon.days={DAYS}",))
    found = search(scenario, config, tmp_path)
    seeds = demand_seeds(SEED)
    costs_usd = []
    for episode in range(VALIDATION_EPISODES):  # the rule played in each center by itself
        center = moved(scenario, centers.draw(scenario, seeds.validation, episode))
        (count,) = play_episodes(center, found.rule.make(center), seeds.validation, np.array([episode]))
        costs_usd.append(count["cost_usd"].sum())
    assert found.validation_usd == pytest.approx(np.mean(costs_usd) / DAYS)
    # All candidates of a generation meet the center of the episode.
    play = AdjustedPlay(scenario, 2, lambda seed, episode: moved(scenario, centers.draw(scenario, seed, episode)))
    lines = np.array([found.rule.settings(scenario), np.full(count_adjustments(len(scenario.channels)), 0.1)])
    for line, told in zip(lines, play.costs_usd(lines, seeds.train, np.arange(3)), strict=True):
        for episode in range(3):
            center = moved(scenario, centers.draw(scenario, seeds.train, episode))
            policy = RulePolicy("expected_loss", center, line)
            (count,) = play_episodes(center, policy, seeds.train, np.array([episode]))
            assert told[episode] == pytest.approx(count["cost_usd"].sum())


def test_a_center_that_cannot_move_is_refused_before_the_run_folder_is_made(tmp_path):
    scenario = "million_dollar_interrupt"
    config = TrainingConfig.model_validate(
        TRAINING
        | {"scenario": scenario, "scenario_overrides": []}
        | {"adjustment": TRAINING["adjustment"] | {"centers": {}}}
    )
    with pytest.raises(ConfigurationError, match="scripted_contacts: only a center whose contacts are drawn can move"):
        train(config, experiment="search", runs_folder=tmp_path / "runs", device="cpu")
    assert not (tmp_path / "runs").exists()


def test_several_starts_search_at_first_and_the_best_goes_on_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(policy_search, "RACE_GENERATIONS", 2)  # judged at its end, how seldom that may be otherwise
    ship(tmp_path / "tuned", monkeypatch, "interrupt_price: 0.5")
    scenario = load_scenario("bank", (f"horizon.days={DAYS}",))
    config = TrainingConfig.model_validate(
        TRAINING | {"adjustment": TRAINING["adjustment"] | {"starts": 5, "every_generations": 7}}
    )
    found = search(scenario, config, tmp_path)
    rows = rows_of(tmp_path)
    racing = [(row["start"], int(row["generation"])) for row in rows[1:5]]
    assert sorted(racing) == [(name, n) for name in ("expected_loss", "tuned_expected_loss") for n in (1, 2)]
    (last,) = rows[5:]
    judged = {row["start"]: float(row["validation_usd"]) for row in rows[3:5]}
    judged[rows[0]["start"]] = min(judged[rows[0]["start"]], float(rows[0]["validation_usd"]))
    assert last["start"] == min(judged, key=judged.get)
    assert [int(row["episodes"]) for row in rows] == [6 * number for number in range(6)]
    assert found.validation_usd == min(validated(tmp_path))


def test_a_tuned_rule_that_makes_no_sense_any_more_is_no_start(tmp_path, monkeypatch):
    text = TUNED.replace("expected_loss", "cmu_theta").format(keys="leave_h: 5", origin=ORIGIN)
    (tmp_path / "bank.yaml").write_text(text)
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", tmp_path)
    assert [start.name for start in known_starts(load_scenario("bank"))] == ["expected_loss", "tuned_cmu_theta"]
    patient = [f"channels.{name}.due=null" for name in ("email", "service_request", "voicemail", "callback")]
    scenario = load_scenario("bank", ("channels.voice.patience=null", *patient))
    assert [start.name for start in known_starts(scenario)] == ["expected_loss"]


def test_random_centers_and_gradients_do_not_go_together():
    with pytest.raises(ValidationError, match="must be null with maskable_ppo: it learns in the scenario alone"):
        TrainingConfig.model_validate(TRAINING | {"algorithm": "maskable_ppo", "adjustment": {"centers": {}}})


@pytest.mark.parametrize("name", sorted(named_files("training")))
def test_every_training_that_is_there_can_be_read(name):
    found = load_training(name)
    load_scenario(found.scenario, found.scenario_overrides)
