from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from logged import FIRST_DAY, contacts, log_of, queue_log

from agents.catalog import load_policy
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario
from experiments.calibration.contact_log import ABANDONED, SERVED, ContactLog
from experiments.calibration.estimation import estimate
from experiments.calibration.hold_out.hold_out import as_policy
from experiments.calibration.scenario_data import scenario_data

NAN = np.nan


def thin_log(wait_s: float, handle_s: float, rep: int) -> ContactLog:
    """Return a log of 90 served contacts, 30 a day on three days from 10:00 on, one a minute, without more."""
    rows = [(FIRST_DAY + i % 3, 36_000.0 + 60.0 * (i // 3), wait_s, handle_s, rep) for i in range(90)]
    found = contacts(rows)
    found["outcome"] = SERVED
    return log_of(found, max(rep + 1, 0))


@pytest.mark.parametrize(
    ("log", "origin", "assumed"),
    [
        (thin_log(0.0, 240.0, 0), "reps' activity", []),
        (thin_log(0.0, 240.0, -1), "the log names no reps", []),
        (thin_log(NAN, 240.0, -1), "neither reps nor waits", []),
        (thin_log(NAN, NAN, -1), "neither reps nor waits", ["channels.voice.handle_time.mean_s"]),
    ],
    ids=["reps", "no reps", "no waits", "no handle times"],
)
def test_whatever_a_log_leaves_out_there_is_a_scenario(log: ContactLog, origin: str, assumed: list[str]) -> None:
    found = estimate(log)
    scenario = load_scenario(scenario_data(found))
    arrivals = scenario.channels[0].arrivals
    assert arrivals is not None
    assert sum(arrivals.rates_on("sunday")) == 60.0  # 30 contacts between 10:00 and 10:30, per hour
    assert origin in found.staffing.origin
    paths = [each.path for each in found.assumptions]
    assert [path for path in paths if "handle_time" in path] == assumed


def test_abandonments_without_waits_have_an_assumed_patience_and_explain_the_staffing() -> None:
    """Counts of intervals: 81 of 90 are served. Nobody's wait is known."""
    log = thin_log(NAN, 240.0, -1)
    log.contacts["outcome"][::10] = ABANDONED
    log.contacts["handle_s"][::10] = NAN
    found = estimate(log)
    assert "loses most nearly the 10.0%" in found.staffing.origin
    (patience,) = (each for each in found.assumptions if each.path == "channels.voice.patience.mean_s")
    assert (patience.value, patience.low, patience.high) == (300.0, 60.0, 900.0)
    # 60 contacts an hour of 240 s are a load of 4; with patience of 300 s five reps lose 9.5 %, four 18.5 %.
    assert sum(group.count for group in load_scenario(scenario_data(found)).groups) == 5


def test_the_center_of_the_model_is_found() -> None:
    """Three reps from 8:00 to 12:00, 50 calls an hour of 100 s, patience of 120 s."""
    found = estimate(queue_log(20, 200, 3, 100.0))
    (voice,) = found.channels
    assert voice.arrivals.rate_per_hour[0, 16:24].mean() == pytest.approx(50.0, rel=1e-6)
    assert voice.arrivals.profiles == (("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"),)
    scenario = load_scenario(scenario_data(found))
    assert scenario.channels[0].handle_time.mean_duration_s == pytest.approx(100.0, rel=0.06)  # 2 errors of 4,000
    assert scenario.channels[0].patience is not None
    assert sum(group.count for group in scenario.groups) == 3
    assert found.center_rule == "fifo"
    assert load_policy(as_policy(found.center_rule), scenario).name == "fifo"


def test_a_channel_with_credit_gives_the_center_a_rule_with_credit() -> None:
    log = queue_log(4, 200, 3, 100.0)
    log.contacts["priority"] = np.where(np.arange(len(log.contacts)) % 2, 90.0, 0.0)
    found = estimate(log)
    scenario = load_scenario(scenario_data(found))
    assert [channel.name for channel in scenario.channels] == ["voice", "voice_90s"]
    assert load_policy(as_policy(found.center_rule), scenario).name == "center"


def test_a_deferred_channel_has_no_patience_and_an_assumed_due_time() -> None:
    log = replace(thin_log(0.0, 240.0, 0), channels=("email",), kinds=("deferred",))
    found = estimate(log)
    assert found.channels[0].patience is None
    scenario = load_scenario(scenario_data(found))
    assert scenario.channels[0].due is not None
    assert scenario.channels[0].interruptible


def test_nothing_to_estimate_from_is_refused() -> None:
    log = thin_log(0.0, 240.0, 0)
    with pytest.raises(ConfigurationError, match="no contacts are left"):
        estimate(log, log.days.tolist())
