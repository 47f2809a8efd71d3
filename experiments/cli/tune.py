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
    require_folders,
    write_result,
)


def tune(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCENARIO]...", help="Names or files; default: bank.", show_default=False),
    ] = None,
    config: Annotated[
        str | None, typer.Option(help="A name in configs/tuning or a file; the other options change what it says.")
    ] = None,
    suite: Annotated[bool, typer.Option("--suite", help="In the scenarios of configs/benchmarks/suite.yaml.")] = False,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="NAME|FILE.yaml",
            help="A rule by its name or a policy file; may be given again; default: every rule that makes sense.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed, from which training, validation and test episodes follow; default: 0.")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Trials of each rule; default: 120.")] = None,
    episodes: Annotated[int | None, typer.Option(help="Training episodes of a trial; default: 32.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Time limit of each rule and scenario; default: 10.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the run folder; default: date, time and seed.", show_default=False)
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Go on with the tuning of this run folder; takes --trials and --minutes."),
    ] = None,
    ship: Annotated[
        bool, typer.Option("--ship", help="Also write the tuned rules to configs/benchmarks/tuned, for --tuned.")
    ] = False,
    runs: Annotated[Path, typer.Option(metavar="FOLDER", help="Where run folders are made.")] = Path("runs"),
    threads: Annotated[
        int | None, typer.Option(min=1, help="Default: one for each CPU; no result depends on it.", show_default=False)
    ] = None,
    overrides: Overrides = None,
    json_file: JsonFile = None,
) -> None:
    """Tune the free parameters of rules on training episodes, and test them against their defaults."""
    require_folders(json=json_file)
    from envs.errors import ConfigurationError

    if suite and (scenarios or config is not None):
        raise ConfigurationError("--suite: must stand without SCENARIO and --config, since it names its scenarios")
    own = (scenarios, config, suite or None, rules, seed, episodes, name, overrides)
    if resume is not None and any(value is not None for value in own):
        raise ConfigurationError("--resume: must stand without what its run folder states; --trials and --minutes may")
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

        if suite:
            from experiments.comparison.benchmark import load_benchmark

            scenarios = list(load_benchmark("suite").scenarios)
        loaded = load_tuning(
            config,
            scenarios=scenarios,
            overrides=overrides,
            rules=rules,
            seed=seed,
            trials=trials,
            episodes=episodes,
            minutes=minutes,
        )
        result = run(loaded, runs_folder=runs, name=name, threads=threads, ships=ship)
    show(result)
    for found in result.scenarios.values():
        for rule in found:
            typer.echo(f"Policy: {rule.policy_file}")
    if json_file is not None:
        write_result(json_file, describe_result(result))
