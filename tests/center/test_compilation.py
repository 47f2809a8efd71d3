"""The folder of the compiled code: its name changes with every source that may end up in it."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numba.core import event
from numba.core.errors import TypingError
from numba.core.runtime import _nrt_python, rtsys

from envs.simulator.machine.compilation import (
    COMPILED_FOLDERS,
    allocating,
    compiled,
    entry_point,
    hash_sources,
    source_files,
)

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("envs", "agents", "experiments")
DECORATORS = {
    "compiled",
    "allocating",
    "entry_point",
    "parallel_entry_point",
    "njit",
    "jit",
    "vectorize",
    "guvectorize",
}


def decorators(tree: ast.AST) -> set[str]:
    """Return the last names of all decorators of a module's functions."""
    found = set()
    for node in ast.walk(tree):
        for decorator in getattr(node, "decorator_list", []):
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            found.add(called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", ""))
    return found


def compiled_files() -> list[Path]:
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in files if decorators(ast.parse(path.read_text())) & DECORATORS]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Return a root in which every compiled folder holds one file, and a folder with another."""
    for folder in COMPILED_FOLDERS:
        (tmp_path / folder / "deeper").mkdir(parents=True)
        (tmp_path / folder / "a.py").write_text("A = 1\n")
        (tmp_path / folder / "deeper" / "b.py").write_text("B = 1\n")
    return tmp_path


@pytest.mark.parametrize("folder", COMPILED_FOLDERS)
@pytest.mark.parametrize("file", ["a.py", "deeper/b.py"])
def test_an_edit_changes_the_hash(sources: Path, folder: str, file: str):
    before = hash_sources(sources)
    (sources / folder / file).write_text("A = 2\n")
    assert hash_sources(sources) != before


@pytest.mark.parametrize("folder", COMPILED_FOLDERS)
def test_a_new_and_a_moved_file_change_the_hash(sources: Path, folder: str):
    before = hash_sources(sources)
    (sources / folder / "deeper" / "new.py").write_text("")
    added = hash_sources(sources)
    assert added != before
    (sources / folder / "deeper" / "new.py").rename(sources / folder / "new.py")
    assert hash_sources(sources) not in (before, added)


def test_what_is_no_source_leaves_the_hash(sources: Path):
    before = hash_sources(sources)
    (sources / COMPILED_FOLDERS[0] / "page.md").write_text("words")
    (sources / "tests").mkdir()
    (sources / "tests" / "test_a.py").write_text("A = 1\n")
    assert hash_sources(sources) == before


def test_every_file_with_compiled_functions_is_hashed():
    compiled = compiled_files()
    assert len(compiled) > 20
    assert set(compiled) <= set(source_files())


def test_what_compiled_files_import_of_the_project_is_hashed():
    # A constant is frozen into the machine code, wherever it was imported from.
    hashed = set(source_files())
    for path in compiled_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
                assert node.module is not None
                file = ROOT / f"{node.module.replace('.', '/')}.py"
                assert file in hashed or file.with_suffix("") / "__init__.py" in hashed, (path, node.module)


UNWRITABLE = """
import sys
from envs.simulator.machine.compilation import CACHE_PROBLEM, entry_point, parallel_entry_point
import envs.simulator.step
from experiments.doctor import _cache_text, _numba_cache
from experiments.progress import episode_progress

@entry_point
def twice(number):
    return 2 * number

@parallel_entry_point
def thrice(number):
    return 3 * number

with episode_progress():
    doubled = twice(2)
with episode_progress():
    print(doubled, thrice(2), CACHE_PROBLEM)
