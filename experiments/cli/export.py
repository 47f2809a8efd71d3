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
    ship: Annotated[
        bool,
        typer.Option(
            "--ship",
            help="Instead write the policy of a tested policy search, and a card, to agents/pretrained: the policy "
            "`pretrained` of its scenario.",
        ),
    ] = False,
) -> None:
    """Write the policy of a run as one ONNX file, and check that the file acts as the network does."""
    require_folders(out=out)
    if ship:
        _ship(run_folder, out)
        return
    from experiments.training.export import export_run

    file, parity = export_run(run_folder, out)
    typer.echo(f"{file}: {parity}")


def _ship(run_folder: Path, out: Path | None) -> None:
    from envs.configuration.document import shown_path
    from envs.errors import ConfigurationError
    from experiments.extras import require_extra

    if out is not None:
        raise ConfigurationError("--ship: must stand without --out; the place is that of the scenario")
    with require_extra("train", "blended export --ship"):
        from experiments.training.pretrained import ship_run

    for file in ship_run(run_folder):
        typer.echo(f"Shipped: {shown_path(file)}")
