from __future__ import annotations

import numpy as np
import pytest

from experiments.calibration.estimators.handle_times import as_duration
from experiments.calibration.estimators.patience import estimate_patience, exponential_tail_s, kaplan_meier


def test_kaplan_meier_with_ties_by_hand() -> None:
    """Waits 2, 2, 3, 4, 4, 5 s; abandoned at 2 (one of the two) and at 4 (both); answered at 2, 3, 5.

    At 2 s six are at risk, who is answered then included: S = 5/6. At 4 s three are: S = 5/6 × 1/3 = 5/18.
    """
    wait_s = np.array([2.0, 2.0, 3.0, 4.0, 4.0, 5.0])
    abandoned = np.array([True, False, False, True, True, False])
    time_s, survival, low, high = kaplan_meier(wait_s, abandoned)
    np.testing.assert_array_equal(time_s, [2.0, 4.0])
    np.testing.assert_allclose(survival, [5 / 6, 5 / 18])
    # Greenwood: the variance of log S at 4 s is 1 / (6 × 5) + 2 / (3 × 1) = 0.7; on the scale log(−log S) the
    # deviation is √0.7 / |log(5/18)|, and the interval S^exp(± 1.96 × that).
    power = np.exp(1.959964 * np.sqrt(0.7) / abs(np.log(5 / 18)))
    np.testing.assert_allclose([low[1], high[1]], [(5 / 18) ** power, (5 / 18) ** (1 / power)], rtol=1e-5)


def test_the_mean_beyond_a_time_is_time_at_risk_per_abandonment() -> None:
    """Beyond 2 s: 1 + 2 + 2 + 3 seconds at risk and two abandonments."""
    wait_s = np.array([2.0, 3.0, 4.0, 4.0, 5.0])
    abandoned = np.array([True, False, True, True, False])
    assert exponential_tail_s(wait_s, abandoned, 2.0) == pytest.approx(8.0 / 2.0)
    assert exponential_tail_s(wait_s, np.zeros(5, bool), 0.0) == np.inf


def test_censored_exponential_patience_is_recovered() -> None:
    """Patience exponential of mean 100 s, censored by answers after an exponential time of 60 s: the law's survival is
    that of the exponential within three standard errors, and its mean within 5 %."""
    drawn = np.random.default_rng(0)
    patience_s, answer_s = drawn.exponential(100.0, 20_000), drawn.exponential(60.0, 20_000)
    found = estimate_patience(np.minimum(patience_s, answer_s), patience_s < answer_s)
    assert found is not None
    law = as_duration(found.law)
    at_s = np.array([20.0, 60.0, 120.0])
    np.testing.assert_allclose(law.survival_prob(at_s), np.exp(-at_s / 100.0), atol=0.02)
    assert law.mean_duration_s == pytest.approx(100.0, rel=0.05)
    assert np.all(np.diff(found.law["survival_prob"]) <= 0.0)
    inside = (found.low_prob <= np.exp(-found.time_s / 100.0)) & (np.exp(-found.time_s / 100.0) <= found.high_prob)
    assert inside[: len(inside) * 9 // 10].mean() > 0.8


def test_who_did_not_wait_tells_nothing_and_nobody_who_abandoned_no_law() -> None:
    waited = estimate_patience(np.array([0.0, 0.0, 5.0, 9.0]), np.array([False, False, True, False]))
    assert waited is not None
    np.testing.assert_allclose(waited.survival_prob, [0.5])  # of two at risk one abandoned
    assert waited.law == {"distribution": "exponential", "mean_s": 14.0}  # 5 + 9 seconds, one abandonment
    assert "too few" in waited.origin
    assert estimate_patience(np.array([0.0, 3.0, np.nan]), np.zeros(3, bool)) is None
