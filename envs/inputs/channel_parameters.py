"""The parameters of a channel: its prices, promises, outcomes and laws as numbers and tables.

Room: `envs.inputs`. Reads the scenario; writes the queue's part of one `Parameters` record.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.interface.units import (
    MAX_CAPACITY_UNITS,
    NEVER,
    NOBODY,
    WEEK_INTERVAL_S,
)
from envs.scenario.channel import Channel
from envs.scenario.distributions import (
    DurationDistribution,
    Fixed,
    tabulate_quantiles,
)
from envs.scenario.scenario import Scenario
from envs.scenario.week import week_forecast
from envs.simulator.machine.record_types import CUMULATIVE_POINTS, RESIDUAL_POINTS

UNLIMITED = 2**30
HAZARD_WINDOW_S = 60.0
"""The rate of abandonment shown to the router is the chance to hang up within this window, as a rate."""
Record = Any  # a numpy record: its fields are not known to type checkers


def fill_channel(record: Record, scenario: Scenario, queue: int, channel: Channel) -> None:
    """Write all that the scenario fixes of `channel`, number `queue`, into the parameters `record`."""
    target = record.queues[queue]
    pick_up, offer, rework = channel.pick_up, channel.callback_offer, channel.error.rework
    target.real_time = channel.is_real_time
    target.lines = UNLIMITED if channel.lines is None else channel.lines
    target.waiting_limit = UNLIMITED if channel.waiting_limit is None else channel.waiting_limit
    target.interruptible = channel.interruptible
    target.promised = channel.promised
    target.accumulate = channel.pick_up_mode == "accumulate"
    target.offer_to = NOBODY if offer is None else scenario.channel_index(offer.to)
    target.accept_prob = 0.0 if offer is None else offer.accept_prob
    target.rework_to = NOBODY if rework is None else scenario.channel_index(rework.to)
    target.rework_delay_s = 0.0 if rework is None else rework.delay_s
    target.rework_frac = 0.0 if rework is None else rework.work_frac
    target.threshold_s = channel.service_level_threshold_s
    target.due_after_s = NEVER if channel.due is None else channel.due.mean_after_s
    hidden_after = None if channel.due is None else channel.due.hidden_after
    target.hidden_due = hidden_after is not None
    target.met_by_start = channel.due is not None and channel.due.met_by == "start"
    record.due_quantile_s[queue] = tabulate_quantiles(hidden_after)
    target.due_cells_per_s = 8.0 / target.due_after_s
    if hidden_after is not None:
        record.due_residual_s[queue] = hidden_after.mean_residual_s(
            np.arange(RESIDUAL_POINTS, dtype=np.float64) / target.due_cells_per_s
        )
    target.units = 0 if channel.concurrency is None else channel.concurrency.units
    record.shared_speed[queue] = 1.0
    if channel.concurrency is not None:
        speeds = channel.concurrency.speed_frac[:MAX_CAPACITY_UNITS]
        record.shared_speed[queue, 1 : len(speeds) + 1] = speeds
    target.opens_after_s = 0.0 if channel.due is None else channel.due.opens_after_s
    target.business_clock = channel.due is not None and channel.due.clock == "business"
    _fill_outbound(record, queue, channel)
    _fill_outcomes(record, scenario, queue, channel)
    handle_mean_s = max(channel.handle_time.mean_duration_s, 1e-9)
    target.completions_per_hour = 3600.0 / max(channel.mean_rep_time_s, 1e-9)
    target.after_work_mean_s = 0.0 if channel.after_work is None else channel.after_work.mean_duration_s
    record.after_work_quantile_s[queue] = tabulate_quantiles(channel.after_work)
    record.handle_quantile_s[queue] = tabulate_quantiles(channel.handle_time)
    target.pick_up_mean_s = 0.0 if pick_up is None else pick_up.mean_duration_s
    target.redial_prob = 0.0 if channel.redial is None else channel.redial.prob
    target.error_prob = channel.error.prob
    target.error_per_interruption_prob = channel.error.per_interruption_prob
    harm, costs = channel.harm, channel.costs
    target.abandonment_rise = harm.abandonment_prob
    target.blocked_rise = harm.blocked_prob
    target.wait_rise_per_s = harm.wait_prob_per_min / 60.0
    target.wait_rise_max = harm.wait_max_prob
    target.late_rise = harm.late_prob
    target.late_rise_per_s = harm.late_prob_per_hour / 3600.0
    target.late_rise_max = harm.late_max_prob
    target.error_rise = harm.error_prob
    target.abandonment_usd = costs.abandonment_usd
    target.blocked_usd = costs.blocked_usd
    target.late_usd = costs.late_usd
    target.error_usd = costs.error_usd
    target.holding_usd_per_s = costs.holding_usd_per_hour / 3600.0
    target.waiting_usd_per_s = costs.waiting_usd_per_hour / 3600.0
    target.overdue_waiting_usd_per_s = costs.overdue_waiting_usd_per_hour / 3600.0
    target.residual_cells_per_s = 8.0 / handle_mean_s
    record.residual_s[queue] = channel.handle_time.mean_residual_s(
        np.arange(RESIDUAL_POINTS, dtype=np.float64) * handle_mean_s / 8.0
    )
    record.pick_up_quantile_s[queue] = tabulate_quantiles(pick_up)
    record.redial_quantile_s[queue] = tabulate_quantiles(None if channel.redial is None else channel.redial.delay)
    record.patience_quantile_s[queue] = np.inf
    target.hazard_cells_per_s = 1.0
    target.cumulative_cells_per_s = 1.0
    if channel.patience is not None:
        record.patience_quantile_s[queue] = tabulate_quantiles(channel.patience)
        step_s = max(channel.patience.mean_duration_s, 1e-3) / 16.0
        target.hazard_cells_per_s = 1.0 / step_s
        record.hazard_per_s[queue] = _hazard_table(channel.patience, step_s)
        target.smooth_patience = not isinstance(channel.patience, Fixed) and _draws_every_patience(scenario, channel)
        target.cumulative_cells_per_s = 16.0 / step_s
        record.cumulative_hazard[queue] = _cumulative_hazard(channel.patience, step_s / 16.0)
    forecast = week_forecast(scenario, channel)
    record.forecast_per_hour[:, queue] = forecast
    per_interval = (forecast * WEEK_INTERVAL_S / 3600.0).reshape(7, -1)
    record.forecast_today[:, queue] = (np.cumsum(per_interval, axis=1) - per_interval).ravel()


def _draws_every_patience(scenario: Scenario, channel: Channel) -> bool:
    """Return True if no contact of `channel` has a patience other than by the channel's law; else the law's hazard does
    not compensate its abandonments (`envs.simulator.money.control_variate`)."""
    is_scripted = any(
        contact.channel == channel.name and contact.patience is not None for contact in scenario.scripted_contacts
    )
    queue = scenario.channel_index(channel.name)
    is_recorded = scenario.recording is not None and any(
        scenario.recording.states(column, queue) for column in ("patience_s", "patience_at_least_s")
    )
    return not is_scripted and not is_recorded


def _fill_outbound(record: Record, queue: int, channel: Channel) -> None:
    """Write what `channel`, number `queue`, fixes of attempts, unlimited supply, collection and callback approval into
    the parameters `record`."""
    target = record.queues[queue]
    reach, offer, collection = channel.reach, channel.callback_offer, channel.collection
    target.outbound = reach is not None
    record.reach_prob[:, queue] = 1.0 if reach is None else reach.prob_by_hour()
    target.unlimited = channel.is_unlimited
    if collection is not None:
        target.collection = True
        target.pay_prob = collection.pay_prob
        target.recovery_frac = collection.recovery_frac
        target.commission_frac = collection.commission_frac
        target.commission_per_owed = collection.commission_per_owed
    target.attempt_s = 0.0 if reach is None else reach.attempt_s
    target.retry_after_s = 0.0 if reach is None else reach.retry_after_s
    target.max_attempts = 1 if reach is None else reach.max_attempts
    target.refusal_prob = 0.0 if offer is None else offer.refusal_prob
    target.approval_delay_s = 0.0 if offer is None else offer.approval_delay_s


def _fill_outcomes(record: Record, scenario: Scenario, queue: int, channel: Channel) -> None:
    """Write what `channel`, number `queue`, fixes of follow-up, resolution, return and escalation into the parameters
    `record`."""
    target = record.queues[queue]

    def place(name: str | None) -> int:
        return queue if name is None else scenario.channel_index(name)

    follow_up, resolution = channel.follow_up, channel.resolution
    if follow_up is not None:
        target.follow_up_prob = follow_up.prob
        target.follow_up_to = place(follow_up.to)
        target.follow_up_window_s = follow_up.window_s
        target.follow_up_work_frac = follow_up.work_frac
        record.follow_up_quantile_s[queue] = tabulate_quantiles(follow_up.after)
    target.resolution_prob = np.inf if resolution is None else resolution.prob
    target.unresolved_rise = channel.harm.unresolved_prob
    target.unresolved_usd = channel.costs.unresolved_usd
    if resolution is not None and resolution.returns is not None:
        target.return_prob = resolution.returns.prob
        target.return_to = place(resolution.returns.to)
        target.return_work_frac = resolution.returns.work_frac
        target.return_new_work = resolution.returns.new_work
        record.return_quantile_s[queue] = tabulate_quantiles(resolution.returns.after)
    if resolution is not None and resolution.escalates is not None:
        target.escalation_prob = resolution.escalates.prob
        target.escalate_to = place(resolution.escalates.to)
        target.escalation_work_frac = resolution.escalates.work_frac
        target.escalation_new_work = resolution.escalates.new_work


def _hazard_table(patience: DurationDistribution, step_s: float) -> NDArray[np.float64]:
    """Return the rate of abandonment per second, P(X <= t + w | X > t) / w with w = `HAZARD_WINDOW_S`, at the middle
    of each step of waiting time; the last known rate goes on where nobody is left."""
    waited_s = (np.arange(RESIDUAL_POINTS, dtype=np.float64) + 0.5) * step_s
    alive = patience.survival_prob(waited_s)
    later = patience.survival_prob(waited_s + HAZARD_WINDOW_S)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(alive > 1e-9, (1.0 - later / alive) / HAZARD_WINDOW_S, np.nan)
    known = np.flatnonzero(~np.isnan(rate))
    if len(known) == 0:  # no patience at all
        return np.full(RESIDUAL_POINTS, 1.0 / HAZARD_WINDOW_S)
    return rate[np.maximum.accumulate(np.where(np.isnan(rate), known[0], np.arange(len(rate))))]


def _cumulative_hazard(patience: DurationDistribution, step_s: float) -> NDArray[np.float64]:
    """Return -log P(X > t) at each step of waiting time; the last known rate goes on where nobody is left."""
    steps = np.arange(CUMULATIVE_POINTS, dtype=np.float64)
    alive = patience.survival_prob(steps * step_s)
    known = alive > 1e-9
    if not known.any():  # no patience at all: everybody who waits is gone
        return steps * step_s / HAZARD_WINDOW_S
    hazard = -np.log(np.where(known, alive, 1.0))
    rates = np.diff(hazard, prepend=0.0)
    last = int(np.flatnonzero(known)[-1])
    return np.where(known, hazard, hazard[last] + (steps - last) * rates[last])
