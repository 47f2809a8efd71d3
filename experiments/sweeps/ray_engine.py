"""Trials as tasks of Ray, on this machine or on a cluster.

Room: `experiments.sweeps`. The one door to Ray; starts processes (`experiments.sweeps.trial_process`) on the nodes.

A node that sees the sweep's folder, as on one machine or a shared file system, trains there. On any other one the
task trains in a folder for temporary files, and returns log and run folder as one archive, which the driver unpacks:
whole or not at all. That folder is gone when the trial is finished or refused; what died leaves it to the next attempt.
"""

import logging
import shutil
import signal
import socket
import tempfile
import threading
import uuid
from collections import deque
from collections.abc import Callable, Generator, Sequence
from hashlib import sha256
from pathlib import Path

import ray
from ray.exceptions import RayError, RayTaskError

from envs.errors import ConfigurationError
from experiments.processors import usable_cpus
from experiments.sweeps.archive import clear_arrivals, pack, unpack
from experiments.sweeps.trial_process import TrialEnd, TrialProcess, Work
from experiments.sweeps.trials import Trial, read_outcome

WAIT_S = 1.0
"""Seconds after which new nodes are noticed."""
ANSWER_S = 10.0
"""Seconds in which a cluster must answer."""
TOKEN_FILE = ".driver"
"""In the sweep's folder, with a word that only this driver writes: who reads it there shares the file system."""


class TrialDiedError(Exception):
    """An attempt at a trial ended without an outcome; Ray tries again."""


class TrialRefusedError(Exception):
    """A mistake of the user's ended an attempt; another one would end the same way."""


def run_on_ray(
    work: Work,
    trials: Sequence[Trial],
    *,
    address: str | None,
    workers: int | None,
    threads: int,
    retries: int,
    on_start: Callable[[Trial], None],
) -> Generator[TrialEnd, None, None]:
    """Run `trials` on the cluster at `address`, by default on a Ray of this machine alone, and yield each when it is
    finished, its files in the sweep's folder, or has failed for good.

    At most `workers` are handed to Ray at a time, by default as many as the cluster has places for, of `threads`
    processors each. Ray tries a trial again, up to `retries` times, when it or its node died. Closing the generator, or
    an exception, ends what is running.

    Raises:
        ConfigurationError: no cluster answers, none of its nodes has so many processors, or this process belongs to
            one already, which is left as it is.
    """
    token = uuid.uuid4().hex
    token_file = work.folder / TOKEN_FILE
    task = ray.remote(num_cpus=threads, max_retries=retries, retry_exceptions=[TrialDiedError])(run_trial)
    waiting = deque(trials)
    running: dict[ray.ObjectRef, Trial] = {}
    if ray.is_initialized():
        raise ConfigurationError(
            "blended sweep: this process has joined a Ray already: leave it first (ray.shutdown())"
        )
    try:
        _connect(address, workers, threads)
        clear_arrivals(work.folder)
        token_file.write_text(token, encoding="utf-8")
        while waiting or running:
            while waiting and len(running) < (workers or _places(threads)):
                trial = waiting.popleft()
                on_start(trial)
                running[task.remote(work, trial, token)] = trial
            done, _ = ray.wait(list(running), num_returns=1, timeout=WAIT_S)
            for reference in done:
                yield _end_of(work, running.pop(reference), reference)
    finally:
        token_file.unlink(missing_ok=True)
        ray.shutdown()


def _connect(address: str | None, workers: int | None, threads: int) -> None:
    """Join the cluster at `address`, or start a Ray of this machine."""
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        if address is None:
            cpus = threads * workers if workers is not None else max(threads, usable_cpus())
            ray.init("local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        else:
            _require_answer(address)
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        said = (str(error).splitlines() or [""])[0]
        raise ConfigurationError(f"--address {address or 'local'}: no Ray cluster answers ({said})") from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray has just set one that ends with another exit code
    most = max(_processors(), default=0.0)
    if most < threads:
        raise ConfigurationError(
            f"sweep.settings.threads = {threads}: must be <= {most:g}, the processors of the cluster's largest node"
        )


def _require_answer(address: str) -> None:
    """Raise `OSError` or `ValueError` if nobody listens at HOST:PORT; Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host:  # or it is `auto`
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()


def _processors() -> list[float]:
    """Return the processors of each node that is alive."""
    return [node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"]]


def _places(threads: int) -> int:
    """Return how many trials the nodes that are alive can train at a time."""
    return max(1, sum(int(processors // threads) for processors in _processors()))


def run_trial(work: Work, trial: Trial, token: str) -> bytes | None:
    """Train a trial in a process of its own on the node where this runs; returns its files as an archive, or None
    where they are in the sweep's folder already."""
    if _reads_token(work.folder, token):
        _attempt(work, trial)
        return None
    # One folder for a trial of a driver: an attempt that follows on the same node goes on there, nobody else meets it,
    # and it can be removed whole while other trials are at work.
    scratch = Path(tempfile.gettempdir()) / f"blended-sweep-{token}-{sha256(trial.name.encode()).hexdigest()[:16]}"
    try:
        _attempt(work._replace(folder=scratch / work.folder.name), trial)
        packed = pack(scratch / work.folder.name, trial.name)
    except TrialRefusedError:
        shutil.rmtree(scratch)
        raise
    shutil.rmtree(scratch)
    return packed


def _reads_token(folder: Path, token: str) -> bool:
    """Return whether the sweep's folder is here what it is for the driver."""
    try:
        return (folder / TOKEN_FILE).read_text(encoding="utf-8") == token
    except OSError:
        return False


def _attempt(work: Work, trial: Trial) -> None:
    process = TrialProcess(work, trial)
    process.wait()
    end = process.end()
    if end.outcome is None:
        raise (TrialRefusedError if process.is_refused else TrialDiedError)(end.problem)


def _end_of(work: Work, trial: Trial, reference: ray.ObjectRef) -> TrialEnd:
    """Return how the task of a trial ended, its files unpacked."""
    try:
        packed: bytes | None = ray.get(reference)
    except RayTaskError as error:
        return TrialEnd(trial, None, str(error.cause))
    except RayError as error:  # node or worker died once too often
        return TrialEnd(trial, None, str(error).splitlines()[0])
    if packed is not None:
        unpack(packed, work.folder, trial.name)
    outcome = read_outcome(work.folder / trial.name)
    return TrialEnd(trial, outcome, "" if outcome else "its files are not in the sweep's folder")
