"""What the router sees: the field tables, and the compiled writer of one observation.

Room: `envs.interface`. Reads the state and the parameters; writes three arrays.

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

from envs.interface.units import DAY_S, WEEK_S

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
CENTER_IS_MARKOV = np.array([field.markov for field in CENTER_FIELDS])
QUEUE_IS_MARKOV = np.array([field.markov for field in QUEUE_FIELDS])
CANDIDATE_IS_MARKOV = np.array([field.markov for field in CANDIDATE_FIELDS])
