"""Cleaning rules: what a log's faults are called, and what is done about each.

Room: `experiments.calibration.logs`. Data only.

A row that a rule touches is counted under the rule's name, whatever is done with it; a rule that says `refuse` ends the
reading with a message instead.
"""

from typing import Literal

from pydantic import Field

from envs.configuration.quantities import Checked


class Rules(Checked):
    """What is done with rows that have a fault."""

    broken_row: Literal["refuse", "leave_out"] = "refuse"
    repeated_row: Literal["keep", "leave_out", "refuse"] = "keep"
    repeated_id: Literal["refuse", "keep_first", "keep_last", "sum_handle"] = "refuse"
    other_channel: Literal["refuse", "leave_out"] = "refuse"
    no_arrival: Literal["refuse", "leave_out"] = "refuse"
    ambiguous_time: Literal["shortest_wait", "refuse"] = "shortest_wait"
    missing_time: Literal["refuse", "shift"] = "refuse"
    wait_below_zero: Literal["refuse", "zero", "leave_out"] = "refuse"
    no_wait: Literal["refuse", "not_stated", "leave_out"] = "refuse"
    abandoned_without_wait: Literal["keep", "leave_out", "refuse"] = "keep"
    handle_below_zero: Literal["refuse", "not_stated", "leave_out"] = "refuse"
    no_handle: Literal["refuse", "not_stated", "leave_out"] = "refuse"
    short_handle: Literal["keep", "not_stated", "leave_out", "refuse"] = "keep"
    short_handle_s: float = Field(default=1.0, ge=0)
    too_long: Literal["refuse", "leave_out"] = "refuse"
    longest_wait_s: float = Field(default=43_200.0, gt=0)
    longest_handle_s: float = Field(default=43_200.0, gt=0)
    outside_days: Literal["leave_out", "refuse"] = "leave_out"


MEANINGS = {
    "blank_row": "nothing in any cell; left out",
    "repeated_header": "the header once more, as where files were joined; left out",
    "broken_row": "more or fewer cells than columns",
    "repeated_row": "every cell as in a row before, in a log without `columns.id`",
    "only": "a text that `only` does not list; left out",
    "leave_out": "a text that `leave_out` lists; left out",
    "left_out": "an outcome of `outcomes.left_out`: never joined the queue; left out",
    "other_channel": "a text that no channel lists",
    "no_arrival": "no column of `arrived` states a time",
    "hour_24": "24:00 and later: the day after",
    "over_midnight": "a clock time more than 12 hours before the arrival: the day after",
    "ambiguous_time": "an hour that comes twice when clocks are set back; `shortest_wait`: the reading that makes the "
    "wait shortest",
    "missing_time": "an hour that does not exist when clocks are set forward; `shift`: read as if they were not",
    "wait_below_zero": "answered or abandoned before the arrival",
    "no_wait": "neither a wait nor the times that tell it",
    "abandoned_without_wait": "abandoned after no wait",
    "handle_below_zero": "ended before it was answered",
    "no_handle": "served, and neither a handle time nor the times that tell it",
    "short_handle": "served in less than `short_handle_s`",
    "too_long": "a real-time wait beyond `longest_wait_s`, or a handle time beyond `longest_handle_s`",
    "repeated_id": "an id as in a row before: a transfer, or a record delivered again",
    "outside_days": "arrived before `first_day` or after `last_day`, or on a day after the last one of `columns.date`",
    "summary_row": "counts of an interval: as many contacts, spread evenly over it",
}
"""What each rule is about, by its name; those that `Rules` does not list are always handled in one way."""
