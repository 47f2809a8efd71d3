"""The candidate-scoring network as a policy of sb3-contrib's MaskablePPO.

Room: `agents.learning.maskable_ppo`. Touches torch, SB3 and sb3-contrib.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sb3_contrib.common.maskable.distributions import MaskableCategoricalDistribution, MaskableDistribution
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor

from agents.learning.finite import require_finite
from agents.learning.network import CandidateScorer
from agents.policy import MASKED_LOGIT
from agents.rules.compiled.network import score_rows


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
        """Return (actions, values, log probabilities) of a batch of observations, without gradients for the actor."""
        logits = self._logits_to_act_by(obs)
        require_finite("logits", logits)
        log_probabilities = torch.log_softmax(logits, dim=1)
        if deterministic:
            actions = log_probabilities.argmax(dim=1)
        else:
            actions = torch.multinomial(log_probabilities.exp(), 1).flatten()
        return actions, self.predict_values(obs), log_probabilities.gather(1, actions[:, None]).flatten()

    @torch.no_grad()
    def _logits_to_act_by(self, obs: Any) -> Tensor:
        """Return masked logits (batch, actions), on a CPU by the compiled network, which takes a fifth of the time for
        the few observations of a step. They are those of torch but for rounding: the compiled prior compares in double
        precision."""
        network = self.scorer_network
        if self.device.type != "cpu":
            return network.score_open(obs["center"], obs["candidates"], obs["action_mask"])[0]
        center, candidates, mask = (obs[key].numpy() for key in ("center", "candidates", "action_mask"))
        logits = np.empty(mask.shape, np.float32)
        settings = network.prior.read_settings()
        score_rows(self._scorer_arguments["layout"], network.weights(), settings, center, candidates, mask, logits)
        return torch.from_numpy(logits).clamp(min=MASKED_LOGIT)

    def evaluate_actions(
        self, obs: Any, actions: Tensor, action_masks: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return (values, log probabilities of `actions`, entropies)."""
        mask = obs["action_mask"]
        logits, values = self.scorer_network.score_open(obs["center"], obs["candidates"], mask)
        # Of masked actions a large negative number, and p log p = 0.
        log_probabilities = torch.log_softmax(logits, dim=1)
        entropies = -(log_probabilities.exp() * log_probabilities).sum(dim=1)
        return values, log_probabilities.gather(1, actions.long().reshape(-1, 1)).flatten(), entropies

    def get_distribution(self, obs: Any, action_masks: np.ndarray | None = None) -> MaskableDistribution:
        """Return the distribution of actions."""
        mask = obs["action_mask"]
        logits = self.scorer_network(obs["center"], obs["candidates"], mask)
        return self._distribution(logits, mask > 0)

    def predict_values(self, obs: Any) -> Tensor:
        """Return the values of a batch of observations."""
        return self.scorer_network.value(obs["center"], obs["candidates"], obs["action_mask"])
