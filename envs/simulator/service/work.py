"""Work in a rep's hands: its start, the pick-up that resumed work costs, and whether an outbound attempt reaches the
customer (D4, D9).

Room: `envs.simulator.service`. Touches one contact, the rep who works on it, and their counters.
"""

from envs.interface.cost_terms import TERM_INTERRUPTION
from envs.interface.units import HOUR_S, HOURS_OF_DAY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.journal import NOTE_ATTEMPTED, note
from envs.simulator.machine.luck import (
    ATTEMPTS_APART,
    LUCK_PICK_UP,
    LUCK_REACH,
    look_up_quantile,
    uniform,
)
from envs.simulator.machine.state import (
    IN_SERVICE,
    PICKING_UP,
    RESUMING,
    WORKING,
)
from envs.simulator.money.charges import charge
from envs.simulator.service.seats import divide_attention, take_seat
from envs.simulator.service.staffing import (
    end_phase,
    set_busy,
    speed_of,
)


@compiled
def start_work(state, parameters, rep, contact):
    """Let `rep` (seat) start `contact` (slot), after a pick-up if the contact was ever interrupted."""
    person = state.slots[contact].person
    person.rep = rep
    take_seat(state, parameters, rep)
    state.reps[rep].speed = speed_of(state, parameters, rep, contact)
    if person.interruptions > 0:
        luck = uniform(person.key, LUCK_PICK_UP, person.pick_ups)
        person.pick_ups += 1
        person.picked_up_by_other = person.worked_by != parameters.owner[rep]
        if person.picked_up_by_other:
            person.pick_up_s = look_up_quantile(parameters.pick_up_by_other_quantile_s[person.queue], luck)
        else:
            person.pick_up_s = look_up_quantile(parameters.pick_up_quantile_s[person.queue], luck)
        person.pick_up_left_s += person.pick_up_s
        person.status = PICKING_UP
        set_busy(state, parameters, rep, contact, RESUMING, state.now_s + person.pick_up_left_s)
    elif is_reached(state, parameters, contact):
        _work(state, parameters, rep, contact, person.work_left_s / state.reps[rep].speed)
    else:
        _work(state, parameters, rep, contact, parameters.queues[person.queue].attempt_s)
    divide_attention(state, parameters, parameters.owner[rep])


@compiled
def _work(state, parameters, rep, contact, duration_s):
    """Let `rep` (seat) work on `contact` (slot) for `duration_s` seconds from now; from now on the rep knows its
    thread."""
    state.slots[contact].person.status = IN_SERVICE
    state.slots[contact].person.worked_by = parameters.owner[rep]
    set_busy(state, parameters, rep, contact, WORKING, state.now_s + duration_s)


@compiled
def pay_pick_up(state, parameters, rep):
    """Charge the pick-up time that `rep` (seat), now picking up, has spent since the phase began, and count what of it
    lies after the warm-up."""
    begun_s = state.reps[rep].phase_start_s
    paid_s = state.now_s - begun_s
    contact = state.reps[rep].contact
    state.queue_count[state.slots[contact].person.queue].pick_up_s += state.now_s - max(begun_s, state.counted_from_s)
    charge(state, parameters, contact, TERM_INTERRUPTION, paid_s * parameters.pick_up_usd_per_s, 0.0)


@compiled
def finish_pick_up(state, parameters, rep):
    """End the pick-up of `rep` (seat), who goes on with the work."""
    contact = state.reps[rep].contact
    pay_pick_up(state, parameters, rep)
    end_phase(state, parameters, rep)
    person = state.slots[contact].person
    person.pick_up_left_s = 0.0
    _work(state, parameters, rep, contact, person.work_left_s / state.reps[rep].speed)


@compiled
def reach_prob(state, parameters, queue):
    """Return the chance that an outbound attempt of `queue`, a channel's number, reaches the customer at this hour of
    the day."""
    hour = int((parameters.week_start_s + state.now_s) / HOUR_S) % HOURS_OF_DAY
    return parameters.reach_prob[hour, queue]


@compiled
def is_reached(state, parameters, contact):
    """Return True if the rep who starts `contact` (slot) now has the customer, whom an outbound call may fail to
    reach."""
    person = state.slots[contact].person
    limits = parameters.queues[person.queue]
    if not limits.outbound or person.reached:
        return True
    luck = uniform(person.key, LUCK_REACH, ATTEMPTS_APART * person.attempt + person.reach_attempts)
    person.reach_attempts += 1
    state.queue_count[person.queue].attempts += 1
    if luck < reach_prob(state, parameters, person.queue):
        person.reached = 1
    note(state, NOTE_ATTEMPTED, contact, person.rep, person.reached)
    return person.reached != 0


@compiled
def was_missed(state, parameters, contact):
    """Return True if the service of `contact` (slot) that ends now was an attempt that did not reach the customer."""
    person = state.slots[contact].person
    return parameters.queues[person.queue].outbound != 0 and not person.reached
