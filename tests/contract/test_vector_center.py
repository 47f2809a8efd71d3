"""The vector environment: its contract, and that rows, threads and batches change nothing."""

from collections.abc import Iterator

import gymnasium
import numba
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from playing import bank_day, random_action

from envs import BlendedCenter, BlendedCenterVector, ConfigurationError
from envs.center_rows import CenterRows
from envs.scenario.scenario import load_scenario


def random_actions(generator: np.random.Generator, masks: np.ndarray) -> np.ndarray:
    """Return one open action per row, all equally likely."""
    chosen = np.where(masks, generator.random(masks.shape), -1.0)
    return chosen.argmax(axis=1)


def test_gymnasium_makes_it():
    centers = gymnasium.make_vec(
        "BlendedCenter-v0", num_envs=4, scenario="tiny", vectorization_mode="vector_entry_point"
    )
    assert isinstance(centers.unwrapped, BlendedCenterVector)
    assert centers.num_envs == 4
    assert centers.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    observations, info = centers.reset(seed=3)
    assert centers.observation_space.contains(observations)
    assert centers.action_space.contains(np.zeros(4, np.int64))
    assert info["action_mask"].shape == (4, centers.single_action_space.n)
    observations, rewards, terminated, truncated, info = centers.step(np.zeros(4, np.int64))
    assert centers.observation_space.contains(observations)
    assert rewards.shape == terminated.shape == truncated.shape == info["elapsed_s"].shape == (4,)
    assert (rewards.dtype, terminated.dtype, truncated.dtype) == (np.float64, bool, bool)
    centers.close()


def test_spaces_and_names_are_those_of_the_scalar_environment():
    centers, center = BlendedCenterVector("tiny", 3), BlendedCenter("tiny")
    assert centers.single_observation_space == center.observation_space
    assert centers.single_action_space == center.action_space
    assert centers.action_names == center.action_names
    assert centers.observation_fields == center.observation_fields


def test_the_next_episode_starts_in_the_step_that_ends_one():
    centers = BlendedCenterVector("tiny", 3)
    centers.reset(seed=[1, 2, 3])
    generator = np.random.default_rng(0)
    ended = np.zeros(3, np.int64)
    while ended.min() < 2:
        observations, _, terminated, truncated, info = centers.step(random_actions(generator, centers.action_masks()))
        assert not truncated.any()
        np.testing.assert_array_equal(observations["action_mask"], info["action_mask"])
        np.testing.assert_array_equal(observations["action_mask"] != 0, centers.action_masks())
        assert (observations["action_mask"].sum(axis=1) >= 2).all()
        if not terminated.any():
            assert not {"final_obs", "final_info"} & set(info)
            continue
        np.testing.assert_array_equal(info["_final_obs"], terminated)
        np.testing.assert_array_equal(info["_final_info"], terminated)
        for row in range(3):
            if not terminated[row]:
                assert info["final_obs"][row] is None
                assert not info["final_info"]["metrics"][row].any()
                continue
            final = info["final_obs"][row]
            assert centers.single_observation_space.contains(final)
            assert final["action_mask"].sum() == 1
            left = [field.name for field in centers.observation_fields.center].index("time_left_s")
            assert final["center"][left] == 0.0
            assert observations["center"][row, left] > 0.0
            assert info["final_info"]["metrics_defined"][row].any()
            assert info["final_info"]["demand_episode"][row] == ended[row]
            assert info["demand_episode"][row] == ended[row] + 1
            assert info["time_s"][row] < 86_400.0
        ended += terminated
        np.testing.assert_array_equal(centers.episodes, ended)


def demands(centers: BlendedCenterVector) -> list[bytes]:
    rows = centers.rows
    return [rows.demands[i, : rows.demand_counts[i]].tobytes() for i in range(rows.n_rows)]


def demand(seed: int, episode: int) -> bytes:
    center = BlendedCenter(bank_day())
    center.reset(seed=seed, options={"episode": episode})
    return center._rows.demands[0, : center._rows.demand_counts[0]].tobytes()


