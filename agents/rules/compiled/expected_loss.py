"""The rule `expected_loss`: expected loss per hour of work, priced interruptions, and what a learner may adjust in
them.

Room: `agents.rules.compiled`. Reads one observation; changes nothing.

`agents.learning.expected_loss_prior` is its torch form, tested equal.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from agents.rules.compiled.reading import queue_field
from envs.interface.actions import (
    ASSIGN,
    INTERRUPT,
    LONGEST_IDLE,
    OFFER_CALLBACK,
    RESUME,
    SERVE,
    WAIT,
)
from envs.interface.fields import (
    C_ABANDON_RATE,
    C_ACCEPT,
    C_ACTION_COST,
    C_CHANNEL,
    C_DISTURBED_ERROR,
    C_DISTURBED_SLACK,
    C_DISTURBED_STAKE,
    C_EXPECTED_WORK,
    C_LOSS_RATE,
    C_OVERDUE,
    C_PICK_UP,
    C_REAL_TIME,
    C_SLACK,
    C_STAKE,
    C_WAITED,
    G_FREE,
    G_RELEASE_RATE,
    G_STAFFED,
    G_SUBJECT_IS_CONTACT,
    Q_FORECAST_LATER,
    Q_FORECAST_NOW,
    Q_REPS_FREE,
    Q_WAITING,
)
from envs.interface.units import HOUR_S
from envs.simulator.machine.compilation import compiled

DUE_SCALE_H = 1.0
"""Scale of the apparent tardiness form, hours: due times further off than a few of these hardly count."""
REP_HOUR_USD = 60.0
"""What an hour of a rep's time is worth to the interruption price of `expected_loss`, USD."""
ADJUSTMENTS = (
    "real_time_index",
    "deferred_index",
    "resume_index",
    "due_scale",
    "idle_last_rep",
    "idle_second_rep",
    "idle_forecast",
    "interrupt_gain",
    "interrupt_price",
    "interrupt_value",
    "offer_benefit",
    "offer_value",
    "offer_queue",
    "real_time_stake",
    "real_time_work",
    "real_time_waited",
    "deferred_stake",
    "deferred_work",
    "deferred_overdue",
    "interrupt_price_load",
    "reserve_real_time",
    "reserve_real_time_load",
    "reserve_real_time_queue",
    "reserve_by_stake",
    "reserve_deferred",
    "reserve_deferred_load",
    "reserve_deferred_load_later",
    "reserve_deferred_queue",
    "reserve_deferred_backlog",
    "reserve_urgent",
)
"""What a learner may adjust in the rule; all 0 is the rule itself, and one is a large change of each.

* `…_index`, `due_scale`, `interrupt_gain`, `interrupt_price` are logarithms of factors.
* `real_time_…` and `deferred_…` of stake, work and wait or overdue are logarithms of factors of the index of new and
  of suspended contacts: per factor e of the stake, per factor e of expected work, per `WAITED_UNIT_S` waited up to
  three of them, and once overdue. `interrupt_price_load` is one of the price, per unit of `Surroundings.load`.
* `idle_…` add, in units of 10 USD an hour, to the score of `wait` for a free rep: if it is the last one free, the
  second last, and, for the last, per 100 calls an hour forecast.
* `interrupt_value`, `offer_value` and `offer_queue` (per caller waiting) add units of 10 USD; `offer_benefit` weighs
  what an offer saves in expectation less its price.
* `reserve_…` say how many reps are kept free of a contact (`reserve_reps`)."""
A_REAL_TIME = ADJUSTMENTS.index("real_time_index")
A_DEFERRED = ADJUSTMENTS.index("deferred_index")
A_RESUME = ADJUSTMENTS.index("resume_index")
A_DUE_SCALE = ADJUSTMENTS.index("due_scale")
A_IDLE_LAST = ADJUSTMENTS.index("idle_last_rep")
A_IDLE_SECOND = ADJUSTMENTS.index("idle_second_rep")
A_IDLE_FORECAST = ADJUSTMENTS.index("idle_forecast")
A_INTERRUPT_GAIN = ADJUSTMENTS.index("interrupt_gain")
A_INTERRUPT_PRICE = ADJUSTMENTS.index("interrupt_price")
A_INTERRUPT_VALUE = ADJUSTMENTS.index("interrupt_value")
A_OFFER_BENEFIT = ADJUSTMENTS.index("offer_benefit")
A_OFFER_VALUE = ADJUSTMENTS.index("offer_value")
A_OFFER_QUEUE = ADJUSTMENTS.index("offer_queue")
A_REAL_TIME_STAKE = ADJUSTMENTS.index("real_time_stake")
A_REAL_TIME_WORK = ADJUSTMENTS.index("real_time_work")
A_REAL_TIME_WAITED = ADJUSTMENTS.index("real_time_waited")
A_DEFERRED_STAKE = ADJUSTMENTS.index("deferred_stake")
A_DEFERRED_WORK = ADJUSTMENTS.index("deferred_work")
A_DEFERRED_OVERDUE = ADJUSTMENTS.index("deferred_overdue")
A_INTERRUPT_PRICE_LOAD = ADJUSTMENTS.index("interrupt_price_load")
A_RESERVE_REAL_TIME = ADJUSTMENTS.index("reserve_real_time")
A_RESERVE_REAL_TIME_LOAD = ADJUSTMENTS.index("reserve_real_time_load")
A_RESERVE_REAL_TIME_QUEUE = ADJUSTMENTS.index("reserve_real_time_queue")
A_RESERVE_BY_STAKE = ADJUSTMENTS.index("reserve_by_stake")
A_RESERVE_DEFERRED = ADJUSTMENTS.index("reserve_deferred")
A_RESERVE_DEFERRED_LOAD = ADJUSTMENTS.index("reserve_deferred_load")
A_RESERVE_DEFERRED_LOAD_LATER = ADJUSTMENTS.index("reserve_deferred_load_later")
A_RESERVE_DEFERRED_QUEUE = ADJUSTMENTS.index("reserve_deferred_queue")
A_RESERVE_DEFERRED_BACKLOG = ADJUSTMENTS.index("reserve_deferred_backlog")
A_RESERVE_URGENT = ADJUSTMENTS.index("reserve_urgent")
STAKE_UNIT_USD = 10.0
"""Stakes are weighed by their logarithm, against this one."""
WORK_UNIT_S = 300.0
WAITED_UNIT_S = 60.0
LOAD_UNIT_PER_HOUR = 10.0
"""Real-time arrivals an hour forecast for each rep staffed that make a load of 1."""
HALF_QUEUE = 2.0
"""So many contacts make half of the most that a queue counts."""
RESERVE_UNIT_REPS = 3.0
"""Reps of a reserve of 1."""
RESERVE_PER_STAKE_REPS = 1.5
"""Reps per factor e of the stake, of `reserve_by_stake` 1."""
RESERVE_WHEN_DUE_REPS = 2.0
"""Reps less, of `reserve_urgent` 1, for overdue contacts; of others per factor e of the stake as their time comes."""
URGENT_H = 3.0
"""Scale of the time to the due time within which deferred work is urgent, hours."""
MOST_LOG_FACTOR = 30.0
"""Ends of the logarithm of an index's factor: beyond them float32, in which networks compute, would overflow."""
HELD_SCORE = -10.0
"""Score of starting a contact of which reps are kept free: below `wait`, by a margin."""
IDLE_UNIT = 10.0
VALUE_UNIT_USD = 10.0
OFFER_SCORE = -0.15
"""Score of `offer_callback` in `expected_loss`: below `wait`, so that the rule never offers, but not by much, so that a
learner who starts from it tries."""
IDLE_SCORE = -1.0
"""Score of `wait` for a free rep in `expected_loss`: below every index, so that the rule never idles, and by a margin,
so that a prior made of it says so clearly too."""


