"""What the router sees: one table of fields for the center, for a queue and for a candidate.

Room: `envs.interface`. Tables and the codes of their rows; imports nobody. `envs.simulator.router.observation` is the
writer.

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

from envs.interface.units import DAY_S, WEEK_S

FAR_S = 30 * DAY_S
"""Bound of times in the observation, seconds: 30 days."""


class Field(NamedTuple):
    """One number of the observation: its unit, its range, the magnitude that matters, what it says, and whether it is
    part of the state of a Markovian center. `docs/observation.md` and `blended describe` follow these rows."""

    name: str
    unit: str
    low: float
    high: float
    scale: float
    meaning: str
    markov: bool = False


_BIG = 1e9
CENTER_FIELDS = (
    Field("time_of_day_s", "s", 0, DAY_S, 21_600, "clock time since midnight"),
    Field("time_of_week_s", "s", 0, WEEK_S, 151_200, "clock time since Sunday midnight"),
    Field("time_left_s", "s", 0, _BIG, 86_400, "until the horizon"),
    Field(
        "subject_is_contact",
        "0/1",
        0,
        1,
        1,
        "1: the question is about a waiting real-time contact; 0: about a free rep",
        True,
    ),
    Field("reps_staffed", "reps", 0, 1e4, 5, "reps on shift", True),
    Field("reps_free", "reps", 0, 1e4, 2, "reps on shift without work in hand", True),
    Field("seats_free", "contacts", 0, 1e4, 2, "contacts more that reps on shift can take who hold some already", True),
    Field("reps_interruptible", "reps", 0, 1e4, 2, "reps on shift whose work or pick-up may be interrupted", True),
    Field("reps_resuming", "reps", 0, 1e4, 2, "reps who are picking up interrupted work", True),
    Field("reps_after_work", "reps", 0, 1e4, 2, "reps in after-contact work", True),
    Field("reps_overtime", "reps", 0, 1e4, 2, "reps who finish a contact after their shift"),
    Field("reps_planned_now", "reps", 0, 1e4, 5, "mean reps on shift in this half-hour of the week"),
    Field("reps_planned_in_1h", "reps", 0, 1e4, 5, "the same one hour later"),
    Field(
        "release_per_hour",
        "reps/h",
        0,
        1e6,
        60,
        "sum over contacts in hand of 1 / the mean time that a contact of their channel takes of a rep, "
        "after-contact work included, and over reps in after-contact work of 1 / its mean: how soon a rep "
        "comes free",
        True,
    ),
)
"""Fields of `center` about the whole center."""
QUEUE_FIELDS = (
    Field("waiting", "contacts", 0, 1e6, 3, "contacts waiting, suspended ones not included", True),
    Field("in_service", "contacts", 0, 1e6, 3, "contacts in the hands of a rep, being picked up included", True),
    Field("suspended", "contacts", 0, 1e6, 1, "interrupted contacts that stay with their rep", True),
    Field(
        "overdue",
        "contacts",
        0,
        1e6,
        2,
        "open contacts whose due time has passed; where the promise is met by the start, waiting ones",
        True,
    ),
    Field("oldest_wait_s", "s", 0, FAR_S, 60, "wait of the one that joined first; 0 if nobody waits"),
    Field(
        "least_slack_s",
        "s",
        -FAR_S,
        FAR_S,
        3600,
        "least slack of those waiting (real-time: of the oldest); 30 days if nobody waits",
    ),
    Field("most_value_usd", "USD", 0, _BIG, 10_000, "largest account value of those waiting", True),
    Field("forecast_per_hour", "contacts/h", 0, 1e6, 20, "mean arrivals an hour in this half-hour of the week"),
    Field("forecast_in_1h_per_hour", "contacts/h", 0, 1e6, 20, "the same one hour later"),
    Field("arrived_today", "contacts", 0, 1e6, 100, "contacts from outside since midnight"),
    Field("expected_today", "contacts", 0, 1e6, 100, "mean arrivals from midnight until now"),
    Field("attained_frac", "fraction", 0, 1, 1, "service level or on-time share so far; 1 while there is none"),
    Field("target_frac", "fraction", 0, 1, 1, "what the statement of work promises of it; 0 without a target"),
    Field("reps_free", "reps", 0, 1e4, 2, "reps on shift with the skill who hold nothing", True),
)
"""Fields of `center` of each queue, in the order of the scenario's channels."""
CANDIDATE_FIELDS = (
    Field("channel", "number", 0, 1e3, 4, "the contact's channel, the scenario's counted from 1 on", True),
    Field("real_time", "0/1", 0, 1, 1, "1: the contact's channel is real-time", True),
    Field("value_usd", "USD", 0, _BIG, 10_000, "account value of the customer", True),
    Field("at_risk", "0/1", 0, 1, 1, "1: already close to leaving", True),
    Field("retention_prob", "probability", 0, 1, 1, "chance that the harms so far have not lost the customer", True),
    Field("waited_s", "s", 0, FAR_S, 60, "since it joined its queue"),
    Field(
        "slack_s",
        "s",
        -FAR_S,
        FAR_S,
        3600,
        "deferred: due time - now - expected work, a hidden due time as expected until it has passed; "
        "real-time: until the service-level threshold",
    ),
    Field("overdue", "0/1", 0, 1, 1, "1: its due time has passed", True),
    Field(
        "expected_work_s",
        "s",
        0,
        FAR_S,
        300,
        "mean remaining handle time given the work done and mean after-contact work, at the rep's speed, and "
        "the mean pick-up if it was ever interrupted",
        True,
    ),
    Field("progress_s", "s", 0, FAR_S, 300, "work done on it"),
    Field("interruptions", "count", 0, 1e6, 1, "times it was interrupted"),
    Field(
        "attempt",
        "count",
        0,
        1e6,
        1,
        "earlier contacts of the customer: redials, callbacks, rework, follow-ups, returns",
        True,
    ),
    Field(
        "reach_prob",
        "probability",
        0,
        1,
        1,
        "chance that the customer is reached, 1 once that has happened and on inbound work",
        True,
    ),
    Field(
        "income_usd",
        "USD",
        0,
        _BIG,
        10,
        "what handling it earns: the client's fee, and the expected commission on the debt",
        True,
    ),
    Field("has_preferred_rep", "0/1", 0, 1, 1, "1: the customer has a preferred rep", True),
    Field("preferred_rep_there", "0/1", 0, 1, 1, "1: and that rep is on the floor", True),
    Field(
        "abandon_per_hour",
        "1/h",
        0,
        1e6,
        10,
        "chance to hang up within the next minute, as a rate; real-time only",
        True,
    ),
    Field(
        "stake_usd",
        "USD",
        0,
        _BIG,
        100,
        "what breaking the promise costs now: an abandonment; missing the due time (0 once overdue)",
        True,
    ),
    Field(
        "loss_usd_per_hour",
        "USD/h",
        0,
        _BIG,
        100,
        "what waiting costs once the promise is broken, and holding costs",
        True,
    ),
    Field(
        "accept_prob",
        "probability",
        0,
        1,
        1,
        "chance that the offered callback is accepted; `offer_callback` only",
        True,
    ),
    Field(
        "action_usd",
        "USD",
        0,
        _BIG,
        5,
        "the action's own price: an interruption and its pick-up, the expected price of the callback, or, where "
        "`pick_up_s` is shown of suspended work, that of the pick-up",
        True,
    ),
    Field("rep_idle_s", "s", 0, FAR_S, 60, "idle time of the free rep"),
    Field("rep_skills", "channels", 0, 1e3, 3, "channels that the rep can serve", True),
    Field("rep_group", "number", 0, 1e4, 4, "the rep's group, the scenario's counted from 1 on", True),
    Field("rep_at_home", "0/1", 0, 1, 1, "1: the contact's channel is the rep's home channel", True),
    Field("rep_is_preferred", "0/1", 0, 1, 1, "1: the customer's preferred rep", True),
    Field(
        "rep_shift_left_s",
        "s",
        0,
        FAR_S,
        3600,
        "until the rep leaves the floor, for a break or home; 30 days without shifts",
    ),
    Field("rep_suspended", "contacts", 0, 1e3, 1, "suspended contacts that the rep holds", True),
    Field("rep_holds", "contacts", 0, 1e3, 1, "contacts that the rep has in hand already", True),
    Field("disturbed_channel", "number", 0, 1e3, 4, "channel of the work that would be interrupted", True),
    Field(
        "disturbed_value_usd",
        "USD",
        0,
        _BIG,
        10_000,
        "account value of the customer whose work would be interrupted",
        True,
    ),
    Field("disturbed_slack_s", "s", -FAR_S, FAR_S, 3600, "slack of that work"),
    Field("disturbed_progress_s", "s", 0, FAR_S, 300, "work done on it"),
    Field("disturbed_work_s", "s", 0, FAR_S, 300, "its expected remaining handle time and after-contact work", True),
    Field("disturbed_stake_usd", "USD", 0, _BIG, 100, "what missing its due time would cost", True),
    Field(
        "disturbed_error_usd",
        "USD",
        0,
        _BIG,
        100,
        "expected cost of the error that the interruption makes likelier",
        True,
    ),
    Field(
        "pick_up_s",
        "s",
        0,
        FAR_S,
        300,
        "mean pick-up time that the interruption adds; 0 if the rep is picking up anyway. With `suspended_work: "
        "pooled` or `pick_up_by_others` also that of the rep for work that was interrupted",
        True,
    ),
)
"""Fields of a row of `candidates`: the contact, the rep, and the work that an interruption would disturb."""


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


