from __future__ import annotations

import numpy as np
import pytest

from experiments.calibration.estimators.handle_times import (
    as_duration,
    estimate_handle_times,
    fit_hyperexponential,
    fit_lognormal,
    fit_tabulated,
    log_likelihood,
    rep_speeds,
)

GRID = (np.arange(4000) + 0.5) / 4000


def test_em_recovers_two_phases() -> None:
    """The quantiles of a mixture, 0.3 of mean 20 s and 0.7 of mean 300 s, give it back."""
    law = {"distribution": "hyperexponential", "prob": [0.3, 0.7], "mean_s": [20.0, 300.0]}
    sample_s = as_duration(law).quantile_s(GRID)
    found = fit_hyperexponential(sample_s)
    np.testing.assert_allclose(found["prob"], [0.3, 0.7], atol=0.02)
    np.testing.assert_allclose(found["mean_s"], [20.0, 300.0], rtol=0.05)
    assert as_duration(found).mean_duration_s == pytest.approx(sample_s.mean(), rel=1e-3)


def test_a_lognormal_law_is_recovered() -> None:
    law = {"distribution": "lognormal", "mean_s": 200.0, "cv": 1.2}
    sample_s = as_duration(law).quantile_s(GRID)
    found = fit_lognormal(sample_s)
    assert found["mean_s"] == pytest.approx(sample_s.mean())
    assert found["cv"] == pytest.approx(1.2, rel=0.01)


def test_a_tabulated_law_has_the_mean_and_the_median_of_the_sample() -> None:
    sample_s = np.concatenate([np.full(500, 10.0), np.linspace(50.0, 500.0, 500)])
    law = as_duration(fit_tabulated(sample_s))
    assert law.mean_duration_s == pytest.approx(sample_s.mean())
    assert law.survival_prob(np.array([300.0]))[0] == pytest.approx(0.22, abs=0.03)  # (500 − 300) / 450 of a half


def test_the_likelihood_is_that_of_whole_seconds() -> None:
    """Exponential of mean 10 s: 5 s stands for 4.5 to 5.5, which has e^(−0.45) − e^(−0.55)."""
    law = {"distribution": "exponential", "mean_s": 10.0}
    expected = np.log(np.exp(-0.45) - np.exp(-0.55))
    assert log_likelihood(law, np.array([5.0])) == pytest.approx(expected)


@pytest.mark.parametrize(
    "law",
    [
        {"distribution": "lognormal", "mean_s": 180.0, "cv": 1.2},
        {"distribution": "hyperexponential", "prob": [0.4, 0.6], "mean_s": [15.0, 300.0]},
    ],
)
def test_the_law_that_made_the_days_is_chosen(law: dict) -> None:
    handle_s = as_duration(law).sample(np.random.default_rng(0), 6000)
    found = estimate_handle_times(np.repeat(np.arange(12), 500), handle_s)
    assert found.law["distribution"] == law["distribution"]
    assert set(found.held_back_log_likelihood) == {"lognormal", "hyperexponential", "tabulated"}


def test_times_of_two_kinds_are_tabulated() -> None:
    drawn = np.random.default_rng(0)
    handle_s = np.where(drawn.random(4000) < 0.5, drawn.uniform(9.0, 11.0, 4000), drawn.uniform(290.0, 310.0, 4000))
    found = estimate_handle_times(np.repeat(np.arange(8), 500), handle_s)
    assert found.law["distribution"] == "tabulated"


def test_too_few_contacts_tell_a_mean_alone_and_none_nothing() -> None:
    few = estimate_handle_times(np.zeros(30, np.int64), np.append(np.full(19, 60.0), np.full(11, np.nan)))
    assert few.law == {"distribution": "exponential", "mean_s": 60.0}
    assert few.held_back_log_likelihood == {}
    assert estimate_handle_times(np.zeros(2, np.int64), np.full(2, np.nan)).law["mean_s"] == 300.0


def test_a_fast_rep_is_fast_against_what_the_same_channels_take() -> None:
    """Rep 0 takes 50 s where 100 s are usual, 80 times; rep 1 takes as usual, of a longer channel; rep 2 is not there.
    The 20 contacts that are added take the mean of the usual times, 200 s."""
    rep = np.repeat([0, 1], 80)
    channel = np.repeat([0, 1], 80)
    handle_s = np.repeat([50.0, 300.0], 80)
    usual_s = np.array([100.0, 300.0])
    expected = [(80 * 100 + 20 * 200) / (80 * 50 + 20 * 200), 1.0, 1.0]
    np.testing.assert_allclose(rep_speeds(rep, channel, handle_s, 3, usual_s), expected)
