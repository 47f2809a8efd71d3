"""Business hours: the clock that stands still while the center is closed (D2).

Room: `envs.simulator.service`. Reads the opening hours in the parameters; changes nothing.

A due time by business hours counts the seconds in which the center is open. Work that arrives while it is closed starts
its clock at the next opening; a promise that ends with the day is due at closing time, not at the next opening.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.interface.units import WEEK_S
from envs.simulator.machine.compilation import compiled, entry_point


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
    """Return the time, seconds, that lies `promised_s` after `start_s` by the clock of `queue`, a channel's number."""
    if parameters.queues[queue].business_clock and promised_s > 0.0 and promised_s < np.inf:
        return add_business_time(parameters, start_s, promised_s)
    return start_s + promised_s


@compiled
def due_time_s(parameters, queue, start_s):
    """Return when a contact that reaches `queue`, a channel's number, at `start_s` is due, seconds, where due times are
    told; inf without a due time."""
    return add_promise(parameters, queue, start_s, parameters.queues[queue].due_after_s)


@entry_point
def write_due_times(parameters, queue, arrivals_s, dues_s):
    """Write into `dues_s` when contacts that reach `queue`, a channel's number, at `arrivals_s` are due, seconds."""
    for i in range(arrivals_s.shape[0]):
        dues_s[i] = due_time_s(parameters[0], queue, arrivals_s[i])


def due_times_s(parameters: NDArray[Any], queue: int, arrivals_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return when contacts that reach `queue` at `arrivals_s` are due, seconds; inf without a due time."""
    dues_s = np.empty(len(arrivals_s))
    write_due_times(parameters, queue, np.ascontiguousarray(arrivals_s), dues_s)
    return dues_s
