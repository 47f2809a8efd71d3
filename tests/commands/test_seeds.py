"""Seeds: training, validation and test never meet the same customers, nor those of a seed that a library states."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.learning.training_env import TrainingVecEnv
from envs.center import BlendedCenter
from envs.center_rows import CenterRows
from envs.errors import ConfigurationError
from envs.inputs.demand import DemandSampler
from envs.scenario.scenario import load_scenario
from envs.vector_center import BlendedCenterVector
from experiments.comparison.evaluate import evaluate
from experiments.seeds import FIRST_DEMAND_SEED, LARGEST_SEED, demand_seeds

N_ROWS = 10**6
"""More environments side by side, or episodes of a library that gives each a seed, than anybody has."""
SEEDS = st.integers(0, LARGEST_SEED)
PURPOSES = ("train", "validation", "test")


def read_back(demand_seed: int) -> tuple[int, int]:
    """Return (purpose, user's seed) of a demand seed: each step of `experiments.seeds` undone, the last one first."""

    def undo_shift(number: int, shift: int) -> int:
        found = number  # the upper `shift` bits are right, and each pass makes as many more so
        for _ in range(0, 60, shift):
            found = number ^ (found >> shift)
        return found

    above = demand_seed - 2**62
    number = undo_shift(above % 2**60, 31)
    number = undo_shift(number * pow(0x94D049BB133111EB, -1, 2**60) % 2**60, 27)
    number = undo_shift(number * pow(0xBF58476D1CE4E5B9, -1, 2**60) % 2**60, 30)
    return above // 2**60, (number - 0x9E3779B97F4A7C15) % 2**60


@given(SEEDS)
@example(0)
@example(LARGEST_SEED)
def test_purpose_and_seed_can_be_read_back_so_no_two_demand_seeds_are_equal(seed):
    found = [read_back(demand_seed) for demand_seed in demand_seeds(seed)]
    assert found == [(0, seed), (1, seed), (2, seed)]


@given(seed=SEEDS, plain=st.integers(0, 2**62 - 1 - N_ROWS), row=st.integers(0, N_ROWS))
@example(seed=0, plain=0, row=0)
@example(seed=0, plain=2**53 - 1, row=N_ROWS)
@example(seed=LARGEST_SEED, plain=2**62 - 1 - N_ROWS, row=N_ROWS)
def test_no_plain_seed_plus_row_is_a_demand_seed(seed, plain, row):
    """True of all seeds and rows, since every demand seed is above every sum: 2^62 > plain + row."""
    assert plain + row < FIRST_DEMAND_SEED <= min(demand_seeds(seed))
    assert max(demand_seeds(seed)) <= np.iinfo(np.int64).max


@given(seed=SEEDS, other=SEEDS, row=st.integers(1, N_ROWS))
def test_training_on_a_demand_seed_plus_row_meets_no_test_or_validation(seed, other, row):
    # Purposes are 2^60 apart, so only the last 10^6 of 2^60 numbers could reach the next purpose.
    if read_back(demand_seeds(seed).train + row)[0] == 0:
        assert demand_seeds(seed).train + row not in demand_seeds(other)[1:]


def test_user_seeds_of_the_suite_are_far_from_the_edge_of_their_purpose():
    for seed in range(1000):
        assert (demand_seeds(seed).train + N_ROWS) // 2**60 == demand_seeds(seed).train // 2**60


def test_the_same_seed_has_the_same_demand_seeds_on_every_machine():
    # By hand, with Python's integers: z = 0 + 0x9E3779B97F4A7C15 mod 2^60 = 0xE3779B97F4A7C15; then the two rounds of
    # SplitMix64's finalizer modulo 2^60.
    z = 0xE3779B97F4A7C15
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**60
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**60
    z ^= z >> 31
    assert demand_seeds(0) == (2**62 + z, 2**62 + 2**60 + z, 2**62 + 2**61 + z)


@pytest.mark.parametrize("seed", [-1, LARGEST_SEED + 1, 1.5, 1.0, True, "1e3", None])
@pytest.mark.parametrize("use", [demand_seeds, lambda seed: evaluate("fifo", "tiny", episodes=1, seed=seed)])
def test_what_is_no_seed_is_refused(use, seed):
    with pytest.raises(
        ConfigurationError, match=rf"seed = {seed!r}: must be a whole number >= 0 and <= {LARGEST_SEED}"
    ):
        use(seed)


def test_a_seed_of_numpy_is_the_plain_number():
    assert demand_seeds(np.int64(3)) == demand_seeds(3)
    assert json.dumps(evaluate("fifo", "tiny", episodes=np.int64(1), seed=np.int64(3))["seed"]) == "3"


@pytest.mark.parametrize("seed", [-1, 1.0, "1e3", True])
def test_the_training_environment_reads_seeds_as_the_others_do(seed):
    tiny = load_scenario("tiny")
    with pytest.raises(ConfigurationError, match=r"seed = .*: must be a whole number >= 0"):
        TrainingVecEnv(tiny, 1, seed)
    env = TrainingVecEnv(tiny, 1, 0)
    with pytest.raises(ConfigurationError, match=r"seed = .*: must be a whole number >= 0"):
        env.seed(seed)
    env.seed(2**63)
    env.reset()
    env.seed(2**64 - 1)
    env.reset()


def test_the_three_demands_share_no_customer_nor_do_plain_seeds():
    sampler = DemandSampler(load_scenario("bank", ("horizon.days=1",)))
    keys = [
        set(sampler.sample(seed, episode)["key"].tolist())
        for seed in (0, 1, 2, 3, 4, 5, *demand_seeds(0), *demand_seeds(1))
        for episode in range(2)
    ]
    assert all(keys)
    assert len(set.union(*keys)) == sum(map(len, keys))


def met(monkeypatch) -> list[tuple[int, int]]:
    """Return a list to which every (seed, episode) that is started from now on is added."""
    started: list[tuple[int, int]] = []
    start = CenterRows.start

    def record(rows, numbers, seeds, episodes):
        started.extend(zip(np.asarray(seeds).tolist(), np.asarray(episodes).tolist(), strict=True))
        start(rows, numbers, seeds, episodes)

    monkeypatch.setattr(CenterRows, "start", record)
    return started


@pytest.mark.parametrize("seed", [0, 1, 2, 7, 2**32 - 4])
def test_environments_seeded_as_libraries_do_meet_no_episode_of_the_command_line(monkeypatch, seed):
    started = met(monkeypatch)
    environments = DummyVecEnv([lambda: BlendedCenter("tiny") for _ in range(3)])  # SB3: environment i has seed + i
    environments.seed(seed)
    environments.reset()
    own = TrainingVecEnv(load_scenario("tiny"), 3, seed=seed)
    own.seed(seed)
    own.reset()
    rows = BlendedCenterVector("tiny", 3)
    rows.reset(seed=seed)
    rows.reset(seed=[seed, seed + 1, seed + 2])
    unseeded = BlendedCenter("tiny")
    unseeded.reset()
    plain = {found for found, _ in started}
    assert {seed, seed + 1, seed + 2} <= plain
    tested = {found for user_seed in range(1000) for found in demand_seeds(user_seed)}
    assert not plain & tested


def test_the_test_episodes_can_be_had_on_purpose_in_every_environment():
    seed = demand_seeds(3).test
    alone = BlendedCenter("million_dollar_interrupt_random")
    first, info = alone.reset(seed=seed, options={"episode": 1})
    assert (info["demand_seed"], info["demand_episode"]) == (seed, 1)
    snapshot = alone.snapshot()
    assert snapshot.seed == seed
    rows = BlendedCenterVector("million_dollar_interrupt_random", 2)
    shared, _ = rows.reset(seed=seed)
    np.testing.assert_array_equal(shared["candidates"][1], first["candidates"])
    rows.reset(seed=[seed, 5])
    assert (rows.snapshot(0).seed, rows.snapshot(1).seed) == (seed, 5)
    training = TrainingVecEnv(load_scenario("million_dollar_interrupt_random"), 2, seed=seed)
    np.testing.assert_array_equal(training.reset()["candidates"][1], first["candidates"])
