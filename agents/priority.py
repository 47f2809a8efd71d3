"""The rule `priority` as a user states it: an order of channels, and what goes with it.

Room: `agents`. Touches the scenario and the settings of `agents.rules`; runs nothing.

Of these parts are made the policies of which theory has exact answers: non-preemptive priority (Cobham 1954, Journal
of the Operations Research Society of America 2(1)), interrupting priority, threshold reservation (Gans and Zhou 2003,
Operations Research 51(2)), blending thresholds (Bhulai and Koole 2003, IEEE Transactions on Automatic Control 48(8)),
and a callback offered at a length of the queue.
"""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agents.baselines import Baseline
from agents.rule import FreeParameter, Rule
from agents.rules import N_QUEUE_SETTINGS, P_ASSIGN, P_FIRST_QUEUE, P_INTERRUPTS, P_OFFER_AT, P_PLACE, P_RESERVE
from envs.actions import action_table
from envs.config_message import did_you_mean
from envs.errors import ConfigurationError
from envs.scenario import Scenario
from envs.state import FASTEST, FEWEST_SKILLS, LEAST_LOADED, LONGEST_IDLE

ASSIGN_LENSES = {
    "longest_idle": LONGEST_IDLE,
    "fewest_skills": FEWEST_SKILLS,
    "least_loaded": LEAST_LOADED,
    "fastest": FASTEST,
}

Reps = Annotated[int, Field(ge=0)]


class PriorityRule(Rule):
    """Serve channels in an order, and contacts of a channel as they came; own suspended work before new work of its
    channel.

    Attributes:
        rule: `priority`.
        name: of the row in tables.
        order: channels, the first served first; default: real-time channels, then deferred ones, as the scenario lists
            them. Must name every channel.
        reserve: of a channel, reps with its skill to be kept free of it: one of its contacts is started only while
            more than so many hold nothing. A blending threshold c of n reps is a reserve of n - c.
        interrupt: channels whose contacts suspend deferred work if no rep with the skill is free: of a rep who is
            picking up anyway, else of the one with the least progress.
        offer_at: of a channel, the number of its waiting contacts that an arrival, for whom no rep is free, must find
            to be offered a callback; nobody is offered one later.
        assign: the lens by which a contact chooses between free reps.
    """

    rule: Literal["priority"]
    name: str = "priority"
    order: tuple[str, ...] = ()
    reserve: dict[str, Reps] = Field(default={})
    interrupt: tuple[str, ...] = ()
    offer_at: dict[str, Reps] = Field(default={})
    assign: Literal["longest_idle", "fewest_skills", "least_loaded", "fastest"] = "longest_idle"

    def make(self, scenario: Scenario) -> Baseline:
        """Return the policy for `scenario`; raises `ConfigurationError` where a part makes no sense in it."""
        return Baseline("priority", scenario, self._settings(scenario))

    def free_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        """Return the reserve of every deferred channel."""
        n_reps = sum(group.count for group in scenario.groups)
        deferred = [channel.name for channel in scenario.channels if not channel.is_real_time]
        return tuple(FreeParameter(f"reserve.{name}", 0, n_reps - 1, is_integer=True) for name in deferred)

    def hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        """Return `waited_s` if callbacks are offered to arrivals only; the order itself needs no wait."""
        return ("waited_s",) if self.offer_at else ()

    def _settings(self, scenario: Scenario) -> NDArray[np.float64]:
        names = [channel.name for channel in scenario.channels]
        by_kind = sorted(scenario.channels, key=lambda channel: not channel.is_real_time)
        order = self.order or tuple(channel.name for channel in by_kind)
        if sorted(order) != sorted(names):
            raise ConfigurationError(
                f"policy {self.name}.order = {', '.join(order)}: must name every channel of scenario {scenario.name} "
                f"once ({', '.join(names)})"
            )
        for key, listed in (
            ("reserve", tuple(self.reserve)),
            ("interrupt", self.interrupt),
            ("offer_at", tuple(self.offer_at)),
        ):
            for name in listed:
                if name not in names:
                    known = f"no such channel in scenario {scenario.name} (known: {', '.join(names)})"
                    raise ConfigurationError(f"policy {self.name}.{key} = {name!r}: {known}{did_you_mean(name, names)}")
        self._check_sense(scenario)
        settings = np.zeros(P_FIRST_QUEUE + len(names) * N_QUEUE_SETTINGS)
        settings[P_ASSIGN] = ASSIGN_LENSES[self.assign]
        of_queue = settings[P_FIRST_QUEUE:].reshape(len(names), N_QUEUE_SETTINGS)
        for queue, name in enumerate(names):
            of_queue[queue, P_PLACE] = order.index(name)
            of_queue[queue, P_RESERVE] = self.reserve.get(name, 0)
            of_queue[queue, P_INTERRUPTS] = name in self.interrupt
            of_queue[queue, P_OFFER_AT] = self.offer_at.get(name, np.inf)
        return settings

    def _check_sense(self, scenario: Scenario) -> None:
        by_name = {channel.name: channel for channel in scenario.channels}
        for name in self.interrupt:
            if not by_name[name].is_real_time:
                raise ConfigurationError(f"policy {self.name}.interrupt = {name!r}: must be a real-time channel")
        for name in self.offer_at:
            if by_name[name].callback_offer is None:
                raise ConfigurationError(f"policy {self.name}.offer_at = {name!r}: the channel has no callback_offer")
        if f"assign:{self.assign}" not in [action.name for action in action_table(scenario)]:
            raise ConfigurationError(
                f"policy {self.name}.assign = {self.assign!r}: has no meaning in scenario {scenario.name}, "
                "where all reps are equal in this"
            )
