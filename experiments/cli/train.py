"""`blended train`.

Room: `experiments.cli`. A thin shell over `experiments.training.train`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import (
    JsonFile,
    TrainingOverrides,
    require_folders,
    write_result,
)


def train(
    config: Annotated[
        str | None, typer.Argument(help="A training or a scenario: a name in configs/, or a file. [default: bank]")
    ] = None,
    algorithm: Annotated[
        str | None, typer.Option(help="Learn by this one instead of the training's own; --list shows them.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed, from which training, validation and test episodes follow.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Decisions to train on, of an algorithm with gradients.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    runs: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where run folders are made. [default: runs]")
    ] = None,
    overrides: TrainingOverrides = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Go on with the run in this folder, which died.")
    ] = None,
    is_list: Annotated[bool, typer.Option("--list", help="Show the trainings and algorithms, and end.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Train a policy, choose it on validation episodes, export it, and test it against the baselines."""
    if is_list:
        from experiments.training.list_trainings import show_trainings

        show_trainings()
        return
    require_folders(json=json_file)
    from experiments.extras import require_extra

    with require_extra("train", "blended train"):
        from experiments.training.next_steps import next_steps
        from experiments.training.train import describe_result, read_run_training
        from experiments.training.train import resume as go_on
        from experiments.training.train import train as run
    from experiments.training.training_config import load_training

    if resume is None:
        name = config or "bank"
        loaded = load_training(name, tuple(overrides or ()), algorithm=algorithm, seed=seed, steps=steps)
        result = run(loaded, experiment=Path(name).stem, runs_folder=runs or "runs", device=device)
    else:
        if any(stated is not None for stated in (config, algorithm, seed, steps, overrides, runs)):
            from envs.errors import ConfigurationError

            raise ConfigurationError("--resume: must stand alone: what is trained, and how, is in the run's folder")
        loaded = read_run_training(resume)
        result = go_on(resume, device=device)
    if result.benchmark is not None:
        result.benchmark.show()
    if json_file is not None:
        write_result(json_file, describe_result(result))
    typer.echo("\n".join(next_steps(result, loaded)))
