"""Pretrained policies: shipping a run, its card, playing it by name, and those that are in the repository."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml

from agents import catalog
from agents.catalog import PRETRAINED_FOLDER, load_policy
from agents.episodes import compiled_form, play_episodes
from envs.configuration.document import load_yaml, validate
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario
from experiments.cli import main as cli
from experiments.comparison import tuned_rules
from experiments.comparison.benchmark import load_benchmark
from experiments.comparison.comparison import run_benchmark
from experiments.comparison.tuned_rules import BEST_PUBLISHED, BEST_TUNED, load_tuned
from experiments.seeds import demand_seeds
from experiments.training import pretrained
from experiments.training.pretrained import Card, card_file, make_card, ship_run
from experiments.training.train import train
from experiments.training.training_config import TrainingConfig

SEED, GENERATIONS, POPULATION, EPISODES, TEST_EPISODES = 5, 2, 4, 2, 3
TRAINING = {
    "scenario": "tiny",
    "seed": SEED,
    "network": {"width": 4, "prior_weight": 8},
    "adjustment": {
        "generations": GENERATIONS,
        "population": POPULATION,
        "episodes": EPISODES,
        "validation_episodes": 3,
    },
    "validation": {"episodes": 2},
    "benchmark": {"episodes": TEST_EPISODES, "policies": ["fifo"]},
}
SHIPPED = sorted(file.stem for file in PRETRAINED_FOLDER.glob("*.onnx"))


def blended(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["blended", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = TrainingConfig.model_validate(TRAINING)
    return train(config, experiment="small", runs_folder=tmp_path_factory.mktemp("runs"), device="cpu").folder


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty folder of pretrained policies."""
    monkeypatch.setattr(catalog, "PRETRAINED_FOLDER", tmp_path)
    monkeypatch.setattr(pretrained, "PRETRAINED_FOLDER", tmp_path)
    return tmp_path


def load_card(scenario_name: str) -> Card:
    return validate(load_yaml(card_file(scenario_name)), Card, "card")


def copy_of(run: Path, folder: Path) -> Path:
    """Copy the files of a run, without its folders, to a new folder, and return that."""
    folder.mkdir()
    for file in run.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_shipped_run_is_the_policy_pretrained_of_its_scenario(run, shelf, monkeypatch, capsys):
    assert blended(monkeypatch, "export", run, "--ship") == 0
    assert sorted(file.name for file in shelf.iterdir()) == ["tiny.onnx", "tiny.yaml"]
    assert f"Shipped: {shelf / 'tiny.onnx'}" in capsys.readouterr().out
    assert (shelf / "tiny.onnx").read_bytes() == (run / "policy.onnx").read_bytes()
    tiny = load_scenario("tiny")
    found = run_benchmark(tiny, ["pretrained", "fifo"], episodes=TEST_EPISODES, seed=SEED).scenarios["tiny"]
    assert found.reference == "pretrained"
    tested = json.loads((run / "benchmark.json").read_text())["scenarios"]["tiny"]["policies"]["learned"]
    assert found.outcomes["pretrained"].metrics["total_cost_usd"] == pytest.approx(tested["total_cost_usd"]["mean"])


