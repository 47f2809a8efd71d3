"""What rules read off an observation: a queue's field, an action by kind and lens, the largest of a field.

Room: `agents.rules.compiled`. Reads one observation; changes nothing.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.interface.actions import (
    ASSIGN,
    INTERRUPT,
    LATEST_PICK_UP,
    LEAST_PROGRESS,
    LONGEST_IDLE,
    OLDEST,
    RESUME,
    SERVE,
    TAKE_OVER,
    WAIT,
)
from envs.interface.fields import (
    C_CHANNEL,
    C_PICK_UP,
    C_REAL_TIME,
    C_REP_GROUP,
    C_REP_HOLDS,
    G_RESUMING,
    N_CENTER_FIELDS,
    N_QUEUE_FIELDS,
    Q_REPS_FREE,
)
from envs.simulator.machine.compilation import compiled


class ActionLayout(NamedTuple):
    """Kind, queue and lens of every action (int64; -1 where there is none); which queues are real-time (int64); which
    groups of reps have the skill for which queues (int64, (groups, queues), 1 or 0)."""

    kind: NDArray[np.int64]
    queue: NDArray[np.int64]
    lens: NDArray[np.int64]
    real_time: NDArray[np.int64]
    skill: NDArray[np.int64]


class Scratch(NamedTuple):
    """Arrays that a rule overwrites as it chooses, made once for many choices.

    Attributes:
        scores: float64 (actions,), of an observation's actions.
        row: float64 (`N_CANDIDATE_FIELDS`,), of a contact that no action is about.
    """

    scores: NDArray[np.float64]
    row: NDArray[np.float64]


@compiled
def queue_field(center, queue, field):
    """Return the value of `field`, a Q_ code, of `queue`, the channel's number, in `center`."""
    return center[N_CENTER_FIELDS + queue * N_QUEUE_FIELDS + field]


@compiled
def starts_work(kind):
    """Return True if an action of `kind` lets the free rep who is asked start or pick up a contact: one that waits, or
    one that this rep or another one has suspended."""
    return kind == SERVE or kind == RESUME or kind == TAKE_OVER


@compiled
def find_action(layout, mask, kind, lens):
    """Return the index of the first open action of `kind` and `lens`, codes of `envs.interface.actions`, -1 if there is
    none."""
    for action in range(mask.shape[0]):
        if mask[action] and layout.kind[action] == kind and layout.lens[action] == lens:
            return action
    return -1


@compiled
def is_kept_for_others(layout, kept, first, step, center, row):
    """Return True if the free rep of `row`, a row of `candidates`, is not to start the row's contact now: too few reps
    would be left with the skill of another queue, for which reps are kept free of all others.

    `kept[first + queue * step]` is how many are for `queue`, the channel's number; 0 for none. A rep who holds contacts
    already is no free one, and may take more."""
    if row[C_REP_HOLDS] > 0.0:
        return False
    own, group = int(row[C_CHANNEL]) - 1, int(row[C_REP_GROUP]) - 1
    for queue in range(layout.real_time.shape[0]):
        reps = kept[first + queue * step]
        if reps > 0.0 and queue != own and layout.skill[group, queue]:
            if queue_field(center, queue, Q_REPS_FREE) <= reps:
                return True
    return False


@compiled
def largest(layout, candidates, mask, field, real_time_only):
    """Return the index of the open action that starts the oldest contact of a queue, resumes or takes over, with the
    largest value of `field`, a C_ code; WAIT if there is none. `real_time_only`: 1 to leave deferred contacts out."""
    best = WAIT
    for action in range(mask.shape[0]):
        kind = layout.kind[action]
        if not mask[action] or not starts_work(kind):
            continue
        if kind == SERVE and layout.lens[action] != OLDEST:
            continue
        if real_time_only and not candidates[action, C_REAL_TIME]:
            continue
        if best == WAIT or candidates[action, field] > candidates[best, field]:
            best = action
    return best


@compiled
def assign_or_wait(layout, mask):
    """Return the index of the action that gives the waiting contact to the rep who is idle longest, WAIT if nobody is
    free."""
    action = find_action(layout, mask, ASSIGN, LONGEST_IDLE)
    return action if action >= 0 else WAIT


@compiled
def interrupt_or_wait(layout, center, candidates, mask):
    """Return the index of the interruption of a rep who is picking up anyway, else of the one with the least progress,
    else WAIT.

    Either may be open under the name of an earlier lens only: then `picking_up` is told by the pick-up time that is not
    added, and the least progress is what `least_value_at_stake` names.
    """
    action = find_action(layout, mask, INTERRUPT, LATEST_PICK_UP)
    if action >= 0:
        return action
    first = -1
    for action in range(mask.shape[0]):
        if mask[action] and layout.kind[action] == INTERRUPT:
            if center[G_RESUMING] > 0.0 and candidates[action, C_PICK_UP] == 0.0:
                return action
            first = action if first < 0 else first
    action = find_action(layout, mask, INTERRUPT, LEAST_PROGRESS)
    return max(action if action >= 0 else first, WAIT)
