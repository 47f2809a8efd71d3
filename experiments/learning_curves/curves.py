"""Learning curves over seeds: what a method had reached after so much training, with its spread.

Room: `experiments.learning_curves`. Touches numpy and scipy. Returns plain arrays, to be drawn, tabled, or written
where single runs are written.

Each run was measured at places of its own, and noted nothing where a tag was not defined. Between two places its last
value holds, and after its end its last one.
So a curve begins where every run has a value; from where the shortest run ended it goes on with the last value of that
run, and says so (`Curve.shortest_end`), since leaving the run out there would change who is averaged.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import trim_mean

from agents.run_files import COST_TAG, LEARNED_ROW
from experiments.intervals import CONFIDENCE
from experiments.learning_curves.groups import Group
from experiments.learning_curves.trained_run import Measured, TrainedRun

Axis = Literal["decisions", "seconds"]
AXES: tuple[Axis, ...] = ("decisions", "seconds")
MOST_POINTS = 200
"""Places of a curve; runs that were measured at more are looked at in so many of them, evenly."""
RESAMPLES = 2_000
_BLOCK = 64  # places at a time, so that the resampled means of all fit into memory


class Curve(NamedTuple):
    """What one method reached under one tag, over its seeds.

    Attributes:
        places: decisions, or seconds, of training, (n,), rising.
        mean: interquartile mean over seeds, (n,), in the unit of the tag.
        low: lower end of its 95 % interval, (n,); NaN of one seed alone.
        high: upper end.
        shortest_end: place at which the shortest run ended; beyond it, its last value is carried on.
        n_runs: seeds.
    """

    places: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    shortest_end: float
    n_runs: int

    def at(self, place: float) -> tuple[float, float, float]:
        """Return mean, low and high at a place; NaN before the curve begins."""
        index = int(np.searchsorted(self.places, place, side="right")) - 1
        if index < 0:
            return (np.nan, np.nan, np.nan)
        return (float(self.mean[index]), float(self.low[index]), float(self.high[index]))


def aggregate(groups: Sequence[Group], axis: Axis = "decisions") -> dict[tuple[str, str], dict[str, Curve]]:
    """Return by (scenario, method) and by tag the curves of the trained policy over seeds, in `axis`; tags that every
    run of the group has."""
    found = {}
    for group in groups:
        logs = [run.measured[LEARNED_ROW] for run in group.runs]
        shared = [tag for tag in logs[0] if all(tag in log for log in logs)]
        found[(group.scenario, group.method)] = {tag: curve_over_seeds(group.runs, tag, axis) for tag in shared}
    return found


def curve_over_seeds(runs: Sequence[TrainedRun], tag: str = COST_TAG, axis: Axis = "decisions") -> Curve:
    """Return the curve of one tag of the trained policy over `runs`, each of which has it."""
    measured = [run.measured[LEARNED_ROW][tag] for run in runs]
    ways = [_way(found, axis) for found in measured]
    start = max(way[0] for way in ways)
    places = np.unique(np.concatenate(ways))
    places = places[places >= start]
    if len(places) > MOST_POINTS:
        places = places[np.linspace(0, len(places) - 1, MOST_POINTS).round().astype(np.int64)]
    values = np.array([_carried(found, way, places) for found, way in zip(measured, ways, strict=True)])
    return Curve(places, *_band(values), float(min(way[-1] for way in ways)), len(runs))


def _way(measured: Measured, axis: Axis) -> NDArray[np.float64]:
    return measured.decisions if axis == "decisions" else measured.seconds


def _carried(measured: Measured, way: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the last value measured at or before each place, none of which comes before the first measurement."""
    return measured.values[np.searchsorted(way, places, side="right") - 1]


def _band(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the interquartile mean of each column of `values` (seeds, places), with the ends of its interval by
    drawing seeds again, all places with the same draws: whole runs are drawn, as they are what is independent. At each
    place these are the figures of `experiments.intervals.interquartile_interval` of one stratum."""
    n_runs, n_places = values.shape
    mean = np.asarray(trim_mean(values, 0.25, axis=0))
    low, high = np.full((2, n_places), np.nan)
    if n_runs == 1:
        return mean, low, high
    draws = np.random.default_rng(0).integers(n_runs, size=(RESAMPLES, n_runs))
    tails = ((1.0 - CONFIDENCE) / 2.0, (1.0 + CONFIDENCE) / 2.0)
    for start in range(0, n_places, _BLOCK):
        block = slice(start, start + _BLOCK)
        means = trim_mean(values[draws, block], 0.25, axis=1)
        low[block], high[block] = np.quantile(means, tails, axis=0)
    return mean, low, high
