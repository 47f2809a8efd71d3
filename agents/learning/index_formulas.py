"""The formulas of the rankings that `expected_loss` can take, as torch functions of whole batches.

Room: `agents.learning`. Touches torch. The formulas themselves, with their sources, are written in
`agents.rules.compiled.formulas`; a test holds the two equal on visited states.
"""

import torch
from torch import Tensor

from agents.rules.compiled.formulas import (
    B_ABANDON_PER_H,
    B_COST,
    B_DRAIN_PER_H,
    B_FACTOR,
    B_HOLDING,
    B_OVERDUE_COST,
    B_PROMISE_PER_H,
    B_SERVICES_PER_H,
    FORMULAS,
    I_FIRST_BLOCK,
    I_LEAVE_PER_H,
    I_LOOK_AHEAD_H,
    I_POWER,
    LAGUERRE_NODES,
    LAGUERRE_WEIGHTS,
    N_BLOCK,
)
from envs.interface.fields import (
    C_ABANDON_RATE,
    C_CHANNEL,
    C_EXPECTED_WORK,
    C_LOSS_RATE,
    C_OVERDUE,
    C_REAL_TIME,
    C_SLACK,
    C_STAKE,
    C_WAITED,
)
from envs.interface.units import HOUR_S


class Ranked:
    """Candidate `rows` (n, fields) with the `settings` of an index rule, and the blocks of the rows' queues."""

    def __init__(self, settings: Tensor, rows: Tensor) -> None:
        self.settings, self.rows = settings, rows
        blocks = settings[I_FIRST_BLOCK:].reshape(-1, N_BLOCK)
        # A closed action has no channel, or whatever one puts there.
        self.blocks = blocks[(rows[:, C_CHANNEL].long() - 1).clamp(0, len(blocks) - 1)]
        self.is_overdue = rows[:, C_OVERDUE] > 0
        is_running = (rows[:, C_REAL_TIME] > 0) | self.is_overdue
        self.running_usd_per_hour = torch.where(is_running, rows[:, C_LOSS_RATE], self.block(B_HOLDING))
        self.services_per_hour = self.block(B_SERVICES_PER_H)

    def block(self, key: int) -> Tensor:
        """Return the setting `key` of each row's queue."""
        return self.blocks[:, key]


def _cmu(ranked: Ranked) -> Tensor:
    cost = torch.where(ranked.is_overdue, ranked.block(B_OVERDUE_COST), ranked.block(B_COST))
    return cost * ranked.services_per_hour


def _value_cmu(ranked: Ranked) -> Tensor:
    cost = ranked.rows[:, C_STAKE] * ranked.block(B_PROMISE_PER_H) + ranked.running_usd_per_hour
    return cost * ranked.services_per_hour


def _marginal_cost(ranked: Ranked, age_h: Tensor) -> Tensor:
    power, per_hour = ranked.settings[I_POWER], ranked.block(B_PROMISE_PER_H)
    steep = power * ranked.rows[:, C_STAKE] * per_hour * torch.pow(per_hour * age_h, power - 1.0)
    return steep + ranked.running_usd_per_hour


def _generalized_cmu(ranked: Ranked) -> Tensor:
    return _marginal_cost(ranked, ranked.rows[:, C_WAITED] / HOUR_S) * ranked.services_per_hour


def _whittle(ranked: Ranked) -> Tensor:
    age_h, drain_per_h = ranked.rows[:, C_WAITED] / HOUR_S, ranked.block(B_DRAIN_PER_H)
    nodes = zip(LAGUERRE_NODES.tolist(), LAGUERRE_WEIGHTS.tolist(), strict=True)
    means = [weight * _marginal_cost(ranked, age_h + node / drain_per_h) for node, weight in nodes]
    return torch.stack(means).sum(dim=0) * ranked.services_per_hour


def _leaving_index(ranked: Ranked, theta_per_h: Tensor) -> Tensor:
    staying = ranked.running_usd_per_hour / ranked.settings[I_LEAVE_PER_H]
    theta = theta_per_h.clamp(min=torch.finfo(torch.float32).tiny)
    leaving = (ranked.running_usd_per_hour + theta * ranked.rows[:, C_STAKE]) / theta
    return torch.where(theta_per_h > 0.0, leaving, staying) * ranked.services_per_hour


def _cmu_theta(ranked: Ranked) -> Tensor:
    return _leaving_index(ranked, torch.where(ranked.is_overdue, 0.0, ranked.block(B_PROMISE_PER_H)))


def _hazard_cmu_theta(ranked: Ranked) -> Tensor:
    may_abandon = (ranked.rows[:, C_REAL_TIME] > 0) & (ranked.block(B_ABANDON_PER_H) > 0.0)
    hazard = torch.maximum(ranked.rows[:, C_ABANDON_RATE], ranked.settings[I_LEAVE_PER_H])
    return torch.where(may_abandon, _leaving_index(ranked, hazard), _cmu_theta(ranked))


def _apparent_tardiness(ranked: Ranked) -> Tensor:
    look_ahead_h = ranked.settings[I_LOOK_AHEAD_H]
    work_h = ranked.rows[:, C_EXPECTED_WORK].clamp(min=1.0) / HOUR_S
    slack_h = (ranked.rows[:, C_SLACK] / HOUR_S).clamp(min=0.0)
    in_time = ranked.rows[:, C_STAKE] * torch.exp(-slack_h / look_ahead_h)
    return torch.where(ranked.is_overdue, ranked.rows[:, C_LOSS_RATE] * look_ahead_h, in_time) / work_h


OF_NAME = {  # by the names of `agents.rules.compiled.formulas.FORMULAS`
    "cmu": _cmu,
    "value_cmu": _value_cmu,
    "generalized_cmu": _generalized_cmu,
    "cmu_theta": _cmu_theta,
    "hazard_cmu_theta": _hazard_cmu_theta,
    "apparent_tardiness": _apparent_tardiness,
    "whittle": _whittle,
}


def index(formula: int, settings: Tensor, rows: Tensor) -> Tensor:
    """Return the index (n,) of the contacts of candidate `rows` (n, fields) by the `formula` of that code, times the
    factor of the queue, with the `settings` of the index rule as `agents.rules.compiled.formulas` lays them out."""
    ranked = Ranked(settings, rows)
    return OF_NAME[list(FORMULAS)[formula]](ranked) * ranked.block(B_FACTOR)
