"""Run folders: `runs/<experiment>/<run>/` with the resolved configuration, command, versions and results.

Room: `experiments`. Touches files below `runs/`.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from envs.errors import ConfigurationError
from experiments.provenance import collect_provenance


def create_run_folder(parent: Path, experiment: str, seed: int) -> Path:
    """Create and return a new folder `<parent>/<experiment>/<date and time>-seed<seed>`."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    for attempt in range(100):
        suffix = f"-{attempt}" if attempt else ""
        folder = parent / experiment / f"{stamp}-seed{seed}{suffix}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigurationError(f"{folder}: cannot be created ({error.strerror})") from error
        return folder
    raise ConfigurationError(f"{parent / experiment}: a hundred runs started within this second")


def write_yaml(file: Path, model: BaseModel) -> None:
    """Write a checked configuration so that it can be read again."""
    data = model.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")


def write_json(file: Path, data: Mapping[str, Any]) -> None:
    """Write plain data."""
    file.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def write_provenance(folder: Path, seed: int) -> None:
    """Write the command, versions, date and commit of a run."""
    write_json(folder / "provenance.json", collect_provenance(seed))
