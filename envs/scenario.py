"""The scenario: what a center is, in human units, as a YAML file states it.

Room: `envs`. Checked and frozen; touches the specification of distributions and the reading of files,
nothing else. `envs.parameters` turns a scenario into the flat arrays of the kernel.
"""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from envs.config_file import Document, apply_overrides, find_config, load_yaml, shown_path, validate
from envs.config_inheritance import resolve_extends
from envs.config_message import did_you_mean
from envs.distributions import AccountValue, Duration
from envs.errors import InvalidValueError
from envs.replay import Recording, read_recording

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
DAY_S = 86_400.0
WEEK_S = 7 * DAY_S

Weekday = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
Probability = Annotated[float, Field(ge=0, le=1)]
Usd = Annotated[float, Field(ge=0)]
MAX_CAPACITY_UNITS = 8
"""Units of a rep's capacity, at most."""
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


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Horizon(_Part):
    """One episode: `days` from midnight of `start_weekday`; metrics and costs count after `warm_up_days`."""

    days: float = Field(default=1.0, gt=0)
    start_weekday: Weekday = "sunday"
    warm_up_days: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> "Horizon":
        if self.warm_up_days >= self.days:
            raise InvalidValueError(("warm_up_days",), f"must be < days = {self.days:g}")
        return self


class Segment(_Part):
    """Customers of one kind: their share, their account value, USD, and how many are close to leaving."""

    name: str
    share_frac: Probability
    account_value: AccountValue
    at_risk_prob: Probability = 0.0
    preferred_rep_prob: Probability = 0.0


class PreferredRep(_Part):
    """What it is worth that a customer's preferred rep handles the contact (D11): `speed` divides the handle time,
    `resolution` multiplies the chance of resolution, on top of the group's proficiency."""

    speed: float = Field(default=1.0, gt=0)
    resolution: float = Field(default=1.0, gt=0)


class Arrivals(_Part):
    """Rates per interval of the day and day of the week, multiplied by one random factor a calendar day.

    `rate_per_hour` is one number, one list for every day, or a mapping from weekday to list; a day missing
    from the mapping has no arrivals. The factor of a day is gamma with mean 1 and coefficient of variation
    `day_factor_cv`.
    """

    interval_s: float = Field(default=1800.0, gt=0, le=DAY_S)
    rate_per_hour: RatePerHour | tuple[RatePerHour, ...] | dict[Weekday, tuple[RatePerHour, ...]]
    day_factor_cv: float = Field(default=0.1, ge=0)

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


class Redial(_Part):
    """A caller who abandoned calls again with probability `prob` after `delay`, with a new patience."""

    prob: Probability
    delay: Duration

    @model_validator(mode="after")
    def _check(self) -> "Redial":
        if self.delay.mean_duration_s <= 0:  # customers without patience would dial for ever in the same second
            raise InvalidValueError(("delay",), "must be > 0 seconds")
        return self


class CallbackOffer(_Part):
    """Once per contact, when nobody suitable is free, the router may offer a callback (D5).

    An accepted callback needs approval (D4): with `refusal_prob` it is refused, and the customer, who was promised a
    call that will not come, is charged as a missed due time of channel `to`; else it joins that channel after
    `approval_delay_s`.
    """

    to: str
    accept_prob: Probability
    approval_delay_s: float = Field(default=0.0, ge=0)
    refusal_prob: Probability = 0.0


class Due(_Part):
    """When a deferred contact is promised: `after_s` seconds after it arrives; or, where nothing was promised, how long
    the customer is content to wait: a law `hidden_after`, of whose draw the router sees only that it has passed (D2).

    By the `calendar` clock nights and weekends count, by the `business` clock only the scenario's `business_hours`. A
    contact that comes back (a callback, a return, an escalation) can be started `opens_after_s` seconds after it at the
    earliest, by the same clock: with `after_s` that is the window that the customer was told. The promise is `met_by`
    completing the contact in time, or by starting it in time.
    """

    clock: Literal["calendar", "business"] = "calendar"
    after_s: float | None = Field(default=None, gt=0)
    hidden_after: Duration | None = None
    met_by: Literal["completion", "start"] = "completion"
    opens_after_s: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> "Due":
        if (self.after_s is None) == (self.hidden_after is None):
            raise InvalidValueError(("after_s",), "must be given, or hidden_after instead of it")
        if self.hidden_after is not None:
            if self.hidden_after.mean_duration_s <= 0:
                raise InvalidValueError(("hidden_after",), "must be > 0 seconds")
            if self.clock == "business":
                raise InvalidValueError(("clock",), "must be calendar where the due time is hidden")
            if self.opens_after_s > 0:
                raise InvalidValueError(("opens_after_s",), "must be 0 where the due time is hidden: nobody told it")
        elif self.opens_after_s >= self.mean_after_s:
            raise InvalidValueError(("opens_after_s",), f"must be < after_s = {self.after_s:g} seconds")
        return self

    @property
    def mean_after_s(self) -> float:
        """Mean time in seconds, by the clock, from arrival to due time."""
        return self.after_s if self.hidden_after is None else self.hidden_after.mean_duration_s  # type: ignore[return-value]


