"""Fitting the adjustments of the rule `expected_loss` by evolution, on common random numbers.

Room: `agents.learning`. Touches the compiled rule, `CenterRows` and the library `cmaes`; no torch of its own.

Which way a handful of meaningful numbers should move is told best by whole episodes: no credit has to be assigned, and
all candidates of a generation meet the same customers. Gradients can refine what is found here, except reserves, which
hold a contact or do not.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from cmaes import CMA
from numpy.typing import NDArray

from agents.action_layout import action_layout
from agents.learning.finite import require_finite
from agents.rules.compiled.adjustments import count_adjustments
from agents.rules.compiled.choice import EXPECTED_LOSS
from agents.rules.compiled.loop import play_rule
from envs.center_rows import CenterRows
from envs.inputs.kept_demand import KeptDemand
from envs.scenario.scenario import Scenario

AVERAGED = 8
"""The average of so many last means is a policy too, and so is that of the last half of all: steadier than each
mean where costs are noisy (Polyak and Juditsky 1992, SIAM Journal on Control and Optimization 30(4))."""


class AdjustedPlay:
    """Episodes of `scenario` with many adjustments, on `threads` threads.

    `center_of` returns the center of an episode, given its demand seed and number, where each has another: one with
    the channels of `scenario`.

    Threads share the pairs of candidate and episode: the compiled loop does not hold Python's lock, and each thread has
    a row of its own, which it starts again and again, so that its state stays in the processor's cache.

    `decisions` counts those that were made so far, but for those of warm-ups.
    """

    def __init__(
        self, scenario: Scenario, threads: int = 1, center_of: Callable[[int, int], Scenario] | None = None
    ) -> None:
        self._layout = action_layout(scenario)
        self._center_of = center_of
        self._threads = threads
        self.decisions = 0
        self._sampler = KeptDemand(scenario)
        n_rows = threads if center_of is None else 0
        self._free = [CenterRows(scenario, 1, sampler=self._sampler) for _ in range(n_rows)]

    def costs_usd(
        self, adjustments: NDArray[np.float64], seed: int, episodes: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the total cost, USD, (candidates, episodes) of the rule with each line of `adjustments`; raises
        `NotFiniteError` if one is no number."""
        parts = np.array_split(np.asarray(adjustments, np.float64), min(self._threads, len(adjustments)))
        self._sampler.forget()
        with ThreadPoolExecutor(self._threads) as pool:
            tasks = []
            for episode in map(int, episodes):
                center = None if self._center_of is None else self._center_of(seed, episode)
                sampler = self._sampler if center is None else KeptDemand(center)
                sampler.sample(seed, episode)  # here, so that no two threads draw the same
                tasks.append([pool.submit(self._play, part, center, sampler, seed, episode) for part in parts])
            played = [[task.result() for task in of_episode] for of_episode in tasks]
        self.decisions += sum(decisions for of_episode in played for _, decisions in of_episode)
        found = np.stack([np.concatenate([costs_usd for costs_usd, _ in of_episode]) for of_episode in played], axis=1)
        require_finite("cost_usd", found)
        return found

    def _play(
        self,
        adjustments: NDArray[np.float64],
        center: Scenario | None,
        sampler: KeptDemand,
        seed: int,
        episode: int,
    ) -> tuple[NDArray[np.float64], int]:
        """Return the cost of one episode with each of `adjustments`, in a `center` of its own or the scenario's, and
        how many decisions they made together."""
        rows = self._free.pop() if center is None else CenterRows(center, 1, sampler=sampler)
        costs_usd, decisions = np.empty(len(adjustments)), 0
        rows.start(rows.all_rows, np.array([seed]), np.array([episode]))
        for candidate, adjustment in enumerate(adjustments):
            if candidate:
                rows.restart(rows.all_rows)
            play_rule(EXPECTED_LOSS, self._layout, adjustment[None], rows, rows.all_rows, np.array([np.inf]))
            costs_usd[candidate] = rows.states["cost_usd"].sum()
            decisions += int(rows.states[0]["center_count"]["decisions"])
        if center is None:
            self._free.append(rows)
        return costs_usd, decisions


