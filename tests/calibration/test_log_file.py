"""Logs as systems export them, read by mappings that are shipped or written here; the rows are made up."""

import gzip
import math
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.configuration.document import dump_yaml
from envs.errors import ConfigurationError
from experiments.calibration.contact_log import ABANDONED, SERVED, ContactLog
from experiments.calibration.logs.log_file import read_log
from experiments.calibration.logs.mapping import LogMapping, load_mapping

EXAMPLES = Path(__file__).parent / "examples"


def day_of(log: ContactLog, i: int) -> date:
    return date.fromordinal(int(log.contacts["day"][i]))


def read(tmp_path: Path, text: str, **mapping) -> ContactLog:
    """Return a log of that text; the mapping is read from a file, as a user's is."""
    file = tmp_path / "mapping.yaml"
    file.write_text(dump_yaml(mapping), encoding="utf-8")
    log = tmp_path / "log.csv"
    log.write_text(text, encoding="utf-8")
    return read_log(log, load_mapping(file))


def test_the_bank_log():
    log = read_log(EXAMPLES / "bank.csv", load_mapping("bank"))
    # The last call enters the queue 10 s after midnight of Tuesday, the last day of the log: Wednesday is not covered.
    assert log.cleaned == {"left_out": 1, "hour_24": 1, "outside_days": 1}
    assert [date.fromordinal(int(day)) for day in log.days] == [date(1999, 2, 1), date(1999, 2, 2)]
    assert log.contacts["arrived_s"].tolist() == [36010, 36065]
    assert log.contacts["wait_s"].tolist() == [0, 40]
    assert log.contacts["outcome"].tolist() == [SERVED, ABANDONED]
    assert log.contacts["priority"].tolist() == [0, 90]
    assert log.contacts["rep"].tolist() == [0, -1]
    assert log.reps == ("3",)
    assert log.contacts["customer"].tolist() == [-1, 0]
    assert log.contacts["line"].tolist() == [2, 3]


def test_amazon_connect():
    log = read_log(EXAMPLES / "amazon_connect.csv", load_mapping("amazon_connect", ["time_zone=America/Chicago"]))
    # a-1 was delivered twice; a-3 was never queued, a-4 was dialled by a rep.
    assert log.cleaned == {"leave_out": 1, "no_arrival": 1, "repeated_id": 1}
    assert log.channels == ("voice", "chat", "task")
    assert log.kinds == ("real_time", "real_time", "deferred")
    voice = log.contacts[log.contacts["channel"] == 0]
    assert voice["arrived_s"].tolist() == [3 * 3600, 3 * 3600 + 60]  # six hours behind UTC in March before the change
    assert voice["wait_s"].tolist() == [12, 90]
    assert voice["handle_s"][0] == 180 + 20 + 45
    assert math.isnan(voice["handle_s"][1])
    (task,) = log.contacts[log.contacts["channel"] == 2]
    assert task["wait_s"] == 22 * 3600 + 54 * 60  # over night: no wait is too long on a deferred channel


def test_genesys_cloud():
    log = read_log(EXAMPLES / "genesys_cloud.csv", load_mapping("genesys_cloud"))
    assert log.cleaned == {"only": 1, "no_wait": 1}
    assert log.contacts["arrived_s"].tolist() == [9 * 3600 + 0.25, 9 * 3600 + 60, 9 * 3600 + 240]
    assert log.contacts["wait_s"].tolist() == [12, 90.5, 3]
    assert log.contacts["outcome"].tolist() == [SERVED, ABANDONED, SERVED]
    np.testing.assert_array_equal(log.contacts["handle_s"], [245, np.nan, 420])
    assert log.contacts["channel"].tolist() == [0, 0, 1]


def test_zendesk_talk():
    log = read_log(EXAMPLES / "zendesk_talk.csv", load_mapping("zendesk_talk"))
    assert log.cleaned == {"only": 1, "left_out": 1}
    assert log.contacts["arrived_s"].tolist() == [9 * 3600 + 20, 9 * 3600 + 75]  # after the voice-response unit
    assert log.contacts["wait_s"].tolist() == [12, 90]
    np.testing.assert_array_equal(log.contacts["handle_s"], [245, np.nan])


def test_dates_and_clock_times_with_am_and_pm(tmp_path):
    log = read(
        tmp_path,
        "call,date,started,answered,ended\n1,3/25/2024,12:00:05 AM,12:00:05 AM,12:03:25 AM\n"
        "2,3/25/2024,12:40:00 PM,12:41:15 PM,12:44:15 PM\n",
        times={"format": "%I:%M:%S %p", "date_format": "%m/%d/%Y"},
        columns={"id": "call", "date": "date", "arrived": "started", "answered": "answered", "ended": "ended"},
    )
    assert day_of(log, 0) == date(2024, 3, 25)
    assert log.contacts["arrived_s"].tolist() == [5, 12 * 3600 + 2400]
    assert log.contacts["wait_s"].tolist() == [0, 75]
    assert log.contacts["handle_s"].tolist() == [200, 180]


