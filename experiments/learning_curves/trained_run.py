"""A finished training as its run folder tells it, and the run folders below others.

Room: `experiments.learning_curves`. Reads run folders (`agents.run_files`) as plain data, so that it needs neither the
training stack nor the version of a configuration that wrote them; writes nothing.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.catalog import LEARNED_ROWS
from agents.run_files import (
    BENCHMARK_CSV_FILE,
    BENCHMARK_JSON_FILE,
    COST_TAG,
    FINISHED_FILE,
    LEARNED_ROW,
    METRICS_COLUMNS,
    METRICS_FILE,
    PROVENANCE_FILE,
    TRAINING_FILE,
)
from envs.configuration.document import load_yaml
from envs.errors import ConfigurationError

NEEDED_FILES = (TRAINING_FILE, PROVENANCE_FILE, METRICS_FILE, BENCHMARK_JSON_FILE, BENCHMARK_CSV_FILE, FINISHED_FILE)
"""Files of a training that has ended and was tested."""
TOTAL_COST = "total_cost_usd"


class Measured(NamedTuple):
    """What was measured under one tag while a policy was trained, in the order of training.

    Attributes:
        decisions: trained on so far, (n,), not falling.
        seconds: of training so far, (n,), not falling.
        values: in the unit of the tag, (n,), finite: what is not defined somewhere was not noted there.
    """

    decisions: NDArray[np.float64]
    seconds: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class TrainedRun:
    """A finished training.

    Attributes:
        folder: of the run.
        scenario: its name, as in the test.
        algorithm: that trained the policy.
        seed: the user's, of the training.
        settings: every key that `training.yaml` states, dotted, with its value.
        digests: SHA-256 of the scenario and of its recorded days, by what they are of.
        test_seed: the user's seed, from which the test episodes follow.
        costs_usd: total cost a day over the test episodes, by row of the test.
        episodes_usd: the same of each test episode, (episodes,), by row.
        measured: by run (`learned` or a baseline), then by tag.
    """

    folder: Path
    scenario: str
    algorithm: str
    seed: int
    settings: Mapping[str, Any]
    digests: Mapping[str, str]
    test_seed: int
    costs_usd: Mapping[str, float]
    episodes_usd: Mapping[str, NDArray[np.float64]]
    measured: Mapping[str, Mapping[str, Measured]]

    @property
    def cost_usd(self) -> float:
        """Total cost a day of the trained policy over the test episodes."""
        return self.costs_usd[LEARNED_ROW]

    @property
    def baselines(self) -> list[str]:
        """The rows of the test that are rules, or policies of the user's own: none that was learned
        (`agents.catalog.LEARNED_ROWS`)."""
        return [row for row in self.costs_usd if row not in LEARNED_ROWS]

    @property
    def has_recorded_days(self) -> bool:
        """Whether test episodes replay recorded days, so that several may be the same day."""
        return any(name.startswith("recorded days") for name in self.digests)


def find_run_folders(paths: Sequence[Path]) -> list[Path]:
    """Return the run folders of trainings among `paths` and below them at any depth, each once, in the order of `paths`
    and below each by name. Raises `ConfigurationError` for a path that is no folder, or holds none."""
    found: dict[Path, Path] = {}  # the folder as it was named, by where it really is
    for path in paths:
        if not path.is_dir():
            raise ConfigurationError(f"{path}: no such folder")
        folders = [file.parent for file in sorted(path.rglob(TRAINING_FILE))]
        if not folders:
            raise ConfigurationError(f"{path}: holds no run of a training (no {TRAINING_FILE} in it or below)")
        for folder in folders:
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def missing_files(folder: Path) -> list[str]:
    """Return the files of a finished training that a run folder has not."""
    return [name for name in NEEDED_FILES if not (folder / name).is_file()]


def read_run(folder: Path) -> TrainedRun:
    """Return what the folder of a finished training tells. Raises `ConfigurationError` if it lacks a file, or one is
    not what a training writes."""
    missing = missing_files(folder)
    if missing:
        raise ConfigurationError(
            f"{folder}: has no {', '.join(missing)}: the training ended early, made no benchmark, or is older: "
            "--finished-only leaves it out"
        )
    with _reading(folder / TRAINING_FILE):
        stated = load_yaml(folder / TRAINING_FILE).data
        settings, algorithm = dict(_dotted(stated)), str(stated["algorithm"])
        seed = int(stated.get("seed", 0))
    with _reading(folder / BENCHMARK_JSON_FILE):
        tested = json.loads((folder / BENCHMARK_JSON_FILE).read_text(encoding="utf-8"))["scenarios"]
        ((scenario, test),) = tested.items()
        costs_usd = {row: float(metrics[TOTAL_COST]["mean"]) for row, metrics in test["policies"].items()}
        test_seed = int(test["seed"])
        if LEARNED_ROW not in costs_usd:
            raise ValueError(f"{LEARNED_ROW} takes no part")
    with _reading(folder / PROVENANCE_FILE):
        data = json.loads((folder / PROVENANCE_FILE).read_text(encoding="utf-8"))["data"]
        digests = {name: datum["sha256"] for name, datum in data.items() if not name.startswith("policy ")}
    with _reading(folder / BENCHMARK_CSV_FILE):
        episodes_usd = _read_episodes(folder / BENCHMARK_CSV_FILE)
        if set(episodes_usd) != set(costs_usd):
            raise ValueError(f"its policies are not those of {BENCHMARK_JSON_FILE}")
    with _reading(folder / METRICS_FILE):
        measured = _read_metrics(folder / METRICS_FILE)
        if COST_TAG not in measured.get(LEARNED_ROW, {}):
            raise ValueError(f"it has no {COST_TAG} of {LEARNED_ROW}")
    return TrainedRun(
        folder, scenario, algorithm, seed, settings, digests, test_seed, costs_usd, episodes_usd, measured
    )


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Turn what a damaged file does in the block into a `ConfigurationError` that names it."""
    try:
        yield
    except (AttributeError, LookupError, OSError, StopIteration, TypeError, ValueError, csv.Error) as error:
        raise ConfigurationError(f"{file}: is not what a training writes ({error!r})") from error


