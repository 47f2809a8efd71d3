"""The figure of a benchmark: what each policy costs in each scenario, with intervals.

Room: `experiments.comparison`. Needs the extra `report`. Draws the plain data of `BenchmarkResult.as_json`, so also
what was written as JSON before; touches the one file that it writes.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from agents.catalog import PRETRAINED
from agents.run_files import LEARNED_ROW
from envs.errors import ConfigurationError
from experiments.comparison.tuned_rules import BEST_TUNED
from experiments.run_folder import writing

SUFFIXES = (".svg", ".png", ".pdf")
MARKED = {LEARNED_ROW: ("#d55e00", "D"), PRETRAINED: ("#d55e00", "D"), BEST_TUNED: ("#0072b2", "s")}
"""Colour (of the palette of Okabe and Ito, which colour-blind readers can tell apart) and marker of policies that stand
out."""
_OTHERS = ("#555555", "o")
_COLUMNS = 2
_ROW_IN = 0.26
_WIDTH_IN = 6.0


def check_file(file: Path) -> None:
    """Raise `ConfigurationError` unless a figure can have that name."""
    if file.suffix.lower() not in SUFFIXES:
        raise ConfigurationError(f"--figure {file}: must end in {', '.join(SUFFIXES)}")


def write_figure(result: Mapping[str, Any], file: Path) -> None:
    """Draw the costs of every scenario of a benchmark's JSON to a file; the same result gives the same bytes of SVG.

    Each scenario has a panel with one row per policy, the cheapest on top: mean cost per day with its interval, on a
    logarithmic axis unless something costs nothing. A lower bound, where the result has one, is a line.
    """
    check_file(file)
    save(partial(draw, result), file)


def save(make: Callable[[], Figure], file: Path) -> None:
    """Write the figure that `make` draws to a file; the same figure gives the same bytes of SVG."""
    with mpl.rc_context({"svg.hashsalt": "blended routing", "font.size": 9}):
        figure = make()
        with writing(f"--figure {file}"):
            figure.savefig(file, dpi=150, metadata={"Date": None} if file.suffix.lower() == ".svg" else None)


def draw(result: Mapping[str, Any]) -> Figure:
    """Return the figure, one panel for each scenario."""
    scenarios = result["scenarios"]
    n_columns = min(_COLUMNS, len(scenarios))
    n_rows = -(-len(scenarios) // n_columns)
    most = max(len(found["policies"]) for found in scenarios.values())
    figure = Figure(figsize=(_WIDTH_IN * n_columns, n_rows * (1.0 + _ROW_IN * most)), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for panel, (name, found) in zip(axes, scenarios.items(), strict=False):
        _draw_scenario(panel, found)
        panel.set_title(f"{name}: {found['episodes']} test episodes of seed {found['seed']}", loc="left", fontsize=10)
    for panel in axes[len(scenarios) :]:
        panel.remove()
    return figure


def _draw_scenario(panel: Axes, found: Mapping[str, Any]) -> None:
    costs = {name: metrics["total_cost_usd"] for name, metrics in found["policies"].items()}
    by_cost = sorted(costs, key=lambda name: costs[name]["mean"])
    for place, name in enumerate(by_cost):
        cost = costs[name]
        colour, marker = MARKED.get(name, _OTHERS)
        # Without an interval (`no_interval` says why) there is a point alone.
        ends = None if cost["low"] is None else [[cost["mean"] - cost["low"]], [cost["high"] - cost["mean"]]]
        panel.errorbar(cost["mean"], place, xerr=ends, color=colour, marker=marker, markersize=4, capsize=2)
    chosen = found["chosen"]
    labels = [f"{name} ({chosen[name]})" if name in chosen else name for name in by_cost]
    panel.set_yticks(range(len(labels)), labels)
    for tick, name in zip(panel.get_yticklabels(), by_cost, strict=True):
        tick.set_color(MARKED.get(name, _OTHERS)[0])
        tick.set_fontweight("bold" if name in MARKED else "normal")
    panel.set_ylim(len(labels) - 0.5, -0.5)
    least_usd = min(cost["mean"] if cost["low"] is None else cost["low"] for cost in costs.values())
    bound = found.get("bound")
    if bound is not None:
        panel.axvline(bound["total_cost_usd"], color="black", linestyle="--", linewidth=1.0, label="lower bound")
        panel.legend(loc="lower right", frameon=False)
        least_usd = min(least_usd, bound["total_cost_usd"])
    if least_usd > 0.0:
        _use_logarithmic_axis(panel)
    panel.grid(axis="x", color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)
    panel.set_xlabel(f"total cost, USD/day, {found.get('no_interval') or 'with 95 % interval'}")


def _use_logarithmic_axis(panel: Axes) -> None:
    panel.set_xscale("log")
    low, high = panel.get_xlim()
    # Powers of ten alone would leave an axis of less than a decade without a number.
    decades = math.log10(high / low)
    digits = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0) if decades < 0.7 else (1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)
    panel.xaxis.set_major_locator(LogLocator(subs=digits))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())
