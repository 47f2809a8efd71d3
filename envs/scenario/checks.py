"""What the parts of a scenario must be to each other: names that exist, shares that sum, reps who can serve.

Room: `envs.scenario`. Reads the parts; raises `InvalidValueError` with the path of whatever is wrong, and changes
nothing.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Protocol, get_args

from envs.configuration.messages import did_you_mean
from envs.errors import InvalidValueError
from envs.interface.units import DAY_S, HOUR_S
from envs.scenario.agreements import Client, Fairness
from envs.scenario.channel import Channel
from envs.scenario.customers import ScriptedContact, Segment
from envs.scenario.parts import Horizon, Weekday
from envs.scenario.staff import Group, OpeningHours

MOST_CONTACTS = 500_000
"""Contacts that an episode may expect: each takes about a hundred bytes, and 64 episodes are played side by side."""


class ScenarioParts(Protocol):
    """The parts that are checked against each other; `envs.scenario.scenario.Scenario` has them."""

    @property
    def horizon(self) -> Horizon: ...
    @property
    def channels(self) -> tuple[Channel, ...]: ...
    @property
    def groups(self) -> tuple[Group, ...]: ...
    @property
    def business_hours(self) -> tuple[OpeningHours, ...]: ...
    @property
    def segments(self) -> tuple[Segment, ...]: ...
    @property
    def scripted_contacts(self) -> tuple[ScriptedContact, ...]: ...
    @property
    def clients(self) -> tuple[Client, ...]: ...
    @property
    def fairness(self) -> Fairness | None: ...
    @property
    def value_bands_usd(self) -> tuple[float, ...]: ...
    @property
    def census_at_s(self) -> tuple[float, ...]: ...


def check_parts(center: ScenarioParts) -> None:
    """Raise `InvalidValueError` for the first part of `center` that does not fit the others."""
    by_name = {channel.name: channel for channel in center.channels}
    _check_names(center)
    _check_references(center, by_name)
    _check_segments(center)
    _check_staffing(center)
    _check_clients(center, by_name)
    if center.fairness is not None and not center.value_bands_usd:
        raise InvalidValueError(("fairness",), "needs value_bands_usd, which the scenario does not state")
    for i, (low, high) in enumerate(pairwise(center.value_bands_usd), start=1):
        if high <= low:
            raise InvalidValueError(("value_bands_usd", i), f"must be > {low:g} USD: value bands increase")
    _check_censuses(center)
    _check_demand(center)


def _check_names(center: ScenarioParts) -> None:
    for label, names in (
        ("channels", [channel.name for channel in center.channels]),
        ("groups", [group.name for group in center.groups]),
        ("segments", [segment.name for segment in center.segments]),
        ("clients", [client.name for client in center.clients]),
    ):
        for i, name in enumerate(names):
            if name in names[:i]:
                raise InvalidValueError((label, i, "name"), f"stands twice in {label}: names must differ")


def _check_references(center: ScenarioParts, by_name: dict[str, Channel]) -> None:
    def require(path: tuple[str | int, ...], name: str | None, *, deferred: bool = False) -> None:
        if name is None:
            return
        if name not in by_name:
            known = ", ".join(by_name)
            raise InvalidValueError(path, f"no such channel (known: {known}){did_you_mean(name, by_name)}")
        if deferred and by_name[name].is_real_time:
            raise InvalidValueError(path, "must be a deferred channel")

    for i, channel in enumerate(center.channels):
        if channel.callback_offer is not None:
            require(("channels", i, "callback_offer", "to"), channel.callback_offer.to, deferred=True)
        if channel.error.rework is not None:
            require(("channels", i, "error", "rework", "to"), channel.error.rework.to, deferred=True)
        follow_up, resolution = channel.follow_up, channel.resolution
        if follow_up is not None:
            if follow_up.to is None and channel.is_real_time:
                raise InvalidValueError(("channels", i, "follow_up", "to"), "missing key: a deferred channel")
            require(("channels", i, "follow_up", "to"), follow_up.to, deferred=True)
        if resolution is not None and resolution.returns is not None:
            require(("channels", i, "resolution", "returns", "to"), resolution.returns.to)
        if resolution is not None and resolution.escalates is not None:
            require(("channels", i, "resolution", "escalates", "to"), resolution.escalates.to)
        if follow_up is not None:
            _check_follow_up(i, by_name[follow_up.to or channel.name])
        if channel.due is not None and channel.due.clock == "business" and not center.business_hours:
            raise InvalidValueError(
                ("channels", i, "due", "clock"), "needs business_hours, which the scenario does not state"
            )
    for i, group in enumerate(center.groups):
        for j, skill in enumerate(group.skills):
            require(("groups", i, "skills", j), skill)
        for skill in group.proficiency:
            require(("groups", i, "proficiency", skill), skill)
            if skill not in group.skills:
                raise InvalidValueError(
                    ("groups", i, "proficiency", skill),
                    f"must be one of the group's skills ({', '.join(group.skills)})",
                )
        _check_breaks(i, group)
        _check_capacity(center, i, group, by_name)
        _check_home_channel(i, group, require)
    for i, contact in enumerate(center.scripted_contacts):
        require(("scripted_contacts", i, "channel"), contact.channel)
        _check_script(i, contact, by_name[contact.channel])
        n_reps = sum(group.count for group in center.groups)
        if contact.preferred_rep is not None and contact.preferred_rep >= n_reps:
            raise InvalidValueError(
                ("scripted_contacts", i, "preferred_rep"), f"must be < {n_reps}, the number of reps"
            )
        if contact.at_s >= center.horizon.days * DAY_S:
            raise InvalidValueError(
                ("scripted_contacts", i, "at_s"),
                f"must be < {center.horizon.days * DAY_S:g} seconds, the end of the horizon",
            )


def _check_follow_up(i: int, target: Channel) -> None:
    path = ("channels", i, "follow_up", "to")
    if target.due is not None and target.due.hidden_after is not None:
        raise InvalidValueError(path, f"must have due times that are told, not hidden ({target.name})")
    if target.is_unlimited:
        raise InvalidValueError(path, f"must not be a list of unlimited supply ({target.name})")


def _check_script(i: int, contact: ScriptedContact, channel: Channel) -> None:
    if channel.is_unlimited:
        raise InvalidValueError(("scripted_contacts", i, "channel"), "must not be a list of unlimited supply")
    if contact.amount_owed is not None and channel.collection is None:
        raise InvalidValueError(
            ("scripted_contacts", i, "amount_owed"), f"has no meaning on channel {channel.name}: no collection"
        )


def _check_capacity(center: ScenarioParts, i: int, group: Group, by_name: dict[str, Channel]) -> None:
    if group.absence_prob > 0 and group.shifts is None:
        raise InvalidValueError(("groups", i, "absence_prob"), "needs shifts, which the group does not state")
    shared = [by_name[skill] for skill in group.skills if by_name[skill].concurrency is not None]
    if group.capacity_units > 1 and not shared:
        raise InvalidValueError(
            ("groups", i, "capacity_units"), "must be 1: no channel of the group's skills has concurrency"
        )
    for channel in shared:
        assert channel.concurrency is not None
        if channel.concurrency.units > group.capacity_units:
            raise InvalidValueError(
                ("groups", i, "capacity_units"),
                f"must be >= {channel.concurrency.units}, the units that a contact of {channel.name} takes",
            )
        least_units = min(other.concurrency.units for other in shared if other.concurrency is not None)
        most = 1 + (group.capacity_units - channel.concurrency.units) // least_units
        if len(channel.concurrency.speed_frac) < most:
            place = [other.name for other in center.channels].index(channel.name)
            raise InvalidValueError(
                ("channels", place, "concurrency", "speed_frac"),
                f"has {len(channel.concurrency.speed_frac)} entries: must be >= {most}, the contacts that a rep of "
                f"{group.name} can hold with one of these",
            )


def _check_breaks(i: int, group: Group) -> None:
    for j, shift in enumerate(group.shifts or ()):
        for k, pause in enumerate(shift.breaks):
            start_s = (pause.start - shift.start) % DAY_S
            end_s = start_s + (group.count - 1) * pause.stagger_s + pause.length_s
            if not 0.0 < start_s < shift.length_s or end_s >= shift.length_s:
                raise InvalidValueError(
                    ("groups", i, "shifts", j, "breaks", k),
                    "must begin and end within its shift, for the last rep of the group too",
                )


def _check_home_channel(i: int, group: Group, require: Callable[..., None]) -> None:
    path: tuple[str | int, ...] = ("groups", i, "home_channel")
    homes = group.home_channel
    for home in dict.fromkeys(filter(None, group.home_channels())):
        place = (*path, home) if isinstance(homes, dict) else path
        require(place, home)
        if home not in group.skills:
            raise InvalidValueError(place, f"must be one of the group's skills ({', '.join(group.skills)})")
    if isinstance(homes, dict) and sum(homes.values()) != group.count:
        raise InvalidValueError(path, f"names {sum(homes.values())} reps: must be count = {group.count}")


def _check_segments(center: ScenarioParts) -> None:
    shares = {segment.name: segment.share_frac for segment in center.segments}
    if center.segments and abs(sum(shares.values()) - 1.0) > 1e-6:
        raise InvalidValueError(("segments",), f"share_frac sums to {sum(shares.values()):g}: must sum to 1")
    for i, channel in enumerate(center.channels):
        path: tuple[str | int, ...] = ("channels", i, "segment_shares")
        for name in channel.segment_shares or {}:
            if name not in shares:
                raise InvalidValueError(
                    (*path, name),
                    f"no such segment (known: {', '.join(shares) or 'none'}){did_you_mean(name, shares)}",
                )
        if channel.segment_shares is not None and abs(sum(channel.segment_shares.values()) - 1.0) > 1e-6:
            raise InvalidValueError(path, f"sums to {sum(channel.segment_shares.values()):g}: must sum to 1")


def _check_staffing(center: ScenarioParts) -> None:
    for i, channel in enumerate(center.channels):
        skilled = [group for group in center.groups if channel.name in group.skills]
        if not skilled:
            raise InvalidValueError(
                ("channels", i, "name"),
                "no group has this skill, so the staffing can never serve the channel",
            )
        if not any(group.works_within(center.horizon) for group in skilled):
            raise InvalidValueError(
                ("channels", i, "name"),
                "no group with this skill has a shift within the horizon, so the staffing can never serve the channel",
            )


def _check_clients(center: ScenarioParts, by_name: dict[str, Channel]) -> None:
    owner: dict[str, str] = {}
    for i, client in enumerate(center.clients):
        for j, name in enumerate(client.channels):
            if name not in by_name:
                known = ", ".join(by_name)
                raise InvalidValueError(
                    ("clients", i, "channels", j), f"no such channel (known: {known}){did_you_mean(name, by_name)}"
                )
            if name in owner:
                raise InvalidValueError(("clients", i, "channels", j), f"belongs to client {owner[name]} already")
            owner[name] = client.name
        for j, target in enumerate(client.targets):
            if target.channel not in client.channels:
                raise InvalidValueError(
                    ("clients", i, "targets", j, "channel"),
                    f"must be one of the client's channels ({', '.join(client.channels)})",
                )
            if target.channel in [other.channel for other in client.targets[:j]]:
                raise InvalidValueError(("clients", i, "targets", j, "channel"), "has a target already")


def _check_censuses(center: ScenarioParts) -> None:
    horizon_s = center.horizon.days * DAY_S
    for i, time_s in enumerate(center.census_at_s):
        if time_s > horizon_s:
            raise InvalidValueError(("census_at_s", i), f"must be <= {horizon_s:g} seconds, the end of the horizon")
        if i and time_s <= center.census_at_s[i - 1]:
            raise InvalidValueError(
                ("census_at_s", i), f"must be > {center.census_at_s[i - 1]:g} seconds: they increase"
            )


def _check_demand(center: ScenarioParts) -> None:
    """Refuse a center whose contacts, in expectation, would not fit into memory."""
    days = center.horizon.days
    expected: dict[tuple[str | int, ...], float] = {}
    for i, channel in enumerate(center.channels):
        if channel.arrivals is not None:
            of_week = sum(sum(channel.arrivals.rates_on(weekday)) for weekday in get_args(Weekday))
            hours = channel.arrivals.interval_s / HOUR_S
            expected["channels", i, "arrivals", "rate_per_hour"] = of_week * hours * days / 7
        if channel.initial_backlog is not None:
            expected["channels", i, "initial_backlog", "mean_contacts"] = channel.initial_backlog.mean_contacts
    if sum(expected.values()) <= MOST_CONTACTS:
        return
    raise InvalidValueError(
        max(expected, key=lambda path: expected[path]),
        f"the center expects about {sum(expected.values()):,.0f} contacts in an episode of {days:g} days: must be <= "
        f"{MOST_CONTACTS:,} contacts, since memory holds those of many episodes",
    )
