"""The scenario: what a center is, in human units, as a YAML file states it.

Room: `envs.scenario`. Checked and frozen; touches the specification of distributions and the reading of files,
nothing else. `envs.inputs.parameters` turns a scenario into the flat arrays of the kernel.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, PrivateAttr, model_validator

from envs.configuration.document import (
    REPOSITORY_FOLDER,
    Document,
    apply_overrides,
    as_document,
    find_config,
    load_yaml,
    shown_path,
    validate,
)
from envs.configuration.inheritance import resolve_extends
from envs.errors import ConfigurationError, InvalidValueError
from envs.headline import Headline, Headlined
from envs.interface.units import DAY_S
from envs.scenario.agreements import (
    Client,
    Costs,
    Fairness,
    ServiceLevel,
)
from envs.scenario.channel import Channel
from envs.scenario.checks import check_parts
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


class Scenario(Headlined, Part):
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
    service_level: ServiceLevel = ServiceLevel()
    fairness: Fairness | None = None
    preferred_rep: PreferredRep = PreferredRep()
    churn: Churn = Churn()
    costs: Costs = Costs()
    value_bands_usd: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(), max_length=3)
    suspended_limit: int = Field(default=3, ge=0, le=50)
    suspended_work: Literal["own", "pooled"] = "own"
    review: Literal["on_change", "every_event"] = "on_change"
    review_interval_s: float = Field(default=120.0, ge=1)
    observation: Literal["full", "markov"] = "full"
    terminal_charge: Literal["expected", "none"] = "expected"
    census_at_s: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(), max_length=16)
    _recording: Recording | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check(self) -> "Scenario":
        check_parts(self)
        self._read_replay()
        return self

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
            self.replay.formats,
        )
        for i, channel in enumerate(self.channels):
            if channel.is_unlimited and any((day["queue"] == i).any() for day in self._recording.days):
                raise InvalidValueError(
                    ("replay", "file"), f"has contacts of channel {channel.name}, whose supply is unlimited"
                )

    def headline(self) -> Headline:
        """Return the size of the center and its channels, for a notebook."""
        days, reps = f"{self.horizon.days:g}", sum(group.count for group in self.groups)
        return Headline(
            f"{self.name}: days of an episode: {days}, reps: {reps}, channels: {len(self.channels)}",
            ("channel", "kind", "mean handle time, s", "reps with the skill"),
            [
                (
                    channel.name,
                    channel.kind.replace("_", "-"),
                    f"{channel.handle_time.mean_duration_s:,.4g}",
                    str(sum(group.count for group in self.groups if channel.name in group.skills)),
                )
                for channel in self.channels
            ],
        )

    def most_held(self, group: Group) -> int:
        """Return how many contacts a rep of `group` can hold at a time."""
        shared = (channel.concurrency for channel in self.channels if channel.name in group.skills)
        units = [concurrency.units for concurrency in shared if concurrency is not None]
        return max(group.capacity_units // min(units), 1) if units else 1

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
    def pools_suspended_work(self) -> bool:
        """True if a rep may take over what another one has suspended; then the action table has `take_over`."""
        return self.suspended_work == "pooled" and any(channel.interruptible for channel in self.channels)

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


def load_scenario(scenario: str | Path | Mapping[str, Any] | Scenario, overrides: Sequence[str] = ()) -> Scenario:
    """Return the checked scenario of that name in `configs/scenarios/`, of that file, or of a mapping as such a file
    holds it; a `Scenario` is taken as it is, unless there are overrides. See `load_scenario_as`."""
    if not isinstance(scenario, Scenario):
        return load_scenario_as(Scenario, scenario, overrides)
    if not overrides:
        return scenario
    return load_scenario_as(type(scenario), scenario.model_dump(mode="json", exclude_unset=True), overrides)


AnyScenario = TypeVar("AnyScenario", bound=Scenario)


def load_scenario_as(
    model: type[AnyScenario], source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()
) -> AnyScenario:
    """Return the checked scenario of that name in `configs/scenarios/`, of that file, or of a mapping as such a file
    holds it, as an instance of `model`, which may ask for more.

    A file that `extends` another is merged over it first (`envs.configuration.inheritance`). `overrides` are
    `dotted.key=value` texts, applied last, before the check. A relative `replay.file` begins in the folder of the file
    that names it, in an override or a mapping in the working directory. Raises `ConfigurationError` with file, line,
    path, value and rule for whatever is wrong.
    """
    if not isinstance(overrides, list | tuple) or not all(isinstance(override, str) for override in overrides):
        raise ConfigurationError(f"overrides = {overrides!r}: must be a list of dotted.key=value texts")
    if isinstance(source, Mapping):
        document = as_document(source)
    elif isinstance(source, str | Path):
        document = load_yaml(find_config(source, "scenarios"))
    else:
        raise ConfigurationError(f"scenario = {source!r}: must be a name, a path, a mapping or a Scenario")
    document = resolve_extends(document, "scenarios", "scenario")
    if overrides:
        document = apply_overrides(document, list(overrides))
    return validate(_find_recording(document), model, "scenario")


def locate_scenario(text: str, base: Path) -> str:
    """Return the whole path of the scenario that `text` names where relative paths begin in `base`; a name in
    `configs/scenarios/` stays a name."""
    file = find_config(text, "scenarios", base=base).resolve()
    folder = REPOSITORY_FOLDER / "configs" / "scenarios"
    return str(file.relative_to(folder).with_suffix("") if file.is_relative_to(folder) else file)


def locate_override(text: str, base: Path) -> str:
    """Return an override of a scenario, `dotted.key=value`, with the whole path of the recorded days that it names
    where relative paths begin in `base`."""
    replay = apply_overrides(Document({}, base), [text]).data.get("replay")
    if not isinstance(replay, dict) or not isinstance(replay.get("file"), str):
        return text
    key, file = text.partition("=")[0].strip(), str(base / replay["file"])
    return f"{key}={json.dumps(file if key == 'replay.file' else {**replay, 'file': file})}"


def _find_recording(document: Document) -> Document:
    """Return the document with the whole path of the file that `replay` names."""
    path = ("replay", "file")
    replayed = document.data.get("replay") if isinstance(document.data, dict) else None
    if not isinstance(replayed, dict) or not isinstance(replayed.get("file"), str):
        return document
    base = Path() if document.origin(path) == "--set" else document.location_of(path).file.parent
    located = {**replayed, "file": str((base / replayed["file"]).resolve())}
    return replace(document, data={**document.data, "replay": located})
