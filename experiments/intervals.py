"""Bootstrap intervals of means over episodes.

Room: `experiments`. Touches numpy and scipy.

Episodes are independent, so they are what is drawn again. Default are bias-corrected and accelerated
intervals (BCa; Efron 1987, JASA 82(397)), which follow the skew that a few expensive episodes bring;
`percentile` is the plain one.

A metric that is a ratio is a sum over a sum, never a mean of ratios, so episodes have no values of their own
whose mean it is. `pseudo_values` gives them some, by the jackknife: n times the metric of all episodes minus
n - 1 times that of all but one. For a metric that is a mean over episodes they are the episodes' own values;
for a ratio they are its linear approximation, whose mean varies as the ratio does when episodes are drawn
again.

NaN is never dropped: a value that is not defined in some episode makes the interval NaN.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

Method = Literal["bca", "percentile"]
RESAMPLES = 10_000
CONFIDENCE = 0.95
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
) -> NDArray[np.float64]:
    """Return mean, low and high of each column of `values` (episodes, k), float64 (3, k).

    All columns share the same resamples. A single episode has no interval: NaN. A column of equal values has
    an interval of length 0.
    """
    n_episodes, n_columns = values.shape
    result = np.full((3, n_columns), np.nan)
    result[0] = values.mean(axis=0)
    if n_episodes < 2:
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
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: Method = "bca",
) -> Interval:
    """Return the mean of one value per episode with its interval."""
    column = np.asarray(values, np.float64)[:, np.newaxis]
    ends = bootstrap_intervals(column, confidence=confidence, resamples=resamples, seed=seed, method=method)
    return Interval(*ends[:, 0].tolist())


def difference_interval(
    values: ArrayLike,
    against: ArrayLike,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: Method = "bca",
) -> Interval:
    """Return the mean of `values` - `against` with its interval; entry i of both is the same episode."""
    differences = np.asarray(values, np.float64) - np.asarray(against, np.float64)
    return mean_interval(differences, confidence=confidence, resamples=resamples, seed=seed, method=method)


def pseudo_values(whole: NDArray[np.float64], without: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the jackknife's pseudo-values (episodes, k), moved so that their mean is `whole`.

    Args:
        whole: metrics over all n episodes, (k,).
        without: row i holds the metrics over all episodes but i, (n, k).
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
        below = ((resampled < 0).mean(axis=0) + (resampled <= 0).mean(axis=0)) / 2
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
