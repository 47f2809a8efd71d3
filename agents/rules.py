"""Routing rules, each written once as a compiled function over one observation.

Room: `agents`. A rule sees what a learned policy sees: `center`, `candidates`, `mask`, and the fixed action layout.
Each returns the index of an open action. `agents.rule_choice` picks the rule by its code. A rule with parameters finds
them in `settings`, a line of float64.
"""

import math

import numpy as np

from envs.compilation import compiled
from envs.observation import (
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
    C_REP_AT_HOME,
    C_RETENTION,
    C_SLACK,
    C_STAKE,
    C_VALUE,
    C_WAITED,
    G_FREE,
    G_RELEASE_RATE,
    G_RESUMING,
    G_SUBJECT_IS_CONTACT,
    N_CENTER_FIELDS,
    N_QUEUE_FIELDS,
    Q_FORECAST_NOW,
    Q_MOST_VALUE,
    Q_OLDEST_WAIT,
    Q_REPS_FREE,
    Q_SUSPENDED,
    Q_WAITING,
)
from envs.state import (
    ASSIGN,
    INTERRUPT,
    LATEST_PICK_UP,
    LEAST_PROGRESS,
    LONGEST_IDLE,
    OFFER_CALLBACK,
    OLDEST,
    RESUME,
    SERVE,
    WAIT,
)

RULES = ("fifo", "voice_first", "voice_first_interrupting", "value_first", "silo", "expected_loss")
"""Names of the rules that need no settings: the baselines. The place is the code."""
(FIFO, VOICE_FIRST, VOICE_FIRST_INTERRUPTING, VALUE_FIRST, SILO, EXPECTED_LOSS) = range(len(RULES))
PRIORITY = len(RULES)
"""Code of the rule `priority`, whose settings `agents.priority` makes."""

# Settings of `priority`: the lens of `assign`, then of every queue its place in the order, how many waiting or
# suspended put it before all others, whether the most urgent goes before the oldest, the reps kept free of it, how many
# must wait to interrupt, and how many waiting an arrival must find to be offered a callback.
P_ASSIGN = 0
P_FIRST_QUEUE = 1
P_PLACE, P_FIRST_AT, P_BY_URGENCY, P_RESERVE, P_INTERRUPT_AT, P_OFFER_AT = range(6)
N_QUEUE_SETTINGS = 6

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
(
    A_REAL_TIME,
    A_DEFERRED,
    A_RESUME,
    A_DUE_SCALE,
    A_IDLE_LAST,
    A_IDLE_SECOND,
    A_IDLE_FORECAST,
    A_INTERRUPT_GAIN,
    A_INTERRUPT_PRICE,
    A_INTERRUPT_VALUE,
    A_OFFER_BENEFIT,
    A_OFFER_VALUE,
    A_OFFER_QUEUE,
) = range(len(ADJUSTMENTS))
IDLE_UNIT = 10.0
VALUE_UNIT_USD = 10.0
OFFER_SCORE = -0.15
"""Score of `offer_callback` in `expected_loss`: below `wait`, so that the rule never offers, but not by much, so that a
learner who starts from it tries."""
IDLE_SCORE = -1.0
"""Score of `wait` for a free rep in `expected_loss`: below every index, so that the rule never idles, and by a margin,
so that a prior made of it says so clearly too."""


@compiled
def queue_field(center, queue, field):
    """Return a field of the observation of `queue`."""
    return center[N_CENTER_FIELDS + queue * N_QUEUE_FIELDS + field]


@compiled
def find_action(layout, mask, kind, lens):
    """Return the first open action of this kind and lens, -1 if there is none."""
    for action in range(mask.shape[0]):
        if mask[action] and layout.kind[action] == kind and layout.lens[action] == lens:
            return action
    return -1


@compiled
def _largest(layout, candidates, mask, lens, field, real_time_only):
    """Return the open `serve` action of that lens (or `resume`) with the largest value of `field`, WAIT if none.

    The `oldest` of a queue stands for all its lenses where they mean the same contact, since it is the first name.
    """
    best = WAIT
    for action in range(mask.shape[0]):
        kind = layout.kind[action]
        if not mask[action] or (kind != SERVE and kind != RESUME):
            continue
        if kind == SERVE and layout.lens[action] != lens and layout.lens[action] != OLDEST:
            continue
        if real_time_only and not candidates[action, C_REAL_TIME]:
            continue
        if best == WAIT or candidates[action, field] > candidates[best, field]:
            best = action
    return best


@compiled
def _assign_or_wait(layout, mask):
    action = find_action(layout, mask, ASSIGN, LONGEST_IDLE)
    return action if action >= 0 else WAIT


