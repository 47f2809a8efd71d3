"""Planted faults: does the fast validation turn red if the simulator is wrong? As a program: `make mutate`.

python tests/mutate.py [--workers N] [--json FILE] [NAME ...]

Each fault is an edit of the sources. It is made in a copy of the repository, never in the shipped code, and the fast
tier of `blended validate` is run there in a process of its own. A fault is caught if that ends with exit code 1, which
means that a known value or a generic check was missed; a crash does not count. Exit code 1 if a fault is not caught.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
COPIED = ("envs", "agents", "experiments", "configs", "pyproject.toml")


class Edit(NamedTuple):
    """One replacement of a text that stands exactly once in a file."""

    file: str
    old: str
    new: str


class Fault(NamedTuple):
    """A fault of the simulator or of a reference policy, as one or more edits."""

    name: str
    edits: tuple[Edit, ...]


class Outcome(NamedTuple):
    """What the fast validation said to a fault: whether it was red, and the rows that were."""

    fault: str
    caught: bool
    failures: tuple[str, ...]
    error: str


FAULTS = (
    Fault(
        "priority order swapped",
        (
            Edit(
                "agents/rules/compiled/priority.py",
                "            if _place(settings, center, other) < _place(settings, center, queue):\n",
                "            if _place(settings, center, other) > _place(settings, center, queue):\n",
            ),
            Edit(
                "agents/rules/compiled/priority.py",
                "        if place < best_place:\n",
                "        if best == WAIT or place > best_place:\n",
            ),
        ),
    ),
    Fault(
        "last come, first served",
        (
            Edit(
                "envs/simulator/service/queues.py",
                "arrival_s, negative_usd = person.arrival_s, -person.value_usd",
                "arrival_s, negative_usd = -person.arrival_s, -person.value_usd",
            ),
        ),
    ),
    Fault(
        "patience clock not stopped at answer",
        (
            Edit(
                "envs/simulator/contacts/waiting.py",
                "            expect_abandonment(state, parameters, contact)\n"
                "            set_clock(state, contact, NEVER)\n",
                "            expect_abandonment(state, parameters, contact)\n",
            ),
            Edit(
                "envs/simulator/contacts/waiting.py",
                "    wait_s = state.now_s - person.arrival_s\n    dequeue(state, parameters, contact)\n"
                "    count.abandoned",
                "    wait_s = state.now_s - person.arrival_s\n    if person.status != WAITING:\n"
                "        set_clock(state, contact, NEVER)\n        count.abandoned += 1\n        return\n"
                "    dequeue(state, parameters, contact)\n    count.abandoned",
            ),
        ),
    ),
    Fault(
        "pick-up skipped",
        (
            Edit(
                "envs/simulator/service/work.py",
                "    if person.interruptions > 0:\n        luck",
                "    if False:\n        luck",
            ),
        ),
    ),
    Fault(
        "interrupted pick-up goes on instead of starting anew",
        (
            Edit(
                "envs/simulator/service/interruption.py",
                "rest_s if parameters.queues[person.queue].accumulate else 0.0",
                "rest_s",
            ),
        ),
    ),
    Fault(
        "suspended work loses its progress",
        (
            Edit(
                "envs/simulator/service/seats.py",
                "    person.work_left_s = max(person.work_left_s - done_s, 0.0)",
                "    person.work_left_s = person.handle_s",
            ),
        ),
    ),
    Fault(
        "after-contact work not counted as busy",
        (
            Edit(
                "envs/simulator/service/staffing.py",
                "    state.n_working += 1\n    state.queues[queue].after_work",
                "    state.queues[queue].after_work",
            ),
            Edit(
                "envs/simulator/service/staffing.py",
                "    state.n_working -= 1\n    state.queues[state",
                "    state.queues[state",
            ),
        ),
    ),
    Fault(
        "rep free before the after-contact work",
        (
            Edit(
                "envs/simulator/contacts/completion.py", "    if after_work_s > 0.0:\n", "    if after_work_s > 1e9:\n"
            ),
        ),
    ),
    Fault(
        "reservation off by one",
        (Edit("agents/rules/compiled/priority.py", "Q_REPS_FREE) <= reserve", "Q_REPS_FREE) < reserve"),),
    ),
    Fault(
        "day factor ignored",
        (
            Edit(
                "envs/inputs/demand.py",
                "        if variance > 0:\n            today",
                "        if variance > 1e9:\n            today",
            ),
        ),
    ),
    Fault(
        "lateness from arrival instead of due time",
        (
            Edit(
                "envs/simulator/contacts/promise.py",
                "rise = overdue_rise(parameters, person.queue, state.now_s - person.due_s)",
                "rise = overdue_rise(parameters, person.queue, state.now_s - person.arrival_s)",
            ),
        ),
    ),
    Fault(
        "one line too many",
        (Edit("envs/simulator/contacts/arrival.py", "present >= limits.lines", "present > limits.lines"),),
    ),
    Fault(
        "nobody dials again",
        (
            Edit(
                "envs/simulator/contacts/waiting.py", "person.attempt) < limits.redial_prob:", "person.attempt) < 0.0:"
            ),
        ),
    ),
    Fault(
        "everybody accepts a callback",
        (
            Edit(
                "envs/simulator/contacts/waiting.py",
                "person.attempt) >= parameters.queues[queue].accept_prob:",
                "person.attempt) >= 1.0:",
            ),
        ),
    ),
    Fault(
        "unresolved customers do not come back",
        (Edit("envs/simulator/contacts/completion.py", "    if luck < limits.return_prob:\n", "    if luck < 0.0:\n"),),
    ),
    Fault(
        "chats side by side as fast as one alone",
        (
            Edit(
                "envs/simulator/service/seats.py",
                "_change_speed(state, parameters, seat, own_speed * parameters.shared_speed[queue, n_held])",
                "_change_speed(state, parameters, seat, own_speed)",
            ),
        ),
    ),
    Fault(
        "reps stay after their shift",
        (
            Edit(
                "envs/simulator/service/shifts.py",
                "        count_interruptible(state, parameters, rep, -1)\n        worker.on_shift = 0\n"
                "        state.n_overtime += 1\n",
                "        state.n_overtime += 1\n",
            ),
        ),
    ),
    Fault(
        "arrivals of an interval all at its beginning",
        (
            Edit(
                "envs/inputs/demand.py",
                'begins_s + stream("time").random(len(begins_s)) * np.repeat(left_frac * interval_s, counts)',
                "begins_s",
            ),
        ),
    ),
)


def plant(fault: Fault, folder: Path) -> None:
    """Copy the repository to `folder` and make the fault there; raises `ValueError` if its text is not there once."""
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    for edit in fault.edits:
        path = folder / edit.file
        text = path.read_text(encoding="utf-8")
        if text.count(edit.old) != 1:
            raise ValueError(f"{fault.name}: {edit.file} has {text.count(edit.old)} times, not once: {edit.old!r}")
        path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


def examine(fault: Fault | None) -> Outcome:
    """Run the fast validation on a copy of the repository with `fault`, or with none, and return what it said."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plant(fault or Fault("none", ()), folder)
        result = folder / "result.json"
        command = [sys.executable, "-c", "from experiments.cli.main import main; main()"]
        run = subprocess.run(
            [*command, "validate", "--tier", "fast", "--threads", "1", "--json", str(result)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(folder), "BLENDED_CACHE_FOLDER": str(folder / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        label = "none" if fault is None else fault.name
        if not result.exists():
            return Outcome(label, False, (), f"exit code {run.returncode}: {run.stderr[-2000:]}")
        models = json.loads(result.read_text(encoding="utf-8"))["models"]
        failures = tuple(
            f"{model['name']}: {row['metric']}" for model in models for row in model["rows"] if not row["passed"]
        )
        return Outcome(label, run.returncode == 1, failures, "")


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description="Plant faults and see the fast validation turn red.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults to plant; default: all, and none at all first")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {fault.name for fault in FAULTS}
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    faults: list[Fault | None] = [fault for fault in FAULTS if not arguments.names or fault.name in arguments.names]
    if not arguments.names:
        faults.insert(0, None)  # without a fault the validation must be green, or red means nothing
    outcomes = []
    with ThreadPoolExecutor(arguments.workers) as pool:
        for outcome in pool.map(examine, faults):
            outcomes.append(outcome)
            verdict = "green" if not outcome.caught else f"caught by {len(outcome.failures)} rows"
            first = ", ".join(outcome.failures[:4])
            print(f"{outcome.fault}: {verdict} {first} {outcome.error}".rstrip(), flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([outcome._asdict() for outcome in outcomes], indent=2) + "\n")
    missed = [outcome.fault for outcome in outcomes if outcome.caught == (outcome.fault == "none") or outcome.error]
    print(f"{len(outcomes) - len(missed)} of {len(outcomes)} as they should be; not: {', '.join(missed) or 'none'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
