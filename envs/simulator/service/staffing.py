"""The reps: who is free, who starts what, who comes and goes.

Room: `envs.simulator.service`. Touches the rep, class and event fields of the state.

Free reps of a class stand in a linked list, longest idle first: a rep who comes free joins its end. With `observation:
markov` idle times are not part of the state: free reps stand by the number of their suspended contacts instead, and of
several classes the first in the scenario counts as idle longest.
"""

import numpy as np

from envs.interface.units import NEVER, NOBODY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.event_list import set_rep_event
from envs.simulator.machine.journal import (
    NOTE_AWAY,
    NOTE_FREE,
    NOTE_PICKING_UP,
    NOTE_WORKING,
    note,
    note_rep,
)
from envs.simulator.machine.state import (
    AFTER_WORK,
    AWAY,
    FREE,
    RESUMING,
    WORKING,
)
from envs.simulator.service.queues import tell_contacts


@compiled
def join_free(state, parameters, rep):
    """Make `rep` (seat) free from now on. The class is asked again, since this rep has not been asked yet."""
    k = state.reps[rep].seat_class
    worker = state.reps[rep]
    worker.status = FREE
    worker.contact = NOBODY
    worker.idle_since_s = 0.0 if parameters.markov else state.now_s
    worker.closed_at = -1
    worker.review_s = NEVER
    _insert_free(state, parameters, rep)
    state.classes[k].closed_at = -1
    set_rep_event(state, rep, NEVER)
    tell_contacts(state, parameters, k)
    note_rep(state, NOTE_FREE, rep)


@compiled
def _insert_free(state, parameters, rep):
    """Put `rep` (seat) into the list of free reps of its class: at the end, or in a Markovian center by the number of
    its suspended contacts, where these are pooled by rank among equals."""
    k = state.reps[rep].seat_class
    worker = state.reps[rep]
    before = state.classes[k].last_free
    after = NOBODY
    if parameters.markov:
        while before != NOBODY:
            more = state.reps[before].n_suspended - worker.n_suspended
            if more < 0 or (more == 0 and not (parameters.pooled and state.reps[before].rank > worker.rank)):
                break
            after = before
            before = state.reps[before].previous_free
    worker.previous_free = before
    worker.next_free = after
    if before == NOBODY:
        state.classes[k].first_free = rep
    else:
        state.reps[before].next_free = rep
    if after == NOBODY:
        state.classes[k].last_free = rep
    else:
        state.reps[after].previous_free = rep
    state.classes[k].n_free += 1


@compiled
def leave_free(state, parameters, rep):
    """Take `rep` (seat) out of the list of free reps of its class."""
    _remove_free(state, rep)
    set_rep_event(state, rep, NEVER)


@compiled
def sort_free(state, parameters):
    """Put the free reps of a Markovian center in order again, whose ranks have changed."""
    for rep in range(parameters.n_reps):
        if state.reps[rep].status == FREE:
            _remove_free(state, rep)
    for rep in range(parameters.n_reps):
        if state.reps[rep].status == FREE:
            _insert_free(state, parameters, rep)


@compiled
def _remove_free(state, rep):
    """Take `rep` (seat) out of the list of free reps of its class, its event left alone."""
    k = state.reps[rep].seat_class
    worker = state.reps[rep]
    before = worker.previous_free
    after = worker.next_free
    if before == NOBODY:
        state.classes[k].first_free = after
    else:
        state.reps[before].next_free = after
    if after == NOBODY:
        state.classes[k].last_free = before
    else:
        state.reps[after].previous_free = before
    state.classes[k].n_free -= 1


@compiled
def longest_idle_rep(state, parameters, queue):
    """Return the free seat with the skill for `queue`, a channel's number, that is idle longest; NOBODY if there is
    none."""
    found = NOBODY
    for k in range(parameters.n_classes):
        rep = state.classes[k].first_free
        if rep != NOBODY and parameters.skill[k, queue]:
            if found == NOBODY or is_idle_longer(state, rep, found):
                found = np.int64(rep)
    return found


@compiled
def fewest_skills_rep(state, parameters, queue):
    """Return the free seat with the skill for `queue`, a channel's number, whose rep has the fewest skills, longest
    idle among equals; NOBODY if there is none."""
    found = NOBODY
    fewest = 0
    for k in range(parameters.n_classes):
        rep = state.classes[k].first_free
        if rep != NOBODY and parameters.skill[k, queue]:
            count = parameters.skill_count[k]
            if found == NOBODY or count < fewest or (count == fewest and is_idle_longer(state, rep, found)):
                found = np.int64(rep)
                fewest = count
    return found


