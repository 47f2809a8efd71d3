"""Routing rules, each written once as a compiled function over one observation.

Room: `agents.rules.compiled`. A rule sees what a learned policy sees: `center`, `candidates`, `mask`, and the fixed
action layout. Each returns the index of an open action. `agents.rules.compiled.choice` picks the rule by its code. A
rule with parameters finds them in `settings`, a line of float64.
"""

from agents.rules.compiled.reading import (
    assign_or_wait,
    find_action,
    interrupt_or_wait,
    largest,
    queue_field,
    starts_work,
)
from envs.interface.actions import (
    ASSIGN,
    LONGEST_IDLE,
    RESUME,
    WAIT,
)
from envs.interface.fields import (
    C_CHANNEL,
    C_REP_AT_HOME,
    C_RETENTION,
    C_VALUE,
    C_WAITED,
    G_SUBJECT_IS_CONTACT,
    Q_MOST_VALUE,
    Q_OLDEST_WAIT,
)
from envs.simulator.machine.compilation import compiled


@compiled
def fifo(layout, center, candidates, mask):
    """Return the index of the action of first come, first served over all channels; never interrupts, never offers."""
    if not center[G_SUBJECT_IS_CONTACT]:
        return largest(layout, candidates, mask, C_WAITED, False)
    for queue in range(layout.real_time.shape[0]):
        if queue_field(center, queue, Q_OLDEST_WAIT) > candidates[WAIT, C_WAITED]:
            return WAIT
    return assign_or_wait(layout, mask)


@compiled
def voice_first(layout, center, candidates, mask):
    """Return the index of the action that serves real-time contacts first, oldest first; then own suspended work; then
    the oldest deferred contact, suspended ones of other reps among them."""
    if center[G_SUBJECT_IS_CONTACT]:
        return assign_or_wait(layout, mask)
    action = largest(layout, candidates, mask, C_WAITED, True)
    if action != WAIT:
        return action
    for action in range(mask.shape[0]):
        if mask[action] and layout.kind[action] == RESUME:
            return action
    return largest(layout, candidates, mask, C_WAITED, False)


@compiled
def voice_first_interrupting(layout, center, candidates, mask):
    """Return an action's index as `voice_first` does, but a waiting call always takes a rep out of deferred work: one
    who is picking up anyway, else the one with the least progress."""
    if center[G_SUBJECT_IS_CONTACT] and find_action(layout, mask, ASSIGN, LONGEST_IDLE) < 0:
        return interrupt_or_wait(layout, center, candidates, mask)
    return voice_first(layout, center, candidates, mask)


@compiled
def _is_more_valuable(row, other):
    """Return True if the customer of `row` has more value still to lose (account value x retention) than that of
    `other`, or as much and the larger account; both are rows of `candidates`."""
    left_usd, other_left_usd = row[C_VALUE] * row[C_RETENTION], other[C_VALUE] * other[C_RETENTION]
    return left_usd > other_left_usd or (left_usd == other_left_usd and row[C_VALUE] > other[C_VALUE])


@compiled
def value_first(layout, center, candidates, mask):
    """Return the index of the action by which the largest account value still to lose goes first over all channels;
    never interrupts, never offers.

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
        return assign_or_wait(layout, mask)
    best = WAIT
    for action in range(mask.shape[0]):
        if not mask[action] or not starts_work(layout.kind[action]):
            continue
        if best == WAIT or _is_more_valuable(candidates[action], candidates[best]):
            best = action
    return best


@compiled
def silo(layout, center, candidates, mask):
    """Return the index of the action by which every rep serves the home channel only, oldest first: an old automatic
    call distributor."""
    if center[G_SUBJECT_IS_CONTACT]:
        for action in range(mask.shape[0]):
            if mask[action] and layout.kind[action] == ASSIGN and candidates[action, C_REP_AT_HOME]:
                return action
        return WAIT
    best = WAIT
    for action in range(mask.shape[0]):
        if not mask[action] or not starts_work(layout.kind[action]) or not candidates[action, C_REP_AT_HOME]:
            continue
        if best == WAIT or candidates[action, C_WAITED] > candidates[best, C_WAITED]:
            best = action
    return best
