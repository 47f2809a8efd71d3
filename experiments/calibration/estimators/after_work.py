"""How long after a contact its rep can take the next one: a law from times of which most are known within bounds alone.

Room: `experiments.calibration.estimators`. Pure functions of arrays.

Between two contacts of a rep lies a gap. If the second one had waited, the rep took it as soon as possible: the gap is
what the rep needed. If it had not, the rep was ready before it came: the need was shorter than the gap, and longer than
the time until which somebody else was seen waiting in vain.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.calibration.estimates import Law
from experiments.calibration.estimators.presence import served_by

GRID_S = np.concatenate([np.arange(0.0, 60.0, 1.0), np.arange(60.0, 300.0, 5.0), np.arange(300.0, 3601.0, 60.0)])
"""Ends of the cells of the law, seconds."""
LEAST = 50
"""Gaps from which a law is made at least."""
POINT_PROB = 0.02
"""By so much the survival falls from one point of the tabulated law to the next."""
Floats = NDArray[np.float64]


def needed_bounds(contacts: NDArray[Any], break_after_s: float) -> tuple[Floats, Floats]:
    """Return bounds (low, high), seconds, of what reps needed between two contacts on the one day of `contacts`
    (`LOGGED`), for each gap of at most `break_after_s` seconds; equal where it is known."""
    mine = served_by(contacts)
    start_s = mine["arrived_s"] + mine["wait_s"]
    end_s = start_s + mine["handle_s"]
    follows = mine["rep"][1:] == mine["rep"][:-1]
    gap_s = start_s[1:] - end_s[:-1]
    used = np.flatnonzero(follows & (gap_s > 0.0) & (gap_s <= break_after_s))
    waiters = contacts[np.isfinite(contacts["wait_s"]) & (contacts["wait_s"] > 0.0)]
    from_s, until_s = waiters["arrived_s"], waiters["arrived_s"] + waiters["wait_s"]
    order = np.argsort(from_s)
    latest_s = np.maximum.accumulate(until_s[order]) if len(order) else until_s  # of all who came by then
    low, high = np.zeros(len(used)), gap_s[used]
    seen = np.searchsorted(from_s[order], start_s[used + 1], side="left")
    some = seen > 0
    low[some] = np.clip(np.minimum(latest_s[seen[some] - 1], start_s[used + 1][some]) - end_s[used][some], 0.0, None)
    known = mine["wait_s"][used + 1] > 0.0
    return np.where(known, high, np.minimum(low, high)), high


def turnbull(low_s: Floats, high_s: Floats, iterations: int = 200) -> Floats:
    """Return the chance that a need lies in each cell of `GRID_S`, float64 (cells,), by maximum likelihood from bounds.

    Self-consistency (Turnbull 1976, J. R. Stat. Soc. B 38(3)): each observation is shared among the cells within its
    bounds, in proportion to their present chances. A known need lies in the cell (GRID_S[k], GRID_S[k + 1]] that has
    it."""
    last = np.clip(np.searchsorted(GRID_S, high_s, side="left"), 1, len(GRID_S) - 1)
    first = np.where(low_s == high_s, last - 1, np.minimum(np.searchsorted(GRID_S, low_s, side="right") - 1, last - 1))
    prob = np.full(len(GRID_S) - 1, 1.0 / (len(GRID_S) - 1))
    for _ in range(iterations):
        total = np.concatenate([[0.0], np.cumsum(prob)])
        weight = 1.0 / np.maximum(total[last] - total[first], 1e-300)
        shared = np.bincount(first, weight, len(GRID_S)) - np.bincount(last, weight, len(GRID_S))
        prob = prob * np.cumsum(shared)[:-1] / len(low_s)
    return prob / prob.sum()


def estimate_after_work(days: list[NDArray[Any]], break_after_s: float) -> tuple[Law | None, str]:
    """Return the law of the time from the end of a contact until its rep can take the next, and where it comes from,
    from the contacts (`LOGGED`) of each day; no law if the log has fewer than `LEAST` gaps with somebody waiting."""
    bounds = [needed_bounds(day, break_after_s) for day in days]
    low = np.concatenate([np.zeros(0), *(each[0] for each in bounds)])
    high = np.concatenate([np.zeros(0), *(each[1] for each in bounds)])
    known = int((low == high).sum())
    if known < LEAST:
        return None, f"none: only {known} gaps between two contacts of a rep of which the second had waited"
    prob = turnbull(low, high)
    survival = np.clip(1.0 - np.cumsum(prob), 0.0, 1.0)
    points = np.unique(np.round(survival / POINT_PROB), return_index=True)[1]  # the first time at each level
    points = np.sort(points[(survival[points] < 1.0)])
    last = int(points[-1])
    centers = 0.5 * (GRID_S[1:] + GRID_S[:-1])
    beyond = prob[last + 1 :]
    tail_s = float((beyond * (centers[last + 1 :] - GRID_S[last + 1])).sum() / max(beyond.sum(), 1e-12))
    law = {
        "distribution": "tabulated",
        "time_s": [0.0, *GRID_S[points + 1].tolist()],
        "survival_prob": [1.0, *survival[points].round(5).tolist()],
        "tail_mean_s": max(tail_s, 1.0),
    }
    return law, (
        f"maximum likelihood (Turnbull) from {len(low):,} gaps of at most {break_after_s:g} s between two contacts of "
        f"a rep, {known:,} of them known since the second contact had waited, the others within bounds; mean "
        f"{float((prob * centers).sum()):.1f} s"
    )
