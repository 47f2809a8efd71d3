"""The next event: which one comes, and who handles it.

Room: `envs.simulator`. Touches the clock of the state; the rooms below do the rest.

Order of events at the same second: the end of the warm-up, all changes of shift (starts before ends), a rep's
completion, end of pick-up or of after-contact work, an arrival, a contact's clock (due time, patience, threshold,
review, return), a review of reps. Nobody is asked before the changes of shift and the first rep's event are through: a
rep whose shift ends, or whose break begins, at that second starts nothing any more, and nobody is interrupted in work
that ends with it. A caller whose patience ends as a rep comes free may still be served, and work completed at its due
time is on time. The horizon comes before all else at its second. What happens at the second at which the warm-up ends,
or later, counts.
"""

from envs.interface.units import (
    DAY_S,
    NEVER,
    NOBODY,
)
from envs.simulator.contacts.arrival import admit
from envs.simulator.contacts.completion import complete, finish_after_work
from envs.simulator.contacts.waiting import strike_clock
from envs.simulator.horizon import settle
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.event_list import (
    CLOCK_HEAP,
    first_contact,
    next_clock_s,
    next_rep_event,
    set_rep_event,
)
from envs.simulator.machine.journal import move_notes
from envs.simulator.machine.state import (
    AFTER_WORK,
    FREE,
    RESUMING,
)
from envs.simulator.passing_time import clear_counts, pass_time
from envs.simulator.router.subjects import next_class_review
from envs.simulator.service.shifts import change_shift, next_shift_change_s
from envs.simulator.service.work import finish_pick_up

ROUNDING_S = 1e-6
"""What is due less than this before a change of shift is of its second: times of work are sums, and rounded."""


@compiled
def end_rep_phase(state, parameters, rep):
    """Handle the timed event of `rep` (seat) that has come."""
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
def take_next_event(state, parameters, demand, journal):
    """Let time pass to the next event and handle it."""
    rep, rep_s = next_rep_event(state, parameters.n_seats)
    shift_s = next_shift_change_s(state, parameters)
    arrival_s = state.next_arrival_s
    clock_s = max(next_clock_s(state), state.now_s)  # work of the initial backlog may be long overdue
    k, review_s = next_class_review(state, parameters)
    warm_s = NEVER if state.warm else parameters.warm_up_s
    next_s = min(min(min(rep_s, shift_s), min(arrival_s, clock_s)), min(review_s, warm_s))
    if shift_s - next_s < ROUNDING_S:
        next_s = shift_s
    state.just_arrived = NOBODY
    state.pass_number += 1
    if next_s >= parameters.horizon_s:
        pass_time(state, parameters, parameters.horizon_s)
        settle(state, parameters, journal)
        move_notes(state, journal)
        state.done = 1
        return
    pass_time(state, parameters, next_s)
    state.center_count.events += 1
    if warm_s <= next_s:
        clear_counts(state, parameters)
    if shift_s <= next_s:
        while next_shift_change_s(state, parameters) <= next_s:
            change_shift(state, parameters)
            move_notes(state, journal)
        rep, rep_s = next_rep_event(state, parameters.n_seats)  # those who left have no event any more
    if rep_s <= next_s:
        end_rep_phase(state, parameters, rep)
    elif warm_s <= next_s or shift_s <= next_s:
        pass  # those who are there now are asked before anything else happens
    elif arrival_s <= next_s:
        day = int(next_s / DAY_S)
        if day != state.day:
            state.day = day
            state.arrived_today[:] = 0.0
        demanded = demand[state.next_demand]
        state.next_demand += 1
        expect_arrival(state, demand)
        admit(state, parameters, demanded)
    elif clock_s <= next_s:
        if not strike_clock(state, parameters, first_contact(state, CLOCK_HEAP)) and parameters.markov:
            state.pass_number -= 1  # nobody is asked anew
    else:
        state.classes[k].closed_at = -1
        state.classes[k].review_s = NEVER
    move_notes(state, journal)
