"""The event list: contacts in ordered heaps, reps in a block argmin.

Room: `envs.simulator.machine`. Touches the heap and event fields of the state, nothing else.

* Every open contact has at most one timed event (its clock): one indexed binary heap over all contacts.
* Every queue keeps its waiting contacts in up to four more orders, so that each lens is a look at a top, and where
  suspended work is pooled its suspended contacts in two.
* Every rep has at most one timed event; a two-level argmin over blocks of 16 finds the earliest.

Equal keys are ordered by the contact's sequence number, so that the order of events never depends on a layout. The tops
of all heaps lie side by side, and so do a contact's keys: with hundreds of environments a step waits for memory most of
its time.
"""

import numpy as np

from envs.interface.units import NEVER, NOBODY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.record_types import BLOCK
from envs.simulator.machine.state import BY_CLOCK, BY_VALUE

CLOCK_HEAP = 0


@compiled
def queue_heap(queue, order):
    """Return the index of the heap that keeps `queue`, a channel's number, in `order`, a BY_ code but BY_CLOCK."""
    return 4 * queue + order


@compiled
def pool_heap(state, queue, order):
    """Return the index of the heap that keeps the suspended contacts of `queue`, a channel's number, in `order`,
    BY_URGENCY or BY_VALUE."""
    return 1 + 4 * state.queues.shape[0] + 2 * queue + (order == BY_VALUE)


@compiled
def is_before(state, order, first, second):
    """Return True if the contact `first` (slot) stands before the contact `second` (slot) in `order`, a BY_ code: by
    key, the lower sequence number among equals."""
    first_key = state.slots[first].heap_key[order]
    second_key = state.slots[second].heap_key[order]
    if first_key != second_key:
        return first_key < second_key
    return state.slots[first].person.sequence < state.slots[second].person.sequence


@compiled
def _sift_up(state, heap, order, place):
    """Move the contact at `place` of `heap`, its index, up to where it belongs in `order`, the heap's BY_ code."""
    contact = state.slots[place].heap_item[heap]
    while place > 0:
        parent_place = (place - 1) // 2
        parent = state.slots[parent_place].heap_item[heap]
        if not is_before(state, order, contact, parent):
            break
        state.slots[place].heap_item[heap] = parent
        state.slots[parent].heap_place[order] = place
        place = parent_place
    state.slots[place].heap_item[heap] = contact
    state.slots[contact].heap_place[order] = place


@compiled
def _sift_down(state, heap, order, place):
    """Move the contact at `place` of `heap`, its index, down to where it belongs in `order`, the heap's BY_ code."""
    size = state.heap_size[heap]
    contact = state.slots[place].heap_item[heap]
    while True:
        child_place = 2 * place + 1
        if child_place >= size:
            break
        child = state.slots[child_place].heap_item[heap]
        if child_place + 1 < size:
            other = state.slots[child_place + 1].heap_item[heap]
            if is_before(state, order, other, child):
                child = other
                child_place += 1
        if not is_before(state, order, child, contact):
            break
        state.slots[place].heap_item[heap] = child
        state.slots[child].heap_place[order] = place
        place = child_place
    state.slots[place].heap_item[heap] = contact
    state.slots[contact].heap_place[order] = place


@compiled
def insert_contact(state, heap, order, contact, key):
    """Put `contact` (slot) with `key` into `heap`, its index, which is kept in `order`, a BY_ code, the least key
    first; it must not be in a heap of that order."""
    place = state.heap_size[heap]
    state.heap_size[heap] = place + 1
    state.slots[contact].heap_key[order] = key
    state.slots[place].heap_item[heap] = contact
    state.slots[contact].heap_place[order] = place
    _sift_up(state, heap, order, place)


@compiled
def remove_contact(state, heap, order, contact):
    """Take `contact` (slot) out of `heap`, its index, which is kept in `order`, a BY_ code; nothing happens if it is in
    no heap of that order."""
    place = state.slots[contact].heap_place[order]
    if place == NOBODY:
        return
    last_place = state.heap_size[heap] - 1
    state.heap_size[heap] = last_place
    state.slots[contact].heap_place[order] = NOBODY
    if place != last_place:
        moved = state.slots[last_place].heap_item[heap]
        state.slots[place].heap_item[heap] = moved
        state.slots[moved].heap_place[order] = place
        _sift_up(state, heap, order, place)
        _sift_down(state, heap, order, state.slots[moved].heap_place[order])


@compiled
def first_contact(state, heap):
    """Return the slot of the first contact of `heap`, its index; NOBODY if it is empty."""
    if state.heap_size[heap] == 0:
        return NOBODY
    return np.int64(state.slots[0].heap_item[heap])


@compiled
def set_clock(state, contact, time_s):
    """Set the time in seconds of the next own event of `contact` (slot); NEVER takes it off the event list."""
    if state.slots[contact].heap_place[BY_CLOCK] != NOBODY:
        remove_contact(state, CLOCK_HEAP, BY_CLOCK, contact)
    if time_s < NEVER:
        insert_contact(state, CLOCK_HEAP, BY_CLOCK, contact, time_s)


@compiled
def next_clock_s(state):
    """Return the time in seconds of the earliest event of a contact, NEVER if there is none."""
    if state.heap_size[CLOCK_HEAP] == 0:
        return NEVER
    return state.slots[state.slots[0].heap_item[CLOCK_HEAP]].heap_key[BY_CLOCK]


@compiled
def set_rep_event(state, rep, time_s):
    """Set the time in seconds of the next event of `rep` (seat); NEVER if it has none."""
    state.rep_event_s[rep] = time_s
    block = rep // BLOCK
    earliest_s = NEVER
    for i in range(block * BLOCK, (block + 1) * BLOCK):
        if state.rep_event_s[i] < earliest_s:
            earliest_s = state.rep_event_s[i]
    state.block_event_s[block] = earliest_s


@compiled
def next_rep_event(state, n_reps):
    """Return (seat, time in seconds) of the earliest event in the first `n_reps` seats, further seats counted too, the
    lowest seat among equals; (NOBODY, NEVER) if there is none."""
    earliest_s = NEVER
    found = NOBODY
    for block in range((n_reps + BLOCK - 1) // BLOCK):
        if state.block_event_s[block] < earliest_s:
            earliest_s = state.block_event_s[block]
            found = block
    if found == NOBODY:
        return NOBODY, NEVER
    for i in range(found * BLOCK, (found + 1) * BLOCK):
        if state.rep_event_s[i] == earliest_s:
            return i, earliest_s
    return NOBODY, NEVER
