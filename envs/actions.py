"""The action table: what each index of `Discrete(n)` means in a scenario (DESIGN section 3).

Room: `envs`. Reads the scenario; touches nothing.

The table depends on the channels and on what the scenario has, never on the number of reps: `wait`; for a free rep
`serve:<channel>:<lens>` for every channel and `resume`; for a waiting real-time contact `assign:<lens>`,
`interrupt:<lens>` and `offer_callback`. Where customers have preferred reps, `serve`, `assign` and `interrupt` have the
lens `preferred` too; where reps may hold several contacts `assign` has `least_loaded`, where they differ in speed
`fastest`.
"""

from typing import NamedTuple

from envs.scenario import Scenario
from envs.state import (
    ASSIGN,
    ASSIGN_PREFERRED,
    CHEAPEST_TO_RESUME,
    FASTEST,
    FEWEST_SKILLS,
    INTERRUPT,
    INTERRUPT_PREFERRED,
    LATEST_PICK_UP,
    LEAST_LOADED,
    LEAST_PROGRESS,
    LEAST_VALUE_AT_STAKE,
    LONGEST_IDLE,
    MOST_URGENT,
    MOST_VALUABLE,
    NEXT_DUE,
    NOBODY,
    OFFER_CALLBACK,
    OLDEST,
    RESUME,
    SERVE,
    SERVE_PREFERRED,
    WAIT,
)

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


def action_table(scenario: Scenario) -> tuple[Action, ...]:
    """Return the actions of `scenario`, in the order of their indices."""
    actions = [Action("wait", WAIT)]
    for queue, channel in enumerate(scenario.channels):
        for lens, lens_name in REAL_TIME_LENSES if channel.is_real_time else DEFERRED_LENSES:
            actions.append(Action(f"serve:{channel.name}:{lens_name}", SERVE, queue, lens))
    has_preferred_reps = scenario.has_preferred_reps
    if has_preferred_reps:
        actions.append(Action("serve:preferred", SERVE, NOBODY, SERVE_PREFERRED))
    actions.append(Action("resume", RESUME))
    actions += [Action(f"assign:{name}", ASSIGN, NOBODY, lens) for lens, name in ASSIGN_LENSES]
    if has_preferred_reps:
        actions.append(Action("assign:preferred", ASSIGN, NOBODY, ASSIGN_PREFERRED))
    if scenario.has_concurrency:
        actions.append(Action("assign:least_loaded", ASSIGN, NOBODY, LEAST_LOADED))
    if scenario.has_unequal_speeds:
        actions.append(Action("assign:fastest", ASSIGN, NOBODY, FASTEST))
    actions += [Action(f"interrupt:{name}", INTERRUPT, NOBODY, lens) for lens, name in INTERRUPT_LENSES]
    if has_preferred_reps:
        actions.append(Action("interrupt:preferred", INTERRUPT, NOBODY, INTERRUPT_PREFERRED))
    actions.append(Action("offer_callback", OFFER_CALLBACK))
    return tuple(actions)
