"""The index rules as a user states them: a ranking of contacts, and the components that go with any of them.

Room: `agents.rules`. Touches the scenario and the settings of `agents.rules.compiled.formulas`; runs nothing.
`docs/policies.md` lists the rules with formula and source.
"""

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal, NoReturn, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from agents.rules.compiled import formulas as settings_of
from agents.rules.markov_needs import disturbed_slack_tells_more
from agents.rules.queue_facts import QueueFacts, queue_facts
from agents.rules.rule import (
    AssignLens,
    FreeParameter,
    Rule,
    keep_free_parameters,
)
from agents.rules.rule_policy import RulePolicy, n_settings
from envs.errors import ConfigurationError
from envs.scenario.channel import Channel
from envs.scenario.scenario import Scenario

Mode = Literal["never", "always", "priced"]
Reps = Annotated[float, Field(ge=0)]
Weight = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Floats = NDArray[np.float64]
MOST_FREE_CHANNELS = 3
"""Channels at most for each of which a rule has a free parameter."""


class IndexRule(Rule):
    """Serve the contact of the highest index; what all index rules have in common.

    A waiting contact with a free rep is assigned, unless its queue is reserved or somebody waits whose index may be
    higher and whom a free rep can serve: then it waits, and the rep, who is asked next, chooses. What waits elsewhere
    it knows from the queues' fields alone, so it allows for the most urgent contact that these leave possible.

    Attributes:
        rule: which ranking.
        name: of the row in tables; default: the rule's.
        deferred_factor: of the index of deferred contacts (a negative index is divided by it).
        reserve: of a channel, reps with its skill who are kept free of it: its contacts are started or resumed only
            while more than so many hold nothing.
        keep_free: of a channel, reps with its skill who are kept free of all other channels: such a rep starts or
            resumes a contact of another one only while more than so many hold nothing.
        reserve_deferred: a `reserve` of all deferred channels, on top.
        reserve_per_forecast: reps kept free of deferred work per 100 real-time arrivals an hour forecast, on top.
        urgent_relief: reps fewer that are kept free of deferred work that is due now or overdue.
        urgent_within_h: scale of the time to the due time over which that fades, hours.
        reserve_by_stake: reps kept free of a real-time contact per factor e by which its stake + 1 USD is below
            `open_stake_usd` + 1 USD, on top.
        open_stake_usd: the stake from which on none are.
        interrupt: whether a real-time contact for whom no rep is free takes one out of deferred work: `always` the one
            who is picking up anyway, else of the least progress; `priced` where `interrupt_gain` x the caller's
            expected loss until a rep would come free exceeds the price of the cheapest interruption open.
        interrupt_gain: that factor.
        rep_hour_usd: what an hour of a rep is worth, to price pick-up time, USD.
        offer: whether such a contact is offered a callback: `priced` where acceptance x its expected loss exceeds
            `offer_price_factor` x the callback's expected price + `offer_margin_usd`.
        offer_price_factor: that factor.
        offer_margin_usd: that margin, USD.
        assign: the lens by which a contact chooses between free reps.
    """

    rule: str
    name: str = ""
    deferred_factor: Weight = 1.0
    reserve: dict[str, Reps] = Field(default={})
    keep_free: dict[str, Annotated[int, Field(ge=0)]] = Field(default={})
    reserve_deferred: Reps = 0.0
    reserve_per_forecast: NotNegative = 0.0
    urgent_relief: NotNegative = 0.0
    urgent_within_h: Weight = 3.0
    reserve_by_stake: NotNegative = 0.0
    open_stake_usd: NotNegative = 100.0
    interrupt: Mode = "never"
    interrupt_gain: Weight = 1.0
    rep_hour_usd: Weight = 60.0
    offer: Mode = "never"
    offer_price_factor: NotNegative = 1.0
    offer_margin_usd: float = 0.0
    assign: AssignLens = "longest_idle"

    formula: ClassVar[str] = "linear"
    """Of `agents.rules.compiled.formulas.FORMULAS`; a rule that is called as one of them takes that."""
    scales_deferred: ClassVar[bool] = True
    """Whether `deferred_factor` changes the order between deferred and real-time contacts."""
    has_own_reserve: ClassVar[bool] = False
    """Whether a parameter of the ranking itself keeps reps free of deferred work."""

    @model_validator(mode="before")
    @classmethod
    def _take_the_name_of_the_rule(cls, data: Any) -> Any:
        return {**data, "name": data.get("rule", "")} if isinstance(data, dict) and not data.get("name") else data

    def make(self, scenario: Scenario) -> RulePolicy:
        """Return the policy for `scenario`; raises `ConfigurationError` where the rule or a part of it makes no sense
        there."""
        kept = [self.keep_free.get(channel.name, 0) for channel in scenario.channels]
        settings, needs = np.append(self.settings(scenario), np.array(kept, float)), self.hidden_fields(scenario)
        return RulePolicy("index_rule", scenario, settings, needs=needs, is_by_order=self.is_by_order)

    @property
    def is_by_order(self) -> bool:
        """True if of the waits the rule needs only who came first."""
        return False

    def settings(self, scenario: Scenario) -> Floats:
        """Return the settings of `agents.rules.compiled.index.index_rule` for `scenario`, but those behind the blocks,
        float64; raises as `make`."""
        facts = queue_facts(scenario)
        self.check_channels("reserve", self.reserve, scenario)
        self.check_channels("keep_free", self.keep_free, scenario)
        self._check_sense(scenario, facts)
        s = settings_of
        settings = np.zeros(n_settings("ranking", len(facts)))
        settings[s.I_FORMULA] = s.formula_code(self.rule if self.rule in s.FORMULAS else self.formula)
        settings[s.I_POWER] = settings[s.I_LOOK_AHEAD_H] = settings[s.I_LEAVE_PER_H] = 1.0
        settings[s.I_FLOOR] = -np.inf
        settings[s.I_ASSIGN] = self.assign_lens(self.assign, scenario)
        settings[s.I_SUITS] = s.ANYBODY
        settings[s.I_RESERVE_PER_FORECAST] = self.reserve_per_forecast
        settings[s.I_URGENT_RELIEF] = self.urgent_relief
        settings[s.I_URGENT_H] = self.urgent_within_h
        settings[s.I_RESERVE_BY_STAKE] = self.reserve_by_stake
        settings[s.I_OPEN_STAKE_USD] = self.open_stake_usd
        settings[s.I_INTERRUPT] = s.COMPONENT_MODES.index(self.interrupt)
        settings[s.I_INTERRUPT_GAIN] = self.interrupt_gain
        settings[s.I_REP_HOUR_USD] = self.rep_hour_usd
        settings[s.I_OFFER] = s.COMPONENT_MODES.index(self.offer)
        settings[s.I_OFFER_PRICE_FACTOR] = self.offer_price_factor
        settings[s.I_OFFER_MARGIN_USD] = self.offer_margin_usd
        blocks = settings[s.I_FIRST_BLOCK :].reshape(len(facts), s.N_BLOCK)
        for block, channel, fact in zip(blocks, scenario.channels, facts, strict=True):
            self._fill_block(block, channel, fact)
        self._fill(settings, blocks, scenario, facts)
        return settings

    def _fill_block(self, block: Floats, channel: Channel, fact: QueueFacts) -> None:
        s = settings_of
        deferred = not channel.is_real_time
        block[s.B_FACTOR] = self.deferred_factor if deferred else 1.0
        block[s.B_RESERVE] = self.reserve.get(channel.name, 0.0) + (self.reserve_deferred if deferred else 0.0)
        block[s.B_INTERRUPTS] = channel.is_real_time
        block[s.B_COST] = fact.stake_usd * fact.promise_per_hour
        block[s.B_COST] += fact.holding_per_hour if deferred else fact.loss_per_hour
        block[s.B_OVERDUE_COST] = fact.loss_per_hour
        block[s.B_HOLDING] = fact.holding_per_hour
        block[s.B_PROMISE_PER_H] = fact.promise_per_hour
        block[s.B_SERVICES_PER_H] = fact.services_per_hour
        block[s.B_WORK_S] = fact.work_s
        block[s.B_AFTER_WORK_S] = fact.after_work_s
        block[s.B_PICK_UP_S] = fact.pick_up_s
        block[s.B_ABANDON_PER_H] = fact.promise_per_hour if channel.is_real_time else 0.0
        block[s.B_STAKE_USD] = fact.stake_fixed_usd
        block[s.B_STAKE_PER_VALUE] = fact.stake_per_value
        block[s.B_LOSS_USD_H] = fact.loss_fixed_per_hour
        block[s.B_LOSS_PER_VALUE_H] = fact.loss_per_value_hour
        block[s.B_HAS_HOME] = fact.has_home

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        """Write what the ranking itself needs into the settings and their `blocks` (queues, `N_BLOCK`)."""

    @abstractmethod
    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        """Raise `ConfigurationError` where the ranking makes no sense in `scenario`."""

    def _own_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        return ()

    @abstractmethod
    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        """Return the fields of `hidden_fields` that the ranking uses."""

    def free_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        """Return the parameters of the ranking and of the components that are switched on and matter in `scenario`.

        The ends of their ranges amount to switching a component off, or to using it always.
        """
        free = list(self._own_parameters(scenario))
        facts = queue_facts(scenario)
        both = list(zip(scenario.channels, facts, strict=True))
        peak_per_hour = sum(fact.peak_per_hour for channel, fact in both if channel.is_real_time)
        n_reps = sum(group.count for group in scenario.groups)
        if has_both_kinds(scenario):
            if self.scales_deferred:
                free.append(FreeParameter("deferred_factor", 0.01, 100.0, is_log=True))
            if n_reps > 1:
                if not self.has_own_reserve:
                    free.append(FreeParameter("reserve_deferred", 0, n_reps - 1, is_integer=True))
                if peak_per_hour > 0.0 and scenario.observation == "full":
                    free.append(FreeParameter("reserve_per_forecast", 0.0, 100.0 * n_reps / peak_per_hour))
                if any(fact.lead_s > 0.0 for channel, fact in both if not channel.is_real_time):
                    free.append(FreeParameter("urgent_relief", 0.0, 2.0 * n_reps))
                    free.append(FreeParameter("urgent_within_h", 0.1, 100.0, is_log=True))
        free += keep_free_parameters(scenario)
        if n_reps > 1 and any(fact.stake_usd > 0.0 for channel, fact in both if channel.is_real_time):
            free.append(FreeParameter("reserve_by_stake", 0.0, n_reps / 4.0))
            free.append(FreeParameter("open_stake_usd", 1.0, 100_000.0, is_log=True))
        if self.interrupt == "priced" and _may_interrupt(scenario):
            free.append(FreeParameter("interrupt_gain", 0.01, 100.0, is_log=True))
            free.append(FreeParameter("rep_hour_usd", 6.0, 600.0, is_log=True))
        stakes = [
            fact.stake_usd
            for channel, fact in zip(scenario.channels, facts, strict=True)
            if channel.callback_offer is not None
        ]
        if self.offer == "priced" and stakes:
            if scenario.costs.callback_usd > 0.0:
                free.append(FreeParameter("offer_price_factor", 0.0, 10.0))
            stake_usd = max(*stakes, 1.0)
            free.append(FreeParameter("offer_margin_usd", -stake_usd, 5.0 * stake_usd))
        return tuple(free)

    def for_tuning(self, scenario: Scenario) -> Self:
        """Return the rule with priced interruptions and offers where `scenario` has them."""
        changes: dict[str, str] = {}
        if _may_interrupt(scenario):
            changes["interrupt"] = "priced"
        if any(channel.callback_offer is not None for channel in scenario.channels):
            changes["offer"] = "priced"
        return self.model_copy(update=changes)

    def hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        """Return the fields of the ranking and of the components, as `agents.rules.markov_needs.hidden_fields` does."""
        fields = list(self._own_hidden_fields(scenario))
        if self.reserve_per_forecast > 0.0 and has_both_kinds(scenario):
            fields.append("forecast_per_hour")
        if self.urgent_relief > 0.0 and deferred_names(scenario):
            fields.append("slack_s")
        if self.interrupt == "priced" and _may_interrupt(scenario) and disturbed_slack_tells_more(scenario):
            fields.append("disturbed_slack_s")
        return tuple(fields)

    def _refuse(self, scenario: Scenario, reason: str) -> NoReturn:
        raise ConfigurationError(f"policy {self.name} makes no sense in scenario {scenario.name}: {reason}")

    def _require_costs(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        if not any(fact.stake_usd * fact.promise_per_hour + fact.loss_per_hour > 0.0 for fact in facts):
            self._refuse(scenario, "waiting costs nothing on any channel")

    def _require_due_times(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        if not any(fact.lead_s > 0.0 for fact in facts):
            self._refuse(scenario, "no channel has due times or a service-level threshold")


def has_both_kinds(scenario: Scenario) -> bool:
    """Return True if `scenario` has real-time and deferred channels."""
    return len({channel.is_real_time for channel in scenario.channels}) == 2


def _may_interrupt(scenario: Scenario) -> bool:
    return has_both_kinds(scenario) and any(channel.interruptible for channel in scenario.channels)


def deferred_names(scenario: Scenario) -> list[str]:
    """Return the names of the deferred channels of `scenario`, in its order."""
    return [channel.name for channel in scenario.channels if not channel.is_real_time]
