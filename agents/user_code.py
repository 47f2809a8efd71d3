"""A user's own code: where it is found, how it is loaded, and what is said where it fails.

Room: `agents`. Runs what the user names; for the time of loading, the folder of that code comes first on `sys.path`.
"""

import importlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from envs.configuration.document import REPOSITORY_FOLDER, shown_path
from envs.configuration.messages import did_you_mean
from envs.errors import ConfigurationError

OUR_PACKAGES = ("agents", "envs", "experiments")
_MOST_CHARACTERS = 400
_folders: set[Path] = set()
"""Folders from which something was loaded."""
_files: dict[Path, tuple[bytes, ModuleType]] = {}
"""What was loaded by its path, with the bytes it was then."""


def load_class(source: str, what: str = "policy", method: str = "predict(observations, deterministic)") -> Any:
    """Return what `module:Class` or `FILE.py:Class` means, a class with that `method`; `what` it is to messages.

    A module is looked for in the working folder first, then among the installed ones. A file is loaded by its path, so
    it does not matter what it and its folders are called; what lies beside it can be imported by its plain name, or, as
    in a package, with a dot before it.

    Raises `ConfigurationError` if there is none, or if loading it raises.
    """
    place, _, name = source.rpartition(":")
    name_of_method = method.partition("(")[0]
    if not place or not name:
        raise ConfigurationError(f"{what} = {source!r}: must be module:Class or FILE.py:Class")
    is_path = place.endswith(".py")
    module = _load_file(what, source, Path(place)) if is_path else _load_module(what, source, place, name)
    with telling(f"{what} = {source!r}: cannot be loaded:", Path(getattr(module, "__file__", None) or place)):
        kind = getattr(module, name, None)  # which a module's own code may answer
    if kind is None:
        known = [
            key for key, value in vars(module).items() if inspect.isclass(value) and hasattr(value, name_of_method)
        ]
        hint = did_you_mean(name, known) or (f" (has: {', '.join(known)})" if known else "")
        raise ConfigurationError(f"{what} = {source!r}: {place} has no {name!r}{hint}")
    if not callable(kind) or not callable(getattr(kind, name_of_method, None)):
        raise ConfigurationError(f"{what} = {source!r}: must be a class with {method}")
    return kind


def locate_class(text: str, base: Path) -> str:
    """Return a text that `load_class` understands, with the whole path of the file that it names, if any, where
    relative paths begin in `base`."""
    file, colon, name = text.rpartition(":")
    return f"{base / file}{colon}{name}" if file.endswith(".py") and base != Path() else text


