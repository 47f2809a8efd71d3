"""The scenario: what a center is, in human units, as a YAML file states it.

Room: `envs.scenario`. Checked and frozen; touches the specification of distributions and the reading of files,
nothing else. `envs.inputs.parameters` turns a scenario into the flat arrays of the kernel.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, PrivateAttr, model_validator

from envs.configuration.document import (
    Document,
    apply_overrides,
    find_config,
    load_yaml,
    shown_path,
    validate,
)
from envs.configuration.inheritance import resolve_extends
from envs.configuration.messages import did_you_mean
from envs.errors import InvalidValueError
from envs.interface.units import DAY_S
from envs.scenario.agreements import (
    Client,
    Costs,
    Fairness,
)
from envs.scenario.channel import Channel
from envs.scenario.customers import (
    Churn,
    PreferredRep,
    Replay,
    ScriptedContact,
    Segment,
)
from envs.scenario.parts import Horizon, Part
from envs.scenario.recording import Recording, read_recording
from envs.scenario.staff import Group, OpeningHours


class Scenario(Part):
    """A blended center over one horizon."""

    name: str
    description: str = ""
    horizon: Horizon = Horizon()
    channels: tuple[Channel, ...] = Field(min_length=1)
    groups: tuple[Group, ...] = Field(min_length=1)
    business_hours: tuple[OpeningHours, ...] = ()
    segments: tuple[Segment, ...] = ()
    scripted_contacts: tuple[ScriptedContact, ...] = ()
    replay: Replay | None = None
    clients: tuple[Client, ...] = ()
    fairness: Fairness | None = None
    preferred_rep: PreferredRep = PreferredRep()
    churn: Churn = Churn()
    costs: Costs = Costs()
    value_bands_usd: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(), max_length=3)
    suspended_limit: int = Field(default=3, ge=0)
    review: Literal["on_change", "every_event"] = "on_change"
    review_interval_s: float = Field(default=120.0, gt=0)
    observation: Literal["full", "markov"] = "full"
    terminal_charge: Literal["expected", "none"] = "expected"
    census_at_s: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(), max_length=16)
    _recording: Recording | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check(self) -> "Scenario":
        by_name = {channel.name: channel for channel in self.channels}
        self._check_names()
        self._check_references(by_name)
        self._check_segments()
        self._check_staffing()
        self._check_clients(by_name)
        if self.fairness is not None and not self.value_bands_usd:
            raise InvalidValueError(("fairness",), "needs value_bands_usd, which the scenario does not state")
        for i, (low, high) in enumerate(pairwise(self.value_bands_usd), start=1):
            if high <= low:
                raise InvalidValueError(("value_bands_usd", i), f"must be > {low:g} USD: value bands increase")
        self._check_censuses()
        self._read_replay()
        return self

    def _check_censuses(self) -> None:
        horizon_s = self.horizon.days * DAY_S
        for i, time_s in enumerate(self.census_at_s):
            if time_s > horizon_s:
                raise InvalidValueError(("census_at_s", i), f"must be <= {horizon_s:g} seconds, the end of the horizon")
            if i and time_s <= self.census_at_s[i - 1]:
                raise InvalidValueError(
                    ("census_at_s", i), f"must be > {self.census_at_s[i - 1]:g} seconds: they increase"
                )

    def _read_replay(self) -> None:
        if self.replay is None:
            return
        file = Path(self.replay.file)
        if not file.is_file():
            raise InvalidValueError(("replay", "file"), f"no such file: {shown_path(file)}")
        self._recording = read_recording(
            file,
            {channel.name: channel.is_real_time for channel in self.channels},
            self.horizon.days * DAY_S,
            sum(group.count for group in self.groups),
        )
        for i, channel in enumerate(self.channels):
            if channel.is_unlimited and any((day["queue"] == i).any() for day in self._recording.days):
                raise InvalidValueError(
                    ("replay", "file"), f"has contacts of channel {channel.name}, whose supply is unlimited"
                )

    def _check_names(self) -> None:
        for label, names in (
            ("channels", [channel.name for channel in self.channels]),
            ("groups", [group.name for group in self.groups]),
            ("segments", [segment.name for segment in self.segments]),
            ("clients", [client.name for client in self.clients]),
        ):
            for i, name in enumerate(names):
                if name in names[:i]:
                    raise InvalidValueError((label, i, "name"), f"stands twice in {label}: names must differ")

    def _check_staffing(self) -> None:
        for i, channel in enumerate(self.channels):
            skilled = [group for group in self.groups if channel.name in group.skills]
            if not skilled:
                raise InvalidValueError(
                    ("channels", i, "name"),
                    "no group has this skill, so the staffing can never serve the channel",
                )
            if not any(group.works_within(self.horizon) for group in skilled):
                raise InvalidValueError(
                    ("channels", i, "name"),
                    "no group with this skill has a shift within the horizon, so the staffing can never "
                    "serve the channel",
                )

    def _check_references(self, by_name: dict[str, Channel]) -> None:
        def require(path: tuple[str | int, ...], name: str | None, *, deferred: bool = False) -> None:
            if name is None:
                return
            if name not in by_name:
                known = ", ".join(by_name)
                raise InvalidValueError(path, f"no such channel (known: {known}){did_you_mean(name, by_name)}")
            if deferred and by_name[name].is_real_time:
                raise InvalidValueError(path, "must be a deferred channel")

        for i, channel in enumerate(self.channels):
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
                self._check_follow_up(i, by_name[follow_up.to or channel.name])
            if channel.due is not None and channel.due.clock == "business" and not self.business_hours:
                raise InvalidValueError(
                    ("channels", i, "due", "clock"), "needs business_hours, which the scenario does not state"
                )
        for i, group in enumerate(self.groups):
            for j, skill in enumerate(group.skills):
                require(("groups", i, "skills", j), skill)
            for skill in group.proficiency:
                require(("groups", i, "proficiency", skill), skill)
                if skill not in group.skills:
                    raise InvalidValueError(
                        ("groups", i, "proficiency", skill),
                        f"must be one of the group's skills ({', '.join(group.skills)})",
                    )
            self._check_breaks(i, group)
            self._check_capacity(i, group, by_name)
            self._check_home_channel(i, group, require)
        for i, contact in enumerate(self.scripted_contacts):
            require(("scripted_contacts", i, "channel"), contact.channel)
            self._check_script(i, contact, by_name[contact.channel])
            n_reps = sum(group.count for group in self.groups)
            if contact.preferred_rep is not None and contact.preferred_rep >= n_reps:
                raise InvalidValueError(
                    ("scripted_contacts", i, "preferred_rep"), f"must be < {n_reps}, the number of reps"
                )
            if contact.at_s >= self.horizon.days * DAY_S:
                raise InvalidValueError(
                    ("scripted_contacts", i, "at_s"),
                    f"must be < {self.horizon.days * DAY_S:g} seconds, the end of the horizon",
                )

    def _check_follow_up(self, i: int, target: Channel) -> None:
        path = ("channels", i, "follow_up", "to")
        if target.due is not None and target.due.hidden_after is not None:
            raise InvalidValueError(path, f"must have due times that are told, not hidden ({target.name})")
        if target.is_unlimited:
            raise InvalidValueError(path, f"must not be a list of unlimited supply ({target.name})")

    def _check_script(self, i: int, contact: ScriptedContact, channel: Channel) -> None:
        if channel.is_unlimited:
            raise InvalidValueError(("scripted_contacts", i, "channel"), "must not be a list of unlimited supply")
        if contact.amount_owed is not None and channel.collection is None:
            raise InvalidValueError(
                ("scripted_contacts", i, "amount_owed"), f"has no meaning on channel {channel.name}: no collection"
            )

    def _check_capacity(self, i: int, group: Group, by_name: dict[str, Channel]) -> None:
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
                place = [other.name for other in self.channels].index(channel.name)
                raise InvalidValueError(
                    ("channels", place, "concurrency", "speed_frac"),
                    f"has {len(channel.concurrency.speed_frac)} entries: must be >= {most}, the contacts that a rep of "
                    f"{group.name} can hold with one of these",
                )

    def most_held(self, group: Group) -> int:
        """Return how many contacts a rep of `group` can hold at a time."""
        shared = (channel.concurrency for channel in self.channels if channel.name in group.skills)
        units = [concurrency.units for concurrency in shared if concurrency is not None]
        return max(group.capacity_units // min(units), 1) if units else 1

    def _check_breaks(self, i: int, group: Group) -> None:
        for j, shift in enumerate(group.shifts or ()):
            for k, pause in enumerate(shift.breaks):
                start_s = (pause.start - shift.start) % DAY_S
                end_s = start_s + (group.count - 1) * pause.stagger_s + pause.length_s
                if not 0.0 < start_s < shift.length_s or end_s >= shift.length_s:
                    raise InvalidValueError(
                        ("groups", i, "shifts", j, "breaks", k),
                        "must begin and end within its shift, for the last rep of the group too",
                    )

    def _check_clients(self, by_name: dict[str, Channel]) -> None:
        owner: dict[str, str] = {}
        for i, client in enumerate(self.clients):
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

    def _check_home_channel(self, i: int, group: Group, require: Callable[..., None]) -> None:
        path: tuple[str | int, ...] = ("groups", i, "home_channel")
        homes = group.home_channel
        for home in dict.fromkeys(filter(None, group.home_channels())):
            place = (*path, home) if isinstance(homes, dict) else path
            require(place, home)
            if home not in group.skills:
                raise InvalidValueError(place, f"must be one of the group's skills ({', '.join(group.skills)})")
        if isinstance(homes, dict) and sum(homes.values()) != group.count:
            raise InvalidValueError(path, f"names {sum(homes.values())} reps: must be count = {group.count}")

    def _check_segments(self) -> None:
        shares = {segment.name: segment.share_frac for segment in self.segments}
        if self.segments and abs(sum(shares.values()) - 1.0) > 1e-6:
            raise InvalidValueError(("segments",), f"share_frac sums to {sum(shares.values()):g}: must sum to 1")
        for i, channel in enumerate(self.channels):
            path: tuple[str | int, ...] = ("channels", i, "segment_shares")
            for name in channel.segment_shares or {}:
                if name not in shares:
                    raise InvalidValueError(
                        (*path, name),
                        f"no such segment (known: {', '.join(shares) or 'none'}){did_you_mean(name, shares)}",
                    )
            if channel.segment_shares is not None and abs(sum(channel.segment_shares.values()) - 1.0) > 1e-6:
                raise InvalidValueError(path, f"sums to {sum(channel.segment_shares.values()):g}: must sum to 1")

    def attention_frac(self, channel: Channel) -> float:
        """Return the rep time that a second of work on `channel` takes at least: less than 1 where reps can hold
        several contacts, the mean over those with the skill when they hold as many as serve most."""
        if channel.concurrency is None:
            return 1.0
        needs = 0.0
        skilled = [group for group in self.groups if channel.name in group.skills]
        for group in skilled:
            speeds = channel.concurrency.speed_frac[: group.capacity_units // channel.concurrency.units]
            needs += group.count / max(held * speed for held, speed in enumerate(speeds, start=1))
        return needs / sum(group.count for group in skilled)

    @property
    def has_concurrency(self) -> bool:
        """True if some rep may hold several contacts; then the action table has the lens `least_loaded`."""
        return any(self.most_held(group) > 1 for group in self.groups)

    @property
    def has_unequal_speeds(self) -> bool:
        """True if reps differ in speed; then the action table has the lens `fastest`."""
        return any(proficiency.speed != 1 for group in self.groups for proficiency in group.proficiency.values()) or (
            self.has_preferred_reps and self.preferred_rep.speed != 1
        )

    @property
    def recording(self) -> Recording | None:
        """The content of the file that `replay` names, read once; part of what makes two scenarios equal."""
        return self._recording

    @property
    def has_preferred_reps(self) -> bool:
        """True if some customer has a preferred rep; then the action table has the lens `preferred`."""
        return (
            any(segment.preferred_rep_prob > 0 for segment in self.segments)
            or any(contact.preferred_rep is not None for contact in self.scripted_contacts)
            or (self.recording is not None and self.recording.states("preferred_rep"))
        )

    def channel_index(self, name: str) -> int:
        """Return the position of channel `name`; -1 if there is none."""
        return next((i for i, channel in enumerate(self.channels) if channel.name == name), -1)


def load_scenario(name_or_path: str | Path | Scenario, overrides: tuple[str, ...] = ()) -> Scenario:
    """Return the checked scenario of that name in `configs/scenarios/`, or of that file; see `load_scenario_as`."""
    return name_or_path if isinstance(name_or_path, Scenario) else load_scenario_as(Scenario, name_or_path, overrides)


AnyScenario = TypeVar("AnyScenario", bound=Scenario)


def load_scenario_as(
    model: type[AnyScenario], name_or_path: str | Path, overrides: tuple[str, ...] = ()
) -> AnyScenario:
    """Return the checked scenario of that name in `configs/scenarios/`, or of that file, as an instance of `model`,
    which may ask for more.

    A file that `extends` another is merged over it first (`envs.configuration.inheritance`). `overrides` are
    `dotted.key=value` texts, applied last, before the check. A relative `replay.file` begins in the folder of the file
    that names it, in an override in the working directory. Raises `ConfigurationError` with file, line, path, value
    and rule for whatever is wrong.
    """
    document = resolve_extends(load_yaml(find_config(name_or_path, "scenarios")), "scenarios", "scenario")
    if overrides:
        document = apply_overrides(document, list(overrides))
    return validate(_find_recording(document), model, "scenario")


def _find_recording(document: Document) -> Document:
    """Return the document with the whole path of the file that `replay` names."""
    path = ("replay", "file")
    replayed = document.data.get("replay") if isinstance(document.data, dict) else None
    if not isinstance(replayed, dict) or not isinstance(replayed.get("file"), str):
        return document
    base = Path() if document.origin(path) == "--set" else document.location_of(path).file.parent
    located = {**replayed, "file": str((base / replayed["file"]).resolve())}
    return replace(document, data={**document.data, "replay": located})
