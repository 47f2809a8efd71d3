"""Breaks, absence, and the last second of a shift (D12). Shifts themselves: tests/simulator/test_decision.py and
test_charges.py."""

import numpy as np
import pytest
from playing import EMAIL, VOICE, Center, channel, contact, day, finish, scripted

from envs.center import BlendedCenter
from envs.errors import ConfigurationError
from envs.interface.units import DAY_S
from envs.scenario.parts import Horizon
from envs.scenario.scenario import Scenario, load_scenario
from envs.scenario.week import planned_reps

MINUTE_S = 60.0
BREAK = {"start": "00:30", "length_s": 900}


def shift_of_two_hours(*contacts, count: int = 1, **pause) -> Scenario:
    groups = [
        {
            "name": "all",
            "count": count,
            "skills": ["voice", "email"],
            "shifts": [{"start": "00:00", "end": "02:00", "breaks": [BREAK | pause]}],
        }
    ]
    return scripted(*contacts, reps=groups, terminal_charge="none")


def test_nobody_is_asked_during_a_break():
    center = Center(shift_of_two_hours(contact(31 * MINUTE_S)))
    assert center.time_s == 45 * MINUTE_S
    center.do("assign:longest_idle")
    metrics = finish(center)
    assert metrics["voice.mean_wait_s"] == 14 * MINUTE_S
    # On the floor for 120 - 15 minutes, at work for 5.
    assert metrics["occupancy_frac"] == pytest.approx(5 / 105)
    assert metrics["overtime_min"] == 0


def test_a_busy_rep_finishes_the_contact_and_takes_what_is_left_of_the_break():
    # A call from 29:00 to 34:00; the next one, at 35:00, waits until 45:00.
    center = Center(shift_of_two_hours(contact(29 * MINUTE_S), contact(35 * MINUTE_S)))
    center.do("assign:longest_idle")
    assert center.time_s == 45 * MINUTE_S
    metrics = finish(center.do("assign:longest_idle"))
    assert metrics["overtime_min"] == 0
    # On the floor until 34:00 and from 45:00: 120 - 11 minutes.
    assert metrics["occupancy_frac"] == pytest.approx(10 / 109)


def test_a_contact_longer_than_the_break_goes_on_as_ordinary_work():
    center = Center(shift_of_two_hours(contact(29 * MINUTE_S, handle_time=1800)))
    metrics = finish(center.do("assign:longest_idle"))
    assert metrics["overtime_min"] == 0
    assert metrics["occupancy_frac"] == pytest.approx(30 / 120)


def test_a_rep_keeps_suspended_work_over_the_break_and_is_not_interrupted_in_it():
    # The e-mail is interrupted at 28:00 by a call until 33:00; it is resumed at 45:00, not by anybody else.
    center = Center(shift_of_two_hours(contact(27 * MINUTE_S, "email"), contact(28 * MINUTE_S)))
    center.do("serve:email:oldest").do("interrupt:least_value_at_stake")
    assert center.time_s == 45 * MINUTE_S
    assert center.open == {"resume", "wait"}
    # An e-mail in hand when the break begins is finished first, and no call may interrupt it.
    center = Center(shift_of_two_hours(contact(29 * MINUTE_S, "email"), contact(31 * MINUTE_S)))
    center.do("serve:email:oldest")
    assert center.time_s == 45 * MINUTE_S


def test_breaks_are_staggered_over_the_reps_of_a_group():
    scenario = shift_of_two_hours(count=2, stagger_s=900)
    # Half-hours of Sunday: both reps; rep 1 away 15 of 30 minutes and then rep 2: 2 - 0.5 - 0.5; both; both; none.
    assert planned_reps(scenario)[:5].tolist() == [2, 1, 2, 2, 0]


# Absence -----------------------------------------------------------------------------------------


def absent(scenario: Scenario, prob: float, **changes) -> Scenario:
    group = scenario.groups[0].model_copy(update={"absence_prob": prob, **changes})
    return scenario.model_copy(update={"groups": (group,)})


def test_an_absent_rep_misses_the_whole_shift_with_its_break():
    center = Center(absent(shift_of_two_hours(contact(60), count=2), 1 - 1e-12))
    assert center.is_done  # nobody is ever asked
    metrics = finish(center)
    assert metrics["absent_min"] == 2 * 120
    assert np.isnan(metrics["occupancy_frac"])
    assert metrics["voice.abandoned_frac"] == 1


