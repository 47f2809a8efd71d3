"""A center without a clock: the caller says which event happens next. Of such steps a Markov chain is made.

Room: `envs.simulator`. Calls what the kernel calls when an event's time has come, so that decisions and costs are those
of the simulator; draws nothing and lets no time pass.

A *chain state* is one between two events (nobody is left to be asked) or at a decision. Its key is an int64 array,
equal for chain states that have the same future:

* of each queue the waiting contacts that are not overdue, and those that are;
* of every rep the class, what is in hand, and what is suspended; reps with equal codes are interchangeable, so the
  codes are sorted; where suspended work is pooled they stand by rank (`envs.simulator.service.ranks`), and if reps
  differ in pick-ups by that, another code tells who worked last on what a rep has suspended or is picking up;
* at a decision, who was told to `wait` already, and who is held;
* if the order matters (`is_ordered`), all waiting contacts in order of arrival, and the free reps in order of their
  idle times.
"""

import numpy as np

from envs.interface.cost_terms import (
    N_TERMS,
    TERM_BACKLOG,
    TERM_INTERRUPTION,
)
from envs.interface.units import NOBODY
from envs.simulator.contacts.arrival import admit
from envs.simulator.contacts.waiting import strike_clock
from envs.simulator.events import end_rep_phase
from envs.simulator.machine.compilation import allocating, compiled, entry_point
from envs.simulator.machine.event_list import first_contact, queue_heap
from envs.simulator.machine.record_types import MAX_SUSPENDED, Sizes
from envs.simulator.machine.state import (
    AFTER_WORK,
    BY_ARRIVAL,
    BY_NEXT_DUE,
    FREE,
    NO_SUBJECT,
    RESUMING,
    WAITING,
    WORKING,
)
from envs.simulator.passing_time import holding_usd_per_s
from envs.simulator.router.answers import apply_action
from envs.simulator.router.observation import write_observation
from envs.simulator.router.open_actions import list_actions
from envs.simulator.router.subjects import find_subject
from envs.simulator.service.queues import count_overdue_waiting
from envs.simulator.service.ranks import contact_code, rank_reps, rep_code, reps_differ_in_pick_ups
from envs.simulator.service.shifts import change_shift, next_shift_change_s
from envs.simulator.service.staffing import is_idle_longer
from envs.simulator.step import set_up

CHAIN_SIZES = Sizes(reps=16, queues=4, contacts=64, actions=64, classes=8, shift_changes=16, pooled_queues=4)
"""Room for the centers of which chains are made: small, since a chain copies states all the time."""
(ARRIVAL, ABANDONMENT, DUE, COMPLETION, PICK_UP_END, AFTER_WORK_END, PICK_UP_BY_OTHER_END) = range(7)
N_EVENTS = 7
"""Kinds of events. The first concerns a queue, the next two a contact, the others a rep."""
ACTION = N_EVENTS
"""Stands for the kind of event where the router acts."""
EVENT = np.dtype([("rate_per_s", np.float64), ("kind", np.int64), ("who", np.int64)])
"""An event that may come next: its rate, its kind, and whom it concerns."""
MAX_EVENTS = 2 * CHAIN_SIZES.contacts
"""Events that may come next in one state, at most."""
# The parts of a key.
K_QUEUES = 0  # four numbers a queue: waiting and not overdue, overdue, bits of those told to wait, and of those held
K_ARRIVED = K_QUEUES + 4 * CHAIN_SIZES.queues
K_CLASSES = K_ARRIVED + 1  # bits of the classes that said `wait`
K_REPS = K_CLASSES + 1
K_WORKED_BY = K_REPS + CHAIN_SIZES.reps  # who worked last on what a rep has suspended or is picking up
K_ORDER = K_WORKED_BY + CHAIN_SIZES.reps
ORDER_CODES = 4096
"""Codes of a contact in the order of arrival, at most."""
KEY_LENGTH = K_ORDER + CHAIN_SIZES.contacts
GAP_S = 1.0
"""Time between two events where the order of arrival matters, so that waits tell it, seconds."""


@compiled
def _rank(state, contact):
    """Return how many contacts wait in the queue of `contact` (slot) who joined it before."""
    heap = queue_heap(state.slots[contact].person.queue, BY_ARRIVAL)
    rank = 0
    for i in range(state.heap_size[heap]):
        rank += state.slots[state.slots[i].heap_item[heap]].person.sequence < state.slots[contact].person.sequence
    return rank


