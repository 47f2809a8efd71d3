"""A trial as a training: the only place where sweeps meet `experiments.training`.

Room: `experiments.sweeps`. Trains in the run folder of a trial, in a process of its own.
"""

import functools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.catalog import LEARNED_ROWS
from agents.run_files import BENCHMARK_JSON_FILE, LEARNED_ROW, PROVENANCE_FILE, SCENARIO_FILE, TRAINING_FILE
from envs.scenario.scenario import load_scenario
from experiments.provenance import collect_data
from experiments.sweeps.trials import Outcome, Trial
from experiments.training.training_config import ALGORITHMS, TrainingConfig, load_training

GRADIENT_KEYS = ("steps", "callbacks")
"""Keys on the top level of a training that only one that learns by gradients may have."""
BEGUN = (TRAINING_FILE, SCENARIO_FILE, PROVENANCE_FILE)
"""Files that a run folder has when a training in it can go on."""


@functools.cache
def _base(scenario: str, algorithm: str) -> TrainingConfig:
    return load_training(scenario, algorithm=algorithm)


def reads(scenario: str, algorithm: str, key: str) -> bool:
    """Return whether the training of a scenario by an algorithm has a place for a dotted key: for those in the section
    of an algorithm if the training has that section, for `GRADIENT_KEYS` if it learns by gradients, for `prior` if
    no search fits it, for all others always."""
    training, part = _base(scenario, algorithm), key.partition(".")[0]
    if part in GRADIENT_KEYS:
        return ALGORITHMS[training.algorithm].has_gradients
    if part == "prior":
        return training.adjustment is None
    if part in {found.section for found in ALGORITHMS.values()}:
        return getattr(training, part) is not None
    return True


def training_of(trial: Trial) -> TrainingConfig:
    """Return the checked training of a trial; raises `ConfigurationError`."""
    return load_training(trial.scenario, trial.overrides, algorithm=trial.algorithm, seed=trial.seed)


def resolve_trial(trial: Trial) -> dict[str, Any]:
    """Return what the training of a trial states, as plain data; raises `ConfigurationError`."""
    return training_of(trial).model_dump(mode="json", by_alias=True, exclude_unset=True)


def data_of_trials(trials: Sequence[Trial]) -> dict[str, dict[str, str]]:
    """Return by name of the trial what its training depends on: the SHA-256 of its scenario, and of the recorded days
    of that, by what they are of (`experiments.provenance.collect_data`). Raises `ConfigurationError`."""
    loaded: dict[tuple[str, tuple[str, ...]], dict[str, str]] = {}  # trials share scenarios
    found = {}
    for trial in trials:
        training = training_of(trial)
        key = (training.scenario, training.scenario_overrides)
        if key not in loaded:
            loaded[key] = {name: datum["sha256"] for name, datum in collect_data([load_scenario(*key)]).items()}
        found[trial.name] = loaded[key]
    return found


def train_trial(trial: Trial, folder: Path) -> Outcome:
    """Train in `folder`, or go on there from the last checkpoint, and return what the test says."""
    # Not on top: torch takes seconds and memory, and the process of the sweep itself needs none of it.
    from experiments.training.train import is_finished, resume, train

    if is_finished(folder):
        return outcome_of(folder)
    if all((folder / name).is_file() for name in BEGUN):
        resume(folder, progress_bar=False)
    else:
        if folder.exists():  # it died before it was one
            shutil.rmtree(folder)
        sweep_folder = folder.parent
        train(
            training_of(trial),
            experiment=sweep_folder.name,
            runs_folder=sweep_folder.parent,
            name=folder.name,
            progress_bar=False,
        )
    return outcome_of(folder)


def outcome_of(folder: Path) -> Outcome:
    """Return what the test in a finished run folder says; of a training without a test nothing."""
    file = folder / BENCHMARK_JSON_FILE
    if not file.is_file():
        return Outcome(None)
    (test,) = json.loads(file.read_text(encoding="utf-8"))["scenarios"].values()
    costs_usd = {name: metrics["total_cost_usd"]["mean"] for name, metrics in test["policies"].items()}
    rules_usd = {name: cost_usd for name, cost_usd in costs_usd.items() if name not in LEARNED_ROWS}
    if not rules_usd:
        return Outcome(costs_usd[LEARNED_ROW])
    best = min(rules_usd, key=lambda name: rules_usd[name])
    return Outcome(costs_usd[LEARNED_ROW], best, rules_usd[best])
