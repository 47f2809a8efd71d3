"""Where a record of days and the laws beside it cannot both be right: warnings with both numbers.

Room: `envs.inputs`. Reads a scenario with its record; draws nothing, changes nothing.

What a record states replaces what the laws would draw, while the router and whatever is not recorded go on to believe
the laws. A record in another unit, or one that counts a contact more than once, looks like any other.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from envs.inputs.demand import segment_share
from envs.interface.units import DAY_S, HOUR_S
from envs.scenario.channel import Channel
from envs.scenario.recording import RECORDED
from envs.scenario.scenario import Scenario
from envs.scenario.week import weekday_of

FACTOR = 2.0
"""Numbers that differ by more are reported."""
LEAST_CONTACTS = 20
"""Contacts, at least, whose mean value, debt or risk, or whose times of the day, are held against the laws."""
_UNITS = {"milliseconds": 1000.0, "minutes": 1 / 60, "hours": 1 / HOUR_S, "fractions of a day": 1 / DAY_S}
"""How many of each unit a second is."""
_RESOLUTIONS_S = (3600.0, 1800.0, 900.0, 300.0, 60.0, 1.0, 0.001)
_NEEDS = [name for name in RECORDED.names or () if name not in ("at_s", "queue")]


def record_doubts(scenario: Scenario) -> list[str]:
    """Return what of the scenario's record disagrees with its laws by more than `FACTOR`, or repeats itself, one
    sentence each; nothing without a record."""
    if scenario.recording is None:
        return []
    contacts = np.concatenate(scenario.recording.days)
    found: list[str] = []
    for queue, channel in enumerate(scenario.channels):
        mine = contacts[contacts["queue"] == queue]
        if len(mine):
            found += [f"record of {channel.name}: {doubt}" for doubt in _doubts_of_channel(scenario, channel, mine)]
    found += [f"record: {doubt}" for doubt in (*_early(scenario, contacts), *_repeated(scenario.recording.days))]
    return found


def _doubts_of_channel(scenario: Scenario, channel: Channel, contacts: NDArray[Any]) -> Iterator[str]:
    handle_s = contacts["handle_s"][~np.isnan(contacts["handle_s"])]
    if len(handle_s):
        recorded_s, law_s = float(handle_s.mean()), channel.handle_time.mean_duration_s
        if _differ(recorded_s, law_s):
            yield (
                f"handle_s has a mean of {_digits(recorded_s)} s over {len(handle_s):,} contacts, the law handle_time "
                f"of {_digits(law_s)} s{_unit_hint(recorded_s, law_s)}"
            )
    hung_up = ~np.isnan(contacts["patience_s"])
    n_empty = int((hung_up & (contacts["handle_s"] == 0)).sum())
    if n_empty > len(contacts) / 100:
        yield (
            f"handle_s is 0 of {n_empty:,} customers who hung up, so that serving them would take no time: leave the "
            "cell empty where nobody was served"
        )
    yield from _doubts_of_patience(channel, contacts)
    for column, mean, law, unit in _customers_by_law(scenario, channel):
        recorded = contacts[column][~np.isnan(contacts[column])]
        if len(recorded) >= LEAST_CONTACTS and _differ(float(recorded.mean()), mean):
            yield (
                f"{column} has a mean of {_digits(float(recorded.mean()))}{unit} over {len(recorded):,} contacts, "
                f"{law} of {_digits(mean)}{unit}"
            )
    if channel.arrivals is not None and scenario.recording is not None:
        n_days = math.ceil(scenario.horizon.days)
        of_day = [channel.arrivals.rates_on(weekday_of(scenario, day)) for day in range(n_days)]
        by_law = float(np.concatenate(of_day).sum()) * channel.arrivals.interval_s / HOUR_S / n_days
        recorded = len(contacts) / len(scenario.recording.days) / n_days
        yield f"{_digits(recorded)} contacts a day, and its law arrivals brings {_digits(by_law)} a day on top of them"


def _doubts_of_patience(channel: Channel, contacts: NDArray[Any]) -> Iterator[str]:
    """Yield a warning where more or fewer hang up than the law can explain.

    Under the law the number of those who hang up has the same mean as the sum, over all who wait, of its cumulative
    hazard at their wait (a martingale; Aalen 1978, Annals of Statistics 6(4)), whatever ends the other waits.
    """
    patience_s, least_s = contacts["patience_s"], contacts["patience_at_least_s"]
    hung_up = ~np.isnan(patience_s)
    waits_s = np.where(hung_up, patience_s, least_s)
    waits_s = waits_s[~np.isnan(waits_s)]
    n_hung_up = int(hung_up.sum())
    if len(waits_s) == 0:
        return
    if channel.patience is None:
        if n_hung_up:
            yield f"{n_hung_up:,} customers hang up, and by the law, patience without end, nobody else does"
        return
    law_s = channel.patience.mean_duration_s
    survival_prob = channel.patience.survival_prob(waits_s)
    # A wait that the law has as impossible counts as under an exponential law of its mean.
    hazards = np.where(survival_prob > 0.0, -np.log(np.maximum(survival_prob, 1e-300)), waits_s / max(law_s, 1e-9))
    expected = float(hazards.sum())
    if not _differ(n_hung_up, expected):
        return
    tail = stats.poisson.sf(n_hung_up - 1, expected) if n_hung_up > expected else stats.poisson.cdf(n_hung_up, expected)
    if tail > 0.005:
        return  # too few waits to tell
    if n_hung_up == 0:
        yield (
            f"of {len(waits_s):,} customers, who waited {_digits(waits_s.mean())} s on average, nobody hung up; by the "
            f"law patience, with a mean of {_digits(law_s)} s, about {_digits(min(expected, len(waits_s)))} would have"
        )
        return
    recorded_s = law_s * expected / n_hung_up if expected else float(waits_s.sum()) / n_hung_up
    yield (
        f"waits tell a patience of {_digits(recorded_s)} s on average ({n_hung_up:,} of {len(waits_s):,} hung up), the "
        f"law patience has a mean of {_digits(law_s)} s{_unit_hint(recorded_s, law_s)}"
    )


def _customers_by_law(scenario: Scenario, channel: Channel) -> Iterator[tuple[str, float, str, str]]:
    """Yield what the laws say of the customers of `channel`: a record's column, its mean, whose it is, its unit."""
    if scenario.segments:
        shares = [segment_share(channel, segment) for segment in scenario.segments]
        values_usd = [segment.account_value.mean_value_usd for segment in scenario.segments]
        yield "account_value_usd", float(np.dot(shares, values_usd)), "the laws of the segments", " USD"
        risks = [segment.at_risk_prob for segment in scenario.segments]
        yield "at_risk", float(np.dot(shares, risks)), "the segments", ""
    if channel.collection is not None:
        yield "amount_owed_usd", channel.collection.amount_owed.mean_value_usd, "the law amount_owed", " USD"


