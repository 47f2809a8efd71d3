"""The long-run average cost of a chain: of the best policy, and of a given one.

Room: `experiments.optimum`. Plain linear algebra on a `Chain`.

A policy makes of the chain a continuous-time Markov chain over its states. With the rates q(s, e) of its events,
what each costs and the state it leads to, and c(s) the cost by the second, the average cost g and the relative values h
solve

    c(s) - g + sum over events e of q(s, e) (cost(e) + h(to(e)) - h(s)) = 0  for all states s,   h(reference) = 0

(Puterman 1994, Markov Decision Processes, section 11.4, the evaluation equations of the average reward criterion for
continuous-time models). Policy iteration takes in every decision the action with the least cost + h(to), until none
is better; it ends with the optimum, since policies are finite in number and the chain is unichain. Relative value
iteration of the uniformized chain (the same book, sections 8.5.5 and 11.5.3) is independent of it and gives bounds.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.linalg import splu

from envs.errors import ConfigurationError
from experiments.optimum.markov_chain import Chain

MAX_SWEEPS = 200_000


@dataclass(frozen=True)
class Evaluation:
    """Average cost of a policy, USD a second, the relative value of every state, USD, and the number of lasting states
    that the policy reaches from the empty center."""

    cost_usd_per_s: float
    values_usd: NDArray[np.float64]
    n_lasting_states: int


@dataclass(frozen=True)
class Optimum:
    """The least average cost, USD a second; the action of each of the chain's decisions; how it was found, and between
    which bounds value iteration has it."""

    cost_usd_per_s: float
    actions: NDArray[np.int64]
    n_improvements: int
    low_usd_per_s: float
    high_usd_per_s: float
    n_sweeps: int


def evaluate_actions(chain: Chain, edges: NDArray[np.int64], *, everywhere: bool = False) -> Evaluation:
    """Return what a policy costs that takes the way `edges[i]` (an index of `chain.actions`) in decision i.

    Values of states that the policy does not reach from the empty center are NaN, unless they are wanted `everywhere`.
    Raises `ConfigurationError` if the average depends on where the chain starts.
    """
    found = make_policy_chain(chain, edges, everywhere=everywhere)
    solution = _solve(found.start, found.stop, found.rate_per_s, found.cost_usd_per_s)
    values = np.full(len(chain.is_decision), np.nan)
    values[found.lasting] = solution
    values[found.lasting[0]] = 0.0
    return Evaluation(float(solution[0]), found.passing_usd + values[found.following], len(found.lasting))


class PolicyChain(NamedTuple):
    """The continuous-time chain that a policy makes of the lasting states it reaches, the empty center first.

    `lasting` are their numbers in the `Chain`; between the places `start` and `stop` in it events lead at `rate_per_s`;
    `cost_usd_per_s` of each is what it costs by the second, with what its events and the decisions after them cost.
    `following` and `passing_usd` say of every state of the `Chain` to which lasting state its decisions lead at once,
    and what that costs.
    """

    lasting: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    rate_per_s: NDArray[np.float64]
    cost_usd_per_s: NDArray[np.float64]
    following: NDArray[np.int64]
    passing_usd: NDArray[np.float64]


def make_policy_chain(chain: Chain, edges: NDArray[np.int64], *, everywhere: bool = False) -> PolicyChain:
    """Return the chain under a policy that takes the way `edges[i]` (an index of `chain.actions`) in decision i, over
    the lasting states that it reaches from the empty center, or all of them if wanted `everywhere`."""
    n_states = len(chain.is_decision)
    following = np.arange(n_states)
    passing_usd = np.zeros(n_states)
    following[chain.decisions] = chain.actions.end[edges]
    passing_usd[chain.decisions] = chain.actions.cost_usd[edges]
    while True:  # every decision leads to a lasting state within as many steps as there are questions in an instant
        further = following[following]
        if (further == following).all():
            break
        passing_usd = passing_usd + passing_usd[following]
        following = further
    end = following[chain.events.end]
    reached = ~chain.is_decision if everywhere else _reached(n_states, chain.events.start, end)
    lasting = np.flatnonzero(reached)
    row = np.full(n_states, -1)
    row[lasting] = np.arange(len(lasting))
    kept = reached[chain.events.start]
    start, stop, rate = row[chain.events.start[kept]], row[end[kept]], chain.events.weight[kept]
    cost_usd = chain.events.cost_usd[kept] + passing_usd[chain.events.end[kept]]
    cost_rate = chain.cost_usd_per_s[lasting] + np.bincount(start, rate * cost_usd, len(lasting))
    return PolicyChain(lasting, start, stop, rate, cost_rate, following, passing_usd)


def _solve(
    start: NDArray[np.int64], stop: NDArray[np.int64], rate: NDArray[np.float64], cost_rate: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the relative values of the states, that of the first left out; in its place stands the average cost."""
    size = len(cost_rate)
    everyone = np.arange(size)
    rows = np.concatenate([start, everyone])
    columns = np.concatenate([stop, everyone])
    entries = np.concatenate([rate, -np.bincount(start, rate, size)])
    free = columns != 0
    rows, columns, entries = rows[free], columns[free], entries[free]
    matrix = coo_matrix(
        (
            np.concatenate([entries, np.full(size, -1.0)]),
            (np.concatenate([rows, everyone]), np.concatenate([columns, np.zeros(size, np.int64)])),
        ),
        (size, size),
    )
    try:
        solution: NDArray[np.float64] = splu(matrix.tocsc()).solve(-cost_rate)
    except RuntimeError:  # singular
        solution = np.full(size, np.nan)
    if not np.isfinite(solution).all():
        raise ConfigurationError(
            "the average cost of the policy depends on where the chain starts: it is not one number"
        )
    return solution


