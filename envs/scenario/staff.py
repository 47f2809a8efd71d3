"""The staff: opening hours, shifts with their breaks, groups of reps with skills (D10, D12, D14).

Room: `envs.scenario`. Checked and frozen; reads nothing.
"""

import math
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from envs.interface.units import (
    DAY_S,
    MAX_CAPACITY_UNITS,
    WEEKDAYS,
)
from envs.scenario.parts import (
    Horizon,
    Part,
    Probability,
    TimeOfDay,
    Weekday,
)


class OpeningHours(Part):
    """Open from `start` to `end` (times of day; an `end` not after `start` is on the next day)."""

    weekdays: tuple[Weekday, ...] = WEEKDAYS  # type: ignore[assignment]
    start: TimeOfDay
    end: TimeOfDay

    @property
    def length_s(self) -> float:
        """Seconds from start to end."""
        return self.end - self.start + (DAY_S if self.end <= self.start else 0.0)

    def spans_s(self, first_weekday: str, n_days: int) -> Iterator[tuple[float, float]]:
        """Yield (start, end) of each time on `n_days` days, seconds from the first midnight, which begins a
        `first_weekday`; what began the day before and runs past that midnight comes first, with a start below 0."""
        for day in range(-1, n_days):
            if WEEKDAYS[(WEEKDAYS.index(first_weekday) + day) % 7] in self.weekdays:
                start_s = day * DAY_S + self.start
                end_s = start_s + self.length_s
                if end_s > 0.0:
                    yield start_s, end_s


class Break(Part):
    """A break of `length_s` seconds that the first rep of a group starts at `start`, each next one `stagger_s` later.

    A rep finishes the contact in hand first, and keeps suspended work.
    """

    start: TimeOfDay
    length_s: float = Field(gt=0)
    stagger_s: float = Field(default=0.0, ge=0)

    def spans_s(self, shift: OpeningHours, shift_start_s: float, count: int) -> Iterator[tuple[float, float]]:
        """Yield (start, end), seconds, of the break of each of the `count` reps of a group whose `shift` starts at
        `shift_start_s`."""
        first_s = shift_start_s + (self.start - shift.start) % DAY_S
        for place in range(count):
            start_s = first_s + place * self.stagger_s
            yield start_s, start_s + self.length_s


class Shift(OpeningHours):
    """A working day with its breaks."""

    breaks: tuple[Break, ...] = ()


class Proficiency(Part):
    """How a group does on a channel against the channel's own figures: `speed` divides handle times, `resolution`
    multiplies the chance of resolution (D10)."""

    speed: float = Field(default=1.0, gt=0)
    resolution: float = Field(default=1.0, gt=0)


class Group(Part):
    """Reps with the same skills and shift pattern; without `shifts` they are always there.

    A rep misses a whole shift with `absence_prob`; nobody knows before it starts. `capacity_units` is what a rep
    can hold at a time; a channel without `concurrency` takes all of it.

    `home_channel` names the channel a walled-off center would give them (baseline `silo`): one name for all,
    or a mapping from name to number of reps.
    """

    name: str
    count: int = Field(ge=1, le=10_000)
    skills: tuple[str, ...] = Field(min_length=1)
    home_channel: str | dict[str, Annotated[int, Field(ge=1)]] | None = None
    shifts: tuple[Shift, ...] | None = None
    absence_prob: Probability = 0.0
    capacity_units: int = Field(default=1, ge=1, le=MAX_CAPACITY_UNITS)
    proficiency: dict[str, Proficiency] = Field(default={})

    def home_channels(self) -> list[str | None]:
        """Return the home channel of each rep of the group."""
        if isinstance(self.home_channel, dict):
            return [name for name, count in self.home_channel.items() for _ in range(count)]
        return [self.home_channel] * self.count

    def works_within(self, horizon: Horizon) -> bool:
        """Return True if some shift of the group overlaps `horizon`."""
        if self.shifts is None:
            return True
        return any(
            start_s < horizon.days * DAY_S
            for shift in self.shifts
            for start_s, _ in shift.spans_s(horizon.start_weekday, math.ceil(horizon.days))
        )
