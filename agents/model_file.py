"""What an ONNX file holds, read from its bytes before a runtime opens it: whether it refers to other files.

Room: `agents`. Touches the file alone; needs neither onnx nor onnxruntime.

ONNX lets a tensor keep its numbers in another file, by a path. onnxruntime 1.31 refuses paths that lead out of the
model's folder; what other versions do, and what lies inside that folder, is not left to them: an exported policy is one
file, so one that refers to any other is refused. `TENSORS_IN` says by which fields of onnx.proto a tensor can be
reached; everything else is skipped by its length.
"""

from collections.abc import Iterator
from pathlib import Path

from envs.errors import ConfigurationError

TENSORS_IN = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
}
"""Of each kind of message: the numbers of the fields that lead to tensors, and of which kind what stands there is."""
EXTERNAL_FIELDS = (13, 14)
"""Of a tensor: `external_data`, and `data_location`, which is absent or 0 where the numbers are in the file."""
MOST_BYTES = 2**31 - 1
"""A message of protobuf has fewer than 2 GiB."""
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_VARINT = 10
_LARGEST_KEY = 2**32 - 1
"""Some readers keep 32 bits of a longer key, and would see another field than stands here."""


def read_model(file: Path) -> bytes:
    """Return the bytes of an ONNX file that refers to no other file.

    Raises:
        ConfigurationError: there is no such file, it cannot be read, is no message of protobuf, or refers to another.
    """
    if file.is_dir():
        raise ConfigurationError(f"{file}: a folder: must be an ONNX file")
    if not file.is_file():
        raise ConfigurationError(f"{file}: no such file")
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ConfigurationError(f"{file}: {file.stat().st_size} bytes: an ONNX file has {MOST_BYTES} at most")
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror})") from error
    if not content:
        raise ConfigurationError(f"{file}: not an ONNX file (it is empty)")
    if content.startswith(b"PK"):
        raise ConfigurationError(
            f"{file}: not an ONNX file but a zip archive; a model of Stable-Baselines3 takes part as sb3:FILE.zip"
        )
    try:
        is_whole = not _refers_to_files(content)
    except (IndexError, ValueError) as error:
        raise ConfigurationError(f"{file}: not an ONNX file, or a damaged one (its bytes are no message)") from error
    if not is_whole:
        raise ConfigurationError(f"{file}: keeps tensors in other files: must hold all of them itself")
    return content


def _refers_to_files(content: bytes) -> bool:
    """Return True if a tensor of the model keeps its numbers elsewhere; raises `ValueError` or `IndexError` if the
    bytes are no model. Messages are kept on a list, not on Python's stack, however deep they lie in each other."""
    waiting = [("model", memoryview(content))]
    while waiting:
        kind, message = waiting.pop()
        for number, value in _fields(message):
            if kind == "tensor":
                if number in EXTERNAL_FIELDS and value != 0:
                    return True
            elif (inner := TENSORS_IN[kind].get(number)) is not None:
                if not isinstance(value, memoryview):
                    raise ValueError
                waiting.append((inner, value))
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield number and value of each field of a message of protobuf, bytes or a whole number (the encoding:
    protobuf.dev, Encoding); raises `ValueError` or `IndexError` if it is none."""
    place = 0
    while place < len(message):
        key, place = _read_varint(message, place)
        number, wire_type = key >> 3, key & 7
        if number == 0 or key > _LARGEST_KEY:
            raise ValueError
        if wire_type == _VARINT:
            value, place = _read_varint(message, place)
            yield number, value
            continue
        if wire_type == _LENGTH:
            length, place = _read_varint(message, place)
        else:
            length = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(wire_type, -1)
        if not 0 <= length <= len(message) - place:
            raise ValueError
        yield number, message[place : place + length]
        place += length


def _read_varint(message: memoryview, place: int) -> tuple[int, int]:
    """Return the whole number that begins at `place`, seven bits a byte, and the place after it."""
    value = 0
    for index in range(_LONGEST_VARINT):
        byte = message[place + index]
        value |= (byte & 127) << (7 * index)
        if byte < 128:
            return value, place + index + 1
    raise ValueError
