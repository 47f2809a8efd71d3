"""`blended replay`.

Room: `experiments.cli`. A thin shell over `experiments.replay.replay`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.cli.options import JsonFile, Overrides, require_folders, split_list, write_result


def replay(
    log: Annotated[
        Path | None,
        typer.Argument(
            help="The log: CSV, or compressed CSV; without one, the recorded days of the scenario.",
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(help="Which column of LOG is what: a name in configs/mappings, or a file.", show_default=False),
    ] = None,
    scenario: Annotated[str, typer.Option(help="A name or a file: what the log does not tell.")] = "bank",
    policies: Annotated[str, typer.Option(help="Policies, with commas between them.")] = "fifo",
    center_rule: Annotated[
        str | None,
        typer.Option(help="The center's own rule, as a policy. Default: longest wait first, with the log's credit."),
    ] = None,
    repetitions: Annotated[int, typer.Option(min=1, max=1000, help="How often each day is played.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of what the log does not tell.")] = 0,
    overrides: Overrides = None,
    json_file: JsonFile = None,
) -> None:
    """Play the recorded days of a log by the center's own rule and by policies, against what the center did."""
    require_folders(json=json_file)
    from envs.errors import ConfigurationError
    from experiments.calibration.logs.log_file import read_log
    from experiments.calibration.logs.mapping import load_mapping
    from experiments.progress import episode_progress
    from experiments.replay.replay import replay as run
    from experiments.replay.replay import replay_recorded

    if (log is None) != (mapping is None):
        raise ConfigurationError("LOG and --mapping: must stand together, or neither for the scenario's recorded days")
    read = None if log is None or mapping is None else read_log(log, load_mapping(mapping))
    with episode_progress() as progress:
        task = progress.add_task("days", total=None if read is None else len(read.days))
        chosen = split_list(policies)
        settings: dict[str, Any] = {
            "overrides": tuple(overrides or ()),
            "center_rule": center_rule,
            "repetitions": repetitions,
            "seed": seed,
            "progress": lambda days: progress.advance(task, days),
        }
        if read is None:
            result = replay_recorded(scenario, chosen, **settings)
        else:
            result = run(read, scenario, chosen, **settings)
    result.show()
    if json_file is not None:
        write_result(json_file, result.as_json())
