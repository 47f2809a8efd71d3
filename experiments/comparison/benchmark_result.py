"""What a benchmark found: its scenarios' results, shown and written.

Room: `experiments.comparison`. Writes the files that the user names.
"""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from envs.headline import Headline, Headlined
from experiments.comparison.benchmark_json import scenario_json
from experiments.comparison.benchmark_tables import result_tables
from experiments.comparison.bound_coverage import coverage_table
from experiments.comparison.scenario_result import ScenarioResult
from experiments.comparison.summary import summary_table
from experiments.console import table_console
from experiments.run_folder import writing
from experiments.texts import usd_text, warning_text


@dataclass(frozen=True, repr=False)
class BenchmarkResult(Headlined):
    """The results of a benchmark, by name of the scenario."""

    scenarios: dict[str, ScenarioResult]

    def headline(self) -> Headline:
        """Return the scenario's own headline, or of several scenarios who is best in each."""
        if len(self.scenarios) == 1:
            return next(iter(self.scenarios.values())).headline()
        summaries = {name: result.summary for name, result in self.scenarios.items()}
        bests = (
            f"{name}: {found.best}, {usd_text(found.total_cost_usd)}{warning_text(self.scenarios[name].no_interval)}"
            for name, found in summaries.items()
        )
        return Headline(
            f"{len(summaries)} scenarios, the best and its cost, USD/day: {'; '.join(bests)}",
            ("scenario", "best policy", "its cost, USD/day", "runner-up", "runner-up minus best, USD/day"),
            [
                (
                    name,
                    found.best,
                    usd_text(found.total_cost_usd),
                    found.runner_up or "",
                    "" if found.difference is None else usd_text(found.difference),
                )
                for name, found in summaries.items()
            ],
        )

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain data; what is not defined (NaN) is None.

        `{"scenarios": {NAME: {"episodes", "seed", "no_interval", "wall_s",
        "data": {WHAT: {"file", "sha256"}},
        "policies": {POLICY: {METRIC: {"mean", "low", "high"}}},
        "comparisons": [{"policy", "against", "metric", "mean_difference", "low", "high"}],
        "summary": {"best", "total_cost_usd": {"mean", "low", "high"}, "runner_up", "difference": {"mean", "low",
        "high"}, "excludes_zero", "largest_term", "largest_term_frac", "large_terms"}, "chosen"}}}`; with a bound
        also `"bound": {"total_cost_usd", "low", "high", "episodes", "kind"}`, and `covered_frac` among the metrics of
        each policy if `fifo` takes part.
        """
        return {"scenarios": {name: scenario_json(result) for name, result in self.scenarios.items()}}

    def write_json(self, file: str | Path) -> None:
        """Write `as_json` to a file."""
        text = json.dumps(self.as_json(), indent=2, allow_nan=False) + "\n"
        with writing(str(file)):
            Path(file).write_text(text, encoding="utf-8")

    def write_csv(self, file: str | Path) -> None:
        """Write one row per scenario, policy and episode with all metrics; what is not defined is left
        empty."""
        keys: dict[str, None] = {}  # a set in order of appearance: scenarios differ in their channels
        for result in self.scenarios.values():
            for outcome in result.outcomes.values():
                keys |= dict.fromkeys(outcome.metrics)
        with writing(str(file)), Path(file).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["scenario", "policy", "mode", "seed", "episode", *keys])
            for name, result in self.scenarios.items():
                for policy, outcome in result.outcomes.items():
                    for episode, metrics in enumerate(outcome.episode_metrics):
                        values = (metrics.get(key, math.nan) for key in keys)
                        cells = ["" if math.isnan(value) else repr(value) for value in values]
                        writer.writerow([name, policy, outcome.mode, result.seed, episode, *cells])

    def show(self, console: Console | None = None) -> None:
        """Print the tables of every scenario: total cost and differences, service, costs by term; of several scenarios
        a summary last."""
        console = console or table_console()
        for result in self.scenarios.values():
            for table in result_tables(result):
                console.print(table)
            if result.coverage is not None:
                console.print(coverage_table(result.scenario.name, result.coverage))
        if len(self.scenarios) > 1:
            console.print(summary_table({name: result.summary for name, result in self.scenarios.items()}))