def test_the_card_says_what_was_run_and_what_it_costs(run, shelf):
    ship_run(run)
    card = load_card("tiny")
    assert card == make_card(run)
    assert (card.scenario, card.seed, card.test_seed, card.test_episodes) == ("tiny", SEED, SEED, TEST_EPISODES)
    assert card.training_episodes == GENERATIONS * (POPULATION + POPULATION // 2)  # the cheaper half plays both
    assert card.minutes >= 0
    assert set(card.policies) == {"learned", "fifo"}
    costs = [row.total_cost_usd.mean for row in card.policies.values()]
    assert costs == sorted(costs)
    learned, fifo = card.policies["learned"], card.policies["fifo"]
    assert learned.learned_minus is None
    assert fifo.learned_minus.mean == pytest.approx(learned.total_cost_usd.mean - fifo.total_cost_usd.mean)
    tiny = load_scenario("tiny")
    counts = play_episodes(tiny, load_policy("fifo", tiny).policy, demand_seeds(SEED).test, np.arange(TEST_EPISODES))
    day_usd = np.mean([count["cost_usd"].sum() for count in counts]) / tiny.horizon.days
    assert fifo.total_cost_usd.mean == pytest.approx(day_usd)


def test_the_card_tells_no_folder_of_a_machine(run, tmp_path, shelf):
    copy = copy_of(run, tmp_path / "copy")
    provenance = json.loads((copy / "provenance.json").read_text())
    provenance["command"] = "blended train tiny --runs /home/somebody/runs --seed 5 --runs=/home/somebody"
    (copy / "provenance.json").write_text(json.dumps(provenance))
    assert make_card(copy).command == "blended train tiny --seed 5"


@pytest.mark.parametrize("missing", ["policy.onnx", "benchmark.json", "search.csv", "selection.json"])
def test_a_run_that_is_not_finished_is_not_shipped(run, tmp_path, shelf, missing):
    copy = copy_of(run, tmp_path / "copy")
    (copy / missing).unlink()
    with pytest.raises(ConfigurationError, match=f"has no {missing}; must be a finished policy search with a test"):
        ship_run(copy)


def test_a_run_of_an_older_version_is_one_message(run, tmp_path, shelf):
    copy = copy_of(run, tmp_path / "copy")
    rows = [line.split(",") for line in (copy / "search.csv").read_text().splitlines()]
    place = rows[0].index("minutes")
    (copy / "search.csv").write_text("\n".join(",".join([*row[:place], *row[place + 1 :]]) for row in rows))
    with pytest.raises(ConfigurationError, match="says nothing of 'minutes': was made by an older version"):
        ship_run(copy)


def test_a_changed_scenario_is_not_shipped_as_ours(run, tmp_path, shelf, monkeypatch, capsys):
    copy = copy_of(run, tmp_path / "copy")
    scenario = yaml.safe_load((copy / "scenario.yaml").read_text())
    scenario["horizon"] = {**scenario["horizon"], "days": 0.5}
    (copy / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    assert blended(monkeypatch, "export", copy, "--ship") == 2
    assert "its scenario tiny must be one of configs/scenarios, as it stands there" in capsys.readouterr().err
    assert blended(monkeypatch, "export", run, "--ship", "--out", tmp_path / "x.onnx") == 2
    assert "--ship: must stand without --out" in capsys.readouterr().err


def test_a_scenario_without_a_shipped_policy_says_which_have_one(shelf):
    (shelf / "bank.onnx").write_bytes(b"")
    message = r"policy = 'pretrained': no policy is shipped for scenario tiny \(for: bank\); to train one: blended"
    with pytest.raises(ConfigurationError, match=message):
        load_policy("pretrained", load_scenario("tiny"))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_policy_is_small_fits_its_scenario_and_has_a_card(name):
    file = PRETRAINED_FOLDER / f"{name}.onnx"
    assert file.stat().st_size < 300_000
    onnx.checker.check_model(onnx.load(file))
    scenario = load_scenario(name)
    policy = load_policy("pretrained", scenario)
    card = load_card(name)
    assert card.scenario == name
    assert policy.deterministic == (card.mode == "greedy")
    assert (compiled_form(policy.policy, policy.deterministic) is not None) == policy.deterministic
    assert {"learned", BEST_TUNED, "fifo", "value_first"} <= set(card.policies)
    n_bands = len(scenario.value_bands_usd) + 1 if scenario.value_bands_usd else 0
    assert {len(row.bands) for row in card.policies.values()} == {n_bands}


def test_every_scenario_of_the_suite_has_a_pretrained_policy_and_rules_to_beat():
    suite = load_benchmark("suite").scenarios
    assert set(suite) <= set(SHIPPED)
    for name in suite:
        for row in (BEST_TUNED, BEST_PUBLISHED):
            assert load_tuned(name, row).rules


def ship_reserves(folder, prefix, bank, **reserves):
    """Ship the rule `priority` with so many reps kept free under each name."""
    origin = {"command": "blended tune", "date": "2026-01-01", "seed": 0, "trials": 1, "episodes": 1}
    origin |= {"validation_episodes": 1, "kept": "tuned"}
    origin |= {key: {"default": 1, "tuned": 1} for key in ("training_cost_usd", "validation_cost_usd")}
    order = [channel.name for channel in bank.channels]
    rules = [
        {"rule": "priority", "name": f"{prefix}_{name}", "order": order, "reserve": dict.fromkeys(order, reps)}
        for name, reps in reserves.items()
    ]
    stated = {"scenario": "bank", "rules": rules, "origins": {rule["name"]: origin for rule in rules}}
    folder.mkdir()
    (folder / "bank.yaml").write_text(yaml.safe_dump(stated, sort_keys=False))
    return folder


def test_best_tuned_is_a_rule_without_own_parts_where_that_is_the_best(tmp_path, monkeypatch):
    # Serving whoever comes costs less than keeping a hundred reps free, that is, serving nobody.
    bank = load_scenario("bank", ("horizon.days=0.5",))
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", ship_reserves(tmp_path / "tuned", "tuned", bank, all=100))
    published = ship_reserves(tmp_path / "published", "published", bank, none=0)
    monkeypatch.setattr(tuned_rules, "PUBLISHED_FOLDER", published)
    found = run_benchmark(bank, ["fifo", "best_tuned"], episodes=2, validation_episodes=2).scenarios["bank"]
    assert found.chosen == {"best_tuned": "published_none"}
    (published / "bank.yaml").unlink()
    found = run_benchmark(bank, ["fifo", "best_tuned"], episodes=2, validation_episodes=2).scenarios["bank"]
    assert found.chosen == {"best_tuned": "tuned_all"}


def test_best_published_is_the_best_of_its_own_rules(tmp_path, monkeypatch):
    # Serving whoever comes costs less than keeping a hundred reps free, that is, serving nobody.
    bank = load_scenario("bank", ("horizon.days=0.5",))
    published = ship_reserves(tmp_path / "published", "published", bank, none=0, all=100)
    monkeypatch.setattr(tuned_rules, "PUBLISHED_FOLDER", published)
    found = run_benchmark(bank, ["fifo", "best_published"], episodes=2, validation_episodes=2).scenarios["bank"]
    assert list(found.outcomes) == ["fifo", "best_published"]
    assert found.chosen == {"best_published": "published_none"}
    with pytest.raises(ConfigurationError, match="policy 'best_published' takes part twice"):
        run_benchmark(bank, ["best_published", "best_published"], episodes=2)
    with pytest.raises(ConfigurationError, match=r"published: no tuned rules of scenario tiny .* --published --ship"):
        run_benchmark(load_scenario("tiny"), ["best_published"], episodes=2)
