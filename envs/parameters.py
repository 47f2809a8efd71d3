"""From scenario to parameters: human units become flat arrays in seconds and USD, curves become tables.

Room: `envs`. Reads the scenario; the kernel only reads what this makes.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.actions import action_table
from envs.business_hours import fill_business_hours, join_spans
from envs.distributions import DurationDistribution, Fixed, tabulate_quantiles
from envs.errors import ConfigurationError
from envs.scenario import (
    COST_TERMS,
    DAY_S,
    MAX_CAPACITY_UNITS,
    WEEK_S,
    WEEKDAYS,
    Arrivals,
    Break,
    Channel,
    Proficiency,
    Scenario,
)
from envs.state import (
    BREAK_END,
    BREAK_START,
    CUMULATIVE_POINTS,
    MAX_BANDS,
    N_WEEK_INTERVALS,
    NEVER,
    NOBODY,
    RESIDUAL_POINTS,
    SHIFT_END,
    SHIFT_START,
    TIERS,
    WEEK_INTERVAL_S,
    Tier,
    parameters_type,
)

UNLIMITED = 2**30
HAZARD_WINDOW_S = 60.0
"""The rate of abandonment shown to the router is the chance to hang up within this window, as a rate."""

Record = Any  # a numpy record: its fields are not known to type checkers


def choose_tier(scenario: Scenario) -> Tier:
    """Return the first tier that holds `scenario`; raises `ConfigurationError` if none does."""
    reps = n_seats(scenario)
    n_changes = len(shift_changes(scenario))
    n_actions = len(action_table(scenario))
    for tier in TIERS:
        if (
            reps <= tier.reps
            and len(scenario.channels) <= tier.queues
            and n_actions <= tier.actions
            and n_changes <= tier.shift_changes
            and len(_seat_classes(scenario)) <= tier.classes
        ):
            return tier
    raise ConfigurationError(
        f"scenario {scenario.name}: {reps} contacts held at most, {len(scenario.channels)} channels and {n_changes} "
        "shift changes "
        f"exceed the largest size, {TIERS[-1].reps} contacts held, {TIERS[-1].queues} channels and "
        f"{TIERS[-1].shift_changes} shift changes"
    )


def _rep_classes(scenario: Scenario) -> list[tuple[int, str | None]]:
    """Return the classes of interchangeable reps: (group index, home channel), in the order of the reps."""
    classes: list[tuple[int, str | None]] = []
    for i, group in enumerate(scenario.groups):
        for home in group.home_channels():
            if (i, home) not in classes:
                classes.append((i, home))
    return classes


def _seat_classes(scenario: Scenario) -> list[tuple[int, str | None, int]]:
    """Return the classes of seats: (group index, home channel, units of capacity left). Those of reps who hold nothing
    come first and have 0 there; then, where contacts may be held side by side, those of the further seats."""
    whole = [(i, home, 0) for i, home in _rep_classes(scenario)]
    further = [
        (i, home, units)
        for i, home, _ in whole
        for units in range(1, scenario.groups[i].capacity_units)
        if _shared_skills(scenario, i, units)
    ]
    return whole + further


def _shared_skills(scenario: Scenario, group: int, units: int) -> list[str]:
    """Return the skills of a group of whose channels one more contact fits into `units` of capacity."""
    return [
        channel.name
        for channel in scenario.channels
        if channel.concurrency is not None
        and channel.concurrency.units <= units
        and channel.name in scenario.groups[group].skills
    ]


def n_seats(scenario: Scenario) -> int:
    """Return how many contacts all reps together can hold."""
    return sum(group.count * scenario.most_held(group) for group in scenario.groups)


def week_start_s(scenario: Scenario) -> float:
    """Return the seconds from Sunday midnight to the start of the horizon."""
    return WEEKDAYS.index(scenario.horizon.start_weekday) * DAY_S


def weekday_of(scenario: Scenario, day: int) -> str:
    """Return the weekday of calendar day `day` (0 is the first) of the horizon."""
    return WEEKDAYS[(WEEKDAYS.index(scenario.horizon.start_weekday) + day) % 7]


def shift_changes(scenario: Scenario) -> list[tuple[float, int, int, float]]:
    """Return all changes of shift: (time in seconds, kind, rep, when the rep next leaves the floor in seconds).

    In order of time; at the same second reps come before others go, so that a hand-over never leaves the floor empty. A
    shift running at the start of the horizon starts at 0. Shifts of a rep that touch or overlap are one.
    """
    horizon_s = scenario.horizon.days * DAY_S
    changes: list[tuple[float, int, int, float]] = []
    rep = 0
    for group in scenario.groups:
        spans: list[tuple[float, float]] = [(0.0, NEVER)] if group.shifts is None else []
        breaks: list[tuple[float, Break]] = []
        for day in range(-1, int(np.ceil(scenario.horizon.days))):
            for shift in group.shifts or ():
                if weekday_of(scenario, day) not in shift.weekdays:
                    continue
                start_s = day * DAY_S + shift.start
                end_s = start_s + shift.length_s
                if end_s > 0.0 and start_s < horizon_s:
                    spans.append((max(start_s, 0.0), end_s))
                    breaks += [(start_s + (pause.start - shift.start) % DAY_S, pause) for pause in shift.breaks]
        merged = join_spans(spans)
        for place in range(group.count):
            pauses = join_spans(
                [
                    (start_s + place * pause.stagger_s, start_s + place * pause.stagger_s + pause.length_s)
                    for start_s, pause in breaks
                ]
            )
            for start_s, end_s in merged:
                inside = [(max(a, start_s), b) for a, b in pauses if a < end_s and b > start_s]
                leaves_s = [a for a, _ in inside] + [end_s]
                changes.append((start_s, SHIFT_START, rep, leaves_s[0]))
                for i, (a, b) in enumerate(inside):
                    changes += [(a, BREAK_START, rep, a), (b, BREAK_END, rep, leaves_s[i + 1])]
                changes.append((end_s, SHIFT_END, rep, end_s))
            rep += 1
    return sorted(change for change in changes if change[0] < horizon_s)


def week_forecast(scenario: Scenario, channel: Channel) -> NDArray[np.float64]:
    """Return the mean contacts of `channel` per hour [336] in each half-hour of the week, Sunday first: its arrivals by
    their rates, and its recorded contacts (`recorded_forecast`)."""
    forecast = recorded_forecast(scenario, channel)
    return forecast if channel.arrivals is None else forecast + _rates_per_hour(channel.arrivals)


def recorded_forecast(scenario: Scenario, channel: Channel) -> NDArray[np.float64]:
    """Return the mean recorded contacts of `channel` per hour [336] in each half-hour of the week, Sunday first.

    The mean is over all recorded days, whichever of them an episode replays: the router sees what is usual, not what
    will come. If only one day is recorded, the forecast is that day itself, smoothed to half-hours. A half-hour of the
    week outside the horizon takes the mean of the same time of day within it.
    """
    if scenario.recording is None:
        return np.zeros(N_WEEK_INTERVALS)
    horizon_s = scenario.horizon.days * DAY_S
    starts_s = np.arange(math.ceil(horizon_s / WEEK_INTERVAL_S)) * WEEK_INTERVAL_S
    place = (round(week_start_s(scenario) / WEEK_INTERVAL_S) + np.arange(len(starts_s))) % N_WEEK_INTERVALS
    contacts = np.concatenate(scenario.recording.days)
    at_s = contacts["at_s"][contacts["queue"] == scenario.channel_index(channel.name)]
    count = np.bincount(place[(at_s / WEEK_INTERVAL_S).astype(np.int64)], minlength=N_WEEK_INTERVALS)
    recorded_h = np.bincount(place, _covered(starts_s, 0.0, horizon_s), N_WEEK_INTERVALS) * WEEK_INTERVAL_S / 3600.0
    recorded_h *= len(scenario.recording.days)
    of_week, of_day = count.reshape(len(WEEKDAYS), -1), recorded_h.reshape(len(WEEKDAYS), -1)
    same_time = of_week.sum(axis=0) / np.maximum(of_day.sum(axis=0), 1e-9)
    return np.where(of_day > 0.0, of_week / np.maximum(of_day, 1e-9), same_time).ravel()


def _rates_per_hour(arrivals: Arrivals) -> NDArray[np.float64]:
    per_day = []
    grid = np.arange(round(DAY_S / WEEK_INTERVAL_S) + 1) * WEEK_INTERVAL_S
    for weekday in WEEKDAYS:
        rates = np.array(arrivals.rates_on(weekday))
        edges = np.arange(len(rates) + 1) * arrivals.interval_s
        cumulative = np.concatenate([[0.0], np.cumsum(rates * arrivals.interval_s)])
        per_day.append(np.diff(np.interp(grid, edges, cumulative)) / WEEK_INTERVAL_S)
    return np.concatenate(per_day)


def _covered(starts_s: NDArray[np.floating[Any]], start_s: float, end_s: float) -> NDArray[np.float64]:
    """Return the share of each half-hour that begins at `starts_s` which lies between `start_s` and `end_s`."""
    overlap_s = np.minimum(starts_s + WEEK_INTERVAL_S, end_s) - np.maximum(starts_s, start_s)
    return np.clip(overlap_s, 0.0, None) / WEEK_INTERVAL_S


def planned_reps(scenario: Scenario, count_absence: bool = False) -> NDArray[np.float64]:
    """Return the mean number of reps on shift [336] in each half-hour of the week, Sunday first: those on the plan, or
    those to be expected of them."""
    planned = np.zeros(N_WEEK_INTERVALS)
    starts = np.arange(N_WEEK_INTERVALS) * WEEK_INTERVAL_S
    for group in scenario.groups:
        if group.shifts is None:
            planned += group.count
            continue
        covered, paused = np.zeros(N_WEEK_INTERVALS), np.zeros(N_WEEK_INTERVALS)
        for day in range(-1, 7):
            for shift in group.shifts:
                if WEEKDAYS[day % 7] in shift.weekdays:
                    start_s = day * DAY_S + shift.start
                    covered += _covered(starts, start_s, start_s + shift.length_s)
                    for pause in shift.breaks:
                        for place in range(group.count):
                            pause_s = start_s + (pause.start - shift.start) % DAY_S + place * pause.stagger_s
                            paused += _covered(starts, pause_s, pause_s + pause.length_s)
        present_frac = 1.0 - group.absence_prob if count_absence else 1.0
        planned += present_frac * np.maximum(group.count * np.minimum(covered, 1.0) - paused, 0.0)
    return planned


def spare_reps(scenario: Scenario) -> NDArray[np.float64]:
    """Return the reps left for a backlog [336] in each half-hour of the week, Sunday first.

    Planned reps less the mean real-time load of the half-hour, at least a tenth of them; of these the share that the
    week's new deferred work does not need, again at least a tenth. So work left for later pays for the work that it
    will delay.
    """
    planned = planned_reps(scenario, count_absence=True)
    real_time, deferred = np.zeros(N_WEEK_INTERVALS), 0.0
    for channel in scenario.channels:
        handle_s = channel.mean_rep_time_s * scenario.attention_frac(channel)
        load = week_forecast(scenario, channel) * handle_s / 3600.0
        if channel.is_real_time:
            real_time += load
        else:
            deferred += float(load.mean())
    spare = np.maximum(planned - real_time, 0.1 * planned)
    return spare * max(1.0 - deferred / max(float(spare.mean()), 1e-9), 0.1)


def _fill_channel(record: Record, scenario: Scenario, queue: int, channel: Channel) -> None:
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
    not compensate its abandonments (`envs.control_variate`)."""
    is_scripted = any(
        contact.channel == channel.name and contact.patience is not None for contact in scenario.scripted_contacts
    )
    queue = scenario.channel_index(channel.name)
    is_recorded = scenario.recording is not None and any(
        scenario.recording.states(column, queue) for column in ("patience_s", "patience_at_least_s")
    )
    return not is_scripted and not is_recorded


