"""`blended doctor`.

Room: `experiments.cli`. A thin shell over `experiments.doctor`.
"""

from __future__ import annotations

import typer

from experiments.cli.options import (
    JsonFile,
    write_result,
)


def doctor(json_file: JsonFile = None) -> None:
    """Show versions, what is missing, the device for training and why, threads and the numba cache."""
    from experiments.doctor import examine, show

    findings = examine()
    show(findings)
    if findings["clashes"]:
        raise typer.Exit(code=1)  # nothing else can be imported, not even what writes JSON
    if json_file is not None:
        write_result(json_file, findings)
    if findings["missing"]["core"]:
        raise typer.Exit(code=1)
