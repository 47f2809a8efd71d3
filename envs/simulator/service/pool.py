"""Suspended work that other reps may take over (D9): who holds what is the most urgent, or the most valuable.

Room: `envs.simulator.service`. Touches the heaps of the suspended contacts; reads contacts and reps.

Each queue keeps its suspended contacts by urgency and by value. The first of other reps is found from the top of a
heap: below the rep's own contacts only, of which there are few (`suspended_limit`), one has to look further. So the
cost of a question does not grow with reps or with what is suspended.

With `observation: markov` ages are not part of the state, and so none may tell which contact is meant: an overdue one
is the most urgent, and the most valuable among equals if none is not; of equal ones that which the rep worked on last,
then that of the rep who holds most, then of the lower rank (`envs.simulator.service.ranks`). Such centers are small,
so all are looked through.
"""

import numpy as np

from envs.interface.units import NOBODY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.event_list import insert_contact, is_before, pool_heap, remove_contact
from envs.simulator.machine.state import BY_URGENCY, BY_VALUE
from envs.simulator.service.expectations import AGES_S, expected_remaining_s, urgency_of
from envs.simulator.service.queues import TRIFLE_USD


@compiled
def suspended_urgency(state, parameters, contact):
    """Return the key of the suspended `contact` (slot) in the order of urgency, seconds; in a Markovian center with
    pooled work a key that its age does not change."""
    if not (parameters.markov and parameters.pooled):
        return urgency_of(state, parameters, contact)
    person = state.slots[contact].person
    if person.overdue:
        return -AGES_S
    return parameters.queues[person.queue].due_after_s - expected_remaining_s(parameters, person.queue, 0.0)


@compiled
def join_pool(state, parameters, contact):
    """Put the suspended `contact` (slot), whose key of urgency is set, where other reps may find it."""
    person = state.slots[contact].person
    negative_usd = -person.value_usd
    if parameters.markov and person.overdue:
        negative_usd += TRIFLE_USD
    urgency_s = state.slots[contact].heap_key[BY_URGENCY]
    insert_contact(state, pool_heap(state, person.queue, BY_URGENCY), BY_URGENCY, contact, urgency_s)
    insert_contact(state, pool_heap(state, person.queue, BY_VALUE), BY_VALUE, contact, negative_usd)


@compiled
def leave_pool(state, contact):
    """Take the suspended `contact` (slot) out of what other reps may find."""
    queue = state.slots[contact].person.queue
    remove_contact(state, pool_heap(state, queue, BY_URGENCY), BY_URGENCY, contact)
    remove_contact(state, pool_heap(state, queue, BY_VALUE), BY_VALUE, contact)


@compiled
def has_pooled_work(state, parameters, k):
    """Return True if somebody has suspended a contact that a rep of `k` (class) has the skill for."""
    if not parameters.pooled:
        return False
    for q in range(parameters.n_queues):
        if parameters.skill[k, q] and state.queues[q].suspended > 0:
            return True
    return False


@compiled
def first_of_others(state, parameters, rep, order):
    """Return the slot of the first contact in `order`, BY_URGENCY or BY_VALUE, that another rep than the free `rep`
    (seat) has suspended and that `rep` has the skill for; NOBODY if there is none."""
    if parameters.markov:
        return _first_of_equals(state, parameters, rep, order)
    found = NOBODY
    for q in range(parameters.n_queues):
        if parameters.skill[state.reps[rep].seat_class, q] and state.queues[q].suspended > 0:
            contact = _first_of_queue(state, pool_heap(state, q, order), rep, order)
            if contact != NOBODY and (found == NOBODY or is_before(state, order, contact, found)):
                found = contact
    return found


@compiled
def _first_of_queue(state, heap, rep, order):
    """Return the slot of the first contact of `heap`, the index of a heap of suspended contacts kept in `order`, that
    another rep than `rep` (seat) holds; NOBODY if there is none. Places of the heap are walked through in their tree,
    below those that `rep` holds only."""
    found = NOBODY
    place = 0
    while True:
        if place < state.heap_size[heap]:
            contact = np.int64(state.slots[place].heap_item[heap])
            if state.slots[contact].person.rep == rep:
                place = 2 * place + 1
                continue
            if found == NOBODY or is_before(state, order, contact, found):
                found = contact
        while place > 0 and place % 2 == 0:  # a right child: its parent is done
            place = (place - 1) // 2
        if place == 0:
            return found
        place += 1


@compiled
def _first_of_equals(state, parameters, rep, order):
    """Return the slot that `first_of_others` means for `rep` (seat) and `order` in a Markovian center, where nothing of
    it may depend on ages."""
    found = NOBODY
    for holder in range(parameters.n_reps):
        contact = NOBODY if holder == rep else np.int64(state.reps[holder].suspended)
        while contact != NOBODY:
            if parameters.skill[state.reps[rep].seat_class, state.slots[contact].person.queue]:
                if found == NOBODY or _goes_before(state, parameters, rep, order, contact, found):
                    found = contact
            contact = np.int64(state.slots[contact].person.next_suspended)
    return found


@compiled
def _goes_before(state, parameters, rep, order, first, second):
    """Return True if the suspended contact `first` (slot) goes before `second` (slot), which was found before, in
    `order`, or among equals; `rep` (seat) is asked."""
    first_key, second_key = state.slots[first].heap_key[order], state.slots[second].heap_key[order]
    if first_key != second_key:
        return first_key < second_key
    one, other = state.slots[first].person, state.slots[second].person
    if one.queue != other.queue:
        return one.queue < other.queue
    is_own, is_other_own = one.worked_by == rep, other.worked_by == rep
    if is_own != is_other_own:
        return is_own
    more = state.reps[one.rep].n_suspended - state.reps[other.rep].n_suspended
    return more > 0 or (more == 0 and state.reps[one.rep].rank < state.reps[other.rep].rank)
