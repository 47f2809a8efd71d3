"""The rule `expected_loss` as a torch function, so that it can be a prior inside a network and in its exported graph.

Room: `agents.learning`. Touches torch. The rule itself is written in `agents.rules.compiled.expected_loss`; a test
holds the two equal on visited states. This form scores whole batches.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.learning import index_formulas
from agents.rules.compiled.adjustments import (
    A_CHANNEL_INDEX,
    A_CHANNEL_INTERRUPT_PRICE,
    A_CHANNEL_RESERVE,
    FORMS,
    HALF_QUEUE,
    HAZARD_UNIT_PER_H,
    LOAD_UNIT_PER_HOUR,
    MOST_LOG_FACTOR,
    MOST_WAITED,
    N_ADJUSTMENTS,
    N_CHANNEL_ADJUSTMENTS,
    SOON_H,
    STAKE_UNIT_USD,
    WAITED_UNIT_S,
    WORK_UNIT_S,
    Surroundings,
    count_adjustments,
)
from agents.rules.compiled.expected_loss import (
    ASSIGN_UNIT,
    DUE_SCALE_H,
    HELD_SCORE,
    HOLD_SCORE,
    IDLE_SCORE,
    IDLE_UNIT_USD_PER_HOUR,
    NO_HOLD_SCORE,
    OFFER_SCORE,
    REP_HOUR_USD,
    RESERVE_PER_STAKE_REPS,
    RESERVE_UNIT_REPS,
    RESERVE_WHEN_DUE_REPS,
    URGENT_H,
    VALUE_UNIT_USD,
)
from agents.rules.compiled.formulas import I_FIRST_BLOCK, I_FORMULA, N_BLOCK
from agents.rules.compiled.reading import ActionLayout
from envs.interface.actions import (
    ASSIGN,
    HOLD,
    INTERRUPT,
    LONGEST_IDLE,
    OFFER_CALLBACK,
    RESUME,
    SERVE,
    TAKE_OVER,
)
from envs.interface.fields import (
    C_ABANDON_RATE,
    C_ACCEPT,
    C_ACTION_COST,
    C_CHANNEL,
    C_DISTURBED_CHANNEL,
    C_DISTURBED_ERROR,
    C_DISTURBED_PROGRESS,
    C_DISTURBED_SLACK,
    C_DISTURBED_STAKE,
    C_EXPECTED_WORK,
    C_LOSS_RATE,
    C_OVERDUE,
    C_PICK_UP,
    C_REAL_TIME,
    C_REP_AT_HOME,
    C_REP_IS_PREFERRED,
    C_REP_SHIFT_LEFT,
    C_REP_SKILLS,
    C_SLACK,
    C_STAKE,
    C_WAITED,
    G_FREE,
    G_RELEASE_RATE,
    G_STAFFED,
    G_SUBJECT_IS_CONTACT,
    N_CENTER_FIELDS,
    N_QUEUE_FIELDS,
    Q_ARRIVED_TODAY,
    Q_EXPECTED_TODAY,
    Q_FORECAST_LATER,
    Q_FORECAST_NOW,
    Q_REPS_FREE,
    Q_WAITING,
)
from envs.interface.units import HOUR_S

MASKED_SCORE = -1e9
NO_FORMULA = -1.0
"""Stands for the code of a formula where the ranking is the rule's own."""
ADJUSTMENT_RATE = 20.0
"""How much faster than the other weights the adjustments learn under one learning rate: there are few of them, and each
has a meaning of order one."""


