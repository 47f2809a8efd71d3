"""Numbers as texts: in few digits, in per cent, and what JSON has no word for."""

import json
import math

import pytest

from experiments.cli.options import split_list
from experiments.intervals import Interval
from experiments.texts import digits_text, json_number, list_text, percent_interval_text, percent_text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.123456, "0.1235"), (999.96, "1,000"), (1234.6, "1,235"), (-12.0, "-12")]
)
def test_four_digits_and_whole_thousands(value, text):
    assert digits_text(value) == text


def test_shares_in_per_cent():
    assert percent_text(0.8025) == "80.2 %"
    assert percent_text(math.nan) == "-"
    assert percent_interval_text(Interval(0.5, 0.25, 0.75)) == "50.0 % (25.0 to 75.0)"
    assert percent_interval_text(Interval(0.5, math.nan, math.nan)) == "50.0 %"
    assert percent_interval_text(Interval(math.nan, math.nan, math.nan)) == "-"


def test_what_is_no_number_of_json_is_null():
    found = [json_number(value) for value in (1.5, 0.0, math.nan, math.inf, -math.inf)]
    assert json.dumps(found, allow_nan=False) == "[1.5, 0.0, null, null, null]"


@pytest.mark.parametrize(
    ("items", "text"),
    [
        (["fifo"], "fifo"),
        (["fifo", "cmu"], "fifo,cmu"),
        (["learned=a run, the second/policy.onnx", "fifo"], '"learned=a run, the second/policy.onnx",fifo'),
        (['a "b".onnx', "fifo"], '"a ""b"".onnx",fifo'),
    ],
)
def test_a_list_with_commas_between_its_items_is_read_as_it_was_written(items, text):
    assert list_text(items) == text
    assert split_list(text) == items


def test_an_empty_list_of_policies_has_one_item_without_a_name():
    assert split_list("") == [""]