print(_cache_text(**{key[12:]: value for key, value in _numba_cache().items()}))
"""


def test_a_cache_folder_that_cannot_be_written_is_said_once_and_code_runs_all_the_same(tmp_path):
    (tmp_path / "file").write_text("")  # nothing can lie below a file, whoever runs the test
    folder = tmp_path / "file" / "cache"
    found = subprocess.run(
        [sys.executable, "-c", UNWRITABLE],
        env={**os.environ, "BLENDED_CACHE_FOLDER": str(folder)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stderr.count("cannot be kept") == 1
    assert str(folder) in found.stderr
    result, doctor = found.stdout.splitlines()
    assert result == "4 6 Not a directory"
    assert "cannot be written (Not a directory)" in doctor


@contextmanager
def compilations() -> Iterator[list[str]]:
    """Yield a list that grows by the name of each function that numba compiles."""
    names: list[str] = []

    class Noted(event.Listener):
        def on_start(self, found: event.Event) -> None:
            names.append(found.data["dispatcher"].py_func.__name__)

        def on_end(self, found: event.Event) -> None:
            pass

    with event.install_listener("numba:compile", Noted()):
        yield names


def test_constants_and_widths_of_integers_share_one_compiled_form():
    @compiled
    def scale(number, code, is_twice, factor=1):
        return number * code * factor * (2 if is_twice else 1)

    @entry_point
    def add_up(small, large):
        return (
            scale(small, 3, True) + scale(large, 5, False) + scale(large, large, small > 1) + scale(7, 1, True, small)
        )

    # 2 * 3 * 2 = 12, 10^10 * 5, 10^20 does not fit 64 bits and wraps as int64 does, 7 * 1 * 2 * 2 = 28
    wrapped = int(np.array([10**10]).astype(np.int64)[0]) ** 2 * 2
    wrapped = (wrapped + 2**63) % 2**64 - 2**63
    with compilations() as names:
        assert add_up(np.int32(2), np.int64(10**10)) == 12 + 5 * 10**10 + wrapped + 28
    assert names.count("scale") == 2  # with the default and without


def test_compiled_callers_and_python_find_the_same_in_an_inner_function():
    @compiled
    def square(number):
        return number * number

    @compiled
    def add_squares(first, second):
        return square(first) + square(second)

    @entry_point
    def length(first, second):
        return np.sqrt(add_squares(first, second))

    assert length(3.0, 4.0) == 5.0
    assert add_squares(3.0, 4.0) == 25.0  # from Python, as tests call inner functions
    assert length(3, 4) == 5.0  # of integers, compiled anew


def test_an_inner_function_must_not_return_an_array_whose_references_nobody_would_count_aright():
    @compiled
    def same(numbers):
        return numbers

    @allocating
    def longer(numbers):
        return np.append(numbers, 1.0), 1

    @compiled
    def tail(numbers):
        return numbers[1:]

    @entry_point
    def first_of_same(numbers):
        return same(numbers)[0]

    @entry_point
    def first_of_longer(numbers):
        return longer(numbers)[0][0]

    @entry_point
    def first_of_tail(numbers):
        return tail(numbers)[0]

    numbers = np.arange(3.0)
    with pytest.raises(TypeError, match=r"same returns array.*: must not return an array"):
        first_of_same(numbers)
    with pytest.raises(TypeError, match=r"longer returns Tuple\(array.*: must not return an array"):
        first_of_longer(numbers)
    with pytest.raises(TypingError, match="Only accept returning of array passed into the function"):  # numba's own
        first_of_tail(numbers)


def test_an_inner_function_that_makes_arrays_must_say_so():
    @compiled
    def ones(n):
        return np.ones(n).sum()

    @entry_point
    def count(n):
        return ones(n)

    with pytest.raises(TypingError):
        count(3)


def test_a_helper_of_numba_that_counts_references_is_not_that_of_a_function_that_counts_none():
    # numba keeps one compiled form of such helpers, whoever calls them: the second function would leak an array a call.
    @allocating
    def first_place(numbers):
        return np.argsort(numbers)[0]

    @compiled
    def last_place(numbers):
        return np.argsort(numbers)[-1]

    @entry_point
    def first(numbers):
        return first_place(numbers)

    @entry_point
    def last(numbers):
        return last_place(numbers)

    numbers = np.array([2.0, 3.0, 1.0])
    assert first(numbers) == 2
    with pytest.raises(TypingError):
        last(numbers)


def test_an_inner_function_that_makes_arrays_may_be_called_by_one_that_makes_none():
    @allocating
    def total(numbers):
        return (numbers + 1.0).sum()

    @compiled
    def twice(numbers):
        return 2.0 * total(numbers)

    @entry_point
    def sums(numbers, n):
        result = 0.0
        for _ in range(n):
            result += twice(numbers)
        return result

    numbers = np.arange(4.0)
    n_before = sys.getrefcount(numbers)
    sums(numbers, 0)  # compiles
    _nrt_python.memsys_enable_stats()
    try:
        before = rtsys.get_allocation_stats()
        assert sums(numbers, 1000) == 1000 * 2 * 10  # 0 + 1 + 2 + 3, and four times 1
        after = rtsys.get_allocation_stats()
    finally:
        _nrt_python.memsys_disable_stats()
    assert after.alloc - before.alloc == after.free - before.free >= 1000
    assert sys.getrefcount(numbers) == n_before
