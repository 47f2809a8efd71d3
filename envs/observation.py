"""What the router sees: the field tables, and the compiled writer of one observation.

Room: `envs`, kernel. Reads the state and the parameters; writes three arrays.

The observation is a dictionary of
* `center`, float32 [center fields]: the clock, the reps, and a block of fields for each queue;
* `candidates`, float32 [actions, candidate fields]: one row per action, the attributes of the contact and of the rep
  whom it concerns; rows of actions that are not open are 0;
* `action_mask`, int8 [actions]: 1 where the action is open.

All values are in natural units. They hold what a real router could know: elapsed times and conditional means, never a
drawn patience, handle time or pick-up. Times without end (no due time, nobody waiting) are clipped at `FAR_S`.
With `observation: markov` every field that is not part of the state of a Markovian center is 0.
"""

from typing import NamedTuple

import numpy as np

from envs.churn import broken_promise_usd, error_usd, income_usd, raise_for_risk
from envs.compilation import compiled
from envs.concurrency import shared_speed_of
from envs.event_list import first_contact, queue_heap
from envs.queues import expected_remaining_s
from envs.reach import reach_prob
from envs.scenario import DAY_S, WEEK_S
from envs.staffing import speed_of
from envs.state import (
    BY_ARRIVAL,
    BY_URGENCY,
    BY_VALUE,
    CONTACT_SUBJECT,
    IN_SERVICE,
    INTERRUPT,
    N_WEEK_INTERVALS,
    NEVER,
    NOBODY,
    OFFER_CALLBACK,
    RESUMING,
    WEEK_INTERVAL_S,
)
from envs.statement_of_work import attained_frac

FAR_S = 30 * DAY_S
"""Bound of times in the observation, seconds: 30 days."""


class Field(NamedTuple):
    """One number of the observation: its unit, its range, the magnitude that matters, and whether it is Markovian."""

    name: str
    unit: str
    low: float
    high: float
    scale: float
    markov: bool = False


_BIG = 1e9
CENTER_FIELDS = (
    Field("time_of_day_s", "s", 0, DAY_S, 21_600),
    Field("time_of_week_s", "s", 0, WEEK_S, 151_200),
    Field("time_left_s", "s", 0, _BIG, 86_400),
    Field("subject_is_contact", "0/1", 0, 1, 1, True),
    Field("reps_staffed", "reps", 0, 1e4, 5, True),
    Field("reps_free", "reps", 0, 1e4, 2, True),
    Field("seats_free", "contacts", 0, 1e4, 2, True),
    Field("reps_interruptible", "reps", 0, 1e4, 2, True),
    Field("reps_resuming", "reps", 0, 1e4, 2, True),
    Field("reps_after_work", "reps", 0, 1e4, 2, True),
    Field("reps_overtime", "reps", 0, 1e4, 2),
    Field("reps_planned_now", "reps", 0, 1e4, 5),
    Field("reps_planned_in_1h", "reps", 0, 1e4, 5),
    Field("release_per_hour", "reps/h", 0, 1e6, 60, True),
)
"""Fields of `center` about the whole center; `reps_after_work` do after-contact work; `release_per_hour` is the sum
over contacts in hand of one over the mean time that a contact of their channel takes of a rep, and over the reps in
after-contact work of one over its mean."""

QUEUE_FIELDS = (
    Field("waiting", "contacts", 0, 1e6, 3, True),
    Field("in_service", "contacts", 0, 1e6, 3, True),
    Field("suspended", "contacts", 0, 1e6, 1, True),
    Field("overdue", "contacts", 0, 1e6, 2, True),
    Field("oldest_wait_s", "s", 0, FAR_S, 60),
    Field("least_slack_s", "s", -FAR_S, FAR_S, 3600),
    Field("most_value_usd", "USD", 0, _BIG, 10_000, True),
    Field("forecast_per_hour", "contacts/h", 0, 1e6, 20),
    Field("forecast_in_1h_per_hour", "contacts/h", 0, 1e6, 20),
    Field("arrived_today", "contacts", 0, 1e6, 100),
    Field("expected_today", "contacts", 0, 1e6, 100),
    Field("attained_frac", "fraction", 0, 1, 1),
    Field("target_frac", "fraction", 0, 1, 1),
    Field("reps_free", "reps", 0, 1e4, 2, True),
)
"""Fields of `center` of each queue, in the order of the scenario's channels; `reps_free` are those with its skill who
hold nothing."""

