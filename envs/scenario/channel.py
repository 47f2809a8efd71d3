"""A channel: how its contacts wait, are promised, are handled, and what mishaps cost (D1, D2, D6, D9, D14).

Room: `envs.scenario`. Checked and frozen; reads nothing.
"""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from envs.errors import InvalidValueError
from envs.scenario.customers import Arrivals, InitialBacklog
from envs.scenario.distributions import AccountValue, Duration
from envs.scenario.outcomes import (
    CallbackOffer,
    Error,
    FollowUp,
    Redial,
    Resolution,
)
from envs.scenario.parts import (
    Part,
    Probability,
    Usd,
)


class Due(Part):
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


class Reach(Part):
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


class Collection(Part):
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


class Concurrency(Part):
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


class Harm(Part):
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


class ChannelCosts(Part):
    """Direct costs of a channel in USD, on top of the expected loss of accounts."""

    abandonment_usd: Usd = 0.0
    blocked_usd: Usd = 0.0
    late_usd: Usd = 0.0
    error_usd: Usd = 0.0
    unresolved_usd: Usd = 0.0
    holding_usd_per_hour: Usd = 0.0
    waiting_usd_per_hour: Usd = 0.0
    overdue_waiting_usd_per_hour: Usd = 0.0


class Channel(Part):
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
    pick_up_by_others: Duration | None = None
    pick_up_mode: Literal["restart", "accumulate"] = "restart"
    initial_backlog: InitialBacklog | None = None

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
            "pick_up_by_others": self.pick_up_by_others,
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
        if self.pick_up_by_others is not None and not self.interruptible:
            raise InvalidValueError(
                ("pick_up_by_others",), f"has no meaning on a channel that is not interruptible ({self.name})"
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
    def pick_up_by_other(self) -> Duration | None:
        """The law of the pick-up by a rep who did not work on the contact last: `pick_up_by_others`, or where that is
        left out `pick_up`."""
        return self.pick_up if self.pick_up_by_others is None else self.pick_up_by_others

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
