"""A program for tests: plays a crowded center in records that are too small at first, and in large ones, and compares.

Run without numba's compiler (NUMBA_DISABLE_JIT=1): in Python a place beyond an array's end is an error.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from playing import random_action

from envs import center_rows
from envs.center_rows import CenterRows
from envs.inputs.demand import DemandSampler
from envs.inputs.parameters import build_parameters, choose_sizes
from envs.scenario.scenario import Scenario, load_scenario
from envs.simulator.machine.growth import make_journals

EVERYTHING = Path(__file__).parent / "everything.yaml"
CHANGES = (
    "horizon.days=0.025", "horizon.warm_up_days=0.008", "census_at_s=[1800]", "scripted_contacts=[]",
    "groups.1.shifts=[{start: '00:10', end: '10:00'}]",
)  # fmt: skip


SCENARIO: Scenario = load_scenario(EVERYTHING, CHANGES)
SIZES = choose_sizes(SCENARIO)
PARAMETERS = build_parameters(SCENARIO, SIZES)
SAMPLER = DemandSampler(SCENARIO)


def make_rows(n_contacts: int, n_entries: int) -> CenterRows:
    """Return two rows that begin with room for so many contacts and notes."""
    parameters = PARAMETERS.copy()
    parameters["n_contacts"] = n_contacts
    center_rows.choose_sizes = lambda _: SIZES._replace(contacts=n_contacts)
    center_rows.build_parameters = lambda _: parameters
    rows = CenterRows(SCENARIO, 2, sampler=SAMPLER, journal=True)
    rows._records._note_in(make_journals(2, n_entries))
    return rows


def play(rows: CenterRows) -> tuple[Any, ...]:
    """Return all that is seen, earned, noted and counted in two episodes of random actions."""
    rows.start(rows.all_rows, np.array([3, 3]), np.array([0, 1]))
    generator = np.random.default_rng(0)
    seen, notes = [], [rows.drain(0).tobytes(), rows.drain(1).tobytes()]
    while not rows.done.all():
        running = np.flatnonzero(~rows.done)
        actions = np.zeros(2, np.int64)
        for row in running:
            actions[row] = random_action(generator, rows.mask[row])
        rows.step(running, actions)
        seen.append([array.tobytes() for array in (rows.center, rows.candidates, rows.mask, rows.results)])
        notes += [rows.drain(0).tobytes(), rows.drain(1).tobytes()]
        if len(seen) == 20:  # a snapshot fits into rows of any size
            for size in (8, rows.sizes.contacts, 4 * rows.sizes.contacts):
                other = make_rows(size, 64)
                other.restore(0, rows.snapshot(0))
                assert other.sizes.contacts >= rows.sizes.contacts
                rows.restore(0, other.snapshot(0))
    counts = [{key: np.asarray(value).tobytes() for key, value in rows.counts(row).items()} for row in (0, 1)]
    return seen, b"".join(notes), counts


def main() -> None:
    """Exit with 0 if the small records grow, and everything is as in large ones."""
    small, large = make_rows(8, 300), make_rows(4096, 65536)
    found, wanted = play(small), play(large)
    assert small.sizes.contacts > 8, "nothing grew"
    assert small.journals["entries"].shape[1] > 300, "no journal grew"
    for one, other in zip(found, wanted, strict=True):
        assert one == other
    assert not any(rows.counts(0)["queue_count"]["lost"].any() for rows in (small, large))


if __name__ == "__main__":
    sys.exit(main())
