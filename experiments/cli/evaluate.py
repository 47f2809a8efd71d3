"""`blended evaluate`.

Room: `experiments.cli`. A thin shell over `experiments.comparison.evaluate`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli.options import (
    JsonFile,
    Mode,
    Overrides,
    RecordFolderPath,
    Threads,
    Trust,
    open_records,
    require_folders,
    stock_loader,
    write_result,
)


def evaluate(
    policy: Annotated[
        str,
        typer.Argument(
            help="A baseline's name, an exported FILE.onnx, module:Class, FILE.py:Class or, with --trust, sb3:FILE.zip."
        ),
    ],
    scenario: Annotated[str, typer.Option(help="A name or a file.")] = "bank",
    episodes: Annotated[int, typer.Option(help="Test episodes.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed, from which the test episodes follow.")] = 0,
    mode: Annotated[
        Mode | None, typer.Option(help="Default: what the exported file says, chosen on validation episodes.")
    ] = None,
    threads: Threads = 1,
    overrides: Overrides = None,
    json_file: JsonFile = None,
    record: RecordFolderPath = None,
    trust: Trust = False,
) -> None:
    """Play test episodes with one policy and show every metric with its interval; needs no training stack."""
    require_folders(json=json_file)
    records = open_records(record)
    from experiments.comparison.evaluate import evaluate as run
    from experiments.comparison.evaluate import show

    result = run(
        policy,
        scenario,
        overrides=tuple(overrides or ()),
        episodes=episodes,
        seed=seed,
        mode=None if mode is None else mode.value,
        threads=threads,
        records=records,
        load_stock=stock_loader(trust),
    )
    show(result)
    if json_file is not None:
        write_result(json_file, result)
