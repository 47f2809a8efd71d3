"""Recorded days that repeat are no new data: the day is what is drawn again, in every table and file."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from envs.inputs.demand import recorded_days
from envs.scenario.scenario import Scenario, load_scenario
from experiments.comparison.benchmark import BenchmarkConfig, benchmark
from experiments.comparison.benchmark_result import BenchmarkResult
from experiments.comparison.comparison import run_benchmark
from experiments.comparison.evaluate import evaluate, show
from experiments.comparison.figure import draw, write_figure
from experiments.intervals import (
    day_values,
    difference_interval,
    is_surely_positive,
    mean_interval,
    reason_against_interval,
)

# The days of a value ------------------------------------------------------------------------------


@pytest.mark.parametrize("repeats", [2, 5, 50])
def test_days_that_are_played_again_leave_the_interval_as_it_is(repeats):
    once = np.random.default_rng(0).exponential(100, 7)
    days = np.arange(7)
    expected = mean_interval(once)
    assert mean_interval(once, days=days) == pytest.approx(expected)
    again = mean_interval(np.tile(once, repeats), days=np.tile(days, repeats))
    assert again == pytest.approx(expected)
    other = np.random.default_rng(1).exponential(100, 7)
    found = difference_interval(np.tile(once, repeats), np.tile(other, repeats), days=np.tile(days, repeats))
    assert found == pytest.approx(difference_interval(once, other))


def test_a_day_that_is_played_more_often_has_more_weight():
    """The mean of 0, 3, 3 is 2; without the first day it is 3, without the second 0: pseudo-values 2 * 2 - 3 = 1 and
    2 * 2 - 0 = 4, moved by -0.5 so that their mean is 2."""
    assert day_values(np.array([3.0, 0.0, 3.0]), np.array([8, 5, 8])).tolist() == [0.5, 3.5]


def test_the_interval_over_days_holds_the_mean_of_days_not_yet_recorded():
    """Days differ with standard deviation 1, repeats of a day by 0.3. Of nominal 95 % a bootstrap over 12 normal values
    holds the mean in some 91 %; that over 12 * 10 episodes is sqrt(10) times too short, which leaves 44 %."""
    generator = np.random.default_rng(4)
    days = np.repeat(np.arange(12), 10)
    hits = {"days": 0, "episodes": 0}
    for _ in range(150):
        values = np.repeat(generator.normal(0, 1, 12), 10) + generator.normal(0, 0.3, 120)
        for kind, chosen in (("days", days), ("episodes", None)):
            _, low, high = mean_interval(values, days=chosen, resamples=400)
            hits[kind] += low <= 0 <= high
    assert hits["days"] / 150 >= 0.83
    assert hits["episodes"] / 150 < 0.6


@pytest.mark.parametrize(
    ("days", "reason"),
    [
        (None, None),
        ([0, 1, 2, 3, 4], None),
        ([9, 9, 9, 9, 9, 9], "no interval: 1 distinct recorded day took part, and it needs 5"),
        ([0, 1, 2, 0, 1, 2], "no interval: 3 distinct recorded days took part, and it needs 5"),
        ([0, 1, 2, 3], "no interval: 4 distinct recorded days took part, and it needs 5"),
    ],
)
def test_fewer_than_five_distinct_days_have_no_interval_but_a_reason(days, reason):
    array = None if days is None else np.array(days)
    values = np.arange(6.0 if days is None else len(days))
    assert reason_against_interval(len(values), array) == reason
    mean, low, high = mean_interval(values, days=array)
    assert mean == values.mean()
    assert np.isnan([low, high]).all() == (reason is not None)


def test_one_episode_says_why_it_has_no_interval():
    assert reason_against_interval(1, None) == "no interval: one episode has none"


def test_a_race_of_trials_counts_each_day_once():
    differences = np.tile([1.0, 2.0, 3.0, 2.0, 1.0, -5.0], 40)  # mean 2/3, over days beyond no three standard errors
    assert is_surely_positive(differences, None)
    assert not is_surely_positive(differences, np.tile(np.arange(6), 40))
    assert is_surely_positive(np.tile([1.0, 2.0, 1.5, 2.0, 1.0], 40), np.tile(np.arange(5), 40))
    assert not is_surely_positive(np.tile([1.0, 2.0, 1.5], 40), np.tile(np.arange(3), 40))  # too few days to tell


# What the commands show ---------------------------------------------------------------------------

SCENARIO = """\
name: replayed
terminal_charge: none
channels:
  - {name: voice, kind: real_time, handle_time: 300, costs: {waiting_usd_per_hour: 60}}
  - {name: email, kind: deferred, handle_time: 300, due: {after_s: 86400}, costs: {waiting_usd_per_hour: 30}}
