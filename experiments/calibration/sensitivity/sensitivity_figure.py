"""The figure of a sensitivity: along each assumed range, which policy is best.

Room: `experiments.calibration.sensitivity`. Needs the extra `report`. Draws the plain data of
`experiments.calibration.sensitivity.sensitivity.Sensitivity.as_json`; touches the one file that it writes.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.comparison.figure import check_file, save
from experiments.texts import digits_text

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#555555")
"""The palette of Okabe and Ito, which colour-blind readers can tell apart."""
UNSURE_ALPHA = 0.35
_ROW_IN = 0.42
_WIDTH_IN = 9.0


def write_figure(result: Mapping[str, Any], file: Path) -> None:
    """Draw which policy is best along each assumed range; the same result gives the same bytes of SVG.

    A row is an assumed number, from the lower end of its range on the left to the upper one; a cell has the colour of
    the policy that is best there, pale where the interval of its lead includes 0, and the stated value has a frame. The
    last row shows how often each policy is best with all numbers moved at once.
    """
    check_file(file)
    save(partial(draw, result), file)


def draw(result: Mapping[str, Any]) -> Figure:
    """Return the figure."""
    rankings = [ranking for moved in result["moved"].values() for ranking in moved]
    names = list(dict.fromkeys([ranking["best"] for ranking in rankings] + list(result["best_fracs"])))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    n_rows = len(result["moved"]) + bool(result["sampled"])
    figure = Figure(figsize=(_WIDTH_IN, 1.3 + _ROW_IN * n_rows), layout="constrained")
    panel = figure.subplots()
    labels = []
    for row, assumption in enumerate(result["assumptions"]):
        _draw_range(panel, row, assumption, result["moved"][assumption["path"]], colours)
        labels.append(assumption["path"])
    if result["sampled"]:
        _draw_shares(panel, len(labels), result["best_fracs"], colours)
        labels.append(f"all at once, {len(result['sampled'])} points")
    panel.set_yticks(range(len(labels)), labels)
    panel.set_ylim(len(labels) - 0.5, -0.5)
    panel.set_xlim(0.0, 1.0)
    panel.set_xticks([])
    panel.spines[:].set_visible(False)
    panel.tick_params(axis="y", length=0)
    panel.set_title(f"{result['scenario']}: the best policy along each assumed range", loc="left", fontsize=10)
    handles = [Patch(color=colour, label=name) for name, colour in colours.items()]
    handles.append(Patch(color="#555555", alpha=UNSURE_ALPHA, label="pale: the lead may be chance"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4), frameon=False, fontsize=8)
    return figure


def _draw_range(
    panel: Axes,
    row: int,
    assumption: Mapping[str, Any],
    rankings: Sequence[Mapping[str, Any]],
    colours: Mapping[str, str],
) -> None:
    width = 1.0 / len(rankings)
    for i, ranking in enumerate(rankings):
        is_stated = not ranking["values"]
        lead = ranking["lead"]
        is_sure = lead is not None and lead["low"] is not None and lead["low"] > 0.0
        panel.barh(
            row,
            width,
            left=i * width,
            height=0.8,
            color=colours[ranking["best"]],
            alpha=1.0 if is_sure else UNSURE_ALPHA,
            edgecolor="white",
        )
        if is_stated:
            panel.barh(row, width, left=i * width, height=0.8, fill=False, edgecolor="black", linewidth=1.5, zorder=3)
        value = assumption["value"] if is_stated else ranking["values"][assumption["path"]]
        panel.text((i + 0.5) * width, row, digits_text(value), ha="center", va="center", fontsize=8)


def _draw_shares(panel: Axes, row: int, fracs: Mapping[str, float], colours: Mapping[str, str]) -> None:
    left = 0.0
    for name, frac in fracs.items():
        panel.barh(row, frac, left=left, height=0.8, color=colours[name], edgecolor="white")
        panel.text(left + frac / 2.0, row, f"{100 * frac:.0f} %", ha="center", va="center", fontsize=8)
        left += frac