def _early(scenario: Scenario, contacts: NDArray[Any]) -> Iterator[str]:
    """Yield a warning where times of the day, or of several days, seem to have a larger unit than seconds."""
    latest = float(contacts["at_s"].max())
    days = scenario.horizon.days
    if len(contacts) >= LEAST_CONTACTS and days >= 1 and latest <= 24 * 60 * days:
        unit = "minutes" if latest > 24 * days else "hours" if latest > days else "fractions of a day"
        yield f"all {len(contacts):,} contacts come in the first {_digits(latest)} s of their day: is at_s in {unit}?"


def _repeated(days: tuple[NDArray[Any], ...]) -> Iterator[str]:
    """Yield a warning where far more contacts of a day repeat each other than chance would bring."""
    n_contacts = sum(map(len, days))
    of_all = np.concatenate(days)
    resolution_s = next((step for step in _RESOLUTIONS_S if _is_multiple(of_all["at_s"], step)), 0.0)
    # The chance that two contacts state the same needs, were they independent.
    _, counts = np.unique(_as_bytes(of_all[_NEEDS]), return_counts=True)
    alike_prob = float(((counts / n_contacts) ** 2).sum())
    rows = same_time = chance = 0.0
    for day in days:
        rows += len(day) - len(np.unique(_as_bytes(day)))
        for queue in np.unique(day["queue"]):
            at_s = day["at_s"][day["queue"] == queue]
            same_time += len(at_s) - len(np.unique(at_s))
            places = max((at_s[-1] - at_s[0]) / resolution_s, 1.0) if resolution_s else math.inf
            if not math.isinf(places):  # of n balls in k boxes, k (1 - (1 - 1/k)^n) boxes hold one or more
                chance += len(at_s) - places * (1.0 - (1.0 - 1.0 / places) ** len(at_s))
    if rows > max(FACTOR * chance * alike_prob, 0.01 * n_contacts):
        yield (
            f"{rows:,.0f} of {n_contacts:,} rows repeat another row of their day in every cell, where chance would "
            f"bring about {chance * alike_prob:,.2g}: is one contact recorded leg by leg?"
        )
    elif same_time > max(2 * FACTOR * chance, 0.1 * n_contacts):
        yield (
            f"{same_time:,.0f} of {n_contacts:,} contacts come at the same time as another one of their channel, where "
            f"chance would bring about {chance:,.2g}: is one contact recorded leg by leg?"
        )


def _as_bytes(contacts: NDArray[Any]) -> NDArray[np.void]:
    """Return each contact as one value, equal where all its fields are, those not recorded included."""
    columns = np.stack([contacts[name].astype(np.float64) for name in contacts.dtype.names or ()], axis=1)
    columns = np.ascontiguousarray(np.where(np.isnan(columns), -1.0, columns))
    return columns.view(np.dtype((np.void, columns.shape[1] * columns.itemsize))).ravel()


def _is_multiple(times_s: NDArray[np.float64], step_s: float) -> bool:
    return bool((np.abs(times_s - np.round(times_s / step_s) * step_s) < 1e-6).all())


def _differ(first: float, second: float) -> bool:
    return max(first, second) > FACTOR * min(first, second)


def _unit_hint(recorded: float, law: float) -> str:
    """Return a question whether a recorded duration has another unit than seconds, where that would explain it."""
    if recorded > 0.0 and law > 0.0:
        for unit, of_a_second in _UNITS.items():
            if max(recorded / of_a_second, law) < 5 * min(recorded / of_a_second, law):
                return f": is it in {unit}?"
    return ""


def _digits(number: float) -> str:
    """Return a number with four digits that count, whole from 1,000 on."""
    return f"{number:,.0f}" if number >= 1000 else f"{number:.4g}"
