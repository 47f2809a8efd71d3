"""Stable-Baselines3 and sb3-contrib as they come, on the environment as it comes: they train, log returns, evaluate."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from sb3_contrib import QRDQN, MaskablePPO
from sb3_contrib.common.maskable.callbacks import MaskableEvalCallback
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv, VecMonitor, VecNormalize

from agents.learning.training_env import TrainingVecEnv
from envs import load_scenario
from envs.wrappers.fixed_episodes import FixedEpisodes
from envs.wrappers.scaled_observation import ScaledObservation

ID = "envs:BlendedCenter-v0"
TINY = {"scenario": "tiny"}
STEPS = 64
UPDATES = 3
OFF_POLICY = {"learning_starts": 8, "train_freq": STEPS, "buffer_size": 200, "batch_size": 8, "device": "cpu"}
STOCK: dict[Any, dict[str, Any]] = {
    PPO: {"n_steps": STEPS, "n_epochs": 1, "device": "cpu"},
    A2C: {"n_steps": STEPS, "device": "cpu"},
    MaskablePPO: {"n_steps": STEPS, "n_epochs": 1, "device": "cpu"},
    DQN: OFF_POLICY,
    QRDQN: OFF_POLICY,
}
"""Each algorithm, with what makes it learn once after `STEPS` steps."""


def tiny() -> gymnasium.Env:
    return gymnasium.make(ID, **TINY)


def learn(model: Any) -> Any:
    """Train for three updates; a day of `tiny` is shorter than the steps that takes. Returns the model."""
    model.learn(UPDATES * STEPS * model.n_envs, log_interval=1)
    assert model._n_updates == UPDATES
    return model


def assert_episodes_were_logged(model: Any) -> None:
    """An episode of `tiny` is a day with costs: its return is minus some dollars, its length the decisions it takes."""
    assert len(model.ep_info_buffer) > 0
    for episode in model.ep_info_buffer:
        assert episode["r"] < 0
        assert episode["l"] > 1


@pytest.mark.parametrize("algorithm", STOCK, ids=lambda algorithm: algorithm.__name__)
def test_a_stock_algorithm_trains_and_logs_the_returns_of_episodes(algorithm):
    model = learn(algorithm("MultiInputPolicy", tiny(), **STOCK[algorithm]))
    assert_episodes_were_logged(model)
    observation, _ = tiny().reset(seed=0)
    action, _ = model.predict(observation, deterministic=True)
    assert tiny().action_space.contains(int(action))


@pytest.mark.parametrize("algorithm", [PPO, DQN], ids=lambda algorithm: algorithm.__name__)
def test_a_stock_algorithm_trains_on_the_flat_observation(algorithm):
    model = learn(algorithm("MlpPolicy", ScaledObservation(tiny()), **STOCK[algorithm]))
    assert_episodes_were_logged(model)


def vectors() -> dict[str, Any]:
    return {
        "DummyVecEnv": lambda: make_vec_env(ID, 2, env_kwargs=TINY),
        "SubprocVecEnv": lambda: make_vec_env(
            ID, 2, env_kwargs=TINY, vec_env_cls=SubprocVecEnv, vec_env_kwargs={"start_method": "fork"}
        ),
        "VecNormalize": lambda: VecNormalize(
            VecMonitor(make_vec_env(ID, 2, env_kwargs=TINY)), norm_obs_keys=["center", "candidates"]
        ),
        "TrainingVecEnv": lambda: VecMonitor(TrainingVecEnv(load_scenario("tiny"), 2, 0)),
    }


@pytest.mark.parametrize("kind", vectors())
def test_stock_vectors_take_the_id_and_train(kind: str):
    vector: VecEnv = vectors()[kind]()
    try:
        assert_episodes_were_logged(learn(MaskablePPO("MultiInputPolicy", vector, **STOCK[MaskablePPO])))
    finally:
        vector.close()


def test_an_id_alone_makes_a_model(monkeypatch):
    monkeypatch.setitem(gymnasium.registry["BlendedCenter-v0"].kwargs, "scenario", "tiny")
    assert_episodes_were_logged(learn(PPO("MultiInputPolicy", ID, **STOCK[PPO])))


def test_sb3s_own_checker_and_masks():
    check_env(gymnasium.make(ID, **TINY).unwrapped, skip_render_check=True)
    env = Monitor(tiny())
    env.reset(seed=0)
    assert is_masking_supported(env)
    np.testing.assert_array_equal(get_action_masks(env), env.unwrapped.action_masks())


def test_evaluations_are_of_the_same_episodes_each_time():
    # Nothing is learned in between, so the same episodes give the same returns, perhaps in another order.
    drawn = gymnasium.make(ID, scenario="million_dollar_interrupt_random")
    model = PPO("MultiInputPolicy", drawn, **STOCK[PPO])
    env = Monitor(FixedEpisodes(drawn, demand_seed=3, episodes=range(3)))
    first, _ = evaluate_policy(model, env, n_eval_episodes=3, return_episode_rewards=True)
    second, _ = evaluate_policy(model, env, n_eval_episodes=3, return_episode_rewards=True)
    assert sorted(first) == sorted(second)
    assert len(set(first)) == 3


@pytest.mark.parametrize(("algorithm", "callback"), [(PPO, EvalCallback), (MaskablePPO, MaskableEvalCallback)])
def test_evaluation_callbacks_write_the_returns(algorithm, callback, tmp_path):
    evaluation = Monitor(FixedEpisodes(tiny(), demand_seed=3, episodes=range(2)))
    watch = callback(evaluation, n_eval_episodes=2, eval_freq=STEPS, log_path=str(tmp_path), verbose=0)
    algorithm("MultiInputPolicy", tiny(), **STOCK[algorithm]).learn(UPDATES * STEPS, callback=watch)
    with np.load(tmp_path / "evaluations.npz") as written:
        assert written["results"].shape == (UPDATES, 2)
        assert (written["results"] < 0).all()
