"""The writer of one observation: what a real router could know, field by field.

Room: `envs.simulator.router`. Reads the state and the parameters; writes three arrays.

The fields stand in `envs.interface.fields`. With `observation: markov` every field that is not part of the state of a
Markovian center is 0.
"""

import numpy as np

from envs.interface.actions import INTERRUPT, OFFER_CALLBACK, RESUME, SERVE, TAKE_OVER
from envs.interface.fields import (
    C_ABANDON_RATE,
    C_ACCEPT,
    C_ACTION_COST,
    C_AT_RISK,
    C_ATTEMPT,
    C_CHANNEL,
    C_DISTURBED_CHANNEL,
    C_DISTURBED_ERROR,
    C_DISTURBED_PROGRESS,
    C_DISTURBED_SLACK,
    C_DISTURBED_STAKE,
    C_DISTURBED_VALUE,
    C_DISTURBED_WORK,
    C_EXPECTED_WORK,
    C_HAS_PREFERRED,
    C_INCOME,
    C_INTERRUPTIONS,
    C_LOSS_RATE,
    C_OVERDUE,
    C_PICK_UP,
    C_PREFERRED_THERE,
    C_PROGRESS,
    C_REACH,
    C_REAL_TIME,
    C_REP_AT_HOME,
    C_REP_GROUP,
    C_REP_HOLDS,
    C_REP_IDLE,
    C_REP_IS_PREFERRED,
    C_REP_SHIFT_LEFT,
    C_REP_SKILLS,
    C_REP_SUSPENDED,
    C_RETENTION,
    C_SLACK,
    C_STAKE,
    C_VALUE,
    C_WAITED,
    CANDIDATE_FIELDS,
    CENTER_FIELDS,
    FAR_S,
    G_AFTER_WORK,
    G_FREE,
    G_INTERRUPTIBLE,
    G_OVERTIME,
    G_PLANNED_LATER,
    G_PLANNED_NOW,
    G_RELEASE_RATE,
    G_RESUMING,
    G_SEATS_FREE,
    G_STAFFED,
    G_SUBJECT_IS_CONTACT,
    G_TIME_LEFT,
    G_TIME_OF_DAY,
    G_TIME_OF_WEEK,
    N_CANDIDATE_FIELDS,
    N_CENTER_FIELDS,
    N_CONTACT_FIELDS,
    N_QUEUE_FIELDS,
    Q_ARRIVED_TODAY,
    Q_ATTAINED,
    Q_EXPECTED_TODAY,
    Q_FORECAST_LATER,
    Q_FORECAST_NOW,
    Q_IN_SERVICE,
    Q_LEAST_SLACK,
    Q_MOST_VALUE,
    Q_OLDEST_WAIT,
    Q_OVERDUE,
    Q_REPS_FREE,
    Q_SUSPENDED,
    Q_TARGET,
    Q_WAITING,
    QUEUE_FIELDS,
)
from envs.interface.units import (
    DAY_S,
    HOUR_S,
    N_WEEK_INTERVALS,
    NOBODY,
    WEEK_INTERVAL_S,
    WEEK_S,
)
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.event_list import first_contact, queue_heap
from envs.simulator.machine.state import (
    BY_ARRIVAL,
    BY_URGENCY,
    BY_VALUE,
    CONTACT_SUBJECT,
    RESUMING,
)
from envs.simulator.money.agreements import attained_frac
from envs.simulator.money.charges import (
    broken_promise_usd,
    error_usd,
    income_usd,
    loss_usd_per_hour,
)
from envs.simulator.service.expectations import (
    abandonment_rate_per_hour,
    clip_time_s,
    expected_remaining_s,
    mean_pick_up_s,
    release_per_hour,
    slack_s,
    work_done_s,
)
from envs.simulator.service.seats import shared_speed_of
from envs.simulator.service.staffing import speed_of
from envs.simulator.service.work import reach_prob

