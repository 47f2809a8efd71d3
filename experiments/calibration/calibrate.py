"""From a log to a scenario in one call: read, cleaned, estimated, written, and read again as a check.

Room: `experiments.calibration`. Reads log and mapping; writes the scenario and the file of its assumed numbers.

    found = calibrate("calls.csv", "genesys_cloud", "center.yaml", overrides=["time_zone=Europe/Berlin"])
    found.show()
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from envs.errors import ConfigurationError
from envs.headline import Headline, Headlined
from envs.scenario.scenario import Scenario, load_scenario
from experiments.calibration.contact_log import ABANDONED, ContactLog
from experiments.calibration.estimates import Estimates
from experiments.calibration.estimation import estimate
from experiments.calibration.hold_out.hold_out import HoldOut, hold_out
from experiments.calibration.logs.cleaning import MEANINGS
from experiments.calibration.logs.log_doubts import log_doubts
from experiments.calibration.logs.log_file import read_log
from experiments.calibration.logs.mapping import load_mapping
from experiments.calibration.scenario_file import assumptions_file, write_scenario
from experiments.calibration.sensitivity.assumptions import load_assumptions, replace_assumptions
from experiments.console import table_console
from experiments.progress import episode_progress
from experiments.texts import digits_text, percent_text


@dataclass(frozen=True, repr=False)
class Calibration(Headlined):
    """A log, what was estimated from it, and the scenario that was written.

    Attributes:
        log: its contacts, cleaned.
        estimates: what the log tells, and what is assumed.
        file: the scenario's.
        scenario: the scenario, as it was read again from its file.
        parts: the days (`date.toordinal()`) of each part of the log that is to be held out in turn.
    """

    log: ContactLog
    estimates: Estimates
    file: Path
    scenario: Scenario
    parts: tuple[tuple[int, ...], ...] = ()

    def headline(self) -> Headline:
        """Return how many contacts made which scenario, and a row for each cleaning rule that touched some."""
        return Headline(
            f"{self.file}: from {len(self.log.contacts):,} contacts of {len(self.log.days)} days in {self.log.source}; "
            f"{len(self.estimates.assumptions)} numbers are assumed",
            ("cleaning rule", "rows", "what it is about"),
            [(rule, f"{count:,}", MEANINGS[rule]) for rule, count in self.log.cleaned.items()],
        )

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain data: the log's digest, days and contacts by channel, the rows that each cleaning
        rule touched, doubts, origins by dotted path, assumptions, and the files."""
        first, last = (date.fromordinal(int(day)).isoformat() for day in self.log.days[[0, -1]])
        return {
            "log": {
                "file": self.log.source,
                "sha256": self.log.digest,
                "first_day": first,
                "last_day": last,
                "contacts": dict(zip(self.log.channels, self._counts(), strict=True)),
                "cleaned": dict(self.log.cleaned),
                "doubts": log_doubts(self.log),
            },
            "scenario": str(self.file),
            "assumptions_file": str(assumptions_file(self.file)),
            "origins": self.estimates.origins(),
            "assumptions": [asdict(assumption) for assumption in self.estimates.assumptions],
        }

    def prove(self, seed: int = 0) -> HoldOut:
        """Hold each of the `parts` out in turn, and return how well what the rest tells meets it; with a bar."""
        with episode_progress() as progress:
            task = progress.add_task("days held out", total=sum(map(len, self.parts)))
            return hold_out(self.log, self.parts, seed=seed, progress=lambda done: progress.advance(task, done))

    def _counts(self) -> list[int]:
        return np.bincount(self.log.contacts["channel"], minlength=len(self.log.channels)).tolist()

    def show(self, console: Console | None = None) -> None:
        """Print what was read, what each cleaning rule touched, where the numbers come from, and what is assumed."""
        console = console or table_console()
        contacts = self.log.contacts
        read = Table("channel", "kind", title=f"{self.log.source}: {len(self.log.days)} days")
        for column in ("contacts", "abandoned", "mean wait, s", "mean handle time, s"):
            read.add_column(column, justify="right")
        for i, (name, kind) in enumerate(zip(self.log.channels, self.log.kinds, strict=True)):
            own = contacts[contacts["channel"] == i]
            abandoned = (own["outcome"] == ABANDONED).mean() if len(own) else np.nan
            means = [digits_text(_mean(own[column])) for column in ("wait_s", "handle_s")]
            read.add_row(name, kind.replace("_", "-"), f"{len(own):,}", percent_text(float(abandoned)), *means)
        console.print(read)
        cleaned = Table("cleaning rule", "rows", "what it is about", title="Rows that a cleaning rule touched")
        for rule, count in self.log.cleaned.items():
            cleaned.add_row(rule, f"{count:,}", MEANINGS[rule])
        console.print(cleaned if self.log.cleaned else "No cleaning rule touched any row.")
        for doubt in log_doubts(self.log):
            console.print(f"Doubtful: {doubt}.", highlight=False, soft_wrap=True)
        origins = Table("estimated", "where it comes from", title=f"{self.file}: what the log tells")
        for path, origin in self.estimates.origins().items():
            origins.add_row(path, origin)
        console.print(origins)
        assumed = Table(
            "assumed", "value", "range", "why", title=f"{assumptions_file(self.file)}: what it does not tell"
        )
        for number in self.estimates.assumptions:
            span = f"{digits_text(number.low)} to {digits_text(number.high)}"
            assumed.add_row(number.path, digits_text(number.value), span, number.reason)
        console.print(assumed)