class ExpectedLossPrior(nn.Module):
    """Scores of `agents.rules.compiled.expected_loss.score_expected_loss` for a batch, with a handful of adjustments
    that can be learned."""

    is_hold: Tensor
    is_serve: Tensor
    is_resume: Tensor
    is_assign: Tensor
    is_first_assign: Tensor
    is_interrupt: Tensor
    is_offer: Tensor
    ranking: Tensor

    def __init__(self, layout: ActionLayout) -> None:
        super().__init__()
        kind = torch.as_tensor(layout.kind)
        longest_idle = torch.as_tensor(layout.lens == LONGEST_IDLE)
        self.register_buffer("is_hold", kind == HOLD, persistent=False)
        self.register_buffer("is_serve", kind == SERVE, persistent=False)
        self.register_buffer("is_resume", (kind == RESUME) | (kind == TAKE_OVER), persistent=False)
        self.register_buffer("is_assign", kind == ASSIGN, persistent=False)
        self.register_buffer("is_first_assign", (kind == ASSIGN) & longest_idle, persistent=False)
        self.register_buffer("is_interrupt", kind == INTERRUPT, persistent=False)
        self.register_buffer("is_offer", kind == OFFER_CALLBACK, persistent=False)
        starts = N_CENTER_FIELDS + N_QUEUE_FIELDS * np.arange(len(layout.real_time))
        self.real_time_starts = starts[np.flatnonzero(layout.real_time)]
        self.deferred_starts = starts[np.flatnonzero(~np.asarray(layout.real_time, bool))]
        self.adjustment = nn.Parameter(torch.zeros(count_adjustments(len(layout.real_time))))
        n_ranking = I_FIRST_BLOCK + N_BLOCK * len(layout.real_time)
        self.register_buffer("ranking", torch.full((n_ranking,), NO_FORMULA))
        self._read_formula()
        self.register_load_state_dict_post_hook(  # type: ignore[no-untyped-call]
            lambda module, _: module._read_formula()
        )

    def _read_formula(self) -> None:
        """Note the code of the formula as a number, on which an exported graph does not depend; None without one."""
        code = float(self.ranking[I_FORMULA])
        self._formula = None if code == NO_FORMULA else int(code)

    def set_settings(self, settings: NDArray[np.float64]) -> None:
        """Take over the settings of the compiled rule: adjustments, and perhaps a ranking behind them."""
        n_adjustments = len(self.adjustment)
        ranking = settings[n_adjustments:]
        with torch.no_grad():
            self.adjustment.copy_(torch.as_tensor(settings[:n_adjustments] / ADJUSTMENT_RATE))
            self.ranking.copy_(torch.as_tensor(ranking) if len(ranking) else torch.tensor(NO_FORMULA))
        self._read_formula()

    def read_settings(self) -> NDArray[np.float64]:
        """Return the settings of the compiled rule: adjustments, and the ranking behind them, if there is one."""
        adjustment = self.adjustment.detach() * ADJUSTMENT_RATE
        parts = [adjustment] if self._formula is None else [adjustment, self.ranking]
        return torch.cat(parts).cpu().numpy().astype(np.float64)

    def row_scores(self, center: Tensor, rows: Tensor, action: Tensor) -> Tensor:
        """Return the adjusted scores (n,) of candidate `rows` (n, fields) with their `action` indices (n,) and the
        `center` (n, center fields) of their observations."""
        weights = _Weights(ADJUSTMENT_RATE * self.adjustment)
        around = self._surroundings(center)
        free, release_per_hour = center[:, G_FREE], center[:, G_RELEASE_RATE]
        score = torch.where(center[:, G_SUBJECT_IS_CONTACT] > 0, 0.0, _score_idle(free, around, weights))
        is_queue = (around.n_waiting > free).float()
        assign = 1.0 - 2.0 * is_queue
        assign = torch.where(self.is_first_assign[action], assign, 0.5 * assign - 0.5)
        specialist = 1.0 / rows[:, C_REP_SKILLS].clamp(min=1.0)
        of_rep = (rows[:, C_REP_IS_PREFERRED], rows[:, C_REP_AT_HOME], specialist)
        features = (*of_rep, is_queue, is_queue * _log_stake(rows))
        score = torch.where(self.is_assign[action], assign + ASSIGN_UNIT * weights.weigh("assign", features), score)
        if self._formula is None:
            index = _index_per_hour(rows, DUE_SCALE_H * torch.exp(_limited(weights.one("due_scale"))))
        else:
            index = index_formulas.index(self._formula, self.ranking, rows) + 1e-3 + 1e-9 * rows[:, C_WAITED]
        index = index * torch.exp(_log_factor(rows, self.is_resume[action], weights))
        starts = self.is_serve[action] | self.is_resume[action]
        score = torch.where(starts, index, score)
        reserve = _reserve_reps(rows, around, weights)
        held = (reserve > 0.0) & (_reps_free(center, rows) <= reserve)
        score = torch.where(held & (starts | self.is_assign[action]), HELD_SCORE, score)
        score = torch.where(self.is_hold[action], torch.where(held, HOLD_SCORE, NO_HOLD_SCORE), score)
        interruption = _score_interruption(rows, around, release_per_hour, weights)
        score = torch.where(self.is_interrupt[action], interruption, score)
        return torch.where(self.is_offer[action], _score_offer(rows, around, release_per_hour, weights), score)

    def _surroundings(self, center: Tensor) -> Surroundings:
        def total(field: int, starts: NDArray[np.int64] = self.real_time_starts) -> Tensor:
            return center[:, (starts + field).tolist()].sum(dim=1)

        staffed = center[:, G_STAFFED].clamp(min=1.0)
        n_waiting, forecast = total(Q_WAITING), total(Q_FORECAST_NOW)
        backlog = total(Q_WAITING, self.deferred_starts) / staffed
        expected = total(Q_EXPECTED_TODAY)
        deviation = (total(Q_ARRIVED_TODAY) - expected) / expected.clamp(min=1.0).sqrt()
        return Surroundings(
            n_waiting,
            forecast,
            forecast / staffed / LOAD_UNIT_PER_HOUR,
            total(Q_FORECAST_LATER) / staffed / LOAD_UNIT_PER_HOUR,
            n_waiting / (HALF_QUEUE + n_waiting),
            backlog / (HALF_QUEUE + backlog),
            deviation / (HALF_QUEUE + deviation.abs()),
        )

    def scores(self, center: Tensor, candidates: Tensor, action_mask: Tensor) -> Tensor:
        """Return the rule's scores (batch, actions) of whole observations; masked actions get `MASKED_SCORE`."""
        n_actions = candidates.shape[1]
        action = torch.arange(n_actions, device=center.device).repeat(candidates.shape[0])
        rows = candidates.reshape(-1, candidates.shape[2])
        score = self.row_scores(center.repeat_interleave(n_actions, dim=0), rows, action)
        return torch.where(action_mask > 0, score.reshape(-1, n_actions), MASKED_SCORE)


