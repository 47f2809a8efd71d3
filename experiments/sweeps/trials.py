"""A trial of a sweep: one training, and what it brought.

Room: `experiments.sweeps`. Imports nothing slow (`agents.whole_file` alone), so that the process of a trial starts
at once; reads and writes the file of an outcome.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agents.whole_file import write_whole

OUTCOME_FILE = "trial.json"
"""In the run folder of a trial, which is finished when this file is there."""


@dataclass(frozen=True)
class Trial:
    """One training of a sweep.

    Attributes:
        name: of the run folder.
        scenario: name or whole path, of a scenario or a training.
        label: what the scenario is called in names and tables.
        algorithm: its name.
        seed: the user's seed of the training.
        varied: keys that vary, and the value that each has here, as JSON.
        overrides: `dotted.key=value` texts for the training, those of `varied` among them.
    """

    name: str
    scenario: str
    label: str
    algorithm: str
    seed: int
    varied: tuple[tuple[str, str], ...]
    overrides: tuple[str, ...]

    @property
    def varied_text(self) -> str:
        """Return the values that vary as a table shows them: `ppo.learning_rate=0.001`."""
        return ", ".join(f"{key}={value}" for key, value in self.varied)

    def as_json(self) -> dict[str, Any]:
        """Return the trial as plain data, from which `Trial.from_json` makes it again."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Trial":
        """Return the trial that `as_json` describes, also after it went through JSON."""
        varied = tuple((key, value) for key, value in data["varied"])
        return Trial(**{**data, "varied": varied, "overrides": tuple(data["overrides"])})


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


def write_outcome(trial_folder: Path, outcome: Outcome) -> None:
    """Note that the trial in this folder is finished, and what it brought."""
    write_whole(trial_folder / OUTCOME_FILE, (json.dumps(asdict(outcome), indent=2) + "\n").encode())


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
