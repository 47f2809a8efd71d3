"""The progress bar of long work.

Room: `experiments`. Writes to the terminal only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from envs.simulator.machine.compilation import CACHE_FOLDER, CACHE_PROBLEM, is_cold


@cache
def say_compiling(what: str, duration: str) -> None:
    """Say on standard error, once in a process, that numba compiles `what`, how long that takes, and where the code is
    kept, or why it cannot be."""
    if CACHE_PROBLEM is None:
        text = f"Compiling {what} with numba: {duration}, once. The code is kept in {CACHE_FOLDER}."
    else:
        text = (
            f"Compiling {what} with numba: {duration}, and again in every process, since the code cannot be kept in "
            f"{CACHE_FOLDER} ({CACHE_PROBLEM}); BLENDED_CACHE_FOLDER in the environment names another folder."
        )
    Console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def episode_progress() -> Iterator[Progress]:
    """Show a bar per policy while episodes are played, on standard error, and say so if numba has to
    compile."""
    console = Console(stderr=True)
    if is_cold():
        say_compiling("the center", "about a minute")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        yield progress
