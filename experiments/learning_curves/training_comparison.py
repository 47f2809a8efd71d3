"""The command `blended compare`: trainings compared over their seeds.

Room: `experiments.learning_curves`. Reads run folders; writes nothing.

    result = compare_trainings([Path("runs/my_sweep")])
    result.show()
    curves = aggregate(result.groups)  # plain arrays, by (scenario, method) and tag
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from envs.errors import ConfigurationError
from envs.headline import Headline, Headlined
from experiments.console import message_console, table_console
from experiments.learning_curves import comparison_json, comparison_tables
from experiments.learning_curves.curves import AXES, Axis, Curve, curve_over_seeds
from experiments.learning_curves.final_costs import AgainstRow, FinalCost, against_rows, final_costs
from experiments.learning_curves.groups import Group, group_runs, rules_on_validation
from experiments.learning_curves.method_differences import (
    Improvement,
    PairedDifference,
    paired_differences,
    probability_of_improvement,
)
from experiments.learning_curves.trained_run import (
    find_run_folders,
    missing_files,
    read_run,
)

ENOUGH_SEEDS = 10
"""With which the intervals cover about what they say (docs/compare.md)."""


@dataclass(frozen=True, repr=False)
class TrainingComparison(Headlined):
    """Trainings compared over their seeds.

    Attributes:
        groups: the trainings, those put together that differ in their seed alone.
        left_out: folders of trainings that have not ended.
    """

    groups: tuple[Group, ...]
    left_out: tuple[Path, ...] = ()

    @property
    def scenarios(self) -> list[str]:
        """The names of the scenarios, in their order."""
        return list(dict.fromkeys(group.scenario for group in self.groups))

    @property
    def methods(self) -> list[str]:
        """The names of the methods, in their order."""
        return list(dict.fromkeys(group.method for group in self.groups))

    def of(self, scenario: str) -> list[Group]:
        """Return the groups of a scenario."""
        return [group for group in self.groups if group.scenario == scenario]

    def pairs(self) -> list[list[tuple[Group, Group]]]:
        """Return of each two methods their groups in every scenario in which both were trained, if there is one."""
        by_place = {(group.scenario, group.method): group for group in self.groups}
        found = []
        for method, against in itertools.combinations(self.methods, 2):
            both = [name for name in self.scenarios if {(name, method), (name, against)} <= set(by_place)]
            found.append([(by_place[name, method], by_place[name, against]) for name in both])
        return [pair for pair in found if pair]

    def costs(self, scenario: str) -> list[FinalCost]:
        """Return what methods and baselines cost in the tests of a scenario, the cheapest first."""
        return final_costs(self.of(scenario))

    def against(self, scenario: str | None = None) -> list[AgainstRow]:
        """Return the methods against the rows of the same tests, in one scenario or over all of those methods that
        were trained in two or more."""
        if scenario is not None:
            return against_rows(self.of(scenario))
        counts = [group.method for group in self.groups]
        return against_rows([group for group in self.groups if counts.count(group.method) > 1])

    def differences(self) -> list[PairedDifference]:
        """Return the paired differences between methods, by scenario, and over scenarios."""
        return [found for pairs in self.pairs() for found in paired_differences(pairs)]

    def improvements(self) -> list[Improvement]:
        """Return the probability of improvement between each two methods."""
        return [probability_of_improvement(pairs) for pairs in self.pairs()]

    def cost_curves(self, scenario: str, axis: Axis) -> dict[str, Curve]:
        """Return the curves of the cost on validation episodes of a scenario, by method."""
        return {group.method: curve_over_seeds(group.runs, axis=axis) for group in self.of(scenario)}

    def validation_baselines(self, scenario: str) -> dict[str, float]:
        """Return what the baselines that all runs have noted cost a day on validation episodes, by name: the mean over
        the runs."""
        return rules_on_validation(self.of(scenario))

    def headline(self) -> Headline:
        """Return which method costs least in each scenario, and a row for each method there."""
        best, rows = [], []
        for scenario in self.scenarios:
            methods = [final for final in self.costs(scenario) if final.is_method]
            first = methods[0]
            best.append(f"{scenario}: {first.name}, {comparison_tables.cost_text(first)}")
            for final in methods:
                rows.append([scenario, final.name, comparison_tables.cost_text(final)])
        return Headline(
            f"the method that costs least in the test, USD/day: {'; '.join(best)}",
            ("scenario", "method", "cost, USD/day"),
            rows,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as plain data; docs/compare.md says what is in it."""
        scenarios = {
            name: comparison_json.scenario_json(
                self.costs(name),
                self.against(name),
                {axis: self.cost_curves(name, axis) for axis in AXES},
                self.validation_baselines(name),
            )
            for name in self.scenarios
        }
        return {
            "runs": comparison_json.runs_json(self.groups),
            "left_out": [str(folder) for folder in self.left_out],
            "scenarios": scenarios,
            "over_scenarios": comparison_json.against_json(self.against()),
            "differences": comparison_json.differences_json(self.differences()),
            "improvements": comparison_json.improvements_json(self.improvements()),
        }

    def show(self, console: Console | None = None) -> None:
        """Print the tables: costs, methods against baselines and against each other, learning curves."""
        console = console or table_console()
        for name in self.scenarios:
            console.print(comparison_tables.cost_table(name, self.costs(name)))
            console.print(comparison_tables.against_table(name, self.against(name)))
        if self.against():
            console.print(comparison_tables.against_table("over scenarios", self.against()))
        if self.pairs():
            console.print(comparison_tables.difference_table(self.pairs(), self.differences()))
            console.print(comparison_tables.improvement_table(self.improvements()))
        for name in self.scenarios:
            for axis in AXES:
                console.print(comparison_tables.curve_table(name, axis, self.cost_curves(name, axis)))
        fewest = min(len(group.runs) for group in self.groups)
        if fewest < ENOUGH_SEEDS:
            few = f"{comparison_tables.seeds_text(fewest)} only: with fewer than {ENOUGH_SEEDS} intervals are too short"
            console.print(f"{few} (docs/compare.md, Few seeds)", highlight=False, soft_wrap=True)
        console.print(self.headline().sentence, highlight=False, soft_wrap=True)


def compare_trainings(
    paths: Sequence[Path], *, finished_only: bool = False, console: Console | None = None
) -> TrainingComparison:
    """Compare the trainings in run folders, or in folders that hold run folders at any depth.

    Args:
        paths: the folders.
        finished_only: leave out trainings that have not ended, and say which; else they are refused.
        console: where to say it; default: standard error.

    Raises:
        ConfigurationError: a folder is missing, holds no training or one that has not ended, or trainings cannot be
            compared (`experiments.learning_curves.groups.group_runs`).
    """
    folders = find_run_folders(paths)
    left_out = tuple(folder for folder in folders if missing_files(folder)) if finished_only else ()
    console = console or message_console()
    for folder in left_out:
        console.print(f"{folder}: left out: has no {', '.join(missing_files(folder))}", highlight=False, soft_wrap=True)
    runs = [read_run(folder) for folder in folders if folder not in left_out]
    if not runs:
        raise ConfigurationError(f"{', '.join(map(str, paths))}: holds no training that has ended")
    return TrainingComparison(tuple(group_runs(runs)), left_out)
