"""From scenario to parameters: human units become flat arrays in seconds and USD, curves become tables.

Room: `envs.inputs`. Reads the scenario; the kernel only reads what this makes.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.errors import ConfigurationError
from envs.inputs.channel_parameters import Record, fill_channel
from envs.inputs.staff_parameters import (
    fill_staff,
    n_seats,
    seat_classes,
    shift_changes,
)
from envs.interface.actions import (
    ASSIGN,
    HOLD,
    INTERRUPT,
    LENSES,
    OFFER_CALLBACK,
    OLDEST,
    RESUME,
    SERVE,
    SERVE_PREFERRED,
    TAKE_OVER,
)
from envs.interface.cost_terms import COST_TERMS
from envs.interface.units import (
    DAY_S,
    HOUR_S,
    NOBODY,
    WEEK_S,
)
from envs.scenario.action_table import action_table
from envs.scenario.scenario import Scenario
from envs.scenario.week import open_periods, week_start_s
from envs.simulator.machine.parameters_record import parameters_type
from envs.simulator.machine.record_types import (
    GROWTH,
    MAX_BANDS,
    MAX_CONTACTS,
    MAX_OPEN_PERIODS,
    SIZES,
    Sizes,
)

_OF_SIZES = {
    "reps": "contacts that the reps of groups[] can hold at once (count x contacts side by side)",
    "queues": "number of channels[]",
    "actions": "number of actions, which grows with channels[]",
    "classes": "kinds of reps (groups[], their home channels, units of capacity)",
    "shift_changes": "starts and ends of shifts and breaks (groups[].count x shifts in horizon.days)",
}
"""What each of `Sizes` counts, in keys of the scenario."""


def choose_sizes(scenario: Scenario) -> Sizes:
    """Return the first of `SIZES` that hold `scenario`, with room for a contact in each hand and one to come after it,
    or for the initial backlog and as many contacts again; where more are open at once, the rows grow
    (`CenterRows.make_room`). Raises `ConfigurationError`, with key, number and limit, if none do."""
    needed = {
        "reps": n_seats(scenario),
        "queues": len(scenario.channels),
        "actions": len(action_table(scenario)),
        "classes": len(seat_classes(scenario)),
        "shift_changes": len(shift_changes(scenario)),
    }
    for name, number in needed.items():
        limit = getattr(SIZES[-1], name)
        if number > limit:
            raise ConfigurationError(
                f"scenario {scenario.name}: {_OF_SIZES[name]} = {number}: must be at most {limit}, the largest size of "
                "the simulator"
            )
    sizes = next(sizes for sizes in SIZES if all(getattr(sizes, name) >= n for name, n in needed.items()))
    backlog = sum(
        channel.initial_backlog.mean_contacts for channel in scenario.channels if channel.initial_backlog is not None
    )
    contacts = sizes.contacts
    while contacts < 2.0 * max(backlog, needed["reps"]):
        contacts *= GROWTH
        check_contacts(scenario, contacts, 0.0)
    return sizes._replace(contacts=contacts, pooled_queues=sizes.queues if scenario.pools_suspended_work else 0)


def check_contacts(scenario: Scenario, n_contacts: int, now_s: float) -> None:
    """Raise `ConfigurationError`, with keys, number and limit, if the simulator cannot have room for `n_contacts`
    contacts of `scenario`, needed since more than a `GROWTH`-th of them are open at once `now_s` seconds after its
    start."""
    if n_contacts > MAX_CONTACTS:
        raise ConfigurationError(
            f"scenario {scenario.name}: {now_s / DAY_S:.2f} days after the start more than {n_contacts // GROWTH} "
            f"contacts are open at once or will come back: the simulator holds at most {MAX_CONTACTS}; less of "
            "channels[].initial_backlog.mean_contacts and channels[].arrivals, or more reps in groups[]"
        )


def _fill_agreements(record: Record, scenario: Scenario) -> None:
    """Write fees, targets, what unlimited lists offer, what preferred reps do better and the floor of fairness into the
    parameters `record`; prices per day are for all days after the warm-up."""
    days = math.ceil(scenario.horizon.days) - math.floor(scenario.horizon.warm_up_days)
    for client in scenario.clients:
        for name in client.channels:
            target = record.queues[scenario.channel_index(name)]
            target.fee_usd = client.fee_usd
            target.technology_usd = client.technology_usd
        for promise in client.targets:
            target = record.queues[scenario.channel_index(promise.channel)]
            target.target_frac = promise.at_least_frac
            target.penalty_usd_per_point = promise.usd_per_point_day * days
    for queue, channel in enumerate(scenario.channels):
        target = record.queues[queue]
        target.offered_contacts = channel.offered_per_day * days
        if channel.is_unlimited:
            target.offered_usd = target.fee_usd
            if channel.collection is not None:
                owed_usd = channel.collection.amount_owed.mean_value_usd
                target.offered_usd += owed_usd * channel.collection.commission_per_owed
    record.preferred_speed = scenario.preferred_rep.speed
    record.preferred_resolution = scenario.preferred_rep.resolution
    if scenario.fairness is not None:
        record.fairness_floor_frac = scenario.fairness.floor_frac
        record.fairness_usd_per_point = scenario.fairness.usd_per_point_day * days


def _fill_actions(record: Record, scenario: Scenario) -> None:
    """Write the action table, and where in it each kind of action stands, into the parameters `record`; NOBODY stands
    for actions that the scenario does not have."""
    actions = action_table(scenario)
    place_of = {(action.kind, action.queue, action.lens): i for i, action in enumerate(actions)}
    record.n_actions = len(actions)
    for i, action in enumerate(actions):
        record.action_kind[i] = action.kind
        record.action_queue[i] = action.queue
        record.action_lens[i] = action.lens
    for queue in range(len(scenario.channels)):
        record.serve_start[queue] = place_of[SERVE, queue, OLDEST]
    record.serve_preferred = place_of.get((SERVE, NOBODY, SERVE_PREFERRED), NOBODY)
    record.resume_action = place_of[RESUME, NOBODY, NOBODY]
    record.hold_action = place_of[HOLD, NOBODY, NOBODY]
    record.offer_action = place_of[OFFER_CALLBACK, NOBODY, NOBODY]
    for kind, places in (
        (ASSIGN, record.assign_action),
        (INTERRUPT, record.interrupt_action),
        (TAKE_OVER, record.take_over_action),
    ):
        for lens in range(len(LENSES[kind])):
            places[lens] = place_of.get((kind, NOBODY, lens), NOBODY)


def build_parameters(scenario: Scenario, sizes: Sizes | None = None) -> NDArray[Any]:
    """Return the parameters of `scenario`: an array of one record of `parameters_type` of `sizes`, by default
    those that `choose_sizes` chooses."""
    sizes = choose_sizes(scenario) if sizes is None else sizes
    parameters = np.zeros(1, parameters_type(sizes))
    record: Record = parameters[0]
    record.n_queues = len(scenario.channels)
    record.n_supplied = sum(channel.is_unlimited for channel in scenario.channels)
    record.n_contacts = sizes.contacts
    record.n_bands = len(scenario.value_bands_usd) + 1
    record.band_edge_usd[: len(scenario.value_bands_usd)] = scenario.value_bands_usd
    record.band_edge_usd[len(scenario.value_bands_usd) : MAX_BANDS] = np.inf
    record.horizon_s = scenario.horizon.days * DAY_S
    record.warm_up_s = scenario.horizon.warm_up_days * DAY_S
    record.week_start_s = week_start_s(scenario) % WEEK_S
    record.review_interval_s = scenario.review_interval_s
    record.every_event = scenario.review == "every_event"
    record.markov = scenario.observation == "markov"
    record.charge_end = scenario.terminal_charge == "expected"
    record.sampled_churn = scenario.churn.mode == "sampled"
    record.suspended_limit = scenario.suspended_limit
    record.pooled = scenario.pools_suspended_work
    has_own_law = any(channel.pick_up_by_others is not None for channel in scenario.channels)
    record.shows_pick_up = scenario.pools_suspended_work or has_own_law
    record.at_risk_multiplier = scenario.churn.at_risk_multiplier
    costs = scenario.costs
    record.interruption_usd = costs.interruption_usd
    record.pick_up_usd_per_s = costs.pick_up_usd_per_hour / HOUR_S
    record.callback_usd = costs.callback_usd
    record.overtime_usd_per_s = costs.overtime_usd_per_hour / HOUR_S
    record.term_weight[:] = [costs.weights.get(term, 1.0) for term in COST_TERMS]
    record.n_censuses = len(scenario.census_at_s)
    record.census_s[: len(scenario.census_at_s)] = scenario.census_at_s
    fill_business_hours(record, scenario)
    for queue, channel in enumerate(scenario.channels):
        fill_channel(record, scenario, queue, channel)
    _fill_agreements(record, scenario)
    fill_staff(record, scenario)
    _fill_actions(record, scenario)
    return parameters


def fill_business_hours(record: Any, scenario: Scenario) -> None:
    """Write the opening hours into a record of parameters; `ConfigurationError` if they do not fit."""
    periods = open_periods(scenario)
    if len(periods) > MAX_OPEN_PERIODS:
        raise ConfigurationError(
            f"scenario {scenario.name}: business_hours make {len(periods)} periods a week: "
            f"must be at most {MAX_OPEN_PERIODS}"
        )
    record.n_open_periods = len(periods)
    for i, (start_s, end_s) in enumerate(periods):
        record.open_start_s[i] = start_s
        record.open_end_s[i] = end_s
