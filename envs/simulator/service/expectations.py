"""What is known of work and promises before they end: conditional means, never what was drawn.

Room: `envs.simulator.service`. Reads one contact and the tables of its queue; changes nothing.
"""

from envs.interface.fields import FAR_S
from envs.interface.units import HOUR_S, NEVER, NOBODY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.state import IN_SERVICE, WAITING
from envs.simulator.machine.tables import interpolate

AGES_S = 1e12
"""Longer than any contact waits, seconds."""


@compiled
def clip_time_s(time_s):
    """Return `time_s` within the bounds of times in the observation, seconds."""
    return min(max(time_s, -FAR_S), FAR_S)


@compiled
def abandonment_rate_per_hour(parameters, queue, waited_s):
    """Return the rate at which a contact of `queue`, a channel's number, who has waited `waited_s` seconds hangs up,
    per hour."""
    position = waited_s * parameters.queues[queue].hazard_cells_per_s
    last = parameters.hazard_per_s.shape[1] - 1
    cell = last if position >= last else int(position)
    return HOUR_S * parameters.hazard_per_s[queue, cell]


@compiled
def work_done_s(state, contact):
    """Return the work done on `contact` (slot) so far, seconds at speed 1, with what the rep who works on it now has
    done since the phase began."""
    done_s = state.slots[contact].person.work_done_s
    rep = state.slots[contact].person.rep
    if state.slots[contact].person.status == IN_SERVICE:
        done_s += (state.now_s - state.reps[rep].phase_start_s) * state.reps[rep].speed
    return done_s


@compiled
def _expected_due_in_s(parameters, queue, waited_s):
    """Return E[due time - now | not passed yet], seconds, of a hidden due time in `queue`, a channel's number,
    `waited_s` seconds after arrival."""
    return interpolate(parameters.due_residual_s[queue], waited_s * parameters.queues[queue].due_cells_per_s)


@compiled
def slack_s(state, parameters, contact, expected_s):
    """Return the slack of `contact` (slot), whose expected remaining work is `expected_s` seconds: until its threshold
    if it is real-time, else until the due time less that work; expected, where the due time is hidden."""
    person = state.slots[contact].person
    if parameters.queues[person.queue].real_time:
        return person.arrival_s + parameters.queues[person.queue].threshold_s - state.now_s
    if parameters.queues[person.queue].hidden_due and not person.overdue and person.due_s < NEVER:
        return clip_time_s(_expected_due_in_s(parameters, person.queue, state.now_s - person.arrival_s) - expected_s)
    return clip_time_s(person.due_s - state.now_s - expected_s)


@compiled
def release_per_hour(state, parameters):
    """Return how many reps an hour come free: the sum over contacts in hand of one over the mean time that they take of
    a rep, and over reps in after-contact work of one over its mean."""
    rate = 0.0
    for q in range(parameters.n_queues):
        rate += state.queues[q].in_service * parameters.queues[q].completions_per_hour
        if state.queues[q].after_work > 0:
            rate += state.queues[q].after_work * HOUR_S / parameters.queues[q].after_work_mean_s
    return rate


@compiled
def mean_pick_up_s(state, parameters, contact, rep):
    """Return the mean time, seconds, that `rep` (seat) needs to find the thread of the interrupted `contact` (slot):
    the rep who worked on it last knows it, another one, or whoever comes where `rep` is NOBODY, does not."""
    limits = parameters.queues[state.slots[contact].person.queue]
    if rep != NOBODY and state.slots[contact].person.worked_by == parameters.owner[rep]:
        return limits.pick_up_mean_s
    return limits.pick_up_by_other_mean_s


@compiled
def expected_pick_up_s(state, parameters, contact):
    """Return the mean pick-up, seconds, that the open `contact` (slot) still needs: by the rep who holds it, or if it
    waits by whoever comes; 0 if it was never interrupted, or is at work."""
    person = state.slots[contact].person
    if person.interruptions == 0 or person.status == IN_SERVICE:
        return 0.0
    return mean_pick_up_s(state, parameters, contact, NOBODY if person.status == WAITING else person.rep)


@compiled
def expected_remaining_s(parameters, queue, work_done_s):
    """Return E[handle time - done | handle time > done], seconds, in `queue`, a channel's number, after `work_done_s`
    seconds of work at speed 1, by linear interpolation in the scenario's table."""
    return interpolate(parameters.residual_s[queue], work_done_s * parameters.queues[queue].residual_cells_per_s)


@compiled
def expected_due_s(state, parameters, contact):
    """Return the due time of `contact` (slot), seconds, as far as the router knows it: of a hidden one that has not
    passed, the mean."""
    person = state.slots[contact].person
    if parameters.queues[person.queue].hidden_due and not person.overdue and person.due_s < NEVER:
        return person.arrival_s + parameters.queues[person.queue].due_after_s
    return person.due_s


@compiled
def urgency_of(state, parameters, contact):
    """Return the key of `contact` (slot) in the order of urgency: expected due time less expected remaining work,
    seconds."""
    person = state.slots[contact].person
    if parameters.markov and person.overdue:
        return person.arrival_s - AGES_S
    remaining_s = expected_remaining_s(parameters, person.queue, person.work_done_s)
    return expected_due_s(state, parameters, contact) - remaining_s