CANDIDATE_FIELDS = (
    Field("channel", "number", 0, 1e3, 4, True),
    Field("real_time", "0/1", 0, 1, 1, True),
    Field("value_usd", "USD", 0, _BIG, 10_000, True),
    Field("at_risk", "0/1", 0, 1, 1, True),
    Field("retention_prob", "probability", 0, 1, 1, True),
    Field("waited_s", "s", 0, FAR_S, 60),
    Field("slack_s", "s", -FAR_S, FAR_S, 3600),
    Field("overdue", "0/1", 0, 1, 1, True),
    Field("expected_work_s", "s", 0, FAR_S, 300, True),
    Field("progress_s", "s", 0, FAR_S, 300),
    Field("interruptions", "count", 0, 1e6, 1),
    Field("attempt", "count", 0, 1e6, 1, True),
    Field("reach_prob", "probability", 0, 1, 1, True),
    Field("income_usd", "USD", 0, _BIG, 10, True),
    Field("has_preferred_rep", "0/1", 0, 1, 1, True),
    Field("preferred_rep_there", "0/1", 0, 1, 1, True),
    Field("abandon_per_hour", "1/h", 0, 1e6, 10, True),
    Field("stake_usd", "USD", 0, _BIG, 100, True),
    Field("loss_usd_per_hour", "USD/h", 0, _BIG, 100, True),
    Field("accept_prob", "probability", 0, 1, 1, True),
    Field("action_usd", "USD", 0, _BIG, 5, True),
    Field("rep_idle_s", "s", 0, FAR_S, 60),
    Field("rep_skills", "channels", 0, 1e3, 3, True),
    Field("rep_at_home", "0/1", 0, 1, 1, True),
    Field("rep_is_preferred", "0/1", 0, 1, 1, True),
    Field("rep_shift_left_s", "s", 0, FAR_S, 3600),
    Field("rep_suspended", "contacts", 0, 1e3, 1, True),
    Field("rep_holds", "contacts", 0, 1e3, 1, True),
    Field("disturbed_channel", "number", 0, 1e3, 4, True),
    Field("disturbed_value_usd", "USD", 0, _BIG, 10_000, True),
    Field("disturbed_slack_s", "s", -FAR_S, FAR_S, 3600),
    Field("disturbed_progress_s", "s", 0, FAR_S, 300),
    Field("disturbed_work_s", "s", 0, FAR_S, 300, True),
    Field("disturbed_stake_usd", "USD", 0, _BIG, 100, True),
    Field("disturbed_error_usd", "USD", 0, _BIG, 100, True),
    Field("pick_up_s", "s", 0, FAR_S, 300, True),
)
"""Fields of a row of `candidates`. `channel` counts the scenario's channels from 1 (0: no contact). `stake_usd` is what
breaking the promise costs now (abandonment; missing the due time), `loss_usd_per_hour` what further waiting costs once
the promise is broken, `income_usd` what handling it earns, `action_usd` the action's own price, `rep_holds` how many
contacts the rep has in hand already. `disturbed_…` is the work that an interruption suspends: `disturbed_error_usd` the
expected cost of the error that it makes likelier, `pick_up_s` the mean pick-up time that it adds (0 if the rep is
picking up anyway)."""


class FieldTable(NamedTuple):
    """The documented layout of an observation; `center` already holds a block of fields per queue."""

    center: tuple[Field, ...]
    candidates: tuple[Field, ...]


