"""The voice channel of the scenario `bank` is derived from a real call log; these tests derive it again.

Source: the "Anonymous Bank" data of I. Guedj and A. Mandelbaum, Technion (February 1999). The log itself is
not part of this repository (no licence is stated); where it lies beside the repository, every number in
`configs/scenarios/bank.yaml` that claims to come from it is recomputed here and compared within rounding.
The functions below *are* the derivation: each states one estimator and nothing else.
"""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from scipy import stats

REPOSITORY_ROOT = Path(__file__).resolve().parents[2]
SCENARIO_FILE = REPOSITORY_ROOT / "configs" / "scenarios" / "bank.yaml"
LOG_FILE = REPOSITORY_ROOT.parent / "shared" / "data" / "bank1999_02.csv.gz"
SUMMARY_FILE = LOG_FILE.with_name("bank1999_02_summary.json")

INTERVAL_S = 1800
INTERVALS_PER_DAY = 48
DAY_S = 86_400
HANG_UP_S = 10  # a service shorter than this is a caller who hung up on the rep, not work

DAY_NAMES = {
    "Sun": "sunday",
    "Mon": "monday",
    "Tue": "tuesday",
    "Wed": "wednesday",
    "Thu": "thursday",
    "Fri": "friday",
    "Sat": "saturday",
}
# The five full working days of Israel share one profile: their mean volumes do not differ significantly.
FULL_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu")
DAY_KINDS = {"full": FULL_DAYS, "friday": ("Fri",), "saturday": ("Sat",)}
# Intervals in which the center is open. The handful of calls outside them (early birds of the last minutes
# before 07:00, and just after midnight) is left out: nobody is there to take them.
OPEN_INTERVALS = {"full": (14, 48), "friday": (14, 28), "saturday": (38, 48)}

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CallLog:
    """The calls that asked for a rep (served or abandoned), one entry per call, in the order of the file."""

    day_index: npt.NDArray[np.int64]
    weekday: npt.NDArray[np.str_]
    queue_entry_s: FloatArray
    wait_s: FloatArray
    abandoned: BoolArray
    service_s: FloatArray  # NaN for abandoned calls
    priority: npt.NDArray[np.str_]


def read_call_log(path: Path) -> CallLog:
    """Read the log and drop the calls that ended in the voice-response unit and never asked for a rep.

    A call asks for a rep when it leaves the voice-response unit, which is `queue_enter_s`, also for calls
    that did not wait. It can lie just past midnight, which belongs to the day on which the call arrived.
    """
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["outcome"] in ("SERVED", "ABANDON")]
    entry_s = [min(float(row["queue_enter_s"]), DAY_S - 1.0) for row in rows]
    return CallLog(
        day_index=np.array([int(row["day_index"]) for row in rows]),
        weekday=np.array([row["weekday"] for row in rows]),
        queue_entry_s=np.array(entry_s),
        wait_s=np.array([float(row["wait_s"]) for row in rows]),
        abandoned=np.array([row["outcome"] == "ABANDON" for row in rows]),
        service_s=np.array([float(row["service_s"]) if row["service_s"] else np.nan for row in rows]),
        priority=np.array([row["priority"] for row in rows]),
    )


