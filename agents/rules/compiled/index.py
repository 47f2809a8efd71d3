"""The index rule: the contact of the highest index, with the components that go with any formula.

Room: `agents.rules.compiled`. Reads one observation and the line of `settings` whose layout stands with the formulas
(`agents.rules.compiled.formulas`).
"""

import math

import numpy as np

from agents.rules.compiled.expected_loss import DUE_SCALE_H, caller_loss_usd, interruption_price_usd
from agents.rules.compiled.formulas import (
    ANYBODY,
    AT_HOME,
    B_ABANDON_PER_H,
    B_HAS_HOME,
    B_INTERRUPTS,
    B_LOSS_PER_VALUE_H,
    B_LOSS_USD_H,
    B_RESERVE,
    B_STAKE_PER_VALUE,
    B_STAKE_USD,
    B_WORK_S,
    I_ASSIGN,
    I_FLOOR,
    I_HOLD_S,
    I_INTERRUPT,
    I_INTERRUPT_GAIN,
    I_OFFER,
    I_OFFER_MARGIN_USD,
    I_OFFER_PRICE_FACTOR,
    I_OPEN_STAKE_USD,
    I_REP_HOUR_USD,
    I_RESERVE_BY_STAKE,
    I_RESERVE_PER_FORECAST,
    I_RESERVE_PER_POINT,
    I_SUITS,
    I_TARGET_FRAC,
    I_URGENT_H,
    I_URGENT_RELIEF,
    MODE_ALWAYS,
    MODE_NEVER,
    MODE_PRICED,
    PREFERRED,
    block_start,
    index_of,
)
from agents.rules.compiled.reading import (
    find_action,
    interrupt_or_wait,
    is_kept_for_others,
    queue_field,
    starts_work,
)
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
    C_EXPECTED_WORK,
    C_HAS_PREFERRED,
    C_LOSS_RATE,
    C_OVERDUE,
    C_PREFERRED_THERE,
    C_REAL_TIME,
    C_REP_AT_HOME,
    C_REP_IDLE,
    C_REP_IS_PREFERRED,
    C_SLACK,
    C_STAKE,
    C_WAITED,
    G_RELEASE_RATE,
    G_SUBJECT_IS_CONTACT,
    Q_ATTAINED,
    Q_FORECAST_NOW,
    Q_LEAST_SLACK,
    Q_MOST_VALUE,
    Q_OLDEST_WAIT,
    Q_OVERDUE,
    Q_REPS_FREE,
    Q_TARGET,
    Q_WAITING,
)
from envs.interface.units import HOUR_S
from envs.simulator.machine.compilation import compiled


@compiled
def reserve_of(layout, settings, center, queue, row):
    """Return how many reps are kept free of the contact of `row`, a row of `candidates`, in `queue`, the channel's
    number, now.

    The queue's own number. Of a real-time contact those that its stake asks for too, the fewer the larger: trunk
    reservation by value (Miller 1969, Management Science 16(3)). Of deferred work those that the forecast of real-time
    arrivals and the shortfall of the service level ask for too, less what its due time relieves.
    """
    reserve = settings[block_start(queue) + B_RESERVE]
    if layout.real_time[queue]:
        below = math.log((settings[I_OPEN_STAKE_USD] + 1.0) / (row[C_STAKE] + 1.0))
        return reserve + settings[I_RESERVE_BY_STAKE] * max(below, 0.0)
    forecast, shortfall = 0.0, -1.0
    for other in range(layout.real_time.shape[0]):
        if layout.real_time[other]:
            forecast += queue_field(center, other, Q_FORECAST_NOW)
            target = queue_field(center, other, Q_TARGET)
            target = target if target > 0.0 else settings[I_TARGET_FRAC]
            shortfall = max(shortfall, target - queue_field(center, other, Q_ATTAINED))
    reserve += settings[I_RESERVE_PER_FORECAST] * forecast / 100.0
    reserve += settings[I_RESERVE_PER_POINT] * 100.0 * shortfall
    urgency = 1.0 if row[C_OVERDUE] else math.exp(-max(row[C_SLACK] / HOUR_S, 0.0) / settings[I_URGENT_H])
    return reserve - settings[I_URGENT_RELIEF] * urgency


@compiled
def is_reserved(layout, settings, center, queue, row):
    """Return True if the contact of `row`, a row of `candidates`, in `queue`, the channel's number, is not to be
    started now, because too few reps with its skill would be left."""
    reserve = reserve_of(layout, settings, center, queue, row)
    return reserve > 0.0 and queue_field(center, queue, Q_REPS_FREE) <= reserve


