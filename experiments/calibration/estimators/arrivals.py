"""When contacts arrive: rates by half-hour and weekday, and how much whole days differ.

Room: `experiments.calibration.estimators`. Pure functions of arrays.
"""

from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from envs.interface.units import DAY_S, HOUR_S, WEEK_INTERVAL_S, WEEKDAYS
from experiments.calibration.estimates import ArrivalEstimate

INTERVAL_S = WEEK_INTERVAL_S
LEVEL = 0.01
"""Weekdays share a profile unless they differ at this level."""
CLOSED_FRAC = 0.001
"""Half-hours at either end of a day that together hold less of its contacts than this are taken as closed."""
Floats = NDArray[np.float64]


def weekday_positions(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position in `WEEKDAYS` (0 is Sunday) of each day, `date.toordinal()`."""
    return np.array([(date.fromordinal(int(day)).weekday() + 1) % 7 for day in days], np.int64)


def count_contacts(days: NDArray[np.int64], day: NDArray[np.int64], arrived_s: Floats) -> Floats:
    """Return how many contacts, of `day` and `arrived_s`, came on each of `days` (ascending) in each half-hour,
    float64 (days, 48). Contacts of other days are left out."""
    counts = np.zeros((len(days), round(DAY_S / INTERVAL_S)))
    row = np.searchsorted(days, day)
    known = (row < len(days)) & (days[np.minimum(row, len(days) - 1)] == day)
    np.add.at(counts, (row[known], (arrived_s[known] // INTERVAL_S).astype(np.int64)), 1.0)
    return counts


def differ_prob(first: Floats, second: Floats) -> float:
    """Return the p-value of the hypothesis that the days `first` and `second`, counts (days, intervals), follow one
    profile; NaN where there are too few days to say.

    Twice the smaller of two p-values (Bonferroni): of the volume, by Welch's t-test on the days' sums; and of the
    shape, by Pearson's chi-square of the summed profiles against their common one, divided by the dispersion of single
    days about the profile of their own group, which is F-distributed (McCullagh and Nelder 1989, Generalized Linear
    Models, section 4.5): plain Poisson would call every two weekdays different.
    """
    if len(first) < 2 or len(second) < 2:
        return float("nan")
    volume = _welch_prob(first.sum(axis=1), second.sum(axis=1))
    within, df_within = _pearson(first)
    more, more_df = _pearson(second)
    between, df_between = _pearson(np.stack([first.sum(axis=0), second.sum(axis=0)]))
    df_within += more_df
    dispersion = max((within + more) / max(df_within, 1), 1.0)
    shape = float(stats.f.sf(between / max(df_between, 1) / dispersion, max(df_between, 1), max(df_within, 1)))
    return min(1.0, 2.0 * min(volume, shape))


def _welch_prob(first: Floats, second: Floats) -> float:
    """Return the p-value of Welch's t-test of equal means, also where all values of a sample are equal."""
    error = np.array([first.var(ddof=1) / len(first), second.var(ddof=1) / len(second)])
    difference = abs(float(first.mean() - second.mean()))
    if error.sum() <= 0.0:
        return float(difference == 0.0)
    freedom = error.sum() ** 2 / (error**2 / (np.array([len(first), len(second)]) - 1)).sum()
    return float(2.0 * stats.t.sf(difference / np.sqrt(error.sum()), freedom))


def _pearson(counts: Floats) -> tuple[float, int]:
    """Return Pearson's chi-square of a table against independence of rows and columns, and its degrees of freedom;
    columns and rows without contacts are left out."""
    kept = counts[counts.sum(axis=1) > 0.0][:, counts.sum(axis=0) > 0.0]
    if min(kept.shape) < 2:
        return 0.0, 0
    expected = np.outer(kept.sum(axis=1), kept.sum(axis=0)) / kept.sum()
    return float(((kept - expected) ** 2 / expected).sum()), (kept.shape[0] - 1) * (kept.shape[1] - 1)


def find_profiles(counts: Floats, positions: NDArray[np.int64]) -> list[list[int]]:
    """Return groups of weekdays (positions) that share a profile, in the order of the week.

    Begins with every weekday by itself and joins the two groups that differ least, while some pair does not differ at
    `LEVEL` (`differ_prob`). A weekday with one day only stays by itself, since nobody knows how much its days vary.
    """
    groups = [[int(position)] for position in np.unique(positions)]
    while len(groups) > 1:
        pairs = [(i, j) for i in range(len(groups)) for j in range(i)]
        likely = [
            differ_prob(counts[np.isin(positions, groups[i])], counts[np.isin(positions, groups[j])]) for i, j in pairs
        ]
        best = int(np.argmax(np.nan_to_num(likely, nan=-1.0)))
        if not likely[best] > LEVEL:
            break
        i, j = pairs[best]
        groups[j] = sorted(groups[j] + groups.pop(i))
    return sorted(groups)


def day_factor_cv(volumes: list[Floats]) -> float:
    """Return the coefficient of variation of the factor of whole days, from the daily volumes of each profile.

    Given the factor G of mean 1 the volume is Poisson of mean m G, so its variance is m + m² cv² (method of moments):
    cv² = Σ (n − 1) (s² − m) / Σ (n − 1) m² over the profiles, 0 where days vary no more than Poisson.
    """
    excess = sum((len(volume) - 1) * (volume.var(ddof=1) - volume.mean()) for volume in volumes if len(volume) > 1)
    scale = sum((len(volume) - 1) * volume.mean() ** 2 for volume in volumes if len(volume) > 1)
    return float(np.sqrt(max(excess, 0.0) / scale)) if scale > 0.0 else 0.0


def close_ends(profile: Floats) -> Floats:
    """Return a mean profile of a day with its ends set to 0: as many half-hours as hold less than `CLOSED_FRAC` of it
    together, from either end."""
    share = np.cumsum(profile) / max(float(profile.sum()), 1e-300)
    open_ = (share > CLOSED_FRAC) & (1.0 - share + profile / max(float(profile.sum()), 1e-300) > CLOSED_FRAC)
    return np.where(open_, profile, 0.0)


def estimate_arrivals(days: NDArray[np.int64], day: NDArray[np.int64], arrived_s: Floats) -> ArrivalEstimate:
    """Return when contacts, of `day` and `arrived_s`, arrive, from all `days` that a log covers."""
    counts, positions = count_contacts(days, day, arrived_s), weekday_positions(days)
    groups = find_profiles(counts, positions)
    rates = np.zeros((len(WEEKDAYS), counts.shape[1]))
    for group in groups:
        rates[group] = close_ends(counts[np.isin(positions, group)].mean(axis=0)) * HOUR_S / INTERVAL_S
    volumes = [counts[np.isin(positions, group)].sum(axis=1) for group in groups]
    profiles = tuple(tuple(WEEKDAYS[position] for position in group) for group in groups)
    texts = [
        f"{', '.join(profile)}: {len(volume)} days of {volume.mean():,.1f}"
        for profile, volume in zip(profiles, volumes, strict=True)
    ]
    return ArrivalEstimate(
        INTERVAL_S,
        rates,
        profiles,
        day_factor_cv(volumes),
        f"mean contacts per half-hour, times 2, of {int(counts.sum()):,} contacts; weekdays share a profile where "
        f"neither volume nor shape differ at the level {LEVEL:g} ({'; '.join(texts)}); the ends of a day that hold "
        f"less than {CLOSED_FRAC:.1%} of it are closed",
        f"method of moments on the volumes of {len(days)} days about those of their profile, Poisson noise taken out",
    )
