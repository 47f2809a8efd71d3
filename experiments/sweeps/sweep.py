"""The command `blended sweep`: every trial of a file that is not finished yet, run once by an engine.

Room: `experiments.sweeps`. Writes the folder of the sweep (`experiments.sweeps.sweep_folder`); its engines train.
"""

import signal
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from rich.console import Console

from envs.errors import ConfigurationError
from experiments.console import message_console
from experiments.sweeps.sweep_config import SweepConfig
from experiments.sweeps.sweep_folder import finished_trials, open_folder
from experiments.sweeps.sweep_progress import SweepProgress
from experiments.sweeps.sweep_result import SweepResult
from experiments.sweeps.trial_list import Reads, list_trials
from experiments.sweeps.trial_process import TrialEnd, TrialFunction, Work, address_of
from experiments.sweeps.trials import Trial

TERMINATED = 128 + signal.SIGTERM
"""Exit code of a sweep that SIGTERM ended, as a shell reports it."""


class Engine(Protocol):
    """Runs trials: `experiments.sweeps.local_engine.run_locally`, or `experiments.sweeps.ray_engine.run_on_ray`, its
    other arguments bound."""

    def __call__(
        self, work: Work, trials: Sequence[Trial], *, on_start: Callable[[Trial], None]
    ) -> Generator[TrialEnd, None, None]:
        """Yield each trial when it is finished or has failed for good; closing the generator ends what is running."""
        ...


def sweep(
    config: SweepConfig,
    *,
    name: str,
    engine: Engine,
    train: TrialFunction,
    resolve: Callable[[Trial], Mapping[str, Any]],
    data_of: Callable[[Sequence[Trial]], Mapping[str, Mapping[str, str]]],
    reads: Reads,
    runs_folder: str | Path = "runs",
    console: Console | None = None,
) -> SweepResult:
    """Run the trials that are not finished yet in `<runs_folder>/<name>/`, and return how all of them ended.

    Args:
        config: which trials there are.
        name: of the sweep's folder.
        engine: runs them.
        train: what a trial is; on the top level of a module, since other processes look it up there.
        resolve: returns a trial's training, resolved, or raises `ConfigurationError`.
        data_of: returns by name of the trial the digests of what its training depends on, by what they are of.
        reads: whether a training has a place for a key.
        runs_folder: where the sweep's folder is made.
        console: for progress; default: standard error.

    Raises:
        ConfigurationError: a trial's training or scenario makes no sense, or the folder belongs to another sweep.
        SystemExit: SIGTERM came; what was running has been ended.
    """
    if name in ("", ".", "..") or Path(name).name != name:
        raise ConfigurationError(f"--name {name}: must be the name of a folder, without a path")
    trials = list_trials(config, reads)
    folder = Path(runs_folder).resolve() / name
    resolved = {trial.name: _resolved(resolve, trial) for trial in trials}
    with open_folder(folder, resolved, data_of(trials)):
        ends = {trial: TrialEnd(trial, outcome) for trial, outcome in finished_trials(folder, trials).items()}
        console = console or message_console()
        progress = SweepProgress(trials, list(ends.values()), console)
        left = [trial for trial in trials if trial not in ends]
        running = engine(Work(address_of(train), folder), left, on_start=progress.start)
        try:
            with _ended_by_sigterm(), progress.shown(), closing(running):
                for end in running:
                    ends[end.trial] = end
                    progress.end(end)
        except (KeyboardInterrupt, SystemExit):
            console.print(
                f"Stopped, {len(ends)} of {len(trials)} trials ended; the same command goes on", highlight=False
            )
            raise
    return SweepResult(name, tuple(ends[trial] for trial in trials))


def _resolved(resolve: Callable[[Trial], Mapping[str, Any]], trial: Trial) -> Mapping[str, Any]:
    try:
        return resolve(trial)
    except ConfigurationError as error:
        raise ConfigurationError(f"trial {trial.name}: {error}") from None


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block as an exception does, so that it cleans up; only the main thread may decide that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
