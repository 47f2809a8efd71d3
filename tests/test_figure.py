"""The figure of a benchmark: a row per policy, at its cost, in its colour."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from agents.baselines import Baseline
from agents.catalog import NamedPolicy
from envs.errors import ConfigurationError
from envs.scenario import load_scenario
from experiments import cli
from experiments.comparison import BenchmarkResult, run_benchmark
from experiments.figure import MARKED, draw, write_figure
from experiments.intervals import Interval


@pytest.fixture(scope="module")
def result() -> BenchmarkResult:
    bank = load_scenario("bank", ("horizon.days=0.5",))
    tiny = load_scenario("tiny")
    policies = ["fifo", "voice_first", NamedPolicy("learned", Baseline("expected_loss", bank))]
    found = run_benchmark(bank, policies, episodes=4).scenarios | run_benchmark(tiny, ["fifo"], episodes=2).scenarios
    outcomes = found["bank"].outcomes
    outcomes["best_tuned"] = replace(outcomes["voice_first"], policy="best_tuned")
    return BenchmarkResult({**found, "bank": replace(found["bank"], best_tuned="voice_first")})


def rows(panel) -> dict[str, tuple[float, float, float]]:
    """Return (mean, low, high) as drawn, by label, from top to bottom."""
    labels = [tick.get_text() for tick in panel.get_yticklabels()]
    found = {}
    for place, bar in zip(panel.get_yticks(), panel.containers, strict=True):
        (mean,), (at,) = bar.lines[0].get_data()
        assert at == place
        ((low, _), (high, _)) = bar.lines[2][0].get_segments()[0]
        found[labels[int(place)]] = (mean, low, high)
    return found


def test_every_policy_has_a_row_at_its_cost_the_cheapest_on_top(result):
    panel, small = draw(result).axes
    drawn = rows(panel)
    outcomes = result.scenarios["bank"].outcomes
    costs = {
        f"best_tuned ({result.scenarios['bank'].best_tuned})" if name == "best_tuned" else name: outcome
        for name, outcome in outcomes.items()
    }
    assert set(drawn) == set(costs)
    for label, ends in drawn.items():
        assert ends == pytest.approx(costs[label].intervals["total_cost_usd"])
    means = [mean for mean, _, _ in drawn.values()]
    assert means == sorted(means)
    assert panel.yaxis_inverted()
    assert panel.get_xscale() == "log"
    assert list(rows(small)) == ["fifo"]
    assert panel.get_title(loc="left") == "bank: 4 test episodes of seed 0"


def test_learned_and_best_tuned_stand_out(result):
    panel = draw(result).axes[0]
    colours = {tick.get_text().split()[0]: tick.get_color() for tick in panel.get_yticklabels()}
    assert colours["learned"] == MARKED["learned"][0]
    assert colours["best_tuned"] == MARKED["best_tuned"][0]
    assert len({colours["learned"], colours["best_tuned"], colours["fifo"]}) == 3
    assert colours["fifo"] == colours["voice_first"]


def test_what_costs_nothing_is_drawn_on_a_plain_axis(result):
    outcome = result.scenarios["tiny"].outcomes["fifo"]
    free = replace(outcome)
    free.__dict__["metrics"] = {**outcome.metrics, "total_cost_usd": 0.0}
    free.__dict__["intervals"] = {**outcome.intervals, "total_cost_usd": Interval(0.0, 0.0, 0.0)}
    tiny = replace(result.scenarios["tiny"], outcomes={"fifo": free})
    (panel,) = draw(BenchmarkResult({"tiny": tiny})).axes
    assert panel.get_xscale() == "linear"


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_files(result, tmp_path, suffix, start):
    file = tmp_path / f"costs.{suffix}"
    write_figure(result, file)
    assert file.read_bytes().startswith(start)


def test_the_same_result_gives_the_same_svg(result, tmp_path):
    for name in ("one.svg", "two.svg"):
        write_figure(result, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_each_axis_has_two_numbers_at_least(result, tmp_path):
    figure = draw(result)
    figure.savefig(tmp_path / "drawn.png")
    panel = figure.axes[0]
    low, high = panel.get_xlim()
    assert np.count_nonzero([low <= place <= high for place in panel.get_xticks()]) >= 2


def test_a_file_that_cannot_be_written(result, tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_figure(result, tmp_path / "none" / "costs.svg")
    with pytest.raises(ConfigurationError, match=r"must end in \.svg, \.png, \.pdf"):
        write_figure(result, tmp_path / "costs.jpeg")


def test_without_the_extra_the_message_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "experiments.figure", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(sys, "argv", ["blended", "benchmark", "bank", "--figure", "costs.svg"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert "--figure needs matplotlib: pip install -c constraints.txt -e '.[report]'" in capsys.readouterr().err
