"""The log of a training: the same values for TensorBoard and in `metrics.csv`, under the same names.

Room: `experiments.training.run`. Touches `tensorboard/` and `metrics.csv` of a run folder.
"""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from stable_baselines3.common.logger import KVWriter
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from agents.run_files import (
    CLASSIFICATION_FILE,
    COST_TAG,
    LEARNED_ROW,
    METRICS_COLUMNS,
    METRICS_FILE,
    SEARCH_FILE,
    TENSORBOARD_FOLDER,
)
from agents.whole_file import sync
from envs.errors import ConfigurationError
from experiments.run_folder import yaml_text
from experiments.training.training_config import TrainingConfig

LEAD = "cost/minus_best_rule_usd"
"""The tag of what the learner costs more than the cheapest rule on the same episodes."""
TERMS = "cost_terms/"
"""What begins the tags of the cost terms: TensorBoard sorts by name, so the total stands before them."""
DETAIL = "detail/"
"""What begins the tags of everything but costs: TensorBoard shows one closed card for each first word."""
LAYOUT = {
    "cost": {
        "total, USD/day": ["Multiline", [f"^{COST_TAG}$"]],
        "learned minus the best rule, USD/day": ["Multiline", [f"^{LEAD}$"]],
        "terms, USD/day": ["Multiline", [f"^{TERMS}"]],
    },
    "service": {
        "service level": ["Multiline", [rf"^{DETAIL}center/[^.]*\.service_level_frac$"]],
        "on time": ["Multiline", [rf"^{DETAIL}center/[^.]*\.on_time_frac$"]],
        "abandoned": ["Multiline", [rf"^{DETAIL}center/[^.]*\.abandoned_frac$"]],
    },
}
"""Which cards TensorBoard's page of custom scalars shows together, of all policies."""
_GROWING = (METRICS_FILE, SEARCH_FILE, CLASSIFICATION_FILE)
"""Tables that only grow, beside TensorBoard's events."""


def flat_settings(stated: Mapping[str, Any], above: str = "") -> dict[str, str | float | bool]:
    """Return nested settings by dotted keys, lists as text; what is null is left out."""
    flat: dict[str, str | float | bool] = {}
    for key, value in stated.items():
        if isinstance(value, Mapping):
            flat |= flat_settings(value, f"{above}{key}.")
        elif value is not None:
            flat[f"{above}{key}"] = value if isinstance(value, str | float | int | bool) else json.dumps(value)
    return flat


class RunLog:
    """Appends to the log of the run in `folder`; to be closed, or used in a `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, SummaryWriter] = {}
        file = folder / METRICS_FILE
        is_new = not file.is_file() or not file.stat().st_size
        self._stream = file.open("a", newline="", encoding="utf-8")
        self._rows = csv.writer(self._stream)
        if is_new:
            self._rows.writerow(METRICS_COLUMNS)

    def describe(self, config: TrainingConfig) -> None:
        """Note, once, what is trained: the configuration as text, its values as hyperparameters, and which cards belong
        on one page."""
        writer = self._writer(LEARNED_ROW)
        text = yaml_text(config)
        writer.add_text("training", "\n".join(f"    {line}" for line in text.splitlines()))
        writer.add_custom_scalars(LAYOUT)
        for part in hparams(flat_settings(config.model_dump(mode="json")), {COST_TAG: 0.0}):  # type: ignore[no-untyped-call]
            writer.file_writer.add_summary(part)  # type: ignore[attr-defined]  # which it has by now

    def _writer(self, run: str) -> SummaryWriter:
        if run not in self._writers:
            self._writers[run] = SummaryWriter(str(self._folder / TENSORBOARD_FOLDER / run))
        return self._writers[run]

    def note(self, run: str, values: Mapping[str, float], step: int, seconds: float) -> None:
        """Note `values` by tag, of the policy `run`, after `step` decisions and so many seconds of training; what is
        not finite is left out."""
        writer = self._writer(run)
        for tag, value in values.items():
            if np.isfinite(value):
                writer.add_scalar(tag, value, step)
                self._rows.writerow([run, tag, step, round(seconds, 2), repr(float(value))])

    def flush(self) -> None:
        """Have everything on disk."""
        self._stream.flush()
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """End the log."""
        self._stream.close()
        for writer in self._writers.values():
            writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def sizes(self) -> dict[str, int]:
        """Return how many bytes each file of the log has, by its path in the folder of the run; they are on disk."""
        self.flush()
        files = _files(self._folder)
        for file in files:
            sync(file)
        return {str(file.relative_to(self._folder)): file.stat().st_size for file in files}


def cut_back(folder: Path, sizes: Mapping[str, int]) -> None:
    """Make the log in `folder` what it was when its files had these `sizes`, since what came later is noted again;
    raises `ConfigurationError` if some of it is gone."""
    for name, size in sizes.items():
        found = (folder / name).stat().st_size if (folder / name).is_file() else 0
        if found < size:
            raise ConfigurationError(f"{folder / name}: has {found} bytes: must have the {size} that were written")
    for file in _files(folder):
        name = str(file.relative_to(folder))
        if name not in sizes:
            file.unlink()
        elif sizes[name] < file.stat().st_size:
            with file.open("r+b") as stream:
                stream.truncate(sizes[name])


def _files(folder: Path) -> list[Path]:
    events = (folder / TENSORBOARD_FOLDER).rglob("*")
    return [file for file in (*events, *(folder / name for name in _GROWING)) if file.is_file()]


class LearnerOutput(KVWriter):
    """What Stable-Baselines3 records of its learner, noted in `log` as details."""

    def __init__(self, log: RunLog, seconds: Callable[[], float]) -> None:
        self._log, self._seconds = log, seconds

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        """Note the numbers among `key_values`."""
        numbers = {
            f"{DETAIL}{key}": float(value)
            for key, value in key_values.items()
            if isinstance(value, int | float | np.number)
        }
        self._log.note(LEARNED_ROW, numbers, step, self._seconds())

    def close(self) -> None:
        """Nothing to close: the log is somebody else's."""
