"""`blended replay`.

Room: `experiments.cli`. A thin shell over `experiments.replay.replay`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import JsonFile, Overrides, require_folders, split_list, write_result


def replay(
    log: Annotated[Path, typer.Argument(help="The log: CSV, or compressed CSV.", dir_okay=False)],
    mapping: Annotated[str, typer.Option(help="Which column is what: a name in configs/mappings, or a file.")],
    scenario: Annotated[str, typer.Option(help="A name or a file: what the log does not tell.")],
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
    from experiments.calibration.logs.log_file import read_log
    from experiments.calibration.logs.mapping import load_mapping
    from experiments.progress import episode_progress
    from experiments.replay.replay import replay as run

    read = read_log(log, load_mapping(mapping))
    with episode_progress() as progress:
        task = progress.add_task("days", total=len(read.days))
        result = run(
            read,
            scenario,
            split_list(policies),
            overrides=tuple(overrides or ()),
            center_rule=center_rule,
            repetitions=repetitions,
            seed=seed,
            progress=lambda days: progress.advance(task, days),
        )
    result.show()
    if json_file is not None:
        write_result(json_file, result.as_json())
