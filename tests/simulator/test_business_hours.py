"""Due times by business hours (D2): nights, weekends, the end of the day."""

import numpy as np
import pytest
from playing import EMAIL, VOICE, channel, contact, scripted

from envs.errors import ConfigurationError
from envs.inputs.demand import DemandSampler
from envs.inputs.parameters import build_parameters
from envs.interface.units import DAY_S, WEEK_S
from envs.scenario.scenario import Scenario, load_scenario
from envs.scenario.week import open_periods
from envs.simulator.service.promise_clock import due_times_s

HOUR_S = 3600.0
OFFICE = [{"weekdays": ["monday", "tuesday", "wednesday", "thursday", "friday"], "start": "08:00", "end": "18:00"}]


def friday(after_h: float, hours: list[dict] = OFFICE, **keys) -> Scenario:
    email = channel(EMAIL, due={"clock": "business", "after_s": after_h * HOUR_S})
    horizon = {"days": 7, "start_weekday": "friday"}
    return scripted(channels=[VOICE, email], business_hours=hours, horizon=horizon, **keys)


def due_h(after_h: float, at_h: float, hours: list[dict] = OFFICE) -> float:
    """Hours after Friday midnight at which an e-mail is due that arrives at `at_h`."""
    parameters = build_parameters(friday(after_h, hours))
    return float(due_times_s(parameters, 1, np.array([at_h * HOUR_S]))[0] / HOUR_S)


@pytest.mark.parametrize(
    ("after_h", "at_h", "expected_h"),
    [
        (2, 9, 11),  # within the day
        (1, 17, 18),  # a promise that ends with the day is due at closing time
        (2, 17, 72 + 9),  # one hour on Friday, the other on Monday from 08:00
        (1, 20, 72 + 9),  # Friday night
        (1, 24 + 12, 72 + 9),  # Saturday
        (3, 5, 11),  # before opening
        (51, 17, 7 * 24 + 18),  # one hour on Friday, the 50 of a week, until the next Friday at 18:00
        (101, 17, 14 * 24 + 18),  # and another week
        (10, -7, 17),  # a backlog that came on Thursday at 17:00: 1 hour until 18:00, then 9 on Friday from 08:00
    ],
)
def test_due_times_skip_nights_and_weekends(after_h, at_h, expected_h):
    assert due_h(after_h, at_h) == pytest.approx(expected_h)


def test_hours_over_midnight_and_the_end_of_the_week_are_open():
    night = [{"weekdays": ["saturday"], "start": "22:00", "end": "02:00"}]
    assert open_periods(friday(1, night)) == [(0.0, 2 * HOUR_S), (WEEK_S - 2 * HOUR_S, WEEK_S)]
    # Saturday is hours 24 to 48 after Friday midnight: from 22:00 (hour 46) 3 hours end on Sunday at 01:00 (hour 49).
    assert due_h(3, 30, night) == pytest.approx(49)


def test_hours_that_touch_are_one():
    split = [{"start": "08:00", "end": "12:00"}, {"start": "12:00", "end": "18:00"}]
    assert open_periods(friday(1, split))[0] == (8 * HOUR_S, 18 * HOUR_S)
    assert len(open_periods(friday(1, split))) == 7


def test_the_demand_is_promised_by_business_hours():
    script = [contact(17 * HOUR_S, "email")]
    demand = DemandSampler(friday(2, scripted_contacts=script)).sample(0, 0)
    assert demand["due_s"].tolist() == [3 * DAY_S + 9 * HOUR_S]


def test_business_hours_must_be_stated(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text(
        "name: x\n"
        "channels:\n"
        "  - {name: email, kind: deferred, handle_time: 60, due: {clock: business, after_s: 60}}\n"
        "groups: [{name: all, count: 1, skills: [email]}]\n"
    )
    with pytest.raises(ConfigurationError, match=r"channels\[0\].due.clock = .*business_hours"):
        load_scenario(file)
