"""When each rep was there, as far as a log of contacts tells: on a contact, or between two that follow soon.

Room: `experiments.calibration.estimators`. Pure functions of arrays.

A log of contacts does not say when a rep was logged in. What it shows is first and last contact of a day, and the gaps
between. In a gap a rep may have been idle, busy with other things, or away. Who is idle answers, so where somebody
waited the rep was not; a short gap is after-contact work, a longer one time away.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.calibration.contact_log import SERVED

SOON_S = 5.0
"""So soon nobody can take the next contact."""
SPAN = np.dtype([("rep", np.int64), ("start_s", np.float64), ("end_s", np.float64)])
"""A rep was there from `start_s` to `end_s`, seconds after midnight of a day."""


def served_by(contacts: NDArray[Any]) -> NDArray[Any]:
    """Return the contacts (`LOGGED`) of which the log says who served them, how long they waited and what they took, by
    rep and time of answer."""
    told = (contacts["outcome"] == SERVED) & (contacts["rep"] >= 0)
    told &= np.isfinite(contacts["wait_s"]) & np.isfinite(contacts["handle_s"])
    mine = contacts[told]
    return mine[np.lexsort((mine["arrived_s"] + mine["wait_s"], mine["rep"], mine["day"]))]


def rep_spans(contacts: NDArray[Any], break_after_s: float, idle_at_most_s: float) -> NDArray[Any]:
    """Return when each rep was there on the one day of `contacts` (`LOGGED`): `SPAN` records in order of rep and time.

    Contacts of a rep that overlap, or follow each other within `break_after_s` seconds, are one span. After a longer
    gap they still are if nobody waited during it, but for its first `SOON_S` seconds: the rep may have been idle.
    Nobody is idle for longer than `idle_at_most_s` seconds.
    """
    mine = served_by(contacts)
    if len(mine) == 0:
        return np.zeros(0, SPAN)
    start_s = mine["arrived_s"] + mine["wait_s"]
    end_s = start_s + mine["handle_s"]
    waited = contacts[np.isfinite(contacts["wait_s"]) & (contacts["wait_s"] > 0.0)]
    from_s, until_s = np.sort(waited["arrived_s"]), np.sort(waited["arrived_s"] + waited["wait_s"])

    def is_away(left_s: float, back_s: float) -> bool:
        gap_s = back_s - left_s
        if gap_s <= break_after_s or gap_s > idle_at_most_s:
            return gap_s > break_after_s
        # Who began to wait before the end, less who had stopped before the start.
        return bool(np.searchsorted(from_s, back_s) > np.searchsorted(until_s, left_s + SOON_S, side="right"))

    spans = []
    rep, first_s, last_s = int(mine["rep"][0]), float(start_s[0]), float(end_s[0])
    for who, begun_s, ended_s in zip(mine["rep"].tolist(), start_s.tolist(), end_s.tolist(), strict=True):
        if who != rep or is_away(last_s, begun_s):
            spans.append((rep, first_s, last_s))
            rep, first_s, last_s = who, begun_s, ended_s
        last_s = max(last_s, ended_s)
    spans.append((rep, first_s, last_s))
    return np.array(spans, SPAN)


def mean_present(spans: NDArray[Any], interval_s: float, n_intervals: int) -> NDArray[np.float64]:
    """Return the mean number of reps there in each interval of a day, float64 (n_intervals,)."""
    starts_s = np.arange(n_intervals) * interval_s
    overlap_s = np.minimum(spans["end_s"][:, np.newaxis], starts_s + interval_s) - np.maximum(
        spans["start_s"][:, np.newaxis], starts_s
    )
    present: NDArray[np.float64] = np.clip(overlap_s, 0.0, None).sum(axis=0) / interval_s
    return present


def served_share(contacts: NDArray[Any]) -> float:
    """Return the share of the served contacts (`LOGGED`) of which the log tells rep, wait and handle time; 0 if none
    was served."""
    served = int((contacts["outcome"] == SERVED).sum())
    return len(served_by(contacts)) / served if served else 0.0