def _fill_outbound(record: Record, queue: int, channel: Channel) -> None:
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


def _fill_agreements(record: Record, scenario: Scenario) -> None:
    days = math.ceil(scenario.horizon.days) - math.floor(scenario.horizon.warm_up_days)
    for client in scenario.clients:
        for name in client.channels:
            target = record.queues[scenario.channel_index(name)]
            target.fee_usd = client.fee_usd
            target.technology_usd = client.technology_usd
        for promise in client.targets:
            target = record.queues[scenario.channel_index(promise.channel)]
            target.target_frac = promise.at_least_frac
            target.penalty_usd_per_point = promise.usd_per_point_day * days
    for queue, channel in enumerate(scenario.channels):
        target = record.queues[queue]
        target.offered_contacts = channel.offered_per_day * days
        if channel.is_unlimited:
            target.offered_usd = target.fee_usd
            if channel.collection is not None:
                owed_usd = channel.collection.amount_owed.mean_value_usd
                target.offered_usd += owed_usd * channel.collection.commission_per_owed
    record.preferred_speed = scenario.preferred_rep.speed
    record.preferred_resolution = scenario.preferred_rep.resolution
    if scenario.fairness is not None:
        record.fairness_floor_frac = scenario.fairness.floor_frac
        record.fairness_usd_per_point = scenario.fairness.usd_per_point_day * days


