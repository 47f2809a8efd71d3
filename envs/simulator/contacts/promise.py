"""Promises: contacts that come back at a time of their own, due times that pass, and work lists that the client takes
back (D2, D3, D4, D6).

Room: `envs.simulator.contacts`. Touches one contact, its queue's counts and its place on the clock.
"""

from envs.interface.units import NEVER, NOBODY
from envs.simulator.contacts.arrival import free_slot
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.event_list import set_clock
from envs.simulator.machine.journal import (
    END_RECALLED,
    NOTE_DUE_PASSED,
    NOTE_ENDED,
    NOTE_SCHEDULED,
    note,
    number_contact,
)
from envs.simulator.machine.luck import (
    LUCK_DUE,
    look_up_quantile,
    uniform,
)
from envs.simulator.machine.state import (
    SCHEDULED,
    SUSPENDED,
    WAITING,
)
from envs.simulator.money.charges import (
    charge_lateness,
    forgo_income,
    overdue_rise,
)
from envs.simulator.service.interruption import rank_suspended
from envs.simulator.service.promise_clock import add_promise, due_time_s
from envs.simulator.service.queues import (
    dequeue,
    rank_overdue,
    tell_classes,
)


@compiled
def is_recalled(state, parameters, contact):
    """Return True if the client recalls `contact` (slot), whose due time passes now: nobody has it in hand."""
    person = state.slots[contact].person
    if not parameters.queues[person.queue].collection:
        return False
    return person.status == WAITING or person.status == SCHEDULED


@compiled
def recall(state, parameters, contact):
    """Let the client recall the overdue `contact` (slot); the caller forgets the customer."""
    person = state.slots[contact].person
    queue = person.queue
    state.queues[queue].overdue -= 1
    state.queue_count[queue].recalled += 1
    if person.status == WAITING:
        dequeue(state, parameters, contact)
    else:
        state.queues[queue].scheduled -= 1
        state.queue_count[queue].recalled_scheduled += 1
    note(state, NOTE_ENDED, contact, NOBODY, END_RECALLED)
    forgo_income(state, parameters, contact)


@compiled
def meet_promise(state, parameters, contact):
    """Let the due time of `contact` (slot), whose promise is met by its start, concern nobody any more; if it has
    passed, charge the hours overdue."""
    person = state.slots[contact].person
    if person.overdue:
        end_overdue(state, parameters, contact)
    person.due_s = NEVER
    set_clock(state, contact, NEVER)


@compiled
def end_overdue(state, parameters, contact):
    """Charge the hours for which `contact` (slot) is overdue, which end now."""
    person = state.slots[contact].person
    state.queues[person.queue].overdue -= 1
    rise = overdue_rise(parameters, person.queue, state.now_s - person.due_s)
    charge_lateness(state, parameters, contact, rise, 0.0)


@compiled
def pass_due(state, parameters, contact):
    """Let the due time of the open `contact` (slot) pass: it is overdue from now on, is charged, and may be
    recalled."""
    person = state.slots[contact].person
    queue = person.queue
    person.overdue = 1
    set_clock(state, contact, person.return_s if person.status == SCHEDULED else NEVER)
    state.queues[queue].overdue += 1
    state.queue_count[queue].late += 1
    state.band_count[person.band].late += 1
    note(state, NOTE_DUE_PASSED, contact, NOBODY, 0)
    charge_lateness(state, parameters, contact, parameters.queues[queue].late_rise, parameters.queues[queue].late_usd)
    if is_recalled(state, parameters, contact):
        recall(state, parameters, contact)
        free_slot(state, contact)
    elif person.status == WAITING:
        rank_overdue(state, parameters, contact)
        tell_classes(state, parameters, queue)
    elif person.status == SUSPENDED:
        if parameters.queues[queue].hidden_due:
            rank_suspended(state, parameters, contact)
        state.reps[person.rep].closed_at = -1
        if parameters.pooled:
            tell_classes(state, parameters, queue)


@compiled
def schedule_attempt(state, parameters, contact, queue, delay_s):
    """Let the customer of `contact` (slot) ask for a next contact `delay_s` seconds from now: it joins `queue`, the
    channel's number, when its window opens."""
    person = state.slots[contact].person
    person.attempt += 1
    person.left_s = state.now_s
    person.request_s = state.now_s + delay_s
    return_s, due_s = window_of_request(state, parameters, contact, queue)
    schedule(state, contact, queue, return_s, due_s)


@compiled
def window_of_request(state, parameters, contact, queue):
    """Return when `contact` (slot) joins `queue`, the channel's number, for which it asks at its `request_s`, and when
    it is due, both in seconds."""
    person = state.slots[contact].person
    limits = parameters.queues[queue]
    request_s = person.request_s
    if limits.real_time:
        return request_s, NEVER
    if limits.hidden_due:
        luck = uniform(person.key, LUCK_DUE, person.attempt)
        return request_s, request_s + look_up_quantile(parameters.due_quantile_s[queue], luck)
    return add_promise(parameters, queue, request_s, limits.opens_after_s), due_time_s(parameters, queue, request_s)


@compiled
def schedule(state, contact, queue, return_s, due_s):
    """Let `contact` (slot) be no one's business until it joins `queue`, the channel's number, at `return_s`, due at
    `due_s`, both in seconds."""
    person = state.slots[contact].person
    person.status = SCHEDULED
    state.queues[queue].scheduled += 1
    person.queue = queue
    person.rep = NOBODY
    expect_return(state, contact, return_s, due_s)
    number_contact(state, contact)
    note(state, NOTE_SCHEDULED, contact, NOBODY, 0)


@compiled
def expect_return(state, contact, return_s, due_s):
    """Set when the scheduled `contact` (slot) joins its queue, `return_s`, and when it is due, `due_s`, both in
    seconds."""
    person = state.slots[contact].person
    person.return_s = return_s
    person.due_s = due_s
    set_clock(state, contact, return_s if person.overdue else min(return_s, due_s))
