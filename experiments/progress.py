"""The progress bar of long work.

Room: `experiments`. Writes to the terminal only.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from envs.simulator.machine.compilation import CACHE_FOLDER, is_cold


@contextmanager
def episode_progress() -> Iterator[Progress]:
    """Show a bar per policy while episodes are played, on standard error, and say so if numba has to
    compile."""
    console = Console(stderr=True)
    if is_cold():
        console.print(
            f"Compiling the center with numba: about a minute, once. The code is kept in {CACHE_FOLDER}.",
            highlight=False,
            soft_wrap=True,
        )
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        yield progress
