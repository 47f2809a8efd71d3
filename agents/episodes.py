"""Playing whole episodes: one policy, many episodes side by side, everything compiled where the policy is a rule or a
network that the compiled loop knows.

Room: `agents`. Touches `CenterRows`, demand and policies.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.checked_policy import CheckedPolicy
from agents.exploration.softened_policy import SoftenedPolicy
from agents.policy import Policy
from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows, Observation
from envs.counts import Counts
from envs.inputs.kept_demand import KeptDemand
from envs.scenario.scenario import Scenario


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


def compiled_form(policy: Policy, deterministic: bool = True) -> RulePolicy | None:
    """Return the policy as the compiled loop plays it: a rule itself, and of an exported policy its `loop`, where it
    acts greedily; else None. A class with a `predict` of its own has no other form."""
    inner = policy.policy if isinstance(policy, CheckedPolicy) else policy
    if isinstance(inner, RulePolicy):
        return inner
    has_both = {"loop", "predict"} <= vars(type(inner)).keys()
    form = inner.loop if has_both and deterministic else None  # type: ignore[attr-defined]
    return form if isinstance(form, RulePolicy) else None


def shown_observation(policy: Policy, scenario: Scenario) -> str:
    """Return which observation of `scenario` the policy is shown, `full` or `markov`: a rule that needs what a
    Markovian center's observation lacks, softened or not, the full one."""
    inner = policy.policy if isinstance(policy, CheckedPolicy) else policy
    needs_more = isinstance(inner, RulePolicy | SoftenedPolicy) and bool(inner.hidden_fields)
    return "full" if needs_more else scenario.observation


def advance_rows(
    rows: CenterRows,
    policy: Policy,
    running: NDArray[np.int64],
    *,
    deterministic: bool = True,
    until_s: NDArray[np.float64] | None = None,
    on_choice: Callable[[NDArray[np.int64], NDArray[np.int64]], None] | None = None,
    on_step: Callable[[NDArray[np.int64]], None] | None = None,
) -> None:
    """Let `policy` route the environments `running` until each reaches its horizon, or its first decision at or after
    `until_s[row]` seconds. `on_choice` is called with the rows about to be stepped and the actions of all rows,
    `on_step` with the rows just stepped."""
    actions = np.zeros(rows.n_rows, np.int64)
    limit_s = np.full(rows.n_rows, np.inf) if until_s is None else until_s
    if on_step is None and on_choice is None and (form := compiled_form(policy, deterministic)) is not None:
        form.play_until(rows, running, limit_s)
        return
    running = running[rows.time_s[running] < limit_s[running]]
    while len(running):
        if isinstance(policy, RulePolicy):
            policy.choose_into(running, rows.observation(), actions)
        else:
            actions[running] = policy.predict(_take(rows.observation(), running, rows.n_rows), deterministic)
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


class Episodes:
    """Episodes of one scenario under one demand seed that several policies play one after the other.

    Their demand is drawn once, and rows are used again. At most `batch` episodes run side by side, those of a policy
    that is compiled (`compiled_form`) on `threads` threads; no result depends on either, or on what was played before.
    """

    def __init__(self, scenario: Scenario, seed: int, *, threads: int = 1, batch: int = 64) -> None:
        self.scenario = scenario
        self.seed = seed
        self.threads = threads
        self._batch = batch
        self._sampler = KeptDemand(scenario)
        self._free_rows: list[CenterRows] = []

    def play(
        self,
        policy: Policy,
        episodes: NDArray[np.int64],
        *,
        deterministic: bool = True,
        progress: Callable[[int], None] | None = None,
        recorder: EpisodeRecorder | None = None,
    ) -> list[Counts]:
        """Return the counters of each of `episodes`, played to the horizon by `policy`, whether a `recorder` follows or
        not.

        `progress` is told the number of episodes just finished. A rule that needs what a Markovian center's observation
        lacks is shown the full observation; nothing else in the episodes changes. A policy that is no compiled rule and
        not guarded yet is guarded (`agents.checked_policy`) by the name of its class; masked actions of it are `wait`.
        """
        if not isinstance(policy, RulePolicy | CheckedPolicy):
            policy = CheckedPolicy(type(policy).__name__, policy, None)
        if shown_observation(policy, self.scenario) != self.scenario.observation:
            return self._in_full.play(
                policy, episodes, deterministic=deterministic, progress=progress, recorder=recorder
            )
        form = compiled_form(policy, deterministic)
        player = policy if form is None else form
        n_shares = 1 if form is None else self.threads  # only the compiled loop does without Python's lock
        size = max(1, min(self._batch, -(-len(episodes) // n_shares)))
        chunks = [episodes[start : start + size] for start in range(0, len(episodes), size)]

        def play_chunk(chunk: NDArray[np.int64]) -> list[Counts]:
            if recorder is not None:
                counts = self._play_recorded(player, chunk, deterministic, recorder)
                if progress is not None:
                    progress(len(chunk))
                return counts
            rows = self._take_rows(size)
            used = rows.all_rows[: len(chunk)]
            rows.start(used, np.full(len(chunk), self.seed), chunk)
            advance_rows(rows, player, used[~rows.done[used]], deterministic=deterministic)
            counts = [rows.counts(row) for row in used.tolist()]
            self._free_rows.append(rows)
            if progress is not None:
                progress(len(chunk))
            return counts

        with ThreadPoolExecutor(n_shares) as pool:
            return [count for counts in pool.map(play_chunk, chunks) for count in counts]

    @cached_property
    def _in_full(self) -> "Episodes":
        shown = self.scenario.model_copy(update={"observation": "full"})
        return Episodes(shown, self.seed, threads=self.threads, batch=self._batch)

    def _play_recorded(
        self, policy: Policy, episodes: NDArray[np.int64], deterministic: bool, recorder: EpisodeRecorder
    ) -> list[Counts]:
        rows = CenterRows(self.scenario, len(episodes), sampler=self._sampler, journal=True)
        rows.start(rows.all_rows, np.full(len(episodes), self.seed), episodes)
        record = recorder.follow(rows, episodes)
        advance_rows(
            rows,
            policy,
            rows.all_rows[~rows.done],
            deterministic=deterministic,
            on_choice=record.before_step,
            on_step=record.after_step,
        )
        record.finish()
        return [rows.counts(row) for row in range(len(episodes))]

    def _take_rows(self, n_rows: int) -> CenterRows:
        """Return `n_rows` rows that no other thread uses; rows of another number are forgotten."""
        try:
            rows = self._free_rows.pop()
        except IndexError:  # all are in use, or none was made yet
            return CenterRows(self.scenario, n_rows, sampler=self._sampler)
        return rows if rows.n_rows == n_rows else self._take_rows(n_rows)


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
    """Return the counters of each of `episodes` under `seed`, played by one `policy`: see `Episodes`."""
    shared = Episodes(scenario, seed, threads=threads, batch=batch)
    return shared.play(
        policy, np.asarray(episodes, np.int64), deterministic=deterministic, progress=progress, recorder=recorder
    )
