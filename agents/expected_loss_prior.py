"""The rule `expected_loss` as a torch function, so that it can be a prior inside a network and in its exported graph.

Room: `agents`. Touches torch. The rule itself is written in `agents.rules`; a test holds the two equal on visited
states. This form scores whole batches.
"""

import torch
from torch import Tensor, nn

from agents.action_layout import ActionLayout
from agents.rules import DUE_SCALE_H, IDLE_SCORE, REP_HOUR_USD
from envs.observation import (
    C_ABANDON_RATE,
    C_ACTION_COST,
    C_DISTURBED_ERROR,
    C_DISTURBED_SLACK,
    C_DISTURBED_STAKE,
    C_EXPECTED_WORK,
    C_LOSS_RATE,
    C_OVERDUE,
    C_PICK_UP,
    C_REAL_TIME,
    C_SLACK,
    C_STAKE,
    C_WAITED,
    G_FREE,
    G_RELEASE_RATE,
    G_SUBJECT_IS_CONTACT,
    N_CENTER_FIELDS,
    N_QUEUE_FIELDS,
    Q_WAITING,
)
from envs.state import ASSIGN, INTERRUPT, LONGEST_IDLE, OFFER_CALLBACK, RESUME, SERVE

MASKED_SCORE = -1e9


class ExpectedLossPrior(nn.Module):
    """Scores of `agents.rules.score_expected_loss` for a batch, and preferences made of them."""

    def __init__(self, layout: ActionLayout) -> None:
        super().__init__()
        kind = torch.as_tensor(layout.kind)
        longest_idle = torch.as_tensor(layout.lens == LONGEST_IDLE)
        self.register_buffer("is_index", (kind == SERVE) | (kind == RESUME), persistent=False)
        self.register_buffer("is_assign", kind == ASSIGN, persistent=False)
        self.register_buffer("is_first_assign", (kind == ASSIGN) & longest_idle, persistent=False)
        self.register_buffer("is_interrupt", kind == INTERRUPT, persistent=False)
        self.register_buffer("is_offer", kind == OFFER_CALLBACK, persistent=False)
        self.waiting_fields = [
            N_CENTER_FIELDS + queue * N_QUEUE_FIELDS + Q_WAITING
            for queue, real_time in enumerate(layout.real_time)
            if real_time
        ]

    def row_scores(self, center: Tensor, rows: Tensor, action: Tensor) -> Tensor:
        """Return the rule's scores (n,) of candidate `rows` (n, fields) with their `action` indices (n,) and the
        `center` (n, center fields) of their observations."""
        waiting = center[:, self.waiting_fields].sum(dim=1)
        assign = torch.where(waiting <= center[:, G_FREE], 1.0, -1.0)
        assign = torch.where(self.is_first_assign[action], assign, 0.5 * assign - 0.5)
        score = torch.where(center[:, G_SUBJECT_IS_CONTACT] > 0, 0.0, IDLE_SCORE)
        score = torch.where(self.is_assign[action], assign, score)
        score = torch.where(self.is_index[action], _index_per_hour(rows), score)
        score = torch.where(self.is_interrupt[action], _interruption_gain_usd(rows, center[:, G_RELEASE_RATE]), score)
        return torch.where(self.is_offer[action], -1e-3 - rows[:, C_ACTION_COST], score)

    def scores(self, center: Tensor, candidates: Tensor, action_mask: Tensor) -> Tensor:
        """Return the rule's scores (batch, actions) of whole observations; masked actions get `MASKED_SCORE`."""
        n_actions = candidates.shape[1]
        action = torch.arange(n_actions, device=center.device).repeat(candidates.shape[0])
        rows = candidates.reshape(-1, candidates.shape[2])
        score = self.row_scores(center.repeat_interleave(n_actions, dim=0), rows, action)
        return torch.where(action_mask > 0, score.reshape(-1, n_actions), MASKED_SCORE)


def preferences(scores: Tensor) -> Tensor:
    """Return preferences in [-1, 0] (batch, actions): 0 for the action with the best score, minus the relative gap for
    others. The gap between scores a >= b is (a - b) / (|a| + |b| + 1), so that near ties stay near."""
    best = scores.max(dim=1, keepdim=True).values
    return (scores - best) / (scores.abs() + best.abs() + 1.0)


def _index_per_hour(candidates: Tensor) -> Tensor:
    stake, loss_rate = candidates[..., C_STAKE], candidates[..., C_LOSS_RATE]
    slack_s = candidates[..., C_SLACK]
    real_time = stake * candidates[..., C_ABANDON_RATE] + torch.where(slack_s < 0.0, loss_rate, 0.0)
    tardiness = stake / DUE_SCALE_H * torch.exp(-(slack_s / 3600.0).clamp(min=0.0) / DUE_SCALE_H)
    deferred = torch.where(candidates[..., C_OVERDUE] > 0, loss_rate, tardiness)
    rate = torch.where(candidates[..., C_REAL_TIME] > 0, real_time, deferred)
    work_h = candidates[..., C_EXPECTED_WORK].clamp(min=1.0) / 3600.0
    return rate / work_h + 1e-3 + 1e-9 * candidates[..., C_WAITED]


def _interruption_gain_usd(candidates: Tensor, release_per_hour: Tensor) -> Tensor:
    abandon = candidates[..., C_ABANDON_RATE]
    competing = abandon + release_per_hour.clamp(min=1e-6)
    gain = (candidates[..., C_STAKE] * abandon + candidates[..., C_LOSS_RATE]) / competing
    pick_up_s = candidates[..., C_PICK_UP]
    slack_h = ((candidates[..., C_DISTURBED_SLACK] - pick_up_s - candidates[..., C_EXPECTED_WORK]) / 3600.0).clamp(
        min=0
    )
    price = candidates[..., C_ACTION_COST] + candidates[..., C_DISTURBED_ERROR] + pick_up_s / 3600.0 * REP_HOUR_USD
    price = price + candidates[..., C_DISTURBED_STAKE] * torch.exp(-slack_h / DUE_SCALE_H)
    return gain - price
