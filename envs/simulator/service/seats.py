"""Concurrency: a rep who holds several contacts, each slower than one alone (D14).

Room: `envs.simulator.service`. Touches the seats of one rep through `staffing`, and the pace of the contacts in them.

A rep has as many seats as it can hold contacts; the first one is the rep itself. Contacts sit in the first seats
without a gap. A rep who holds nothing is free for everything. A rep on shift who holds contacts and has units of
capacity left keeps the next seat open: it stands among the free with the skills whose units still fit. What takes a rep
whole leaves no seat open; only such work is ever interrupted, so that a chat, whose customer is engaged, is never
suspended, and a rep who holds chats cannot be interrupted. Whenever the number held changes, so does the speed of each.
"""

import numpy as np

from envs.interface.units import NEVER, NOBODY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.event_list import set_rep_event
from envs.simulator.machine.journal import NOTE_WORKING, note
from envs.simulator.machine.state import (
    AFTER_WORK,
    FREE,
    WORKING,
)
from envs.simulator.service.staffing import (
    is_idle_longer,
    join_free,
    leave_free,
    send_away,
    speed_of,
)


@compiled
def seat_at(parameters, rep, place):
    """Return the seat at `place` among those of `rep` (seat), a rep itself, whose own place is 0."""
    if place == 0:
        return rep
    return parameters.first_seat[rep] + place - 1


@compiled
def free_seat_of(state, rep):
    """Return the free seat of `rep` (seat), a rep itself: that seat or the open one; NOBODY if there is none."""
    if state.reps[rep].status == FREE:
        return rep
    return state.reps[rep].open_seat


@compiled
def shared_speed_of(state, parameters, seat, contact):
    """Return how many seconds of the work on `contact` (slot) a second in the free `seat` will do."""
    n_held = state.reps[parameters.owner[seat]].n_held
    return (
        speed_of(state, parameters, seat, contact)
        * parameters.shared_speed[state.slots[contact].person.queue, n_held + 1]
    )


@compiled
def least_loaded_rep(state, parameters, queue):
    """Return the free seat, the longest idle of its class, with the skill for `queue`, a channel's number, whose rep
    holds the fewest contacts; the longest idle among equals; NOBODY if there is none."""
    found = NOBODY
    for k in range(parameters.n_classes):
        seat = state.classes[k].first_free
        if seat != NOBODY and parameters.skill[k, queue]:
            if found == NOBODY:
                found = np.int64(seat)
                continue
            more = state.reps[parameters.owner[seat]].n_held - state.reps[parameters.owner[found]].n_held
            if more < 0 or (more == 0 and is_idle_longer(state, seat, found)):
                found = np.int64(seat)
    return found


@compiled
def fastest_rep(state, parameters, contact):
    """Return the free seat, the longest idle of its class, that would do the work on `contact` (slot) fastest; the
    longest idle among equals; NOBODY if there is none."""
    found = NOBODY
    most = 0.0
    for k in range(parameters.n_classes):
        seat = state.classes[k].first_free
        if seat != NOBODY and parameters.skill[k, state.slots[contact].person.queue]:
            speed = shared_speed_of(state, parameters, seat, contact)
            if speed > most or (speed == most and is_idle_longer(state, seat, found)):
                found = np.int64(seat)
                most = speed
    return found


@compiled
def book_work(state, seat):
    """Add what was done in `seat`, whose phase began at the seat's speed, to the work of the contact in it."""
    worker = state.reps[seat]
    person = state.slots[worker.contact].person
    served_s = state.now_s - worker.phase_start_s
    done_s = served_s * worker.speed
    person.served_s += served_s
    person.work_done_s += done_s
    person.work_left_s = max(person.work_left_s - done_s, 0.0)  # the sum of times is rounded


@compiled
def _change_speed(state, parameters, seat, speed):
    """Let the work in `seat` go on at `speed`, seconds of work per second, from now on."""
    worker = state.reps[seat]
    if worker.speed == speed:
        return
    book_work(state, seat)
    worker.phase_start_s = state.now_s
    worker.speed = speed
    set_rep_event(state, seat, state.now_s + state.slots[worker.contact].person.work_left_s / speed)


@compiled
def _close_seat(state, parameters, rep):
    """Take the open seat of `rep` (seat), a rep itself, out of the free; nothing happens if there is none."""
    seat = state.reps[rep].open_seat
    if seat != NOBODY:
        leave_free(state, parameters, seat)
        send_away(state, seat)
        state.reps[rep].open_seat = NOBODY


@compiled
def divide_attention(state, parameters, rep):
    """Set the speed of all that `rep` (seat), a rep itself, holds, and open or close the next seat."""
    if parameters.first_seat[rep] == NOBODY:
        return
    worker = state.reps[rep]
    if worker.status == AFTER_WORK:  # takes the rep whole
        return
    n_held = worker.n_held
    units_left = parameters.capacity_units[worker.seat_class]
    for place in range(n_held):
        seat = seat_at(parameters, rep, place)
        contact = state.reps[seat].contact
        queue = state.slots[contact].person.queue
        units = parameters.queues[queue].units
        units_left = units_left - units if units > 0 else 0
        if state.reps[seat].status == WORKING:
            own_speed = speed_of(state, parameters, seat, contact)
            _change_speed(state, parameters, seat, own_speed * parameters.shared_speed[queue, n_held])
    wanted_class = NOBODY
    if n_held > 0 and worker.on_shift:
        wanted_class = parameters.seat_class[worker.seat_class, units_left]
    wanted = NOBODY if wanted_class == NOBODY else seat_at(parameters, rep, n_held)
    open_seat = worker.open_seat
    if open_seat != NOBODY and (open_seat != wanted or state.reps[open_seat].seat_class != wanted_class):
        _close_seat(state, parameters, rep)
    if wanted != NOBODY and worker.open_seat == NOBODY:
        state.reps[wanted].seat_class = wanted_class
        worker.open_seat = wanted
        join_free(state, parameters, wanted)


@compiled
def take_seat(state, parameters, seat):
    """Count the contact that starts in `seat`, which is not among the free any more."""
    rep = parameters.owner[seat]
    state.reps[rep].n_held += 1
    if seat != rep:
        state.reps[rep].open_seat = NOBODY


@compiled
def vacate_seat(state, parameters, seat):
    """Take the contact that has ended out of `seat`; the last one held moves up. Return the seat of the rep itself."""
    rep = parameters.owner[seat]
    worker = state.reps[rep]
    worker.n_held -= 1
    if parameters.first_seat[rep] == NOBODY:
        return rep
    _close_seat(state, parameters, rep)
    last = seat_at(parameters, rep, worker.n_held)
    if last != seat:
        _move_up(state, parameters, last, seat)
    if last != rep:
        send_away(state, last)
    return rep


@compiled
def _move_up(state, parameters, seat, to):
    """Move the contact in `seat` to the seat `to` of the same rep, whose phase has ended."""
    worker = state.reps[to]
    before = state.reps[seat]
    state.slots[before.contact].person.rep = to
    worker.contact = before.contact
    worker.status = WORKING
    worker.phase_start_s = before.phase_start_s
    worker.speed = before.speed
    if to < parameters.n_reps:
        state.n_working += 1
    note(state, NOTE_WORKING, before.contact, to, 0)
    set_rep_event(state, to, state.rep_event_s[seat])
    set_rep_event(state, seat, NEVER)
