"""What passing time costs and counts: integrals of the counters, holding costs, overtime; the end of the warm-up.

Room: `envs.simulator`. Touches counters and cost fields.
"""

from envs.interface.cost_terms import (
    TERM_BACKLOG,
    TERM_HANDLING,
)
from envs.simulator.machine.compilation import compiled
from envs.simulator.money.charges import add_cost
from envs.simulator.service.queues import count_overdue_waiting, cut_line_time


@compiled
def holding_usd_per_s(state, parameters):
    """Return what the contacts present cost by the second, USD before the scenario's weight."""
    total_usd = 0.0
    for q in range(parameters.n_queues):
        queue = state.queues[q]
        limits = parameters.queues[q]
        present = queue.waiting + queue.in_service + queue.suspended
        total_usd += present * limits.holding_usd_per_s + queue.waiting * limits.waiting_usd_per_s
        if limits.overdue_waiting_usd_per_s > 0.0:
            total_usd += count_overdue_waiting(state, q) * limits.overdue_waiting_usd_per_s
    return total_usd


@compiled
def pass_time(state, parameters, until_s):
    """Let time pass to `until_s`, with all integrals over time."""
    while state.next_census < parameters.n_censuses and parameters.census_s[state.next_census] <= until_s:
        for q in range(parameters.n_queues):
            state.census_waiting[q, state.next_census] = state.queues[q].waiting
        state.next_census += 1
    elapsed_s = until_s - state.now_s
    if elapsed_s > 0.0:
        for q in range(parameters.n_queues):
            queue = state.queues[q]
            count = state.queue_count[q]
            count.waiting_time_s += queue.waiting * elapsed_s
            count.in_service_time_s += queue.in_service * elapsed_s
            count.suspended_time_s += queue.suspended * elapsed_s
            count.after_work_time_s += queue.after_work * elapsed_s
            count.scheduled_time_s += queue.scheduled * elapsed_s
        holding_usd = holding_usd_per_s(state, parameters)
        if holding_usd > 0.0:
            add_cost(state, parameters, TERM_BACKLOG, holding_usd * elapsed_s)
        center = state.center_count
        n_busy = state.n_working + state.n_resuming
        n_on_floor = state.n_staffed + state.n_overtime
        center.busy_s += n_busy * elapsed_s
        center.pick_up_s += state.n_resuming * elapsed_s
        center.absent_s += state.n_absent * elapsed_s
        center.staffed_s += n_on_floor * elapsed_s
        if n_busy > 0 and n_busy == n_on_floor:
            center.all_busy_s += elapsed_s
            center.all_busy_spells += state.all_busy == 0
            state.all_busy = 1
        else:
            state.all_busy = 0
        if state.n_overtime > 0:
            center.overtime_s += state.n_overtime * elapsed_s
            add_cost(state, parameters, TERM_HANDLING, state.n_overtime * elapsed_s * parameters.overtime_usd_per_s)
    state.now_s = until_s


@compiled
def clear_counts(state, parameters):
    """Forget all counts and costs: the end of the warm-up."""
    state.warm = 1
    state.counted_from_s = state.now_s
    for q in range(parameters.n_queues):
        queue = state.queues[q]
        state.queue_count[q] = state.no_queue_count
        state.queue_count[q].open_at_start = queue.waiting + queue.in_service + queue.suspended
        state.wait_count[q] = 0
    cut_line_time(state, parameters, -1.0)
    for band in range(parameters.n_bands):
        state.band_count[band] = state.no_band_count
    state.center_count = state.no_center_count
    state.cost_usd[:] = 0.0
    state.step_cost_usd[:] = 0.0
