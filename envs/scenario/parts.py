"""What all parts of a scenario share: the frozen base class, units of its numbers, the clock, the horizon.

Room: `envs.scenario`. Touches pydantic only.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from envs.configuration.quantities import Checked
from envs.errors import InvalidValueError
from envs.interface.units import DAY_S

Weekday = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
Probability = Annotated[float, Field(ge=0, le=1)]
Usd = Annotated[float, Field(ge=0)]
RatePerHour = Annotated[float, Field(ge=0)]


def _read_clock(value: Any) -> Any:
    """Turn "07:30" into seconds after midnight; "24:00" is the end of the day. A resolved scenario states seconds."""
    if isinstance(value, float):
        return value
    if isinstance(value, str) and re.fullmatch(r"([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00", value, re.ASCII):
        hours, _, minutes = value.partition(":")
        return float(int(hours) * 3600 + int(minutes) * 60)
    raise ValueError('must be a time of day such as "07:30"')


TimeOfDay = Annotated[float, BeforeValidator(_read_clock), Field(ge=0, le=DAY_S)]


class Part(Checked):
    """A part of a scenario: unknown keys are refused, and nothing changes after the check."""


class Horizon(Part):
    """One episode: `days` from midnight of `start_weekday`; metrics and costs count after `warm_up_days`."""

    days: float = Field(default=1.0, gt=0)
    start_weekday: Weekday = "sunday"
    warm_up_days: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> "Horizon":
        if self.warm_up_days >= self.days:
            raise InvalidValueError(("warm_up_days",), f"must be < days = {self.days:g}")
        return self
