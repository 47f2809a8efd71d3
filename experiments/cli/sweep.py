"""`blended sweep`.

Room: `experiments.cli`. A thin shell over `experiments.sweeps.sweep`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.options import JsonFile, RunsFolder, require_folders, write_result

if TYPE_CHECKING:
    from experiments.sweeps.sweep import Engine
    from experiments.sweeps.sweep_config import SweepConfig


def sweep(
    config: Annotated[str, typer.Argument(help="A sweep: a name in configs/sweeps, or a file.")],
    name: Annotated[
        str | None, typer.Option(help="Of the folder; default: the name of the file.", show_default=False)
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="By processes of this machine, also where Ray is installed.")
    ] = False,
    address: Annotated[
        str | None, typer.Option(help="On the Ray cluster at this address, as HOST:PORT or auto.", show_default=False)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000,
            help="Trials at a time; default: all processors / threads of a trial.",
            show_default=False,
        ),
    ] = None,
    runs: RunsFolder = Path("runs"),
    json_file: JsonFile = None,
) -> None:
    """Train scenarios by algorithms with several seeds, side by side; the same command again goes on."""
    require_folders(json=json_file)
    from experiments.sweeps.sweep import sweep as run
    from experiments.sweeps.sweep_config import load_sweep
    from experiments.sweeps.trial import data_of_trials, reads, resolve_trial, train_trial

    loaded = load_sweep(config)
    engine = _engine(loaded, local, address, workers)
    result = run(
        loaded,
        name=name or Path(config).stem,
        engine=engine,
        train=train_trial,
        resolve=resolve_trial,
        data_of=data_of_trials,
        reads=reads,
        runs_folder=runs,
    )
    result.show()
    if json_file is not None:
        write_result(json_file, result.as_json())
    _write_curves(runs / (name or Path(config).stem))
    if result.failed():
        raise typer.Exit(code=1)


def _write_curves(folder: Path) -> None:
    """Write mean, low and high of each method over its seeds for TensorBoard, if finished trials had a test; what was
    there before is gone. Trainings that cannot be compared are no failure of the sweep: why is said, and no more."""
    import shutil

    from agents.run_files import BENCHMARK_JSON_FILE, TENSORBOARD_FOLDER
    from envs.errors import ConfigurationError
    from experiments.console import message_console

    shutil.rmtree(folder / TENSORBOARD_FOLDER, ignore_errors=True)  # methods have other names once more values vary
    if not list(folder.glob(f"*/{BENCHMARK_JSON_FILE}")):
        return
    from experiments.learning_curves.curve_events import write_curve_events
    from experiments.learning_curves.training_comparison import compare_trainings

    try:
        write_curve_events(compare_trainings([folder], finished_only=True).groups, folder / TENSORBOARD_FOLDER)
    except ConfigurationError as error:
        message_console().print(f"No curves for TensorBoard: {error}", highlight=False, soft_wrap=True)


def _engine(config: SweepConfig, local: bool, address: str | None, workers: int | None) -> Engine:
    """Return what runs the trials: Ray where it is installed or asked for, else processes of this machine."""
    from functools import partial
    from importlib.util import find_spec

    from envs.errors import ConfigurationError
    from experiments.extras import require_extra
    from experiments.processors import usable_cpus
    from experiments.sweeps.local_engine import run_locally

    if local and address is not None:
        raise ConfigurationError(f"--local: must stand without --address {address}")
    if local or (address is None and find_spec("ray") is None):
        workers = workers or max(1, usable_cpus() // config.threads)
        return partial(run_locally, workers=workers, retries=config.retries)
    with require_extra("sweep", "blended sweep --address"):
        from experiments.sweeps.ray_engine import run_on_ray
    return partial(run_on_ray, address=address, workers=workers, threads=config.threads, retries=config.retries)