class Reach(_Part):
    """An outbound attempt reaches the customer with `prob`: one number, or one for each hour of the day (D4, D6).

    One that does not takes `attempt_s` seconds and is repeated `retry_after_s` later, `max_attempts` in all; then the
    contact is given up, which is charged as a missed due time if that had not passed.
    """

    prob: Annotated[float, Field(gt=0, le=1)] | tuple[Probability, ...]
    attempt_s: float = Field(ge=0)
    retry_after_s: float = Field(gt=0)
    max_attempts: int = Field(default=3, ge=1, le=64)

    @model_validator(mode="after")
    def _check(self) -> "Reach":
        if isinstance(self.prob, tuple):
            if len(self.prob) != 24:
                raise InvalidValueError(
                    ("prob",), f"has {len(self.prob)} entries: must be 24, one per hour of the day, or one number"
                )
            if not any(self.prob):
                raise InvalidValueError(("prob",), "must be > 0 in some hour of the day")
        return self

    def prob_by_hour(self) -> tuple[float, ...]:
        """Return the chance in each of the 24 hours of the day."""
        return self.prob if isinstance(self.prob, tuple) else (self.prob,) * 24

    @property
    def mean_prob(self) -> float:
        """Mean chance over the hours of the day in which somebody can be reached."""
        probs = [prob for prob in self.prob_by_hour() if prob > 0]
        return sum(probs) / len(probs)


class Collection(_Part):
    """A work list of debtors (D6). Who is reached pays `recovery_frac` of the amount owed with `pay_prob`; the provider
    keeps `commission_frac` of what is recovered.

    At its due time the client takes a contact back that nobody has in hand; like one that was given up, it forgoes the
    commission that was to be expected.
    """

    amount_owed: AccountValue
    pay_prob: Probability
    recovery_frac: float = Field(default=1.0, gt=0, le=1)
    commission_frac: float = Field(gt=0, le=1)

    @property
    def commission_per_owed(self) -> float:
        """Expected commission per USD owed by a debtor who is reached."""
        return self.pay_prob * self.recovery_frac * self.commission_frac


class Concurrency(_Part):
    """Contacts of a channel that a rep may hold several of (D14), each of which takes `units` of the rep's capacity.

    `speed_frac[i]` is the speed of each while the rep holds i + 1 contacts, against one held alone.
    """

    units: int = Field(default=1, ge=1)
    speed_frac: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _check(self) -> "Concurrency":
        if self.speed_frac[0] != 1.0:
            raise InvalidValueError(("speed_frac", 0), "must be 1: the speed of a contact held alone")
        for i, (fewer, more) in enumerate(pairwise(self.speed_frac), start=1):
            if more > fewer:
                raise InvalidValueError(("speed_frac", i), f"must be <= {fewer:g}: more contacts do not go faster")
        return self


class FollowUp(_Part):
    """A contact may end *deferred* (D3): the customer asks for another time, or the case needs research.

    With `prob` a follow-up on channel `to` (default: the same, if that is a deferred one) is scheduled: not before
    `after`, due `window_s` seconds later by the clock of that channel, with `work_frac` of the first handling.
    """

    prob: Probability
    after: Duration
    window_s: float = Field(gt=0)
    to: str | None = None
    work_frac: float = Field(default=1.0, gt=0)


def _check_new_work(new_work: bool, work_frac: float) -> None:
    if new_work and work_frac != 1.0:
        raise InvalidValueError(("work_frac",), "must be left out where new_work is true")


class Return(_Part):
    """An unresolved contact comes back with `prob`, `after` some time (0: at once, to the end of the line), on channel
    `to` (default: the same), with `work_frac` of the first handling, or with `new_work` by the law of that channel."""

    prob: Probability
    after: Duration
    to: str | None = None
    work_frac: float = Field(default=1.0, gt=0)
    new_work: bool = False

    @model_validator(mode="after")
    def _check(self) -> "Return":
        _check_new_work(self.new_work, self.work_frac)
        return self


class Escalation(_Part):
    """An unresolved contact is escalated with `prob` to channel `to`, at once, with `work_frac` of the first handling:
    to a deferred channel as an internal escalation, to a real-time one as a live transfer; or with `new_work` by the
    law of that channel."""

    prob: Probability
    to: str
    work_frac: float = Field(default=1.0, gt=0)
    new_work: bool = False

    @model_validator(mode="after")
    def _check(self) -> "Escalation":
        _check_new_work(self.new_work, self.work_frac)
        return self


