"""The action table: what each index of `Discrete(n)` means in a scenario (DESIGN section 3).

Room: `envs.interface`. Reads the scenario; touches nothing.

The table depends on the channels and on what the scenario has, never on the number of reps: `wait`; for a free rep
`serve:<channel>:<lens>` for every channel and `resume`; for a waiting real-time contact `assign:<lens>`,
`interrupt:<lens>` and `offer_callback`. Where customers have preferred reps, `serve`, `assign` and `interrupt` have the
lens `preferred` too; where reps may hold several contacts `assign` has `least_loaded`, where they differ in speed
`fastest`.
"""

from typing import NamedTuple

from envs.interface.units import NOBODY

# What an action does.
WAIT, SERVE, RESUME, ASSIGN, INTERRUPT, OFFER_CALLBACK = range(6)
# Lenses of `serve`: which waiting contact of the queue is meant.
OLDEST, MOST_URGENT, NEXT_DUE, MOST_VALUABLE, SERVE_PREFERRED = range(5)
# Lenses of `assign`.
LONGEST_IDLE, FEWEST_SKILLS, ASSIGN_PREFERRED, LEAST_LOADED, FASTEST = range(5)
# Lenses of `interrupt`.
LEAST_VALUE_AT_STAKE, LEAST_PROGRESS, CHEAPEST_TO_RESUME, LATEST_PICK_UP, INTERRUPT_PREFERRED = range(5)
# --- actions ------------------------------------------------------------------------------------------------

_LENSES = {
    "serve": {
        "oldest": "which has waited longest",
        "most_valuable": "of the largest account value",
        "most_urgent": "with the least slack, overdue ones included",
        "next_due": "with the least slack among those not overdue",
        "highest_index": "with the highest index",
    },
    "assign": {
        "preferred": "whom the customer prefers",
        "fastest": "who handles it fastest",
        "longest_idle": "who has been idle longest",
        "least_loaded": "who has the least work in hand",
        "fewest_skills": "with the fewest skills",
    },
    "interrupt": {
        "least_value_at_stake": "whose work has the least account value at stake",
        "least_progress": "whose work has made the least progress",
        "cheapest_to_resume": "whose work has the shortest mean pick-up time",
        "picking_up": "who began a pick-up last",
        "preferred": "whom the customer prefers",
    },
}
_WHOLE = {
    "wait": "change nothing now",
    "serve:preferred": "free rep: start the oldest waiting contact whose preferred rep this is",
    "resume": "free rep: pick up the most urgent of the own suspended contacts",
    "offer_callback": "waiting contact: offer a callback",
}
REAL_TIME_LENSES = ((OLDEST, "oldest"), (MOST_VALUABLE, "most_valuable"))
DEFERRED_LENSES = (
    (OLDEST, "oldest"),
    (MOST_URGENT, "most_urgent"),
    (NEXT_DUE, "next_due"),
    (MOST_VALUABLE, "most_valuable"),
)
ASSIGN_LENSES = ((LONGEST_IDLE, "longest_idle"), (FEWEST_SKILLS, "fewest_skills"))
INTERRUPT_LENSES = (
    (LEAST_VALUE_AT_STAKE, "least_value_at_stake"),
    (LEAST_PROGRESS, "least_progress"),
    (CHEAPEST_TO_RESUME, "cheapest_to_resume"),
    (LATEST_PICK_UP, "picking_up"),
)


class Action(NamedTuple):
    """One row of the action table; `queue` and `lens` are -1 where they have no meaning."""

    name: str
    kind: int
    queue: int = NOBODY
    lens: int = NOBODY


def action_meaning(name: str) -> str:
    """Return in words what the action of this name does; docs/decision.md says it in full."""
    if name in _WHOLE:
        return _WHOLE[name]
    kind, _, rest = name.partition(":")
    queue, _, lens = rest.rpartition(":")
    which = _LENSES.get(kind, {}).get(lens, f"by {lens.replace('_', ' ')}")
    if kind == "serve":
        return f"free rep: start the waiting {queue} contact {which}"
    if kind == "assign":
        return f"waiting contact: give it to the free rep {which}"
    if kind == "interrupt":
        return f"waiting contact: take off the rep {which}"
    return name.replace("_", " ").replace(":", ", ")