def test_who_is_absent_follows_from_seed_and_episode_and_shows_against_the_plan():
    scenario = absent(shift_of_two_hours(contact(60), count=20), 0.5)
    planned, staffed = (
        [field.name for field in BlendedCenter(scenario).observation_fields.center].index(name)
        for name in ("reps_planned_now", "reps_staffed")
    )
    centers = [Center(scenario), Center(scenario), BlendedCenter(scenario)]
    seen = [center.reset(seed=0)[0]["center"] for center in centers[:2]]
    seen.append(centers[2].reset(seed=0, options={"episode": 1})[0]["center"])
    assert seen[0][planned] == 20
    assert seen[0][staffed] == seen[1][staffed]
    days = []
    for center in (centers[0], centers[2]):
        reps = center._rows.states[0]["reps"][:20]
        assert (reps["on_shift"] + reps["absent"] == 1).all()
        days.append(reps["absent"].tolist())
    assert days[0] != days[1]


def test_the_share_of_shifts_missed_is_the_chance():
    # 20 reps on 100 days: 2,000 shifts of two hours; standard error of the share sqrt(0.3 * 0.7 / 2,000) = 0.0102.
    scenario = absent(shift_of_two_hours(count=20), 0.3)
    scenario = scenario.model_copy(update={"horizon": Horizon(days=100)})
    missed_frac = finish(Center(scenario))["absent_min"] / (20 * 120)
    assert missed_frac == pytest.approx(0.3, abs=4 * 0.0102)


def test_reps_to_be_expected_are_those_planned_less_the_absent():
    scenario = absent(shift_of_two_hours(count=2), 0.25)
    assert planned_reps(scenario, count_absence=True)[0] == 1.5
    assert planned_reps(scenario)[0] == 2


def test_an_absent_rep_still_finishes_the_contact_of_the_shift_before():
    # A call from 23:50 to 00:50, shifts of 22:00 to 24:00 and 00:30 to 01:00. Overtime lasts until the rep's next shift
    # begins, 30 minutes, or where the rep misses that, until the call ends, 50 minutes.
    shifts = [
        {"weekdays": ["sunday"], "start": "22:00", "end": "24:00"},
        {"weekdays": ["monday"], "start": "00:30", "end": "01:00"},
    ]
    groups = [{"name": "all", "count": 1, "skills": ["voice", "email"], "shifts": shifts, "absence_prob": 0.5}]
    call = contact(DAY_S - 600, handle_time=3600)
    center = Center(scripted(call, reps=groups, terminal_charge="none", horizon={"days": 2}))
    overtime_min = set()
    for episode in range(20):
        _, center.info = center.reset(seed=0, options={"episode": episode})
        if center.time_s >= DAY_S:
            continue  # absent on Sunday
        metrics = finish(center.do("assign:longest_idle"))
        assert metrics["voice.completed"] == 0.5  # a day
        missed_min = 2 * metrics["absent_min"]
        assert (missed_min, 2 * metrics["overtime_min"]) in [(0, pytest.approx(30)), (30, pytest.approx(50))]
        overtime_min.add(round(2 * metrics["overtime_min"]))
    assert overtime_min == {30, 50}


