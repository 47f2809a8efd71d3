"""Business hours: the clock that stands still while the center is closed (D2).

Room: `envs`, kernel. Touches the scenario's opening hours and the parameters made of them.

A due time by business hours counts the seconds in which the center is open. Work that arrives while it is closed starts
its clock at the next opening; a promise that ends with the day is due at closing time, not at the next opening.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.compilation import compiled, entry_point
from envs.errors import ConfigurationError
from envs.scenario import DAY_S, WEEK_S, WEEKDAYS, Scenario
from envs.state import MAX_OPEN_PERIODS


def open_periods(scenario: Scenario) -> list[tuple[float, float]]:
    """Return the opening hours of a week as (start, end), seconds from Sunday midnight, in order and apart."""
    spans = []
    for hours in scenario.business_hours:
        for weekday in hours.weekdays:
            start_s = WEEKDAYS.index(weekday) * DAY_S + hours.start
            end_s = start_s - hours.start + hours.end + (DAY_S if hours.end <= hours.start else 0.0)
            spans.append((start_s, min(end_s, WEEK_S)))
            if end_s > WEEK_S:  # Saturday night
                spans.append((0.0, end_s - WEEK_S))
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


def fill_business_hours(record: Any, scenario: Scenario) -> None:
    """Write the opening hours into a record of parameters; `ConfigurationError` if they do not fit."""
    periods = open_periods(scenario)
    if len(periods) > MAX_OPEN_PERIODS:
        raise ConfigurationError(
            f"scenario {scenario.name}: business_hours make {len(periods)} periods a week: "
            f"must be at most {MAX_OPEN_PERIODS}"
        )
    record.n_open_periods = len(periods)
    for i, (start_s, end_s) in enumerate(periods):
        record.open_start_s[i] = start_s
        record.open_end_s[i] = end_s


@compiled
def add_business_time(parameters, start_s, business_s):
    """Return the time, seconds, by which the center has been open `business_s` > 0 seconds since `start_s`."""
    week_s = parameters.week_start_s + start_s
    week_s -= WEEK_S * math.floor(week_s / WEEK_S)
    week_began_s = start_s - week_s
    left_s = business_s
    while True:
        for i in range(parameters.n_open_periods):
            opens_s = max(parameters.open_start_s[i], week_s)
            open_s = parameters.open_end_s[i] - opens_s
            if open_s > 0.0:
                if left_s <= open_s:
                    return week_began_s + opens_s + left_s
                left_s -= open_s
        week_s = 0.0
        week_began_s += WEEK_S


@compiled
def add_promise(parameters, queue, start_s, promised_s):
    """Return the time, seconds, that lies `promised_s` after `start_s` by the clock of `queue`."""
    if parameters.queues[queue].business_clock and promised_s > 0.0 and promised_s < np.inf:
        return add_business_time(parameters, start_s, promised_s)
    return start_s + promised_s


@compiled
def due_time_s(parameters, queue, start_s):
    """Return when a contact that reaches `queue` at `start_s` is due, seconds, where due times are told; inf without a
    due time."""
    return add_promise(parameters, queue, start_s, parameters.queues[queue].due_after_s)


@entry_point
def write_due_times(parameters, queue, arrivals_s, dues_s):
    """Write into `dues_s` when contacts that reach `queue` at `arrivals_s` are due, seconds."""
    for i in range(arrivals_s.shape[0]):
        dues_s[i] = due_time_s(parameters[0], queue, arrivals_s[i])


def due_times_s(parameters: NDArray[Any], queue: int, arrivals_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return when contacts that reach `queue` at `arrivals_s` are due, seconds; inf without a due time."""
    dues_s = np.empty(len(arrivals_s))
    write_due_times(parameters, queue, np.ascontiguousarray(arrivals_s), dues_s)
    return dues_s