@compiled
def loss_rate_usd_per_hour(row, due_scale_h):
    """Return how fast the contact of a candidate row loses money while it waits, USD per hour.

    Real-time: stake times the rate of abandonment, plus the loss by waiting once past the threshold. Deferred: the
    apparent tardiness form (Vepsalainen and Morton 1987, Management Science 33(8), eq. 2, with the exponential
    look-ahead) stake / K exp(-slack / K), K = `due_scale_h`; once overdue the loss per hour overdue.
    """
    if row[C_REAL_TIME]:
        rate = row[C_STAKE] * row[C_ABANDON_RATE]
        if row[C_SLACK] < 0.0:
            rate += row[C_LOSS_RATE]
        return rate
    if row[C_OVERDUE]:
        return row[C_LOSS_RATE]
    slack_h = max(row[C_SLACK] / HOUR_S, 0.0)
    return row[C_STAKE] / due_scale_h * math.exp(-slack_h / due_scale_h)


@compiled
def index_per_hour(row, due_scale_h):
    """Return the loss rate of a candidate row per hour of its expected work (the c-mu form), with a trifle for age so
    that work without any stake is served oldest first."""
    work_h = max(row[C_EXPECTED_WORK], 1.0) / HOUR_S
    return loss_rate_usd_per_hour(row, due_scale_h) / work_h + 1e-3 + 1e-9 * row[C_WAITED]


