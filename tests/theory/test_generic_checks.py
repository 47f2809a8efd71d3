"""Flow balance, Little's law and PASTA: they hold, and a counter that is wrong breaks the one that is about it."""

import copy

import numpy as np
import pytest
from playing import EMAIL, VOICE, channel, day

from agents.episodes import play_episodes
from agents.rules.rule_policy import RulePolicy
from envs.scenario.scenario import Scenario
from experiments.validation.generic_checks import check_batches, has_constant_rate

RATE = {"rate_per_hour": 20, "day_factor_cv": 0}


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """A day with warm-up, abandonment, interruptions and work of every end."""
    voice = channel(VOICE, patience={"distribution": "exponential", "mean_s": 200}, arrivals=RATE)
    voice["handle_time"] = {"distribution": "exponential", "mean_s": 120}
    email = channel(EMAIL, arrivals={"rate_per_hour": 3, "day_factor_cv": 0})
    return day([voice, email], horizon={"days": 1, "warm_up_days": 0.2})


@pytest.fixture(scope="module")
def batches(scenario):
    return play_episodes(scenario, RulePolicy("voice_first_interrupting", scenario), 0, np.arange(32))


def verdicts(scenario, batches) -> dict[str, bool]:
    return {f"{check.name}, {check.channel}": check.passed for check in check_batches(scenario, batches, 1)}


def test_all_checks_hold_for_every_queue(scenario, batches):
    found = verdicts(scenario, batches)
    assert set(found) == {
        f"{check}, {name}" for check in ("flow balance", "Little's law", "PASTA") for name in ("voice", "email")
    }
    assert all(found.values())


@pytest.mark.parametrize(
    ("field", "change", "broken"),
    [
        ("abandoned", 1.0, "flow balance, voice"),
        ("arrived", -1.0, "flow balance, voice"),
        ("open_at_end", 1.0, "flow balance, voice"),
        ("line_time_s", 60.0, "Little's law, voice"),
        ("found_open", 40.0, "PASTA, voice"),
    ],
)
def test_a_wrong_counter_breaks_its_law_and_no_other(scenario, batches, field, change, broken):
    wrong = copy.deepcopy(batches)
    for batch in wrong:
        batch["queue_count"][field][0] += change
    assert [name for name, passed in verdicts(scenario, wrong).items() if not passed] == [broken]


def test_a_wrong_clock_breaks_little_and_pasta(scenario, batches):
    wrong = copy.deepcopy(batches)
    for batch in wrong:
        batch["queue_count"]["waiting_time_s"][0] *= 1.5
    broken = [name for name, passed in verdicts(scenario, wrong).items() if not passed]
    assert broken == ["Little's law, voice", "PASTA, voice"]


def test_pasta_is_asked_of_poisson_arrivals_of_constant_rate_only(scenario):
    def rates(**arrivals):
        return has_constant_rate(day([channel(VOICE, arrivals=RATE | arrivals)]).channels[0])

    assert rates()
    assert rates(rate_per_hour=[20] * 48)
    assert not rates(rate_per_hour=[20] * 47 + [21])
    assert not rates(day_factor_cv=0.1)
    assert not rates(rate_per_hour={"monday": [20] * 48})
    assert not has_constant_rate(day([VOICE]).channels[0])
