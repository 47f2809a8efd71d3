"""`blended train` from a small file to an exported, tested policy; and what it says when it cannot."""

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from playing import meet_demand
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.exported_policy import ExportedPolicy
from agents.learning.learned_policy import LearnedPolicy, load_network, load_run
from agents.rules.rule_policy import RulePolicy
from envs.scenario.scenario import load_scenario
from experiments.cli import main as cli
from experiments.provenance import collect_data
from experiments.seeds import demand_seeds
from experiments.training.onnx_export import visit_states

SEED = 5
STEPS = 384
"""Six rollouts."""
BASELINES = {"fifo", "voice_first", "voice_first_interrupting", "value_first", "silo", "expected_loss"}
TRAINING = {
    "description": "A few hundred decisions in the smallest scenario.",
    "scenario": "tiny",
    "seed": SEED,
    "steps": STEPS,
    "threads": 1,
    "network": {"width": 8, "prior_weight": 4},
    "ppo": {"environments": 4, "rollout_steps": 16, "batch_size": 32, "epochs": 2, "reward_scale_usd": 10},
    "validation": {"every_steps": 128, "episodes": 4},
    "benchmark": {"episodes": 8},
}


def write_training(folder: Path, **changes) -> Path:
    """Write a training of this module, with some keys changed."""
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump(TRAINING | changes), encoding="utf-8")
    return file


def blended(monkeypatch, *arguments) -> int:
    """Run the command line in this process; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["blended", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run, the episodes that it met as (seed, episode), in order, and its JSON result."""
    folder = tmp_path_factory.mktemp("train")
    with pytest.MonkeyPatch.context() as monkeypatch:
        met = meet_demand(monkeypatch)
        file = write_training(folder)
        result = folder / "result.json"
        assert blended(monkeypatch, "train", file, "--runs", folder / "runs", "--device", "cpu", "--json", result) == 0
    (found,) = (folder / "runs" / "small").iterdir()
    return found, met, json.loads(result.read_text())


def events(run_folder: Path, name: str) -> EventAccumulator:
    """Return what TensorBoard reads of the run `name`."""
    accumulator = EventAccumulator(str(run_folder / "tensorboard" / name))
    accumulator.Reload()
    return accumulator


def test_the_run_folder_holds_all_that_was_run_and_found(run):
    folder, _, result = run
    assert Path(result["run_folder"]) == folder
    for name in ("training.yaml", "scenario.yaml", "network.json", "provenance.json", "validation.csv"):
        assert (folder / name).stat().st_size > 0
    for name in ("selection.json", "policy.onnx", "benchmark.json", "benchmark.csv"):
        assert (folder / name).stat().st_size > 0
    checkpoints = {file.name for file in (folder / "checkpoints").iterdir()}
    assert {"start.pt", "best.pt", f"step_{0:09d}.pt", f"step_{STEPS:09d}.pt"} <= checkpoints
    assert not [name for name in checkpoints if name.endswith(".draft")]
    kept = yaml.safe_load((folder / "training.yaml").read_text())
    assert (kept["scenario"], kept["seed"], kept["ppo"]["environments"]) == ("tiny", SEED, 4)
    assert load_scenario(folder / "scenario.yaml") == load_scenario("tiny")
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["seed"] == SEED
    assert provenance["data"] == collect_data([load_scenario("tiny")])
    assert "torch" in provenance["versions"]


def test_validation_covers_start_middle_and_end_in_both_modes(run):
    folder, _, result = run
    with (folder / "validation.csv").open(newline="") as stream:
        records = list(csv.DictReader(stream))
    assert [int(record["steps"]) for record in records] == [0, 128, 256, 384]
    costs = [float(record[mode]) for record in records for mode in ("greedy", "sampled")]
    assert min(costs) == pytest.approx(min(result["validation_cost_usd"].values()))
    selection = json.loads((folder / "selection.json").read_text())
    assert selection["mode"] == result["mode"]
    assert selection["mode"] == min(selection["validation_cost_usd"], key=selection["validation_cost_usd"].get)
    assert selection["provenance"]["steps"] == result["best_steps"]


