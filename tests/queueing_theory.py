"""Exact answers of queueing theory, to hold simulations against.

Room: `tests`; touches numpy and scipy only, nothing of the simulator. Any unit of time will do, as long as rates and
durations share it.

Two kinds of answers: formulas, and Markov chains whose states are found from a start by a function that lists the
transitions. A chain with endless queues is cut off where the caller's function stops adding customers; the caller
chooses a cut beyond which next to nothing happens.

Sources:

* Erlang (1917): formulas B and C; e.g. Gross, Shortle, Thompson and Harris, *Fundamentals of Queueing Theory*, 4th
  edition 2008, sections 2.3 (M/M/n), 2.5 (M/M/n/n), 2.10 (M/M/n+M by birth and death), 5.1 (Pollaczek-Khinchine).
* Cobham (1954), Priority assignment in waiting line problems, J. ORSA 2(1); Kella and Yechiali (1985),
  Waiting times in the non-preemptive priority M/M/c queue, Stochastic Models 1(2).
* Conway, Maxwell and Miller, *Theory of Scheduling*, 1967, section 8-6: preemptive-resume M/G/1.
* Zeltyn and Mandelbaum (2005), Call centers with impatient customers: many-server asymptotics of the M/M/n+G queue,
  Queueing Systems 51, section 4; originally Baccelli and Hebuterne (1981).
"""

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad, solve_ivp
from scipy.sparse import csc_matrix, csr_matrix
from scipy.sparse.linalg import splu

Transitions = Callable[[Any], Iterable[tuple[Any, float]]]
"""Of a state: the states that may follow, each with its rate. Rates of 0 are allowed and lead nowhere."""
Weight = Callable[[Any], float]
"""What a state counts for in a mean; a condition (True or False) makes the mean a probability."""


class Chain(NamedTuple):
    """A finite continuous-time Markov chain: its states in the order found, and its generator (rows sum to 0)."""

    states: tuple[Any, ...]
    generator: csr_matrix

    def values(self, weight: Weight) -> NDArray[np.float64]:
        """Return `weight` of every state, float64 (states,)."""
        return np.array([float(weight(state)) for state in self.states])


def build_chain(starts: Iterable[Hashable], transitions: Transitions) -> Chain:
    """Return the chain of all states that can be reached from `starts`, which come first."""
    states = list(dict.fromkeys(starts))
    place = {state: i for i, state in enumerate(states)}
    rows: list[int] = []
    columns: list[int] = []
    rates: list[float] = []
    i = 0
    while i < len(states):
        for state, rate in transitions(states[i]):
            if rate <= 0.0 or state == states[i]:
                continue
            if state not in place:
                place[state] = len(states)
                states.append(state)
            rows += [i, i]
            columns += [place[state], i]
            rates += [rate, -rate]
        i += 1
    return Chain(tuple(states), csr_matrix((rates, (rows, columns)), shape=(len(states), len(states))))


class Stationary(NamedTuple):
    """A chain in its stationary state."""

    chain: Chain
    probability: NDArray[np.float64]

    def mean(self, weight: Weight) -> float:
        """Return the long-run mean of `weight`; of a rate of events, how many there are per unit of time."""
        return float(self.probability @ self.chain.values(weight))


def solve_stationary(start: Hashable, transitions: Transitions) -> Stationary:
    """Return the stationary state of the chain reached from `start`, a state that the chain comes back to.

    Balance equations of all states but `start`, relative to its probability: the matrix is a nonsingular M-matrix, so
    that elimination loses hardly any digits.
    """
    chain = build_chain([start], transitions)
    balance = csc_matrix(chain.generator.T)
    others = splu(csc_matrix(balance[1:, 1:])).solve(-balance[1:, 0].toarray().ravel())
    relative = np.concatenate([[1.0], others])
    return Stationary(chain, relative / relative.sum())


