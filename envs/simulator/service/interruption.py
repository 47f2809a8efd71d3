"""Interruptions: suspending deferred work, and the pick-up time that its resumption costs (D9).

Room: `envs.simulator.service`. Touches one contact, one rep and the counters that go with them.

A suspended contact keeps its progress and stays with its rep; where suspended work is pooled, another rep may take it
over (`envs.simulator.service.pool`). Whoever starts it again first pays a pick-up, drawn from the contact's own luck,
by a law for the rep who worked on it last and one for others. A pick-up may itself be interrupted: in mode `restart`
the next one is drawn anew, in mode `accumulate` its unpaid rest is added to the next draw, whoever draws it.
"""

import numpy as np

from envs.interface.cost_terms import TERM_INTERRUPTION
from envs.interface.units import NOBODY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.journal import (
    NOTE_RELEASED,
    NOTE_SUSPENDED,
    NOTE_TAKEN_OVER,
    note,
)
from envs.simulator.machine.state import (
    BY_URGENCY,
    RESUMING,
    SUSPENDED,
)
from envs.simulator.money.charges import charge
from envs.simulator.money.control_variate import expect_error_of_interruption
from envs.simulator.service.pool import join_pool, leave_pool, suspended_urgency
from envs.simulator.service.queues import enqueue, tell_classes
from envs.simulator.service.seats import book_work
from envs.simulator.service.staffing import count_interruptible, end_phase, is_interruptible
from envs.simulator.service.work import pay_pick_up, start_work


@compiled
def _keep_suspended(state, parameters, rep, contact):
    """Add `contact` (slot) to the suspended work of `rep` (seat), which is kept by slack: the least first, the latest
    among equals."""
    person = state.slots[contact].person
    urgency_s = suspended_urgency(state, parameters, contact)
    state.slots[contact].heap_key[BY_URGENCY] = urgency_s
    if parameters.pooled:
        join_pool(state, parameters, contact)
    after = state.reps[rep].suspended
    before = NOBODY
    while after != NOBODY and state.slots[after].heap_key[BY_URGENCY] < urgency_s:
        before = after
        after = state.slots[after].person.next_suspended
    person.next_suspended = after
    if before == NOBODY:
        state.reps[rep].suspended = contact
    else:
        state.slots[before].person.next_suspended = contact
    state.reps[rep].n_suspended += 1


@compiled
def rank_suspended(state, parameters, contact):
    """Put the suspended `contact` (slot), whose due time has shown, in its place among the rep's suspended work."""
    rep = state.slots[contact].person.rep
    take_suspended(state, parameters, rep, contact)
    state.queues[state.slots[contact].person.queue].suspended += 1
    _keep_suspended(state, parameters, rep, contact)


@compiled
def suspend(state, parameters, rep):
    """Suspend what the interruptible `rep` (seat) works on or picks up; the rep is left without work."""
    contact = state.reps[rep].contact
    person = state.slots[contact].person
    if state.reps[rep].status == RESUMING:
        pay_pick_up(state, parameters, rep)
        rest_s = max(state.rep_event_s[rep] - state.now_s, 0.0)  # times of a second are rounded
        person.pick_up_left_s = rest_s if parameters.queues[person.queue].accumulate else 0.0
    else:
        book_work(state, rep)
    end_phase(state, parameters, rep)
    state.reps[rep].n_held -= 1
    person.status = SUSPENDED
    person.interruptions += 1
    expect_error_of_interruption(state, parameters, contact, -1.0)
    _keep_suspended(state, parameters, rep, contact)
    state.queues[person.queue].in_service -= 1
    state.queues[person.queue].suspended += 1
    state.queue_count[person.queue].interruptions += 1
    if parameters.pooled:
        tell_classes(state, parameters, person.queue)
    note(state, NOTE_SUSPENDED, contact, rep, 0)
    charge(state, parameters, contact, TERM_INTERRUPTION, parameters.interruption_usd, 0.0)


@compiled
def take_suspended(state, parameters, rep, contact):
    """Take `contact` (slot) out of the suspended work of `rep` (seat)."""
    if parameters.pooled:
        leave_pool(state, contact)
    worker = state.reps[rep]
    if worker.suspended == contact:
        worker.suspended = state.slots[contact].person.next_suspended
    else:
        before = worker.suspended
        while state.slots[before].person.next_suspended != contact:
            before = state.slots[before].person.next_suspended
        state.slots[before].person.next_suspended = state.slots[contact].person.next_suspended
    state.slots[contact].person.next_suspended = NOBODY
    worker.n_suspended -= 1
    state.queues[state.slots[contact].person.queue].suspended -= 1


@compiled
def take_over(state, parameters, rep, contact):
    """Let `rep` (seat), not in the list of free reps any more, pick up `contact` (slot), which another rep holds
    suspended; it belongs to `rep` from now on. The other rep may be interrupted again, if this was one too many."""
    holder = np.int64(state.slots[contact].person.rep)
    was_interruptible = is_interruptible(state, parameters, holder)
    take_suspended(state, parameters, holder, contact)
    if not was_interruptible:
        count_interruptible(state, parameters, holder, 1)
    state.queue_count[state.slots[contact].person.queue].taken_over += 1
    note(state, NOTE_TAKEN_OVER, contact, rep, holder)
    resume(state, parameters, rep, contact)


@compiled
def resume(state, parameters, rep, contact):
    """Let `rep` (seat), not in the list of free reps any more, pick up `contact` (slot), which is suspended no more."""
    state.queues[state.slots[contact].person.queue].in_service += 1
    start_work(state, parameters, rep, contact)


@compiled
def release_suspended(state, parameters, rep):
    """Put all suspended work of `rep` (seat), who leaves, back into its queues, open to others (D12)."""
    while state.reps[rep].suspended != NOBODY:
        contact = state.reps[rep].suspended
        take_suspended(state, parameters, rep, contact)
        note(state, NOTE_RELEASED, contact, rep, 0)
        state.slots[contact].person.rep = NOBODY
        enqueue(state, parameters, contact)