def calls_per_day_and_interval(log: CallLog, weekdays: tuple[str, ...]) -> FloatArray:
    """Calls counted by calendar day (rows, only the given weekdays) and half-hour (columns)."""
    chosen = np.isin(log.weekday, weekdays)
    days, row = np.unique(log.day_index[chosen], return_inverse=True)
    counts = np.zeros((days.size, INTERVALS_PER_DAY))
    np.add.at(counts, (row, (log.queue_entry_s[chosen] // INTERVAL_S).astype(np.int64)), 1.0)
    return counts


def arrival_rate_per_hour(counts: FloatArray, open_intervals: tuple[int, int]) -> FloatArray:
    """Mean calls per half-hour over the days, as calls per hour; zero while the center is closed."""
    rate: FloatArray = counts.mean(axis=0) * (3600.0 / INTERVAL_S)
    first, end = open_intervals
    rate[:first] = 0.0
    rate[end:] = 0.0
    return rate


def day_factor_cv(daily_volume: FloatArray) -> float:
    """Coefficient of variation of the random day factor, by the method of moments.

    Given the factor G (gamma, mean 1) the volume of a day is Poisson with mean G * mean, hence
    variance = mean + mean^2 cv^2. The Poisson part is subtracted and the rest is solved for cv.
    """
    mean = float(daily_volume.mean())
    variance = float(daily_volume.var(ddof=1))
    return float(np.sqrt(max(0.0, variance - mean)) / mean)


def residual_dispersion(counts: FloatArray) -> float:
    """Pearson dispersion of half-hour counts once day totals and the mean profile are given; 1 is Poisson."""
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    degrees_of_freedom = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    return float(((counts - expected) ** 2 / expected).sum() / degrees_of_freedom)


def handle_times_s(log: CallLog) -> FloatArray:
    """Service times of served calls without the hang-up artefact below ten seconds."""
    service_s = log.service_s[~log.abandoned]
    return service_s[service_s >= HANG_UP_S]


def lognormal_log_moments(sample_s: FloatArray) -> tuple[float, float]:
    """Maximum-likelihood mean and standard deviation of the logarithm."""
    logarithm = np.log(sample_s)
    return float(logarithm.mean()), float(logarithm.std())


def lognormal_cv(log_deviation: float) -> float:
    """Coefficient of variation of the lognormal law with this standard deviation of the logarithm."""
    return float(np.sqrt(np.expm1(log_deviation**2)))


def lognormal_distance(sample_s: FloatArray, mean_s: float, cv: float) -> float:
    """Kolmogorov distance between times in whole seconds and the lognormal law of this mean and cv."""
    log_variance = np.log1p(cv**2)
    values, counts = np.unique(sample_s, return_counts=True)
    empirical = np.cumsum(counts) / sample_s.size
    # A time recorded as s seconds stands for s - 0.5 to s + 0.5.
    law = stats.norm.cdf((np.log(values + 0.5) - np.log(mean_s) + log_variance / 2) / np.sqrt(log_variance))
    return float(np.abs(empirical - law).max())


def kaplan_meier(wait_s: FloatArray, abandoned: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Product-limit estimate of the survival of patience; a call that was served censors it at its wait.

    Returns the distinct times of abandonment and the survival probability from each of them on. A call that
    is served in the same second as another one abandons still counts as at risk.
    """
    times_s, abandonments = np.unique(wait_s[abandoned], return_counts=True)
    at_risk = wait_s.size - np.searchsorted(np.sort(wait_s), times_s, side="left")
    survival_prob = np.cumprod(1.0 - abandonments / at_risk, dtype=np.float64)
    return times_s, survival_prob


def survival_at(times_s: FloatArray, survival_prob: FloatArray, at_s: FloatArray) -> FloatArray:
    """Value of the survival step function at the given times."""
    steps = np.concatenate(([1.0], survival_prob))
    return steps[np.searchsorted(times_s, at_s, side="right")]


def exponential_mean_s(wait_s: FloatArray, abandoned: BoolArray, beyond_s: float = 0.0) -> float:
    """Maximum-likelihood mean of exponential patience beyond a time: time at risk / abandonments there."""
    time_at_risk_s = np.clip(wait_s - beyond_s, 0.0, None).sum()
    return float(time_at_risk_s / (abandoned & (wait_s > beyond_s)).sum())


@pytest.fixture(scope="module")
def log() -> CallLog:
    """The real log; the tests that need it are skipped where it is absent."""
    if not LOG_FILE.exists():
        pytest.skip("../shared/data/bank1999_02.csv.gz is not beside this checkout (no licence to ship it)")
    return read_call_log(LOG_FILE)


@pytest.fixture(scope="module")
def voice() -> dict[str, Any]:
    """The voice channel as it stands in the scenario file."""
    scenario = yaml.safe_load(SCENARIO_FILE.read_text(encoding="utf-8"))
    (channel,) = [channel for channel in scenario["channels"] if channel["name"] == "voice"]
    assert isinstance(channel, dict)
    return channel


@pytest.fixture(scope="module")
def waiters(log: CallLog) -> CallLog:
    """Only the calls that waited: those that did not were recorded without their priority (a known bias)."""
    waited = log.wait_s > 0
    return CallLog(**{name: getattr(log, name)[waited] for name in CallLog.__dataclass_fields__})


def test_day_factor_estimator_returns_the_cv_of_a_hand_made_case() -> None:
    """Volumes 80, 100 and 120: mean 100, variance 400, so cv^2 = (400 - 100) / 100^2."""
    assert day_factor_cv(np.array([80.0, 100.0, 120.0])) == pytest.approx(np.sqrt(0.03))
    assert day_factor_cv(np.array([99.0, 100.0, 101.0])) == 0.0


def test_kaplan_meier_by_hand() -> None:
    """Abandonments at 2 and 4 s, calls served after 2 and 3 s: S falls to 3/4 at 2 s and to 0 at 4 s."""
    wait_s = np.array([2.0, 2.0, 3.0, 4.0])
    abandoned = np.array([True, False, False, True])
    times_s, survival_prob = kaplan_meier(wait_s, abandoned)
    np.testing.assert_array_equal(times_s, [2.0, 4.0])
    np.testing.assert_allclose(survival_prob, [0.75, 0.0])
    at_s = np.array([0.0, 1.9, 2.0, 3.9, 4.0])
    np.testing.assert_allclose(survival_at(times_s, survival_prob, at_s), [1.0, 1.0, 0.75, 0.75, 0.0])
    assert exponential_mean_s(wait_s, abandoned) == pytest.approx(11.0 / 2)
    assert exponential_mean_s(wait_s, abandoned, beyond_s=2.0) == pytest.approx(3.0)


def test_lognormal_estimator_recovers_its_law() -> None:
    """The quantiles of a lognormal law with mean 200 s and cv 1.2 give that law back."""
    log_deviation = np.sqrt(np.log1p(1.2**2))
    quantiles = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    sample_s = np.exp(np.log(200.0) - log_deviation**2 / 2 + log_deviation * quantiles)
    assert lognormal_cv(lognormal_log_moments(sample_s)[1]) == pytest.approx(1.2, rel=1e-3)
    assert lognormal_distance(np.round(sample_s), 200.0, 1.2) < 0.002


def kind_of_day(weekday: str) -> str:
    """Which of the three arrival profiles a weekday follows."""
    return next(kind for kind, weekdays in DAY_KINDS.items() if weekday in weekdays)


@pytest.mark.parametrize("weekday", DAY_NAMES)
def test_arrival_rates_are_the_mean_half_hour_volumes(log: CallLog, voice: dict[str, Any], weekday: str) -> None:
    kind = kind_of_day(weekday)
    expected = arrival_rate_per_hour(calls_per_day_and_interval(log, DAY_KINDS[kind]), OPEN_INTERVALS[kind])
    arrivals = voice["arrivals"]
    assert arrivals["interval_s"] == INTERVAL_S
    assert len(arrivals["rate_per_hour"][DAY_NAMES[weekday]]) == INTERVALS_PER_DAY
    np.testing.assert_allclose(arrivals["rate_per_hour"][DAY_NAMES[weekday]], expected, atol=0.0501)


def test_opening_hours_lose_hardly_any_call(log: CallLog) -> None:
    lost = 0.0
    for kind, (first, end) in OPEN_INTERVALS.items():
        counts = calls_per_day_and_interval(log, DAY_KINDS[kind])
        lost += counts[:, :first].sum() + counts[:, end:].sum()
    assert lost / log.day_index.size < 0.0015


def test_full_days_share_one_mean_volume(log: CallLog) -> None:
    volumes = [calls_per_day_and_interval(log, (weekday,)).sum(axis=1) for weekday in FULL_DAYS]
    assert stats.f_oneway(*volumes).pvalue > 0.1


def test_day_factor_is_daily_dispersion_without_poisson_noise(log: CallLog, voice: dict[str, Any]) -> None:
    volume = calls_per_day_and_interval(log, FULL_DAYS).sum(axis=1)
    assert volume.size == 20
    assert voice["arrivals"]["day_factor_cv"] == pytest.approx(day_factor_cv(volume), abs=0.0051)


def test_day_factor_explains_part_of_the_half_hour_dispersion(log: CallLog) -> None:
    """What the scenario leaves out on purpose: variation within the day (dispersion 2.8, Poisson is 1)."""
    counts = calls_per_day_and_interval(log, FULL_DAYS)[:, 16:40]
    assert 2.0 < residual_dispersion(counts) < 3.5


def test_handle_time_keeps_the_mean_and_the_lognormal_body(log: CallLog, voice: dict[str, Any]) -> None:
    sample_s = handle_times_s(log)
    handle_time = voice["handle_time"]
    assert handle_time["distribution"] == "lognormal"
    assert handle_time["mean_s"] == pytest.approx(float(sample_s.mean()), abs=0.0501)
    _, log_deviation = lognormal_log_moments(sample_s)
    assert handle_time["cv"] == pytest.approx(lognormal_cv(log_deviation), abs=0.00501)


def test_handle_time_fits_better_than_with_the_sample_cv(log: CallLog, voice: dict[str, Any]) -> None:
    sample_s = handle_times_s(log)
    sample_cv = float(sample_s.std(ddof=1) / sample_s.mean())
    chosen = lognormal_distance(sample_s, voice["handle_time"]["mean_s"], voice["handle_time"]["cv"])
    assert chosen < 0.02
    assert chosen < lognormal_distance(sample_s, float(sample_s.mean()), sample_cv)


def test_patience_is_the_kaplan_meier_curve_of_the_waiters(waiters: CallLog, voice: dict[str, Any]) -> None:
    patience = voice["patience"]
    assert patience["distribution"] == "tabulated"
    time_s = np.array(patience["time_s"], dtype=np.float64)
    expected = survival_at(*kaplan_meier(waiters.wait_s, waiters.abandoned), time_s)
    np.testing.assert_allclose(patience["survival_prob"], expected, atol=0.000501)


def test_patience_tail_is_exponential_beyond_the_last_point(waiters: CallLog, voice: dict[str, Any]) -> None:
    patience = voice["patience"]
    last_s = float(patience["time_s"][-1])
    assert (waiters.wait_s > last_s).sum() >= 300, "the table must end where enough callers are still waiting"
    expected_s = exponential_mean_s(waiters.wait_s, waiters.abandoned, beyond_s=last_s)
    assert patience["tail_mean_s"] == pytest.approx(expected_s, abs=0.501)
    # The tail continues the product-limit curve: at ten minutes the two still agree.
    tail = patience["survival_prob"][-1] * np.exp(-(600.0 - last_s) / patience["tail_mean_s"])
    (curve,) = survival_at(*kaplan_meier(waiters.wait_s, waiters.abandoned), np.array([600.0]))
    assert tail == pytest.approx(curve, abs=0.03)


def test_derivation_agrees_with_the_independent_summary(log: CallLog, waiters: CallLog) -> None:
    if not SUMMARY_FILE.exists():
        pytest.skip("the summary ../shared/data/bank1999_02_summary.json is not beside this checkout")
    summary = json.loads(SUMMARY_FILE.read_text(encoding="utf-8"))
    counts = calls_per_day_and_interval(log, FULL_DAYS)
    np.testing.assert_allclose(counts.mean(axis=0), summary["arrivals_per_halfhour_SunThu"], atol=1e-9)
    assert counts.sum(axis=1).mean() == pytest.approx(summary["daily_volume_SunThu"]["mean"])
    assert log.abandoned.mean() == pytest.approx(summary["abandon_share_of_queued_or_served"])
    sample_s = handle_times_s(log)
    assert sample_s.mean() == pytest.approx(summary["service_excl_lt10s"]["mean"])
    assert lognormal_log_moments(sample_s)[0] == pytest.approx(summary["service_excl_lt10s"]["mu_log"])
    # The summary divides by n - 1, the maximum-likelihood estimate by n.
    assert lognormal_log_moments(sample_s)[1] == pytest.approx(summary["service_excl_lt10s"]["sigma_log"], rel=1e-4)
    for priority, expected in summary["by_priority"].items():
        chosen = waiters.priority == priority
        wait_s, abandoned = waiters.wait_s[chosen], waiters.abandoned[chosen]
        assert exponential_mean_s(wait_s, abandoned) == pytest.approx(expected["exp_patience_mean_s_censored_MLE"])
        times_s = np.array([float(time) for time in expected["patience_KM_S"]])
        survival_prob = np.array(list(expected["patience_KM_S"].values()))
        # Past ten minutes a handful of callers is left, and conventions for the last one differ.
        early = times_s <= 600
        curve = survival_at(*kaplan_meier(wait_s, abandoned), times_s)
        np.testing.assert_allclose(curve[early], survival_prob[early], atol=1e-3)
