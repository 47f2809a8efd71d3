"""The figure of a benchmark: a row per policy, at its cost, in its colour."""

import copy
import json
import sys
from typing import Any

import numpy as np
import pytest

from agents.catalog import NamedPolicy
from agents.rules.rule_policy import RulePolicy
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario
from experiments.cli import main as cli
from experiments.comparison.comparison import run_benchmark
from experiments.comparison.figure import MARKED, draw, write_figure


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    bank = load_scenario("bank", ("horizon.days=0.5",))
    policies = ["fifo", "voice_first", NamedPolicy("learned", RulePolicy("expected_loss", bank))]
    scenarios = run_benchmark(bank, policies, episodes=4).as_json()["scenarios"]
    scenarios |= run_benchmark(load_scenario("tiny"), ["fifo"], episodes=2).as_json()["scenarios"]
    scenarios["bank"]["policies"]["best_tuned"] = scenarios["bank"]["policies"]["voice_first"]
    scenarios["bank"]["chosen"] = {"best_tuned": "voice_first"}
    return json.loads(json.dumps({"scenarios": scenarios}))


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
    policies = result["scenarios"]["bank"]["policies"]
    labels = {name: "best_tuned (voice_first)" if name == "best_tuned" else name for name in policies}
    assert set(drawn) == set(labels.values())
    for name, label in labels.items():
        assert drawn[label] == pytest.approx([policies[name]["total_cost_usd"][end] for end in ("mean", "low", "high")])
    means = [mean for mean, _, _ in drawn.values()]
    assert means == sorted(means)
    assert panel.yaxis_inverted()
    assert panel.get_xscale() == "log"
    assert list(rows(small)) == ["fifo"]
    assert panel.get_title(loc="left") == "bank: 4 test episodes of seed 0"


def test_a_lower_bound_is_a_line(result):
    bounded = copy.deepcopy(result)
    bounded["scenarios"]["bank"]["bound"] = {"total_cost_usd": 12.5, "low": 12.0, "high": 13.0}
    panel, small = draw(bounded).axes
    (legend,) = panel.get_legend().get_texts()
    assert legend.get_text() == "lower bound"
    assert [line.get_xdata() for line in panel.lines if line.get_label() == "lower bound"] == [[12.5, 12.5]]
    assert panel.get_xlim()[0] < 12.5
    assert small.get_legend() is None


def test_learned_and_best_tuned_stand_out(result):
    panel = draw(result).axes[0]
    colours = {tick.get_text().split()[0]: tick.get_color() for tick in panel.get_yticklabels()}
    assert colours["learned"] == MARKED["learned"][0]
    assert colours["best_tuned"] == MARKED["best_tuned"][0]
    assert len({colours["learned"], colours["best_tuned"], colours["fifo"]}) == 3
    assert colours["fifo"] == colours["voice_first"]


def test_what_costs_nothing_is_drawn_on_a_plain_axis(result):
    free = copy.deepcopy(result)
    free["scenarios"]["tiny"]["policies"]["fifo"]["total_cost_usd"] = {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert [panel.get_xscale() for panel in draw(free).axes] == ["log", "linear"]


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
    monkeypatch.delitem(sys.modules, "experiments.comparison.figure", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(sys, "argv", ["blended", "benchmark", "bank", "--figure", "costs.svg"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert "--figure needs matplotlib: pip install -c constraints.txt -e '.[report]'" in capsys.readouterr().err