def solve_transient(
    chain_at: Callable[[float], csr_matrix],
    probability: NDArray[np.float64],
    start: float,
    end: float,
    rewards_at: Callable[[float], NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the state probabilities at `end`, and the integrals of the mean rewards from `start` to `end`.

    Kolmogorov's forward equations, dp/dt = p Q(t). `chain_at` is the generator Q(t) at a time; `rewards_at` the rate of
    every reward in every state, (rewards, states).
    """
    n_states = len(probability)
    n_rewards = len(rewards_at(start))

    def derivative(time: float, y: NDArray[np.float64]) -> NDArray[np.float64]:
        p = y[:n_states]
        return np.concatenate([chain_at(time).T @ p, rewards_at(time) @ p])

    y = np.concatenate([probability, np.zeros(n_rewards)])
    solution = solve_ivp(derivative, (start, end), y, method="DOP853", rtol=1e-9, atol=1e-12, t_eval=[end])
    return solution.y[:n_states, -1], solution.y[n_states:, -1]


def erlang_b(load: float, reps: int) -> float:
    """Return the blocking probability of M/G/n/n, `load` in erlangs, by the recursion in the number of reps."""
    blocked = 1.0
    for n in range(1, reps + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c(load: float, reps: int) -> float:
    """Return the probability of waiting in M/M/n, `load` < `reps` in erlangs."""
    blocked = erlang_b(load, reps)
    return reps * blocked / (reps - load * (1.0 - blocked))


class Waits(NamedTuple):
    """Waits in M/M/n, first come first served: with `prob` there is one, exponential with `rate`."""

    prob: float
    rate: float

    @property
    def mean(self) -> float:
        """Mean wait of all."""
        return self.prob / self.rate

    @property
    def variance(self) -> float:
        """Variance of the wait of all."""
        return 2.0 * self.prob / self.rate**2 - self.mean**2

    def longer_than(self, time: float) -> float:
        """Return the probability of a wait beyond `time` >= 0."""
        return self.prob * math.exp(-self.rate * time)

    def quantile(self, prob: float) -> float:
        """Return the least time that a wait does not exceed with `prob`."""
        return max(0.0, math.log(self.prob / (1.0 - prob)) / self.rate)


def waits_without_patience(arrival_rate: float, service_rate: float, reps: int) -> Waits:
    """Return the waits in M/M/n (Erlang C)."""
    return Waits(erlang_c(arrival_rate / service_rate, reps), reps * service_rate - arrival_rate)


class ImpatientWaits:
    """Waits in M/M/n+G by the density of the virtual wait V, the wait of a caller of endless patience.

    With patience longer than x with probability S(x), H(x) its integral from 0 to x, and
    E = 1 / B(load, n - 1), the density at x > 0 is a exp(a H(x) - n m x) / (E + a J), J the integral of the exponential
    over all x > 0, a and m the rates of arrival and service (Zeltyn and Mandelbaum 2005, section 4). A caller waits
    min(V, patience), which is H(x) on average where V = x.

    Args:
        survival: S.
        mean_within: H.
        breaks: where S jumps.
        longest: beyond this time nobody waits, but for a probability of no account.
    """

    def __init__(
        self,
        arrival_rate: float,
        service_rate: float,
        reps: int,
        survival: Callable[[float], float],
        mean_within: Callable[[float], float],
        longest: float,
        breaks: Sequence[float] = (),
    ) -> None:
        self._survival = survival
        self._mean_within = mean_within
        self._ends = [0.0, *breaks, longest]
        self._density = lambda x: math.exp(arrival_rate * mean_within(x) - reps * service_rate * x)
        free = 1.0 / erlang_b(arrival_rate / service_rate, reps - 1)
        self._scale = arrival_rate / (free + arrival_rate * self._integral(lambda x: 1.0))

    def _integral(self, weight: Callable[[float], float], end: float = math.inf) -> float:
        total = 0.0
        for low, high in zip(self._ends, self._ends[1:], strict=False):
            if low < end:
                value = quad(
                    lambda x: weight(x) * self._density(x), low, min(high, end), epsabs=1e-13, epsrel=1e-12, limit=400
                )
                total += value[0]
        return total

    @property
    def wait_prob(self) -> float:
        """Share of the callers who wait at all."""
        return self._scale * self._integral(lambda x: 1.0)

    @property
    def abandoned_frac(self) -> float:
        """Share of the callers who hang up."""
        return self._scale * self._integral(lambda x: 1.0 - self._survival(x))

    @property
    def mean_wait(self) -> float:
        """Mean wait of all."""
        return self._scale * self._integral(self._mean_within)

    @property
    def mean_wait_served(self) -> float:
        """Mean wait of those who are served."""
        return self._scale * self._integral(lambda x: x * self._survival(x)) / (1.0 - self.abandoned_frac)

    @property
    def mean_wait_abandoned(self) -> float:
        """Mean wait of those who hang up."""
        served = self._scale * self._integral(lambda x: x * self._survival(x))
        return (self.mean_wait - served) / self.abandoned_frac

    def served_within(self, time: float) -> float:
        """Return the share of all callers who are served after a wait of at most `time`."""
        return 1.0 - self.wait_prob + self._scale * self._integral(self._survival, time)


def waits_with_exponential_patience(
    arrival_rate: float, service_rate: float, reps: int, abandonment_rate: float, longest: float
) -> ImpatientWaits:
    """Return the waits in M/M/n+M (Erlang A)."""
    return ImpatientWaits(
        arrival_rate,
        service_rate,
        reps,
        survival=lambda x: math.exp(-abandonment_rate * x),
        mean_within=lambda x: (1.0 - math.exp(-abandonment_rate * x)) / abandonment_rate,
        longest=longest,
    )


def waits_with_fixed_patience(
    arrival_rate: float, service_rate: float, reps: int, patience: float, longest: float
) -> ImpatientWaits:
    """Return the waits in M/M/n+D: everybody hangs up after exactly `patience`."""
    return ImpatientWaits(
        arrival_rate,
        service_rate,
        reps,
        survival=lambda x: 1.0 if x < patience else 0.0,
        mean_within=lambda x: min(x, patience),
        longest=longest,
        breaks=(patience,),
    )


def mean_wait_of_one_rep(arrival_rate: float, mean_work: float, second_moment: float) -> float:
    """Return the mean wait in M/G/1 (Pollaczek and Khinchine), `second_moment` that of the work."""
    return arrival_rate * second_moment / (2.0 * (1.0 - arrival_rate * mean_work))


def mean_waits_by_priority(arrival_rates: Sequence[float], service_rate: float, reps: int) -> list[float]:
    """Return the mean wait of each class of M/M/n with non-preemptive priorities, the most urgent first (Cobham):
    W_k = C / (n m) / ((1 - s_(k-1)) (1 - s_k)), s_k the utilisation by classes up to k."""
    capacity = reps * service_rate
    wait_prob = erlang_c(sum(arrival_rates) / service_rate, reps)
    used = np.concatenate([[0.0], np.cumsum(arrival_rates) / capacity])
    return [wait_prob / capacity / ((1.0 - used[k]) * (1.0 - used[k + 1])) for k in range(len(arrival_rates))]


def mean_sojourns_by_interruption(
    arrival_rates: Sequence[float], mean_works: Sequence[float], second_moments: Sequence[float]
) -> list[float]:
    """Return the mean time in the system of each class of M/G/1 with preemptive-resume priorities, the most urgent
    first: b_k / (1 - s_(k-1)) + sum_(j<=k) a_j E[S_j^2] / (2 (1 - s_(k-1)) (1 - s_k)) (Conway, Maxwell and Miller)."""
    used = np.concatenate([[0.0], np.cumsum(np.multiply(arrival_rates, mean_works))])
    residual = np.cumsum(np.multiply(arrival_rates, second_moments)) / 2.0
    return [
        float(mean_works[k] / (1.0 - used[k]) + residual[k] / ((1.0 - used[k]) * (1.0 - used[k + 1])))
        for k in range(len(arrival_rates))
    ]
