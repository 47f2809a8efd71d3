"""The scenario's week: opening hours, forecast and planned reps, half-hour by half-hour.

Room: `envs.scenario`. Reads the scenario; writes nothing.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.interface.units import (
    DAY_S,
    HOUR_S,
    N_WEEK_INTERVALS,
    WEEK_INTERVAL_S,
    WEEK_S,
    WEEKDAYS,
)
from envs.scenario.channel import Channel
from envs.scenario.customers import Arrivals
from envs.scenario.scenario import Scenario


def open_periods(scenario: Scenario) -> list[tuple[float, float]]:
    """Return the opening hours of a week as (start, end), seconds from Sunday midnight, in order and apart."""
    spans: list[tuple[float, float]] = []
    for hours in scenario.business_hours:
        spans += [(max(start_s, 0.0), min(end_s, WEEK_S)) for start_s, end_s in hours.spans_s(WEEKDAYS[0], 7)]
    return join_spans(spans)


def join_spans(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return spans of time (start, end) in order, those that touch or overlap as one."""
    joined: list[tuple[float, float]] = []
    for start_s, end_s in sorted(spans):
        if joined and start_s <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end_s, joined[-1][1]))
        else:
            joined.append((start_s, end_s))
    return joined


def week_start_s(scenario: Scenario) -> float:
    """Return the seconds from Sunday midnight to the start of the horizon."""
    return WEEKDAYS.index(scenario.horizon.start_weekday) * DAY_S


def weekday_of(scenario: Scenario, day: int) -> str:
    """Return the weekday of calendar day `day` (0 is the first) of the horizon."""
    return WEEKDAYS[(WEEKDAYS.index(scenario.horizon.start_weekday) + day) % 7]


def week_forecast(scenario: Scenario, channel: Channel) -> NDArray[np.float64]:
    """Return the mean contacts of `channel` per hour [336] in each half-hour of the week, Sunday first: its arrivals by
    their rates, and its recorded contacts (`recorded_forecast`)."""
    forecast = recorded_forecast(scenario, channel)
    return forecast if channel.arrivals is None else forecast + _rates_per_hour(channel.arrivals)


def recorded_forecast(scenario: Scenario, channel: Channel) -> NDArray[np.float64]:
    """Return the mean recorded contacts of `channel` per hour [336] in each half-hour of the week, Sunday first.

    The mean is over all recorded days, whichever of them an episode replays: the router sees what is usual, not what
    will come. If only one day is recorded, the forecast is that day itself, smoothed to half-hours. A half-hour of the
    week outside the horizon takes the mean of the same time of day within it.
    """
    return _recorded_per_hour(scenario, channel, lambda contacts: np.ones(len(contacts)))


def recorded_handle_h(scenario: Scenario, channel: Channel) -> NDArray[np.float64]:
    """Return the mean handle time, hours, that recorded contacts of `channel` bring per hour [336], as
    `recorded_forecast` counts them: the recorded one, and the mean of the law where none is recorded."""
    law_s = channel.handle_time.mean_duration_s

    def handle_h(contacts: NDArray[Any]) -> NDArray[np.float64]:
        return np.where(np.isnan(contacts["handle_s"]), law_s, contacts["handle_s"]) / HOUR_S

    return _recorded_per_hour(scenario, channel, handle_h)


