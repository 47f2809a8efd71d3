"""The figure of a comparison of trainings: learning curves over seeds, with the baselines beside them.

Room: `experiments.learning_curves`. Needs the extra `report`. Draws what `TrainingComparison` has found; touches the
one file that it writes.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from experiments.comparison.figure import check_file, save
from experiments.learning_curves.comparison_tables import seeds_text
from experiments.learning_curves.curves import AXES, Axis, Curve
from experiments.learning_curves.training_comparison import TrainingComparison

COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Of the palette of Okabe and Ito, which colour-blind readers can tell apart."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""With which more methods than colours, or a print without colours, can be read."""
_BASELINE_COLOUR = "#777777"
_LABEL_GAP = 0.035  # of the height of a panel, below which labels of baselines would cover each other


class Style(NamedTuple):
    """How the curve of a method is drawn."""

    colour: str
    marker: str


def write_curves_figure(comparison: TrainingComparison, file: Path) -> None:
    """Draw the learning curves of a comparison to a file; the same comparison gives the same bytes of SVG."""
    check_file(file)
    save(partial(draw, comparison), file)


def draw(comparison: TrainingComparison) -> Figure:
    """Return the figure: a row for each scenario, cost on validation episodes against decisions on the left, against
    seconds on the right.

    A line is the interquartile mean over seeds, a band its 95 % interval; where a run had ended and its last value is
    carried on, the line is dotted. Baselines are dashed. The cost axis is logarithmic unless something costs nothing.
    """
    scenarios = comparison.scenarios
    styles = method_styles(comparison.methods)
    figure = Figure(figsize=(11.0, 4.2 * len(scenarios)), layout="constrained")
    panels = figure.subplots(len(scenarios), len(AXES), squeeze=False, sharey="row")
    for axis, column in zip(AXES, panels.T, strict=True):
        for scenario, panel in zip(scenarios, column, strict=True):
            own = comparison.cost_curves(scenario, axis)
            _draw_panel(panel, axis, own, comparison.validation_baselines(scenario), styles)
    for scenario, row in zip(scenarios, panels, strict=True):
        row[0].set_title(scenario, loc="left", fontsize=10)
        row[0].set_ylabel("cost on validation episodes, USD/day")
        _label_baselines(row[-1], comparison.validation_baselines(scenario))
        row[0].legend(frameon=False, fontsize=8)
    return figure


def method_styles(methods: Sequence[str]) -> dict[str, Style]:
    """Return a colour and a marker for each method, no two the same for up to 49 methods."""
    n = len(COLOURS)
    return {method: Style(COLOURS[i % n], MARKERS[(i + i // n) % n]) for i, method in enumerate(methods)}


def _draw_panel(
    panel: Axes,
    axis: Axis,
    curves: Mapping[str, Curve],
    baselines_usd: Mapping[str, float],
    styles: Mapping[str, Style],
) -> None:
    for method, curve in curves.items():
        colour, marker = styles[method]
        trained = curve.places <= curve.shortest_end
        label = f"{method} ({seeds_text(curve.n_runs)})"
        panel.step(curve.places[trained], curve.mean[trained], where="post", color=colour, linewidth=1.4)
        every = max(1, len(curve.places) // 10)
        # The markers alone, since a line through them would not be steps.
        panel.plot(
            curve.places, curve.mean, color=colour, marker=marker, markevery=every, markersize=4, linestyle="none"
        )
        panel.plot([], [], color=colour, marker=marker, markersize=4, linewidth=1.4, label=label)
        if not trained.all():
            last = max(int(trained.sum()) - 1, 0)  # joins the dotted line to the other
            panel.step(curve.places[last:], curve.mean[last:], where="post", color=colour, linewidth=1.2, linestyle=":")
        panel.fill_between(curve.places, curve.low, curve.high, step="post", color=colour, alpha=0.18, linewidth=0)
    for cost_usd in baselines_usd.values():
        panel.axhline(cost_usd, color=_BASELINE_COLOUR, linestyle="--", linewidth=0.8, zorder=0)
    lowest = [float(curve.mean.min()) for curve in curves.values()] + list(baselines_usd.values())
    if min(lowest) > 0.0:
        _use_logarithmic_axis(panel)
    panel.set_xlabel(f"{axis} of training")
    panel.xaxis.set_major_locator(MaxNLocator(5))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    panel.tick_params(axis="x", labelsize=8)
    panel.grid(color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def _label_baselines(panel: Axes, baselines_usd: Mapping[str, float]) -> None:
    """Write the names of baselines at the right end of their lines; those that would cover each other share a label."""
    transform = panel.transData + panel.transAxes.inverted()
    shared: list[tuple[float, list[str]]] = []
    for name, cost_usd in sorted(baselines_usd.items(), key=lambda found: found[1]):
        height = float(transform.transform((panel.get_xlim()[1], cost_usd))[1])
        if shared and height - shared[-1][0] < _LABEL_GAP:
            shared[-1][1].append(name)
        else:
            shared.append((height, [name]))
    for height, names in shared:
        panel.annotate(
            ", ".join(names), (1.01, height), xycoords="axes fraction", fontsize=7, color="#444444", va="center"
        )


def _use_logarithmic_axis(panel: Axes) -> None:
    panel.set_yscale("log")
    low, high = panel.get_ylim()
    # Powers of ten alone would leave an axis of less than a decade without a number.
    digits = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0) if math.log10(high / low) < 1.0 else (1.0, 2.0, 5.0)
    panel.yaxis.set_major_locator(LogLocator(subs=digits))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())