@compiled
def _is_kept(layout, settings, center, row):
    """Return True if the free rep of `row`, a row of `candidates`, is kept free of the row's contact for other
    queues."""
    return is_kept_for_others(layout, settings, block_start(layout.real_time.shape[0]), 1, center, row)


@compiled
def _suits(settings, row):
    """Return True if the rep of `row`, a row of `candidates`, is one for whom contacts are held (I_SUITS): at home in
    the channel, or the preferred one."""
    suits = int(settings[I_SUITS])
    if suits == AT_HOME:
        return row[C_REP_AT_HOME] > 0.0
    return suits == PREFERRED and row[C_REP_IS_PREFERRED] > 0.0


@compiled
def _is_held(settings, queue, row):
    """Return True if the contact of `row`, a row of `candidates`, in `queue`, the channel's number, is still held for
    other reps than the row's."""
    if int(settings[I_SUITS]) == ANYBODY or row[C_WAITED] >= settings[I_HOLD_S] or _suits(settings, row):
        return False
    if int(settings[I_SUITS]) == AT_HOME:
        return settings[block_start(queue) + B_HAS_HOME] > 0.0
    return row[C_HAS_PREFERRED] > 0.0 and row[C_PREFERRED_THERE] > 0.0


@compiled
def _highest_waiting(layout, settings, center, queue, rep_idle_s, row):
    """Return an index that no contact waiting in `queue`, the channel's number, exceeds that may be started now, but
    for the spread of risk and work: that of a contact with the longest wait, the least slack and the largest account
    value there, for a rep idle for `rep_idle_s` seconds; -inf if too few reps are free for that one. Overwrites `row`,
    an array of candidate fields."""
    block = settings[block_start(queue) :]
    value_usd = queue_field(center, queue, Q_MOST_VALUE)
    row[:] = 0.0
    row[C_REAL_TIME] = layout.real_time[queue]
    row[C_WAITED] = queue_field(center, queue, Q_OLDEST_WAIT)
    row[C_SLACK] = queue_field(center, queue, Q_LEAST_SLACK)
    row[C_STAKE] = block[B_STAKE_USD] + block[B_STAKE_PER_VALUE] * value_usd
    row[C_LOSS_RATE] = block[B_LOSS_USD_H] + block[B_LOSS_PER_VALUE_H] * value_usd
    row[C_ABANDON_RATE] = block[B_ABANDON_PER_H]
    row[C_EXPECTED_WORK] = block[B_WORK_S]
    row[C_REP_IDLE] = rep_idle_s
    index = -np.inf
    if not is_reserved(layout, settings, center, queue, row):
        index = index_of(settings, queue, row)
    if not layout.real_time[queue] and queue_field(center, queue, Q_OVERDUE) > 0.0:
        row[C_OVERDUE] = 1.0
        row[C_STAKE] = 0.0
        if not is_reserved(layout, settings, center, queue, row):
            index = max(index, index_of(settings, queue, row))
    return index


@compiled
def _is_preceded(layout, settings, center, own_queue, index, rep_idle_s, row):
    """Return True if a contact of a higher index may wait that a free rep has the skill for and may start.

    A queue whose contacts may all be held for other reps does not count: who stands behind them would be asked no more.
    Overwrites `row`, an array of candidate fields.
    """
    for queue in range(layout.real_time.shape[0]):
        others = queue_field(center, queue, Q_WAITING) - (1.0 if queue == own_queue else 0.0)
        if others < 1.0 or queue_field(center, queue, Q_REPS_FREE) < 1.0:
            continue
        if int(settings[I_SUITS]) != ANYBODY and queue_field(center, queue, Q_OLDEST_WAIT) < settings[I_HOLD_S]:
            continue
        if _highest_waiting(layout, settings, center, queue, rep_idle_s, row) > index:
            return True
    return False


