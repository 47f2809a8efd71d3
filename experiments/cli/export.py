"""`blended export`.

Room: `experiments.cli`. A thin shell over `experiments.training.export`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import require_folders


def export(
    run_folder: Annotated[Path, typer.Argument(help="The folder of a training run.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Default: policy.onnx in the run's folder.", dir_okay=False),
    ] = None,
) -> None:
    """Write the policy of a run as one ONNX file, and check that the file acts as the network does."""
    require_folders(out=out)
    from experiments.training.export import export_run

    file, parity = export_run(run_folder, out)
    typer.echo(f"{file}: {parity}")
