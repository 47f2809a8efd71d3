"""What a transfer found: each policy in each moved center, shown and written.

Room: `experiments.transfer`. Writes the files that the user names.
"""

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.rules.rule import Rule
from envs.headline import Headline, Headlined
from experiments.comparison.benchmark_result import BenchmarkResult
from experiments.comparison.scenario_result import ScenarioResult
from experiments.console import table_console
from experiments.texts import percent_text, usd_text

RETUNED = "retuned"
"""The row of the rule that was tuned anew in the moved center."""


@dataclass(frozen=True, repr=False)
class TransferResult(Headlined):
    """The results of a transfer: the name of the scenario, and what was found in each moved center, by move; of the row
    `retuned` the rule too."""

    scenario: str
    centers: dict[str, ScenarioResult]
    retuned: dict[str, Rule]

    @property
    def benchmark(self) -> BenchmarkResult:
        """The same as a benchmark of several scenarios, `<scenario>.<move>`."""
        return BenchmarkResult({found.scenario.name: found for found in self.centers.values()})

    def worse(self, against: str) -> list[str]:
        """Return the moves after which the first policy is surely dearer than `against`."""
        return [move for move, found in self.centers.items() if found.comparison(against).difference.low > 0.0]

    def headline(self) -> Headline:
        """Return in which centers the first policy is dearer than others, and a row for each center."""
        first = next(iter(self.centers.values()))
        reference = first.reference
        others = [name for name in first.outcomes if name != reference]
        columns = ["center", f"{reference}, USD/day", *(f"minus {name}, paired" for name in others)]
        rows = []
        for move, found in self.centers.items():
            cells = [move, usd_text(found.outcomes[reference].intervals["total_cost_usd"])]
            for name in others:
                difference = found.comparison(name).difference
                frac = difference.mean / found.outcomes[name].metrics["total_cost_usd"]
                cells.append(f"{usd_text(difference)}, {percent_text(frac)}")
            rows.append(cells)
        worse = [f"{name}: {', '.join(self.worse(name)) or 'nowhere'}" for name in others]
        said = f"{self.scenario}: {reference} is surely dearer than {'; '.join(worse) or 'nobody'}"
        return Headline(said, columns, rows)

    def as_json(self) -> dict[str, Any]:
        """Return `BenchmarkResult.as_json`, with `"scenario"`, and by move the name of each center under `"moves"` and
        the rule in the row `retuned` under `"retuned"`."""
        moves = {move: found.scenario.name for move, found in self.centers.items()}
        retuned = {move: rule.model_dump(mode="json") for move, rule in self.retuned.items()}
        return {"scenario": self.scenario, "moves": moves, "retuned": retuned, **self.benchmark.as_json()}

    def show(self, console: Console | None = None) -> None:
        """Print a row for each center, and the headline."""
        said, columns, rows = self.headline()
        table = Table(title=f"{self.scenario}, moved: total cost and paired differences, 95 % intervals, USD/day")
        for column in columns:
            table.add_column(column, justify="left" if column == "center" else "right")
        for row in rows:
            table.add_row(*row)
        console = console or table_console()
        console.print(table)
        console.print(said, highlight=False, soft_wrap=True)
