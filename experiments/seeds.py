"""Seeds of the demand: which customers are met in training, validation and test.

Room: `experiments`. Touches nothing.

The demand of an episode is a pure function of (scenario, seed, episode), and unequal seeds give independent
demand (`envs.inputs.demand`). A user's seed s becomes the demand seeds 3s (training), 3s + 1 (validation: every
choice is made there) and 3s + 2 (test: what is reported). They are disjoint for one s, and also between any
two, so a policy trained under one seed may be tested under every other.
"""

from typing import NamedTuple

from envs.errors import ConfigurationError

LARGEST_SEED = 2**61
"""Three times a seed has to fit a 64-bit integer."""


class DemandSeeds(NamedTuple):
    """The demand seeds that belong to one user's seed."""

    train: int
    validation: int
    test: int


def demand_seeds(seed: int) -> DemandSeeds:
    """Return the demand seeds of the user's `seed`, 0 to `LARGEST_SEED`."""
    if not 0 <= seed <= LARGEST_SEED:
        raise ConfigurationError(f"seed = {seed}: must be >= 0 and <= {LARGEST_SEED}")
    return DemandSeeds(train=3 * seed, validation=3 * seed + 1, test=3 * seed + 2)