def test_a_shared_seed_gives_each_row_another_episode():
    centers = BlendedCenterVector(bank_day(), 3)
    centers.reset(seed=5)
    assert demands(centers) == [demand(5, episode) for episode in (0, 1, 2)]
    centers.reset()
    assert demands(centers) == [demand(5, episode) for episode in (3, 4, 5)]
    centers.reset(seed=5)
    assert demands(centers) == [demand(5, episode) for episode in (0, 1, 2)]
    centers.reset(seed=5, options={"episodes": [4, 0, 9]})
    assert demands(centers) == [demand(5, episode) for episode in (4, 0, 9)]
    centers.reset()
    assert demands(centers) == [demand(5, episode) for episode in (10, 11, 12)]


def test_under_a_shared_seed_rows_that_end_take_the_next_episode_of_all():
    centers = BlendedCenterVector("tiny", 3)
    centers.reset(seed=5)
    generator = np.random.default_rng(1)
    taken = {0, 1, 2}
    while len(taken) < 12:
        _, _, terminated, _, _ = centers.step(random_actions(generator, centers.action_masks()))
        started = sorted(centers.episodes[terminated])
        assert started == list(range(len(taken), len(taken) + len(started)))
        taken |= set(started)


def test_a_list_of_seeds_gives_each_row_its_own():
    centers = BlendedCenterVector(bank_day(), 2)
    centers.reset(seed=[8, 5])
    assert demands(centers) == [demand(8, 0), demand(5, 0)]
    centers.reset()
    assert demands(centers) == [demand(8, 1), demand(5, 1)]
    centers.reset(seed=[8, 5], options={"episodes": [3, 2]})
    assert demands(centers) == [demand(8, 3), demand(5, 2)]


def test_without_a_seed_one_is_drawn():
    first, second = BlendedCenterVector("tiny", 2), BlendedCenterVector("tiny", 2)
    first.reset()
    second.reset()
    assert first.seeds[0] == first.seeds[1]
    assert first.seeds[0] != second.seeds[0]


@pytest.mark.parametrize("name", ["tiny", "bank"])
def test_a_row_equals_the_scalar_environment_bit_for_bit(name):
    scenario, n_rows, seed = load_scenario(name), 2, 21
    centers = BlendedCenterVector(scenario, n_rows, copy_observations=False)
    observations, info = centers.reset(seed=seed)
    scalars = [BlendedCenter(scenario) for _ in range(n_rows)]
    generators = [np.random.default_rng(row) for row in range(n_rows)]
    for row, scalar in enumerate(scalars):
        observation, _ = scalar.reset(seed=seed, options={"episode": row})
        for key, values in observation.items():
            assert values.tobytes() == observations[key][row].tobytes()
    running = set(range(n_rows))
    n_steps = 0
    while running:
        masks = centers.action_masks()
        actions = np.array([random_action(generators[row], masks[row]) for row in range(n_rows)])
        observations, rewards, terminated, _, info = centers.step(actions)
        n_steps += 1
        for row in sorted(running):
            observation, reward, has_ended, _, scalar_info = scalars[row].step(int(actions[row]))
            assert has_ended == terminated[row]
            assert reward == rewards[row]
            final = info["final_obs"][row] if has_ended else None
            row_info = info["final_info"] if has_ended else info
            assert all(value.tobytes() == row_info[key][row].tobytes() for key, value in scalar_info.items())
            for key, values in observation.items():
                seen = observations[key][row] if final is None else final[key]
                assert values.tobytes() == seen.tobytes(), (n_steps, row, key)
            if has_ended:
                running.remove(row)
    assert n_steps > (10_000 if name == "bank" else 5)


def leaves(records: np.ndarray, path: str = "state") -> Iterator[tuple[str, np.ndarray]]:
    """Yield every field of structured records that holds numbers, with its path."""
    if records.dtype.names is None:
        yield path, records
        return
    for name in records.dtype.names:
        yield from leaves(records[name], f"{path}.{name}")