def test_a_queue_time_of_zero_where_nobody_waited_and_an_end_after_24_00(tmp_path):
    log = read(
        tmp_path,
        "date,left_unit,q_start,q_exit,outcome,start,end,server\n"
        "240325,9:10:00,9:10:00,9:12:30,HANG,0:00:00,0:00:00,NONE\n"
        "240325,23:59:40,0:00:00,0:00:00,AGENT,23:59:40,24:01:40,ANN\n",
        times={"format": "clock", "date_format": "%y%m%d"},
        columns={
            "date": "date",
            "arrived": ["q_start", "left_unit"],
            "answered": "start",
            "abandoned": "q_exit",
            "ended": "end",
            "outcome": "outcome",
            "rep": "server",
        },
        outcomes={"served": "AGENT", "abandoned": "HANG"},
        not_stated_in={"q_start": "0:00:00", "start": "0:00:00", "server": "NONE"},
    )
    assert log.contacts["wait_s"].tolist() == [150, 0]
    np.testing.assert_array_equal(log.contacts["handle_s"], [np.nan, 120])
    assert log.reps == ("ANN",)
    assert log.cleaned == {"hour_24": 1}


LEGS = (
    "Call;Time;Direction;Ringing;Talking\n4;25.03.2024 10:00:00;Inbound;00:00:20;00:01:40\n"
    "4;25.03.2024 10:00:20;Transfer;00:00:00;00:05:00\nTotals;;;00:00:20;00:06:40\n"
)


@pytest.mark.parametrize(("rule", "handle_s"), [("keep_first", 100), ("keep_last", 300), ("sum_handle", 100 + 300)])
def test_the_legs_of_a_transfer(tmp_path, rule: str, handle_s: float):
    log = read(
        tmp_path,
        LEGS,
        delimiter=";",
        times={"format": "%d.%m.%Y %H:%M:%S"},
        numbers={"duration": "h:mm:ss"},
        columns={"id": "Call", "arrived": "Time", "wait": "Ringing", "handle": "Talking"},
        leave_out={"Call": "Totals"},
        rules={"repeated_id": rule},
    )
    assert log.contacts["handle_s"].tolist() == [handle_s]
    assert log.cleaned == {"leave_out": 1, "repeated_id": 1}


def test_counts_of_intervals_are_as_many_contacts(tmp_path):
    log = read(
        tmp_path,
        "Date,Interval,Handled,Aband,Talk\n03/25/2024,09:00-09:30,4,1,240\n03/25/2024,09:30-10:00,0,0,\n",
        times={"format": "interval", "date_format": "%m/%d/%Y"},
        columns={
            "date": "Date",
            "arrived": "Interval",
            "served_count": "Handled",
            "abandoned_count": "Aband",
            "handle": "Talk",
        },
    )
    # Five contacts in 1800 s: every 360 s, the first after half of that; the third is the one abandoned.
    assert log.contacts["arrived_s"].tolist() == [9 * 3600 + 180 + 360 * i for i in range(5)]
    assert log.contacts["outcome"].tolist() == [SERVED, SERVED, ABANDONED, SERVED, SERVED]
    assert np.isnan(log.contacts["wait_s"]).all()
    assert np.nansum(log.contacts["handle_s"]) == 4 * 240
    assert log.cleaned == {"summary_row": 2}


def test_a_table_of_r_with_row_names_and_not_available(tmp_path):
    log = read(
        tmp_path,
        '"","day","channel","at_s","handle_s"\n"1","0","voice",10,NA\n"2","0","voice",70,30\n',
        times={"format": "seconds", "date_format": "days", "day_zero": "2024-03-25"},
        columns={"date": "day", "arrived": "at_s", "handle": "handle_s", "channel": "channel"},
        channels=[{"name": "voice", "texts": "voice"}],
        rules={"no_handle": "not_stated"},
    )
    assert np.isnan(log.contacts["wait_s"]).all()
    np.testing.assert_array_equal(log.contacts["handle_s"], [np.nan, 30])
    assert log.cleaned == {"no_handle": 1}


def test_a_comma_behind_the_last_column(tmp_path):
    log = read(
        tmp_path,
        "Call,Date,Time,Answered,Agent,\n1,2024-03-25,14:10:00,14:10:25,9,\n",
        times={"format": "clock"},
        columns={"id": "Call", "date": "Date", "arrived": "Time", "answered": "Answered", "rep": "Agent"},
    )
    assert log.contacts["wait_s"].tolist() == [25]
    assert np.isnan(log.contacts["handle_s"]).all()  # the log says nothing of it, and so nothing is cleaned
    assert log.cleaned == {}


