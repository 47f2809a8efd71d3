"""Statements of work and fairness: fees forgone, targets over a whole horizon, the worst-served band (D7, D17)."""

from typing import Any

import numpy as np
import pytest
from playing import EMAIL, VOICE, Center, channel, contact, scripted

from envs.counts import read_counts
from envs.errors import ConfigurationError
from envs.metrics import compute_metrics
from envs.scenario.scenario import Scenario, load_scenario

CALL = channel(VOICE, patience=60, service_level_threshold_s=20)


def day(*contacts: dict[str, Any], channels: list[dict[str, Any]] | None = None, **keys: Any) -> Scenario:
    return scripted(*contacts, **{"terminal_charge": "none", "channels": channels or [CALL, EMAIL]} | keys)


def finish(center: Center) -> dict[str, float]:
    center.wait_until(np.inf)
    return compute_metrics(center.scenario, read_counts(center.record))


def seen(center: Center, name: str) -> float:
    place = [field.name for field in center.observation_fields.center].index(name)
    return float(center._observe()["center"][place])


def two_calls(**keys: Any) -> Center:
    """One call answered at once; one that comes while the only rep is busy, and hangs up after 60 s."""
    return Center(day(contact(0), contact(100), contact(1000), **keys)).do("assign:longest_idle")


def test_a_lost_call_forgoes_its_fee_and_a_handled_one_pays_for_technology():
    clients = [{"name": "bank", "channels": ["voice"], "fee_usd": 9, "technology_usd": 0.5}]
    metrics = finish(two_calls(clients=clients).do("assign:longest_idle"))
    assert metrics["cost_forgone_usd"] == 9  # the call at 100 s
    assert metrics["cost_handling_usd"] == 1.0  # two calls of 0.5
    assert metrics["total_cost_usd"] == 10


def test_a_caller_who_will_dial_again_is_not_lost_yet():
    redial = {"prob": 1.0, "delay": 2000}
    clients = [{"name": "bank", "channels": ["voice"], "fee_usd": 9}]
    # Hangs up at 160 s, dials again at 2,160 s and is answered.
    center = Center(day(contact(0), contact(100), channels=[channel(CALL, redial=redial), EMAIL], clients=clients))
    center.do("assign:longest_idle")
    assert center.time_s == 2160
    assert finish(center.do("assign:longest_idle"))["cost_forgone_usd"] == 0


def test_a_blocked_call_and_one_still_waiting_at_the_end_forgo_their_fees():
    clients = [{"name": "bank", "channels": ["voice"], "fee_usd": 9}]
    channels = [channel(CALL, lines=1), EMAIL]
    blocked = finish(
        Center(day(contact(0), contact(100), channels=channels, clients=clients)).do("assign:longest_idle")
    )
    assert blocked["cost_forgone_usd"] == 9
    late = day(contact(86_380), clients=clients, terminal_charge="expected")
    assert finish(Center(late))["cost_forgone_usd"] == 9


def test_a_missed_service_level_is_charged_by_the_point_and_seen_on_the_way():
    target = {"channel": "voice", "at_least_frac": 0.8, "usd_per_point_day": 3}
    center = two_calls(clients=[{"name": "bank", "channels": ["voice"], "targets": [target]}])
    # At 1,000 s: one of three calls was answered within 20 s; nothing is known of the third.
    assert center.time_s == 1000
    assert seen(center, "voice.attained_frac") == pytest.approx(1 / 3)
    assert seen(center, "voice.target_frac") == pytest.approx(0.8)
    metrics = finish(center.do("assign:longest_idle"))
    # 2 of 3 at the end: (80 - 66.67) points * 3 USD.
    assert metrics["voice.service_level_frac"] == pytest.approx(2 / 3)
    assert metrics["cost_sow_penalty_usd"] == pytest.approx((80 - 200 / 3) * 3)


def test_the_penalty_is_for_the_whole_horizon_and_each_of_its_days():
    target = {"channel": "voice", "at_least_frac": 0.8, "usd_per_point_day": 3}
    clients = [{"name": "bank", "channels": ["voice"], "targets": [target]}]
    metrics = finish(two_calls(clients=clients, horizon={"days": 2}).do("assign:longest_idle"))
    assert metrics["cost_sow_penalty_usd"] == pytest.approx((80 - 200 / 3) * 3)  # a day, of two


def test_an_on_time_share_is_promised_of_deferred_work_and_an_attained_target_costs_nothing():
    targets = [
        {"channel": "email", "at_least_frac": 0.9, "usd_per_point_day": 2},
        {"channel": "voice", "at_least_frac": 1.0, "usd_per_point_day": 50},
    ]
    clients = [{"name": "bank", "channels": ["email", "voice"], "targets": targets}]
    # Due after 7,200 s: the first e-mail is done at 600 s, the second never; the only call is answered at once.
    center = Center(day(contact(0, "email"), contact(50, "email"), contact(9000), clients=clients))
    center.do("serve:email:oldest").wait_until(9000)
    metrics = finish(center.do("assign:longest_idle"))
    assert metrics["email.on_time_frac"] == 0.5
    assert metrics["cost_sow_penalty_usd"] == pytest.approx((90 - 50) * 2)


def test_the_worst_served_value_band_is_held_to_its_floor():
    fairness = {"floor_frac": 0.7, "usd_per_point_day": 4}
    # The small account hangs up; the large ones are answered at once.
    calls = [contact(0, value_usd=50_000), contact(100, value_usd=500), contact(1000, value_usd=50_000)]
    center = Center(day(*calls, fairness=fairness, value_bands_usd=[1000])).do("assign:longest_idle")
    metrics = finish(center.do("assign:longest_idle"))
    assert (metrics["band_0.service_level_frac"], metrics["band_1.service_level_frac"]) == (0, 1)
    assert metrics["cost_fairness_usd"] == pytest.approx(70 * 4)


def test_deferred_work_does_not_count_in_the_service_level_of_a_band():
    calls = [contact(0, "email", 500), contact(700, value_usd=500)]
    center = Center(day(*calls, value_bands_usd=[1000])).do("serve:email:oldest").do("assign:longest_idle")
    assert finish(center)["band_0.service_level_frac"] == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clients: [{name: a, channels: [voise]}]", r"clients\[0\].channels\[0\] = 'voise': no such channel.*voice"),
        ("clients: [{name: a, channels: [voice]}, {name: b, channels: [voice]}]", r"belongs to client a already"),
        (
            "clients:\n"
            "  - {name: a, channels: [voice], targets: [{channel: email, at_least_frac: 1, usd_per_point_day: 1}]}",
            r"targets\[0\].channel = 'email': must be one of the client's channels",
        ),
        ("fairness: {floor_frac: 0.5, usd_per_point_day: 1}", r"fairness.*needs value_bands_usd"),
    ],
)
def test_mistakes_in_agreements_are_explained(tmp_path, text, message):
    file = tmp_path / "x.yaml"
    file.write_text(
        "name: x\n"
        "channels:\n"
        "  - {name: voice, kind: real_time, handle_time: 60}\n"
        "  - {name: email, kind: deferred, handle_time: 60}\n"
        "groups: [{name: all, count: 1, skills: [voice, email]}]\n" + text + "\n"
    )
    with pytest.raises(ConfigurationError, match=message):
        load_scenario(file)