class Resolution(_Part):
    """A completed contact is resolved with `prob` times the rep's resolution factor (D13). Of the unresolved a share
    returns, a share is escalated, and the rest gives up; what that costs stands in `harm` and `costs`."""

    prob: Probability
    returns: Return | None = None
    escalates: Escalation | None = None

    @model_validator(mode="after")
    def _check(self) -> "Resolution":
        shares = [part.prob for part in (self.returns, self.escalates) if part is not None]
        if sum(shares) > 1.0 + 1e-9:
            raise InvalidValueError(
                ("escalates", "prob"), f"must leave room for the share that returns: both sum to {sum(shares):g} > 1"
            )
        return self


class Rework(_Part):
    """An error comes back as work on channel `to` after `delay_s`, with `work_frac` of the first handling."""

    to: str
    delay_s: float = Field(ge=0)
    work_frac: float = Field(gt=0, le=1)


class Error(_Part):
    """The chance of an error when a contact is completed, raised by every interruption it suffered (D9)."""

    prob: Probability = 0.0
    per_interruption_prob: Probability = 0.0
    rework: Rework | None = None


class Harm(_Part):
    """How much each mishap raises the chance that the customer leaves (D8), before the at-risk multiplier."""

    abandonment_prob: Probability = 0.0
    blocked_prob: Probability = 0.0
    wait_prob_per_min: Probability = 0.0
    wait_max_prob: Probability = 1.0
    late_prob: Probability = 0.0
    late_prob_per_hour: Probability = 0.0
    late_max_prob: Probability = 1.0
    error_prob: Probability = 0.0
    unresolved_prob: Probability = 0.0


class ChannelCosts(_Part):
    """Direct costs of a channel in USD, on top of the expected loss of accounts."""

    abandonment_usd: Usd = 0.0
    blocked_usd: Usd = 0.0
    late_usd: Usd = 0.0
    error_usd: Usd = 0.0
    unresolved_usd: Usd = 0.0
    holding_usd_per_hour: Usd = 0.0
    waiting_usd_per_hour: Usd = 0.0
    overdue_waiting_usd_per_hour: Usd = 0.0


class Backlog(_Part):
    """Deferred work already there at the start: a Poisson number of mean `mean_contacts`, ages uniform up to
    `max_age_s` seconds."""

    mean_contacts: float = Field(ge=0)
    max_age_s: float = Field(default=0.0, ge=0)


