"""The command `blended replay`: what a policy would have made of the recorded days of a log.

Room: `experiments.replay`. Plays; writes records of the days into a temporary folder alone.

Each day is played as it was: its contacts, with their handle times and what the log tells of their patience, and its
reps. Three things are then compared, day by day:

* the log against the center's own rule in the simulator: the error of the model;
* a policy against the center's own rule in the simulator: the effect of the policy, on the same customers.

The log against a policy is the sum of both, and tells neither.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from agents.catalog import load_policy
from envs.counts import add_counts
from envs.errors import ConfigurationError
from envs.metrics import compute_metrics, metric_glossary
from envs.scenario.scenario import Scenario, load_scenario
from experiments.calibration.contact_log import ContactLog
from experiments.calibration.estimation import NAMED_FRAC
from experiments.calibration.estimators.credits import split_by_credit
from experiments.calibration.estimators.presence import served_share
from experiments.calibration.hold_out.hold_out import as_policy
from experiments.calibration.hold_out.logged_day import logged_day
from experiments.calibration.hold_out.played_day import Visits, play_day
from experiments.calibration.hold_out.service import FIGURES, figures, sum_logged, sum_service
from experiments.intervals import LEAST_DAYS, Interval, bootstrap_intervals
from experiments.replay.replay_tables import show
from experiments.seeds import demand_seeds
from experiments.texts import interval_json, json_number

REPETITIONS = 5
OWN_RULE = "own rule"
"""The row of the center's own rule."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Replay:
    """What came of the days of a log under several policies.

    Attributes:
        source: the log.
        scenario: name of the scenario.
        center_rule: how the center's own rule is called.
        days: how those are called that were played: their dates, of recorded days their numbers.
        left_out: days on which nobody came, or no rep was there.
        logged: figures of service of the log, by key, float64 (days,); empty for recorded days, which tell none.
        service: of each policy, the own rule first, the same figures.
        metrics: of each policy every metric of the simulator, by key, float64 (days,); NaN where it is not defined.
        units: of each metric.
        repetitions: how often each day was played.
        seed: the user's seed.
    """

    source: str
    scenario: str
    center_rule: str
    days: tuple[str, ...]
    left_out: tuple[str, ...]
    logged: dict[str, Floats]
    service: dict[str, dict[str, Floats]]
    metrics: dict[str, dict[str, Floats]]
    units: dict[str, str]
    repetitions: int
    seed: int

    def model_error(self) -> dict[str, Interval]:
        """Return own rule less log of each figure of service: the mean over days, with its interval."""
        return {key: _paired(self.service[OWN_RULE][key], self.logged[key]) for key in self.logged}

    def effect(self, policy: str) -> dict[str, Interval]:
        """Return the policy less the own rule of each figure of service and each metric: the mean over days, with its
        interval. Days on which either is not defined are left out."""
        found = {key: _paired(self.service[policy][key], self.service[OWN_RULE][key]) for key in FIGURES}
        return found | {
            key: _paired(values, self.metrics[OWN_RULE][key]) for key, values in self.metrics[policy].items()
        }

    def show(self, console: Console | None = None) -> None:
        """Print the tables (`replay_tables.show`)."""
        show(self.as_json(), console)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain data; what is not defined is None."""
        return {
            "source": self.source,
            "scenario": self.scenario,
            "center_rule": self.center_rule,
            "repetitions": self.repetitions,
            "seed": self.seed,
            "days": list(self.days),
            "left_out": list(self.left_out),
            "log": _plain(self.logged),
            "service": {policy: _plain(found) for policy, found in self.service.items()},
            "metrics": {policy: _plain(found) for policy, found in self.metrics.items()},
            "units": self.units,
            "model_error": {key: interval_json(interval) for key, interval in self.model_error().items()},
            "effects": {
                policy: {key: interval_json(interval) for key, interval in self.effect(policy).items()}
                for policy in self.service
                if policy != OWN_RULE
            },
        }


def _plain(values: Mapping[str, Floats]) -> dict[str, list[float | None]]:
    return {key: [json_number(value) for value in each.tolist()] for key, each in values.items()}


def _paired(values: Floats, against: Floats) -> Interval:
    """Return the mean of the daily differences with its bootstrap interval over days; NaN for its ends where fewer than
    `LEAST_DAYS` days are defined."""
    difference = values - against
    known = difference[np.isfinite(difference)]
    if len(known) == 0:
        return Interval(np.nan, np.nan, np.nan)
    return Interval(*bootstrap_intervals(known[:, np.newaxis], least=LEAST_DAYS)[:, 0].tolist())


def replay(
    log: ContactLog,
    scenario: str | Path | Scenario,
    policies: Sequence[str],
    *,
    overrides: tuple[str, ...] = (),
    center_rule: str | None = None,
    repetitions: int = REPETITIONS,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Replay:
    """Return what `policies` make of the days of `log`, against the center's own rule and the log itself.

    Args:
        log: the log.
        scenario: name, path or scenario: laws of what the log does not tell, harms and prices. Its channels are those
            of the log, one for each credit (`split_by_credit`) or one for all, and perhaps more.
        policies: what `agents.catalog.load_policy` understands.
        overrides: `dotted.key=value` texts for the scenario.
        center_rule: the center's own rule, as a policy; None: longest wait first, with the credit of the log.
        repetitions: how often each day is played; what the log does not tell is drawn anew.
        seed: the user's seed.
        progress: told the number of days just played.

    Raises:
        ConfigurationError: the scenario lacks the log's channels, or no day can be played.
    """
    checked = load_scenario(scenario, overrides)
    fitting, rule = _fit_channels(log, checked, seed)
    own = rule if center_rule is None else center_rule
    base = checked.model_dump(mode="json", exclude_unset=True, by_alias=True)
    has_reps = served_share(fitting.contacts) >= NAMED_FRAC
    speeds = np.ones(len(fitting.reps)) if has_reps else None  # a logged handle time is that of its rep
    played: list[_PlayedDay] = []
    left_out = []
    with TemporaryDirectory() as folder:
        for day in fitting.days.tolist():
            found = logged_day(base, fitting, day, Path(folder), needs="logged", speeds=speeds)
            if found is None:
                left_out.append(date.fromordinal(day).isoformat())
            else:
                logged = figures(sum_logged(fitting.contacts[fitting.contacts["day"] == day]).sum(axis=0))
                episodes = np.arange(repetitions)
                service, metrics = _play(found, own, policies, episodes, demand_seeds(seed).test + day)
                played.append(_PlayedDay(date.fromordinal(day).isoformat(), logged, service, metrics))
            if progress is not None:
                progress(1)
    if not played:
        raise ConfigurationError(f"{log.source}: no day has both contacts and reps")
    return _collect(log.source, checked, own, played, left_out, repetitions, seed)


def replay_recorded(
    scenario: str | Path | Scenario,
    policies: Sequence[str],
    *,
    overrides: tuple[str, ...] = (),
    center_rule: str | None = None,
    repetitions: int = REPETITIONS,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Replay:
    """Return what `policies` make of the days that a scenario's own record has (`replay.file`), against the center's
    own rule, by default `fifo`, with the scenario's own staffing. Such a record does not say what the center did.

    Arguments and errors as in `replay`; raises `ConfigurationError` too if the scenario has no recorded days.
    """
    checked = load_scenario(scenario, overrides)
    if checked.recording is None or checked.replay is None:
        raise ConfigurationError(
            f"scenario {checked.name}: replay = none: must name recorded days, or LOG and --mapping must be given"
        )
    source, n_days = str(checked.replay.file), len(checked.recording.days)
    checked = load_scenario(checked, ("replay.order=in_turn",))
    own = "fifo" if center_rule is None else center_rule
    played = []
    for day in range(n_days):
        # Episode k takes the k-th day, and begins again after the last.
        episodes = day + n_days * np.arange(repetitions)
        service, metrics = _play(checked, own, policies, episodes, demand_seeds(seed).test)
        played.append(_PlayedDay(f"day {day + 1}", {}, service, metrics))
        if progress is not None:
            progress(1)
    return _collect(source, checked, own, played, [], repetitions, seed)


def _collect(
    source: str,
    scenario: Scenario,
    own: Any,
    played: Sequence["_PlayedDay"],
    left_out: Sequence[str],
    repetitions: int,
    seed: int,
) -> Replay:
    names = list(played[0].service)
    return Replay(
        source=source,
        scenario=scenario.name,
        center_rule=own if isinstance(own, str) else str(own["rule"]),
        days=tuple(each.day for each in played),
        left_out=tuple(left_out),
        logged=_columns([each.logged for each in played]),
        service={name: _columns([each.service[name] for each in played]) for name in names},
        metrics={name: _columns([each.metrics[name] for each in played]) for name in names},
        units={key: unit for key, (unit, _) in metric_glossary(scenario).items()},
        repetitions=repetitions,
        seed=seed,
    )


def _fit_channels(log: ContactLog, scenario: Scenario, seed: int) -> tuple[ContactLog, Any]:
    """Return the log with the channels that `scenario` has, and the center's rule there."""
    split, rule = split_by_credit(log, seed)
    known = {channel.name for channel in scenario.channels}
    for fitting, own in ((split, rule), (log, "fifo")):
        if set(fitting.channels) <= known:
            return fitting, own
    missing = next(name for name in split.channels if name not in known)
    raise ConfigurationError(
        f"scenario {scenario.name}: has no channel {missing}, which is in {log.source}: must have channels "
        f"{', '.join(split.channels)} (known: {', '.join(sorted(known))})"
    )


@dataclass(frozen=True)
class _PlayedDay:
    """One day: figures of the log, and of each policy figures of service and metrics."""

    day: str
    logged: Mapping[str, Any]
    service: dict[str, dict[str, float]]
    metrics: dict[str, dict[str, float]]


def _play(
    scenario: Scenario, own: Any, policies: Sequence[str], episodes: NDArray[np.int64], seed: int
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Return figures of service and metrics of one day, its `episodes` under the demand `seed`, by policy."""
    named = {OWN_RULE: load_policy(as_policy(own), scenario)}
    for text in policies:
        each = load_policy(text, scenario)
        named[each.name] = each
    service, metrics = {}, {}
    for name, each in named.items():
        visits, counts = play_day(scenario, each.policy, episodes, seed, deterministic=each.deterministic)
        service[name] = _service(visits)
        metrics[name] = compute_metrics(scenario, add_counts(counts), len(episodes))
    return service, metrics


def _service(visits: Sequence[Visits]) -> dict[str, float]:
    sums = [sum_service(each.arrived_s, each.wait_s, each.served, each.abandoned).sum(axis=0) for each in visits]
    return {key: float(value) for key, value in figures(np.sum(sums, axis=0)).items()}


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Floats]:
    return {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}
