"""Which actions are open for the present subject, and whom each of them means.

Room: `envs.simulator.router`. Reads the state; writes the mask, and contact and rep of each action.
"""

import numpy as np

from envs.interface.actions import (
    ASSIGN_PREFERRED,
    CHEAPEST_TO_RESUME,
    FASTEST,
    FEWEST_SKILLS,
    INTERRUPT_PREFERRED,
    LATEST_PICK_UP,
    LEAST_LOADED,
    LEAST_PROGRESS,
    LEAST_VALUE_AT_STAKE,
    LONGEST_IDLE,
    TAKE_OVER_MOST_URGENT,
    TAKE_OVER_MOST_VALUABLE,
    WAIT,
)
from envs.interface.units import NEVER, NOBODY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.state import (
    BY_URGENCY,
    BY_VALUE,
    NO_SUBJECT,
    REP_SUBJECT,
    RESUMING,
)
from envs.simulator.money.charges import value_at_stake_usd
from envs.simulator.router.subjects import is_held
from envs.simulator.service.expectations import work_done_s
from envs.simulator.service.pool import first_of_others, has_pooled_work
from envs.simulator.service.queues import look_through_lens, oldest_preferring
from envs.simulator.service.seats import (
    fastest_rep,
    free_seat_of,
    least_loaded_rep,
)
from envs.simulator.service.staffing import (
    fewest_skills_rep,
    has_free_rep,
    has_interruptible_rep,
    is_interruptible,
    longest_idle_rep,
)


@compiled
def _allow(state, action, contact, rep):
    """Open `action`, an index, which means `contact` (slot) and `rep` (seat), either of them NOBODY where it has no
    meaning."""
    state.action_mask[action] = 1
    state.action_contact[action] = contact
    state.action_rep[action] = rep
    state.n_legal += 1


@compiled
def _is_named(values, start, stop, wanted):
    """Return True if one of the actions from index `start` to before `stop` means `wanted`, a slot or a seat; `values`
    holds whom each action means."""
    for i in range(start, stop):
        if values[i] == wanted:
            return True
    return False


@compiled
def _list_rep_actions(state, parameters, rep):
    """Allow what the free `rep` (seat) may do: serve the contact of each lens, one named by an earlier lens not again,
    resume the most urgent of its suspended ones, and take over those of other reps; held contacts are not offered."""
    k = state.reps[rep].seat_class
    for q in range(parameters.n_queues):
        if not parameters.skill[k, q] or state.queues[q].waiting == 0:
            continue
        start = parameters.serve_start[q]
        for action in range(start, parameters.n_actions):
            if parameters.action_queue[action] != q:
                break
            contact = look_through_lens(state, q, parameters.action_lens[action])
            if contact != NOBODY and not _is_named(state.action_contact, start, action, contact):
                if not is_held(state, parameters, contact, k):
                    _allow(state, action, contact, rep)
    if parameters.serve_preferred != NOBODY:
        contact = oldest_preferring(state, parameters, rep)
        if contact != NOBODY and not _is_named(state.action_contact, 1, parameters.serve_preferred, contact):
            if not is_held(state, parameters, contact, k):
                _allow(state, parameters.serve_preferred, contact, rep)
    if state.reps[rep].n_suspended > 0:
        _allow(state, parameters.resume_action, state.reps[rep].suspended, rep)
    if has_pooled_work(state, parameters, k):
        urgent = first_of_others(state, parameters, rep, BY_URGENCY)
        if urgent != NOBODY:
            _allow(state, parameters.take_over_action[TAKE_OVER_MOST_URGENT], urgent, rep)
            dearest = first_of_others(state, parameters, rep, BY_VALUE)
            if dearest != urgent:
                _allow(state, parameters.take_over_action[TAKE_OVER_MOST_VALUABLE], dearest, rep)


@compiled
def _list_assignments(state, parameters, contact, queue):
    """Allow each lens's free rep for the waiting `contact` (slot) of `queue`, the channel's number; a rep named by an
    earlier lens not again."""
    assign = parameters.assign_action
    start = assign[LONGEST_IDLE]
    stop = parameters.interrupt_action[LEAST_VALUE_AT_STAKE]
    _allow(state, start, contact, longest_idle_rep(state, parameters, queue))
    rep = fewest_skills_rep(state, parameters, queue)
    if not _is_named(state.action_rep, start, stop, rep):
        _allow(state, assign[FEWEST_SKILLS], contact, rep)
    if assign[ASSIGN_PREFERRED] != NOBODY:
        rep = np.int64(state.slots[contact].person.preferred)
        if rep != NOBODY:
            rep = np.int64(free_seat_of(state, rep))
        if rep != NOBODY and parameters.skill[state.reps[rep].seat_class, queue]:
            if not _is_named(state.action_rep, start, stop, rep):
                _allow(state, assign[ASSIGN_PREFERRED], contact, rep)
    if assign[LEAST_LOADED] != NOBODY:
        rep = least_loaded_rep(state, parameters, queue)
        if not _is_named(state.action_rep, start, stop, rep):
            _allow(state, assign[LEAST_LOADED], contact, rep)
    if assign[FASTEST] != NOBODY:
        rep = fastest_rep(state, parameters, contact)
        if not _is_named(state.action_rep, start, stop, rep):
            _allow(state, assign[FASTEST], contact, rep)


