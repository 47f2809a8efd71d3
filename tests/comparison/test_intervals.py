"""Bootstrap intervals, against closed forms, scipy and the plain bootstrap of ratios."""

import numpy as np
import pytest
import scipy.stats

from experiments.intervals import (
    bootstrap_intervals,
    difference_interval,
    interquartile_interval,
    mean_interval,
    pseudo_values,
)


@pytest.fixture
def generator():
    return np.random.default_rng(5)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_symmetric_values_give_the_normal_interval(generator, method):
    values = generator.normal(10.0, 2.0, 400)
    values = np.concatenate([values, 2 * values.mean() - values])  # exactly symmetric
    found = mean_interval(values, method=method)
    half = 1.959964 * values.std() / np.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.04 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.04 * half)


def test_two_values_worked_by_hand():
    # Resamples of (0, 1): means 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4.
    assert mean_interval([0.0, 1.0], confidence=0.4, method="percentile") == (0.5, 0.5, 0.5)
    assert mean_interval([0.0, 1.0], confidence=0.6, method="percentile") == (0.5, 0.0, 1.0)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_skewed_values_agree_with_scipy(generator, method):
    values = generator.lognormal(0.0, 1.0, 40)
    reference = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method=method, rng=np.random.default_rng(1)
    ).confidence_interval
    found = mean_interval(values, resamples=20_000, method=method)
    tolerance = 0.03 * (reference.high - reference.low)
    assert found.low == pytest.approx(reference.low, abs=tolerance)
    assert found.high == pytest.approx(reference.high, abs=tolerance)


def test_coverage_of_skewed_values(generator):
    values = generator.exponential(1.0, (40, 1000))
    _, low, high = bootstrap_intervals(values, resamples=2000)
    coverage = np.mean((low <= 1.0) & (high >= 1.0))
    assert 0.90 < coverage < 0.97


def test_equal_values_have_an_interval_of_length_0():
    assert mean_interval([0.1] * 7) == (pytest.approx(0.1), pytest.approx(0.1), pytest.approx(0.1))
    assert mean_interval([0.0] * 7) == (0.0, 0.0, 0.0)


def test_one_episode_has_no_interval():
    mean, low, high = mean_interval([3.0])
    assert mean == 3.0
    assert np.isnan([low, high]).all()


def test_nan_is_not_dropped():
    ends = bootstrap_intervals(np.array([[1.0, np.nan], [2.0, 1.0], [3.0, 2.0]]))
    assert np.isfinite(ends[:, 0]).all()
    assert np.isnan(ends[:, 1]).all()


def test_a_column_does_not_depend_on_the_others(generator):
    values = generator.normal(size=(20, 600))
    together = bootstrap_intervals(values, resamples=500)
    for column in (0, 255, 256, 599):
        alone = bootstrap_intervals(values[:, [column]], resamples=500)
        np.testing.assert_allclose(together[:, [column]], alone, rtol=1e-12)


def test_the_seed_decides():
    values = np.arange(10.0) ** 2
    assert mean_interval(values, seed=1) == mean_interval(values, seed=1)
    assert mean_interval(values, seed=1) != mean_interval(values, seed=2)


def test_differences_are_paired(generator):
    episodes = generator.lognormal(5.0, 1.0, 64)  # what all policies share
    first = episodes + generator.normal(10.0, 1.0, 64)
    found = difference_interval(first, episodes)
    assert found.low < 10.0 < found.high
    assert found.high - found.low < 1.0
    assert difference_interval(first, first) == (0.0, 0.0, 0.0)


def ratios(numerators, denominators):
    """Return a ratio of sums, and that ratio without each of the episodes."""
    whole = numerators.sum() / denominators.sum()
    return np.array([whole]), ((numerators.sum() - numerators) / (denominators.sum() - denominators))[:, np.newaxis]


def test_pseudo_values_of_a_mean_are_the_values(generator):
    values = generator.normal(size=30)
    np.testing.assert_allclose(pseudo_values(*ratios(values, np.ones(30)))[:, 0], values, atol=1e-12)


def test_a_ratio_is_resampled_as_sums_over_sums(generator):
    arrived = generator.poisson(generator.gamma(10.0, 10.0, 64)).astype(float)
    abandoned = generator.binomial(arrived.astype(int), np.clip((arrived - 60) / 300, 0.01, 1)).astype(float)
    found = mean_interval(pseudo_values(*ratios(abandoned, arrived))[:, 0], method="percentile")
    draws = generator.integers(64, size=(20_000, 64))
    plain = abandoned[draws].sum(axis=1) / arrived[draws].sum(axis=1)
    low, high = np.quantile(plain, [0.025, 0.975])
    assert found.mean == pytest.approx(abandoned.sum() / arrived.sum())
    assert found.low == pytest.approx(low, abs=0.06 * (high - low))
    assert found.high == pytest.approx(high, abs=0.06 * (high - low))


def test_the_interquartile_interval_covers_the_truth_and_keeps_to_its_strata():
    generator = np.random.default_rng(0)
    # Two strata of twelve, around 0 and 10: the interquartile mean of the mixture is 5 by symmetry.
    covered = 0
    for _ in range(200):
        strata = [(mean + generator.normal(size=12)).tolist() for mean in (0.0, 10.0)]
        found = interquartile_interval(strata, resamples=400)
        assert found.low <= found.mean <= found.high
        covered += found.low <= 5.0 <= found.high
    assert covered >= 170  # of 95 % of 200, with room for the percentile interval's small samples and chance
    # Drawn together, the strata would change places, and the interval would be as wide as their distance.
    assert found.high - found.low < 3.0
    assert interquartile_interval([[1.0, 2.0, 3.0, 100.0]]).mean == 2.5
    assert np.isnan(interquartile_interval([[1.0], [3.0]]).low)
    # One stratum with a single value would have the interval of the other.
    assert np.isnan(interquartile_interval([[1.0], [3.0, 4.0, 5.0]])[1:]).all()