def test_the_benchmark_compares_the_learned_policy_with_its_start_and_the_baselines(run):
    folder, _, result = run
    benchmark = json.loads((folder / "benchmark.json").read_text())
    assert benchmark == result["benchmark"]
    tiny = benchmark["scenarios"]["tiny"]
    assert tiny["episodes"] == 8
    assert {"learned", "learned_at_start"} | BASELINES <= set(tiny["policies"])
    for metrics in tiny["policies"].values():
        cost = metrics["total_cost_usd"]
        assert cost["low"] - 1e-9 <= cost["mean"] <= cost["high"] + 1e-9
    against = {comparison["against"] for comparison in tiny["comparisons"] if comparison["policy"] == "learned"}
    assert {"learned_at_start"} | BASELINES <= against
    start, rule = (tiny["policies"][name]["total_cost_usd"] for name in ("learned_at_start", "expected_loss"))
    assert start == rule  # before its first update the network is its prior
    with (folder / "benchmark.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["policy"] for row in rows} == set(tiny["policies"])
    assert len(rows) == 8 * len(tiny["policies"])


def test_training_validation_and_test_never_meet_the_same_episodes(run):
    _, met, _ = run
    seeds = demand_seeds(SEED)
    by_seed = {seed: {episode for found, episode in met if found == seed} for seed in {seed for seed, _ in met}}
    assert set(by_seed) == set(seeds)
    assert len(by_seed[seeds.train]) >= 4
    assert by_seed[seeds.test] == set(range(8))
    last_training = max(i for i, (seed, _) in enumerate(met) if seed == seeds.train)
    first_test = min(i for i, (seed, _) in enumerate(met) if seed == seeds.test)
    assert last_training < first_test


def value(shown, tag):
    return shown.Scalars(tag)[0].value


def test_tensorboard_shows_learner_and_rules_under_the_same_tags(run):
    folder, _, _ = run
    # The others, which never interrupt, cost more than twice as much in `tiny`, and would press these into one line.
    drawn = {"expected_loss", "voice_first_interrupting"}
    assert {path.name for path in (folder / "tensorboard").iterdir()} == {"learned", *drawn}
    learned = events(folder, "learned")
    tags = set(learned.Tags()["scalars"])
    assert {"cost/total_usd", "cost/minus_best_rule_usd", "cost/total_sampled_usd"} == {
        tag for tag in tags if tag.startswith("cost/")
    }
    assert "cost_terms/lateness_usd" in tags
    assert {"detail/center/occupancy_frac", "detail/center/voice.service_level_frac"} <= tags
    assert any(tag.startswith("detail/rollout/") for tag in tags)
    assert any(tag.startswith("detail/train/") for tag in tags)
    assert {tag.split("/")[0] for tag in tags} == {"cost", "cost_terms", "detail"}
    assert [event.step for event in learned.Scalars("cost/total_usd")] == [0, 128, 256, 384]
    for name in drawn:
        rule = events(folder, name)
        # A term that no rule has, and the learner does, such as a backlog that it leaves, has no line.
        of_rules = {tag for other in drawn for tag in events(folder, other).Tags()["scalars"]}
        assert of_rules & tags <= set(rule.Tags()["scalars"])
        assert not {"cost/total_sampled_usd", "cost/minus_best_rule_usd"} & of_rules
        line = rule.Scalars("cost/total_usd")
        assert [event.step for event in line] == [0, 128, 256, 384]
        assert len({event.value for event in line}) == 1
    start = learned.Scalars("cost/total_usd")[0].value
    assert start == pytest.approx(value(events(folder, "expected_loss"), "cost/total_usd"))
    assert value(learned, "cost/minus_best_rule_usd") == pytest.approx(0.0)  # the start is the cheapest rule


def test_tensorboard_shows_what_was_trained_and_which_cards_belong_together(run):
    folder, _, _ = run
    learned = events(folder, "learned")
    (text,) = learned.Tensors("training/text_summary")
    stated = yaml.safe_load(text.tensor_proto.string_val[0].decode())
    assert (stated["seed"], stated["ppo"]["environments"]) == (SEED, 4)
    assert "custom_scalars__config__" in learned.Tags()["tensors"]
    hparams = learned.PluginTagToContent("hparams")
    assert set(hparams) == {"_hparams_/experiment", "_hparams_/session_start_info", "_hparams_/session_end_info"}
    assert b"ppo.rollout_steps" in hparams["_hparams_/session_start_info"]
    assert b"cost/total_usd" in hparams["_hparams_/experiment"]


def test_the_table_of_metrics_holds_what_tensorboard_shows(run):
    folder, _, _ = run
    with (folder / "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for name in {row["run"] for row in rows}:
        shown = events(folder, name)
        for tag in shown.Tags()["scalars"]:
            noted = [row for row in rows if (row["run"], row["tag"]) == (name, tag)]
            assert [int(row["step"]) for row in noted] == [event.step for event in shown.Scalars(tag)]
            values = [event.value for event in shown.Scalars(tag)]
            assert [float(row["value"]) for row in noted] == pytest.approx(values, rel=1e-6)


def test_a_tag_that_is_zero_for_everybody_is_left_out(run):
    folder, _, _ = run
    with (folder / "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    of_rules = {row["tag"] for row in rows if row["run"] != "learned"}
    assert "cost_terms/overtime_usd" not in of_rules  # nobody works overtime in `tiny`
    for tag in {
        row["tag"]
        for row in rows
        if row["run"] == "learned" and row["tag"].startswith(("cost_terms/", "detail/center/"))
    }:
        assert tag in of_rules or any(float(row["value"]) for row in rows if row["tag"] == tag)


def test_the_exported_file_is_the_best_checkpoint(run):
    folder, _, result = run
    assert Path(result["policy"]) == folder / "policy.onnx"
    tiny = load_scenario("tiny")
    exported = ExportedPolicy(folder / "policy.onnx", tiny)
    network, scenario, selection = load_run(folder)
    assert scenario == tiny
    assert exported.mode == selection["mode"] == exported.metadata["mode"]
    states = visit_states(tiny, RulePolicy("fifo", tiny), SEED, 200)
    with torch.no_grad():
        wanted = network(*(torch.as_tensor(states[key]) for key in ("center", "candidates", "action_mask"))).numpy()
    is_open = states["action_mask"] != 0
    np.testing.assert_allclose(exported.masked_logits(states)[is_open], wanted[is_open], atol=1e-4)
    onnx.checker.check_model(onnx.load(folder / "policy.onnx"))


def test_the_start_is_the_prior_and_training_moves_away_from_it(run):
    folder, _, _ = run
    tiny = load_scenario("tiny")
    start, _ = load_network(folder, "checkpoints/start.pt")
    end, _ = load_network(folder, f"checkpoints/step_{STEPS:09d}.pt")
    states = visit_states(tiny, RulePolicy("fifo", tiny), SEED, 200)
    np.testing.assert_array_equal(
        LearnedPolicy(start).predict(states), RulePolicy("expected_loss", tiny).predict(states)
    )
    difference = LearnedPolicy(start).action_probabilities(states) - LearnedPolicy(end).action_probabilities(states)
    assert np.abs(difference).max() > 1e-4


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_missing_gpu_is_one_message(monkeypatch, tmp_path, capfd):
    runs = tmp_path / "runs"
    assert blended(monkeypatch, "train", write_training(tmp_path), "--runs", runs, "--device", "cuda") == 2
    error = capfd.readouterr().err.strip()
    assert error.startswith("error: --device cuda: ")
    assert "\n" not in error
    assert not runs.exists()


def test_an_unknown_device_is_one_message(monkeypatch, tmp_path, capfd):
    assert blended(monkeypatch, "train", write_training(tmp_path), "--runs", tmp_path, "--device", "gpu") == 2
    assert capfd.readouterr().err.strip() == "error: --device gpu: must be auto, cpu or cuda"


def test_a_wrong_key_names_file_line_and_key(monkeypatch, tmp_path, capfd):
    file = write_training(tmp_path, stepz=3)
    assert blended(monkeypatch, "train", file, "--runs", tmp_path / "runs") == 2
    error = capfd.readouterr().err
    assert "small.yaml:" in error
    assert "stepz" in error
    assert "steps" in error
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("network.json", "{bad"),
        ("network.json", '{"depth": 3}'),
        ("network.json", '{"width": 17}'),
        ("checkpoints/best.pt", "junk"),
        ("selection.json", "[1]"),
        ("selection.json", '{"mode": "drunk"}'),
        ("selection.json", '{"mode": "greedy", "why": 1}'),
    ],
)
def test_a_damaged_run_folder_is_one_message_that_names_the_file(run, tmp_path, monkeypatch, capsys, name, content):
    folder = shutil.copytree(run[0], tmp_path / "run")
    (folder / name).write_text(content)
    assert blended(monkeypatch, "export", folder, "--out", tmp_path / "x.onnx") == 2
    (message,) = capsys.readouterr().err.strip().splitlines()
    place = folder / ("checkpoints/best.pt" if '"width"' in content else name)  # whose shapes are others then
    assert message.startswith(f"error: {place}: is no longer what the training wrote (")
    assert not (tmp_path / "x.onnx").exists()
