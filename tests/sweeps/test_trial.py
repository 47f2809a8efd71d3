"""A trial as a training: begun, gone on with, and what its test says."""

import dataclasses
import json
from pathlib import Path

import pytest

from envs.errors import ConfigurationError
from experiments.sweeps.trial import data_of_trials, outcome_of, reads, resolve_trial, train_trial
from experiments.sweeps.trials import Outcome, Trial
from experiments.training import train as training

TRIAL = Trial("tiny-policy_search-seed4", "tiny", "tiny", "policy_search", 4, (), ("threads=1",))


def write_test(folder: Path, **costs_usd: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    policies = {name: {"total_cost_usd": {"mean": cost_usd}} for name, cost_usd in costs_usd.items()}
    (folder / "benchmark.json").write_text(json.dumps({"scenarios": {"tiny": {"policies": policies}}}))


def test_the_learned_policy_is_held_against_the_best_rule(tmp_path):
    write_test(tmp_path, learned=90.0, learned_at_start=70.0, adjusted_rule=60.0, fifo=120.0, cmu=100.0)
    outcome = outcome_of(tmp_path)
    assert outcome == Outcome(90.0, "cmu", 100.0)
    assert outcome.difference_usd == -10.0


def test_a_training_without_rules_or_without_a_test_has_no_difference(tmp_path):
    assert outcome_of(tmp_path) == Outcome(None)
    write_test(tmp_path, learned=90.0)
    assert outcome_of(tmp_path) == Outcome(90.0)
    assert outcome_of(tmp_path).difference_usd is None


@pytest.mark.parametrize(
    ("left_there", "wanted"),
    [
        (None, ["begun"]),
        ((), ["begun"]),
        (("training.yaml",), ["begun"]),
        (("training.yaml", "scenario.yaml", "provenance.json"), ["gone on with"]),
        (("training.yaml", "scenario.yaml", "provenance.json", "finished"), []),
    ],
)
def test_a_trial_is_begun_or_goes_on_with_what_is_there(monkeypatch, tmp_path, left_there, wanted):
    folder = tmp_path / "mine" / TRIAL.name
    happened = []

    def train(config, *, experiment, runs_folder, name, progress_bar):
        assert Path(runs_folder) / experiment / name == folder
        assert config == "its training"
        assert not folder.exists()
        write_test(folder, learned=90.0, fifo=100.0)
        happened.append("begun")

    def resume(found, *, progress_bar):
        assert found == folder
        write_test(folder, learned=90.0, fifo=100.0)
        happened.append("gone on with")

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(training, "resume", resume)
    monkeypatch.setattr("experiments.sweeps.trial.training_of", lambda trial: "its training")
    if left_there is not None:
        folder.mkdir(parents=True)
        for name in left_there:
            (folder / name).write_text("{}")
        if "finished" in left_there:
            write_test(folder, learned=90.0, fifo=100.0)
    assert train_trial(TRIAL, folder) == Outcome(90.0, "fifo", 100.0)
    assert happened == wanted


def test_a_training_reads_the_sections_that_it_has():
    assert reads("tiny", "maskable_ppo", "ppo.epochs")
    for key in ("steps", "callbacks"):
        assert reads("tiny", "maskable_ppo", key)
        assert not reads("tiny", "policy_search", key)
    assert not reads("tiny", "maskable_ppo", "adjustment.minutes")
    assert not reads("tiny", "policy_search", "ppo.epochs")
    assert reads("tiny", "policy_search", "adjustment.minutes")
    assert reads("tiny", "maskable_ppo", "prior")
    assert not reads("tiny", "policy_search", "prior")
    # Its training searches before its rollouts; by another algorithm it is that alone.
    assert reads("certify_value", "controlled_learning", "adjustment.minutes")
    assert not reads("certify_value", "maskable_ppo", "adjustment.minutes")
    assert all(reads("tiny", name, "benchmark.episodes") for name in ("policy_search", "maskable_ppo"))


def test_a_trial_states_its_training():
    trial = Trial("x", "tiny", "tiny", "maskable_ppo", 4, (), ("threads=1", "episodes_seed=7", "ppo.epochs=2"))
    found = resolve_trial(trial)
    assert (found["scenario"], found["algorithm"], found["seed"], found["threads"]) == ("tiny", "maskable_ppo", 4, 1)
    assert found["episodes_seed"] == 7
    assert found["ppo"] == {"epochs": 2}
    with pytest.raises(ConfigurationError, match=r"ppo\.epoch"):
        resolve_trial(dataclasses.replace(trial, overrides=("ppo.epoch=2",)))
    with pytest.raises(ConfigurationError, match="policy_serach"):
        resolve_trial(dataclasses.replace(trial, algorithm="policy_serach"))


def test_a_trial_depends_on_the_content_of_its_scenario_after_its_overrides(tmp_path):
    for name, text in (("one", ""), ("same", "# in other words\n"), ("other", "churn: {at_risk_multiplier: 3}\n")):
        (tmp_path / f"{name}.yaml").write_text(f"extends: tiny\nname: center\n{text}")
    scenarios = {name: str(tmp_path / f"{name}.yaml") for name in ("one", "same", "other")}
    trials = [dataclasses.replace(TRIAL, name=name, scenario=scenario) for name, scenario in scenarios.items()]
    override = 'scenario_overrides=["churn.at_risk_multiplier=3"]'
    trials.append(dataclasses.replace(trials[0], name="overridden", overrides=(override,)))
    found = data_of_trials(trials)
    digests = {name: data["scenario center"] for name, data in found.items()}
    assert digests["one"] == digests["same"] != digests["other"] == digests["overridden"]
