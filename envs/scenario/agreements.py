"""What the center owes: prices that are no channel's own, statements of work, the floor of fairness (D7, D17).

Room: `envs.scenario`. Checked and frozen; reads nothing.
"""

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

    Its share of real-time contacts started within the threshold, of those started or abandoned, should reach
    `floor_frac`; each percentage point short costs `usd_per_point_day` for each calendar day of the horizon.
    """

    floor_frac: Probability
    usd_per_point_day: Usd
