"""Wrappers for other libraries: the flat, scaled observation, and the fixed list of episodes."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from envs import BlendedCenter, BlendedCenterVector, ConfigurationError
from envs.interface.fields import C_VALUE, C_WAITED, G_TIME_LEFT
from envs.wrappers.fixed_episodes import FixedEpisodes
from envs.wrappers.scaled_observation import ScaledObservation, ScaledObservationVector, flatten_scaled

ID = "envs:BlendedCenter-v0"
DRAWN = "million_dollar_interrupt_random"
"""A short scenario whose episodes differ."""


def first_open(masks: np.ndarray) -> np.ndarray:
    return masks.argmax(axis=-1)


def last_open(mask: np.ndarray) -> int:
    return int(np.flatnonzero(mask)[-1])


def test_a_scaled_observation_is_mask_center_and_candidates_by_the_scales_of_their_fields():
    plain = BlendedCenter("tiny")
    n, n_center, n_candidate = (
        int(plain.action_space.n),
        len(plain.observation_fields.center),
        len(plain.observation_fields.candidates),
    )
    observation = {
        "action_mask": np.arange(n, dtype=np.int8) % 2,
        "center": np.zeros(n_center, np.float32),
        "candidates": np.zeros((n, n_candidate), np.float32),
    }
    observation["center"][G_TIME_LEFT] = 86_400  # scale 86,400 s: log(1 + 1)
    observation["candidates"][1, C_WAITED] = 120  # scale 60 s: log(1 + 2)
    observation["candidates"][2, C_VALUE] = -30_000  # scale 10,000 USD: -log(1 + 3)
    flat = flatten_scaled(observation, plain.observation_fields)
    assert flat.dtype == np.float32
    assert flat.shape == (n + n_center + n * n_candidate,)
    assert flat[:n].tolist() == [i % 2 for i in range(n)]
    expected = {
        n + G_TIME_LEFT: np.log(2),
        n + n_center + n_candidate + C_WAITED: np.log(3),
        n + n_center + 2 * n_candidate + C_VALUE: -np.log(4),
    }
    assert set(np.flatnonzero(flat[n:]) + n) == set(expected)
    for place, value in expected.items():
        assert flat[place] == pytest.approx(value, rel=1e-6)


def test_a_scaled_observation_lies_in_its_bounded_space_and_keeps_the_mask_at_hand():
    env = ScaledObservation(gymnasium.make(ID, scenario="tiny"))
    space = env.observation_space
    n = int(env.action_space.n)
    assert isinstance(space, gymnasium.spaces.Box)
    assert space.dtype == np.float32
    assert np.abs([space.low, space.high]).max() < 25
    assert (space.low[:n] == 0).all()
    assert (space.high[:n] == 1).all()
    check_env(env, skip_render_check=True)
    observation, info = env.reset(seed=0)
    is_over = False
    while not is_over:
        assert observation in space
        np.testing.assert_array_equal(observation[:n], info["action_mask"])
        np.testing.assert_array_equal(observation[:n] > 0, env.action_masks())
        observation, _, is_over, _, info = env.step(last_open(info["action_mask"]))
    assert observation in space


def test_a_scaled_observation_survives_its_specification():
    env = ScaledObservation(gymnasium.make(ID, scenario="tiny"))
    assert env.spec is not None
    again = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    np.testing.assert_array_equal(again.reset(seed=5)[0], env.reset(seed=5)[0])


@pytest.mark.parametrize("mode", AutoresetMode)
def test_scaled_observations_of_a_vector_are_those_of_its_rows(mode: AutoresetMode):
    plain = BlendedCenterVector("tiny", 2, autoreset_mode=mode)
    vector = ScaledObservationVector(BlendedCenterVector("tiny", 2, autoreset_mode=mode))
    assert vector.autoreset_mode is mode
    assert vector.observation_space.shape == (2, *vector.single_observation_space.shape)
    observations, flat = plain.reset(seed=0)[0], vector.reset(seed=0)[0]
    has_ended = False
    while not has_ended:
        assert flat in vector.observation_space
        np.testing.assert_array_equal(flat, flatten_scaled(observations, plain.observation_fields))
        np.testing.assert_array_equal(flat[:, : len(plain.action_names)] > 0, vector.action_masks())
        actions = first_open(vector.action_masks())
        observations, _, terminated, _, infos = plain.step(actions)
        flat, _, _, _, info = vector.step(actions)
        has_ended = bool(terminated.any())
    assert ("final_obs" in info) == (mode is AutoresetMode.SAME_STEP)
    if mode is AutoresetMode.SAME_STEP:
        row = int(np.flatnonzero(terminated)[0])
        assert info["final_obs"][row] in vector.single_observation_space
        expected = flatten_scaled(infos["final_obs"][row], plain.observation_fields)
        np.testing.assert_array_equal(info["final_obs"][row], expected)


def test_fixed_episodes_come_in_turn_whatever_seed_a_library_sets():
    env = FixedEpisodes(gymnasium.make(ID, scenario=DRAWN), demand_seed=7, episodes=(3, 0, 5))

    def started(**arguments) -> tuple[int, int]:
        info = env.reset(**arguments)[1]
        return int(info["demand_seed"]), int(info["demand_episode"])

    assert [started() for _ in range(4)] == [(7, 3), (7, 0), (7, 5), (7, 3)]
    assert [started(seed=99), started()] == [(7, 3), (7, 0)]
    same = BlendedCenter(DRAWN).reset(seed=7, options={"episode": 5})[0]
    for key, value in env.reset()[0].items():
        np.testing.assert_array_equal(value, same[key])


def test_fixed_episodes_refuse_what_they_cannot_play():
    plain = BlendedCenter("tiny")
    with pytest.raises(ConfigurationError, match="at least one"):
        FixedEpisodes(plain, 0, ())
    for wrong in (-1, 1.5, "2", None, True, 2**63):
        with pytest.raises(ConfigurationError, match=r"episodes\[1\] = "):
            FixedEpisodes(plain, 0, (0, wrong))
        with pytest.raises(ConfigurationError, match="demand_seed = "):
            FixedEpisodes(plain, wrong, (0,))
    with pytest.raises(ConfigurationError, match="fixed"):
        FixedEpisodes(plain, 0, (0,)).reset(options={"episode": 4})
