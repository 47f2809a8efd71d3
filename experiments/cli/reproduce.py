"""`blended reproduce`.

Room: `experiments.cli`. A thin shell over `experiments.training.reproduction`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import RunsFolder, TrainingOverrides


def reproduce(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SCENARIO]...", help="Names; default: those of the benchmark suite.", show_default=False
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Trainings of each: seeds 0, 1, and so on.")] = 5,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    ship: Annotated[
        bool,
        typer.Option("--ship", help="Ship of each scenario the policy that costs least on validation episodes."),
    ] = False,
    runs: RunsFolder = Path("runs"),
    overrides: TrainingOverrides = None,
) -> None:
    """Train with several seeds what is not trained yet, and compare with the tuned rules over all seeds."""
    from experiments.extras import require_extra

    with require_extra("train", "blended reproduce"):
        from experiments.training.pretrained import ship_run
        from experiments.training.reproduction import choose_run, require_shippable
        from experiments.training.reproduction import reproduce as run
    from envs.configuration.document import shown_path
    from envs.scenario.scenario import load_scenario
    from experiments.comparison.benchmark import load_benchmark

    names = scenarios or list(load_benchmark("suite").scenarios)
    stated = tuple(overrides or ())
    if ship:
        require_shippable(names, stated)
    found = run(names, range(seeds), runs_folder=runs, device=device, overrides=stated)
    found.show()
    for name in found.scenarios() if ship else ():
        for file in ship_run(choose_run(found.of(name), load_scenario(name)).folder):
            typer.echo(f"Shipped: {shown_path(file)}")
