"""The queues: who waits, in which orders, and what counts as news.

Room: `envs.simulator.service`. Touches the queue, class news and heap fields of the state.

Waiting real-time contacts are kept by arrival and by value; deferred ones also by urgency (due time less expected
remaining work) and, as long as they are not overdue, once more by urgency.

With `observation: markov` ages are not part of the state, and so no order may tell them: overdue contacts stand behind
the others by arrival and among equal values, and before them by urgency.
"""

import numpy as np

from envs.interface.actions import (
    MOST_URGENT,
    MOST_VALUABLE,
    NEXT_DUE,
    OLDEST,
)
from envs.interface.units import NOBODY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.event_list import (
    first_contact,
    insert_contact,
    queue_heap,
    remove_contact,
)
from envs.simulator.machine.state import (
    BY_ARRIVAL,
    BY_NEXT_DUE,
    BY_URGENCY,
    BY_VALUE,
    WAITING,
)
from envs.simulator.service.expectations import AGES_S, urgency_of

TRIFLE_USD = 1e-6
"""Less than any difference of account values that matters."""


@compiled
def tell_classes(state, parameters, queue):
    """Note that something about `queue`, a channel's number, could change the answer of every rep who has the skill."""
    state.class_news += 1
    for k in range(parameters.n_classes):
        if parameters.skill[k, queue]:
            state.classes[k].news = state.class_news


@compiled
def reopen_classes(state, parameters, queue, held_at):
    """Let free reps with the skill for `queue`, a channel's number, be asked again who may have said `wait` when a
    contact there was held from them: classes without news since the count `held_at`. To whatever else waits that is no
    news."""
    for k in range(parameters.n_classes):
        if parameters.skill[k, queue] and state.classes[k].news <= held_at:
            state.classes[k].closed_at = -1
            rep = state.classes[k].first_free
            while rep != NOBODY:
                state.reps[rep].closed_at = -1
                rep = state.reps[rep].next_free


@compiled
def tell_contacts(state, parameters, rep_class):
    """Note that a rep of `rep_class` (class) became a choice for the waiting contacts whom the class can serve."""
    for q in range(parameters.n_queues):
        if parameters.skill[rep_class, q]:
            state.queues[q].news += 1


@compiled
def count_overdue_waiting(state, queue):
    """Return how many waiting contacts of `queue`, a deferred channel's number, are overdue."""
    return state.queues[queue].waiting - state.heap_size[queue_heap(queue, BY_NEXT_DUE)]


@compiled
def _insert_by_arrival_and_value(state, parameters, contact):
    """Give `contact` (slot) its place in its queue's orders by arrival and by value; in a Markovian center the overdue
    stand behind the others, by value among equals only."""
    person = state.slots[contact].person
    arrival_s, negative_usd = person.arrival_s, -person.value_usd
    if parameters.markov and person.overdue:
        arrival_s += AGES_S
        negative_usd += TRIFLE_USD
    insert_contact(state, queue_heap(person.queue, BY_ARRIVAL), BY_ARRIVAL, contact, arrival_s)
    insert_contact(state, queue_heap(person.queue, BY_VALUE), BY_VALUE, contact, negative_usd)


@compiled
def rank_overdue(state, parameters, contact):
    """Give the waiting deferred `contact` (slot), whose due time has passed, its place in the orders of its queue."""
    queue = state.slots[contact].person.queue
    remove_contact(state, queue_heap(queue, BY_NEXT_DUE), BY_NEXT_DUE, contact)
    if parameters.queues[queue].hidden_due:
        remove_contact(state, queue_heap(queue, BY_URGENCY), BY_URGENCY, contact)
        urgency_s = urgency_of(state, parameters, contact)
        insert_contact(state, queue_heap(queue, BY_URGENCY), BY_URGENCY, contact, urgency_s)
    if parameters.markov:
        remove_contact(state, queue_heap(queue, BY_ARRIVAL), BY_ARRIVAL, contact)
        remove_contact(state, queue_heap(queue, BY_VALUE), BY_VALUE, contact)
        _insert_by_arrival_and_value(state, parameters, contact)


