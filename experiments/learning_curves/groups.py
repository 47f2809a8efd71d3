"""Trainings that differ in nothing but their seed, put together.

Room: `experiments.learning_curves`. Touches runs that were read (`experiments.learning_curves.trained_run`).
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from agents.catalog import LEARNED_ROWS
from agents.run_files import COST_TAG, KEYS_WITHOUT_EFFECT
from envs.errors import ConfigurationError
from experiments.learning_curves.trained_run import TrainedRun
from experiments.provenance import DIGITS_SHOWN

NOT_COMPARED = ("scenario", "algorithm", "seed", "episodes_seed")
"""Keys of a training that make no other method, beside those without effect: what stands elsewhere, and seeds."""
TEST_SECTION = "benchmark"
"""The section of the test at the end, on which no training depends."""
UNSTATED = "default"
"""What is shown for a key that other runs state, and this one does not."""


class Group(NamedTuple):
    """Trainings of one method in one scenario.

    Attributes:
        scenario: its name.
        method: the algorithm, with those settings in which runs of this scenario and algorithm differ.
        runs: by seed.
    """

    scenario: str
    method: str
    runs: tuple[TrainedRun, ...]


def group_runs(runs: Sequence[TrainedRun]) -> list[Group]:
    """Return the runs in groups, scenarios and methods in the order in which they come.

    Raises `ConfigurationError` if scenarios of one name are not the same, or a training is there twice.
    """
    _require_same_scenarios(runs)
    found: dict[tuple[str, str], list[TrainedRun]] = {}
    for run in runs:
        alike = [other for other in runs if (other.scenario, other.algorithm) == (run.scenario, run.algorithm)]
        found.setdefault((run.scenario, _method(run, alike)), []).append(run)
    for (scenario, method), own in found.items():
        own.sort(key=lambda run: run.seed)
        for run, other in itertools.pairwise(own):
            if run.seed == other.seed:
                raise ConfigurationError(
                    f"{run.folder} and {other.folder}: are the same training ({scenario}, {method}, seed {run.seed}): "
                    "each must take part once"
                )
    order = list(dict.fromkeys(run.scenario for run in runs))
    return sorted(
        (Group(*key, tuple(own)) for key, own in found.items()), key=lambda group: order.index(group.scenario)
    )


def rules_on_validation(groups: Sequence[Group]) -> dict[str, float]:
    """Return what each rule costs a day on validation episodes, USD, the mean over the runs of groups of one scenario.

    Only rules that every run has noted: a training leaves out those that cost far more than its cheapest, and a mean
    over the runs that are left would be of other episodes than the mean of another rule.
    """
    logs = [run.measured for group in groups for run in group.runs]
    return {
        name: float(np.mean([log[name][COST_TAG].values[0] for log in logs]))
        for name in logs[0]
        if name not in LEARNED_ROWS and all(COST_TAG in log.get(name, {}) for log in logs)
    }


def _method(run: TrainedRun, alike: Sequence[TrainedRun]) -> str:
    """Return the algorithm of a run, and the settings in which runs of the same scenario and algorithm differ."""
    keys = sorted({key for other in alike for key in other.settings if _is_compared(key)})
    differing = [key for key in keys if any(_setting(other, key) != _setting(run, key) for other in alike)]
    return ", ".join([run.algorithm, *(f"{key}={_setting(run, key)}" for key in differing)])


def _is_compared(key: str) -> bool:
    return key not in NOT_COMPARED and key.partition(".")[0] not in (TEST_SECTION, *KEYS_WITHOUT_EFFECT)


def _setting(run: TrainedRun, key: str) -> Any:
    return run.settings.get(key, UNSTATED)


def _require_same_scenarios(runs: Sequence[TrainedRun]) -> None:
    first: dict[str, TrainedRun] = {}
    for run in runs:
        other = first.setdefault(run.scenario, run)
        for name in sorted({*run.digests, *other.digests}):
            digests = [found.digests.get(name, "none")[:DIGITS_SHOWN] for found in (other, run)]
            if digests[0] != digests[1]:
                raise ConfigurationError(
                    f"{other.folder} and {run.folder}: {name} is not the same in both (SHA-256 {digests[0]} and "
                    f"{digests[1]}): compare them by themselves"
                )
