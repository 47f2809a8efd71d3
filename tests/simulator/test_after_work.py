"""After-contact work: the customer has left, the rep is busy. And returns with work of their own, and censuses."""

import numpy as np
import pytest
from playing import EMAIL, VOICE, Center, channel, contact, day, finish

from envs.errors import ConfigurationError
from envs.interface.units import DAY_S
from envs.metrics import compute_metrics
from envs.scenario.scenario import Scenario, load_scenario

CALL = channel(VOICE, handle_time=100, after_work=60)
COUNTED_S = DAY_S


def center_of(table: Center, name: str) -> float:
    fields = [field.name for field in table._rows.fields.center]
    return float(table._rows.center[0][fields.index(name)])


def test_the_next_caller_waits_for_the_after_contact_work_and_the_first_one_does_not():
    # The first call is served from 0 to 100 s, its after-contact work until 160 s; the second comes at 50 s.
    center = Center(day([CALL], contact(0), contact(50)))
    center.do("assign:longest_idle")
    assert center.time_s == 160
    metrics = finish(center.do("assign:longest_idle"))
    assert metrics["voice.mean_wait_s"] == (0 + 110) / 2
    assert metrics["voice.mean_cycle_s"] == (100 + 210) / 2
    assert metrics["voice.mean_handle_s"] == 160
    assert metrics["voice.mean_in_service"] == pytest.approx(200 / COUNTED_S)
    assert metrics["voice.after_work_frac"] == pytest.approx(120 / COUNTED_S)
    assert metrics["occupancy_frac"] == pytest.approx(320 / COUNTED_S)
    # Waits 0 and 110 s: mean 55, variance 55^2. One spell of 320 s in which the only rep is busy.
    assert metrics["voice.wait_variance_s2"] == pytest.approx(55**2)
    assert metrics["mean_all_busy_s"] == pytest.approx(320)
    assert metrics["all_busy_frac"] == pytest.approx(320 / COUNTED_S)
    assert metrics["mean_busy_reps"] == pytest.approx(320 / COUNTED_S)


def test_after_contact_work_holds_no_line():
    # One line. The second call comes during the talk and is blocked, the third during the after-contact work is not.
    one_line = channel(CALL, lines=1)
    center = Center(day([one_line], contact(0), contact(50), contact(130)))
    metrics = finish(center.do("assign:longest_idle").do("assign:longest_idle"))
    assert metrics["voice.blocked_frac"] == pytest.approx(1 / 3)
    assert metrics["voice.mean_wait_s"] == (0 + 30) / 2


def test_the_router_sees_reps_in_after_contact_work_and_cannot_interrupt_it():
    # An e-mail of 600 s with 60 s after it; the call at 620 s finds the rep in after-contact work until 660 s.
    email = channel(EMAIL, after_work=60)
    center = Center(
        day([channel(VOICE, patience=3000), email], contact(0, "email"), contact(620), review_interval_s=10)
    )
    center.do("serve:email:oldest")
    assert center.time_s == 660  # nobody is asked before: no rep is free or interruptible
    assert center_of(center, "reps_after_work") == 0
    two_reps = [{"name": "all", "count": 2, "skills": ["voice", "email"]}]
    center = Center(day([VOICE, email], contact(0, "email"), contact(620), groups=two_reps))
    center.do("serve:email:oldest")
    assert center.time_s == 620
    assert center_of(center, "reps_after_work") == 1
    assert center_of(center, "voice.reps_free") == 1
    # Nobody has a contact in hand; the after-contact work ends at a rate of one in 60 s.
    assert center_of(center, "release_per_hour") == pytest.approx(60)


def test_a_faster_rep_is_faster_at_after_contact_work_too():
    fast = [{"name": "fast", "count": 1, "skills": ["voice"], "proficiency": {"voice": {"speed": 2.0}}}]
    center = Center(day([CALL], contact(0), contact(10), groups=fast))
    assert center.do("assign:longest_idle").time_s == (100 + 60) / 2


def test_a_shift_that_ends_in_after_contact_work_ends_with_it():
    # The shift ends at 2:00 h = 7200 s; the call of 7080 s is talked out at 7180, the rep stays until 7240.
    shift = [{"name": "all", "count": 1, "skills": ["voice"], "shifts": [{"start": "00:00", "end": "02:00"}]}]
    center = Center(day([CALL], contact(7080), groups=shift))
    metrics = finish(center.do("assign:longest_idle"))
    assert metrics["overtime_min"] == pytest.approx(40 / 60)
    assert metrics["occupancy_frac"] == pytest.approx(160 / 7240)


def test_a_break_that_begins_in_after_contact_work_begins_after_it():
    # Break from 30:00 to 45:00. The call of 28:30 ends at 30:10, its after-contact work at 31:10; the next one comes at
    # 30:30 and waits until 45:00.
    pause = [{"start": "00:30", "length_s": 900}]
    shift = [
        {
            "name": "all",
            "count": 1,
            "skills": ["voice"],
            "shifts": [{"start": "00:00", "end": "02:00", "breaks": pause}],
        }
    ]
    center = Center(day([CALL], contact(1710), contact(1830), groups=shift))
    assert center.do("assign:longest_idle").time_s == 2700
    metrics = finish(center.do("assign:longest_idle"))
    assert metrics["overtime_min"] == 0
    # On the floor until 31:10 = 1870 s and from 2700 s to 7200 s.
    assert metrics["occupancy_frac"] == pytest.approx(320 / (1870 + 4500))


