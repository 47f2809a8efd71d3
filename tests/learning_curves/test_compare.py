"""`blended compare` as a user runs it, and its figure."""

import json
import re
import sys
from pathlib import Path

import pytest
from training_folders import write_training

from experiments.cli import main as cli
from experiments.learning_curves.curves_figure import COLOURS, draw, method_styles, write_curves_figure
from experiments.learning_curves.training_comparison import compare_trainings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compare.md"
SHORT = ((0, 0.0, 1000.0), (10, 5.0, 800.0))
LONG = ((0, 0.0, 1000.0), (40, 20.0, 500.0))


@pytest.fixture
def sweep(tmp_path):
    """A sweep of two scenarios, two algorithms and two seeds; PPO costs 20 % more than the search in every episode."""
    for scenario in ("desk", "shop"):
        for algorithm, factor in (("policy_search", 1.0), ("maskable_ppo", 1.2)):
            for seed, points in enumerate((SHORT, LONG)):
                write_training(
                    tmp_path / "sweep" / f"{scenario}-{algorithm}-seed{seed}",
                    scenario=scenario,
                    algorithm=algorithm,
                    seed=seed,
                    learned_usd=(factor * (100.0 + 100.0 * seed), factor * (100.0 + 100.0 * seed)),
                    rows_usd={
                        "fifo": (400.0, 400.0),
                        "silo": (402.0, 402.0),
                        "best_tuned": (200.0, 200.0),
                        "adjusted_rule": (300.0, 300.0),  # a stage of the training, no baseline
                    },
                    points=points,
                )
    return tmp_path / "sweep"