class Channel(_Part):
    """One queue of the center. Real-time contacts may abandon; deferred ones have a due time."""

    name: str
    kind: Literal["real_time", "deferred"]
    handle_time: Duration
    after_work: Duration | None = None
    arrivals: Arrivals | None = None
    supply: Literal["arrivals", "unlimited"] = "arrivals"
    offered_per_day: float = Field(default=0.0, ge=0)
    segment_shares: dict[str, Probability] | None = None
    lines: int | None = Field(default=None, ge=1)
    waiting_limit: int | None = Field(default=None, ge=0)
    harm: Harm = Harm()
    costs: ChannelCosts = ChannelCosts()
    error: Error = Error()
    resolution: Resolution | None = None
    follow_up: FollowUp | None = None
    assumed: str | None = None
    # real-time contacts
    patience: Duration | None = None
    service_level_threshold_s: float = Field(default=20.0, ge=0)
    redial: Redial | None = None
    callback_offer: CallbackOffer | None = None
    concurrency: Concurrency | None = None
    # deferred contacts
    due: Due | None = None
    reach: Reach | None = None
    collection: Collection | None = None
    promised: bool = False
    interruptible: bool = False
    pick_up: Duration | None = None
    pick_up_mode: Literal["restart", "accumulate"] = "restart"
    initial_backlog: Backlog | None = None

    @model_validator(mode="after")
    def _check(self) -> "Channel":
        if not self.name.isidentifier():
            raise InvalidValueError(("name",), "must be letters, digits and underscores")
        real_time_only = {
            "patience": self.patience,
            "redial": self.redial,
            "callback_offer": self.callback_offer,
            "concurrency": self.concurrency,
        }
        deferred_only = {
            "due": self.due,
            "reach": self.reach,
            "collection": self.collection,
            "promised": self.promised,
            "interruptible": self.interruptible,
            "pick_up": self.pick_up,
            "initial_backlog": self.initial_backlog,
        }
        if self.is_real_time and self.costs.overdue_waiting_usd_per_hour > 0:
            raise InvalidValueError(
                ("costs", "overdue_waiting_usd_per_hour"), f"has no meaning on a real-time channel ({self.name})"
            )
        wrong = deferred_only if self.kind == "real_time" else real_time_only
        for key, value in wrong.items():
            if value:
                raise InvalidValueError(
                    (key,), f"has no meaning on a {self.kind.replace('_', '-')} channel ({self.name})"
                )
        if self.interruptible and self.pick_up is None:
            raise InvalidValueError(
                ("pick_up",), f"missing key: an interruptible channel ({self.name}) needs a pick-up time"
            )
        if self.interruptible and self.reach is not None:
            raise InvalidValueError(
                ("interruptible",), "must be false on a channel with reach: a conversation is not interrupted"
            )
        if self.promised and self.due is not None and self.due.hidden_after is not None:
            raise InvalidValueError(("promised",), "must be false where the due time is hidden: nobody told it")
        if self.due is not None and self.due.met_by == "start" and (self.reach or self.collection) is not None:
            raise InvalidValueError(
                ("due", "met_by"), f"must be completion on a channel with reach or collection ({self.name})"
            )
        if self.reach is not None and self.due is not None and self.due.hidden_after is not None:
            raise InvalidValueError(("reach",), "has no meaning where the due time is hidden: nobody is called")
        self._check_times()
        self._check_supply()
        return self

    def _check_times(self) -> None:
        if self.concurrency is not None and self.after_work is not None:
            raise InvalidValueError(
                ("after_work",), "has no meaning with concurrency: it goes on while the rep holds other contacts"
            )
        returns = None if self.resolution is None else self.resolution.returns
        if returns is not None and returns.after.mean_duration_s <= 0 and self.handle_time.mean_duration_s <= 0:
            raise InvalidValueError(
                ("resolution", "returns", "after"), "must be > 0 seconds where the handle time is 0: no time would pass"
            )

    def _check_supply(self) -> None:
        if self.supply == "arrivals":
            if self.offered_per_day > 0:
                raise InvalidValueError(("offered_per_day",), "has a meaning with supply: unlimited only")
            if self.collection is not None and self.due is None:
                raise InvalidValueError(
                    ("due",), f"missing key: the client takes a work list ({self.name}) back at some time"
                )
            return
        if self.is_real_time:
            raise InvalidValueError(("supply",), f"must be arrivals on a real-time channel ({self.name})")
        limited = {
            "arrivals": self.arrivals,
            "initial_backlog": self.initial_backlog,
            "due": self.due,
            "lines": self.lines,
            "waiting_limit": self.waiting_limit,
        }
        for key, value in limited.items():
            if value is not None:
                raise InvalidValueError((key,), f"has no meaning where the supply is unlimited ({self.name})")

    @property
    def mean_rep_time_s(self) -> float:
        """Mean time in seconds that a contact takes of a rep: handle time and after-contact work."""
        after_s = 0.0 if self.after_work is None else self.after_work.mean_duration_s
        return self.handle_time.mean_duration_s + after_s

    @property
    def is_unlimited(self) -> bool:
        """True where there is always another contact to be had."""
        return self.supply == "unlimited"

    @property
    def is_real_time(self) -> bool:
        """True where the customer waits engaged and may abandon."""
        return self.kind == "real_time"


class OpeningHours(_Part):
    """Open from `start` to `end` (times of day; an `end` not after `start` is on the next day)."""

    weekdays: tuple[Weekday, ...] = WEEKDAYS  # type: ignore[assignment]
    start: TimeOfDay
    end: TimeOfDay

    @property
    def length_s(self) -> float:
        """Seconds from start to end."""
        return self.end - self.start + (DAY_S if self.end <= self.start else 0.0)


class Break(_Part):
    """A break of `length_s` seconds that the first rep of a group starts at `start`, each next one `stagger_s` later.

    A rep finishes the contact in hand first, and keeps suspended work.
    """

    start: TimeOfDay
    length_s: float = Field(gt=0)
    stagger_s: float = Field(default=0.0, ge=0)


class Shift(OpeningHours):
    """A working day with its breaks."""

    breaks: tuple[Break, ...] = ()


class Proficiency(_Part):
    """How a group does on a channel against the channel's own figures: `speed` divides handle times, `resolution`
    multiplies the chance of resolution (D10)."""

    speed: float = Field(default=1.0, gt=0)
    resolution: float = Field(default=1.0, gt=0)


class Group(_Part):
    """Reps with the same skills and shift pattern; without `shifts` they are always there.

    A rep misses a whole shift with `absence_prob`; nobody knows before it starts. `capacity_units` is what a rep
    can hold at a time; a channel without `concurrency` takes all of it.

    `home_channel` names the channel a walled-off center would give them (baseline `silo`): one name for all,
    or a mapping from name to number of reps.
    """

    name: str
    count: int = Field(ge=1)
    skills: tuple[str, ...] = Field(min_length=1)
    home_channel: str | dict[str, Annotated[int, Field(ge=1)]] | None = None
    shifts: tuple[Shift, ...] | None = None
    absence_prob: Probability = 0.0
    capacity_units: int = Field(default=1, ge=1, le=MAX_CAPACITY_UNITS)
    proficiency: dict[str, Proficiency] = {}

    def home_channels(self) -> list[str | None]:
        """Return the home channel of each rep of the group."""
        if isinstance(self.home_channel, dict):
            return [name for name, count in self.home_channel.items() for _ in range(count)]
        return [self.home_channel] * self.count

    def works_within(self, horizon: Horizon) -> bool:
        """Return True if some shift of the group overlaps `horizon`."""
        if self.shifts is None:
            return True
        horizon_s = horizon.days * DAY_S
        first_weekday = WEEKDAYS.index(horizon.start_weekday)
        for day in range(-1, math.ceil(horizon.days)):  # a shift of the day before may run past midnight
            for shift in self.shifts:
                start_s = day * DAY_S + shift.start
                end_s = day * DAY_S + shift.end + (DAY_S if shift.end <= shift.start else 0.0)
                if WEEKDAYS[(first_weekday + day) % 7] in shift.weekdays and end_s > 0 and start_s < horizon_s:
                    return True
        return False


