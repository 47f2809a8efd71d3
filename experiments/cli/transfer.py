"""`blended transfer`.

Room: `experiments.cli`. A thin shell over `experiments.transfer.transfer`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli.options import CsvFile, JsonFile, Overrides, Threads, require_folders, split_list, write_result


def transfer(
    scenario: Annotated[str, typer.Argument(help="A name in configs/scenarios or a file.")],
    policies: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="What --policies of benchmark understands, the first compared with the others; default: "
            "pretrained,best_tuned,fifo.",
        ),
    ] = None,
    moves: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...", help="Of at_home, half_size, double_size, more_load, other_day; default: all of them."
        ),
    ] = None,
    episodes: Annotated[int, typer.Option(help="Test episodes in each center.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed, from which all episodes follow.")] = 0,
    retune: Annotated[
        int,
        typer.Option(metavar="TRIALS", help="Tune the scenario's rules anew in each center, so many trials of each."),
    ] = 0,
    threads: Threads = 1,
    overrides: Overrides = None,
    json_file: JsonFile = None,
    csv_file: CsvFile = None,
) -> None:
    """Play policies as they are in centers of another size, load and day, against rules that move too or are tuned
    there."""
    require_folders(json=json_file, csv=csv_file)
    from envs.scenario.scenario import load_scenario
    from experiments.transfer.moves import choose_moves
    from experiments.transfer.transfer import DEFAULT_POLICIES
    from experiments.transfer.transfer import transfer as run

    result = run(
        load_scenario(scenario, tuple(overrides or ())),
        DEFAULT_POLICIES if policies is None else split_list(policies),
        moves=choose_moves(None if moves is None else split_list(moves)),
        episodes=episodes,
        seed=seed,
        retune=retune,
        threads=threads,
    )
    result.show()
    if json_file is not None:
        write_result(json_file, result.as_json())
    if csv_file is not None:
        result.benchmark.write_csv(csv_file)