@compiled
def fifo(layout, center, candidates, mask):
    """First come, first served over all channels; never interrupts, never offers."""
    if not center[G_SUBJECT_IS_CONTACT]:
        return _largest(layout, candidates, mask, OLDEST, C_WAITED, False)
    for queue in range(layout.real_time.shape[0]):
        if queue_field(center, queue, Q_OLDEST_WAIT) > candidates[WAIT, C_WAITED]:
            return WAIT
    return _assign_or_wait(layout, mask)


@compiled
def voice_first(layout, center, candidates, mask):
    """Real-time contacts first, oldest first; then own suspended work; then the oldest deferred contact."""
    if center[G_SUBJECT_IS_CONTACT]:
        return _assign_or_wait(layout, mask)
    action = _largest(layout, candidates, mask, OLDEST, C_WAITED, True)
    if action != WAIT:
        return action
    for action in range(mask.shape[0]):
        if mask[action] and layout.kind[action] == RESUME:
            return action
    return _largest(layout, candidates, mask, OLDEST, C_WAITED, False)


@compiled
def interrupt_or_wait(layout, center, candidates, mask):
    """Return the interruption of a rep who is picking up anyway, else of the one with the least progress, else WAIT.

    Either may be open under the name of an earlier lens only: then `picking_up` is told by the pick-up time that is not
    added, and the least progress is what `least_value_at_stake` names.
    """
    action = find_action(layout, mask, INTERRUPT, LATEST_PICK_UP)
    if action >= 0:
        return action
    first = -1
    for action in range(mask.shape[0]):
        if mask[action] and layout.kind[action] == INTERRUPT:
            if center[G_RESUMING] > 0.0 and candidates[action, C_PICK_UP] == 0.0:
                return action
            first = action if first < 0 else first
    action = find_action(layout, mask, INTERRUPT, LEAST_PROGRESS)
    return max(action if action >= 0 else first, WAIT)


@compiled
def voice_first_interrupting(layout, center, candidates, mask):
    """As `voice_first`, and a waiting call always takes a rep out of deferred work: one who is picking up anyway, else
    the one with the least progress."""
    if center[G_SUBJECT_IS_CONTACT] and find_action(layout, mask, ASSIGN, LONGEST_IDLE) < 0:
        return interrupt_or_wait(layout, center, candidates, mask)
    return voice_first(layout, center, candidates, mask)


@compiled
def _is_more_valuable(row, other):
    """Return True if `row`'s customer has more value still to lose (account value x retention) than that of `other`, or
    as much and the larger account."""
    left_usd, other_left_usd = row[C_VALUE] * row[C_RETENTION], other[C_VALUE] * other[C_RETENTION]
    return left_usd > other_left_usd or (left_usd == other_left_usd and row[C_VALUE] > other[C_VALUE])


@compiled
def value_first(layout, center, candidates, mask):
    """The largest account value still to lose first over all channels; never interrupts, never offers.

    A waiting contact knows of the others the largest account value alone, not what of it is lost already: if that may
    be more than its own, the rep is asked.
    """
    if center[G_SUBJECT_IS_CONTACT]:
        subject = candidates[WAIT]
        left_usd = subject[C_VALUE] * subject[C_RETENTION]
        left_usd = left_usd if left_usd > 0.0 else subject[C_VALUE]  # 0 too where the retention is not to be seen
        for queue in range(layout.real_time.shape[0]):
            most_usd = queue_field(center, queue, Q_MOST_VALUE)
            is_itself = queue == int(subject[C_CHANNEL]) - 1 and most_usd == subject[C_VALUE]
            if most_usd > left_usd and not is_itself:
                return WAIT
        return _assign_or_wait(layout, mask)
    best = WAIT
    for action in range(mask.shape[0]):
        kind = layout.kind[action]
        if not mask[action] or (kind != SERVE and kind != RESUME):
            continue
        if best == WAIT or _is_more_valuable(candidates[action], candidates[best]):
            best = action
    return best


@compiled
def silo(layout, center, candidates, mask):
    """Every rep serves the home channel only, oldest first: an old automatic call distributor."""
    if center[G_SUBJECT_IS_CONTACT]:
        for action in range(mask.shape[0]):
            if mask[action] and layout.kind[action] == ASSIGN and candidates[action, C_REP_AT_HOME]:
                return action
        return WAIT
    best = WAIT
    for action in range(mask.shape[0]):
        kind = layout.kind[action]
        if not mask[action] or (kind != SERVE and kind != RESUME) or not candidates[action, C_REP_AT_HOME]:
            continue
        if best == WAIT or candidates[action, C_WAITED] > candidates[best, C_WAITED]:
            best = action
    return best


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
    slack_h = max(row[C_SLACK] / 3600.0, 0.0)
    return row[C_STAKE] / due_scale_h * math.exp(-slack_h / due_scale_h)


