"""The life of a contact until it is served: arrival, wait, start, abandonment, callback, and coming back.

Room: `envs`, kernel. Touches contacts, queues and counters; reps only through `staffing` and `interruption`.

A customer keeps one slot through all its contacts, so that retention and luck follow the customer: an abandoned caller
who dials again, an accepted callback and an error's rework are the next `attempt` of the same customer.
"""

import numpy as np

from envs.business_hours import add_promise, due_time_s
from envs.churn import broken_promise_usd, charge, charge_harm
from envs.collection import is_recalled, recall
from envs.compilation import compiled
from envs.control_variate import add_luck, expect_abandonment
from envs.event_list import set_clock
from envs.interruption import rank_suspended, start_work
from envs.journal import (
    END_ABANDONED,
    END_CALLBACK_ACCEPTED,
    END_CALLBACK_REFUSED,
    END_REDIALLED,
    NOTE_BLOCKED,
    NOTE_CALLBACK_OFFERED,
    NOTE_DUE_PASSED,
    NOTE_ENDED,
    NOTE_JOINED,
    NOTE_LOST,
    NOTE_SCHEDULED,
    note,
    number_contact,
)
from envs.luck import (
    LUCK_ACCEPT,
    LUCK_APPROVAL,
    LUCK_DUE,
    LUCK_PATIENCE,
    LUCK_REDIAL,
    LUCK_REDIAL_DELAY,
    look_up_quantile,
    uniform,
)
from envs.queues import dequeue, enqueue, rank_overdue, tell_classes
from envs.state import (
    N_ORDERS,
    NEVER,
    NOBODY,
    SCHEDULED,
    SUSPENDED,
    TERM_ABANDONMENT,
    TERM_BLOCKED,
    TERM_BROKEN_PROMISE,
    TERM_CALLBACK,
    TERM_LATENESS,
    TERM_WAIT,
    UNUSED,
    WAIT_CELLS,
    WAIT_OCTAVES,
    WAITING,
)
from envs.statement_of_work import forgo_income


@compiled
def value_band(parameters, value_usd):
    """Return the index of the account-value band of `value_usd`."""
    band = 0
    while band < parameters.n_bands - 1 and value_usd >= parameters.band_edge_usd[band]:
        band += 1
    return band


@compiled
def take_slot(state, parameters, demanded, customer, arrival_s):
    """Return a slot that holds the customer `demanded`, the DEMAND record of that place, who arrives at `arrival_s`
    seconds."""
    state.n_unused -= 1
    contact = np.int64(state.unused[state.n_unused])
    person = state.contacts[contact]
    person.key = demanded.key
    person.arrival_s = arrival_s
    person.due_s = demanded.due_s
    person.abandon_s = arrival_s + demanded.patience_s
    person.handle_s = demanded.handle_s
    person.work_left_s = demanded.handle_s
    person.work_done_s = 0.0
    person.served_s = 0.0
    person.pick_up_left_s = 0.0
    person.pick_up_s = 0.0
    person.review_s = NEVER
    person.return_s = NEVER
    person.left_s = NEVER
    person.request_s = NEVER
    person.value_usd = demanded.value_usd
    person.band = value_band(parameters, demanded.value_usd)
    person.retention_prob = 1.0
    person.owed_usd = demanded.owed_usd
    person.queue = demanded.queue
    person.rep = NOBODY
    person.next_suspended = NOBODY
    person.preferred = demanded.preferred
    person.attempt = 0
    person.harms = 0
    person.interruptions = 0
    person.pick_ups = 0
    person.at_risk = demanded.at_risk
    person.offered = 0
    person.overdue = 0
    person.past_threshold = 0
    person.reached = 0
    person.reach_attempts = 0
    person.customer = customer
    person.handled = 0
    person.return_from = NOBODY
    person.new_work = 0
    number_contact(state, contact)
    for order in range(N_ORDERS):
        state.heap_place[contact, order] = NOBODY
    return contact


@compiled
def free_slot(state, contact):
    """Forget `contact`: its customer has no further business with the center."""
    set_clock(state, contact, NEVER)
    state.contacts[contact].status = UNUSED
    state.unused[state.n_unused] = contact
    state.n_unused += 1