def test_a_compressed_log_is_the_same(tmp_path):
    packed = tmp_path / "log.csv.gz"
    packed.write_bytes(gzip.compress((EXAMPLES / "bank.csv").read_bytes()))
    log, plain = (read_log(file, load_mapping("bank")) for file in (packed, EXAMPLES / "bank.csv"))
    assert log.digest == plain.digest
    assert log.contacts.tobytes() == plain.contacts.tobytes()


def test_days_without_contacts_are_covered(tmp_path):
    log = read(
        tmp_path,
        "at\n2024-03-25T09:00:00\n2024-03-28T09:00:00\n",
        columns={"arrived": "at"},
    )
    assert len(log.days) == 4
    assert len(log.contacts) == 2


def test_a_mistyped_date_is_no_month_without_contacts(tmp_path):
    with pytest.raises(
        ConfigurationError, match=r"no contact for 3651 days, between 2024-03-26 \(line 3\) and 2034-03"
    ):
        read(
            tmp_path,
            "at\n2024-03-25T09:00:00\n2024-03-26T09:00:00\n2034-03-26T09:00:00\n",
            columns={"arrived": "at"},
        )


def test_the_days_that_a_log_covers_can_be_stated(tmp_path):
    log = read(
        tmp_path,
        "at\n2024-03-24T23:00:00\n2024-03-25T09:00:00\n",
        columns={"arrived": "at"},
        first_day="2024-03-25",
        last_day="2024-03-31",
    )
    assert [date.fromordinal(int(day)) for day in log.days[[0, -1]]] == [date(2024, 3, 25), date(2024, 3, 31)]
    assert log.cleaned == {"outside_days": 1}


@pytest.mark.parametrize("days", [{"first_day": "2030-01-01"}, {"last_day": "2020-01-01"}])
def test_days_without_any_contact_are_refused(tmp_path, days):
    with pytest.raises(ConfigurationError, match="no contacts on the days that it is to cover"):
        read(tmp_path, "at\n2024-03-24T23:00:00\n", columns={"arrived": "at"}, **days)


def test_contacts_are_in_order_of_time(tmp_path):
    log = read(
        tmp_path,
        "at,who\n2024-03-25T10:00:00,b\n2024-03-25T09:00:00,a\n",
        columns={"arrived": "at", "customer": "who"},
    )
    assert log.contacts["line"].tolist() == [3, 2]
    assert log.contacts["customer"].tolist() == [1, 0]  # numbered as the file names them


def test_every_shipped_mapping_has_an_example():
    shipped = Path(__file__).resolve().parents[2] / "configs" / "mappings"
    names = {file.stem for file in shipped.glob("*.yaml")}
    assert names == {file.stem for file in EXAMPLES.glob("*.csv")}
    assert all(isinstance(load_mapping(name), LogMapping) for name in names)


ROWS = {
    "2024-03-25T09:00:00,10,100,OK": "contact",
    "2024-03-25T09:00:00,-1,100,OK": "wait_below_zero",
    "2024-03-25T09:00:00,0,,IVR": "left_out",
    "2024-03-25T09:00:00,0,,AB": "abandoned_without_wait",
    ",10,100,OK": "no_arrival",
    "2024-03-25T09:00:00,10": "broken_row",
    ",,,": "blank_row",
    "at,wait,work,how": "repeated_header",
    "2024-04-25T09:00:00,10,100,OK": "outside_days",
}
"""Rows of which each is a contact, or left out by one rule."""


@given(st.lists(st.sampled_from(list(ROWS)), max_size=30))
@settings(max_examples=40)
def test_every_row_is_a_contact_or_counted_under_one_rule(lines: list[str]):
    mapping = LogMapping.model_validate(
        {
            "columns": {"arrived": "at", "wait": "wait", "handle": "work", "outcome": "how"},
            "outcomes": {"served": "OK", "abandoned": "AB", "left_out": "IVR"},
            "last_day": date(2024, 3, 31),
            "rules": dict.fromkeys(
                ("wait_below_zero", "abandoned_without_wait", "no_arrival", "broken_row"), "leave_out"
            ),
        }
    )
    contact = "2024-03-25T09:00:00,10,100,OK"  # one at least, since a log without contacts is refused
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log.csv"
        file.write_text("\n".join(("at,wait,work,how", contact, *lines)) + "\n", encoding="utf-8")
        log = read_log(file, mapping)
    expected = Counter(ROWS[line] for line in (contact, *lines))
    assert len(log.contacts) == expected.pop("contact")
    found = Counter(log.cleaned)
    del found["repeated_row"]  # counted besides, and kept
    assert found == expected
