"""The reps' time that a clairvoyant may use, window by window of the horizon.

Room: `experiments.bounds`. Reads shifts of the parameters; part of the bound of
`experiments.bounds.clairvoyant_bound`.
"""

import math
from typing import Any

import numpy as np

from envs.interface.units import DAY_S, HOUR_S
from envs.scenario.scenario import Scenario
from envs.simulator.machine.state import (
    BREAK_END,
    BREAK_START,
    SHIFT_END,
    SHIFT_START,
)

PERIOD_S = 7 * DAY_S
"""A longer horizon falls apart into periods, each with a program of its own."""
MAX_WINDOWS = 1500
"""Windows of a period in which callers are served, at most so many; deferred work has hours."""
WINDOWS_PER_HOUR = (60, 30, 20, 15, 12, 10, 6, 4, 2, 1)


class Floor:
    """The time of the reps on the floor in one episode, by pools of reps with the same skills.

    Attributes:
        n_windows: windows of `window_s` seconds, as many in each hour.
        present_s: [pools, windows] rep seconds on the floor.
        served_by: for each queue the pools that serve it.
        departures: for each kind of departure its price, USD per rep second after it, and its times for each pool, one
            entry for each contact that can be in hand.
    """

    def __init__(self, scenario: Scenario, changes: list[Any], absences: set[tuple[int, float]]) -> None:
        self.horizon_s = scenario.horizon.days * DAY_S
        hours = math.ceil(self.horizon_s / HOUR_S)
        hours_of_period = min(hours, PERIOD_S / HOUR_S)
        self.per_hour = next(n for n in WINDOWS_PER_HOUR if n * hours_of_period <= MAX_WINDOWS)
        self.window_s = HOUR_S / self.per_hour
        self.n_windows = hours * self.per_hour
        skill_sets = sorted({tuple(sorted(group.skills)) for group in scenario.groups})
        self.served_by = [
            tuple(k for k, skills in enumerate(skill_sets) if channel.name in skills) for channel in scenario.channels
        ]
        pools = [
            (skill_sets.index(tuple(sorted(group.skills))), scenario.most_held(group))
            for group in scenario.groups
            for _ in range(group.count)
        ]
        weight = scenario.costs.weights.get("handling", 1.0)
        price_usd_per_s = weight * scenario.costs.overtime_usd_per_hour / HOUR_S
        ends: list[list[float]] = [[] for _ in skill_sets]
        pauses: list[list[float]] = [[] for _ in skill_sets]
        edges_s = np.arange(self.n_windows + 1) * self.window_s
        self.present_s = np.zeros((len(skill_sets), self.n_windows))
        since_s: dict[int, float] = {}
        missing: set[int] = set()

        def leave(rep: int, time_s: float) -> None:
            start_s = since_s.pop(rep, None)
            if start_s is not None:
                self.present_s[pools[rep][0]] += np.diff(np.clip(edges_s, start_s, time_s))

        for time_s, kind, rep, _ in changes:
            if kind == SHIFT_START and (rep, time_s) in absences:
                missing.add(rep)
            if rep in missing:
                if kind == SHIFT_END:
                    missing.remove(rep)
                continue
            pool, held = pools[rep]
            if kind in (SHIFT_START, BREAK_END):
                since_s[rep] = time_s
            elif kind == BREAK_START:
                leave(rep, time_s)
                pauses[pool] += [time_s] * held
            else:
                leave(rep, time_s)
                ends[pool] += [time_s] * held
        for rep, (pool, held) in enumerate(pools):
            leave(rep, self.horizon_s)
            pauses[pool] += [self.horizon_s] * held
        self.departures = [
            (price_usd_per_s, [np.sort(np.array(times)) for times in ends]),
            (0.0, [np.sort(np.array(times)) for times in pauses]),
        ]
