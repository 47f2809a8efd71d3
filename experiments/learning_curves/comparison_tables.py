"""A comparison of trainings as tables.

Room: `experiments.learning_curves`. Reads figures; writes to no file.
"""

import math
from collections.abc import Mapping, Sequence

from rich.table import Table

from experiments.intervals import Interval
from experiments.learning_curves.curves import Axis, Curve
from experiments.learning_curves.final_costs import AgainstRow, FinalCost
from experiments.learning_curves.groups import Group
from experiments.learning_curves.method_differences import Improvement, PairedDifference, common_test_seeds
from experiments.texts import amount_text, percent_interval_text, usd_text

SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)
"""Of the longest training of a scenario, at which the table of its learning curves looks."""
CARRIED = "*"
"""What marks figures into which the last value of a run goes that had ended."""


def seeds_text(n_seeds: int) -> str:
    """Return `1 seed`, `5 seeds`."""
    return f"{n_seeds} seed{'s' * (n_seeds != 1)}"


def cost_text(final: FinalCost) -> str:
    """Return a cost with its interval and its seeds."""
    return f"{usd_text(final.cost_usd)}, {seeds_text(final.n_seeds)}"


def cost_table(scenario: str, costs: Sequence[FinalCost]) -> Table:
    """Return what methods and baselines cost in the tests of a scenario."""
    table = Table(
        title=f"{scenario}: cost in the test, USD/day: interquartile mean over seeds, 95 % interval",
        caption="Of a baseline the seeds are those of the tests in which it took part.",
    )
    table.add_column("policy")
    for heading in ("seeds", "cost, USD/day", "best seed", "worst seed"):
        table.add_column(heading, justify="right")
    for final in costs:
        ends = [amount_text(final.best_usd), amount_text(final.worst_usd)] if final.is_method else ["", ""]
        table.add_row(
            final.name, seeds_text(final.n_seeds), usd_text(final.cost_usd), *ends, style="bold" * final.is_method
        )
    return table


def against_table(where: str, against: Sequence[AgainstRow]) -> Table:
    """Return the methods, a column each, against the rows of their tests."""
    found = {(pair.row, pair.method): pair.difference_frac for pair in against}
    methods = list(dict.fromkeys(pair.method for pair in against))
    table = Table(
        title=f"{where}: what methods cost more than this row in the same test: interquartile mean over seeds"
    )
    table.add_column("row")
    for method in methods:
        table.add_column(method, justify="right")
    for row in dict.fromkeys(pair.row for pair in against):
        cells = [found.get((row, method)) for method in methods]
        table.add_row(row, *("" if cell is None else percent_interval_text(cell) for cell in cells))
    return table


def difference_table(pairs: Sequence[Sequence[tuple[Group, Group]]], differences: Sequence[PairedDifference]) -> Table:
    """Return the paired differences between methods; of pairs of groups that share no test episodes, that they share
    none."""
    table = Table(title="methods against each other on the same test episodes: mean paired difference, 95 % interval")
    for heading in ("method", "minus", "scenario", "test seeds in common"):
        table.add_column(heading)
    for heading in ("USD/day", "of its cost"):
        table.add_column(heading, justify="right")
    for pair in pairs:
        names = [group.method for group in pair[0]]
        for group, against in pair:
            if not common_test_seeds(group, against):
                table.add_row(*names, group.scenario, "none: no episodes in common", "", "")
        for found in differences:
            if [found.method, found.against] != names:
                continue
            fraction = percent_interval_text(found.difference_frac)
            seeds = f"{seeds_text(len(found.test_seeds))}, {found.n_runs} runs"
            amount = "" if found.scenario is None else usd_text(found.difference_usd)
            table.add_row(*names, found.scenario or "mean of scenarios", seeds, amount, fraction)
    captions = []
    if any(found.scenario is not None and math.isnan(found.difference_usd.low) for found in differences):
        captions.append("No interval: one test seed in common, with one episode or with episodes of recorded days.")
    if any(math.isnan(found.difference_frac.mean) for found in differences):
        captions.append("No fraction: the other method costs nothing there.")
    table.caption = " ".join(captions) or None
    return table


def improvement_table(improvements: Sequence[Improvement]) -> Table:
    """Return the probability that a run of one method costs less than a run of another."""
    table = Table(
        title="probability that a run of the method costs less in the test than one of the other: mean over scenarios",
        caption="Where tests have episodes of their own, these differ as well.",
    )
    for heading in ("method", "other", "scenarios"):
        table.add_column(heading)
    table.add_column("probability", justify="right")
    for found in improvements:
        table.add_row(found.method, found.against, f"{len(found.scenarios)}", percent_interval_text(found.probability))
    return table


def curve_table(scenario: str, axis: Axis, curves: Mapping[str, Curve]) -> Table:
    """Return a few points of the learning curves of a scenario, at shares of its longest training."""
    longest = max(float(curve.places[-1]) for curve in curves.values())
    table = Table(title=f"{scenario}: cost on validation episodes, USD/day, after so many {axis} of training")
    table.add_column("method")
    table.add_column("seeds", justify="right")
    for share in SHARES:
        table.add_column(f"{share * longest:,.0f}", justify="right")
    carried = False
    for method, curve in curves.items():
        cells = []
        for share in SHARES:
            ended = share * longest > curve.shortest_end
            carried = carried or ended
            cells.append(usd_text(Interval(*curve.at(share * longest))) + CARRIED * ended)
        table.add_row(method, seeds_text(curve.n_runs), *cells)
    if carried:
        table.caption = f"{CARRIED} a run had ended before, and its last value is carried on."
    return table