def _recorded_per_hour(
    scenario: Scenario, channel: Channel, weigh: Callable[[NDArray[Any]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return what recorded contacts of `channel` weigh per hour [336] in each half-hour of the week, Sunday first."""
    if scenario.recording is None:
        return np.zeros(N_WEEK_INTERVALS)
    horizon_s = scenario.horizon.days * DAY_S
    starts_s = np.arange(math.ceil(horizon_s / WEEK_INTERVAL_S)) * WEEK_INTERVAL_S
    interval = (round(week_start_s(scenario) / WEEK_INTERVAL_S) + np.arange(len(starts_s))) % N_WEEK_INTERVALS
    contacts = np.concatenate(scenario.recording.days)
    mine = contacts[contacts["queue"] == scenario.channel_index(channel.name)]
    places = interval[(mine["at_s"] / WEEK_INTERVAL_S).astype(np.int64)]
    weight = np.bincount(places, weigh(mine), N_WEEK_INTERVALS)
    recorded_h = np.bincount(interval, _covered(starts_s, 0.0, horizon_s), N_WEEK_INTERVALS) * WEEK_INTERVAL_S / HOUR_S
    recorded_h *= len(scenario.recording.days)
    of_week, of_day = weight.reshape(len(WEEKDAYS), -1), recorded_h.reshape(len(WEEKDAYS), -1)
    same_time = of_week.sum(axis=0) / np.maximum(of_day.sum(axis=0), 1e-9)
    return np.where(of_day > 0.0, of_week / np.maximum(of_day, 1e-9), same_time).ravel()


def _rates_per_hour(arrivals: Arrivals) -> NDArray[np.float64]:
    per_day = []
    grid = np.arange(round(DAY_S / WEEK_INTERVAL_S) + 1) * WEEK_INTERVAL_S
    for weekday in WEEKDAYS:
        rates = np.array(arrivals.rates_on(weekday))
        edges = np.arange(len(rates) + 1) * arrivals.interval_s
        cumulative = np.concatenate([[0.0], np.cumsum(rates * arrivals.interval_s)])
        per_day.append(np.diff(np.interp(grid, edges, cumulative)) / WEEK_INTERVAL_S)
    return np.concatenate(per_day)


def _covered(starts_s: NDArray[np.floating[Any]], start_s: float, end_s: float) -> NDArray[np.float64]:
    """Return the share of each half-hour that begins at `starts_s` which lies between `start_s` and `end_s`."""
    overlap_s = np.minimum(starts_s + WEEK_INTERVAL_S, end_s) - np.maximum(starts_s, start_s)
    return np.clip(overlap_s, 0.0, None) / WEEK_INTERVAL_S


def planned_reps(scenario: Scenario, count_absence: bool = False) -> NDArray[np.float64]:
    """Return the mean number of reps on shift [336] in each half-hour of the week, Sunday first: those on the plan, or
    those to be expected of them."""
    planned = np.zeros(N_WEEK_INTERVALS)
    starts = np.arange(N_WEEK_INTERVALS) * WEEK_INTERVAL_S
    for group in scenario.groups:
        if group.shifts is None:
            planned += group.count
            continue
        covered, paused = np.zeros(N_WEEK_INTERVALS), np.zeros(N_WEEK_INTERVALS)
        for shift in group.shifts:
            for start_s, end_s in shift.spans_s(WEEKDAYS[0], 7):
                covered += _covered(starts, start_s, end_s)
                for pause in shift.breaks:
                    for pause_start_s, pause_end_s in pause.spans_s(shift, start_s, group.count):
                        paused += _covered(starts, pause_start_s, pause_end_s)
        present_frac = 1.0 - group.absence_prob if count_absence else 1.0
        planned += present_frac * np.maximum(group.count * np.minimum(covered, 1.0) - paused, 0.0)
    return planned


def spare_reps(scenario: Scenario) -> NDArray[np.float64]:
    """Return the reps left for a backlog [336] in each half-hour of the week, Sunday first.

    Planned reps less the mean real-time load of the half-hour, at least a tenth of them; of these the share that the
    week's new deferred work does not need, again at least a tenth. So work left for later pays for the work that it
    will delay.
    """
    planned = planned_reps(scenario, count_absence=True)
    real_time, deferred = np.zeros(N_WEEK_INTERVALS), 0.0
    for channel in scenario.channels:
        handle_s = channel.mean_rep_time_s * scenario.attention_frac(channel)
        load = week_forecast(scenario, channel) * handle_s / HOUR_S
        if channel.is_real_time:
            real_time += load
        else:
            deferred += float(load.mean())
    spare = np.maximum(planned - real_time, 0.1 * planned)
    return spare * max(1.0 - deferred / max(float(spare.mean()), 1e-9), 0.1)
