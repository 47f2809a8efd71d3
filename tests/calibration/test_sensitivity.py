"""Policies ranked over assumed ranges, in a center that is worked by hand."""

from pathlib import Path

import pytest

from envs.configuration.document import as_document
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario, load_scenario
from experiments.calibration.estimates import Assumption
from experiments.calibration.sensitivity.assumptions import (
    assume,
    load_assumptions,
    replace_assumptions,
    write_assumptions,
)
from experiments.calibration.sensitivity.sensitivity import (
    Sensitivity,
    points_of,
    rank_over_ranges,
    sampled_points,
)
from experiments.calibration.sensitivity.sensitivity_figure import COLOURS, write_figure

PRICE = "channels.voice.costs.waiting_usd_per_hour"
WAITING = Assumption(PRICE, 50.0, 10.0, 1000.0, "what a minute of waiting costs is for the center to say")
FIXED = Assumption("channels.email.costs.waiting_usd_per_hour", 100.1, 100.1, 100.1, "no range")


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """One rep, busy with a call until second 100; an e-mail comes at second 10 and a call at 20, of 60 s each."""
    at = [("voice", 0, 100), ("email", 10, 60), ("voice", 20, 60)]
    return load_scenario(
        {
            "name": "by_hand",
            "horizon": {"days": 0.01},
            "terminal_charge": "none",
            "channels": [
                {
                    "name": "voice",
                    "kind": "real_time",
                    "handle_time": 60,
                    "costs": {"waiting_usd_per_hour": 50},
                },
                {
                    "name": "email",
                    "kind": "deferred",
                    "handle_time": 60,
                    "costs": {"waiting_usd_per_hour": 100.1},
                },
            ],
            "groups": [{"name": "reps", "count": 1, "skills": ["voice", "email"]}],
            "scripted_contacts": [
                {"channel": channel, "at_s": at_s, "handle_time": handle_s, "account_value": 0}
                for channel, at_s, handle_s in at
            ],
        }
    )


@pytest.fixture(scope="module")
def found(scenario: Scenario) -> Sensitivity:
    return rank_over_ranges(scenario, [WAITING, FIXED], ["fifo", "voice_first"], episodes=2, samples=4)


def test_who_is_best_changes_where_the_prices_are_equal(found: Sensitivity):
    """At second 100 `fifo` takes the e-mail: it has waited 90 s, and the call waits 140; `voice_first` takes the call:
    80 and 150. So `fifo` is cheaper as long as an hour of the call's wait costs less than the e-mail's 100.1 USD."""
    (rankings,) = found.moved.values()
    values = [ranking.values.get(PRICE, 50.0) for ranking in rankings]
    assert values == pytest.approx([10, 10**1.5, 50, 100, 10**2.5, 1000])
    assert [ranking.best for ranking in rankings] == ["fifo"] * 4 + ["voice_first"] * 2
    for price, ranking in zip(values, rankings, strict=True):
        fifo_usd = (140 * price + 90 * 100.1) / 3600
        voice_first_usd = (80 * price + 150 * 100.1) / 3600
        assert ranking.costs_usd == pytest.approx({"fifo": fifo_usd, "voice_first": voice_first_usd})
        assert ranking.lead is not None
        assert ranking.lead.mean == pytest.approx(abs(fifo_usd - voice_first_usd))
        assert ranking.is_sure  # nothing is random here


def test_the_stated_value_is_played_once(found: Sensitivity):
    assert sum(ranking is found.stated for ranking in found.moved[PRICE]) == 1
    assert found.stated.values == {}


def test_shares_of_the_range(found: Sensitivity):
    """Each quarter of the logarithmic range is met once, and prices are equal in the middle."""
    assert found.best_fracs() == {"fifo": 0.5, "voice_first": 0.5}


def test_a_number_without_a_range_is_not_moved(found: Sensitivity):
    assert found.assumptions == (WAITING,)


def test_the_result_as_json_and_as_a_figure(found: Sensitivity, tmp_path: Path):
    result = found.as_json()
    assert result["assumptions"][0]["path"] == PRICE
    assert [ranking["best"] for ranking in result["moved"][PRICE]].count("fifo") == 4
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    write_figure(result, first)
    write_figure(result, second)
    assert first.read_bytes() == second.read_bytes()
    # Six cells of the range and two shares: `fifo`, met first, has the first colour, also in the legend.
    cells = [first.read_text().count(f"fill: {colour}") for colour in COLOURS[:2]]
    assert cells == [4 + 1 + 1, 2 + 1 + 1]


def test_without_a_range_there_is_nothing_to_rank(scenario: Scenario):
    with pytest.raises(ConfigurationError, match="no assumed number has a range"):
        rank_over_ranges(scenario, [FIXED])


def test_a_path_that_leads_nowhere_is_refused(scenario: Scenario):
    nowhere = Assumption("channels.fax.costs.late_usd", 1.0, 0.0, 2.0, "no such channel")
    with pytest.raises(ConfigurationError, match="channels has no 'fax'"):
        rank_over_ranges(scenario, [nowhere], ["fifo"], episodes=2)


def test_points_are_logarithmic_above_zero_and_linear_from_zero():
    assert points_of(Assumption("x", 3.0, 1.0, 16.0, "")) == pytest.approx([1, 2, 4, 8, 16])
    assert points_of(Assumption("x", 2.0, 0.0, 4.0, "")) == [0, 1, 3, 4]  # without the stated 2


def test_sampled_points_meet_every_part_of_every_range_once():
    points = sampled_points([Assumption("x", 1.0, 0.0, 8.0, ""), Assumption("y", 1.0, 0.0, 8.0, "")], 8, seed=0)
    for path in ("x", "y"):
        assert sorted(int(point[path]) for point in points) == list(range(8))
    assert points == sampled_points([Assumption("x", 1.0, 0.0, 8.0, ""), Assumption("y", 1.0, 0.0, 8.0, "")], 8, seed=0)


def test_assumptions_are_read_back_as_they_were_written(tmp_path: Path):
    file = tmp_path / "assumptions.yaml"
    write_assumptions([WAITING, FIXED], file)
    assert load_assumptions(file) == (WAITING, FIXED)


def test_a_value_outside_its_range_names_file_and_line(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text("assumptions:\n- {path: a, value: 3, low: 1, high: 2, reason: none}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"must lie in the range of low = 1 to high = 2 \(.*mine.yaml:2\)"):
        load_assumptions(file)


def test_the_users_own_number_takes_the_place_of_the_assumed_one():
    mine = Assumption(PRICE, 200.0, 100.0, 400.0, "our own")
    assert replace_assumptions([WAITING, FIXED], [mine]) == (mine, FIXED)
    document = assume(as_document({"channels": [{"name": "voice", "costs": {}}]}), [mine])
    assert document.data == {"channels": [{"name": "voice", "costs": {"waiting_usd_per_hour": 200.0}}]}
