"""Speed and size, for `make bench`: a table, with `--json` a file too; with `--base` also another commit's, and ratios.

Room: `experiments.speed`. Prints, and writes the file it is asked for. Figures of different machines and days tell
little about each other: those of one run do, taken in turns, each in a process of its own.
"""

import argparse
import io
import math
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from envs.configuration.document import REPOSITORY_FOLDER
from envs.errors import ConfigurationError
from experiments.run_folder import write_json
from experiments.speed.measures import MEASURES
from experiments.texts import digits_text

SCRIPT = Path(__file__).with_name("measures.py")
ROUNDS = 3
"""How often each figure is taken; the table has the median."""
ONCE = ("cold_start_s",)
"""Figures that take minutes, and are taken once."""


def installed_keys() -> list[str]:
    """Return the keys of all figures but those of libraries that are not installed."""
    return [key for key, each in MEASURES.items() if not each.library or find_spec(each.library) is not None]


def measure(key: str, root: Path) -> float:
    """Return the figure `key` of the code below `root`; NaN if that cannot tell, whose error is then on stderr."""
    environment = os.environ | {"PYTHONPATH": str(root), "NUMBA_NUM_THREADS": str(max(2, os.cpu_count() or 1))}
    command = [sys.executable, str(SCRIPT), key]
    run = subprocess.run(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    return float(run.stdout.splitlines()[-1]) if run.returncode == 0 else math.nan


def compare(keys: list[str], base: Path | None, console: Console) -> dict[str, dict[str, float]]:
    """Return the figures of this code, those of the code below `base`, and their ratios, each by key; `base` and here
    take turns. What one of them cannot tell is left out."""
    figures: dict[str, dict[str, float]] = {"figures": {}}
    if base is not None:
        figures |= {"base": {}, "ratios": {}}
    for key in keys:
        console.print(f"{key} …", highlight=False)
        here, there = [], []
        for _ in range(1 if key in ONCE else ROUNDS):
            if base is not None and not MEASURES[key].library:
                there.append(measure(key, base))
            here.append(measure(key, REPOSITORY_FOLDER))
        found = {"figures": statistics.median(here)}
        if there:
            found |= {"base": statistics.median(there), "ratios": statistics.median(here) / statistics.median(there)}
        for part, figure in found.items():
            if not math.isnan(figure):
                figures[part][key] = figure
    return figures


def show(figures: dict[str, dict[str, float]], console: Console) -> None:
    """Print the figures as a table."""
    table = Table(title="speed and size, medians; ratios: here / base")
    for column in ("figure", *figures, "unit"):
        table.add_column(column, justify="left" if column in ("figure", "unit") else "right")
    for key, measured in MEASURES.items():
        if any(key in part for part in figures.values()):
            table.add_row(measured.meaning, *(digits_text(part.get(key)) for part in figures.values()), measured.unit)
    console.print(table)


def check_out(commit: str, folder: Path) -> None:
    """Write the files of `commit` below `folder`; raises `ConfigurationError` if git knows no such commit."""
    command = ["git", "archive", commit]
    run = subprocess.run(command, cwd=REPOSITORY_FOLDER, check=False, capture_output=True)
    if run.returncode != 0:
        said = run.stderr.decode(errors="replace").strip().splitlines()
        raise ConfigurationError(
            f"--base {commit}: must be a commit of this repository ({said[-1] if said else 'git'})"
        )
    with tarfile.open(fileobj=io.BytesIO(run.stdout)) as files:
        files.extractall(folder, filter="data")


def main() -> None:
    """Measure, print, and write the file that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m experiments.speed", description=__doc__)
    parser.add_argument("--base", metavar="COMMIT", help="measure that commit beside this code, in turns")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write figures and ratios by key")
    parser.add_argument("--keys", metavar="KEY", nargs="+", choices=list(MEASURES), default=installed_keys())
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        base = None
        if arguments.base:
            base = Path(folder)
            try:
                check_out(arguments.base, base)
            except ConfigurationError as error:
                parser.error(str(error))
        figures = compare(arguments.keys, base, console)
    show(figures, console)
    if arguments.json is not None:
        write_json(arguments.json, figures)


if __name__ == "__main__":
    main()
