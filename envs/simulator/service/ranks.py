"""The ranks of the reps of a Markovian center in which suspended work is pooled: what tells equals apart, whatever
their numbers.

Room: `envs.simulator.service`. Touches rank and color of the reps, and the order of the free; reads all else.

Reps of one class are interchangeable, and so an exact chain counts centers as one state in which only their numbers are
exchanged. Then no choice between reps may hang on a number: of those who are equal in what a lens looks at, the lower
rank is meant. Where a pick-up takes a rep who worked on the contact last another time than others, one who picks up the
contact of another comes behind, then one on whose contacts more others are at, or more of these are suspended. Who is
equal in that too is told apart by all that the state says of a rep. Colors say it: each is mixed from the rep's own
and those of the reps with whom it shares a thread, some rounds over (color refinement, Weisfeiler and Leman 1968). Whom
they do not tell apart are alike.
"""

import numpy as np

from envs.interface.units import NEVER, NOBODY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.luck import mix
from envs.simulator.machine.record_types import MAX_SUSPENDED
from envs.simulator.machine.state import AFTER_WORK, FREE, RESUMING
from envs.simulator.service.staffing import sort_free

ROUNDS = 3
"""Rounds of mixing: more than enough for the threads of a handful of reps."""
_OWN = np.uint64(0x9E3779B97F4A7C15)
_PICKED_UP = np.uint64(0xD1B54A32D192ED03)
_SUSPENDED = np.uint64(0xC2B2AE3D27D4EB4F)


@compiled
def contact_code(state, contact):
    """Return the code of `contact` (slot), from 1 on: its queue, and whether it is overdue, unless its due time
    concerns nobody any more."""
    person = state.slots[contact].person
    return 1 + 2 * person.queue + (person.overdue != 0 and person.due_s < NEVER)


@compiled
def rep_code(state, rep, has_waited, idle_rank):
    """Return all that matters of `rep` (seat) but threads, packed into an integer: with whether it `has_waited`, a
    truth value, and `idle_rank`, its place among the free from 1 on or 0."""
    worker = state.reps[rep]
    code = np.int64(worker.status)
    code = 16 * code + worker.seat_class
    in_hand = 0
    if worker.status == AFTER_WORK:
        in_hand = 1 + 2 * worker.after_work_of
    elif worker.status != FREE and worker.contact != NOBODY:
        in_hand = contact_code(state, worker.contact)
    code = 16 * code + in_hand
    code = 2 * code + has_waited
    code = 32 * code + idle_rank
    contact = worker.suspended
    for _ in range(MAX_SUSPENDED):
        code *= 16
        if contact != NOBODY:
            code += contact_code(state, contact)
            contact = state.slots[contact].person.next_suspended
    return code


@compiled
def reps_differ_in_pick_ups(parameters):
    """Return True if some pick-up is another one for the rep who worked on the contact last; of exponential laws the
    means tell that."""
    for q in range(parameters.n_queues):
        if parameters.queues[q].pick_up_mean_s != parameters.queues[q].pick_up_by_other_mean_s:
            return True
    return False


@compiled
def _thread_color(state, rep, contact):
    """Return the color of the rep who worked on `contact` (slot) last, a constant if that is `rep` (seat)."""
    worked_by = state.slots[contact].person.worked_by
    return _OWN if worked_by == rep else state.reps[worked_by].color


@compiled
def _shared_color(state, rep, other):
    """Return what `other` (seat) holds of contacts on which `rep` (seat) worked last, mixed into a number; 0 if
    nothing."""
    color = state.reps[other].color
    shared = np.uint64(0)
    if state.reps[other].status == RESUMING and state.slots[state.reps[other].contact].person.worked_by == rep:
        shared += mix(color + _PICKED_UP)
    contact = state.reps[other].suspended
    place = 1
    while contact != NOBODY:
        if state.slots[contact].person.worked_by == rep:
            shared += mix(color + _SUSPENDED * np.uint64(place))
        contact = state.slots[contact].person.next_suspended
        place += 1
    return shared


@compiled
def _mix_threads(state, parameters):
    """Mix into the color of every rep those of the reps with whom it shares threads."""
    for rep in range(parameters.n_reps):
        worker = state.reps[rep]
        color = worker.color
        if worker.status == RESUMING:
            color = mix(color + _PICKED_UP + _thread_color(state, rep, worker.contact))
        contact = worker.suspended
        while contact != NOBODY:
            color = mix(color + _SUSPENDED + _thread_color(state, rep, contact))
            contact = state.slots[contact].person.next_suspended
        for other in range(parameters.n_reps):
            if other != rep:
                color += _shared_color(state, rep, other)
        worker.next_color = mix(color)
    for rep in range(parameters.n_reps):
        state.reps[rep].color = state.reps[rep].next_color


@compiled
def _order_of(state, parameters, rep):
    """Return what comes first in the rank of `rep` (seat), packed into an integer: whether it picks up a contact on
    which another rep worked last, how many contacts on which it worked last others hold, and how many of these are
    suspended."""
    worker = state.reps[rep]
    picks_up_others = worker.status == RESUMING and state.slots[worker.contact].person.worked_by != rep
    n_out, n_suspended = 0, 0
    for other in range(parameters.n_reps):
        if other != rep:
            if state.reps[other].status == RESUMING:
                n_out += state.slots[state.reps[other].contact].person.worked_by == rep
            contact = state.reps[other].suspended
            while contact != NOBODY:
                n_suspended += state.slots[contact].person.worked_by == rep
                contact = state.slots[contact].person.next_suspended
    return 10_000 * (1_000 * picks_up_others + n_out + n_suspended) + n_suspended


@compiled
def _goes_before(first, second):
    """Return True if the rep of record `first` has the lower order, or the same and the lower color than `second`."""
    if first.order != second.order:
        return first.order < second.order
    return first.color < second.color


@compiled
def rank_reps(state, parameters, is_asked):
    """Set the rank of every rep, from 0 on, and the order of the free; `is_asked`, a truth value: who was told to wait
    in this pass differs from who was not."""
    differ = reps_differ_in_pick_ups(parameters)
    for rep in range(parameters.n_reps):
        worker = state.reps[rep]
        has_waited = is_asked and worker.status == FREE and worker.closed_at == state.pass_number
        worker.color = mix(np.uint64(rep_code(state, rep, has_waited, 0)))
        worker.order = _order_of(state, parameters, rep) if differ else 0
    if differ:
        for _ in range(ROUNDS):
            _mix_threads(state, parameters)
    for rep in range(parameters.n_reps):
        rank = 0
        for other in range(parameters.n_reps):
            is_before = _goes_before(state.reps[other], state.reps[rep])
            rank += is_before or (other < rep and not _goes_before(state.reps[rep], state.reps[other]))
        state.reps[rep].rank = rank
    sort_free(state, parameters)
