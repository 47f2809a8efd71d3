"""Which rule or network acts: from its code to its action.

Room: `agents.rules.compiled`. Touches the rules and the network. `choose_rows`, which a baseline's `predict` calls, and
the compiled loop (`agents.rules.compiled.loop`) both call `choose`.
"""

import numpy as np

from agents.rules.compiled.baselines import (
    fifo,
    silo,
    value_first,
    voice_first,
    voice_first_interrupting,
)
from agents.rules.compiled.expected_loss import expected_loss
from agents.rules.compiled.index import index_rule
from agents.rules.compiled.network import choose_by_network
from agents.rules.compiled.priority import priority
from agents.rules.compiled.reading import Scratch
from envs.interface.actions import WAIT
from envs.interface.fields import N_CANDIDATE_FIELDS
from envs.simulator.machine.compilation import compiled, entry_point

BASELINES = ("fifo", "voice_first", "voice_first_interrupting", "value_first", "silo", "expected_loss")
"""Names of the rules that need no settings: the baselines. The place is the code."""
FIFO = BASELINES.index("fifo")
VOICE_FIRST = BASELINES.index("voice_first")
VOICE_FIRST_INTERRUPTING = BASELINES.index("voice_first_interrupting")
VALUE_FIRST = BASELINES.index("value_first")
SILO = BASELINES.index("silo")
EXPECTED_LOSS = BASELINES.index("expected_loss")
PRIORITY = len(BASELINES)
"""Code of the rule `priority`, whose settings `agents.rules.priority_rule` makes."""
INDEX_RULE = PRIORITY + 1
"""Code of the index rules, whose settings `agents.rules.index_rule` makes."""
NETWORK = INDEX_RULE + 1
"""Code of a network, whose weights `agents.rules.compiled.network` reads; its settings are those of its prior, the rule
`expected_loss`."""


@compiled
def choose(rule, layout, settings, network, center, candidates, mask, scratch):
    """Return the index of the action that the rule with code `rule` takes, `WAIT` where it finds no work; `network`,
    `NetworkWeights`, is read by `NETWORK` alone. Overwrites `scratch`, a `Scratch`."""
    if rule == FIFO:
        return fifo(layout, center, candidates, mask)
    if rule == VOICE_FIRST:
        return voice_first(layout, center, candidates, mask)
    if rule == VOICE_FIRST_INTERRUPTING:
        return voice_first_interrupting(layout, center, candidates, mask)
    if rule == VALUE_FIRST:
        return value_first(layout, center, candidates, mask)
    if rule == SILO:
        return silo(layout, center, candidates, mask)
    if rule == EXPECTED_LOSS:
        return expected_loss(layout, center, candidates, mask, settings, scratch.scores)
    if rule == PRIORITY:
        return priority(layout, settings, center, candidates, mask)
    if rule == NETWORK:
        return choose_by_network(layout, network, settings, center, candidates, mask)
    return index_rule(layout, settings, center, candidates, mask, scratch)


@entry_point
def choose_rows(rule, layout, settings, network, rows, centers, candidates, masks, actions):
    """Write the index of the action that the rule with code `rule` takes (`choose`) for each observation of `rows`
    (int64 indices) into int64 `actions`; `settings` has a line for every observation."""
    scratch = Scratch(np.empty(masks.shape[1]), np.empty(N_CANDIDATE_FIELDS))
    for i in range(rows.shape[0]):
        row = rows[i]
        # After the horizon only `wait` is open, and a rule that looks for work finds none.
        action = choose(rule, layout, settings[row], network, centers[row], candidates[row], masks[row], scratch)
        actions[row] = max(action, WAIT)
