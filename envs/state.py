"""What the kernel reads and writes: record types, their codes and their sizes.

Room: `envs`. Touches numpy only. Everything that happens in one environment is in one `State` record: a snapshot is a
copy of it, a checkpoint its bytes. What a scenario fixes is in one `Parameters` record. What an episode brings is an
array of `DEMAND` records. Sizes come in tiers, so that all scenarios of a tier share the compiled code.

Times are seconds since the start of the horizon, money is USD, -1 stands for "no contact", "no rep", "no queue".
"""

from typing import Any, NamedTuple

import numpy as np

from envs.distributions import CELLS, OCTAVES
from envs.scenario import COST_TERMS, MAX_CAPACITY_UNITS

NOBODY = -1
NEVER = np.inf

# What a contact is doing.
UNUSED, WAITING, IN_SERVICE, PICKING_UP, SUSPENDED, SCHEDULED = range(6)
# What a rep is doing.
AWAY, FREE, WORKING, RESUMING, AFTER_WORK = range(5)
# Whom the router is asked about.
NO_SUBJECT, CONTACT_SUBJECT, REP_SUBJECT = range(3)
# What a shift change is; at the same second they happen in this order.
SHIFT_START, BREAK_END, BREAK_START, SHIFT_END = range(4)
# What an action does.
WAIT, SERVE, RESUME, ASSIGN, INTERRUPT, OFFER_CALLBACK = range(6)
# Lenses of `serve`: which waiting contact of the queue is meant.
OLDEST, MOST_URGENT, NEXT_DUE, MOST_VALUABLE, SERVE_PREFERRED = range(5)
# Lenses of `assign`.
LONGEST_IDLE, FEWEST_SKILLS, ASSIGN_PREFERRED, LEAST_LOADED, FASTEST = range(5)
# Lenses of `interrupt`.
LEAST_VALUE_AT_STAKE, LEAST_PROGRESS, CHEAPEST_TO_RESUME, LATEST_PICK_UP, INTERRUPT_PREFERRED = range(5)

(
    TERM_ABANDONMENT,
    TERM_WAIT,
    TERM_LATENESS,
    TERM_BROKEN_PROMISE,
    TERM_ERROR,
    TERM_INTERRUPTION,
    TERM_CALLBACK,
    TERM_BACKLOG,
    TERM_BLOCKED,
    TERM_HANDLING,
    TERM_UNRESOLVED,
    TERM_FORGONE,
    TERM_SOW_PENALTY,
    TERM_FAIRNESS,
) = range(len(COST_TERMS))
N_TERMS = len(COST_TERMS)

# Orders in which contacts are kept: the clock of the whole center, then one heap per queue and order.
BY_CLOCK, BY_ARRIVAL, BY_URGENCY, BY_NEXT_DUE, BY_VALUE = range(5)
N_ORDERS = 5

MAX_BANDS = 4
MAX_OPEN_PERIODS = 64
"""Opening hours of a week, at most."""
HOURS_OF_DAY = 24
N_WEEK_INTERVALS = 336
"""Half-hours of a week: the grid of forecast and planned staffing."""
WEEK_INTERVAL_S = 1800.0
RESIDUAL_POINTS = 65
CUMULATIVE_POINTS = 1025
BLOCK = 16
"""Width of a block of the block argmin over reps (DESIGN section 4.5)."""
WAIT_OCTAVES = 22
"""Octaves of the histogram of waits: row 0 covers waits of less than a second, row k those from 2^(k-1) to 2^k."""
WAIT_CELLS = 16
"""Equal cells in each row of the histogram."""
MAX_CENSUSES = 16
"""Times at which those waiting are counted, at most."""
MAX_NOTES = 64
"""Notes that one event or one action may leave (`envs.journal`)."""


def _record(fields: list[Any]) -> np.dtype[Any]:
    """Return an aligned record type whose fields plain Python, too, may write as attributes."""
    return np.dtype((np.record, np.dtype(fields, align=True)))


