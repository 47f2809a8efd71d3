"""The files of a finished trial as one archive, from one machine to another.

Room: `experiments.sweeps`. Reads and writes below the folder of a sweep.
"""

import io
import shutil
import tarfile
import tempfile
from pathlib import Path

from experiments.sweeps.trial_process import LOGS_FOLDER

ARRIVING = ".arriving-"
"""How the name of a folder begins in which an archive is unpacked."""


def clear_arrivals(folder: Path) -> None:
    """Remove what a driver that was killed while it unpacked has left in a sweep's folder."""
    for left in folder.glob(f"{ARRIVING}*"):
        shutil.rmtree(left)


def pack(folder: Path, name: str) -> bytes:
    """Return the run folder of a trial and its log, both below `folder`, as an archive (tar, gzip)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.add(folder / name, "run")
        archive.add(folder / LOGS_FOLDER / f"{name}.log", "log")
    return stream.getvalue()


def unpack(packed: bytes, folder: Path, name: str) -> None:
    """Put the run folder and the log of an archive of `pack` below `folder`: the run folder whole or not at all, in the
    place of what an unfinished attempt left there."""
    with tempfile.TemporaryDirectory(prefix=ARRIVING, dir=folder) as arriving:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            archive.extractall(arriving, filter="data")
        target = folder / name
        if target.exists():
            shutil.rmtree(target)
        (Path(arriving) / "log").replace(folder / LOGS_FOLDER / f"{name}.log")
        (Path(arriving) / "run").replace(target)
