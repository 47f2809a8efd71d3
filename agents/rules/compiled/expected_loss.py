"""The rule `expected_loss`: expected loss per hour of work, priced interruptions, and its adjustments.

Room: `agents.rules.compiled`. Reads one observation; changes nothing.

`agents.rules.compiled.adjustments` has their table; `agents.learning.expected_loss_prior` is the torch form of both,
tested equal.
"""

import math

import numpy as np

from agents.rules.compiled.adjustments import (
    A_ASSIGN,
    A_CHANNEL_INDEX,
    A_CHANNEL_INTERRUPT_PRICE,
    A_CHANNEL_RESERVE,
    A_DEFERRED,
    A_DUE_SCALE,
    A_IDLE,
    A_INTERRUPT_DUE_SCALE,
    A_INTERRUPT_GAIN,
    A_INTERRUPT_PRICE,
    A_INTERRUPT_REP_HOUR,
    A_INTERRUPT_VALUE,
    A_OFFER,
    A_OFFER_BENEFIT,
    A_REAL_TIME,
    A_REP,
    A_RESERVE_BY_STAKE,
    A_RESERVE_DEFERRED,
    A_RESERVE_REAL_TIME,
    A_RESERVE_URGENT,
    A_RESUME,
    N_ADJUSTMENTS,
    N_CHANNEL_ADJUSTMENTS,
    STAKE_UNIT_USD,
    assign_features,
    deferred_features,
    gain_features,
    limited,
    log_stake,
    of_channel,
    offer_features,
    price_features,
    real_time_features,
    rep_features,
    reserve_features,
    see_surroundings,
    weigh,
)
from agents.rules.compiled.formulas import index_of
from agents.rules.compiled.reading import queue_field, starts_work
from envs.interface.actions import (
    ASSIGN,
    HOLD,
    INTERRUPT,
    LONGEST_IDLE,
    OFFER_CALLBACK,
    SERVE,
    WAIT,
)
from envs.interface.fields import (
    C_ABANDON_RATE,
    C_ACCEPT,
    C_ACTION_COST,
    C_CHANNEL,
    C_DISTURBED_CHANNEL,
    C_DISTURBED_ERROR,
    C_DISTURBED_PROGRESS,
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
    Q_REPS_FREE,
)
from envs.interface.units import HOUR_S
from envs.simulator.machine.compilation import compiled

DUE_SCALE_H = 1.0
"""Scale of the apparent tardiness form, hours: due times further off than a few of these hardly count."""
REP_HOUR_USD = 60.0
"""What an hour of a rep's time is worth to the interruption price of `expected_loss`, USD."""
RESERVE_UNIT_REPS = 3.0
"""Reps of a reserve of 1."""
RESERVE_PER_STAKE_REPS = 1.5
"""Reps per factor e of the stake, of `reserve_by_stake` 1."""
RESERVE_WHEN_DUE_REPS = 2.0
"""Reps less, of `reserve_urgent` 1, for overdue contacts; of others per factor e of the stake as their time comes."""
URGENT_H = 3.0
"""Scale of the time to the due time within which deferred work is urgent, hours."""
HELD_SCORE = -10.0
"""Score of starting a contact of which reps are kept free: below `wait`, by a margin."""
HOLD_SCORE, NO_HOLD_SCORE = 1e-3, -1.0
"""Scores of `hold` where reps are kept free of the contact, and elsewhere: just above `wait`, so that whatever gains
anything goes before it, and below it by a margin."""
IDLE_UNIT_USD_PER_HOUR = 10.0
ASSIGN_UNIT = 2.0
"""Of the adjustments of `assign`, in the score of a rep: enough that one outweighs who was idle longest."""
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
def base_start(layout):
    """Return the place in the settings behind the adjustments: there begin the settings of the index rule whose ranking
    is adjusted (`agents.rules.compiled.formulas`); none follow where it is the rule's own."""
    return N_ADJUSTMENTS + layout.real_time.shape[0] * N_CHANNEL_ADJUSTMENTS


@compiled
def base_index(base, row, due_scale_h):
    """Return the index of a candidate row that the adjustments change: that of `base`, settings of an index rule, else
    (`base` is empty) `index_per_hour`. With a trifle for age, as there."""
    if base.shape[0] == 0:
        return index_per_hour(row, due_scale_h)
    return index_of(base, int(row[C_CHANNEL]) - 1, row) + 1e-3 + 1e-9 * row[C_WAITED]


