"""How a contact may end: redial, callback, follow-up, return, escalation, error and rework (D1, D3, D4, D5, D9, D13).

Room: `envs.scenario`. Checked and frozen; reads nothing.
"""

from pydantic import Field, model_validator

from envs.errors import InvalidValueError
from envs.scenario.distributions import Duration
from envs.scenario.parts import Part, Probability


class Redial(Part):
    """A caller who abandoned calls again with probability `prob` after `delay`, with a new patience."""

    prob: Probability
    delay: Duration

    @model_validator(mode="after")
    def _check(self) -> "Redial":
        if self.delay.mean_duration_s < 1:  # customers without patience would dial nearly for ever in the same second
            raise InvalidValueError(("delay",), "must be >= 1 second on average")
        return self


class CallbackOffer(Part):
    """Once per contact, when nobody suitable is free, the router may offer a callback (D5).

    An accepted callback needs approval (D4): with `refusal_prob` it is refused, and the customer, who was promised a
    call that will not come, is charged as a missed due time of channel `to`; else it joins that channel after
    `approval_delay_s`.
    """

    to: str
    accept_prob: Probability
    approval_delay_s: float = Field(default=0.0, ge=0)
    refusal_prob: Probability = 0.0


class FollowUp(Part):
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


class Return(Part):
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


class Escalation(Part):
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


class Resolution(Part):
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


class Rework(Part):
    """An error comes back as work on channel `to` after `delay_s`, with `work_frac` of the first handling."""

    to: str
    delay_s: float = Field(ge=0)
    work_frac: float = Field(gt=0, le=1)


class Error(Part):
    """The chance of an error when a contact is completed, raised by every interruption it suffered (D9)."""

    prob: Probability = 0.0
    per_interruption_prob: Probability = 0.0
    rework: Rework | None = None