class _Weights:
    """The adjustments of a prior, to be weighed with features as `agents.rules.compiled.adjustments.weigh` does."""

    def __init__(self, adjustment: Tensor) -> None:
        self._of_form, first = {}, 0
        for form, names in FORMS.items():
            self._of_form[form] = adjustment[first : first + len(names)]
            first += len(names)
        self._of_channel = adjustment[N_ADJUSTMENTS:].reshape(-1, N_CHANNEL_ADJUSTMENTS)

    def one(self, form: str) -> Tensor:
        """Return the first adjustment of a form."""
        return self._of_form[form][0]

    def weigh(self, form: str, features: tuple[Tensor | float, ...]) -> Tensor:
        """Return the weighted sum of features (n,) of a form."""
        weights = self._of_form[form].unbind()
        return torch.stack([w * f for w, f in zip(weights, features, strict=True)]).sum(dim=0)

    def of_channel(self, channel: Tensor, key: int) -> Tensor:
        """Return the adjustment `key` of channels (n,), numbered from 1 on; 0 for 0, which is none."""
        n_channels = len(self._of_channel)
        queue = (channel.long() - 1).clamp(0, n_channels - 1)  # a closed action has none, or whatever one puts there
        return torch.where(channel >= 1.0, self._of_channel[:, key][queue], 0.0)


def _limited(log_factor: Tensor) -> Tensor:
    return log_factor.clamp(min=-MOST_LOG_FACTOR, max=MOST_LOG_FACTOR)


def _score_idle(free: Tensor, around: Surroundings, weights: _Weights) -> Tensor:
    last = (free <= 1.0).float()
    idle = weights.weigh("idle", (last, (free == 2.0).float(), last * around.forecast_per_hour / 100.0))
    return (IDLE_SCORE + IDLE_UNIT_USD_PER_HOUR * idle).clamp(min=IDLE_SCORE)


def _reserve_reps(rows: Tensor, around: Surroundings, weights: _Weights) -> Tensor:
    """Return how many reps are kept free of each contact, `agents.rules.compiled.expected_loss.reserve_reps`."""
    own = weights.of_channel(rows[:, C_CHANNEL], A_CHANNEL_RESERVE)
    one = torch.ones_like(around.load)
    features = (one, around.load, around.load_later, around.queue, around.backlog, around.surprise)
    real_time = RESERVE_UNIT_REPS * (weights.weigh("reserve_real_time", features) + own)
    real_time = real_time - RESERVE_PER_STAKE_REPS * weights.one("reserve_by_stake") * _log_stake(rows)
    slack_h = (rows[:, C_SLACK] / HOUR_S).clamp(min=0.0)
    urgency = torch.exp(-slack_h / URGENT_H) * torch.log(1.0 + rows[:, C_STAKE] / STAKE_UNIT_USD)
    urgency = torch.where(rows[:, C_OVERDUE] > 0, 1.0, urgency)
    deferred = RESERVE_UNIT_REPS * (weights.weigh("reserve_deferred", features) + own)
    deferred = deferred - RESERVE_WHEN_DUE_REPS * weights.one("reserve_urgent") * urgency
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