@compiled
def caller_loss_usd(row, release_per_hour):
    """Return the expected loss, USD, of the caller of a candidate row until a rep would come free by itself:
    exponential competition of abandonment and release."""
    competing_per_hour = row[C_ABANDON_RATE] + max(release_per_hour, 1e-6)
    return (row[C_STAKE] * row[C_ABANDON_RATE] + row[C_LOSS_RATE]) / competing_per_hour


@compiled
def interruption_price_usd(row, rep_hour_usd, due_scale_h):
    """Return the price of an `interrupt` row, USD: its direct cost, the likelier error, the pick-up time at
    `rep_hour_usd`, and the disturbed work's stake discounted by its slack over `due_scale_h`."""
    slack_h = max((row[C_DISTURBED_SLACK] - row[C_PICK_UP] - row[C_EXPECTED_WORK]) / HOUR_S, 0.0)
    price = row[C_ACTION_COST] + row[C_DISTURBED_ERROR] + row[C_PICK_UP] / HOUR_S * rep_hour_usd
    return price + row[C_DISTURBED_STAKE] * math.exp(-slack_h / due_scale_h)


@compiled
def reserve_reps(row, around, adjustment):
    """Return how many reps with the skill are kept free of the contact of a candidate row: it is started only while
    more than so many are. A negative number keeps none free; `docs/policies.md` writes the formula out.

    Real-time contacts: trunk reservation, whose level falls with the logarithm of the stake; that more reps are kept
    free of customers who are worth less is optimal for one class of servers (Miller 1969, Management Science 16(3)).
    Deferred ones: a blending threshold (Bhulai and Koole 2003, IEEE Transactions on Automatic Control 48(8)) that moves
    with the load, and falls as the due time comes.
    """
    own = of_channel(adjustment, row[C_CHANNEL], A_CHANNEL_RESERVE)
    features = reserve_features(around)
    if row[C_REAL_TIME]:
        reserve = RESERVE_UNIT_REPS * (weigh(adjustment, A_RESERVE_REAL_TIME, features) + own)
        return reserve - RESERVE_PER_STAKE_REPS * adjustment[A_RESERVE_BY_STAKE] * log_stake(row)
    urgency = 1.0
    if not row[C_OVERDUE]:
        slack_h = max(row[C_SLACK] / HOUR_S, 0.0)
        urgency = math.exp(-slack_h / URGENT_H) * math.log(1.0 + row[C_STAKE] / STAKE_UNIT_USD)
    reserve = RESERVE_UNIT_REPS * (weigh(adjustment, A_RESERVE_DEFERRED, features) + own)
    return reserve - RESERVE_WHEN_DUE_REPS * adjustment[A_RESERVE_URGENT] * urgency


@compiled
def _is_held(center, row, around, adjustment):
    """Return True if the contact of a candidate row is not to be started now: too few reps with its skill are free."""
    reserve = reserve_reps(row, around, adjustment)
    return reserve > 0.0 and queue_field(center, int(row[C_CHANNEL]) - 1, Q_REPS_FREE) <= reserve


@compiled
def _log_factor(row, kind, adjustment):
    """Return the logarithm of the factor by which the adjustments change the index of the contact of a candidate row of
    an action of `kind`, `SERVE`, `RESUME` or `TAKE_OVER`."""
    if row[C_REAL_TIME]:
        factor = weigh(adjustment, A_REAL_TIME, real_time_features(row))
        constant = adjustment[A_REAL_TIME]
    else:
        factor = weigh(adjustment, A_DEFERRED, deferred_features(row))
        constant = adjustment[A_DEFERRED]
    if kind != SERVE:  # suspended work has a constant of its own
        factor += adjustment[A_RESUME] - constant
    factor += weigh(adjustment, A_REP, rep_features(row))
    return limited(factor + of_channel(adjustment, row[C_CHANNEL], A_CHANNEL_INDEX))


@compiled
def _score_idle(center, around, adjustment):
    """Return the score of `wait` for a free rep."""
    last = 1.0 if center[G_FREE] <= 1.0 else 0.0
    second = 1.0 if center[G_FREE] == 2.0 else 0.0
    idle = weigh(adjustment, A_IDLE, (last, second, last * around.forecast_per_hour / 100.0))
    # Below every index anyway, and above what is held.
    return max(IDLE_SCORE + IDLE_UNIT_USD_PER_HOUR * idle, IDLE_SCORE)


