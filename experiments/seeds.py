"""Seeds of the demand: which customers are met in training, validation and test.

Room: `experiments`. Touches nothing.

The demand of an episode is a pure function of (scenario, seed, episode), and unequal seeds give independent
demand (`envs.inputs.demand`). A user's seed s becomes three demand seeds, one for each purpose:

    2^62 + purpose × 2^60 + mix(s),   purpose: 0 training, 1 validation (every choice is made there), 2 test (reported)

with `mix` a bijection of 0 … 2^60 − 1, the finalizer of SplitMix64 (Steele, Lea, Flood 2014, OOPSLA) on 60 bits. So

* no seed that a person or a library states plainly is one of them: libraries seed environment i with s + i, and stay
  below 2^62, where the demand seeds begin;
* no two are equal, neither of one s nor of any two: purpose and s can be read back. A policy trained under one seed
  may be tested under every other;
* all fit the signed 64-bit integers in which environments, snapshots and records keep a seed.

Who wants the test episodes of seed s on purpose can have them: `env.reset(seed=demand_seeds(s).test)`.
"""

from typing import NamedTuple

from envs.arguments import check_whole

LARGEST_SEED = 2**53 - 1
"""The user's seed stands in JSON, whose readers may keep numbers as doubles: larger ones would not come back."""

MOST_EPISODES = 100_000
"""Episodes that a command plays under one demand seed, at most."""

FIRST_DEMAND_SEED = 2**62
"""All demand seeds are at least this; what a library makes of a plain seed is less."""

_BITS = 60
_MASK = 2**_BITS - 1
_INCREMENT, _FIRST_FACTOR, _SECOND_FACTOR = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class DemandSeeds(NamedTuple):
    """The demand seeds that belong to one user's seed."""

    train: int
    validation: int
    test: int


def demand_seeds(seed: int) -> DemandSeeds:
    """Return the demand seeds of the user's `seed`, a whole number from 0 to `LARGEST_SEED`: each 2^62 to 2^63 − 1."""
    mixed = _mix(check_whole("seed", seed, high=LARGEST_SEED))
    return DemandSeeds(*(FIRST_DEMAND_SEED + (purpose << _BITS) + mixed for purpose in range(3)))


def sampling_seed(demand_seed: int) -> int:
    """Return what a policy that samples is told before it plays the episodes of `demand_seed`: a number of 32 bits,
    which every library takes, so that what it draws depends neither on what was played before nor on who else takes
    part."""
    return demand_seed % 2**32


def _mix(number: int) -> int:
    """Return a bijection of 0 … 2^60 − 1: adding, multiplying by odd numbers modulo 2^60, and xor with a right
    shift can each be undone."""
    mixed = (number + _INCREMENT) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * _FIRST_FACTOR) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * _SECOND_FACTOR) & _MASK
    return mixed ^ (mixed >> 31)
