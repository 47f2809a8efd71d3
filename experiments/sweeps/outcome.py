"""What a finished trial brought, and the file that says so.

Room: `experiments.sweeps`. Imports nobody, so that the process of a trial starts at once; reads and writes the file
of an outcome.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

OUTCOME_FILE = "trial.json"
"""In the run folder of a trial, which is finished when this file is there."""


@dataclass(frozen=True)
class Outcome:
    """What a finished trial brought.

    Attributes:
        cost_usd: of the learned policy on the test episodes, USD/day; None where the training has no test.
        best_rule: the rule that costs least in the same test; None without one.
        best_rule_cost_usd: what that rule costs, USD/day.
        wall_s: seconds that its last attempt took; the only figure that another run changes.
    """

    cost_usd: float | None
    best_rule: str | None = None
    best_rule_cost_usd: float | None = None
    wall_s: float = 0.0

    @property
    def difference_usd(self) -> float | None:
        """Return what the learned policy costs more than the best rule, USD/day; None where one is missing."""
        if self.cost_usd is None or self.best_rule_cost_usd is None:
            return None
        return self.cost_usd - self.best_rule_cost_usd


def write_whole(file: Path, text: str) -> None:
    """Write a file so that readers, also after a kill, find all of it or what was there before."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file)


def write_outcome(trial_folder: Path, outcome: Outcome) -> None:
    """Note that the trial in this folder is finished, and what it brought."""
    write_whole(trial_folder / OUTCOME_FILE, json.dumps(asdict(outcome), indent=2) + "\n")


def read_outcome(trial_folder: Path) -> Outcome | None:
    """Return what a finished trial brought; None of one that is not finished. Raises `ValueError` if the file that says
    so is damaged."""
    file = trial_folder / OUTCOME_FILE
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return Outcome(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file}: cannot be read ({error})") from error
