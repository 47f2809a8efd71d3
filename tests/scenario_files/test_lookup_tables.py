"""Distributions, their tables, and the luck that turns a customer's key into uniform numbers."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import integrate, stats

from envs.interface.units import CELLS, OCTAVES
from envs.scenario.distributions import AccountValue, Duration, DurationDistribution, tabulate_quantiles
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.luck import (
    LUCK_ACCEPT,
    LUCK_CHURN,
    LUCK_ERROR,
    LUCK_PATIENCE,
    LUCK_PICK_UP,
    LUCK_REDIAL,
    LUCK_REDIAL_DELAY,
    look_up_quantile,
    uniform,
)

PURPOSES = (
    LUCK_PICK_UP,
    LUCK_ERROR,
    LUCK_ACCEPT,
    LUCK_REDIAL,
    LUCK_REDIAL_DELAY,
    LUCK_PATIENCE,
    LUCK_CHURN,
)
SPECIFICATIONS = {
    "exponential": {"distribution": "exponential", "mean_s": 180},
    "lognormal": {"distribution": "lognormal", "mean_s": 600, "cv": 0.6},
    "wide_lognormal": {"distribution": "lognormal", "mean_s": 189.3, "cv": 1.21},
    "falling_weibull": {"distribution": "weibull", "mean_s": 300, "shape": 0.7},
    "rising_weibull": {"distribution": "weibull", "mean_s": 300, "shape": 1.8},
    "hyperexponential": {"distribution": "hyperexponential", "prob": [0.3, 0.7], "mean_s": [20, 600]},
    "tabulated": {
        "distribution": "tabulated",
        "time_s": [0, 10, 30, 60, 90, 200],
        "survival_prob": [1.0, 0.95, 0.8, 0.8, 0.6, 0.4],  # nobody hangs up between 30 and 60 s
        "tail_mean_s": 250,
    },
}


def law_of(specification: object) -> DurationDistribution:
    return TypeAdapter(Duration).validate_python(specification)


LAWS = {name: law_of(specification) for name, specification in SPECIFICATIONS.items()}
all_laws = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
smooth_laws = pytest.mark.parametrize(
    "law",
    [law for name, law in LAWS.items() if name != "tabulated"],
    ids=[n for n in LAWS if n != "tabulated"],
)


@compiled
def uniforms(keys, purpose, attempt):
    drawn = np.empty(len(keys))
    for i in range(len(keys)):
        drawn[i] = uniform(keys[i], purpose, attempt)
    return drawn


@compiled
def quantiles(table, probabilities):
    found = np.empty(len(probabilities))
    for i in range(len(probabilities)):
        found[i] = look_up_quantile(table, probabilities[i])
    return found


def counted_keys(count: int) -> np.ndarray:
    """Keys that differ in their last bits only: the hardest case for a hash."""
    return np.arange(count, dtype=np.uint64)


# Quantile tables ----------------------------------------------------------------------------------


def table_probabilities() -> np.ndarray:
    octave = np.arange(OCTAVES)[:, None]
    return 1.0 - 2.0**-octave + 2.0 ** -(octave + 1.0) * np.arange(CELLS + 1)[None, :] / CELLS


@all_laws
def test_a_table_holds_the_exact_quantiles_at_its_points(law):
    table = tabulate_quantiles(law)
    probabilities = table_probabilities()[:, :CELLS].ravel()
    assert quantiles(table, probabilities) == pytest.approx(law.quantile_s(probabilities), rel=1e-12, abs=1e-12)


@smooth_laws
def test_between_its_points_a_table_is_exact_to_a_thousandth_up_to_the_far_tail(law):
    probabilities = np.concatenate([np.linspace(0.03, 0.99, 5000), 1.0 - np.logspace(-2, -7, 500)])
    exact_s = law.quantile_s(probabilities)
    found_s = quantiles(tabulate_quantiles(law), probabilities)
    assert found_s == pytest.approx(exact_s, rel=1e-3, abs=1e-3 * law.mean_duration_s)


def test_a_tabulated_curve_is_exact_but_in_the_cells_of_its_corners():
    law = LAWS["tabulated"]
    probabilities = np.linspace(0.0, 0.999, 20_001)
    error_s = np.abs(quantiles(tabulate_quantiles(law), probabilities) - law.quantile_s(probabilities))
    assert np.mean(error_s > 0.02 * law.mean_duration_s) < 0.03


@all_laws
def test_the_mean_of_a_table_is_the_mean_of_the_law_to_two_thousandths(law):
    table = tabulate_quantiles(law)
    mass = 2.0 ** -(np.arange(OCTAVES) + 1.0) / CELLS
    table_mean_s = float((mass[:, None] * 0.5 * (table[:, 1:] + table[:, :-1])).sum())
    assert table_mean_s == pytest.approx(law.mean_duration_s, rel=2e-3)


def test_exponentials_drawn_from_the_table_have_the_right_moments():
    table = tabulate_quantiles(law_of({"distribution": "exponential", "mean_s": 30}))
    count = 400_000
    drawn_s = quantiles(table, uniforms(counted_keys(count), LUCK_PICK_UP, 0))
    assert drawn_s.mean() == pytest.approx(30, abs=4 * 30 / math.sqrt(count))
    assert (drawn_s**2).mean() == pytest.approx(1800, abs=4 * 900 * math.sqrt(20 / count))  # Var X^2 = 20 mean^4
    assert stats.kstest(drawn_s, stats.expon(scale=30).cdf).pvalue > 1e-4


@pytest.mark.parametrize("value_s", [0, 120, 1e-3])
def test_a_fixed_duration_is_exact_for_every_luck(value_s):
    table = tabulate_quantiles(law_of(value_s))
    assert (quantiles(table, uniforms(counted_keys(1000), LUCK_PICK_UP, 3)) == value_s).all()


def test_the_largest_uniform_number_still_finds_a_finite_quantile():
    for law in LAWS.values():
        assert np.isfinite(quantiles(tabulate_quantiles(law), np.array([0.0, 1.0 - 2.0**-53]))).all()


def test_no_law_makes_an_empty_table():
    assert not tabulate_quantiles(None).any()


# Luck ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("attempt", [0, 1, 5])
def test_luck_is_equidistributed_over_neighbouring_keys(purpose, attempt):
    drawn = uniforms(counted_keys(100_000), purpose, attempt)
    assert drawn.min() >= 0.0
    assert drawn.max() < 1.0
    assert stats.chisquare(np.bincount((drawn * 100).astype(int), minlength=100)).pvalue > 1e-4


def test_luck_is_equidistributed_over_the_attempts_of_one_customer():
    key = np.array([12345], np.uint64)
    drawn = np.array([uniforms(key, LUCK_PICK_UP, attempt)[0] for attempt in range(20_000)])
    assert stats.chisquare(np.bincount((drawn * 50).astype(int), minlength=50)).pvalue > 1e-4


@pytest.mark.parametrize("first", PURPOSES)
@pytest.mark.parametrize("second", PURPOSES)
def test_luck_for_one_purpose_says_nothing_about_another(first, second):
    attempt = 1 if first == second else 0  # the same purpose: its next attempt
    keys = counted_keys(60_000)
    pairs = [(uniforms(keys, first, 0) * 12).astype(int), (uniforms(keys, second, attempt) * 12).astype(int)]
    counts = np.bincount(pairs[0] * 12 + pairs[1], minlength=144)
    assert stats.chisquare(counts).pvalue > 1e-5


def test_luck_of_neighbouring_keys_is_uncorrelated():
    drawn = uniforms(counted_keys(200_000), LUCK_ERROR, 0)
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 4 / math.sqrt(len(drawn))


def test_luck_is_a_pure_function_of_key_purpose_and_attempt():
    keys = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
    assert (uniforms(keys, LUCK_ERROR, 2) == uniforms(keys, LUCK_ERROR, 2)).all()
    assert len({*uniforms(keys, LUCK_ERROR, 2), *uniforms(keys, LUCK_ERROR, 3), *uniforms(keys, LUCK_CHURN, 2)}) == 12


# Laws ---------------------------------------------------------------------------------------------


@all_laws
def test_the_mean_is_the_integral_of_the_survival_function(law):
    edges = [
        0.0,
        *getattr(law, "time_s", ()),
        *law.quantile_s(np.array([0.1, 0.5, 0.9, 0.99, 0.9999])),
        np.inf,
    ]
    edges = sorted(set(edges))
    pieces = [
        integrate.quad(lambda t: float(law.survival_prob(np.array([t]))[0]), low, high)[0]
        for low, high in pairwise(edges)
    ]
    assert sum(pieces) == pytest.approx(law.mean_duration_s, rel=1e-6)


@all_laws
def test_the_quantile_function_inverts_the_survival_function(law):
    probabilities = np.linspace(0.001, 0.999, 999)
    assert law.survival_prob(law.quantile_s(probabilities)) == pytest.approx(1 - probabilities, abs=1e-9)


@all_laws
def test_samples_follow_the_law(law):
    drawn_s = law.sample(np.random.default_rng(5), 50_000)
    assert stats.kstest(drawn_s, lambda t: 1 - law.survival_prob(t)).pvalue > 1e-4


def test_lognormal_and_weibull_are_those_of_scipy():
    lognormal, weibull = LAWS["lognormal"], LAWS["falling_weibull"]
    probabilities = np.linspace(0.01, 0.99, 99)
    sigma = math.sqrt(math.log(1 + 0.6**2))
    expected = stats.lognorm(sigma, scale=600 / math.sqrt(1 + 0.6**2))
    assert lognormal.quantile_s(probabilities) == pytest.approx(expected.ppf(probabilities))
    assert expected.std() / expected.mean() == pytest.approx(0.6)
    scale_s = 300 / math.gamma(1 + 1 / 0.7)
    assert weibull.quantile_s(probabilities) == pytest.approx(stats.weibull_min(0.7, scale=scale_s).ppf(probabilities))


def test_a_hyperexponential_has_the_moments_of_its_phases():
    drawn_s = LAWS["hyperexponential"].sample(np.random.default_rng(6), 400_000)
    mean_s, second = 0.3 * 20 + 0.7 * 600, 2 * (0.3 * 20**2 + 0.7 * 600**2)
    assert LAWS["hyperexponential"].mean_duration_s == pytest.approx(mean_s)
    assert drawn_s.mean() == pytest.approx(mean_s, abs=4 * math.sqrt((second - mean_s**2) / len(drawn_s)))
    assert (drawn_s**2).mean() == pytest.approx(second, rel=0.02)


def test_a_tabulated_patience_is_linear_between_its_points_and_exponential_beyond():
    law = LAWS["tabulated"]
    times_s = np.array([0.0, 5, 10, 20, 45, 75, 200, 450])
    expected = [1.0, 0.975, 0.95, 0.875, 0.8, 0.7, 0.4, 0.4 * math.exp(-1)]
    assert law.survival_prob(times_s) == pytest.approx(expected)
    # Trapezoids, and the tail: 9.75 + 17.5 + 24 + 21 + 55 + 0.4 * 250.
    assert law.mean_duration_s == pytest.approx(227.25)


def test_a_tabulated_patience_that_ends_at_zero_never_lasts_longer():
    law = law_of(SPECIFICATIONS["tabulated"] | {"survival_prob": [1.0, 0.9, 0.8, 0.5, 0.2, 0.0]})
    drawn_s = law.sample(np.random.default_rng(7), 10_000)
    assert drawn_s.max() <= 200
    assert stats.kstest(drawn_s, lambda t: 1 - law.survival_prob(t)).pvalue > 1e-4


# Mean residual times ------------------------------------------------------------------------------


def test_an_exponential_job_never_gets_nearer_its_end():
    assert (LAWS["exponential"].mean_residual_s(np.linspace(0, 5000, 50)) == 180).all()


def test_a_fixed_job_counts_down_to_zero():
    assert law_of(300).mean_residual_s(np.array([0.0, 100, 300, 900])).tolist() == [300, 200, 0, 0]


@pytest.mark.parametrize("name", ["lognormal", "wide_lognormal", "falling_weibull", "rising_weibull"])
def test_mean_residuals_agree_with_numerical_integration(name):
    law = LAWS[name]
    elapsed_s = np.linspace(0.0, 4 * law.mean_duration_s, 9)

    def survival(t: float) -> float:
        return float(law.survival_prob(np.array([t]))[0])

    for t, residual_s in zip(elapsed_s, law.mean_residual_s(elapsed_s), strict=True):
        edges = [t, t + law.mean_duration_s, t + 10 * law.mean_duration_s, t + 100 * law.mean_duration_s]
        parts = [integrate.quad(survival, a, b, limit=200)[0] for a, b in pairwise(edges)]
        assert residual_s == pytest.approx(sum(parts) / survival(t), rel=2e-3)


def test_mean_residual_of_a_hyperexponential_rises_to_its_slow_phase():
    law = LAWS["hyperexponential"]
    elapsed_s = np.array([0.0, 10, 50, 200, 1000])
    alive = [0.3 * np.exp(-elapsed_s / 20), 0.7 * np.exp(-elapsed_s / 600)]
    exact_s = (alive[0] * 20 + alive[1] * 600) / (alive[0] + alive[1])
    assert law.mean_residual_s(elapsed_s) == pytest.approx(exact_s, rel=1e-4)


@all_laws
def test_the_mean_residual_at_the_start_is_the_mean(law):
    assert law.mean_residual_s(np.zeros(1))[0] == pytest.approx(law.mean_duration_s, rel=1e-3)


@given(st.floats(min_value=0.2, max_value=3.0), st.floats(min_value=1.0, max_value=1e5))
def test_lognormal_residuals_are_finite_and_positive_far_beyond_the_mean(cv, mean_s):
    law = law_of({"distribution": "lognormal", "mean_s": mean_s, "cv": cv})
    residual_s = law.mean_residual_s(np.array([0.0, mean_s, 20 * mean_s, 1000 * mean_s]))
    assert np.isfinite(residual_s).all()
    assert (residual_s > 0).all()


# Account values and mistakes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "specification",
    [
        750,
        {"distribution": "lognormal", "mean_usd": 350_000, "cv": 0.7, "max_usd": 1_000_000},
        {"distribution": "log_uniform", "low_usd": 500, "high_usd": 1_000_000},
    ],
)
def test_account_values_have_the_mean_they_state(specification):
    law = TypeAdapter(AccountValue).validate_python(specification)
    drawn_usd = law.sample(np.random.default_rng(8), 200_000)
    error = 4 * drawn_usd.std() / math.sqrt(len(drawn_usd))
    assert drawn_usd.mean() == pytest.approx(law.mean_value_usd, abs=error + 1e-9)
    assert drawn_usd.max() <= 1_000_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prob": [0.3, 0.6]}, "must sum to 1"),
        ({"prob": [1.0]}, "must be as many"),
        ({"mean_s": [20, -1]}, "greater than 0"),
    ],
)
def test_a_wrong_hyperexponential_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        law_of(SPECIFICATIONS["hyperexponential"] | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time_s": [0, 10, 30, 30, 90, 200]}, "time_s must increase"),
        ({"survival_prob": [1.0, 0.9, 0.95, 0.8, 0.6, 0.4]}, "must not increase"),
        ({"survival_prob": [0.9, 0.9, 0.8, 0.8, 0.6, 0.4]}, "time 0 seconds with survival 1"),
        ({"time_s": [0, 10]}, "must be as many"),
    ],
)
def test_a_wrong_patience_curve_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        law_of(SPECIFICATIONS["tabulated"] | changes)
