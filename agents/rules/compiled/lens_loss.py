"""The highest index of all who wait, whether or not a lens names them.

Room: `agents.rules.compiled`. Reads the state of a center; `experiments.lens_loss` counts with it.
"""

import numpy as np

from agents.rules.compiled.formulas import index_of
from agents.rules.compiled.index import is_reserved
from envs.interface.fields import C_CHANNEL, N_CANDIDATE_FIELDS
from envs.simulator.machine.compilation import compiled, entry_point
from envs.simulator.machine.event_list import queue_heap
from envs.simulator.machine.state import BY_ARRIVAL
from envs.simulator.router.observation import write_contact, write_rep


@compiled
def _highest_index(layout, settings, state, parameters, center, rep, row):
    """Return the highest index of all contacts that wait and that `rep` (seat) may start, -inf without any. Overwrites
    `row`, an array of candidate fields."""
    highest = -np.inf
    for q in range(parameters.n_queues):
        if not parameters.skill[state.reps[rep].seat_class, q]:
            continue
        heap = queue_heap(q, BY_ARRIVAL)
        for i in range(state.heap_size[heap]):
            contact = np.int64(state.slots[i].heap_item[heap])
            row[:] = 0.0
            write_contact(state, parameters, contact, rep, row)
            write_rep(state, parameters, rep, contact, row)
            if not is_reserved(layout, settings, center, q, row):
                highest = max(highest, index_of(settings, q, row))
    return highest


@entry_point
def compare_indices(layout, settings, states, parameters, centers, candidates, actions):
    """Return the highest index of those who wait and whom the rep of the chosen action may start, and that of the
    contact chosen; `actions` holds the chosen action's index, and states and observation have one row."""
    row = np.zeros(N_CANDIDATE_FIELDS, np.float32)
    rep = np.int64(states[0].action_rep[actions[0]])
    highest = _highest_index(layout, settings, states[0], parameters[0], centers[0], rep, row)
    chosen = candidates[0, actions[0]]
    return highest, index_of(settings, int(chosen[C_CHANNEL]) - 1, chosen)
