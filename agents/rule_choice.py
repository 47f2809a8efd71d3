"""Which rule acts: from the code of a rule to its action.

Room: `agents`, compiled. Touches the rules. `choose_rows`, which a baseline's `predict` calls, and the compiled loop
(`agents.rule_loop`) both call `choose`.
"""

from agents.index_rules import index_rule
from agents.rules import (
    EXPECTED_LOSS,
    FIFO,
    PRIORITY,
    SILO,
    VALUE_FIRST,
    VOICE_FIRST,
    VOICE_FIRST_INTERRUPTING,
    expected_loss,
    fifo,
    priority,
    silo,
    value_first,
    voice_first,
    voice_first_interrupting,
)
from envs.compilation import compiled, entry_point
from envs.state import WAIT

INDEX_RULE = PRIORITY + 1
"""Code of the index rules, whose settings `agents.index_rule` makes."""


@compiled
def choose(rule, layout, settings, center, candidates, mask):
    """Return the action of the rule with code `rule`: -1 or `WAIT` where it finds no work."""
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
        return expected_loss(layout, center, candidates, mask, settings)
    if rule == PRIORITY:
        return priority(layout, settings, center, candidates, mask)
    return index_rule(layout, settings, center, candidates, mask)


@entry_point
def choose_rows(rule, layout, settings, rows, centers, candidates, masks, actions):
    """Write the action of rule `rule` for each observation of `rows` (int64 indices) into int64 `actions`; `settings`
    has a line for every observation."""
    for i in range(rows.shape[0]):
        row = rows[i]
        # After the horizon only `wait` is open, and a rule that looks for work finds none.
        actions[row] = max(choose(rule, layout, settings[row], centers[row], candidates[row], masks[row]), WAIT)
