"""The parameters of the staff: classes of interchangeable reps, their seats, skills and changes of shift.

Room: `envs.inputs`. Reads the scenario; writes the reps' part of one `Parameters` record.
"""

import math

from envs.inputs.channel_parameters import Record
from envs.interface.units import (
    DAY_S,
    NEVER,
    NOBODY,
)
from envs.scenario.scenario import Scenario
from envs.scenario.staff import Proficiency
from envs.scenario.week import (
    join_spans,
    planned_reps,
    spare_reps,
)
from envs.simulator.machine.state import (
    BREAK_END,
    BREAK_START,
    SHIFT_END,
    SHIFT_START,
)


def _rep_classes(scenario: Scenario) -> list[tuple[int, str | None]]:
    """Return the classes of interchangeable reps: (group index, home channel), in the order of the reps."""
    classes: list[tuple[int, str | None]] = []
    for i, group in enumerate(scenario.groups):
        for home in group.home_channels():
            if (i, home) not in classes:
                classes.append((i, home))
    return classes


def seat_classes(scenario: Scenario) -> list[tuple[int, str | None, int]]:
    """Return the classes of seats: (group index, home channel, units of capacity left). Those of reps who hold nothing
    come first and have 0 there; then, where contacts may be held side by side, those of the further seats."""
    whole = [(i, home, 0) for i, home in _rep_classes(scenario)]
    further = [
        (i, home, units)
        for i, home, _ in whole
        for units in range(1, scenario.groups[i].capacity_units)
        if _shared_skills(scenario, i, units)
    ]
    return whole + further


def _shared_skills(scenario: Scenario, group: int, units: int) -> list[str]:
    """Return the skills of a group of whose channels one more contact fits into `units` of capacity."""
    return [
        channel.name
        for channel in scenario.channels
        if channel.concurrency is not None
        and channel.concurrency.units <= units
        and channel.name in scenario.groups[group].skills
    ]


def n_seats(scenario: Scenario) -> int:
    """Return how many contacts all reps together can hold."""
    return sum(group.count * scenario.most_held(group) for group in scenario.groups)


def shift_changes(scenario: Scenario) -> list[tuple[float, int, int, float]]:
    """Return all changes of shift: (time in seconds, kind, rep, when the rep next leaves the floor in seconds).

    In order of time; at the same second reps come before others go, so that a hand-over never leaves the floor empty. A
    shift running at the start of the horizon starts at 0. Shifts of a rep that touch or overlap are one.
    """
    horizon_s = scenario.horizon.days * DAY_S
    changes: list[tuple[float, int, int, float]] = []
    rep = 0
    for group in scenario.groups:
        spans: list[tuple[float, float]] = [(0.0, NEVER)] if group.shifts is None else []
        breaks: list[list[tuple[float, float]]] = []
        for shift in group.shifts or ():
            for start_s, end_s in shift.spans_s(scenario.horizon.start_weekday, math.ceil(scenario.horizon.days)):
                if start_s < horizon_s:
                    spans.append((max(start_s, 0.0), end_s))
                    breaks += [list(pause.spans_s(shift, start_s, group.count)) for pause in shift.breaks]
        merged = join_spans(spans)
        for place in range(group.count):
            pauses = join_spans([of_group[place] for of_group in breaks])
            for start_s, end_s in merged:
                inside = [(max(a, start_s), b) for a, b in pauses if a < end_s and b > start_s]
                leaves_s = [a for a, _ in inside] + [end_s]
                changes.append((start_s, SHIFT_START, rep, leaves_s[0]))
                for i, (a, b) in enumerate(inside):
                    changes += [(a, BREAK_START, rep, a), (b, BREAK_END, rep, leaves_s[i + 1])]
                changes.append((end_s, SHIFT_END, rep, end_s))
            rep += 1
    return sorted(change for change in changes if change[0] < horizon_s)


def fill_staff(record: Record, scenario: Scenario) -> None:
    """Write classes, seats, skills, shifts and forecasts of the reps into the parameters `record`."""
    classes = seat_classes(scenario)
    record.seat_class[:] = NOBODY
    record.first_seat[:] = NOBODY
    rep, seat = 0, sum(group.count for group in scenario.groups)
    for i, group in enumerate(scenario.groups):
        for home in group.home_channels():
            record.rep_class[rep] = classes.index((i, home, 0))
            record.owner[rep] = rep
            record.absence_prob[rep] = group.absence_prob
            further = scenario.most_held(group) - 1
            if further:
                record.first_seat[rep] = seat
                record.owner[seat : seat + further] = rep
                seat += further
            rep += 1
    for k, (i, home, units) in enumerate(classes):
        record.speed[k] = 1.0
        record.resolution[k] = 1.0
        record.capacity_units[k] = scenario.groups[i].capacity_units
        record.is_further_seat[k] = units > 0
        if units:
            record.seat_class[classes.index((i, home, 0)), units] = k
        for skill in _shared_skills(scenario, i, units) if units else scenario.groups[i].skills:
            queue = scenario.channel_index(skill)
            proficiency = scenario.groups[i].proficiency.get(skill, Proficiency())
            record.skill[k, queue] = 1
            record.speed[k, queue] = proficiency.speed
            record.resolution[k, queue] = proficiency.resolution
        record.skill_count[k] = len(scenario.groups[i].skills)
        record.class_group[k] = i
        record.class_home[k] = NOBODY if home is None else scenario.channel_index(home)
    record.n_reps = rep
    record.n_seats = seat
    record.n_classes = len(classes)
    changes = shift_changes(scenario)
    record.n_shift_changes = len(changes)
    for j, (time_s, kind, changed_rep, until_s) in enumerate(changes):
        record.shift_change_s[j] = time_s
        record.shift_change_kind[j] = kind
        record.shift_change_rep[j] = changed_rep
        record.shift_change_until_s[j] = until_s
    record.planned_reps[:] = planned_reps(scenario)
    record.spare_reps[:] = spare_reps(scenario)