groups: [{name: reps, count: 1, skills: [voice, email]}]
replay: {file: days.csv, order: ORDER}
"""


def write_days(folder: Path, n_days: int, order: str = "in_turn") -> Path:
    """Write a scenario that replays fully recorded days: day d has 3 + d calls and as many e-mails at 10:00."""
    rows = ["day,channel,at_s,handle_s"]
    for day in range(n_days):
        rows += [f"{day},{channel},{36_000 + 10 * i},300" for channel in ("voice", "email") for i in range(3 + day)]
    (folder / "days.csv").write_text("\n".join(rows), encoding="utf-8")
    file = folder / "replayed.yaml"
    file.write_text(SCENARIO.replace("ORDER", order), encoding="utf-8")
    return file


def play(scenario: Scenario, episodes: int) -> BenchmarkResult:
    return run_benchmark(scenario, ["fifo", "value_first", "voice_first"], episodes=episodes, bound=2)


def shown(result: BenchmarkResult) -> str:
    console = Console(file=io.StringIO(), width=200)
    result.show(console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_repeated_days_leave_every_interval_and_difference_of_a_benchmark_as_it_is(tmp_path):
    scenario = load_scenario(write_days(tmp_path, 6))
    few, many = (play(scenario, episodes).scenarios["replayed"] for episodes in (6, 24))
    for name, outcome in few.outcomes.items():
        found, expected = many.outcomes[name].intervals, outcome.intervals
        assert expected["total_cost_usd"].low < expected["total_cost_usd"].high
        for key in expected:
            assert found[key] == pytest.approx(expected[key], nan_ok=True), key
    for found, expected in zip(many.comparisons, few.comparisons, strict=True):
        assert found.difference == pytest.approx(expected.difference, nan_ok=True, abs=1e-9), found


def test_few_recorded_days_give_a_warning_in_place_of_intervals_everywhere(tmp_path):
    result = play(load_scenario(write_days(tmp_path, 3)), 12)
    reason = "no interval: 3 distinct recorded days took part, and it needs 5"
    for short in (result, result.scenarios["replayed"], result.scenarios["replayed"].outcomes["fifo"]):
        assert reason in repr(short)
    text = shown(result)
    assert f"Warning: {reason}." in " ".join(text.split())
    assert "intervals," not in text
    data = json.loads(json.dumps(result.as_json(), allow_nan=False))["scenarios"]["replayed"]
    assert data["no_interval"] == reason
    for metrics in data["policies"].values():
        assert metrics["total_cost_usd"]["mean"] > 0
        assert all((interval["low"], interval["high"]) == (None, None) for interval in metrics.values())
    assert {(found["low"], found["high"]) for found in data["comparisons"]} == {(None, None)}
    assert data["summary"]["excludes_zero"] is None
    assert (data["bound"]["low"], data["bound"]["high"]) == (None, None)
    result.write_csv(tmp_path / "days.csv")
    write_figure(result.as_json(), tmp_path / "days.svg")
    assert reason in draw(result.as_json()).axes[0].get_xlabel()


def test_days_that_are_drawn_count_as_the_days_that_came(tmp_path):
    scenario = load_scenario(write_days(tmp_path, 40, "drawn"))
    outcome = play(scenario, 6).scenarios["replayed"].outcomes["fifo"]
    assert outcome.days is not None
    arrived = [counts["queue_count"]["arrived"][0] for counts in outcome.counts]
    assert (outcome.days + 3).tolist() == arrived  # day d has 3 + d calls


def test_evaluate_says_why_there_is_no_interval(tmp_path):
    result = evaluate("fifo", write_days(tmp_path, 3), episodes=6)
    assert result["no_interval"] == "no interval: 3 distinct recorded days took part, and it needs 5"
    assert result["metrics"]["total_cost_usd"]["low"] is None
    assert "USD/day in 6 test episodes of seed 0 (warning: no interval: 3 distinct" in repr(result)
    console = Console(file=io.StringIO(), width=200)
    show(result, console)
    assert "Warning: no interval: 3 distinct" in " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert evaluate("fifo", write_days(tmp_path, 6), episodes=6)["no_interval"] is None


def test_a_doubt_about_the_record_is_said_once(tmp_path, capsys):
    file = write_days(tmp_path, 3)
    text = file.read_text(encoding="utf-8").replace("handle_time: 300", "handle_time: 100", 1)  # of the first channel
    file.write_text(text, encoding="utf-8")
    doubt = "replayed: record of voice: handle_s has a mean of 300 s over 12 contacts, the law handle_time of 100 s"
    config = BenchmarkConfig(scenarios=(str(file),), policies=("fifo", "voice_first"), episodes=2, bound=0)
    for command in (lambda: evaluate("fifo", file, episodes=2), lambda: benchmark(config)):
        command()
        assert " ".join(capsys.readouterr().err.split()).count(doubt) == 1


def test_copies_of_a_day_are_no_new_days(tmp_path):
    # Twelve days of two kinds: 1 call, or 2.
    rows = ["day,channel,at_s,handle_s"]
    rows += [f"{day},voice,{36_000 + 10 * i},300" for day in range(12) for i in range(1 + day % 2)]
    file = write_days(tmp_path, 1)
    (tmp_path / "days.csv").write_text("\n".join(rows), encoding="utf-8")
    assert recorded_days(load_scenario(file), 0, range(12)).tolist() == [0, 1] * 6
