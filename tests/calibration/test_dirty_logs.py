"""Logs with one fault each: the right row, or the right message. The rows are made up, the faults are real ones."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest

from envs.configuration.document import as_document, validate
from envs.errors import ConfigurationError
from experiments.calibration.contact_log import ABANDONED, SERVED
from experiments.calibration.logs.cleaning import MEANINGS, Rules
from experiments.calibration.logs.log_file import read_log
from experiments.calibration.logs.mapping import LogMapping

HOUR_S = 3600.0
BERLIN = {"time_zone": "Europe/Berlin"}
TIMES: dict[str, Any] = {"columns": {"arrived": "in", "answered": "up", "abandoned": "off", "ended": "end"}}
"""Times alone; ISO, on the center's clock."""
CLOCK: dict[str, Any] = {"columns": {**TIMES["columns"], "date": "day"}, "times": {"format": "clock"}}
WAITS: dict[str, Any] = {"columns": {"arrived": "in", "wait": "wait", "handle": "work", "outcome": "how"}} | {
    "outcomes": {"served": "OK", "abandoned": "AB", "left_out": "IVR"}
}
LEGS: dict[str, Any] = {"columns": {"id": "id", **WAITS["columns"]}, "outcomes": WAITS["outcomes"]}


class Row(NamedTuple):
    """The one contact that is left: when it came, how long it waited and took (None: not stated), how it ended."""

    arrived_s: float
    wait_s: float | None
    handle_s: float | None
    outcome: int = SERVED


class Fault(NamedTuple):
    """A log with one fault. `expected` is the contact, or what the message says."""

    name: str
    text: str
    mapping: dict[str, Any]
    expected: Row | str
    cleaned: Mapping[str, int] = MappingProxyType({})


def rows(header: str, *lines: str) -> str:
    return "\n".join((header, *lines)) + "\n"


def times(*lines: str) -> str:
    return rows("in,up,off,end", *lines)


def waits(*lines: str) -> str:
    return rows("in,wait,work,how", *lines)


def rules(base: dict[str, Any], **choices: Any) -> dict[str, Any]:
    return {**base, "rules": choices}


NINE = 9 * HOUR_S
GOOD = "2024-03-25T09:00:00,10,100,OK"
KEPT = Row(NINE, 10, 100)
AUTUMN = "2025-10-26T"  # in Berlin 02:00 to 03:00 comes twice
SPRING = "2025-03-30T"  # and here it does not come at all