@compiled
def is_idle_longer(state, first, second):
    """Return True if the free `first` (seat) is idle longer than the free `second` (seat); the lower number among
    equals."""
    first_s = state.reps[first].idle_since_s
    second_s = state.reps[second].idle_since_s
    return first_s < second_s or (first_s == second_s and first < second)


@compiled
def has_free_rep(state, parameters, queue):
    """Return True if a free rep has the skill for `queue`, a channel's number."""
    for k in range(parameters.n_classes):
        if state.classes[k].n_free > 0 and parameters.skill[k, queue]:
            return True
    return False


@compiled
def has_interruptible_rep(state, parameters, queue):
    """Return True if a rep with the skill for `queue`, a channel's number, can be interrupted."""
    for k in range(parameters.n_classes):
        if state.classes[k].n_interruptible > 0 and parameters.skill[k, queue]:
            return True
    return False


@compiled
def is_interruptible(state, parameters, rep):
    """Return True if `rep` (seat), on shift, picks up or works on a contact that may be suspended, with room for it."""
    worker = state.reps[rep]
    if not worker.on_shift or worker.n_suspended >= parameters.suspended_limit:
        return False
    if worker.status == RESUMING:
        return True
    if worker.status == WORKING:
        queue = state.slots[worker.contact].person.queue
        return parameters.queues[queue].interruptible != 0
    return False


@compiled
def count_interruptible(state, parameters, rep, change):
    """Add `change` (+1 or -1) to the class's interruptible reps if `rep` (seat) is one; a new one is news to
    contacts."""
    if is_interruptible(state, parameters, rep):
        k = state.reps[rep].seat_class
        state.classes[k].n_interruptible += change
        if change > 0:
            tell_contacts(state, parameters, k)


@compiled
def set_busy(state, parameters, rep, contact, status, until_s):
    """Let `rep` (seat), not free any more, do `status` (WORKING or RESUMING) on `contact` (slot) until `until_s`
    seconds."""
    worker = state.reps[rep]
    worker.status = status
    worker.contact = contact
    worker.phase_start_s = state.now_s
    if rep < parameters.n_reps:  # a rep who holds several contacts is one rep at work
        if status == WORKING:
            state.n_working += 1
        else:
            state.n_resuming += 1
    note(state, NOTE_WORKING if status == WORKING else NOTE_PICKING_UP, contact, rep, 0)
    set_rep_event(state, rep, until_s)
    count_interruptible(state, parameters, rep, 1)


@compiled
def end_phase(state, parameters, rep):
    """End what the busy `rep` (seat) is doing; the caller decides what comes next."""
    count_interruptible(state, parameters, rep, -1)
    if rep < parameters.n_reps:
        if state.reps[rep].status == WORKING:
            state.n_working -= 1
        else:
            state.n_resuming -= 1


@compiled
def begin_after_work(state, rep, queue, until_s):
    """Let `rep` (seat), whose contact of `queue`, a channel's number, has just ended, do its after-contact work until
    `until_s` seconds."""
    worker = state.reps[rep]
    worker.status = AFTER_WORK
    worker.contact = NOBODY
    worker.after_work_of = queue
    worker.phase_start_s = state.now_s
    state.n_working += 1
    state.queues[queue].after_work += 1
    set_rep_event(state, rep, until_s)


@compiled
def end_after_work(state, rep):
    """End the after-contact work of `rep` (seat); the caller decides what comes next."""
    state.n_working -= 1
    state.queues[state.reps[rep].after_work_of].after_work -= 1


@compiled
def send_away(state, rep):
    """Take `rep` (seat), who is neither busy nor in the list of free reps, off the floor."""
    worker = state.reps[rep]
    worker.status = AWAY
    worker.contact = NOBODY
    note_rep(state, NOTE_AWAY, rep)
    set_rep_event(state, rep, NEVER)


@compiled
def speed_of(state, parameters, rep, contact):
    """Return how many seconds of the work on `contact` (slot) the `rep` (seat) does in a second, if it holds nothing
    else (D10, D11)."""
    person = state.slots[contact].person
    speed = parameters.speed[state.reps[rep].seat_class, person.queue]
    if person.preferred == parameters.owner[rep]:
        speed *= parameters.preferred_speed
    return speed


@compiled
def resolution_of(state, parameters, rep, contact):
    """Return by what the `rep` (seat) multiplies the chance that `contact` (slot) is resolved (D10, D11)."""
    person = state.slots[contact].person
    factor = parameters.resolution[state.reps[rep].seat_class, person.queue]
    if person.preferred == parameters.owner[rep]:
        factor *= parameters.preferred_resolution
    return factor
