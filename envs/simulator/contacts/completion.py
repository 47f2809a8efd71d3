"""How a contact ends in a rep's hands, and what comes of it: follow-up, rework, return, escalation (D3, D4, D9, D13).

Room: `envs.simulator.contacts`. Touches the contact in hand, the rep who is done with it, and their counters.

After-contact work begins as the contact ends: the customer has left, and the rep is busy with it until it is done.

In this order: an outbound attempt that did not reach the customer is repeated or given up. A contact may end deferred:
a follow-up is scheduled. Otherwise it is completed; an error in it may come back as rework, and without an error it may
be unresolved, and then return, be escalated, or be given up by the customer.
"""

from envs.interface.cost_terms import (
    TERM_ERROR,
    TERM_HANDLING,
    TERM_UNRESOLVED,
)
from envs.interface.units import NOBODY
from envs.simulator.contacts.arrival import (
    free_slot,
    return_scheduled,
    start_over,
)
from envs.simulator.contacts.promise import (
    end_overdue,
    schedule,
    schedule_attempt,
)
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.journal import (
    END_DEFERRED,
    END_ERRED,
    END_ESCALATED,
    END_GIVEN_UP,
    END_RESOLVED,
    END_RETURNED,
    END_REWORKED,
    END_UNREACHED,
    END_UNRESOLVED,
    NOTE_AFTER_WORK,
    NOTE_ENDED,
    note,
    note_payment,
)
from envs.simulator.machine.luck import (
    LUCK_AFTER_WORK,
    LUCK_ERROR,
    LUCK_FOLLOW_UP,
    LUCK_FOLLOW_UP_DELAY,
    LUCK_PAYMENT,
    LUCK_RESOLUTION,
    LUCK_RETURN_DELAY,
    LUCK_UNRESOLVED,
    LUCK_WORK,
    look_up_quantile,
    uniform,
)
from envs.simulator.money.charges import (
    charge,
    charge_harm,
    charge_lateness,
    error_prob,
    error_usd,
    forgo_income,
)
from envs.simulator.money.control_variate import add_noise, expect_error
from envs.simulator.service.interruption import release_suspended
from envs.simulator.service.promise_clock import add_promise
from envs.simulator.service.seats import divide_attention, vacate_seat
from envs.simulator.service.staffing import (
    begin_after_work,
    end_after_work,
    end_phase,
    join_free,
    resolution_of,
    send_away,
)
from envs.simulator.service.work import was_missed


@compiled
def complete(state, parameters, rep):
    """End the work of `rep` (seat) on the contact in hand. After-contact work begins if there is any; else the rep
    comes free, or leaves if break or shift end have come."""
    contact = state.reps[rep].contact
    person = state.slots[contact].person
    queue = person.queue
    limits = parameters.queues[queue]
    person.served_s += state.now_s - state.reps[rep].phase_start_s
    end_phase(state, parameters, rep)
    state.queues[queue].in_service -= 1
    after_work_s = _after_work_s(state, parameters, rep, contact)
    if was_missed(state, parameters, contact):
        _try_again(state, parameters, contact)
    elif limits.follow_up_prob > 0.0 and uniform(person.key, LUCK_FOLLOW_UP, person.attempt) < limits.follow_up_prob:
        _count_end(state, parameters, contact)
        _defer(state, parameters, contact)
    else:
        _count_end(state, parameters, contact)
        _conclude(state, parameters, rep, contact)
    if after_work_s > 0.0:
        state.queue_count[queue].handle_s += min(after_work_s, parameters.horizon_s - state.now_s)
        begin_after_work(state, rep, queue, state.now_s + after_work_s)
    else:
        finish_contact(state, parameters, rep)


@compiled
def _after_work_s(state, parameters, rep, contact):
    """Return how long the after-contact work of `contact` (slot), which `rep` (seat) ends now, will take, seconds."""
    person = state.slots[contact].person
    if parameters.queues[person.queue].after_work_mean_s <= 0.0 or was_missed(state, parameters, contact):
        return 0.0
    note(state, NOTE_AFTER_WORK, contact, rep, 0)
    luck = uniform(person.key, LUCK_AFTER_WORK, person.attempt)
    return look_up_quantile(parameters.after_work_quantile_s[person.queue], luck) / state.reps[rep].speed