def field_table(channel_names: tuple[str, ...]) -> FieldTable:
    """Return the field table of a center with these channels."""
    queue_fields = tuple(
        field._replace(name=f"{channel}.{field.name}") for channel in channel_names for field in QUEUE_FIELDS
    )
    return FieldTable(CENTER_FIELDS + queue_fields, CANDIDATE_FIELDS)


(
    C_CHANNEL,
    C_REAL_TIME,
    C_VALUE,
    C_AT_RISK,
    C_RETENTION,
    C_WAITED,
    C_SLACK,
    C_OVERDUE,
    C_EXPECTED_WORK,
    C_PROGRESS,
    C_INTERRUPTIONS,
    C_ATTEMPT,
    C_REACH,
    C_INCOME,
    C_HAS_PREFERRED,
    C_PREFERRED_THERE,
    C_ABANDON_RATE,
    C_STAKE,
    C_LOSS_RATE,
    C_ACCEPT,
    C_ACTION_COST,
    C_REP_IDLE,
    C_REP_SKILLS,
    C_REP_AT_HOME,
    C_REP_IS_PREFERRED,
    C_REP_SHIFT_LEFT,
    C_REP_SUSPENDED,
    C_REP_HOLDS,
    C_DISTURBED_CHANNEL,
    C_DISTURBED_VALUE,
    C_DISTURBED_SLACK,
    C_DISTURBED_PROGRESS,
    C_DISTURBED_WORK,
    C_DISTURBED_STAKE,
    C_DISTURBED_ERROR,
    C_PICK_UP,
) = range(len(CANDIDATE_FIELDS))
(
    G_TIME_OF_DAY,
    G_TIME_OF_WEEK,
    G_TIME_LEFT,
    G_SUBJECT_IS_CONTACT,
    G_STAFFED,
    G_FREE,
    G_SEATS_FREE,
    G_INTERRUPTIBLE,
    G_RESUMING,
    G_AFTER_WORK,
    G_OVERTIME,
    G_PLANNED_NOW,
    G_PLANNED_LATER,
    G_RELEASE_RATE,
) = range(len(CENTER_FIELDS))
(
    Q_WAITING,
    Q_IN_SERVICE,
    Q_SUSPENDED,
    Q_OVERDUE,
    Q_OLDEST_WAIT,
    Q_LEAST_SLACK,
    Q_MOST_VALUE,
    Q_FORECAST_NOW,
    Q_FORECAST_LATER,
    Q_ARRIVED_TODAY,
    Q_EXPECTED_TODAY,
    Q_ATTAINED,
    Q_TARGET,
    Q_REPS_FREE,
) = range(len(QUEUE_FIELDS))
N_CENTER_FIELDS = len(CENTER_FIELDS)
N_QUEUE_FIELDS = len(QUEUE_FIELDS)
N_CANDIDATE_FIELDS = len(CANDIDATE_FIELDS)
N_CONTACT_FIELDS = C_ACCEPT
"""The first fields of a candidate, about the contact alone: equal in all rows of one contact."""

_CENTER_IS_MARKOV = np.array([field.markov for field in CENTER_FIELDS])
_QUEUE_IS_MARKOV = np.array([field.markov for field in QUEUE_FIELDS])
_CANDIDATE_IS_MARKOV = np.array([field.markov for field in CANDIDATE_FIELDS])


@compiled
def _near(time_s):
    return min(max(time_s, -FAR_S), FAR_S)


@compiled
def abandonment_rate_per_hour(parameters, queue, waited_s):
    """Return the rate at which a contact of `queue` who has waited `waited_s` seconds hangs up, per hour."""
    place = waited_s * parameters.queues[queue].hazard_cells_per_s
    last = parameters.hazard_per_s.shape[1] - 1
    cell = last if place >= last else int(place)
    return 3600.0 * parameters.hazard_per_s[queue, cell]


@compiled
def work_done_s(state, contact):
    """Return the work done on `contact` so far, seconds at speed 1, with what the rep who works on it now has done
    since the phase began."""
    done_s = state.contacts[contact].work_done_s
    rep = state.contacts[contact].rep
    if state.contacts[contact].status == IN_SERVICE:
        done_s += (state.now_s - state.reps[rep].phase_start_s) * state.reps[rep].speed
    return done_s