class Tier(NamedTuple):
    """Capacities of the records. A scenario takes the first tier that holds it."""

    reps: int
    queues: int
    contacts: int
    actions: int
    classes: int
    shift_changes: int


TIERS = (
    Tier(reps=32, queues=8, contacts=4096, actions=64, classes=16, shift_changes=2048),
    Tier(reps=256, queues=16, contacts=16384, actions=128, classes=64, shift_changes=16384),
    Tier(reps=1024, queues=32, contacts=32768, actions=256, classes=128, shift_changes=65536),
)

DEMAND = _record(
    [
        ("arrival_s", np.float64),
        ("handle_s", np.float64),
        ("patience_s", np.float64),
        ("value_usd", np.float64),
        ("due_s", np.float64),
        ("owed_usd", np.float64),
        ("key", np.uint64),
        ("queue", np.int32),
        ("at_risk", np.int32),
        ("preferred", np.int64),  # 64 bits: no padding, so that equal demands are equal bytes
    ]
)
"""One contact that the outside world brings. `due_s` is absolute; patience and due time are inf where they have no
meaning. Contacts of an unlimited supply have no arrival of their own (`arrival_s` inf) and stand at the end, those of a
queue together. `key` is the customer's own: all later chances are a function of it (`envs.luck`)."""

CONTACT = _record(
    [
        ("key", np.uint64),
        ("arrival_s", np.float64),  # joined its present queue
        ("due_s", np.float64),
        ("abandon_s", np.float64),
        ("return_s", np.float64),  # of a scheduled contact
        ("left_s", np.float64),  # of a scheduled contact: when its customer left the center
        ("request_s", np.float64),  # hidden: when a scheduled customer asks for the contact, before its window opens
        ("handle_s", np.float64),  # hidden: whole work of the present contact, at speed 1
        ("work_left_s", np.float64),  # hidden, at speed 1
        ("work_done_s", np.float64),  # at speed 1
        ("served_s", np.float64),  # rep time spent on it, pick-ups apart
        ("pick_up_left_s", np.float64),  # hidden: unpaid rest of an interrupted pick-up, mode accumulate
        ("pick_up_s", np.float64),  # hidden: the last pick-up as it was drawn
        ("review_s", np.float64),
        ("value_usd", np.float64),
        ("retention_prob", np.float64),
        ("owed_usd", np.float64),
        ("queued_s", np.float64),  # of a waiting contact: since when it stands in line
        ("new_work", np.int64),  # 1 + the queue by whose law this contact's own work was drawn; 0: as the earlier ones'
        ("sequence", np.int64),
        ("closed_at", np.int64),
        ("queue", np.int32),
        ("status", np.int32),
        ("rep", np.int32),
        ("next_suspended", np.int32),
        ("preferred", np.int32),
        ("next_preferring", np.int32),
        ("previous_preferring", np.int32),
        ("attempt", np.int32),
        ("harms", np.int32),
        ("interruptions", np.int32),
        ("pick_ups", np.int32),
        ("at_risk", np.int32),
        ("band", np.int32),
        ("offered", np.int32),
        ("overdue", np.int32),
        ("past_threshold", np.int32),
        ("reached", np.int32),
        ("reach_attempts", np.int32),
        ("number", np.int32),  # of this visit to a queue, in the episode
        ("customer", np.int32),  # place in the demand
        ("handled", np.int32),  # an earlier contact was handled to its end, which told how much work this one is
        ("return_from", np.int32),  # of a scheduled contact: the queue that it left unresolved, to come back by itself
    ]
)

ENTRY = _record(
    [
        ("time_s", np.float64),
        ("due_s", np.float64),  # of the contact, as the next four fields
        ("opens_s", np.float64),
        ("contact", np.int32),  # its number
        ("customer", np.int32),
        ("attempt", np.int32),
        ("overdue", np.int32),
        ("kind", np.int32),
        ("queue", np.int32),
        ("rep", np.int32),
        ("detail", np.int32),
        ("amount_usd", np.float64),
        ("loss_usd", np.float64),
    ]
)
"""One note of the journal (`envs.journal`)."""

