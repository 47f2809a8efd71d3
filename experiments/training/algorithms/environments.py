"""The environment of the algorithms that learn by gradients of returns.

Room: `experiments.training.algorithms`. Makes it; plays nothing.
"""

from agents.learning.training_env import TrainingVecEnv
from envs.interface.units import HOUR_S
from envs.scenario.scenario import Scenario
from experiments.training.algorithm_settings import Dqn, Ppo
from experiments.training.training_config import TrainingConfig


def make_environment(scenario: Scenario, config: TrainingConfig, settings: Ppo | Dqn) -> TrainingVecEnv:
    """Return the training environment that an algorithm's `settings` state, every row starting at the start."""
    return TrainingVecEnv(
        scenario,
        settings.environments,
        config.demand.train,
        reward_scale_usd=settings.reward_scale_usd,
        without_luck=settings.without_luck,
        potential_half_life_s=HOUR_S * settings.discount_half_life_h if settings.shaped else 0.0,
    )
