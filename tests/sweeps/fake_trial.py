"""What stands for a training in the tests of sweeps: it takes no time, and fails, dies or waits as its seed is told to.

A file `<sweep folder>/../orders.json` says, by name of the trial, what is to happen: `{"die": 1}` SIGKILLs the process
in the first attempt, `{"raise": 1}` raises then, `{"refuse": 1}` is the user's mistake, `{"sleep_s": 60}` waits before
the last step. Each attempt adds a line to `attempts.log`, and a step to the checkpoint; three steps are a training.
"""

import hashlib
import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.sweeps.trials import Outcome, Trial

STEPS = 3
COSTS_USD = {"policy_search": 80.0, "maskable_ppo": 110.0}
RULE_USD = 100.0


def resolve(trial: Trial) -> dict:
    """Return what a training would state."""
    if "no_such_key" in " ".join(trial.overrides):
        from envs.errors import ConfigurationError  # takes seconds, which few trials need

        raise ConfigurationError("training.no_such_key: no such key")
    stated = dict(text.split("=", 1) for text in trial.overrides)
    return {"scenario": trial.scenario, "algorithm": trial.algorithm, "seed": trial.seed, **stated}


def data_of(trials: Sequence[Trial]) -> dict[str, dict[str, str]]:
    """Return the digest of the scenario of each trial that has a file of its own."""
    files = {trial.name: Path(trial.scenario) for trial in trials}
    return {
        name: {"scenario": hashlib.sha256(file.read_bytes()).hexdigest()} if file.is_file() else {}
        for name, file in files.items()
    }


def reads(scenario: str, algorithm: str, key: str) -> bool:
    """Return whether a key is for everybody, or for the algorithm whose section it is in."""
    owners = {"ppo": "maskable_ppo", "steps": "maskable_ppo", "adjustment": "policy_search"}
    return owners.get(key.partition(".")[0], algorithm) == algorithm


def train(trial: Trial, folder: Path) -> Outcome:
    """Take the steps that are missing; cost is that of the algorithm, and 1 USD for each of the seed."""
    orders_file = folder.parent.parent / "orders.json"
    orders = json.loads(orders_file.read_text()).get(trial.name, {}) if orders_file.exists() else {}
    return _ordered(trial, folder, orders)


def _ordered(trial: Trial, folder: Path, orders: dict) -> Outcome:
    folder.mkdir(exist_ok=True)
    checkpoint = folder / "checkpoint"
    first_step = int(checkpoint.read_text()) if checkpoint.exists() else 0
    with (folder / "attempts.log").open("a") as log:
        log.write(f"{os.getpid()} from {first_step}\n")
    attempt = len((folder / "attempts.log").read_text().splitlines())
    print(f"attempt {attempt}")
    for step in range(first_step, STEPS):
        if step == STEPS - 1:
            _obey(orders, attempt)
        partial = folder / "checkpoint.partial"
        partial.write_text(str(step + 1))
        partial.replace(checkpoint)
    return Outcome(COSTS_USD[trial.algorithm] + trial.seed, "fifo", RULE_USD)


def train_refuse(trial: Trial, folder: Path) -> Outcome:
    """Train as `train` does, and be refused before the last step."""
    return _ordered(trial, folder, {"refuse": 1})


def train_raise(trial: Trial, folder: Path) -> Outcome:
    """Train as `train` does, and raise before the last step."""
    return _ordered(trial, folder, {"raise": 1})


def _obey(orders: dict, attempt: int) -> None:
    time.sleep(orders.get("sleep_s", 0))
    if attempt <= orders.get("die", 0):
        os.kill(os.getpid(), signal.SIGKILL)
    if attempt <= orders.get("raise", 0):
        raise RuntimeError("out of luck")
    if attempt <= orders.get("refuse", 0):
        from envs.errors import ConfigurationError

        raise ConfigurationError("training.steps = -1: must be >= 0")


def read_attempts(folder: Path) -> list[tuple[int, int]]:
    """Return of each attempt in a trial's folder its process and its first step."""
    lines = (folder / "attempts.log").read_text().splitlines()
    return [(int(line.split()[0]), int(line.split()[2])) for line in lines]
