"""The rule `expected_loss` as a torch function, so that it can be a prior inside a network and in its exported graph.

Room: `agents.learning`. Touches torch. The rule itself is written in `agents.rules.compiled.expected_loss`; a test
holds the two equal on visited states. This form scores whole batches.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.rules.compiled.expected_loss import (
    ADJUSTMENTS,
    DUE_SCALE_H,
    HALF_QUEUE,
    HELD_SCORE,
    IDLE_SCORE,
    IDLE_UNIT,
    LOAD_UNIT_PER_HOUR,
    MOST_LOG_FACTOR,
    OFFER_SCORE,
    REP_HOUR_USD,
    RESERVE_PER_STAKE_REPS,
    RESERVE_UNIT_REPS,
    RESERVE_WHEN_DUE_REPS,
    STAKE_UNIT_USD,
    URGENT_H,
    VALUE_UNIT_USD,
    WAITED_UNIT_S,
    WORK_UNIT_S,
    Surroundings,
)
from agents.rules.compiled.reading import ActionLayout
from envs.interface.actions import (
    ASSIGN,
    INTERRUPT,
    LONGEST_IDLE,
    OFFER_CALLBACK,
    RESUME,
    SERVE,
)
from envs.interface.fields import (
    C_ABANDON_RATE,
    C_ACCEPT,
    C_ACTION_COST,
    C_CHANNEL,
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
    G_STAFFED,
    G_SUBJECT_IS_CONTACT,
    N_CENTER_FIELDS,
    N_QUEUE_FIELDS,
    Q_FORECAST_LATER,
    Q_FORECAST_NOW,
    Q_REPS_FREE,
    Q_WAITING,
)
from envs.interface.units import HOUR_S

MASKED_SCORE = -1e9
ADJUSTMENT_RATE = 20.0
"""How much faster than the other weights the adjustments learn under one learning rate: there are few of them, and each
has a meaning of order one."""


class ExpectedLossPrior(nn.Module):
    """Scores of `agents.rules.compiled.expected_loss.score_expected_loss` for a batch, with a handful of adjustments
    that can be learned."""

    is_serve: Tensor
    is_resume: Tensor
    is_assign: Tensor
    is_first_assign: Tensor
    is_interrupt: Tensor
    is_offer: Tensor

    def __init__(self, layout: ActionLayout) -> None:
        super().__init__()
        kind = torch.as_tensor(layout.kind)
        longest_idle = torch.as_tensor(layout.lens == LONGEST_IDLE)
        self.register_buffer("is_serve", kind == SERVE, persistent=False)
        self.register_buffer("is_resume", kind == RESUME, persistent=False)
        self.register_buffer("is_assign", kind == ASSIGN, persistent=False)
        self.register_buffer("is_first_assign", (kind == ASSIGN) & longest_idle, persistent=False)
        self.register_buffer("is_interrupt", kind == INTERRUPT, persistent=False)
        self.register_buffer("is_offer", kind == OFFER_CALLBACK, persistent=False)
        starts = [
            N_CENTER_FIELDS + queue * N_QUEUE_FIELDS for queue, real_time in enumerate(layout.real_time) if real_time
        ]
        others = set(range(len(layout.real_time))) - set(np.flatnonzero(layout.real_time).tolist())
        self.waiting_fields = [start + Q_WAITING for start in starts]
        self.forecast_fields = [start + Q_FORECAST_NOW for start in starts]
        self.later_fields = [start + Q_FORECAST_LATER for start in starts]
        self.backlog_fields = [N_CENTER_FIELDS + queue * N_QUEUE_FIELDS + Q_WAITING for queue in sorted(others)]
        self.adjustment = nn.Parameter(torch.zeros(len(ADJUSTMENTS)))

    def set_adjustment(self, adjustment: NDArray[np.float64]) -> None:
        """Set the adjustments, in the order of `ADJUSTMENTS`."""
        with torch.no_grad():
            self.adjustment.copy_(torch.as_tensor(adjustment / ADJUSTMENT_RATE))

    def read_adjustment(self) -> NDArray[np.float64]:
        """Return the adjustments, in the order of `ADJUSTMENTS`."""
        return (self.adjustment.detach() * ADJUSTMENT_RATE).cpu().numpy().astype(np.float64)

    def row_scores(self, center: Tensor, rows: Tensor, action: Tensor) -> Tensor:
        """Return the adjusted scores (n,) of candidate `rows` (n, fields) with their `action` indices (n,) and the
        `center` (n, center fields) of their observations."""
        adjust = dict(zip(ADJUSTMENTS, (ADJUSTMENT_RATE * self.adjustment).unbind(), strict=True))
        around = self._surroundings(center)
        waiting = around.n_waiting
        free, release_per_hour = center[:, G_FREE], center[:, G_RELEASE_RATE]
        idle = adjust["idle_last_rep"] * (free <= 1.0) + adjust["idle_second_rep"] * (free == 2.0)
        forecast = around.forecast_per_hour / 100.0
        idle = IDLE_SCORE + IDLE_UNIT * (idle + adjust["idle_forecast"] * forecast * (free <= 1.0))
        idle = idle.clamp(min=IDLE_SCORE)
        score = torch.where(center[:, G_SUBJECT_IS_CONTACT] > 0, torch.zeros_like(idle), idle)
        assign = torch.where(waiting <= free, 1.0, -1.0)
        assign = torch.where(self.is_first_assign[action], assign, 0.5 * assign - 0.5)
        score = torch.where(self.is_assign[action], assign, score)
        kind = torch.where(rows[:, C_REAL_TIME] > 0, adjust["real_time_index"], adjust["deferred_index"])
        factor = torch.where(self.is_resume[action], adjust["resume_index"], kind) + _log_factor(rows, adjust)
        index = _index_per_hour(rows, DUE_SCALE_H * torch.exp(adjust["due_scale"])) * torch.exp(factor)
        starts = self.is_serve[action] | self.is_resume[action]
        score = torch.where(starts, index, score)
        reserve = _reserve_reps(rows, around, adjust)
        held = (reserve > 0.0) & (_reps_free(center, rows) <= reserve) & (starts | self.is_assign[action])
        score = torch.where(held, HELD_SCORE, score)
        gain, price = _interruption_usd(rows, release_per_hour)
        gain = gain * torch.exp(adjust["interrupt_gain"]) - price * torch.exp(
            adjust["interrupt_price"] + adjust["interrupt_price_load"] * around.load
        )
        gain = gain + VALUE_UNIT_USD * adjust["interrupt_value"]
        score = torch.where(self.is_interrupt[action], gain, score)
        benefit = rows[:, C_ACCEPT] * _expected_loss_usd(rows, release_per_hour) - rows[:, C_ACTION_COST]
        offer = adjust["offer_benefit"] * benefit
        offer = offer + VALUE_UNIT_USD * (adjust["offer_value"] + adjust["offer_queue"] * waiting)
        return torch.where(self.is_offer[action], OFFER_SCORE + offer, score)

    def _surroundings(self, center: Tensor) -> Surroundings:
        n_waiting = center[:, self.waiting_fields].sum(dim=1)
        forecast = center[:, self.forecast_fields].sum(dim=1)
        staffed = center[:, G_STAFFED].clamp(min=1.0)
        backlog = center[:, self.backlog_fields].sum(dim=1) / staffed
        return Surroundings(
            n_waiting,
            forecast,
            forecast / staffed / LOAD_UNIT_PER_HOUR,
            center[:, self.later_fields].sum(dim=1) / staffed / LOAD_UNIT_PER_HOUR,
            n_waiting / (HALF_QUEUE + n_waiting),
            backlog / (HALF_QUEUE + backlog),
        )

    def scores(self, center: Tensor, candidates: Tensor, action_mask: Tensor) -> Tensor:
        """Return the rule's scores (batch, actions) of whole observations; masked actions get `MASKED_SCORE`."""
        n_actions = candidates.shape[1]
        action = torch.arange(n_actions, device=center.device).repeat(candidates.shape[0])
        rows = candidates.reshape(-1, candidates.shape[2])
        score = self.row_scores(center.repeat_interleave(n_actions, dim=0), rows, action)
        return torch.where(action_mask > 0, score.reshape(-1, n_actions), MASKED_SCORE)


