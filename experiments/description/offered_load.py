"""Offered load against staffed capacity: how much work comes when, and who is there who could do it.

Room: `experiments.description`. Reads a scenario; simulates nothing.

Work is counted in reps: arrivals an hour × mean rep time in hours is how many reps it keeps busy. By the half-hour
arrivals, the mean recorded day with the handle times that it states, and scripted contacts are counted, each with all
its outbound attempts. Over the horizon the initial backlog is counted too, and what comes back of all these, whenever
it does (`experiments.description.mean_flows`, which says what is left out): when depends on the policy. Lists that
never run out are no load; differences in speed between groups are left out.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.interface.units import (
    DAY_S,
    HOUR_S,
    N_WEEK_INTERVALS,
    WEEK_INTERVAL_S,
    WEEK_S,
    WEEKDAYS,
)
from envs.scenario.channel import Channel, Due
from envs.scenario.customers import (
    Arrivals,
    InitialBacklog,
    Replay,
    ScriptedContact,
)
from envs.scenario.parts import Horizon
from envs.scenario.scenario import Scenario
from envs.scenario.staff import (
    Break,
    Group,
    Shift,
)
from envs.scenario.week import (
    planned_reps,
    recorded_forecast,
    recorded_handle_h,
    week_forecast,
    week_start_s,
    weekday_of,
)
from experiments.bounds.assumptions import (
    Keys,
    KnownKeys,
    key_text,
    unknown_keys,
)
from experiments.description import mean_flows
from experiments.description.mean_flows import (
    Flows,
    flows_from,
    rep_hours,
    rep_time_h,
)

Floats = NDArray[np.float64]
INTERVAL_H = WEEK_INTERVAL_S / HOUR_S
INTERVALS_PER_DAY = round(DAY_S / WEEK_INTERVAL_S)
INTERVALS_PER_HOUR = round(HOUR_S / WEEK_INTERVAL_S)
ARRIVAL_GRID_S = 300.0
"""Arrivals of an interval are placed this far apart where their due times are compared with the staffing."""
KNOWN_KEYS: KnownKeys = {
    **mean_flows.KNOWN_KEYS,
    Scenario: Keys(
        read={"horizon", "channels", "groups", "scripted_contacts", "replay"},
        # Who the customers are, what is paid and what the router may do changes no mean work, or depends on the policy.
        harmless={
            "name", "description", "business_hours", "segments", "clients", "service_level", "fairness",
            "preferred_rep", "churn", "costs", "value_bands_usd", "suspended_limit", "suspended_work",
            "review", "review_interval_s", "observation", "terminal_charge", "census_at_s",
        },
    ),
    Horizon: Keys(read={"days", "start_weekday"}, harmless={"warm_up_days"}),
    Arrivals: Keys(read={"interval_s", "rate_per_hour"}, harmless={"day_factor_cv"}),
    InitialBacklog: Keys(read={"mean_contacts"}, harmless={"max_age_s"}),
    Due: Keys(read={"clock", "after_s", "hidden_after"}, harmless={"met_by", "opens_after_s"}),
    ScriptedContact: Keys(
        read={"channel", "at_s", "handle_time"},
        harmless={"patience", "account_value", "at_risk_prob", "preferred_rep", "amount_owed"},
    ),
    Replay: Keys(read={"file"}, harmless={"order", "date_format", "time_format"}),
    Group: Keys(
        read={"count", "skills", "shifts", "absence_prob", "capacity_units"},
        harmless={"name", "home_channel", "proficiency"},
    ),
    Shift: Keys(read={"weekdays", "start", "end", "breaks"}),
    Break: Keys(read={"start", "length_s", "stagger_s"}),
}  # fmt: skip
"""What the load knows of a scenario; whatever else one states is named by `uncounted_keys`."""


class Pool(NamedTuple):
    """Queues that only these groups can serve; all of both is a pool too, the first one."""

    queues: tuple[int, ...]
    groups: tuple[int, ...]


@dataclass(frozen=True)
class OfferedLoad:
    """Work and reps in each half-hour of the horizon; the last one may be cut short by the horizon.

    Attributes:
        queue_load_reps: [half-hours, queues] the work that arrives, in reps that it keeps busy.
        group_reps: [half-hours, groups] the mean number of reps on shift.
        backlog_rep_hours: [queues] the work of the initial backlog.
        returning_contacts: [queues] the mean number of contacts that follow from others.
        returning_rep_hours: [queues] their work.
        endless: names of the channels whose contacts lead to more work than ends; what follows from them is left out.
        skilled: [queues, groups] true where the group has the skill.
        length_h: [half-hours] what of each lies within the horizon, hours.
    """

    queue_load_reps: Floats
    group_reps: Floats
    backlog_rep_hours: Floats
    returning_contacts: Floats
    returning_rep_hours: Floats
    endless: tuple[str, ...]
    skilled: NDArray[np.bool_]
    length_h: Floats

    def skilled_reps(self, queue: int) -> Floats:
        """Return the reps on shift [half-hours] who have the skill of `queue`."""
        skilled: Floats = self.group_reps[:, self.skilled[queue]].sum(axis=1)
        return skilled

    def pools(self) -> list[Pool]:
        """Return the whole center, then for the skilled groups of each queue all the queues that only they serve."""
        everything = Pool(tuple(range(self.skilled.shape[0])), tuple(range(self.skilled.shape[1])))
        found = [everything]
        for groups in self.skilled:
            queues = [q for q, own in enumerate(self.skilled) if not (own & ~groups).any()]
            found.append(Pool(tuple(queues), tuple(int(g) for g in np.flatnonzero(groups))))
        return [pool for pool in dict.fromkeys(found) if pool == everything or pool.groups != everything.groups]

    def rep_hours(self, pool: Pool, intervals: slice = slice(None)) -> tuple[float, float]:
        """Return the work that arrives for a pool, and its staffed time, in rep-hours; without the initial backlog, and
        without what comes back."""
        length_h = self.length_h[intervals]
        work = self.queue_load_reps[intervals][:, list(pool.queues)].sum(axis=1) @ length_h
        staffed = self.group_reps[intervals][:, list(pool.groups)].sum(axis=1) @ length_h
        return float(work), float(staffed)


def offered_load(scenario: Scenario) -> OfferedLoad:
    """Return the work that arrives in `scenario` and the reps who are there."""
    horizon_h = scenario.horizon.days * DAY_S / HOUR_S
    count = math.ceil(horizon_h / INTERVAL_H - 1e-9)
    length_h = np.clip(horizon_h - np.arange(count) * INTERVAL_H, 0.0, INTERVAL_H)
    week_interval = (round(week_start_s(scenario) / WEEK_INTERVAL_S) + np.arange(count)) % N_WEEK_INTERVALS
    load_reps = np.zeros((count, len(scenario.channels)))
    backlog = _initial_backlog(scenario)
    first = Flows(backlog.contacts.copy(), backlog.handle_h.copy())
    for q, channel in enumerate(scenario.channels):
        rate_per_hour = week_forecast(scenario, channel)[week_interval]
        drawn_per_hour = rate_per_hour - recorded_forecast(scenario, channel)[week_interval]
        work_h = drawn_per_hour * channel.handle_time.mean_duration_s / HOUR_S
        work_h += recorded_handle_h(scenario, channel)[week_interval]
        load_reps[:, q] = rep_time_h(scenario, channel, rate_per_hour, work_h)
        first.contacts[q] += rate_per_hour @ length_h
        first.handle_h[q] += work_h @ length_h
    for contact in scenario.scripted_contacts:
        q = scenario.channel_index(contact.channel)
        handle_h = (contact.handle_time or scenario.channels[q].handle_time).mean_duration_s / HOUR_S
        interval = int(contact.at_s / WEEK_INTERVAL_S)
        load_reps[interval, q] += rep_time_h(scenario, scenario.channels[q], 1.0, handle_h) / length_h[interval]
        first.contacts[q] += 1.0
        first.handle_h[q] += handle_h
    returning, endless = flows_from(scenario, first)
    return OfferedLoad(
        queue_load_reps=load_reps,
        group_reps=np.stack([_group_reps(scenario, g)[week_interval] for g in range(len(scenario.groups))], axis=1),
        backlog_rep_hours=rep_hours(scenario, backlog),
        returning_contacts=returning.contacts,
        returning_rep_hours=rep_hours(scenario, returning),
        endless=endless,
        skilled=np.array(
            [[channel.name in group.skills for group in scenario.groups] for channel in scenario.channels]
        ),
        length_h=length_h,
    )


def uncounted_keys(scenario: Scenario) -> list[str]:
    """Return the keys that `scenario` states and the load does not know, each with the part that states it."""
    return [key_text(scenario, path) for path in unknown_keys(scenario, KNOWN_KEYS)]


def _group_reps(scenario: Scenario, group: int) -> Floats:
    """Return the mean number of reps of one group on shift and not absent [336], each half-hour of the week, Sunday
    first."""
    return planned_reps(scenario.model_copy(update={"groups": (scenario.groups[group],)}), count_absence=True)


def _initial_backlog(scenario: Scenario) -> Flows:
    backlogs = [channel.initial_backlog for channel in scenario.channels]
    contacts = np.array([0.0 if backlog is None else backlog.mean_contacts for backlog in backlogs])
    handle_s = np.array([channel.handle_time.mean_duration_s for channel in scenario.channels])
    return Flows(contacts, contacts * handle_s / HOUR_S)


@dataclass(frozen=True)
class DistinctDay:
    """Calendar days of the horizon (0 is the first) on which the same work meets the same reps."""

    label: str
    days: tuple[int, ...]

    @property
    def intervals(self) -> slice:
        """The half-hours of the first of these days."""
        first = self.days[0] * INTERVALS_PER_DAY
        return slice(first, first + INTERVALS_PER_DAY)


def distinct_days(scenario: Scenario, load: OfferedLoad) -> list[DistinctDay]:
    """Return the days of the horizon, those that are alike joined, with labels such as `sunday to thursday`."""
    alike: dict[bytes, list[int]] = {}
    for day in range(math.ceil(len(load.length_h) / INTERVALS_PER_DAY)):
        intervals = DistinctDay("", (day,)).intervals
        parts = (load.queue_load_reps[intervals], load.group_reps[intervals], load.length_h[intervals, None])
        alike.setdefault(np.round(np.concatenate(parts, axis=1), 9).tobytes(), []).append(day)
    weekdays = [tuple(dict.fromkeys(weekday_of(scenario, day) for day in days)) for days in alike.values()]
    labels = [_weekdays_label(names) for names in weekdays]
    if sum(map(len, weekdays)) > len({name for names in weekdays for name in names}):
        # The same weekday differs from one week to another.
        labels = [
            f"day {days[0] + 1} ({weekday_of(scenario, days[0])})"
            if len(days) == 1
            else f"days {', '.join(str(day + 1) for day in days)}"
            for days in alike.values()
        ]
    return [DistinctDay(label, tuple(days)) for label, days in zip(labels, alike.values(), strict=True)]


def _weekdays_label(names: tuple[str, ...]) -> str:
    if len(names) == len(WEEKDAYS):
        return "every day"
    places = [WEEKDAYS.index(name) for name in names]
    in_a_row = all((after - before) % 7 == 1 for before, after in pairwise(places))
    return f"{names[0]} to {names[-1]}" if len(names) > 2 and in_a_row else ", ".join(names)


def share_due_while_closed(scenario: Scenario, channel: Channel) -> float | None:
    """Return the share of a channel's arrivals that are due before anybody with the skill is there.

    Arrivals by their rates, on a grid of `ARRIVAL_GRID_S` within the horizon, and scripted contacts; the staffing goes
    on by the week, and a half-hour with any of it counts as staffed. None where there is nothing to count: no due time
    by the calendar clock, or nobody arrives.
    """
    if channel.due is None or channel.due.clock != "calendar":
        return None
    horizon_s = scenario.horizon.days * DAY_S
    # A horizon of many weeks repeats the first one.
    at_s = np.arange(ARRIVAL_GRID_S / 2.0, min(horizon_s, WEEK_S), ARRIVAL_GRID_S)
    weeks = max(horizon_s / WEEK_S, 1.0)
    week_s = (week_start_s(scenario) + at_s) % WEEK_S
    forecast = week_forecast(scenario, channel)[(week_s / WEEK_INTERVAL_S).astype(int)]
    contacts = forecast * ARRIVAL_GRID_S / HOUR_S * weeks
    scripted_s = [contact.at_s for contact in scenario.scripted_contacts if contact.channel == channel.name]
    week_s = np.concatenate([week_s, (week_start_s(scenario) + np.array(scripted_s)) % WEEK_S])
    contacts = np.concatenate([contacts, np.ones(len(scripted_s))])
    if contacts.sum() <= 0.0:
        return None
    is_closed = week_s + channel.due.mean_after_s <= _next_staffed_s(scenario, channel, week_s)
    return float(contacts[is_closed].sum() / contacts.sum())


def _next_staffed_s(scenario: Scenario, channel: Channel, week_s: Floats) -> Floats:
    """Return the time at or after each `week_s` (seconds from Sunday midnight) at which a skilled rep is there."""
    skilled = [_group_reps(scenario, g) for g, group in enumerate(scenario.groups) if channel.name in group.skills]
    (staffed,) = np.nonzero(np.tile(np.sum(skilled, axis=0) > 0.0, 2))  # two weeks: a gap may span the week's end
    if len(staffed) == 0:
        return np.full(len(week_s), np.inf)
    interval = (week_s / WEEK_INTERVAL_S).astype(int)
    following = staffed[np.searchsorted(staffed, interval)]
    return np.maximum(following * WEEK_INTERVAL_S, week_s)
