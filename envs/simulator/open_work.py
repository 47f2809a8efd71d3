"""What the open work is expected to cost: deferred work by being late, waiting callers by hanging up.

Room: `envs.simulator`. Reads the state; the kernel's terminal charge and the learner's potential share it.

A caller waits while no suitable rep is free: the expected loss is that of the exponential competition of abandonment
at its present rate a with the caller's share r of the reps who come free: (stake a + loss rate) / (a + r). Deferred
work is taken as worked off in order of due time by the scenario's `spare_reps` (`envs.inputs.parameters`): half-hour by
half-hour of the coming weeks, the planned reps whom neither calls nor new deferred work need.
"""

import math

import numpy as np

from envs.interface.units import (
    N_WEEK_INTERVALS,
    NOBODY,
    WEEK_INTERVAL_S,
)
from envs.simulator.machine.compilation import allocating, compiled, entry_point
from envs.simulator.machine.event_list import queue_heap
from envs.simulator.machine.state import BY_ARRIVAL, IN_SERVICE
from envs.simulator.money.charges import (
    account_loss_usd,
    broken_promise_usd,
    loss_usd_per_hour,
    overdue_rise,
)
from envs.simulator.service.expectations import (
    abandonment_rate_per_hour,
    expected_due_s,
    expected_pick_up_s,
    expected_remaining_s,
    release_per_hour,
    work_done_s,
)
from envs.simulator.service.staffing import has_free_rep

WEEKS_AHEAD = 52
"""Work that is not worked off by then ends then."""


@compiled
def work_off(parameters, start_s, work_s):
    """Return when the spare reps, from `start_s` on, have done `work_s` seconds of work; at the latest in a year."""
    time_s = start_s
    for _ in range(N_WEEK_INTERVALS * WEEKS_AHEAD):
        interval = (parameters.week_start_s + time_s) / WEEK_INTERVAL_S
        reps = parameters.spare_reps[int(interval) % N_WEEK_INTERVALS]
        left_s = (math.floor(interval) + 1.0 - interval) * WEEK_INTERVAL_S
        if reps * left_s >= work_s:
            return time_s + (work_s / reps if work_s > 0.0 else 0.0)
        work_s -= reps * left_s
        time_s += left_s
    return time_s


@compiled
def remaining_work_s(state, parameters, contact):
    """Return the expected work, seconds, still to be done on the open `contact` (slot), with the pick-up that it needs
    and, unless it is in service, its after-contact work."""
    person = state.slots[contact].person
    work_s = expected_remaining_s(parameters, person.queue, work_done_s(state, contact))
    if person.status != IN_SERVICE:
        work_s += parameters.queues[person.queue].after_work_mean_s
    return work_s + expected_pick_up_s(state, parameters, contact)


@compiled
def _lateness_usd(state, parameters, contact, met_s):
    """Return what the open deferred `contact` (slot) is still to be charged for lateness if its promise is met at
    `met_s` seconds, USD."""
    overdue_s = met_s - expected_due_s(state, parameters, contact)
    if overdue_s <= 0.0:
        return 0.0
    rise = overdue_rise(parameters, state.slots[contact].person.queue, overdue_s)
    return broken_promise_usd(state, parameters, contact) + account_loss_usd(state, parameters, contact, rise)


@allocating
def _expected_lateness_usd(state, parameters):
    """Return what the waiting and suspended deferred contacts are expected to be charged for lateness, USD, if the
    spare reps work them off in order of due time."""
    n_open = 0
    for q in range(parameters.n_queues):
        if not parameters.queues[q].real_time:
            n_open += state.queues[q].waiting + state.queues[q].suspended
    if n_open == 0:
        return 0.0
    contacts = np.empty(n_open, np.int64)
    due_s = np.empty(n_open)
    found = 0
    for q in range(parameters.n_queues):
        if not parameters.queues[q].real_time:
            heap = queue_heap(q, BY_ARRIVAL)
            for i in range(state.heap_size[heap]):
                contacts[found] = state.slots[i].heap_item[heap]
                found += 1
    for rep in range(parameters.n_reps):
        contact = state.reps[rep].suspended
        while contact != NOBODY:
            contacts[found] = contact
            found += 1
            contact = state.slots[contact].person.next_suspended
    for i in range(n_open):
        due_s[i] = expected_due_s(state, parameters, contacts[i])
    total_usd = 0.0
    end_s = state.now_s
    for i in np.argsort(due_s):
        contact = contacts[i]
        work_s = remaining_work_s(state, parameters, contact)
        end_s = work_off(parameters, end_s, work_s)
        is_met_by_start = parameters.queues[state.slots[contact].person.queue].met_by_start
        met_s = max(end_s - work_s, state.now_s) if is_met_by_start else end_s
        total_usd += _lateness_usd(state, parameters, contact, met_s)
    return total_usd


@compiled
def _expected_abandonment_usd(state, parameters):
    """Return what the waiting callers for whom no rep is free are expected to be charged, by hanging up and by waiting
    on, USD."""
    rate = release_per_hour(state, parameters)
    total_usd = 0.0
    for q in range(parameters.n_queues):
        n_waiting = state.queues[q].waiting
        if n_waiting == 0 or not parameters.queues[q].real_time or has_free_rep(state, parameters, q):
            continue
        share_per_hour = max(rate / n_waiting, 1e-6)
        heap = queue_heap(q, BY_ARRIVAL)
        for i in range(n_waiting):
            contact = np.int64(state.slots[i].heap_item[heap])
            abandon_per_hour = abandonment_rate_per_hour(
                parameters, q, state.now_s - state.slots[contact].person.arrival_s
            )
            loss_usd = broken_promise_usd(state, parameters, contact) * abandon_per_hour
            loss_usd += loss_usd_per_hour(state, parameters, contact)
            total_usd += loss_usd / (abandon_per_hour + share_per_hour)
    return total_usd


@entry_point
def estimate_open_work(states, parameters, estimates_usd):
    """Write for each state what its waiting and suspended work is expected to be charged, USD; 0 for a state that has
    reached its horizon."""
    for row in range(estimates_usd.shape[0]):
        estimates_usd[row] = 0.0
        if not states[row].done:
            estimates_usd[row] = _expected_lateness_usd(states[row], parameters[0])
            estimates_usd[row] += _expected_abandonment_usd(states[row], parameters[0])
