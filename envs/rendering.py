"""The center as text.

Room: `envs`. Reads one state and its parameters.
"""

from collections.abc import Sequence
from typing import Any

from envs.interface.units import DAY_S
from envs.scenario.scenario import Scenario
from envs.scenario.week import weekday_of
from envs.simulator.machine.state import (
    AFTER_WORK,
    AWAY,
    CONTACT_SUBJECT,
    FREE,
    NO_SUBJECT,
    RESUMING,
    WORKING,
)

_REP_STATES = {
    AWAY: "away",
    FREE: "free",
    WORKING: "working on",
    RESUMING: "picking up",
    AFTER_WORK: "after-contact work",
}


def format_clock(time_s: float) -> str:
    """Return a time of the horizon as hours, minutes and seconds of its day."""
    second = int(time_s % DAY_S)
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def render_state(scenario: Scenario, parameters: Any, state: Any, open_actions: Sequence[str]) -> str:
    """Return a center as lines of text: clock, queues, reps, the question with its `open_actions`, the costs.

    `parameters` and `state` are the records of one environment of `scenario`.
    """
    day = int(state["now_s"] // DAY_S)
    lines = [f"{scenario.name}, {weekday_of(scenario, day)} (day {day + 1}) {format_clock(float(state['now_s']))}"]
    for i, channel in enumerate(scenario.channels):
        queue = state["queues"][i]
        lines.append(
            f"  {channel.name:<16} waiting {queue['waiting']:>4}  in service {queue['in_service']:>3}  "
            f"suspended {queue['suspended']:>3}  overdue {queue['overdue']:>4}"
        )
    for i in range(int(parameters["n_reps"])):
        rep = state["reps"][i]
        doing = "absent" if rep["absent"] else _REP_STATES[int(rep["status"])]
        first_seat = int(parameters["first_seat"][i])
        held = [rep, *state["reps"][first_seat : first_seat + max(int(rep["n_held"]) - 1, 0)]]
        queues = [int(state["slots"]["person"][int(seat["contact"])]["queue"]) for seat in held if seat["contact"] >= 0]
        doing = " ".join([doing, *(scenario.channels[queue].name for queue in queues)])
        lines.append(f"  rep {i:<3} {doing}" + (f", {rep['n_suspended']} suspended" if rep["n_suspended"] else ""))
    lines.append("  " + _describe_subject(scenario, state, open_actions))
    lines.append(f"  cost so far {float(state['cost_usd'].sum()):,.2f} USD")
    return "\n".join(lines)


def _describe_subject(scenario: Scenario, state: Any, open_actions: Sequence[str]) -> str:
    if state["subject_kind"] == NO_SUBJECT:
        return "the horizon has been reached"
    if state["subject_kind"] == CONTACT_SUBJECT:
        contact = state["slots"]["person"][int(state["subject"])]
        channel = scenario.channels[int(contact["queue"])].name
        who = f"a {channel} contact of {contact['value_usd']:,.0f} USD"
    else:
        who = f"rep {int(state['subject'])}"
    return f"asked about {who}: {', '.join(open_actions)}"
