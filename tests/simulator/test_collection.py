"""Work lists: collections, hours of the day to reach debtors, and lists that never run out (D2, D6)."""

from typing import Any

import numpy as np
import pytest
from playing import VOICE, Center, channel, contact, day, finish

from agents.episodes import play_episodes
from agents.rules.rule_policy import RulePolicy
from envs.counts import add_counts
from envs.errors import ConfigurationError
from envs.metrics import compute_metrics
from envs.scenario.scenario import load_scenario

HARDLY_EVER = 1e-12
ALWAYS = 1 - 1e-12
DEBT = {"amount_owed": 1000, "pay_prob": ALWAYS, "recovery_frac": 0.5, "commission_frac": 0.2}


def debtors(**changes: Any) -> dict[str, Any]:
    base = {
        "name": "debtor",
        "kind": "deferred",
        "handle_time": 300,
        "due": {"after_s": 7200},
        "costs": {"late_usd": 3},
        "collection": DEBT,
    }
    return channel(base, **changes)


def reach(prob: float | list[float], **changes: Any) -> dict[str, Any]:
    return {"prob": prob, "attempt_s": 60, "retry_after_s": 600, "max_attempts": 3} | changes


def seen(center: Center, action: str, field: str) -> float:
    names = [entry.name for entry in center.observation_fields.candidates]
    return float(center._observe()["candidates"][center.action_names.index(action), names.index(field)])


# Collections (D6) ---------------------------------------------------------------------------------


def test_a_debtor_who_is_reached_pays_his_share_and_the_provider_keeps_the_commission():
    center = Center(day([debtors()], contact(0, "debtor")))
    # 1,000 owed, half of it paid, a fifth of that kept; missing the due time would forgo these 100 and cost 3.
    assert seen(center, "serve:debtor:oldest", "income_usd") == pytest.approx(100)
    assert seen(center, "serve:debtor:oldest", "stake_usd") == pytest.approx(103)
    metrics = finish(center.do("serve:debtor:oldest"))
    assert metrics["debtor.recovered_usd"] == 500
    assert metrics["debtor.commission_usd"] == 100
    assert metrics["total_cost_usd"] == 0


def test_a_debtor_who_does_not_pay_forgoes_nothing():
    poor = debtors(collection=DEBT | {"pay_prob": HARDLY_EVER})
    metrics = finish(Center(day([poor], contact(0, "debtor"))).do("serve:debtor:oldest"))
    assert metrics["debtor.completed"] == 1
    assert metrics["debtor.recovered_usd"] == metrics["total_cost_usd"] == 0


def test_the_clients_take_back_a_contact_that_nobody_has_in_hand_at_its_due_time():
    half = debtors(collection=DEBT | {"pay_prob": 0.5})
    clients = [{"name": "bank", "channels": ["debtor"], "fee_usd": 2}]
    center = Center(day([half], contact(0, "debtor"), clients=clients)).do("wait")
    metrics = finish(center)
    assert metrics["debtor.recalled"] == 1
    assert metrics["debtor.left_open"] == 0
    assert metrics["cost_forgone_usd"] == pytest.approx(2 + 1000 * 0.5 * 0.5 * 0.2)
    assert metrics["cost_lateness_usd"] == 3
    assert metrics["debtor.on_time_frac"] == 0


def test_a_debtor_in_hand_at_the_due_time_still_pays():
    center = Center(day([debtors(handle_time=8000)], contact(0, "debtor")))
    metrics = finish(center.do("serve:debtor:oldest"))
    assert metrics["debtor.recovered_usd"] == 500
    assert metrics["debtor.recalled"] == metrics["cost_forgone_usd"] == 0
    assert metrics["cost_lateness_usd"] == 3


def test_a_debtor_never_reached_is_given_up_and_forgoes_the_expected_commission_once():
    center = Center(day([debtors(reach=reach(HARDLY_EVER), due={"after_s": 1000})], contact(0, "debtor")))
    center.do("serve:debtor:oldest")  # an attempt from 0 to 60
    assert center.time_s == 660
    center.do("serve:debtor:oldest")  # until 720; the next would be at 1,320, after the due time at 1,000
    metrics = finish(center)
    assert metrics["debtor.attempts"] == 2
    assert metrics["debtor.recalled"] == 1
    assert metrics["cost_forgone_usd"] == pytest.approx(100)
    # With more time it is the third attempt that ends it.
    center = Center(day([debtors(reach=reach(HARDLY_EVER))], contact(0, "debtor")))
    for _ in range(3):
        center.do("serve:debtor:oldest")
    metrics = finish(center)
    assert (metrics["debtor.given_up"], metrics["debtor.recalled"]) == (1, 0)
    assert metrics["cost_forgone_usd"] == pytest.approx(100)


def test_an_attempt_under_way_at_the_due_time_is_the_last():
    center = Center(day([debtors(reach=reach(HARDLY_EVER), due={"after_s": 30})], contact(0, "debtor")))
    metrics = finish(center.do("serve:debtor:oldest"))
    assert metrics["debtor.attempts"] == metrics["debtor.given_up"] == 1
    assert metrics["cost_forgone_usd"] == pytest.approx(100)
    assert metrics["cost_lateness_usd"] == 3


def test_what_is_open_at_the_horizon_is_charged_only_if_it_would_be_taken_back_first():
    # Work of 300 s by one rep who is always there ends 300 s after the horizon: after a due time 100 s off, before one
    # 1,000 s off.
    for after_s, forgone_usd in ((100, 100), (1000, 0)):
        at_s = 86_400 - 10
        scenario = day([debtors(due={"after_s": after_s})], contact(at_s, "debtor"), terminal_charge="expected")
        assert finish(Center(scenario).do("wait"))["cost_forgone_usd"] == pytest.approx(forgone_usd)


