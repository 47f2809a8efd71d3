from __future__ import annotations

import numpy as np
import pytest
from logged import FIRST_DAY

from experiments.calibration.estimators.arrivals import (
    close_ends,
    count_contacts,
    day_factor_cv,
    differ_prob,
    estimate_arrivals,
    find_profiles,
    weekday_positions,
)


def test_contacts_are_counted_by_day_and_half_hour() -> None:
    """1,799 s is the first half-hour, 1,800 s the second; the day between has none, and day 9 is no day of the log."""
    days = np.array([5, 6, 7])
    counts = count_contacts(days, np.array([5, 5, 7, 9]), np.array([1799.0, 1800.0, 0.0, 0.0]))
    assert counts.shape == (3, 48)
    assert counts.sum() == 3.0
    assert (counts[0, 0], counts[0, 1], counts[2, 0]) == (1.0, 1.0, 1.0)


def test_a_week_begins_on_sunday() -> None:
    np.testing.assert_array_equal(weekday_positions(np.arange(FIRST_DAY, FIRST_DAY + 8)), [0, 1, 2, 3, 4, 5, 6, 0])


def test_poisson_noise_is_taken_out_of_the_day_factor() -> None:
    """Volumes 80, 100, 120: mean 100, variance 400, cv² = (400 − 100) / 100² = 0.03. With a second profile of 99, 100,
    101, variance 1: cv² = (2 × 300 + 2 × (1 − 100)) / (2 × 100² + 2 × 100²) = 402 / 40,000."""
    spread, narrow = np.array([80.0, 100.0, 120.0]), np.array([99.0, 100.0, 101.0])
    assert day_factor_cv([spread]) == pytest.approx(np.sqrt(0.03))
    assert day_factor_cv([spread, narrow]) == pytest.approx(np.sqrt(402.0 / 40_000.0))
    assert day_factor_cv([narrow]) == 0.0
    assert day_factor_cv([np.array([50.0])]) == 0.0


def test_weekdays_of_one_law_share_a_profile_and_another_does_not() -> None:
    drawn = np.random.default_rng(0)
    shape = np.zeros(48)
    shape[16:40] = 20.0
    half = np.where(np.arange(48) < 28, shape, 0.0)
    days = np.arange(FIRST_DAY, FIRST_DAY + 28)
    positions = weekday_positions(days)
    counts = np.array([drawn.poisson(half if position == 5 else shape) for position in positions], float)
    assert find_profiles(counts, positions) == [[0, 1, 2, 3, 4, 6], [5]]


def test_days_of_one_volume_but_another_shape_differ() -> None:
    """Days vary no more than by one contact, so that the shape alone can tell mornings from evenings."""
    morning, evening = np.tile([30.0, 10.0], (4, 1)), np.tile([10.0, 30.0], (4, 1))
    morning[0, 0] += 1.0
    evening[0, 0] += 1.0
    assert differ_prob(morning, evening) < 1e-3
    assert differ_prob(morning, morning) == 1.0
    assert np.isnan(differ_prob(morning[:1], evening))


def test_days_of_another_volume_differ_by_welch() -> None:
    """Volumes 90, 100, 110 against 120, 130, 140 in one half-hour: t = 30 / √(100/3 + 100/3) = 3.674 of 4 degrees of
    freedom, p = 0.0213, and twice that of two tests."""
    low, high = np.array([[90.0], [100.0], [110.0]]), np.array([[120.0], [130.0], [140.0]])
    assert differ_prob(low, high) == pytest.approx(2 * 0.0213, abs=2e-4)


def test_the_ends_of_a_day_with_hardly_anybody_are_closed() -> None:
    """One of 4,000 contacts at night is less than 0.1 %; five of 4,000 at the end are more."""
    profile = np.zeros(48)
    profile[[3, 20, 47]] = 1.0, 3994.0, 5.0
    closed = close_ends(profile)
    assert (closed[3], closed[20], closed[47]) == (0.0, 3994.0, 5.0)


def test_rates_are_contacts_per_hour_of_the_weekdays_that_the_log_has() -> None:
    """Two Sundays with 3 and 5 contacts between 8:00 and 8:30: 4 per half-hour, 8 per hour; no other weekday."""
    days = np.array([FIRST_DAY, FIRST_DAY + 7])
    day = np.repeat(days, (3, 5))
    found = estimate_arrivals(days, day, np.full(8, 8 * 3600.0))
    assert found.rate_per_hour[0, 16] == 8.0
    assert found.rate_per_hour.sum() == 8.0
    assert found.profiles == (("sunday",),)
    assert "sunday: 2 days of 4.0" in found.rate_origin
