"""Outbound attempts: whether the customer is reached (D4).

Room: `envs`, kernel. Touches the reach fields of one contact.
"""

from envs.compilation import compiled
from envs.journal import NOTE_ATTEMPTED, note
from envs.luck import LUCK_REACH, uniform
from envs.state import HOURS_OF_DAY

ATTEMPTS_APART = 64
"""More attempts than a contact can have, so that every attempt of every contact of a customer has its own luck."""


@compiled
def reach_prob(state, parameters, queue):
    """Return the chance that an outbound attempt of `queue` reaches the customer at this hour of the day."""
    hour = int((parameters.week_start_s + state.now_s) / 3600.0) % HOURS_OF_DAY
    return parameters.reach_prob[hour, queue]


@compiled
def is_reached(state, parameters, contact):
    """Return True if the rep who starts `contact` now has the customer, whom an outbound call may fail to reach."""
    person = state.contacts[contact]
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
    """Return True if the service of `contact` that ends now was an attempt that did not reach the customer."""
    person = state.contacts[contact]
    return parameters.queues[person.queue].outbound != 0 and not person.reached
