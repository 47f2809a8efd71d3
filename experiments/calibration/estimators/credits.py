"""Contacts with credit in their queue's order, and those without, as queues of their own.

Room: `experiments.calibration.estimators`. Makes one log of another.

Who has credit waits less, and may be of another kind: other patience, other work. In a scenario they are channels of
their own, and the center's rule weighs their waits with the credit.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from experiments.calibration.contact_log import ContactLog
from experiments.calibration.estimates import Law

SECONDS_PER_MIN = 60.0
MOST_LEVELS = 4
LEAST = 100
NOTED_FRAC = 0.1
"""Of the share with credit among those who waited: if those who did not have less, their credit was not noted."""


def split_by_credit(log: ContactLog, seed: int = 0) -> tuple[ContactLog, Law | str]:
    """Return the log with one channel for each channel and credit, and the center's rule as a policy file states it.

    A channel of one credit keeps its name; of others `voice_90s` has those with 90 s of credit. Credit decides who
    waits longer, not who waits at all. So where those who did not wait have it less than `NOTED_FRAC` as often as those
    who waited, the log notes it of those who waited: what it says of the others is drawn, by `seed`, with their shares.
    A channel of more than `MOST_LEVELS` credits, or with fewer than `LEAST` contacts of one, is not divided.
    """
    contacts = log.contacts.copy()
    drawn = np.random.default_rng(seed)
    names: list[str] = []
    kinds: list[str] = []
    credit: list[float] = []
    for channel, (name, kind) in enumerate(zip(log.channels, log.kinds, strict=True)):
        mine = np.flatnonzero(log.contacts["channel"] == channel)
        waited = log.contacts["wait_s"][mine] > 0.0
        stated = log.contacts["priority"][mine]
        if _has_credit(stated[~waited]) < NOTED_FRAC * _has_credit(stated[waited]):
            stated[~waited] = drawn.choice(stated[waited], int((~waited).sum()))
        levels, counts = np.unique(stated, return_counts=True)
        if not 1 < len(levels) <= MOST_LEVELS or counts.min() < LEAST:
            levels, stated = np.zeros(1), np.zeros(len(mine))
        contacts["priority"][mine] = stated
        contacts["channel"][mine] = len(names) + np.searchsorted(levels, stated)
        names += [name if len(levels) == 1 or level == 0.0 else f"{name}_{level:g}s" for level in levels]
        kinds += [kind] * len(levels)
        credit += levels.tolist()
    split = replace(log, contacts=contacts, channels=tuple(names), kinds=tuple(kinds))
    if len(set(credit)) == 1:
        return split, "fifo"
    return split, {
        "rule": "priority_acceleration",
        "name": "center",
        "priority": {name: level / SECONDS_PER_MIN for name, level in zip(names, credit, strict=True)},
        "acceleration_per_min": dict.fromkeys(names, 1.0),
    }


def _has_credit(credit_s: NDArray[np.float64]) -> float:
    """Return the share with credit; 0 of nobody."""
    return float((credit_s > 0.0).mean()) if len(credit_s) else 0.0