def calibrate(
    log_file: str | Path,
    mapping: str | Path,
    out: str | Path,
    *,
    overrides: Sequence[str] = (),
    assumptions: str | Path | None = None,
    part_days: int | None = None,
) -> Calibration:
    """Read a log, estimate a scenario from it, and write it.

    Args:
        log_file: CSV, or compressed CSV if its name ends in `.gz`.
        mapping: a name in `configs/mappings/` or a file.
        out: the scenario's file; beside it the file of its assumed numbers is written.
        overrides: `dotted.key=value` texts that change the mapping.
        assumptions: a file with assumed numbers and ranges of the user's own, which take the place of those of the same
            path.
        part_days: length of each part of the log that `Calibration.prove` holds out in turn.

    Raises:
        ConfigurationError: a file cannot be read or written, or says what is wrong.
    """
    file = Path(out)
    if file.suffix not in (".yaml", ".yml"):
        raise ConfigurationError(f"--out {file}: must end in .yaml")
    stated = () if assumptions is None else load_assumptions(Path(assumptions))
    log = read_log(log_file, load_mapping(mapping, tuple(overrides)))
    parts = () if part_days is None else parts_of(log.days, part_days)
    with episode_progress() as progress:
        progress.add_task(f"estimating from {len(log.contacts):,} contacts", total=None)
        found = estimate(log, name=file.stem)
    estimates = replace(found, assumptions=replace_assumptions(found.assumptions, stated))
    write_scenario(estimates, file, log.cleaned)
    return Calibration(log, estimates, file, load_scenario(file), parts)


def parts_of(days: NDArray[np.int64], length: int) -> tuple[tuple[int, ...], ...]:
    """Return the days of a log in parts of so many days that follow each other, to be held out in turn; the last part
    may be shorter. Raises `ConfigurationError` unless there are two parts at least."""
    parts = tuple(tuple(days[start : start + length].tolist()) for start in range(0, len(days), length))
    if len(parts) < 2:
        raise ConfigurationError(
            f"--hold-out {length}: must be < {len(days)}, the days that the log covers: the rest is fitted"
        )
    return parts


def _mean(values: NDArray[np.float64]) -> float | None:
    stated = values[np.isfinite(values)]
    return float(stated.mean()) if len(stated) else None
