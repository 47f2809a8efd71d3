"""The faults of a researcher's day, planted in short trainings: each must end as an undisturbed one, or say why not.

`make faults` runs this file and prints one table; some rows of it are tests (tests/resume/test_resume.py). Every
training is a child of this process, forked after all is imported and compiled, so that killing one costs little.
"""

import argparse
import csv
import io
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from rich.console import Console
from rich.table import Table
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.learning.network import CandidateScorer
from agents.learning.training_env import TrainingVecEnv
from agents.run_files import STATE_FOLDER
from envs.errors import ConfigurationError
from experiments.training import train as trainings
from experiments.training.onnx_export import Parity
from experiments.training.run import kept_states
from experiments.training.training_config import TrainingConfig

SMALL: dict[str, Any] = {
    "scenario": "tiny",
    "threads": 1,
    "network": {"width": 8, "prior_weight": 4, "residual_weight": 1},
    "validation": {"every_steps": 256, "episodes": 4},
    "benchmark": None,
    "checkpoint": {"every_s": 0},
}
"""What all trainings of this file share: seconds each, and a state after each generation, episode or rollout."""
SEARCH = {"generations": 12, "population": 8, "episodes": 2, "validation_episodes": 8, "every_generations": 3}
GRADIENTS = {"environments": 4, "reward_scale_usd": 10}
VALUES = {**GRADIENTS, "buffer_size": 400, "batch_size": 16, "learning_starts": 100, "target_update_every_steps": 100}
TRAININGS: dict[str, dict[str, Any]] = {
    "policy_search": {"adjustment": {**SEARCH, "generations": 20}},
    "controlled_learning": {
        "adjustment": SEARCH,
        "controlled_learning": {"episodes": 20, "share_frac": 0.5, "horizon_h": 1, "validation_episodes": 8},
    },
    "maskable_ppo": {"adjustment": SEARCH, "steps": 1024, "ppo": {**GRADIENTS, "rollout_steps": 16, "batch_size": 32}},
    "masked_dqn": {"steps": 800, "dqn": VALUES},
    "masked_qrdqn": {"steps": 800, "qrdqn": {**VALUES, "quantiles": 4}},
}
"""A short training of each algorithm."""
PLACES = ("reward", "observation", "logits", "gradient")
"""What may be no number in a learning by gradients."""
_TIMES = ("minutes", "seconds")
"""Columns that say how long something took, which no two runs have in common."""
_CONTEXT = multiprocessing.get_context("fork")


def small_training(algorithm: str, **changes: Any) -> TrainingConfig:
    """Return the short training of an algorithm, with some keys changed."""
    return TrainingConfig.model_validate({**SMALL, "algorithm": algorithm, **TRAININGS[algorithm], **changes})


def leave_export_out() -> None:
    """Let trainings of this process end without the seconds of an export, which follows from the best weights: these
    are compared."""
    trainings.export_policy = no_export


def no_export(*_: Any, **__: Any) -> Parity:
    """Export nothing."""
    return Parity(0, 0, 0.0, is_in_loop=True)


def run_whole(config: TrainingConfig, parent: Path, name: str) -> Path:
    """Train to the end, and return the folder."""
    quiet = Console(file=io.StringIO())
    result = trainings.train(
        config, experiment="faults", runs_folder=parent, name=name, device="cpu", progress_bar=False, console=quiet
    )
    return result.folder


def go_on(folder: Path) -> str:
    """Let a run go on to its end, and return what it says."""
    said = io.StringIO()
    trainings.resume(folder, device="cpu", progress_bar=False, console=Console(file=said, width=1000))
    return said.getvalue()