class ScriptedContact(_Part):
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


class Replay(_Part):
    """Recorded days, one an episode (D15): the contacts of a file, with the times and needs that it states.

    A recorded day is as long as the horizon. `in_turn` gives episode k the k-th day and begins again after the last,
    whatever the seed; `drawn` takes any day, all equally likely, by seed and episode. A relative `file` begins in the
    folder of the scenario file that names it.
    """

    file: str
    order: Literal["in_turn", "drawn"] = "in_turn"


class Churn(_Part):
    """How lost accounts are charged: as their expectation, or sampled (the same mean; see `envs.churn`)."""

    mode: Literal["expectation", "sampled"] = "expectation"
    at_risk_multiplier: float = Field(default=1.0, ge=1)


COST_TERMS = (
    "abandonment",
    "wait",
    "lateness",
    "broken_promise",
    "error",
    "interruption",
    "callback",
    "backlog",
    "blocked",
    "handling",
    "unresolved",
    "forgone",
    "sow_penalty",
    "fairness",
)
"""The terms of the total cost, each >= 0 USD. Order is part of the file formats: append only."""

CostTerm = Literal[
    "abandonment",
    "wait",
    "lateness",
    "broken_promise",
    "error",
    "interruption",
    "callback",
    "backlog",
    "blocked",
    "handling",
    "unresolved",
    "forgone",
    "sow_penalty",
    "fairness",
]


class Costs(_Part):
    """Prices that are not a channel's own, and the weight of each cost term in the total."""

    weights: dict[CostTerm, Usd] = {}
    interruption_usd: Usd = 0.0
    pick_up_usd_per_hour: Usd = 0.0
    callback_usd: Usd = 0.0
    overtime_usd_per_hour: Usd = 0.0


class Target(_Part):
    """What a statement of work promises for one channel over the horizon, and the price of missing it.

    For a real-time channel `at_least_frac` is a service level, for a deferred one an on-time share. Each percentage
    point short costs `usd_per_point_day` for each calendar day of the horizon.
    """

    channel: str
    at_least_frac: Probability
    usd_per_point_day: Usd


class Client(_Part):
    """A company for which the center works, and its statement of work (D7).

    `fee_usd` is earned with each handled contact; where a contact is lost instead, it is charged as income forgone.
    `technology_usd` is paid for each handled contact.
    """

    name: str
    channels: tuple[str, ...] = Field(min_length=1)
    fee_usd: Usd = 0.0
    technology_usd: Usd = 0.0
    targets: tuple[Target, ...] = ()


class Fairness(_Part):
    """A floor under the service of the worst-served account-value band (D17).

    Its share of real-time contacts started within the threshold, of those started or abandoned, should reach
    `floor_frac`; each percentage point short costs `usd_per_point_day` for each calendar day of the horizon.
    """

    floor_frac: Probability
    usd_per_point_day: Usd


