"""What `blended sweep` writes for TensorBoard of its trials, and that the sweep ends as its trials did without it."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from training_folders import write_training

from experiments.cli import main as cli
from experiments.sweeps import trial as trials
from experiments.sweeps.sweep_config import load_sweep
from experiments.sweeps.trial_list import list_trials
from experiments.sweeps.trials import Outcome, write_outcome


def fails(trial, folder):
    """What trains a trial that is not finished."""
    raise RuntimeError("out of luck")


@pytest.fixture
def sweep(monkeypatch, tmp_path):
    """Return a function that runs a sweep of these keys whose trials are finished already but those
    `failing`, each with the run folder that `write_training` makes of what `settings_of` returns, less a `missing`
    file; it returns the exit code."""

    def run(settings_of, *, failing=(), missing=None, **keys):
        stated = {"scenarios": ["tiny"], "algorithms": ["maskable_ppo"], "seeds": 2, "retries": 0}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(stated | keys))
        folder = tmp_path / "mine"
        for trial in list_trials(load_sweep(tmp_path / "mine.yaml"), trials.reads):
            if trial.name in failing:
                continue
            shutil.rmtree(folder / trial.name, ignore_errors=True)
            written = write_training(
                folder / trial.name,
                scenario="tiny",
                algorithm=trial.algorithm,
                seed=trial.seed,
                test_seed=0,
                **settings_of(trial),
            )
            if missing is not None:
                (written / missing).unlink()
            write_outcome(written, Outcome(15.0, "fifo", 30.0))
        if not (folder / "sweep.yaml").exists():  # as if the same command had been ended before
            (folder / "sweep.yaml").write_text("trials: {}\ndata: {}\n")
        monkeypatch.setattr(trials, "train_trial", fails)
        command = ["sweep", tmp_path / "mine.yaml", "--local", "--runs", tmp_path, "--json", tmp_path / "found.json"]
        monkeypatch.setattr(sys, "argv", ["blended", *map(str, command)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    return run


def events(folder: Path) -> set[str]:
    """Return the runs that TensorBoard shows of a sweep."""
    place = folder / "mine" / "tensorboard"
    return {str(path.parent.relative_to(place)) for path in place.rglob("events.*")}


def rate_of(trial):
    return {"settings": {"ppo": {"learning_rate": float(dict(trial.varied)["ppo.learning_rate"])}}}


def test_methods_that_have_other_names_now_are_gone(sweep, tmp_path):
    bands = ("mean", "low", "high")
    assert sweep(rate_of, vary={"ppo.learning_rate": [0.001]}) == 0
    assert events(tmp_path) == {"tiny/fifo", *(f"tiny/maskable_ppo/{part}" for part in bands)}
    assert sweep(rate_of, vary={"ppo.learning_rate": [0.001, 0.01]}) == 0
    methods = [f"maskable_ppo%2C%20ppo.learning_rate%3D{rate}" for rate in (0.001, 0.01)]
    assert events(tmp_path) == {"tiny/fifo", *(f"tiny/{method}/{part}" for method in methods for part in bands)}


@pytest.mark.parametrize(
    ("keys", "settings_of", "said"),
    [
        (
            {"vary": {"benchmark.episodes": [8, 16]}},
            lambda trial: {},
            "are the same training (tiny, maskable_ppo, seed 0)",
        ),
        (
            {"vary": {"scenario_overrides": [["name=tiny"], ["demand.scale=2"]]}},
            lambda trial: {"digests": {"scenario tiny": ("a" if "scale" in trial.varied_text else "b") * 64}},
            "scenario tiny is not the same in both",
        ),
        ({}, lambda trial: {"points": ()}, "it has no cost/total_usd of learned"),
        ({"missing": "benchmark.csv"}, lambda trial: {}, "holds no training that has ended"),
    ],
)
def test_trainings_that_cannot_be_compared_are_told_and_change_nothing(
    sweep, monkeypatch, tmp_path, capsys, keys, settings_of, said
):
    monkeypatch.setattr(trials, "resolve_trial", lambda trial: {"overrides": list(trial.overrides)})
    monkeypatch.setattr(trials, "data_of_trials", lambda all_trials: {})
    assert sweep(settings_of, **keys) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("No curves for TensorBoard: ")]
    assert len(told) == 1
    assert said in told[0]
    found = json.loads((tmp_path / "found.json").read_text())
    assert all(trial["cost_usd"] == 15.0 for trial in found["trials"])
    assert events(tmp_path) == set()


def test_a_failed_trial_is_exit_code_1_also_where_the_others_cannot_be_compared(sweep, tmp_path, capsys):
    failing = ["tiny-maskable_ppo-seed1"]
    assert sweep(lambda trial: {"points": ()}, failing=failing) == 1
    assert "No curves for TensorBoard: " in capsys.readouterr().err
    found = json.loads((tmp_path / "found.json").read_text())
    assert [trial["cost_usd"] for trial in found["trials"]] == [15.0, None]
