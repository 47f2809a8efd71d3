"""What trained policies cost in their tests, over seeds, and against the other rows of the same tests.

Room: `experiments.learning_curves`. Touches runs that were read.

Figures over seeds are interquartile means with intervals by the stratified bootstrap (Agarwal et al. 2021, NeurIPS 34,
sections 4.1 and 4.3; `experiments.intervals.interquartile_interval`): seeds are drawn again, within each scenario by
themselves.
"""

from collections.abc import Sequence
from typing import NamedTuple

from agents.run_files import LEARNED_ROW
from experiments.intervals import Interval, interquartile_interval
from experiments.learning_curves.groups import Group
from experiments.learning_curves.trained_run import TrainedRun


class FinalCost(NamedTuple):
    """What a method, or a baseline beside it, costs in the tests of one scenario.

    Attributes:
        name: of the method, or of the row.
        is_method: whether it was trained.
        n_seeds: trainings; of a baseline the different tests that it took part in.
        cost_usd: a day, interquartile mean over these.
        best_usd: of the seed that costs least.
        worst_usd: of the seed that costs most.
    """

    name: str
    is_method: bool
    n_seeds: int
    cost_usd: Interval
    best_usd: float
    worst_usd: float


class AgainstRow(NamedTuple):
    """What a method costs more than a row of the same tests, over seeds.

    Attributes:
        method: its name.
        row: of the tests.
        difference_frac: a fraction of the row's cost.
    """

    method: str
    row: str
    difference_frac: Interval


def final_costs(groups: Sequence[Group]) -> list[FinalCost]:
    """Return what methods and baselines cost, the cheapest first; `groups` are those of one scenario."""
    found = [_final_cost(group.method, True, [run.cost_usd for run in group.runs]) for group in groups]
    runs = [run for group in groups for run in group.runs]
    for row in dict.fromkeys(row for run in runs for row in run.baselines):
        # Runs that share their test episodes have met a baseline once, not once each.
        by_test = {_test(run): run.costs_usd[row] for run in runs if row in run.baselines}
        found.append(_final_cost(row, False, list(by_test.values())))
    return sorted(found, key=lambda final: final.cost_usd.mean)


def against_rows(groups: Sequence[Group]) -> list[AgainstRow]:
    """Return each method against each row that takes part in all tests of that method's runs.

    Args:
        groups: of one scenario, or of several; groups of one method in different scenarios are its strata.
    """
    found = []
    for method in dict.fromkeys(group.method for group in groups):
        own = [group for group in groups if group.method == method]
        runs = [run for group in own for run in group.runs]
        for row in runs[0].baselines:
            if all(run.costs_usd.get(row, 0.0) > 0.0 for run in runs):
                strata = [[run.cost_usd / run.costs_usd[row] - 1.0 for run in group.runs] for group in own]
                found.append(AgainstRow(method, row, interquartile_interval(strata)))
    return found


def _test(run: TrainedRun) -> tuple[int, int]:
    return run.test_seed, len(run.episodes_usd[LEARNED_ROW])


def _final_cost(name: str, is_method: bool, costs_usd: Sequence[float]) -> FinalCost:
    interval = interquartile_interval([costs_usd])
    return FinalCost(name, is_method, len(costs_usd), interval, min(costs_usd), max(costs_usd))
