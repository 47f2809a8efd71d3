"""`blended benchmark`.

Room: `experiments.cli`. A thin shell over `experiments.comparison.benchmark`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import (
    CsvFile,
    JsonFile,
    Overrides,
    RecordFolderPath,
    open_records,
    require_folders,
)


def benchmark(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCENARIO]...", help="Names or files; default: bank.", show_default=False),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(help="A name in configs/benchmarks or a file; the other options change what it says."),
    ] = None,
    suite: Annotated[
        bool, typer.Option("--suite", help="The benchmark suite: the scenarios of configs/benchmarks/suite.yaml.")
    ] = False,
    policies: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Baselines, exported FILE.onnx and module:Class, each perhaps with a name before it, as in "
            "mine=FILE.onnx; default: every baseline that fits the scenario.",
        ),
    ] = None,
    episodes: Annotated[int | None, typer.Option(help="Test episodes; default: 64.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed, from which the test episodes follow; default: 0.")] = None,
    reference: Annotated[
        str | None,
        typer.Option(help="Whom the tables compare with the others; default: learned, or best_tuned, or the first."),
    ] = None,
    tuned: Annotated[
        bool | None,
        typer.Option(
            "--tuned/--no-tuned",
            help="With the tuned rules of each scenario, and the best of them on validation episodes; default: as the "
            "benchmark file says.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads, on which no result depends; default: 1, with --suite one for each CPU.",
            show_default=False,
        ),
    ] = None,
    bound: Annotated[
        int | None,
        typer.Option(min=0, help="Test episodes on which a lower bound of the cost is computed; default: 4; 0: none."),
    ] = None,
    overrides: Overrides = None,
    json_file: JsonFile = None,
    csv_file: CsvFile = None,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw costs with intervals to FILE.svg, .png or .pdf.", dir_okay=False),
    ] = None,
    record: RecordFolderPath = None,
) -> None:
    """Play the same episodes with several policies, and compare their costs and service with intervals."""
    require_folders(json=json_file, csv=csv_file, figure=figure)
    from envs.errors import ConfigurationError

    if suite and (scenarios or config is not None):
        raise ConfigurationError("--suite: must stand without SCENARIO and --config, since it names its scenarios")
    if figure is not None:
        from experiments.extras import require_extra

        with require_extra("report", "--figure"):
            from experiments.comparison.figure import check_file, write_figure
        check_file(figure)
    records = open_records(record)
    from experiments.comparison.benchmark import benchmark as run
    from experiments.comparison.benchmark import load_benchmark
    from experiments.processors import usable_cpus

    result = run(
        load_benchmark(
            "suite" if suite else config,
            scenarios=scenarios,
            overrides=overrides,
            policies=None if policies is None else policies.split(","),
            episodes=episodes,
            seed=seed,
            reference=reference,
            tuned=tuned,
            bound=bound,
        ),
        threads=threads or (usable_cpus() if suite else 1),
        records=records,
    )
    result.show()
    if json_file is not None:
        result.write_json(json_file)
    if csv_file is not None:
        result.write_csv(csv_file)
    if figure is not None:
        write_figure(result.as_json(), figure)