def _fill_staff(record: Record, scenario: Scenario) -> None:
    classes = _seat_classes(scenario)
    record.seat_class[:] = NOBODY
    record.first_seat[:] = NOBODY
    rep, seat = 0, sum(group.count for group in scenario.groups)
    for i, group in enumerate(scenario.groups):
        for home in group.home_channels():
            record.rep_class[rep] = classes.index((i, home, 0))
            record.owner[rep] = rep
            record.absence_prob[rep] = group.absence_prob
            further = scenario.most_held(group) - 1
            if further:
                record.first_seat[rep] = seat
                record.owner[seat : seat + further] = rep
                seat += further
            rep += 1
    for k, (i, home, units) in enumerate(classes):
        record.speed[k] = 1.0
        record.resolution[k] = 1.0
        record.capacity_units[k] = scenario.groups[i].capacity_units
        record.is_further_seat[k] = units > 0
        if units:
            record.seat_class[classes.index((i, home, 0)), units] = k
        for skill in _shared_skills(scenario, i, units) if units else scenario.groups[i].skills:
            queue = scenario.channel_index(skill)
            proficiency = scenario.groups[i].proficiency.get(skill, Proficiency())
            record.skill[k, queue] = 1
            record.speed[k, queue] = proficiency.speed
            record.resolution[k, queue] = proficiency.resolution
        record.skill_count[k] = len(scenario.groups[i].skills)
        record.class_home[k] = NOBODY if home is None else scenario.channel_index(home)
    record.n_reps = rep
    record.n_seats = seat
    record.n_classes = len(classes)
    changes = shift_changes(scenario)
    record.n_shift_changes = len(changes)
    for j, (time_s, kind, changed_rep, until_s) in enumerate(changes):
        record.shift_change_s[j] = time_s
        record.shift_change_kind[j] = kind
        record.shift_change_rep[j] = changed_rep
        record.shift_change_until_s[j] = until_s
    record.planned_reps[:] = planned_reps(scenario)
    record.spare_reps[:] = spare_reps(scenario)


