"""What the commands share: options with one meaning everywhere, and the writing of results.

Room: `experiments.cli`. Touches typer, and the files that the user names.

Nothing heavy is imported above the functions: numba and torch take seconds, and `--help` has to answer at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.processors import MOST_THREADS

if TYPE_CHECKING:
    from agents.catalog import StockLoader
    from agents.policy import Policy
    from envs.scenario.scenario import Scenario
    from experiments.records.recorder import RecordFolder


Scenarios = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SCENARIO]...", help="Names or files; default: bank.", show_default=False),
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the result to FILE as JSON as well.", dir_okay=False),
]
CsvFile = Annotated[
    Path | None,
    typer.Option("--csv", metavar="FILE", help="Write one row per episode to FILE.", dir_okay=False),
]
RecordFolderPath = Annotated[
    Path | None,
    typer.Option("--record", metavar="DIR", help="Write every contact and decision to DIR as Parquet; it must be new."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the scenario, as in horizon.days=1."),
]
TrainingOverrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the training, as in ppo.learning_rate=5e-4."),
]
RunsFolder = Annotated[Path, typer.Option("--runs", metavar="FOLDER", help="Where run folders are made.")]
Threads = Annotated[int, typer.Option(min=1, max=MOST_THREADS, help="Threads of numba and of onnxruntime.")]
ThreadsOrAll = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        max=MOST_THREADS,
        help="Default: one for each CPU; no result depends on it.",
        show_default=False,
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Load models sb3:FILE.zip of Stable-Baselines3; doing so runs code that the file holds. Needs the extra "
        "train.",
    ),
]


class Mode(StrEnum):
    """How a policy with probabilities acts."""

    greedy = "greedy"
    sampled = "sampled"


class ValidationTier(StrEnum):
    """How long validation runs: a minute or two, or as long as every known value needs."""

    fast = "fast"
    full = "full"


def write_result(file: Path, result: Mapping[str, Any]) -> None:
    """Write a command's result as JSON; the file's folder must exist."""
    from experiments.run_folder import write_json, writing

    with writing(f"--json {file}"):
        write_json(file, result)


def split_list(text: str) -> list[str]:
    """Return the items of a list such as `A,B` or `A,"B, with a comma"`, as `experiments.texts.list_text` writes it."""
    import csv

    return next(csv.reader([text])) or [""]


def refuse_beside_suite(suite: bool, scenarios: list[str] | None, config: str | None) -> None:
    """Refuse scenarios and a configuration beside `--suite`, which names its own."""
    if suite and (scenarios or config is not None):
        from envs.errors import ConfigurationError

        raise ConfigurationError("--suite: must stand without SCENARIO and --config, since it names its scenarios")


def require_folders(**files: Path | None) -> None:
    """Refuse a file whose folder is missing before the work that it is to hold, not after."""
    from envs.errors import ConfigurationError

    for option, file in files.items():
        if file is not None and not file.parent.is_dir():
            raise ConfigurationError(f"--{option} {file}: cannot be written (no folder {file.parent})")


def open_records(folder: Path | None) -> RecordFolder | None:
    """Return where records are to go, if anywhere; refuses a folder that holds something already."""
    if folder is None:
        return None
    from experiments.extras import require_extra

    with require_extra("data", "--record"):
        from experiments.records.recorder import RecordFolder
    return RecordFolder(folder)


def stock_loader(trust: bool) -> StockLoader | None:
    """Return what loads models of Stable-Baselines3 if the user trusts their files, else None."""

    def load(file: Path, algorithm: str | None, scenario: Scenario) -> Policy:
        from experiments.extras import require_extra

        with require_extra("train", "--trust"):
            from agents.learning.sb3_policy import load_model
        return load_model(file, algorithm, scenario)

    return load if trust else None
