"""The algorithms `masked_dqn` and `masked_qrdqn`: value learning on the candidate-scoring network.

Room: `experiments.training.algorithms`. Builds the model; plays nothing by itself.
"""

from typing import Any

import torch

from agents.action_layout import action_layout
from agents.learning.training_env import TrainingVecEnv
from agents.learning.value_learning.elapsed_time_replay import ElapsedTimeReplay
from agents.learning.value_learning.masked_dqn import MaskedDQN
from agents.learning.value_learning.masked_off_policy import MaskedOffPolicy
from agents.learning.value_learning.masked_qrdqn import MaskedQRDQN
from agents.learning.value_learning.q_policy import DuelingPolicy, DuelingQuantilePolicy
from envs.interface.units import HOUR_S
from envs.scenario.scenario import Scenario
from experiments.training.algorithm_settings import Dqn, Qrdqn
from experiments.training.algorithms.environments import make_environment
from experiments.training.training_config import TrainingConfig


def build_dqn(scenario: Scenario, config: TrainingConfig, device: torch.device) -> MaskedOffPolicy:
    """Return `MaskedDQN`, or `MaskedQRDQN` if the training is by that, untrained. With a prior its greedy policy is the
    rule `expected_loss`."""
    settings = config.qrdqn or config.dqn or Dqn()
    env = make_environment(scenario, config, settings)
    policy_arguments: dict[str, Any] = {
        "scorer": {"fields": env.rows.fields, "layout": action_layout(scenario), **config.network.model_dump()}
    }
    arguments = _arguments(env, settings, config.seed) | {"device": device}
    model: MaskedOffPolicy
    if isinstance(settings, Qrdqn):
        policy_arguments["n_quantiles"] = settings.quantiles
        model = MaskedQRDQN(DuelingQuantilePolicy, env, policy_kwargs=policy_arguments, **arguments)  # type: ignore[arg-type]
    else:
        model = MaskedDQN(DuelingPolicy, env, policy_kwargs=policy_arguments, **arguments)  # type: ignore[arg-type]
    env.seed(config.demand.train)  # SB3 has just told it its own seed
    return model


def _arguments(env: TrainingVecEnv, settings: Dqn, seed: int) -> dict[str, Any]:
    """Return the arguments that SB3's DQN and QR-DQN have in common."""
    return {
        "learning_rate": lambda remaining: settings.learning_rate * max(remaining, 0.05),
        "buffer_size": settings.buffer_size,
        "learning_starts": settings.learning_starts,
        "batch_size": settings.batch_size,
        "train_freq": settings.train_every_steps,
        "gradient_steps": settings.gradient_steps,
        # Fewer decisions than there are environments are made in no step, and SB3 would warn of it.
        "target_update_interval": max(settings.target_update_every_steps, settings.environments),
        "exploration_fraction": settings.exploration_until_frac,
        "exploration_initial_eps": settings.exploration_start_frac,
        "exploration_final_eps": settings.exploration_end_frac,
        "max_grad_norm": settings.max_gradient_norm,
        "replay_buffer_class": ElapsedTimeReplay,
        "replay_buffer_kwargs": {
            "source": env,
            "discount_half_life_s": HOUR_S * settings.discount_half_life_h,
            "seed": seed,
        },
        "seed": seed % 2**32,
    }