_CENTER_IS_MARKOV = np.array([field.markov for field in CENTER_FIELDS])
_QUEUE_IS_MARKOV = np.array([field.markov for field in QUEUE_FIELDS])
_CANDIDATE_IS_MARKOV = np.array([field.markov for field in CANDIDATE_FIELDS])


@compiled
def write_contact(state, parameters, contact, rep, row):
    """Write the attributes of `contact` (slot) into `row`, a row of `candidates` that was 0; `rep` (seat), NOBODY if
    the row names none, is who would pick it up."""
    person = state.slots[contact].person
    queue = person.queue
    limits = parameters.queues[queue]
    expected_s = expected_remaining_s(parameters, queue, person.work_done_s)
    row[C_CHANNEL] = queue + 1
    row[C_REAL_TIME] = limits.real_time
    row[C_VALUE] = person.value_usd
    row[C_AT_RISK] = person.at_risk
    row[C_RETENTION] = person.retention_prob
    waited_s = state.now_s - person.arrival_s
    row[C_WAITED] = clip_time_s(waited_s)
    row[C_SLACK] = slack_s(state, parameters, contact, expected_s)
    row[C_OVERDUE] = person.overdue
    if person.interruptions > 0:
        expected_s += mean_pick_up_s(state, parameters, contact, rep)
    row[C_EXPECTED_WORK] = expected_s + limits.after_work_mean_s
    row[C_PROGRESS] = person.work_done_s
    row[C_INTERRUPTIONS] = person.interruptions
    row[C_ATTEMPT] = person.attempt
    row[C_REACH] = 1.0 if person.reached else reach_prob(state, parameters, queue)
    row[C_INCOME] = income_usd(state, parameters, contact)
    if person.preferred != NOBODY:
        row[C_HAS_PREFERRED] = 1.0
        row[C_PREFERRED_THERE] = state.reps[person.preferred].on_shift
    row[C_STAKE] = broken_promise_usd(state, parameters, contact)
    row[C_LOSS_RATE] = loss_usd_per_hour(state, parameters, contact)
    if limits.real_time:
        row[C_ABANDON_RATE] = abandonment_rate_per_hour(parameters, queue, waited_s)


@compiled
def write_rep(state, parameters, rep, contact, row):
    """Write the attributes of `rep` (seat) into `row`, a row of `candidates`; those of `contact` (slot), which may be
    NOBODY, must stand there already."""
    worker = state.reps[rep]
    owner = state.reps[parameters.owner[rep]]
    k = worker.seat_class
    if contact != NOBODY:
        speed = speed_of(state, parameters, rep, contact)
        if owner.n_held > 0 and worker.contact == NOBODY:
            speed = shared_speed_of(state, parameters, rep, contact)
        if speed != 1.0:
            row[C_EXPECTED_WORK] /= speed
    if worker.contact == NOBODY:
        row[C_REP_IDLE] = state.now_s - worker.idle_since_s
    row[C_REP_SKILLS] = parameters.skill_count[k]
    row[C_REP_GROUP] = parameters.class_group[k] + 1
    if contact != NOBODY:
        row[C_REP_AT_HOME] = 1.0 if parameters.class_home[k] == state.slots[contact].person.queue else 0.0
        row[C_REP_IS_PREFERRED] = 1.0 if state.slots[contact].person.preferred == parameters.owner[rep] else 0.0
    row[C_REP_SHIFT_LEFT] = clip_time_s(owner.shift_end_s - state.now_s)
    row[C_REP_SUSPENDED] = owner.n_suspended
    row[C_REP_HOLDS] = owner.n_held


