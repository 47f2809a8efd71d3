"""`blended certify`.

Room: `experiments.cli`. A thin shell over `experiments.optimum.certify`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import (
    JsonFile,
    Overrides,
    require_folders,
    write_result,
)


def certify(
    scenario: Annotated[str, typer.Argument(help="A name in configs/scenarios or a file.")],
    policies: Annotated[
        list[str] | None,
        typer.Argument(metavar="[POLICY]...", help="What --policies of benchmark understands; default: the baselines."),
    ] = None,
    overrides: Overrides = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the optimal policy as a table that every command plays.", dir_okay=False
        ),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Solve a small Markovian scenario exactly, and measure policies by its optimum without any simulation."""
    require_folders(json=json_file, table=table)
    from experiments.optimum.certify import certify as run

    certificate = run(scenario, policies or (), overrides=tuple(overrides or ()))
    certificate.show()
    if table is not None:
        certificate.write_table(table)
    if json_file is not None:
        write_result(json_file, certificate.as_json())
