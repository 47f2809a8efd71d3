"""What a learner may adjust in the rule `expected_loss`: one table of names, and the sums that they weigh.

Room: `agents.rules.compiled`. Reads one observation; changes nothing. The rule is
`agents.rules.compiled.expected_loss`.

Each row of `FORMS` is a weighted sum of features; an adjustment is the weight of one of them, by its place. All 0 is
the rule itself, and one is a large change of each. `docs/policies.md` writes the formulas out.
"""

import math
from typing import Any, NamedTuple

from agents.rules.compiled.reading import queue_field
from envs.interface.fields import (
    C_ABANDON_RATE,
    C_EXPECTED_WORK,
    C_OVERDUE,
    C_REP_AT_HOME,
    C_REP_IS_PREFERRED,
    C_REP_SHIFT_LEFT,
    C_REP_SKILLS,
    C_SLACK,
    C_STAKE,
    C_WAITED,
    G_STAFFED,
    Q_ARRIVED_TODAY,
    Q_EXPECTED_TODAY,
    Q_FORECAST_LATER,
    Q_FORECAST_NOW,
    Q_WAITING,
)
from envs.interface.units import HOUR_S
from envs.simulator.machine.compilation import compiled

FORMS = {
    "due_scale": ("due_scale",),
    "real_time": (
        "real_time_index",
        "real_time_stake",
        "real_time_work",
        "real_time_waited",
        "real_time_late",
        "real_time_hazard",
    ),
    "deferred": (
        "deferred_index",
        "deferred_stake",
        "deferred_work",
        "deferred_overdue",
        "deferred_within_1h",
        "deferred_within_6h",
    ),
    "resume": ("resume_index",),
    "rep": ("index_preferred", "index_home", "index_overtime"),
    "assign": ("assign_preferred", "assign_home", "assign_specialist", "assign_queue", "assign_queue_stake"),
    "idle": ("idle_last_rep", "idle_second_rep", "idle_forecast"),
    "reserve_real_time": (
        "reserve_real_time",
        "reserve_real_time_load",
        "reserve_real_time_load_later",
        "reserve_real_time_queue",
        "reserve_real_time_backlog",
        "reserve_real_time_surprise",
    ),
    "reserve_by_stake": ("reserve_by_stake",),
    "reserve_deferred": (
        "reserve_deferred",
        "reserve_deferred_load",
        "reserve_deferred_load_later",
        "reserve_deferred_queue",
        "reserve_deferred_backlog",
        "reserve_deferred_surprise",
    ),
    "reserve_urgent": ("reserve_urgent",),
    "interrupt_gain": ("interrupt_gain", "interrupt_gain_stake", "interrupt_gain_queue"),
    "interrupt_price": (
        "interrupt_price",
        "interrupt_price_load",
        "interrupt_price_queue",
        "interrupt_price_backlog",
        "interrupt_price_progress",
    ),
    "interrupt_rep_hour": ("interrupt_rep_hour",),
    "interrupt_due_scale": ("interrupt_due_scale",),
    "interrupt_value": ("interrupt_value",),
    "offer_benefit": ("offer_benefit",),
    "offer": ("offer_value", "offer_queue", "offer_load", "offer_backlog", "offer_stake", "offer_waited"),
}
"""Names of the adjustments, by the sum whose features they weigh, in the features' order."""
ADJUSTMENTS = tuple(name for names in FORMS.values() for name in names)
"""Names of all adjustments but those of a channel; the place is that in the settings of the rule."""
CHANNEL_ADJUSTMENTS = ("channel_index", "channel_reserve", "channel_interrupt_price")
"""Names of the adjustments that each channel has for itself; a block of them for each channel follows `ADJUSTMENTS`."""

