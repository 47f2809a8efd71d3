"""The demand of an episode: its law, and what it does not depend on."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from envs.inputs.demand import DemandSampler
from envs.interface.units import DAY_S
from envs.scenario.scenario import Scenario, load_scenario
from envs.simulator.machine.state import DEMAND

QUARTERS = [0, 60, 30, 10]
"""Arrivals per hour in the four quarters of a day: means 0, 360, 180, 60."""


def arrivals(rate_per_hour: object = 10, cv: float = 0.0, interval_s: float = 21_600) -> dict[str, Any]:
    return {"rate_per_hour": rate_per_hour, "day_factor_cv": cv, "interval_s": interval_s}


def scenario(voice: dict | None = None, email: dict | None = None, **keys: Any) -> Scenario:
    channels = [
        {
            "name": "voice",
            "kind": "real_time",
            "arrivals": arrivals(QUARTERS),
            "handle_time": {"distribution": "exponential", "mean_s": 180},
            "patience": {"distribution": "exponential", "mean_s": 120},
        },
        {
            "name": "email",
            "kind": "deferred",
            "arrivals": arrivals(20),
            "handle_time": {"distribution": "lognormal", "mean_s": 600, "cv": 1},
            "due": {"after_s": 7200},
        },
    ]
    content = {
        "name": "demand",
        "channels": [channels[0] | (voice or {}), channels[1] | (email or {})],
        "groups": [{"name": "all", "count": 2, "skills": ["voice", "email"]}],
        "segments": [
            {"name": "small", "share_frac": 0.7, "account_value": 500, "at_risk_prob": 0.1},
            {"name": "large", "share_frac": 0.3, "account_value": 10_000, "at_risk_prob": 0.5},
        ],
    }
    return Scenario.model_validate(content | keys)


def episodes(scenario: Scenario, count: int, seed: int = 1) -> list[np.ndarray]:
    sampler = DemandSampler(scenario)
    return [sampler.sample(seed, episode) for episode in range(count)]


def of_queue(demand: np.ndarray, queue: int) -> np.ndarray:
    return demand[demand["queue"] == queue]


def counts_by_interval(demands: list[np.ndarray], n_intervals: int, queue: int = 0) -> np.ndarray:
    """Arrivals [episode, quarter of a day]."""
    return np.array(
        [np.bincount((of_queue(d, queue)["arrival_s"] // 21_600).astype(int), minlength=n_intervals) for d in demands]
    )


# The law of the arrivals --------------------------------------------------------------------------


def test_arrivals_of_each_interval_are_poisson_with_the_rate_of_the_interval():
    n = 400
    counts = counts_by_interval(episodes(scenario(), n), 4)
    means = np.array(QUARTERS) * 6.0
    assert (counts[:, 0] == 0).all()
    assert counts.mean(axis=0) == pytest.approx(means, abs=4 * np.sqrt(means.max() / n))
    dispersion = counts[:, 1:].var(axis=0, ddof=1) / means[1:]
    assert dispersion == pytest.approx(np.ones(3), abs=4 * np.sqrt(2 / n))
    assert abs(np.corrcoef(counts[:, 1], counts[:, 2])[0, 1]) < 4 / np.sqrt(n)


def test_arrival_times_are_uniform_within_an_interval():
    times_s = np.concatenate([of_queue(d, 0)["arrival_s"] for d in episodes(scenario(), 50)])
    second_quarter = times_s[(times_s >= 21_600) & (times_s < 43_200)]
    assert stats.kstest(second_quarter, stats.uniform(21_600, 21_600).cdf).pvalue > 1e-4


def test_the_day_factor_adds_its_variance_to_that_of_poisson():
    n, mean, cv = 3000, 240.0, 0.3
    demands = episodes(scenario({"arrivals": arrivals(10, cv)}, {"arrivals": None}), n)
    counts = np.array([len(of_queue(d, 0)) for d in demands])
    assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt((mean + mean**2 * cv**2) / n))
    assert counts.var(ddof=1) == pytest.approx(mean + mean**2 * cv**2, rel=0.15)


def test_the_day_factor_is_shared_within_a_day_and_independent_between_days_and_channels():
    n, cv = 1000, 0.3
    law = {"arrivals": arrivals(10, cv)}
    demands = episodes(scenario(law, law, horizon={"days": 2}), n)
    voice, email = counts_by_interval(demands, 8), counts_by_interval(demands, 8, queue=1)
    assert np.cov(voice[:, 0], voice[:, 3])[0, 1] == pytest.approx(60.0**2 * cv**2, rel=0.25)
    for other in (voice[:, 4], email[:, 0]):
        assert abs(np.corrcoef(voice[:, 0], other)[0, 1]) < 4 / np.sqrt(n)


def test_a_weekday_that_is_not_named_has_no_arrivals():
    rates = {"monday": QUARTERS, "wednesday": [0, 0, 0, 60]}
    horizon = {"days": 4, "start_weekday": "sunday"}
    demands = episodes(scenario({"arrivals": arrivals(rates)}, horizon=horizon), 30)
    means = counts_by_interval(demands, 16).mean(axis=0).reshape(4, 4)
    assert not means[[0, 2]].any()
    assert not means[3, :3].any()
    assert means[3, 3] == pytest.approx(360, rel=0.05)


def test_no_contact_arrives_after_a_horizon_of_part_of_a_day():
    demand = np.concatenate(episodes(scenario(horizon={"days": 0.6}), 20))
    assert 0.55 * DAY_S < demand["arrival_s"].max() < 0.6 * DAY_S


def test_contacts_come_in_order_with_the_needs_of_their_channel():
    demand = np.concatenate(episodes(scenario(), 30))
    for part in episodes(scenario(), 3):
        assert (np.diff(part["arrival_s"]) >= 0).all()
    voice, email = of_queue(demand, 0), of_queue(demand, 1)
    assert voice["handle_s"].mean() == pytest.approx(180, rel=0.05)
    assert voice["patience_s"].mean() == pytest.approx(120, rel=0.05)
    assert np.isinf(voice["due_s"]).all()
    assert np.isinf(email["patience_s"]).all()
    assert email["due_s"] == pytest.approx(email["arrival_s"] + 7200)
    assert len(np.unique(demand["key"])) == len(demand)


def test_customers_come_from_the_segments_in_their_shares():
    demand = np.concatenate(episodes(scenario(), 40))
    large = demand["value_usd"] == 10_000
    assert set(np.unique(demand["value_usd"])) == {500.0, 10_000.0}
    assert large.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / len(demand)))
    assert demand["at_risk"][large].mean() == pytest.approx(0.5, abs=0.03)
    assert demand["at_risk"][~large].mean() == pytest.approx(0.1, abs=0.02)


def test_a_channel_may_have_shares_of_its_own():
    demand = np.concatenate(episodes(scenario(email={"segment_shares": {"large": 1.0}}), 5))
    assert (of_queue(demand, 1)["value_usd"] == 10_000).all()
    assert (of_queue(demand, 0)["value_usd"] == 500).any()


def test_values_and_needs_are_independent_draws():
    demand = of_queue(np.concatenate(episodes(scenario(), 60)), 0)
    columns = [demand["handle_s"], demand["patience_s"], demand["value_usd"], demand["arrival_s"] % 21_600]
    correlation = np.corrcoef(columns) - np.eye(4)
    assert np.abs(correlation).max() < 4 / np.sqrt(len(demand))


# Determinism --------------------------------------------------------------------------------------


def test_the_demand_is_a_pure_function_of_scenario_seed_and_episode():
    first, second = DemandSampler(scenario()), DemandSampler(scenario())
    forward = [first.sample(3, episode).tobytes() for episode in (0, 1, 2)]
    backward = [second.sample(3, episode).tobytes() for episode in (2, 1, 0)][::-1]
    assert forward == backward
    assert len({*forward, first.sample(4, 0).tobytes()}) == 4


def test_one_channel_does_not_disturb_another():
    before = of_queue(DemandSampler(scenario()).sample(1, 0), 1)
    changes = {
        "arrivals": arrivals(90, 0.4),
        "handle_time": {"distribution": "weibull", "mean_s": 60, "shape": 2},
        "patience": 30,
    }
    after = of_queue(DemandSampler(scenario(changes)).sample(1, 0), 1)
    assert (before == after).all()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"handle_time": {"distribution": "lognormal", "mean_s": 60, "cv": 0.5}}, "handle_s"),
        ({"patience": {"distribution": "weibull", "mean_s": 300, "shape": 2}}, "patience_s"),
        ({"segment_shares": {"small": 0.1, "large": 0.9}}, "value_usd"),
    ],
)
def test_a_change_of_one_law_leaves_every_other_draw_as_it_was(change, field):
    before = of_queue(DemandSampler(scenario()).sample(1, 0), 0)
    after = of_queue(DemandSampler(scenario(change)).sample(1, 0), 0)
    assert (before[field] != after[field]).any()
    for other in set(before.dtype.names) - {field, "at_risk"}:
        assert (before[other] == after[other]).all(), other


def test_a_longer_mean_makes_the_same_customers_proportionally_longer():
    longer = {"handle_time": {"distribution": "exponential", "mean_s": 360}}
    before = of_queue(DemandSampler(scenario()).sample(1, 0), 0)["handle_s"]
    after = of_queue(DemandSampler(scenario(longer)).sample(1, 0), 0)["handle_s"]
    assert after == pytest.approx(2 * before)


# Scripts and backlog ------------------------------------------------------------------------------


def test_scripted_contacts_have_their_own_times_and_needs_or_those_of_the_channel():
    script = [
        {"channel": "email", "at_s": 500, "account_value": 700, "handle_time": 42},
        {"channel": "voice", "at_s": 100, "account_value": 900, "patience": 7, "at_risk_prob": 1},
    ]
    quiet = {"arrivals": None}
    demand = DemandSampler(scenario(quiet | {"handle_time": 33}, quiet, scripted_contacts=script)).sample(1, 0)
    assert demand["arrival_s"].tolist() == [100, 500]
    assert demand["queue"].tolist() == [0, 1]
    assert demand["handle_s"].tolist() == [33, 42]
    assert demand["patience_s"].tolist() == [7, np.inf]
    assert demand["due_s"].tolist() == [np.inf, 7700]
    assert demand["value_usd"].tolist() == [900, 700]
    assert demand["at_risk"].tolist() == [1, 0]


def test_needs_of_scripted_contacts_may_be_drawn_anew_in_every_episode():
    value = {"distribution": "log_uniform", "low_usd": 500, "high_usd": 1_000_000}
    script = [{"channel": "voice", "at_s": at_s, "account_value": value} for at_s in (10, 20)]
    quiet = {"arrivals": None}
    demands = episodes(scenario(quiet, quiet, scripted_contacts=script), 300)
    values_usd = np.array([d["value_usd"] for d in demands])
    assert len(np.unique(values_usd)) == 600
    logs = (np.log(values_usd) - np.log(500)) / np.log(2000)
    assert stats.kstest(logs.ravel(), stats.uniform().cdf).pvalue > 1e-4
    assert abs(np.corrcoef(logs.T)[0, 1]) < 4 / np.sqrt(300)


def test_scripted_contacts_join_the_arrivals_without_changing_them():
    script = [{"channel": "voice", "at_s": 40_000, "account_value": 123}]
    with_script = DemandSampler(scenario(scripted_contacts=script)).sample(1, 0)
    without = DemandSampler(scenario()).sample(1, 0)
    assert (with_script[with_script["value_usd"] != 123] == without).all()
    assert (np.diff(with_script["arrival_s"]) >= 0).all()


def test_the_backlog_is_there_at_the_start_with_its_ages_and_due_times():
    n, mean = 500, 12.0
    changes = {"arrivals": None, "initial_backlog": {"mean_contacts": mean, "max_age_s": 3600}}
    demands = episodes(scenario({"arrivals": None}, changes), n)
    counts = np.array([len(d) for d in demands])
    assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / n))
    assert counts.var(ddof=1) == pytest.approx(mean, rel=4 * np.sqrt(2 / n))
    ages_s = -np.concatenate([d["arrival_s"] for d in demands])
    assert stats.kstest(ages_s, stats.uniform(0, 3600).cdf).pvalue > 1e-4
    due_s = np.concatenate([d["due_s"] for d in demands])
    assert due_s == pytest.approx(7200 - ages_s)


def test_the_backlog_does_not_disturb_the_arrivals():
    backlog = {"initial_backlog": {"mean_contacts": 20, "max_age_s": 3600}}
    with_backlog = DemandSampler(scenario(email=backlog)).sample(1, 0)
    without = DemandSampler(scenario()).sample(1, 0)
    assert (with_backlog["arrival_s"] <= 0).sum() > 5
    assert (with_backlog[with_backlog["arrival_s"] > 0] == without).all()


def test_the_forecast_of_the_bank_is_the_mean_of_its_arrivals():
    bank = load_scenario("bank", ("horizon.days=1",))
    demands = episodes(bank, 200)
    for queue, channel in enumerate(bank.channels):
        if channel.initial_backlog is None and channel.arrivals is not None:
            expected = sum(channel.arrivals.rates_on("sunday")) * channel.arrivals.interval_s / 3600
            mean = np.mean([len(of_queue(d, queue)) for d in demands])
            assert mean == pytest.approx(expected, rel=0.05)


# What is still to come ----------------------------------------------------------------------------


def came(count: int, until_s: float, queue: int = 0) -> np.ndarray:
    demand = np.zeros(count, DEMAND)
    demand["arrival_s"] = np.linspace(0, until_s, count + 2)[1:-1]
    demand["queue"] = queue
    return demand


def fresh_rests(law: Scenario, demand: np.ndarray, n_came: int, now_s: float, count: int) -> list[np.ndarray]:
    """Return what is drawn anew after the first `n_came` contacts, for `count` seeds."""
    sampler = DemandSampler(law)
    rests = []
    for seed in range(count):
        whole = sampler.sample_rest(demand, n_came, now_s, seed)
        assert whole[:n_came].tobytes() == demand[:n_came].tobytes()
        assert (np.diff(whole["arrival_s"]) >= 0).all()
        rests.append(whole[n_came:])
    return rests


def test_the_rest_of_a_day_is_poisson_from_now_on():
    """At 25,000 s there are 43,200 - 25,000 s left of the second quarter of the day: at 60 an hour 303.3 calls."""
    n, now_s = 300, 25_000.0
    law = scenario(email={"arrivals": None})
    rests = fresh_rests(law, DemandSampler(law).sample(7, 0), 50, now_s, n)
    times_s = np.concatenate([rest["arrival_s"] for rest in rests])
    assert times_s.min() >= now_s
    counts = np.array([(rest["arrival_s"] < 43_200).sum() for rest in rests])
    assert counts.mean() == pytest.approx(18_200 / 60, abs=4 * np.sqrt(18_200 / 60 / n))
    assert counts.var(ddof=1) == pytest.approx(18_200 / 60, rel=4 * np.sqrt(2 / n))
    second_quarter_s = times_s[times_s < 43_200]
    assert stats.kstest(second_quarter_s, stats.uniform(now_s, 18_200).cdf).pvalue > 1e-4
    later = np.array([(rest["arrival_s"] >= 43_200).sum() for rest in rests])
    assert later.mean() == pytest.approx(240, abs=4 * np.sqrt(240 / n))


@pytest.mark.parametrize("count", [0, 20, 100])
def test_the_factor_of_the_day_is_that_of_a_day_on_which_so_many_came(count):
    """k = 0.5^-2 = 4. At 10 an hour 60 are expected by six o'clock and 180 after it; N came: the factor is gamma with
    shape 4 + N and rate 4 + 60 = 64, so (4 + N) / 64 * 180 come on average. The next day knows nothing of it."""
    n = 1500
    law = scenario({"arrivals": arrivals(10, 0.5)}, {"arrivals": None}, horizon={"days": 2})
    rests = fresh_rests(law, came(count, 21_600), count, 21_600, n)
    today = np.array([(rest["arrival_s"] < DAY_S).sum() for rest in rests])
    tomorrow = np.array([len(rest) for rest in rests]) - today
    mean, variance = (4 + count) / 64 * 180, (4 + count) / 64**2 * 180**2 + (4 + count) / 64 * 180
    assert today.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / n))
    assert today.var(ddof=1) == pytest.approx(variance, rel=0.15)
    assert tomorrow.mean() == pytest.approx(240, abs=4 * np.sqrt((240 + 240**2 * 0.25) / n))
    assert abs(np.corrcoef(today, tomorrow)[0, 1]) < 4 / np.sqrt(n)


def test_only_arrivals_of_the_channel_and_the_day_tell_of_the_factor():
    """Of the 90 that came and the 50 that did not yet, 20 came on the second day, on this channel, by themselves: so
    (4 + 20) / (4 + 60) * 180 = 67.5 are expected."""
    n = 1000
    yesterday, other = came(30, 70_000), came(20, DAY_S + 21_000, queue=1)
    today = came(20, 21_000)
    today["arrival_s"] += DAY_S
    backlog = came(10, -1000, queue=1)
    script = [{"channel": "voice", "at_s": DAY_S + 100 + i, "account_value": 5} for i in range(10)]
    scripted = came(10, 1)
    scripted["arrival_s"] = [contact["at_s"] for contact in script]
    to_come = came(50, 3600)
    to_come["arrival_s"] += DAY_S + 21_600
    demand = np.concatenate([backlog, yesterday, other, today, scripted, to_come])
    demand = demand[np.argsort(demand["arrival_s"])]
    law = {"arrivals": arrivals(10, 0.5)}
    two_days = scenario(law, law, horizon={"days": 2}, scripted_contacts=script)
    rests = fresh_rests(two_days, demand, 90, DAY_S + 21_600, n)
    counts = np.array([len(of_queue(rest, 0)) for rest in rests])
    assert counts.mean() == pytest.approx(67.5, abs=4 * counts.std() / np.sqrt(n))


def test_scripted_contacts_to_come_keep_their_times_and_have_fresh_needs_of_their_own_law():
    value = {"distribution": "log_uniform", "low_usd": 500, "high_usd": 1_000_000}
    script = [{"channel": "voice", "at_s": at_s, "account_value": value, "handle_time": 42} for at_s in (10, 20, 20)]
    quiet = {"arrivals": None}
    law = scenario(quiet, quiet, scripted_contacts=script)
    demand = DemandSampler(law).sample(1, 0)
    rests = fresh_rests(law, demand, 2, 20.0, 300)
    assert {tuple(rest["arrival_s"]) for rest in rests} == {(20.0,)}
    assert {tuple(rest["handle_s"]) for rest in rests} == {(42.0,)}
    values_usd = np.concatenate([rest["value_usd"] for rest in rests])
    logs = (np.log(values_usd) - np.log(500)) / np.log(2000)
    assert stats.kstest(logs, stats.uniform().cdf).pvalue > 1e-4
    assert len(np.unique([rest["key"] for rest in rests])) == 300
    assert demand["value_usd"][2] not in values_usd


def test_no_episode_is_drawn_again_as_the_rest_of_one():
    law = scenario()
    demand = DemandSampler(law).sample(3, 0)
    rest = DemandSampler(law).sample_rest(demand, 0, 0.0, 3)
    assert not np.isin(rest["key"], demand["key"]).any()
