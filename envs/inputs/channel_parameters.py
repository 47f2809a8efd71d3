"""The parameters of a channel: its prices, promises, outcomes and laws as numbers and tables.

Room: `envs.inputs`. Reads the scenario; writes the queue's part of one `Parameters` record.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.interface.units import (
    HOUR_S,
    MAX_CAPACITY_UNITS,
    NEVER,
    NOBODY,
    WEEK_INTERVAL_S,
    WEEKDAYS,
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
RESIDUAL_CELLS = 8.0
"""Cells of a table of mean residual times, for each mean of the law."""
HAZARD_CELLS = 16.0
"""Cells of the table of abandonment rates, for each mean patience."""
HAZARD_STEPS = 16.0
"""Steps of the cumulative hazard in each of those cells."""
SHORTEST_MEAN_S = 1e-9
SHORTEST_PATIENCE_S = 1e-3
"""Shorter means are taken for these where they divide."""
Record = Any  # a numpy record: its fields are not known to type checkers


def fill_channel(record: Record, scenario: Scenario, queue: int, channel: Channel) -> None:
    """Write all that the scenario fixes of `channel`, number `queue`, into the parameters `record`."""
    target = record.queues[queue]
    target.real_time = channel.is_real_time
    target.lines = UNLIMITED if channel.lines is None else channel.lines
    target.waiting_limit = UNLIMITED if channel.waiting_limit is None else channel.waiting_limit
    _fill_promise(record, scenario, queue, channel)
    _fill_work(record, queue, channel)
    _fill_sharing(record, queue, channel)
    _fill_interruption(record, queue, channel)
    _fill_patience(record, scenario, queue, channel)
    _fill_outbound(record, queue, channel)
    _fill_offer(record, scenario, queue, channel)
    _fill_errors(record, scenario, queue, channel)
    _fill_outcomes(record, scenario, queue, channel)
    _fill_harm(record, queue, channel)
    _fill_costs(record, queue, channel)
    _fill_forecast(record, scenario, queue, channel)


def _fill_promise(record: Record, scenario: Scenario, queue: int, channel: Channel) -> None:
    """Write what is promised: the service-level threshold, the due time and its clock."""
    target, due = record.queues[queue], channel.due
    hidden_after = None if due is None else due.hidden_after
    target.threshold_s = channel.service_level_threshold_s
    target.left_out_within_s = scenario.service_level.left_out_within_s(channel.service_level_threshold_s)
    target.promised = channel.promised
    target.due_after_s = NEVER if due is None else due.mean_after_s
    target.opens_after_s = 0.0 if due is None else due.opens_after_s
    target.business_clock = due is not None and due.clock == "business"
    target.met_by_start = due is not None and due.met_by == "start"
    target.hidden_due = hidden_after is not None
    target.due_cells_per_s = RESIDUAL_CELLS / target.due_after_s
    record.due_quantile_s[queue] = tabulate_quantiles(hidden_after)
    if hidden_after is not None:
        record.due_residual_s[queue] = hidden_after.mean_residual_s(
            np.arange(RESIDUAL_POINTS, dtype=np.float64) / target.due_cells_per_s
        )


def _fill_work(record: Record, queue: int, channel: Channel) -> None:
    """Write the laws of handle time and after-contact work, and what is left of a handle time that is under way."""
    target = record.queues[queue]
    handle_mean_s = max(channel.handle_time.mean_duration_s, SHORTEST_MEAN_S)
    target.completions_per_hour = HOUR_S / max(channel.mean_rep_time_s, SHORTEST_MEAN_S)
    target.after_work_mean_s = 0.0 if channel.after_work is None else channel.after_work.mean_duration_s
    target.residual_cells_per_s = RESIDUAL_CELLS / handle_mean_s
    record.handle_quantile_s[queue] = tabulate_quantiles(channel.handle_time)
    record.after_work_quantile_s[queue] = tabulate_quantiles(channel.after_work)
    record.residual_s[queue] = channel.handle_time.mean_residual_s(
        np.arange(RESIDUAL_POINTS, dtype=np.float64) * handle_mean_s / RESIDUAL_CELLS
    )


def _fill_sharing(record: Record, queue: int, channel: Channel) -> None:
    """Write how many contacts a rep can hold, and how fast each of them then is."""
    record.queues[queue].units = 0 if channel.concurrency is None else channel.concurrency.units
    record.shared_speed[queue] = 1.0
    if channel.concurrency is not None:
        speeds = channel.concurrency.speed_frac[:MAX_CAPACITY_UNITS]
        record.shared_speed[queue, 1 : len(speeds) + 1] = speeds


def _fill_interruption(record: Record, queue: int, channel: Channel) -> None:
    """Write whether work is interruptible, and the pick-up that an interruption leaves behind: of the rep who worked on
    the contact last, and of another one."""
    target, pick_up, by_other = record.queues[queue], channel.pick_up, channel.pick_up_by_other
    target.interruptible = channel.interruptible
    target.accumulate = channel.pick_up_mode == "accumulate"
    target.pick_up_mean_s = 0.0 if pick_up is None else pick_up.mean_duration_s
    record.pick_up_quantile_s[queue] = tabulate_quantiles(pick_up)
    target.pick_up_by_other_mean_s = 0.0 if by_other is None else by_other.mean_duration_s
    record.pick_up_by_other_quantile_s[queue] = tabulate_quantiles(by_other)


def _fill_patience(record: Record, scenario: Scenario, queue: int, channel: Channel) -> None:
    """Write the law of patience, the rates of abandonment that follow from it, and redials."""
    target, redial = record.queues[queue], channel.redial
    target.redial_prob = 0.0 if redial is None else redial.prob
    record.redial_quantile_s[queue] = tabulate_quantiles(None if redial is None else redial.delay)
    record.patience_quantile_s[queue] = np.inf
    target.hazard_cells_per_s = 1.0
    target.cumulative_cells_per_s = 1.0
    if channel.patience is None:
        return
    record.patience_quantile_s[queue] = tabulate_quantiles(channel.patience)
    target.smooth_patience = not isinstance(channel.patience, Fixed) and _draws_every_patience(scenario, channel)
    step_s = max(channel.patience.mean_duration_s, SHORTEST_PATIENCE_S) / HAZARD_CELLS
    target.hazard_cells_per_s = 1.0 / step_s
    record.hazard_per_s[queue] = _hazard_table(channel.patience, step_s)
    target.cumulative_cells_per_s = HAZARD_STEPS / step_s
    record.cumulative_hazard[queue] = _cumulative_hazard(channel.patience, step_s / HAZARD_STEPS)


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
    """Write what is fixed of outbound attempts, unlimited supply and collection."""
    target = record.queues[queue]
    reach, collection = channel.reach, channel.collection
    target.outbound = reach is not None
    target.attempt_s = 0.0 if reach is None else reach.attempt_s
    target.retry_after_s = 0.0 if reach is None else reach.retry_after_s
    target.max_attempts = 1 if reach is None else reach.max_attempts
    record.reach_prob[:, queue] = 1.0 if reach is None else reach.prob_by_hour()
    target.unlimited = channel.is_unlimited
    if collection is not None:
        target.collection = True
        target.pay_prob = collection.pay_prob
        target.recovery_frac = collection.recovery_frac
        target.commission_frac = collection.commission_frac
        target.commission_per_owed = collection.commission_per_owed


def _fill_offer(record: Record, scenario: Scenario, queue: int, channel: Channel) -> None:
    """Write which callback may be offered, and its approval."""
    target, offer = record.queues[queue], channel.callback_offer
    target.offer_to = NOBODY if offer is None else scenario.channel_index(offer.to)
    target.accept_prob = 0.0 if offer is None else offer.accept_prob
    target.refusal_prob = 0.0 if offer is None else offer.refusal_prob
    target.approval_delay_s = 0.0 if offer is None else offer.approval_delay_s


def _fill_errors(record: Record, scenario: Scenario, queue: int, channel: Channel) -> None:
    """Write the chances of an error, and the rework that it brings."""
    target, rework = record.queues[queue], channel.error.rework
    target.error_prob = channel.error.prob
    target.error_per_interruption_prob = channel.error.per_interruption_prob
    target.rework_to = NOBODY if rework is None else scenario.channel_index(rework.to)
    target.rework_delay_s = 0.0 if rework is None else rework.delay_s
    target.rework_frac = 0.0 if rework is None else rework.work_frac


def _fill_outcomes(record: Record, scenario: Scenario, queue: int, channel: Channel) -> None:
    """Write how a contact may end, and what follows: follow-up, resolution, return and escalation."""
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


def _fill_harm(record: Record, queue: int, channel: Channel) -> None:
    """Write by how much each mishap raises the chance that the customer leaves."""
    target, harm = record.queues[queue], channel.harm
    target.abandonment_rise = harm.abandonment_prob
    target.blocked_rise = harm.blocked_prob
    target.wait_rise_per_s = harm.wait_prob_per_min / 60.0
    target.wait_rise_max = harm.wait_max_prob
    target.late_rise = harm.late_prob
    target.late_rise_per_s = harm.late_prob_per_hour / HOUR_S
    target.late_rise_max = harm.late_max_prob
    target.error_rise = harm.error_prob
    target.unresolved_rise = harm.unresolved_prob


def _fill_costs(record: Record, queue: int, channel: Channel) -> None:
    """Write the direct costs: each price into the field of its name, those per hour per second."""
    for key, price_usd in channel.costs:
        if key.endswith("_per_hour"):
            setattr(record.queues[queue], f"{key.removesuffix('hour')}s", price_usd / HOUR_S)
        else:
            setattr(record.queues[queue], key, price_usd)


def _fill_forecast(record: Record, scenario: Scenario, queue: int, channel: Channel) -> None:
    """Write the contacts to be expected in each half-hour of the week, and in its day before it."""
    forecast = week_forecast(scenario, channel)
    record.forecast_per_hour[:, queue] = forecast
    per_interval = (forecast * WEEK_INTERVAL_S / HOUR_S).reshape(len(WEEKDAYS), -1)
    record.forecast_today[:, queue] = (np.cumsum(per_interval, axis=1) - per_interval).ravel()


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
