"""What looks like a mistake of a mapping, in logs made up of a single kind of contact."""

from datetime import date

import numpy as np
import pytest

from experiments.calibration.contact_log import LOGGED, ContactLog
from experiments.calibration.logs.log_doubts import log_doubts

MONDAY = date(2024, 3, 4).toordinal()


def log_of(per_day: list[int], **columns) -> ContactLog:
    """Return a log with so many calls on each day from a Monday on, of 100 s each, spread over the day."""
    contacts = np.zeros(sum(per_day), LOGGED)
    contacts["day"] = np.repeat(MONDAY + np.arange(len(per_day)), per_day)
    contacts["arrived_s"] = np.linspace(0, 86_399, len(contacts))
    contacts["handle_s"] = 100.0
    contacts["rep"] = contacts["customer"] = -1
    contacts["line"] = np.arange(len(contacts)) + 2
    for name, values in columns.items():
        contacts[name] = values
    return ContactLog(contacts, MONDAY + np.arange(len(per_day)), ("voice",), ("real_time",), (), {}, "log.csv", "00")


TWO_WEEKS = [20] * 14


def test_an_ordinary_log_raises_no_doubt():
    assert log_doubts(log_of(TWO_WEEKS)) == []


def test_a_small_log_raises_none_either():
    assert log_doubts(log_of([10], arrived_s=0.0)) == []


@pytest.mark.parametrize(
    ("columns", "doubt"),
    [
        ({"arrived_s": 60.0}, "100% of the contacts come between 00:00 and 01:00"),
        ({"handle_s": 0.1}, "the mean handle time of voice is 0.1 s"),
        ({"handle_s": 10_000.0}, "the mean handle time of voice is 1e+04 s"),
        ({"customer": np.arange(280) % 19}, "one customer, first in line 2, has 15 of 280 contacts"),  # 5.4 %
    ],
)
def test_a_doubt_names_its_numbers(columns: dict, doubt: str):
    (found,) = log_doubts(log_of(TWO_WEEKS, **columns))
    assert found.startswith(doubt)


def test_a_customer_of_13_calls_in_280_is_none_too_many():
    assert log_doubts(log_of(TWO_WEEKS, customer=np.arange(280) % 22)) == []  # 4.6 %


def test_a_part_of_the_last_day_is_doubted():
    (found,) = log_doubts(log_of([*TWO_WEEKS, 4]))  # a Monday of 4 calls, where two Mondays had 20
    assert found.startswith("2024-03-18 has 4 contacts, other days of its weekday 20")
    assert log_doubts(log_of([*TWO_WEEKS, 5])) == []  # a quarter
