"""Value learners of these tests, from their settings alone."""

import torch

from agents.learning.value_learning.masked_off_policy import MaskedOffPolicy
from agents.rules.rule_policy import RulePolicy
from envs.scenario.scenario import Scenario
from experiments.training.algorithm_settings import Dqn, Network, Qrdqn
from experiments.training.algorithms.value_learning import build_dqn as build
from experiments.training.training_config import TrainingConfig


def build_dqn(scenario: Scenario, settings: Dqn, network: Network, seed: int) -> MaskedOffPolicy:
    """Return the untrained learner, its starts staggered by the rule `expected_loss` if the settings say so."""
    own = {"qrdqn": settings} if isinstance(settings, Qrdqn) else {"dqn": settings}
    model = build(scenario, TrainingConfig(seed=seed, network=network, **own), torch.device("cpu"))
    if settings.staggered:
        model.env.starter = RulePolicy("expected_loss", scenario)
    return model
