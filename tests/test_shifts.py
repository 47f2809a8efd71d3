"""Breaks within shifts (D12). Shifts themselves: tests/test_decision.py and tests/test_charges.py."""

import numpy as np
import pytest
from playing import Center, contact, scripted

from envs.errors import ConfigurationError
from envs.metrics import compute_metrics, read_counts
from envs.parameters import planned_reps
from envs.scenario import Scenario, load_scenario

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


def finish(center: Center) -> dict[str, float]:
    center.wait_until(np.inf)
    return compute_metrics(center.scenario, read_counts(center.record))


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