@compiled
def _find_rep(layout, settings, center, candidates, mask):
    """Return the index of the open `assign` of a rep who suits the contact, else of the lens of the settings, else of
    the rep idle longest, else of the first; of each only if the rep is not kept free for other queues. WAIT if all of
    them are, -1 if none is open."""
    longest_idle = find_action(layout, mask, ASSIGN, LONGEST_IDLE)
    if longest_idle < 0:
        return longest_idle
    first = WAIT
    for action in range(mask.shape[0]):
        if not mask[action] or layout.kind[action] != ASSIGN:
            continue
        if _is_kept(layout, settings, center, candidates[action]):
            continue
        if _suits(settings, candidates[action]):
            return action
        first = action if first == WAIT else first
    action = find_action(layout, mask, ASSIGN, int(settings[I_ASSIGN]))
    # That lens may mean the same rep as the first one.
    action = action if action >= 0 else longest_idle
    return first if _is_kept(layout, settings, center, candidates[action]) else action


@compiled
def _disturb_or_offer(layout, settings, center, candidates, mask, queue):
    """Return the index of the action for a contact of `queue`, the channel's number, for whom no rep is free: the
    interruption or the callback offer that gains most, WAIT if neither gains. In a mode `always` an interruption, then
    an offer, needs no gain."""
    n_waiting = 0.0
    for other in range(layout.real_time.shape[0]):
        if layout.real_time[other]:
            n_waiting += queue_field(center, other, Q_WAITING)
    release_per_hour = center[G_RELEASE_RATE] / max(n_waiting, 1.0)
    interrupt, offer = int(settings[I_INTERRUPT]), int(settings[I_OFFER])
    if not settings[block_start(queue) + B_INTERRUPTS]:
        interrupt = MODE_NEVER
    if interrupt == MODE_ALWAYS:
        action = interrupt_or_wait(layout, center, candidates, mask)
        if action != WAIT:
            return action
    best, best_usd = WAIT, 0.0
    for action in range(mask.shape[0]):
        row = candidates[action]
        if not mask[action]:
            continue
        if layout.kind[action] == INTERRUPT and interrupt == MODE_PRICED:
            gain_usd = settings[I_INTERRUPT_GAIN] * caller_loss_usd(row, release_per_hour)
            gain_usd -= interruption_price_usd(row, settings[I_REP_HOUR_USD], DUE_SCALE_H)
        elif layout.kind[action] == OFFER_CALLBACK and offer == MODE_PRICED:
            gain_usd = row[C_ACCEPT] * caller_loss_usd(row, release_per_hour)
            gain_usd -= settings[I_OFFER_PRICE_FACTOR] * row[C_ACTION_COST] + settings[I_OFFER_MARGIN_USD]
        elif layout.kind[action] == OFFER_CALLBACK and offer == MODE_ALWAYS and best == WAIT:
            best = action
            continue
        else:
            continue
        if gain_usd > best_usd:
            best, best_usd = action, gain_usd
    return best


@compiled
def _place_contact(layout, settings, center, candidates, mask, scratch):
    """Return the index of the action for the waiting contact that is the subject; overwrites `scratch.row`."""
    queue = int(candidates[WAIT, C_CHANNEL]) - 1
    action = _find_rep(layout, settings, center, candidates, mask)
    if action < 0:
        return _disturb_or_offer(layout, settings, center, candidates, mask, queue)
    if action == WAIT:  # kept for others are the reps that are named; who is not is asked next
        return WAIT
    row = candidates[action]
    index = index_of(settings, queue, row)
    if index < settings[I_FLOOR] or _is_held(settings, queue, row):
        return WAIT
    if is_reserved(layout, settings, center, queue, row):
        return WAIT
    if _is_preceded(layout, settings, center, queue, index, row[C_REP_IDLE], scratch.row):
        return WAIT  # whom a free rep is to serve is settled when the rep is asked
    return action


@compiled
def index_rule(layout, settings, center, candidates, mask, scratch):
    """Return the index of the action that serves the contact of the highest index, own suspended work first where
    indices are equal, else the first action of the table; with the components that the `settings` say
    (`agents.rules.index_rule`). Overwrites `scratch.row`."""
    if center[G_SUBJECT_IS_CONTACT]:
        return _place_contact(layout, settings, center, candidates, mask, scratch)
    best, best_index = WAIT, -np.inf
    for action in range(mask.shape[0]):
        kind = layout.kind[action]
        if not mask[action] or not starts_work(kind):
            continue
        row = candidates[action]
        queue = int(row[C_CHANNEL]) - 1
        if is_reserved(layout, settings, center, queue, row) or _is_kept(layout, settings, center, row):
            continue
        if kind == SERVE and _is_held(settings, queue, row):
            continue
        index = index_of(settings, queue, row)
        if index < settings[I_FLOOR]:
            continue
        if index > best_index or (index == best_index and kind == RESUME):
            best, best_index = action, index
    return best
