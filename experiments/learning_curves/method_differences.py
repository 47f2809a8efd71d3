"""Two methods against each other: paired differences on common test episodes, and the probability of improvement.

Room: `experiments.learning_curves`. Touches numpy.

Two sources of chance meet in a training that was tested: its seed, and the episodes of its test. Intervals here draw
both again as far as the runs have both.

* Runs under several test seeds, as where each training has its own: what is drawn again are the test seeds, with the
  runs and episodes that belong to them (the cluster bootstrap; Davison and Hinkley 1997, Bootstrap Methods and their
  Application, section 3.8).
* Runs under one common test seed: runs of each method and episodes cross, and both are drawn again at once, each by
  itself (the pigeonhole bootstrap; Owen 2007, Annals of Applied Statistics 1(2), which is on the safe side where there
  are many of each).
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.run_files import LEARNED_ROW
from experiments.intervals import CONFIDENCE, RESAMPLES, Interval
from experiments.learning_curves.groups import Group
from experiments.learning_curves.trained_run import TrainedRun

_BLOCK = 1_000  # resamples at a time, so that the weights of all episodes fit into memory
_PAIRS = 2_000_000  # pairs of runs at a time, of all resamples, for the same reason


class PairedDifference(NamedTuple):
    """What one method costs more than another on the same test episodes.

    Attributes:
        scenario: its name; None: the mean over several.
        method, against: the two methods.
        test_seeds: those under which runs of both were tested.
        n_runs: of `method` and of `against` that took part, both together.
        difference_usd: a day, method - against; NaN over several scenarios, whose amounts are no sizes to compare.
        difference_frac: the same as a fraction of what `against` costs on these episodes.
    """

    scenario: str | None
    method: str
    against: str
    test_seeds: tuple[int, ...]
    n_runs: int
    difference_usd: Interval
    difference_frac: Interval


class Improvement(NamedTuple):
    """The probability that a run of one method costs less than a run of another.

    Attributes:
        method, against: the two methods.
        scenarios: in which both were trained.
        probability: P(X < Y), with its interval.
    """

    method: str
    against: str
    scenarios: tuple[str, ...]
    probability: Interval


class _Draws(NamedTuple):
    """Mean costs of two methods on common episodes: as measured, and drawn again, (resamples,) each; None where nothing
    can be drawn again."""

    usd: tuple[float, float]
    drawn_usd: tuple[NDArray[np.float64], NDArray[np.float64]] | None


def paired_differences(pairs: Sequence[tuple[Group, Group]]) -> list[PairedDifference]:
    """Return the paired differences of each pair of groups of one scenario that has common test episodes, and, of two
    or more scenarios, the mean of the fractions over them, in which each scenario counts once.

    Args:
        pairs: the same two methods in each scenario.
    """
    found, draws = [], []
    generator = np.random.default_rng(0)
    for group, against in pairs:
        test_seeds = common_test_seeds(group, against)
        if not test_seeds:
            continue
        drawn = _draw(group, against, test_seeds, generator)
        draws.append(drawn)
        n_runs = sum(run.test_seed in test_seeds for run in (*group.runs, *against.runs))
        found.append(
            PairedDifference(
                group.scenario,
                group.method,
                against.method,
                test_seeds,
                n_runs,
                _interval(drawn, np.subtract),
                _interval(drawn, _fraction_more),
            )
        )
    if len(found) > 1:
        found.append(_over_scenarios(found, draws))
    return found


def common_test_seeds(group: Group, against: Group) -> tuple[int, ...]:
    """Return the test seeds under which runs of both groups were tested."""
    return tuple(sorted({run.test_seed for run in group.runs} & {run.test_seed for run in against.runs}))


def probability_of_improvement(pairs: Sequence[tuple[Group, Group]], *, seed: int = 0) -> Improvement:
    """Return the probability that a run of the first method costs less in the test than one of the second (Agarwal et
    al. 2021, NeurIPS 34, section 4.3).

    In each scenario it is the share of pairs of runs of which the first costs less, ties counted half: the statistic
    U of Mann and Whitney (1947, Annals of Mathematical Statistics 18(1)) over the number of pairs. The scenarios' mean
    is taken. The interval is a percentile one, runs drawn again within each method and scenario; NaN where a
    method has one run alone in a scenario, which drawn again is always the same.

    Args:
        pairs: the same two methods in each scenario, one pair at least.
        seed: of the draws.
    """
    costs = [(_costs_usd(group), _costs_usd(against)) for group, against in pairs]
    probability = float(np.mean([_share_less(*pair) for pair in costs]))
    scenarios = tuple(group.scenario for group, _ in pairs)
    method, against = (group.method for group in pairs[0])
    if any(len(own) == 1 for pair in costs for own in pair):
        return Improvement(method, against, scenarios, Interval(probability, math.nan, math.nan))
    generator = np.random.default_rng(seed)
    shares = np.mean([_draw_shares(*pair, generator) for pair in costs], axis=0)
    return Improvement(method, against, scenarios, Interval(probability, *_ends(shares)))


def _costs_usd(group: Group) -> NDArray[np.float64]:
    return np.array([run.cost_usd for run in group.runs])


def _draw_shares(
    costs: NDArray[np.float64], others: NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return `_share_less` with the runs of each method drawn again by themselves, (resamples,)."""
    block = max(1, _PAIRS // (len(costs) * len(others)))
    shares = []
    for start in range(0, RESAMPLES, block):
        n = min(block, RESAMPLES - start)
        drawn = [own[generator.integers(len(own), size=(n, len(own)))] for own in (costs, others)]
        shares.append(_share_less(*drawn))
    return np.concatenate(shares)


def _share_less(costs: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of pairs of the last axis in which `costs` are less than `others`, ties counted half."""
    ours, theirs = costs[..., :, np.newaxis], others[..., np.newaxis, :]
    return ((ours < theirs) + 0.5 * (ours == theirs)).mean(axis=(-2, -1))


def _over_scenarios(found: Sequence[PairedDifference], draws: Sequence[_Draws]) -> PairedDifference:
    """Return the mean over scenarios of the fraction, its interval by drawing within each scenario by itself."""
    mean = float(np.mean([one.difference_frac.mean for one in found]))
    ends = (math.nan, math.nan)
    drawn = [one.drawn_usd for one in draws if one.drawn_usd is not None]
    if len(drawn) == len(draws):
        ends = _ends(np.mean([_fraction_more(*pair) for pair in drawn], axis=0))
    return PairedDifference(
        None,
        found[0].method,
        found[0].against,
        tuple(sorted({seed for one in found for seed in one.test_seeds})),
        sum(one.n_runs for one in found),
        Interval(math.nan, math.nan, math.nan),
        Interval(mean, *ends),
    )


def _fraction_more(usd: ArrayLike, other_usd: ArrayLike) -> NDArray[np.float64]:
    """Return what `usd` is more than `other_usd`, as a fraction of it; NaN where that is 0."""
    base_usd = np.asarray(other_usd, np.float64)
    return np.asarray(usd, np.float64) / np.where(base_usd > 0.0, base_usd, math.nan) - 1.0


def _interval(draws: _Draws, compare: Callable[[ArrayLike, ArrayLike], NDArray[np.float64]]) -> Interval:
    """Return what `compare` makes of both methods' mean costs, as measured, with its percentile interval."""
    ends = (math.nan, math.nan) if draws.drawn_usd is None else _ends(compare(*draws.drawn_usd))
    return Interval(float(compare(*draws.usd)), *ends)


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, [(1.0 - CONFIDENCE) / 2.0, (1.0 + CONFIDENCE) / 2.0])
    return float(low), float(high)


def _draw(group: Group, against: Group, test_seeds: Sequence[int], generator: np.random.Generator) -> _Draws:
    """Return mean costs of both methods on the episodes of common test seeds; each test seed counts once."""
    tables = [_common_episodes(group, against, seed) for seed in test_seeds]
    means = np.array([[own.mean() for own in pair] for pair in tables])  # (test seeds, 2)
    usd = (float(means[:, 0].mean()), float(means[:, 1].mean()))
    if len(tables) > 1:
        drawn = means[generator.integers(len(means), size=(RESAMPLES, len(means)))].mean(axis=1)
        return _Draws(usd, (drawn[:, 0], drawn[:, 1]))
    ((ours, theirs),) = tables
    # Episodes that replay the same recorded day are no independent ones, and the table of a test does not name the day.
    if group.runs[0].has_recorded_days or ours.shape[1] == 1:
        return _Draws(usd, None)
    return _Draws(usd, _draw_crossed(ours, theirs, generator))


def _common_episodes(group: Group, against: Group, test_seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each run of both groups under a test seed costs in the episodes that all have played, (runs,
    episodes) each: episodes are numbered, so those of a shorter test are the first ones of a longer."""
    runs = [[run for run in own.runs if run.test_seed == test_seed] for own in (group, against)]
    n_episodes = min(len(_episodes(run)) for own in runs for run in own)
    ours, theirs = (np.array([_episodes(run)[:n_episodes] for run in own]) for own in runs)
    return ours, theirs


def _episodes(run: TrainedRun) -> NDArray[np.float64]:
    return run.episodes_usd[LEARNED_ROW]


def _draw_crossed(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means with runs and episodes drawn again, each by itself, the same episodes for both."""
    drawn: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for _ in range(RESAMPLES // _BLOCK):
        episodes = _shares(ours.shape[1], generator)
        pair = [((_shares(len(own), generator) @ own) * episodes).sum(axis=1) for own in (ours, theirs)]
        drawn.append((pair[0], pair[1]))
    return np.concatenate([pair[0] for pair in drawn]), np.concatenate([pair[1] for pair in drawn])


def _shares(n: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return how often each of `n` is drawn in n draws, as a share, (block, n)."""
    return generator.multinomial(n, np.full(n, 1.0 / n), _BLOCK) / n
