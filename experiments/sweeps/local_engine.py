"""Trials side by side on this machine.

Room: `experiments.sweeps`. Starts and ends processes (`experiments.sweeps.trial_process`).
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence

from experiments.sweeps.trial_process import TrialEnd, TrialProcess, Work
from experiments.sweeps.trials import Trial

POLL_S = 0.05
"""Seconds between two looks at the processes."""


def run_locally(
    work: Work, trials: Sequence[Trial], *, workers: int, retries: int, on_start: Callable[[Trial], None]
) -> Generator[TrialEnd, None, None]:
    """Run `trials`, at most `workers` at a time, and yield each when it is finished or has failed for good.

    A trial that dies goes on from its last checkpoint, up to `retries` times, before others are begun. Closing the
    generator, or an exception such as Ctrl-C, ends what is running.
    """
    waiting = deque((trial, retries) for trial in trials)
    running: list[tuple[TrialProcess, int]] = []
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                trial, left = waiting.popleft()
                on_start(trial)
                running.append((TrialProcess(work, trial), left))
            ended = [pair for pair in running if pair[0].has_ended()]
            if not ended:
                time.sleep(POLL_S)
            for pair in ended:
                running.remove(pair)
                process, left = pair
                end = process.end()
                if end.outcome is None and left > 0 and not process.is_refused:
                    waiting.appendleft((process.trial, left - 1))
                else:
                    yield end
    finally:
        for process, _ in running:
            process.stop()