A_DUE_SCALE = ADJUSTMENTS.index(FORMS["due_scale"][0])
A_REAL_TIME = ADJUSTMENTS.index(FORMS["real_time"][0])
A_DEFERRED = ADJUSTMENTS.index(FORMS["deferred"][0])
A_RESUME = ADJUSTMENTS.index(FORMS["resume"][0])
A_REP = ADJUSTMENTS.index(FORMS["rep"][0])
A_ASSIGN = ADJUSTMENTS.index(FORMS["assign"][0])
A_IDLE = ADJUSTMENTS.index(FORMS["idle"][0])
A_RESERVE_REAL_TIME = ADJUSTMENTS.index(FORMS["reserve_real_time"][0])
A_RESERVE_BY_STAKE = ADJUSTMENTS.index(FORMS["reserve_by_stake"][0])
A_RESERVE_DEFERRED = ADJUSTMENTS.index(FORMS["reserve_deferred"][0])
A_RESERVE_URGENT = ADJUSTMENTS.index(FORMS["reserve_urgent"][0])
A_INTERRUPT_GAIN = ADJUSTMENTS.index(FORMS["interrupt_gain"][0])
A_INTERRUPT_PRICE = ADJUSTMENTS.index(FORMS["interrupt_price"][0])
A_INTERRUPT_REP_HOUR = ADJUSTMENTS.index(FORMS["interrupt_rep_hour"][0])
A_INTERRUPT_DUE_SCALE = ADJUSTMENTS.index(FORMS["interrupt_due_scale"][0])
A_INTERRUPT_VALUE = ADJUSTMENTS.index(FORMS["interrupt_value"][0])
A_OFFER_BENEFIT = ADJUSTMENTS.index(FORMS["offer_benefit"][0])
A_OFFER = ADJUSTMENTS.index(FORMS["offer"][0])
# Places in the block of a channel.
A_CHANNEL_INDEX = CHANNEL_ADJUSTMENTS.index("channel_index")
A_CHANNEL_RESERVE = CHANNEL_ADJUSTMENTS.index("channel_reserve")
A_CHANNEL_INTERRUPT_PRICE = CHANNEL_ADJUSTMENTS.index("channel_interrupt_price")
N_ADJUSTMENTS = len(ADJUSTMENTS)
N_CHANNEL_ADJUSTMENTS = len(CHANNEL_ADJUSTMENTS)

STAKE_UNIT_USD = 10.0
"""Stakes are weighed by their logarithm, against this one."""
WORK_UNIT_S = 300.0
"""Work is weighed by its logarithm, against this one; and so is work done."""
WAITED_UNIT_S = 60.0
MOST_WAITED = 3.0
"""Units waited beyond which nothing is added."""
HAZARD_UNIT_PER_H = 10.0
LOAD_UNIT_PER_HOUR = 10.0
"""Real-time arrivals an hour forecast for each rep staffed that make a load of 1."""
HALF_QUEUE = 2.0
"""So many contacts, or standard deviations, make half of the most that they count."""
SOON_H = (1.0, 6.0)
"""Scales of the time to the due time in the index of deferred work, hours."""
MOST_LOG_FACTOR = 30.0
"""Ends of the logarithm of a factor: beyond them float32, in which networks compute, would overflow."""


