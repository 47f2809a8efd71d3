"""`blended describe`.

Room: `experiments.cli`. A thin shell over `experiments.description.describe`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli.options import (
    JsonFile,
    Overrides,
    require_folders,
    write_result,
)


def describe(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A name in configs/scenarios or a file.")],
    overrides: Overrides = None,
    full: Annotated[
        bool, typer.Option("--full", help="With hours, shifts, customers, clients, actions and observation.")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Show a scenario in short: channels, offered load against staffing, warnings; with --full in all its tables."""
    require_folders(json=json_file)
    from dataclasses import asdict

    from envs.scenario.scenario import load_scenario
    from experiments.description.describe import describe as run
    from experiments.description.description_tables import show, show_summary

    description = run(load_scenario(scenario, tuple(overrides or ())))
    (show if full else show_summary)(description)
    if json_file is not None:
        write_result(json_file, asdict(description))
