"""A fingerprint of many decisions: equal only if all that was seen, done and earned is equal, bit for bit.

Room: `experiments.validation`. Touches the rows of the center and a baseline.
"""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from agents.episodes import advance_rows
from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.scenario.scenario import Scenario, load_scenario

SCENARIO = "bank"
POLICY = "expected_loss"
N_DECISIONS = 1_000_000
BATCH = 64


class Trace(NamedTuple):
    """The fingerprint of the first episodes that together have the decisions asked for."""

    scenario: str
    policy: str
    seed: int
    episodes: int
    decisions: int
    sha256: str


def trace_decisions(
    scenario: str | Scenario = SCENARIO,
    policy: str = POLICY,
    *,
    decisions: int = N_DECISIONS,
    seed: int = 0,
    threads: int = 1,
    batch: int = BATCH,
    progress: Callable[[int], None] | None = None,
) -> Trace:
    """Play episodes 0, 1, ... of demand seed `seed` until they have `decisions` in all, and return their fingerprint.

    Of every decision enter the observation, the mask, the action, the reward, the time that passed and the time
    reached; of every episode its counters. `batch` episodes run side by side, on `threads` threads of numba; the
    fingerprint depends on neither. `progress` is told how many decisions were made since it was told last.
    """
    loaded = load_scenario(scenario)
    rows = CenterRows(loaded, batch, threads)
    rule = RulePolicy(policy, loaded)
    total = hashlib.sha256()
    first = n_decisions = n_episodes = 0
    while True:
        rows.start(rows.all_rows, np.full(batch, seed), np.arange(first, first + batch))
        for count, digest in _play(rows, rule, progress):
            total.update(digest)
            n_decisions += count
            n_episodes += 1
            if n_decisions >= decisions:
                return Trace(loaded.name, policy, seed, n_episodes, n_decisions, total.hexdigest())
        first += batch


def _play(rows: CenterRows, rule: RulePolicy, progress: Callable[[int], None] | None) -> list[tuple[int, bytes]]:
    """Return of each episode, played to the end, the number of its decisions and their digest."""
    hashes = [hashlib.sha256() for _ in range(rows.n_rows)]
    counts = np.zeros(rows.n_rows, np.int64)

    def before_step(running: Any, actions: Any) -> None:
        for row in running.tolist():
            for values in (rows.center, rows.candidates, rows.mask, actions):
                hashes[row].update(values[row].tobytes())

    def after_step(running: Any) -> None:
        results = rows.results[running]
        for row, result in zip(running.tolist(), results, strict=True):
            hashes[row].update(result.tobytes())
        counts[running] += 1
        if progress is not None:
            progress(len(running))

    advance_rows(rows, rule, rows.all_rows[~rows.done], on_choice=before_step, on_step=after_step)
    for row in range(rows.n_rows):
        for values in rows.counts(row).values():
            hashes[row].update(np.ascontiguousarray(values).tobytes())
    return [(int(count), found.digest()) for count, found in zip(counts, hashes, strict=True)]