def in_child(work: Callable[[], object], kill_after_s: float | None = None) -> tuple[int, str]:
    """Do `work` in a child, which is killed after so many seconds, and return its exit code and the one message with
    which it ended, if it did."""
    receiver, sender = _CONTEXT.Pipe(duplex=False)

    def body() -> None:
        try:
            work()
        except ConfigurationError as error:
            sender.send(str(error))
            os._exit(2)
        os._exit(0)

    child = _CONTEXT.Process(target=body)
    child.start()
    child.join(kill_after_s)
    if child.is_alive():
        os.kill(child.pid, signal.SIGKILL)  # type: ignore[arg-type]
        child.join()
    return child.exitcode or 0, receiver.recv() if receiver.poll() else ""


# --- what two runs have in common ---------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, Any]:
    """Return what a finished run has found, by where it stands, without times and dates."""
    found: dict[str, Any] = {}
    for file in sorted(folder.glob("checkpoints/*.pt")):
        weights = torch.load(file, weights_only=True)
        found[file.name] = {name: tensor.numpy().tobytes() for name, tensor in weights.items()}
    for name in ("search.csv", "classification.csv", "validation.csv", "metrics.csv", "benchmark.csv"):
        if (folder / name).is_file():
            with (folder / name).open(newline="", encoding="utf-8") as stream:
                rows = [{key: cell for key, cell in row.items() if key not in _TIMES} for row in csv.DictReader(stream)]
            found[name] = rows
    selection = json.loads((folder / "selection.json").read_text(encoding="utf-8"))
    found["selection"] = (selection["mode"], selection["validation_cost_usd"], selection["provenance"]["steps"])
    if (folder / "policy.onnx").is_file():
        found["policy"] = onnx.load(folder / "policy.onnx").graph.SerializeToString(deterministic=True)
    if (folder / "adjusted.yaml").is_file():
        found["adjusted.yaml"] = (folder / "adjusted.yaml").read_text(encoding="utf-8")
    for run in sorted((folder / "tensorboard").iterdir()):
        accumulator = EventAccumulator(str(run), size_guidance={"scalars": 0})
        accumulator.Reload()
        for tag in accumulator.Tags()["scalars"]:
            found[f"{run.name} {tag}"] = [(event.step, event.value) for event in accumulator.Scalars(tag)]
    return found


def differences(one: Path, other: Path) -> list[str]:
    """Return where two finished runs differ; nothing if they found the same, to the last bit."""
    first, second = contents(one), contents(other)
    return sorted(key for key in first.keys() | second.keys() if first.get(key) != second.get(key))


# --- faults -------------------------------------------------------------------------------------------------------


def dies_while_keeping(number: int, share: float) -> Callable[[], None]:
    """Return what makes this process kill itself in the `number`-th file that a checkpoint consists of, when `share` of
    its bytes are written."""

    def plant() -> None:
        count = 0
        write_whole = kept_states.write_whole

        def write_half(file: Path, content: bytes) -> None:
            nonlocal count
            count += 1
            if count < number:
                return write_whole(file, content)
            file.with_name(f"{file.name}.draft").write_bytes(content[: int(share * len(content))])
            os.kill(os.getpid(), signal.SIGKILL)
            return None

        kept_states.write_whole = write_half

    return plant


def damage(folder: Path, generator: random.Random, kind: str) -> None:
    """Cut the newest checkpoint of a run off somewhere, or flip one of its bits."""
    newest = max((folder / STATE_FOLDER).glob("*.pt"))
    content = bytearray(newest.read_bytes())
    if kind == "truncated":
        del content[generator.randrange(len(content)) :]
    else:
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    newest.write_bytes(content)