def blended(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["blended", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_command_prints_tables_and_writes_json_and_figure(monkeypatch, sweep, tmp_path, capsys):
    files = ("--json", tmp_path / "found.json", "--figure", tmp_path / "curves.svg")
    assert blended(monkeypatch, "compare", sweep, *files) == 0
    shown = " ".join(capsys.readouterr().out.split())
    # Seeds 0 and 1 cost 100 and 200: 150 in the mean, and drawn again from 100 to 200. PPO costs 1.2 times that.
    assert "│ policy_search │ 2 seeds │ 150 (100 to 200) │ 100 │ 200 │" in shown
    assert "│ maskable_ppo │ 2 seeds │ 180 (120 to 240) │ 120 │ 240 │" in shown
    # 150/200 - 1, drawn again 100/200 - 1 to 200/200 - 1; against 400 half of the cost, less half again.
    assert "│ best_tuned │ -10.0 % (-40.0 to 20.0) │ -25.0 % (-50.0 to 0.0) │" in shown
    # 0.2 times 150, 100 and 200.
    assert "│ maskable_ppo │ policy_search │ desk │ 2 seeds, 4 runs │ 30.00 (20.00 to 40.00) │ 20.0 %" in shown
    assert "│ maskable_ppo │ policy_search │ mean of scenarios │ 2 seeds, 8 runs │ │ 20.0 % (20.0 to 20.0) │" in shown
    # 120 and 240 against 100 and 200: only 120 against 200 is less.
    assert "│ maskable_ppo │ policy_search │ 2 │ 25.0 % (" in shown
    # The shorter run, 800 at its end after 10 decisions, is carried on beside 500: 650 in the mean.
    assert "│ policy_search │ 2 seeds │ 1,000 (1,000 to 1,000) │" in shown
    assert "650 (500 to 800)*" in shown
    assert "2 seeds only: with fewer than 10 intervals are too short" in shown
    assert shown.endswith(
        "desk: policy_search, 150 (100 to 200), 2 seeds; shop: policy_search, 150 (100 to 200), 2 seeds"
    )
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found["runs"]) == 8
    assert found["scenarios"]["shop"]["costs"][0] == {
        "name": "policy_search",
        "is_method": True,
        "seeds": 2,
        "total_cost_usd": {"mean": 150.0, "low": 100.0, "high": 200.0},
        "best_usd": 100.0,
        "worst_usd": 200.0,
    }
    assert found["scenarios"]["desk"]["validation_baselines_usd"] == {"fifo": 400.0, "silo": 402.0, "best_tuned": 200.0}
    over = {(pair["method"], pair["row"]): pair["difference_frac"]["mean"] for pair in found["over_scenarios"]}
    # 100/200 - 1 and 200/200 - 1 in each scenario: of -50, -50, 0, 0 % the lowest and the highest are left out.
    assert over["policy_search", "best_tuned"] == pytest.approx(-0.25)
    curve = found["scenarios"]["desk"]["curves"]["decisions"]["maskable_ppo"]
    assert (curve["places"], curve["mean"], curve["shortest_end"]) == ([0, 10, 40], [1000, 900, 650], 10)
    assert b"<svg" in (tmp_path / "curves.svg").read_bytes()


def test_one_seed_alone_is_said_and_has_no_interval(monkeypatch, sweep, capsys):
    assert blended(monkeypatch, "compare", sweep / "desk-policy_search-seed1") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "│ policy_search │ 1 seed │ 200 │ 200 │ 200 │" in shown
    assert "│ best_tuned │ 0.0 % │" in shown
    assert "against each other" not in shown


def test_methods_without_common_test_episodes_are_said_to_have_none(monkeypatch, tmp_path, capsys):
    write_training(tmp_path / "runs" / "one", test_seed=1)
    write_training(tmp_path / "runs" / "two", test_seed=2, algorithm="masked_dqn")
    assert blended(monkeypatch, "compare", tmp_path / "runs") == 0
    assert "│ policy_search │ masked_dqn │ desk │ none: no episodes in common │" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_method_that_costs_nothing_is_no_base_of_a_fraction_and_has_an_interval(monkeypatch, tmp_path, capsys):
    for algorithm, usd in (("maskable_ppo", 10.0), ("policy_search", 0.0)):
        write_training(tmp_path / algorithm, algorithm=algorithm, learned_usd=(usd, 2 * usd), rows_usd={})
    assert blended(monkeypatch, "compare", tmp_path) == 0
    shown = " ".join(capsys.readouterr().out.split())
    # (10 + 20) / 2, of two episodes from 10 to 20.
    assert "15.00 (10.00 to 20.00)" in shown
    assert "No fraction: the other method costs nothing there." in shown
    assert "No interval" not in shown


def test_a_training_that_ended_early_is_refused_or_left_out(monkeypatch, sweep, tmp_path, capsys):
    early = sweep / "shop-policy_search-seed0"
    (early / "benchmark.json").unlink()
    assert blended(monkeypatch, "compare", sweep) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert told == [
        f"error: {early}: has no benchmark.json: the training ended early, made no benchmark, or is older: "
        "--finished-only leaves it out"
    ]
    assert blended(monkeypatch, "compare", sweep, "--finished-only", "--json", tmp_path / "found.json") == 0
    assert f"{early}: left out: has no benchmark.json" in capsys.readouterr().err
    assert json.loads((tmp_path / "found.json").read_text())["left_out"] == [str(early)]
    assert blended(monkeypatch, "compare", early, "--finished-only") == 2
    assert "holds no training that has ended" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none",), "error: none: no such folder"),
        (("sweep", "--figure", "curves.gif"), "error: --figure curves.gif: must end in .svg, .png, .pdf"),
        (("sweep", "--json", "none/found.json"), "error: --json none/found.json: cannot be written (no folder none)"),
    ],
)
def test_mistakes_are_one_message(monkeypatch, sweep, tmp_path, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert blended(monkeypatch, "compare", *arguments) == 2
    assert capsys.readouterr().err.strip() == message


def test_the_figure_has_curves_by_decisions_and_seconds_and_the_baselines(sweep):
    figure = draw(compare_trainings([sweep]))
    decisions, seconds = figure.axes[:2]
    assert len(figure.axes) == 4
    assert (decisions.get_xlabel(), seconds.get_xlabel()) == ("decisions of training", "seconds of training")
    assert [text.get_text() for text in decisions.get_legend().get_texts()] == [
        "maskable_ppo (2 seeds)",
        "policy_search (2 seeds)",
    ]
    solid, _, _, dotted = decisions.lines[:4]
    # Up to 10 decisions both runs were trained; from there the shorter one is carried on to 40.
    assert (list(solid.get_xdata()), list(solid.get_ydata())) == ([0, 10], [1000, 900])
    assert (list(dotted.get_xdata()), list(dotted.get_ydata())) == ([10, 40], [900, 650])
    assert dotted.get_linestyle() == ":"
    levels = {line.get_ydata()[0] for line in decisions.lines if line.get_linestyle() == "--"}
    assert levels == {400.0, 402.0, 200.0}
    # Lines that lie on each other share a label.
    assert sorted(text.get_text() for text in seconds.texts) == ["best_tuned", "fifo, silo"]


def test_the_same_trainings_give_the_same_bytes(sweep, tmp_path):
    files = [tmp_path / name for name in ("first.svg", "second.svg")]
    for file in files:
        write_curves_figure(compare_trainings([sweep]), file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_example_of_the_page_runs(monkeypatch, sweep, tmp_path, capsys):
    (tmp_path / "runs").mkdir()
    sweep.rename(tmp_path / "runs" / "premium_desk")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    exec(compile(example, "compare.md", "exec"), {})
    assert "shop policy_search 40.0 650.0 500.0 800.0" in capsys.readouterr().out


def test_no_two_methods_are_drawn_alike():
    styles = method_styles([f"method {i}" for i in range(len(COLOURS) ** 2)])
    assert len(set(styles.values())) == len(COLOURS) ** 2
