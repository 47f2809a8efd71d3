"""Supply that never runs out: outbound lists of which one contact is always waiting (D2).

Room: `envs`, kernel. Touches the queues of such lists and the contacts that come from them.

The contacts of a list stand at the end of the demand, without a time of arrival. When none of a queue is waiting, the
next one joins. A list that was worked through starts over, with fresh luck.
"""

import numpy as np

from envs.compilation import compiled
from envs.contact_flow import join, take_slot
from envs.state import NEVER


@compiled
def find_supply(state, demand):
    """Note where in `demand` the lists stand."""
    for i in range(demand.shape[0] - 1, -1, -1):
        if demand[i].arrival_s < NEVER:
            return
        queue = state.queues[demand[i].queue]
        if queue.end_supply == 0:
            queue.end_supply = i + 1
        queue.first_supply = i
        queue.next_supply = i


@compiled
def keep_supplied(state, parameters, demand):
    """Let each queue of unlimited supply have a contact waiting."""
    for q in range(parameters.n_queues):
        queue = state.queues[q]
        is_wanted = parameters.queues[q].unlimited and queue.waiting == 0
        if not is_wanted or queue.end_supply == 0 or state.n_unused <= 1:
            continue
        customer = queue.next_supply + queue.supply_round * demand.shape[0]
        contact = take_slot(state, parameters, demand[queue.next_supply], customer, state.now_s)
        state.contacts[contact].key += np.uint64(queue.supply_round)
        queue.next_supply += 1
        if queue.next_supply == queue.end_supply:
            queue.next_supply = queue.first_supply
            queue.supply_round += 1
        join(state, parameters, contact)
