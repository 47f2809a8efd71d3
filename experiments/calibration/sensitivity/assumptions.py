"""Assumed numbers of a scenario as a file states them, so that a user can put the own ones in their place.

Room: `experiments.calibration.sensitivity`. Reads and writes the file that the user names.

    assumptions:
    - {path: channels.voice.harm.abandonment_prob, value: 0.004, low: 0.001, high: 0.016, reason: "..."}
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import Field, model_validator

from agents.whole_file import write_whole
from envs.configuration.document import Document, apply_overrides, dump_yaml, load_yaml, validate
from envs.configuration.quantities import Checked
from envs.errors import InvalidValueError
from experiments.calibration.estimates import Assumption


class AssumedNumber(Checked):
    """A number that no log tells, with the range within which it may lie."""

    path: str
    value: float
    low: float
    high: float
    reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "AssumedNumber":
        if not self.low <= self.value <= self.high:
            raise InvalidValueError(("value",), f"must lie in the range of low = {self.low:g} to high = {self.high:g}")
        return self


class AssumptionsFile(Checked):
    """All that is assumed."""

    assumptions: tuple[AssumedNumber, ...]

    @model_validator(mode="after")
    def _check(self) -> "AssumptionsFile":
        paths = [number.path for number in self.assumptions]
        for i, path in enumerate(paths):
            if path in paths[:i]:
                raise InvalidValueError(("assumptions", i, "path"), "stands twice")
        return self


def load_assumptions(file: Path) -> tuple[Assumption, ...]:
    """Return the assumed numbers of a file. Raises `ConfigurationError` with file, line, key, value and rule."""
    found = validate(load_yaml(file), AssumptionsFile, "file")
    return tuple(Assumption(**number.model_dump()) for number in found.assumptions)


def write_assumptions(assumptions: Iterable[Assumption], file: Path) -> None:
    """Write assumed numbers so that `load_assumptions` reads them again, whole or not at all."""
    data = {"assumptions": [asdict(assumption) for assumption in assumptions]}
    write_whole(file, dump_yaml(data).encode())


def replace_assumptions(known: Sequence[Assumption], stated: Iterable[Assumption]) -> tuple[Assumption, ...]:
    """Return the known assumptions, with those that are stated in place of the ones of the same path or behind them."""
    by_path = {assumption.path: assumption for assumption in (*known, *stated)}
    return tuple(by_path.values())


def assume(document: Document, assumptions: Iterable[Assumption]) -> Document:
    """Return a scenario's document with every assumed number in its place."""
    return apply_overrides(document, [f"{number.path}={number.value!r}" for number in assumptions])
