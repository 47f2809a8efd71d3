"""The decision: whom the router is asked about, which actions are open, and what an action does.

Room: `envs`, kernel. Touches the subject and action fields of the state; everything else through the domain files.

Epochs (DESIGN section 3). After every event one pass: the real-time contact that just arrived, then of each real-time
queue the oldest and the most valuable, then free reps with eligible work, longest idle first. `wait` closes a subject
until news could change the answer: each queue counts news for its contacts (a rep freed or started on interruptible
work), each class of reps counts news for its reps (work they may serve arrived, came due, aged past a threshold). A
subject is open while the count differs from the one at its last `wait`, and again after the review interval. Reps of a
class who hold no suspended work, and for whom nobody waits in particular, are interchangeable and asked once; a rep who
has just come free has not been asked. With `review: every_event` every event is news. Nobody is asked when `wait` is
the only action.

An interruption is possible only while no suitable rep is free: it costs a pick-up, and a free rep costs none. With
`observation: markov` it is possible always, since an exact optimum is to be one over all decisions; there are centers
in which it pays, by a millionth, to keep the free rep free.
"""

import numpy as np

from envs.compilation import compiled
from envs.concurrency import fastest_rep, free_seat_of, least_loaded_rep
from envs.contact_flow import offer_callback, serve_waiting, set_waiting_clock
from envs.event_list import first_contact as first_in_heap
from envs.event_list import queue_heap, set_rep_event
from envs.interruption import start_work, suspend, take_suspended
from envs.queues import look_through_lens, oldest_preferring
from envs.staffing import (
    fewest_skills_rep,
    has_free_rep,
    has_interruptible_rep,
    is_interruptible,
    leave_free,
    longest_idle_rep,
)
from envs.state import (
    ASSIGN,
    BY_ARRIVAL,
    BY_VALUE,
    CHEAPEST_TO_RESUME,
    CONTACT_SUBJECT,
    FEWEST_SKILLS,
    INTERRUPT,
    LATEST_PICK_UP,
    LEAST_PROGRESS,
    LEAST_VALUE_AT_STAKE,
    LONGEST_IDLE,
    NEVER,
    NO_SUBJECT,
    NOBODY,
    OFFER_CALLBACK,
    REP_SUBJECT,
    RESUME,
    RESUMING,
    SERVE,
    WAIT,
    WAITING,
)


@compiled
def _has_choice(state, parameters, contact):
    queue = state.contacts[contact].queue
    if has_free_rep(state, parameters, queue) or has_interruptible_rep(state, parameters, queue):
        return True
    return parameters.queues[queue].offer_to != NOBODY and not state.contacts[contact].offered


@compiled
def _is_contact_open(state, parameters, contact):
    person = state.contacts[contact]
    stamp = state.pass_number if parameters.every_event else state.queues[person.queue].news
    return person.closed_at != stamp and _has_choice(state, parameters, contact)


@compiled
def _class_stamp(state, parameters, k):
    return state.pass_number if parameters.every_event else state.classes[k].news


@compiled
def _has_waiting_work(state, parameters, k):
    for q in range(parameters.n_queues):
        if parameters.skill[k, q] and state.queues[q].waiting > 0:
            return True
    return False


@compiled
def _is_particular(state, parameters, rep):
    """Return True if `rep` holds suspended work, or somebody waits for this very rep: then no other can stand in."""
    return state.reps[rep].n_suspended > 0 or state.reps[parameters.owner[rep]].first_preferring != NOBODY


@compiled
def _open_rep_of_class(state, parameters, k):
    """Return the longest idle rep of class `k` who is to be asked, NOBODY if there is none."""
    stamp = _class_stamp(state, parameters, k)
    work_waits = _has_waiting_work(state, parameters, k)
    class_asked = state.classes[k].closed_at == stamp
    rep = state.classes[k].first_free
    while rep != NOBODY:
        if _is_particular(state, parameters, rep):
            has_work = work_waits or state.reps[rep].n_suspended > 0
            if has_work and state.reps[rep].closed_at != stamp:
                return np.int64(rep)
        elif work_waits and not class_asked:
            return np.int64(rep)
        rep = state.reps[rep].next_free
    return NOBODY


@compiled
def find_subject(state, parameters):
    """Set the state's subject to the next one of the pass; return False if nobody is left to be asked about."""
    contact = np.int64(state.just_arrived)
    if contact != NOBODY and state.contacts[contact].status == WAITING:
        if parameters.queues[state.contacts[contact].queue].real_time and _is_contact_open(state, parameters, contact):
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
def _allow(state, action, contact, rep):
    state.action_mask[action] = 1
    state.action_contact[action] = contact
    state.action_rep[action] = rep
    state.n_legal += 1


@compiled
def _is_named(values, start, stop, wanted):
    for i in range(start, stop):
        if values[i] == wanted:
            return True
    return False


@compiled
def _list_rep_actions(state, parameters, rep):
    k = state.reps[rep].seat_class
    for q in range(parameters.n_queues):
        if not parameters.skill[k, q] or state.queues[q].waiting == 0:
            continue
        start = parameters.serve_start[q]
        for lens_place in range(2 if parameters.queues[q].real_time else 4):
            action = start + lens_place
            contact = look_through_lens(state, q, parameters.action_lens[action])
            if contact != NOBODY and not _is_named(state.action_contact, start, action, contact):
                _allow(state, action, contact, rep)
    if parameters.serve_preferred != NOBODY:
        contact = oldest_preferring(state, parameters, rep)
        if contact != NOBODY and not _is_named(state.action_contact, 1, parameters.serve_preferred, contact):
            _allow(state, parameters.serve_preferred, contact, rep)
    if state.reps[rep].n_suspended > 0:
        _allow(state, parameters.resume_action, state.reps[rep].suspended, rep)


