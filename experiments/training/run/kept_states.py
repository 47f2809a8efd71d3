"""Checkpoints from which a training can go on: each whole or not at all, with its sum, the last three of them.

Room: `experiments.training.run`. Touches the folder `state` of a run.

A checkpoint is a file of plain data, numbers, texts, arrays and tensors, read with `weights_only=True`: loading one
never executes code. Beside it stands a manifest with its size and SHA-256, written after it: a checkpoint without one
was never finished.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.run_files import STATE_FOLDER, state_file
from agents.whole_file import write_whole
from envs.errors import ConfigurationError
from experiments.run_folder import writing

KEPT = 3
"""Checkpoints that stay; older ones go."""

_ARRAY = ("numpy", "dtype", "shape")
"""The keys of a mapping that stands for an array of numpy: its bytes, all of them, also those between the fields of a
record, which numpy's own files leave open."""


class KeptStates:
    """The checkpoints of the run in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / STATE_FOLDER).mkdir(exist_ok=True)

    def keep(self, state: Mapping[str, Any]) -> None:
        """Write `state`, plain data, as the newest checkpoint; it is on disk when this returns. What is older than the
        last `KEPT` is deleted, and so is what was never finished.

        Raises `ConfigurationError` if it cannot be written; the checkpoints before it are as they were.
        """
        numbers = self._numbers()
        number = max(numbers, default=0) + 1
        file = self._folder / state_file(number)
        stream = io.BytesIO()
        torch.save(_packed(state), stream)
        content = stream.getvalue()
        manifest = {"file": file.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        with writing(f"checkpoint {file}"):
            write_whole(file, content)
            write_whole(file.with_suffix(".json"), json.dumps(manifest).encode())
            staying = {state_file(kept) for kept in [*numbers, number][-KEPT:]}
            for other in (self._folder / STATE_FOLDER).iterdir():
                if f"{STATE_FOLDER}/{other.with_suffix('.pt').name}" not in staying:
                    other.unlink()

    def latest(self, say: Callable[[str], None]) -> dict[str, Any] | None:
        """Return the newest checkpoint that is whole, None if there never was one; what is damaged is named by `say`.

        Raises `ConfigurationError` if there are checkpoints and all of them are damaged.
        """
        numbers = self._numbers()
        for number in reversed(numbers):
            try:
                return self._read(number)
            except _DamagedError as error:
                say(f"{self._folder / state_file(number)}: {error}; the checkpoint before it is taken")
        if numbers:
            raise ConfigurationError(f"{self._folder / STATE_FOLDER}: no checkpoint is whole any more")
        return None

    def _numbers(self) -> list[int]:
        """Return the numbers of all finished checkpoints, the oldest first."""
        files = (self._folder / STATE_FOLDER).glob("*.json")
        return sorted(int(file.stem) for file in files if file.stem.isdigit())

    def _read(self, number: int) -> dict[str, Any]:
        file = self._folder / state_file(number)
        try:
            manifest = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
            wanted = (manifest["file"], manifest["bytes"], manifest["sha256"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _DamagedError("its manifest cannot be read") from error
        try:
            content = file.read_bytes()
        except OSError as error:
            raise _DamagedError(f"cannot be read ({error.strerror})") from error
        if wanted != (file.name, len(content), hashlib.sha256(content).hexdigest()):
            raise _DamagedError("is not what its manifest says")
        try:
            state: dict[str, Any] = _unpacked(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
        except Exception as error:  # torch's own, and what pickle makes of bytes that somebody else wrote
            raise _DamagedError("holds what no training keeps") from error
        return state


class _DamagedError(Exception):
    """A checkpoint is not what was written."""


def _packed(value: Any) -> Any:
    """Return plain data with every array of numpy as the bytes of its own format."""
    if isinstance(value, Mapping):
        return {key: _packed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_packed(item) for item in value)
    if isinstance(value, np.ndarray):
        content = np.frombuffer(value.tobytes(), np.uint8).copy()
        parts = (torch.from_numpy(content), np.lib.format.dtype_to_descr(value.dtype), value.shape)
        return dict(zip(_ARRAY, parts, strict=True))
    if isinstance(value, np.generic):
        return value.item()
    return value.detach().cpu().clone() if isinstance(value, torch.Tensor) else value


def _unpacked(value: Any) -> Any:
    """Return what `_packed` was given."""
    if isinstance(value, dict) and tuple(value) == _ARRAY:
        content, described, shape = value.values()
        dtype = np.lib.format.descr_to_dtype(described)
        return np.frombuffer(bytearray(content.numpy().tobytes()), dtype).reshape(shape)
    if isinstance(value, dict):
        return {key: _unpacked(item) for key, item in value.items()}
    return type(value)(_unpacked(item) for item in value) if isinstance(value, list | tuple) else value
