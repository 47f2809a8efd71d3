"""Several seeds: finished pairs are left out, the figures are those of the runs, the best on validation is shipped."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.console import Console

from agents.catalog import load_policy
from agents.episodes import play_episodes
from envs.scenario.scenario import load_scenario
from experiments.comparison import tuned_rules
from experiments.seeds import demand_seeds
from experiments.training import reproduction
from experiments.training.reproduction import Reproduction, Run, finished_run, reproduce
from experiments.training.training_config import load_training

SEEDS, TEST_EPISODES = (0, 1), 3
SMALL = (
    "adjustment.generations=1", "adjustment.population=4", "adjustment.episodes=1", "adjustment.validation_episodes=2",
    "network.width=4", "validation.episodes=2", f"benchmark.episodes={TEST_EPISODES}", "benchmark.tuned_episodes=2",
    'benchmark.policies=["fifo"]',
)  # fmt: skip


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A folder of tuned rules in which that of `tiny` is `fifo` under another name."""
    folder = tmp_path_factory.mktemp("tuned")
    origin = {"command": "blended tune", "date": "2026-01-01", "seed": 0, "trials": 1, "episodes": 1}
    origin |= {"validation_episodes": 1, "kept": "tuned"}
    origin |= {key: {"default": 1, "tuned": 1} for key in ("training_cost_usd", "validation_cost_usd")}
    name = "tuned_first_come_longest_idle"
    rule = {"rule": "first_come_longest_idle", "name": name}
    (folder / "tiny.yaml").write_text(yaml.safe_dump({"scenario": "tiny", "rules": [rule], "origins": {name: origin}}))
    return folder


@pytest.fixture(scope="module")
def found(shelf, tmp_path_factory):
    """The folder of runs, and what was found."""
    runs = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", shelf)
        return runs, reproduce(["tiny"], SEEDS, runs_folder=runs, device="cpu", overrides=SMALL)


def test_every_pair_is_trained_once_and_tested_against_the_rows(found):
    runs, result = found
    assert [(run.scenario, run.seed) for run in result.runs] == [("tiny", seed) for seed in SEEDS]
    assert len(list((runs / "tiny").iterdir())) == len(SEEDS)
    tiny = load_scenario("tiny")
    for run in result.runs:
        costs_usd = {}
        for name in ("fifo", str(run.folder / "policy.onnx")):
            policy = load_policy(name, tiny).policy
            counts = play_episodes(tiny, policy, demand_seeds(run.seed).test, np.arange(TEST_EPISODES))
            costs_usd[name] = np.mean([count["cost_usd"].sum() for count in counts])
        fifo_usd, learned_usd = costs_usd.values()
        assert run.against == {"best_tuned": pytest.approx(learned_usd / fifo_usd - 1)}


def test_what_is_finished_is_not_trained_again(found, shelf, monkeypatch, capsys):
    runs, result = found
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", shelf)
    trained = []
    train = reproduction.train
    monkeypatch.setattr(reproduction, "train", lambda config, **kw: trained.append(config.seed) or train(config, **kw))
    again = reproduce(["tiny"], SEEDS, runs_folder=runs, device="cpu", overrides=SMALL)
    assert not trained
    assert again.runs == result.runs
    assert "0 of 2 trainings to do; searches and rollouts take at most 0 minutes" in capsys.readouterr().err
    (result.runs[1].folder / "benchmark.json").rename(result.runs[1].folder / "away.json")
    more = reproduce(["tiny"], SEEDS, runs_folder=runs, device="cpu", overrides=SMALL)
    (result.runs[1].folder / "away.json").rename(result.runs[1].folder / "benchmark.json")
    assert trained == [1]
    assert more.runs[0] == result.runs[0]
    assert more.runs[1].against == pytest.approx(result.runs[1].against)  # the same seed, the same training


def test_another_configuration_is_another_run(found, shelf, monkeypatch):
    runs, result = found
    config = load_training("tiny", (*SMALL, "benchmark.best_tuned=true"), seed=0)
    assert finished_run(runs / "tiny", config) == result.runs[0].folder
    assert finished_run(runs / "tiny", config.model_copy(update={"threads": 1})) == result.runs[0].folder
    other = config.adjustment.model_copy(update={"sigma": 0.1})
    assert finished_run(runs / "tiny", config.model_copy(update={"adjustment": other})) is None
    longer = config.model_copy(update={"scenario_overrides": ("horizon.days=0.5",)})
    assert finished_run(runs / "tiny", longer) is None
    assert finished_run(runs / "none", config) is None