REP = _record(
    [
        ("phase_start_s", np.float64),
        ("idle_since_s", np.float64),
        ("review_s", np.float64),
        ("shift_end_s", np.float64),
        ("speed", np.float64),  # at the present contact
        ("after_work_of", np.int64),  # in after-contact work: the queue
        ("closed_at", np.int64),
        ("status", np.int32),
        ("contact", np.int32),
        ("seat_class", np.int32),
        ("n_held", np.int32),
        ("open_seat", np.int32),
        ("on_shift", np.int32),
        ("on_break", np.int32),
        ("absent", np.int32),
        ("suspended", np.int32),
        ("n_suspended", np.int32),
        ("first_preferring", np.int32),
        ("last_preferring", np.int32),
        ("next_free", np.int32),
        ("previous_free", np.int32),
    ]
)
"""A seat: the rep itself, or one more contact that a rep can hold (`envs.concurrency`). Of the further seats only
status, contact, phase, speed, class and place among the free have a meaning; `n_held` counts what a rep holds, and
`open_seat` is the further seat that is free."""

REP_CLASS = _record(
    [
        ("news", np.int64),
        ("closed_at", np.int64),
        ("review_s", np.float64),
        ("first_free", np.int32),
        ("last_free", np.int32),
        ("n_free", np.int32),
        ("n_interruptible", np.int32),
    ]
)
"""Reps that are interchangeable: one group, one home channel. `first_free` heads the list of free reps, longest idle
first."""

QUEUE = _record(
    [
        ("news", np.int64),
        ("waiting", np.int32),
        ("in_service", np.int32),
        ("suspended", np.int32),
        ("after_work", np.int32),  # reps who do the after-contact work of one of its contacts
        ("scheduled", np.int32),
        ("overdue", np.int32),
        ("first_supply", np.int32),  # of the demand, where the supply is unlimited
        ("end_supply", np.int32),
        ("next_supply", np.int32),
        ("supply_round", np.int32),
    ]
)

QUEUE_COUNT = _record(
    [
        (name, np.float64)
        for name in (
            "arrived",
            "blocked",
            "lost",
            "waited",
            "started",
            "started_within_threshold",
            "abandoned",
            "redialled",
            "completed",
            "on_time",
            "late",
            "left_open",
            "left_overdue",
            "left_age_s",
            "preferring_started",
            "preferred_started",
            "wait_s",
            "wait_started_s",
            "wait_abandoned_s",
            "cycle_s",
            "handle_s",
            "interruptions",
            "pick_up_s",
            "errors",
            "reworked",
            "callbacks_offered",
            "callbacks_accepted",
            "callbacks_refused",
            "attempts",
            "unreached",
            "given_up",
            "deferred",
            "first_contacts",
            "first_resolved",
            "unresolved",
            "returned",
            "escalated",
            "waiting_time_s",
            "in_service_time_s",
            "suspended_time_s",
            "account_loss_usd",
            "recalled",
            "recalled_scheduled",
            "recovered_usd",
            "commission_usd",
            "wait_squared_s2",
            "after_work_time_s",
            "scheduled_time_s",
            "line_time_s",
            "came",
            "found_open",
            "open_at_start",
            "open_at_end",
        )
    ]
)
"""Sums per queue after the warm-up; `envs.metrics` says what each metric makes of them."""

BAND_COUNT = _record(
    [
        (name, np.float64)
        for name in (
            "arrived",
            "started",
            "real_time_started",
            "started_within_threshold",
            "abandoned",
            "completed",
            "on_time",
            "late",
            "blocked",
            "account_loss_usd",
        )
    ]
)

CENTER_COUNT = _record(
    [
        (name, np.float64)
        for name in (
            "busy_s",
            "staffed_s",
            "pick_up_s",
            "overtime_s",
            "absent_s",
            "all_busy_s",
            "all_busy_spells",
            "decisions",
            "events",
            "substituted",
        )
    ]
)


