"""Rollouts: what each open action of a visited decision costs, when the rule routes from there on.

Room: `agents.learning`. Touches the compiled rule and `CenterRows`; no torch.

All actions of a decision meet the same future, so that their costs differ by what they do, not by luck. That future is
the episode's own: who looks at one decision alone is clairvoyant, who averages over decisions that look alike is not,
since each has another future. To draw another for a decision (`CenterRows.restore` with a fresh seed) takes 5 to 8 ms,
a rollout 0.7 to 3 (docs/suite.md), so a further decision is had for less than a further future.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.scenario.scenario import Scenario

_MET, _BRANCH = np.array([0]), np.array([1])
"""Rows: the episode as the rule plays it, and a rollout from it."""


class Choices(NamedTuple):
    """n visited decisions, and m open actions of them, those of a decision one after the other.

    Attributes:
        center: observations (n, center fields), float32.
        episode: of each decision (n,).
        candidates: the row of each open action (m, candidate fields), float32.
        decision: of each open action (m,), ascending.
        action: its index in the action table (m,).
        is_rules: whether the rule takes it (m,).
        cost_usd: of the rollout after it (m,), within the horizon of rollouts.
        noise_usd: of that cost (`envs.simulator.money.control_variate`), of mean 0 over whole episodes (m,).
    """

    center: NDArray[np.float32]
    episode: NDArray[np.int64]
    candidates: NDArray[np.float32]
    decision: NDArray[np.int64]
    action: NDArray[np.int64]
    is_rules: NDArray[np.bool_]
    cost_usd: NDArray[np.float64]
    noise_usd: NDArray[np.float64]

    def saved_usd(self) -> NDArray[np.float64]:
        """Return what each open action saves against the rule's own (m,), less what of it was noise.

        Noise is taken off with the weight that leaves the least variance (Glasserman 2003, Monte Carlo Methods in
        Financial Engineering, section 4.1.1): paired rollouts share much of their luck already. Within a rollout its
        mean is only about 0, since it is booked as a wait ends, and some waits end later.
        """
        own = np.flatnonzero(self.is_rules)[self.decision]
        saved_usd = self.cost_usd[own] - self.cost_usd
        noise_usd = self.noise_usd[own] - self.noise_usd
        variance = float(noise_usd @ noise_usd)
        weight = float(saved_usd @ noise_usd) / variance if variance > 0.0 else 0.0
        result: NDArray[np.float64] = saved_usd - weight * noise_usd
        return result


def join(parts: list[Choices]) -> Choices:
    """Return the decisions of all `parts`, at least one, in their order."""
    n_before = np.cumsum([0, *(len(part.center) for part in parts[:-1])])
    moved = [part._replace(decision=part.decision + n) for part, n in zip(parts, n_before, strict=True)]
    return Choices(*(np.concatenate(columns) for columns in zip(*moved, strict=True)))


class Rollouts:
    """Rollouts of the rule `expected_loss` with `settings` in `scenario`.

    Args:
        horizon_s: seconds of a rollout; its costs are those until the first decision after them, or the end. What is
            put off beyond them costs nothing, so they should outlast the promises that are at stake.
        share_frac: of the decisions of an episode from which rollouts start.
        exploration_frac: of the decisions in which the episode goes on with any open action instead of the rule's, so
            that decisions are met to which the rule does not lead.
    """

    def __init__(
        self,
        scenario: Scenario,
        settings: NDArray[np.float64],
        *,
        horizon_s: float,
        share_frac: float,
        exploration_frac: float,
    ) -> None:
        self._scenario = scenario
        self._rule = RulePolicy("expected_loss", scenario, settings, needs=())
        self._horizon_s, self._share_frac, self._exploration_frac = horizon_s, share_frac, exploration_frac
        self._free: list[CenterRows] = []

    def play(
        self, seed: int, first_episode: int, n_episodes: int, *, threads: int = 1, end_s: float = np.inf
    ) -> Iterator[Choices]:
        """Yield the choices of episodes `first_episode` and on of demand seed `seed`, in order, until there are
        `n_episodes`, or none is begun any more since `time.monotonic()` is past `end_s`.

        What is found in an episode depends on nothing else; `threads` play one each.
        """
        with ThreadPoolExecutor(threads) as pool:
            episodes = islice(count(first_episode), n_episodes)
            tasks = [pool.submit(self.play_episode, seed, episode) for episode in islice(episodes, threads)]
            while tasks:
                yield tasks.pop(0).result()
                if time.monotonic() < end_s:
                    tasks += [pool.submit(self.play_episode, seed, episode) for episode in islice(episodes, 1)]

    def play_episode(self, seed: int, episode: int) -> Choices:
        """Return the choices of one episode."""
        try:
            rows = self._free.pop()
        except IndexError:  # all are in use by other threads, or none was made yet
            rows = CenterRows(self._scenario, 2)
        generator = np.random.default_rng((seed, episode))
        rows.start(_MET, np.array([seed]), np.array([episode]))
        actions = np.zeros(2, np.int64)
        met: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], int]] = []
        costs_usd: list[tuple[float, float]] = []
        while not rows.done[0]:
            self._rule.choose_into(_MET, rows.observation(), actions)
            is_met, is_explored = generator.random(2) < (self._share_frac, self._exploration_frac)
            is_open = np.flatnonzero(rows.mask[0])
            if is_met and len(is_open) > 1:
                met.append((rows.center[0].copy(), rows.candidates[0, is_open], is_open, int(actions[0])))
                costs_usd += [self._roll_out(rows, action) for action in is_open.tolist()]
            if is_explored:
                actions[0] = generator.choice(is_open)
            rows.step(_MET, actions)
        self._free.append(rows)
        return _choices(rows, episode, met, costs_usd)

    def _roll_out(self, rows: CenterRows, action: int) -> tuple[float, float]:
        """Return cost and noise, USD, after `action` in the present decision of the episode. What the end of a warm-up
        forgets costs nothing."""
        rows.copy(0, 1)
        state = rows.states[1]
        cost_usd, noise_usd, is_warm = float(state["cost_usd"].sum()), float(state["noise_usd"]), bool(state["warm"])
        until_s = rows.time_s + self._horizon_s
        rows.step(_BRANCH, np.array([0, action]))
        self._rule.play_until(rows, _BRANCH, until_s)
        state = rows.states[1]  # anew: rows may have grown
        if bool(state["warm"]) != is_warm:
            cost_usd = 0.0
        return float(state["cost_usd"].sum()) - cost_usd, float(state["noise_usd"]) - noise_usd


def _choices(
    rows: CenterRows,
    episode: int,
    met: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], int]],
    costs_usd: list[tuple[float, float]],
) -> Choices:
    """Return what was found in an episode: of each decision `met` center, open candidates, their actions and the rule's
    own; of each open action, in this order, cost and noise."""
    n_open = [len(is_open) for _, _, is_open, _ in met]
    action = np.concatenate([np.zeros(0, np.int64), *(is_open for _, _, is_open, _ in met)])
    both_usd = np.array(costs_usd).reshape(-1, 2)
    return Choices(
        center=np.array([center for center, _, _, _ in met], np.float32).reshape(-1, rows.center.shape[1]),
        episode=np.full(len(met), episode),
        candidates=np.concatenate([rows.candidates[0, :0], *(candidates for _, candidates, _, _ in met)]),
        decision=np.repeat(np.arange(len(met)), n_open),
        action=action,
        is_rules=action == np.repeat([own for _, _, _, own in met], n_open),
        cost_usd=both_usd[:, 0],
        noise_usd=both_usd[:, 1],
    )
