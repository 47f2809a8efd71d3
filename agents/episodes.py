"""Playing whole episodes: one policy, many episodes side by side, everything compiled but a learned policy's network.

Room: `agents`. Touches `CenterRows` and a policy.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.baselines import Baseline
from agents.policy import Policy
from envs.center_rows import CenterRows, Observation
from envs.metrics import Counts
from envs.scenario import Scenario


class BatchRecorder(Protocol):
    """Follows episodes that are played side by side, one in each row of a `CenterRows`."""

    def before_step(self, running: NDArray[np.int64], actions: NDArray[np.int64]) -> None:
        """Be told the chosen `actions`, one per row, of the rows `running`, whose observations are still there."""

    def after_step(self, running: NDArray[np.int64]) -> None:
        """Be told that the rows `running` were stepped."""

    def finish(self) -> None:
        """Be told that all rows have reached their horizon."""


class EpisodeRecorder(Protocol):
    """Records episodes as they are played; batches may be played on several threads at once."""

    def follow(self, rows: CenterRows, episodes: NDArray[np.int64]) -> BatchRecorder:
        """Return what follows `episodes`, which have just started in `rows`."""
        ...


def advance_rows(
    rows: CenterRows,
    policy: Policy,
    running: NDArray[np.int64],
    *,
    deterministic: bool | NDArray[np.bool_] = True,
    until_s: NDArray[np.float64] | None = None,
    on_choice: Callable[[NDArray[np.int64], NDArray[np.int64]], None] | None = None,
    on_step: Callable[[NDArray[np.int64]], None] | None = None,
) -> None:
    """Let `policy` route the environments `running` until each reaches its horizon, or its first decision at or after
    `until_s[row]` seconds. `on_choice` is called with the rows about to be stepped and the actions of all rows,
    `on_step` with the rows just stepped. `deterministic` may be one flag per row, for policies whose `predict` takes
    one per observation."""
    actions = np.zeros(rows.n_rows, np.int64)
    limit_s = np.full(rows.n_rows, np.inf) if until_s is None else until_s
    running = running[rows.time_s[running] < limit_s[running]]
    while len(running):
        if isinstance(policy, Baseline):
            policy.choose_into(running, rows.observation(), actions)
        else:
            mode = deterministic if isinstance(deterministic, bool) else deterministic[running]
            actions[running] = policy.predict(_take(rows.observation(), running, rows.n_rows), mode)  # type: ignore[arg-type]
        if on_choice is not None:
            on_choice(running, actions)
        rows.step(running, actions)
        if on_step is not None:
            on_step(running)
        is_running = ~rows.done[running] & (rows.time_s[running] < limit_s[running])
        if not is_running.all():
            running = running[is_running]


def _take(observations: Observation, rows: NDArray[np.int64], n_rows: int) -> Observation:
    if len(rows) == n_rows:
        return observations
    return {key: buffer[rows] for key, buffer in observations.items()}


def play_episodes(
    scenario: Scenario,
    policy: Policy,
    seed: int,
    episodes: NDArray[np.int64],
    *,
    deterministic: bool = True,
    threads: int = 1,
    batch: int = 64,
    progress: Callable[[int], None] | None = None,
    recorder: EpisodeRecorder | None = None,
) -> list[Counts]:
    """Return the counters of each of `episodes` under `seed`, played to the horizon by `policy`.

    At most `batch` episodes run side by side, those of a baseline on `threads` threads; the result depends on neither,
    nor on whether a `recorder` follows. `progress` is told the number of episodes just finished.
    """
    episodes = np.asarray(episodes, np.int64)
    n_shares = threads if isinstance(policy, Baseline) else 1  # compiled rules do not hold Python's lock
    size = max(1, min(batch, -(-len(episodes) // n_shares)))
    chunks = [episodes[start : start + size] for start in range(0, len(episodes), size)]

    def play_chunk(chunk: NDArray[np.int64]) -> list[Counts]:
        rows = CenterRows(scenario, len(chunk), record=recorder is not None)
        rows.start(rows.all_rows, np.full(len(chunk), seed), chunk)
        record = None if recorder is None else recorder.follow(rows, chunk)
        advance_rows(
            rows,
            policy,
            rows.all_rows[~rows.done],
            deterministic=deterministic,
            on_choice=None if record is None else record.before_step,
            on_step=None if record is None else record.after_step,
        )
        if record is not None:
            record.finish()
        if progress is not None:
            progress(len(chunk))
        return [rows.counts(row) for row in range(len(chunk))]

    with ThreadPoolExecutor(n_shares) as pool:
        return [count for counts in pool.map(play_chunk, chunks) for count in counts]