class Generation(NamedTuple):
    """One generation of the search.

    Attributes:
        number: of generations so far, 1 and up.
        mean: adjustments at the mean of the search's distribution now, in the order of the rule's settings.
        averages: of the means of the last `AVERAGED` generations, as many as there were, and of the last half of all.
        cost_usd: what an episode cost, the mean over the candidates of those that all have played.
        episodes: played, of all candidates together.
        decisions: made in these.
        step_size: of the search now, CMA-ES's sigma, by which its covariance is scaled.
        ranks: of its candidates, 0 the cheapest: all that the search learns of them.
    """

    number: int
    mean: NDArray[np.float64]
    averages: tuple[NDArray[np.float64], NDArray[np.float64]]
    cost_usd: float
    episodes: int
    decisions: int
    step_size: float
    ranks: NDArray[np.int64]


def search_adjustments(
    scenario: Scenario,
    seed: int,
    *,
    start: NDArray[np.float64] | None = None,
    free: NDArray[np.bool_] | None = None,
    generations: int,
    population: int,
    episodes: int,
    sigma: float,
    threads: int = 1,
    center_of: Callable[[int, int], Scenario] | None = None,
    told: Sequence[NDArray[np.int64]] = (),
) -> Iterator[Generation]:
    """Yield the generations of a search by CMA-ES (Hansen 2016, arXiv 1604.00772) from `start`, 0 unless given, with
    standard deviation `sigma`, over the `free` adjustments, all unless given; the others keep their values.

    Each generation plays `episodes` episodes of demand seed `seed` that no generation before it has met, in the centers
    that `center_of` gives (`AdjustedPlay`); the dearer half of the candidates only the first half of them.

    A search that goes on is `told` the ranks of each generation that it has played, and yields those that come after:
    nothing but `seed` and ranks is in what it does next.
    """
    first = np.zeros(count_adjustments(len(scenario.channels))) if start is None else start
    places = np.flatnonzero(np.ones(count_adjustments(len(scenario.channels))) if free is None else free)
    search = CMA(first[places], sigma, population_size=population, seed=seed % 2**32)
    play = AdjustedPlay(scenario, threads, center_of)

    def whole(values: NDArray[np.float64]) -> NDArray[np.float64]:
        adjustments = np.repeat(first[None], len(values), axis=0)
        adjustments[:, places] = values
        return adjustments

    means: list[NDArray[np.float64]] = []
    for generation in range(generations):
        candidates = np.array([search.ask() for _ in range(population)])
        is_new = generation >= len(told)
        numbers, decisions = np.arange(generation * episodes, (generation + 1) * episodes), play.decisions
        if is_new:
            ranks, cost_usd, played = _race(
                lambda some, few: play.costs_usd(some, seed, few), whole(candidates), numbers
            )
        else:
            ranks = told[generation]
        search.tell(list(zip(candidates, ranks.tolist(), strict=True)))
        means.append(whole(search.mean[None])[0])
        if not is_new:
            continue
        averages = (np.mean(means[-AVERAGED:], axis=0), np.mean(means[len(means) // 2 :], axis=0))
        decisions = play.decisions - decisions
        step_size = float(search._sigma)
        yield Generation(generation + 1, means[-1], averages, cost_usd, played, decisions, step_size, ranks)


def _race(
    play: Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.float64]],
    candidates: NDArray[np.float64],
    episodes: NDArray[np.int64],
) -> tuple[NDArray[np.int64], float, int]:
    """Return the rank of each candidate, 0 the cheapest, the mean cost of what all have played, USD, and how many
    episodes were played.

    All play the first half of the episodes, the rest only the cheaper half of the candidates: of these the search makes
    its next mean, so their order matters, and the others come behind them as they stand.
    """
    n_first = len(episodes) - len(episodes) // 2
    costs_usd = play(candidates, episodes[:n_first])
    order = np.argsort(costs_usd.mean(axis=1), kind="stable")
    left, out = np.sort(order[: len(order) // 2]), order[len(order) // 2 :]
    n_played = len(order) * n_first + len(left) * (len(episodes) - n_first)
    if n_first < len(episodes):
        further = np.concatenate([costs_usd[left], play(candidates[left], episodes[n_first:])], axis=1)
        left = left[np.argsort(further.mean(axis=1), kind="stable")]
        order = np.concatenate([left, out])
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return ranks, float(costs_usd.mean()), n_played