@compiled
def _idle_rank(state, parameters, rep):
    """Return the place of `rep` (seat) among the free reps by idle time, from 1 on; 0 if it is not free."""
    if state.reps[rep].status != FREE:
        return 0
    rank = 1
    for other in range(parameters.n_reps):
        if other != rep and state.reps[other].status == FREE and is_idle_longer(state, other, rep):
            rank += 1
    return rank


@compiled
def _worked_by_code(state, rep):
    """Return the ranks of those who worked last on the contact that `rep` (seat) is picking up, and on each that it has
    suspended, packed into an integer."""
    worker = state.reps[rep]
    code = np.int64(0)
    if worker.status == RESUMING:
        code = np.int64(1 + state.reps[state.slots[worker.contact].person.worked_by].rank)
    contact = worker.suspended
    for _ in range(MAX_SUSPENDED):
        code *= 32
        if contact != NOBODY:
            code += 1 + state.reps[state.slots[contact].person.worked_by].rank
            contact = state.slots[contact].person.next_suspended
    return code


@compiled
def _order_code(state, contact):
    """Return the code of the suspended `contact` (slot) in the order of arrival: its queue, who holds it, and the
    place among what that rep has suspended."""
    holder = state.slots[contact].person.rep
    place = 0
    other = state.reps[holder].suspended
    while other != contact:
        other = state.slots[other].person.next_suspended
        place += 1
    return contact_code(state, contact) + 16 * (1 + state.reps[holder].rank) + 512 * place


@allocating
def _write_key(state, parameters, is_ordered, key):
    """Write the key of the present chain state into `key`, int64 (`KEY_LENGTH`,); if `is_ordered`, the order of
    arrival and of idle times is part of it."""
    key[:] = 0
    is_asked = state.subject_kind != NO_SUBJECT
    if parameters.pooled and parameters.markov:
        rank_reps(state, parameters, is_asked)
    elif parameters.pooled:
        for rep in range(parameters.n_reps):
            state.reps[rep].rank = rep
    place = K_ORDER
    for q in range(parameters.n_queues):
        heap = queue_heap(q, BY_ARRIVAL)
        overdue = 0 if parameters.queues[q].real_time else count_overdue_waiting(state, q)
        key[K_QUEUES + 4 * q] = state.queues[q].waiting - overdue
        key[K_QUEUES + 4 * q + 1] = overdue
        for i in range(state.heap_size[heap]):
            contact = np.int64(state.slots[i].heap_item[heap])
            if (
                is_asked
                and parameters.queues[q].real_time
                and state.slots[contact].person.closed_at == state.pass_number
            ):
                key[K_QUEUES + 4 * q + 2] += np.int64(1) << _rank(state, contact)
                key[K_QUEUES + 4 * q + 3] += np.int64(state.slots[contact].person.held_at >= 0) << _rank(state, contact)
            if is_ordered:  # sorted below by the number in the order of arrival
                key[place] = state.slots[contact].person.sequence * ORDER_CODES + contact_code(state, contact)
                place += 1
    if is_ordered and parameters.pooled:
        for rep in range(parameters.n_reps):
            suspended = np.int64(state.reps[rep].suspended)
            while suspended != NOBODY:
                key[place] = state.slots[suspended].person.sequence * ORDER_CODES + _order_code(state, suspended)
                place += 1
                suspended = np.int64(state.slots[suspended].person.next_suspended)
    if is_ordered:
        key[K_ORDER:place].sort()
        for i in range(K_ORDER, place):
            key[i] %= ORDER_CODES
    arrived = np.int64(state.just_arrived)
    if is_asked and arrived != NOBODY and state.slots[arrived].person.status == WAITING:
        if state.slots[arrived].person.closed_at != state.pass_number:
            key[K_ARRIVED] = 1 + 64 * state.slots[arrived].person.queue + _rank(state, arrived)
    if is_asked:
        for k in range(parameters.n_classes):
            if state.classes[k].closed_at == state.pass_number:
                key[K_CLASSES] += np.int64(1) << k
    for rep in range(parameters.n_reps):
        worker = state.reps[rep]
        has_waited = is_asked and worker.status == FREE and worker.closed_at == state.pass_number
        idle_rank = _idle_rank(state, parameters, rep) if is_ordered else 0
        place = worker.rank if parameters.pooled else rep
        key[K_REPS + place] = rep_code(state, rep, has_waited, idle_rank)
        if parameters.pooled and reps_differ_in_pick_ups(parameters):
            key[K_WORKED_BY + place] = _worked_by_code(state, rep)
    if not parameters.pooled:
        key[K_REPS : K_REPS + parameters.n_reps].sort()


