"""Contacts that a rep holds side by side (D14), worked by hand."""

from typing import Any

import numpy as np
import pytest
from playing import EMAIL, VOICE, Center, channel, contact, day, finish

from agents.episodes import play_episodes
from agents.rules.rule_policy import RulePolicy
from envs.counts import add_counts
from envs.errors import ConfigurationError
from envs.metrics import compute_metrics
from envs.scenario.scenario import Scenario, load_scenario

CHAT = {
    "name": "chat",
    "kind": "real_time",
    "handle_time": 300,
    "patience": 3000,
    "concurrency": {"speed_frac": [1, 0.5, 0.4]},
}


def desk(
    *contacts: dict[str, Any], units: int = 2, channels: list[dict[str, Any]] | None = None, **group: Any
) -> Scenario:
    channels = [CHAT, VOICE, EMAIL] if channels is None else channels
    skills = [entry["name"] for entry in channels]
    return day(
        channels, *contacts, groups=[{"name": "all", "count": 1, "skills": skills, "capacity_units": units} | group]
    )


def chat(at_s: float, **needs: Any) -> dict[str, Any]:
    return contact(at_s, "chat", **needs)


def seen(center: Center, action: str, field: str) -> float:
    names = [entry.name for entry in center.observation_fields.candidates]
    return float(center._observe()["candidates"][center.action_names.index(action), names.index(field)])


def test_two_chats_slow_each_other_down():
    # A from 0: 100 s alone, then 200 s of work at half speed: until 500. B from 100: by 500 it has had 200 of its
    # 300 s, the rest alone: until 600.
    center = Center(desk(chat(0), chat(100)))
    center.do("assign:longest_idle")
    assert center.time_s == 100
    assert center.open == {"assign:longest_idle", "hold", "wait"}
    metrics = finish(center.do("assign:longest_idle"))
    assert metrics["chat.completed"] == 2
    assert metrics["chat.mean_handle_s"] == pytest.approx((500 + 500) / 2)
    assert metrics["chat.mean_in_service"] == pytest.approx((500 + 500) / 86_400)
    assert metrics["occupancy_frac"] == pytest.approx(600 / 86_400)  # one rep, however many contacts


def test_the_one_that_is_left_moves_up_and_makes_room():
    # A (200 s) from 0 and B from 100: A ends at 300, when B has had 100 s. C from 350: B has had 150 s and needs 150
    # more at half speed: until 650, when C has had 150 of its 300 s: until 800.
    center = Center(desk(chat(0, handle_time=200), chat(100), chat(350)))
    center.do("assign:longest_idle").do("assign:longest_idle")
    assert center.time_s == 350
    assert center.metrics["chat.mean_handle_s"] == 300  # of A, from 0 to 300
    assert center.record["reps"]["n_held"][0] == 1
    center.do("assign:longest_idle")
    metrics = finish(center)
    assert metrics["chat.mean_handle_s"] * 3 == pytest.approx(300 + (650 - 100) + (800 - 350))


def test_a_rep_who_holds_chats_takes_no_call_and_cannot_be_interrupted():
    center = Center(desk(chat(0), chat(10), contact(20), contact(30, "email")))
    center.do("assign:longest_idle").do("assign:longest_idle")
    # Chats: A has had 10 s at 10, and 290 s of work at half speed end at 590; B then has had 290 s, until 600.
    assert center.time_s == pytest.approx(600)
    assert center.open == {"assign:longest_idle", "hold", "wait"}  # for the call, which has waited since 20
    center.do("wait")
    assert center.open == {"serve:voice:oldest", "serve:email:oldest", "wait"}
    assert center.metrics["interruptions"] == 0


def test_a_rep_with_one_chat_takes_another_but_no_call():
    center = Center(desk(chat(0), contact(20), chat(30)))
    center.do("assign:longest_idle")
    assert center.time_s == 30
    assert center.open == {"assign:longest_idle", "hold", "wait"}
    center.do("wait")
    assert center.open == {"serve:chat:oldest", "wait"}  # the rep's open seat is asked: chats only


def test_a_chat_interrupts_work_that_takes_the_rep_whole_and_leaves_room_for_another():
    center = Center(desk(contact(0, "email"), chat(100), chat(150)))
    center.do("serve:email:oldest").do("interrupt:least_value_at_stake")
    assert center.time_s == 150
    center.do("assign:longest_idle")
    # A: 50 s alone, 250 s of work at half speed until 650; B has had 250 s then: until 700. Then the rep may resume.
    assert center.time_s == pytest.approx(700)
    assert center.open == {"resume", "wait"}


def test_contacts_take_units_of_the_capacity():
    video = channel(CHAT, name="video", concurrency={"units": 2, "speed_frac": [1, 1]})
    quick = channel(CHAT, concurrency={"units": 1, "speed_frac": [1, 1, 1]})
    channels = [quick, video]
    # Three units: a video and a chat fill them; a second chat at 20 waits until the first ends at 300 + 10.
    center = Center(desk(contact(0, "video"), chat(10), chat(20), units=3, channels=channels))
    center.do("assign:longest_idle").do("assign:longest_idle")
    assert center.time_s == 300  # the video has ended: two units
    assert center.open == {"assign:longest_idle", "hold", "wait"}
    # Two chats leave one unit, which is too little for a video but not for a chat.
    center = Center(desk(chat(0), chat(0), contact(5, "video"), chat(10), units=3, channels=channels))
    center.do("assign:longest_idle").do("assign:longest_idle")
    assert center.time_s == 10
    assert center.open == {"assign:longest_idle", "hold", "wait"}