def adjustment_names(channel_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of all adjustments of a scenario with these channels, in the order of the rule's settings; those
    of a channel are `channel_index.email` and so on."""
    return ADJUSTMENTS + tuple(f"{key}.{channel}" for channel in channel_names for key in CHANNEL_ADJUSTMENTS)


def count_adjustments(n_channels: int) -> int:
    """Return how many adjustments the rule has in a scenario of `n_channels`."""
    return N_ADJUSTMENTS + n_channels * N_CHANNEL_ADJUSTMENTS


class Surroundings(NamedTuple):
    """What the adjustments see of the center, as numbers, or for a batch as tensors.

    Attributes:
        n_waiting: real-time contacts waiting.
        forecast_per_hour: real-time arrivals forecast.
        load, load_later: real-time arrivals an hour forecast for each rep staffed, now and in an hour, in units of
            `LOAD_UNIT_PER_HOUR`.
        queue: real-time contacts waiting, n / (2 + n).
        backlog: deferred contacts waiting for each rep staffed, b / (2 + b).
        surprise: real-time arrivals since midnight less their mean, in standard deviations z of a Poisson number,
            z / (2 + |z|).
    """

    n_waiting: Any
    forecast_per_hour: Any
    load: Any
    load_later: Any
    queue: Any
    backlog: Any
    surprise: Any


@compiled
def see_surroundings(layout, center):
    """Return the `Surroundings` that `center` tells."""
    n_waiting, forecast, later, n_deferred, arrived, expected = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for queue in range(layout.real_time.shape[0]):
        if layout.real_time[queue]:
            n_waiting += queue_field(center, queue, Q_WAITING)
            forecast += queue_field(center, queue, Q_FORECAST_NOW)
            later += queue_field(center, queue, Q_FORECAST_LATER)
            arrived += queue_field(center, queue, Q_ARRIVED_TODAY)
            expected += queue_field(center, queue, Q_EXPECTED_TODAY)
        else:
            n_deferred += queue_field(center, queue, Q_WAITING)
    staffed = max(center[G_STAFFED], 1.0)
    backlog = n_deferred / staffed
    deviation = (arrived - expected) / math.sqrt(max(expected, 1.0))
    return Surroundings(
        n_waiting,
        forecast,
        forecast / staffed / LOAD_UNIT_PER_HOUR,
        later / staffed / LOAD_UNIT_PER_HOUR,
        n_waiting / (HALF_QUEUE + n_waiting),
        backlog / (HALF_QUEUE + backlog),
        deviation / (HALF_QUEUE + abs(deviation)),
    )


@compiled
def weigh(adjustment, first, features):
    """Return the sum of `features`, a tuple of numbers, each times its adjustment, the first of which is at `first`."""
    total = 0.0
    for place, feature in enumerate(features):
        total += adjustment[first + place] * feature
    return total


@compiled
def of_channel(adjustment, channel, key):
    """Return the adjustment `key`, a place in the block of a channel, of `channel`, its number from 1 on; 0 for 0,
    which is none."""
    if channel < 1.0:
        return 0.0
    return adjustment[N_ADJUSTMENTS + (int(channel) - 1) * N_CHANNEL_ADJUSTMENTS + key]


@compiled
def limited(log_factor):
    """Return the logarithm of a factor within `MOST_LOG_FACTOR`."""
    return min(max(log_factor, -MOST_LOG_FACTOR), MOST_LOG_FACTOR)


@compiled
def log_stake(row):
    """Return ln((stake + 1 USD) / `STAKE_UNIT_USD`) of a candidate row."""
    return math.log((row[C_STAKE] + 1.0) / STAKE_UNIT_USD)


@compiled
def units_waited(row):
    """Return how long the contact of a candidate row has waited, in `WAITED_UNIT_S`, `MOST_WAITED` at most."""
    return min(row[C_WAITED] / WAITED_UNIT_S, MOST_WAITED)


@compiled
def log_work(row):
    """Return ln(expected work / `WORK_UNIT_S`) of a candidate row."""
    return math.log(max(row[C_EXPECTED_WORK], 1.0) / WORK_UNIT_S)


@compiled
def real_time_features(row):
    """Return the features of the index of a caller, those of `FORMS["real_time"]`."""
    late = 1.0 if row[C_SLACK] < 0.0 else 0.0
    hazard = math.log(1.0 + row[C_ABANDON_RATE] / HAZARD_UNIT_PER_H)
    return (1.0, log_stake(row), log_work(row), units_waited(row), late, hazard)


@compiled
def deferred_features(row):
    """Return the features of the index of a deferred contact, those of `FORMS["deferred"]`."""
    slack_h = max(row[C_SLACK] / HOUR_S, 0.0)
    within_1h, within_6h = math.exp(-slack_h / SOON_H[0]), math.exp(-slack_h / SOON_H[1])
    overdue = 1.0 if row[C_OVERDUE] else 0.0
    return (1.0, log_stake(row), log_work(row), overdue, within_1h, within_6h)


@compiled
def rep_features(row):
    """Return what the rep adds to the index, the features of `FORMS["rep"]`: 1 for the customer's preferred one, for
    one at home in the channel, and where the shift, or the time until a break, ends before the work."""
    preferred = 1.0 if row[C_REP_IS_PREFERRED] else 0.0
    home = 1.0 if row[C_REP_AT_HOME] else 0.0
    overtime = 1.0 if row[C_REP_SHIFT_LEFT] < row[C_EXPECTED_WORK] else 0.0
    return (preferred, home, overtime)


@compiled
def assign_features(row, is_queue):
    """Return what speaks for an `assign` row, the features of `FORMS["assign"]`: of the rep, the third 1 / skills, so
    most for a specialist; and where `is_queue` is 1.0, not 0.0, so that more callers wait than reps are free, that
    and the contact's stake."""
    preferred = 1.0 if row[C_REP_IS_PREFERRED] else 0.0
    home = 1.0 if row[C_REP_AT_HOME] else 0.0
    return (preferred, home, 1.0 / max(row[C_REP_SKILLS], 1.0), is_queue, is_queue * log_stake(row))


@compiled
def reserve_features(around):
    """Return the features of a reserve, those of `FORMS["reserve_real_time"]` and `FORMS["reserve_deferred"]`."""
    return (1.0, around.load, around.load_later, around.queue, around.backlog, around.surprise)


@compiled
def gain_features(row, around):
    """Return the features of what an interruption gains, those of `FORMS["interrupt_gain"]`."""
    return (1.0, log_stake(row), around.queue)


@compiled
def price_features(progress_s, around):
    """Return the features of the price of an interruption, those of `FORMS["interrupt_price"]`, of work on which
    `progress_s` seconds are done."""
    return (1.0, around.load, around.queue, around.backlog, math.log(1.0 + progress_s / WORK_UNIT_S))


@compiled
def offer_features(row, around):
    """Return the features of a callback offer, those of `FORMS["offer"]`."""
    return (1.0, around.n_waiting, around.load, around.backlog, log_stake(row), units_waited(row))
