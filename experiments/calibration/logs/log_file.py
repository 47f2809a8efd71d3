"""A log read from its file: rows, cleaned as the mapping says, as contacts in order of time.

Room: `experiments.calibration.logs`. Reads the log; shows a bar on the terminal while it does.

The file is CSV with a header, compressed if its name ends in `.gz`. No row is dropped silently: each is a contact, is
counted under the cleaning rule that leaves it out, or ends the reading with a message.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from envs.configuration.document import shown_path
from envs.configuration.messages import did_you_mean
from envs.errors import ConfigurationError
from envs.scenario.recording import read_text
from experiments.calibration.contact_log import LOGGED, ContactLog
from experiments.calibration.logs.cleaning import MEANINGS
from experiments.calibration.logs.log_row import LeftOut, RawContact, RowReader
from experiments.calibration.logs.mapping import LogMapping
from experiments.calibration.logs.repeated_contacts import merge_repeated
from experiments.progress import episode_progress

LONGEST_GAP_DAYS = 31
"""Days without any contact between two that have some, at most, unless the mapping says which days the log covers: a
longer gap is more likely a mistyped date than a closed center."""
_ROWS_A_STEP = 5_000


def read_log(file: str | Path, mapping: LogMapping) -> ContactLog:
    """Return the contacts of a log.

    Args:
        file: CSV, or compressed CSV if its name ends in `.gz`.
        mapping: what its columns mean, and how its faults are handled (`experiments.calibration.logs.mapping`).

    Raises:
        ConfigurationError: the file cannot be read, lacks a column, or has a fault that the mapping does not say how to
            handle; the message names file, line, column, value and rule.
    """
    path = Path(file)
    shown = shown_path(path)
    text = read_text(path, shown, mapping.encoding)
    reader = RowReader(mapping)
    table = _Table(shown, text, mapping, reader)
    rows = list(table.contacts())
    if mapping.columns.id is not None:
        rows, merged = merge_repeated(rows, mapping.rules.repeated_id, shown, mapping.columns.id)
        reader.cleaned["repeated_id"] += merged
    if not rows:
        raise ConfigurationError(f"{shown}: no contacts{_why_none(reader)}")
    contacts, reps = _as_array(rows, reader)
    days = _covered_days(contacts, mapping, table.dates, shown)
    inside = np.isin(contacts["day"], days)
    if not inside.any():
        raise ConfigurationError(
            f"{shown}: no contacts on the days that it is to cover: must have some from mapping.first_day to "
            "mapping.last_day"
        )
    reader.cleaned["outside_days"] += _count_outside(contacts[~inside], mapping, shown)
    return ContactLog(
        contacts=contacts[inside],
        days=days,
        channels=tuple(channel.name for channel in mapping.all_channels),
        kinds=tuple(channel.kind for channel in mapping.all_channels),
        reps=reps,
        cleaned={rule: reader.cleaned[rule] for rule in MEANINGS if reader.cleaned[rule]},
        source=shown,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


class _Table:
    """The rows of a file below its header; `dates` are those of the column `date`, as they were met."""

    def __init__(self, shown: str, text: str, mapping: LogMapping, reader: RowReader) -> None:
        self._shown = shown
        self._mapping = mapping
        self._reader = reader
        self._rows = csv.reader(io.StringIO(text, newline=""), delimiter=mapping.delimiter, strict=True)
        self._n_lines = text.count("\n") + 1
        self._seen: set[tuple[str, ...]] = set()
        self.dates: set[int] = set()
        for _ in range(mapping.skip_lines):
            next(self._rows, None)
        self._header = [_stripped(name) for name in next(self._rows, [])]
        _check_header(self._header, mapping, shown)

    def contacts(self) -> Iterator[RawContact]:
        """Yield every contact of the file, in the order of its rows."""
        with episode_progress() as progress:
            task = progress.add_task(f"reading {self._shown}", total=self._n_lines)
            try:
                for i, cells in enumerate(self._rows):
                    if i % _ROWS_A_STEP == 0:
                        progress.update(task, completed=self._rows.line_num)
                    try:
                        yield from self._read(tuple(_stripped(cell) for cell in cells))
                    except LeftOut:
                        continue
            except csv.Error as error:
                place = f"{self._shown}, line {self._rows.line_num}"
                raise ConfigurationError(
                    f"{place}: not valid CSV: {error}; mapping.delimiter is {self._mapping.delimiter!r}"
                ) from error

    def _read(self, cells: tuple[str, ...]) -> list[RawContact]:
        place, line = f"{self._shown}, line {self._rows.line_num}", self._rows.line_num
        self._leave_out_if(not any(cells), "blank_row")
        self._leave_out_if(list(cells) == self._header, "repeated_header")
        self._check_width(cells, place)
        self._check_repeated(cells, place)
        named = dict(zip(self._header, cells, strict=False))
        contacts = self._reader.read(place, line, named)
        date_column = self._mapping.columns.date
        if date_column is not None:
            self.dates.add(self._reader.clock.day(named[date_column]))
        return contacts

    def _check_width(self, cells: tuple[str, ...], place: str) -> None:
        columns = len(self._header)
        if len(cells) >= columns and not any(cells[columns:]):
            return
        if self._mapping.rules.broken_row == "refuse":
            raise ConfigurationError(
                f"{place}: {len(cells)} cells: must be {columns}, one per column (rules.broken_row may be leave_out; "
                f"mapping.delimiter is {self._mapping.delimiter!r})"
            )
        self._leave_out_if(True, "broken_row")

    def _check_repeated(self, cells: tuple[str, ...], place: str) -> None:
        if self._mapping.columns.id is not None:
            return  # what is repeated is told by the id
        if cells not in self._seen:
            self._seen.add(cells)
            return
        rule = self._mapping.rules.repeated_row
        if rule == "refuse":
            raise ConfigurationError(f"{place}: as a row before (rules.repeated_row may be keep or leave_out)")
        self._leave_out_if(rule == "leave_out", "repeated_row")
        self._reader.cleaned["repeated_row"] += 1

    def _leave_out_if(self, is_so: bool, rule: str) -> None:
        if is_so:
            self._reader.cleaned[rule] += 1
            raise LeftOut


def _stripped(cell: str) -> str:
    return cell.strip()  # no-break spaces too, that spreadsheets leave


def _check_header(header: Sequence[str], mapping: LogMapping, shown: str) -> None:
    wanted: list[tuple[tuple[str, ...], str]] = [
        *((("columns", key), column) for key, column in mapping.columns.named()),
        *((("only",), column) for column in mapping.only),
        *((("leave_out",), column) for column in mapping.leave_out),
        *((("not_stated_in",), column) for column in mapping.not_stated_in),
    ]
    for path, column in wanted:
        where = f"mapping.{'.'.join(path)} = '{column}'"
        if column not in header:
            known = ", ".join(name for name in header if name)
            hint = did_you_mean(column, header) or f"; its columns: {known or 'none'}"
            if len(header) == 1:
                hint += f"; mapping.delimiter is {mapping.delimiter!r}"
            raise ConfigurationError(f"{where}: {shown} has no such column{hint} ({mapping.origin(path)})")
        if header.count(column) > 1:
            raise ConfigurationError(f"{where}: stands twice in the header of {shown} ({mapping.origin(path)})")


def _why_none(reader: RowReader) -> str:
    left = ", ".join(f"{rule} {count}" for rule, count in reader.cleaned.items() if count)
    return f": rows by cleaning rule: {left}" if left else ": must have a row below the header at least"


def _as_array(rows: Sequence[RawContact], reader: RowReader) -> tuple[NDArray[np.void], tuple[str, ...]]:
    """Return the contacts in order of day and time, `LOGGED`, and the names of the reps; reps and customers are
    numbered as they first appear in the file."""
    by_line = sorted(rows, key=lambda row: row.line)
    reps = {name: i for i, name in enumerate(dict.fromkeys(row.rep for row in by_line if row.rep))}
    customers = {name: i for i, name in enumerate(dict.fromkeys(row.customer for row in by_line if row.customer))}
    contacts = np.empty(len(by_line), LOGGED)
    for i, row in enumerate(by_line):
        day, arrived_s = reader.clock.local(row.instant)
        rep, customer = reps.get(row.rep, -1), customers.get(row.customer, -1)
        needs = (row.wait_s, row.outcome, row.handle_s, row.channel, row.priority)
        contacts[i] = (day, arrived_s, *needs, rep, customer, row.value_usd, row.line)
    return np.sort(contacts, order=("day", "arrived_s", "line")), tuple(reps)


def _covered_days(contacts: NDArray[np.void], mapping: LogMapping, dates: set[int], shown: str) -> NDArray[np.int64]:
    """Return every day from the first to the last that the log covers: those of the mapping, else those of the column
    `date`, else those of the contacts."""
    met = np.unique(contacts["day"]) if not dates else np.array(sorted(dates))
    first = met[0] if mapping.first_day is None else mapping.first_day.toordinal()
    last = met[-1] if mapping.last_day is None else mapping.last_day.toordinal()
    gaps = np.diff(met)
    if mapping.first_day is None and mapping.last_day is None and len(gaps) and gaps.max() > LONGEST_GAP_DAYS:
        i = int(gaps.argmax())
        before, after = (_where(contacts, day) for day in (met[i], met[i + 1]))
        raise ConfigurationError(
            f"{shown}: no contact for {gaps[i] - 1} days, between {before} and {after}: must be {LONGEST_GAP_DAYS} at "
            "most, unless mapping.first_day or mapping.last_day say which days the log covers"
        )
    return np.arange(first, last + 1)


def _where(contacts: NDArray[np.void], day: int) -> str:
    lines = contacts["line"][contacts["day"] == day]
    shown = np.datetime64(int(day) - 719_163, "D")  # the ordinal of 1970-01-01
    return f"{shown} (line {lines[0]})" if len(lines) else str(shown)


def _count_outside(outside: NDArray[np.void], mapping: LogMapping, shown: str) -> int:
    if len(outside) and mapping.rules.outside_days == "refuse":
        place = f"{shown}, line {outside['line'][0]}, column {mapping.columns.arrived[0]}"
        raise ConfigurationError(f"{place}: not on a day that the log covers (rules.outside_days may be leave_out)")
    return len(outside)
