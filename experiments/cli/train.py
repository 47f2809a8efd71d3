"""`blended train`.

Room: `experiments.cli`. A thin shell over `experiments.training.train`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import (
    JsonFile,
    RunsFolder,
    TrainingOverrides,
    require_folders,
    write_result,
)


def train(
    config: Annotated[str, typer.Argument(help="A training or a scenario: a name in configs/, or a file.")] = "bank",
    seed: Annotated[
        int | None, typer.Option(help="Seed, from which training, validation and test episodes follow.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Decisions to train on.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    runs: RunsFolder = Path("runs"),
    overrides: TrainingOverrides = None,
    json_file: JsonFile = None,
) -> None:
    """Train a policy, choose it on validation episodes, export it, and test it against the baselines."""
    require_folders(json=json_file)
    from experiments.extras import require_extra

    with require_extra("train", "blended train"):
        from experiments.training.next_steps import next_steps
        from experiments.training.train import describe_result
        from experiments.training.train import train as run
    from experiments.training.training_config import load_training

    loaded = load_training(config, tuple(overrides or ()), seed=seed, steps=steps)
    result = run(loaded, experiment=Path(config).stem, runs_folder=runs, device=device)
    if result.benchmark is not None:
        result.benchmark.show()
    if json_file is not None:
        write_result(json_file, describe_result(result))
    typer.echo("\n".join(next_steps(result, loaded)))
