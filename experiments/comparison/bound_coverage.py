"""How much of the way from FIFO to a lower bound each policy goes.

Room: `experiments.comparison`. Touches outcomes, bounds and rich.

On the very same episodes, covered = (FIFO − policy) / (FIFO − bound), sums over sums: FIFO has 0, and none reaches
more than 1.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from rich.table import Table

from envs.errors import ConfigurationError
from experiments.bounds.bound import BoundResult, episode_bounds
from experiments.comparison.outcomes import Outcome
from experiments.intervals import (
    Interval,
    episodes_by_day,
    least_units,
    mean_interval,
    pseudo_values,
    reason_against_interval,
)
from experiments.texts import percent_interval_text, usd_text

FIRST_COME = "fifo"


@dataclass(frozen=True)
class Coverage:
    """The bound of one scenario, and what the policies reach of it on the same episodes, the first ones of the test.

    Attributes:
        bound: the bound.
        total_cost_usd: what each policy costs on these episodes, USD/day.
        covered_frac: the share of the way from FIFO to the bound; empty if FIFO takes no part.
    """

    bound: BoundResult
    total_cost_usd: dict[str, Interval]
    covered_frac: dict[str, Interval]


def check_bound(n_bounded: int, episodes: int) -> None:
    """Refuse a bound on more episodes than are played."""
    if not 0 <= n_bounded <= episodes:
        raise ConfigurationError(f"bound = {n_bounded}: must be >= 0 and <= episodes = {episodes}")


def compute_coverage(
    outcomes: Mapping[str, Outcome], demand_seed: int, n_bounded: int, progress: Progress | None = None
) -> Coverage:
    """Return what each policy covers in the first `n_bounded` episodes under `demand_seed`, which all have played."""
    scenario = next(iter(outcomes.values())).scenario
    task = None if progress is None else progress.add_task(f"{scenario.name}: bound", total=n_bounded)

    def advance(finished: int) -> None:
        if progress is not None and task is not None:
            progress.advance(task, finished)

    bound = episode_bounds(scenario, demand_seed, range(n_bounded), progress=advance)
    costs_usd = {
        name: np.array([metrics["total_cost_usd"] for metrics in outcome.episode_metrics[:n_bounded]])
        for name, outcome in outcomes.items()
    }
    covered = {}
    if FIRST_COME in costs_usd:
        first_usd = costs_usd[FIRST_COME]
        for name, usd in costs_usd.items():
            covered[name] = ratio_interval(first_usd - usd, first_usd - bound.usd_per_day, bound.days)
    return Coverage(bound, {name: mean_interval(usd, days=bound.days) for name, usd in costs_usd.items()}, covered)


def ratio_interval(
    numerators: NDArray[np.float64], denominators: NDArray[np.float64], days: NDArray[np.int64] | None = None
) -> Interval:
    """Return the sum of `numerators` over that of `denominators`, one of each an episode, with its 95 % interval; NaN
    where the denominator is not positive. `days` are the recorded days of the episodes, if they have them."""
    total, base = float(numerators.sum()), float(denominators.sum())
    if base <= 0.0:
        return Interval(math.nan, math.nan, math.nan)
    units = episodes_by_day(len(numerators), days)
    if len(units) < least_units(days):
        return Interval(total / base, math.nan, math.nan)
    parts, bases = (np.array([values[unit].sum() for unit in units]) for values in (numerators, denominators))
    with np.errstate(divide="ignore", invalid="ignore"):
        without = (total - parts) / (base - bases)
    values = pseudo_values(np.array([total / base]), without[:, np.newaxis])
    return mean_interval(values[:, 0])


def coverage_table(scenario_name: str, coverage: Coverage) -> Table:
    """Return one row per policy, the least cost first, and the bound as the last one."""
    bound = coverage.bound
    reason = reason_against_interval(len(bound.episodes), bound.days)
    table = Table(
        title=f"{scenario_name}: the way from FIFO to the bound, first {len(bound.episodes)} test episodes",
        caption=f"Bound {bound.kind}: docs/bound.md." + (f" Warning: {reason}." if reason else ""),
    )
    table.add_column("policy", no_wrap=True)
    table.add_column("total cost, USD/day", justify="right")
    if coverage.covered_frac:
        table.add_column("covered", justify="right")
    for name, interval in sorted(coverage.total_cost_usd.items(), key=lambda entry: entry[1].mean):
        cells = [percent_interval_text(coverage.covered_frac[name])] if coverage.covered_frac else []
        table.add_row(name, usd_text(interval), *cells)
    table.add_row("bound", usd_text(bound.total_cost_usd))
    return table
