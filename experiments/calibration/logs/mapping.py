"""A mapping: what the columns of a log mean, as `configs/mappings/*.yaml` state it.

Room: `experiments.calibration.logs`. Checked and frozen; reads the mapping's file, never the log.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from envs.configuration.document import Document, apply_overrides, find_config, load_yaml, validate
from envs.configuration.inheritance import resolve_extends
from envs.configuration.quantities import Checked
from envs.errors import InvalidValueError
from envs.scenario.recording import check_date_format, check_time_format
from experiments.calibration.logs.cleaning import Rules

DATED_FORMATS = ("iso", "epoch_s", "epoch_ms", "spreadsheet")
"""Named formats of a time that say its day too."""
UNDATED_FORMATS = ("clock", "seconds", "day_fraction", "interval")
"""Named formats of a time whose day stands in the column `date`."""
INSTANT_FORMATS = ("epoch_s", "epoch_ms")
"""Named formats that count from 1970-01-01 UTC, so that the center's clock follows from its time zone only."""
DATE_FORMATS = ("iso", "days", "spreadsheet")
Duration = Literal["s", "ms", "min", "h", "days", "h:mm:ss", "mm:ss"]


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]
"""One text, or a list of texts."""


class Columns(Checked):
    """Which column says what. A list of columns for a time means the first of them that states one, of durations their
    sum."""

    arrived: Names = Field(min_length=1)
    before_queue: Names = ()
    date: str | None = None
    answered: Names = ()
    abandoned: Names = ()
    ended: Names = ()
    wait: Names = ()
    handle: Names = ()
    outcome: str | None = None
    served_where: Names = ()
    channel: str | None = None
    customer: str | None = None
    rep: str | None = None
    value: str | None = None
    priority: str | None = None
    id: str | None = None
    updated: str | None = None
    served_count: str | None = None
    abandoned_count: str | None = None

    def named(self) -> Iterator[tuple[str, str]]:
        """Yield each key with each column that it names."""
        for key in type(self).model_fields:
            value = getattr(self, key)
            yield from ((key, column) for column in ((value,) if isinstance(value, str) else value or ()))


class Times(Checked):
    """How the log writes dates and times: a format of `datetime.strptime`, or one of the names above."""

    format: str = "iso"
    zone: str | None = None
    date_format: str = "iso"
    day_zero: date | None = None

    @field_validator("zone")
    @classmethod
    def _check_zone(cls, zone: str | None) -> str | None:
        return _known_zone(zone)

    @model_validator(mode="after")
    def _check(self) -> "Times":
        if self.date_format == "days" and self.day_zero is None:
            raise InvalidValueError(("day_zero",), "missing key: which date day 0 is, for date_format: days")
        if self.date_format not in DATE_FORMATS:
            _check_format(("date_format",), self.date_format, DATE_FORMATS, check_date_format)
        return self


class Numbers(Checked):
    """How the log writes numbers and durations."""

    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""
    duration: Duration = "s"

    @model_validator(mode="after")
    def _check(self) -> "Numbers":
        if self.decimal == self.thousands:
            raise InvalidValueError(("thousands",), "must differ from decimal")
        return self


class LoggedChannel(Checked):
    """One channel: its name in the scenario, and the texts that mean it in the log."""

    name: str
    kind: Literal["real_time", "deferred"] = "real_time"
    texts: Names = ()


class Outcomes(Checked):
    """Texts of the column `outcome`. Contacts that are `left_out` never joined the queue."""

    served: Names = ()
    abandoned: Names = ()
    left_out: Names = ()


