"""The tables of held-out days, from the plain data of `HoldOut.as_json`.

Room: `experiments.calibration.hold_out`. Prints.
"""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.calibration.hold_out.service import FIGURES
from experiments.console import table_console

_PACES = {
    "fitted": "laws and pace of the reps from the other days",
    "logged": "laws from the other days, pace of the reps as on the held-out days",
}


def show(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what came of each part, day by day, and of the worst part against what was wanted."""
    console = console or table_console()
    for pace, title in _PACES.items():
        table = Table(title=f"Held-out days of {result['source']}: {title}; log → simulated")
        table.add_column("days", no_wrap=True)
        for name, _ in FIGURES.values():
            table.add_column(name, justify="right")
        for part in result["parts"]:
            for day, found in part["by_day"].items():
                table.add_row(day, *(_pair(key, found[key]["log"], found[key][pace]["mean"]) for key in FIGURES))
            span = f"{part['days'][0]} to {part['days'][-1]}"
            table.add_row(span, *(_range(key, part["whole"][key], pace) for key in FIGURES))
            table.add_row("  error", *(_error(key, part["errors"][pace][key]) for key in FIGURES), end_section=True)
        worst, wanted = result["worst"][pace], result["targets"]
        table.add_row("largest error", *(_error(key, worst[key]) for key in FIGURES))
        table.add_row(
            "wanted within", *(_error(key, wanted[key]).lstrip("+") if key in wanted else "" for key in FIGURES)
        )
        console.print(table)
    console.print(
        f"In parentheses the range of 95 % of {result['repetitions']} repetitions of the whole part (seed "
        f"{result['seed']}); the JSON has those of days and half-hours too.",
        highlight=False,
        soft_wrap=True,
    )


def _range(key: str, found: Mapping[str, Any], pace: str) -> str:
    low, high = (_value(key, found[pace][end]) for end in ("low", "high"))
    return f"{_pair(key, found['log'], found[pace]['mean'])} ({low} to {high})"


def _pair(key: str, logged: float | None, simulated: float | None) -> str:
    return f"{_value(key, logged)} → {_value(key, simulated)}"


def _value(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if key == "mean_wait_s" else f"{100.0 * value:.1f} %"


def _error(key: str, error: float) -> str:
    return f"{100.0 * error:+.1f} %" if key == "mean_wait_s" else f"{100.0 * error:+.1f} points"
