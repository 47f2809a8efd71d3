"""Numbers as texts: durations, clock times, amounts of money.

Room: `experiments`. Touches nothing.
"""

import math
from typing import Any

from envs.interface.units import DAY_S
from experiments.intervals import Interval


def duration_text(duration_s: float) -> str:
    """Return a duration in the unit that suits its size: `45 s`, `8 min`, `12 h`, `2 days`."""
    for unit_s, unit in ((DAY_S, "days"), (3600.0, "h"), (60.0, "min")):
        if duration_s >= 1.5 * unit_s or (unit != "days" and duration_s >= unit_s):
            return f"{duration_s / unit_s:.3g} {unit}"
    return f"{duration_s:.3g} s"


def clock_text(time_s: float) -> str:
    """Return a time of day such as `07:30`."""
    minutes = round(time_s / 60.0)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def number_text(value: Any) -> str:
    """Return a number in few digits, and anything else as it is."""
    if isinstance(value, int | float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{round(value, 2):g}"
    return str(value)


def usd_text(interval: Interval) -> str:
    """Return an amount in USD with its interval, if it has one, as text."""
    if math.isnan(interval.low):
        return amount_text(interval.mean)
    return f"{amount_text(interval.mean)} ({amount_text(interval.low)} to {amount_text(interval.high)})"


def amount_text(value: float) -> str:
    """Return an amount as text: with cents below 100."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
