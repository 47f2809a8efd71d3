"""From a log to all that a scenario needs.

Room: `experiments.calibration`. Pure: takes a log, returns `Estimates`; the estimators are in
`experiments.calibration.estimators`.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.errors import ConfigurationError
from envs.interface.units import DAY_S, HOUR_S, WEEKDAYS
from experiments.calibration.contact_log import ABANDONED, ContactLog
from experiments.calibration.estimates import (
    ArrivalEstimate,
    Assumption,
    ChannelEstimate,
    Estimates,
    Law,
    RedialEstimate,
    StaffingEstimate,
)
from experiments.calibration.estimators.after_work import estimate_after_work
from experiments.calibration.estimators.arrivals import (
    INTERVAL_S,
    count_contacts,
    estimate_arrivals,
    weekday_positions,
)
from experiments.calibration.estimators.credits import split_by_credit
from experiments.calibration.estimators.handle_times import LEAST, as_duration, estimate_handle_times
from experiments.calibration.estimators.patience import ASSUMED_PATIENCE_S, estimate_patience, exponential_tail_s
from experiments.calibration.estimators.presence import mean_present, rep_spans, served_share
from experiments.calibration.estimators.redials import estimate_redials
from experiments.calibration.estimators.staffing import (
    OCCUPANCY_FRAC,
    available_frac,
    explaining_reps,
    losing_reps,
    shifts_of,
    usual_reps,
)

BREAK_AFTER_S = 90.0
"""A rep who takes the next contact so soon was there all the time, busy with after-contact work or idle."""
IDLE_AT_MOST_S = 600.0
"""After a longer gap the rep was there if nobody waited meanwhile; after one longer than this the rep was away."""
SHIFT_BREAK_S = 1800.0
"""In a usual week only a gap of this length is a break of the shift; what is lost in shorter ones the available share
tells."""
NAMED_FRAC = 0.5
"""Share of the served contacts of which the log must tell rep, wait and handle time, so that staffing can be read from
the reps' activity."""
LONGEST_PATIENCE_S = 4 * HOUR_S
"""Mean patience where nobody, or hardly anybody, abandoned."""


def estimate(log: ContactLog, without_days: Collection[int] = (), name: str = "calibrated") -> Estimates:
    """Return what `log` tells of its center, leaving out `without_days` (`date.toordinal()`).

    Raises:
        ConfigurationError: no contact is left.
    """
    split, rule = split_by_credit(log)
    days = np.setdiff1d(split.days, np.array(sorted(without_days), np.int64))
    contacts = split.contacts[np.isin(split.contacts["day"], days)]
    if len(contacts) == 0:
        raise ConfigurationError(f"{log.source}: no contacts are left to estimate from: must keep days with contacts")
    after_work, after_work_origin = None, "none: the log does not say which rep served which contact"
    has_reps = served_share(contacts) >= NAMED_FRAC
    if has_reps:
        after_work, after_work_origin = estimate_after_work(by_day(contacts, days), BREAK_AFTER_S)
    channels = tuple(
        _estimate_channel(contacts[contacts["channel"] == place], days, place, split, after_work, after_work_origin)
        for place in range(len(split.channels))
    )
    staffing = _estimate_staffing(contacts, days, channels, has_reps)
    values = contacts["value_usd"][np.isfinite(contacts["value_usd"]) & (contacts["value_usd"] > 0.0)]
    account_value, account_value_origin = _account_value(values)
    return Estimates(
        name,
        rule,
        days,
        channels,
        staffing,
        account_value,
        account_value_origin,
        _assumptions(channels, account_value is None),
        f"{log.source} (SHA-256 {log.digest})",
    )


def by_day(contacts: NDArray[Any], days: NDArray[np.int64]) -> list[NDArray[Any]]:
    """Return the contacts (`LOGGED`, in order of day) of each of `days`, ascending."""
    first = np.searchsorted(contacts["day"], days, side="left")
    last = np.searchsorted(contacts["day"], days, side="right")
    return [contacts[a:b] for a, b in zip(first, last, strict=True)]


def _estimate_channel(
    mine: NDArray[Any],
    days: NDArray[np.int64],
    place: int,
    log: ContactLog,
    after_work: Law | None,
    after_work_origin: str,
) -> ChannelEstimate:
    kind = log.kinds[place]
    handle = estimate_handle_times(mine["day"], mine["handle_s"])
    redial = estimate_redials(mine) if kind == "real_time" else None
    arrivals = estimate_arrivals(days, mine["day"], mine["arrived_s"])
    if redial is not None:
        arrivals = _without_redials(arrivals, redial, float((mine["outcome"] == ABANDONED).mean()))
    patience = estimate_patience(mine["wait_s"], mine["outcome"] == ABANDONED) if kind == "real_time" else None
    return ChannelEstimate(log.channels[place], kind, arrivals, handle, patience, after_work, after_work_origin, redial)


