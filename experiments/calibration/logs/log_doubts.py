"""What of a log looks like a mistake of its mapping, though every row could be read.

Room: `experiments.calibration.logs`. Pure.
"""

from datetime import date

import numpy as np

from envs.interface.units import HOUR_S
from experiments.calibration.contact_log import ContactLog

LEAST_CONTACTS = 100
"""Of fewer contacts nothing is said."""
ONE_HOUR_FRAC = 0.9
SHORTEST_MEAN_S, LONGEST_MEAN_S = 5.0, 2.0 * HOUR_S
ONE_CUSTOMER_FRAC = 0.05
PART_OF_A_DAY_FRAC = 0.25


def log_doubts(log: ContactLog) -> list[str]:
    """Return one sentence for each doubt, with the numbers that raise it."""
    if len(log.contacts) < LEAST_CONTACTS:
        return []
    return [*_doubts_of_times(log), *_doubts_of_handle_times(log), *_doubts_of_customers(log), *_doubts_of_ends(log)]


def _doubts_of_times(log: ContactLog) -> list[str]:
    hours = np.bincount((log.contacts["arrived_s"] // HOUR_S).astype(np.int64), minlength=24)
    share, hour = hours.max() / len(log.contacts), int(hours.argmax())
    if share < ONE_HOUR_FRAC:
        return []
    return [
        f"{share:.0%} of the contacts come between {hour:02d}:00 and {hour + 1:02d}:00: times may be dates alone, or "
        "in another unit (mapping.times)"
    ]


def _doubts_of_handle_times(log: ContactLog) -> list[str]:
    doubts = []
    for i, name in enumerate(log.channels):
        handle_s = log.contacts["handle_s"][log.contacts["channel"] == i]
        handle_s = handle_s[np.isfinite(handle_s)]
        if len(handle_s) and not SHORTEST_MEAN_S <= handle_s.mean() <= LONGEST_MEAN_S:
            doubts.append(
                f"the mean handle time of {name} is {handle_s.mean():.3g} s: it may be in another unit "
                "(mapping.numbers.duration)"
            )
    return doubts


def _doubts_of_customers(log: ContactLog) -> list[str]:
    customers = log.contacts["customer"]
    counts = np.bincount(customers[customers >= 0]) if (customers >= 0).any() else np.zeros(1, np.int64)
    if counts.max() < ONE_CUSTOMER_FRAC * len(customers):
        return []
    line = log.contacts["line"][customers == counts.argmax()].min()
    return [
        f"one customer, first in line {line}, has {counts.max():,} of {len(customers):,} contacts: it may be a text "
        "for unknown customers (mapping.not_stated_in)"
    ]


def _doubts_of_ends(log: ContactLog) -> list[str]:
    """Doubt a first or last day that has far less than its weekday has otherwise, as in an export by days of another
    time zone."""
    counts = np.array([(log.contacts["day"] == day).sum() for day in log.days])
    doubts = []
    for place, key in ((0, "first_day"), (len(counts) - 1, "last_day")):
        others = np.delete(counts, place)[np.delete(log.days, place) % 7 == log.days[place] % 7]
        if len(others) and counts[place] < PART_OF_A_DAY_FRAC * others.mean():
            doubts.append(
                f"{date.fromordinal(int(log.days[place]))} has {counts[place]:,} contacts, other days of its weekday "
                f"{others.mean():,.0f}: the log may cover a part of it alone (mapping.{key})"
            )
    return doubts