def killed_runs(algorithm: str, folder: Path, whole: Path, kills: int, generator: random.Random) -> Iterator[list[str]]:
    """Yield for each of `kills` runs that were killed and went on where it differs from the run `whole`; two in five
    die while a checkpoint is being written."""
    config = small_training(algorithm)
    start_s = time.monotonic()
    in_child(lambda: run_whole(config, folder, f"{algorithm}-timed"))
    whole_s = time.monotonic() - start_s
    n_files = 2 * max(int(file.stem) for file in (whole / STATE_FOLDER).glob("*.json"))
    killed, attempt = 0, 0
    while killed < kills:
        attempt += 1
        name = f"{algorithm}-{attempt}"
        if attempt % 5 < 2:
            plant = dies_while_keeping(generator.randint(1, n_files), generator.random())
            code, _ = in_child(lambda plant=plant, name=name: (plant(), run_whole(config, folder, name)))  # type: ignore[misc]
        else:
            code, _ = in_child(lambda name=name: run_whole(config, folder, name), whole_s * generator.random())  # type: ignore[misc]
        run = folder / "faults" / name
        if code != -signal.SIGKILL:  # it was quicker than its killer
            shutil.rmtree(run)
            continue
        killed += 1
        if not (run / "provenance.json").is_file():  # killed before there was a run: it is begun anew
            shutil.rmtree(run, ignore_errors=True)
            in_child(lambda name=name: run_whole(config, folder, name))  # type: ignore[misc]
        elif not trainings.is_finished(run):
            code, said = in_child(lambda run=run: go_on(run))  # type: ignore[misc]
            if code:
                yield [f"exit code {code}: {said}"]
                continue
        yield differences(whole, run)
        shutil.rmtree(run)


def damaged_checkpoints(run: Path, count: int, kind: str, generator: random.Random) -> Iterator[bool]:
    """Yield for each of `count` damages of the newest checkpoint of a run whether it was noticed, and the one before
    taken."""
    newest = max((run / STATE_FOLDER).glob("*.pt"))
    content = newest.read_bytes()
    for _ in range(count):
        damage(run, generator, kind)
        said: list[str] = []
        state = kept_states.KeptStates(run).latest(said.append)
        yield state is not None and len(said) == 1 and newest.name in said[0]
        newest.write_bytes(content)


def full_disk(algorithm: str, folder: Path) -> tuple[int, str, bool]:
    """Return exit code, message, and whether a whole checkpoint is left, of a run whose files may not grow beyond some
    ten kilobytes after a while."""
    config = small_training(algorithm)
    name = f"{algorithm}-full"

    def work() -> None:
        write_whole, count = kept_states.write_whole, 0

        def write(file: Path, content: bytes) -> None:
            nonlocal count
            count += 1
            if count == 7:
                resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
            write_whole(file, content)

        kept_states.write_whole = write
        run_whole(config, folder, name)

    code, said = in_child(work)
    return code, said, kept_states.KeptStates(folder / "faults" / name).latest(lambda _: None) is not None


def read_only(algorithm: str, folder: Path) -> tuple[int, str]:
    """Return exit code and message of a training whose folder of runs cannot be written."""
    place = folder / "read_only"
    place.write_text("a file where a folder should be")
    return in_child(lambda: run_whole(small_training(algorithm), place, "x"))


def with_clock(algorithm: str, folder: Path, jump_s: float) -> Path:
    """Return the folder of a whole run during which the wall clock jumps by so many seconds."""
    name = f"{algorithm}-clock{jump_s:+.0f}"

    def work() -> None:
        now, calls = time.time, 0

        def jumping() -> float:
            nonlocal calls
            calls += 1
            return now() + (jump_s if calls > 40 else 0.0)

        time.time = jumping
        run_whole(small_training(algorithm), folder, name)

    in_child(work)
    return folder / "faults" / name