@compiled
def admit(state, parameters, demanded):
    """Let a customer of the demand reach the center: join its queue, or be blocked."""
    contact = take_slot(state, parameters, demanded, state.next_demand - 1, demanded.arrival_s)
    if state.n_unused == 0:  # the last slot is kept for charging those who find no other
        state.queue_count[demanded.queue].lost += 1
        note(state, NOTE_LOST, contact, NOBODY, 0)
        _turn_away(state, parameters, contact)
        return
    if demanded.arrival_s > 0.0:
        queue = state.queues[demanded.queue]
        state.queue_count[demanded.queue].came += 1
        state.queue_count[demanded.queue].found_open += queue.waiting + queue.in_service + queue.suspended
    state.arrived_today[demanded.queue] += 1
    state.arrived_stake_usd[demanded.queue] += broken_promise_usd(state, parameters, contact)
    if _is_full(state, parameters, demanded.queue):
        _turn_away(state, parameters, contact)
    else:
        join(state, parameters, contact)


@compiled
def _is_full(state, parameters, queue):
    limits = parameters.queues[queue]
    waiting = state.queues[queue].waiting
    present = waiting + state.queues[queue].in_service + state.queues[queue].suspended
    return waiting >= limits.waiting_limit or present >= limits.lines


@compiled
def _turn_away(state, parameters, contact):
    person = state.contacts[contact]
    limits = parameters.queues[person.queue]
    state.queue_count[person.queue].arrived += 1
    state.band_count[person.band].arrived += 1
    state.queue_count[person.queue].blocked += 1
    state.band_count[person.band].blocked += 1
    note(state, NOTE_BLOCKED, contact, NOBODY, 0)
    charge_harm(state, parameters, contact, TERM_BLOCKED, limits.blocked_rise, limits.blocked_usd)
    forgo_income(state, parameters, contact)
    free_slot(state, contact)


@compiled
def join(state, parameters, contact):
    """Let `contact` join its queue, its clock set; real-time contacts become the one that just arrived."""
    person = state.contacts[contact]
    state.sequence += 1
    person.sequence = state.sequence
    person.review_s = NEVER
    state.queue_count[person.queue].arrived += 1
    state.band_count[person.band].arrived += 1
    note(state, NOTE_JOINED, contact, NOBODY, 0)
    enqueue(state, parameters, contact)
    set_waiting_clock(state, parameters, contact)
    if parameters.queues[person.queue].real_time:
        state.just_arrived = contact


@compiled
def set_waiting_clock(state, parameters, contact):
    """Set the clock of an open contact: due time, or threshold, patience and review."""
    person = state.contacts[contact]
    limits = parameters.queues[person.queue]
    if limits.real_time:
        time_s = min(person.abandon_s, person.review_s)
        if not person.past_threshold:
            time_s = min(time_s, person.arrival_s + limits.threshold_s)
        set_clock(state, contact, time_s)
    elif person.overdue:
        set_clock(state, contact, NEVER)
    else:
        set_clock(state, contact, person.due_s)


@compiled
def strike_clock(state, parameters, contact):
    """Handle the timed event of `contact` that has come. Returns False if it changes nothing that a router of a
    Markovian center sees: a threshold passes."""
    person = state.contacts[contact]
    if person.status == SCHEDULED and state.now_s >= person.return_s:
        return_scheduled(state, parameters, contact)
    elif not parameters.queues[person.queue].real_time:
        _pass_due(state, parameters, contact)
    elif state.now_s >= person.abandon_s:
        _abandon(state, parameters, contact)
    else:
        threshold_s = person.arrival_s + parameters.queues[person.queue].threshold_s
        if not person.past_threshold and state.now_s >= threshold_s:
            person.past_threshold = 1
            if not parameters.markov:
                tell_classes(state, parameters, person.queue)
        if not parameters.markov:
            person.closed_at = -1
        person.review_s = NEVER
        set_waiting_clock(state, parameters, contact)
        return False
    return True


@compiled
def charge_wait(state, parameters, contact):
    """Charge the wait beyond the threshold of a real-time contact whose wait ends now."""
    person = state.contacts[contact]
    limits = parameters.queues[person.queue]
    excess_s = state.now_s - person.arrival_s - limits.threshold_s
    if excess_s > 0.0 and limits.wait_rise_per_s > 0.0:
        rise = min(excess_s * limits.wait_rise_per_s, limits.wait_rise_max)
        charge_harm(state, parameters, contact, TERM_WAIT, rise, 0.0)


