"""The log of a training: the same values for TensorBoard and in `metrics.csv`, under the same names.

Room: `experiments.training.run`. Touches `tensorboard/` and `metrics.csv` of a run folder.
"""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from stable_baselines3.common.logger import KVWriter
from torch.utils.tensorboard import SummaryWriter

from agents.run_files import CLASSIFICATION_FILE, METRICS_COLUMNS, METRICS_FILE, SEARCH_FILE, TENSORBOARD_FOLDER

LEARNED = "learned"
"""The name of the trained policy, everywhere: in the log, in tables and as a row of the test."""
DETAIL = "detail/"
"""What begins the tags of everything but costs: TensorBoard shows one closed card for each first word."""
_GROWING = (METRICS_FILE, SEARCH_FILE, CLASSIFICATION_FILE)
"""Tables that only grow, beside TensorBoard's events."""


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

    def note(self, run: str, values: Mapping[str, float], step: int, seconds: float) -> None:
        """Note `values` by tag, of the policy `run`, after `step` decisions and so many seconds of training; what is
        not finite is left out."""
        writer = self._writers.get(run)
        if writer is None:
            writer = self._writers[run] = SummaryWriter(str(self._folder / TENSORBOARD_FOLDER / run))
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
        """Return how many bytes each file of the log has now, by its path in the folder of the run."""
        self.flush()
        return {str(file.relative_to(self._folder)): file.stat().st_size for file in _files(self._folder)}


def cut_back(folder: Path, sizes: Mapping[str, int]) -> None:
    """Make the log in `folder` what it was when its files had these `sizes`, since what came later is noted again."""
    for file in _files(folder):
        size = sizes.get(str(file.relative_to(folder)))
        if size is None:
            file.unlink()
        elif size < file.stat().st_size:
            with file.open("r+b") as stream:
                stream.truncate(size)


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
            f"{DETAIL}{key}": float(value) for key, value in key_values.items() if isinstance(value, int | float)
        }
        self._log.note(LEARNED, numbers, step, self._seconds())

    def close(self) -> None:
        """Nothing to close: the log is somebody else's."""
