"""Where a result comes from: versions, command, date and commit.

Room: `experiments`. Asks git, if there is one; touches nothing.
"""

import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from envs.configuration.document import REPOSITORY_FOLDER

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


def collect_provenance(seed: int | None = None) -> dict[str, Any]:
    """Return the command, the user's seed, the date (UTC), the commit and the versions, as plain data.

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
    }


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