@compiled
def _count_wait(state, queue, wait_s, has_waited):
    """Count a wait in `queue` that has ended, by start, abandonment or callback."""
    count = state.queue_count[queue]
    count.wait_s += wait_s
    count.wait_squared_s2 += wait_s * wait_s
    if not has_waited:
        return
    count.waited += 1
    octave = 0
    place = wait_s
    if wait_s >= 1.0:
        octave = 1
        while place >= 2.0 and octave < WAIT_OCTAVES:
            place *= 0.5
            octave += 1
        place -= 1.0
    state.wait_count[queue, octave, min(int(place * WAIT_CELLS), WAIT_CELLS - 1)] += 1


@compiled
def serve_waiting(state, parameters, rep, contact):
    """Let `rep`, who is not in the list of free reps any more, start the waiting `contact`."""
    person = state.contacts[contact]
    queue = person.queue
    dequeue(state, parameters, contact)
    state.queues[queue].in_service += 1
    if person.interruptions == 0:
        count = state.queue_count[queue]
        wait_s = state.now_s - person.arrival_s
        count.started += 1
        _count_wait(state, queue, wait_s, wait_s > 0.0)
        state.band_count[person.band].started += 1
        state.band_count[person.band].real_time_started += parameters.queues[queue].real_time
        count.wait_started_s += wait_s
        if person.preferred != NOBODY:
            count.preferring_started += 1
            count.preferred_started += person.preferred == parameters.owner[rep]
        if parameters.queues[queue].real_time:
            if wait_s <= parameters.queues[queue].threshold_s:
                count.started_within_threshold += 1
                state.band_count[person.band].started_within_threshold += 1
            charge_wait(state, parameters, contact)
            expect_abandonment(state, parameters, contact)
            set_clock(state, contact, NEVER)
        elif parameters.queues[queue].met_by_start:
            _meet_promise(state, parameters, contact)
    start_work(state, parameters, rep, contact)


@compiled
def charge_lateness(state, parameters, contact, rise, direct_usd):
    """Charge a missed due time to the term that the channel's promise belongs to."""
    promised = parameters.queues[state.contacts[contact].queue].promised
    term = TERM_BROKEN_PROMISE if promised else TERM_LATENESS
    charge_harm(state, parameters, contact, term, rise, direct_usd)


@compiled
def _meet_promise(state, parameters, contact):
    """Let the due time of a contact whose promise is met by its start concern nobody any more."""
    person = state.contacts[contact]
    if person.overdue:
        end_overdue(state, parameters, contact)
    person.due_s = NEVER
    set_clock(state, contact, NEVER)


@compiled
def end_overdue(state, parameters, contact):
    """Charge the hours for which `contact` is overdue, which end now."""
    person = state.contacts[contact]
    state.queues[person.queue].overdue -= 1
    rise = overdue_rise(parameters, person.queue, state.now_s - person.due_s)
    charge_lateness(state, parameters, contact, rise, 0.0)


@compiled
def _pass_due(state, parameters, contact):
    person = state.contacts[contact]
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


@compiled
def overdue_rise(parameters, queue, overdue_s):
    """Return the rise of the chance to leave of being `overdue_s` seconds late, beyond that of being late at all."""
    limits = parameters.queues[queue]
    return min(max(overdue_s, 0.0) * limits.late_rise_per_s, limits.late_rise_max)


@compiled
def _abandon(state, parameters, contact):
    person = state.contacts[contact]
    queue = person.queue
    limits = parameters.queues[queue]
    count = state.queue_count[queue]
    wait_s = state.now_s - person.arrival_s
    dequeue(state, parameters, contact)
    count.abandoned += 1
    state.band_count[person.band].abandoned += 1
    _count_wait(state, queue, wait_s, True)  # no patience at all: nobody was free
    count.wait_abandoned_s += wait_s
    charge_wait(state, parameters, contact)
    expect_abandonment(state, parameters, contact)
    if limits.smooth_patience:
        add_luck(state, parameters, TERM_ABANDONMENT, broken_promise_usd(state, parameters, contact))
    charge_harm(state, parameters, contact, TERM_ABANDONMENT, limits.abandonment_rise, limits.abandonment_usd)
    if uniform(person.key, LUCK_REDIAL, person.attempt) < limits.redial_prob:
        delay_s = look_up_quantile(
            parameters.redial_quantile_s[queue], uniform(person.key, LUCK_REDIAL_DELAY, person.attempt)
        )
        note(state, NOTE_ENDED, contact, NOBODY, END_REDIALLED)
        schedule_attempt(state, parameters, contact, queue, delay_s)
        count.redialled += 1
    else:
        note(state, NOTE_ENDED, contact, NOBODY, END_ABANDONED)
        forgo_income(state, parameters, contact)
        free_slot(state, contact)


