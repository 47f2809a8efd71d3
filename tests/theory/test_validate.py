"""The command `blended validate`, run as a user runs it, and the fingerprint of decisions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_validation import SMALL

from experiments.validation.decision_trace import trace_decisions
from experiments.validation.validate import describe_results, passed, validate

SCRIPT = Path(sys.executable).parent / "blended"
N_DECISIONS = 25_000  # of more than one episode


def blended(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, "validate", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        env=os.environ | environment,
    )


def test_a_model_of_a_file_is_run_and_shown(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    result = blended("small.yaml", "--json", "found.json", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "Models: 1, rows: 4" in result.stdout
    assert "all agree" in result.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["passed"] is True
    (model,) = found["models"]
    assert [row["metric"] for row in model["rows"]] == [
        "occupancy_frac",
        "flow balance, voice",
        "Little's law, voice",
        "PASTA, voice",
    ]
    row = model["rows"][0]
    assert row["z"] == pytest.approx((row["simulated"] - 0.5) / row["standard_error"])
    assert row["passed"] is True


def test_a_wrong_value_ends_in_exit_code_1_and_is_named(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL.replace("value: 0.5", "value: 0.9"))
    result = blended("small.yaml", folder=tmp_path)
    assert result.returncode == 1
    assert "FAILED small occupancy_frac" in result.stdout
    assert "more than 4 standard errors away" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere"),
        (["--model", "V0"], "--model V0: no such model"),
        (["senseless.yaml"], "policy priority.order = chat: must name every channel of scenario small once (voice)"),
        (["--trace", "--model", "V01"], "--trace: must stand without FILE and --model"),
    ],
)
def test_a_mistake_of_the_user_is_one_message_and_exit_code_2(arguments, message, tmp_path):
    senseless = SMALL.replace("policy: fifo", "policy: {rule: priority, order: [chat]}")
    (tmp_path / "senseless.yaml").write_text(senseless)
    result = blended(*arguments, folder=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_metric_without_a_value_fails_and_is_null_in_json(tmp_path):
    # Nobody hangs up, so the mean wait of those who did is a share of nothing.
    text = SMALL.replace("metric: occupancy_frac", "metric: voice.mean_wait_abandoned_s").replace("fraction", "s")
    (tmp_path / "small.yaml").write_text(text)
    result = blended("small.yaml", "--json", "found.json", folder=tmp_path)
    assert result.returncode == 1, result.stderr
    row = json.loads((tmp_path / "found.json").read_text(), parse_constant=pytest.fail)["models"][0]["rows"][0]
    assert (row["simulated"], row["standard_error"], row["z"], row["passed"]) == (None, None, None, False)


def test_a_model_may_be_chosen_by_its_name():
    results = validate(models=["V07"])
    assert [result.model.name for result in results] == ["V07"]
    assert passed(results) is describe_results(results)["passed"] is True


def test_a_trace_depends_on_neither_threads_nor_batch_but_on_the_seed():
    first = trace_decisions(decisions=N_DECISIONS, batch=4)
    assert first.decisions >= N_DECISIONS
    assert trace_decisions(decisions=N_DECISIONS, batch=1) == first
    assert trace_decisions(decisions=N_DECISIONS, threads=2, batch=3) == first
    assert trace_decisions(decisions=N_DECISIONS, batch=1, seed=1).sha256 != first.sha256
    assert trace_decisions(decisions=N_DECISIONS, batch=1, policy="fifo").sha256 != first.sha256


def test_a_trace_is_the_same_in_fresh_processes():
    first = trace_decisions(decisions=N_DECISIONS, batch=1)
    code = (
        "from experiments.validation.decision_trace import trace_decisions; "
        f"print(trace_decisions(decisions={N_DECISIONS}, batch=1).sha256)"
    )
    for hash_seed in ("0", "1", "random"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        found = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
        )
        assert found.stdout.strip() == first.sha256
