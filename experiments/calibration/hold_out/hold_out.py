"""Proof of a calibration: parts of a log held out in turn, and played again with what the rest tells.

Room: `experiments.calibration.hold_out`. Plays; writes records of the days into a temporary folder alone.

A held-out day is played as it came: its contacts arrive when they arrived, and its reps are there when they were.
Patience, handle time and after-contact work are drawn from laws that the other days tell. How fast each rep works is
taken twice: from the other days (`fitted`), and from the held-out days themselves (`logged`), as part of who worked
then. The difference between the two is what the drift of the reps' pace comes to.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from agents.catalog import load_policy
from agents.rules.registry import RuleFile
from envs.errors import ConfigurationError
from experiments.calibration.contact_log import ContactLog
from experiments.calibration.estimates import Estimates, Law
from experiments.calibration.estimation import NAMED_FRAC, estimate
from experiments.calibration.estimators.credits import split_by_credit
from experiments.calibration.estimators.handle_times import rep_speeds
from experiments.calibration.estimators.presence import served_share
from experiments.calibration.hold_out.hold_out_tables import show
from experiments.calibration.hold_out.logged_day import logged_day
from experiments.calibration.hold_out.played_day import play_day
from experiments.calibration.hold_out.service import FIGURES, figures, sum_logged, sum_service
from experiments.calibration.scenario_data import scenario_data
from experiments.seeds import demand_seeds

PACES = ("fitted", "logged")
REPETITIONS = 20
TARGETS = {"abandoned_frac": 0.01, "mean_wait_s": 0.15, "service_level_frac": 0.04}
"""How far a part may be off: of the mean wait a share of the logged one, of the others a difference of shares."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HeldOutPart:
    """Days held out together.

    Attributes:
        days: `date.toordinal()`, those that could be played.
        left_out: days on which nobody came, or no rep was there.
        logged: sums of the log, float64 (days, 48, 5) (`service.SUMS`).
        simulated: of each pace the sums of each repetition, float64 (repetitions, days, 48, 5).
    """

    days: tuple[int, ...]
    left_out: tuple[int, ...]
    logged: Floats
    simulated: dict[str, Floats]

    def errors(self, pace: str) -> dict[str, float]:
        """Return simulated less logged of each figure over the whole part; of the mean wait as a share of the log's."""
        log, found = figures(self.logged.sum(axis=(0, 1))), figures(self.simulated[pace].sum(axis=(0, 1, 2)))
        errors = {key: float(found[key] - log[key]) for key in FIGURES}
        errors["mean_wait_s"] /= max(float(log["mean_wait_s"]), 1e-9)
        return errors


@dataclass(frozen=True)
class HoldOut:
    """What came of a log's parts held out in turn.

    Attributes:
        parts: in the order asked for.
        repetitions: how often each day was played.
        seed: the user's seed.
        source: the log.
    """

    parts: tuple[HeldOutPart, ...]
    repetitions: int
    seed: int
    source: str

    def worst(self, pace: str) -> dict[str, float]:
        """Return of each figure the error of the part in which it is largest."""
        errors = [part.errors(pace) for part in self.parts]
        return {key: max((each[key] for each in errors), key=abs) for key in FIGURES}

    def show(self, console: Console | None = None) -> None:
        """Print the tables (`hold_out_tables.show`)."""
        show(self.as_json(), console)

    def as_json(self) -> dict[str, Any]:
        """Return all figures as plain data: parts, their days, and half-hours of the day over the part."""
        return {
            "source": self.source,
            "repetitions": self.repetitions,
            "seed": self.seed,
            "targets": dict(TARGETS),
            "worst": {pace: self.worst(pace) for pace in PACES},
            "parts": [_part_json(part) for part in self.parts],
        }


def _part_json(part: HeldOutPart) -> dict[str, Any]:
    dates = [date.fromordinal(day).isoformat() for day in part.days]
    return {
        "days": dates,
        "left_out": [date.fromordinal(day).isoformat() for day in part.left_out],
        "errors": {pace: part.errors(pace) for pace in PACES},
        "whole": compare(part, None, None),
        "by_day": {name: compare(part, place, None) for place, name in enumerate(dates)},
        "by_half_hour": [compare(part, None, interval) for interval in range(part.logged.shape[1])],
    }


def compare(part: HeldOutPart, day: int | None, interval: int | None) -> dict[str, Any]:
    """Return contacts, and of each figure the logged value and the simulated one of each pace: its mean, and the range
    of 95 % of the repetitions; of one day (position) or all, and of one half-hour or all. None where nobody came."""
    days = slice(None) if day is None else slice(day, day + 1)
    intervals = slice(None) if interval is None else slice(interval, interval + 1)
    logged = part.logged[days, intervals].sum(axis=(0, 1))
    found: dict[str, Any] = {"contacts": int(logged[0])}
    log = figures(logged)
    for key in FIGURES:
        found[key] = {"log": float(log[key]) if logged[0] > 0 else None}
    for pace, sums in part.simulated.items():
        each = sums[:, days, intervals].sum(axis=(1, 2))
        whole, spread = figures(each.sum(axis=0)), figures(each)
        for key in FIGURES:
            some = spread[key][np.isfinite(spread[key])]
            low, high = np.quantile(some, [0.025, 0.975]).tolist() if len(some) else (None, None)
            mean = float(whole[key]) if len(some) else None
            found[key][pace] = {"mean": mean, "low": low, "high": high}
    return found


