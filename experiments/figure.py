"""The figure of a benchmark: what each policy costs in each scenario, with intervals.

Room: `experiments`. Needs the extra `report`. Touches the one file that it writes.
"""

import math
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from envs.errors import ConfigurationError
from experiments.comparison import BenchmarkResult, ScenarioResult
from experiments.tuned_rules import BEST_TUNED

SUFFIXES = (".svg", ".png", ".pdf")

MARKED = {"learned": ("#d55e00", "D"), BEST_TUNED: ("#0072b2", "s")}
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


def write_figure(result: BenchmarkResult, file: Path) -> None:
    """Draw the costs of every scenario to a file; the same result gives the same bytes of SVG.

    Each scenario has a panel with one row per policy, the cheapest on top: mean cost per day with its interval, on a
    logarithmic axis unless something costs nothing.
    """
    check_file(file)
    with mpl.rc_context({"svg.hashsalt": "blended routing", "font.size": 9}):
        figure = draw(result)
        try:
            figure.savefig(file, dpi=150, metadata={"Date": None} if file.suffix.lower() == ".svg" else None)
        except OSError as error:
            raise ConfigurationError(f"--figure {file}: cannot be written ({error.strerror})") from error


def draw(result: BenchmarkResult) -> Figure:
    """Return the figure, one panel for each scenario."""
    results = list(result.scenarios.values())
    n_columns = min(_COLUMNS, len(results))
    n_rows = -(-len(results) // n_columns)
    most = max(len(found.outcomes) for found in results)
    figure = Figure(figsize=(_WIDTH_IN * n_columns, n_rows * (1.0 + _ROW_IN * most)), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for panel, found in zip(axes, results, strict=False):
        _draw_scenario(panel, found)
    for panel in axes[len(results) :]:
        panel.set_visible(False)
    return figure


def _draw_scenario(panel: Axes, result: ScenarioResult) -> None:
    by_cost = sorted(result.outcomes.values(), key=lambda outcome: outcome.metrics["total_cost_usd"])
    intervals = [outcome.intervals["total_cost_usd"] for outcome in by_cost]
    labels = []
    for place, (outcome, interval) in enumerate(zip(by_cost, intervals, strict=True)):
        colour, marker = MARKED.get(outcome.policy, _OTHERS)
        below, above = interval.mean - interval.low, interval.high - interval.mean
        panel.errorbar(
            interval.mean, place, xerr=[[below], [above]], color=colour, marker=marker, markersize=4, capsize=2
        )
        labels.append(f"{BEST_TUNED} ({result.best_tuned})" if outcome.policy == BEST_TUNED else outcome.policy)
    panel.set_yticks(range(len(labels)), labels)
    for tick, outcome in zip(panel.get_yticklabels(), by_cost, strict=True):
        tick.set_color(MARKED.get(outcome.policy, _OTHERS)[0])
        tick.set_fontweight("bold" if outcome.policy in MARKED else "normal")
    panel.set_ylim(len(labels) - 0.5, -0.5)
    if min(interval.low for interval in intervals) > 0.0:
        _use_logarithmic_axis(panel)
    panel.grid(axis="x", color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)
    n_episodes = len(by_cost[0].counts)
    panel.set_title(
        f"{result.scenario.name}: {n_episodes} test episodes of seed {result.seed}", loc="left", fontsize=10
    )
    panel.set_xlabel("total cost, USD/day, with 95 % interval")


def _use_logarithmic_axis(panel: Axes) -> None:
    panel.set_xscale("log")
    low, high = panel.get_xlim()
    # Powers of ten alone would leave an axis of less than a decade without a number.
    decades = math.log10(high / low)
    digits = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0) if decades < 0.7 else (1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)
    panel.xaxis.set_major_locator(LogLocator(subs=digits))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())