@compiled
def _arrive(state, parameters, is_ordered, center, candidates, mask, key):
    """Find out whether anybody is asked in the chain state reached, and write its observation and key. Returns what
    the step cost, USD."""
    if find_subject(state, parameters):
        list_actions(state, parameters)
        write_observation(state, parameters, center, candidates, mask)
    _write_key(state, parameters, is_ordered, key)
    total_usd = 0.0
    for term in range(N_TERMS):
        total_usd += state.step_cost_usd[term]
    return total_usd


@compiled
def _force(state, parameters, customers, is_ordered, kind, who):
    """Let an event of `kind`, one of the codes from ARRIVAL on, happen to `who`: the number of a queue at an arrival, a
    slot at an abandonment or a due time, else a seat."""
    state.pass_number += 1
    state.just_arrived = NOBODY
    if is_ordered:
        state.now_s += GAP_S
    if kind == ARRIVAL:
        customers[who].arrival_s = state.now_s
        admit(state, parameters, customers[who])
    elif kind == ABANDONMENT:
        state.slots[who].person.abandon_s = state.now_s
        strike_clock(state, parameters, who)
    elif kind == DUE:
        state.slots[who].person.due_s = state.now_s
        strike_clock(state, parameters, who)
    else:
        end_rep_phase(state, parameters, who)


@entry_point
def start_empty(states, parameters, is_ordered, keys):
    """Make `states[0]`, all zero, the center in which nobody is and every rep is free, and write its key."""
    state = states[0]
    set_up(state, parameters[0])
    while next_shift_change_s(state, parameters[0]) <= 0.0:
        change_shift(state, parameters[0])
    state.subject_kind = NO_SUBJECT
    state.subject = NOBODY
    _write_key(state, parameters[0], is_ordered, keys[0])


@compiled
def _step(state, parameters, customers, is_ordered, kind, who, center, candidates, mask, key):
    """Let the event `kind` happen to `who` (queue, slot or seat, as `_force` says), or, if `kind` is ACTION, take the
    open action of index `who`. Writes the observation and key of the chain state reached; returns what the step cost,
    USD."""
    for term in range(N_TERMS):
        state.step_cost_usd[term] = 0.0
    if kind == ACTION:
        apply_action(state, parameters, who)
    else:
        _force(state, parameters, customers, is_ordered, kind, who)
    return _arrive(state, parameters, is_ordered, center, candidates, mask, key)


@entry_point
def step_chain(
    states, parameters, customers, is_ordered, kinds, whos, centers, candidates, masks, keys, costs_usd, asked
):
    """Let event `kinds[i]` of queue, contact (slot) or rep (seat) `whos[i]` happen in `states[i]`, which lies between
    two events; or, where the kind is `ACTION`, take the open action of index `whos[i]` in it, a decision.

    Writes the chain states reached: the observation (of rows that were zero) and True in `asked` if somebody is asked,
    the key, and what the step cost, USD. `customers` has one `DEMAND` record a queue.
    """
    for i in range(states.shape[0]):
        costs_usd[i] = _step(
            states[i], parameters[0], customers, is_ordered, kinds[i], whos[i], centers[i], candidates[i], masks[i],
            keys[i],
        )  # fmt: skip
        asked[i] = states[i].subject_kind != NO_SUBJECT


@entry_point
def read_cost_rates(states, parameters, rates_usd_per_s):
    """Write what each of `states` costs by the second, USD: holding contacts, and picking up."""
    for i in range(states.shape[0]):
        rates_usd_per_s[i] = _cost_rate(states[i], parameters[0])