class LogMapping(Checked):
    """What a log's columns mean, and how its faults are handled."""

    description: str = ""
    columns: Columns
    encoding: Literal["utf-8", "utf-16", "cp1252", "latin-1"] = "utf-8"
    delimiter: Literal[",", ";", "\t", "|"] = ","
    skip_lines: int = Field(default=0, ge=0)
    time_zone: str | None = None
    times: Times = Times()
    numbers: Numbers = Numbers()
    channels: tuple[LoggedChannel, ...] = ()
    outcomes: Outcomes = Outcomes()
    priorities: dict[str, float] = Field(default={})
    only: dict[str, Names] = Field(default={})
    leave_out: dict[str, Names] = Field(default={})
    not_stated: Names = ("NA", "N/A", "NULL", "null", "None", "NaN")
    not_stated_in: dict[str, Names] = Field(default={})
    first_day: date | None = None
    last_day: date | None = None
    rules: Rules = Rules()
    _document: Document | None = PrivateAttr(default=None)

    @field_validator("time_zone")
    @classmethod
    def _check_zone(cls, zone: str | None) -> str | None:
        return _known_zone(zone)

    @model_validator(mode="after")
    def _check(self) -> "LogMapping":
        self._check_times()
        self._check_contacts()
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise InvalidValueError(("last_day",), f"must not lie before first_day = {self.first_day}")
        return self

    def _check_times(self) -> None:
        form, place = self.times.format, ("times", "format")
        if self.columns.date is None and form not in DATED_FORMATS:
            if form in UNDATED_FORMATS:
                raise InvalidValueError(place, "says no day: must stand beside columns.date")
            _check_format(place, form, (*DATED_FORMATS, *UNDATED_FORMATS), check_date_format)
        if self.columns.date is not None and form not in UNDATED_FORMATS:
            if form in DATED_FORMATS:
                raise InvalidValueError(place, "says the day itself: must stand without columns.date")
            _check_format(place, form, (*DATED_FORMATS, *UNDATED_FORMATS), check_time_format)
        if self.time_zone is None and (form in INSTANT_FORMATS or self.times.zone is not None):
            raise InvalidValueError(("time_zone",), "missing key: the center's time zone, such as Europe/Berlin")

    def _check_contacts(self) -> None:
        columns = self.columns
        names = [channel.name for channel in self.channels]
        _check_different((("channels", i, "name"), name) for i, name in enumerate(names))
        _check_different((("channels", i, "texts"), text) for i, own in enumerate(self.channels) for text in own.texts)
        outcomes = (("outcomes", key) for key in Outcomes.model_fields)
        _check_different((place, text) for place in outcomes for text in getattr(self.outcomes, place[1]))
        if columns.channel is not None and not names:
            raise InvalidValueError(("channels",), "missing key: what the texts of columns.channel mean")
        if columns.channel is None and len(names) > 1:
            raise InvalidValueError(("columns", "channel"), "missing key: the log has several channels")
        if columns.outcome is not None and not self.outcomes.served:
            raise InvalidValueError(
                ("outcomes", "served"), "missing key: the texts of columns.outcome that mean served"
            )
        is_summary = columns.served_count is not None or columns.abandoned_count is not None
        if is_summary != (self.times.format == "interval"):
            raise InvalidValueError(
                ("times", "format"), "must be interval where served_count or abandoned_count are stated, and only there"
            )
        if self.rules.repeated_id != "refuse" and columns.id is None:
            raise InvalidValueError(("columns", "id"), "missing key: what rules.repeated_id compares")
        if self.priorities and columns.priority is None:
            raise InvalidValueError(("columns", "priority"), "missing key: what priorities are of")

    @property
    def all_channels(self) -> tuple[LoggedChannel, ...]:
        """The channels; a mapping without any means one, voice."""
        return self.channels or (LoggedChannel(name="voice"),)

    def origin(self, path: tuple[str, ...]) -> str:
        """Return where a key stands, as messages say it."""
        return "the mapping" if self._document is None else self._document.origin(path)


def load_mapping(name_or_path: str | Path, overrides: Sequence[str] = ()) -> LogMapping:
    """Return the checked mapping of that name in `configs/mappings/`, or of that file.

    A file that `extends` another is merged over it first (`envs.configuration.inheritance`); `overrides` are
    `dotted.key=value` texts, applied last. Raises `ConfigurationError` with file, line, path, value and rule.
    """
    document = resolve_extends(load_yaml(find_config(name_or_path, "mappings")), "mappings", "mapping")
    document = apply_overrides(document, overrides)
    mapping = validate(document, LogMapping, "mapping")
    mapping._document = document
    return mapping


def _check_different(stated: Iterable[tuple[tuple[str | int, ...], str]]) -> None:
    """Refuse a text that stands twice among those that are `stated`, each with its place."""
    seen: set[str] = set()
    for place, text in stated:
        if text in seen:
            raise InvalidValueError(place, f"'{text}' stands twice: must have one meaning")
        seen.add(text)


def _known_zone(zone: str | None) -> str | None:
    if zone is not None:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be a time zone of the IANA, such as Europe/Berlin or UTC") from None
    return zone


def _check_format(place: tuple[str, ...], form: str, names: tuple[str, ...], check: Any) -> None:
    try:
        check(form)
    except ValueError as error:
        raise InvalidValueError(place, f"{error}; or one of {', '.join(names)}") from None