@pytest.mark.parametrize("name", ["tiny", "bank"])
def test_parallel_rows_equal_serial_rows_in_every_field(name):
    assert numba.config.NUMBA_NUM_THREADS >= 2
    scenario, n_rows = load_scenario(name), 3
    serial, parallel = (CenterRows(scenario, n_rows, threads) for threads in (1, 2))
    seeds, episodes = np.full(n_rows, 4), np.arange(n_rows)
    for rows in (serial, parallel):
        rows.start(rows.all_rows, seeds, episodes)
    generator = np.random.default_rng(2)
    n_steps = 0
    running = serial.all_rows
    while len(running):
        actions = random_actions(generator, serial.mask != 0)
        for rows in (serial, parallel):
            rows.step(running, actions)
        n_steps += 1
        for buffer in ("center", "candidates", "mask", "reward_usd", "elapsed_s", "substituted"):
            assert getattr(serial, buffer).tobytes() == getattr(parallel, buffer).tobytes(), (n_steps, buffer)
        n_running = len(running)
        running = np.flatnonzero(~serial.done)
        if n_steps < 50 or n_steps % 50 == 0 or len(running) < n_running:
            if serial.states.tobytes() != parallel.states.tobytes():  # perhaps by no more than padding
                pairs = zip(leaves(serial.states), leaves(parallel.states), strict=True)
                assert not [path for (path, a), (_, b) in pairs if not np.array_equal(a, b)], n_steps
    assert parallel.done.all()
    assert n_steps > (10_000 if name == "bank" else 5)


def test_the_parallel_vector_environment_plays_as_the_serial_one():
    serial, parallel = (BlendedCenterVector(bank_day(), 4, threads=threads) for threads in (1, 2))
    serial.reset(seed=1)
    parallel.reset(seed=1)
    generator = np.random.default_rng(3)
    for _ in range(1000):
        actions = random_actions(generator, serial.action_masks())
        first, second = serial.step(actions), parallel.step(actions)
        assert first[1].tobytes() == second[1].tobytes()
        assert all(first[0][key].tobytes() == second[0][key].tobytes() for key in first[0])


def test_masked_actions():
    centers = BlendedCenterVector("tiny", 3)
    centers.reset(seed=0)
    masks = centers.action_masks()
    wrong = np.array([0, int(np.flatnonzero(~masks[1])[0]), 0])
    *_, info = centers.step(wrong)
    assert info["substituted"].tolist() == [0, 1, 0]
    refusing = BlendedCenterVector("tiny", 3, on_masked_action="raise")
    refusing.reset(seed=0)
    before = refusing.rows.states.tobytes()
    with pytest.raises(ValueError, match="in environment 1: must be an open action"):
        refusing.step(wrong)
    assert refusing.rows.states.tobytes() == before
    with pytest.raises(ConfigurationError, match="on_masked_action"):
        BlendedCenterVector("tiny", 3, on_masked_action="no")


def test_observations_are_copies_unless_told_otherwise():
    for copied in (True, False):
        centers = BlendedCenterVector("tiny", 2, copy_observations=copied)
        observations, _ = centers.reset(seed=0)
        before = observations["center"].copy()
        for _ in range(3):
            centers.step(np.zeros(2, np.int64))
        assert np.array_equal(observations["center"], before) == copied


def test_every_center_is_rendered():
    centers = BlendedCenterVector("tiny", 2, render_mode="ansi")
    centers.reset(seed=0)
    texts = centers.render()
    assert len(texts) == 2
    assert all("tiny" in text for text in texts)
    assert BlendedCenterVector("tiny", 2).render() is None


def test_one_seed_may_be_an_array_without_dimensions_and_lists_may_be_ranges():
    centers, others = BlendedCenterVector("tiny", 3), BlendedCenterVector("tiny", 3)
    for given, plain in ((np.array(4), 4), (range(3), [0, 1, 2])):
        found, expected = centers.reset(seed=given)[0], others.reset(seed=plain)[0]
        assert all((found[key] == expected[key]).all() for key in expected)
    centers.reset(options={"episodes": range(3)})
    with pytest.raises(ConfigurationError, match=r"options.* = 3: must be a list of 3, one per environment"):
        centers.reset(options={"episodes": 3})
