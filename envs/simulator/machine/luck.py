"""Later chances of a customer: a pure function of the customer's own key and the attempt.

Room: `envs.simulator.machine`. Touches nothing but its arguments, so every policy meets the same luck (DESIGN section
4.1).
"""

import numpy as np

from envs.interface.units import CELLS, OCTAVES
from envs.simulator.machine.compilation import compiled

# What the chance is about: each purpose has a stream of its own.
(
    LUCK_PICK_UP,
    LUCK_ERROR,
    LUCK_ACCEPT,
    LUCK_REDIAL,
    LUCK_REDIAL_DELAY,
    LUCK_PATIENCE,
    LUCK_CHURN,
    LUCK_APPROVAL,
    LUCK_REACH,
    LUCK_FOLLOW_UP,
    LUCK_FOLLOW_UP_DELAY,
    LUCK_RESOLUTION,
    LUCK_UNRESOLVED,
    LUCK_RETURN_DELAY,
    LUCK_DUE,
    LUCK_PAYMENT,
    LUCK_ABSENCE,
    LUCK_AFTER_WORK,
    LUCK_WORK,
) = range(19)
_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_PURPOSE = np.uint64(0xD1B54A32D192ED03)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_UNIT = 2.0**-53

ATTEMPTS_APART = 64
"""More attempts to reach a customer than a contact can have: so every one of every contact has luck of its own."""
SECONDS_APART = 2**32
"""More seconds than a horizon has: so every shift of every rep has luck of its own."""


@compiled
def mix(word):
    """Return `word`, 64 bits, mixed by the finaliser of SplitMix64 (Steele, Lea, Flood 2014, OOPSLA, figure 16;
    constants of Stafford's variant 13)."""
    word = (word ^ (word >> _S30)) * _FIRST
    word = (word ^ (word >> _S27)) * _SECOND
    return word ^ (word >> _S31)


@compiled
def uniform(key, purpose, attempt):
    """Return the uniform number in [0, 1) of the customer with `key` for `purpose`, a LUCK_ code, at its `attempt` (0,
    1, ...)."""
    word = mix(key + _PURPOSE * np.uint64(purpose + 1))
    word = mix(word + _INCREMENT * np.uint64(attempt + 1))
    return np.float64(word >> _S11) * _UNIT


@compiled
def look_up_quantile(table, probability):
    """Return the quantile, seconds, at `probability` in [0, 1) from a table of `tabulate_quantiles`, or one of inf."""
    left = 1.0 - probability
    octave = 0
    while left <= 0.5 and octave < OCTAVES - 1:
        left *= 2.0
        octave += 1
    position = (1.0 - left) * 2.0 * CELLS
    cell = min(int(position), CELLS - 1)
    part = min(position - cell, 1.0)
    low = table[octave, cell]
    if low == np.inf:  # endless patience: inf - inf is no number
        return low
    return low + part * (table[octave, cell + 1] - low)
