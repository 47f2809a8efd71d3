"""The progress bar of long work, and of numba's compiling.

Room: `experiments`. Writes to standard error only: bars on a terminal, elsewhere one line a stage of compiling.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import event
from numba.core.dispatcher import Dispatcher
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from envs.simulator.machine.compilation import CACHE_FOLDER, CACHE_PROBLEM
from experiments.console import message_console

_COMPILED_ROOMS = ("envs.", "agents.rules.compiled.")


@contextmanager
def episode_progress(console: Console | None = None) -> Iterator[Progress]:
    """Show a bar per policy while episodes are played, on standard error, and what numba compiles if it has to."""
    console = console or message_console()
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    # Where standard error is a file or a pipe a bar that moves would leave empty lines.
    is_shown = console.is_terminal
    progress = Progress(*columns, TimeElapsedColumn(), console=console, transient=True, disable=not is_shown)
    with progress, event.install_listener("numba:compile", _CompilationBar(progress)):
        yield progress


class _CompilationBar(event.Listener):
    """Shows which function that Python calls is being compiled, and how many of those below it are done.

    numba compiles a function after all that it calls, one at a time, under a lock of its own.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._depth = 0
        self._task: TaskID | None = None

    def on_start(self, found: event.Event) -> None:
        """Begin a bar, or a line, with an outermost function."""
        if self._depth == 0:
            self._begin(_function_of(found))
        self._depth += 1

    def on_end(self, found: event.Event) -> None:
        """Count what is done; take the bar away with the outermost function."""
        self._depth -= 1
        _done.add(_function_of(found))
        if self._task is not None:
            self._progress.update(self._task, completed=len(_done))
            if self._depth == 0:
                self._progress.remove_task(self._task)
                self._task = None

    def _begin(self, function: Callable[..., Any]) -> None:
        total = len(_done | _compiled_functions())
        say = self._progress.console.print
        if not _done:  # the first of the process
            say(
                f"Compiling the center with numba: {_how_often_text()}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        name = function.__name__.strip("_")
        if self._progress.disable:
            say(f"Compiling {name}: {len(_done)} of at most {total} functions are done.", highlight=False)
        else:
            self._task = self._progress.add_task(f"compiling {name}", total=total, completed=len(_done))


_DURATION = "one to two minutes, longer where others use the processor"


def _how_often_text() -> str:
    if CACHE_PROBLEM is None:
        return f"once, {_DURATION}. The code is kept in {CACHE_FOLDER}."
    return (
        f"{_DURATION}, and again in every process, since the code cannot be kept in {CACHE_FOLDER} ({CACHE_PROBLEM}); "
        "BLENDED_CACHE_FOLDER in the environment names another folder."
    )


_done: set[Callable[..., Any]] = set()
"""What was compiled in this process; a second function that Python calls finds there what the first one needed too."""


def _function_of(found: event.Event) -> Callable[..., Any]:
    function: Callable[..., Any] = found.data["dispatcher"].py_func
    return function


def _compiled_functions() -> set[Callable[..., Any]]:
    """Return all functions for numba in the modules of the center and of its rules that are loaded."""
    return {
        value.py_func
        for name, module in list(sys.modules.items())
        if name.startswith(_COMPILED_ROOMS)
        for value in list(vars(module).values())
        if isinstance(value, Dispatcher)
    }
