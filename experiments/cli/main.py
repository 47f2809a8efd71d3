"""The command line `blended`: one thin function per command, over a Python function that a notebook can call.

Room: `experiments.cli`. Touches the commands and the exit code. Nothing heavy is imported above the functions of this
room: numba and torch take seconds, and `--help` has to answer at once. So each command imports what it runs.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from experiments.cli.benchmark import benchmark
from experiments.cli.calibrate import calibrate
from experiments.cli.certify import certify
from experiments.cli.compare import compare
from experiments.cli.describe import describe
from experiments.cli.doctor import doctor
from experiments.cli.evaluate import evaluate
from experiments.cli.export import export
from experiments.cli.ope import ope
from experiments.cli.replay import replay
from experiments.cli.reproduce import reproduce
from experiments.cli.sweep import sweep
from experiments.cli.train import train
from experiments.cli.transfer import transfer
from experiments.cli.tune import tune
from experiments.cli.validate import validate

COMMANDS = (
    doctor,
    describe,
    benchmark,
    tune,
    evaluate,
    validate,
    certify,
    ope,
    export,
    train,
    reproduce,
    sweep,
    compare,
    transfer,
    replay,
    calibrate,
)
"""Every command, in the order of `blended --help`."""

app = typer.Typer(
    name="blended",
    help="Train, compare and export routing policies for a blended contact center.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # A traceback is for a mistake of ours, and then the plain one is the one to report.
    pretty_exceptions_enable=False,
)
for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run the command line; a mistake of the user ends in one message and exit code 2."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)  # what a shell reports for a process that was interrupted
    except OSError as error:
        if error.filename is None:  # not of a file, so none that the user named
            raise
        name = str(error.filename)
        print(f"error: {name if len(name) < 200 else f'{name[:200]}…'}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        from envs.errors import ConfigurationError

        if not isinstance(error, ConfigurationError):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"blended-routing {version('blended-routing')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that come before a command; refuse to go on where another package hides one of ours, but for the
    doctor, who says so among the rest."""
    if context.invoked_subcommand == "doctor":
        return
    from experiments.doctor import find_clashes

    clashes = find_clashes()
    if clashes:
        print(f"error: {clashes[0]}", file=sys.stderr)
        raise typer.Exit(code=2)


if __name__ == "__main__":
    main()
