"""A trial of a sweep: one training, and its run folder.

Room: `experiments.sweeps`. Imports nobody, so that the process of a trial starts at once; touches nothing.
"""

from dataclasses import asdict, dataclass
from typing import Any


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