def state_type(tier: Tier) -> np.dtype:
    """Return the record type of all that happens in one environment of `tier`."""
    return _record(
        [
            ("key", np.uint64),  # of the episode: the luck that belongs to no customer
            ("now_s", np.float64),
            ("pass_number", np.int64),
            ("sequence", np.int64),
            ("next_demand", np.int64),
            ("next_arrival_s", np.float64),
            ("next_shift_change", np.int64),
            ("n_contacts", np.int64),
            ("n_unused", np.int64),
            ("n_numbered", np.int64),
            ("n_notes", np.int64),
            ("recording", np.int32),
            ("done", np.int32),
            ("started", np.int32),
            ("warm", np.int32),
            ("just_arrived", np.int32),
            ("subject_kind", np.int32),
            ("subject", np.int32),
            ("n_legal", np.int32),
            ("n_staffed", np.int32),
            ("n_working", np.int32),
            ("n_resuming", np.int32),
            ("n_overtime", np.int32),
            ("n_absent", np.int32),
            ("all_busy", np.int32),
            ("next_census", np.int32),
            ("day", np.int32),
            ("arrived_today", np.float64, (tier.queues,)),
            ("cost_usd", np.float64, (N_TERMS,)),
            ("step_cost_usd", np.float64, (N_TERMS,)),
            ("step_luck_usd", np.float64),
            ("arrived_stake_usd", np.float64, (tier.queues,)),
            ("center_count", CENTER_COUNT),
            ("queue_count", QUEUE_COUNT, (tier.queues,)),
            ("band_count", BAND_COUNT, (MAX_BANDS,)),
            ("wait_count", np.int32, (tier.queues, 1 + WAIT_OCTAVES, WAIT_CELLS)),
            ("census_waiting", np.int32, (tier.queues, MAX_CENSUSES)),
            ("no_queue_count", QUEUE_COUNT),  # always 0: what the counts become at the end of the warm-up
            ("no_band_count", BAND_COUNT),
            ("queues", QUEUE, (tier.queues,)),
            ("classes", REP_CLASS, (tier.classes,)),
            ("reps", REP, (tier.reps,)),
            ("rep_event_s", np.float64, (tier.reps,)),
            ("block_event_s", np.float64, (-(-tier.reps // BLOCK),)),
            ("action_contact", np.int32, (tier.actions,)),
            ("action_rep", np.int32, (tier.actions,)),
            ("action_mask", np.int8, (tier.actions,)),
            ("heap_size", np.int32, (1 + 4 * tier.queues,)),
            ("heap_item", np.int32, (tier.contacts, 1 + 4 * tier.queues)),
            ("heap_key", np.float64, (tier.contacts, N_ORDERS)),
            ("heap_place", np.int32, (tier.contacts, N_ORDERS)),
            ("unused", np.int32, (tier.contacts,)),
            ("contacts", CONTACT, (tier.contacts,)),
            ("notes", ENTRY, (MAX_NOTES,)),
        ]
    )


JOURNAL_PER_CONTACT = 16
"""Notes that one step may leave, for each contact that a tier has room for: an open contact leaves a handful at the
horizon."""


def journal_type(tier: Tier) -> np.dtype:
    """Return the record type of what was noted in one environment of `tier`."""
    entries = ("entries", ENTRY, (JOURNAL_PER_CONTACT * tier.contacts,))
    return _record([("n_entries", np.int64), ("n_lost", np.int64), entries])


RESULT = _record(
    [
        ("reward_usd", np.float64),
        ("elapsed_s", np.float64),
        ("time_s", np.float64),
        ("substituted", np.int64),
        ("done", np.int64),
    ]
)
"""What a step tells its caller beside the observation: one row per environment, close together, since a look into each
environment's state is a look into cold memory."""

QUEUE_PARAMETERS = _record(
    [
        ("real_time", np.int32),
        ("lines", np.int32),
        ("waiting_limit", np.int32),
        ("interruptible", np.int32),
        ("promised", np.int32),
        ("business_clock", np.int32),
        ("hidden_due", np.int32),
        ("met_by_start", np.int32),
        ("unlimited", np.int32),
        ("collection", np.int32),
        ("units", np.int32),  # of a rep's capacity; 0: all of it
        ("outbound", np.int32),
        ("max_attempts", np.int32),
        ("follow_up_to", np.int32),
        ("return_to", np.int32),
        ("escalate_to", np.int32),
        ("accumulate", np.int32),
        ("offer_to", np.int32),
        ("rework_to", np.int32),
        ("threshold_s", np.float64),
        ("due_after_s", np.float64),
        ("opens_after_s", np.float64),
        ("due_cells_per_s", np.float64),
        ("offered_contacts", np.float64),
        ("offered_usd", np.float64),  # each
        ("pay_prob", np.float64),
        ("recovery_frac", np.float64),
        ("commission_frac", np.float64),
        ("commission_per_owed", np.float64),
        ("attempt_s", np.float64),
        ("retry_after_s", np.float64),
        ("refusal_prob", np.float64),
        ("approval_delay_s", np.float64),
        ("follow_up_prob", np.float64),
        ("follow_up_window_s", np.float64),
        ("follow_up_work_frac", np.float64),
        ("resolution_prob", np.float64),
        ("return_prob", np.float64),
        ("return_work_frac", np.float64),
        ("return_new_work", np.int32),
        ("escalation_prob", np.float64),
        ("escalation_work_frac", np.float64),
        ("escalation_new_work", np.int32),
        ("unresolved_rise", np.float64),
        ("unresolved_usd", np.float64),
        ("fee_usd", np.float64),
        ("technology_usd", np.float64),
        ("target_frac", np.float64),
        ("penalty_usd_per_point", np.float64),
        ("completions_per_hour", np.float64),  # of one rep
        ("pick_up_mean_s", np.float64),
        ("after_work_mean_s", np.float64),
        ("accept_prob", np.float64),
        ("redial_prob", np.float64),
        ("error_prob", np.float64),
        ("error_per_interruption_prob", np.float64),
        ("rework_delay_s", np.float64),
        ("rework_frac", np.float64),
        ("abandonment_rise", np.float64),
        ("blocked_rise", np.float64),
        ("wait_rise_per_s", np.float64),
        ("wait_rise_max", np.float64),
        ("late_rise", np.float64),
        ("late_rise_per_s", np.float64),
        ("late_rise_max", np.float64),
        ("error_rise", np.float64),
        ("abandonment_usd", np.float64),
        ("blocked_usd", np.float64),
        ("late_usd", np.float64),
        ("error_usd", np.float64),
        ("holding_usd_per_s", np.float64),
        ("waiting_usd_per_s", np.float64),
        ("overdue_waiting_usd_per_s", np.float64),
        ("residual_cells_per_s", np.float64),
        ("hazard_cells_per_s", np.float64),
        ("cumulative_cells_per_s", np.float64),
        ("smooth_patience", np.int32),
    ]
)

QUANTILE_SHAPE = (OCTAVES, CELLS + 1)


def parameters_type(tier: Tier) -> np.dtype:
    """Return the record type of all that a scenario fixes for one environment of `tier`."""
    return _record(
        [
            ("n_queues", np.int64),
            ("n_reps", np.int64),
            ("n_seats", np.int64),
            ("n_supplied", np.int64),
            ("n_classes", np.int64),
            ("n_actions", np.int64),
            ("n_bands", np.int64),
            ("n_shift_changes", np.int64),
            ("n_contacts", np.int64),
            ("horizon_s", np.float64),
            ("warm_up_s", np.float64),
            ("week_start_s", np.float64),
            ("review_interval_s", np.float64),
            ("every_event", np.int32),
            ("markov", np.int32),
            ("charge_end", np.int32),
            ("sampled_churn", np.int32),
            ("suspended_limit", np.int32),
            ("at_risk_multiplier", np.float64),
            ("interruption_usd", np.float64),
            ("pick_up_usd_per_s", np.float64),
            ("callback_usd", np.float64),
            ("overtime_usd_per_s", np.float64),
            ("term_weight", np.float64, (N_TERMS,)),
            ("band_edge_usd", np.float64, (MAX_BANDS,)),
            ("queues", QUEUE_PARAMETERS, (tier.queues,)),
            ("preferred_speed", np.float64),
            ("preferred_resolution", np.float64),
            ("fairness_floor_frac", np.float64),
            ("fairness_usd_per_point", np.float64),
            ("n_censuses", np.int64),
            ("census_s", np.float64, (MAX_CENSUSES,)),
            ("n_open_periods", np.int64),
            ("open_start_s", np.float64, (MAX_OPEN_PERIODS,)),
            ("open_end_s", np.float64, (MAX_OPEN_PERIODS,)),
            ("skill", np.int8, (tier.classes, tier.queues)),
            ("speed", np.float64, (tier.classes, tier.queues)),
            ("resolution", np.float64, (tier.classes, tier.queues)),
            ("skill_count", np.int32, (tier.classes,)),
            ("class_home", np.int32, (tier.classes,)),
            ("capacity_units", np.int32, (tier.classes,)),
            ("is_further_seat", np.int32, (tier.classes,)),
            ("seat_class", np.int32, (tier.classes, MAX_CAPACITY_UNITS + 1)),
            ("shared_speed", np.float64, (tier.queues, MAX_CAPACITY_UNITS + 1)),
            ("rep_class", np.int32, (tier.reps,)),
            ("owner", np.int32, (tier.reps,)),
            ("first_seat", np.int32, (tier.reps,)),
            ("absence_prob", np.float64, (tier.reps,)),
            ("reach_prob", np.float64, (HOURS_OF_DAY, tier.queues)),
            ("action_kind", np.int32, (tier.actions,)),
            ("action_queue", np.int32, (tier.actions,)),
            ("action_lens", np.int32, (tier.actions,)),
            ("serve_start", np.int32, (tier.queues,)),
            ("resume_action", np.int32),
            ("assign_start", np.int32),
            ("interrupt_start", np.int32),
            ("offer_action", np.int32),
            ("serve_preferred", np.int32),
            ("assign_preferred", np.int32),
            ("interrupt_preferred", np.int32),
            ("assign_least_loaded", np.int32),
            ("assign_fastest", np.int32),
            ("shift_change_s", np.float64, (tier.shift_changes,)),
            ("shift_change_until_s", np.float64, (tier.shift_changes,)),
            ("shift_change_rep", np.int32, (tier.shift_changes,)),
            ("shift_change_kind", np.int32, (tier.shift_changes,)),
            ("forecast_per_hour", np.float64, (N_WEEK_INTERVALS, tier.queues)),
            ("forecast_today", np.float64, (N_WEEK_INTERVALS, tier.queues)),
            ("planned_reps", np.float64, (N_WEEK_INTERVALS,)),
            ("spare_reps", np.float64, (N_WEEK_INTERVALS,)),
            ("residual_s", np.float64, (tier.queues, RESIDUAL_POINTS)),
            ("due_residual_s", np.float64, (tier.queues, RESIDUAL_POINTS)),
            ("due_quantile_s", np.float64, (tier.queues, *QUANTILE_SHAPE)),
            ("hazard_per_s", np.float64, (tier.queues, RESIDUAL_POINTS)),
            ("cumulative_hazard", np.float64, (tier.queues, CUMULATIVE_POINTS)),
            ("handle_quantile_s", np.float64, (tier.queues, *QUANTILE_SHAPE)),
            ("after_work_quantile_s", np.float64, (tier.queues, *QUANTILE_SHAPE)),
            ("pick_up_quantile_s", np.float64, (tier.queues, *QUANTILE_SHAPE)),
            ("redial_quantile_s", np.float64, (tier.queues, *QUANTILE_SHAPE)),
            ("patience_quantile_s", np.float64, (tier.queues, *QUANTILE_SHAPE)),
            ("follow_up_quantile_s", np.float64, (tier.queues, *QUANTILE_SHAPE)),
            ("return_quantile_s", np.float64, (tier.queues, *QUANTILE_SHAPE)),
        ]
    )