def _without_redials(arrivals: ArrivalEstimate, redial: RedialEstimate, abandoned: float) -> ArrivalEstimate:
    """Return the arrivals less the share that are redials, which a scenario makes itself."""
    share = redial.prob * abandoned
    return ArrivalEstimate(
        arrivals.interval_s,
        arrivals.rate_per_hour * (1.0 - share),
        arrivals.profiles,
        arrivals.day_factor_cv,
        f"{arrivals.rate_origin}; less {share:.1%} redials",
        arrivals.day_factor_origin,
    )


def _estimate_staffing(
    contacts: NDArray[Any], days: NDArray[np.int64], channels: tuple[ChannelEstimate, ...], has_reps: bool
) -> StaffingEstimate:
    """Return who works in a usual week: by the reps' activity, or as explains the waits or the abandonment."""
    positions = weekday_positions(days)
    real_time = [place for place, channel in enumerate(channels) if channel.kind == "real_time"]
    calls = contacts[np.isin(contacts["channel"], real_time)] if real_time else contacts
    waits = calls[np.isfinite(calls["wait_s"])]
    patience_s = exponential_tail_s(waits["wait_s"], waits["outcome"] == ABANDONED, 0.0)
    queue = _Queue(
        _rep_time_s(contacts, channels),
        min(patience_s, LONGEST_PATIENCE_S) if len(waits) else ASSUMED_PATIENCE_S,
        float((calls["outcome"] == ABANDONED).mean()) if len(calls) else 0.0,
    )
    is_open = np.sum([channel.arrivals.rate_per_hour for channel in channels], axis=0) > 0.0
    levels: dict[str, NDArray[np.int64]] = {}
    shares = []
    for group in _common_profiles(channels):
        of_group = days[np.isin(positions, group)]
        mine = contacts[np.isin(contacts["day"], of_group)]
        rate_per_s = count_contacts(of_group, mine["day"], mine["arrived_s"]).mean(axis=0) / INTERVAL_S
        waits_then = waits[np.isin(waits["day"], of_group)]
        if has_reps:
            reps, share = _reps_by_activity(by_day(mine, of_group), rate_per_s, waits_then, queue)
            reps = np.maximum(reps, is_open[group].any(axis=0))
            shares.append(f"{share:.2f}")
        elif len(waits):
            reps = explaining_reps(rate_per_s, _mean_waits_s(waits_then), queue.service_s, queue.patience_s)
        elif queue.lost_frac > 0.0:
            reps = losing_reps(rate_per_s, queue.lost_frac, queue.service_s, queue.patience_s)
        else:
            reps = usual_reps(rate_per_s, queue.service_s)
        levels |= {WEEKDAYS[position]: reps for position in group}
    names = tuple(channel.name for channel in channels)
    origin = _staffing_origin(shares, len(waits) > 0, queue.lost_frac)
    return StaffingEstimate(tuple(shifts_of(levels, INTERVAL_S, names)), origin)


class _Queue(NamedTuple):
    """What staffing is reckoned with: mean rep time and patience, seconds, and the share that abandons."""

    service_s: float
    patience_s: float
    lost_frac: float


def _reps_by_activity(
    contacts_of_days: list[NDArray[Any]], rate_per_s: NDArray[np.float64], waits: NDArray[Any], queue: _Queue
) -> tuple[NDArray[np.int64], float]:
    """Return the reps of each interval, and the share of those there that is available."""
    spans = [rep_spans(day, SHIFT_BREAK_S, SHIFT_BREAK_S) for day in contacts_of_days]
    present = np.mean([mean_present(span, INTERVAL_S, len(rate_per_s)) for span in spans], axis=0)
    lost = float((waits["outcome"] == ABANDONED).mean()) if len(waits) else 0.0
    share = available_frac(present, rate_per_s, queue.service_s, queue.patience_s, lost)
    return np.round(share * present).astype(np.int64), share


def _staffing_origin(shares: list[str], has_waits: bool, lost: float) -> str:
    """Return where the staffing comes from; `shares` that are available by profile, where the log names reps."""
    if shares:
        return (
            f"reps' activity: first to last contact of a day without gaps over {SHIFT_BREAK_S / 60:g} minutes, mean "
            f"per half-hour, times the share available that explains the abandonment by a stationary Erlang-A queue "
            f"({', '.join(shares)} by profile), rounded to whole reps, at least one where contacts come"
        )
    if has_waits:
        return (
            "the log names no reps: the number per half-hour whose stationary Erlang-A queue has the mean wait nearest "
            "to the log's"
        )
    if lost > 0.0:
        return (
            "the log tells neither reps nor waits: the number per half-hour whose stationary Erlang-A queue, with the "
            f"assumed patience, loses most nearly the {lost:.1%} of the log"
        )
    return (
        "assumed: the log tells neither reps nor waits; so many per half-hour as are busy "
        f"{OCCUPANCY_FRAC:.0%} of their time"
    )