@compiled
def loss_usd_per_hour(state, parameters, contact):
    """Return what `contact` loses by each further hour once its promise is broken, USD per hour."""
    person = state.contacts[contact]
    limits = parameters.queues[person.queue]
    rise_per_s = limits.wait_rise_per_s if limits.real_time else limits.late_rise_per_s
    rise = raise_for_risk(parameters, person.at_risk, rise_per_s * 3600.0)
    waiting_usd_per_s = limits.holding_usd_per_s + limits.waiting_usd_per_s + limits.overdue_waiting_usd_per_s
    return person.value_usd * person.retention_prob * rise + 3600.0 * waiting_usd_per_s


@compiled
def _expected_due_in_s(parameters, queue, waited_s):
    """Return E[due time - now | not passed yet], seconds, of a hidden due time, `waited_s` seconds after arrival."""
    place = waited_s * parameters.queues[queue].due_cells_per_s
    last = parameters.due_residual_s.shape[1] - 1
    if place >= last:
        return parameters.due_residual_s[queue, last]
    cell = int(place)
    low = parameters.due_residual_s[queue, cell]
    return low + (place - cell) * (parameters.due_residual_s[queue, cell + 1] - low)


@compiled
def _slack_s(state, parameters, contact, expected_s):
    person = state.contacts[contact]
    if parameters.queues[person.queue].real_time:
        return person.arrival_s + parameters.queues[person.queue].threshold_s - state.now_s
    if parameters.queues[person.queue].hidden_due and not person.overdue and person.due_s < NEVER:
        return _near(_expected_due_in_s(parameters, person.queue, state.now_s - person.arrival_s) - expected_s)
    return _near(person.due_s - state.now_s - expected_s)


@compiled
def write_contact(state, parameters, contact, row):
    """Write the attributes of `contact` into a candidate row that was 0."""
    person = state.contacts[contact]
    queue = person.queue
    limits = parameters.queues[queue]
    expected_s = expected_remaining_s(parameters, queue, person.work_done_s)
    row[C_CHANNEL] = queue + 1
    row[C_REAL_TIME] = limits.real_time
    row[C_VALUE] = person.value_usd
    row[C_AT_RISK] = person.at_risk
    row[C_RETENTION] = person.retention_prob
    waited_s = state.now_s - person.arrival_s
    row[C_WAITED] = _near(waited_s)
    row[C_SLACK] = _slack_s(state, parameters, contact, expected_s)
    row[C_OVERDUE] = person.overdue
    if person.interruptions > 0:
        expected_s += limits.pick_up_mean_s
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
    """Write the attributes of `rep` into a candidate row; those of the `contact`, where there is one, must stand there
    already."""
    person = state.reps[rep]
    owner = state.reps[parameters.owner[rep]]
    k = person.seat_class
    if contact != NOBODY:
        speed = speed_of(state, parameters, rep, contact)
        if owner.n_held > 0 and person.contact == NOBODY:
            speed = shared_speed_of(state, parameters, rep, contact)
        if speed != 1.0:
            row[C_EXPECTED_WORK] /= speed
    if person.contact == NOBODY:
        row[C_REP_IDLE] = state.now_s - person.idle_since_s
    row[C_REP_SKILLS] = parameters.skill_count[k]
    if contact != NOBODY:
        row[C_REP_AT_HOME] = 1.0 if parameters.class_home[k] == state.contacts[contact].queue else 0.0
        row[C_REP_IS_PREFERRED] = 1.0 if state.contacts[contact].preferred == parameters.owner[rep] else 0.0
    row[C_REP_SHIFT_LEFT] = _near(owner.shift_end_s - state.now_s)
    row[C_REP_SUSPENDED] = owner.n_suspended
    row[C_REP_HOLDS] = owner.n_held


