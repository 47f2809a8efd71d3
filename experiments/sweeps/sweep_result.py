"""What a sweep found: its trials, and the table of scenarios and algorithms.

Room: `experiments.sweeps`. Writes to the terminal only. Nothing in table and JSON depends on when a trial ran, or how
often it had to be tried, unless `minutes` end a stage of a training: that is the clock's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from envs.headline import Headline, Headlined
from experiments.console import table_console
from experiments.sweeps.trial_process import TrialEnd
from experiments.texts import amount_text, percent_text

COLUMNS = ("scenario", "algorithm", "values", "seeds", "cost, USD/day", "minus the best rule", "in per cent", "failed")


class Row(NamedTuple):
    """The trials of a scenario by an algorithm with the same values: all seeds.

    Attributes:
        scenario: what it is called.
        algorithm: its name.
        values: those that vary, as text.
        seeds: finished trials.
        failed: the others.
        cost_usd: mean over finished trials, USD/day; None where none has a test.
        rule_cost_usd: mean over the same trials of what the best rule costs, USD/day; None where none has a rule.
        difference_usd: mean over these of what the learned policy costs more, USD/day.
    """

    scenario: str
    algorithm: str
    values: str
    seeds: int
    failed: int
    cost_usd: float | None
    rule_cost_usd: float | None
    difference_usd: float | None


@dataclass(frozen=True, repr=False)
class SweepResult(Headlined):
    """How the trials of a sweep ended, in the order of the sweep."""

    name: str
    ends: tuple[TrialEnd, ...]

    def rows(self) -> list[Row]:
        """Return a row for each scenario, algorithm and combination of values, in the order of the sweep."""
        groups: dict[tuple[str, str, str], list[TrialEnd]] = {}
        for end in self.ends:
            trial = end.trial
            groups.setdefault((trial.label, trial.algorithm, trial.varied_text), []).append(end)
        return [_row(*key, ends) for key, ends in groups.items()]

    def failed(self) -> list[TrialEnd]:
        """Return the trials that failed for good."""
        return [end for end in self.ends if end.outcome is None]

    def headline(self) -> Headline:
        """Return how many trials are finished, and the table."""
        finished = len(self.ends) - len(self.failed())
        said = f"{self.name}: {finished} of {len(self.ends)} trials finished, {len(self.failed())} failed"
        return Headline(said, COLUMNS, [_cells(row) for row in self.rows()])

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain data: `{"sweep", "rows": [{…}], "trials": [{"name", "scenario", "algorithm",
        "seed", "values", "cost_usd", "best_rule", "best_rule_cost_usd", "difference_usd", "problem"}]}`; what is
        missing is None."""
        return {
            "sweep": self.name,
            "rows": [row._asdict() for row in self.rows()],
            "trials": [_trial_json(end) for end in self.ends],
        }

    def show(self, console: Console | None = None) -> None:
        """Print the table, and of every trial that failed why."""
        said, columns, rows = self.headline()
        has_values = any(row.values for row in self.rows())
        shown = [place for place, column in enumerate(columns) if has_values or column != "values"]
        table = Table(title="cost of the learned policy on the test episodes, mean over seeds")
        for place in shown:
            table.add_column(columns[place], justify="left" if place < 3 else "right")
        for row in rows:
            table.add_row(*(row[place] for place in shown))
        console = console or table_console()
        console.print(table)
        for end in self.failed():
            console.print(f"Failed: {end.trial.name}: {end.problem}", highlight=False, soft_wrap=True)
        console.print(said, highlight=False)


def _row(scenario: str, algorithm: str, values: str, ends: Sequence[TrialEnd]) -> Row:
    outcomes = [end.outcome for end in ends if end.outcome is not None]
    tested = [found.cost_usd for found in outcomes if found.cost_usd is not None]
    paired = [
        (found.best_rule_cost_usd, found.difference_usd)
        for found in outcomes
        if found.best_rule_cost_usd is not None and found.difference_usd is not None
    ]
    return Row(
        scenario,
        algorithm,
        values,
        len(outcomes),
        len(ends) - len(outcomes),
        fmean(tested) if tested else None,
        fmean(rule_usd for rule_usd, _ in paired) if paired else None,
        fmean(difference_usd for _, difference_usd in paired) if paired else None,
    )


def _cells(row: Row) -> list[str]:
    difference, share = "-", "-"
    if row.difference_usd is not None and row.rule_cost_usd is not None:
        difference = amount_text(row.difference_usd)
        share = percent_text(row.difference_usd / row.rule_cost_usd) if row.rule_cost_usd else "-"
    cost = "-" if row.cost_usd is None else amount_text(row.cost_usd)
    return [row.scenario, row.algorithm, row.values, str(row.seeds), cost, difference, share, str(row.failed)]


def _trial_json(end: TrialEnd) -> dict[str, Any]:
    trial, outcome = end.trial, end.outcome
    return {
        "name": trial.name,
        "scenario": trial.label,
        "algorithm": trial.algorithm,
        "seed": trial.seed,
        "values": dict(trial.varied),
        "cost_usd": None if outcome is None else outcome.cost_usd,
        "best_rule": None if outcome is None else outcome.best_rule,
        "best_rule_cost_usd": None if outcome is None else outcome.best_rule_cost_usd,
        "difference_usd": None if outcome is None else outcome.difference_usd,
        "problem": end.problem or None,
    }
