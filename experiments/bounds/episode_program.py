"""The linear program of one episode: which way each contact takes, within the reps' time.

Room: `experiments.bounds`. Touches ways and windows; solved by `experiments.bounds.linear_program`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from envs.interface.units import (
    DAY_S,
    HOUR_S,
    NOBODY,
)
from experiments.bounds.floor_time import PERIOD_S, Floor
from experiments.bounds.linear_program import LinearProgram
from experiments.bounds.way import Way


def least_cost_usd(floor: Floor, choices: list[list[Way]], start_s: float = 0.0) -> float:
    """Return the least total cost of letting each contact that comes in the period from `start_s` end in one of its
    ways, or in shares of several, USD. Work that may be done after the period takes nobody's time."""
    end_s = start_s + PERIOD_S
    inside = [
        ways
        for ways in choices
        if start_s <= max(way.release_s for way in ways) < end_s
        and all(way.work_s <= 0.0 or way.deadline_s <= end_s or way.cost_usd > 0.0 for way in ways)
    ]
    inside = [[way._replace(work_s=0.0) if way.deadline_s > end_s else way for way in ways] for ways in inside]
    return _Program(floor, inside, start_s).solve() if inside else 0.0


class _Program:
    """The linear program: columns are shares of ways, work done in a window, and work carried to the next one."""

    def __init__(self, floor: Floor, choices: list[list[Way]], start_s: float) -> None:
        self._floor = floor
        self._start_s = start_s
        self._linear = LinearProgram()
        self._departure_rows: dict[tuple[int, int], int] = {}
        # (deferred or not, pools, last window) -> first window -> work of a way's column, hours
        self._classes: dict[tuple[bool, tuple[int, ...], int], dict[int, list[tuple[int, float]]]] = {}
        self._hour_s = floor.present_s.reshape(len(floor.present_s), -1, floor.per_hour).sum(axis=2)
        for ways in choices:
            self._add_contact(ways)
        self._add_work()

    def solve(self) -> float:
        """Return the value of the program."""
        return max(self._linear.minimum(), 0.0)

    def _add_contact(self, ways: list[Way]) -> None:
        row = self._linear.add_equal_row(1.0)
        for way in ways:
            if way.work_s <= 0.0:
                self._linear.put_equal(row, self._linear.add_column(way.cost_usd), 1.0)
                continue
            self._add_regular(row, way)
            for kind, (price_usd_per_s, times_s) in enumerate(self._floor.departures):
                if any(_is_between(times_s[k], way) for k in self._floor.served_by[way.queue]):
                    column = self._linear.add_column(way.cost_usd + price_usd_per_s * way.work_s)
                    self._linear.put_equal(row, column, 1.0)
                    self._limit_in_hand(kind, way, column)

    def _add_regular(self, row: int, way: Way) -> None:
        """Let the work of `way` be done while reps are on the floor, if any are."""
        floor = self._floor
        is_deferred = way.deadline_s - way.release_s > HOUR_S
        length_s = HOUR_S if is_deferred else floor.window_s
        pools = floor.served_by[way.queue]
        present_s = self._present_s(is_deferred, pools)
        first = int(way.release_s / length_s)
        last = min(max(math.ceil(way.deadline_s / length_s) - 1, first), len(present_s) - 1)
        open_windows = np.flatnonzero(present_s[first : last + 1] > 0.0)
        if len(open_windows) == 0:
            return
        column = self._linear.add_column(way.cost_usd)
        self._linear.put_equal(row, column, 1.0)
        work = self._classes.setdefault((is_deferred, pools, first + int(open_windows[-1])), {})
        work.setdefault(first + int(open_windows[0]), []).append((column, way.work_s / HOUR_S))

    def _present_s(self, is_deferred: bool, pools: tuple[int, ...]) -> NDArray[np.float64]:
        present_s = self._hour_s if is_deferred else self._floor.present_s
        return np.asarray(present_s[list(pools)].sum(axis=0))

    def _limit_in_hand(self, kind: int, way: Way, column: int) -> None:
        """Count `column` among the contacts in hand as reps leave: of all, and of its day where it lies within one."""
        times_s = np.concatenate(self._floor.departures[kind][1])
        day = int(way.release_s / DAY_S)
        days = [NOBODY]
        if way.deadline_s < (day + 1) * DAY_S or way.deadline_s == self._floor.horizon_s <= (day + 1) * DAY_S:
            days.append(day)
        for place in days:
            if (kind, place) not in self._departure_rows:
                from_s, length_s = (self._start_s, PERIOD_S) if place == NOBODY else (place * DAY_S, DAY_S)
                within = (times_s >= from_s) & (times_s <= from_s + length_s)
                self._departure_rows[kind, place] = self._linear.add_most_row(float(np.count_nonzero(within)))
            self._linear.put_most(self._departure_rows[kind, place], column, 1.0)

    def _add_work(self) -> None:
        """Let the work of each class, which shares pools and deadline, be done or carried on from window to window."""
        rows: dict[tuple[bool, int, int], int] = {}
        for (is_deferred, pools, last), released in self._classes.items():
            present_s = self._present_s(is_deferred, pools)
            first = min(released)
            windows = first + np.flatnonzero(present_s[first : last + 1] > 0.0)
            carried: int | None = None
            for window in windows.tolist():
                row = self._linear.add_equal_row(0.0)
                for column, work in released.get(window, []):
                    self._linear.put_equal(row, column, work)
                if carried is not None:
                    self._linear.put_equal(row, carried, 1.0)
                if window < last:
                    carried = self._linear.add_column(0.0)
                    self._linear.put_equal(row, carried, -1.0)
                for pool in pools:
                    done = self._linear.add_column(0.0)
                    self._linear.put_equal(row, done, -1.0)
                    hour = window if is_deferred else window // self._floor.per_hour
                    keys = [(True, pool, hour)] if is_deferred else [(True, pool, hour), (False, pool, window)]
                    for key in keys:
                        if key not in rows:
                            limit_s = (self._hour_s if key[0] else self._floor.present_s)[key[1], key[2]]
                            rows[key] = self._linear.add_most_row(float(limit_s) / HOUR_S)
                        self._linear.put_most(rows[key], done, 1.0)


def _is_between(times_s: NDArray[np.float64], way: Way) -> bool:
    """Return True if one of the sorted `times_s` lies between release and deadline of `way`."""
    place = int(np.searchsorted(times_s, way.release_s))
    return place < len(times_s) and bool(times_s[place] <= way.deadline_s)