@compiled
def index_per_hour(row, due_scale_h):
    """Return the loss rate of a candidate row per hour of its expected work (the c-mu form), with a trifle for age so
    that work without any stake is served oldest first."""
    work_h = max(row[C_EXPECTED_WORK], 1.0) / 3600.0
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
    slack_h = max((row[C_DISTURBED_SLACK] - row[C_PICK_UP] - row[C_EXPECTED_WORK]) / 3600.0, 0.0)
    price = row[C_ACTION_COST] + row[C_DISTURBED_ERROR] + row[C_PICK_UP] / 3600.0 * rep_hour_usd
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
    """The open action with the largest score of `score_expected_loss`."""
    scores = np.empty(mask.shape[0])
    score_expected_loss(layout, center, candidates, mask, adjustment, scores)
    best = WAIT
    for action in range(mask.shape[0]):
        if mask[action] and scores[action] > scores[best]:
            best = action
    return best


@compiled
def _setting(settings, queue, which):
    return settings[P_FIRST_QUEUE + queue * N_QUEUE_SETTINGS + which]


@compiled
def _is_reserved(settings, center, queue):
    """Return True if no contact of `queue` is to be started now, because too few reps with its skill would be left."""
    reserve = _setting(settings, queue, P_RESERVE)
    return reserve > 0.0 and queue_field(center, queue, Q_REPS_FREE) <= reserve


@compiled
def _place(settings, center, queue):
    """Return the place of `queue` in the order, now; the least goes first."""
    backlog = queue_field(center, queue, Q_WAITING) + queue_field(center, queue, Q_SUSPENDED)
    if backlog >= _setting(settings, queue, P_FIRST_AT):
        return -1.0
    return _setting(settings, queue, P_PLACE)


@compiled
def _is_preceded(layout, settings, center, queue, waited_s):
    """Return True if somebody is before the contact of `queue` who has waited `waited_s` seconds: older in its queue,
    or waiting in a queue of an earlier place, whether or not the same reps serve that."""
    for other in range(layout.real_time.shape[0]):
        if other == queue:
            if queue_field(center, queue, Q_OLDEST_WAIT) > waited_s:
                return True
        elif queue_field(center, other, Q_WAITING) > 0.0:
            if _place(settings, center, other) < _place(settings, center, queue):
                return True
    return False


@compiled
def _place_contact(layout, settings, center, candidates, mask):
    """Return what `priority` does with a waiting contact."""
    queue = int(candidates[WAIT, C_CHANNEL]) - 1
    waited_s = candidates[WAIT, C_WAITED]
    offer = find_action(layout, mask, OFFER_CALLBACK, -1)
    if offer >= 0 and waited_s == 0.0:
        if queue_field(center, queue, Q_WAITING) - 1.0 >= _setting(settings, queue, P_OFFER_AT):
            return offer
    if _is_preceded(layout, settings, center, queue, waited_s):
        return WAIT  # whom a free rep is to serve is settled when the rep is asked
    action = find_action(layout, mask, ASSIGN, int(settings[P_ASSIGN]))
    if action < 0:  # that lens means the same rep as the first one, or there is no free rep
        action = find_action(layout, mask, ASSIGN, LONGEST_IDLE)
    if action >= 0:
        return WAIT if _is_reserved(settings, center, queue) else action
    if queue_field(center, queue, Q_WAITING) >= _setting(settings, queue, P_INTERRUPT_AT):
        return interrupt_or_wait(layout, center, candidates, mask)
    return WAIT


@compiled
def _is_more_urgent(candidates, first, second):
    """Return True if the contact of row `first` is overdue and that of `second` is not, or has less slack."""
    if candidates[first, C_OVERDUE] != candidates[second, C_OVERDUE]:
        return candidates[first, C_OVERDUE] > candidates[second, C_OVERDUE]
    return candidates[first, C_SLACK] < candidates[second, C_SLACK]


@compiled
def priority(layout, settings, center, candidates, mask):
    """The contact of the channel with the earliest place, first come first served within it; with reservation of reps,
    interruption and callback offers as the `settings` say (`agents.priority`)."""
    if center[G_SUBJECT_IS_CONTACT]:
        return _place_contact(layout, settings, center, candidates, mask)
    best = WAIT
    best_place = np.inf
    for action in range(mask.shape[0]):
        kind = layout.kind[action]
        if not mask[action]:
            continue
        if kind == RESUME:  # before new work of the same channel
            place = _place(settings, center, int(candidates[action, C_CHANNEL]) - 1) - 0.5
        elif kind == SERVE and layout.queue[action] >= 0:
            queue = layout.queue[action]
            is_by_urgency = _setting(settings, queue, P_BY_URGENCY) > 0.0
            if _is_reserved(settings, center, queue) or (layout.lens[action] != OLDEST and not is_by_urgency):
                continue
            place = _place(settings, center, queue)
            if place == best_place and is_by_urgency and _is_more_urgent(candidates, action, best):
                best = action
        else:
            continue
        if place < best_place:
            best = action
            best_place = place
    return best
