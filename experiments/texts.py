"""Numbers as texts: durations, clock times, amounts of money, shares; and what of them JSON knows.

Room: `experiments`. Touches nothing.
"""

import csv
import io
import math
from collections.abc import Iterable
from typing import Any

from envs.interface.units import DAY_S, HOUR_S
from experiments.intervals import Interval

UNDEFINED = (
    "-: not defined: there was nothing to count (a share of no contacts), or in too few episodes for an interval."
)
"""What a dash in a table means."""


def duration_text(duration_s: float) -> str:
    """Return a duration in the unit that suits its size: `45 s`, `8 min`, `12 h`, `2 days`."""
    for unit_s, unit in ((DAY_S, "days"), (HOUR_S, "h"), (60.0, "min")):
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
    """Return an amount as text: with cents below 100; `-` where it is not defined."""
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"


def digits_text(value: float | None) -> str:
    """Return a number with four digits that count, whole from 1,000 on; `-` where there is none."""
    return "-" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def percent_text(frac: float) -> str:
    """Return a share in per cent; `-` where it is not defined."""
    return "-" if math.isnan(frac) else f"{100 * frac:.1f} %"


def percent_interval_text(interval: Interval) -> str:
    """Return a share in per cent with its interval, if it has one, as text."""
    if math.isnan(interval.mean) or math.isnan(interval.low):
        return percent_text(interval.mean)
    return f"{percent_text(interval.mean)} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def list_text(items: Iterable[str]) -> str:
    """Return items as one text with commas between them; one that has a comma or a quote itself is put in quotes."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(items)
    return text.getvalue()


def warning_text(reason: str | None) -> str:
    """Return what stands behind a cost that has no interval for this reason; nothing where it has one."""
    return "" if reason is None else f" (warning: {reason})"


def interval_json(interval: Interval) -> dict[str, float | None]:
    """Return an interval as JSON has it: mean, low and high."""
    return {end: json_number(value) for end, value in interval._asdict().items()}


def json_number(value: float) -> float | None:
    """Return a number as JSON has it: None where it is not defined (NaN) or infinite."""
    return value if math.isfinite(value) else None
