"""Whom the router is asked about, and when nobody.

Room: `envs.simulator.router`. Touches the subject of the state; reads who waits and who is free.

Epochs (DESIGN section 3). After every event one pass: the real-time contact that just arrived, then of each real-time
queue the oldest and the most valuable, then free reps with eligible work, longest idle first. `wait` closes a subject
until news could change the answer, and `hold` closes a contact in the same way and closes it to the free reps too, each
class of them until it has news: one answer decides that it waits while they are free. Each queue counts news for its
contacts (a rep freed or started on interruptible work), each class of reps counts news for its reps (work they may
serve arrived, came due, aged past a threshold). A subject is open while the count differs from the one at its last
`wait`, and again after the review interval. Reps of a class who hold no suspended work, and for whom nobody waits in
particular, are interchangeable and asked once; a rep who has just come free has not been asked. With `review:
every_event` every event is news. Nobody is asked when `wait` is the only action.

An interruption is possible only while no suitable rep is free: it costs a pick-up, and a free rep costs none. With
`observation: markov` it is possible always, since an exact optimum is to be one over all decisions; there are centers
in which it pays, by a millionth, to keep the free rep free.
"""

import numpy as np

from envs.interface.units import NEVER, NOBODY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.event_list import first_contact as first_in_heap
from envs.simulator.machine.event_list import queue_heap
from envs.simulator.machine.state import (
    BY_ARRIVAL,
    BY_VALUE,
    CONTACT_SUBJECT,
    NO_SUBJECT,
    REP_SUBJECT,
    WAITING,
)
from envs.simulator.service.pool import has_pooled_work
from envs.simulator.service.queues import oldest_preferring
from envs.simulator.service.ranks import rank_reps
from envs.simulator.service.staffing import has_free_rep, has_interruptible_rep


@compiled
def _has_choice(state, parameters, contact):
    """Return True if more than `wait` is open to the waiting real-time `contact` (slot): a rep who is free or may be
    interrupted, or a callback to be offered."""
    queue = state.slots[contact].person.queue
    if has_free_rep(state, parameters, queue) or has_interruptible_rep(state, parameters, queue):
        return True
    return parameters.queues[queue].offer_to != NOBODY and not state.slots[contact].person.offered


@compiled
def contact_stamp(state, parameters, contact):
    """Return the stamp, a count, of what is news to the waiting real-time `contact` (slot): closed at this stamp, it is
    not asked about again."""
    return state.pass_number if parameters.every_event else state.queues[state.slots[contact].person.queue].news


@compiled
def is_held(state, parameters, contact, k):
    """Return True if the waiting `contact` (slot) is kept from the free reps of `k` (class): the router said `hold`,
    and since then nothing was news to either."""
    person = state.slots[contact].person
    if person.held_at < 0 or person.closed_at != contact_stamp(state, parameters, contact):
        return False
    return parameters.every_event != 0 or state.classes[k].news <= person.held_at


@compiled
def _is_contact_open(state, parameters, contact):
    """Return True if the router is to be asked about the waiting real-time `contact` (slot): there has been news since
    its last `wait`, and there is a choice."""
    is_closed = state.slots[contact].person.closed_at == contact_stamp(state, parameters, contact)
    return not is_closed and _has_choice(state, parameters, contact)


@compiled
def class_stamp(state, parameters, k):
    """Return the stamp, the count of all news at the last that concerned `k` (class): a class closed at this stamp is
    not asked again."""
    return state.pass_number if parameters.every_event else state.classes[k].news


@compiled
def _has_waiting_work(state, parameters, k):
    """Return True if there is somebody to be offered, not held, in a queue for which `k` (class) has the skill, or
    suspended by another rep than one who holds nothing suspended."""
    if has_pooled_work(state, parameters, k):
        return True
    for q in range(parameters.n_queues):
        if not parameters.skill[k, q] or state.queues[q].waiting == 0:
            continue
        if not parameters.queues[q].real_time:
            return True
        for order in (BY_ARRIVAL, BY_VALUE):  # whom the lenses of a real-time queue name
            if not is_held(state, parameters, first_in_heap(state, queue_heap(q, order)), k):
                return True
    return False


@compiled
def _is_offered_to(state, parameters, rep):
    """Return True if somebody whose preferred rep is that of `rep` (seat), which has the skill, is to be offered."""
    contact = oldest_preferring(state, parameters, rep)
    return contact != NOBODY and not is_held(state, parameters, contact, state.reps[rep].seat_class)


@compiled
def is_particular(state, parameters, rep):
    """Return True if `rep` (seat) holds suspended work, or somebody waits for this very rep: then no other can stand
    in."""
    return state.reps[rep].n_suspended > 0 or state.reps[parameters.owner[rep]].first_preferring != NOBODY


@compiled
def _open_rep_of_class(state, parameters, k):
    """Return the seat, the longest idle of `k` (class), that is to be asked, NOBODY if there is none."""
    stamp = class_stamp(state, parameters, k)
    work_waits = _has_waiting_work(state, parameters, k)
    class_asked = state.classes[k].closed_at == stamp
    rep = state.classes[k].first_free
    while rep != NOBODY:
        if is_particular(state, parameters, rep):
            has_work = work_waits or state.reps[rep].n_suspended > 0 or _is_offered_to(state, parameters, rep)
            if has_work and state.reps[rep].closed_at != stamp:
                return np.int64(rep)
        elif work_waits and not class_asked:
            return np.int64(rep)
        rep = state.reps[rep].next_free
    return NOBODY


@compiled
def find_subject(state, parameters):
    """Set the state's subject to the next one of the pass; return False if nobody is left to be asked about."""
    if parameters.markov and parameters.pooled:
        rank_reps(state, parameters, True)
    contact = np.int64(state.just_arrived)
    if contact != NOBODY and state.slots[contact].person.status == WAITING:
        if parameters.queues[state.slots[contact].person.queue].real_time and _is_contact_open(
            state, parameters, contact
        ):
            state.subject_kind = CONTACT_SUBJECT
            state.subject = contact
            return True
    for q in range(parameters.n_queues):
        if parameters.queues[q].real_time and state.queues[q].waiting > 0:
            for order in (BY_ARRIVAL, BY_VALUE):
                contact = first_in_heap(state, queue_heap(q, order))
                if _is_contact_open(state, parameters, contact):
                    state.subject_kind = CONTACT_SUBJECT
                    state.subject = contact
                    return True
    found = NOBODY
    for k in range(parameters.n_classes):
        if state.classes[k].n_free > 0:
            rep = _open_rep_of_class(state, parameters, k)
            if rep != NOBODY and (found == NOBODY or state.reps[rep].idle_since_s < state.reps[found].idle_since_s):
                found = rep
    if found != NOBODY:
        state.subject_kind = REP_SUBJECT
        state.subject = found
        return True
    state.subject_kind = NO_SUBJECT
    state.subject = NOBODY
    return False


@compiled
def next_class_review(state, parameters):
    """Return (class, time in seconds) of the earliest review of a class that said wait; (NOBODY, NEVER) if none."""
    earliest_s = NEVER
    found = NOBODY
    for k in range(parameters.n_classes):
        if state.classes[k].review_s < earliest_s:
            earliest_s = state.classes[k].review_s
            found = k
    return found, earliest_s
