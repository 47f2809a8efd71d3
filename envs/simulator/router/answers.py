"""What an answer of the router does: start, interrupt, offer, or close the subject until something changes.

Room: `envs.simulator.router`. Touches the subject and, through `contacts` and `service`, whom the action means.
"""

import numpy as np

from envs.interface.actions import (
    ASSIGN,
    HOLD,
    INTERRUPT,
    OFFER_CALLBACK,
    RESUME,
    SERVE,
    TAKE_OVER,
    WAIT,
)
from envs.interface.units import NEVER
from envs.simulator.contacts.arrival import set_waiting_clock
from envs.simulator.contacts.waiting import offer_callback, serve_waiting
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.event_list import set_rep_event
from envs.simulator.machine.state import CONTACT_SUBJECT
from envs.simulator.router.subjects import class_stamp, contact_stamp, is_particular
from envs.simulator.service.interruption import resume, suspend, take_over, take_suspended
from envs.simulator.service.queues import reopen_classes
from envs.simulator.service.staffing import leave_free


@compiled
def _close_subject(state, parameters, holds):
    """Close the present subject, which was told to wait, until news could change the answer or the review interval has
    passed. `holds`, a truth value: a contact is closed to the free reps as well."""
    # What a router of a Markovian center sees does not change by itself.
    review_s = NEVER if parameters.markov else state.now_s + parameters.review_interval_s
    if state.subject_kind == CONTACT_SUBJECT:
        person = state.slots[state.subject].person
        person.closed_at = contact_stamp(state, parameters, state.subject)
        person.review_s = review_s
        if person.held_at >= 0 and not holds:
            reopen_classes(state, parameters, person.queue, person.held_at)
        person.held_at = state.class_news if holds else -1
        set_waiting_clock(state, parameters, state.subject)
        return
    rep = np.int64(state.subject)
    k = state.reps[rep].seat_class
    stamp = class_stamp(state, parameters, k)
    if is_particular(state, parameters, rep):
        state.reps[rep].closed_at = stamp
        set_rep_event(state, rep, review_s)
    else:
        state.classes[k].closed_at = stamp
        state.classes[k].review_s = review_s


@compiled
def apply_action(state, parameters, action):
    """Carry out `action`, the index of an open one, for the present subject."""
    kind = parameters.action_kind[action]
    contact = np.int64(state.action_contact[action])
    rep = np.int64(state.action_rep[action])
    if kind == WAIT or kind == HOLD:
        _close_subject(state, parameters, kind == HOLD)
    elif kind == SERVE or kind == ASSIGN:
        leave_free(state, parameters, rep)
        serve_waiting(state, parameters, rep, contact)
    elif kind == RESUME:
        leave_free(state, parameters, rep)
        take_suspended(state, parameters, rep, contact)
        resume(state, parameters, rep, contact)
    elif kind == TAKE_OVER:
        leave_free(state, parameters, rep)
        take_over(state, parameters, rep, contact)
    elif kind == INTERRUPT:
        suspend(state, parameters, rep)
        serve_waiting(state, parameters, rep, contact)
    elif kind == OFFER_CALLBACK:
        offer_callback(state, parameters, contact)
