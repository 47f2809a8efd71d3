"""Gymnasium's own wrappers and vectors around the registered environment: what they say is what the center says."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces, wrappers
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers import vector as vector_wrappers

from envs import BlendedCenter

ID = "envs:BlendedCenter-v0"
MOST_STEPS = 2_000
"""More than any day of `tiny` takes."""


def tiny(**arguments: Any) -> gymnasium.Env:
    return gymnasium.make(ID, scenario="tiny", **arguments)


def play(env: gymnasium.Env, seed: int = 0) -> tuple[list[float], dict[str, Any], bool]:
    """Play an episode, in each step the last open action. Returns (rewards, last info, was it cut short)."""
    env.reset(seed=seed)
    rewards = []
    for _ in range(MOST_STEPS):
        mask = env.unwrapped.action_masks()
        _, reward, terminated, truncated, info = env.step(int(np.flatnonzero(mask)[-1]))
        rewards.append(float(reward))
        if terminated or truncated:
            return rewards, info, truncated
    raise AssertionError("the episode does not end")


@pytest.fixture(scope="module")
def plain_rewards_usd() -> list[float]:
    return play(BlendedCenter("tiny"))[0]


def flat(env: gymnasium.Env) -> gymnasium.Env:
    return wrappers.FlattenObservation(env)


SCALAR: dict[str, Callable[[gymnasium.Env], gymnasium.Env]] = {
    "OrderEnforcing": wrappers.OrderEnforcing,
    "PassiveEnvChecker": wrappers.PassiveEnvChecker,
    "RecordEpisodeStatistics": wrappers.RecordEpisodeStatistics,
    "TimeLimit": partial(wrappers.TimeLimit, max_episode_steps=MOST_STEPS),
    "Autoreset": wrappers.Autoreset,
    "FlattenObservation": wrappers.FlattenObservation,
    "FilterObservation": partial(wrappers.FilterObservation, filter_keys=["center", "action_mask"]),
    "NormalizeObservation": lambda env: wrappers.NormalizeObservation(flat(env)),
    "DtypeObservation": lambda env: wrappers.DtypeObservation(flat(env), np.float64),
    "TransformObservation": lambda env: wrappers.TransformObservation(
        env, lambda observation: observation["center"], env.observation_space["center"]
    ),
    "FrameStackObservation": partial(wrappers.FrameStackObservation, stack_size=3),
    "DelayObservation": partial(wrappers.DelayObservation, delay=2),
    "TimeAwareObservation": lambda env: wrappers.TimeAwareObservation(
        wrappers.TimeLimit(flat(env), max_episode_steps=MOST_STEPS)
    ),
    "MaxAndSkipObservation": lambda env: wrappers.MaxAndSkipObservation(flat(env), skip=2),
    "NormalizeReward": wrappers.NormalizeReward,
    "ClipReward": partial(wrappers.ClipReward, min_reward=-1.0, max_reward=0.0),
    "TransformReward": partial(wrappers.TransformReward, func=lambda reward: reward / 100),
    "TransformAction": lambda env: wrappers.TransformAction(env, int, env.action_space),
    "StickyAction": partial(wrappers.StickyAction, repeat_action_probability=0.0),
    "RenderCollection": lambda env: wrappers.RenderCollection(tiny(render_mode="ansi")),
}


@pytest.mark.parametrize("name", SCALAR)
def test_a_wrapper_plays_an_episode_to_its_end(name: str):
    env = SCALAR[name](tiny())
    observation, _ = env.reset(seed=0)
    assert observation in env.observation_space
    rewards, info, is_cut = play(env)
    assert len(rewards) > 1
    assert not is_cut
    assert info["metrics_defined"].any()
    env.reset()  # and the next one starts


def test_statistics_are_the_rewards_that_the_center_gave(plain_rewards_usd):
    _, info, _ = play(wrappers.RecordEpisodeStatistics(tiny()))
    assert info["episode"]["l"] == len(plain_rewards_usd)
    assert info["episode"]["r"] == pytest.approx(sum(plain_rewards_usd))


def test_a_time_limit_cuts_and_the_metrics_so_far_are_there(plain_rewards_usd):
    env = tiny(max_episode_steps=5)
    rewards, info, is_cut = play(wrappers.RecordEpisodeStatistics(env))
    assert is_cut
    assert rewards == plain_rewards_usd[:5]
    assert info["episode"]["l"] == 5
    assert env.unwrapped.metrics()["total_cost_usd"] == pytest.approx(-sum(rewards))  # the day of `tiny` is one


def test_rewards_are_clipped_and_transformed(plain_rewards_usd):
    clipped, _, _ = play(wrappers.ClipReward(tiny(), -1.0, 0.0))
    assert clipped == pytest.approx(np.clip(plain_rewards_usd, -1, 0))
    halved, _, _ = play(wrappers.TransformReward(tiny(), lambda reward: reward / 2))
    assert halved == pytest.approx(np.array(plain_rewards_usd) / 2)


def test_an_action_is_not_the_wrappers_own(plain_rewards_usd):
    # One that repeats every action would take other steps than those of the plain episode.
    sticky, _, _ = play(wrappers.StickyAction(tiny(), 0.0))
    assert sticky == plain_rewards_usd


VECTORS = ("sync", "async", "vector_entry_point")


def vector_of(kind: str, mode: AutoresetMode, **arguments: Any) -> VectorEnv:
    """Return two centers of `tiny` as `gymnasium.make_vec` makes them in each of its ways."""
    if kind == "vector_entry_point":
        arguments |= {"autoreset_mode": mode}
        return gymnasium.make_vec(ID, 2, vectorization_mode=kind, scenario="tiny", **arguments)
    settings = {"autoreset_mode": mode} | ({"context": "fork"} if kind == "async" else {})
    return gymnasium.make_vec(ID, 2, vectorization_mode=kind, vector_kwargs=settings, scenario="tiny", **arguments)


def open_actions(observations: Any, info: dict[str, Any]) -> np.ndarray:
    """Return the last open action of each row."""
    masks = np.asarray(info["action_mask"])
    return masks.shape[1] - 1 - masks[:, ::-1].argmax(axis=1)


def steps_until_both_ended(vector: VectorEnv) -> list[dict[str, Any]]:
    """Play seeds 0 and 1, each as its scalar environment would, until both have ended once. Returns all infos."""
    observations, info = vector.reset(seed=[0, 1])
    have_ended = np.zeros(2, bool)
    infos = []
    for _ in range(MOST_STEPS):
        observations, _, terminated, truncated, info = vector.step(open_actions(observations, info))
        assert not truncated.any()
        infos.append(info)
        have_ended |= terminated
        if have_ended.all():
            return infos
        if vector.metadata["autoreset_mode"] is AutoresetMode.DISABLED and terminated.any():
            _, info = vector.reset(options={"reset_mask": terminated})
            info["action_mask"] = np.where(terminated[:, None], info["action_mask"], infos[-1]["action_mask"])
    raise AssertionError("the episodes do not end")


def episodes_in(infos: list[dict[str, Any]]) -> dict[int, tuple[float, int]]:
    """Return return and length of the first episode of each row, where a statistic of it stands."""
    found: dict[int, tuple[float, int]] = {}
    for info in infos:
        for place in (info, info.get("final_info", {})):
            if "episode" in place:
                for row in np.flatnonzero(place["_episode"]).tolist():
                    found.setdefault(row, (float(place["episode"]["r"][row]), int(place["episode"]["l"][row])))
    return found


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("kind", VECTORS)
def test_statistics_of_a_vector_are_those_of_its_rows(kind: str, mode: AutoresetMode):
    vector = vector_wrappers.RecordEpisodeStatistics(vector_of(kind, mode))
    try:
        found = episodes_in(steps_until_both_ended(vector))
    finally:
        vector.close()
    for row in (0, 1):
        rewards, _, _ = play(BlendedCenter("tiny"), seed=row)
        assert found[row] == (pytest.approx(sum(rewards), rel=1e-4), len(rewards))


@pytest.mark.parametrize("kind", VECTORS[:2])
def test_statistics_inside_a_vector_are_those_of_its_rows(kind: str):
    vector = vector_of(kind, AutoresetMode.SAME_STEP, wrappers=[wrappers.RecordEpisodeStatistics])
    try:
        assert set(episodes_in(steps_until_both_ended(vector))) == {0, 1}
    finally:
        vector.close()


FLAT_SIZE = spaces.flatdim(BlendedCenter("tiny").observation_space)
VECTOR: dict[str, tuple[Callable[[VectorEnv], VectorEnv], tuple[AutoresetMode, ...]]] = {
    "NormalizeReward": (vector_wrappers.NormalizeReward, tuple(AutoresetMode)),
    "ClipReward": (partial(vector_wrappers.ClipReward, min_reward=-1.0, max_reward=0.0), tuple(AutoresetMode)),
    "TransformReward": (partial(vector_wrappers.TransformReward, func=np.negative), tuple(AutoresetMode)),
    "DictInfoToList": (vector_wrappers.DictInfoToList, tuple(AutoresetMode)),
    # Wrappers of observations that Gymnasium refuses in some modes are tried in those that it takes.
    "FlattenObservation": (
        vector_wrappers.FlattenObservation,
        (AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED),
    ),
    "FilterObservation": (
        partial(vector_wrappers.FilterObservation, filter_keys=["center"]),
        (AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED),
    ),
    "NormalizeObservation": (
        lambda vector: vector_wrappers.NormalizeObservation(vector_wrappers.FlattenObservation(vector)),
        (AutoresetMode.NEXT_STEP,),
    ),
}


@pytest.mark.parametrize("kind", ["sync", "vector_entry_point"])
@pytest.mark.parametrize(
    ("name", "mode"), [(name, mode) for name, (_, modes) in VECTOR.items() for mode in modes], ids=str
)
def test_a_wrapper_of_vectors_steps_and_resets(name: str, mode: AutoresetMode, kind: str):
    vector = VECTOR[name][0](vector_of(kind, mode))
    masks = (
        vector.unwrapped.action_masks
        if kind == "vector_entry_point"
        else lambda: np.stack(vector.unwrapped.call("action_masks"))
    )
    observations, _ = vector.reset(seed=[0, 1])
    assert vector.observation_space.contains(observations)
    n_ended = 0
    for _ in range(40):
        _, _, terminated, _, _ = vector.step(masks().argmax(axis=1))
        n_ended += int(terminated.sum())
        if mode is AutoresetMode.DISABLED and terminated.any():
            vector.reset(options={"reset_mask": terminated})
    if name == "FlattenObservation":
        assert vector.single_observation_space.shape == (FLAT_SIZE,)
    vector.close()
