"""Bootstrap intervals of means over episodes, or over recorded days.

Room: `experiments`. Touches numpy and scipy.

Episodes are independent, so they are what is drawn again. Default are bias-corrected and accelerated
intervals (BCa; Efron 1987, JASA 82(397)), which follow the skew that a few expensive episodes bring;
`percentile` is the plain one.

A metric that is a ratio is a sum over a sum, never a mean of ratios, so episodes have no values of their own
whose mean it is. `pseudo_values` gives them some, by the jackknife: n times the metric of all episodes minus
n - 1 times that of all but one. For a metric that is a mean over episodes they are the episodes' own values;
for a ratio they are its linear approximation, whose mean varies as the ratio does when episodes are drawn
again.

Episodes that replay the same recorded day are no independent ones, however little or much of it is recorded: the
day is what is drawn again, with all its episodes (the cluster bootstrap; Davison and Hinkley 1997, Bootstrap Methods
and their Application, section 3.8). Then the jackknife leaves out a day at a time, so that there is one pseudo-value
per day. Of fewer than `LEAST_DAYS` distinct days there is no interval.

NaN is never dropped: a value that is not defined in some episode makes the interval NaN.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import trim_mean

Method = Literal["bca", "percentile"]
RESAMPLES = 10_000
CONFIDENCE = 0.95
STANDARD_ERRORS = 3.0
"""Where a race ends for who runs against the best: a mean paired difference above 0 by so many standard errors."""
LEAST_DAYS = 5
"""Recorded days of which an interval is made, at least: three days have only ten different resamples."""
_BLOCK = 256  # columns at a time, so that the resampled means of all fit into memory


class Interval(NamedTuple):
    """An estimate with the ends of its interval."""

    mean: float
    low: float
    high: float


def bootstrap_intervals(
    values: NDArray[np.float64],
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: Method = "bca",
    least: int = 2,
) -> NDArray[np.float64]:
    """Return mean, low and high of each column of `values` (episodes or days, k), float64 (3, k).

    All columns share the same resamples. Fewer than `least` rows have no interval: NaN. A column of equal values has
    an interval of length 0.
    """
    n_episodes, n_columns = values.shape
    result = np.full((3, n_columns), np.nan)
    result[0] = values.mean(axis=0)
    if n_episodes < max(least, 2):
        return result
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(n_episodes, np.full(n_episodes, 1 / n_episodes), resamples) / n_episodes
    for start in range(0, n_columns, _BLOCK):
        block = slice(start, start + _BLOCK)
        result[1:, block] = _ends(values[:, block], weights, confidence, method)
    return result


def mean_interval(
    values: ArrayLike,
    *,
    days: NDArray[np.int64] | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: Method = "bca",
) -> Interval:
    """Return the mean of one value per episode with its interval; `days` is the recorded day of each, if it has one."""
    column = np.asarray(values, np.float64)
    column = (column if days is None else day_values(column, days))[:, np.newaxis]
    least = least_units(days)
    ends = bootstrap_intervals(
        column, confidence=confidence, resamples=resamples, seed=seed, method=method, least=least
    )
    return Interval(*ends[:, 0].tolist())


def interquartile_interval(
    strata: Sequence[Sequence[float]],
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return the interquartile mean of all values, the mean without the lowest and the highest quarter, with its
    percentile interval by drawing the values of each stratum again by themselves (the stratified bootstrap of Agarwal
    et al. 2021, NeurIPS 34, section 4.3). Where a stratum has one value alone there is no interval, NaN: drawn again
    it is always the same, and the interval would be that of the others."""
    pools = [np.asarray(values, np.float64) for values in strata]
    mean = float(trim_mean(np.concatenate(pools), 0.25))
    if any(len(pool) < 2 for pool in pools):
        return Interval(mean, np.nan, np.nan)
    generator = np.random.default_rng(seed)
    drawn = [pool[generator.integers(len(pool), size=(resamples, len(pool)))] for pool in pools]
    means = trim_mean(np.concatenate(drawn, axis=1), 0.25, axis=1)
    low, high = np.quantile(means, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    return Interval(mean, float(low), float(high))


def difference_interval(
    values: ArrayLike,
    against: ArrayLike,
    *,
    days: NDArray[np.int64] | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: Method = "bca",
) -> Interval:
    """Return the mean of `values` - `against` with its interval; entry i of both is the same episode, and of `days` the
    recorded day of it."""
    differences = np.asarray(values, np.float64) - np.asarray(against, np.float64)
    return mean_interval(differences, days=days, confidence=confidence, resamples=resamples, seed=seed, method=method)


def is_surely_positive(differences: NDArray[np.float64], days: NDArray[np.int64] | None = None) -> bool:
    """Return whether paired differences, one an episode, are above 0 by `STANDARD_ERRORS`; two say nothing. Of recorded
    `days` each counts once, and as few as make no interval say nothing."""
    if days is not None:
        differences = day_values(differences, days)
    if len(differences) < max(3, least_units(days)):
        return False
    standard_error = differences.std(ddof=1) / np.sqrt(len(differences))
    return bool(differences.mean() > STANDARD_ERRORS * standard_error)


def least_units(days: NDArray[np.int64] | None) -> int:
    """Return of how many episodes, or distinct recorded days, an interval is made at least."""
    return 2 if days is None else LEAST_DAYS


def reason_against_interval(n_episodes: int, days: NDArray[np.int64] | None) -> str | None:
    """Return why there is no interval over `n_episodes` with these recorded `days`; None where there is one."""
    if days is None:
        return None if n_episodes > 1 else "no interval: one episode has none"
    n_days = len(np.unique(days))
    if n_days >= LEAST_DAYS:
        return None
    return f"no interval: {n_days} distinct recorded day{'s' * (n_days > 1)} took part, and it needs {LEAST_DAYS}"


def episodes_by_day(n_episodes: int, days: NDArray[np.int64] | None) -> list[NDArray[np.int64]]:
    """Return the places of the episodes that are drawn together: those of each recorded day; each one alone without
    `days`."""
    if days is None:
        return list(np.arange(n_episodes)[:, np.newaxis])
    return [np.flatnonzero(days == day) for day in np.unique(days)]


def day_values(values: NDArray[np.float64], days: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return one value per distinct recorded day (days,), the mean of which is that of `values`, one per episode: the
    means of the days where all have as many episodes, else the pseudo-values of leaving a day out."""
    units = episodes_by_day(len(values), days)
    if len(units) == 1:
        return values.mean(keepdims=True)
    without = np.array([np.delete(values, unit).mean() for unit in units])
    return pseudo_values(values.mean(keepdims=True), without[:, np.newaxis])[:, 0]


def pseudo_values(whole: NDArray[np.float64], without: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the jackknife's pseudo-values (n, k), moved so that their mean is `whole`.

    Args:
        whole: metrics over all episodes, (k,).
        without: row i holds the metrics over all episodes but the i-th of n, or those of the i-th of n days, (n, k).
    """
    n_episodes = len(without)
    values = n_episodes * whole - (n_episodes - 1) * without
    return values - values.mean(axis=0) + whole


def _ends(
    values: NDArray[np.float64], weights: NDArray[np.float64], confidence: float, method: Method
) -> NDArray[np.float64]:
    """Return low and high of the mean of each column, (2, k)."""
    mean = values.mean(axis=0)
    deviations = values - mean
    spread = np.sqrt((deviations**2).mean(axis=0))
    # Equal values differ by what rounding left of them.
    constant = spread <= 1e-12 * np.abs(values).max(axis=0)
    resampled = np.sort(weights @ deviations, axis=0)
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    shares = np.repeat(tails[:, np.newaxis], values.shape[1], axis=1)
    if method == "bca":
        rounding = 1e-9 * spread  # a resample of every value once is the mean, whatever rounding makes of it
        below = ((resampled < -rounding).mean(axis=0) + (resampled <= rounding).mean(axis=0)) / 2
        bias = ndtri(np.clip(below, 1 / len(weights), 1 - 1 / len(weights)))
        skew_scale = np.where(constant, 1.0, len(values) * spread**2) ** 1.5
        acceleration = (deviations**3).sum(axis=0) / (6 * skew_scale)
        shifted = bias + ndtri(shares)
        shares = ndtr(bias + shifted / (1 - acceleration * shifted))
    ends = np.empty_like(shares)
    for column in range(values.shape[1]):
        ends[:, column] = _quantiles(resampled[:, column], shares[:, column])
    ends = np.where(constant, mean, mean + ends)
    return np.where(np.isnan(mean), np.nan, ends)


def _quantiles(in_order: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return quantiles of sorted values, with linear interpolation."""
    return np.interp(shares * (len(in_order) - 1), np.arange(len(in_order)), in_order)
