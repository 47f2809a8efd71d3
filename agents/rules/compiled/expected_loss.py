"""The rule `expected_loss`: expected loss per hour of work, priced interruptions, and what a learner may adjust in
them.

Room: `agents.rules.compiled`. Reads one observation; changes nothing.

`agents.learning.expected_loss_prior` is its torch form, tested equal.
"""

import math

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
    G_SUBJECT_IS_CONTACT,
    Q_FORECAST_NOW,
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
)
"""What a learner may adjust in the rule; all 0 is the rule itself.

The first four and `interrupt_gain`, `interrupt_price` are logarithms of factors. `idle_…` add, in units of 10 USD an
hour, to the score of `wait` for a free rep: if it is the last one free, the second last, and, for the last, per 100
calls an hour forecast. `interrupt_value`, `offer_value` and `offer_queue` (per caller waiting) add units of 10 USD;
`offer_benefit` weighs what an offer saves in expectation less its price."""
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


@compiled
def _score_idle(layout, center, adjustment):
    """Return the score of `wait` for a free rep."""
    score = IDLE_SCORE
    if center[G_FREE] <= 1.0:
        forecast = 0.0
        for queue in range(layout.real_time.shape[0]):
            if layout.real_time[queue]:
                forecast += queue_field(center, queue, Q_FORECAST_NOW)
        score += IDLE_UNIT * (adjustment[A_IDLE_LAST] + adjustment[A_IDLE_FORECAST] * forecast / 100.0)
    elif center[G_FREE] == 2.0:
        score += IDLE_UNIT * adjustment[A_IDLE_SECOND]
    return score


@compiled
def score_expected_loss(layout, center, candidates, mask, adjustment, scores):
    """Write the score of every open action of the rule `expected_loss`; masked ones get -inf. Largest is best.

    For a rep: the index of each contact, `IDLE_SCORE` for `wait`, so work is never held back. For a waiting contact
    with a free rep: `assign` where there are reps for all waiting, else the rep is asked and picks by index. Without a
    free rep: each interruption's gain (the caller's expected loss) less its price, against 0 for `wait`; callbacks are
    never offered. A non-zero `adjustment` (`ADJUSTMENTS`) changes these scores.
    """
    n_waiting = 0.0
    for queue in range(layout.real_time.shape[0]):
        if layout.real_time[queue]:
            n_waiting += queue_field(center, queue, Q_WAITING)
    assign_score = 1.0 if n_waiting <= center[G_FREE] else -1.0
    release_per_hour = center[G_RELEASE_RATE]
    due_scale_h = DUE_SCALE_H * math.exp(adjustment[A_DUE_SCALE])
    for action in range(mask.shape[0]):
        scores[action] = -np.inf
        if not mask[action]:
            continue
        kind = layout.kind[action]
        row = candidates[action]
        if kind == SERVE:
            factor = adjustment[A_REAL_TIME] if row[C_REAL_TIME] else adjustment[A_DEFERRED]
            scores[action] = index_per_hour(row, due_scale_h) * math.exp(factor)
        elif kind == RESUME:
            scores[action] = index_per_hour(row, due_scale_h) * math.exp(adjustment[A_RESUME])
        elif kind == ASSIGN:
            scores[action] = assign_score if layout.lens[action] == LONGEST_IDLE else 0.5 * assign_score - 0.5
        elif kind == INTERRUPT:
            scores[action] = (
                caller_loss_usd(row, release_per_hour) * math.exp(adjustment[A_INTERRUPT_GAIN])
                - interruption_price_usd(row, REP_HOUR_USD) * math.exp(adjustment[A_INTERRUPT_PRICE])
                + VALUE_UNIT_USD * adjustment[A_INTERRUPT_VALUE]
            )
        elif kind == OFFER_CALLBACK:
            benefit_usd = row[C_ACCEPT] * caller_loss_usd(row, release_per_hour) - row[C_ACTION_COST]
            scores[action] = (
                OFFER_SCORE
                + adjustment[A_OFFER_BENEFIT] * benefit_usd
                + VALUE_UNIT_USD * (adjustment[A_OFFER_VALUE] + adjustment[A_OFFER_QUEUE] * n_waiting)
            )
        else:
            scores[action] = 0.0 if center[G_SUBJECT_IS_CONTACT] else _score_idle(layout, center, adjustment)


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
