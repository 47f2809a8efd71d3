"""The tables of a replay, from the plain data of `Replay.as_json`.

Room: `experiments.replay`. Prints.
"""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.calibration.hold_out.service import FIGURES
from experiments.console import table_console

_COST = "total_cost_usd"


def show(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the days, the error of the model, and the effect of each policy."""
    console = console or table_console()
    policies = list(result["service"])
    table = Table(title=f"Days of {result['source']} in scenario {result['scenario']}")
    table.add_column("day", no_wrap=True)
    table.add_column("who", no_wrap=True)
    for name, _ in FIGURES.values():
        table.add_column(name, justify="right")
    table.add_column("total cost, USD", justify="right")
    for place, day in enumerate(result["days"]):
        if result["log"]:
            table.add_row(day, "log", *(_value(key, result["log"][key][place]) for key in FIGURES), "")
        for policy in policies:
            served = result["service"][policy]
            cost = result["metrics"][policy][_COST][place]
            shown = (_value(key, served[key][place]) for key in FIGURES)
            name = "" if result["log"] or policy != policies[0] else day
            table.add_row(name, policy, *shown, _number(cost), end_section=policy == policies[-1])
    console.print(table)
    differences = Table(title=f"Means over {len(result['days'])} days, with 95 % intervals over days")
    differences.add_column("difference", no_wrap=True)
    for name, _ in FIGURES.values():
        differences.add_column(name, justify="right")
    differences.add_column("total cost, USD/day", justify="right")
    own = f"{policies[0]} ({result['center_rule']})"
    if result["log"]:
        error = (_difference(key, result["model_error"][key]) for key in FIGURES)
        differences.add_row(f"error of the model: {own} − log", *error, "")
    for policy, effect in result["effects"].items():
        shown = (_difference(key, effect[key]) for key in (*FIGURES, _COST))
        differences.add_row(f"effect: {policy} − {policies[0]}", *shown)
    console.print(differences)
    if result["left_out"]:
        console.print(f"Left out, without contacts or reps: {', '.join(result['left_out'])}.", soft_wrap=True)


def _value(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if key == "mean_wait_s" else f"{100.0 * value:.1f} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _difference(key: str, found: Mapping[str, float | None]) -> str:
    if found["mean"] is None:
        return "-"
    factor = 1.0 if key in ("mean_wait_s", _COST) else 100.0
    unit = {"mean_wait_s": " s", _COST: ""}.get(key, " points")
    text = f"{factor * found['mean']:+,.1f}{unit}"
    if found["low"] is None or found["high"] is None:
        return text
    return f"{text} ({factor * found['low']:+,.1f} to {factor * found['high']:+,.1f})"
