"""How long customers are willing to wait: the product-limit estimate, and a law of patience from it.

Room: `experiments.calibration.estimators`. Pure functions of arrays.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from experiments.calibration.estimates import Law, PatienceEstimate

ASSUMED_PATIENCE_S = 300.0
"""Mean patience where the log tells of abandonments and of no waits."""
POINTS = 16
"""Of the tabulated law, about."""
TAIL_FRAC = 0.05
"""The exponential tail begins where this share of the abandonments is still to come, and at least `TAIL_LEAST`."""
TAIL_LEAST = 10
Floats = NDArray[np.float64]


def kaplan_meier(wait_s: Floats, abandoned: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats, Floats]:
    """Return (times of abandonment, survival from each on, low and high end of its 95 % interval).

    Product-limit estimate (Kaplan and Meier 1958, JASA 53(282)) of the patience of customers of whom those not
    `abandoned` were answered after `wait_s`, which censors them: who is answered in the second in which another
    abandons was still at risk. The interval is Greenwood's on the scale log(−log S) (`scipy.stats.ecdf`); where S is 0
    it is NaN."""
    data = stats.CensoredData(uncensored=wait_s[abandoned], right=wait_s[~abandoned])
    found = stats.ecdf(data).sf
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # where nobody is left the interval is NaN, which is said above
        interval: Any = found.confidence_interval(0.95, method="log-log")
    times = np.isin(found.quantiles, wait_s[abandoned])
    return (
        np.asarray(found.quantiles[times], np.float64),
        np.asarray(found.probabilities[times], np.float64),
        np.asarray(interval.low.probabilities[times], np.float64),
        np.asarray(interval.high.probabilities[times], np.float64),
    )


def exponential_tail_s(wait_s: Floats, abandoned: NDArray[np.bool_], beyond_s: float) -> float:
    """Return the maximum-likelihood mean, seconds, of exponential patience beyond `beyond_s`: time at risk there per
    abandonment there; inf if there is none."""
    count = int((abandoned & (wait_s > beyond_s)).sum())
    return float(np.clip(wait_s - beyond_s, 0.0, None).sum() / count) if count else float("inf")


def smooth_law(wait_s: Floats, abandoned: NDArray[np.bool_], time_s: Floats, survival_prob: Floats) -> Law:
    """Return the tabulated law through the product-limit estimate at about `POINTS` times, between which equally many
    customers abandon, with an exponential tail."""
    left = np.sort(wait_s[abandoned])
    tail = max(int(np.ceil(TAIL_FRAC * len(left))), TAIL_LEAST)
    if len(left) <= tail or left[-tail - 1] <= 0.0:  # too few to draw a curve
        return {"distribution": "exponential", "mean_s": exponential_tail_s(wait_s, abandoned, 0.0)}
    body = left[: len(left) - tail]
    picked = np.linspace(0, len(body) - 1, POINTS + 1).round().astype(np.int64)[1:]
    points = np.unique(body[picked])
    points = points[points > 0.0]
    values = survival_prob[np.searchsorted(time_s, points, side="right") - 1]
    return {
        "distribution": "tabulated",
        "time_s": [0.0, *points.tolist()],
        "survival_prob": [1.0, *values.round(5).tolist()],
        "tail_mean_s": exponential_tail_s(wait_s, abandoned, float(points[-1])),
    }


def estimate_patience(wait_s: Floats, abandoned: NDArray[np.bool_]) -> PatienceEstimate | None:
    """Return how long customers wait, from the waits of those who had to; None if none of them abandoned.

    Who was answered at once tells nothing of patience. A wait of 0 that ended in abandonment stays. Where some
    abandoned and no wait is known the law is exponential of mean `ASSUMED_PATIENCE_S`, and there is no curve.
    """
    if abandoned.any() and not np.isfinite(wait_s).any():
        nothing = np.zeros(0)
        assumed = {"distribution": "exponential", "mean_s": ASSUMED_PATIENCE_S}
        return PatienceEstimate(nothing, nothing, nothing, nothing, assumed, "The log states no waits.")
    told = np.isfinite(wait_s) & ((wait_s > 0.0) | abandoned)
    wait_s, abandoned = wait_s[told], abandoned[told]
    if not abandoned.any():
        return None
    time_s, survival_prob, low_prob, high_prob = kaplan_meier(wait_s, abandoned)
    law = smooth_law(wait_s, abandoned, time_s, survival_prob)
    if law["distribution"] == "tabulated":
        middle = len(time_s) // 2
        text = (
            f"Kaplan-Meier over {len(wait_s):,} customers who waited, {int(abandoned.sum()):,} abandoned, linear "
            f"between points, exponential beyond {law['time_s'][-1]:g} s; survival at {time_s[middle]:g} s "
            f"{survival_prob[middle]:.3f} (95 %: {low_prob[middle]:.3f} to {high_prob[middle]:.3f})"
        )
    else:
        text = (
            f"time waited per abandonment of {len(wait_s):,} customers who waited, of whom only "
            f"{int(abandoned.sum()):,} abandoned: too few for a curve"
        )
    return PatienceEstimate(time_s, survival_prob, low_prob, high_prob, law, text)
