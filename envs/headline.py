"""What a notebook or a console shows of a large object: one line, or a small table, instead of all that is in it.

Room: `envs`. Imports nobody.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

MOST_ROWS = 12
MOST_CHARACTERS = 100
"""Of a cell; a sentence may have three times as many."""


class Headline(NamedTuple):
    """One sentence with the figures that matter, and a table of them; plain text."""

    sentence: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


class Headlined(ABC):
    """Is shown by its `headline`: `repr` and `print` by the sentence, a notebook by sentence and table."""

    @abstractmethod
    def headline(self) -> Headline:
        """Return what is shown."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {_shortened(self.headline().sentence, 3 * MOST_CHARACTERS)}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        sentence, columns, rows = self.headline()
        lines = [f"<p>{escape(_shortened(sentence, 3 * MOST_CHARACTERS))}</p>"]
        if columns:
            shown = [_html_row(row, "td") for row in rows[:MOST_ROWS]]
            if len(rows) > MOST_ROWS:
                shown.append(f'<tr><td colspan="{len(columns)}">and {len(rows) - MOST_ROWS} more</td></tr>')
            lines += ["<table>", _html_row(columns, "th"), *shown, "</table>"]
        return "\n".join(lines)


def _html_row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(_shortened(cell, MOST_CHARACTERS))}</{tag}>" for cell in cells) + "</tr>"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
