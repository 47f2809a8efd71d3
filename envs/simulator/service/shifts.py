"""Shifts and breaks: reps come and go (D12).

Room: `envs.simulator.service`. Touches reps through `staffing`, `seats` and `interruption`.

A rep may miss a shift; that is the episode's luck, which shows when the shift starts.
A rep whose work ends at the second in which the shift ends, or a break begins, starts nothing more. A rep whose shift
ends while busy finishes the contact in hand; that time is overtime. Suspended work of a rep who has left is open to
others. A rep whose break begins while busy finishes the contact too, takes what is left of the break, and keeps
suspended work.
"""

import numpy as np

from envs.interface.units import NEVER
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.journal import (
    NOTE_ABSENT,
    NOTE_OVERTIME,
    NOTE_PRESENT,
    note,
    note_rep,
)
from envs.simulator.machine.luck import LUCK_ABSENCE, SECONDS_APART, uniform
from envs.simulator.machine.state import (
    AWAY,
    BREAK_START,
    FREE,
    SHIFT_END,
    SHIFT_START,
)
from envs.simulator.service.interruption import release_suspended
from envs.simulator.service.seats import divide_attention
from envs.simulator.service.staffing import (
    count_interruptible,
    join_free,
    leave_free,
    send_away,
)


@compiled
def next_shift_change_s(state, parameters):
    """Return the time in seconds of the next start or end of a shift or a break, NEVER after the last."""
    if state.next_shift_change >= parameters.n_shift_changes:
        return NEVER
    return parameters.shift_change_s[state.next_shift_change]


@compiled
def change_shift(state, parameters):
    """Handle the next start or end of a shift or a break."""
    change = state.next_shift_change
    state.next_shift_change += 1
    rep = parameters.shift_change_rep[change]
    kind = parameters.shift_change_kind[change]
    until_s = parameters.shift_change_until_s[change]
    if kind == SHIFT_START and _is_missed(state, parameters, rep):
        state.reps[rep].absent = 1
        state.n_absent += 1
        note_rep(state, NOTE_ABSENT, rep)
    elif state.reps[rep].absent:
        if kind == SHIFT_END:
            state.reps[rep].absent = 0
            state.n_absent -= 1
            note_rep(state, NOTE_PRESENT, rep)
    elif kind == SHIFT_START:
        _begin_shift(state, parameters, rep, until_s)
    elif kind == SHIFT_END:
        _end_shift(state, parameters, rep)
    elif kind == BREAK_START:
        _begin_break(state, parameters, rep)
    else:
        _end_break(state, parameters, rep, until_s)


@compiled
def _is_missed(state, parameters, rep):
    """Return True if `rep` (seat) will not come to the shift that starts now."""
    if parameters.absence_prob[rep] <= 0.0:
        return False
    luck = uniform(state.key, LUCK_ABSENCE, SECONDS_APART * np.int64(rep) + np.int64(state.now_s))
    return luck < parameters.absence_prob[rep]


@compiled
def _begin_shift(state, parameters, rep, until_s):
    """Put `rep` (seat) on shift until its next break or shift end at `until_s` seconds: free, or, still at the last
    shift's contact, in ordinary work."""
    worker = state.reps[rep]
    worker.shift_end_s = until_s
    state.n_staffed += 1
    if worker.status == AWAY:
        worker.on_shift = 1
        join_free(state, parameters, rep)
    else:  # still at the last shift's contact: it becomes ordinary work
        state.n_overtime -= 1
        note(state, NOTE_OVERTIME, worker.contact, rep, 0)
        worker.on_shift = 1
        count_interruptible(state, parameters, rep, 1)
        divide_attention(state, parameters, rep)


@compiled
def _end_shift(state, parameters, rep):
    """End the shift of `rep` (seat): a free one leaves, its suspended work open to others; a busy one is in
    overtime."""
    worker = state.reps[rep]
    state.n_staffed -= 1
    if worker.status == FREE:
        worker.on_shift = 0
        leave_free(state, parameters, rep)
        send_away(state, rep)
        release_suspended(state, parameters, rep)
    else:
        count_interruptible(state, parameters, rep, -1)
        worker.on_shift = 0
        state.n_overtime += 1
        note(state, NOTE_OVERTIME, worker.contact, rep, 1)
        divide_attention(state, parameters, rep)


@compiled
def _begin_break(state, parameters, rep):
    """Send `rep` (seat) on break: a free one at once, a busy one when the contact in hand is done. It keeps suspended
    work."""
    worker = state.reps[rep]
    worker.on_break = 1
    if worker.status == FREE:
        worker.on_shift = 0
        state.n_staffed -= 1
        leave_free(state, parameters, rep)
        send_away(state, rep)
    else:  # on the floor until the contact in hand is done
        count_interruptible(state, parameters, rep, -1)
        worker.on_shift = 0
        divide_attention(state, parameters, rep)


@compiled
def _end_break(state, parameters, rep, until_s):
    """Put `rep` (seat) back on shift until its next break or shift end at `until_s` seconds: free, or busy still."""
    worker = state.reps[rep]
    worker.on_break = 0
    worker.on_shift = 1
    worker.shift_end_s = until_s
    if worker.status == AWAY:
        state.n_staffed += 1
        join_free(state, parameters, rep)
    else:
        count_interruptible(state, parameters, rep, 1)
        divide_attention(state, parameters, rep)
