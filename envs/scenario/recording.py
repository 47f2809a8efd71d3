"""Recorded days: what a file says of contacts that came, checked row by row.

Room: `envs.scenario`. Touches the file only. `envs.scenario.scenario` says which file and hands over what a row is
checked against, `envs.inputs.demand` draws what the record leaves open.

The file is CSV with a header, UTF-8, compressed if its name ends in `.gz`. Rows need not be sorted. An empty cell and a
missing column mean the same: not recorded. Days are whole numbers or dates, times seconds or clock times, both ISO
unless a format is stated; text that is neither is refused, never sorted or compared as text.
"""

import csv
import gzip
import hashlib
import io
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from envs.configuration.document import shown_path
from envs.configuration.messages import did_you_mean
from envs.configuration.quantities import LARGEST
from envs.errors import ConfigurationError
from envs.interface.units import DAY_S, HOUR_S

_WHOLE = re.compile(r"([0-9]{1,18})(\.0*)?")
_MOST_DIGITS = 5
"""Of a day that is a plain number; with more it may be a date written without its marks, such as 010221."""
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ISO_TIME = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")
REQUIRED_COLUMNS = ("channel", "at_s")
COLUMNS = (
    *REQUIRED_COLUMNS,
    "day",
    "handle_s",
    "patience_s",
    "patience_at_least_s",
    "account_value_usd",
    "at_risk",
    "preferred_rep",
    "amount_owed_usd",
)
RECORDED = np.dtype(
    [
        ("at_s", np.float64),
        ("queue", np.int64),
        ("handle_s", np.float64),
        ("patience_s", np.float64),
        ("patience_at_least_s", np.float64),
        ("account_value_usd", np.float64),
        ("at_risk", np.float64),
        ("preferred_rep", np.float64),
        ("amount_owed_usd", np.float64),
    ]
)
"""One recorded contact; what is not recorded is NaN. `at_s` is seconds since the start of its day, `queue` the position
of its channel in the scenario."""


@dataclass(frozen=True)
class Recording:
    """The content of a file; two are equal if their files say the same.

    Attributes:
        digest: SHA-256 of the text.
        days: `RECORDED` arrays, one for each recorded day, in the order of the days; each in order of time, at the same
            second in the order of the file.
    """

    digest: str
    days: tuple[NDArray[Any], ...] = field(compare=False, repr=False)

    def states(self, column: str, queue: int | None = None) -> bool:
        """Return True if some contact (of `queue`, unless None) has a value in a column other than `channel`."""
        return any(
            not np.isnan(day[column][(day["queue"] == queue) if queue is not None else slice(None)]).all()
            for day in self.days
        )


class Formats(NamedTuple):
    """How a file writes dates and clock times, each as a format of `datetime.strptime`; None: ISO."""

    date_format: str | None = None
    time_format: str | None = None


ISO = Formats()


def check_date_format(form: str) -> None:
    """Raise `ValueError` unless the format says which day is meant."""
    example = datetime(2001, 11, 23)
    if _reread(example, form).date() != example.date():
        raise ValueError("must say year, month and day, as '%d/%m/%Y' does")


def check_time_format(form: str) -> None:
    """Raise `ValueError` unless the format says which minute of a day is meant, and nothing of the day."""
    example = datetime(1900, 1, 1, 13, 47)  # what it leaves out, `strptime` takes from that day
    if _reread(example.replace(year=2001, month=11, day=23), form) != example:
        raise ValueError("must say hour and minute and no date, as '%H:%M:%S' or '%I:%M:%S %p' does")


def _reread(moment: datetime, form: str) -> datetime:
    """Return what is left of `moment` written and read in a format; the year 1 if it cannot be read."""
    try:
        return datetime.strptime(moment.strftime(form), form)
    except ValueError:
        return datetime.min


