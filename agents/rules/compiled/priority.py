"""The rule `priority`: channels in an order, with reservation, interruption and callback offers.

Room: `agents.rules.compiled`. Reads one observation and the line of `settings` that `agents.rules.priority_rule`
makes.
"""

import numpy as np

from agents.rules.compiled.reading import (
    find_action,
    interrupt_or_wait,
    is_kept_for_others,
    queue_field,
    starts_work,
)
from envs.interface.actions import (
    ASSIGN,
    LONGEST_IDLE,
    OFFER_CALLBACK,
    OLDEST,
    RESUME,
    TAKE_OVER,
    WAIT,
)
from envs.interface.fields import (
    C_CHANNEL,
    C_OVERDUE,
    C_SLACK,
    C_WAITED,
    G_SUBJECT_IS_CONTACT,
    Q_OLDEST_WAIT,
    Q_REPS_FREE,
    Q_SUSPENDED,
    Q_WAITING,
)
from envs.simulator.machine.compilation import compiled

# Settings of `priority`: the lens of `assign`, then of every queue its place in the order, how many waiting or
# suspended put it before all others, whether the most urgent goes before the oldest, the reps kept free of it, how many
# must wait to interrupt, how many waiting an arrival must find to be offered a callback, and the reps with its skill
# who are kept free of all others.
P_ASSIGN = 0
P_FIRST_QUEUE = 1
P_PLACE, P_FIRST_AT, P_BY_URGENCY, P_RESERVE, P_INTERRUPT_AT, P_OFFER_AT, P_KEEP_FREE = range(7)
N_QUEUE_SETTINGS = 7


@compiled
def _setting(settings, queue, which):
    """Return the setting `which`, a P_ code of those from P_PLACE on, of `queue`, the channel's number."""
    return settings[P_FIRST_QUEUE + queue * N_QUEUE_SETTINGS + which]


@compiled
def _is_reserved(settings, center, queue):
    """Return True if no contact of `queue`, the channel's number, is to be started now, because too few reps with its
    skill would be left."""
    reserve = _setting(settings, queue, P_RESERVE)
    return reserve > 0.0 and queue_field(center, queue, Q_REPS_FREE) <= reserve


@compiled
def _is_kept(layout, settings, center, row):
    """Return True if the free rep of `row`, a row of `candidates`, is kept free of the row's contact for other
    queues."""
    return is_kept_for_others(layout, settings, P_FIRST_QUEUE + P_KEEP_FREE, N_QUEUE_SETTINGS, center, row)


@compiled
def _find_rep(layout, settings, center, candidates, mask):
    """Return the index of the open `assign` of the lens of the settings, else of the rep idle longest; where that rep
    is kept free for other queues, of the first one who is not; WAIT if all of them are, -1 if no rep is free."""
    chosen = find_action(layout, mask, ASSIGN, int(settings[P_ASSIGN]))
    if chosen < 0:  # that lens means the same rep as the first one, or there is no free rep
        chosen = find_action(layout, mask, ASSIGN, LONGEST_IDLE)
    if chosen < 0 or not _is_kept(layout, settings, center, candidates[chosen]):
        return chosen
    for action in range(mask.shape[0]):
        if (
            mask[action]
            and layout.kind[action] == ASSIGN
            and not _is_kept(layout, settings, center, candidates[action])
        ):
            return action
    return WAIT


@compiled
def _place(settings, center, queue):
    """Return the place in the order, now, of `queue`, the channel's number; the least goes first, -1 before all
    others."""
    backlog = queue_field(center, queue, Q_WAITING) + queue_field(center, queue, Q_SUSPENDED)
    if backlog >= _setting(settings, queue, P_FIRST_AT):
        return -1.0
    return _setting(settings, queue, P_PLACE)


@compiled
def _is_preceded(layout, settings, center, queue, waited_s):
    """Return True if somebody is before the contact of `queue`, the channel's number, who has waited `waited_s`
    seconds: older in its queue, or waiting in a queue of an earlier place, whether or not the same reps serve that."""
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
    """Return the index of the action of `priority` for the waiting contact that is the subject."""
    queue = int(candidates[WAIT, C_CHANNEL]) - 1
    waited_s = candidates[WAIT, C_WAITED]
    offer = find_action(layout, mask, OFFER_CALLBACK, -1)
    if offer >= 0 and waited_s == 0.0:
        if queue_field(center, queue, Q_WAITING) - 1.0 >= _setting(settings, queue, P_OFFER_AT):
            return offer
    if _is_preceded(layout, settings, center, queue, waited_s):
        return WAIT  # whom a free rep is to serve is settled when the rep is asked
    action = _find_rep(layout, settings, center, candidates, mask)
    if action >= 0:
        return WAIT if _is_reserved(settings, center, queue) else action
    if queue_field(center, queue, Q_WAITING) >= _setting(settings, queue, P_INTERRUPT_AT):
        return interrupt_or_wait(layout, center, candidates, mask)
    return WAIT


@compiled
def _is_more_urgent(candidates, first, second):
    """Return True if the contact of row `first` of `candidates`, an action's index, is overdue and that of row `second`
    is not, or, if both are or neither is, has less slack."""
    if candidates[first, C_OVERDUE] != candidates[second, C_OVERDUE]:
        return candidates[first, C_OVERDUE] > candidates[second, C_OVERDUE]
    return candidates[first, C_SLACK] < candidates[second, C_SLACK]


@compiled
def priority(layout, settings, center, candidates, mask):
    """Return the index of the action that serves the contact of the channel with the earliest place, first come first
    served within it; with reservation of reps, interruption and callback offers as the `settings` say
    (`agents.rules.priority_rule`)."""
    if center[G_SUBJECT_IS_CONTACT]:
        return _place_contact(layout, settings, center, candidates, mask)
    best = WAIT
    best_place = np.inf
    for action in range(mask.shape[0]):
        kind = layout.kind[action]
        if not mask[action] or not starts_work(kind):
            continue
        if _is_kept(layout, settings, center, candidates[action]):
            continue
        if kind == RESUME:  # before new work of the same channel
            place = _place(settings, center, int(candidates[action, C_CHANNEL]) - 1) - 0.5
        elif kind == TAKE_OVER:  # behind own suspended work
            queue = int(candidates[action, C_CHANNEL]) - 1
            if _is_reserved(settings, center, queue):
                continue
            place = _place(settings, center, queue) - 0.25
        elif layout.queue[action] >= 0:
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