@compiled
def _cost_rate(state, parameters):
    """Return what the present state costs by the second, USD after the scenario's weights: holding contacts, and
    picking up."""
    rate = holding_usd_per_s(state, parameters) * parameters.term_weight[TERM_BACKLOG]
    return rate + state.n_resuming * parameters.pick_up_usd_per_s * parameters.term_weight[TERM_INTERRUPTION]


@compiled
def _add(events, count, kind, who, rate):
    """Write the event `kind`, a code, of `who` (queue, slot or seat), which comes at `rate` a second, behind the first
    `count` of `events`; return how many there are then."""
    events[count].kind = kind
    events[count].who = who
    events[count].rate_per_s = rate
    return count + 1


@compiled
def _list_due(state, parameters, q, rate, is_ordered, events, count):
    """Add the due times that may pass of the deferred queue `q`, the channel's number, each at `rate` a second, behind
    the first `count` of `events`; return how many there are then. Unless `is_ordered`, the waiting contacts, all alike,
    share one event."""
    heap = queue_heap(q, BY_NEXT_DUE)
    size = state.heap_size[heap]
    if is_ordered:
        for i in range(size):
            count = _add(events, count, DUE, state.slots[i].heap_item[heap], rate)
    elif size > 0:
        count = _add(events, count, DUE, first_contact(state, heap), size * rate)
    if parameters.queues[q].met_by_start:
        return count
    for rep in range(parameters.n_reps):
        worker = state.reps[rep]
        if worker.status == WORKING or worker.status == RESUMING:
            if state.slots[worker.contact].person.queue == q and not state.slots[worker.contact].person.overdue:
                count = _add(events, count, DUE, worker.contact, rate)
        contact = worker.suspended
        while contact != NOBODY:
            if state.slots[contact].person.queue == q and not state.slots[contact].person.overdue:
                count = _add(events, count, DUE, contact, rate)
            contact = state.slots[contact].person.next_suspended
    return count


@compiled
def _list_rep_events(state, parameters, rates, events, count):
    """Add the end of what each busy rep is doing behind the first `count` of `events`; return how many there are then.
    `rates` as in `list_events`."""
    for rep in range(parameters.n_reps):
        worker = state.reps[rep]
        if worker.status == WORKING:
            rate = rates[state.slots[worker.contact].person.queue, COMPLETION] * worker.speed
            count = _add(events, count, COMPLETION, rep, rate)
        elif worker.status == RESUMING:
            person = state.slots[worker.contact].person
            kind = PICK_UP_BY_OTHER_END if person.picked_up_by_other else PICK_UP_END
            count = _add(events, count, kind, rep, rates[person.queue, kind])
        elif worker.status == AFTER_WORK:
            rate = rates[worker.after_work_of, AFTER_WORK_END] * worker.speed
            count = _add(events, count, AFTER_WORK_END, rep, rate)
    return count


@compiled
def _list_events(state, parameters, rates, is_ordered, events):
    """Write the events that may come next into `events`; return how many. `rates` and `is_ordered` as in
    `list_events`."""
    count = 0
    for q in range(parameters.n_queues):
        if rates[q, ARRIVAL] > 0.0:
            count = _add(events, count, ARRIVAL, q, rates[q, ARRIVAL])
        if parameters.queues[q].real_time and rates[q, ABANDONMENT] > 0.0:
            heap = queue_heap(q, BY_ARRIVAL)
            size = state.heap_size[heap]
            if is_ordered:
                for i in range(size):
                    count = _add(events, count, ABANDONMENT, state.slots[i].heap_item[heap], rates[q, ABANDONMENT])
            elif size > 0:  # all alike
                count = _add(events, count, ABANDONMENT, first_contact(state, heap), size * rates[q, ABANDONMENT])
        if not parameters.queues[q].real_time and rates[q, DUE] > 0.0:
            count = _list_due(state, parameters, q, rates[q, DUE], is_ordered, events, count)
    return _list_rep_events(state, parameters, rates, events, count)


@entry_point
def list_events(states, parameters, rates, is_ordered, events, counts):
    """Write the events that may come next in each of `states`, and how many: `EVENT` records in lines of `events`.

    `rates` has one line a queue: events of each kind a second, float64 (queues, `N_EVENTS`), service at speed 1.
    """
    for i in range(states.shape[0]):
        counts[i] = _list_events(states[i], parameters[0], rates, is_ordered, events[i])
