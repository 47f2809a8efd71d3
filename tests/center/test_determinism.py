"""The same seed gives the same trace, to the last bit, in fresh processes; another seed gives another one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tracing import digest, trace_episode, traced_scenarios

PROGRAM = Path(__file__).parents[1] / "tracing.py"


def hashes_in_fresh_process(seed: int, hash_seed: str) -> dict[str, str]:
    """Return the hashes of the traces, computed by a process of its own."""
    result = subprocess.run(
        [sys.executable, PROGRAM, "hashes", str(seed)],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def hashes_here() -> dict[str, str]:
    return {
        f"{name} {policy}": digest(trace_episode(scenario, policy, 11))
        for name, scenario in traced_scenarios().items()
        for policy in ("expected_loss", "random")
    }


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_the_same_seed_gives_the_same_trace_in_fresh_processes(hashes_here, hash_seed):
    assert hashes_in_fresh_process(11, hash_seed) == hashes_here


@pytest.mark.parametrize("policy", ["expected_loss", "random"])
def test_another_seed_gives_another_trace(hashes_here, policy):
    scenario = traced_scenarios()["bank"]
    assert digest(trace_episode(scenario, policy, 12)) != hashes_here[f"bank {policy}"]


def test_a_process_repeats_itself(hashes_here):
    for name, scenario in traced_scenarios().items():
        assert digest(trace_episode(scenario, "expected_loss", 11)) == hashes_here[f"{name} expected_loss"]
