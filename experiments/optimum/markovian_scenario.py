"""Which scenarios are Markov chains, and of which rates: the class that `blended certify` solves exactly.

Room: `experiments.optimum`. Touches the scenario only.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from envs.errors import InvalidValueError
from envs.interface.units import HOUR_S, NEVER, NOBODY
from envs.scenario.agreements import Costs
from envs.scenario.channel import (
    Channel,
    ChannelCosts,
    Due,
    Harm,
)
from envs.scenario.customers import (
    Arrivals,
    Churn,
    Segment,
)
from envs.scenario.distributions import Exponential, FixedValue
from envs.scenario.outcomes import Error
from envs.scenario.scenario import Scenario
from envs.scenario.staff import Group, Proficiency
from envs.simulator.forced_events import (
    ABANDONMENT,
    AFTER_WORK_END,
    ARRIVAL,
    CHAIN_SIZES,
    COMPLETION,
    DUE,
    N_EVENTS,
    PICK_UP_BY_OTHER_END,
    PICK_UP_END,
)
from envs.simulator.machine.record_types import MAX_SUSPENDED
from envs.simulator.machine.state import DEMAND
from experiments.bounds.assumptions import (
    Keys,
    KnownKeys,
    constant_rate_per_hour,
    unknown_keys,
)

FAR_S = 1e9
"""A time that does not come, seconds: which event comes next is decided by the rates alone."""
KNOWN_KEYS: KnownKeys = {
    Scenario: Keys(
        read={
            "channels", "groups", "segments", "scripted_contacts", "replay", "clients", "fairness", "churn", "costs",
            "suspended_limit", "suspended_work", "review", "observation", "terminal_charge",
        },
        # The average is over all time, due times by the business clock are told and therefore refused, and nobody has a
        # preferred rep.
        harmless={
            "name", "description", "horizon", "business_hours", "service_level", "preferred_rep", "value_bands_usd",
            "review_interval_s", "census_at_s",
        },
    ),
    Channel: Keys(
        read={
            "name", "kind", "handle_time", "after_work", "arrivals", "supply", "segment_shares", "lines",
            "waiting_limit", "harm", "costs", "error", "resolution", "follow_up", "patience", "redial",
            "callback_offer", "concurrency", "due", "reach", "collection", "promised", "interruptible", "pick_up",
            "pick_up_by_others", "pick_up_mode", "initial_backlog",
        },
        # The threshold is that of a harm by waiting, which is refused.
        harmless={"offered_per_day", "assumed", "service_level_threshold_s"},
    ),
    Arrivals: Keys(read={"interval_s", "rate_per_hour", "day_factor_cv"}),
    Harm: Keys(
        read={
            "abandonment_prob", "blocked_prob", "wait_prob_per_min", "late_prob", "late_prob_per_hour", "error_prob",
            "unresolved_prob",
        },
        harmless={"wait_max_prob", "late_max_prob"},
    ),
    ChannelCosts: Keys(
        read={
            "abandonment_usd", "blocked_usd", "late_usd", "error_usd", "unresolved_usd", "holding_usd_per_hour",
            "waiting_usd_per_hour", "overdue_waiting_usd_per_hour",
        }
    ),
    Error: Keys(read={"prob", "per_interruption_prob"}, harmless={"rework"}),
    Due: Keys(read={"clock", "after_s", "hidden_after", "met_by", "opens_after_s"}),
    Segment: Keys(read={"name", "share_frac", "account_value", "at_risk_prob", "preferred_rep_prob"}),
    Proficiency: Keys(read={"speed"}, harmless={"resolution"}),
    # Absence needs shifts; several contacts at a time need a channel with concurrency.
    Group: Keys(
        read={"count", "skills", "shifts", "proficiency"},
        harmless={"name", "home_channel", "absence_prob", "capacity_units"},
    ),
    Churn: Keys(read={"at_risk_multiplier"}, harmless={"mode"}),
    Costs: Keys(
        read={"weights", "interruption_usd", "pick_up_usd_per_hour"}, harmless={"callback_usd", "overtime_usd_per_hour"}
    ),
}  # fmt: skip
"""Keys that the chain knows: the simulator's events reckon with them, or this class refuses what would need more."""