def _fill_actions(record: Record, scenario: Scenario) -> None:
    actions = action_table(scenario)
    names = [action.name for action in actions]
    record.n_actions = len(actions)
    for i, action in enumerate(actions):
        record.action_kind[i] = action.kind
        record.action_queue[i] = action.queue
        record.action_lens[i] = action.lens
    for queue, channel in enumerate(scenario.channels):
        record.serve_start[queue] = names.index(f"serve:{channel.name}:oldest")
    record.resume_action = names.index("resume")
    record.assign_start = names.index("assign:longest_idle")
    record.interrupt_start = names.index("interrupt:least_value_at_stake")
    record.offer_action = names.index("offer_callback")
    record.serve_preferred = names.index("serve:preferred") if scenario.has_preferred_reps else NOBODY
    record.assign_preferred = names.index("assign:preferred") if scenario.has_preferred_reps else NOBODY
    record.assign_least_loaded = names.index("assign:least_loaded") if scenario.has_concurrency else NOBODY
    record.assign_fastest = names.index("assign:fastest") if scenario.has_unequal_speeds else NOBODY
    record.interrupt_preferred = names.index("interrupt:preferred") if scenario.has_preferred_reps else NOBODY


def build_parameters(scenario: Scenario, tier: Tier | None = None) -> NDArray[Any]:
    """Return the parameters of `scenario`: an array of one record of `parameters_type` of `tier`, by default
    the one that `choose_tier` chooses."""
    tier = choose_tier(scenario) if tier is None else tier
    parameters = np.zeros(1, parameters_type(tier))
    record: Record = parameters[0]
    record.n_queues = len(scenario.channels)
    record.n_supplied = sum(channel.is_unlimited for channel in scenario.channels)
    record.n_contacts = tier.contacts
    record.n_bands = len(scenario.value_bands_usd) + 1
    record.band_edge_usd[: len(scenario.value_bands_usd)] = scenario.value_bands_usd
    record.band_edge_usd[len(scenario.value_bands_usd) : MAX_BANDS] = np.inf
    record.horizon_s = scenario.horizon.days * DAY_S
    record.warm_up_s = scenario.horizon.warm_up_days * DAY_S
    record.week_start_s = week_start_s(scenario) % WEEK_S
    record.review_interval_s = scenario.review_interval_s
    record.every_event = scenario.review == "every_event"
    record.markov = scenario.observation == "markov"
    record.charge_end = scenario.terminal_charge == "expected"
    record.sampled_churn = scenario.churn.mode == "sampled"
    record.suspended_limit = scenario.suspended_limit
    record.at_risk_multiplier = scenario.churn.at_risk_multiplier
    costs = scenario.costs
    record.interruption_usd = costs.interruption_usd
    record.pick_up_usd_per_s = costs.pick_up_usd_per_hour / 3600.0
    record.callback_usd = costs.callback_usd
    record.overtime_usd_per_s = costs.overtime_usd_per_hour / 3600.0
    record.term_weight[:] = [costs.weights.get(term, 1.0) for term in COST_TERMS]  # type: ignore[call-overload]
    record.n_censuses = len(scenario.census_at_s)
    record.census_s[: len(scenario.census_at_s)] = scenario.census_at_s
    fill_business_hours(record, scenario)
    for queue, channel in enumerate(scenario.channels):
        _fill_channel(record, scenario, queue, channel)
    _fill_agreements(record, scenario)
    _fill_staff(record, scenario)
    _fill_actions(record, scenario)
    return parameters
