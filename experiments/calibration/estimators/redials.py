"""Who abandoned and came again: how many, and after what time.

Room: `experiments.calibration.estimators`. Pure functions of arrays.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.interface.units import DAY_S, HOUR_S
from experiments.calibration.contact_log import ABANDONED
from experiments.calibration.estimates import RedialEstimate

WITHIN_S = HOUR_S
"""Who comes again within this time is taken to do so because of what happened."""
LEAST = 50
"""Abandonments of named customers from which an estimate is made at least."""


def next_contact_s(contacts: NDArray[Any]) -> NDArray[np.float64]:
    """Return the time from the end of each contact's wait until its customer's next contact begins, seconds; inf where
    there is none, NaN where the customer is not named."""
    time_s = contacts["day"] * DAY_S + contacts["arrived_s"]
    found = np.where(contacts["customer"] < 0, np.nan, np.inf)
    order = np.lexsort((time_s, contacts["customer"]))
    first, second = order[:-1], order[1:]
    same = (contacts["customer"][first] == contacts["customer"][second]) & (contacts["customer"][first] >= 0)
    ended_s = time_s + np.nan_to_num(contacts["wait_s"])
    found[first[same]] = np.maximum(time_s[second[same]] - ended_s[first[same]], 0.0)
    return found


def estimate_redials(contacts: NDArray[Any]) -> RedialEstimate | None:
    """Return who of one channel's `contacts` (`LOGGED`) abandoned and came again by it; None if fewer than `LEAST` who
    abandoned are named.

    The chance is the share that comes again within `WITHIN_S` after abandoning, less the share that does after being
    served: customers who call often come again whatever happens.
    """
    after_s = next_contact_s(contacts)
    named = ~np.isnan(after_s)
    abandoned = named & (contacts["outcome"] == ABANDONED)
    served = named & (contacts["outcome"] != ABANDONED)
    if abandoned.sum() < LEAST:
        return None
    again = after_s[abandoned] <= WITHIN_S
    usual = float((after_s[served] <= WITHIN_S).mean()) if served.any() else 0.0
    prob = max(float(again.mean()) - usual, 0.0)
    if prob <= 0.0:
        return None
    delay_s = max(float(after_s[abandoned][again].mean()), 1.0)
    return RedialEstimate(
        prob,
        {"distribution": "exponential", "mean_s": delay_s},
        f"of {int(abandoned.sum()):,} named customers who abandoned {again.mean():.1%} came again within "
        f"{WITHIN_S / 60:g} minutes, less {usual:.1%} who do after being served; biased: only named customers count, "
        "and who comes again later, or under another name, is missed",
    )
