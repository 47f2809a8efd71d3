"""What the center owes: prices that are no channel's own, statements of work, the floor of fairness (D7, D17).

Room: `envs.scenario`. Checked and frozen; reads nothing.
"""

from typing import Literal

from pydantic import Field

from envs.interface.cost_terms import CostTerm
from envs.scenario.parts import (
    Part,
    Probability,
    Usd,
)


class Costs(Part):
    """Prices that are not a channel's own, and the weight of each cost term in the total."""

    weights: dict[CostTerm, Usd] = Field(default={})
    interruption_usd: Usd = 0.0
    pick_up_usd_per_hour: Usd = 0.0
    callback_usd: Usd = 0.0
    overtime_usd_per_hour: Usd = 0.0


class ServiceLevel(Part):
    """Who counts in a service level, of a channel, a client's target and an account-value band alike.

    It is the share of contacts started within the threshold, of all that arrived and were not blocked. Of these, those
    who hang up within the threshold are counted or left out, and so are, with `short_abandon_s`, those who hang up
    after at most so many seconds, whatever the threshold.
    """

    abandoned_within_threshold: Literal["counted", "left_out"] = "counted"
    short_abandon_s: float | None = Field(default=None, ge=0)

    def left_out_within_s(self, threshold_s: float) -> float:
        """Return the wait, seconds, up to which who hangs up is left out where the threshold is `threshold_s`; -1 if
        nobody is."""
        short_s = -1.0 if self.short_abandon_s is None else self.short_abandon_s
        return max(short_s, threshold_s) if self.abandoned_within_threshold == "left_out" else short_s


class Target(Part):
    """What a statement of work promises for one channel over the horizon, and the price of missing it.

    For a real-time channel `at_least_frac` is a service level, for a deferred one an on-time share. Each percentage
    point short costs `usd_per_point_day` for each calendar day of the horizon.
    """

    channel: str
    at_least_frac: Probability
    usd_per_point_day: Usd


class Client(Part):
    """A company for which the center works, and its statement of work (D7).

    `fee_usd` is earned with each handled contact; where a contact is lost instead, it is charged as income forgone.
    `technology_usd` is paid for each handled contact.
    """

    name: str
    channels: tuple[str, ...] = Field(min_length=1)
    fee_usd: Usd = 0.0
    technology_usd: Usd = 0.0
    targets: tuple[Target, ...] = ()


class Fairness(Part):
    """A floor under the service of the worst-served account-value band (D17).

    Its service level, over all real-time channels, should reach `floor_frac`; each percentage point short costs
    `usd_per_point_day` for each calendar day of the horizon.
    """

    floor_frac: Probability
    usd_per_point_day: Usd
