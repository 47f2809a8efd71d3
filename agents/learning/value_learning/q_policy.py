"""Action values of the candidate-scoring network, and the policies by which SB3's DQN and QR-DQN learn them.

Room: `agents.learning.value_learning`. Touches torch and SB3.

The greedy policy is the argmax of the network's masked logits, so a network that has learned so is exported, played in
the compiled loop and chosen among checkpoints like any other.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from agents.learning.finite import require_finite
from agents.learning.network import CandidateScorer, compress
from agents.policy import MASKED_LOGIT
from agents.rules.compiled.network import score_rows


class DuelingValues(nn.Module):
    """Q(s, a) = V(s) + logit(s, a) - the largest logit of an open action (Wang et al. 2016, arXiv 1511.06581, eq. 8).

    The largest Q of the open actions is V itself, of which the target is made: what is uncertain in the logits is not
    exaggerated by a maximum. Q is in units of the reward, and so are the logits: with a prior the difference of 1
    between its preferences for the best and a far worse action says that the latter costs `prior_weight` x
    `reward_scale_usd` more, which training corrects.
    """

    def __init__(self, scorer: CandidateScorer) -> None:
        super().__init__()
        self.scorer_network = scorer

    def forward(self, observations: Mapping[str, Tensor]) -> Tensor:
        """Return Q (batch, actions), in units of the reward, `MASKED_LOGIT` where an action is masked."""
        mask = observations["action_mask"]
        logits, values = self.scorer_network.score_open(observations["center"], observations["candidates"], mask)
        return torch.where(mask > 0, values + logits - logits.amax(dim=1, keepdim=True), MASKED_LOGIT)


class DuelingQuantiles(DuelingValues):
    """`n_quantiles` quantiles of the return of each action, whose mean is its Q (Dabney et al. 2017, arXiv 1710.10044).

    What each quantile is above or below Q comes from layers of its own, which read the center and the candidate's row
    and start at 0; neither Q nor the exported graph needs them.
    """

    def __init__(self, scorer: CandidateScorer, n_quantiles: int) -> None:
        super().__init__(scorer)
        self.n_quantiles = n_quantiles
        width = scorer.candidate_encoder.out_features
        n_inputs = len(scorer.center_scale) + len(scorer.candidate_scale)
        self.spread = nn.Sequential(nn.Linear(n_inputs, width), nn.ReLU(), nn.Linear(width, n_quantiles))
        nn.init.zeros_(self.spread[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.spread[-1].bias)  # type: ignore[arg-type]

    def forward(self, observations: Mapping[str, Tensor]) -> Tensor:
        """Return quantiles (batch, quantiles, actions), in units of the reward, `MASKED_LOGIT` where an action is
        masked."""
        scorer, mask = self.scorer_network, observations["action_mask"]
        row, action = torch.nonzero(mask > 0, as_tuple=True)
        center = compress(observations["center"], scorer.center_scale)
        rows = compress(observations["candidates"][row, action], scorer.candidate_scale)
        offsets = self.spread(torch.cat([center[row], rows], dim=1))
        offsets = offsets - offsets.mean(dim=1, keepdim=True)
        values = super().forward(observations)
        quantiles = torch.full((*mask.shape, self.n_quantiles), MASKED_LOGIT, device=mask.device)
        quantiles = quantiles.index_put((row, action), values[row, action][:, None] + offsets)
        return quantiles.transpose(1, 2)


class DuelingPolicy(BasePolicy):
    """A network that learns and the copy that its targets come from; the mask is read from the observation itself.

    `policy_kwargs`: `scorer`, the arguments of `CandidateScorer` by name.
    """

    def __init__(
        self,
        observation_space: Any,
        action_space: Any,
        lr_schedule: Schedule,
        *,
        scorer: Mapping[str, Any],
        **kwargs: Any,
    ) -> None:
        super().__init__(observation_space, action_space, **kwargs)
        self._layout = scorer["layout"]
        self.online, self.target = self._make_net(scorer), self._make_net(scorer)
        self.target.load_state_dict(self.online.state_dict())
        self.target.requires_grad_(False)
        self.optimizer = self.optimizer_class(
            self.online.parameters(),
            lr=lr_schedule(1),  # type: ignore[call-arg]  # every optimizer has it, their base class has not
            **self.optimizer_kwargs,
        )

    def _make_net(self, scorer: Mapping[str, Any]) -> DuelingValues:
        return DuelingValues(CandidateScorer(**scorer))

    @property
    def scorer_network(self) -> CandidateScorer:
        """The network that learns."""
        return self.online.scorer_network

    @property
    def q_net(self) -> DuelingValues:
        """SB3's name for the network that learns."""
        return self.online

    @property
    def q_net_target(self) -> DuelingValues:
        """SB3's name for the network of the targets."""
        return self.target

    def _predict(self, observation: Any, deterministic: bool = True) -> Tensor:
        """Return the greedy action of each observation (batch,), whether `deterministic` or not."""
        network = self.scorer_network
        with torch.no_grad():
            logits, _ = network.score_open(observation["center"], observation["candidates"], observation["action_mask"])
        return logits.argmax(dim=1)

    def greedy_actions(self, observations: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
        """Return the greedy action of each observation, int64 (batch,): on a CPU by the compiled network, which is
        several times faster for the few observations of a step."""
        if self.device.type != "cpu":
            tensors = {key: torch.as_tensor(array, device=self.device) for key, array in observations.items()}
            return self._predict(tensors).cpu().numpy()
        network, mask = self.scorer_network, observations["action_mask"]
        logits = np.empty(mask.shape, np.float32)
        settings = network.prior.read_settings()
        weights = network.weights()
        score_rows(self._layout, weights, settings, observations["center"], observations["candidates"], mask, logits)
        require_finite("logits", np.where(mask != 0, logits, np.float32(0.0)))
        return logits.argmax(axis=1)


class DuelingQuantilePolicy(DuelingPolicy):
    """`DuelingPolicy` with the quantiles of returns.

    `policy_kwargs`: `scorer` as there, and `n_quantiles`.
    """

    online: DuelingQuantiles
    target: DuelingQuantiles

    def __init__(self, *args: Any, n_quantiles: int, **kwargs: Any) -> None:
        self.n_quantiles = n_quantiles
        super().__init__(*args, **kwargs)

    def _make_net(self, scorer: Mapping[str, Any]) -> DuelingQuantiles:
        return DuelingQuantiles(CandidateScorer(**scorer), self.n_quantiles)

    @property
    def quantile_net(self) -> DuelingQuantiles:
        """sb3-contrib's name for the network that learns."""
        return self.online

    @property
    def quantile_net_target(self) -> DuelingQuantiles:
        """sb3-contrib's name for the network of the targets."""
        return self.target
