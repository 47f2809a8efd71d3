"""The kernel: one transition, and its serial and parallel use over many environments.

Room: `envs`, kernel. This is the only compiled code that Python calls; one step function serves the scalar
environment, the vector environment and the compiled loop of the baselines.

Order of events at the same second: the end of the warm-up, a rep's completion or end of pick-up, a change of shift, an
arrival, a contact's clock (due time, patience, threshold, review, return), a review of reps. So a caller whose
patience ends as a rep comes free may still be served, and work completed at its due time is on time. The horizon comes
before all else at its second. What happens at the second at which the warm-up ends, or later, counts.
"""

from numba import prange

from envs.churn import add_cost
from envs.compilation import compiled, entry_point, parallel_entry_point
from envs.completion import complete, finish_after_work
from envs.contact_flow import admit, strike_clock
from envs.decision import apply_action, find_subject, list_actions, next_class_review
from envs.event_list import CLOCK_HEAP, first_contact, next_clock_s, next_rep_event, set_rep_event
from envs.horizon import settle
from envs.interruption import finish_pick_up
from envs.journal import move_notes
from envs.observation import write_observation
from envs.queues import count_overdue_waiting, cut_line_time
from envs.scenario import DAY_S
from envs.shifts import change_shift, next_shift_change_s
from envs.state import (
    AFTER_WORK,
    FREE,
    N_TERMS,
    NEVER,
    NO_SUBJECT,
    NOBODY,
    RESUMING,
    TERM_BACKLOG,
    TERM_HANDLING,
    WAIT,
)
from envs.supply import find_supply, keep_supplied


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
def _pass_time(state, parameters, until_s):
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
def _clear_counts(state, parameters):
    """Forget all counts and costs: the end of the warm-up."""
    state.warm = 1
    for q in range(parameters.n_queues):
        queue = state.queues[q]
        state.queue_count[q] = state.no_queue_count
        state.queue_count[q].open_at_start = queue.waiting + queue.in_service + queue.suspended
        state.wait_count[q] = 0
    cut_line_time(state, -1.0)
    for band in range(parameters.n_bands):
        state.band_count[band] = state.no_band_count
    center = state.center_count
    center.busy_s = 0.0
    center.staffed_s = 0.0
    center.pick_up_s = 0.0
    center.overtime_s = 0.0
    center.absent_s = 0.0
    center.all_busy_s = 0.0
    center.all_busy_spells = 0.0
    center.decisions = 0.0
    center.events = 0.0
    center.substituted = 0.0
    for term in range(N_TERMS):
        state.cost_usd[term] = 0.0
        state.step_cost_usd[term] = 0.0


@compiled
def end_rep_phase(state, parameters, rep):
    """Handle the timed event of `rep` that has come."""
    status = state.reps[rep].status
    if status == FREE:  # review of a rep with suspended work
        state.reps[rep].closed_at = -1
        set_rep_event(state, rep, NEVER)
    elif status == RESUMING:
        finish_pick_up(state, parameters, rep)
    elif status == AFTER_WORK:
        finish_after_work(state, parameters, rep)
    else:
        complete(state, parameters, rep)


@compiled
def expect_arrival(state, demand):
    """Set when the next customer of `demand`, DEMAND records in order of arrival, reaches the center."""
    state.next_arrival_s = NEVER
    if state.next_demand < demand.shape[0]:
        state.next_arrival_s = max(demand[state.next_demand].arrival_s, 0.0)


@compiled
def _take_next_event(state, parameters, demand, journal):
    """Let time pass to the next event and handle it."""
    rep, rep_s = next_rep_event(state, parameters.n_seats)
    shift_s = next_shift_change_s(state, parameters)
    arrival_s = state.next_arrival_s
    clock_s = max(next_clock_s(state), state.now_s)  # work of the initial backlog may be long overdue
    k, review_s = next_class_review(state, parameters)
    warm_s = NEVER if state.warm else parameters.warm_up_s
    next_s = min(min(min(rep_s, shift_s), min(arrival_s, clock_s)), min(review_s, warm_s))
    state.just_arrived = NOBODY
    state.pass_number += 1
    if next_s >= parameters.horizon_s:
        _pass_time(state, parameters, parameters.horizon_s)
        settle(state, parameters, journal)
        move_notes(state, journal)
        state.done = 1
        return
    _pass_time(state, parameters, next_s)
    state.center_count.events += 1
    if warm_s == next_s:
        _clear_counts(state, parameters)
    elif rep_s == next_s:
        end_rep_phase(state, parameters, rep)
    elif shift_s == next_s:
        change_shift(state, parameters)
    elif arrival_s == next_s:
        day = int(next_s / DAY_S)
        if day != state.day:
            state.day = day
            state.arrived_today[:] = 0.0
        demanded = demand[state.next_demand]
        state.next_demand += 1
        expect_arrival(state, demand)
        admit(state, parameters, demanded)
    elif clock_s == next_s:
        if not strike_clock(state, parameters, first_contact(state, CLOCK_HEAP)) and parameters.markov:
            state.pass_number -= 1  # nobody is asked anew
    else:
        state.classes[k].closed_at = -1
        state.classes[k].review_s = NEVER
    move_notes(state, journal)