@compiled
def _list_interruptions(state, parameters, contact, queue):
    """Allow each lens's rep to be interrupted for the waiting `contact` (slot) of `queue`, the channel's number; a rep
    named by an earlier lens not again. Equal reps: the lowest index; in a Markovian center, where progress and the
    times of pick-ups are not part of the state, the one with the fewest suspended contacts, then the lowest rank."""
    least_stake = NEVER
    stake_ties = 0
    cheapest_ties = 0
    least_progress = NEVER
    cheapest = NEVER
    latest = -NEVER
    stake_rep = NOBODY
    progress_rep = NOBODY
    cheapest_rep = NOBODY
    latest_rep = NOBODY
    for rep in range(parameters.n_reps):
        if not parameters.skill[state.reps[rep].seat_class, queue] or not is_interruptible(state, parameters, rep):
            continue
        victim = np.int64(state.reps[rep].contact)
        stake = value_at_stake_usd(state, parameters, victim)
        picking_up = state.reps[rep].status == RESUMING
        progress = work_done_s(state, victim)
        pick_up = 0.0
        if not picking_up:
            pick_up = parameters.queues[state.slots[victim].person.queue].pick_up_mean_s
        begun_s = state.reps[rep].phase_start_s
        ties = 0
        if parameters.markov:
            ties = 16 * (2 * state.reps[rep].n_suspended + picking_up) + state.reps[rep].rank
            progress = ties + 1e6 * picking_up
            begun_s = -float(ties)
        if stake < least_stake or (stake == least_stake and ties < stake_ties):
            least_stake = stake
            stake_ties = ties
            stake_rep = rep
        if progress < least_progress:
            least_progress = progress
            progress_rep = rep
        if pick_up < cheapest or (pick_up == cheapest and ties < cheapest_ties):
            cheapest = pick_up
            cheapest_ties = ties
            cheapest_rep = rep
        if picking_up and begun_s > latest:
            latest = begun_s
            latest_rep = rep
    interrupt = parameters.interrupt_action
    start = interrupt[LEAST_VALUE_AT_STAKE]
    stop = parameters.offer_action
    _allow(state, start, contact, stake_rep)
    if progress_rep != stake_rep:
        _allow(state, interrupt[LEAST_PROGRESS], contact, progress_rep)
    if cheapest_rep != stake_rep and cheapest_rep != progress_rep:
        _allow(state, interrupt[CHEAPEST_TO_RESUME], contact, cheapest_rep)
    if latest_rep != NOBODY and not _is_named(state.action_rep, start, stop, latest_rep):
        _allow(state, interrupt[LATEST_PICK_UP], contact, latest_rep)
    if interrupt[INTERRUPT_PREFERRED] != NOBODY:
        rep = np.int64(state.slots[contact].person.preferred)
        if rep != NOBODY and parameters.skill[state.reps[rep].seat_class, queue]:
            if is_interruptible(state, parameters, rep) and not _is_named(state.action_rep, start, stop, rep):
                _allow(state, interrupt[INTERRUPT_PREFERRED], contact, rep)


@compiled
def list_actions(state, parameters):
    """Set mask, contact and rep of every action for the present subject."""
    for action in range(parameters.n_actions):
        state.action_mask[action] = 0
        state.action_contact[action] = NOBODY
        state.action_rep[action] = NOBODY
    state.n_legal = 0
    if state.subject_kind == NO_SUBJECT:
        _allow(state, WAIT, NOBODY, NOBODY)
    elif state.subject_kind == REP_SUBJECT:
        rep = np.int64(state.subject)
        _list_rep_actions(state, parameters, rep)
        _allow(state, WAIT, NOBODY, rep)
    else:
        contact = np.int64(state.subject)
        queue = state.slots[contact].person.queue
        has_free = has_free_rep(state, parameters, queue)
        if has_free:
            _list_assignments(state, parameters, contact, queue)
            _allow(state, parameters.hold_action, contact, NOBODY)
        if (not has_free or parameters.markov) and has_interruptible_rep(state, parameters, queue):
            _list_interruptions(state, parameters, contact, queue)
        if not has_free:
            if parameters.queues[queue].offer_to != NOBODY and not state.slots[contact].person.offered:
                _allow(state, parameters.offer_action, contact, NOBODY)
        _allow(state, WAIT, contact, NOBODY)
