"""One transition, from a question of the router to the next, and its serial and parallel use over many environments.

Room: `envs.simulator`. What Python calls of the running center; one step function serves the scalar environment, the
vector environment and the compiled loop of the rules. The order of events at the same second stands in
`envs.simulator.events`.
"""

from numba import prange

from envs.interface.actions import WAIT
from envs.interface.cost_terms import N_TERMS
from envs.interface.units import NEVER, NOBODY
from envs.simulator.contacts.arrival import find_supply, keep_supplied
from envs.simulator.events import expect_arrival, take_next_event
from envs.simulator.machine.compilation import (
    compiled,
    entry_point,
    parallel_entry_point,
)
from envs.simulator.machine.journal import move_notes
from envs.simulator.machine.record_types import MAX_NOTES
from envs.simulator.machine.state import JOURNAL_PER_CONTACT, NO_SUBJECT
from envs.simulator.router.answers import apply_action
from envs.simulator.router.observation import write_observation
from envs.simulator.router.open_actions import list_actions
from envs.simulator.router.subjects import find_subject


@compiled
def _is_full(state, parameters, journal):
    """Return True if the next event might find no slot for a contact, or no room in the `journal`."""
    if state.n_unused <= 1 + parameters.n_supplied:
        return True
    if not state.journaling:
        return False
    n_open = parameters.n_contacts - state.n_unused
    wanted = 2 * MAX_NOTES + JOURNAL_PER_CONTACT * (n_open + parameters.n_seats)
    return journal.n_room - journal.n_entries < wanted


@compiled
def _run_until_decision(state, parameters, demand, center, candidates, mask, result, journal):
    """Let events happen until somebody is to be asked or the horizon is reached, and write the observation; after the
    horizon only `wait` is open. Where the records are too small for the next event, only `result.is_full` is set: with
    larger ones `GO_ON` goes on from there as if they had been so large from the start."""
    while not state.done:
        if _is_full(state, parameters, journal):
            result.is_full = 1
            return
        if parameters.n_supplied > 0:
            keep_supplied(state, parameters, demand)
        if find_subject(state, parameters):
            list_actions(state, parameters)
            state.center_count.decisions += 1
            write_observation(state, parameters, center, candidates, mask)
            return
        take_next_event(state, parameters, demand, journal)
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
    blank = state.new_contact
    blank.review_s = NEVER
    blank.return_s = NEVER
    blank.left_s = NEVER
    blank.request_s = NEVER
    blank.retention_prob = 1.0
    blank.rep = NOBODY
    blank.next_suspended = NOBODY
    blank.next_preferring = NOBODY
    blank.previous_preferring = NOBODY
    blank.return_from = NOBODY
    blank.worked_by = NOBODY
    for k in range(parameters.n_classes):
        state.classes[k].first_free = NOBODY
        state.classes[k].last_free = NOBODY
        state.classes[k].closed_at = -1
        state.classes[k].review_s = NEVER
    n_contacts = parameters.n_contacts
    state.n_unused = n_contacts
    for i in range(n_contacts):
        state.slots[i].unused = n_contacts - 1 - i
    state.just_arrived = NOBODY
    state.warm = 1 if parameters.warm_up_s <= 0.0 else 0


@compiled
def _begin(state, parameters, demand, result):
    """Start an episode on a `state` that is zero but for its `key`, before its first event. Of `result` all but the
    reward says that nothing is done yet; the caller may still want the last step's reward."""
    result.done = 0
    result.has_stepped = 0
    result.is_over = 0
    result.substituted = 0
    result.elapsed_s = 0.0
    result.cost_usd[:] = 0.0
    set_up(state, parameters)
    expect_arrival(state, demand)
    find_supply(state, demand)


@compiled
def _answer(state, parameters, action, result, journal):
    """Carry out `action`, an index of the action table; `wait` instead, and 1 in `result.substituted`, if it is
    masked. A caller who wants a masked action refused does so before the step."""
    if state.started:
        state.step_cost_usd[:] = 0.0
    state.started = 1
    result.has_stepped = 1
    result.time_s = state.now_s
    result.substituted = 0
    if action < 0 or action >= parameters.n_actions or not state.action_mask[action]:
        action = WAIT
        result.substituted = 1
        state.center_count.substituted += 1
    if not state.done:
        apply_action(state, parameters, action)
        move_notes(state, journal)