def _dotted(stated: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each key of nested mappings, dotted, with its value."""
    for key, value in stated.items():
        if isinstance(value, dict) and value:
            yield from _dotted(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _read_episodes(file: Path) -> dict[str, NDArray[np.float64]]:
    """Return the total cost a day of each episode, by policy, in the order of episodes."""
    found: dict[str, dict[int, float]] = {}
    with file.open(newline="", encoding="utf-8") as stream:
        table = csv.reader(stream)
        head = next(table)
        policy, episode, cost = (head.index(name) for name in ("policy", "episode", TOTAL_COST))
        for row in table:
            found.setdefault(row[policy], {})[int(row[episode])] = float(row[cost])
    for name, costs_usd in found.items():
        if list(costs_usd) != list(range(len(costs_usd))):
            raise ValueError(f"the episodes of {name} are not 0, 1, ...")
    return {name: np.array(list(costs_usd.values())) for name, costs_usd in found.items()}


def _read_metrics(file: Path) -> dict[str, dict[str, Measured]]:
    """Return what was measured, by run and tag."""
    found: dict[str, dict[str, dict[float, tuple[float, float]]]] = {}
    with file.open(newline="", encoding="utf-8") as stream:
        table = csv.reader(stream)
        head = next(table)
        if tuple(head) != METRICS_COLUMNS:
            raise ValueError(f"its columns are {', '.join(head)}, not {', '.join(METRICS_COLUMNS)}")
        for name, tag, decisions, seconds, value in table:
            rows = found.setdefault(name, {}).setdefault(tag, {})
            rows[float(decisions)] = (float(seconds), float(value))
    return {name: {tag: _measured(rows) for tag, rows in tags.items()} for name, tags in found.items()}


def _measured(rows: Mapping[float, tuple[float, float]]) -> Measured:
    decisions = np.array(sorted(rows))
    seconds, values = np.array([rows[number] for number in decisions.tolist()]).T
    if not np.isfinite(values).all():
        raise ValueError("one of its values is not finite")
    if np.any(np.diff(seconds) < 0.0):
        raise ValueError("its seconds fall while its decisions rise")
    return Measured(decisions, seconds, values)
