"""Files that are there whole, or as they were.

Room: `agents`. Touches the file that it is given; imports nothing slow, since processes begin with it.
"""

import os
from pathlib import Path

DRAFT = ".draft"
"""How the name of a file ends that was never finished."""


def write_whole(file: Path, content: bytes) -> None:
    """Write `file` so that it is there with all its content or as it was before, whenever this process or its machine
    dies."""
    draft = file.with_name(f"{file.name}{DRAFT}")
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)
    sync(file.parent)


def sync(path: Path) -> None:
    """Have what was written to a file, or which files a folder has, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