@compiled
def caller_loss_usd(row, release_per_hour):
    """Return the expected loss, USD, of the caller of a candidate row until a rep would come free by itself:
    exponential competition of abandonment and release."""
    competing_per_hour = row[C_ABANDON_RATE] + max(release_per_hour, 1e-6)
    return (row[C_STAKE] * row[C_ABANDON_RATE] + row[C_LOSS_RATE]) / competing_per_hour


@compiled
def interruption_price_usd(row, rep_hour_usd):
    """Return the price of an `interrupt` row, USD: its direct cost, the likelier error, the pick-up time at
    `rep_hour_usd`, and the disturbed work's stake discounted by its slack."""
    slack_h = max((row[C_DISTURBED_SLACK] - row[C_PICK_UP] - row[C_EXPECTED_WORK]) / HOUR_S, 0.0)
    price = row[C_ACTION_COST] + row[C_DISTURBED_ERROR] + row[C_PICK_UP] / HOUR_S * rep_hour_usd
    return price + row[C_DISTURBED_STAKE] * math.exp(-slack_h / DUE_SCALE_H)


class Surroundings(NamedTuple):
    """What the adjustments see of the center, as numbers, or for a batch as tensors.

    Attributes:
        n_waiting: real-time contacts waiting.
        forecast_per_hour: real-time arrivals forecast.
        load, load_later: real-time arrivals an hour forecast for each rep staffed, now and in an hour, in units of
            `LOAD_UNIT_PER_HOUR`.
        queue: real-time contacts waiting, n / (2 + n).
        backlog: deferred contacts waiting for each rep staffed, b / (2 + b).
    """

    n_waiting: Any
    forecast_per_hour: Any
    load: Any
    load_later: Any
    queue: Any
    backlog: Any


@compiled
def see_surroundings(layout, center):
    """Return the `Surroundings` that `center` tells."""
    n_waiting, forecast, later, n_deferred = 0.0, 0.0, 0.0, 0.0
    for queue in range(layout.real_time.shape[0]):
        if layout.real_time[queue]:
            n_waiting += queue_field(center, queue, Q_WAITING)
            forecast += queue_field(center, queue, Q_FORECAST_NOW)
            later += queue_field(center, queue, Q_FORECAST_LATER)
        else:
            n_deferred += queue_field(center, queue, Q_WAITING)
    staffed = max(center[G_STAFFED], 1.0)
    backlog = n_deferred / staffed
    return Surroundings(
        n_waiting,
        forecast,
        forecast / staffed / LOAD_UNIT_PER_HOUR,
        later / staffed / LOAD_UNIT_PER_HOUR,
        n_waiting / (HALF_QUEUE + n_waiting),
        backlog / (HALF_QUEUE + backlog),
    )


