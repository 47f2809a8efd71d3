"""The candidate-scoring network as a policy of sb3-contrib's MaskablePPO.

Room: `agents.learning`. Touches torch, SB3 and sb3-contrib.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sb3_contrib.common.maskable.distributions import MaskableCategoricalDistribution, MaskableDistribution
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor

from agents.learning.network import CandidateScorer


class CandidateScoringPolicy(MaskableActorCriticPolicy):
    """Actor and critic of one `CandidateScorer`; the mask is read from the observation itself.

    `policy_kwargs`: `scorer`, the arguments of `CandidateScorer` by name.
    """

    def __init__(
        self,
        *args: Any,
        scorer: Mapping[str, Any],
        **kwargs: Any,
    ) -> None:
        self._scorer_arguments = scorer
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        self.scorer_network = CandidateScorer(**self._scorer_arguments)
        self.action_dist = MaskableCategoricalDistribution(int(self.action_space.n))  # type: ignore[attr-defined]
        self.optimizer = self.optimizer_class(
            self.scorer_network.parameters(),
            lr=lr_schedule(1),  # type: ignore[call-arg]  # every optimizer has it, their base class has not
            **self.optimizer_kwargs,
        )

    def train_actor(self, wanted: bool) -> None:
        """Let updates change the actor, or the critic alone."""
        for parameter in self.scorer_network.actor_parameters():
            parameter.requires_grad_(wanted)

    def _distribution(self, logits: Tensor, mask: Tensor) -> MaskableDistribution:
        distribution = self.action_dist.proba_distribution(logits)
        distribution.apply_masking(mask)
        return distribution

    def forward(
        self, obs: Any, deterministic: bool = False, action_masks: np.ndarray | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (actions, values, log probabilities) of a batch of observations."""
        mask = obs["action_mask"]
        logits, values = self.scorer_network.score_open(obs["center"], obs["candidates"], mask)
        distribution = self._distribution(logits, mask > 0)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, values, distribution.log_prob(actions)

    def evaluate_actions(
        self, obs: Any, actions: Tensor, action_masks: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return (values, log probabilities of `actions`, entropies)."""
        mask = obs["action_mask"]
        logits, values = self.scorer_network.score_open(obs["center"], obs["candidates"], mask)
        distribution = self._distribution(logits, mask > 0)
        return values, distribution.log_prob(actions), distribution.entropy()

    def get_distribution(self, obs: Any, action_masks: np.ndarray | None = None) -> MaskableDistribution:
        """Return the distribution of actions."""
        mask = obs["action_mask"]
        logits = self.scorer_network(obs["center"], obs["candidates"], mask)
        return self._distribution(logits, mask > 0)

    def predict_values(self, obs: Any) -> Tensor:
        """Return the values of a batch of observations."""
        return self.scorer_network.value(obs["center"], obs["candidates"], obs["action_mask"])


def quiet_distributions() -> None:
    """Switch off torch's check of every distribution's arguments: it takes a sixth of the training time."""
    torch.distributions.Distribution.set_default_validate_args(False)