@compiled
def _write_disturbed(state, parameters, rep, row):
    """Write the attributes of the work that interrupting `rep` (seat) suspends, and the action's price, into `row`, a
    row of `candidates`."""
    contact = np.int64(state.reps[rep].contact)
    person = state.slots[contact].person
    queue = person.queue
    limits = parameters.queues[queue]
    done_s = work_done_s(state, contact)
    expected_s = expected_remaining_s(parameters, queue, done_s)
    row[C_DISTURBED_CHANNEL] = queue + 1
    row[C_DISTURBED_VALUE] = person.value_usd
    row[C_DISTURBED_SLACK] = slack_s(state, parameters, contact, expected_s)
    row[C_DISTURBED_PROGRESS] = done_s
    row[C_DISTURBED_WORK] = expected_s + limits.after_work_mean_s
    row[C_DISTURBED_STAKE] = broken_promise_usd(state, parameters, contact)
    row[C_DISTURBED_ERROR] = limits.error_per_interruption_prob * error_usd(state, parameters, contact)
    pick_up_s = 0.0 if state.reps[rep].status == RESUMING else limits.pick_up_mean_s
    row[C_PICK_UP] = pick_up_s
    row[C_ACTION_COST] = parameters.interruption_usd + pick_up_s * parameters.pick_up_usd_per_s


@compiled
def _write_queue(state, parameters, queue, interval, later_interval, passed_h, center, start):
    """Write the fields of `queue`, the channel's number, into `center` from place `start` on, but for free reps and
    arrivals. `interval` and `later_interval` are the half-hours of the week now and an hour on, `passed_h` the hours of
    the present one that have passed."""
    waiting = state.queues[queue]
    center[start + Q_WAITING] = waiting.waiting
    center[start + Q_IN_SERVICE] = waiting.in_service
    center[start + Q_SUSPENDED] = waiting.suspended
    center[start + Q_OVERDUE] = waiting.overdue
    center[start + Q_ATTAINED] = attained_frac(state, parameters, queue)
    center[start + Q_TARGET] = parameters.queues[queue].target_frac
    least_slack_s = FAR_S
    if waiting.waiting > 0:
        oldest = first_contact(state, queue_heap(queue, BY_ARRIVAL))
        center[start + Q_OLDEST_WAIT] = clip_time_s(state.now_s - state.slots[oldest].person.arrival_s)
        dearest = first_contact(state, queue_heap(queue, BY_VALUE))
        center[start + Q_MOST_VALUE] = state.slots[dearest].person.value_usd
        urgent = oldest if parameters.queues[queue].real_time else first_contact(state, queue_heap(queue, BY_URGENCY))
        expected_s = expected_remaining_s(parameters, queue, state.slots[urgent].person.work_done_s)
        least_slack_s = slack_s(state, parameters, urgent, expected_s)
    center[start + Q_LEAST_SLACK] = least_slack_s
    rate_per_hour = parameters.forecast_per_hour[interval, queue]
    center[start + Q_FORECAST_NOW] = rate_per_hour
    center[start + Q_FORECAST_LATER] = parameters.forecast_per_hour[later_interval, queue]
    center[start + Q_EXPECTED_TODAY] = parameters.forecast_today[interval, queue] + passed_h * rate_per_hour