def hold_out(
    log: ContactLog,
    parts: Sequence[Sequence[int]],
    *,
    repetitions: int = REPETITIONS,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> HoldOut:
    """Return how well the rest of a log tells each of `parts`, lists of days (`date.toordinal()`), held out in turn.

    `progress` is told the number of days just played.

    Raises:
        ConfigurationError: a day is not in the log, or no day of a part can be played.
    """
    known = set(log.days.tolist())
    for day in (day for part in parts for day in part):
        if day not in known:
            raise ConfigurationError(f"{log.source}: held-out day {date.fromordinal(day)}: must be a day of the log")
    held = tuple(_hold_out_part(log, tuple(part), repetitions, seed, progress) for part in parts)
    return HoldOut(held, repetitions, seed, log.source)


def weeks_of(days: NDArray[np.int64]) -> list[list[int]]:
    """Return all days in parts of seven days each, from the first on; a rest of less than four days joins the last."""
    parts = [days[start : start + 7].tolist() for start in range(0, len(days), 7)]
    if len(parts) > 1 and len(parts[-1]) < 4:
        rest = parts.pop()
        parts[-1] += rest
    return parts


def _hold_out_part(
    log: ContactLog, held: tuple[int, ...], repetitions: int, seed: int, progress: Callable[[int], None] | None
) -> HeldOutPart:
    estimates = estimate(log, held)
    split, _ = split_by_credit(log, seed)
    played: list[int] = []
    logged: list[Floats] = []
    simulated: dict[str, list[Floats]] = {pace: [] for pace in PACES}
    with TemporaryDirectory() as folder:
        for day in held:
            found = _play_held_day(split, estimates, held, day, Path(folder), repetitions, seed)
            if found is not None:
                played.append(day)
                logged.append(sum_logged(split.contacts[split.contacts["day"] == day]))
                for pace in PACES:
                    simulated[pace].append(found[pace])
            if progress is not None:
                progress(1)
    if not played:
        raise ConfigurationError(f"{log.source}: no held-out day has both contacts and reps")
    return HeldOutPart(
        tuple(played),
        tuple(day for day in held if day not in played),
        np.stack(logged),
        {pace: np.stack(sums, axis=1) for pace, sums in simulated.items()},
    )


def _play_held_day(
    log: ContactLog, estimates: Estimates, held: tuple[int, ...], day: int, folder: Path, repetitions: int, seed: int
) -> dict[str, Floats] | None:
    """Return the sums (repetitions, 48, 5) of a day by pace; None if it cannot be played."""
    found = {}
    for pace in PACES:
        scenario = logged_day(
            scenario_data(estimates),
            log,
            day,
            folder,
            needs="law",
            speeds=pace_of_reps(log, held, pace),
        )
        if scenario is None:
            return None
        policy = load_policy(as_policy(estimates.center_rule), scenario).policy
        visits, _ = play_day(scenario, policy, np.arange(repetitions), demand_seeds(seed).test + day)
        found[pace] = np.stack(
            [sum_service(each.arrived_s, each.wait_s, each.served, each.abandoned) for each in visits]
        )
    return found


def pace_of_reps(log: ContactLog, held: Sequence[int], pace: str) -> Floats | None:
    """Return the speed of each rep by the days other than `held` (`fitted`), or by these (`logged`), against the laws
    of the other days; None if the log names too few reps."""
    contacts = log.contacts
    if served_share(contacts) < NAMED_FRAC:
        return None
    is_held = np.isin(contacts["day"], np.array(held, np.int64))
    usual_s = _mean_handle_s(contacts[~is_held], len(log.channels))
    mine = contacts[is_held if pace == "logged" else ~is_held]
    return rep_speeds(mine["rep"], mine["channel"], mine["handle_s"], len(log.reps), usual_s)


def _mean_handle_s(contacts: NDArray[Any], n_channels: int) -> Floats:
    told = contacts[np.isfinite(contacts["handle_s"])]
    count = np.bincount(told["channel"], minlength=n_channels)
    return np.bincount(told["channel"], told["handle_s"], n_channels) / np.maximum(count, 1)


def as_policy(rule: Law | str) -> Any:
    """Return a rule, as `Estimates.center_rule` has it, as `agents.catalog.load_policy` takes it."""
    return rule if isinstance(rule, str) else RuleFile.model_validate(dict(rule)).root
