"""Who contacts the center, and when: segments, churn, arrivals, scripted and recorded contacts (D8, D11, D15).

Room: `envs.scenario`. Checked and frozen; reads nothing.
"""

from typing import Literal, cast

from pydantic import Field, ValidationInfo, field_validator, model_validator

from envs.errors import InvalidValueError
from envs.interface.units import DAY_S
from envs.scenario.distributions import AccountValue, Duration
from envs.scenario.parts import (
    Part,
    Probability,
    RatePerHour,
    Weekday,
)
from envs.scenario.recording import Formats, check_date_format, check_time_format


class Segment(Part):
    """Customers of one kind: their share, their account value, USD, and how many are close to leaving."""

    name: str
    share_frac: Probability
    account_value: AccountValue
    at_risk_prob: Probability = 0.0
    preferred_rep_prob: Probability = 0.0


class PreferredRep(Part):
    """What it is worth that a customer's preferred rep handles the contact (D11): `speed` divides the handle time,
    `resolution` multiplies the chance of resolution, on top of the group's proficiency."""

    speed: float = Field(default=1.0, gt=0)
    resolution: float = Field(default=1.0, gt=0)


class Arrivals(Part):
    """Rates per interval of the day and day of the week, multiplied by one random factor a calendar day.

    `rate_per_hour` is one number, one list for every day, or a mapping from weekday to list; a day missing
    from the mapping has no arrivals. The factor of a day is gamma with mean 1 and coefficient of variation
    `day_factor_cv`.
    """

    interval_s: float = Field(default=1800.0, ge=60, le=DAY_S)
    rate_per_hour: RatePerHour | tuple[RatePerHour, ...] | dict[Weekday, tuple[RatePerHour, ...]]
    day_factor_cv: float = Field(default=0.1, ge=0, le=10)

    @model_validator(mode="after")
    def _check(self) -> "Arrivals":
        count = DAY_S / self.interval_s
        if abs(count - round(count)) > 1e-9:
            raise InvalidValueError(("interval_s",), "must divide a day of 86400 seconds")
        rates = self.rate_per_hour
        lists: dict[tuple[str | int, ...], tuple[float, ...]] = {}
        if isinstance(rates, dict):
            lists = {("rate_per_hour", weekday): rates_of_day for weekday, rates_of_day in rates.items()}
        elif isinstance(rates, tuple):
            lists = {("rate_per_hour",): rates}
        for path, rates_of_day in lists.items():
            if len(rates_of_day) != round(count):
                raise InvalidValueError(
                    path,
                    f"has {len(rates_of_day)} entries: must be {round(count)}, "
                    f"one per interval of {self.interval_s:g} seconds",
                )
        return self

    def rates_on(self, weekday: str) -> tuple[float, ...]:
        """Return the rates per hour on `weekday`, one per interval of the day."""
        count = round(DAY_S / self.interval_s)
        if isinstance(self.rate_per_hour, dict):
            return self.rate_per_hour.get(cast(Weekday, weekday), (0.0,) * count)
        if isinstance(self.rate_per_hour, tuple):
            return self.rate_per_hour
        return (self.rate_per_hour,) * count


class InitialBacklog(Part):
    """Deferred work already there at the start: a Poisson number of mean `mean_contacts`, ages uniform up to
    `max_age_s` seconds."""

    mean_contacts: float = Field(ge=0)
    max_age_s: float = Field(default=0.0, ge=0)


class ScriptedContact(Part):
    """One contact with a fixed time and needs (D15); the needs may be distributions, drawn per episode.

    `amount_owed` is the debt of a collections contact (default: as its channel says).
    """

    channel: str
    at_s: float = Field(ge=0)
    handle_time: Duration | None = None
    patience: Duration | None = None
    account_value: AccountValue
    at_risk_prob: Probability = 0.0
    preferred_rep: int | None = Field(default=None, ge=0)
    amount_owed: AccountValue | None = None


class Replay(Part):
    """Recorded days, one an episode (D15): the contacts of a file, with the times and needs that it states.

    A recorded day is as long as the horizon. `in_turn` gives episode k the k-th day and begins again after the last,
    whatever the seed; `drawn` takes any day, all equally likely, by seed and episode. A relative `file` begins in the
    folder of the scenario file that names it. The formats are those of `datetime.strptime`; without them dates and
    clock times are ISO.
    """

    file: str
    order: Literal["in_turn", "drawn"] = "in_turn"
    date_format: str | None = None
    time_format: str | None = None

    @field_validator("date_format", "time_format")
    @classmethod
    def _check_format(cls, form: str | None, info: ValidationInfo) -> str | None:
        if form is not None:
            (check_date_format if info.field_name == "date_format" else check_time_format)(form)
        return form

    @property
    def formats(self) -> Formats:
        """How the file writes dates and clock times."""
        return Formats(self.date_format, self.time_format)


class Churn(Part):
    """How lost accounts are charged: as their expectation, or sampled (the same mean; see
    `envs.simulator.money.charges`)."""

    mode: Literal["expectation", "sampled"] = "expectation"
    at_risk_multiplier: float = Field(default=1.0, ge=1)
