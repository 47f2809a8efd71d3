"""Interruptions: suspending deferred work, and the pick-up time that its resumption costs (D9).

Room: `envs`, kernel. Touches one contact, one rep and the counters that go with them.

A suspended contact keeps its progress and stays with its rep. Whoever starts it again first pays a pick-up, drawn from
the contact's own luck. A pick-up may itself be interrupted: in mode `restart` the next one is drawn anew, in mode
`accumulate` its unpaid rest is added to the next draw.
"""

from envs.churn import charge
from envs.compilation import compiled
from envs.concurrency import divide_attention, take_seat
from envs.control_variate import expect_error_of_interruption
from envs.journal import NOTE_RELEASED, NOTE_SUSPENDED, note
from envs.luck import LUCK_PICK_UP, look_up_quantile, uniform
from envs.queues import enqueue, urgency_of
from envs.reach import is_reached
from envs.staffing import end_phase, set_busy, speed_of
from envs.state import (
    BY_URGENCY,
    IN_SERVICE,
    NOBODY,
    PICKING_UP,
    RESUMING,
    SUSPENDED,
    TERM_INTERRUPTION,
    WORKING,
)


@compiled
def start_work(state, parameters, rep, contact):
    """Let `rep` start `contact`, after a pick-up if the contact was ever interrupted."""
    person = state.contacts[contact]
    person.rep = rep
    take_seat(state, parameters, rep)
    state.reps[rep].speed = speed_of(state, parameters, rep, contact)
    if person.interruptions > 0:
        luck = uniform(person.key, LUCK_PICK_UP, person.pick_ups)
        person.pick_ups += 1
        person.pick_up_s = look_up_quantile(parameters.pick_up_quantile_s[person.queue], luck)
        person.pick_up_left_s += person.pick_up_s
        person.status = PICKING_UP
        set_busy(state, parameters, rep, contact, RESUMING, state.now_s + person.pick_up_left_s)
    elif is_reached(state, parameters, contact):
        _work(state, parameters, rep, contact, person.work_left_s / state.reps[rep].speed)
    else:
        _work(state, parameters, rep, contact, parameters.queues[person.queue].attempt_s)
    divide_attention(state, parameters, parameters.owner[rep])


@compiled
def _work(state, parameters, rep, contact, duration_s):
    state.contacts[contact].status = IN_SERVICE
    set_busy(state, parameters, rep, contact, WORKING, state.now_s + duration_s)


@compiled
def pay_pick_up(state, parameters, rep):
    """Count and charge the pick-up time that `rep`, now picking up, has spent since the phase began."""
    paid_s = state.now_s - state.reps[rep].phase_start_s
    contact = state.reps[rep].contact
    state.queue_count[state.contacts[contact].queue].pick_up_s += paid_s
    charge(state, parameters, contact, TERM_INTERRUPTION, paid_s * parameters.pick_up_usd_per_s, 0.0)


@compiled
def finish_pick_up(state, parameters, rep):
    """End the pick-up of `rep`, who goes on with the work."""
    contact = state.reps[rep].contact
    pay_pick_up(state, parameters, rep)
    end_phase(state, parameters, rep)
    person = state.contacts[contact]
    person.pick_up_left_s = 0.0
    _work(state, parameters, rep, contact, person.work_left_s / state.reps[rep].speed)


@compiled
def _keep_suspended(state, parameters, rep, contact):
    """Add `contact` to the rep's suspended work, which is kept by slack: the least first, the latest among equals."""
    person = state.contacts[contact]
    urgency_s = urgency_of(state, parameters, contact)
    state.heap_key[contact, BY_URGENCY] = urgency_s
    after = state.reps[rep].suspended
    before = NOBODY
    while after != NOBODY and state.heap_key[after, BY_URGENCY] < urgency_s:
        before = after
        after = state.contacts[after].next_suspended
    person.next_suspended = after
    if before == NOBODY:
        state.reps[rep].suspended = contact
    else:
        state.contacts[before].next_suspended = contact
    state.reps[rep].n_suspended += 1


@compiled
def rank_suspended(state, parameters, contact):
    """Put the suspended `contact`, whose due time has shown, in its place among the rep's suspended work."""
    rep = state.contacts[contact].rep
    take_suspended(state, rep, contact)
    state.queues[state.contacts[contact].queue].suspended += 1
    _keep_suspended(state, parameters, rep, contact)


@compiled
def suspend(state, parameters, rep):
    """Suspend what the interruptible `rep` works on or picks up; the rep is left without work."""
    contact = state.reps[rep].contact
    person = state.contacts[contact]
    if state.reps[rep].status == RESUMING:
        pay_pick_up(state, parameters, rep)
        rest_s = state.rep_event_s[rep] - state.now_s
        person.pick_up_left_s = rest_s if parameters.queues[person.queue].accumulate else 0.0
    else:
        served_s = state.now_s - state.reps[rep].phase_start_s
        done_s = served_s * state.reps[rep].speed
        person.served_s += served_s
        person.work_done_s += done_s
        person.work_left_s = max(person.work_left_s - done_s, 0.0)  # the sum of times is rounded
    end_phase(state, parameters, rep)
    state.reps[rep].n_held -= 1
    person.status = SUSPENDED
    person.interruptions += 1
    expect_error_of_interruption(state, parameters, contact, -1.0)
    _keep_suspended(state, parameters, rep, contact)
    state.queues[person.queue].in_service -= 1
    state.queues[person.queue].suspended += 1
    state.queue_count[person.queue].interruptions += 1
    note(state, NOTE_SUSPENDED, contact, rep, 0)
    charge(state, parameters, contact, TERM_INTERRUPTION, parameters.interruption_usd, 0.0)


@compiled
def take_suspended(state, rep, contact):
    """Take `contact` out of the rep's suspended work."""
    person = state.reps[rep]
    if person.suspended == contact:
        person.suspended = state.contacts[contact].next_suspended
    else:
        before = person.suspended
        while state.contacts[before].next_suspended != contact:
            before = state.contacts[before].next_suspended
        state.contacts[before].next_suspended = state.contacts[contact].next_suspended
    state.contacts[contact].next_suspended = NOBODY
    person.n_suspended -= 1
    state.queues[state.contacts[contact].queue].suspended -= 1


@compiled
def release_suspended(state, parameters, rep):
    """Put all suspended work of a rep who leaves back into its queues, open to others (D12)."""
    while state.reps[rep].suspended != NOBODY:
        contact = state.reps[rep].suspended
        take_suspended(state, rep, contact)
        note(state, NOTE_RELEASED, contact, rep, 0)
        state.contacts[contact].rep = NOBODY
        enqueue(state, parameters, contact)
