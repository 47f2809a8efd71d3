from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from logged import FIRST_DAY, contacts, log_of, queue_log

from agents.catalog import load_policy
from envs.errors import ConfigurationError
from experiments.calibration.estimation import estimate
from experiments.calibration.hold_out.hold_out import PACES, hold_out, pace_of_reps, weeks_of
from experiments.calibration.hold_out.logged_day import logged_day
from experiments.calibration.hold_out.played_day import play_day
from experiments.calibration.hold_out.service import figures, sum_logged, sum_service
from experiments.calibration.logs.log_file import read_log
from experiments.calibration.logs.mapping import load_mapping
from experiments.calibration.scenario_data import scenario_data

BANK_LOG = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "bank1999_02.csv.gz"
NAN = np.nan
BASE = {
    "name": "day",
    "channels": [
        {
            "name": "voice",
            "kind": "real_time",
            "arrivals": {"rate_per_hour": 5},
            "handle_time": 100,
            "patience": {"distribution": "exponential", "mean_s": 1e6},
        }
    ],
    "groups": [{"name": "reps", "count": 1, "skills": ["voice"]}],
}
CALLS = [
    (FIRST_DAY, 1000.0, 0.0, 100.0, 0),
    (FIRST_DAY, 1010.0, 90.0, 30.0, 0),
    (FIRST_DAY, 1020.0, 5.0, NAN, -1),
    (FIRST_DAY, 1200.0, 0.0, 40.0, 0),
]


def test_figures_are_sums_over_sums() -> None:
    """Waits 0, 90, 5 (abandoned) and 0 s: one of four abandons, 95 s over four, two in time, two wait."""
    found = figures(sum_logged(contacts(CALLS)).sum(axis=0))
    assert found["abandoned_frac"] == 0.25
    assert found["mean_wait_s"] == 23.75
    assert found["service_level_frac"] == 0.5
    assert found["waited_frac"] == 0.5
    late = sum_service(np.array([86_399.0]), np.array([25.0]), np.array([True]), np.array([False]))
    assert late[47].tolist() == [1.0, 0.0, 25.0, 0.0, 1.0]


def test_a_logged_day_with_all_that_the_log_tells_is_that_day(tmp_path: Path) -> None:
    """One rep from 1,000 to 1,240 s, without a break of over 90 s, handle times and patience as logged: the same
    waits."""
    log = log_of(contacts(CALLS), 1)
    day = logged_day(BASE, log, FIRST_DAY, tmp_path, needs="logged", speeds=np.ones(1))
    assert day is not None
    assert [(group.name, len(group.shifts or ())) for group in day.groups] == [("rep_0", 1)]
    assert day.horizon.start_weekday == "sunday"
    visits, _ = play_day(day, load_policy("fifo", day).policy, np.arange(2), 0)
    for each in visits:
        np.testing.assert_allclose(each.wait_s, [0.0, 90.0, 5.0, 0.0])
        np.testing.assert_array_equal(each.abandoned, [False, False, True, False])
        np.testing.assert_array_equal(each.served, [True, True, False, True])


def test_by_the_laws_handle_times_are_the_laws_at_the_pace_of_the_rep(tmp_path: Path) -> None:
    """A law of 100 s at a speed of 2: the first call takes 50 s, so the second, 10 s later, waits 40 s; the third waits
    40 s more than the second came before it, 1,000 + 50 + 50 − 1,020 = 80 s. Nobody loses patience."""
    log = log_of(contacts(CALLS), 1)
    day = logged_day(BASE, log, FIRST_DAY, tmp_path, needs="law", speeds=np.full(1, 2.0))
    assert day is not None
    (visit,), _ = play_day(day, load_policy("fifo", day).policy, np.arange(1), 0)
    np.testing.assert_allclose(visit.wait_s, [0.0, 40.0, 80.0, 0.0])


def test_a_day_without_reps_or_contacts_is_no_scenario(tmp_path: Path) -> None:
    log = log_of(contacts([(FIRST_DAY, 1000.0, 5.0, NAN, -1)]), 1, [FIRST_DAY, FIRST_DAY + 1])
    for day in log.days.tolist():
        assert logged_day(BASE, log, day, tmp_path, needs="law", speeds=np.ones(1)) is None


def test_weeks_begin_with_the_first_day_and_a_short_rest_joins_the_last() -> None:
    assert [len(part) for part in weeks_of(np.arange(28))] == [7, 7, 7, 7]
    assert [len(part) for part in weeks_of(np.arange(30))] == [7, 7, 7, 9]
    assert [len(part) for part in weeks_of(np.arange(3))] == [3]


def test_nothing_is_fitted_to_a_held_out_day() -> None:
    """The held-out day is changed beyond recognition, and the estimates and the fitted pace stay as they are."""
    log = queue_log(4, 60, 2, 100.0)
    held = int(log.days[-1])
    changed = log.contacts.copy()
    mine = changed["day"] == held
    changed["handle_s"][mine] *= 7.0
    changed["wait_s"][mine] *= 3.0
    other = replace(log, contacts=changed)
    assert scenario_data(estimate(log, [held])) == scenario_data(estimate(other, [held]))
    np.testing.assert_array_equal(pace_of_reps(log, [held], "fitted"), pace_of_reps(other, [held], "fitted"))
    assert (pace_of_reps(log, [held], "logged") > pace_of_reps(other, [held], "logged")).all()


def test_a_center_that_is_as_the_model_has_it_is_met() -> None:
    """Two reps, first come first served, without breaks: the days held out are met within the luck of 480 calls."""
    log = queue_log(16, 120, 2, 100.0)
    found = hold_out(log, [log.days[:4].tolist()], repetitions=8)
    for pace in PACES:
        errors = found.worst(pace)
        assert abs(errors["abandoned_frac"]) < 0.06
        assert abs(errors["service_level_frac"]) < 0.08
    result = json.loads(json.dumps(found.as_json()))
    (part,) = result["parts"]
    assert part["whole"]["contacts"] == 480
    assert sum(day["contacts"] for day in part["by_day"].values()) == 480
    assert sum(interval["contacts"] for interval in part["by_half_hour"]) == 480
    found.show()


def test_a_day_that_the_log_does_not_have_is_refused() -> None:
    log = queue_log(2, 20, 2, 100.0)
    with pytest.raises(ConfigurationError, match="held-out day 2024-01-01: must be a day of the log"):
        hold_out(log, [[FIRST_DAY - 6]])


@pytest.mark.slow
def test_two_days_of_the_bank_are_met() -> None:
    """What docs/hold_out.md says of whole weeks, in small: two working days, laws from the other 26."""
    if not BANK_LOG.exists():
        pytest.skip("../shared/data/bank1999_02.csv.gz is not beside this checkout (no licence to ship it)")
    log = read_log(BANK_LOG, load_mapping("bank"))
    found = hold_out(log, [log.days[14:16].tolist()], repetitions=8)
    errors = found.worst("logged")
    assert abs(errors["abandoned_frac"]) < 0.04
    assert abs(errors["mean_wait_s"]) < 0.3
    assert abs(errors["service_level_frac"]) < 0.1
