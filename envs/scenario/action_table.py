"""The actions of a scenario: which of all kinds and lenses have a meaning in it, in a fixed order.

Room: `envs.scenario`. Reads the scenario; the kinds and lenses stand in `envs.interface.actions`.
"""

from collections.abc import Iterator

from envs.interface.actions import (
    ASSIGN,
    CONCURRENCY,
    DEFERRED_CHANNEL,
    HOLD,
    INTERRUPT,
    KINDS,
    LENSES,
    OFFER_CALLBACK,
    POOLED_WORK,
    PREFERRED_REPS,
    RESUME,
    SERVE,
    SERVE_PREFERRED,
    TAKE_OVER,
    UNEQUAL_SPEEDS,
    WAIT,
    Action,
)
from envs.scenario.scenario import Scenario


def action_table(scenario: Scenario) -> tuple[Action, ...]:
    """Return the actions of `scenario`, in the order of their indices: `wait`, `hold`, `serve` channel by channel,
    `resume`, `take_over`, `assign`, `interrupt`, `offer_callback`."""
    has = {
        "": True,
        PREFERRED_REPS: scenario.has_preferred_reps,
        CONCURRENCY: scenario.has_concurrency,
        UNEQUAL_SPEEDS: scenario.has_unequal_speeds,
        POOLED_WORK: scenario.pools_suspended_work,
    }
    actions = [Action(KINDS[WAIT].name, WAIT), Action(KINDS[HOLD].name, HOLD)]
    for queue, channel in enumerate(scenario.channels):
        has[DEFERRED_CHANNEL] = not channel.is_real_time
        for lens, row in enumerate(LENSES[SERVE]):
            if has[row.needs] and lens != SERVE_PREFERRED:
                actions.append(Action(f"serve:{channel.name}:{row.name}", SERVE, queue, lens))
    if has[PREFERRED_REPS]:
        actions.append(Action("serve:preferred", SERVE, lens=SERVE_PREFERRED))
    actions.append(Action(KINDS[RESUME].name, RESUME))
    actions += _with_lenses(TAKE_OVER, has)
    actions += _with_lenses(ASSIGN, has)
    actions += _with_lenses(INTERRUPT, has)
    actions.append(Action(KINDS[OFFER_CALLBACK].name, OFFER_CALLBACK))
    return tuple(actions)


def _with_lenses(kind: int, has: dict[str, bool]) -> Iterator[Action]:
    """Yield the actions of a kind, one for each lens for which the scenario `has` what it needs."""
    for lens, row in enumerate(LENSES[kind]):
        if has[row.needs]:
            yield Action(f"{KINDS[kind].name}:{row.name}", kind, lens=lens)
