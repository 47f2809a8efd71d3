"""The figure of an off-policy evaluation: how much of the log speaks of each policy.

Room: `experiments.off_policy`. Needs the extra `report`. Draws the overlap that `experiments.off_policy.evaluation`
measured; touches the one file that it writes.
"""

from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.comparison.figure import check_file, save
from experiments.off_policy.estimate import LEAST_EFFECTIVE_DAYS
from experiments.off_policy.evaluation import RATIO_BINS, OffPolicyResult
from experiments.off_policy.weights import CREDITS_S
from experiments.texts import duration_text

COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Of the palette of Okabe and Ito, which colour-blind readers can tell apart."""


def write_overlap_figure(result: OffPolicyResult, file: Path) -> None:
    """Draw the overlap of every policy to a file; the same result gives the same bytes of SVG."""
    check_file(file)
    save(partial(draw, result), file)


def draw(result: OffPolicyResult) -> Figure:
    """Return the figure: on the left the share of decisions by the ratio of chances, on the right the effective days
    that are left if costs are credited so far back, with the number below which nothing is said."""
    figure = Figure(figsize=(11.0, 4.0), layout="constrained")
    ratios, days = figure.subplots(1, 2)
    width = 0.8 / len(result.overlaps)
    for place, (name, overlap) in enumerate(result.overlaps.items()):
        colour = COLOURS[place % len(COLOURS)]
        ratios.bar(
            np.arange(len(overlap.ratio_fracs)) + place * width, overlap.ratio_fracs, width, color=colour, label=name
        )
        days.plot(range(len(CREDITS_S)), overlap.effective_days, color=colour, marker="o", markersize=4, label=name)
    labels = ["0", *(f"to {high:g}" for high in RATIO_BINS[2:-1]), f"over {RATIO_BINS[-2]:g}"]
    ratios.set_xticks(np.arange(len(labels)) + 0.4, labels, rotation=45)
    ratios.set_xlabel("chance of the action under the policy / under the log's")
    ratios.set_ylabel("share of decisions")
    credits = ["at once", *(duration_text(credit_s) for credit_s in CREDITS_S[1:-1]), "all"]
    days.set_xticks(range(len(CREDITS_S)), credits, rotation=45)
    days.axhline(LEAST_EFFECTIVE_DAYS, color="black", linestyle="--", linewidth=1.0, label="least")
    days.set_yscale("symlog", linthresh=1.0)
    days.set_xlabel("costs are credited back")
    days.set_ylabel(f"effective days of {result.n_days}")
    ratios.set_title(f"{result.logged} in {result.scenario}", loc="left", fontsize=10)
    for panel in (ratios, days):
        panel.legend(frameon=False, fontsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    return figure
