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
    json_file: JsonFile = None,
) -> None:
    """Show a scenario in words and tables: offered load against staffing, actions, observation, warnings."""
    require_folders(json=json_file)
    from dataclasses import asdict

    from envs.scenario.scenario import load_scenario
    from experiments.description.describe import describe as run
    from experiments.description.description_tables import show

    description = run(load_scenario(scenario, tuple(overrides or ())))
    show(description)
    if json_file is not None:
        write_result(json_file, asdict(description))