def _reserve_reps(rows: Tensor, around: Surroundings, adjust: dict[str, Tensor]) -> Tensor:
    """Return how many reps are kept free of each contact, `agents.rules.compiled.expected_loss.reserve_reps`."""
    real_time = adjust["reserve_real_time"] + adjust["reserve_real_time_load"] * around.load
    real_time = RESERVE_UNIT_REPS * (real_time + adjust["reserve_real_time_queue"] * around.queue)
    real_time = real_time - RESERVE_PER_STAKE_REPS * adjust["reserve_by_stake"] * _log_stake(rows)
    deferred = adjust["reserve_deferred"] + adjust["reserve_deferred_load"] * around.load
    deferred = deferred + adjust["reserve_deferred_load_later"] * around.load_later
    deferred = deferred + adjust["reserve_deferred_queue"] * around.queue
    deferred = RESERVE_UNIT_REPS * (deferred + adjust["reserve_deferred_backlog"] * around.backlog)
    slack_h = (rows[:, C_SLACK] / HOUR_S).clamp(min=0.0)
    urgency = torch.exp(-slack_h / URGENT_H) * torch.log(1.0 + rows[:, C_STAKE] / STAKE_UNIT_USD)
    urgency = torch.where(rows[:, C_OVERDUE] > 0, 1.0, urgency)
    deferred = deferred - RESERVE_WHEN_DUE_REPS * adjust["reserve_urgent"] * urgency
    return torch.where(rows[:, C_REAL_TIME] > 0, real_time, deferred)