@compiled
def reserve_reps(row, around, adjustment):
    """Return how many reps with the skill are kept free of the contact of a candidate row: it is started only while
    more than so many are. A negative number keeps none free; `docs/policies.md` writes the formula out.

    Real-time contacts: trunk reservation, whose level falls with the logarithm of the stake; that more reps are kept
    free of customers who are worth less is optimal for one class of servers (Miller 1969, Management Science 16(3)).
    Deferred ones: a blending threshold (Bhulai and Koole 2003, IEEE Transactions on Automatic Control 48(8)) that moves
    with the load, and falls as the due time comes.
    """
    if row[C_REAL_TIME]:
        reserve = adjustment[A_RESERVE_REAL_TIME] + adjustment[A_RESERVE_REAL_TIME_LOAD] * around.load
        reserve += adjustment[A_RESERVE_REAL_TIME_QUEUE] * around.queue
        by_stake = adjustment[A_RESERVE_BY_STAKE] * math.log((row[C_STAKE] + 1.0) / STAKE_UNIT_USD)
        return RESERVE_UNIT_REPS * reserve - RESERVE_PER_STAKE_REPS * by_stake
    reserve = adjustment[A_RESERVE_DEFERRED] + adjustment[A_RESERVE_DEFERRED_LOAD] * around.load
    reserve += adjustment[A_RESERVE_DEFERRED_LOAD_LATER] * around.load_later
    reserve += adjustment[A_RESERVE_DEFERRED_QUEUE] * around.queue
    reserve += adjustment[A_RESERVE_DEFERRED_BACKLOG] * around.backlog
    urgency = 1.0
    if not row[C_OVERDUE]:
        slack_h = max(row[C_SLACK] / HOUR_S, 0.0)
        urgency = math.exp(-slack_h / URGENT_H) * math.log(1.0 + row[C_STAKE] / STAKE_UNIT_USD)
    return RESERVE_UNIT_REPS * reserve - RESERVE_WHEN_DUE_REPS * adjustment[A_RESERVE_URGENT] * urgency


@compiled
def _is_held(center, row, around, adjustment):
    """Return True if the contact of a candidate row is not to be started now: too few reps with its skill are free."""
    reserve = reserve_reps(row, around, adjustment)
    return reserve > 0.0 and queue_field(center, int(row[C_CHANNEL]) - 1, Q_REPS_FREE) <= reserve


@compiled
def _log_factor(row, adjustment):
    """Return the logarithm, within `MOST_LOG_FACTOR`, of the factor by which the adjustments change the index of the
    contact of a candidate row: the sum of adjustments times ln((stake + 1 USD) / `STAKE_UNIT_USD`), ln(work /
    `WORK_UNIT_S`) and, of real-time contacts, minutes waited up to three, of deferred ones 1 once overdue."""
    log_stake = math.log((row[C_STAKE] + 1.0) / STAKE_UNIT_USD)
    log_work = math.log(max(row[C_EXPECTED_WORK], 1.0) / WORK_UNIT_S)
    if row[C_REAL_TIME]:
        factor = adjustment[A_REAL_TIME_STAKE] * log_stake + adjustment[A_REAL_TIME_WORK] * log_work
        factor += adjustment[A_REAL_TIME_WAITED] * min(row[C_WAITED] / WAITED_UNIT_S, 3.0)
        return min(max(factor, -MOST_LOG_FACTOR), MOST_LOG_FACTOR)
    factor = adjustment[A_DEFERRED_STAKE] * log_stake + adjustment[A_DEFERRED_WORK] * log_work
    factor += adjustment[A_DEFERRED_OVERDUE] * row[C_OVERDUE]
    return min(max(factor, -MOST_LOG_FACTOR), MOST_LOG_FACTOR)


