"""The terms of the total cost: name, code and meaning, one row each.

Room: `envs.interface`. One table; imports nobody.
"""

from typing import TYPE_CHECKING, Literal, NamedTuple


class CostTermRow(NamedTuple):
    """One term of the total cost, >= 0 USD: its name in files and metrics, and what is charged to it."""

    name: str
    meaning: str


COST_TERM_TABLE = (
    CostTermRow("abandonment", "callers who hung up: expected loss of the account, and `abandonment_usd`"),
    CostTermRow("wait", "waits beyond the service-level threshold: expected loss of the account"),
    CostTermRow(
        "lateness", "missed due times on channels without `promised`: being late, the hours late, and `late_usd`"
    ),
    CostTermRow("broken_promise", "the same on channels with `promised: true`"),
    CostTermRow("error", "errors: expected loss of the account, and `error_usd`"),
    CostTermRow("interruption", "`interruption_usd` per interruption, and `pick_up_usd_per_hour` while picking up"),
    CostTermRow("callback", "`callback_usd` per accepted callback"),
    CostTermRow(
        "backlog",
        "`holding_usd_per_hour` of every contact that waits, is served or is suspended, calls too; "
        "`waiting_usd_per_hour` of those who wait; `overdue_waiting_usd_per_hour` of those who wait overdue",
    ),
    CostTermRow("blocked", "busy signals: expected loss of the account, and `blocked_usd`"),
    CostTermRow(
        "handling",
        "`overtime_usd_per_hour` of reps who finish a contact after their shift, `technology_usd` of handled contacts",
    ),
    CostTermRow("unresolved", "contacts that end unresolved: expected loss of the account, and `unresolved_usd`"),
    CostTermRow(
        "forgone",
        "fees of contacts that were lost instead of handled; expected commission of debts not worked; what was offered "
        "of an unlimited list and not handled",
    ),
    CostTermRow("sow_penalty", "targets of statements of work missed over the horizon"),
    CostTermRow("fairness", "the worst-served account-value band below its floor"),
)
"""The terms of the total cost; the place of a row is its code. Order is part of the file formats: append only."""

COST_TERMS = tuple(row.name for row in COST_TERM_TABLE)
N_TERMS = len(COST_TERMS)

if TYPE_CHECKING:
    CostTerm = str
else:
    CostTerm = Literal[COST_TERMS]
    """The name of a term, as a scenario's weights state it."""

TERM_ABANDONMENT = COST_TERMS.index("abandonment")
TERM_WAIT = COST_TERMS.index("wait")
TERM_LATENESS = COST_TERMS.index("lateness")
TERM_BROKEN_PROMISE = COST_TERMS.index("broken_promise")
TERM_ERROR = COST_TERMS.index("error")
TERM_INTERRUPTION = COST_TERMS.index("interruption")
TERM_CALLBACK = COST_TERMS.index("callback")
TERM_BACKLOG = COST_TERMS.index("backlog")
TERM_BLOCKED = COST_TERMS.index("blocked")
TERM_HANDLING = COST_TERMS.index("handling")
TERM_UNRESOLVED = COST_TERMS.index("unresolved")
TERM_FORGONE = COST_TERMS.index("forgone")
TERM_SOW_PENALTY = COST_TERMS.index("sow_penalty")
TERM_FAIRNESS = COST_TERMS.index("fairness")
