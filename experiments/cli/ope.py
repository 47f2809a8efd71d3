"""`blended ope`.

Room: `experiments.cli`. A thin shell over `experiments.off_policy.evaluation` and `experiments.records.minari_export`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import JsonFile, require_folders, write_result


def ope(
    records: Annotated[
        Path, typer.Argument(metavar="RECORD", help="A folder that --record wrote, or one of its files of decisions.")
    ],
    policies: Annotated[
        list[str] | None,
        typer.Option("--policy", metavar="POLICY", help="What to value; may be given several times."),
    ] = None,
    credit_min: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Credit costs to the decisions of so many minutes before; default: as many as overlap allows."
        ),
    ] = None,
    half_life_h: Annotated[
        float | None,
        typer.Option(min=0.001, help="Half-life of the discount of the fitted Q, hours; default: no discount."),
    ] = None,
    json_file: JsonFile = None,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the overlap to FILE: .svg, .png or .pdf.", dir_okay=False),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="minari:ID", help="Write the log as a data set of Minari, as in minari:bank/soft-v0."
        ),
    ] = None,
) -> None:
    """Estimate what policies would have cost from the recorded decisions of another one, which sampled."""
    require_folders(json=json_file, figure=figure)
    from experiments.extras import require_extra

    if to is not None:
        with require_extra("minari", "--to"):
            from experiments.records.minari_export import export_to_minari
        export_to_minari(records, to)
        if not policies:
            return
    with require_extra("data", "ope"):
        from experiments.off_policy.evaluation import evaluate_off_policy
    if figure is not None:
        with require_extra("report", "--figure"):
            from experiments.comparison.figure import check_file
            from experiments.off_policy.overlap_figure import write_overlap_figure
        check_file(figure)
    result = evaluate_off_policy(
        records,
        policies or [],
        credit_s=None if credit_min is None else 60.0 * credit_min,
        half_life_s=None if half_life_h is None else 3600.0 * half_life_h,
    )
    result.show()
    if json_file is not None:
        write_result(json_file, result.as_json())
    if figure is not None:
        write_overlap_figure(result, figure)