@compiled
def _run_until_decision(state, parameters, demand, center, candidates, mask, journal):
    while not state.done:
        if parameters.n_supplied > 0:
            keep_supplied(state, parameters, demand)
        if find_subject(state, parameters):
            list_actions(state, parameters)
            state.center_count.decisions += 1
            write_observation(state, parameters, center, candidates, mask)
            return
        _take_next_event(state, parameters, demand, journal)
    state.subject_kind = NO_SUBJECT
    state.subject = NOBODY
    list_actions(state, parameters)
    write_observation(state, parameters, center, candidates, mask)


@compiled
def set_up(state, parameters):
    """Make of a `state` that is zero but for its `key` a center in which nothing has happened yet."""
    for i in range(state.rep_event_s.shape[0]):
        state.rep_event_s[i] = NEVER
    for i in range(state.block_event_s.shape[0]):
        state.block_event_s[i] = NEVER
    for rep in range(parameters.n_seats):
        state.reps[rep].seat_class = parameters.rep_class[rep]
        state.reps[rep].open_seat = NOBODY
        state.reps[rep].contact = NOBODY
        state.reps[rep].suspended = NOBODY
        state.reps[rep].first_preferring = NOBODY
        state.reps[rep].last_preferring = NOBODY
        state.reps[rep].review_s = NEVER
        state.reps[rep].closed_at = -1
    for k in range(parameters.n_classes):
        state.classes[k].first_free = NOBODY
        state.classes[k].last_free = NOBODY
        state.classes[k].closed_at = -1
        state.classes[k].review_s = NEVER
    n_contacts = parameters.n_contacts
    state.n_unused = n_contacts
    for i in range(n_contacts):
        state.unused[i] = n_contacts - 1 - i
    state.just_arrived = NOBODY
    state.warm = 1 if parameters.warm_up_s <= 0.0 else 0


@compiled
def reset_one(state, parameters, demand, center, candidates, mask, result, journal):
    """Start an episode on a `state` that is zero but for its `key`, and run to its first decision.

    Writes the observation of the row. Of `result` only time and end are written: the caller may still want the last
    step's reward.
    """
    set_up(state, parameters)
    expect_arrival(state, demand)
    find_supply(state, demand)
    _run_until_decision(state, parameters, demand, center, candidates, mask, journal)
    result.time_s = state.now_s
    result.done = state.done


@compiled
def step_one(state, parameters, demand, action, center, candidates, mask, result, journal):
    """Carry out `action` and run to the next decision or the horizon.

    Writes the row's observation and `result`, a RESULT record: the reward is minus the costs since the last decision
    (the first one's since the start), also in `state.step_cost_usd`; `substituted` is 1 if the action was masked and
    `wait` was taken instead. A caller who wants a masked action refused does so before the step.
    """
    if state.started:
        for term in range(N_TERMS):
            state.step_cost_usd[term] = 0.0
        state.step_luck_usd = 0.0
    state.started = 1
    before_s = state.now_s
    result.substituted = 0
    if action < 0 or action >= parameters.n_actions or not state.action_mask[action]:
        action = WAIT
        result.substituted = 1
        state.center_count.substituted += 1
    if not state.done:
        apply_action(state, parameters, action)
        move_notes(state, journal)
        _run_until_decision(state, parameters, demand, center, candidates, mask, journal)
    total_usd = 0.0
    for term in range(N_TERMS):
        total_usd += state.step_cost_usd[term]
    result.reward_usd = -total_usd
    result.elapsed_s = state.now_s - before_s
    result.time_s = state.now_s
    result.done = state.done


@compiled
def _step_row(row, states, parameters, demands, demand_counts, actions, centers, candidates, masks, results, journals):
    step_one(
        states[row],
        parameters[0],
        demands[row, : demand_counts[row]],
        actions[row],
        centers[row],
        candidates[row],
        masks[row],
        results[row],
        journals[min(row, journals.shape[0] - 1)],
    )


@entry_point
def step_rows(rows, states, parameters, demands, demand_counts, actions, centers, candidates, masks, results, journals):
    """Step each environment of `rows` (int64 indices), one after the other. All arrays have one row an environment, but
    `journals` may have a single one for all where nothing is recorded."""
    for i in range(rows.shape[0]):
        _step_row(
            rows[i], states, parameters, demands, demand_counts, actions, centers, candidates, masks, results, journals
        )


@parallel_entry_point
def step_rows_in_parallel(
    rows, states, parameters, demands, demand_counts, actions, centers, candidates, masks, results, journals
):
    """As `step_rows`, over numba's threads."""
    for i in prange(rows.shape[0]):
        _step_row(
            rows[i], states, parameters, demands, demand_counts, actions, centers, candidates, masks, results, journals
        )


@entry_point
def reset_rows(rows, states, parameters, demands, demand_counts, centers, candidates, masks, results, journals):
    """Start an episode in each environment of `rows`; their states must be zero but for their `key`."""
    for i in range(rows.shape[0]):
        row = rows[i]
        reset_one(
            states[row],
            parameters[0],
            demands[row, : demand_counts[row]],
            centers[row],
            candidates[row],
            masks[row],
            results[row],
            journals[min(row, journals.shape[0] - 1)],
        )