def read_recording(
    file: Path, is_real_time: Mapping[str, bool], horizon_s: float, n_reps: int, formats: Formats = ISO
) -> Recording:
    """Return the recorded days of a file.

    Args:
        file: CSV, or compressed CSV if its name ends in `.gz`.
        is_real_time: the names of the scenario's channels in their order, true for real-time ones.
        horizon_s: length of an episode, seconds; a recorded day is as long.
        n_reps: number of reps, one of whom a customer may prefer.
        formats: how it writes dates and clock times; default: ISO.

    Raises:
        ConfigurationError: the file cannot be read, or what it says is wrong; the message names file, row (the header
            is row 1), column, value and rule.
    """
    shown = shown_path(file)
    text = read_text(file, shown)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    by_day: dict[int | date, list[tuple[float, ...]]] = {}
    try:
        header = _check_header([name.strip() for name in next(rows, [])], shown)
        for cells in rows:
            if not cells:
                continue
            row = _Row(f"{shown}, row {rows.line_num}", header, cells)
            day = row.day(formats.date_format, next(iter(by_day), None))
            by_day.setdefault(day, []).append(row.read(is_real_time, horizon_s, n_reps, formats.time_format))
    except csv.Error as error:
        raise ConfigurationError(f"{shown}, row {rows.line_num}: not valid CSV: {error}") from error
    if not by_day:
        raise ConfigurationError(f"{shown}: no contacts: must have at least one row below the header")
    days = [np.array(by_day[day], RECORDED) for day in sorted(by_day)]  # all of one kind
    return Recording(
        hashlib.sha256(text.encode()).hexdigest(),
        tuple(day[np.argsort(day["at_s"], kind="stable")] for day in days),
    )


def read_text(file: Path, shown: str, encoding: str = "utf-8") -> str:
    """Return the text of a file, uncompressed if its name ends in `.gz`; `shown` names it in messages.

    Raises:
        ConfigurationError: the file cannot be read, is damaged, or is no text of that encoding.
    """
    try:
        content = file.read_bytes()
        if file.suffix == ".gz":
            content = gzip.decompress(content)
        # Spreadsheets begin a file with a byte order mark.
        return content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{shown}: not a {encoding.upper()} text file ({error.reason})") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConfigurationError(f"{shown}: not a gzip file, or a damaged one ({error})") from error
    except OSError as error:
        raise ConfigurationError(f"{shown}: cannot be read ({error.strerror})") from error


def _check_header(header: list[str], shown: str) -> list[str]:
    place = f"{shown}, row 1"
    for i, name in enumerate(header):
        if name not in COLUMNS:
            hint = did_you_mean(name, COLUMNS) or f"; known columns: {', '.join(COLUMNS)}"
            raise ConfigurationError(f"{place}: unknown column '{name}'{hint}")
        if name in header[:i]:
            raise ConfigurationError(f"{place}: column '{name}' stands twice")
    for name in REQUIRED_COLUMNS:
        if name not in header:
            raise ConfigurationError(f"{place}: missing column '{name}'")
    return header


def _read_number(cell: str) -> float:
    """Return the number in a cell, NaN where there is none."""
    return float(cell) if _NUMBER.fullmatch(cell) else math.nan


