"""Room for more: states and journals moved into larger records, as if they had been so large from the start.

Room: `envs.simulator.machine`. Reads and writes whole records, between two events; compiles nothing.

A contact keeps its slot for as long as its customer has business with the center, and everything refers to it by that
number, so arrays by slot only become longer. New slots lie below the unused ones, where a larger record would have
them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.simulator.machine.record_types import Sizes
from envs.simulator.machine.state import journal_type, state_type


def enlarge_states(states: NDArray[Any], sizes: Sizes) -> NDArray[Any]:
    """Return `states`, records of `state_type`, with room for the contacts of `sizes`, not fewer than they have room
    for."""
    larger = np.zeros(len(states), state_type(sizes))
    n_before = states.dtype["unused"].shape[0]
    for name in states.dtype.names or ():
        if states.dtype[name] == larger.dtype[name]:
            larger[name] = states[name]
        else:
            larger[name][:, :n_before] = states[name]
    n_new = sizes.contacts - n_before
    larger["unused"][:, :n_new] = np.arange(sizes.contacts - 1, n_before - 1, -1)
    larger["unused"][:, n_new:] = states["unused"]
    larger["n_unused"] += n_new
    return larger


def enlarge_journals(journals: NDArray[Any], n_entries: int) -> NDArray[Any]:
    """Return `journals`, records of `journal_type`, with room for `n_entries` notes, more than before."""
    larger = np.zeros(len(journals), journal_type(n_entries))
    for name in ("n_entries", "n_lost"):
        larger[name] = journals[name]
    larger["entries"][:, : journals["entries"].shape[1]] = journals["entries"]
    return larger