def _reached(n_states: int, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which lasting states can be reached from state 0."""
    ways = csr_matrix((np.ones(len(start), np.int8), (start, end)), (n_states, n_states))
    reached = np.zeros(n_states, bool)
    frontier = np.zeros(1, np.int64)
    while len(frontier):
        reached[frontier] = True
        found = np.unique(ways[frontier].indices).astype(np.int64)
        frontier = found[~reached[found]]
    return reached


class _Decisions:
    """The decisions of a chain, those that only lead to lasting states first, then those before them."""

    def __init__(self, chain: Chain) -> None:
        self._actions = chain.actions
        self._first_edge = np.searchsorted(chain.actions.start, chain.decisions)
        depth = np.zeros(len(chain.is_decision), np.int64)
        while True:
            deepest = np.zeros_like(depth)
            np.maximum.at(deepest, chain.actions.start, depth[chain.actions.end] + 1)
            if (deepest == depth).all():
                break
            depth = deepest
        self._levels = []
        for level in range(1, int(depth.max(initial=0)) + 1):
            members = np.flatnonzero(depth[chain.decisions] == level)
            first, last = self._first_edge[members], np.append(self._first_edge, len(chain.actions.start))[members + 1]
            edges = np.concatenate([np.arange(low, high) for low, high in zip(first, last, strict=True)])
            self._levels.append((chain.decisions[members], edges, np.append(0, np.cumsum(last - first)[:-1])))

    def fill(self, values: NDArray[np.float64]) -> None:
        """Write the least cost to go of every decision, given that of the lasting states."""
        for decisions, edges, starts in self._levels:
            ahead = self._actions.cost_usd[edges] + values[self._actions.end[edges]]
            values[decisions] = np.minimum.reduceat(ahead, starts)

    def improve(self, values: NDArray[np.float64], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the best edge of every decision; where the present one is as good, it stays."""
        ahead = self._actions.cost_usd + values[self._actions.end]
        scale = max(float(np.abs(values).max()), 1.0)
        better = chosen.copy()
        for i, (low, high) in enumerate(
            zip(self._first_edge, np.append(self._first_edge[1:], len(ahead)), strict=True)
        ):
            best = low + int(np.argmin(ahead[low:high]))
            if ahead[best] < ahead[chosen[i]] - 1e-11 * scale:
                better[i] = best
        return better


def find_optimum(chain: Chain, *, precision: float = 1e-9) -> Optimum:
    """Return the optimum by policy iteration, checked by relative value iteration to a relative `precision`.

    Raises `RuntimeError` if the two disagree: then one of them is wrong.
    """
    decisions = _Decisions(chain)
    edges = np.searchsorted(chain.actions.start, chain.decisions, side="right").astype(np.int64) - 1  # not `wait`
    n_improvements = 0
    while True:
        found = evaluate_actions(chain, edges, everywhere=True)
        values = found.values_usd.copy()
        decisions.fill(values)
        better = decisions.improve(values, edges)
        if (better == edges).all():
            break
        edges = better
        n_improvements += 1
    low, high, n_sweeps = _iterate_values(chain, decisions, precision)
    slack = 1e-7 * max(abs(high), 1e-12)
    if not low - slack <= found.cost_usd_per_s <= high + slack:
        raise RuntimeError(
            f"policy iteration finds {found.cost_usd_per_s}, value iteration {low} to {high} USD a second"
        )
    actions = chain.actions.weight[edges].astype(np.int64)
    return Optimum(found.cost_usd_per_s, actions, n_improvements, low, high, n_sweeps)


def _iterate_values(chain: Chain, decisions: _Decisions, precision: float) -> tuple[float, float, int]:
    """Return bounds of the least average cost, USD a second, and the number of sweeps that it took."""
    n_states = len(chain.is_decision)
    events = chain.events
    lasting = np.flatnonzero(~chain.is_decision)
    outflow = np.bincount(events.start, events.weight, n_states)
    speed = 1.05 * float(outflow.max())  # above the largest, so that the uniformized chain is aperiodic
    cost = chain.cost_usd_per_s + np.bincount(events.start, events.weight * events.cost_usd, n_states)
    flow = csr_matrix((events.weight / speed, (events.start, events.end)), (n_states, n_states))
    values = np.zeros(n_states)
    low, high = -np.inf, np.inf
    for sweep in range(1, MAX_SWEEPS + 1):
        decisions.fill(values)
        following = (cost / speed + flow @ values + (1.0 - outflow / speed) * values)[lasting]
        change = (following - values[lasting]) * speed
        low, high = max(low, float(change.min())), min(high, float(change.max()))
        if high - low <= precision * max(abs(high), 1e-12):
            return low, high, sweep
        values[lasting] = following - following[0]
    return low, high, MAX_SWEEPS
