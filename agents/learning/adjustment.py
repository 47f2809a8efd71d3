"""Fitting the few adjustments of the rule `expected_loss` by evolution, on common random numbers.

Room: `agents.learning`. Touches the compiled rule, `CenterRows` and the library `cmaes`; no torch.

Which way a handful of meaningful numbers should move is told best by whole episodes: no credit has to be assigned, and
all candidates of a generation meet the same customers. Gradients then refine what is found here.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from cmaes import CMA
from numpy.typing import NDArray

from agents.action_layout import action_layout
from agents.rules.compiled.choice import EXPECTED_LOSS
from agents.rules.compiled.expected_loss import ADJUSTMENTS
from agents.rules.compiled.loop import play_rule
from envs.center_rows import CenterRows
from envs.inputs.kept_demand import KeptDemand
from envs.scenario.scenario import Scenario


class AdjustedPlay:
    """Episodes of `scenario` with up to `n_candidates` adjustments side by side, on `threads` threads.

    Threads share the candidates: the compiled loop does not hold Python's lock, and each thread has rows of its own.
    """

    def __init__(self, scenario: Scenario, n_candidates: int, n_episodes: int, threads: int = 1) -> None:
        self._sampler = KeptDemand(scenario)
        self._layout = action_layout(scenario)
        self._n_episodes = n_episodes
        sizes = [len(share) for share in np.array_split(np.arange(n_candidates), min(threads, n_candidates))]
        self._ends = np.cumsum(sizes)
        self._shares = [CenterRows(scenario, size * n_episodes, sampler=self._sampler) for size in sizes]

    def costs_usd(
        self, adjustments: NDArray[np.float64], seed: int, episodes: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the total cost, USD, (candidates, episodes) of the rule with each line of `adjustments`."""
        self._sampler.forget()
        for episode in episodes:  # here, so that no two threads draw the same
            self._sampler.sample(seed, int(episode))
        parts = np.split(np.asarray(adjustments, np.float64), self._ends[:-1])
        with ThreadPoolExecutor(len(parts)) as pool:
            costs = pool.map(lambda rows, part: self._play(rows, part, seed, episodes), self._shares, parts)
            return np.concatenate(list(costs))

    def _play(
        self, rows: CenterRows, adjustments: NDArray[np.float64], seed: int, episodes: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        rows.start(rows.all_rows, np.full(rows.n_rows, seed), np.tile(episodes, len(adjustments)))
        by_row = np.repeat(adjustments, self._n_episodes, axis=0)
        play_rule(EXPECTED_LOSS, self._layout, by_row, rows, rows.all_rows, np.full(rows.n_rows, np.inf))
        return rows.states["cost_usd"].sum(axis=1).reshape(len(adjustments), self._n_episodes)


def fit_adjustment(
    scenario: Scenario,
    seed: int,
    *,
    generations: int,
    population: int,
    episodes: int,
    sigma: float,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.float64]:
    """Return the adjustments (len(`ADJUSTMENTS`),) at the mean of the last generation of CMA-ES (Hansen 2016, arXiv
    1604.00772), from 0 with standard deviation `sigma`.

    Each generation plays `episodes` episodes of demand seed `seed` that no generation before it has met. `progress` is
    told the number of generations just finished.
    """
    search = CMA(np.zeros(len(ADJUSTMENTS)), sigma, population_size=population, seed=seed % 2**32)
    play = AdjustedPlay(scenario, population, episodes, threads)
    for generation in range(generations):
        candidates = np.array([search.ask() for _ in range(population)])
        numbers = np.arange(generation * episodes, (generation + 1) * episodes)
        costs_usd = play.costs_usd(candidates, seed, numbers).mean(axis=1)
        search.tell(list(zip(candidates, costs_usd.tolist(), strict=True)))
        if progress is not None:
            progress(1)
    return search.mean.copy()
