"""Fitting the adjustments of the rule `expected_loss` by evolution, on common random numbers.

Room: `agents.learning`. Touches the compiled rule, `CenterRows` and the library `cmaes`; no torch.

Which way a handful of meaningful numbers should move is told best by whole episodes: no credit has to be assigned, and
all candidates of a generation meet the same customers. Gradients can refine what is found here, except reserves, which
hold a contact or do not.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import NamedTuple

import numpy as np
from cmaes import CMA
from numpy.typing import NDArray

from agents.action_layout import action_layout
from agents.rules.compiled.adjustments import count_adjustments
from agents.rules.compiled.choice import EXPECTED_LOSS
from agents.rules.compiled.loop import play_rule
from envs.center_rows import CenterRows
from envs.inputs.kept_demand import KeptDemand
from envs.scenario.scenario import Scenario

AVERAGED = 8
"""Means whose average is a policy too: it lies steadier than each where costs are noisy (Polyak and Juditsky 1992, SIAM
Journal on Control and Optimization 30(4))."""


class AdjustedPlay:
    """Episodes of `scenario` with `n_candidates` adjustments side by side, on `threads` threads.

    Threads share the pairs of candidate and episode: the compiled loop does not hold Python's lock, and each thread has
    rows of its own.
    """

    def __init__(self, scenario: Scenario, n_candidates: int, n_episodes: int, threads: int = 1) -> None:
        self._sampler = KeptDemand(scenario)
        self._layout = action_layout(scenario)
        self._shape = (n_candidates, n_episodes)
        n_pairs = n_candidates * n_episodes
        sizes = [len(share) for share in np.array_split(np.arange(n_pairs), min(threads, n_pairs))]
        self._ends = np.cumsum(sizes)[:-1]
        self._shares = [CenterRows(scenario, size, sampler=self._sampler) for size in sizes]

    def costs_usd(
        self, adjustments: NDArray[np.float64], seed: int, episodes: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the total cost, USD, (candidates, episodes) of the rule with each line of `adjustments`."""
        n_candidates, n_episodes = self._shape
        self._sampler.forget()
        for episode in episodes:  # here, so that no two threads draw the same
            self._sampler.sample(seed, int(episode))
        by_row = np.split(np.repeat(np.asarray(adjustments, np.float64), n_episodes, axis=0), self._ends)
        numbers = np.split(np.tile(episodes, n_candidates), self._ends)
        with ThreadPoolExecutor(len(self._shares)) as pool:
            costs = pool.map(self._play, self._shares, by_row, numbers, repeat(seed))
            return np.concatenate(list(costs)).reshape(self._shape)

    def _play(
        self, rows: CenterRows, by_row: NDArray[np.float64], episodes: NDArray[np.int64], seed: int
    ) -> NDArray[np.float64]:
        rows.start(rows.all_rows, np.full(rows.n_rows, seed), episodes)
        play_rule(EXPECTED_LOSS, self._layout, by_row, rows, rows.all_rows, np.full(rows.n_rows, np.inf))
        return rows.states["cost_usd"].sum(axis=1)


class Generation(NamedTuple):
    """One generation of the search.

    Attributes:
        number: of generations so far, 1 and up.
        mean: adjustments at the mean of the search's distribution now, in the order of the rule's settings.
        average: of the means of the last `AVERAGED` generations, as many as there were.
        cost_usd: what an episode cost, the mean over the candidates.
        step_size: of the search now, CMA-ES's sigma, by which its covariance is scaled.
    """

    number: int
    mean: NDArray[np.float64]
    average: NDArray[np.float64]
    cost_usd: float
    step_size: float


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
) -> Iterator[Generation]:
    """Yield the generations of a search by CMA-ES (Hansen 2016, arXiv 1604.00772) from `start`, 0 unless given, with
    standard deviation `sigma`, over the `free` adjustments, all unless given; the others keep their values.

    Each generation plays `episodes` episodes of demand seed `seed` that no generation before it has met.
    """
    first = np.zeros(count_adjustments(len(scenario.channels))) if start is None else start
    places = np.arange(len(first)) if free is None else np.flatnonzero(free)
    search = CMA(first[places], sigma, population_size=population, seed=seed % 2**32)
    play = AdjustedPlay(scenario, population, episodes, threads)

    def whole(values: NDArray[np.float64]) -> NDArray[np.float64]:
        adjustments = np.repeat(first[None], len(values), axis=0)
        adjustments[:, places] = values
        return adjustments

    means: deque[NDArray[np.float64]] = deque(maxlen=AVERAGED)
    for generation in range(generations):
        candidates = np.array([search.ask() for _ in range(population)])
        numbers = np.arange(generation * episodes, (generation + 1) * episodes)
        costs_usd = play.costs_usd(whole(candidates), seed, numbers).mean(axis=1)
        search.tell(list(zip(candidates, costs_usd.tolist(), strict=True)))
        means.append(whole(search.mean[None])[0])
        average = np.mean(means, axis=0)
        yield Generation(generation + 1, means[-1], average, float(costs_usd.mean()), float(search._sigma))
