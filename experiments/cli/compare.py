"""`blended compare`.

Room: `experiments.cli`. A thin shell over `experiments.learning_curves.training_comparison`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import JsonFile, require_folders, write_result


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders, or folders that hold run folders at any depth.")
    ],
    finished_only: Annotated[
        bool,
        typer.Option("--finished-only", help="Leave out trainings that have not ended, and say which."),
    ] = False,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw learning curves to FILE.svg, .png or .pdf.", dir_okay=False),
    ] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write mean, low and high of each method there, for TensorBoard."),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Compare trainings over their seeds: costs, paired differences, learning curves, with intervals."""
    require_folders(json=json_file, figure=figure)
    if figure is not None:
        from experiments.extras import require_extra

        with require_extra("report", "--figure"):
            from experiments.comparison.figure import check_file
            from experiments.learning_curves.curves_figure import write_curves_figure
        check_file(figure)
    if tensorboard is not None:
        from experiments.extras import require_extra

        with require_extra("train", "--tensorboard"):
            from experiments.learning_curves.curve_events import write_curve_events
    from experiments.learning_curves.training_comparison import compare_trainings

    result = compare_trainings(runs, finished_only=finished_only)
    result.show()
    if json_file is not None:
        write_result(json_file, result.as_json())
    if figure is not None:
        write_curves_figure(result, figure)
    if tensorboard is not None:
        write_curve_events(result.groups, tensorboard)