class MarkovianScenario(Scenario):
    """A scenario that is a finite continuous-time Markov chain under every policy.

    All durations are exponential, arrivals plain Poisson with one rate, queues capped, the customers of a channel all
    alike, reps always there; the router is asked after every event, sees the Markov state, and nothing is charged at
    the horizon. Whatever would need more state, or a chance that is drawn later, puts a scenario outside: raises
    `InvalidValueError` with the place of the first such key.
    """

    @model_validator(mode="after")
    def _check_class(self) -> "MarkovianScenario":
        for key, wanted, present in (
            ("review", "every_event", self.review),
            ("observation", "markov", self.observation),
            ("terminal_charge", "none", self.terminal_charge),
        ):
            if present != wanted:
                raise InvalidValueError((key,), f"must be {wanted} to be certified")
        for key, part in (
            ("scripted_contacts", self.scripted_contacts),
            ("replay", self.replay),
            ("clients", self.clients),
            ("fairness", self.fairness),
        ):
            if part:
                raise InvalidValueError((key,), "must be left out of a scenario to be certified")
        if self.has_preferred_reps:
            raise InvalidValueError(("segments",), "must have no preferred reps in a scenario to be certified")
        if self.suspended_limit > MAX_SUSPENDED and any(channel.interruptible for channel in self.channels):
            raise InvalidValueError(("suspended_limit",), f"must be <= {MAX_SUSPENDED} in a scenario to be certified")
        if len(self.channels) > CHAIN_SIZES.queues:
            raise InvalidValueError(("channels",), f"must be at most {CHAIN_SIZES.queues} to be certified")
        if sum(group.count for group in self.groups) > CHAIN_SIZES.reps:
            raise InvalidValueError(("groups",), f"must have at most {CHAIN_SIZES.reps} reps to be certified")
        for i, group in enumerate(self.groups):
            if group.shifts is not None:
                raise InvalidValueError(("groups", i, "shifts"), "must be left out: reps are always there to certify")
        for i, channel in enumerate(self.channels):
            _check_channel(("channels", i), channel)
            self._check_customers(i, channel)
        self._check_room()
        for path in unknown_keys(self, KNOWN_KEYS):
            owner = f" ({self.channels[path[1]].name})" if path[0] == "channels" and isinstance(path[1], int) else ""
            raise InvalidValueError(path, f"must be left out to certify{owner}: the chain does not know this key")
        return self

    def _check_customers(self, i: int, channel: Channel) -> None:
        segments = self.segments_of(channel)
        if len(segments) > 1:
            raise InvalidValueError(
                ("channels", i, "segment_shares"),
                f"must name one segment of the {len(segments)} to certify: the customers of a channel must be alike",
            )
        for segment in segments:
            place: tuple[str | int, ...] = ("segments", self.segments.index(segment))
            if not isinstance(segment.account_value, FixedValue):
                raise InvalidValueError((*place, "account_value"), "must be one number to certify")
            if segment.at_risk_prob not in (0.0, 1.0):
                raise InvalidValueError((*place, "at_risk_prob"), "must be 0 or 1 to certify")
        due_channels = [other for other in self.channels if other.interruptible]
        if channel.interruptible and channel.due is not None and len(due_channels) > 1:
            raise InvalidValueError(
                ("channels", i, "due"), "must be left out to certify: which suspended contact is first depends on ages"
            )

    def _check_room(self) -> None:
        n_reps = sum(group.count for group in self.groups)
        most = n_reps * (1 + (self.suspended_limit if any(channel.interruptible for channel in self.channels) else 0))
        most += sum(_most_waiting(channel) for channel in self.channels)
        if most >= CHAIN_SIZES.contacts:
            raise InvalidValueError(
                ("channels",),
                f"up to {most} contacts can be in the center: must be < {CHAIN_SIZES.contacts} to certify",
            )

    def segments_of(self, channel: Channel) -> list[Segment]:
        """Return the segments whose customers come by `channel`."""
        shares = channel.segment_shares
        if shares is None:
            return [segment for segment in self.segments if segment.share_frac > 0]
        return [segment for segment in self.segments if shares.get(segment.name, 0.0) > 0]


