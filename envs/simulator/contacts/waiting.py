"""How a wait ends: by a start, by hanging up, or by a callback (D1, D5); and what a contact's clock may bring.

Room: `envs.simulator.contacts`. Touches contacts, queues and counters; reps only through `service.work`.
"""

from envs.interface.cost_terms import (
    TERM_ABANDONMENT,
    TERM_CALLBACK,
)
from envs.interface.units import NEVER, NOBODY
from envs.simulator.contacts.arrival import (
    free_slot,
    return_scheduled,
    set_waiting_clock,
    start_over,
)
from envs.simulator.contacts.promise import (
    meet_promise,
    pass_due,
    schedule_attempt,
)
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.event_list import set_clock
from envs.simulator.machine.journal import (
    END_ABANDONED,
    END_CALLBACK_ACCEPTED,
    END_CALLBACK_REFUSED,
    END_REDIALLED,
    NOTE_CALLBACK_OFFERED,
    NOTE_ENDED,
    note,
)
from envs.simulator.machine.luck import (
    LUCK_ACCEPT,
    LUCK_APPROVAL,
    LUCK_REDIAL,
    LUCK_REDIAL_DELAY,
    look_up_quantile,
    uniform,
)
from envs.simulator.machine.record_types import WAIT_CELLS, WAIT_OCTAVES
from envs.simulator.machine.state import SCHEDULED
from envs.simulator.money.charges import (
    broken_promise_usd,
    charge,
    charge_harm,
    charge_lateness,
    charge_wait,
    forgo_income,
)
from envs.simulator.money.control_variate import add_noise, expect_abandonment
from envs.simulator.service.queues import dequeue, tell_classes
from envs.simulator.service.work import start_work


@compiled
def strike_clock(state, parameters, contact):
    """Handle the timed event of `contact` (slot) that has come. Returns False if it changes nothing that a router of a
    Markovian center sees: a threshold passes."""
    person = state.slots[contact].person
    if person.status == SCHEDULED and state.now_s >= person.return_s:
        return_scheduled(state, parameters, contact)
    elif not parameters.queues[person.queue].real_time:
        pass_due(state, parameters, contact)
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
def _count_wait(state, queue, wait_s, has_waited):
    """Count a wait of `wait_s` seconds in `queue`, the channel's number, that has ended, by start, abandonment or
    callback; only if it `has_waited` at all does it enter the distribution of waits."""
    count = state.queue_count[queue]
    count.wait_s += wait_s
    count.wait_squared_s2 += wait_s * wait_s
    if not has_waited:
        return
    count.waited += 1
    octave = 0
    position = wait_s
    if wait_s >= 1.0:
        octave = 1
        while position >= 2.0 and octave < WAIT_OCTAVES:
            position *= 0.5
            octave += 1
        position -= 1.0
    state.wait_count[queue, octave, min(int(position * WAIT_CELLS), WAIT_CELLS - 1)] += 1


@compiled
def serve_waiting(state, parameters, rep, contact):
    """Let `rep` (seat), which is not in the list of free reps any more, start the waiting `contact` (slot)."""
    person = state.slots[contact].person
    queue = person.queue
    dequeue(state, parameters, contact)
    state.queues[queue].in_service += 1
    if person.interruptions == 0:
        count = state.queue_count[queue]
        wait_s = state.now_s - person.arrival_s
        count.started += 1
        _count_wait(state, queue, wait_s, wait_s > 0.0)
        state.band_count[person.band].started += 1
        count.wait_started_s += wait_s
        if person.preferred != NOBODY:
            count.preferring_started += 1
            count.preferred_started += person.preferred == parameters.owner[rep]
        if parameters.queues[queue].real_time:
            if wait_s <= parameters.queues[queue].threshold_s and person.arrival_s >= state.counted_from_s:
                count.started_within_threshold += 1
                state.band_count[person.band].started_within_threshold += 1
            charge_wait(state, parameters, contact)
            expect_abandonment(state, parameters, contact)
            set_clock(state, contact, NEVER)
        elif parameters.queues[queue].met_by_start:
            meet_promise(state, parameters, contact)
    start_work(state, parameters, rep, contact)


@compiled
def _abandon(state, parameters, contact):
    """Let the customer of the waiting `contact` (slot) hang up, at a charge, and dial again after a while or be
    gone."""
    person = state.slots[contact].person
    queue = person.queue
    limits = parameters.queues[queue]
    count = state.queue_count[queue]
    wait_s = state.now_s - person.arrival_s
    dequeue(state, parameters, contact)
    count.abandoned += 1
    state.band_count[person.band].abandoned += 1
    if wait_s <= limits.left_out_within_s and person.arrival_s >= state.counted_from_s:
        count.to_answer -= 1
        state.band_count[person.band].to_answer -= 1
    _count_wait(state, queue, wait_s, True)  # no patience at all: nobody was free
    count.wait_abandoned_s += wait_s
    charge_wait(state, parameters, contact)
    expect_abandonment(state, parameters, contact)
    if limits.smooth_patience:
        add_noise(state, parameters, TERM_ABANDONMENT, broken_promise_usd(state, parameters, contact))
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
def offer_callback(state, parameters, contact):
    """Offer the waiting `contact` (slot) a callback; if the customer accepts, the call becomes deferred work (D5), or,
    where the callback is not approved, a promise that is broken."""
    person = state.slots[contact].person
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