def test_a_rep_whose_shift_is_over_finishes_the_chats_and_takes_no_more():
    shifts = [{"start": "00:00", "end": "00:05"}]
    center = Center(desk(chat(200), chat(250), chat(400), shifts=shifts))
    center.do("assign:longest_idle").do("assign:longest_idle")
    # A: 50 s alone, then half speed until 750; B until 800; the shift ends at 300, and nobody takes the third.
    assert center.is_done
    metrics = center.metrics
    assert metrics["overtime_min"] == pytest.approx((800 - 300) / 60)
    assert metrics["chat.completed"] == 2
    assert metrics["chat.abandoned_frac"] == pytest.approx(1 / 3)


def test_a_break_that_comes_between_closes_the_seat_and_its_end_opens_it():
    shifts = [{"start": "00:00", "end": "02:00", "breaks": [{"start": "00:05", "length_s": 60}]}]
    center = Center(desk(chat(200, handle_time=900), chat(310, patience=3000), shifts=shifts))
    center.do("assign:longest_idle")
    assert center.time_s == 360
    assert "assign:longest_idle" in center.open


def test_the_preferred_rep_can_be_given_a_second_chat():
    # Rep 0 is preferred, and holds a chat of the first customer's when the second comes; rep 1 is idle longer.
    scenario = desk(chat(10, preferred_rep=0, handle_time=900), chat(20, preferred_rep=0), count=2)
    center = Center(scenario)
    center.do("assign:longest_idle")
    assert center.time_s == 20
    assert seen(center, "assign:longest_idle", "rep_is_preferred") == 0
    assert seen(center, "assign:preferred", "rep_is_preferred") == 1
    assert seen(center, "assign:preferred", "rep_holds") == 1
    assert finish(center.do("assign:preferred"))["chat.preferred_frac"] == 1


def test_the_least_loaded_and_the_fastest_are_those_who_hold_least():
    # Rep 0 takes a long chat at 0 and has a seat open since; rep 1 has a call from 1 to 301.
    center = Center(desk(chat(0, handle_time=5000), contact(1), chat(400), count=2))
    center.do("assign:longest_idle").do("assign:longest_idle")
    assert center.time_s == 400
    assert seen(center, "assign:longest_idle", "rep_holds") == 1
    assert seen(center, "assign:longest_idle", "expected_work_s") == pytest.approx(300 / 0.5)
    # The seat has the fewest skills; rep 1 is the only other choice.
    assert center.open == {"assign:longest_idle", "assign:least_loaded", "hold", "wait"}
    metrics = finish(center.do("assign:least_loaded"))
    assert metrics["chat.mean_handle_s"] == (5000 + 300) / 2  # neither slows the other down


def test_the_router_sees_seats_apart_from_reps():
    center = Center(desk(chat(0), chat(100)))
    names = [entry.name for entry in center.observation_fields.center]
    free, seats = names.index("reps_free"), names.index("seats_free")
    assert center._observe()["center"][[free, seats]].tolist() == [1, 0]
    center.do("assign:longest_idle")
    assert center._observe()["center"][[free, seats]].tolist() == [0, 1]


def test_limited_processor_sharing_blocks_as_a_birth_and_death_process():
    # One rep shares the speed of one among up to three chats, and three lines: an M/M/1/3 queue. With rho = 0.8,
    # P(3) = (1 - rho) rho^3 / (1 - rho^4) = 0.17344, and the mean number is sum of n P(n) = 1.22493.
    shared = channel(
        CHAT,
        handle_time={"distribution": "exponential", "mean_s": 60},
        patience=None,
        arrivals={"rate_per_hour": 48, "day_factor_cv": 0},
        concurrency={"speed_frac": [1, 1 / 2, 1 / 3]},
        lines=3,
    )
    scenario = desk(units=3, channels=[shared]).model_copy(update={"horizon": load_horizon(20)})
    counts = play_episodes(scenario, RulePolicy("fifo", scenario), 0, np.arange(4))
    metrics = compute_metrics(scenario, add_counts(counts), 4)
    # 92,160 arrivals; the blocked share has a standard error of about 0.002, the mean number of about 0.01 (both grow
    # with the autocorrelation time of some ten minutes).
    weights = 0.8 ** np.arange(4)
    prob = weights / weights.sum()
    assert metrics["chat.blocked_frac"] == pytest.approx(prob[3], abs=0.008)
    assert metrics["chat.mean_in_service"] == pytest.approx(prob @ np.arange(4), abs=0.04)
    assert metrics["chat.mean_waiting"] == 0


def load_horizon(days: float):
    return Scenario.model_fields["horizon"].default.model_copy(update={"days": days})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("capacity_units: 1", None),
        ("capacity_units: 4", "channels[0].concurrency.speed_frac: has 3 entries: must be >= 4"),
        ("capacity_units: 9", "groups[0].capacity_units = 9: must be <= 8"),
    ],
)
def test_mistakes_are_named(tmp_path, change, problem):
    file = tmp_path / "x.yaml"
    file.write_text(
        "name: x\n"
        "channels: [{name: chat, kind: real_time, handle_time: 60, concurrency: {speed_frac: [1, 0.5, 0.4]}}]\n"
        f"groups: [{{name: all, count: 1, skills: [chat], {change}}}]\n"
    )
    if problem is None:
        assert load_scenario(file).groups[0].capacity_units == 1
        return
    with pytest.raises(ConfigurationError) as raised:
        load_scenario(file)
    assert problem in str(raised.value)


def test_units_without_a_channel_that_shares_are_refused(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text(
        "name: x\n"
        "channels: [{name: voice, kind: real_time, handle_time: 60}]\n"
        "groups: [{name: all, count: 1, skills: [voice], capacity_units: 2}]\n"
    )
    with pytest.raises(ConfigurationError, match=r"capacity_units.*must be 1: no channel"):
        load_scenario(file)
