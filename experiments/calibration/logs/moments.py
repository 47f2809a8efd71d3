"""Dates and times in the cells of a log, and the center's clock, that is set forward in spring and back in autumn.

Room: `experiments.calibration.logs`. Touches the time zones of the machine.

An instant is a number of seconds since 1970-01-01 UTC; without a time zone, of a clock that is never set.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from envs.interface.units import DAY_S, HOUR_S
from experiments.calibration.logs.log_cells import ROUNDED, Cells, is_rounded
from experiments.calibration.logs.mapping import LogMapping

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_SHEET_DAY_ZERO = date(1899, 12, 30).toordinal()
_FIRST_YEAR, _LAST_YEAR = 1970, 2100
_CLOCK = re.compile(r"([0-9]{1,2}):([0-5][0-9])(?::([0-5][0-9](?:[.,][0-9]+)?))?\s*(?:([AaPp])\.?[Mm]\.?)?")
_LAST_HOUR = 47  # of the day after, as 24:02:10 writes it
_HOUR_24 = re.compile(r"(?<![0-9:])24(?=:[0-5][0-9])")
_MINUTES_ALONE = re.compile(r"[0-9]{1,2}:[0-9]{2}(\.[0-9]+)?")
_SPREAD = re.compile(r"\s*(?:-|–|to)\s*")


class Readings(NamedTuple):
    """What a cell says of a moment.

    Attributes:
        instants: the instant; two, ascending, where the clock was set back and the hour came twice.
        rules: cleaning rules that were needed to read it.
    """

    instants: tuple[float, ...]
    rules: tuple[str, ...] = ()


class Clock:
    """Reads the times of a log; what is none raises `ValueError` with the rule."""

    def __init__(self, mapping: LogMapping, cells: Cells) -> None:
        self._times = mapping.times
        self._cells = cells
        self._days: dict[str, int] = {}  # rows of one day follow each other
        self._rules = mapping.rules
        self._center = None if mapping.time_zone is None else ZoneInfo(mapping.time_zone)
        self._written = ZoneInfo(mapping.times.zone) if mapping.times.zone is not None else self._center

    def day(self, cell: str) -> int:
        """Return the day in a cell of the column `date`, as `date.toordinal()`."""
        if cell not in self._days:
            self._days[cell] = self._parse_day(cell)
        return self._days[cell]

    def _parse_day(self, cell: str) -> int:
        form = self._times.date_format
        if form == "days":
            assert self._times.day_zero is not None  # the mapping is checked
            return _checked_day(self._times.day_zero.toordinal() + self._whole(cell))
        if form == "spreadsheet":
            return _checked_day(_SHEET_DAY_ZERO + self._whole(cell))
        try:
            if form == "iso":
                return _checked_day(date.fromisoformat(cell).toordinal())
            return _checked_day(datetime.strptime(cell, form).toordinal())
        except ValueError as error:
            if "must lie" in str(error):
                raise
            hint = "YYYY-MM-DD; other forms need times.date_format" if form == "iso" else f"'{form}'"
            raise ValueError(f"must be a date {hint}") from None

    def read(self, cell: str, day: int | None) -> Readings:
        """Return the moment in a cell; `day` is that of the column `date`, if there is one."""
        form = self._times.format
        if form in ("epoch_s", "epoch_ms"):
            return Readings((self._epoch(cell, 0.001 if form == "epoch_ms" else 1.0),))
        if form == "spreadsheet":
            days = self._cells.number(cell, "days since 1899-12-30")
            _checked_day(int(_SHEET_DAY_ZERO + days // 1))
            return self._resolve(_SHEET_DAY_ZERO, round(days * DAY_S, 3), ())
        if day is not None:
            time_s, rules = self._time_s(cell)
            return self._resolve(day, time_s, rules)
        return self._dated(cell)

    def spread(self, cell: str, day: int) -> tuple[Readings, float]:
        """Return the beginning of an interval such as 09:00-09:30, and its length, seconds."""
        ends = _SPREAD.split(cell)
        if len(ends) != 2:
            raise ValueError("must be an interval such as 09:00-09:30")
        (start_s, rules), (end_s, _) = self._clock_s(ends[0]), self._clock_s(ends[1])
        length_s = end_s - start_s if end_s > start_s else end_s + DAY_S - start_s
        return self._resolve(day, start_s, rules), length_s

    def local(self, instant: float) -> tuple[int, float]:
        """Return the center's day, `date.toordinal()`, and the seconds of its wall clock after that midnight."""
        if self._center is not None:
            whole, rest = divmod(instant, 1.0)
            shown = datetime.fromtimestamp(whole, self._center)
            return shown.toordinal(), shown.hour * HOUR_S + shown.minute * 60.0 + shown.second + rest
        days, time_s = divmod(instant, DAY_S)
        return _EPOCH_DAY + int(days), time_s

    def _whole(self, cell: str) -> int:
        number = self._cells.number(cell, "days")
        if not number.is_integer():
            raise ValueError("must be a whole number of days")
        return int(number)

    def _epoch(self, cell: str, unit_s: float) -> float:
        if is_rounded(cell):
            raise ValueError(ROUNDED)
        instant = round(self._cells.number(cell, "since 1970-01-01") * unit_s, 6)
        if not 0 <= instant < (date(_LAST_YEAR, 1, 1).toordinal() - _EPOCH_DAY) * DAY_S:
            hint = "; it may be milliseconds: times.format: epoch_ms" if unit_s == 1.0 else ""
            raise ValueError(f"must lie in {_FIRST_YEAR} to {_LAST_YEAR}{hint}")
        if unit_s < 1.0 and instant < 365 * DAY_S:
            raise ValueError("must be milliseconds, and lies in 1970: it may be seconds: times.format: epoch_s")
        return instant

    def _time_s(self, cell: str) -> tuple[float, tuple[str, ...]]:
        """Return the seconds after midnight of the day that another column states."""
        form = self._times.format
        if form == "seconds":
            time_s = self._cells.number(cell, "seconds after midnight")
            if not 0 <= time_s < 2 * DAY_S:
                raise ValueError(f"must be >= 0 and < {2 * DAY_S:g} seconds after midnight")
            return time_s, ("hour_24",) if time_s >= DAY_S else ()
        if form == "day_fraction":
            fraction = self._cells.number(cell, "days after midnight")
            if not 0 <= fraction < 2:
                raise ValueError("must be >= 0 and < 2 days after midnight")
            return round(fraction * DAY_S, 3), ("hour_24",) if fraction >= 1 else ()
        if form in ("clock", "interval"):
            return self._clock_s(cell)
        found, rules = self._parse(cell, form)
        day_zero = datetime(1900, 1, 1)  # what `strptime` takes where a format says no day
        return (found - day_zero).total_seconds(), rules

    @staticmethod
    def _clock_s(cell: str) -> tuple[float, tuple[str, ...]]:
        found = _CLOCK.fullmatch(cell)
        if found is None:
            raise ValueError("must be a time of the day such as 13:47:05 or 1:47:05 PM")
        hour, half = int(found[1]), (found[4] or "").lower()
        if half:
            if not 1 <= hour <= 12:
                raise ValueError("must have an hour of 1 to 12 before AM or PM")
            hour = hour % 12 + (12 if half == "p" else 0)
        elif hour > _LAST_HOUR:
            raise ValueError(f"must have an hour of at most {_LAST_HOUR}, where 24 and more are of the day after")
        time_s = hour * HOUR_S + int(found[2]) * 60.0 + float((found[3] or "0").replace(",", "."))
        return time_s, ("hour_24",) if hour >= 24 else ()

    def _dated(self, cell: str) -> Readings:
        """Return the moment of a cell that says its day."""
        form = self._times.format
        if form == "iso":
            if len(cell) <= len("YYYY-MM-DD"):
                other = _hint(cell) or "; other forms need times.format"
                raise ValueError(f"must be a date and a time YYYY-MM-DDTHH:MM:SS{other}")
            found, rules = self._parse(cell, None)
        else:
            found, rules = self._parse(cell, form)
        _checked_day(found.toordinal())
        if found.tzinfo is not None:
            if self._center is None:
                raise ValueError(
                    "states its offset from UTC: needs mapping.time_zone, the center's, such as Europe/Berlin"
                )
            return Readings((found.astimezone(UTC).timestamp(),), rules)
        midnight = found.replace(hour=0, minute=0, second=0, microsecond=0)
        return self._resolve(found.toordinal(), (found - midnight).total_seconds(), rules)

    @staticmethod
    def _parse(cell: str, form: str | None) -> tuple[datetime, tuple[str, ...]]:
        """Return the time in a cell by a format, None: ISO; 24:00 is midnight of the next day."""

        def parse(text: str) -> datetime:
            return datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)

        try:
            if not _HOUR_24.search(cell):
                return parse(cell), ()
            return parse(_HOUR_24.sub("00", cell, count=1)) + timedelta(days=1), ("hour_24",)
        except ValueError:
            written = "YYYY-MM-DDTHH:MM:SS" if form is None else f"in the form '{form}'"
            raise ValueError(f"must be a time {written}, as times.format says{_hint(cell)}") from None

    def _resolve(self, day: int, time_s: float, rules: tuple[str, ...]) -> Readings:
        """Return the instants of a wall clock's time, two where it was set back."""
        naive_s = (day - _EPOCH_DAY) * DAY_S + time_s
        if self._written is None:
            return Readings((naive_s,), rules)
        whole, rest = divmod(naive_s, 1.0)
        shown = datetime(1970, 1, 1) + timedelta(seconds=whole)
        before_s, after_s = (_offset_s(shown, self._written, fold) for fold in (0, 1))
        if before_s == after_s:
            return Readings((whole - before_s + rest,), rules)
        if before_s > after_s:
            if self._rules.ambiguous_time == "refuse":
                raise ValueError(
                    f"came twice in {self._written.key}, where the clock was set back (rules.ambiguous_time may be "
                    "shortest_wait)"
                )
            return Readings((whole - before_s + rest, whole - after_s + rest), (*rules, "ambiguous_time"))
        if self._rules.missing_time == "refuse":
            raise ValueError(
                f"does not exist in {self._written.key}, where the clock was set forward (rules.missing_time may be "
                "shift)"
            )
        return Readings((whole - before_s + rest,), (*rules, "missing_time"))


def _hint(cell: str) -> str:
    if _MINUTES_ALONE.fullmatch(cell):
        return "; minutes and seconds alone, as spreadsheets show times, say neither day nor hour"
    return ""


def _offset_s(shown: datetime, zone: ZoneInfo, fold: int) -> float:
    offset = shown.replace(tzinfo=zone, fold=fold).utcoffset()
    assert offset is not None  # a ZoneInfo has one for every date
    return offset.total_seconds()


def _checked_day(day: int) -> int:
    if not date(_FIRST_YEAR, 1, 1).toordinal() <= day <= date(_LAST_YEAR, 1, 1).toordinal():
        raise ValueError(f"must lie in {_FIRST_YEAR} to {_LAST_YEAR}")
    return day
