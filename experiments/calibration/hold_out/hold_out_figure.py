"""The figure of held-out days: each half-hour of the day, as logged and as simulated.

Room: `experiments.calibration.hold_out`. Needs the extra `report`. Draws the plain data of `HoldOut.as_json`; touches
the one file that it writes.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.calibration.hold_out.service import FIGURES
from experiments.comparison.figure import check_file, save

PACES = {"fitted": ("#0072b2", "pace of the reps from the other days"), "logged": ("#d55e00", "pace as on these days")}
"""Colour (of the palette of Okabe and Ito) and label."""
LEAST_FRAC = 0.002
"""Half-hours in which less of a part's contacts came are left out: their figures are the luck of a few."""
_COLUMN_IN, _ROW_IN = 4.2, 2.3


def write_figure(result: Mapping[str, Any], file: Path) -> None:
    """Draw each part of held-out days to a file, one column of panels each; the same result gives the same bytes of
    SVG."""
    check_file(file)
    save(partial(draw, result), file)


def draw(result: Mapping[str, Any]) -> Figure:
    """Return the figure: a column for each part, a row for each figure of service."""
    parts = result["parts"]
    figure = Figure(figsize=(_COLUMN_IN * len(parts), _ROW_IN * len(FIGURES)), layout="constrained")
    axes = figure.subplots(len(FIGURES), len(parts), squeeze=False, sharex=True, sharey="row")
    for column, part in enumerate(parts):
        axes[0][column].set_title(f"{part['days'][0]} to {part['days'][-1]}", loc="left", fontsize=10)
        for row, (key, (name, _)) in enumerate(FIGURES.items()):
            _draw_figure(axes[row][column], part["by_half_hour"], key)
            if column == 0:
                axes[row][column].set_ylabel(name)
        axes[-1][column].set_xlabel("hour of the day")
    axes[0][0].legend(frameon=False, fontsize=8)
    return figure


def _draw_figure(panel: Axes, half_hours: list[Mapping[str, Any]], key: str) -> None:
    hours = np.arange(len(half_hours)) / 2.0 + 0.25
    counts = np.array([found["contacts"] for found in half_hours])
    shown = counts >= LEAST_FRAC * counts.sum()

    def values(each: list[float | None]) -> NDArray[np.float64]:
        return np.where(shown, np.array(each, np.float64), np.nan)

    for pace, (colour, label) in PACES.items():
        low, mean, high = (values([found[key][pace][end] for found in half_hours]) for end in ("low", "mean", "high"))
        panel.fill_between(hours, low, high, color=colour, alpha=0.15, linewidth=0.0)
        panel.plot(hours, mean, color=colour, linewidth=1.2, label=label)
    panel.plot(hours, values([found[key]["log"] for found in half_hours]), "k.", markersize=4, label="log")
    panel.grid(color="#dddddd", linewidth=0.6)
    panel.spines[["top", "right"]].set_visible(False)
