"""How the center's code is compiled: one decorator pair and the folder of the compiled code.

Room: `envs`. Touches numba's settings and nothing else.

numba's disk cache keys a function by its own file only, so an edit in a called file would go unseen. The folder is
therefore named after a hash of every source file whose code ends up in a compiled function.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

_PACKAGE_FOLDER = Path(__file__).resolve().parent
_ROOT_FOLDER = _PACKAGE_FOLDER.parent


def hash_sources() -> str:
    """Return 16 hexadecimal digits of the SHA-256 of all sources that may be compiled, and of numba's version."""
    digest = hashlib.sha256(numba.__version__.encode())
    rules = [
        _ROOT_FOLDER / "agents" / name for name in ("rules.py", "index_rules.py", "rule_choice.py", "rule_loop.py")
    ]
    for path in [*sorted(_PACKAGE_FOLDER.glob("*.py")), *rules]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _choose_cache_folder() -> Path:
    parent = os.environ.get("BLENDED_CACHE_FOLDER")
    folder = Path(parent) if parent else _ROOT_FOLDER / ".numba_cache"
    return folder / hash_sources()


CACHE_FOLDER: Path = _choose_cache_folder()
"""Where compiled code lies. `BLENDED_CACHE_FOLDER` in the environment moves its parent."""

numba.config.CACHE_DIR = str(CACHE_FOLDER)  # type: ignore[attr-defined]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile an inner function of the center: no Python objects, divisions as numpy does them, no fastmath."""
    return numba.njit(error_model="numpy", fastmath=False)(function)


def entry_point(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that Python calls; its code, with all that it calls, is kept in `CACHE_FOLDER`."""
    return numba.njit(error_model="numpy", fastmath=False, cache=True, nogil=True)(function)


def parallel_entry_point(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `entry_point`, with `prange` over rows. The loop body must call one compiled function and do nothing else:
    numba drops stores to arrays reached through a record when they stand in the body itself (DESIGN section 4.6)."""
    return numba.njit(error_model="numpy", fastmath=False, cache=True, nogil=True, parallel=True)(function)


def is_cold(module: str = "") -> bool:
    """Return True if nothing (of `module`, the last part of its name) was compiled into `CACHE_FOLDER` yet, so that the
    first call will take a while."""
    return not any(CACHE_FOLDER.glob(f"**/{module}*.nbi"))
