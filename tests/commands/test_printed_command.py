"""The command that a training prints plays its test again: same scenario after overrides, mode, seed and episodes."""

import json
import re
import shlex
import sys

import pytest

from experiments.cli import main as cli

SCENARIO = """
name: small
channels:
  - {name: voice, kind: real_time, arrivals: {rate_per_hour: 30}, handle_time: 180, harm: {abandonment_prob: 0.01},
     patience: {distribution: exponential, mean_s: 120}}
groups: [{name: reps, count: 2, skills: [voice]}]
segments: [{name: a, share_frac: 1, account_value: 1000}]
"""
TRAINING = """
scenario: s.yaml
scenario_overrides: [channels.voice.arrivals.rate_per_hour=60, horizon.days=0.25]
seed: 3
steps: 1
threads: 1
network: {width: 8, prior_weight: 1}
ppo: {environments: 2, rollout_steps: 16, batch_size: 16}
validation: {every_steps: 1000, episodes: 2}
benchmark: {episodes: 3, policies: [fifo]}
"""


def blended(monkeypatch, arguments) -> int:
    """Run the command line in this process; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["blended", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_command_that_a_training_prints_repeats_its_test_exactly(tmp_path, monkeypatch, capsys):
    beside, elsewhere = tmp_path / "my files", tmp_path / "elsewhere"
    beside.mkdir()
    elsewhere.mkdir()
    (beside / "s.yaml").write_text(SCENARIO)
    (beside / "t.yaml").write_text(TRAINING)
    monkeypatch.chdir(elsewhere)
    assert blended(monkeypatch, ["train", beside / "t.yaml", "--device", "cpu", "--runs", tmp_path / "my runs"]) == 0
    (line,) = re.findall(r"^Evaluate it: (.*)$", capsys.readouterr().out, re.MULTILINE)
    program, *arguments = shlex.split(line)  # there are spaces in its paths
    assert program == "blended"
    (run,) = (tmp_path / "my runs" / "t").iterdir()
    monkeypatch.chdir(tmp_path)  # the command names whole files, since the run does
    assert blended(monkeypatch, [*arguments, "--json", "again.json"]) == 0
    again = json.loads((tmp_path / "again.json").read_text())
    learned = json.loads((run / "benchmark.json").read_text())["scenarios"]["small"]["policies"]["learned"]
    assert (again["seed"], again["episodes"]) == (3, 3)
    for metric in ("total_cost_usd", "cost_wait_usd"):
        assert {end: again["metrics"][metric][end] for end in ("mean", "low", "high")} == learned[metric]
    assert learned["total_cost_usd"]["mean"] > 0
