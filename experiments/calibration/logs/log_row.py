"""One row of a log: its cells by column, and the contact that they state.

Room: `experiments.calibration.logs`. Touches the count of what each cleaning rule touched, nothing else.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

from envs.configuration.messages import did_you_mean
from envs.configuration.quantities import LARGEST
from envs.errors import ConfigurationError
from experiments.calibration.contact_log import ABANDONED, SERVED
from experiments.calibration.logs.log_cells import ROUNDED, Cells, is_rounded
from experiments.calibration.logs.mapping import LogMapping
from experiments.calibration.logs.moments import Clock

_HALF_DAY_S = 43_200.0


class RawContact(NamedTuple):
    """A contact as its row states it; texts are those of the log, empty where nothing is stated.

    `instant` is when it joined its queue (`experiments.calibration.logs.moments`), `updated` when its record was
    written, NaN where the log does not say. The others are as in `experiments.calibration.contact_log.LOGGED`.
    """

    instant: float
    wait_s: float
    outcome: int
    handle_s: float
    channel: int
    priority: float
    rep: str
    customer: str
    value_usd: float
    line: int
    id: str
    updated: float


class LeftOut(Exception):  # noqa: N818 (no error: a rule says that the row is none of the contacts)
    """A cleaning rule leaves the row out; it has been counted."""


class RowReader:
    """Reads rows of one log by its mapping; counts in `cleaned` what each rule touched."""

    def __init__(self, mapping: LogMapping) -> None:
        self.mapping = mapping
        self.cells = Cells(mapping.numbers)
        self.clock = Clock(mapping, self.cells)
        self.channels = {text: i for i, channel in enumerate(mapping.all_channels) for text in channel.texts}
        self.outcomes = dict.fromkeys(mapping.outcomes.served, SERVED)
        self.outcomes |= dict.fromkeys(mapping.outcomes.abandoned, ABANDONED)
        self.not_stated = {name: {*mapping.not_stated, *texts} for name, texts in mapping.not_stated_in.items()}
        self.cleaned: Counter[str] = Counter()

    def read(self, place: str, line: int, cells: Mapping[str, str]) -> list[RawContact]:
        """Return the contacts that a row states: one, or those of an interval's counts.

        Raises:
            ConfigurationError: something is wrong with a cell; the message names `place`, column, value and rule.
            LeftOut: a rule leaves the row out.
        """
        row = _Row(self, place, line, cells)
        try:
            row.choose()
            return row.interval() if self.mapping.times.format == "interval" else [row.contact()]
        finally:
            self.cleaned.update(row.touched)  # a rule touches a row once, however many of its cells


class _Row:
    def __init__(self, reader: RowReader, place: str, line: int, cells: Mapping[str, str]) -> None:
        self._reader = reader
        self._mapping = reader.mapping
        self._columns = reader.mapping.columns
        self._place = place
        self._line = line
        self._cells = cells
        self._channel = 0
        self.touched: set[str] = set()

    # --- which rows are contacts ---

    def choose(self) -> None:
        """Leave the row out if the mapping says that it is no contact."""
        for column, texts in self._mapping.only.items():
            if self._cells[column] not in texts:
                self._leave_out("only")
        for column, texts in self._mapping.leave_out.items():
            if self._cells[column] in texts:
                self._leave_out("leave_out")
        if self._columns.outcome is not None and self._cells[self._columns.outcome] in self._mapping.outcomes.left_out:
            self._leave_out("left_out")
        self._channel = self._find_channel()

    def contact(self) -> RawContact:
        """Return the contact that the row states."""
        outcome = self._outcome()
        arrived, wait_s, answered = self._arrival_and_wait(outcome)
        handle_s = self._handle_s(answered) if outcome == SERVED else math.nan
        self._check_length(wait_s, handle_s)
        return self._finish(arrived, wait_s, outcome, handle_s)

    def interval(self) -> list[RawContact]:
        """Return the contacts that the counts of an interval stand for, spread evenly over it, each with the interval's
        mean handle time, and with no wait stated. Those that were abandoned are spread evenly among the others."""
        counts = [self._count(column) for column in (self._columns.served_count, self._columns.abandoned_count)]
        n_contacts, n_abandoned = sum(counts), counts[1]
        column = self._columns.arrived[0]
        day = self._day()
        assert day is not None  # the mapping is checked
        try:
            start, length_s = self._reader.clock.spread(self._cells[column], day)
        except ValueError as error:
            self._refuse(column, str(error))
        self._touch(*start.rules, "summary_row")
        handle_s = self._sum_s("handle")
        abandoned = {int((i + 0.5) * n_contacts / n_abandoned) for i in range(n_abandoned)}
        return [
            self._finish(
                start.instants[0] + (i + 0.5) * length_s / n_contacts,
                math.nan,
                ABANDONED if i in abandoned else SERVED,
                math.nan if i in abandoned else handle_s,
            )
            for i in range(n_contacts)
        ]

    def _finish(self, arrived: float, wait_s: float, outcome: int, handle_s: float) -> RawContact:
        updated = math.nan
        if self._columns.updated is not None and self._stated(self._columns.updated):
            updated = self._instants(self._columns.updated, self._day())[-1]
        return RawContact(
            arrived,
            wait_s,
            outcome,
            handle_s,
            self._channel,
            self._priority(),
            self._text(self._columns.rep),
            self._text(self._columns.customer, is_number=True),
            self._value_usd(),
            self._line,
            self._text(self._columns.id, is_number=True),
            updated,
        )

    # --- what it states ---

    def _outcome(self) -> int:
        column = self._columns.outcome
        if column is not None:
            text = self._cells[column]
            if text not in self._reader.outcomes:
                known = [*self._reader.outcomes, *self._mapping.outcomes.left_out]
                self._refuse(column, f"no text of mapping.outcomes ({', '.join(known)}){did_you_mean(text, known)}")
            return self._reader.outcomes[text]
        told_by = self._columns.served_where or self._columns.answered
        return SERVED if not told_by or self._first(told_by) else ABANDONED

    def _arrival_and_wait(self, outcome: int) -> tuple[float, float, float]:
        """Return when the contact joined its queue, its wait, and when it was answered, NaN where neither is stated."""
        day = self._day()
        column = self._first(self._columns.arrived) or self._columns.arrived[0]
        if not self._stated(column):
            self._choose("no_arrival", column, "must not be empty: when the contact joined its queue")
        before_s = self._sum_s("before_queue")
        starts = self._instants(column, day)
        starts = starts if math.isnan(before_s) else tuple(start + before_s for start in starts)
        end_column = self._first(self._columns.answered if outcome == SERVED else self._left_columns())
        ends = () if end_column is None else self._instants(end_column, day, after=starts[0])
        # Of a time that came twice, the reading that makes the wait shortest; where two are alike, nothing hangs on it.
        pairs = [(start, end) for start in starts for end in ends] or [(starts[0], math.nan)]
        start, end = min(pairs, key=lambda pair: (pair[1] < pair[0], abs(pair[1] - pair[0])))
        wait_s = self._sum_s("wait")
        if math.isnan(wait_s):
            wait_s = end - start
        if math.isnan(wait_s) and (self._columns.wait or self._columns.answered):
            told = (self._columns.wait or self._columns.answered)[0]
            self._choose("no_wait", told, "must not be empty: tells the wait")
        return start, self._checked_wait_s(wait_s, outcome, end_column or column), end

    def _left_columns(self) -> tuple[str, ...]:
        return (*self._columns.abandoned, *self._columns.ended)

    def _checked_wait_s(self, wait_s: float, outcome: int, column: str) -> float:
        if wait_s < 0.0:
            where = self._columns.wait[0] if self._columns.wait else column
            self._choose("wait_below_zero", where, f"a wait of {wait_s:g} s: must be >= 0 seconds")
            return 0.0
        if wait_s == 0.0 and outcome == ABANDONED:
            where = self._columns.wait[0] if self._columns.wait else column
            self._choose("abandoned_without_wait", where, "abandoned after no wait")
        return wait_s

    def _handle_s(self, answered: float) -> float:
        handle_s = self._sum_s("handle")
        column = self._columns.handle[0] if self._columns.handle else None
        if math.isnan(handle_s) and self._columns.ended and not self._columns.handle:
            ended_column = self._first(self._columns.ended)
            column = ended_column or self._columns.ended[0]
            if ended_column is not None and not math.isnan(answered):
                ends = self._instants(ended_column, self._day(), after=answered)
                handle_s = next((end - answered for end in ends if end >= answered), ends[-1] - answered)
        if column is None:
            return math.nan  # the log has no handle times
        if math.isnan(handle_s):
            self._choose("no_handle", column, "must not be empty: tells the handle time of a contact that was served")
            return math.nan
        if handle_s < 0.0:
            self._choose("handle_below_zero", column, f"a handle time of {handle_s:g} s: must be >= 0 seconds")
            return math.nan
        if handle_s < self._mapping.rules.short_handle_s:
            problem = f"a handle time of {handle_s:g} s: must be >= {self._mapping.rules.short_handle_s:g} seconds"
            return handle_s if self._choose("short_handle", column, problem) == "keep" else math.nan
        return handle_s

    def _check_length(self, wait_s: float, handle_s: float) -> None:
        rules = self._mapping.rules
        if self._mapping.all_channels[self._channel].kind == "real_time" and wait_s > rules.longest_wait_s:
            column = (self._columns.wait or self._columns.answered or self._columns.arrived)[0]
            self._choose("too_long", column, f"a wait of {wait_s:g} s: must be <= {rules.longest_wait_s:g} seconds")
        if handle_s > rules.longest_handle_s:
            column = (self._columns.handle or self._columns.ended)[0]
            most = f"{rules.longest_handle_s:g} seconds"
            self._choose("too_long", column, f"a handle time of {handle_s:g} s: must be <= {most}")

    def _find_channel(self) -> int:
        column = self._columns.channel
        if column is None:
            return 0
        text = self._cells[column]
        found = self._reader.channels.get(text)
        if found is None:
            known = f"no text of mapping.channels ({', '.join(self._reader.channels)})"
            self._choose("other_channel", column, f"{known}{did_you_mean(text, self._reader.channels)}")
            raise AssertionError("a channel that is not known is left out or refused")
        return found

    def _priority(self) -> float:
        column = self._columns.priority
        if column is None or not self._stated(column):
            return 0.0
        if not self._mapping.priorities:
            return self._number(column, "seconds")
        found = self._mapping.priorities.get(self._cells[column])
        if found is None:
            self._refuse(column, f"no text of mapping.priorities ({', '.join(self._mapping.priorities)})")
        return found

    def _value_usd(self) -> float:
        column = self._columns.value
        if column is None or not self._stated(column):
            return math.nan
        value = self._number(column, "USD")
        if not 0.0 <= value <= LARGEST["USD"]:
            self._refuse(column, f"must be >= 0 and <= {LARGEST['USD']:g} USD")
        return value

    # --- cells ---

    def _stated(self, column: str) -> bool:
        cell = self._cells[column]
        return bool(cell) and cell not in self._reader.not_stated.get(column, self._mapping.not_stated)

    def _first(self, columns: tuple[str, ...]) -> str | None:
        return next((column for column in columns if self._stated(column)), None)

    def _text(self, column: str | None, *, is_number: bool = False) -> str:
        """Return the text of a column, empty where nothing is stated; of what may be a long number refuse the form in
        which a spreadsheet rounds it, since others then have the same."""
        if column is None or not self._stated(column):
            return ""
        text = self._cells[column]
        if is_number and is_rounded(text):
            self._refuse(column, ROUNDED)
        return text

    def _day(self) -> int | None:
        column = self._columns.date
        if column is None:
            return None
        if not self._stated(column):
            self._choose("no_arrival", column, "must not be empty: the day of the contact")
        try:
            return self._reader.clock.day(self._cells[column])
        except ValueError as error:
            self._refuse(column, str(error))

    def _instants(self, column: str, day: int | None, after: float | None = None) -> tuple[float, ...]:
        """Return the readings of a time; of one without its day the day after if it lies far before `after`."""
        try:
            found = self._reader.clock.read(self._cells[column], day)
            if after is not None and day is not None and found.instants[-1] < after - _HALF_DAY_S:
                found = self._reader.clock.read(self._cells[column], day + 1)
                self._touch("over_midnight")
        except ValueError as error:
            self._refuse(column, str(error))
        self._touch(*found.rules)
        return found.instants

    def _number(self, column: str, unit: str) -> float:
        try:
            return self._reader.cells.number(self._cells[column], unit)
        except ValueError as error:
            self._refuse(column, str(error))

    def _count(self, column: str | None) -> int:
        if column is None or not self._stated(column):
            return 0
        count = self._number(column, "contacts")
        if not (count.is_integer() and 0 <= count <= 1e6):
            self._refuse(column, "must be a whole number of contacts >= 0 and <= 1e6")
        return int(count)

    def _sum_s(self, key: str) -> float:
        """Return the sum of the durations that are stated, seconds; NaN where none is."""
        durations_s = []
        for column in getattr(self._columns, key):
            if self._stated(column):
                try:
                    durations_s.append(self._reader.cells.duration_s(self._cells[column]))
                except ValueError as error:
                    self._refuse(column, str(error))
        return math.fsum(durations_s) if durations_s else math.nan

    # --- rules ---

    def _choose(self, rule: str, column: str, problem: str) -> str:
        """Count the rule, and return what it says; leave the row out or refuse it where it says so."""
        choice: str = getattr(self._mapping.rules, rule)
        if choice == "refuse":
            others = type(self._mapping.rules).model_fields[rule].annotation
            allowed = [option for option in getattr(others, "__args__", ()) if option != "refuse"]
            self._refuse(column, f"{problem} (rules.{rule} may be {' or '.join(allowed)})")
        if choice == "leave_out":
            self._leave_out(rule)
        self._touch(rule)
        return choice

    def _touch(self, *rules: str) -> None:
        self.touched.update(rules)

    def _leave_out(self, rule: str) -> NoReturn:
        self._touch(rule)
        raise LeftOut

    def _refuse(self, column: str, problem: str) -> NoReturn:
        raise ConfigurationError(f"{self._place}, column {column} = '{self._cells[column]}': {problem}")