def test_a_search_that_was_stopped_is_not_finished(found):
    runs, result = found
    config = load_training("tiny", (*SMALL, "benchmark.best_tuned=true"), seed=0)
    file = result.runs[0].folder / "search.csv"
    whole = file.read_text()
    file.write_text("".join(whole.splitlines(keepends=True)[:-1]))  # one generation less
    assert finished_run(runs / "tiny", config) is None
    file.write_text(whole)
    assert finished_run(runs / "tiny", config) == result.runs[0].folder


def test_who_stops_the_search_stops_all(found, shelf, monkeypatch):
    runs, _ = found
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", shelf)
    monkeypatch.setattr(reproduction, "train", lambda *_, **__: None)  # as if it had ended without a whole run
    with pytest.raises(KeyboardInterrupt):
        reproduce(["tiny"], (7,), runs_folder=runs, device="cpu", overrides=SMALL)


def test_what_cannot_be_shipped_is_refused_before_the_training(monkeypatch, capsys):
    from experiments.cli import main as cli

    monkeypatch.setattr("sys.argv", ["blended", "reproduce", "tiny", "--ship", "--set", "ppo.epochs=2"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "--ship tiny: must be trained by policy search alone" in capsys.readouterr().err


def made(*against: tuple[str, int, float]) -> Reproduction:
    return Reproduction(
        tuple(
            Run(name, seed, Path(f"{name}-{seed}"), {"best_tuned": frac, "best_published": 2 * frac})
            for name, seed, frac in against
        )
    )


def test_the_figures_are_interquartile_means_and_the_worst_seed():
    result = made(("a", 0, -0.1), ("a", 1, -0.2), ("a", 2, 0.3), ("a", 3, -0.2), ("b", 0, -0.4))
    # Of -0.4, -0.2, -0.2, -0.1, 0.3 the lowest and the highest quarter, one each, go: (-0.2 - 0.2 - 0.1) / 3.
    assert result.difference("best_tuned").mean == pytest.approx(-0.5 / 3)
    # Of a alone, -0.2, -0.2, -0.1, 0.3: (-0.2 - 0.1) / 2.
    assert result.difference("best_tuned", ["a"]).mean == pytest.approx(-0.15)
    assert np.isnan(result.difference("best_tuned", ["b"]).low)  # one seed has no interval
    said, columns, rows = result.headline()
    assert "interquartile mean of learned minus best_tuned -16.7 %" in said
    assert columns == (
        "scenario", "seeds", "best_tuned, mean", "best_tuned, worst", "best_published, mean", "best_published, worst",
    )  # fmt: skip
    assert rows[0][:2] == ["a", "4"]
    assert rows[0][3] == "30.0 %"
    assert rows[1] == ["b", "1", "-40.0 %", "-40.0 %", "-80.0 %", "-80.0 %"]
    console = Console(record=True, width=200)
    result.show(console)
    assert "worst seed" in console.export_text()


def test_the_command_trains_and_ships_the_best_on_validation(found, shelf, tmp_path, monkeypatch, capsys):
    from agents import catalog
    from experiments.cli import main as cli
    from experiments.training import pretrained

    runs, result = found
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", shelf)
    for module in (catalog, pretrained):
        monkeypatch.setattr(module, "PRETRAINED_FOLDER", tmp_path)
    arguments = ["reproduce", "tiny", "--seeds", "2", "--runs", str(runs), "--device", "cpu", "--ship"]
    arguments += [part for text in SMALL for part in ("--set", text)]
    monkeypatch.setattr("sys.argv", ["blended", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    shown = capsys.readouterr().out
    assert "2 trainings" in shown
    tiny = load_scenario("tiny")
    costs_usd = {}
    for run in result.runs:  # on the same validation episodes
        policy = load_policy(str(run.folder / "policy.onnx"), tiny).policy
        counts = play_episodes(tiny, policy, demand_seeds(0).validation, np.arange(64))
        costs_usd[run.folder] = np.mean([count["cost_usd"].sum() for count in counts])
    best = min(result.runs, key=lambda run: costs_usd[run.folder])
    assert (tmp_path / "tiny.onnx").read_bytes() == (best.folder / "policy.onnx").read_bytes()
    assert yaml.safe_load((tmp_path / "tiny.yaml").read_text())["seed"] == best.seed
    assert json.loads((best.folder / "provenance.json").read_text())["seed"] == best.seed
