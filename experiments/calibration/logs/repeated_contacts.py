"""Several rows of one contact: the legs of a transfer, or a record delivered again.

Room: `experiments.calibration.logs`. Touches nothing.
"""

import math
from collections.abc import Sequence
from itertools import groupby

from envs.errors import ConfigurationError
from experiments.calibration.contact_log import SERVED
from experiments.calibration.logs.log_row import RawContact


def merge_repeated(rows: Sequence[RawContact], rule: str, shown: str, column: str) -> tuple[list[RawContact], int]:
    """Return one contact for each id, and how many rows were merged into another or left out; rows without an id stand
    for themselves.

    `keep_first` keeps the row that joined its queue first. `keep_last` keeps the one whose record was written last, or,
    where the log does not say when, the last of the file. `sum_handle` keeps the first leg with the handle times of all
    legs that were served.

    Raises:
        ConfigurationError: an id stands twice and the rule is `refuse`.
    """
    kept = [row for row in rows if not row.id]
    named = sorted((row for row in rows if row.id), key=lambda row: (row.id, row.instant, row.line))
    merged = 0
    for _, legs_of_id in groupby(named, key=lambda row: row.id):
        legs = list(legs_of_id)
        merged += len(legs) - 1
        kept.append(legs[0] if len(legs) == 1 else _merge(legs, rule, shown, column))
    return kept, merged


def _merge(legs: list[RawContact], rule: str, shown: str, column: str) -> RawContact:
    first = legs[0]
    if rule == "refuse":
        lines = sorted(leg.line for leg in legs)
        raise ConfigurationError(
            f"{shown}, line {lines[1]}, column {column} = '{first.id}': stands in line {lines[0]} already "
            "(rules.repeated_id may be keep_first, keep_last or sum_handle)"
        )
    if rule == "keep_last":
        return max(legs, key=lambda leg: (-math.inf if math.isnan(leg.updated) else leg.updated, leg.line))
    if rule == "sum_handle":
        handles_s = [leg.handle_s for leg in legs if leg.outcome == SERVED and not math.isnan(leg.handle_s)]
        return first._replace(handle_s=math.fsum(handles_s)) if first.outcome == SERVED and handles_s else first
    return first
