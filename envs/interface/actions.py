"""What the router may answer: the kinds of actions and their lenses, one row each.

Room: `envs.interface`. Tables and the codes of their rows; imports nobody.

An action table (`envs.scenario.action_table`) depends on the channels and on what the scenario has, never on the number
of reps: `wait`; for a free rep `serve:<channel>:<lens>` for every channel, `resume`, and where suspended work is pooled
`take_over:<lens>`; for a waiting real-time contact `hold`, `assign:<lens>`, `interrupt:<lens>` and `offer_callback`. A
lens says which contact or rep is meant.
"""

from typing import NamedTuple

from envs.interface.units import NOBODY


class Kind(NamedTuple):
    """One kind of action: its name, whom the router is asked about when it may be open, and what it does; the lens goes
    on after it."""

    name: str
    subject: str
    meaning: str


class Lens(NamedTuple):
    """One lens of a kind of action: its name, which contact or rep is meant, and what a scenario must have for it to be
    in its action table (empty: nothing)."""

    name: str
    meaning: str
    needs: str = ""


KINDS = (
    Kind("wait", "any", "change nothing now"),
    Kind("hold", "waiting contact", "keep it from the free reps, until something could change the answer"),
    Kind("serve", "free rep", "start the waiting contact"),
    Kind("resume", "free rep", "pick up the most urgent of the rep's own suspended contacts"),
    Kind("assign", "waiting contact", "give it to the free rep"),
    Kind("interrupt", "waiting contact", "take off the rep"),
    Kind("offer_callback", "waiting contact", "offer a callback, once per wait; accepted with `accept_prob`"),
    Kind("take_over", "free rep", "pick up the contact that another rep has suspended"),
)
"""What an action does. The place of a row is its code."""

DEFERRED_CHANNEL, PREFERRED_REPS, CONCURRENCY, UNEQUAL_SPEEDS, POOLED_WORK = (
    "deferred channels",
    "preferred reps",
    "reps who can hold several contacts",
    "reps of unequal speed",
    "`suspended_work: pooled`",
)

SERVE_LENSES = (
    Lens("oldest", "which has waited longest"),
    Lens("most_urgent", "with the least slack, overdue ones included", DEFERRED_CHANNEL),
    Lens("next_due", "with the least slack among those not overdue", DEFERRED_CHANNEL),
    Lens("most_valuable", "of the largest account value"),
    Lens("preferred", "which has waited longest of all whose preferred rep this is", PREFERRED_REPS),
)
"""Which waiting contact of the channel is meant; `preferred` is an action of its own, `serve:preferred`, over all
channels. The place of a row is its code."""

ASSIGN_LENSES = (
    Lens("longest_idle", "who has been idle longest"),
    Lens("fewest_skills", "with the fewest skills"),
    Lens("preferred", "whom the customer prefers", PREFERRED_REPS),
    Lens("least_loaded", "or open seat whose rep holds the fewest contacts", CONCURRENCY),
    Lens("fastest", "who would work on it fastest, of each class the longest idle", UNEQUAL_SPEEDS),
)
"""Which free rep is meant. The place of a row is its code."""

INTERRUPT_LENSES = (
    Lens(
        "least_value_at_stake", "whose work's account value × retention (× the at-risk multiplier, if at risk) is least"
    ),
    Lens("least_progress", "whose work has made the least progress"),
    Lens("cheapest_to_resume", "whose work has the shortest mean pick-up time"),
    Lens("picking_up", "who began a pick-up last"),
    Lens("preferred", "whom the customer prefers", PREFERRED_REPS),
)
"""Which rep at interruptible work is meant. The place of a row is its code."""

TAKE_OVER_LENSES = (
    Lens("most_urgent", "with the least slack, overdue ones included", POOLED_WORK),
    Lens("most_valuable", "of the largest account value", POOLED_WORK),
)
"""Which contact that another rep has suspended is meant, of the channels that the rep can serve. The place of a row is
its code."""


def code_of(rows: tuple[Kind, ...] | tuple[Lens, ...], name: str) -> int:
    """Return the code of the row of that name: its place. Raises `ValueError` if there is none."""
    return [row.name for row in rows].index(name)


WAIT = code_of(KINDS, "wait")
HOLD = code_of(KINDS, "hold")
SERVE = code_of(KINDS, "serve")
RESUME = code_of(KINDS, "resume")
ASSIGN = code_of(KINDS, "assign")
INTERRUPT = code_of(KINDS, "interrupt")
OFFER_CALLBACK = code_of(KINDS, "offer_callback")
TAKE_OVER = code_of(KINDS, "take_over")

OLDEST = code_of(SERVE_LENSES, "oldest")
MOST_URGENT = code_of(SERVE_LENSES, "most_urgent")
NEXT_DUE = code_of(SERVE_LENSES, "next_due")
MOST_VALUABLE = code_of(SERVE_LENSES, "most_valuable")
SERVE_PREFERRED = code_of(SERVE_LENSES, "preferred")

LONGEST_IDLE = code_of(ASSIGN_LENSES, "longest_idle")
FEWEST_SKILLS = code_of(ASSIGN_LENSES, "fewest_skills")
ASSIGN_PREFERRED = code_of(ASSIGN_LENSES, "preferred")
LEAST_LOADED = code_of(ASSIGN_LENSES, "least_loaded")
FASTEST = code_of(ASSIGN_LENSES, "fastest")

LEAST_VALUE_AT_STAKE = code_of(INTERRUPT_LENSES, "least_value_at_stake")
LEAST_PROGRESS = code_of(INTERRUPT_LENSES, "least_progress")
CHEAPEST_TO_RESUME = code_of(INTERRUPT_LENSES, "cheapest_to_resume")
LATEST_PICK_UP = code_of(INTERRUPT_LENSES, "picking_up")
INTERRUPT_PREFERRED = code_of(INTERRUPT_LENSES, "preferred")

TAKE_OVER_MOST_URGENT = code_of(TAKE_OVER_LENSES, "most_urgent")
TAKE_OVER_MOST_VALUABLE = code_of(TAKE_OVER_LENSES, "most_valuable")

LENSES = {SERVE: SERVE_LENSES, ASSIGN: ASSIGN_LENSES, INTERRUPT: INTERRUPT_LENSES, TAKE_OVER: TAKE_OVER_LENSES}
"""The lenses of each kind that has some."""


class Action(NamedTuple):
    """One row of the action table; `queue` and `lens` are -1 where they have no meaning."""

    name: str
    kind: int
    queue: int = NOBODY
    lens: int = NOBODY


def action_meaning(action: Action) -> str:
    """Return in words what `action` does, behind whom it is about; `docs/decision.md` says the same."""
    kind = KINDS[action.kind]
    meaning = kind.meaning
    if action.lens != NOBODY:
        meaning = f"{meaning} {LENSES[action.kind][action.lens].meaning}"
    return meaning if kind.subject == "any" else f"{kind.subject}: {meaning}"