FAULTS = [
    # --- clock changes ---
    Fault(
        "autumn: an offset says which of the two hours it is",
        times(f"{AUTUMN}00:59:50Z,{AUTUMN}01:00:20Z,,{AUTUMN}01:03:20Z"),
        TIMES | BERLIN,
        Row(3 * HOUR_S - 10, 30, 180),  # 02:59:50 on the wall, 02:00:20 when it is answered: 30 s later
    ),
    Fault(
        "autumn: local times that could both be either hour: the wait is the same",
        times(f"{AUTUMN}02:30:00,{AUTUMN}02:30:40,,{AUTUMN}02:31:40"),
        TIMES | BERLIN,
        Row(2.5 * HOUR_S, 40, 60),
        {"ambiguous_time": 1},
    ),
    Fault(
        "autumn: the reading that makes the wait shortest",
        times(f"{AUTUMN}02:59:50,{AUTUMN}03:00:20,,{AUTUMN}03:01:20"),
        TIMES | BERLIN,
        Row(3 * HOUR_S - 10, 30, 60),  # not an hour and 30 s
        {"ambiguous_time": 1},
    ),
    Fault(
        "autumn: answered in the second of the two hours",
        times(f"{AUTUMN}02:59:50,{AUTUMN}02:00:20,,{AUTUMN}02:01:20"),
        TIMES | BERLIN,
        Row(3 * HOUR_S - 10, 30, 60),  # the clock was set back in between
        {"ambiguous_time": 1},
    ),
    Fault(
        "autumn: refused where the mapping says so",
        times(f"{AUTUMN}02:30:00,{AUTUMN}02:30:40,,{AUTUMN}02:31:40"),
        rules(TIMES | BERLIN, ambiguous_time="refuse"),
        f"log.csv, line 2, column in = '{AUTUMN}02:30:00': came twice in Europe/Berlin, where the clock was "
        "set back (rules.ambiguous_time may be shortest_wait)",
    ),
    Fault(
        "autumn: no wait is lost over the change",
        times(f"{AUTUMN}01:59:00,{AUTUMN}03:00:00,,{AUTUMN}03:01:00"),
        TIMES | BERLIN,
        Row(2 * HOUR_S - 60, 2 * HOUR_S + 60, 60),  # an hour more than the wall shows
    ),
    Fault(
        "spring: no wait is won over the change",
        times(f"{SPRING}01:59:50,{SPRING}03:00:20,,{SPRING}03:01:20"),
        TIMES | BERLIN,
        Row(2 * HOUR_S - 10, 30, 60),
    ),
    Fault(
        "spring: an hour that does not exist",
        times(f"{SPRING}02:30:00,{SPRING}03:31:00,,{SPRING}03:32:00"),
        TIMES | BERLIN,
        f"log.csv, line 2, column in = '{SPRING}02:30:00': does not exist in Europe/Berlin, where the clock was set "
        "forward (rules.missing_time may be shift)",
    ),
    Fault(
        "spring: an hour that does not exist, read as if the clock was not set",
        times(f"{SPRING}02:30:00,{SPRING}03:31:00,,{SPRING}03:32:00"),
        rules(TIMES | BERLIN, missing_time="shift"),
        Row(3.5 * HOUR_S, 60, 60),
        {"missing_time": 1},
    ),
    Fault(
        "times of another zone than the center's",
        times("2025-07-01T23:30:00,2025-07-01T23:30:10,,2025-07-01T23:31:10"),
        TIMES | BERLIN | {"times": {"zone": "UTC"}},
        Row(1.5 * HOUR_S, 10, 60),  # the next day in Berlin
    ),
    Fault(
        "an offset without a time zone of the center",
        times("2025-07-01T09:00:00+02:00,,,"),
        TIMES,
        "column in = '2025-07-01T09:00:00+02:00': states its offset from UTC: needs mapping.time_zone",
    ),
    # --- midnight ---
    Fault(
        "a call over midnight, dates stated",
        times("2024-03-25T23:59:50,2024-03-26T00:00:20,,2024-03-26T00:02:20"),
        TIMES,
        Row(24 * HOUR_S - 10, 30, 120),
    ),
    Fault(
        "a call over midnight, clock times beside one date",
        rows("day,in,up,off,end", "2024-03-25,23:59:50,00:00:20,,00:02:20"),
        CLOCK,
        Row(24 * HOUR_S - 10, 30, 120),
        {"over_midnight": 1},
    ),
    Fault(
        "24:00 is the midnight that ends the day",
        times("2024-03-25T23:59:50,2024-03-25T24:00:00,,2024-03-26T00:01:00"),
        TIMES,
        Row(24 * HOUR_S - 10, 10, 60),
        {"hour_24": 1},
    ),
    Fault(
        "24:02:10, as some switches go on counting",
        rows("day,in,up,off,end", "2024-03-25,23:59:50,23:59:50,,24:02:10"),
        CLOCK,
        Row(24 * HOUR_S - 10, 0, 140),
        {"hour_24": 1},
    ),
    Fault(
        "60 seconds",
        rows("day,in,up,off,end", "2024-03-25,09:00:60,09:01:00,,09:02:00"),
        CLOCK,
        "column in = '09:00:60': must be a time of the day such as 13:47:05",
    ),
    # --- AM and PM ---
    Fault(
        "12:10 AM is ten past midnight",
        rows("day,in,up,off,end", "2024-03-25,12:10:00 AM,12:10:05 a.m.,,12:11:05am"),
        CLOCK,
        Row(600, 5, 60),
    ),
    Fault(
        "13:10 PM",
        rows("day,in,up,off,end", "2024-03-25,13:10:00 PM,,,"),
        CLOCK,
        "column in = '13:10:00 PM': must have an hour of 1 to 12 before AM or PM",
    ),
    # --- formats ---
    Fault(
        "the month before the day",
        times("03/25/2024 09:00,,,"),
        TIMES | {"times": {"format": "%d/%m/%Y %H:%M"}},
        "column in = '03/25/2024 09:00': must be a time in the form '%d/%m/%Y %H:%M', as times.format says",
    ),
    Fault(
        "epoch milliseconds",
        waits("1711357200000,10,100,OK"),
        WAITS | {"time_zone": "UTC", "times": {"format": "epoch_ms"}},
        KEPT,  # 1,711,357,200 s after 1970-01-01: 2024-03-25T09:00:00Z
    ),
    Fault(
        "epoch milliseconds taken for seconds",
        waits("1711357200000,10,100,OK"),
        WAITS | {"time_zone": "UTC", "times": {"format": "epoch_s"}},
        "must lie in 1970 to 2100; it may be milliseconds: times.format: epoch_ms",
    ),
    Fault(
        "epoch seconds taken for milliseconds",
        waits("1711357200,10,100,OK"),
        WAITS | {"time_zone": "UTC", "times": {"format": "epoch_ms"}},
        "must be milliseconds, and lies in 1970: it may be seconds: times.format: epoch_s",
    ),
    Fault(
        "epoch milliseconds that a spreadsheet has rounded",
        waits("1.71136E+12,10,100,OK"),
        WAITS | {"time_zone": "UTC", "times": {"format": "epoch_ms"}},
        "column in = '1.71136E+12': must have all its digits: a spreadsheet has rounded it",
    ),
    Fault(
        "a spreadsheet's serial",
        waits("45376.375,10,100,OK"),
        WAITS | {"times": {"format": "spreadsheet"}},
        KEPT,  # 45,376 days after 1899-12-30: 2024-03-25; 0.375 of a day: 09:00
    ),
    Fault(
        "a spreadsheet's serial with a decimal comma",
        rows("in;wait;work;how", "45376,375;10,0;100;OK"),
        WAITS | {"delimiter": ";", "times": {"format": "spreadsheet"}, "numbers": {"decimal": ","}},
        KEPT,
    ),
    Fault(
        "a spreadsheet's day and time in two columns",
        rows("day,in,up,off,end", "45376,0.375,0.37511574,,0.37627315"),
        CLOCK | {"times": {"format": "day_fraction", "date_format": "spreadsheet"}},
        KEPT,  # 10 and 110 s after 09:00, to the thousandth that eight digits of a day tell
    ),
    Fault(
        "24:00 in a form of its own",
        waits("25.03.2024 24:00:00,10,100,OK"),
        WAITS | {"times": {"format": "%d.%m.%Y %H:%M:%S"}},
        Row(0, 10, 100),
        {"hour_24": 1},
    ),
    Fault("lines that end as on another system", waits(GOOD).replace("\n", "\r\n"), WAITS, KEPT),
    Fault(
        "minutes and seconds alone, as a spreadsheet shows a time",
        waits("41:05.7,10,100,OK"),
        WAITS,
        "minutes and seconds alone, as spreadsheets show times, say neither day nor hour",
    ),
    Fault(
        "a date without a time",
        waits("2024-03-25,10,100,OK"),
        WAITS,
        "column in = '2024-03-25': must be a date and a time YYYY-MM-DDTHH:MM:SS",
    ),
    Fault("seven digits of a second", waits("2024-03-25T09:00:00.0000001,10,100,OK"), WAITS, KEPT),
    Fault("a year that is no year", waits("0024-03-25T09:00:00,10,100,OK"), WAITS, "must lie in 1970 to 2100"),
    Fault("a day that no calendar has", waits("2023-02-29T09:00:00,10,100,OK"), WAITS, "must be a time YYYY-MM-DDTHH"),
    # --- numbers ---
    Fault(
        "a decimal comma that the mapping does not know",
        rows("in;wait;work;how", "2024-03-25T09:00:00;10,5;100;OK"),
        WAITS | {"delimiter": ";"},
        "column wait = '10,5': must be a number (seconds) as mapping.numbers writes it: decimal '.'",
    ),
    Fault(
        "grouped thousands",
        rows("in;wait;work;how", "2024-03-25T09:00:00;10;1.100,25;OK"),
        WAITS | {"delimiter": ";", "numbers": {"decimal": ",", "thousands": "."}},
        Row(NINE, 10, 1100.25),
    ),
    Fault(
        "a decimal point taken for grouped thousands",
        waits("2024-03-25T09:00:00,10.5,100,OK"),
        WAITS | {"numbers": {"decimal": ",", "thousands": "."}},
        "column wait = '10.5': must be a number",
    ),
    Fault("a unit behind a number", waits("2024-03-25T09:00:00,10 s,100,OK"), WAITS, "column wait = '10 s': must be"),
    Fault("a spreadsheet's error", waits("2024-03-25T09:00:00,10,#REF!,OK"), WAITS, "column work = '#REF!': must be"),
    Fault("not a number", waits("2024-03-25T09:00:00,10,inf,OK"), WAITS, "column work = 'inf': must be a number"),
    Fault(
        "a clock text where seconds should be",
        waits("2024-03-25T09:00:00,00:00:10,100,OK"),
        WAITS,
        "column wait = '00:00:10': must be a number of seconds; clock texts need numbers.duration: h:mm:ss or mm:ss",
    ),
    Fault(
        "durations of minutes and seconds",
        waits("2024-03-25T09:00:00,0:10,1:40,OK"),
        WAITS | {"numbers": {"duration": "mm:ss"}},
        KEPT,
    ),
    Fault(
        "milliseconds taken for seconds",
        waits("2024-03-25T09:00:00,10,100000,OK"),
        WAITS,
        "column work = '100000': a handle time of 100000 s: must be <= 43200 seconds (rules.too_long may be leave_out)",
    ),
    # --- waits and handle times ---
    Fault(
        "a wait below zero",
        waits("2024-03-25T09:00:00,-2,100,OK"),
        WAITS,
        "log.csv, line 2, column wait = '-2': a wait of -2 s: must be >= 0 seconds (rules.wait_below_zero may be zero "
        "or leave_out)",
    ),
    Fault(
        "a wait below zero that counts as none",
        times("2024-03-25T09:00:02,2024-03-25T09:00:00,,2024-03-25T09:01:40"),
        rules(TIMES, wait_below_zero="zero"),
        Row(NINE + 2, 0, 100),
        {"wait_below_zero": 1},
    ),
    Fault(
        "abandoned after no wait",
        waits("2024-03-25T09:00:00,0,,AB"),
        WAITS,
        Row(NINE, 0, None, ABANDONED),
        {"abandoned_without_wait": 1},
    ),
    Fault(
        "abandoned after no wait, left out",
        waits("2024-03-25T09:00:00,0,,AB", GOOD),
        rules(WAITS, abandoned_without_wait="leave_out"),
        KEPT,
        {"abandoned_without_wait": 1},
    ),
    Fault("talk of no length", waits("2024-03-25T09:00:00,10,0,OK"), WAITS, Row(NINE, 10, 0), {"short_handle": 1}),
    Fault(
        "talk of no length, not a handle time",
        waits("2024-03-25T09:00:00,10,4,OK"),
        rules(WAITS, short_handle="not_stated", short_handle_s=10),
        Row(NINE, 10, None),
        {"short_handle": 1},
    ),
    Fault(
        "ended before it was answered",
        times("2024-03-25T09:00:00,2024-03-25T09:00:10,,2024-03-25T09:00:05"),
        TIMES,
        "a handle time of -5 s: must be >= 0 seconds (rules.handle_below_zero may be not_stated or leave_out)",
    ),
    Fault(
        "served without a handle time",
        waits("2024-03-25T09:00:00,10,,OK"),
        WAITS,
        "line 2, column work = '': must not be empty: tells the handle time of a contact that was served",
    ),
    Fault(
        "abandoned without a time",
        times("2024-03-25T09:00:00,,,"),
        TIMES,
        "column up = '': must not be empty: tells the wait (rules.no_wait may be not_stated or leave_out)",
    ),
    Fault(
        "a call that never joined the queue",
        times(",2024-03-25T09:00:10,,2024-03-25T09:00:20"),
        TIMES,
        "line 2, column in = '': must not be empty: when the contact joined its queue (rules.no_arrival may be",
    ),
    # --- outcomes, rows, ids ---
    Fault(
        "hung up in the voice-response unit", waits("2024-03-25T09:00:00,0,,IVR", GOOD), WAITS, KEPT, {"left_out": 1}
    ),
    Fault(
        "an outcome that the mapping does not know",
        waits("2024-03-25T09:00:00,10,100,Okay"),
        WAITS,
        "line 2, column how = 'Okay': no text of mapping.outcomes (OK, AB, IVR)",
    ),
    Fault(
        "a channel that the mapping does not know",
        rows("in,wait,work,how,by", f"{GOOD},phone"),
        WAITS | {"columns": {**WAITS["columns"], "channel": "by"}, "channels": [{"name": "voice", "texts": "Phone"}]},
        "line 2, column by = 'phone': no text of mapping.channels (Phone); did you mean 'Phone'? "
        "(rules.other_channel may be leave_out)",
    ),
    Fault(
        "a day that the log does not cover",
        waits("2024-03-24T23:59:00,10,100,OK", GOOD),
        WAITS | {"first_day": "2024-03-25"},
        KEPT,
        {"outside_days": 1},
    ),
    Fault(
        "a record delivered twice",
        rows("id,in,wait,work,how", f"7,{GOOD}", f"7,{GOOD}"),
        LEGS,
        "log.csv, line 3, column id = '7': stands in line 2 already (rules.repeated_id may be keep_first, keep_last or "
        "sum_handle)",
    ),
    Fault(
        "ids that a spreadsheet has rounded",
        rows("id,in,wait,work,how", f"4.91512E+11,{GOOD}", f"4.91512E+11,{GOOD}"),
        LEGS,
        "line 2, column id = '4.91512E+11': must have all its digits: a spreadsheet has rounded it",
    ),
    Fault(
        "another channel, whatever else is wrong with its row",
        rows("in,wait,work,how,by", f"{GOOD},phone", ",,,OK,fax"),
        rules(
            WAITS
            | {"columns": {**WAITS["columns"], "channel": "by"}, "channels": [{"name": "voice", "texts": "phone"}]},
            other_channel="leave_out",
        ),
        KEPT,
        {"other_channel": 1},
    ),
    Fault(
        "a transfer: the first leg's wait, the work of both",
        rows("id,in,wait,work,how", f"7,{GOOD}", "7,2024-03-25T09:01:50,0,50,OK"),
        rules(LEGS, repeated_id="sum_handle"),
        Row(NINE, 10, 150),
        {"repeated_id": 1},
    ),
    Fault("a row twice, without an id", waits(GOOD, GOOD), rules(WAITS, repeated_row="leave_out"), KEPT)._replace(
        cleaned={"repeated_row": 1}
    ),
    Fault("a blank row", waits(GOOD, ",,,", ""), WAITS, KEPT, {"blank_row": 2}),
    Fault("the header once more", waits(GOOD, "in,wait,work,how"), WAITS, KEPT, {"repeated_header": 1}),
    Fault(
        "a row cut off",
        waits("2024-03-25T09:00:00,10"),
        WAITS,
        "log.csv, line 2: 2 cells: must be 4, one per column (rules.broken_row may be leave_out",
    ),
    Fault(
        "a decimal comma among commas",
        waits("2024-03-25T09:00:00,10,5,100,OK"),
        WAITS,
        "log.csv, line 2: 5 cells: must be 4, one per column",
    ),
    Fault("a quote that is never closed", waits('2024-03-25T09:00:00,10,100,"OK'), WAITS, "not valid CSV"),
    Fault("spaces that nobody sees", waits("\u00a02024-03-25T09:00:00 , 10,100 ,OK\u00a0"), WAITS, KEPT),
    Fault("a byte order mark", "\ufeff" + waits(GOOD), WAITS, KEPT),
    Fault(
        "another delimiter",
        waits(GOOD).replace(",", ";"),
        WAITS,
        "mapping.columns.arrived = 'in': log.csv has no such column; its columns: in;wait;work;how; mapping.delimiter",
    ),
    Fault(
        "a column of another name",
        waits(GOOD).replace("wait", "waited"),
        WAITS,
        "mapping.columns.wait = 'wait': log.csv has no such column; did you mean 'waited'?",
    ),
    Fault("a column twice", waits(GOOD).replace("work,how", "wait,how"), WAITS, "'wait': stands twice in the header"),
    Fault(
        "nothing below the header", waits(), WAITS, "log.csv: no contacts: must have a row below the header at least"
    ),
    Fault(
        "nothing but what is left out",
        waits("2024-03-25T09:00:00,0,,IVR"),
        WAITS,
        "log.csv: no contacts: rows by cleaning rule: left_out 1",
    ),
]


def log_file(folder: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    file = Path("log.csv")
    file.write_text(fault.text, encoding="utf-8", newline="")
    return file


def mapping_of(fault: Fault) -> LogMapping:
    return validate(as_document(fault.mapping), LogMapping, "mapping")


def test_there_are_forty_faults():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 40


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_gives_the_right_row_or_the_right_message(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = log_file(tmp_path, fault, monkeypatch)
    if isinstance(fault.expected, str):
        with pytest.raises(ConfigurationError) as refused:
            read_log(file, mapping_of(fault))
        assert fault.expected in str(refused.value)
        return
    log = read_log(file, mapping_of(fault))
    (contact,) = log.contacts
    stated = [np.nan if value is None else value for value in fault.expected]
    found = [contact[name] for name in ("arrived_s", "wait_s", "handle_s", "outcome")]
    np.testing.assert_allclose(found, stated, atol=1e-3)
    assert log.cleaned == fault.cleaned


def test_every_rule_has_a_meaning():
    choices = {name for name, field in Rules.model_fields.items() if field.annotation is not float}
    assert choices <= set(MEANINGS)