def _places(fields: tuple[Field, ...]) -> dict[str, int]:
    """Return the place of each field by its name."""
    return {field.name: place for place, field in enumerate(fields)}


# Codes: the place of a field in its table, looked up by its name.
# C_ of `candidates`, G_ of the whole center, Q_ of a queue.
_CANDIDATE = _places(CANDIDATE_FIELDS)
_CENTER = _places(CENTER_FIELDS)
_QUEUE = _places(QUEUE_FIELDS)
C_CHANNEL = _CANDIDATE["channel"]
C_REAL_TIME = _CANDIDATE["real_time"]
C_VALUE = _CANDIDATE["value_usd"]
C_AT_RISK = _CANDIDATE["at_risk"]
C_RETENTION = _CANDIDATE["retention_prob"]
C_WAITED = _CANDIDATE["waited_s"]
C_SLACK = _CANDIDATE["slack_s"]
C_OVERDUE = _CANDIDATE["overdue"]
C_EXPECTED_WORK = _CANDIDATE["expected_work_s"]
C_PROGRESS = _CANDIDATE["progress_s"]
C_INTERRUPTIONS = _CANDIDATE["interruptions"]
C_ATTEMPT = _CANDIDATE["attempt"]
C_REACH = _CANDIDATE["reach_prob"]
C_INCOME = _CANDIDATE["income_usd"]
C_HAS_PREFERRED = _CANDIDATE["has_preferred_rep"]
C_PREFERRED_THERE = _CANDIDATE["preferred_rep_there"]
C_ABANDON_RATE = _CANDIDATE["abandon_per_hour"]
C_STAKE = _CANDIDATE["stake_usd"]
C_LOSS_RATE = _CANDIDATE["loss_usd_per_hour"]
C_ACCEPT = _CANDIDATE["accept_prob"]
C_ACTION_COST = _CANDIDATE["action_usd"]
C_REP_IDLE = _CANDIDATE["rep_idle_s"]
C_REP_SKILLS = _CANDIDATE["rep_skills"]
C_REP_GROUP = _CANDIDATE["rep_group"]
C_REP_AT_HOME = _CANDIDATE["rep_at_home"]
C_REP_IS_PREFERRED = _CANDIDATE["rep_is_preferred"]
C_REP_SHIFT_LEFT = _CANDIDATE["rep_shift_left_s"]
C_REP_SUSPENDED = _CANDIDATE["rep_suspended"]
C_REP_HOLDS = _CANDIDATE["rep_holds"]
C_DISTURBED_CHANNEL = _CANDIDATE["disturbed_channel"]
C_DISTURBED_VALUE = _CANDIDATE["disturbed_value_usd"]
C_DISTURBED_SLACK = _CANDIDATE["disturbed_slack_s"]
C_DISTURBED_PROGRESS = _CANDIDATE["disturbed_progress_s"]
C_DISTURBED_WORK = _CANDIDATE["disturbed_work_s"]
C_DISTURBED_STAKE = _CANDIDATE["disturbed_stake_usd"]
C_DISTURBED_ERROR = _CANDIDATE["disturbed_error_usd"]
C_PICK_UP = _CANDIDATE["pick_up_s"]
G_TIME_OF_DAY = _CENTER["time_of_day_s"]
G_TIME_OF_WEEK = _CENTER["time_of_week_s"]
G_TIME_LEFT = _CENTER["time_left_s"]
G_SUBJECT_IS_CONTACT = _CENTER["subject_is_contact"]
G_STAFFED = _CENTER["reps_staffed"]
G_FREE = _CENTER["reps_free"]
G_SEATS_FREE = _CENTER["seats_free"]
G_INTERRUPTIBLE = _CENTER["reps_interruptible"]
G_RESUMING = _CENTER["reps_resuming"]
G_AFTER_WORK = _CENTER["reps_after_work"]
G_OVERTIME = _CENTER["reps_overtime"]
G_PLANNED_NOW = _CENTER["reps_planned_now"]
G_PLANNED_LATER = _CENTER["reps_planned_in_1h"]
G_RELEASE_RATE = _CENTER["release_per_hour"]
Q_WAITING = _QUEUE["waiting"]
Q_IN_SERVICE = _QUEUE["in_service"]
Q_SUSPENDED = _QUEUE["suspended"]
Q_OVERDUE = _QUEUE["overdue"]
Q_OLDEST_WAIT = _QUEUE["oldest_wait_s"]
Q_LEAST_SLACK = _QUEUE["least_slack_s"]
Q_MOST_VALUE = _QUEUE["most_value_usd"]
Q_FORECAST_NOW = _QUEUE["forecast_per_hour"]
Q_FORECAST_LATER = _QUEUE["forecast_in_1h_per_hour"]
Q_ARRIVED_TODAY = _QUEUE["arrived_today"]
Q_EXPECTED_TODAY = _QUEUE["expected_today"]
Q_ATTAINED = _QUEUE["attained_frac"]
Q_TARGET = _QUEUE["target_frac"]
Q_REPS_FREE = _QUEUE["reps_free"]

N_CENTER_FIELDS = len(CENTER_FIELDS)
N_QUEUE_FIELDS = len(QUEUE_FIELDS)
N_CANDIDATE_FIELDS = len(CANDIDATE_FIELDS)
N_CONTACT_FIELDS = C_ACCEPT
"""The first fields of a candidate, about the contact alone: equal in all rows of one contact."""
