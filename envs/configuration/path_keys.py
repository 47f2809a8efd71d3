"""Paths in a configuration file begin in the folder of that file: values that may name a file, made whole.

Room: `envs.configuration`. Touches documents only; which keys may name a file, and how, its callers say.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from envs.configuration.document import Document
from envs.configuration.messages import KeyPath, dotted
from envs.errors import ConfigurationError

Locate = Callable[[str, Path], str]
"""Returns a text that may name a file so that it does from everywhere: a relative path begins in the given folder."""


def locate_paths(document: Document, root: str, keys: Mapping[str, Locate], *, here: Path | None = None) -> Document:
    """Return the document with whole paths at `keys`, whose values are a text or a list of texts each.

    A relative path begins in the folder of the file in which it was written. One that `--set` or another option states
    begins in `here`, by default the working folder. What is no text is left for `validate`.

    Args:
        document: as read, with what `--set` has replaced.
        root: what the document describes, the first word of every path in a message: `benchmark`.
        keys: dotted keys, with `*` for every item of a list, and what makes a text at each of them whole.
        here: the folder in which paths of the command line begin.

    Raises:
        ConfigurationError: there is no such file; of what stands in a file the message names key and place.
    """
    data = document.data
    for key, locate in keys.items():
        data = _located(document, data, (), tuple(key.split(".")), root, locate, here or Path.cwd())
    return replace(document, data=data)


def _located(
    document: Document, value: Any, path: KeyPath, steps: tuple[str, ...], root: str, locate: Locate, here: Path
) -> Any:
    """Return `value`, which stands at `path`, with whole paths at `steps` below it."""
    if steps and isinstance(value, dict) and steps[0] in value:
        below = _located(document, value[steps[0]], (*path, steps[0]), steps[1:], root, locate, here)
        return {**value, steps[0]: below}
    if isinstance(value, list | tuple) and (not steps or steps[0] == "*"):
        return [_located(document, item, (*path, i), steps[1:], root, locate, here) for i, item in enumerate(value)]
    if steps or not isinstance(value, str):
        return value
    origin = document.origin(path)
    base = here if origin == "--set" else document.location_of(path).file.parent.resolve()
    try:
        return locate(value, base)
    except ConfigurationError as error:
        if origin == "--set":
            raise  # the user has just written it
        raise ConfigurationError(f"{dotted(path, root)} = {error} ({origin})") from None
