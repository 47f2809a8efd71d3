"""The actions of a scenario: which of all kinds and lenses have a meaning in it, in a fixed order.

Room: `envs.scenario`. Reads the scenario; the kinds and lenses stand in `envs.interface.actions`.
"""

from envs.interface.actions import (
    ASSIGN,
    ASSIGN_LENSES,
    ASSIGN_PREFERRED,
    DEFERRED_LENSES,
    FASTEST,
    INTERRUPT,
    INTERRUPT_LENSES,
    INTERRUPT_PREFERRED,
    LEAST_LOADED,
    OFFER_CALLBACK,
    REAL_TIME_LENSES,
    RESUME,
    SERVE,
    SERVE_PREFERRED,
    WAIT,
    Action,
)
from envs.interface.units import NOBODY
from envs.scenario.scenario import Scenario


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
