"""The result of a tuning as tables.

Room: `experiments.tuning`. Writes to the terminal only.
"""

from rich.console import Console
from rich.table import Table

from experiments.console import table_console
from experiments.texts import amount_text, usd_text
from experiments.tuning.tuning_config import TuningConfig
from experiments.tuning.tuning_result import RuleResult, TuningResult


def show(result: TuningResult, console: Console | None = None) -> None:
    """Print costs before and after, and the tuned values, for each scenario."""
    console = console or table_console()
    for name, rules in result.scenarios.items():
        if rules:
            console.print(_cost_table(name, rules, result.config))
            console.print(_parameter_table(name, rules))


def _cost_table(name: str, rules: list[RuleResult], config: TuningConfig) -> Table:
    table = Table(
        title=f"{name}: cost per day, USD, default → tuned, seed {config.seed}",
        caption=f"Tuned on {config.episodes} training episodes. Of the default and the {config.shortlist} best trials "
        f"the cheapest on {config.validation_episodes} validation episodes is kept; it is compared with the default on "
        f"{config.test_episodes} test episodes."
        + "".join(f" Warning: {rule.no_interval}." for rule in rules[:1] if rule.no_interval),
    )
    table.add_column("rule", no_wrap=True)
    for heading in ("trials", "training", "validation"):
        table.add_column(heading, justify="right")
    table.add_column("kept")
    table.add_column("test, of the kept one", justify="right")
    table.add_column("kept minus default, paired", justify="right")
    for rule in rules:
        table.add_row(
            rule.default.name,
            f"{rule.search.trials}" + ("" if rule.search.is_complete else " (time was up)"),
            " → ".join(map(amount_text, rule.training_cost_usd)),
            " → ".join(map(amount_text, rule.validation_cost_usd)),
            "tuned" if rule.keeps_found else "default",
            usd_text(rule.kept_test_usd),
            usd_text(rule.difference_usd),
        )
    return table


def _parameter_table(name: str, rules: list[RuleResult]) -> Table:
    table = Table("rule", "parameter", title=f"{name}: the parameters")
    for heading in ("default", "tuned"):
        table.add_column(heading, justify="right")
    for rule in rules:
        for key, pair in rule.parameters.items():
            table.add_row(rule.default.name, key, *(f"{value:.4g}" for value in pair))
        table.add_section()
    return table