@compiled
def finish_after_work(state, parameters, rep):
    """End the after-contact work of `rep` (seat), who comes free or leaves."""
    end_after_work(state, rep)
    finish_contact(state, parameters, rep)


@compiled
def _try_again(state, parameters, contact):
    """Schedule another attempt to reach the customer of `contact` (slot), who keeps the due time, or give up: after the
    last attempt, or if the client recalls the contact."""
    person = state.slots[contact].person
    queue = person.queue
    limits = parameters.queues[queue]
    state.queue_count[queue].unreached += 1
    is_recalled = limits.collection and person.overdue
    if person.reach_attempts < limits.max_attempts and not is_recalled:
        note(state, NOTE_ENDED, contact, person.rep, END_UNREACHED)
        schedule(state, contact, queue, state.now_s + limits.retry_after_s, person.due_s)
        return
    state.queue_count[queue].given_up += 1
    note(state, NOTE_ENDED, contact, person.rep, END_GIVEN_UP)
    forgo_income(state, parameters, contact)
    if person.overdue:
        end_overdue(state, parameters, contact)
    else:
        state.queue_count[queue].late += 1
        state.band_count[person.band].late += 1
        charge_lateness(state, parameters, contact, limits.late_rise, limits.late_usd)
    free_slot(state, contact)


@compiled
def _count_end(state, parameters, contact):
    """Count the handled `contact` (slot), and whether its promise was kept, and charge its technology."""
    person = state.slots[contact].person
    person.handled = 1
    queue = person.queue
    count = state.queue_count[queue]
    count.completed += 1
    state.band_count[person.band].completed += 1
    count.handle_s += person.served_s
    count.cycle_s += state.now_s - person.arrival_s
    if parameters.queues[queue].technology_usd > 0.0:
        charge(state, parameters, contact, TERM_HANDLING, parameters.queues[queue].technology_usd, 0.0)
    if parameters.queues[queue].real_time:
        return
    if person.overdue:
        if not parameters.queues[queue].met_by_start:
            end_overdue(state, parameters, contact)
    else:
        count.on_time += 1
        state.band_count[person.band].on_time += 1


@compiled
def _defer(state, parameters, contact):
    """Schedule the follow-up of `contact` (slot), which ended deferred: its window opens after a delay of the
    customer's own."""
    person = state.slots[contact].person
    queue = person.queue
    limits = parameters.queues[queue]
    target = limits.follow_up_to
    state.queue_count[queue].deferred += 1
    note(state, NOTE_ENDED, contact, person.rep, END_DEFERRED)
    luck = uniform(person.key, LUCK_FOLLOW_UP_DELAY, person.attempt)
    opens_s = state.now_s + look_up_quantile(parameters.follow_up_quantile_s[queue], luck)
    due_s = add_promise(parameters, target, opens_s, limits.follow_up_window_s)
    start_over(state, contact, person.handle_s * limits.follow_up_work_frac)
    person.attempt += 1
    schedule(state, contact, target, opens_s, due_s)


@compiled
def _conclude(state, parameters, rep, contact):
    """Draw error and resolution of `contact` (slot), which `rep` (seat) has completed, and let the customer go on with
    what follows."""
    person = state.slots[contact].person
    if parameters.queues[person.queue].collection:
        collect(state, parameters, contact)
    expect_error(state, parameters, contact)
    chance = error_prob(state, parameters, contact)
    if chance > 0.0 and uniform(person.key, LUCK_ERROR, person.attempt) < chance:
        _err(state, parameters, contact)
        return
    queue = person.queue
    count = state.queue_count[queue]
    limits = parameters.queues[queue]
    is_first = person.attempt == 0
    count.first_contacts += is_first
    chance = limits.resolution_prob * resolution_of(state, parameters, rep, contact)
    if chance >= 1.0 or uniform(person.key, LUCK_RESOLUTION, person.attempt) < chance:
        count.first_resolved += is_first
        note(state, NOTE_ENDED, contact, rep, END_RESOLVED)
        free_slot(state, contact)
    else:
        count.unresolved += 1
        charge_harm(state, parameters, contact, TERM_UNRESOLVED, limits.unresolved_rise, limits.unresolved_usd)
        _go_on_unresolved(state, parameters, contact)


