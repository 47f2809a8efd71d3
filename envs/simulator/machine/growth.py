"""Room for as much as it takes: states and journals, moved into larger records as if they had been so from the start.

Room: `envs.simulator.machine`. Reads and writes whole records, between two events; compiles nothing.

A contact keeps its slot for as long as its customer has business with the center, and everything refers to it by that
number, so the slots only become more. New ones lie below the unused ones, where a larger record would have them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.simulator.machine.record_types import MAX_NOTES, Sizes
from envs.simulator.machine.state import (
    JOURNAL_PER_CONTACT,
    for_kernel,
    journal_type,
    state_type,
)


def count_slots(states: NDArray[Any], sizes: Sizes) -> int:
    """Return for how many contacts `states` have room; 0 if they are no states of `sizes`, whatever their room."""
    n_contacts = int(states.dtype["slots"].shape[0]) if "slots" in (states.dtype.names or ()) else 0
    return n_contacts if states.dtype == state_type(sizes._replace(contacts=n_contacts)) else 0


def enlarge_states(states: NDArray[Any], sizes: Sizes) -> NDArray[Any]:
    """Return `states`, records of `state_type`, with room for the contacts of `sizes`, not fewer than they have room
    for."""
    larger = np.zeros(len(states), state_type(sizes))
    n_before = count_slots(states, sizes)
    for name in states.dtype.names or ():
        if states.dtype[name] == larger.dtype[name]:
            larger[name] = states[name]
        else:
            larger[name][:, :n_before] = states[name]
    n_new = sizes.contacts - n_before
    larger["slots"]["unused"][:, :n_new] = np.arange(sizes.contacts - 1, n_before - 1, -1)
    larger["slots"]["unused"][:, n_new:] = states["slots"]["unused"]
    larger["n_unused"] += n_new
    return larger


def make_journals(n_rows: int, n_entries: int) -> NDArray[Any]:
    """Return `n_rows` records of `journal_type` with room for `n_entries` notes, and none yet."""
    journals = np.zeros(n_rows, journal_type(n_entries))
    journals["n_room"] = n_entries
    return journals


class RowRecords:
    """States and journals of `n_rows` environments of these `sizes`; without `journal` there is one for all that nobody
    writes to.

    Attributes:
        states: records of `state_type`.
        journals: records of `journal_type`.
        kernel_states, kernel_journals: both as compiled code takes them (`for_kernel`).
    """

    def __init__(self, n_rows: int, sizes: Sizes, *, journal: bool) -> None:
        self._hold(np.zeros(n_rows, state_type(sizes)))
        n_entries = 2 * MAX_NOTES + JOURNAL_PER_CONTACT * (sizes.contacts + sizes.reps)
        self._note_in(make_journals(n_rows, n_entries) if journal else make_journals(1, 1))

    def __getstate__(self) -> dict[str, Any]:
        # Not the views: whoever copies or pickles one reads beyond its memory.
        return {"states": self.states, "journals": self.journals}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        self._hold(kept["states"])
        self._note_in(kept["journals"])

    def _hold(self, states: NDArray[Any]) -> None:
        self.states, self.kernel_states = states, for_kernel(states)

    def _note_in(self, journals: NDArray[Any]) -> None:
        self.journals, self.kernel_journals = journals, for_kernel(journals)

    def hold_contacts(self, sizes: Sizes) -> None:
        """Have room for the contacts of `sizes`, more than before."""
        self._hold(enlarge_states(self.states, sizes))

    def hold_notes(self, n_entries: int) -> None:
        """Have room for `n_entries` notes in each journal, more than before."""
        larger = make_journals(len(self.journals), n_entries)
        for name in ("n_entries", "n_lost"):
            larger[name] = self.journals[name]
        larger["entries"][:, : self.journals["entries"].shape[1]] = self.journals["entries"]
        self._note_in(larger)
