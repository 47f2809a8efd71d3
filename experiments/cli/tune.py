"""`blended tune`.

Room: `experiments.cli`. A thin shell over `experiments.tuning.tune`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import (
    JsonFile,
    Overrides,
    RunsFolder,
    Scenarios,
    ThreadsOrAll,
    refuse_beside_suite,
    require_folders,
    write_result,
)

TuningName = Annotated[
    str | None, typer.Option(help="A name in configs/tuning or a file; the other options change what it says.")
]
Suite = Annotated[bool, typer.Option("--suite", help="In the scenarios of configs/benchmarks/suite.yaml.")]
Rules = Annotated[
    list[str] | None,
    typer.Option(
        "--rule",
        metavar="NAME|FILE.yaml",
        help="A rule by its name or a policy file; may be given again; default: every rule that makes sense.",
        show_default=False,
    ),
]
Seed = Annotated[
    int | None, typer.Option(help="Seed, from which training, validation and test episodes follow; default: 0.")
]
Trials = Annotated[int | None, typer.Option(help="Trials of each rule; default: 120.")]
Episodes = Annotated[int | None, typer.Option(help="Training episodes of a trial; default: 32.")]
Minutes = Annotated[float | None, typer.Option(help="Time limit of each rule and scenario; default: 10.")]
RunName = Annotated[
    str | None, typer.Option(help="Of the run folder; default: date, time and seed.", show_default=False)
]
ResumedFolder = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Go on with the tuning of this run folder; takes --trials and --minutes."),
]
Ship = Annotated[
    bool, typer.Option("--ship", help="Also write the tuned rules to configs/benchmarks/tuned, for --tuned.")
]
Published = Annotated[
    bool | None,
    typer.Option(
        "--published",
        help="Without the parts that are this project's own; --ship then writes to configs/benchmarks/published.",
        show_default=False,
    ),
]


def tune(
    scenarios: Scenarios = None,
    config: TuningName = None,
    suite: Suite = False,
    rules: Rules = None,
    seed: Seed = None,
    trials: Trials = None,
    episodes: Episodes = None,
    minutes: Minutes = None,
    published: Published = None,
    name: RunName = None,
    resume: ResumedFolder = None,
    ship: Ship = False,
    runs: RunsFolder = Path("runs"),
    threads: ThreadsOrAll = None,
    overrides: Overrides = None,
    json_file: JsonFile = None,
) -> None:
    """Tune the free parameters of rules on training episodes, and test them against their defaults."""
    require_folders(json=json_file)
    refuse_beside_suite(suite, scenarios, config)
    stated = {"rules": rules, "published": published, "seed": seed, "episodes": episodes, "overrides": overrides}
    if resume is not None:
        _refuse_beside_resume(scenarios, config, suite or None, name, *stated.values())
    from experiments.extras import require_extra
    from experiments.processors import usable_cpus

    with require_extra("tune", "blended tune"):
        from experiments.tuning.tune import resume as go_on
        from experiments.tuning.tune import tune as run
        from experiments.tuning.tuning_result import describe_result
        from experiments.tuning.tuning_tables import show
    threads = threads or usable_cpus()
    if resume is not None:
        result = go_on(resume, trials=trials, minutes=minutes, threads=threads, ships=ship)
    else:
        from experiments.tuning.tuning_config import load_tuning

        chosen = _suite_scenarios() if suite else scenarios
        loaded = load_tuning(config, scenarios=chosen, trials=trials, minutes=minutes, **stated)
        result = run(loaded, runs_folder=runs, name=name, threads=threads, ships=ship)
    show(result)
    for found in result.scenarios.values():
        for rule in found:
            typer.echo(f"Policy: {rule.policy_file}")
    if json_file is not None:
        write_result(json_file, describe_result(result))


def _refuse_beside_resume(*options: object) -> None:
    """Refuse options that the run folder states, which goes on as it began."""
    if any(option is not None for option in options):
        from envs.errors import ConfigurationError

        raise ConfigurationError("--resume: must stand without what its run folder states; --trials and --minutes may")


def _suite_scenarios() -> list[str]:
    """Return the names of the scenarios of the benchmark suite."""
    from experiments.comparison.benchmark import load_benchmark

    return list(load_benchmark("suite").scenarios)