@compiled
def _go_on(state, parameters, demand, center, candidates, mask, result, journal):
    """Run to the next decision or the horizon, and write of `result`, a RESULT record whose time is that of the last
    decision, what the run brought: before the first decision time and end only."""
    result.is_full = 0
    if not state.done:
        _run_until_decision(state, parameters, demand, center, candidates, mask, result, journal)
        if result.is_full:
            return
    if state.started:
        total_usd = 0.0
        for term in range(N_TERMS):
            result.cost_usd[term] = state.step_cost_usd[term]
            total_usd += state.step_cost_usd[term]
        result.reward_usd = -total_usd
        result.elapsed_s = state.now_s - result.time_s
        result.is_over = state.done
    result.time_s = state.now_s
    result.done = state.done


@compiled
def step_one(state, parameters, demand, action, center, candidates, mask, result, journal):
    """Carry out `action`, an index of the action table, and run to the next decision or the horizon.

    Writes the row's observation and `result`, a RESULT record: the reward is minus the costs since the last decision
    (the first one's since the start); `substituted` is 1 if the action was masked and `wait`
    was taken instead.
    """
    _answer(state, parameters, action, result, journal)
    _go_on(state, parameters, demand, center, candidates, mask, result, journal)


@compiled
def journal_of(journals, row):
    """Return the journal of the environment of index `row`: its own, or where nothing is recorded the single one, to
    which nobody writes. `journals` are as `envs.simulator.machine.state.for_kernel` returns them, one more than there
    are."""
    return journals[min(row, journals.shape[0] - 2)]


START, STEP, GO_ON = range(3)
"""Moves of `move_rows`: start an episode on a state that is zero but for its key; carry out an action; go on where a
row stopped for want of room, in larger records."""


@compiled
def _move_row(
    move, row, states, parameters, demands, demand_counts, actions, centers, candidates, masks, results, journals
):
    """Make `move` in the environment of index `row`, with its rows of the arrays."""
    state, demand, result = states[row], demands[row, : demand_counts[row]], results[row]
    journal = journal_of(journals, row)
    if move == START:
        _begin(state, parameters[0], demand, result)
    elif move == STEP:
        _answer(state, parameters[0], actions[row], result, journal)
    _go_on(state, parameters[0], demand, centers[row], candidates[row], masks[row], result, journal)


@compiled
def count_full(rows, results):
    """Return how many of `rows` (int64 indices) stopped for want of room; `results` has one RESULT record a row."""
    n_full = 0
    for i in range(rows.shape[0]):
        n_full += results[rows[i]].is_full
    return n_full


@entry_point
def move_rows(
    move, rows, states, parameters, demands, demand_counts, actions, centers, candidates, masks, results, journals
):
    """Make `move` (`START`, `STEP` or `GO_ON`) in each environment of `rows` (int64 indices), one after the other, and
    run it to its next decision or the horizon as `step_one` does. All arrays have one row an environment, but
    `journals` may have a single one for all where nothing is recorded; `actions` are read for `STEP` alone. Return how
    many stopped for want of room: when `parameters` and records are larger, `GO_ON` goes on with them.

    One function for three moves, since numba would compile the whole center for each.
    """
    for i in range(rows.shape[0]):
        _move_row(
            move, rows[i], states, parameters, demands, demand_counts, actions, centers, candidates, masks, results,
            journals,
        )  # fmt: skip
    return count_full(rows, results)


@parallel_entry_point
def move_rows_in_parallel(
    move, rows, states, parameters, demands, demand_counts, actions, centers, candidates, masks, results, journals
):
    """As `move_rows`, over numba's threads."""
    for i in prange(rows.shape[0]):
        _move_row(
            move, rows[i], states, parameters, demands, demand_counts, actions, centers, candidates, masks, results,
            journals,
        )  # fmt: skip
    return count_full(rows, results)
