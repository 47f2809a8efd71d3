"""What TensorBoard shows of many trainings: mean and band of each method under the tags of single runs, and rules."""

import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training_folders import write_training

from experiments.cli import main as cli
from experiments.learning_curves.curve_events import write_curve_events
from experiments.learning_curves.training_comparison import compare_trainings


def shown(folder: Path) -> dict[str, list[tuple[int, float]]]:
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return {
        tag: [(event.step, event.value) for event in accumulator.Scalars(tag)] for tag in accumulator.Tags()["scalars"]
    }


def write_sweep(folder: Path, costs_usd: dict[str, list[float]]) -> Path:
    """Write trainings whose validation costs 100 at the start and, after 10 decisions, these, by method and seed."""
    for algorithm, costs in costs_usd.items():
        for seed, cost_usd in enumerate(costs):
            write_training(
                folder / f"{algorithm}-{seed}",
                algorithm=algorithm,
                seed=seed,
                test_seed=0,
                points=((0, 0, 100.0), (10, 5, cost_usd)),
                tags={"cost/wait_usd": ((0, 0, 4.0), (10, 5, 2.0))},
            )
    return folder


def test_the_runs_are_mean_and_band_under_the_same_tags(tmp_path):
    sweep = write_sweep(tmp_path / "sweep", {"maskable_ppo": [90.0, 80.0, 70.0, 20.0]})
    write_curve_events(compare_trainings([sweep]).groups, tmp_path / "events")
    place = tmp_path / "events" / "desk" / "maskable_ppo"
    mean, low, high = (shown(place / part) for part in ("mean", "low", "high"))
    # The interquartile mean of four leaves out the highest and the lowest: (80 + 70) / 2.
    assert mean == {"cost/total_usd": [(0, 100.0), (10, 75.0)], "cost/wait_usd": [(0, 4.0), (10, 2.0)]}
    assert low["cost/total_usd"][0] == high["cost/total_usd"][0] == (0, 100.0)
    assert 20.0 <= low["cost/total_usd"][1][1] < 75.0 < high["cost/total_usd"][1][1] <= 90.0


def test_rules_are_lines_over_all_decisions(tmp_path):
    sweep = write_sweep(tmp_path / "sweep", {"maskable_ppo": [90.0, 80.0]})
    groups = compare_trainings([sweep]).groups
    write_curve_events(groups, tmp_path / "events")
    # `fifo` costs 30 in the mean of these trainings' test, which stands in their log too.
    assert shown(tmp_path / "events" / "desk" / "fifo") == {"cost/total_usd": [(0, 30.0), (10, 30.0)]}


def test_one_seed_has_no_band(tmp_path):
    sweep = write_sweep(tmp_path / "sweep", {"policy_search": [90.0]})
    write_curve_events(compare_trainings([sweep]).groups, tmp_path / "events")
    assert {path.name for path in (tmp_path / "events" / "desk" / "policy_search").iterdir()} == {"mean"}


def test_a_second_writing_replaces_the_first(tmp_path):
    for cost_usd in (90.0, 60.0):
        sweep = write_sweep(tmp_path / f"sweep{cost_usd}", {"policy_search": [cost_usd, cost_usd]})
        write_curve_events(compare_trainings([sweep]).groups, tmp_path / "events")
    found = shown(tmp_path / "events" / "desk" / "policy_search" / "mean")
    assert found["cost/total_usd"] == [(0, 100.0), (10, 60.0)]


def test_other_files_in_the_folders_are_left_alone(tmp_path):
    # A user may name the folder of his runs: `runs/desk/fifo` there may be an experiment of his own.
    kept = tmp_path / "runs" / "desk" / "fifo" / "20261130-seed0" / "policy.onnx"
    kept.parent.mkdir(parents=True)
    kept.touch()
    sweep = write_sweep(tmp_path / "sweep", {"policy_search": [90.0]})
    for _ in range(2):
        write_curve_events(compare_trainings([sweep]).groups, tmp_path / "runs")
    assert kept.is_file()
    assert len(list((tmp_path / "runs" / "desk" / "fifo").glob("events.*"))) == 1


def test_the_command_writes_them(tmp_path, monkeypatch):
    sweep = write_sweep(tmp_path / "sweep", {"policy_search": [90.0, 80.0], "maskable_ppo": [70.0, 60.0]})
    arguments = ["blended", "compare", str(sweep), "--tensorboard", str(tmp_path / "events")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    runs = {str(path.parent.relative_to(tmp_path / "events")) for path in (tmp_path / "events").rglob("events.*")}
    bands = {
        f"desk/{method}/{part}" for method in ("policy_search", "maskable_ppo") for part in ("mean", "low", "high")
    }
    assert runs == {*bands, "desk/fifo"}
