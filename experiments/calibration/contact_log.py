"""A log as the estimators see it: contacts in order of time, whatever system wrote them.

Room: `experiments.calibration`. Data only; `experiments.calibration.logs` fills it from a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SERVED, ABANDONED = range(2)
LOGGED = np.dtype(
    [
        ("day", np.int64),
        ("arrived_s", np.float64),
        ("wait_s", np.float64),
        ("outcome", np.int64),
        ("handle_s", np.float64),
        ("channel", np.int64),
        ("priority", np.float64),
        ("rep", np.int64),
        ("customer", np.int64),
        ("value_usd", np.float64),
        ("line", np.int64),
    ]
)
"""One contact that joined its queue.

`day` is the proleptic Gregorian ordinal (`date.toordinal()`) of the local date on which it joined, `arrived_s` the wall
clock then, seconds after that midnight, 0 ≤ … < 86,400. `wait_s` runs until it was answered or abandoned, ≥ 0, NaN
where the log does not say. `outcome` is `SERVED` or `ABANDONED`. `handle_s` is talk, hold and after-contact work, ≥ 0,
NaN if abandoned and where the log does not say. `channel` and `rep` are positions in `ContactLog.channels` and
`ContactLog.reps`, `rep` -1 where none is stated. `priority` is seconds of credit in the queue's order, 0 where the log
has none. `customer` is a number of the customer, -1 where none is stated; `value_usd` the account value, NaN where none
is stated; `line` the line of the file."""


@dataclass(frozen=True)
class ContactLog:
    """The contacts of a log, cleaned.

    Attributes:
        contacts: `LOGGED` (n,), in order of day and time.
        days: all days that the log covers, ascending, int64 (n,), those without contacts included.
        channels: names of the channels.
        kinds: `real_time` or `deferred`, of each channel.
        reps: names of the reps.
        cleaned: rows that each cleaning rule touched, by the rule's name; rules that touched none are left out.
        source: how messages show the file.
        digest: SHA-256 of its text, uncompressed.
    """

    contacts: NDArray[Any]
    days: NDArray[np.int64]
    channels: tuple[str, ...]
    kinds: tuple[str, ...]
    reps: tuple[str, ...]
    cleaned: Mapping[str, int]
    source: str
    digest: str
