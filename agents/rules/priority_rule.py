"""The rule `priority` as a user states it: an order of channels, and what goes with it.

Room: `agents.rules`. Touches the scenario and the settings of `agents.rules.compiled.priority`; runs nothing.

Of these parts are made the policies of which theory has exact answers: non-preemptive priority (Cobham 1954, Journal
of the Operations Research Society of America 2(1)), interrupting priority, threshold reservation (Gans and Zhou 2003,
Operations Research 51(2)), blending thresholds (Bhulai and Koole 2003, IEEE Transactions on Automatic Control 48(8)),
and a callback offered at a length of the queue.
"""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agents.rules.compiled.priority import (
    N_QUEUE_SETTINGS,
    P_ASSIGN,
    P_BY_URGENCY,
    P_FIRST_AT,
    P_FIRST_QUEUE,
    P_INTERRUPT_AT,
    P_KEEP_FREE,
    P_OFFER_AT,
    P_PLACE,
    P_RESERVE,
)
from agents.rules.markov_needs import slack_tells_more
from agents.rules.rule import (
    AssignLens,
    FreeParameter,
    Rule,
    keep_free_parameters,
)
from agents.rules.rule_policy import RulePolicy, n_settings
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario

Reps = Annotated[int, Field(ge=0)]


class PriorityRule(Rule):
    """Serve channels in an order, and contacts of a channel as they came; own suspended work before new work of its
    channel.

    Attributes:
        rule: `priority`.
        name: of the row in tables.
        order: channels, the first served first; default: real-time channels, then deferred ones, as the scenario lists
            them. Must name every channel.
        first_at: of a channel, the number of its contacts, waiting or suspended, at which it goes before all others.
        by_urgency: deferred channels of which the contact with the least slack is served before the oldest.
        reserve: of a channel, reps with its skill to be kept free of it: one of its contacts is started only while
            more than so many hold nothing. A blending threshold c of n reps is a reserve of n - c.
        keep_free: of a channel, reps with its skill to be kept free of all other channels: such a rep starts or resumes
            a contact of another one only while more than so many hold nothing.
        interrupt: channels whose contacts suspend deferred work if no rep with the skill is free: of a rep who is
            picking up anyway, else of the one with the least progress.
        interrupt_at: of a channel in `interrupt`, how many of its contacts must wait for that; default 1.
        offer_at: of a channel, the number of its waiting contacts that an arrival, for whom no rep is free, must find
            to be offered a callback; nobody is offered one later.
        assign: the lens by which a contact chooses between free reps.
    """

    rule: Literal["priority"]
    name: str = "priority"
    order: tuple[str, ...] = ()
    first_at: dict[str, Reps] = Field(default={})
    by_urgency: tuple[str, ...] = ()
    reserve: dict[str, Reps] = Field(default={})
    keep_free: dict[str, Reps] = Field(default={})
    interrupt: tuple[str, ...] = ()
    interrupt_at: dict[str, Reps] = Field(default={})
    offer_at: dict[str, Reps] = Field(default={})
    assign: AssignLens = "longest_idle"

    def make(self, scenario: Scenario) -> RulePolicy:
        """Return the policy for `scenario`; raises `ConfigurationError` where a part makes no sense in it."""
        return RulePolicy("priority", scenario, self._settings(scenario), needs=self.hidden_fields(scenario))

    def free_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        """Return the reserve of every deferred channel, and what may be kept free (`keep_free_parameters`)."""
        n_reps = sum(group.count for group in scenario.groups)
        deferred = [channel.name for channel in scenario.channels if not channel.is_real_time]
        reserves = (FreeParameter(f"reserve.{name}", 0, n_reps - 1, is_integer=True) for name in deferred)
        return (*reserves, *keep_free_parameters(scenario))

    def hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        """Return `waited_s` if callbacks are offered to arrivals only, the order itself needs no wait; `slack_s` where
        the order of urgency needs it."""
        by_slack = any(slack_tells_more(channel) for channel in scenario.channels if channel.name in self.by_urgency)
        return ("waited_s",) * bool(self.offer_at) + ("slack_s",) * by_slack

    def _settings(self, scenario: Scenario) -> NDArray[np.float64]:
        names = [channel.name for channel in scenario.channels]
        by_kind = sorted(scenario.channels, key=lambda channel: not channel.is_real_time)
        order = self.order or tuple(channel.name for channel in by_kind)
        self.check_order(order, scenario)
        for key, listed in (
            ("first_at", tuple(self.first_at)),
            ("by_urgency", self.by_urgency),
            ("reserve", tuple(self.reserve)),
            ("keep_free", tuple(self.keep_free)),
            ("interrupt", self.interrupt),
            ("interrupt_at", tuple(self.interrupt_at)),
            ("offer_at", tuple(self.offer_at)),
        ):
            self.check_channels(key, listed, scenario)
        self._check_sense(scenario)
        settings = np.zeros(n_settings("priority", len(names)))
        settings[P_ASSIGN] = self.assign_lens(self.assign, scenario)
        of_queue = settings[P_FIRST_QUEUE:].reshape(len(names), N_QUEUE_SETTINGS)
        for queue, name in enumerate(names):
            of_queue[queue, P_PLACE] = order.index(name)
            of_queue[queue, P_RESERVE] = self.reserve.get(name, 0)
            of_queue[queue, P_KEEP_FREE] = self.keep_free.get(name, 0)
            of_queue[queue, P_FIRST_AT] = self.first_at.get(name, np.inf)
            of_queue[queue, P_BY_URGENCY] = name in self.by_urgency
            of_queue[queue, P_INTERRUPT_AT] = self.interrupt_at.get(name, 1) if name in self.interrupt else np.inf
            of_queue[queue, P_OFFER_AT] = self.offer_at.get(name, np.inf)
        return settings

    def _check_sense(self, scenario: Scenario) -> None:
        by_name = {channel.name: channel for channel in scenario.channels}
        for name in self.interrupt:
            if not by_name[name].is_real_time:
                raise ConfigurationError(f"policy {self.name}.interrupt = {name!r}: must be a real-time channel")
        for name in self.interrupt_at:
            if name not in self.interrupt:
                raise ConfigurationError(
                    f"policy {self.name}.interrupt_at = {name!r}: must be one of interrupt "
                    f"({', '.join(self.interrupt)})"
                )
        for name in self.by_urgency:
            if by_name[name].due is None:
                raise ConfigurationError(f"policy {self.name}.by_urgency = {name!r}: the channel has no due times")
        for name in self.offer_at:
            if by_name[name].callback_offer is None:
                raise ConfigurationError(f"policy {self.name}.offer_at = {name!r}: the channel has no callback_offer")