def is_file(path: Path) -> bool:
    """Return True if there is such a file; a text that no file can have as its name is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long; with a character of value 0
        return False


@contextmanager
def telling(what: str, code: Any = None) -> Iterator[None]:
    """Turn whatever a user's code raises in the block into one `ConfigurationError`: `what`, the error, and the line of
    the file of `code` (a file, or what is defined in one) in which it arose. The error itself is its cause."""
    try:
        yield
    except ConfigurationError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"{what} {_error_text(error, _file_of(code))}") from error


def _error_text(error: BaseException, file: Path | None) -> str:
    try:
        words = " ".join(str(error).split())
    except Exception:  # whatever the error's own code does wrong
        words = ""
    words = words if len(words) <= _MOST_CHARACTERS else f"{words[:_MOST_CHARACTERS]}…"
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        words, frames = error.msg, [(error.filename, error.lineno)]
    beside = [frame for frame in frames if file is not None and Path(frame[0]).resolve().parent == file.parent]
    path, line = (beside or frames)[-1]
    hint = ""
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] in OUR_PACKAGES:
        package, _, rest = str(error.name).partition(".")
        is_inside = Path(path).resolve().parent.name == package
        hint = (
            f"; {package} is a package of this project here: import what lies beside a file as in "
            f"`from .{rest if is_inside and rest else error.name} import`"
        )
    return f"{type(error).__name__}{': ' if words else ''}{words} ({shown_path(Path(path))}:{line}){hint}"


def _file_of(code: Any) -> Path | None:
    if code is None or isinstance(code, Path):
        return None if code is None else code.resolve()
    try:
        return Path(inspect.getfile(code)).resolve()
    except (OSError, TypeError):  # made in a console, or compiled
        return None


def _load_module(what: str, source: str, name: str, class_name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise ConfigurationError(f"{what} = {source!r}: must be module:Class or FILE.py:Class")
    here = Path.cwd().resolve()
    file = _find_in(here, name)
    top = name.partition(".")[0]
    if top in OUR_PACKAGES and file is not None and not file.is_relative_to(REPOSITORY_FOLDER):
        raise ConfigurationError(
            f"{what} = {source!r}: {top} is also the name of a package of this project, which is loaded already: "
            f"name the file itself, as in {file.relative_to(here)}:{class_name}"
        )
    _forget_namesakes(here)
    if file is not None and not _comes_from(top, here):
        return _load_file(what, source, file)  # Python would take, or has loaded, another one of that name
    try:
        with telling(f"{what} = {source!r}: cannot be loaded:", file), first_on_path(here):
            return importlib.import_module(name)
    except ConfigurationError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and f"{name}.".startswith(f"{cause.name}."):
            raise ConfigurationError(
                f"{what} = {source!r}: no module {name!r}, neither here nor among the installed ones"
            ) from cause
        raise


def _find_in(folder: Path, name: str) -> Path | None:
    """Return the file below `folder` that Python would load as module `name`; None if there is none."""
    *packages, last = name.split(".")
    parent = folder.joinpath(*packages)
    return next((file for file in (parent / last / "__init__.py", parent / f"{last}.py") if is_file(file)), None)


def _comes_from(top: str, folder: Path) -> bool:
    """Return True if Python has `top`, a module without dots, from `folder`, or would find it there with that folder
    first on `sys.path`."""
    found = sys.modules.get(top)
    spec = (
        importlib.machinery.PathFinder.find_spec(top, [str(folder), *sys.path])
        if found is None
        else getattr(found, "__spec__", None)
    )
    if spec is None:
        return False
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    return any(Path(place).resolve().is_relative_to(folder) for place in places if place)


def _load_file(what: str, source: str, file: Path) -> ModuleType:
    """Return a file as a module with a name of its own, in a package of its own: the file's folder, or the folder that
    holds the outermost package to which it belongs."""
    if not is_file(file):
        raise ConfigurationError(f"{what} = {source!r}: {shown_path(file)}: no such file")
    file = file.resolve()
    content = file.read_bytes()
    if file in _files and _files[file][0] == content:
        return _files[file][1]
    folder = file.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    _forget_namesakes(file.parent)
    package = f"_user_code_{sha256(str(folder).encode()).hexdigest()[:16]}"
    if package not in sys.modules:
        root = ModuleType(package)
        root.__path__ = [str(folder)]
        sys.modules[package] = root
    name = ".".join([package, *(re.sub(r"\W", "_", part) for part in file.relative_to(folder).with_suffix("").parts)])
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look their own module up
    try:
        with telling(f"{what} = {source!r}: cannot be loaded:", file), first_on_path(file.parent):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    _files[file] = (content, module)
    return module


@contextmanager
def first_on_path(folder: Path) -> Iterator[None]:
    """Let modules of `folder` come before all others in the block, as for a script that lies there, and from then on
    after all others: what is imported later, in a function, is found too, and hides nothing."""
    text = str(folder)
    sys.path.insert(0, text)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(text)
        if text not in sys.path:
            sys.path.append(text)


def _forget_namesakes(folder: Path) -> None:
    """Forget modules that lie beside files loaded before, where `folder` has one of the same name."""
    names = {entry.stem for entry in folder.iterdir()} & set(sys.modules)
    for name in names:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and any(str(_find_in(other, name)) == file for other in _folders - {folder}):
            for inside in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
                del sys.modules[inside]
    _folders.add(folder)