@compiled
def schedule_attempt(state, parameters, contact, queue, delay_s):
    """Let the customer come back to `queue` with a next contact, `delay_s` seconds from now."""
    person = state.contacts[contact]
    person.attempt += 1
    person.left_s = state.now_s
    person.request_s = state.now_s + delay_s
    return_s, due_s = window_of_request(state, parameters, contact, queue)
    schedule(state, contact, queue, return_s, due_s)


@compiled
def window_of_request(state, parameters, contact, queue):
    """Return when `contact` joins `queue`, for which it asks at its `request_s`, and when it is due, seconds."""
    person = state.contacts[contact]
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
    """Let `contact` be no one's business until it joins `queue` at `return_s`, due at `due_s`, both in seconds."""
    person = state.contacts[contact]
    person.status = SCHEDULED
    state.queues[queue].scheduled += 1
    person.queue = queue
    person.rep = NOBODY
    expect_return(state, contact, return_s, due_s)
    number_contact(state, contact)
    note(state, NOTE_SCHEDULED, contact, NOBODY, 0)


@compiled
def expect_return(state, contact, return_s, due_s):
    """Set when the scheduled `contact` joins its queue, and when it is due, seconds."""
    person = state.contacts[contact]
    person.return_s = return_s
    person.due_s = due_s
    set_clock(state, contact, return_s if person.overdue else min(return_s, due_s))


@compiled
def return_scheduled(state, parameters, contact):
    """Let the scheduled `contact` join its queue, or be turned away from a full real-time one."""
    person = state.contacts[contact]
    queue = person.queue
    state.queues[queue].scheduled -= 1
    person.arrival_s = state.now_s
    person.return_s = NEVER
    person.return_from = NOBODY
    person.past_threshold = 0
    person.offered = 0
    if parameters.queues[queue].real_time:
        luck = uniform(person.key, LUCK_PATIENCE, person.attempt)
        person.abandon_s = state.now_s + look_up_quantile(parameters.patience_quantile_s[queue], luck)
        if _is_full(state, parameters, queue):
            _turn_away(state, parameters, contact)
            return
    join(state, parameters, contact)


@compiled
def start_over(state, contact, work_s):
    """Give the customer's next contact `work_s` seconds of work, none of it done."""
    person = state.contacts[contact]
    person.handle_s = work_s
    person.work_left_s = work_s
    person.work_done_s = 0.0
    person.served_s = 0.0
    person.pick_up_left_s = 0.0
    person.interruptions = 0
    person.overdue = 0
    person.reached = 0
    person.reach_attempts = 0
    person.new_work = 0


@compiled
def offer_callback(state, parameters, contact):
    """Offer the waiting `contact` a callback; if the customer accepts, the call becomes deferred work (D5)."""
    person = state.contacts[contact]
    queue = person.queue
    target = parameters.queues[queue].offer_to
    person.offered = 1
    state.queue_count[queue].callbacks_offered += 1
    note(state, NOTE_CALLBACK_OFFERED, contact, NOBODY, 0)
    if uniform(person.key, LUCK_ACCEPT, person.attempt) >= parameters.queues[queue].accept_prob:
        return
    count = state.queue_count[queue]
    wait_s = state.now_s - person.arrival_s
    dequeue(state, parameters, contact)
    count.callbacks_accepted += 1
    _count_wait(state, queue, wait_s, wait_s > 0.0)
    charge_wait(state, parameters, contact)
    expect_abandonment(state, parameters, contact)
    charge(state, parameters, contact, TERM_CALLBACK, parameters.callback_usd, 0.0)
    new_work = person.new_work
    start_over(state, contact, person.handle_s)
    person.new_work = new_work  # nobody has seen to this work yet
    limits = parameters.queues[queue]
    if uniform(person.key, LUCK_APPROVAL, person.attempt) < limits.refusal_prob:
        count.callbacks_refused += 1
        note(state, NOTE_ENDED, contact, NOBODY, END_CALLBACK_REFUSED)
        forgo_income(state, parameters, contact)
        person.queue = target
        charge_lateness(
            state, parameters, contact, parameters.queues[target].late_rise, parameters.queues[target].late_usd
        )
        free_slot(state, contact)
        return
    note(state, NOTE_ENDED, contact, NOBODY, END_CALLBACK_ACCEPTED)
    schedule_attempt(state, parameters, contact, target, limits.approval_delay_s)
    if person.return_s <= state.now_s:
        return_scheduled(state, parameters, contact)