@compiled
def _join_preferring(state, contact):
    """Add the waiting `contact` (slot) to those who prefer its rep, oldest first."""
    rep = state.slots[contact].person.preferred
    before = state.reps[rep].last_preferring
    after = NOBODY
    while before != NOBODY and state.slots[before].person.arrival_s > state.slots[contact].person.arrival_s:
        after = before
        before = state.slots[before].person.previous_preferring
    state.slots[contact].person.previous_preferring = before
    state.slots[contact].person.next_preferring = after
    if before == NOBODY:
        state.reps[rep].first_preferring = contact
    else:
        state.slots[before].person.next_preferring = contact
    if after == NOBODY:
        state.reps[rep].last_preferring = contact
    else:
        state.slots[after].person.previous_preferring = contact


@compiled
def _leave_preferring(state, contact):
    """Take `contact` (slot), which waits no longer, out of those who prefer its rep."""
    rep = state.slots[contact].person.preferred
    before = state.slots[contact].person.previous_preferring
    after = state.slots[contact].person.next_preferring
    if before == NOBODY:
        state.reps[rep].first_preferring = after
    else:
        state.slots[before].person.next_preferring = after
    if after == NOBODY:
        state.reps[rep].last_preferring = before
    else:
        state.slots[after].person.previous_preferring = before


@compiled
def oldest_preferring(state, parameters, rep):
    """Return the slot of the oldest waiting contact whose preferred rep is that of `rep` (seat), which has the skill;
    NOBODY if there is none."""
    contact = state.reps[parameters.owner[rep]].first_preferring
    while contact != NOBODY:
        if parameters.skill[state.reps[rep].seat_class, state.slots[contact].person.queue]:
            return np.int64(contact)
        contact = state.slots[contact].person.next_preferring
    return NOBODY


@compiled
def enqueue(state, parameters, contact):
    """Let `contact` (slot) wait in its queue, in every order that the queue keeps."""
    person = state.slots[contact].person
    queue = person.queue
    person.status = WAITING
    person.closed_at = -1
    person.held_at = -1
    person.queued_s = state.now_s
    state.queues[queue].waiting += 1
    _insert_by_arrival_and_value(state, parameters, contact)
    if person.preferred != NOBODY:
        _join_preferring(state, contact)
    if not parameters.queues[queue].real_time:
        urgency_s = urgency_of(state, parameters, contact)
        insert_contact(state, queue_heap(queue, BY_URGENCY), BY_URGENCY, contact, urgency_s)
        if not person.overdue:
            insert_contact(state, queue_heap(queue, BY_NEXT_DUE), BY_NEXT_DUE, contact, urgency_s)
    tell_classes(state, parameters, queue)


@compiled
def cut_line_time(state, parameters, sign):
    """Add `sign` times what all waiting contacts have stood in line so far to the counters: -1 where the counting
    begins, +1 where it ends, so that both count the same stretch of every contact."""
    for contact in range(parameters.n_contacts):
        person = state.slots[contact].person
        if person.status == WAITING:
            state.queue_count[person.queue].line_time_s += sign * (state.now_s - person.queued_s)


@compiled
def dequeue(state, parameters, contact):
    """Take the waiting `contact` (slot) out of its queue; the caller sets the new status."""
    queue = state.slots[contact].person.queue
    state.queues[queue].waiting -= 1
    state.queue_count[queue].line_time_s += state.now_s - state.slots[contact].person.queued_s
    remove_contact(state, queue_heap(queue, BY_ARRIVAL), BY_ARRIVAL, contact)
    remove_contact(state, queue_heap(queue, BY_VALUE), BY_VALUE, contact)
    if state.slots[contact].person.preferred != NOBODY:
        _leave_preferring(state, contact)
    if not parameters.queues[queue].real_time:
        remove_contact(state, queue_heap(queue, BY_URGENCY), BY_URGENCY, contact)
        remove_contact(state, queue_heap(queue, BY_NEXT_DUE), BY_NEXT_DUE, contact)


@compiled
def look_through_lens(state, queue, lens):
    """Return the slot of the waiting contact of `queue`, a channel's number, that `lens`, a code of the lenses of
    `serve`, means; NOBODY if there is none."""
    if lens == OLDEST:
        return first_contact(state, queue_heap(queue, BY_ARRIVAL))
    if lens == MOST_VALUABLE:
        return first_contact(state, queue_heap(queue, BY_VALUE))
    if lens == MOST_URGENT:
        return first_contact(state, queue_heap(queue, BY_URGENCY))
    if lens == NEXT_DUE:
        return first_contact(state, queue_heap(queue, BY_NEXT_DUE))
    return first_contact(state, queue_heap(queue, BY_ARRIVAL))
