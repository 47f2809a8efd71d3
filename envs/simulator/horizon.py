"""The end of the horizon: what the work left will cost (DESIGN section 3: charged once, nothing bootstrapped).

Room: `envs.simulator`. Touches costs and the final counters.

The formula. Callers still waiting are charged as if they hung up. Open deferred work is taken as worked off after the
horizon in order of due time by the scenario's `spare_reps`: half-hour by half-hour of the coming weeks, the planned
reps whom neither calls nor new deferred work need (`envs.inputs.parameters`). A contact that waits, is suspended or
will come back as rework ends when they have done the expected remaining work of everything due no later; one in
service after its own. It is charged the missed due time if it ends (where the promise is met by the start: starts, its
own work earlier) after it, its hours overdue, what holding it costs until then and its waiting until it starts, the
expected cost of an error, of ending unresolved and of its technology, and the pick-up it still needs. So work refused
is charged what doing it late would cost. Follow-ups, returns and attempts that it may lead to are left out.

Last come what statements of work and fairness charge over the whole horizon (`envs.simulator.money.agreements`).
"""

import numpy as np

from envs.interface.cost_terms import (
    TERM_ABANDONMENT,
    TERM_BACKLOG,
    TERM_ERROR,
    TERM_HANDLING,
    TERM_INTERRUPTION,
    TERM_UNRESOLVED,
)
from envs.interface.units import NOBODY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.event_list import (
    CLOCK_HEAP,
    first_contact,
    insert_contact,
    remove_contact,
)
from envs.simulator.machine.journal import move_notes
from envs.simulator.machine.state import (
    BY_CLOCK,
    IN_SERVICE,
    PICKING_UP,
    RESUMING,
    SCHEDULED,
    UNUSED,
    WAITING,
)
from envs.simulator.money.agreements import charge_agreements
from envs.simulator.money.charges import (
    account_loss_usd,
    charge,
    charge_harm,
    charge_lateness,
    charge_wait,
    error_prob,
    error_usd,
    forgo_income,
    overdue_rise,
)
from envs.simulator.money.control_variate import expect_abandonment, expect_error_of_interruption
from envs.simulator.open_work import remaining_work_s, work_off
from envs.simulator.service.expectations import expected_pick_up_s
from envs.simulator.service.queues import cut_line_time
from envs.simulator.service.work import pay_pick_up


@compiled
def settle(state, parameters, journal):
    """Charge what is left open at the horizon; what is noted goes to the `journal`."""
    for q in range(parameters.n_queues):
        queue = state.queues[q]
        state.queue_count[q].open_at_end = queue.waiting + queue.in_service + queue.suspended
    cut_line_time(state, parameters, 1.0)
    for rep in range(parameters.n_reps):
        if state.reps[rep].status == RESUMING:
            pay_pick_up(state, parameters, rep)
            move_notes(state, journal)
    state.heap_size[CLOCK_HEAP] = 0
    for contact in range(parameters.n_contacts):
        person = state.slots[contact].person
        if person.status == UNUSED:  # and left alone: how many of these there are must not show in the state
            continue
        state.slots[contact].heap_place[BY_CLOCK] = NOBODY
        queue = person.queue
        if parameters.queues[queue].unlimited and person.status == WAITING and person.interruptions == 0:
            continue  # always there, and nobody's backlog
        if not parameters.queues[queue].real_time:
            insert_contact(state, CLOCK_HEAP, BY_CLOCK, contact, person.due_s)
        elif person.status == WAITING and parameters.charge_end:
            limits = parameters.queues[queue]
            charge_wait(state, parameters, contact)
            expect_abandonment(state, parameters, contact)
            charge_harm(state, parameters, contact, TERM_ABANDONMENT, limits.abandonment_rise, limits.abandonment_usd)
            forgo_income(state, parameters, contact)
            move_notes(state, journal)
    if parameters.charge_end:
        _charge_open_work(state, parameters, journal)
    charge_agreements(state, parameters)


@compiled
def _charge_conclusion(state, parameters, contact):
    """Charge the technology of the open `contact` (slot), and its expected cost of ending unresolved."""
    limits = parameters.queues[state.slots[contact].person.queue]
    if limits.technology_usd > 0.0:
        charge(state, parameters, contact, TERM_HANDLING, limits.technology_usd, 0.0)
    if limits.resolution_prob < 1.0:
        chance = 1.0 - limits.resolution_prob
        loss_usd = chance * account_loss_usd(state, parameters, contact, limits.unresolved_rise)
        charge(state, parameters, contact, TERM_UNRESOLVED, loss_usd + chance * limits.unresolved_usd, loss_usd)


@compiled
def _charge_open_work(state, parameters, journal):
    """Charge the deferred contacts in the heap of clocks, by due time, what working them off after the horizon will
    cost; the heap is empty then. What is noted goes to the `journal`."""
    worked_off_s = state.now_s
    contact = first_contact(state, CLOCK_HEAP)
    while contact != NOBODY:
        remove_contact(state, CLOCK_HEAP, BY_CLOCK, contact)
        person = state.slots[contact].person
        queue = np.int64(person.queue)
        limits = parameters.queues[queue]
        work_s = remaining_work_s(state, parameters, contact)
        if person.status == SCHEDULED and not person.new_work:  # a share of work that the center has seen
            work_s = person.handle_s + limits.after_work_mean_s
        if person.interruptions > 0 and person.status != IN_SERVICE:
            pick_up_usd = expected_pick_up_s(state, parameters, contact) * parameters.pick_up_usd_per_s
            charge(state, parameters, contact, TERM_INTERRUPTION, pick_up_usd, 0.0)
        if person.status == IN_SERVICE or person.status == PICKING_UP:
            end_s = state.now_s + work_s
        else:
            worked_off_s = work_off(parameters, worked_off_s, work_s)
            end_s = worked_off_s
        start_s = max(end_s - work_s, state.now_s) if person.status == WAITING else state.now_s
        holding_usd = limits.holding_usd_per_s * (end_s - state.now_s)
        holding_usd += limits.waiting_usd_per_s * (start_s - state.now_s)
        if limits.overdue_waiting_usd_per_s > 0.0:
            holding_usd += limits.overdue_waiting_usd_per_s * max(start_s - max(person.due_s, state.now_s), 0.0)
        charge(state, parameters, contact, TERM_BACKLOG, holding_usd, 0.0)
        overdue_s = (start_s if limits.met_by_start else end_s) - person.due_s
        if overdue_s > 0.0:
            if not person.overdue:
                charge_lateness(state, parameters, contact, limits.late_rise, limits.late_usd)
                if limits.collection and person.status != IN_SERVICE:
                    forgo_income(state, parameters, contact)
            charge_lateness(state, parameters, contact, overdue_rise(parameters, queue, overdue_s), 0.0)
        chance = error_prob(state, parameters, contact)
        if chance > 0.0:
            direct_usd = limits.error_usd
            cost_usd = error_usd(state, parameters, contact)
            charge(state, parameters, contact, TERM_ERROR, chance * cost_usd, chance * (cost_usd - direct_usd))
            expect_error_of_interruption(state, parameters, contact, person.interruptions)
        _charge_conclusion(state, parameters, contact)
        move_notes(state, journal)
        contact = first_contact(state, CLOCK_HEAP)
