"""The command line `blended`: one thin function per command, over a Python function that a notebook can call.

Room: `experiments`. Nothing heavy is imported above the functions: numba and torch take seconds, and `--help`
has to answer at once. So each command imports what it runs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="blended",
    help="Train, compare and export routing policies for a blended contact center.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # A traceback is for a mistake of ours, and then the plain one is the one to report.
    pretty_exceptions_enable=False,
)

JsonFile = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the result to FILE as JSON as well.", dir_okay=False),
]


def main() -> None:
    """Run the command line; a mistake of the user ends in one message and exit code 2."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)  # what a shell reports for a process that was interrupted
    except Exception as error:
        from envs.errors import ConfigurationError

        if not isinstance(error, ConfigurationError):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def write_result(file: Path, result: Mapping[str, Any]) -> None:
    """Write a command's result as JSON; the file's folder must exist."""
    from envs.errors import ConfigurationError

    try:
        file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--json {file}: cannot be written ({error.strerror})") from error


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"blended-routing {version('blended-routing')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that come before a command."""


@app.command()
def doctor(json_file: JsonFile = None) -> None:
    """Show versions, what is missing, the device for training and why, threads and the numba cache."""
    from experiments.doctor import examine, show

    findings = examine()
    show(findings)
    if json_file is not None:
        write_result(json_file, findings)
    if findings["missing"]["core"]:
        raise typer.Exit(code=1)
