"""`blended validate`.

Room: `experiments.cli`. A thin shell over `experiments.validation.validate`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli.options import (
    JsonFile,
    ThreadsOrAll,
    ValidationTier,
    require_folders,
    write_result,
)


def validate(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Names in configs/validation or files; default: all of them."),
    ] = None,
    tier: Annotated[
        ValidationTier, typer.Option(help="fast checks what a minute or two can tell; full every known value.")
    ] = ValidationTier.fast,
    models: Annotated[
        list[str] | None, typer.Option("--model", metavar="NAME", help="Only this model; may be given again.")
    ] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Print the SHA-256 of a million decisions instead; it depends on no option.")
    ] = False,
    threads: ThreadsOrAll = None,
    batch: Annotated[int, typer.Option(min=1, max=4096, help="Episodes side by side in a trace.")] = 64,
    json_file: JsonFile = None,
) -> None:
    """Simulate models with a known answer, and check the simulator against it; exit code 1 if anything fails."""
    require_folders(json=json_file)
    from experiments.processors import usable_cpus

    threads = threads or usable_cpus()
    if trace:
        if files or models:
            from envs.errors import ConfigurationError

            raise ConfigurationError("--trace: must stand without FILE and --model, since it plays no validation model")
        from experiments.validation.validate import run_trace

        found = run_trace(threads=threads, batch=batch)
        typer.echo(f"{found.sha256}  {found.decisions} decisions, {found.scenario}, {found.policy}, seed {found.seed}")
        if json_file is not None:
            write_result(json_file, found._asdict())
        return
    from experiments.validation.validate import describe_results, passed, show
    from experiments.validation.validate import validate as run

    results = run(files or (), tier=tier.value, models=models or (), threads=threads)
    show(results)
    if json_file is not None:
        write_result(json_file, describe_results(results))
    if not passed(results):
        raise typer.Exit(code=1)