def _reps_free(center: Tensor, rows: Tensor) -> Tensor:
    """Return how many reps with the skill for each contact are free."""
    n_queues = (center.shape[1] - N_CENTER_FIELDS) // N_QUEUE_FIELDS
    queue = (rows[:, C_CHANNEL].long() - 1).clamp(
        0, n_queues - 1
    )  # a closed action has none, or whatever one puts there
    return center.gather(1, (N_CENTER_FIELDS + queue * N_QUEUE_FIELDS + Q_REPS_FREE).unsqueeze(1)).squeeze(1)


def _log_stake(rows: Tensor) -> Tensor:
    return torch.log((rows[:, C_STAKE] + 1.0) / STAKE_UNIT_USD)


def _log_factor(rows: Tensor, adjust: dict[str, Tensor]) -> Tensor:
    log_work = torch.log(rows[:, C_EXPECTED_WORK].clamp(min=1.0) / WORK_UNIT_S)
    real_time = adjust["real_time_stake"] * _log_stake(rows) + adjust["real_time_work"] * log_work
    real_time = real_time + adjust["real_time_waited"] * (rows[:, C_WAITED] / WAITED_UNIT_S).clamp(max=3.0)
    deferred = adjust["deferred_stake"] * _log_stake(rows) + adjust["deferred_work"] * log_work
    deferred = deferred + adjust["deferred_overdue"] * rows[:, C_OVERDUE]
    factor = torch.where(rows[:, C_REAL_TIME] > 0, real_time, deferred)
    return factor.clamp(min=-MOST_LOG_FACTOR, max=MOST_LOG_FACTOR)


def preferences(scores: Tensor) -> Tensor:
    """Return preferences in [-1, 0] (batch, actions): 0 for the action with the best score, minus the relative gap for
    others. The gap between scores a >= b is (a - b) / (|a| + |b| + 1), so that near ties stay near."""
    best = scores.max(dim=1, keepdim=True).values
    return (scores - best) / (scores.abs() + best.abs() + 1.0)


def _index_per_hour(rows: Tensor, due_scale_h: Tensor) -> Tensor:
    stake, loss_rate = rows[:, C_STAKE], rows[:, C_LOSS_RATE]
    slack_s = rows[:, C_SLACK]
    real_time = stake * rows[:, C_ABANDON_RATE] + torch.where(slack_s < 0.0, loss_rate, 0.0)
    tardiness = stake / due_scale_h * torch.exp(-(slack_s / HOUR_S).clamp(min=0.0) / due_scale_h)
    deferred = torch.where(rows[:, C_OVERDUE] > 0, loss_rate, tardiness)
    rate = torch.where(rows[:, C_REAL_TIME] > 0, real_time, deferred)
    work_h = rows[:, C_EXPECTED_WORK].clamp(min=1.0) / HOUR_S
    return rate / work_h + 1e-3 + 1e-9 * rows[:, C_WAITED]


def _expected_loss_usd(rows: Tensor, release_per_hour: Tensor) -> Tensor:
    """Return the caller's expected loss until a rep would come free: competing exponential times."""
    abandon = rows[:, C_ABANDON_RATE]
    competing = abandon + release_per_hour.clamp(min=1e-6)
    return (rows[:, C_STAKE] * abandon + rows[:, C_LOSS_RATE]) / competing


def _interruption_usd(rows: Tensor, release_per_hour: Tensor) -> tuple[Tensor, Tensor]:
    """Return (gain, price) of each interruption, USD."""
    pick_up_s = rows[:, C_PICK_UP]
    slack_h = ((rows[:, C_DISTURBED_SLACK] - pick_up_s - rows[:, C_EXPECTED_WORK]) / HOUR_S).clamp(min=0.0)
    price = rows[:, C_ACTION_COST] + rows[:, C_DISTURBED_ERROR] + pick_up_s / HOUR_S * REP_HOUR_USD
    price = price + rows[:, C_DISTURBED_STAKE] * torch.exp(-slack_h / DUE_SCALE_H)
    return _expected_loss_usd(rows, release_per_hour), price
