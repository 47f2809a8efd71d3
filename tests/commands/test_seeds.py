"""Seeds: training, validation and test never meet the same customers."""

import numpy as np
import pytest

from envs.errors import ConfigurationError
from envs.inputs.demand import DemandSampler
from envs.scenario.scenario import load_scenario
from experiments.seeds import LARGEST_SEED, demand_seeds


def test_no_two_demand_seeds_are_equal():
    seeds = [seed for user_seed in range(1000) for seed in demand_seeds(user_seed)]
    assert len(set(seeds)) == 3000


def test_the_largest_seed_fits_the_array_of_seeds():
    assert np.full(1, demand_seeds(LARGEST_SEED).test).dtype == np.int64


@pytest.mark.parametrize("seed", [-1, LARGEST_SEED + 1])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ConfigurationError, match=f"seed = {seed}: must be >= 0"):
        demand_seeds(seed)


def test_the_three_demands_share_no_customer():
    sampler = DemandSampler(load_scenario("bank", ("horizon.days=1",)))
    keys = [
        set(sampler.sample(seed, episode)["key"].tolist())
        for user_seed in (0, 1)
        for seed in demand_seeds(user_seed)
        for episode in range(2)
    ]
    assert all(keys)
    assert len(set.union(*keys)) == sum(map(len, keys))
