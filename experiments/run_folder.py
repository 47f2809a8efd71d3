"""Run folders: `runs/<experiment>/<run>/` with the resolved configuration, command, versions and results.

Room: `experiments`. Reads what is to be run from `configs/`; touches files below `runs/`, and those that its callers
name.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from agents.run_files import PROVENANCE_FILE
from agents.whole_file import write_whole
from envs.configuration.document import (
    Document,
    dump_yaml,
    find_config,
    load_yaml,
    validate,
)
from envs.configuration.path_keys import Locate, locate_paths
from envs.errors import ConfigurationError
from experiments.provenance import Data, collect_provenance, require_same_data

Config = TypeVar("Config", bound=BaseModel)

LONGEST_NAME = 200
"""Characters of a file's name, of which file systems allow 255; a longer one ends in a digest of what it stands for."""


def load_config(
    model: type[Config],
    root: str,
    folder: str,
    name_or_path: str | Path | None,
    changes: Mapping[str, Any],
    *,
    paths: Mapping[str, Locate],
    here: Path | None = None,
) -> Config:
    """Return the checked configuration of that name in `configs/<folder>/`, or of that file, as an instance of `model`;
    without a name every key has its default.

    `changes` that are not None replace values of keys before the check, in whose messages the first word of every path
    is `root`. At the keys `paths` relative paths begin in the folder of the file, among the changes in `here`
    (`envs.configuration.path_keys`).
    """
    document = Document({}, Path()) if name_or_path is None else load_yaml(find_config(name_or_path, folder))
    changes = {key: value for key, value in changes.items() if value is not None}
    if changes and isinstance(document.data, dict):
        overridden = frozenset((key,) for key in changes)
        document = replace(document, data={**document.data, **changes}, overridden=overridden)
    return validate(locate_paths(document, root, paths, here=here), model, root)


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Turn what the operating system refuses in the block into a `ConfigurationError`: `what`, the option and the file
    of the user, cannot be written, and why."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"{what}: cannot be written ({error.strerror or error})") from error


def create_run_folder(parent: Path, experiment: str, seed: int, name: str | None = None) -> Path:
    """Create and return a new folder `<parent>/<experiment>/<name>`; default: `<date and time>-seed<seed>`."""
    if name is not None:
        return _create_named(parent / experiment, name)
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


def _create_named(parent: Path, name: str) -> Path:
    if name in ("", ".", "..") or Path(name).name != name:
        raise ConfigurationError(f"--name {name}: must be the name of a folder, without a path")
    folder = parent / name
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise ConfigurationError(f"--name {name}: {folder} is there already") from None
    except OSError as error:
        raise ConfigurationError(f"{folder}: cannot be created ({error.strerror})") from error
    return folder


def file_name(name: str) -> str:
    """Return a file's name, without suffix, for a scenario or a policy: whatever is not a letter, a digit or one of
    `_.-~` is written as in a URL, and so is a leading `_` or `.`, since readers take such files for hidden ones; a long
    name is cut off (`LONGEST_NAME`)."""
    quoted = quote(name, safe="")
    if name[:1] in ("_", "."):
        quoted = f"%{ord(name[0]):02X}{quoted[1:]}"
    if len(quoted) <= LONGEST_NAME:
        return quoted
    return f"{quoted[:LONGEST_NAME]}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def yaml_text(model: BaseModel) -> str:
    """Return what a checked configuration states as YAML that can be read again."""
    return dump_yaml(model.model_dump(mode="json", by_alias=True, exclude_unset=True))


def write_yaml(file: Path, model: BaseModel) -> None:
    """Write a checked configuration so that it can be read again, whole or not at all."""
    write_whole(file, yaml_text(model).encode())


def write_json(file: Path, data: Mapping[str, Any]) -> None:
    """Write plain data, whole or not at all."""
    write_whole(file, (json.dumps(data, indent=2) + "\n").encode())


def write_provenance(folder: Path, seed: int, data: Data) -> None:
    """Write the command, versions, date and commit of a run, and the digests of what it depends on."""
    write_json(folder / PROVENANCE_FILE, collect_provenance(seed, data))


def check_data(what: str, folder: Path, now: Data) -> None:
    """Raise `ConfigurationError` if the run in `folder` was begun with other data; `what` is how the user names it."""
    try:
        kept = json.loads((folder / PROVENANCE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{what}: {folder / PROVENANCE_FILE} cannot be read ({error})") from error
    require_same_data(what, kept, now)
