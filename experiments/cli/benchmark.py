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
    Scenarios,
    ThreadsOrAll,
    Trust,
    open_records,
    refuse_beside_suite,
    require_folders,
    split_list,
    stock_loader,
)

BenchmarkName = Annotated[
    str | None,
    typer.Option(help="A name in configs/benchmarks or a file; the other options change what it says."),
]
Suite = Annotated[
    bool, typer.Option("--suite", help="The benchmark suite: the scenarios of configs/benchmarks/suite.yaml.")
]
Policies = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...",
        help="Rules, pretrained, best_tuned, best_published, FILE.onnx, module:Class, FILE.py:Class or, with --trust, "
        "sb3:FILE.zip, each perhaps with a name before it, as in mine=FILE.onnx, and in quotes if it has a comma; "
        "default: every baseline that fits the scenario.",
    ),
]
Episodes = Annotated[int | None, typer.Option(help="Test episodes; default: 64.")]
Seed = Annotated[int | None, typer.Option(help="Seed, from which the test episodes follow; default: 0.")]
Reference = Annotated[
    str | None,
    typer.Option(
        help="Whom the tables compare with the others; default: learned, pretrained, best_tuned, or the first."
    ),
]
Tuned = Annotated[
    bool | None,
    typer.Option(
        "--tuned/--no-tuned",
        help="With the tuned rules of each scenario, and the best of them on validation episodes; default: as the "
        "benchmark file says.",
        show_default=False,
    ),
]
Bound = Annotated[
    int | None,
    typer.Option(min=0, help="Test episodes on which a lower bound of the cost is computed; default: 4; 0: none."),
]
FigureFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Draw costs with intervals to FILE.svg, .png or .pdf.", dir_okay=False),
]


def benchmark(
    scenarios: Scenarios = None,
    config: BenchmarkName = None,
    suite: Suite = False,
    policies: Policies = None,
    episodes: Episodes = None,
    seed: Seed = None,
    reference: Reference = None,
    tuned: Tuned = None,
    threads: ThreadsOrAll = None,
    bound: Bound = None,
    overrides: Overrides = None,
    json_file: JsonFile = None,
    csv_file: CsvFile = None,
    figure: FigureFile = None,
    record: RecordFolderPath = None,
    trust: Trust = False,
) -> None:
    """Play the same episodes with several policies, and compare their costs and service with intervals."""
    require_folders(json=json_file, csv=csv_file, figure=figure)
    refuse_beside_suite(suite, scenarios, config)
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
            policies=None if policies is None else split_list(policies),
            episodes=episodes,
            seed=seed,
            reference=reference,
            tuned=tuned,
            bound=bound,
        ),
        threads=threads or usable_cpus(),
        records=records,
        load_stock=stock_loader(trust),
    )
    result.show()
    if json_file is not None:
        result.write_json(json_file)
    if csv_file is not None:
        result.write_csv(csv_file)
    if figure is not None:
        write_figure(result.as_json(), figure)
