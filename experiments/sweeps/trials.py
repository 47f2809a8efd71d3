"""The trials of a sweep: which training each is, and what its run folder is called.

Room: `experiments.sweeps`. Touches nothing.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from experiments.run_folder import file_name
from experiments.sweeps.sweep_config import OWN_SECTIONS, SweepConfig, label_of

DIGEST_DIGITS = 8
"""Hexadecimal digits in a folder's name that stand for the values that vary."""


@dataclass(frozen=True)
class Trial:
    """One training of a sweep.

    Attributes:
        scenario: name or whole path, of a scenario or a training.
        label: what the scenario is called in names and tables.
        algorithm: its name.
        seed: the user's seed of the training.
        varied: keys that vary, and the value that each has here, as JSON.
        overrides: `dotted.key=value` texts for the training, those of `varied` among them.
    """

    scenario: str
    label: str
    algorithm: str
    seed: int
    varied: tuple[tuple[str, str], ...]
    overrides: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the name of the run folder."""
        parts = [self.label, self.algorithm]
        if self.varied:
            text = json.dumps(sorted(self.varied), separators=(",", ":"))
            parts.append(hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS])
        return file_name("-".join([*parts, f"seed{self.seed}"]))

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


def list_trials(config: SweepConfig) -> tuple[Trial, ...]:
    """Return every trial of a sweep: by scenario, by algorithm, by combination of the values that vary, by seed."""
    return tuple(
        Trial(scenario, label_of(scenario), algorithm, seed, varied, _overrides(config, algorithm, varied))
        for scenario in config.scenarios
        for algorithm in config.algorithms
        for varied in _combinations(config, algorithm)
        for seed in config.seed_list()
    )


def _applies(key: str, algorithm: str) -> bool:
    """Return whether trainings by `algorithm` read a key."""
    readers = OWN_SECTIONS.get(key.partition(".")[0])
    return readers is None or algorithm in readers


def _combinations(config: SweepConfig, algorithm: str) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield every combination of the values that vary for an algorithm; one empty one if none does."""
    keys = [key for key in config.vary if _applies(key, algorithm)]
    for values in product(*(config.vary[key] for key in keys)):
        yield tuple((key, json.dumps(value)) for key, value in zip(keys, values, strict=True))


def _overrides(config: SweepConfig, algorithm: str, varied: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Return what is changed in a training, later texts after what they may change once more."""
    stated = {"threads": config.threads, "episodes_seed": config.episodes_seed, **config.settings}
    if config.episodes_seed is None:  # a training's own default
        del stated["episodes_seed"]
    texts = [(key, json.dumps(value)) for key, value in stated.items() if _applies(key, algorithm)]
    return tuple(f"{key}={text}" for key, text in (*texts, *varied))