@compiled
def _score_interruption(row, around, release_per_hour, adjustment):
    """Return what an interruption gains less its price, USD."""
    gain = limited(weigh(adjustment, A_INTERRUPT_GAIN, gain_features(row, around)))
    price = weigh(adjustment, A_INTERRUPT_PRICE, price_features(row[C_DISTURBED_PROGRESS], around))
    price = limited(price + of_channel(adjustment, row[C_DISTURBED_CHANNEL], A_CHANNEL_INTERRUPT_PRICE))
    rep_hour_usd = REP_HOUR_USD * math.exp(limited(adjustment[A_INTERRUPT_REP_HOUR]))
    due_scale_h = DUE_SCALE_H * math.exp(limited(adjustment[A_INTERRUPT_DUE_SCALE]))
    return (
        caller_loss_usd(row, release_per_hour) * math.exp(gain)
        - interruption_price_usd(row, rep_hour_usd, due_scale_h) * math.exp(price)
        + VALUE_UNIT_USD * adjustment[A_INTERRUPT_VALUE]
    )


@compiled
def _score_offer(row, around, release_per_hour, adjustment):
    """Return the score of a callback offer."""
    benefit_usd = row[C_ACCEPT] * caller_loss_usd(row, release_per_hour) - row[C_ACTION_COST]
    value = weigh(adjustment, A_OFFER, offer_features(row, around))
    return OFFER_SCORE + adjustment[A_OFFER_BENEFIT] * benefit_usd + VALUE_UNIT_USD * value


@compiled
def score_expected_loss(layout, center, candidates, mask, adjustment, scores):
    """Write the score of every open action of the rule `expected_loss`; masked ones get -inf. Largest is best.

    For a rep: the index of each contact (`base_index`), `IDLE_SCORE` for `wait`, so work is never held back. For a
    waiting contact with a free rep: `hold` where a reserve keeps reps free of it, `assign` where there are reps for all
    waiting, else the rep is asked and picks by index. Without a free rep: each interruption's gain (the caller's
    expected loss) less its price, against 0 for `wait`; callbacks are never offered. A non-zero `adjustment`
    (`agents.rules.compiled.adjustments`) changes these scores; behind the adjustments stands the base (`base_start`).
    """
    around = see_surroundings(layout, center)
    base = adjustment[base_start(layout) :]
    is_queue = 1.0 if around.n_waiting > center[G_FREE] else 0.0
    assign_score = 1.0 - 2.0 * is_queue
    release_per_hour = center[G_RELEASE_RATE]
    due_scale_h = DUE_SCALE_H * math.exp(limited(adjustment[A_DUE_SCALE]))
    for action in range(mask.shape[0]):
        scores[action] = -np.inf
        if not mask[action]:
            continue
        kind = layout.kind[action]
        row = candidates[action]
        if (starts_work(kind) or kind == ASSIGN) and _is_held(center, row, around, adjustment):
            scores[action] = HELD_SCORE
        elif kind == HOLD:
            scores[action] = HOLD_SCORE if _is_held(center, row, around, adjustment) else NO_HOLD_SCORE
        elif starts_work(kind):
            scores[action] = base_index(base, row, due_scale_h) * math.exp(_log_factor(row, kind, adjustment))
        elif kind == ASSIGN:
            score = assign_score if layout.lens[action] == LONGEST_IDLE else 0.5 * assign_score - 0.5
            scores[action] = score + ASSIGN_UNIT * weigh(adjustment, A_ASSIGN, assign_features(row, is_queue))
        elif kind == INTERRUPT:
            scores[action] = _score_interruption(row, around, release_per_hour, adjustment)
        elif kind == OFFER_CALLBACK:
            scores[action] = _score_offer(row, around, release_per_hour, adjustment)
        else:
            scores[action] = 0.0 if center[G_SUBJECT_IS_CONTACT] else _score_idle(center, around, adjustment)


@compiled
def expected_loss(layout, center, candidates, mask, adjustment, scores):
    """Return the index of the open action with the largest score of `score_expected_loss`; overwrites
    `scores`."""
    score_expected_loss(layout, center, candidates, mask, adjustment, scores)
    best = WAIT
    for action in range(mask.shape[0]):
        if mask[action] and scores[action] > scores[best]:
            best = action
    return best
