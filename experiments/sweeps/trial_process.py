"""A trial in a process of its own, which never outlives who started it.

Room: `experiments.sweeps`. Starts processes and is their main module; writes a trial's log, lock and outcome.

The order comes as one line of JSON on standard input, which then stays open: when it ends, the parent is gone, also by
SIGKILL, and the process ends at once. A process in the middle of a long compiled call notices only after that, so the
lock of the trial keeps a successor waiting until it is gone.
"""

import contextlib
import fcntl
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from experiments.sweeps.trials import Outcome, Trial, read_outcome, write_outcome

TrialFunction = Callable[[Trial, Path], Outcome]
"""Trains a trial in a folder, which it makes, or goes on there with what it finds; returns what that brought."""

LOGS_FOLDER = "logs"
"""In the folder of a sweep: what trials print, and their locks."""
REFUSED = 2
"""Exit code of a trial that a mistake of the user's ended: another attempt would end the same way."""
GRACE_S = 5.0
"""Seconds that a process has to end before it is killed."""


class Work(NamedTuple):
    """What all trials of a sweep share, to be sent anywhere.

    Attributes:
        function: `module:name` of the `TrialFunction`.
        folder: of the sweep, a whole path.
    """

    function: str
    folder: Path


class TrialEnd(NamedTuple):
    """How a trial ended: with an outcome, or for good without one, and why."""

    trial: Trial
    outcome: Outcome | None
    problem: str = ""


def address_of(function: TrialFunction) -> str:
    """Return `module:name` of a function on the top level of a module, by which another process finds it."""
    return f"{function.__module__}:{function.__qualname__}"


class TrialProcess:
    """An attempt at a trial: a process that has been started."""

    def __init__(self, work: Work, trial: Trial) -> None:
        self.trial = trial
        self._folder = work.folder / trial.name
        self._log = work.folder / LOGS_FOLDER / f"{trial.name}.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUNBUFFERED": "1"}
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal is for the sweep, which ends its trials itself. To a training
            # it would mean to finish with the best so far, and the trial would count as finished.
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        order = {"function": work.function, "folder": str(work.folder), "trial": trial.as_json()}
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died already, which its exit code tells
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()

    def has_ended(self) -> bool:
        """Return whether the process is gone."""
        return self._process.poll() is not None

    def wait(self) -> None:
        """Wait until the process is gone."""
        self._process.wait()

    @property
    def is_refused(self) -> bool:
        """Return whether a mistake of the user's ended the process, so that another attempt makes no sense."""
        return self._process.returncode == REFUSED

    def end(self) -> TrialEnd:
        """Return how the attempt ended, of a process that is gone."""
        code = self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        outcome = read_outcome(self._folder) if code == 0 else None
        if outcome is not None:
            return TrialEnd(self.trial, outcome)
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return TrialEnd(self.trial, None, f"{how}; {self._last_line()}")

    def _last_line(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return f"its log ends: {said[-1]}" if said else "its log is empty"

    def stop(self) -> None:
        """End the process, if need be by force; its trial goes on from its last checkpoint when it is started again."""
        self._process.terminate()
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def main() -> None:
    """Run the trial that standard input orders; the exit code says how it ended."""
    order = json.loads(_read_line())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    trial, work_folder = Trial.from_json(order["trial"]), Path(order["folder"])
    folder = work_folder / trial.name
    with (work_folder / LOGS_FOLDER / f"{trial.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if read_outcome(folder) is not None:
            return
        module, _, name = order["function"].partition(":")
        function: TrialFunction = getattr(importlib.import_module(module), name)
        start_s = time.monotonic()
        try:
            outcome = function(trial, folder)
        except Exception as error:
            errors = sys.modules.get("envs.errors")  # an import on top would take seconds that not every trial needs
            if errors is None or not isinstance(error, errors.ConfigurationError):
                raise
            print(f"error: {error}", file=sys.stderr)
            sys.exit(REFUSED)
        write_outcome(folder, replace(outcome, wall_s=round(time.monotonic() - start_s, 1)))


def _read_line() -> bytes:
    """Return the first line of standard input, read without Python's buffer, whose lock the thread would hold."""
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(0, 1)
        if not part:
            sys.exit("no order on standard input")
        line += part
    return line


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
