"""Who works when in a usual week: from the reps' activity, or else the staffing that explains the waits.

Room: `experiments.calibration.estimators`. Pure functions of arrays; `presence` tells who was there, `erlang_a` what
that comes to.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from envs.interface.units import DAY_S, WEEKDAYS
from experiments.calibration.estimators.erlang_a import erlang_a, interpolated

MOST_REPS = 4096
OCCUPANCY_FRAC = 0.85
"""Share of their time that reps are busy where the log tells neither reps nor waits."""
Floats = NDArray[np.float64]


def available_frac(present: Floats, rate_per_s: Floats, service_s: float, patience_s: float, abandoned: float) -> float:
    """Return the share of `present` reps (intervals,) that must have been available, so that a stationary Erlang-A
    queue in each interval, with arrivals at `rate_per_s`, loses `abandoned` of all contacts; at most 1, at least 0.2.

    A rep between two contacts may be on a break or at other work; this share is what the waits tell of it.
    """
    used = (rate_per_s > 0.0) & (present > 0.0)
    weight = rate_per_s[used] / max(float(rate_per_s[used].sum()), 1e-300)

    def surplus(share: float) -> float:
        lost = [
            interpolated(rate, service_s, patience_s, share * reps).abandoned_frac
            for rate, reps in zip(rate_per_s[used].tolist(), present[used].tolist(), strict=True)
        ]
        return float(weight @ np.array(lost)) - abandoned

    if not used.any() or surplus(1.0) >= 0.0:
        return 1.0
    if surplus(0.2) <= 0.0:
        return 0.2
    return float(optimize.brentq(surplus, 0.2, 1.0, xtol=1e-3))


def explaining_reps(rate_per_s: Floats, wait_s: Floats, service_s: float, patience_s: float) -> NDArray[np.int64]:
    """Return the number of reps in each interval whose stationary Erlang-A queue has the mean wait nearest to `wait_s`
    (on a logarithmic scale, from a second on), int64 (intervals,); 0 where nobody comes."""

    def surplus(rate: float, reps: int, wait: float) -> float:
        return math.log((erlang_a(rate, service_s, patience_s, reps).wait_s + 1.0) / (wait + 1.0))

    return _nearest_reps(rate_per_s, wait_s, surplus, lambda wait: math.log((wait + 2.0) / (wait + 1.0)))


def losing_reps(rate_per_s: Floats, lost_frac: float, service_s: float, patience_s: float) -> NDArray[np.int64]:
    """Return the number of reps in each interval whose stationary Erlang-A queue loses most nearly `lost_frac` of all
    contacts, int64 (intervals,); 0 where nobody comes."""

    def surplus(rate: float, reps: int, lost: float) -> float:
        return erlang_a(rate, service_s, patience_s, reps).abandoned_frac - lost

    return _nearest_reps(rate_per_s, np.full(len(rate_per_s), lost_frac), surplus, lambda _: 0.0)


def _nearest_reps(
    rate_per_s: Floats,
    wanted: Floats,
    surplus: Callable[[float, int, float], float],
    enough: Callable[[float], float],
) -> NDArray[np.int64]:
    """Return the number of reps in each interval for which `surplus(rate, reps, wanted)`, which falls with each rep, is
    nearest to 0: the first one with which it is at most `enough(wanted)`, or the one before."""
    found = np.zeros(len(rate_per_s), np.int64)
    for i, (rate, want) in enumerate(zip(rate_per_s.tolist(), wanted.tolist(), strict=True)):
        if rate <= 0.0:
            continue
        low, high = 0, 1
        while surplus(rate, high, want) > enough(want) and high < MOST_REPS:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if surplus(rate, middle, want) > enough(want) else (low, middle)
        before = max(high - 1, 1)
        found[i] = high if abs(surplus(rate, high, want)) <= abs(surplus(rate, before, want)) else before
    return found


def usual_reps(rate_per_s: Floats, service_s: float) -> NDArray[np.int64]:
    """Return the number of reps in each interval who are busy `OCCUPANCY_FRAC` of their time, int64 (intervals,)."""
    return np.ceil(rate_per_s * service_s / OCCUPANCY_FRAC).astype(np.int64)


def shifts_of(
    levels: Mapping[str, NDArray[np.int64]], interval_s: float, skills: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return groups of reps, as a scenario states them, of whom `levels[weekday][k]` are there in interval k of a day.

    The r-th rep is there wherever the level is at least r: one staircase below the other. Reps of equal shifts are a
    group; the shifts of weekdays that are equal are one.
    """
    most = max((int(level.max(initial=0)) for level in levels.values()), default=0)
    groups: list[dict[str, Any]] = []
    for rep in range(1, most + 1):
        shifts: dict[tuple[str, str], list[str]] = {}
        for weekday in WEEKDAYS:
            for span in _runs(levels[weekday] >= rep, interval_s) if weekday in levels else []:
                shifts.setdefault(span, []).append(weekday)
        stated = [{"weekdays": days, "start": span[0], "end": span[1]} for span, days in shifts.items()]
        if groups and groups[-1]["shifts"] == stated:
            groups[-1]["count"] += 1
        else:
            groups.append({"name": f"shift_{len(groups) + 1}", "count": 1, "skills": list(skills), "shifts": stated})
    return groups


def _runs(is_there: NDArray[np.bool_], interval_s: float) -> list[tuple[str, str]]:
    """Return the runs of True as clock times."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_there, [False]]).astype(np.int8)))
    return [(_clock(a * interval_s), _clock(b * interval_s)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _clock(time_s: float) -> str:
    minutes = round(min(time_s, DAY_S) / 60.0)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
