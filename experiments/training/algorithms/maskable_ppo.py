"""The algorithm `maskable_ppo`: sb3-contrib's MaskablePPO on the candidate-scoring network, discounted by elapsed time.

Room: `experiments.training.algorithms`. Builds the model; plays nothing by itself.
"""

import torch

from agents.action_layout import action_layout
from agents.learning.maskable_ppo.candidate_scoring_policy import CandidateScoringPolicy
from agents.learning.maskable_ppo.elapsed_time_buffer import ElapsedTimeBuffer
from agents.learning.maskable_ppo.resumable_ppo import ResumablePPO
from envs.interface.units import HOUR_S
from envs.scenario.scenario import Scenario
from experiments.training.algorithm_settings import Ppo
from experiments.training.algorithms.environments import make_environment
from experiments.training.training_config import TrainingConfig


def build_ppo(scenario: Scenario, config: TrainingConfig, device: torch.device) -> ResumablePPO:
    """Return MaskablePPO as the training configuration states it, every row starting at the start."""
    ppo = config.ppo or Ppo()
    env = make_environment(scenario, config, ppo)
    model = ResumablePPO(
        CandidateScoringPolicy,
        env,
        learning_rate=lambda remaining: ppo.learning_rate * max(remaining, 0.05),
        n_steps=ppo.rollout_steps,
        batch_size=min(ppo.batch_size, ppo.environments * ppo.rollout_steps),
        n_epochs=ppo.epochs,
        clip_range=ppo.clip_range,
        ent_coef=ppo.entropy_weight,
        vf_coef=ppo.value_weight,
        max_grad_norm=ppo.max_gradient_norm,
        rollout_buffer_class=ElapsedTimeBuffer,
        rollout_buffer_kwargs={
            "source": env,
            "discount_half_life_s": HOUR_S * ppo.discount_half_life_h,
            "trace_half_life_s": HOUR_S * ppo.trace_half_life_h,
        },
        policy_kwargs={
            "scorer": {
                "fields": env.rows.fields,
                "layout": action_layout(scenario),
                **config.network.model_dump(),
            }
        },
        seed=config.seed % 2**32,
        device=device,
    )
    env.seed(config.demand.train)  # MaskablePPO has just told it its own seed
    return model