class Scenario(_Part):
    """A blended center over one horizon."""

    name: str
    description: str = ""
    horizon: Horizon = Horizon()
    channels: tuple[Channel, ...] = Field(min_length=1)
    groups: tuple[Group, ...] = Field(min_length=1)
    business_hours: tuple[OpeningHours, ...] = ()
    segments: tuple[Segment, ...] = ()
    scripted_contacts: tuple[ScriptedContact, ...] = ()
    replay: Replay | None = None
    clients: tuple[Client, ...] = ()
    fairness: Fairness | None = None
    preferred_rep: PreferredRep = PreferredRep()
    churn: Churn = Churn()
    costs: Costs = Costs()
    value_bands_usd: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(), max_length=3)
    suspended_limit: int = Field(default=3, ge=0)
    review: Literal["on_change", "every_event"] = "on_change"
    review_interval_s: float = Field(default=120.0, gt=0)
    observation: Literal["full", "markov"] = "full"
    terminal_charge: Literal["expected", "none"] = "expected"
    census_at_s: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(), max_length=16)
    _recording: Recording | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check(self) -> "Scenario":
        by_name = {channel.name: channel for channel in self.channels}
        self._check_names()
        self._check_references(by_name)
        self._check_segments()
        self._check_staffing()
        self._check_clients(by_name)
        if self.fairness is not None and not self.value_bands_usd:
            raise InvalidValueError(("fairness",), "needs value_bands_usd, which the scenario does not state")
        for i, (low, high) in enumerate(pairwise(self.value_bands_usd), start=1):
            if high <= low:
                raise InvalidValueError(("value_bands_usd", i), f"must be > {low:g} USD: value bands increase")
        self._check_censuses()
        self._read_replay()
        return self

    def _check_censuses(self) -> None:
        horizon_s = self.horizon.days * DAY_S
        for i, time_s in enumerate(self.census_at_s):
            if time_s > horizon_s:
                raise InvalidValueError(("census_at_s", i), f"must be <= {horizon_s:g} seconds, the end of the horizon")
            if i and time_s <= self.census_at_s[i - 1]:
                raise InvalidValueError(
                    ("census_at_s", i), f"must be > {self.census_at_s[i - 1]:g} seconds: they increase"
                )

    def _read_replay(self) -> None:
        if self.replay is None:
            return
        file = Path(self.replay.file)
        if not file.is_file():
            raise InvalidValueError(("replay", "file"), f"no such file: {shown_path(file)}")
        self._recording = read_recording(
            file,
            {channel.name: channel.is_real_time for channel in self.channels},
            self.horizon.days * DAY_S,
            sum(group.count for group in self.groups),
        )
        for i, channel in enumerate(self.channels):
            if channel.is_unlimited and any((day["queue"] == i).any() for day in self._recording.days):
                raise InvalidValueError(
                    ("replay", "file"), f"has contacts of channel {channel.name}, whose supply is unlimited"
                )

    def _check_names(self) -> None:
        for label, names in (
            ("channels", [channel.name for channel in self.channels]),
            ("groups", [group.name for group in self.groups]),
            ("segments", [segment.name for segment in self.segments]),
            ("clients", [client.name for client in self.clients]),
        ):
            for i, name in enumerate(names):
                if name in names[:i]:
                    raise InvalidValueError((label, i, "name"), f"stands twice in {label}: names must differ")

    def _check_staffing(self) -> None:
        for i, channel in enumerate(self.channels):
            skilled = [group for group in self.groups if channel.name in group.skills]
            if not skilled:
                raise InvalidValueError(
                    ("channels", i, "name"),
                    "no group has this skill, so the staffing can never serve the channel",
                )
            if not any(group.works_within(self.horizon) for group in skilled):
                raise InvalidValueError(
                    ("channels", i, "name"),
                    "no group with this skill has a shift within the horizon, so the staffing can never "
                    "serve the channel",
                )

    def _check_references(self, by_name: dict[str, Channel]) -> None:
        def require(path: tuple[str | int, ...], name: str | None, *, deferred: bool = False) -> None:
            if name is None:
                return
            if name not in by_name:
                known = ", ".join(by_name)
                raise InvalidValueError(path, f"no such channel (known: {known}){did_you_mean(name, by_name)}")
            if deferred and by_name[name].is_real_time:
                raise InvalidValueError(path, "must be a deferred channel")

        for i, channel in enumerate(self.channels):
            if channel.callback_offer is not None:
                require(("channels", i, "callback_offer", "to"), channel.callback_offer.to, deferred=True)
            if channel.error.rework is not None:
                require(("channels", i, "error", "rework", "to"), channel.error.rework.to, deferred=True)
            follow_up, resolution = channel.follow_up, channel.resolution
            if follow_up is not None:
                if follow_up.to is None and channel.is_real_time:
                    raise InvalidValueError(("channels", i, "follow_up", "to"), "missing key: a deferred channel")
                require(("channels", i, "follow_up", "to"), follow_up.to, deferred=True)
            if resolution is not None and resolution.returns is not None:
                require(("channels", i, "resolution", "returns", "to"), resolution.returns.to)
            if resolution is not None and resolution.escalates is not None:
                require(("channels", i, "resolution", "escalates", "to"), resolution.escalates.to)
            if follow_up is not None:
                self._check_follow_up(i, by_name[follow_up.to or channel.name])
            if channel.due is not None and channel.due.clock == "business" and not self.business_hours:
                raise InvalidValueError(
                    ("channels", i, "due", "clock"), "needs business_hours, which the scenario does not state"
                )
        for i, group in enumerate(self.groups):
            for j, skill in enumerate(group.skills):
                require(("groups", i, "skills", j), skill)
            for skill in group.proficiency:
                require(("groups", i, "proficiency", skill), skill)
                if skill not in group.skills:
                    raise InvalidValueError(
                        ("groups", i, "proficiency", skill),
                        f"must be one of the group's skills ({', '.join(group.skills)})",
                    )
            self._check_breaks(i, group)
            self._check_capacity(i, group, by_name)
            self._check_home_channel(i, group, require)
        for i, contact in enumerate(self.scripted_contacts):
            require(("scripted_contacts", i, "channel"), contact.channel)
            self._check_script(i, contact, by_name[contact.channel])
            n_reps = sum(group.count for group in self.groups)
            if contact.preferred_rep is not None and contact.preferred_rep >= n_reps:
                raise InvalidValueError(
                    ("scripted_contacts", i, "preferred_rep"), f"must be < {n_reps}, the number of reps"
                )
            if contact.at_s >= self.horizon.days * DAY_S:
                raise InvalidValueError(
                    ("scripted_contacts", i, "at_s"),
                    f"must be < {self.horizon.days * DAY_S:g} seconds, the end of the horizon",
                )

    def _check_follow_up(self, i: int, target: Channel) -> None:
        path = ("channels", i, "follow_up", "to")
        if target.due is not None and target.due.hidden_after is not None:
            raise InvalidValueError(path, f"must have due times that are told, not hidden ({target.name})")
        if target.is_unlimited:
            raise InvalidValueError(path, f"must not be a list of unlimited supply ({target.name})")

    def _check_script(self, i: int, contact: ScriptedContact, channel: Channel) -> None:
        if channel.is_unlimited:
            raise InvalidValueError(("scripted_contacts", i, "channel"), "must not be a list of unlimited supply")
        if contact.amount_owed is not None and channel.collection is None:
            raise InvalidValueError(
                ("scripted_contacts", i, "amount_owed"), f"has no meaning on channel {channel.name}: no collection"
            )

    def _check_capacity(self, i: int, group: Group, by_name: dict[str, Channel]) -> None:
        if group.absence_prob > 0 and group.shifts is None:
            raise InvalidValueError(("groups", i, "absence_prob"), "needs shifts, which the group does not state")
        shared = [by_name[skill] for skill in group.skills if by_name[skill].concurrency is not None]
        if group.capacity_units > 1 and not shared:
            raise InvalidValueError(
                ("groups", i, "capacity_units"), "must be 1: no channel of the group's skills has concurrency"
            )
        for channel in shared:
            assert channel.concurrency is not None
            if channel.concurrency.units > group.capacity_units:
                raise InvalidValueError(
                    ("groups", i, "capacity_units"),
                    f"must be >= {channel.concurrency.units}, the units that a contact of {channel.name} takes",
                )
            least_units = min(other.concurrency.units for other in shared if other.concurrency is not None)
            most = 1 + (group.capacity_units - channel.concurrency.units) // least_units
            if len(channel.concurrency.speed_frac) < most:
                place = [other.name for other in self.channels].index(channel.name)
                raise InvalidValueError(
                    ("channels", place, "concurrency", "speed_frac"),
                    f"has {len(channel.concurrency.speed_frac)} entries: must be >= {most}, the contacts that a rep of "
                    f"{group.name} can hold with one of these",
                )

    def most_held(self, group: Group) -> int:
        """Return how many contacts a rep of `group` can hold at a time."""
        shared = (channel.concurrency for channel in self.channels if channel.name in group.skills)
        units = [concurrency.units for concurrency in shared if concurrency is not None]
        return max(group.capacity_units // min(units), 1) if units else 1

    def _check_breaks(self, i: int, group: Group) -> None:
        for j, shift in enumerate(group.shifts or ()):
            for k, pause in enumerate(shift.breaks):
                start_s = (pause.start - shift.start) % DAY_S
                end_s = start_s + (group.count - 1) * pause.stagger_s + pause.length_s
                if not 0.0 < start_s < shift.length_s or end_s >= shift.length_s:
                    raise InvalidValueError(
                        ("groups", i, "shifts", j, "breaks", k),
                        "must begin and end within its shift, for the last rep of the group too",
                    )

    def _check_clients(self, by_name: dict[str, Channel]) -> None:
        owner: dict[str, str] = {}
        for i, client in enumerate(self.clients):
            for j, name in enumerate(client.channels):
                if name not in by_name:
                    known = ", ".join(by_name)
                    raise InvalidValueError(
                        ("clients", i, "channels", j), f"no such channel (known: {known}){did_you_mean(name, by_name)}"
                    )
                if name in owner:
                    raise InvalidValueError(("clients", i, "channels", j), f"belongs to client {owner[name]} already")
                owner[name] = client.name
            for j, target in enumerate(client.targets):
                if target.channel not in client.channels:
                    raise InvalidValueError(
                        ("clients", i, "targets", j, "channel"),
                        f"must be one of the client's channels ({', '.join(client.channels)})",
                    )
                if target.channel in [other.channel for other in client.targets[:j]]:
                    raise InvalidValueError(("clients", i, "targets", j, "channel"), "has a target already")

    def _check_home_channel(self, i: int, group: Group, require: Callable[..., None]) -> None:
        path: tuple[str | int, ...] = ("groups", i, "home_channel")
        homes = group.home_channel
        for home in dict.fromkeys(filter(None, group.home_channels())):
            place = (*path, home) if isinstance(homes, dict) else path
            require(place, home)
            if home not in group.skills:
                raise InvalidValueError(place, f"must be one of the group's skills ({', '.join(group.skills)})")
        if isinstance(homes, dict) and sum(homes.values()) != group.count:
            raise InvalidValueError(path, f"names {sum(homes.values())} reps: must be count = {group.count}")

    def _check_segments(self) -> None:
        shares = {segment.name: segment.share_frac for segment in self.segments}
        if self.segments and abs(sum(shares.values()) - 1.0) > 1e-6:
            raise InvalidValueError(("segments",), f"share_frac sums to {sum(shares.values()):g}: must sum to 1")
        for i, channel in enumerate(self.channels):
            path: tuple[str | int, ...] = ("channels", i, "segment_shares")
            for name in channel.segment_shares or {}:
                if name not in shares:
                    raise InvalidValueError(
                        (*path, name),
                        f"no such segment (known: {', '.join(shares) or 'none'}){did_you_mean(name, shares)}",
                    )
            if channel.segment_shares is not None and abs(sum(channel.segment_shares.values()) - 1.0) > 1e-6:
                raise InvalidValueError(path, f"sums to {sum(channel.segment_shares.values()):g}: must sum to 1")

    def attention_frac(self, channel: Channel) -> float:
        """Return the rep time that a second of work on `channel` takes at least: less than 1 where reps can hold
        several contacts, the mean over those with the skill when they hold as many as serve most."""
        if channel.concurrency is None:
            return 1.0
        needs = 0.0
        skilled = [group for group in self.groups if channel.name in group.skills]
        for group in skilled:
            speeds = channel.concurrency.speed_frac[: group.capacity_units // channel.concurrency.units]
            needs += group.count / max(held * speed for held, speed in enumerate(speeds, start=1))
        return needs / sum(group.count for group in skilled)

    @property
    def has_concurrency(self) -> bool:
        """True if some rep may hold several contacts; then the action table has the lens `least_loaded`."""
        return any(self.most_held(group) > 1 for group in self.groups)

    @property
    def has_unequal_speeds(self) -> bool:
        """True if reps differ in speed; then the action table has the lens `fastest`."""
        return any(proficiency.speed != 1 for group in self.groups for proficiency in group.proficiency.values()) or (
            self.has_preferred_reps and self.preferred_rep.speed != 1
        )

    @property
    def recording(self) -> Recording | None:
        """The content of the file that `replay` names, read once; part of what makes two scenarios equal."""
        return self._recording

    @property
    def has_preferred_reps(self) -> bool:
        """True if some customer has a preferred rep; then the action table has the lens `preferred`."""
        return (
            any(segment.preferred_rep_prob > 0 for segment in self.segments)
            or any(contact.preferred_rep is not None for contact in self.scripted_contacts)
            or (self.recording is not None and self.recording.states("preferred_rep"))
        )

    def channel_index(self, name: str) -> int:
        """Return the position of channel `name`; -1 if there is none."""
        return next((i for i, channel in enumerate(self.channels) if channel.name == name), -1)


def load_scenario(name_or_path: str | Path | Scenario, overrides: tuple[str, ...] = ()) -> Scenario:
    """Return the checked scenario of that name in `configs/scenarios/`, or of that file; see `load_scenario_as`."""
    return name_or_path if isinstance(name_or_path, Scenario) else load_scenario_as(Scenario, name_or_path, overrides)


AnyScenario = TypeVar("AnyScenario", bound=Scenario)


def load_scenario_as(
    model: type[AnyScenario], name_or_path: str | Path, overrides: tuple[str, ...] = ()
) -> AnyScenario:
    """Return the checked scenario of that name in `configs/scenarios/`, or of that file, as an instance of `model`,
    which may ask for more.

    A file that `extends` another is merged over it first (`envs.config_inheritance`). `overrides` are
    `dotted.key=value` texts, applied last, before the check. A relative `replay.file` begins in the folder of the file
    that names it, in an override in the working directory. Raises `ConfigurationError` with file, line, path, value
    and rule for whatever is wrong.
    """
    document = resolve_extends(load_yaml(find_config(name_or_path, "scenarios")), "scenarios", "scenario")
    if overrides:
        document = apply_overrides(document, list(overrides))
    return validate(_find_recording(document), model, "scenario")


def _find_recording(document: Document) -> Document:
    """Return the document with the whole path of the file that `replay` names."""
    path = ("replay", "file")
    replayed = document.data.get("replay") if isinstance(document.data, dict) else None
    if not isinstance(replayed, dict) or not isinstance(replayed.get("file"), str):
        return document
    base = Path() if document.origin(path) == "--set" else document.place_of(path).file.parent
    located = {**replayed, "file": str((base / replayed["file"]).resolve())}
    return replace(document, data={**document.data, "replay": located})
