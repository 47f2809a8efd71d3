"""How the center's code is compiled: four decorators and the folder of the compiled code.

Room: `envs.simulator.machine`. Touches numba's settings and nothing else.

numba's disk cache keys a function by its own file only, so an edit in a called file would go unseen. The folder is
therefore named after a hash of every source file whose code ends up in a compiled function.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import types

from envs.simulator.machine.inner_compiler import InnerCompiler

_ROOT_FOLDER = Path(__file__).resolve().parents[3]
COMPILED_FOLDERS = ("envs", "agents/rules/compiled")
"""Folders below the repository's in which compiled functions may stand, with all that these import: what decides over
the compiled code. A test keeps it true."""


def source_files(root: Path = _ROOT_FOLDER) -> list[Path]:
    """Return every Python file of `COMPILED_FOLDERS` below `root`, however deep, in a fixed order."""
    return [path for folder in COMPILED_FOLDERS for path in sorted((root / folder).rglob("*.py"))]


def hash_sources(root: Path = _ROOT_FOLDER) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of the names and contents of all sources that may be compiled, and of
    numba's version."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in source_files(root):
        digest.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _choose_cache_folder() -> Path:
    """Return the folder of the code compiled from the present sources, below `BLENDED_CACHE_FOLDER` of the environment
    or, without it, below `.numba_cache` of the repository."""
    parent = os.environ.get("BLENDED_CACHE_FOLDER")
    folder = Path(parent) if parent else _ROOT_FOLDER / ".numba_cache"
    return folder / hash_sources()


def find_cache_problem(folder: Path) -> str | None:
    """Return why nothing can be kept in `folder`, which is made where it is missing; None if something can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


CACHE_FOLDER: Path = _choose_cache_folder()
"""Where compiled code lies. `BLENDED_CACHE_FOLDER` in the environment moves its parent."""
CACHE_PROBLEM = find_cache_problem(CACHE_FOLDER)
"""Why no compiled code can be kept there, so that each process compiles anew; None if it can. numba itself would refuse
to compile."""
_IS_KEPT = CACHE_PROBLEM is None
numba.config.CACHE_DIR = str(CACHE_FOLDER)  # type: ignore[attr-defined]


def _widen(argument: types.Type) -> types.Type:
    """Return the type for which a function is compiled that is called with `argument`: any signed integer, constant or
    not, is an int64."""
    plain = types.unliteral(argument)
    return types.int64 if plain in types.signed_domain else plain


def _compile(function: Callable[..., Any], **options: Any) -> Any:
    """Return numba's dispatcher of `function`, with what holds for all compiled functions of the center."""
    return numba.njit(error_model="numpy", fastmath=False, **options)(function)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile an inner function of the center: no Python objects, divisions as numpy does them, no fastmath. It may
    neither make nor return an array (`envs.simulator.machine.inner_compiler`).

    Compiled callers share one form of it, whichever integers they hand to it, and link that into their own code; where
    Python calls it, as tests do, it is compiled by itself. numba alone would compile it anew for every constant and
    every width of integer among its arguments: the note of an event sixty times over.
    """
    return _inner(function, _nrt=False)


def allocating(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `compiled`, for a function that makes arrays of its own."""
    return _inner(function, _nrt=True)  # said, since numba would take it from the caller


def _inner(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Return the dispatcher of `function` for Python, which hands compiled callers the form of `InnerCompiler`."""
    dispatcher = _compile(function)
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return dispatcher
    options |= {"pipeline_class": InnerCompiler, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    inner = _compile(function, **options)

    def get_call_template(args: tuple[types.Type, ...], kws: dict[str, types.Type]) -> Any:
        return inner.get_call_template(tuple(map(_widen, args)), {name: _widen(kind) for name, kind in kws.items()})

    # What numba asks the dispatcher for when it compiles a caller: its type, then its code.
    dispatcher.get_call_template = get_call_template
    dispatcher.get_overload = inner.get_overload
    return dispatcher


def entry_point(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that Python calls; its code, with all that it calls, is kept in `CACHE_FOLDER`
    where that can be written."""
    return _compile(function, cache=_IS_KEPT, nogil=True)


def parallel_entry_point(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `entry_point`, with `prange` over rows. The loop body must call one compiled function and do nothing else:
    numba drops stores to arrays reached through a record when they stand in the body itself (DESIGN section 4.6)."""
    return _compile(function, cache=_IS_KEPT, nogil=True, parallel=True)
