"""The console on which commands print their tables.

Room: `experiments`. Touches rich only.
"""

from rich.console import Console


def table_console() -> Console:
    """Return a console for tables; where the output is a file or a pipe it is wide, so that nothing is
    folded."""
    console = Console()
    return console if console.is_terminal else Console(width=160)