@compiled
def _write_disturbed(state, parameters, rep, row):
    """Write the attributes of the work that interrupting `rep` suspends."""
    contact = np.int64(state.reps[rep].contact)
    person = state.contacts[contact]
    queue = person.queue
    limits = parameters.queues[queue]
    done_s = work_done_s(state, contact)
    expected_s = expected_remaining_s(parameters, queue, done_s)
    row[C_DISTURBED_CHANNEL] = queue + 1
    row[C_DISTURBED_VALUE] = person.value_usd
    row[C_DISTURBED_SLACK] = _slack_s(state, parameters, contact, expected_s)
    row[C_DISTURBED_PROGRESS] = done_s
    row[C_DISTURBED_WORK] = expected_s + limits.after_work_mean_s
    row[C_DISTURBED_STAKE] = broken_promise_usd(state, parameters, contact)
    row[C_DISTURBED_ERROR] = limits.error_per_interruption_prob * error_usd(state, parameters, contact)
    pick_up_s = 0.0 if state.reps[rep].status == RESUMING else limits.pick_up_mean_s
    row[C_PICK_UP] = pick_up_s
    row[C_ACTION_COST] = parameters.interruption_usd + pick_up_s * parameters.pick_up_usd_per_s


@compiled
def _write_queue(state, parameters, queue, interval, later_interval, passed_h, center, start):
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
        center[start + Q_OLDEST_WAIT] = _near(state.now_s - state.contacts[oldest].arrival_s)
        dearest = first_contact(state, queue_heap(queue, BY_VALUE))
        center[start + Q_MOST_VALUE] = state.contacts[dearest].value_usd
        urgent = oldest if parameters.queues[queue].real_time else first_contact(state, queue_heap(queue, BY_URGENCY))
        expected_s = expected_remaining_s(parameters, queue, state.contacts[urgent].work_done_s)
        least_slack_s = _slack_s(state, parameters, urgent, expected_s)
    center[start + Q_LEAST_SLACK] = least_slack_s
    rate_per_hour = parameters.forecast_per_hour[interval, queue]
    center[start + Q_FORECAST_NOW] = rate_per_hour
    center[start + Q_FORECAST_LATER] = parameters.forecast_per_hour[later_interval, queue]
    center[start + Q_EXPECTED_TODAY] = parameters.forecast_today[interval, queue] + passed_h * rate_per_hour


@compiled
def release_per_hour(state, parameters):
    """Return how many reps an hour come free: the sum over contacts in hand of one over the mean time that they take of
    a rep, and over reps in after-contact work of one over its mean."""
    rate = 0.0
    for q in range(parameters.n_queues):
        rate += state.queues[q].in_service * parameters.queues[q].completions_per_hour
        if state.queues[q].after_work > 0:
            rate += state.queues[q].after_work * 3600.0 / parameters.queues[q].after_work_mean_s
    return rate


@compiled
def _write_center(state, parameters, center):
    week_s = parameters.week_start_s + state.now_s
    week_s -= WEEK_S * int(week_s / WEEK_S)
    interval = min(int(week_s / WEEK_INTERVAL_S), N_WEEK_INTERVALS - 1)
    later_interval = (interval + 2) % N_WEEK_INTERVALS
    passed_h = (week_s - interval * WEEK_INTERVAL_S) / 3600.0
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
                if parameters.skill[k, q]:
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
                row[:N_CONTACT_FIELDS] = candidates[written_action, :N_CONTACT_FIELDS]
            else:
                write_contact(state, parameters, contact, row)
                written_contact = contact
                written_action = action
        if rep != NOBODY:
            write_rep(state, parameters, rep, contact, row)
        kind = parameters.action_kind[action]
        if kind == INTERRUPT:
            _write_disturbed(state, parameters, rep, row)
        elif kind == OFFER_CALLBACK:
            queue = state.contacts[contact].queue
            row[C_ACCEPT] = parameters.queues[queue].accept_prob
            row[C_ACTION_COST] = parameters.queues[queue].accept_prob * parameters.callback_usd
    _write_center(state, parameters, center)
    if parameters.markov:
        _keep_markov(parameters, center, candidates)