def test_the_expected_work_of_a_contact_holds_its_after_contact_work():
    center = Center(day([CALL], contact(0)))
    fields = [field.name for field in center._rows.fields.candidates]
    row = center._rows.candidates[0][center.action_names.index("assign:longest_idle")]
    assert row[fields.index("expected_work_s")] == 160
    assert row[fields.index("channel")] == 1


def test_after_contact_work_and_concurrency_do_not_go_together():
    chat = channel(CALL, concurrency={"speed_frac": [1, 0.8]})
    with pytest.raises(Exception, match="has no meaning with concurrency"):
        Scenario.model_validate(day([CALL]).model_dump() | {"channels": [chat]})


# Returns with new work ------------------------------------------------------------------------


def returning(**returns) -> dict:
    call = channel(VOICE, resolution={"prob": 0.0, "returns": {"prob": 1.0, "after": 0, **returns}})
    return call | {"handle_time": {"distribution": "exponential", "mean_s": 600}}


def test_a_contact_that_returns_at_once_stands_at_the_end_of_the_line():
    # Both unresolved for ever: the first (100 s) returns at 100 s behind the second, which waited since 10 s.
    call = channel(VOICE, handle_time=100, resolution={"prob": 0.0, "returns": {"prob": 1.0, "after": 0}})
    center = Center(day([call], contact(0), contact(10), horizon={"days": 0.004}))  # 345.6 s
    served = []
    while not center.is_done:
        served.append((center.time_s, int(center.record["slots"]["person"]["customer"][center.subject_contact()])))
        center.do("assign:longest_idle" if "assign:longest_idle" in center.open else "serve:voice:oldest")
    assert served == [(0, 0), (100, 1), (200, 0), (300, 1)]


def test_new_work_is_drawn_by_the_law_of_the_channel_and_the_same_work_is_not():
    for new_work in (False, True):
        scenario = day([returning(new_work=new_work)], contact(0))
        center = Center(scenario)
        durations = []
        while not center.is_done:
            durations.append(float(center.record["slots"]["person"]["handle_s"][center.subject_contact()]))
            center.do("assign:longest_idle" if "assign:longest_idle" in center.open else "serve:voice:oldest")
        if not new_work:
            assert set(durations) == {durations[0]}
        else:
            assert len(set(durations)) == len(durations) > 60
            # Exponential with mean 600 s: the mean of n draws is within 4 standard errors, 600 / sqrt(n) each.
            assert abs(np.mean(durations) - 600) < 4 * 600 / np.sqrt(len(durations))


def test_new_work_and_a_share_of_the_old_one_exclude_each_other(tmp_path):
    file = tmp_path / "both.yaml"
    file.write_text(
        "name: both\n"
        "channels:\n"
        "  - name: voice\n    kind: real_time\n    handle_time: 60\n"
        "    resolution: {prob: 0.5, returns: {prob: 1, after: 60, work_frac: 0.5, new_work: true}}\n"
        "groups: [{name: all, count: 1, skills: [voice]}]\n"
    )
    with pytest.raises(ConfigurationError, match=r"returns\.work_frac = 0\.5: must be left out where new_work is true"):
        load_scenario(file)


# Censuses and the quantile of waits -----------------------------------------------------------


def test_a_census_counts_those_waiting_before_anything_happens_in_its_second():
    # Calls at 0, 10 and 20 s, 100 s each: at 20 s one waits, and the one who comes then is not counted; at 150 s one.
    scenario = day([channel(VOICE, handle_time=100)], contact(0), contact(10), contact(20), census_at_s=[20, 150, 250])
    center = Center(scenario)
    while not center.is_done:
        center.do(
            "wait" if center.open == {"wait"} else next(name for name in center.open if name not in ("wait", "hold"))
        )
    assert [center.metrics[f"voice.waiting_at_{time_s}_s"] for time_s in (20, 150, 250)] == [1, 1, 0]


@pytest.mark.parametrize(
    ("times", "rule"), [([20, 10], "must be > 20 seconds"), ([90_000], "must be <= 86400 seconds")]
)
def test_censuses_come_in_order_and_within_the_horizon(times, rule, tmp_path):
    file = tmp_path / "census.yaml"
    file.write_text(
        f"name: census\ncensus_at_s: {times}\n"
        "channels: [{name: voice, kind: real_time, handle_time: 60}]\n"
        "groups: [{name: all, count: 1, skills: [voice]}]\n"
    )
    with pytest.raises(ConfigurationError, match=rule):
        load_scenario(file)


def test_the_quantile_of_waits_is_that_of_its_histogram():
    # 20 calls of 10 s at second 0, one rep: waits 0, 10, ..., 190 s. 19 of 20 waits are at most 180 s: the quantile is
    # the upper end of the cell of 180 s; cells between 128 and 256 s are 8 s wide: 184 s.
    scenario = day([channel(VOICE, handle_time=10)], *[contact(0) for _ in range(20)])
    center = Center(scenario)
    while not center.is_done:
        center.do("assign:longest_idle" if "assign:longest_idle" in center.open else next(iter(center.open - {"wait"})))
    assert center.metrics["voice.wait_p95_s"] == pytest.approx(184)
    assert compute_metrics(scenario, center._rows.counts(0))["voice.mean_wait_s"] == 95