@compiled
def _list_assignments(state, parameters, contact, queue):
    start = parameters.assign_start
    _allow(state, start + LONGEST_IDLE, contact, longest_idle_rep(state, parameters, queue))
    rep = fewest_skills_rep(state, parameters, queue)
    if rep != state.action_rep[start + LONGEST_IDLE]:
        _allow(state, start + FEWEST_SKILLS, contact, rep)
    if parameters.assign_preferred != NOBODY:
        rep = np.int64(state.contacts[contact].preferred)
        if rep != NOBODY:
            rep = np.int64(free_seat_of(state, rep))
        if rep != NOBODY and parameters.skill[state.reps[rep].seat_class, queue]:
            if not _is_named(state.action_rep, start, parameters.assign_preferred, rep):
                _allow(state, parameters.assign_preferred, contact, rep)
    stop = parameters.interrupt_start
    if parameters.assign_least_loaded != NOBODY:
        rep = least_loaded_rep(state, parameters, queue)
        if not _is_named(state.action_rep, start, stop, rep):
            _allow(state, parameters.assign_least_loaded, contact, rep)
    if parameters.assign_fastest != NOBODY:
        rep = fastest_rep(state, parameters, contact)
        if not _is_named(state.action_rep, start, stop, rep):
            _allow(state, parameters.assign_fastest, contact, rep)


@compiled
def value_at_stake_usd(state, parameters, contact):
    """Return the account value, USD, that the customer of `contact` still stands for, weighted by the risk."""
    person = state.contacts[contact]
    weight = parameters.at_risk_multiplier if person.at_risk else 1.0
    return person.value_usd * person.retention_prob * weight


@compiled
def _list_interruptions(state, parameters, contact, queue):
    """Allow each lens's rep, a rep named by an earlier lens not again. Equal reps: the lowest index; in a Markovian
    center, where progress and the times of pick-ups are not part of the state, the one with the fewest suspended
    contacts."""
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
        progress = state.contacts[victim].work_done_s
        pick_up = 0.0
        if not picking_up:
            progress += (state.now_s - state.reps[rep].phase_start_s) * state.reps[rep].speed
            pick_up = parameters.queues[state.contacts[victim].queue].pick_up_mean_s
        begun_s = state.reps[rep].phase_start_s
        ties = 0
        if parameters.markov:
            ties = 2 * state.reps[rep].n_suspended + picking_up
            progress = ties + 1000.0 * picking_up
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
    start = parameters.interrupt_start
    _allow(state, start + LEAST_VALUE_AT_STAKE, contact, stake_rep)
    if progress_rep != stake_rep:
        _allow(state, start + LEAST_PROGRESS, contact, progress_rep)
    if cheapest_rep != stake_rep and cheapest_rep != progress_rep:
        _allow(state, start + CHEAPEST_TO_RESUME, contact, cheapest_rep)
    if latest_rep != NOBODY and not _is_named(state.action_rep, start, start + LATEST_PICK_UP, latest_rep):
        _allow(state, start + LATEST_PICK_UP, contact, latest_rep)
    if parameters.interrupt_preferred != NOBODY:
        rep = np.int64(state.contacts[contact].preferred)
        if rep != NOBODY and parameters.skill[state.reps[rep].seat_class, queue]:
            if is_interruptible(state, parameters, rep):
                if not _is_named(state.action_rep, start, parameters.interrupt_preferred, rep):
                    _allow(state, parameters.interrupt_preferred, contact, rep)


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
        queue = state.contacts[contact].queue
        has_free = has_free_rep(state, parameters, queue)
        if has_free:
            _list_assignments(state, parameters, contact, queue)
        if (not has_free or parameters.markov) and has_interruptible_rep(state, parameters, queue):
            _list_interruptions(state, parameters, contact, queue)
        if not has_free:
            if parameters.queues[queue].offer_to != NOBODY and not state.contacts[contact].offered:
                _allow(state, parameters.offer_action, contact, NOBODY)
        _allow(state, WAIT, contact, NOBODY)


@compiled
def _close_subject(state, parameters):
    # What a router of a Markovian center sees does not change by itself.
    review_s = NEVER if parameters.markov else state.now_s + parameters.review_interval_s
    if state.subject_kind == CONTACT_SUBJECT:
        person = state.contacts[state.subject]
        person.closed_at = state.pass_number if parameters.every_event else state.queues[person.queue].news
        person.review_s = review_s
        set_waiting_clock(state, parameters, state.subject)
        return
    rep = np.int64(state.subject)
    k = state.reps[rep].seat_class
    stamp = _class_stamp(state, parameters, k)
    if _is_particular(state, parameters, rep):
        state.reps[rep].closed_at = stamp
        set_rep_event(state, rep, review_s)
    else:
        state.classes[k].closed_at = stamp
        state.classes[k].review_s = review_s


@compiled
def apply_action(state, parameters, action):
    """Carry out a legal `action` for the present subject."""
    kind = parameters.action_kind[action]
    contact = np.int64(state.action_contact[action])
    rep = np.int64(state.action_rep[action])
    if kind == WAIT:
        _close_subject(state, parameters)
    elif kind == SERVE or kind == ASSIGN:
        leave_free(state, parameters, rep)
        serve_waiting(state, parameters, rep, contact)
    elif kind == RESUME:
        leave_free(state, parameters, rep)
        take_suspended(state, rep, contact)
        state.queues[state.contacts[contact].queue].in_service += 1
        start_work(state, parameters, rep, contact)
    elif kind == INTERRUPT:
        suspend(state, parameters, rep)
        serve_waiting(state, parameters, rep, contact)
    elif kind == OFFER_CALLBACK:
        offer_callback(state, parameters, contact)


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
