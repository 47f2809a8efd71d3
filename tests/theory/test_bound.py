"""Lower bounds: worked by hand, never beaten, and how near they come to known optima."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playing import contact, scripted

from agents.catalog import fitting_baselines, load_policy
from agents.episodes import play_episodes
from envs.center import BlendedCenter
from envs.errors import ConfigurationError
from envs.interface.units import DAY_S
from envs.scenario.scenario import Scenario, load_scenario
from experiments.bounds import occupation_bound
from experiments.bounds.bound import episode_bounds
from experiments.bounds.clairvoyant_bound import ClairvoyantBound
from experiments.bounds.occupation_bound import expected_bound_usd, reason_against
from experiments.comparison.bound_coverage import ratio_interval
from experiments.comparison.comparison import run_benchmark
from experiments.seeds import demand_seeds

NINE_TO_FIVE = [{"start": "09:00", "end": "17:00"}]
OPENING_S = 9 * 3600


def caller(name: str = "voice", **changes):
    base = {"name": name, "kind": "real_time", "handle_time": 600, "patience": 300, "costs": {"abandonment_usd": 4}}
    return base | changes


def desk(channels, *contacts, **keys):
    """Return a day of one rep with all skills, scripted contacts only."""
    group = {"name": "all", "count": 1, "skills": [entry["name"] for entry in channels]} | keys.pop("group", {})
    return scripted(*contacts, reps=[group], channels=channels, terminal_charge="none", **keys)


def bound_usd(scenario: Scenario) -> float:
    return ClairvoyantBound(scenario).bound_usd(0, 0)


def cost_usd(scenario: Scenario, policy: str = "fifo") -> float:
    (counts,) = play_episodes(scenario, load_policy(policy, scenario).policy, 0, np.arange(1))
    return float(counts["cost_usd"].sum())


class Chance:
    """Takes any open action, `wait` more or less often; repeatable."""

    def __init__(self, seed: int, wait: float) -> None:
        self._generator, self._wait = np.random.default_rng(seed), wait

    def predict(self, observations, deterministic=True):
        noise = self._generator.random(observations["action_mask"].shape)
        noise[:, 0] *= self._wait
        return np.where(observations["action_mask"], noise, -1.0).argmax(axis=1)


# Worked by hand.


def test_two_callers_share_the_rep_as_far_as_time_goes():
    # Both calls take 600 s; the last second of the first is 300 + 600 = 900, of the second 60 + 300 + 600 = 960. Of the
    # 1,200 s of work the rep can do 960 s, so 240 s, 0.4 of the cheaper call, are lost: 0.4 * 4 USD. In truth the
    # second caller hangs up as a whole.
    channels = [caller("gold", costs={"abandonment_usd": 10}), caller()]
    scenario = desk(channels, contact(0, "gold"), contact(60))
    assert bound_usd(scenario) == pytest.approx(1.6, abs=1e-6)
    assert cost_usd(scenario) == pytest.approx(4.0)


def test_it_is_attained_where_one_of_two_impatient_callers_must_be_lost():
    # Nobody waits, so each call has to be served in its first 600 s, all of which either takes: the cheaper is lost.
    channels = [caller("gold", patience=0, costs={"abandonment_usd": 10}), caller(patience=0)]
    scenario = desk(channels, contact(0, "gold"), contact(0))
    assert bound_usd(scenario) == pytest.approx(4.0, abs=1e-6)
    assert cost_usd(scenario) == pytest.approx(4.0)


def test_it_is_attained_where_nobody_is_there():
    # 0.1 of 500 USD for hanging up, after 280 s beyond the threshold at 0.0001 a second: 0.028 of 500 = 14 USD first,
    # which leaves 0.972 of the account: 48.60 USD, and 4 USD.
    harm = {"abandonment_prob": 0.1, "wait_prob_per_min": 0.006}
    scenario = desk([caller(harm=harm)], contact(3600), group={"shifts": NINE_TO_FIVE})
    assert bound_usd(scenario) == pytest.approx(14 + 48.6 + 4)
    assert cost_usd(scenario) == pytest.approx(14 + 48.6 + 4)


def test_it_is_attained_by_a_call_that_ends_after_the_shift():
    # The call comes a minute before the shift ends and takes ten: nine minutes of overtime at 36 USD an hour.
    costs = {"overtime_usd_per_hour": 36}
    late = contact(17 * 3600 - 60)
    scenario = desk([caller(costs={"abandonment_usd": 10})], late, group={"shifts": NINE_TO_FIVE}, costs=costs)
    assert bound_usd(scenario) == pytest.approx(540 * 0.01, abs=1e-6)
    assert cost_usd(scenario) == pytest.approx(540 * 0.01)


def test_only_one_call_can_be_in_hand_when_a_rep_leaves():
    # Two calls come in the last minute before the shift ends, and nobody waits. The one in hand is finished after it.
    channels = [caller("gold", patience=0, costs={"abandonment_usd": 10}), caller(patience=0)]
    at_s = 17 * 3600 - 1
    scenario = desk(channels, contact(at_s, "gold"), contact(at_s), group={"shifts": NINE_TO_FIVE})
    # One second is left of the shift: 1/600 of a call, besides one in hand.
    assert bound_usd(scenario) == pytest.approx(4.0, abs=4 * 60 / 600 + 1e-6)
    assert bound_usd(scenario) > 3.0
    assert cost_usd(scenario) == pytest.approx(4.0)


def test_a_break_is_no_time_to_work():
    pause = {"start": "12:00", "length_s": 1800}
    group = {"shifts": [NINE_TO_FIVE[0] | {"breaks": [pause]}]}
    scenario = desk([caller(patience=60)], contact(12 * 3600 + 60), group=group)
    assert bound_usd(scenario) == pytest.approx(4.0)


EMAIL = {"name": "email", "kind": "deferred", "handle_time": 600, "due": {"after_s": 3600}, "costs": {"late_usd": 5}}


def test_work_that_comes_after_hours_is_late():
    # Due at 19:00, and nobody works before the next day: 5 USD, and 0.01 of 500 USD.
    email = EMAIL | {"harm": {"late_prob": 0.01}}
    scenario = desk([email], contact(18 * 3600, "email"), group={"shifts": NINE_TO_FIVE})
    assert bound_usd(scenario) == pytest.approx(10.0)
    assert cost_usd(scenario) == pytest.approx(10.0)


def test_what_cannot_all_be_done_in_time_is_late_in_part():
    # Ten e-mails of ten minutes, due within the hour after opening: six can be done in time.
    scenario = desk([EMAIL], *[contact(OPENING_S, "email")] * 10, group={"shifts": NINE_TO_FIVE})
    assert bound_usd(scenario) == pytest.approx(4 * 5.0, abs=1e-6)
    assert cost_usd(scenario) == pytest.approx(4 * 5.0)


def test_reps_without_the_skill_do_not_help():
    channels = [caller(patience=0), EMAIL]
    groups = [{"name": "mail", "count": 5, "skills": ["email"]}]
    groups.append({"name": "voice", "count": 1, "skills": ["voice", "email"], "shifts": NINE_TO_FIVE})
    scenario = scripted(contact(0), reps=groups, channels=channels, terminal_charge="none")
    assert bound_usd(scenario) == pytest.approx(4.0)


def test_faster_reps_need_less_time():
    # At twice the speed the rep does both impatient calls in the 300 s that the window leaves of each: half of each.
    channels = [caller("gold", patience=0, costs={"abandonment_usd": 10}), caller(patience=0)]
    group = {"proficiency": {"gold": {"speed": 2}, "voice": {"speed": 2}}}
    scenario = desk(channels, contact(0, "gold"), contact(0), group=group)
    assert bound_usd(scenario) == pytest.approx(4.0, abs=1e-6)


def test_a_shift_that_is_missed_has_no_reps():
    scenario = desk([caller()], contact(OPENING_S), group={"shifts": NINE_TO_FIVE, "absence_prob": 1})
    assert bound_usd(scenario) == pytest.approx(4.0)


def test_a_callback_is_no_more_than_its_price():
    channels = [caller(callback_offer={"to": "callback", "accept_prob": 1})]
    channels.append({"name": "callback", "kind": "deferred", "handle_time": 600, "due": {"after_s": 3600}})
    at_night = contact(0)
    costs = {"callback_usd": 3}
    scenario = desk(channels, at_night, group={"shifts": NINE_TO_FIVE}, costs=costs)
    assert bound_usd(scenario) == pytest.approx(3.0)  # a late callback costs nothing here
    late = channels[1] | {"costs": {"late_usd": 0.5}}
    scenario = desk([channels[0], late], at_night, group={"shifts": NINE_TO_FIVE}, costs=costs)
    assert bound_usd(scenario) == pytest.approx(3.5)


def test_what_comes_in_the_warm_up_is_left_out():
    channels = [caller()]
    horizon = {"days": 1, "warm_up_days": 0.25}
    scenario = desk(channels, contact(3600), contact(7 * 3600), group={"shifts": NINE_TO_FIVE}, horizon=horizon)
    assert bound_usd(scenario) == pytest.approx(4.0)


def test_long_horizons_fall_apart_into_weeks():
    # Each impatient pair loses its cheaper call, in the first week and in the second.
    channels = [caller("gold", patience=0, costs={"abandonment_usd": 10}), caller(patience=0)]
    pairs = [contact(day * DAY_S, name) for day in (0, 8) for name in ("gold", "voice")]
    scenario = desk(channels, *pairs, horizon={"days": 10})
    assert bound_usd(scenario) == pytest.approx(8.0, abs=1e-6)


# Never beaten.

SHORT = {
    "tests/everything.yaml": (),
    "tiny": (),
    "million_dollar_interrupt_random": (),
    "premium_desk": ("horizon.days=0.6",),
    "two_clients": ("horizon.days=0.5",),
    "collections_blend": ("horizon.days=0.55",),
    "insurance_claims": ("horizon.days=0.6",),
    "follow_the_sun": ("horizon.days=0.3",),
    "retail_peak": ("horizon.days=0.45",),
    "monday_backlog": ("horizon.days=0.6",),
    "bank": ("horizon.days=0.4", "horizon.warm_up_days=0.1"),
}


@pytest.mark.parametrize("name", SHORT)
def test_no_policy_beats_an_episode_s_bound(name):
    scenario = load_scenario(name, SHORT[name])
    episodes = np.arange(2)
    bounds = episode_bounds(scenario, 5, episodes).clairvoyant_usd
    policies = {baseline: load_policy(baseline, scenario).policy for baseline in fitting_baselines(scenario)}
    policies |= {"chance": Chance(0, 1.0), "seldom waits": Chance(1, 0.1), "always waits": Chance(2, 1e9)}
    for label, policy in policies.items():
        costs = [float(count["cost_usd"].sum()) for count in play_episodes(scenario, policy, 5, episodes)]
        assert (np.array(costs) >= bounds * (1 - 1e-6) - 1e-6).all(), (label, costs, bounds)


@st.composite
def small_days(draw):
    """Draw a day of up to six contacts on three channels, for one or two reps."""
    seconds = st.sampled_from([0, 60, 300, 600, 1200, 3600])
    voice = caller(
        handle_time=draw(seconds), patience=draw(seconds), waiting_limit=draw(st.sampled_from([1, 2, 8])),
        harm={"abandonment_prob": 0.02, "wait_prob_per_min": draw(st.sampled_from([0, 0.001]))},
        costs={"abandonment_usd": 4, "blocked_usd": draw(st.sampled_from([1, 9]))},
        callback_offer={"to": "email", "accept_prob": 0.5, "refusal_prob": 0.3},
        resolution={"prob": draw(st.sampled_from([0.5, 1])), "escalates": {"prob": 0.5, "to": "email"}},
    )  # fmt: skip
    chat = caller("chat", concurrency={"speed_frac": [1, 0.7]}, patience=draw(seconds), handle_time=draw(seconds))
    email = EMAIL | {
        "handle_time": draw(seconds), "interruptible": draw(st.booleans()), "pick_up": 60,
        "error": {"prob": 0.3, "per_interruption_prob": 0.3},
        "harm": {"late_prob": 0.01, "late_prob_per_hour": 0.02},
        "costs": {"late_usd": 5, "error_usd": 3, "holding_usd_per_hour": draw(st.sampled_from([0, 3]))},
        "due": {"after_s": draw(st.sampled_from([600, 1800, 7200]))},
    }  # fmt: skip
    contacts = [
        contact(draw(st.integers(0, 40)) * 60.0, draw(st.sampled_from(["voice", "chat", "email"])), 1000.0)
        for _ in range(draw(st.integers(2, 6)))
    ]
    start_s = draw(st.sampled_from([0, 300]))
    shift = {"start": f"00:{start_s // 60:02d}", "end": draw(st.sampled_from(["00:20", "01:00", "03:00"]))}
    group = {"count": draw(st.integers(1, 2)), "capacity_units": 2, "shifts": [shift]}
    group["proficiency"] = {"voice": {"speed": draw(st.sampled_from([0.5, 1, 1.5]))}}
    keys = {"horizon": {"days": 0.125}, "costs": {"callback_usd": 1, "overtime_usd_per_hour": 12}}
    scenario = desk([voice, chat, email], *contacts, group=group, **keys)
    return scenario.model_copy(update={"terminal_charge": draw(st.sampled_from(["expected", "none"]))})


@settings(max_examples=40, deadline=None, derandomize=True)
@given(small_days(), st.integers(0, 3))
def test_the_best_of_many_tries_does_not_beat_it(scenario, episode):
    bound = ClairvoyantBound(scenario).bound_usd(1, episode)
    center = BlendedCenter(scenario)
    generator = np.random.default_rng(0)
    least_usd = math.inf
    for wait in [1e-6, 0.1, 0.5, 1.0] * 10:
        _, info = center.reset(seed=1, options={"episode": episode})
        usd, over = 0.0, False
        while not over:
            noise = np.where(info["action_mask"], generator.random(len(info["action_mask"])), -1.0)
            noise[0] *= wait
            _, reward_usd, over, _, info = center.step(int(noise.argmax()))
            usd -= reward_usd
        least_usd = min(least_usd, usd)
    assert bound <= least_usd * (1 + 1e-6) + 1e-6


# In expectation.


def exponential(mean_s: float) -> dict:
    return {"distribution": "exponential", "mean_s": mean_s}


def queue_of_callers(**keys) -> Scenario:
    voice = {
        "name": "voice", "kind": "real_time", "arrivals": {"rate_per_hour": 30, "day_factor_cv": 0},
        "handle_time": exponential(180), "patience": exponential(120), "waiting_limit": 3,
        "costs": {"abandonment_usd": 3, "blocked_usd": 7},
    }  # fmt: skip
    content = {"name": "queue", "horizon": {"days": 30}, "terminal_charge": "none", "channels": [voice]}
    return Scenario.model_validate(content | {"groups": [{"name": "reps", "count": 2, "skills": ["voice"]}]} | keys)


def test_a_single_queue_costs_what_its_birth_death_chain_says():
    # 30 callers an hour, 20 served an hour by each of 2 reps, 30 hang up an hour of each of at most 3 who wait.
    rates_down = [20.0, 40.0, 70.0, 100.0, 130.0]
    weights = np.cumprod([1.0] + [30.0 / rate for rate in rates_down])
    share = weights / weights.sum()
    usd_per_hour = 3 * 30 * float(share[3:] @ [1, 2, 3]) + 7 * 30 * share[5]
    found = expected_bound_usd(queue_of_callers()) / (30 * 24)
    assert found <= usd_per_hour + 1e-9
    assert found == pytest.approx(usd_per_hour, rel=1e-3)  # the horizon begins with nobody there
    warm = queue_of_callers(horizon={"days": 30, "warm_up_days": 1})
    assert expected_bound_usd(warm) / (29 * 24) == pytest.approx(usd_per_hour, rel=2e-3)


def test_accounts_count_with_the_least_value_that_is_sure():
    plain = expected_bound_usd(queue_of_callers())
    changes = {"harm": {"abandonment_prob": 0.1, "blocked_prob": 0.1}, "costs": {}}
    voice = queue_of_callers().model_dump(exclude_unset=True)["channels"][0] | changes
    fixed = [{"name": "all", "share_frac": 1, "account_value": 30}]
    drawn = [{"name": "all", "share_frac": 1, "account_value": {"distribution": "lognormal", "mean_usd": 30, "cv": 1}}]
    with_three = queue_of_callers(channels=[voice], segments=fixed)
    both_at_three = [voice | {"harm": {}, "costs": {"abandonment_usd": 3, "blocked_usd": 3}}]
    assert 0.0 < expected_bound_usd(with_three) < plain
    assert expected_bound_usd(with_three) == pytest.approx(expected_bound_usd(queue_of_callers(channels=both_at_three)))
    assert expected_bound_usd(queue_of_callers(channels=[voice], segments=drawn)) == 0.0


# By policy iteration; `blended certify` finds them too.
OPTIMA_USD_PER_MINUTE = {
    "certify_interrupt": 0.3601656649161828,
    "certify_value": 0.8426647050023288,
    "certify_deadline": 1.0656480550427152,
}


@pytest.mark.parametrize(("name", "optimum"), OPTIMA_USD_PER_MINUTE.items())
def test_it_all_but_reaches_the_optimum_of_a_small_chain(name, optimum):
    scenario = load_scenario(name)
    minutes = (scenario.horizon.days - scenario.horizon.warm_up_days) * 1440
    assert 0.98 * optimum < expected_bound_usd(scenario) / minutes <= optimum * (1 + 1e-6)


@pytest.mark.parametrize(
    ("name", "least_frac"), [("certify_interrupt", 0.7), ("certify_value", 0.55), ("certify_deadline", 0.4)]
)
def test_channel_by_channel_it_is_a_bound_too(name, least_frac, monkeypatch):
    monkeypatch.setattr(occupation_bound, "MAX_STATES", 150)  # no room for two channels
    scenario = load_scenario(name)
    minutes = (scenario.horizon.days - scenario.horizon.warm_up_days) * 1440
    found = expected_bound_usd(scenario) / minutes
    assert least_frac * OPTIMA_USD_PER_MINUTE[name] < found < OPTIMA_USD_PER_MINUTE[name]


def test_what_is_not_markovian_has_none_in_expectation():
    assert reason_against(queue_of_callers()) is None
    assert reason_against(load_scenario("bank")) == "reps come and go"
    voice = queue_of_callers().model_dump(exclude_unset=True)["channels"][0]
    for change, reason in [
        ({"handle_time": 180}, "handle times are not exponential"),
        ({"patience": 120}, "patience is not exponential"),
        ({"waiting_limit": None}, "its waiting room has no limit, or its lines have one"),
        ({"redial": {"prob": 0.5, "delay": 60}}, "it has redial"),
        ({"arrivals": {"rate_per_hour": 30}}, "days differ"),
    ]:
        assert reason_against(queue_of_callers(channels=[voice | change])) == f"channel voice: {reason}"
    result = episode_bounds(load_scenario("tiny"), 0, [0])
    assert (result.expected_usd, result.kind) == (None, "per episode")


def test_the_larger_bound_is_reported_by_the_day():
    scenario = queue_of_callers(horizon={"days": 2, "warm_up_days": 1})
    result = episode_bounds(scenario, 3, range(2))
    assert result.kind == "in expectation"
    assert result.expected_usd > result.clairvoyant_usd.mean() > 0.0
    assert result.usd_per_day == pytest.approx([result.expected_usd] * 2)  # one day counts
    assert result.total_cost_usd == (result.expected_usd,) * 3
    day = load_scenario("two_clients", ("horizon.days=2",))
    result = episode_bounds(day, 3, range(2))
    assert result.kind == "per episode"
    assert result.usd_per_day == pytest.approx(result.clairvoyant_usd / 2)
    with pytest.raises(ConfigurationError, match="an episode at least"):
        episode_bounds(day, 3, [])


# In a benchmark.


@pytest.fixture(scope="module")
def benchmark():
    scenario = load_scenario("two_clients", ("horizon.days=1",))
    return run_benchmark(scenario, ["fifo", "value_first"], episodes=4, seed=1, bound=3)


def test_a_benchmark_tells_what_each_policy_covers(benchmark):
    result = benchmark.scenarios["two_clients"]
    fifo, other = (
        [metrics["total_cost_usd"] for metrics in result.outcomes[name].episode_metrics[:3]]
        for name in ("fifo", "value_first")
    )
    bounds = episode_bounds(result.scenario, demand_seeds(1).test, range(3)).usd_per_day
    data = benchmark.as_json()["scenarios"]["two_clients"]
    assert data["bound"]["total_cost_usd"] == pytest.approx(bounds.mean())
    assert data["bound"]["low"] < data["bound"]["total_cost_usd"] < data["bound"]["high"]
    assert (data["bound"]["episodes"], data["bound"]["kind"]) == (3, "per episode")
    covered = data["policies"]["value_first"]["covered_frac"]
    assert covered["mean"] == pytest.approx((sum(fifo) - sum(other)) / (sum(fifo) - bounds.sum()))
    assert covered["low"] <= covered["mean"] <= covered["high"] < 1.0
    assert data["policies"]["fifo"]["covered_frac"]["mean"] == 0.0


def test_the_table_shows_policies_and_bound(benchmark, capsys):
    benchmark.show()
    text = " ".join(capsys.readouterr().out.split())  # titles are broken into lines
    assert "the way from FIFO to the bound, first 3 test episodes" in text
    assert "Bound per episode" in text


def test_without_fifo_nothing_is_covered():
    scenario = load_scenario("tiny")
    data = run_benchmark(scenario, ["value_first"], episodes=2, bound=1).as_json()["scenarios"]["tiny"]
    assert data["bound"]["low"] is None  # one episode has no interval
    assert "covered_frac" not in data["policies"]["value_first"]
    assert "bound" not in run_benchmark(scenario, ["fifo"], episodes=2).as_json()["scenarios"]["tiny"]


def test_a_bound_needs_episodes_that_are_played():
    with pytest.raises(ConfigurationError, match=r"bound = 3: must be >= 0 and <= episodes = 2"):
        run_benchmark(load_scenario("tiny"), ["fifo"], episodes=2, bound=3)


def test_shares_are_sums_over_sums():
    assert ratio_interval(np.array([1.0, 3.0]), np.array([4.0, 4.0])).mean == pytest.approx(0.5)
    assert math.isnan(ratio_interval(np.array([1.0]), np.array([0.0])).mean)
    single = ratio_interval(np.array([1.0]), np.array([4.0]))
    assert (single.mean, math.isnan(single.low)) == (0.25, True)