@compiled
def _write_center(state, parameters, center):
    """Write all fields of `center`, which was 0, those of the queues included."""
    week_s = parameters.week_start_s + state.now_s
    week_s -= WEEK_S * int(week_s / WEEK_S)
    interval = min(int(week_s / WEEK_INTERVAL_S), N_WEEK_INTERVALS - 1)
    later_interval = (interval + 2) % N_WEEK_INTERVALS
    passed_h = (week_s - interval * WEEK_INTERVAL_S) / HOUR_S
    center[G_TIME_OF_DAY] = week_s - DAY_S * int(week_s / DAY_S)
    center[G_TIME_OF_WEEK] = week_s
    center[G_TIME_LEFT] = parameters.horizon_s - state.now_s
    center[G_SUBJECT_IS_CONTACT] = 1.0 if state.subject_kind == CONTACT_SUBJECT else 0.0
    center[G_STAFFED] = state.n_staffed
    n_free = 0
    n_seats_free = 0
    n_interruptible = 0
    for k in range(parameters.n_classes):
        if parameters.is_further_seat[k]:
            n_seats_free += state.classes[k].n_free
        else:
            n_free += state.classes[k].n_free
            for q in range(parameters.n_queues):
                if state.classes[k].n_free and parameters.skill[k, q]:
                    center[N_CENTER_FIELDS + q * N_QUEUE_FIELDS + Q_REPS_FREE] += state.classes[k].n_free
        n_interruptible += state.classes[k].n_interruptible
    center[G_FREE] = n_free
    center[G_SEATS_FREE] = n_seats_free
    center[G_INTERRUPTIBLE] = n_interruptible
    center[G_RESUMING] = state.n_resuming
    n_after_work = 0
    for q in range(parameters.n_queues):
        n_after_work += state.queues[q].after_work
    center[G_AFTER_WORK] = n_after_work
    center[G_OVERTIME] = state.n_overtime
    center[G_PLANNED_NOW] = parameters.planned_reps[interval]
    center[G_PLANNED_LATER] = parameters.planned_reps[later_interval]
    is_counted_day = int(state.now_s / DAY_S) == state.day  # nobody may have come yet today
    for q in range(parameters.n_queues):
        start = N_CENTER_FIELDS + q * N_QUEUE_FIELDS
        _write_queue(state, parameters, q, interval, later_interval, passed_h, center, start)
        if is_counted_day:
            center[start + Q_ARRIVED_TODAY] = state.arrived_today[q]
    center[G_RELEASE_RATE] = release_per_hour(state, parameters)


@compiled
def _keep_markov(parameters, center, candidates):
    """Set to 0 every field of `center` and `candidates` that is not part of the state of a Markovian center."""
    for i in range(N_CENTER_FIELDS):
        if not _CENTER_IS_MARKOV[i]:
            center[i] = 0.0
    for q in range(parameters.n_queues):
        for i in range(N_QUEUE_FIELDS):
            if not _QUEUE_IS_MARKOV[i]:
                center[N_CENTER_FIELDS + q * N_QUEUE_FIELDS + i] = 0.0
    for action in range(candidates.shape[0]):
        for i in range(N_CANDIDATE_FIELDS):
            if not _CANDIDATE_IS_MARKOV[i]:
                candidates[action, i] = 0.0


@compiled
def write_observation(state, parameters, center, candidates, mask):
    """Write the observation of the present subject into float32 `center`, float32 `candidates` and int8 `mask`.

    The three hold the observation written before, or zeros: only rows that were open have to be cleared.
    """
    center[:] = 0.0
    written_contact = NOBODY
    written_action = 0
    for action in range(parameters.n_actions):
        was_open = mask[action]
        mask[action] = state.action_mask[action]
        row = candidates[action]
        if was_open:
            row[:] = 0.0
        if not state.action_mask[action]:
            continue
        contact = np.int64(state.action_contact[action])
        rep = np.int64(state.action_rep[action])
        if contact != NOBODY:
            if contact == written_contact:
                for field in range(N_CONTACT_FIELDS):
                    row[field] = candidates[written_action, field]
            else:
                write_contact(state, parameters, contact, rep, row)
                written_contact = contact
                written_action = action
        if rep != NOBODY:
            write_rep(state, parameters, rep, contact, row)
        kind = parameters.action_kind[action]
        if kind == INTERRUPT:
            _write_disturbed(state, parameters, rep, row)
        elif parameters.shows_pick_up and (kind == RESUME or kind == TAKE_OVER or kind == SERVE):
            if state.slots[contact].person.interruptions > 0:
                row[C_PICK_UP] = mean_pick_up_s(state, parameters, contact, rep)
                row[C_ACTION_COST] = row[C_PICK_UP] * parameters.pick_up_usd_per_s
        elif kind == OFFER_CALLBACK:
            queue = state.slots[contact].person.queue
            row[C_ACCEPT] = parameters.queues[queue].accept_prob
            row[C_ACTION_COST] = parameters.queues[queue].accept_prob * parameters.callback_usd
    _write_center(state, parameters, center)
    if parameters.markov:
        _keep_markov(parameters, center, candidates)