@compiled
def _go_on_unresolved(state, parameters, contact):
    """Let the customer of `contact` (slot), which ended unresolved, return by itself, be escalated, or give up, as the
    customer's luck has it."""
    person = state.slots[contact].person
    queue = person.queue
    limits = parameters.queues[queue]
    luck = uniform(person.key, LUCK_UNRESOLVED, person.attempt)
    if luck < limits.return_prob:
        state.queue_count[queue].returned += 1
        note(state, NOTE_ENDED, contact, person.rep, END_RETURNED)
        delay_luck = uniform(person.key, LUCK_RETURN_DELAY, person.attempt)
        delay_s = look_up_quantile(parameters.return_quantile_s[queue], delay_luck)
        start_over(state, contact, person.handle_s * limits.return_work_frac)
        if limits.return_new_work:
            _draw_work(state, parameters, contact, limits.return_to)
        schedule_attempt(state, parameters, contact, limits.return_to, delay_s)
        person.return_from = queue
    elif luck < limits.return_prob + limits.escalation_prob:
        state.queue_count[queue].escalated += 1
        note(state, NOTE_ENDED, contact, person.rep, END_ESCALATED)
        start_over(state, contact, person.handle_s * limits.escalation_work_frac)
        if limits.escalation_new_work:
            _draw_work(state, parameters, contact, limits.escalate_to)
        schedule_attempt(state, parameters, contact, limits.escalate_to, 0.0)
        if person.return_s <= state.now_s:
            return_scheduled(state, parameters, contact)
    else:
        note(state, NOTE_ENDED, contact, person.rep, END_UNRESOLVED)
        free_slot(state, contact)


@compiled
def _draw_work(state, parameters, contact, queue):
    """Give the next contact of the customer of `contact` (slot) work of its own, by the law of `queue`, the channel's
    number."""
    person = state.slots[contact].person
    luck = uniform(person.key, LUCK_WORK, person.attempt)
    person.handle_s = look_up_quantile(parameters.handle_quantile_s[queue], luck)
    person.work_left_s = person.handle_s
    person.new_work = 1 + queue


@compiled
def _err(state, parameters, contact):
    """Count and charge the error in `contact` (slot), and schedule its rework, or forget the customer where there is
    none."""
    person = state.slots[contact].person
    queue = person.queue
    limits = parameters.queues[queue]
    state.queue_count[queue].first_contacts += person.attempt == 0
    state.queue_count[queue].errors += 1
    note(state, NOTE_ENDED, contact, person.rep, END_ERRED if limits.rework_to == NOBODY else END_REWORKED)
    add_noise(state, parameters, TERM_ERROR, error_usd(state, parameters, contact))
    charge_harm(state, parameters, contact, TERM_ERROR, limits.error_rise, limits.error_usd)
    if limits.rework_to == NOBODY:
        free_slot(state, contact)
        return
    state.queue_count[queue].reworked += 1
    start_over(state, contact, person.handle_s * limits.rework_frac)
    schedule_attempt(state, parameters, contact, limits.rework_to, limits.rework_delay_s)


@compiled
def finish_contact(state, parameters, rep):
    """Free `rep` (seat) after a contact; the rep whose seat it is, unless it holds other contacts still, comes free, or
    goes on break or home if it is time."""
    rep = vacate_seat(state, parameters, rep)
    if state.reps[rep].n_held > 0:
        divide_attention(state, parameters, rep)
    elif state.reps[rep].on_shift:
        join_free(state, parameters, rep)
    elif state.reps[rep].on_break:
        state.n_staffed -= 1
        send_away(state, rep)
    else:
        state.n_overtime -= 1
        send_away(state, rep)
        release_suspended(state, parameters, rep)


@compiled
def collect(state, parameters, contact):
    """Let the debtor of `contact` (slot), who was reached, pay a part of what is owed, or nothing."""
    person = state.slots[contact].person
    limits = parameters.queues[person.queue]
    if uniform(person.key, LUCK_PAYMENT, person.attempt) < limits.pay_prob:
        paid_usd = person.owed_usd * limits.recovery_frac
        person.owed_usd -= paid_usd
        state.queue_count[person.queue].recovered_usd += paid_usd
        state.queue_count[person.queue].commission_usd += paid_usd * limits.commission_frac
        note_payment(state, contact, paid_usd, paid_usd * limits.commission_frac)