def _common_profiles(channels: tuple[ChannelEstimate, ...]) -> list[list[int]]:
    """Return weekdays (positions) that share a profile on every channel."""
    groups: dict[tuple[tuple[str, ...], ...], list[int]] = {}
    for position, weekday in enumerate(WEEKDAYS):
        key = tuple(
            next((profile for profile in channel.arrivals.profiles if weekday in profile), ()) for channel in channels
        )
        if any(key):
            groups.setdefault(key, []).append(position)
    return list(groups.values())


def _rep_time_s(contacts: NDArray[Any], channels: tuple[ChannelEstimate, ...]) -> float:
    """Return the mean rep time of a contact, after-contact work included, seconds."""
    counts = np.bincount(contacts["channel"], minlength=len(channels))
    times = [
        as_duration(channel.handle_time.law).mean_duration_s
        + (as_duration(channel.after_work).mean_duration_s if channel.after_work is not None else 0.0)
        for channel in channels
    ]
    return float(counts @ np.array(times) / counts.sum())


def _mean_waits_s(contacts: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean wait of contacts that came in each interval of a day, 0 where none came."""
    n_intervals = round(DAY_S / INTERVAL_S)
    place = (contacts["arrived_s"] // INTERVAL_S).astype(np.int64)
    count = np.bincount(place, minlength=n_intervals)
    return np.bincount(place, contacts["wait_s"], n_intervals) / np.maximum(count, 1)


def _account_value(values_usd: NDArray[np.float64]) -> tuple[Law | None, str]:
    """Return the lognormal law of the account values that the log states, and where it comes from."""
    if len(values_usd) < LEAST:
        return None, "the log states no account values"
    cv = float(values_usd.std() / values_usd.mean())
    law = {"distribution": "lognormal", "mean_usd": float(values_usd.mean()), "cv": max(cv, 1e-3)}
    return law, f"mean and coefficient of variation of {len(values_usd):,} account values in the log"


def _assumptions(channels: tuple[ChannelEstimate, ...], without_values: bool) -> tuple[Assumption, ...]:
    """Return what no log of contacts tells, each with a range."""
    found = []
    if without_values:
        path = "segments.customer.account_value.mean_usd"
        reason = "The log states no account values; this is a retail bank's."
        found.append(Assumption(path, 5_000.0, 500.0, 50_000.0, reason))
    for channel in channels:
        place = f"channels.{channel.name}"
        if not channel.handle_time.held_back_log_likelihood:
            mean_s = channel.handle_time.law["mean_s"]
            found.append(Assumption(f"{place}.handle_time.mean_s", mean_s, 60.0, 1800.0, channel.handle_time.origin))
        if channel.patience is not None and len(channel.patience.time_s) == 0:
            mean_s = channel.patience.law["mean_s"]
            found.append(Assumption(f"{place}.patience.mean_s", mean_s, 60.0, 900.0, channel.patience.origin))
        for key, value, low, high, reason in _ASSUMED[channel.kind]:
            found.append(Assumption(f"{place}.{key}", value, low, high, reason))
    return tuple(found)


_ASSUMED = {
    "real_time": (
        (
            "harm.abandonment_prob",
            0.004,
            0.001,
            0.02,
            "No log tells how many customers an abandoned contact drives away.",
        ),
        (
            "harm.wait_prob_per_min",
            0.0002,
            0.0,
            0.001,
            "No log tells how many a wait beyond the threshold drives away.",
        ),
    ),
    "deferred": (
        ("due.after_s", 24 * HOUR_S, 4 * HOUR_S, 72 * HOUR_S, "The log does not say what customers are promised."),
        ("harm.late_prob", 0.002, 0.0005, 0.01, "No log tells how many customers lateness drives away."),
        ("harm.error_prob", 0.01, 0.002, 0.05, "No log tells how many customers an error drives away."),
        ("error.per_interruption_prob", 0.05, 0.01, 0.2, "No log tells how many errors an interruption makes."),
        ("pick_up.mean_s", 600.0, 120.0, 1200.0, "No log tells how long a rep takes to find the thread again."),
    ),
}
"""Of each kind of channel what no log tells: key, value, range, reason."""