def spoil(place: str, after: int) -> Callable[[], None]:
    """Return what makes something of a learning by gradients no number from its `after`-th step on."""

    def plant() -> None:
        step_wait, count = TrainingVecEnv.step_wait, 0

        def spoiled(env: TrainingVecEnv) -> Any:
            nonlocal count
            count += 1
            observations, rewards, dones, infos = step_wait(env)
            if count >= after and place == "reward":
                rewards[0] = np.nan
            if count >= after and place == "observation":
                observations["center"][1, 2] = np.nan
            return observations, rewards, dones, infos

        def spoil_weight(network: CandidateScorer, *arguments: Any) -> Any:
            if count >= after:
                with torch.no_grad():
                    network.scorer[-1].bias.fill_(np.nan)
            return weights(network, *arguments)

        def spoil_gradient(network: CandidateScorer, *arguments: Any) -> Any:
            logits, values = score_open(network, *arguments)
            return (logits * np.nan if count >= after and torch.is_grad_enabled() else logits), values

        TrainingVecEnv.step_wait = spoiled  # type: ignore[method-assign]
        weights, score_open = CandidateScorer.weights, CandidateScorer.score_open
        if place == "logits":
            CandidateScorer.weights = spoil_weight  # type: ignore[method-assign]
        if place == "gradient":
            CandidateScorer.score_open = spoil_gradient  # type: ignore[method-assign]

    return plant


def not_finite(algorithm: str, folder: Path, place: str) -> tuple[int, str, bool]:
    """Return exit code and message of a training in which something is no number after a while, and whether what it
    kept is all finite."""
    name = f"{algorithm}-{place}"
    plant = spoil(place, after=60)
    code, said = in_child(lambda: (plant(), run_whole(small_training(algorithm), folder, name)))
    state = kept_states.KeptStates(folder / "faults" / name).latest(lambda _: None)
    is_good = state is not None and all(bool(torch.isfinite(weight).all()) for weight in state["network"].values())
    return code, said, is_good


def main() -> None:
    """Plant all faults, print the table, and end with status 1 if one of them was not survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="runs of each algorithm that are killed")
    parser.add_argument("--damages", type=int, default=200, help="truncations, and flipped bits, of a checkpoint")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--algorithms", nargs="+", choices=list(TRAININGS), default=list(TRAININGS))
    stated = parser.parse_args()
    generator = random.Random(stated.seed)
    table = Table("fault", "algorithm", "survived", "of")
    is_good = True

    def row(fault: str, algorithm: str, survived: int, of: int) -> None:
        nonlocal is_good
        is_good &= survived == of
        table.add_row(fault, algorithm, str(int(survived)), str(of))
        print(f"{fault}, {algorithm}: {int(survived)} of {of}", flush=True)

    leave_export_out()
    torch.set_num_threads(1)  # a pool of threads would not survive a fork
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for algorithm in stated.algorithms:
            # In this process, whose children then find everything compiled.
            whole = run_whole(small_training(algorithm), folder, f"{algorithm}-whole")
            found = list(killed_runs(algorithm, folder, whole, stated.kills, generator))
            for wrong in filter(None, found):
                print(f"{algorithm}: {wrong}", file=sys.stderr)
            row("killed by SIGKILL, then --resume", algorithm, sum(not wrong for wrong in found), len(found))
            for kind in ("truncated", "flipped bit"):
                noticed = list(damaged_checkpoints(whole, stated.damages, kind, generator))
                row(f"checkpoint {kind}", algorithm, sum(noticed), len(noticed))
            code, said, is_left = full_disk(algorithm, folder)
            row(
                "disk full: one line, a whole checkpoint left", algorithm, code == 2 and "\n" not in said and is_left, 1
            )
            code, said = read_only(algorithm, folder)
            (folder / "read_only").unlink()
            row("runs cannot be written: one line", algorithm, code == 2 and "\n" not in said, 1)
            for place in PLACES if small_training(algorithm).gradient_steps else ():
                code, said, is_good_state = not_finite(algorithm, folder, place)
                is_named = code == 2 and place in said and "\n" not in said
                row(f"{place} is NaN: named, good weights kept", algorithm, is_named and is_good_state, 1)
            for jump_s in (-86_400.0, 86_400.0):
                same = not differences(whole, with_clock(algorithm, folder, jump_s))
                row(f"clock set by {jump_s:+,.0f} s: the same results", algorithm, same, 1)
    Console().print(table)
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()