def test_debtors_are_reached_by_the_hour_of_the_day():
    by_hour = [0.0] * 24
    by_hour[1] = 1.0
    center = Center(
        day([debtors(reach=reach(by_hour, retry_after_s=3600), due={"after_s": 86_000})], contact(0, "debtor"))
    )
    assert seen(center, "serve:debtor:oldest", "reach_prob") == 0
    center.do("serve:debtor:oldest")
    assert center.time_s == 3660  # 60 s of dialling, an hour's wait
    assert seen(center, "serve:debtor:oldest", "reach_prob") == 1
    metrics = finish(center.do("serve:debtor:oldest"))
    assert metrics["debtor.attempts"] == 2
    assert metrics["debtor.recovered_usd"] == 500


def test_the_share_that_pays_is_the_chance():
    arrivals = {"rate_per_hour": 20, "day_factor_cv": 0}
    scenario = day(
        [debtors(arrivals=arrivals, handle_time=1, collection=DEBT | {"pay_prob": 0.3})], horizon={"days": 20}
    )
    counts = play_episodes(scenario, RulePolicy("fifo", scenario), 0, np.arange(1))
    metrics = compute_metrics(scenario, add_counts(counts))
    # About 9,600 debtors: standard error sqrt(0.3 * 0.7 / 9600) = 0.0047.
    share = metrics["debtor.recovered_usd"] / (500 * metrics["debtor.completed"])
    assert share == pytest.approx(0.3, abs=4 * 0.0047)


# Lists that never run out (D2) --------------------------------------------------------------------


def survey(**changes: Any) -> dict[str, Any]:
    base = {"name": "survey", "kind": "deferred", "handle_time": 600, "supply": "unlimited", "offered_per_day": 200}
    return channel(base, **changes)


def test_one_contact_of_an_unlimited_list_is_always_waiting():
    clients = [{"name": "shop", "channels": ["survey"], "fee_usd": 3}]
    center = Center(day([survey()], clients=clients))
    while not center.is_done:
        assert center.record["queues"]["waiting"][0] == 1
        center.do("serve:survey:oldest")
    metrics = center.metrics
    # Work without a pause: 86,400 / 600 = 144, the last of which the horizon comes before; 200 were paid for.
    assert metrics["survey.completed"] == 143
    assert metrics["occupancy_frac"] == 1
    assert metrics["cost_forgone_usd"] == 3 * (200 - 143)


def test_a_list_nobody_works_on_is_no_backlog_but_forgoes_all_that_was_offered():
    clients = [{"name": "shop", "channels": ["survey"], "fee_usd": 3}]
    metrics = finish(Center(day([survey()], clients=clients, terminal_charge="expected")))
    assert metrics["survey.left_open"] == 0
    assert metrics["total_cost_usd"] == metrics["cost_forgone_usd"] == 3 * 200


def test_more_than_was_offered_earns_nothing():
    clients = [{"name": "shop", "channels": ["survey"], "fee_usd": 3}]
    center = Center(day([survey(offered_per_day=100)], clients=clients))
    while not center.is_done:
        center.do("serve:survey:oldest")
    assert center.metrics["total_cost_usd"] == 0


def test_an_unlimited_list_of_debtors_offers_the_expected_commission():
    listed = survey(offered_per_day=10, collection=DEBT | {"pay_prob": 0.5})
    metrics = finish(Center(day([listed])))
    assert metrics["cost_forgone_usd"] == pytest.approx(10 * 1000 * 0.5 * 0.5 * 0.2)


def test_a_list_that_was_worked_through_starts_over_with_fresh_luck(monkeypatch):
    monkeypatch.setattr("envs.inputs.demand.MAX_LIST", 5)
    center = Center(day([survey(handle_time=60)]))
    keys = []
    while not center.is_done:
        slots = np.flatnonzero(center.record["slots"]["person"]["status"][:10] == 1)  # waiting
        keys.append(int(center.record["slots"]["person"]["key"][slots[0]]))
        center.do("serve:survey:oldest")
    assert len(keys) == len(set(keys)) == 1440


def test_calls_come_before_the_list_and_nothing_is_late():
    arrivals = {"rate_per_hour": 5, "day_factor_cv": 0}
    scenario = day([channel(VOICE, arrivals=arrivals), survey()])
    (counts,) = play_episodes(scenario, RulePolicy("voice_first", scenario), 0, np.arange(1))
    metrics = compute_metrics(scenario, counts)
    assert metrics["occupancy_frac"] == pytest.approx(1, abs=0.001)
    assert metrics["survey.left_overdue"] == 0
    assert metrics["voice.completed"] > 90


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("supply: unlimited, due: {after_s: 60}", "channels[0].due"),
        ("supply: unlimited, arrivals: {rate_per_hour: 1}", "channels[0].arrivals"),
        ("offered_per_day: 5", "channels[0].offered_per_day = 5: has a meaning with supply: unlimited only"),
        ("collection: {amount_owed: 5, pay_prob: 0.5, commission_frac: 0.1}", "channels[0].due: missing key"),
        ("reach: {prob: [0.5, 0.5], attempt_s: 1, retry_after_s: 1}", "reach.prob: has 2 entries: must be 24"),
    ],
)
def test_mistakes_are_named(tmp_path, keys, problem):
    file = tmp_path / "x.yaml"
    file.write_text(
        "name: x\n"
        f"channels: [{{name: list, kind: deferred, handle_time: 60, {keys}}}]\n"
        "groups: [{name: all, count: 1, skills: [list]}]\n"
    )
    with pytest.raises(ConfigurationError) as raised:
        load_scenario(file)
    assert problem in str(raised.value)