@compiled
def _score_idle(center, around, adjustment):
    """Return the score of `wait` for a free rep."""
    score = IDLE_SCORE
    if center[G_FREE] <= 1.0:
        forecast = around.forecast_per_hour / 100.0
        score += IDLE_UNIT * (adjustment[A_IDLE_LAST] + adjustment[A_IDLE_FORECAST] * forecast)
    elif center[G_FREE] == 2.0:
        score += IDLE_UNIT * adjustment[A_IDLE_SECOND]
    return max(score, IDLE_SCORE)  # below every index anyway, and above what is held


@compiled
def score_expected_loss(layout, center, candidates, mask, adjustment, scores):
    """Write the score of every open action of the rule `expected_loss`; masked ones get -inf. Largest is best.

    For a rep: the index of each contact, `IDLE_SCORE` for `wait`, so work is never held back. For a waiting contact
    with a free rep: `assign` where there are reps for all waiting, else the rep is asked and picks by index. Without a
    free rep: each interruption's gain (the caller's expected loss) less its price, against 0 for `wait`; callbacks are
    never offered. A non-zero `adjustment` (`ADJUSTMENTS`) changes these scores.
    """
    around = see_surroundings(layout, center)
    assign_score = 1.0 if around.n_waiting <= center[G_FREE] else -1.0
    release_per_hour = center[G_RELEASE_RATE]
    due_scale_h = DUE_SCALE_H * math.exp(adjustment[A_DUE_SCALE])
    price_factor = math.exp(adjustment[A_INTERRUPT_PRICE] + adjustment[A_INTERRUPT_PRICE_LOAD] * around.load)
    for action in range(mask.shape[0]):
        scores[action] = -np.inf
        if not mask[action]:
            continue
        kind = layout.kind[action]
        row = candidates[action]
        if (kind == SERVE or kind == RESUME or kind == ASSIGN) and _is_held(center, row, around, adjustment):
            scores[action] = HELD_SCORE
        elif kind == SERVE or kind == RESUME:
            factor = adjustment[A_REAL_TIME] if row[C_REAL_TIME] else adjustment[A_DEFERRED]
            factor = adjustment[A_RESUME] if kind == RESUME else factor
            factor += _log_factor(row, adjustment)
            scores[action] = index_per_hour(row, due_scale_h) * math.exp(factor)
        elif kind == ASSIGN:
            scores[action] = assign_score if layout.lens[action] == LONGEST_IDLE else 0.5 * assign_score - 0.5
        elif kind == INTERRUPT:
            scores[action] = (
                caller_loss_usd(row, release_per_hour) * math.exp(adjustment[A_INTERRUPT_GAIN])
                - interruption_price_usd(row, REP_HOUR_USD) * price_factor
                + VALUE_UNIT_USD * adjustment[A_INTERRUPT_VALUE]
            )
        elif kind == OFFER_CALLBACK:
            benefit_usd = row[C_ACCEPT] * caller_loss_usd(row, release_per_hour) - row[C_ACTION_COST]
            scores[action] = (
                OFFER_SCORE
                + adjustment[A_OFFER_BENEFIT] * benefit_usd
                + VALUE_UNIT_USD * (adjustment[A_OFFER_VALUE] + adjustment[A_OFFER_QUEUE] * around.n_waiting)
            )
        else:
            scores[action] = 0.0 if center[G_SUBJECT_IS_CONTACT] else _score_idle(center, around, adjustment)


@compiled
def expected_loss(layout, center, candidates, mask, adjustment):
    """Return the index of the open action with the largest score of `score_expected_loss`."""
    scores = np.empty(mask.shape[0])
    score_expected_loss(layout, center, candidates, mask, adjustment, scores)
    best = WAIT
    for action in range(mask.shape[0]):
        if mask[action] and scores[action] > scores[best]:
            best = action
    return best
