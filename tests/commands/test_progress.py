"""What is said while numba compiles: on a terminal a bar that moves, elsewhere a line for each function called."""

import io

import numba
from rich.console import Console

from experiments import progress
from experiments.progress import episode_progress


def make_functions():
    """Return a function for numba that calls two others; new ones, which nothing has compiled."""

    @numba.njit
    def first_inner(x):
        return x + 1

    @numba.njit
    def second_inner(x):
        return 2 * first_inner(x)

    @numba.njit
    def outermost(x):
        return second_inner(x) - first_inner(x)

    return outermost


def compile_shown(**settings):
    text = io.StringIO()
    console = Console(file=text, width=300, **settings)
    function = make_functions()
    with episode_progress(console) as bars:
        assert function(3) == 4
        assert [task.description for task in bars.tasks] == []  # what is done takes no room
        said = text.getvalue()
        assert function(4) == 5
    assert function(4.0) == 5  # compiled again, and after the block nobody listens
    return said


def test_in_a_file_each_stage_is_one_line(monkeypatch):
    monkeypatch.setattr(progress, "_done", set())  # as in a process that has compiled nothing
    first, *stages = compile_shown(force_terminal=False).splitlines()
    assert first.startswith("Compiling the center with numba: ")
    assert "is kept in" in first
    (stage,) = stages
    assert stage.startswith("Compiling outermost: ")
    assert stage.endswith(" functions are done.")


def test_on_a_terminal_a_bar_names_the_function():
    said = compile_shown(force_terminal=True)
    assert "compiling outermost" in said
    assert "Compiling outermost" not in said


def test_nothing_is_said_where_everything_is_compiled():
    text = io.StringIO()
    with episode_progress(Console(file=text, force_terminal=False)):
        pass
    assert text.getvalue() == ""
