"""Fitting the few adjustments of the rule `expected_loss` by evolution, on common random numbers.

Room: `agents`. Touches the compiled rule, `CenterRows` and the library `cmaes`; no torch.

Which way a handful of meaningful numbers should move is told best by whole episodes: no credit has to be assigned, and
all candidates of a generation meet the same customers. Gradients then refine what is found here.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from cmaes import CMA
from numpy.typing import NDArray

from agents.action_layout import action_layout
from agents.rules import ADJUSTMENTS, choose_adjusted_rows
from envs.center_rows import CenterRows
from envs.scenario import Scenario


def play_adjusted(
    scenario: Scenario, adjustments: NDArray[np.float64], seed: int, episodes: NDArray[np.int64], threads: int = 1
) -> NDArray[np.float64]:
    """Return the total cost, USD, (candidates, episodes) of the rule with each line of `adjustments`.

    `threads` share the candidates: compiled code does not hold Python's lock, and each thread has rows of its own.
    """
    shares = np.array_split(np.asarray(adjustments, np.float64), min(threads, len(adjustments)))
    with ThreadPoolExecutor(len(shares)) as pool:
        return np.concatenate(list(pool.map(lambda share: _play_share(scenario, share, seed, episodes), shares)))


def _play_share(
    scenario: Scenario, adjustments: NDArray[np.float64], seed: int, episodes: NDArray[np.int64]
) -> NDArray[np.float64]:
    n_candidates, n_episodes = len(adjustments), len(episodes)
    rows = CenterRows(scenario, n_candidates * n_episodes)
    rows.start(rows.all_rows, np.full(rows.n_rows, seed), np.tile(episodes, n_candidates))
    by_row = np.repeat(adjustments, n_episodes, axis=0)
    layout = action_layout(scenario)
    actions = np.zeros(rows.n_rows, np.int64)
    running = rows.all_rows[~rows.done]
    while len(running):
        choose_adjusted_rows(layout, running, rows.center, rows.candidates, rows.mask, by_row, actions)
        rows.step(running, actions)
        running = running[rows.states["done"][running] == 0]
    return rows.states["cost_usd"].sum(axis=1).reshape(n_candidates, n_episodes)


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
    for generation in range(generations):
        candidates = np.array([search.ask() for _ in range(population)])
        numbers = np.arange(generation * episodes, (generation + 1) * episodes)
        costs_usd = play_adjusted(scenario, candidates, seed, numbers, threads).mean(axis=1)
        search.tell(list(zip(candidates, costs_usd.tolist(), strict=True)))
        if progress is not None:
            progress(1)
    return search.mean.copy()