def test_a_break_must_lie_within_its_shift_for_every_rep(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text(
        "name: x\n"
        "channels: [{name: voice, kind: real_time, handle_time: 60}]\n"
        "groups:\n"
        "  - name: all\n"
        "    count: 4\n"
        "    skills: [voice]\n"
        "    shifts:\n"
        "      - {start: '08:00', end: '12:00', breaks: [{start: '11:00', length_s: 900, stagger_s: 900}]}\n"
    )
    # The fourth rep would be away from 11:45 to 12:00, which is the end of the shift.
    with pytest.raises(ConfigurationError, match=r"groups\[0\].shifts\[0\].breaks\[0\].*within its shift.*x.yaml:8"):
        load_scenario(file)


# The last second (the order of events: docs/decision.md) --------------------------------------

ONE_HOUR = {"start": "00:00", "end": "01:00"}
TWO_HOURS_WITH_BREAK = {"start": "00:00", "end": "02:00", "breaks": [{"start": "01:00", "length_s": 900}]}
LEAVING = pytest.mark.parametrize("shift", [ONE_HOUR, TWO_HOURS_WITH_BREAK], ids=["shift ends", "break begins"])
"""At 3600 s the rep leaves, for good or until 4500 s."""


def group(*shifts: dict, name: str = "all", skills: tuple[str, ...] = ("voice", "email"), **keys) -> dict:
    return {"name": name, "count": 1, "skills": list(skills), "shifts": list(shifts)} | keys


def center_of(*contacts: dict, groups: list[dict], **keys) -> Center:
    return Center(scripted(*contacts, reps=groups, terminal_charge="none", **keys))


def check_nothing_begun_at(center: Center, shift: dict, *, busy_s: float) -> None:
    """Check that nobody was asked before the break's end, if there is one, and that the rep, who had worked `busy_s`,
    had no overtime, and was on the floor for an hour, or for two but the break."""
    asked_s = 4500 if "breaks" in shift else DAY_S
    assert center.time_s == asked_s
    metrics = finish(center)
    assert metrics["overtime_min"] == 0
    assert metrics["occupancy_frac"] == pytest.approx(busy_s / (6300 if "breaks" in shift else 3600), rel=1e-12)


@LEAVING
def test_a_contact_that_ends_then_is_the_last_one(shift):
    # A call from 3300 to 3600; an e-mail waits since 3400.
    center = center_of(contact(3300), contact(3400, "email"), groups=[group(shift)])
    check_nothing_begun_at(center.do("assign:longest_idle"), shift, busy_s=300)


@LEAVING
def test_after_contact_work_that_ends_then_is_the_last_work(shift):
    # Talked from 3200 to 3500, then 100 s of after-contact work; the next call waits since 3400.
    call = channel(VOICE, after_work=100)
    center = Center(day([call], contact(3200), contact(3400), groups=[group(shift, skills=("voice",))]))
    check_nothing_begun_at(center.do("assign:longest_idle"), shift, busy_s=400)


@LEAVING
@pytest.mark.parametrize("arriving", ["voice", "email"])
def test_who_arrives_then_finds_nobody(shift, arriving):
    center = center_of(contact(3300), contact(3600, arriving), groups=[group(shift)])
    check_nothing_begun_at(center.do("assign:longest_idle"), shift, busy_s=300)


@LEAVING
def test_own_suspended_work_is_not_offered_then(shift):
    # The e-mail of 3200 is interrupted at 3300 by a call until 3600; 500 of its 600 s are left.
    center = center_of(contact(3200, "email"), contact(3300), groups=[group(shift)])
    center.do("serve:email:oldest").do("interrupt:least_value_at_stake")
    if "breaks" in shift:
        assert center.open == {"resume", "wait"}
    check_nothing_begun_at(center, shift, busy_s=400)


def test_suspended_work_of_a_rep_who_leaves_is_open_to_who_comes():
    late = group({"start": "01:00", "end": "02:00"}, name="late", skills=("email",))
    center = center_of(contact(3200, "email"), contact(3300), groups=[group(ONE_HOUR), late])
    center.do("serve:email:oldest").do("interrupt:least_value_at_stake")
    assert (center.time_s, center.subject, center.open) == (3600, ("rep", 1), {"serve:email:oldest", "wait"})
    # 60 s of pick-up and 500 s of work.
    assert finish(center.do("serve:email:oldest"))["email.completed"] == 1


@LEAVING
def test_a_pick_up_that_ends_then_goes_on_with_its_work(shift):
    # The e-mail of 2900 is interrupted at 3240 by a call until 3540, and picked up from then on for 60 s. Of its 600 s
    # 340 are done; the other 260 s are in overtime, or in the break.
    center = center_of(contact(2900, "email"), contact(3240), contact(3700, "email"), groups=[group(shift)])
    center.do("serve:email:oldest").do("interrupt:least_value_at_stake").do("resume")
    asked_s = 4500 if "breaks" in shift else DAY_S
    assert center.time_s == asked_s
    metrics = finish(center)
    assert metrics["email.completed"] == 1
    assert metrics["overtime_min"] == pytest.approx(0 if "breaks" in shift else 260 / 60)


@LEAVING
def test_who_calls_then_does_not_interrupt_the_last_contact(shift):
    # The e-mail of 3200 lasts until 3800; the call of 3600 has patience for 50 minutes, and may wait until 4500.
    center = center_of(contact(3200, "email"), contact(3600), groups=[group(shift)]).do("serve:email:oldest")
    assert center.time_s == (4500 if "breaks" in shift else DAY_S)
    assert finish(center)["interruptions"] == 0


@LEAVING
@pytest.mark.parametrize("review", ["on_change", "every_event"])
def test_the_end_of_a_colleagues_work_makes_nobody_start_then(shift, review):
    # Rep 0 said wait to the e-mail and is free at 3600, when the work of rep 1 ends, whose shift ends too.
    center = center_of(
        contact(3300), contact(3400, "email"), groups=[group(shift) | {"count": 2}], review=review,
        review_interval_s=9000,
    ).do("assign:longest_idle")  # fmt: skip
    assert (center.time_s, center.subject[0]) == (3400, "rep")
    asked_s = 4500 if "breaks" in shift else DAY_S
    assert center.do("wait").time_s == asked_s


def test_a_review_that_falls_on_it_asks_nobody():
    # An e-mail is suspended at 3200 for a call until 3500; then the rep says wait, and would be asked 100 s later.
    center = center_of(
        contact(3100, "email"), contact(3200), groups=[group(ONE_HOUR)], review_interval_s=100
    )  # fmt: skip
    center.do("serve:email:oldest").do("interrupt:least_value_at_stake")
    assert (center.time_s, center.open) == (3500, {"resume", "wait"})
    assert center.do("wait").is_done
    assert center.metrics["email.left_open"] == 1


def test_the_end_of_the_warm_up_makes_nobody_start_then():
    # The shift from 23:00 ends with the day, and the first day is warm-up.
    shift = {"weekdays": ["sunday"], "start": "23:00", "end": "24:00"}
    center = center_of(
        contact(DAY_S - 600, "email"), groups=[group(shift)], horizon={"days": 2, "warm_up_days": 1},
        review="every_event", review_interval_s=9000,
    )  # fmt: skip
    assert (center.time_s, center.subject) == (DAY_S - 600, ("rep", 0))
    assert center.do("wait").is_done
    assert center.metrics["overtime_min"] == 0


def test_who_misses_the_shift_that_begins_as_the_work_ends_leaves():
    # A call from 23:50 to 00:30, an e-mail since 23:55. Shifts of 22:00 to 24:00 and from 00:30 on, each missed often.
    shifts = [
        {"weekdays": ["sunday"], "start": "22:00", "end": "24:00"},
        {"weekdays": ["monday"], "start": "00:30", "end": "01:00"},
    ]
    scenario = scripted(
        contact(DAY_S - 600, handle_time=2400),
        contact(DAY_S - 300, "email"),
        reps=[group(*shifts, absence_prob=0.5)],
        terminal_charge="none",
        horizon={"days": 2},
    )
    center = Center(scenario)
    asked_s = set()
    for episode in range(20):
        _, center.info = center.reset(seed=0, options={"episode": episode})
        if center.time_s >= DAY_S:
            continue  # absent on Sunday
        center.do("assign:longest_idle")
        asked_s.add(center.time_s)
        assert finish(center)["overtime_min"] == pytest.approx(30 / 2)  # a day
    assert asked_s == {DAY_S + 1800, 2 * DAY_S}


def test_a_chat_that_ends_then_makes_no_room_for_another():
    # Two chats from 3000 and 3100 on, alone 300 s long; side by side each at half speed. The first has done 100 s by
    # 3100 and ends at 3500; the second, with 200 s done, ends at 3600. A third one waits since 3550.
    chat = {"name": "chat", "kind": "real_time", "handle_time": 300, "patience": 3000}
    chat |= {"concurrency": {"speed_frac": [1.0, 0.5]}}
    pair = group(ONE_HOUR, skills=("chat",), capacity_units=2)
    center = Center(day([chat], *[contact(at_s, "chat") for at_s in (3000, 3100)], groups=[pair]))
    center.do("assign:longest_idle").do("assign:longest_idle")
    metrics = finish(center)
    assert metrics["overtime_min"] == 0
    center = Center(day([chat], *[contact(at_s, "chat") for at_s in (3000, 3100, 3600)], groups=[pair]))
    assert center.do("assign:longest_idle").do("assign:longest_idle").is_done
    assert center.metrics["chat.completed"] == 2


def test_sums_of_times_that_are_rounded_meet_it_too():
    # Two calls after each other end at 3590.1 + 0.2 + 9.7, which is rounded to a little less than 3600.
    assert 3600 - 1e-9 < 3590.1 + 0.2 + 9.7 < 3600
    calls = [contact(3590.1, handle_time=0.2), contact(3590.2, handle_time=9.7), contact(3590.3)]
    center = center_of(*calls, groups=[group(ONE_HOUR)])
    assert center.do("assign:longest_idle").do("assign:longest_idle").is_done
    assert center.metrics["voice.completed"] == 2
    assert center.metrics["overtime_min"] == 0


def test_work_that_ends_as_a_colleague_comes_is_not_interrupted():
    # An e-mail until 3600, when somebody comes who cannot take the call that waits since 3100 and was told to.
    email = channel(EMAIL, due={"after_s": 7200})
    coming = group({"start": "01:00", "end": "02:00"}, name="late", skills=("email",))
    groups = [group({"start": "00:00", "end": "02:00"}), coming]
    scenario = scripted(
        contact(3000, "email"), contact(3100), reps=groups, channels=[VOICE, email], review="every_event",
        review_interval_s=9000,
    )  # fmt: skip
    center = Center(scenario).do("serve:email:oldest").wait_until(3600)
    assert (center.time_s, center.open) == (3600, {"assign:longest_idle", "hold", "wait"})
