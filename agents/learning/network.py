"""The network of a learned policy: it scores every candidate action with shared weights.

Room: `agents.learning`. Touches torch. Normalisation, mask and prior are inside, so an exported graph needs nothing
else.

Every number x of the observation enters as sign(x) log(1 + |x| / scale), scale from the field table: seconds and
dollars over five decades become numbers of order one. A candidate row, its action's own embedding and the encoded
center give one logit each; the rule's preferences, times `prior_weight`, are added. The last layer starts at 0, so the
first policy is the prior itself.
"""

import numpy as np
import torch
from torch import Tensor, nn

from agents.learning.expected_loss_prior import (
    MASKED_SCORE,
    ExpectedLossPrior,
    preferences,
)
from agents.policy import MASKED_LOGIT
from agents.rules.compiled.network import NetworkWeights
from agents.rules.compiled.reading import ActionLayout
from envs.interface.fields import FieldTable


def compress(values: Tensor, scale: Tensor) -> Tensor:
    """Return sign(x) log(1 + |x| / scale)."""
    return torch.sign(values) * torch.log1p(values.abs() / scale)


class CandidateScorer(nn.Module):
    """Masked logits of a batch of observations, and their value.

    Arguments: the field table and the action layout of a scenario; `width` of the hidden layers; `prior_weight` of the
    rule `expected_loss` in the logits (0: no prior).
    """

    center_scale: Tensor
    candidate_scale: Tensor

    def __init__(
        self,
        fields: FieldTable,
        layout: ActionLayout,
        width: int = 64,
        prior_weight: float = 0.0,
        residual_weight: float = 1.0,
    ) -> None:
        super().__init__()
        n_actions, n_center, n_fields = len(layout.kind), len(fields.center), len(fields.candidates)
        self.prior_weight = prior_weight
        self.residual_weight = residual_weight
        self.prior = ExpectedLossPrior(layout)
        self.register_buffer("center_scale", torch.tensor([field.scale for field in fields.center]))
        self.register_buffer("candidate_scale", torch.tensor([field.scale for field in fields.candidates]))
        self.center_encoder = nn.Sequential(nn.Linear(n_center, width), nn.ReLU(), nn.Linear(width, width))
        self.candidate_encoder = nn.Linear(n_fields, width)
        self.action_embedding = nn.Parameter(torch.zeros(n_actions, width))
        self.scorer = nn.Sequential(nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))
        self.value_net = nn.Sequential(
            nn.Linear(n_center + n_fields, 2 * width),
            nn.ReLU(),
            nn.Linear(2 * width, width),
            nn.ReLU(),
            nn.Linear(width, 1),
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.orthogonal_(module.weight, np.sqrt(2.0))
                nn.init.zeros_(module.bias)
        for net in (self.scorer, self.value_net):
            nn.init.zeros_(net[-1].weight)  # type: ignore[arg-type]

    def forward(self, center: Tensor, candidates: Tensor, action_mask: Tensor) -> Tensor:
        """Return masked logits (batch, actions), scoring every row: the form that is exported."""
        context = self.center_encoder(compress(center, self.center_scale))
        hidden = self.candidate_encoder(compress(candidates, self.candidate_scale))
        logits = self.scorer(hidden + self.action_embedding + context[:, None, :]).squeeze(-1) * self.residual_weight
        if self.prior_weight > 0.0:
            scores = self.prior.scores(center, candidates, action_mask)
            logits = logits + self.prior_weight * preferences(scores)
        return torch.where(action_mask > 0, logits, MASKED_LOGIT)

    def score_open(self, center: Tensor, candidates: Tensor, action_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return (masked logits (batch, actions), values (batch, 1)), scoring open rows only: the form for training,
        since about one row in five is open."""
        encoded_center = compress(center, self.center_scale)
        row, action = torch.nonzero(action_mask > 0, as_tuple=True)
        rows = candidates[row, action]
        encoded_rows = compress(rows, self.candidate_scale)
        prior = self.prior_logits(center, rows, row, action)
        logits = self._add_residual(prior, encoded_center, encoded_rows, row, action)
        return logits, self._value(encoded_center, encoded_rows, row)

    def prior_logits(self, center: Tensor, rows: Tensor, row: Tensor, action: Tensor) -> Tensor:
        """Return the prior's part (m,) in the logits of open candidate `rows` (m, fields), which stand at `row` and
        `action` (m,) of the observations with `center` (n, fields)."""
        if self.prior_weight == 0.0:
            return torch.zeros(len(rows), device=rows.device)
        scores = torch.full((len(center), len(self.action_embedding)), MASKED_SCORE, device=center.device)
        scores = scores.index_put((row, action), self.prior.row_scores(center[row], rows, action))
        return self.prior_weight * preferences(scores)[row, action]

    def score_rows(self, center: Tensor, rows: Tensor, row: Tensor, action: Tensor, prior: Tensor) -> Tensor:
        """Return masked logits (n, actions), given those (m,) of the prior: for training where the prior stays. The
        arguments are those of `prior_logits`."""
        encoded_center, encoded_rows = compress(center, self.center_scale), compress(rows, self.candidate_scale)
        return self._add_residual(prior, encoded_center, encoded_rows, row, action)

    def _add_residual(
        self, prior: Tensor, encoded_center: Tensor, encoded_rows: Tensor, row: Tensor, action: Tensor
    ) -> Tensor:
        context = self.center_encoder(encoded_center)
        hidden = self.candidate_encoder(encoded_rows) + self.action_embedding[action] + context[row]
        logits = self.scorer(hidden).squeeze(-1) * self.residual_weight + prior
        blank = torch.full((len(encoded_center), len(self.action_embedding)), MASKED_LOGIT, device=logits.device)
        return blank.index_put((row, action), logits)

    def weights(self) -> NetworkWeights:
        """Return what the compiled loop needs to act as the network does, copies on the CPU."""
        layers = {
            "center_scale": self.center_scale,
            "candidate_scale": self.candidate_scale,
            "center_in": self.center_encoder.get_parameter("0.weight").T,
            "center_in_bias": self.center_encoder.get_parameter("0.bias"),
            "center_out": self.center_encoder.get_parameter("2.weight").T,
            "center_out_bias": self.center_encoder.get_parameter("2.bias"),
            "candidate_in": self.candidate_encoder.weight.T,
            "candidate_in_bias": self.candidate_encoder.bias,
            "embedding": self.action_embedding,
            "hidden": self.scorer.get_parameter("1.weight").T,
            "hidden_bias": self.scorer.get_parameter("1.bias"),
            "out": self.scorer.get_parameter("3.weight")[0],
            "out_bias": self.scorer.get_parameter("3.bias"),
        }
        residual_weight = 0.0 if self.is_prior else self.residual_weight
        return NetworkWeights(
            np.ones(len(self.action_embedding), np.int8),
            weights=np.array([self.prior_weight, residual_weight], np.float32),
            **{name: np.array(layer.detach().cpu().numpy(), np.float32, order="C") for name, layer in layers.items()},
        )

    def actor_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that the logits depend on; the value has others."""
        critic = {id(parameter) for parameter in self.value_net.parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in critic]

    def residual_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of what the layers add to the prior."""
        layers = (self.center_encoder, self.candidate_encoder, self.scorer)
        return [self.action_embedding, *(parameter for layer in layers for parameter in layer.parameters())]

    @property
    def is_prior(self) -> bool:
        """True if the layers add nothing to the prior."""
        return not any(bool(parameter.any()) for parameter in self.scorer[-1].parameters())

    def weaken_residual(self, share: float) -> None:
        """Multiply what the layers add to the prior by `share`."""
        with torch.no_grad():
            for parameter in self.scorer[-1].parameters():
                parameter.mul_(share)

    def value(self, center: Tensor, candidates: Tensor, action_mask: Tensor) -> Tensor:
        """Return values (batch, 1)."""
        row, action = torch.nonzero(action_mask > 0, as_tuple=True)
        rows = compress(candidates[row, action], self.candidate_scale)
        return self._value(compress(center, self.center_scale), rows, row)

    def _value(self, encoded_center: Tensor, rows: Tensor, row: Tensor) -> Tensor:
        pooled = torch.zeros(len(encoded_center), rows.shape[1], device=rows.device)
        pooled = pooled.index_add(0, row, rows)
        count = torch.bincount(row, minlength=len(encoded_center)).clamp(min=1)[:, None]
        return self.value_net(torch.cat([encoded_center, pooled / count], dim=1))
