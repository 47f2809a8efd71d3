"""Numbers and durations in the cells of a log.

Room: `experiments.calibration.logs`. Touches nothing.
"""

import math
import re

from envs.configuration.quantities import LARGEST
from experiments.calibration.logs.mapping import Numbers

_UNIT_S = {"s": 1.0, "ms": 0.001, "min": 60.0, "h": 3600.0, "days": 86_400.0}
_UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "min": "minutes", "h": "hours", "days": "days"}
_CLOCKS = {
    "h:mm:ss": re.compile(r"([+-]?)([0-9]+):([0-5]?[0-9]):([0-5]?[0-9](?:[.,][0-9]+)?)"),
    "mm:ss": re.compile(r"([+-]?)()([0-9]+):([0-5]?[0-9](?:[.,][0-9]+)?)"),
}
_ROUNDED = re.compile(r"[0-9][.,]?[0-9]*[eE]\+[0-9]+")
ROUNDED = "must have all its digits: a spreadsheet has rounded it"


def is_rounded(cell: str) -> bool:
    """Return True if a cell holds a large number as spreadsheets shorten it, such as 1.71136E+12."""
    return _ROUNDED.fullmatch(cell) is not None


class Cells:
    """Reads what the log writes as numbers; what is none raises `ValueError` with the rule."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        thousands = re.escape(numbers.thousands)
        grouped = rf"[0-9]{{1,3}}(?:{thousands}[0-9]{{3}})+|" if numbers.thousands else ""
        self._pattern = re.compile(
            rf"(?=.*[0-9])[+-]?(?:{grouped}[0-9]+)?(?:{re.escape(numbers.decimal)}[0-9]*)?(?:[eE][+-]?[0-9]+)?"
        )

    def number(self, cell: str, unit: str) -> float:
        """Return the number in a cell, in the `unit` that a message names."""
        if not self._pattern.fullmatch(cell):
            written = f"decimal {self._numbers.decimal!r}, thousands {self._numbers.thousands or 'not grouped'!r}"
            raise ValueError(f"must be a number ({unit}) as mapping.numbers writes it: {written}")
        plain = cell.replace(self._numbers.thousands, "") if self._numbers.thousands else cell
        value = float(plain.replace(self._numbers.decimal, "."))
        if not math.isfinite(value):
            raise ValueError(f"must be a finite number ({unit})")
        return value

    def duration_s(self, cell: str) -> float:
        """Return the duration in a cell, seconds; it may be negative."""
        form = self._numbers.duration
        clock = _CLOCKS.get(form)
        if clock is None:
            if ":" in cell:
                raise ValueError(
                    f"must be a number of {_UNIT_NAMES[form]}; clock texts need numbers.duration: h:mm:ss or mm:ss"
                )
            duration_s = self.number(cell, _UNIT_NAMES[form]) * _UNIT_S[form]
        else:
            found = clock.fullmatch(cell)
            if not found:
                raise ValueError(f"must be a duration {form}, as numbers.duration says")
            sign, hours, minutes, seconds = found.groups()
            size_s = int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
            duration_s = -size_s if sign == "-" else size_s
        if abs(duration_s) > LARGEST["seconds"]:
            raise ValueError(f"must be <= {LARGEST['seconds']:g} seconds")
        return duration_s
