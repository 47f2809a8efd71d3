"""How a contact comes: a slot for its customer, its queue, or the busy signal; outbound lists of which one contact is
always waiting (D1, D2).

Room: `envs.simulator.contacts`. Touches slots, queues and their counters; no rep.

A customer keeps one slot through all contacts, so that retention and luck follow the customer: an abandoned caller
who dials again, an accepted callback and an error's rework are the next `attempt` of the same customer. Contacts of a
list of unlimited supply stand at the end of the demand, without a time of arrival; when none of a queue is waiting,
the next one joins, and a list that was worked through starts over, with fresh luck.
"""

import numpy as np

from envs.interface.cost_terms import TERM_BLOCKED
from envs.interface.units import NEVER, NOBODY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.event_list import set_clock
from envs.simulator.machine.journal import (
    NOTE_BLOCKED,
    NOTE_JOINED,
    NOTE_LOST,
    note,
    number_contact,
)
from envs.simulator.machine.luck import (
    LUCK_PATIENCE,
    look_up_quantile,
    uniform,
)
from envs.simulator.machine.state import (
    N_ORDERS,
    UNUSED,
)
from envs.simulator.money.charges import (
    broken_promise_usd,
    charge_harm,
    forgo_income,
)
from envs.simulator.service.queues import enqueue


@compiled
def value_band(parameters, value_usd):
    """Return the index of the account-value band of `value_usd`."""
    band = 0
    while band < parameters.n_bands - 1 and value_usd >= parameters.band_edge_usd[band]:
        band += 1
    return band


@compiled
def take_slot(state, parameters, demanded, customer, arrival_s):
    """Return the slot that now holds the customer `demanded`, a DEMAND record, who arrives at `arrival_s` seconds;
    `customer` is its place in the demand, counted on over the rounds of a list."""
    state.n_unused -= 1
    contact = np.int64(state.slots[state.n_unused].unused)
    state.slots[contact].person = state.new_contact
    person = state.slots[contact].person
    person.key = demanded.key
    person.customer = customer
    person.queue = demanded.queue
    person.arrival_s = arrival_s
    person.due_s = demanded.due_s
    person.abandon_s = arrival_s + demanded.patience_s
    person.handle_s = demanded.handle_s
    person.work_left_s = demanded.handle_s
    person.value_usd = demanded.value_usd
    person.band = value_band(parameters, demanded.value_usd)
    person.at_risk = demanded.at_risk
    person.owed_usd = demanded.owed_usd
    person.preferred = demanded.preferred
    number_contact(state, contact)
    for order in range(N_ORDERS):
        state.slots[contact].heap_place[order] = NOBODY
    return contact


@compiled
def free_slot(state, contact):
    """Forget `contact` (slot): its customer has no further business with the center."""
    set_clock(state, contact, NEVER)
    state.slots[contact].person.status = UNUSED
    state.slots[state.n_unused].unused = contact
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
    """Return True if the waiting room of `queue`, the channel's number, or all its lines are taken; waiting, in service
    and suspended contacts hold a line each."""
    limits = parameters.queues[queue]
    waiting = state.queues[queue].waiting
    present = waiting + state.queues[queue].in_service + state.queues[queue].suspended
    return waiting >= limits.waiting_limit or present >= limits.lines


@compiled
def _turn_away(state, parameters, contact):
    """Count `contact` (slot) as arrived and blocked, charge the harm and the income forgone, and forget its
    customer."""
    person = state.slots[contact].person
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
    """Let `contact` (slot) join its queue, its clock set; real-time contacts become the one that just arrived."""
    person = state.slots[contact].person
    state.sequence += 1
    person.sequence = state.sequence
    person.review_s = NEVER
    state.queue_count[person.queue].arrived += 1
    state.band_count[person.band].arrived += 1
    note(state, NOTE_JOINED, contact, NOBODY, 0)
    enqueue(state, parameters, contact)
    set_waiting_clock(state, parameters, contact)
    if parameters.queues[person.queue].real_time:
        state.queue_count[person.queue].to_answer += 1
        state.band_count[person.band].to_answer += 1
        state.just_arrived = contact


@compiled
def set_waiting_clock(state, parameters, contact):
    """Set the clock of the open `contact` (slot): due time, or threshold, patience and review."""
    person = state.slots[contact].person
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
def return_scheduled(state, parameters, contact):
    """Let the scheduled `contact` (slot) join its queue, or be turned away from a full real-time one."""
    person = state.slots[contact].person
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
    """Give the next contact of the customer of `contact` (slot) `work_s` seconds of work, none of it done."""
    person = state.slots[contact].person
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
def find_supply(state, demand):
    """Note where in `demand` the lists stand."""
    for i in range(demand.shape[0] - 1, -1, -1):
        if demand[i].arrival_s < NEVER:
            return
        queue = state.queues[demand[i].queue]
        if queue.end_supply == 0:
            queue.end_supply = i + 1
        queue.first_supply = i
        queue.next_supply = i


@compiled
def keep_supplied(state, parameters, demand):
    """Let each queue of unlimited supply have a contact waiting."""
    for q in range(parameters.n_queues):
        queue = state.queues[q]
        is_wanted = parameters.queues[q].unlimited and queue.waiting == 0
        if not is_wanted or queue.end_supply == 0 or state.n_unused <= 1:
            continue
        customer = queue.next_supply + queue.supply_round * demand.shape[0]
        contact = take_slot(state, parameters, demand[queue.next_supply], customer, state.now_s)
        state.slots[contact].person.key += np.uint64(queue.supply_round)
        queue.next_supply += 1
        if queue.next_supply == queue.end_supply:
            queue.next_supply = queue.first_supply
            queue.supply_round += 1
        join(state, parameters, contact)
