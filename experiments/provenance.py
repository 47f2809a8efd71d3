"""Where a result comes from: versions, command, date and commit, and the digests of the data that it depends on.

Room: `experiments`. Asks git, if there is one; reads the files whose digests are wanted; writes nothing.

A digest is a SHA-256. That of a scenario is of the resolved document, after `extends` and `--set`, without what only
states a default and without the place of its record; that of a record is of its text, compressed or not.
"""

import hashlib
import json
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TypedDict

from agents.catalog import NamedPolicy
from agents.user_code import OUR_PACKAGES
from envs.configuration.document import REPOSITORY_FOLDER, shown_path
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario

PACKAGES = (
    "blended-routing",
    "gymnasium",
    "numba",
    "numpy",
    "onnx",
    "onnxruntime",
    "optuna",
    "sb3-contrib",
    "scipy",
    "stable-baselines3",
    "torch",
)


DIGITS_SHOWN = 12
"""Digits of a digest that messages and tables show."""


class Datum(TypedDict):
    """A document or a file that a result depends on: where it is, None for a document that was put together, and its
    digest."""

    file: str | None
    sha256: str


Data = dict[str, Datum]
"""What a result depends on, by what it is: `scenario NAME`, `recorded days of NAME`, `policy NAME`."""


def collect_data(
    scenarios: Iterable[Scenario], policies: Iterable[NamedPolicy] = (), rules: Mapping[str, Path] | None = None
) -> Data:
    """Return the digests of scenarios, of their recorded days, of the files of policies, the user's own code included,
    and of files that state `rules`, by name."""
    data: Data = {}
    for scenario in scenarios:
        data[f"scenario {scenario.name}"] = Datum(file=None, sha256=_scenario_digest(scenario))
        if scenario.replay is not None and scenario.recording is not None:
            file = shown_path(Path(scenario.replay.file))
            data[f"recorded days of {scenario.name}"] = Datum(file=file, sha256=scenario.recording.digest)
    files = {named.name: named.file or _own_code(named) for named in policies} | dict(rules or {})
    for name, policy_file in files.items():
        if policy_file is not None:
            digest = hashlib.sha256(policy_file.read_bytes()).hexdigest()
            data[f"policy {name}"] = Datum(file=shown_path(policy_file), sha256=digest)
    return data


def require_same_data(what: str, kept: Mapping[str, Any], now: Data) -> None:
    """Raise `ConfigurationError` if `what`, which was begun with the provenance `kept`, would go on with other data.

    Only data that are in `now` are compared.
    """
    before = kept.get("data")
    if not isinstance(before, dict):
        raise ConfigurationError(f"{what}: its provenance has no data, so it may have begun with others")
    for name, datum in now.items():
        if name not in before:
            raise ConfigurationError(f"{what}: was not begun with {_datum_text(name, datum)}")
        if before[name]["sha256"] != datum["sha256"]:
            raise ConfigurationError(
                f"{what}: {_datum_text(name, datum)} is no longer what it was begun with: SHA-256 "
                f"{before[name]['sha256'][:DIGITS_SHOWN]} then, {datum['sha256'][:DIGITS_SHOWN]} now"
            )


def _datum_text(name: str, datum: Datum) -> str:
    return name if datum["file"] is None else f"{name} ({datum['file']})"


def _scenario_digest(scenario: Scenario) -> str:
    stated = scenario.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"replay": {"file"}})
    text = json.dumps(stated, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _own_code(named: NamedPolicy) -> Path | None:
    """Return the file of the user's own class of policy, None for the project's."""
    module = sys.modules.get(type(named.policy).__module__)
    file = getattr(module, "__file__", None)
    if file is None or type(named.policy).__module__.partition(".")[0] in OUR_PACKAGES:
        return None
    return Path(file)


def collect_provenance(seed: int | None = None, data: Data | None = None) -> dict[str, Any]:
    """Return the command, the user's seed, the date (UTC), the commit and the versions, as plain data; and the digests
    of the `data`, if there are any.

    `commit` is None outside a git clone; `modified` says whether tracked files differ from it.
    """
    commit = _git("rev-parse", "HEAD")
    return {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "seed": seed,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "modified": None if commit is None else bool(_git("status", "--porcelain", "--untracked-files=no")),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name)) is not None},
    } | ({} if data is None else {"data": data})


def without_folder(command: str) -> str:
    """Return a command without its option `--runs FOLDER`, a place on one machine, on which no result depends."""
    words = [word for word in shlex.split(command) if not word.startswith("--runs=")]
    if "--runs" in words:
        place = words.index("--runs")
        del words[place : place + 2]
    return shlex.join(words)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(REPOSITORY_FOLDER), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
