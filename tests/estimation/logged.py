"""Logs for the tests of the estimators, made from a few lists."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from experiments.calibration.contact_log import ABANDONED, LOGGED, SERVED, ContactLog

FIRST_DAY = date(2024, 1, 7).toordinal()  # a Sunday


def contacts(rows: Sequence[Sequence[float]]) -> np.ndarray:
    """Return `LOGGED` records of (day, arrived_s, wait_s, handle_s or NaN if abandoned, rep), in order of time."""
    found = np.zeros(len(rows), LOGGED)
    for place, (day, arrived_s, wait_s, handle_s, rep) in enumerate(sorted(rows)):
        outcome = ABANDONED if np.isnan(handle_s) else SERVED
        found[place] = (day, arrived_s, wait_s, outcome, handle_s, 0, 0.0, rep, -1, np.nan, place + 2)
    return found


def log_of(found: np.ndarray, reps: int, days: Sequence[int] | None = None) -> ContactLog:
    """Return a log of one channel `voice`."""
    covered = np.unique(found["day"]) if days is None else np.array(days)
    names = tuple(str(rep) for rep in range(reps))
    return ContactLog(found, covered, ("voice",), ("real_time",), names, {}, "made up", "0" * 64)


def queue_log(days: int, calls: int, reps: int, handle_s: float, seed: int = 0) -> ContactLog:
    """Return a log of a center first come, first served: Poisson calls between 8:00 and 12:00, exponential handle times
    and patience of 120 s, every rep there from 8:00 on."""
    drawn = np.random.default_rng(seed)
    rows = []
    for day in range(FIRST_DAY, FIRST_DAY + days):
        free_s = np.full(reps, 8 * 3600.0)
        for arrived_s in np.sort(drawn.uniform(8 * 3600.0, 12 * 3600.0, calls)):
            rep = int(np.argmin(free_s))
            wait_s, patience_s = max(free_s[rep] - arrived_s, 0.0), drawn.exponential(120.0)
            if patience_s < wait_s:
                rows.append((day, arrived_s, patience_s, np.nan, -1))
                continue
            took_s = drawn.exponential(handle_s)
            free_s[rep] = arrived_s + wait_s + took_s
            rows.append((day, arrived_s, wait_s, took_s, rep))
    return log_of(contacts(rows), reps)
