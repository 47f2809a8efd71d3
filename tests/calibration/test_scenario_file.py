"""The scenario of a log as a file: what it says, and the comments that tell where its numbers come from."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario
from experiments.calibration.estimates import (
    ArrivalEstimate,
    Assumption,
    ChannelEstimate,
    Estimates,
    HandleTimeEstimate,
    PatienceEstimate,
    StaffingEstimate,
)
from experiments.calibration.scenario_data import scenario_data
from experiments.calibration.scenario_file import (
    assumptions_file,
    key_path,
    numbers_without_origin,
    scenario_text,
    write_scenario,
)
from experiments.calibration.sensitivity.assumptions import load_assumptions

HARM = Assumption("channels.voice.harm.abandonment_prob", 0.004, 0.001, 0.02, "A lost call is in no log of calls.")
VALUE = Assumption("segments.customer.account_value.mean_usd", 5000.0, 500.0, 50_000.0, "The log has no accounts.")


@pytest.fixture(scope="module")
def estimates() -> Estimates:
    """What a log of one channel might tell; made up."""
    rates = np.zeros((7, 48))
    rates[1:6, 18:34] = 20.0
    arrivals = ArrivalEstimate(
        1800.0, rates, (("monday", "tuesday", "wednesday", "thursday", "friday"),), 0.1, "mean of 20 days", "moments"
    )
    law = {"distribution": "exponential", "mean_s": 120.0}
    steps = np.array([10.0]), np.array([0.9]), np.array([0.8]), np.array([0.95])
    voice = ChannelEstimate(
        "voice",
        "real_time",
        arrivals,
        HandleTimeEstimate(
            {"distribution": "lognormal", "mean_s": 180.0, "cv": 1.2}, {}, "the likeliest of three laws"
        ),
        PatienceEstimate(*steps, law, "Kaplan-Meier over 1,234 customers who waited"),
        None,
        "none",
        None,
    )
    shift = {"weekdays": ["monday", "tuesday", "wednesday", "thursday", "friday"], "start": "09:00", "end": "17:00"}
    staffing = StaffingEstimate(
        ({"name": "reps", "count": 2, "skills": ["voice"], "shifts": [shift]},), "the reps' own calls"
    )
    first = date(2021, 7, 30).toordinal()
    days = np.arange(first, first + 28)
    return Estimates("made_up", "fifo", days, (voice,), staffing, None, "none", (VALUE, HARM), "calls.csv (SHA-256 00)")


def test_the_file_is_the_scenario_of_the_estimates(estimates: Estimates, tmp_path: Path):
    file = tmp_path / "made_up.yaml"
    write_scenario(estimates, file)
    assert load_scenario(file) == load_scenario(scenario_data(estimates))


def test_a_comment_stands_above_the_line_of_its_number(estimates: Estimates):
    lines = scenario_text(estimates, {}).splitlines()

    def above(text: str) -> str:
        place = next(i for i, line in enumerate(lines) if line.strip(" -").startswith(text))
        return lines[place - 1]

    assert above("rate_per_hour:") == "    # mean of 20 days"
    assert above("day_factor_cv:") == "    # moments"
    assert above("handle_time:") == "  # the likeliest of three laws"
    assert above("patience:") == "  # Kaplan-Meier over 1,234 customers who waited"
    assert above("groups:") == "# the reps' own calls"
    assert above("harm:") == (
        "  # Assumed: abandonment_prob = 0.004, between 0.001 and 0.02: A lost call is in no log of calls."
    )


def test_the_top_says_which_log_and_what_was_cleaned(estimates: Estimates):
    top = scenario_text(estimates, {"hour_24": 1200, "repeated_id": 3}).partition("\nname:")[0]
    said = " ".join(line.removeprefix("# ") for line in top.splitlines())
    assert "From calls.csv (SHA-256 00), 28 days from 2021-07-30 to 2021-08-26" in said
    assert "hour_24 1,200, repeated_id 3" in said


def test_no_line_of_comment_is_long(estimates: Estimates):
    long = replace(estimates, source="word " * 100)
    comments = [line for line in scenario_text(long, {}).splitlines() if line.lstrip().startswith("#")]
    assert max(map(len, comments)) <= 120


def test_every_number_has_an_origin_or_is_assumed(estimates: Estimates):
    assert numbers_without_origin(estimates) == []


def test_a_number_without_an_origin_would_be_found(estimates: Estimates):
    without = replace(estimates, assumptions=(VALUE,))
    stated = replace(without, assumptions=(VALUE, replace(HARM, path="channels.voice.costs.abandonment_usd")))
    assert numbers_without_origin(stated) == numbers_without_origin(without)  # an assumption is an origin
    hidden = replace(estimates, staffing=replace(estimates.staffing, groups=({"name": "x", "count": 2, "new": 3.0},)))
    assert [path for path in numbers_without_origin(hidden) if path.startswith("groups")] == []  # below `groups`


def test_the_assumed_numbers_lie_beside_the_scenario(estimates: Estimates, tmp_path: Path):
    file = tmp_path / "made_up.yaml"
    write_scenario(estimates, file)
    assert assumptions_file(file) == tmp_path / "made_up.assumptions.yaml"
    assert load_assumptions(assumptions_file(file)) == (VALUE, HARM)


def test_an_assumed_number_of_the_users_own_stands_in_the_scenario(estimates: Estimates, tmp_path: Path):
    cost = Assumption("channels.voice.costs.abandonment_usd", 7.0, 5.0, 10.0, "Our own books.")
    file = tmp_path / "made_up.yaml"
    write_scenario(replace(estimates, assumptions=(*estimates.assumptions, cost)), file)
    assert load_scenario(file).channels[0].costs.abandonment_usd == 7.0
    assert "# Assumed: abandonment_usd = 7, between 5 and 10: Our own books." in file.read_text(encoding="utf-8")


def test_a_path_of_the_users_that_leads_nowhere_is_one_message(estimates: Estimates, tmp_path: Path):
    nowhere = Assumption("channels.fax.costs.late_usd", 1.0, 0.0, 2.0, "none")
    with pytest.raises(ConfigurationError, match="channels has no 'fax'"):
        write_scenario(replace(estimates, assumptions=(nowhere,)), tmp_path / "made_up.yaml")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_one_message(estimates: Estimates, tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"--out .*: cannot be written"):
        write_scenario(estimates, tmp_path / "none" / "made_up.yaml")


def test_items_of_lists_are_named_or_numbered():
    data = {"channels": [{"name": "voice", "harm": {"late_prob": 0.1}}], "value_bands_usd": [1.0, 2.0]}
    assert key_path(data, "channels.voice.harm.late_prob") == ("channels", 0, "harm", "late_prob")
    assert key_path(data, "value_bands_usd.1") == ("value_bands_usd", 1)
    assert key_path(data, "channels.chat") is None
    assert key_path(data, "channels.voice.harm.late_prob.more") is None