def _units_waited(rows: Tensor) -> Tensor:
    return (rows[:, C_WAITED] / WAITED_UNIT_S).clamp(max=MOST_WAITED)


def _log_factor(rows: Tensor, is_resume: Tensor, weights: _Weights) -> Tensor:
    one, log_stake = torch.ones_like(rows[:, C_STAKE]), _log_stake(rows)
    log_work = torch.log(rows[:, C_EXPECTED_WORK].clamp(min=1.0) / WORK_UNIT_S)
    late, waited = (rows[:, C_SLACK] < 0.0).float(), _units_waited(rows)
    hazard = torch.log(1.0 + rows[:, C_ABANDON_RATE] / HAZARD_UNIT_PER_H)
    real_time = weights.weigh("real_time", (one, log_stake, log_work, waited, late, hazard))
    slack_h = (rows[:, C_SLACK] / HOUR_S).clamp(min=0.0)
    soon = tuple(torch.exp(-slack_h / scale_h) for scale_h in SOON_H)
    deferred = weights.weigh("deferred", (one, log_stake, log_work, rows[:, C_OVERDUE], *soon))
    is_real_time = rows[:, C_REAL_TIME] > 0
    factor = torch.where(is_real_time, real_time, deferred)
    constant = torch.where(is_real_time, weights.one("real_time"), weights.one("deferred"))
    factor = factor + torch.where(is_resume, weights.one("resume") - constant, 0.0)
    overtime = (rows[:, C_REP_SHIFT_LEFT] < rows[:, C_EXPECTED_WORK]).float()
    factor = factor + weights.weigh("rep", (rows[:, C_REP_IS_PREFERRED], rows[:, C_REP_AT_HOME], overtime))
    return _limited(factor + weights.of_channel(rows[:, C_CHANNEL], A_CHANNEL_INDEX))


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


def _score_interruption(rows: Tensor, around: Surroundings, release_per_hour: Tensor, weights: _Weights) -> Tensor:
    """Return what each interruption gains less its price, USD."""
    one = torch.ones_like(around.load)
    gain = weights.weigh("interrupt_gain", (one, _log_stake(rows), around.queue))
    progress = torch.log(1.0 + rows[:, C_DISTURBED_PROGRESS] / WORK_UNIT_S)
    factor = weights.weigh("interrupt_price", (one, around.load, around.queue, around.backlog, progress))
    factor = factor + weights.of_channel(rows[:, C_DISTURBED_CHANNEL], A_CHANNEL_INTERRUPT_PRICE)
    rep_hour_usd = REP_HOUR_USD * torch.exp(_limited(weights.one("interrupt_rep_hour")))
    due_scale_h = DUE_SCALE_H * torch.exp(_limited(weights.one("interrupt_due_scale")))
    pick_up_s = rows[:, C_PICK_UP]
    slack_h = ((rows[:, C_DISTURBED_SLACK] - pick_up_s - rows[:, C_EXPECTED_WORK]) / HOUR_S).clamp(min=0.0)
    price = rows[:, C_ACTION_COST] + rows[:, C_DISTURBED_ERROR] + pick_up_s / HOUR_S * rep_hour_usd
    price = price + rows[:, C_DISTURBED_STAKE] * torch.exp(-slack_h / due_scale_h)
    gain_usd = _expected_loss_usd(rows, release_per_hour) * torch.exp(_limited(gain))
    return gain_usd - price * torch.exp(_limited(factor)) + VALUE_UNIT_USD * weights.one("interrupt_value")


def _score_offer(rows: Tensor, around: Surroundings, release_per_hour: Tensor, weights: _Weights) -> Tensor:
    benefit_usd = rows[:, C_ACCEPT] * _expected_loss_usd(rows, release_per_hour) - rows[:, C_ACTION_COST]
    one = torch.ones_like(around.load)
    features = (one, around.n_waiting, around.load, around.backlog, _log_stake(rows), _units_waited(rows))
    value_usd = VALUE_UNIT_USD * weights.weigh("offer", features)
    return OFFER_SCORE + weights.one("offer_benefit") * benefit_usd + value_usd
