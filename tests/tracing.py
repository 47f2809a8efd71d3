"""Test helper: the whole trace of an episode, in this process or as a program in a fresh one.

python tests/tracing.py hashes SEED            print the SHA-256 of four traces as JSON
python tests/tracing.py save FOLDER            save the traces of tiny and of a day of bank as .npz files
"""

import hashlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":  # a program's path starts with tests/; the packages under test lie beside it
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playing import bank_day, random_action

from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.scenario.scenario import Scenario, load_scenario


def trace_episode(scenario: Scenario, policy: str, seed: int) -> dict[str, np.ndarray]:
    """Return what happened at every decision of episode 0, played by a baseline or by `random`, and the counters."""
    rows = CenterRows(scenario, 1)
    rows.start(rows.all_rows, np.array([seed]), np.array([0]))
    generator = np.random.default_rng(seed)
    baseline = None if policy == "random" else RulePolicy(policy, scenario)
    steps: dict[str, list[Any]] = {}

    def note(**values: Any) -> None:
        for key, value in values.items():
            steps.setdefault(key, []).append(np.array(value))

    while not rows.done[0]:
        state = rows.states[0]
        action = random_action(generator, rows.mask[0])
        if baseline is not None:
            action = int(baseline.predict(rows.observation())[0])
        note(
            time_s=state["now_s"],
            subject=[state["subject_kind"], state["subject"]],
            events=state["center_count"]["events"],
            mask=rows.mask[0],
            action=action,
            center=rows.center[0],
            candidates=rows.candidates[0],
        )
        rows.step(rows.all_rows, np.array([action]))
        note(reward_usd=rows.reward_usd[0], elapsed_s=rows.elapsed_s[0], cost_usd=rows.states[0]["cost_usd"].copy())
    trace = {key: np.array(values) for key, values in steps.items()}
    counts = rows.counts(0)
    for key in ("queue_count", "band_count", "center_count"):
        fields = counts[key].dtype.names
        trace[key] = np.array([counts[key][field] for field in fields])
    return trace


def digest(trace: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of a trace."""
    total = hashlib.sha256()
    for key in sorted(trace):
        total.update(key.encode())
        total.update(str((trace[key].dtype, trace[key].shape)).encode())
        total.update(np.ascontiguousarray(trace[key]).tobytes())
    return total.hexdigest()


def traced_scenarios() -> dict[str, Scenario]:
    """Return the scenarios whose traces are compared."""
    return {"tiny": load_scenario("tiny"), "bank": bank_day()}


def main(command: str, argument: str) -> None:
    """Run as a program."""
    if command == "hashes":
        hashes = {
            f"{name} {policy}": digest(trace_episode(scenario, policy, int(argument)))
            for name, scenario in traced_scenarios().items()
            for policy in ("expected_loss", "random")
        }
        print(json.dumps(hashes))
    else:
        # Plain numpy warns where 64-bit words overflow, which is what a hash of words is made of.
        warnings.filterwarnings("ignore", message="overflow encountered in scalar", category=RuntimeWarning)
        for name, scenario in traced_scenarios().items():
            np.savez(Path(argument) / f"{name}.npz", **trace_episode(scenario, "random", 3))


if __name__ == "__main__":
    main(*sys.argv[1:])
