"""Breaks and absence (D12). Shifts themselves: tests/simulator/test_decision.py and test_charges.py."""

import numpy as np
import pytest
from playing import Center, contact, finish, scripted

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