class _Row:
    """One row of the file: its cells by column, with the messages about them."""

    def __init__(self, place: str, header: list[str], cells: list[str]) -> None:
        if len(cells) != len(header):
            raise ConfigurationError(f"{place}: {len(cells)} cells: must be {len(header)}, one per column")
        self._place = place
        self._cells = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}

    def read(
        self, is_real_time: Mapping[str, bool], horizon_s: float, n_reps: int, time_format: str | None
    ) -> tuple[float, ...]:
        """Return the contact as one entry of `RECORDED`."""
        channel = self._cells["channel"]
        if channel not in is_real_time:
            known = ", ".join(is_real_time)
            self._refuse("channel", f"no such channel (known: {known}){did_you_mean(channel, is_real_time)}")
        for column in ("patience_s", "patience_at_least_s"):
            if self._cells.get(column) and not is_real_time[channel]:
                self._refuse(column, f"has no meaning on a deferred channel ({channel}): must be empty")
        if self._cells.get("patience_s") and self._cells.get("patience_at_least_s"):
            self._refuse("patience_at_least_s", "must be empty where patience_s is given")
        return (
            self._at_s(horizon_s, time_format),
            list(is_real_time).index(channel),
            self._amount("handle_s", "seconds"),
            self._amount("patience_s", "seconds"),
            self._amount("patience_at_least_s", "seconds"),
            self._amount("account_value_usd", "USD"),
            self._choice("at_risk", 2, "must be 0 or 1"),
            self._choice("preferred_rep", n_reps, f"must be a whole number >= 0 and < {n_reps}, the number of reps"),
            self._amount("amount_owed_usd", "USD"),
        )

    def day(self, date_format: str | None, first: int | date | None) -> int | date:
        """Return the day to which the row belongs, of the same kind as the `first` day of the file, if there is one."""
        cell = self._cells.get("day", "0")
        if not cell:
            self._refuse("day", "must not be empty: the recorded day to which the row belongs")
        if "day" not in self._cells:
            return 0
        day = self._whole_or_iso_day(cell) if date_format is None else self._date(cell, date_format)
        if first is not None and isinstance(day, int) != isinstance(first, int):
            kind = "a whole number" if isinstance(first, int) else f"a date, such as {first}"
            self._refuse("day", f"must be {kind}, as in the rows before: days of two kinds have no order")
        return day

    def _whole_or_iso_day(self, cell: str) -> int | date:
        whole = _WHOLE.fullmatch(cell)
        digits = whole[1] if whole else ""
        if whole and len(digits) <= _MOST_DIGITS:
            return int(digits)
        try:
            if _ISO_DATE.fullmatch(cell) or len(digits) == 8:
                found = date.fromisoformat(cell if not whole else f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")
                return int(digits) if whole else found
        except ValueError:
            pass  # no such day of the calendar
        return self._refuse(
            "day",
            f"must be a whole number of at most {_MOST_DIGITS} digits, YYYYMMDD or a date YYYY-MM-DD; another form of "
            "dates needs replay.date_format, such as '%d/%m/%Y' or '%d%m%y'",
        )

    def _date(self, cell: str, date_format: str) -> date:
        try:
            moment = datetime.strptime(cell, date_format)
        except ValueError:
            self._refuse("day", f"must be a date in the form of replay.date_format = '{date_format}'")
        if moment.time() != time.min:
            self._refuse("day", "must be a date without a time of day, which belongs into at_s")
        return moment.date()

    def _at_s(self, horizon_s: float, time_format: str | None) -> float:
        cell = self._cells["at_s"]
        if not cell:
            self._refuse("at_s", "must not be empty: seconds since the start of the horizon")
        at_s = self._clock_s(cell, time_format)
        if math.isnan(at_s):
            at_s = self._amount("at_s", "seconds", "; or a clock time HH:MM:SS, in another form by replay.time_format")
        elif horizon_s > DAY_S:
            days = horizon_s / DAY_S
            self._refuse("at_s", f"must be seconds: a clock time says no day, and the horizon has {days:g} days")
        if at_s >= horizon_s:
            self._refuse("at_s", f"must be < {horizon_s:g} seconds, the end of the horizon")
        return at_s

    def _clock_s(self, cell: str, time_format: str | None) -> float:
        """Return the seconds since midnight of a clock time; NaN where there is none and none need be."""
        try:
            if time_format is not None:
                found = datetime.strptime(cell, time_format).time()
            elif _ISO_TIME.fullmatch(cell):
                found = time.fromisoformat(cell)
            else:
                return math.nan
        except ValueError:
            form = "HH:MM:SS" if time_format is None else f"in the form of replay.time_format = '{time_format}'"
            self._refuse("at_s", f"must be a time of the day {form}")
        return found.hour * HOUR_S + found.minute * 60.0 + found.second + found.microsecond / 1e6

    def _amount(self, column: str, unit: str, otherwise: str = "") -> float:
        cell = self._cells.get(column, "")
        if not cell:
            return math.nan
        amount = _read_number(cell)
        if not math.isfinite(amount):
            self._refuse(column, f"must be a finite number ({unit}){otherwise}")
        if amount < 0:
            self._refuse(column, f"must be >= 0 {unit}")
        if amount > LARGEST[unit]:
            self._refuse(column, f"must be <= {LARGEST[unit]:g} {unit}")
        return amount

    def _choice(self, column: str, count: int, rule: str) -> float:
        cell = self._cells.get(column, "")
        if not cell:
            return math.nan
        number = _read_number(cell)  # also 1.0, as tables write whole numbers in a column with gaps
        if not (number.is_integer() and 0 <= number < count):
            self._refuse(column, rule)
        return number

    def _refuse(self, column: str, problem: str) -> NoReturn:
        raise ConfigurationError(f"{self._place}, column {column} = '{self._cells[column]}': {problem}")