def _most_waiting(channel: Channel) -> int:
    return min(limit for limit in (channel.waiting_limit, channel.lines) if limit is not None)


def _check_channel(path: tuple[str | int, ...], channel: Channel) -> None:
    name = channel.name
    for key, part in (
        ("redial", channel.redial),
        ("callback_offer", channel.callback_offer),
        ("concurrency", channel.concurrency),
        ("resolution", channel.resolution),
        ("follow_up", channel.follow_up),
        ("reach", channel.reach),
        ("collection", channel.collection),
        ("initial_backlog", channel.initial_backlog),
    ):
        if part is not None:
            raise InvalidValueError((*path, key), f"must be left out to certify ({name})")
    if channel.is_unlimited:
        raise InvalidValueError((*path, "supply"), f"must be arrivals to certify ({name})")
    if channel.error.prob > 0 or channel.error.per_interruption_prob > 0:
        raise InvalidValueError((*path, "error"), f"must be left out to certify ({name})")
    for key in ("wait_prob_per_min", "late_prob_per_hour"):
        if getattr(channel.harm, key) > 0:
            raise InvalidValueError(
                (*path, "harm", key), f"must be 0 to certify ({name}): it depends on the age of a contact"
            )
    if channel.waiting_limit is None and channel.lines is None:
        raise InvalidValueError((*path, "waiting_limit"), f"missing key: the queue must be capped to certify ({name})")
    laws = {"handle_time": channel.handle_time, "patience": channel.patience, "pick_up": channel.pick_up}
    laws |= {"after_work": channel.after_work, "pick_up_by_others": channel.pick_up_by_others}
    for key, law in laws.items():
        if law is not None and not isinstance(law, Exponential):
            raise InvalidValueError((*path, key), f"must be exponential to certify ({name})")
    if channel.pick_up_mode != "restart" and channel.interruptible:
        raise InvalidValueError((*path, "pick_up_mode"), f"must be restart to certify ({name})")
    if channel.due is not None and not isinstance(channel.due.hidden_after, Exponential):
        raise InvalidValueError((*path, "due"), f"must be hidden_after an exponential time to certify ({name})")
    if channel.arrivals is not None:
        if constant_rate_per_hour(channel.arrivals) is None:
            raise InvalidValueError((*path, "arrivals", "rate_per_hour"), f"must be one number to certify ({name})")
        if channel.arrivals.day_factor_cv > 0:
            raise InvalidValueError((*path, "arrivals", "day_factor_cv"), f"must be 0 to certify ({name})")


def event_rates(scenario: MarkovianScenario) -> NDArray[np.float64]:
    """Return events of each kind a second, one line a channel: float64 (channels, kinds of
    `envs.simulator.forced_events`)."""
    rates = np.zeros((len(scenario.channels), N_EVENTS))
    for q, channel in enumerate(scenario.channels):
        rates[q, ARRIVAL] = (constant_rate_per_hour(channel.arrivals) or 0.0) / HOUR_S
        due = None if channel.due is None else channel.due.hidden_after
        for kind, law in (
            (ABANDONMENT, channel.patience),
            (DUE, due),
            (COMPLETION, channel.handle_time),
            (PICK_UP_END, channel.pick_up),
            (PICK_UP_BY_OTHER_END, channel.pick_up_by_other),
            (AFTER_WORK_END, channel.after_work),
        ):
            if law is not None:
                rates[q, kind] = 1.0 / law.mean_duration_s
    return rates


def customers_of(scenario: MarkovianScenario) -> NDArray[Any]:
    """Return one customer of each channel, `DEMAND` records; times that only rates decide are far away."""
    customers = np.zeros(len(scenario.channels), DEMAND)
    for q, channel in enumerate(scenario.channels):
        segments = scenario.segments_of(channel)
        customers[q]["queue"] = q
        customers[q]["handle_s"] = FAR_S
        customers[q]["patience_s"] = NEVER
        customers[q]["due_s"] = NEVER if channel.due is None else FAR_S
        customers[q]["preferred"] = NOBODY
        if segments:
            customers[q]["value_usd"] = segments[0].account_value.mean_value_usd
            customers[q]["at_risk"] = segments[0].at_risk_prob == 1.0
    return customers
