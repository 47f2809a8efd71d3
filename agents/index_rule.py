"""The index rules as a user states them: a ranking of contacts, and the components that go with any of them.

Room: `agents`. Touches the scenario and the settings of `agents.index_rules`; runs nothing. `docs/policies.md` lists
the rules with formula and source.
"""

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal, NoReturn, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from agents import index_rules as settings_of
from agents.baselines import Baseline, disturbed_slack_tells_more, slack_tells_more
from agents.queue_facts import QueueFacts, queue_facts
from agents.rule import AssignLens, FreeParameter, Rule
from envs.errors import ConfigurationError
from envs.scenario import Channel, Scenario

Mode = Literal["never", "always", "priced"]
Reps = Annotated[float, Field(ge=0)]
Weight = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Floats = NDArray[np.float64]

MOST_FREE_CHANNELS = 3
"""Channels at most for each of which a rule has a free parameter."""
FRESH_CALL_PRIORITY = 10.0
"""Priority of a real-time contact that has just come, where a rule states none; that of a deferred one is 0."""


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
        reserve_deferred: the same for all deferred channels, on top.
        reserve_per_forecast: reps kept free of deferred work per 100 real-time arrivals an hour forecast, on top.
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
    reserve_deferred: Reps = 0.0
    reserve_per_forecast: NotNegative = 0.0
    interrupt: Mode = "never"
    interrupt_gain: Weight = 1.0
    rep_hour_usd: Weight = 60.0
    offer: Mode = "never"
    offer_price_factor: NotNegative = 1.0
    offer_margin_usd: float = 0.0
    assign: AssignLens = "longest_idle"

    formula: ClassVar[int] = settings_of.LINEAR
    scales_deferred: ClassVar[bool] = True
    """Whether `deferred_factor` changes the order between deferred and real-time contacts."""
    has_own_reserve: ClassVar[bool] = False
    """Whether a parameter of the ranking itself keeps reps free of deferred work."""

    @model_validator(mode="before")
    @classmethod
    def _take_the_name_of_the_rule(cls, data: Any) -> Any:
        return {**data, "name": data.get("rule", "")} if isinstance(data, dict) and not data.get("name") else data

    def make(self, scenario: Scenario) -> Baseline:
        """Return the policy for `scenario`; raises `ConfigurationError` where the rule or a part of it makes no sense
        there."""
        settings, needs = self.settings(scenario), self.hidden_fields(scenario)
        return Baseline("index_rule", scenario, settings, needs=needs, is_by_order=self.is_by_order)

    @property
    def is_by_order(self) -> bool:
        """True if of the waits the rule needs only who came first."""
        return False

    def settings(self, scenario: Scenario) -> Floats:
        """Return the settings of `agents.index_rules.index_rule` for `scenario`, float64; raises as `make`."""
        facts = queue_facts(scenario)
        self.check_channels("reserve", self.reserve, scenario)
        self._check_sense(scenario, facts)
        s = settings_of
        settings = np.zeros(s.I_FIRST_BLOCK + len(facts) * s.N_BLOCK)
        settings[s.I_FORMULA] = self.formula
        settings[s.I_POWER] = settings[s.I_LOOK_AHEAD_H] = settings[s.I_LEAVE_PER_H] = 1.0
        settings[s.I_FLOOR] = -np.inf
        settings[s.I_ASSIGN] = self.assign_lens(self.assign, scenario)
        settings[s.I_SUITS] = s.ANYBODY
        settings[s.I_RESERVE_PER_FORECAST] = self.reserve_per_forecast
        settings[s.I_INTERRUPT] = s.MODES.index(self.interrupt)
        settings[s.I_INTERRUPT_GAIN] = self.interrupt_gain
        settings[s.I_REP_HOUR_USD] = self.rep_hour_usd
        settings[s.I_OFFER] = s.MODES.index(self.offer)
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

    @abstractmethod
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
        both = zip(scenario.channels, facts, strict=True)
        peak_per_hour = sum(fact.peak_per_hour for channel, fact in both if channel.is_real_time)
        n_reps = sum(group.count for group in scenario.groups)
        if _has_both_kinds(scenario):
            if self.scales_deferred:
                free.append(FreeParameter("deferred_factor", 0.01, 100.0, is_log=True))
            if n_reps > 1:
                if not self.has_own_reserve:
                    free.append(FreeParameter("reserve_deferred", 0, n_reps - 1, is_integer=True))
                if peak_per_hour > 0.0 and scenario.observation == "full":
                    free.append(FreeParameter("reserve_per_forecast", 0.0, 100.0 * n_reps / peak_per_hour))
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
        """Return the fields of the ranking and of the components, as `agents.baselines.hidden_fields` does."""
        fields = list(self._own_hidden_fields(scenario))
        if self.reserve_per_forecast > 0.0 and _has_both_kinds(scenario):
            fields.append("forecast_per_hour")
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


def _has_both_kinds(scenario: Scenario) -> bool:
    return len({channel.is_real_time for channel in scenario.channels}) == 2


def _may_interrupt(scenario: Scenario) -> bool:
    return _has_both_kinds(scenario) and any(channel.interruptible for channel in scenario.channels)


def _deferred_names(scenario: Scenario) -> list[str]:
    return [channel.name for channel in scenario.channels if not channel.is_real_time]


class CmuRule(IndexRule):
    """c mu: mean cost rate of waiting x service rate, of the queue (`cmu`) or with the contact's own stake
    (`value_cmu`)."""

    rule: Literal["cmu", "value_cmu"]

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        settings[settings_of.I_FORMULA] = settings_of.FORMULAS.index(self.rule)

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        self._require_costs(scenario, facts)

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ()


class DelayCostRule(IndexRule):
    """Rankings by a delay cost that grows with a power of the age: `generalized_cmu`, `whittle`.

    Attributes:
        power: p of the delay cost stake (age / tau)^p.
    """

    rule: Literal["generalized_cmu", "whittle"]
    power: float = Field(default=2.0, ge=1, le=8)

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        settings[settings_of.I_FORMULA] = settings_of.FORMULAS.index(self.rule)
        settings[settings_of.I_POWER] = self.power
        blocks[:, settings_of.B_DRAIN_PER_H] = [_drain_per_hour(fact) for fact in facts]

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        self._require_costs(scenario, facts)
        if self.rule == "whittle" and not any(fact.arrivals_per_hour > 0.0 for fact in facts):
            self._refuse(scenario, "no channel has arrivals by rates")

    def _own_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        return (FreeParameter("power", 1.0, 4.0),)

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ("waited_s",) if self.power > 1.0 else ()


def _drain_per_hour(fact: QueueFacts) -> float:
    """Return mu - lambda of one rep; where one rep is too few, of all reps with the skill; where these are too few, a
    hundredth of what they serve."""
    for reps in (1, fact.reps):
        if reps * fact.services_per_hour > fact.arrivals_per_hour:
            return reps * fact.services_per_hour - fact.arrivals_per_hour
    return 0.01 * fact.reps * fact.services_per_hour


class LeavingRule(IndexRule):
    """c mu / theta, theta the rate at which contacts leave: the mean one (`cmu_theta`) or the hazard at the present
    wait (`hazard_cmu_theta`).

    Attributes:
        leave_h: hours after which contacts that cannot leave are taken to leave, at no stake.
    """

    rule: Literal["cmu_theta", "hazard_cmu_theta"]
    leave_h: Weight = 24.0

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        settings[settings_of.I_FORMULA] = settings_of.FORMULAS.index(self.rule)
        settings[settings_of.I_LEAVE_PER_H] = 1.0 / self.leave_h

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        if not any(fact.promise_per_hour > 0.0 for fact in facts):
            self._refuse(scenario, "no channel has patience or due times")
        self._require_costs(scenario, facts)

    def _own_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        return (FreeParameter("leave_h", 1.0, 168.0, is_log=True),)

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ()


class DueDateRule(IndexRule):
    """The earliest due time, or the least slack, first."""

    rule: Literal["earliest_due_date", "least_slack"]

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        settings[settings_of.I_FORMULA] = settings_of.FORMULAS.index(self.rule)

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        self._require_due_times(scenario, facts)

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return _hidden_slack(scenario) if self.rule == "least_slack" else _hidden_due_time(scenario)


def _hidden_slack(scenario: Scenario) -> tuple[str, ...]:
    return ("slack_s",) if any(slack_tells_more(channel) for channel in scenario.channels) else ()


def _hidden_due_time(scenario: Scenario) -> tuple[str, ...]:
    """Return the fields that a due time is read from: the slack, and, since the expected work holds a pick-up only once
    there was an interruption, their number."""
    is_interruptible = any(channel.interruptible and channel.due is not None for channel in scenario.channels)
    return _hidden_slack(scenario) + (("interruptions",) if is_interruptible else ())


class ApparentTardinessRule(IndexRule):
    """Stake per hour of work, discounted by the slack.

    Attributes:
        look_ahead: k: the scale of the slack in mean times of a rep, over the arrivals.
    """

    rule: Literal["apparent_tardiness"]
    look_ahead: Weight = 2.0
    formula: ClassVar[int] = settings_of.APPARENT_TARDINESS

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        weights = [fact.arrivals_per_hour for fact in facts]
        if not any(weights):
            weights = [1.0] * len(facts)
        mean_s = float(np.average([fact.work_s for fact in facts], weights=weights))
        settings[settings_of.I_LOOK_AHEAD_H] = self.look_ahead * mean_s / 3600.0

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        self._require_due_times(scenario, facts)
        self._require_costs(scenario, facts)

    def _own_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        return (FreeParameter("look_ahead", 0.1, 100.0, is_log=True),)

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return _hidden_slack(scenario)


class LongestDelayRule(IndexRule):
    """The longest wait relative to the promised lead time first.

    Attributes:
        weight: of a channel; default 1.
    """

    rule: Literal["generalized_longest_delay"]
    weight: dict[str, Weight] = Field(default={})

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        for block, channel, fact in zip(blocks, scenario.channels, facts, strict=True):
            weight = self.weight.get(channel.name, 1.0)
            block[settings_of.B_SLOPE_PER_S] = weight / fact.lead_s if fact.lead_s > 0.0 else 0.0

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        self.check_channels("weight", self.weight, scenario)
        self._require_due_times(scenario, facts)

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ("waited_s",)


class BlendingThresholdRule(IndexRule):
    """Real-time contacts first; deferred work only while more than `reserve_deferred` reps are free. Channels of the
    same kind go by `cmu`."""

    rule: Literal["blending_threshold"]
    reserve_deferred: Reps = 1.0
    formula: ClassVar[int] = settings_of.CMU
    scales_deferred: ClassVar[bool] = False

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        blocks[:, settings_of.B_CLASS] = [not channel.is_real_time for channel in scenario.channels]

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        if not _has_both_kinds(scenario):
            kind = "deferred work" if not _deferred_names(scenario) else "real-time contacts"
            self._refuse(scenario, f"it has no {kind}")

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ()


class AdaptiveBlendingRule(BlendingThresholdRule):
    """As `blending_threshold`, with a reserve that grows as the service level falls short of its target and shrinks as
    it exceeds it.

    Attributes:
        target_frac: of the service level, where the statement of work gives none.
        reps_per_point: reps by which the reserve grows per percentage point short, on the channel that is most short.
    """

    rule: Literal["adaptive_blending"]  # type: ignore[assignment]
    target_frac: float = Field(default=0.8, ge=0, le=1)
    reps_per_point: NotNegative = 0.1

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        super()._fill(settings, blocks, scenario, facts)
        settings[settings_of.I_TARGET_FRAC] = self.target_frac
        settings[settings_of.I_RESERVE_PER_POINT] = self.reps_per_point

    def _own_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        return (FreeParameter("target_frac", 0.5, 1.0), FreeParameter("reps_per_point", 0.0, 2.0))

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ("attained_frac",) if self.reps_per_point > 0.0 else ()


class ThresholdReservationRule(IndexRule):
    """A strict order of channels, with reps kept free for the first.

    Attributes:
        order: channels, the first served first; default: by `cmu`.
        kept_for_first: reps with the skill who are kept free of every channel but the first; `reserve` and the other
            reserves come on top.
    """

    rule: Literal["threshold_reservation"]
    order: tuple[str, ...] = ()
    kept_for_first: Reps = 1.0
    scales_deferred: ClassVar[bool] = False
    has_own_reserve: ClassVar[bool] = True

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        s = settings_of
        names = [channel.name for channel in scenario.channels]
        costs = blocks[:, s.B_COST] * blocks[:, s.B_SERVICES_PER_H]
        order = self.order or [names[queue] for queue in np.argsort(-costs, kind="stable")]
        for queue, name in enumerate(names):
            blocks[queue, s.B_CONSTANT] = len(names) - order.index(name)
            blocks[queue, s.B_FACTOR] = 1.0
            if name != order[0]:
                blocks[queue, s.B_RESERVE] += self.kept_for_first

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        names = [channel.name for channel in scenario.channels]
        if len(names) < 2:
            self._refuse(scenario, "it has one channel")
        if not self.order:
            self._require_costs(scenario, facts)
        else:
            self.check_order(self.order, scenario)

    def _own_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        n_reps = sum(group.count for group in scenario.groups)
        return (FreeParameter("kept_for_first", 0, n_reps - 1, is_integer=True),) if n_reps > 1 else ()

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ()


class WeightBasedRule(IndexRule):
    """An index linear in the wait of the contact and in the idle time of the rep; nothing is started whose index is
    negative.

    Attributes:
        constant: of a channel; default 0.
        wait_per_min: of a channel, by how much a minute of waiting raises the index; default: one over the promised
            lead time (without one, `leave_h`), so that the index counts promises.
        idle_per_min: by how much a minute of the rep's idle time raises it.
        leave_h: lead time taken for channels without one, hours.
    """

    rule: Literal["weight_based_routing"]
    constant: dict[str, float] = Field(default={})
    wait_per_min: dict[str, NotNegative] = Field(default={})
    idle_per_min: NotNegative = 0.1
    leave_h: Weight = 24.0
    scales_deferred: ClassVar[bool] = False
    has_own_reserve: ClassVar[bool] = True

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        s = settings_of
        settings[s.I_FLOOR] = 0.0
        settings[s.I_IDLE_PER_S] = self.idle_per_min / 60.0
        for block, channel, fact in zip(blocks, scenario.channels, facts, strict=True):
            per_min = self.wait_per_min.get(channel.name, 60.0 / (fact.lead_s or 3600.0 * self.leave_h))
            block[s.B_CONSTANT] = self.constant.get(channel.name, 0.0)
            block[s.B_SLOPE_PER_S] = per_min / 60.0

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        self.check_channels("constant", self.constant, scenario)
        self.check_channels("wait_per_min", self.wait_per_min, scenario)

    def _own_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        names = _deferred_names(scenario)[:MOST_FREE_CHANNELS] if _has_both_kinds(scenario) else []
        free = [FreeParameter(f"constant.{name}", -5.0, 5.0) for name in names]
        return (*free, FreeParameter("idle_per_min", 0.0, 1.0))

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        # The idle time is the same for all that a rep may serve: it tells only whether an index is negative.
        tells = self.idle_per_min > 0.0 and any(constant < 0.0 for constant in self.constant.values())
        return ("waited_s", "rep_idle_s") if tells else ("waited_s",)


class FirstComeRule(IndexRule):
    """The longest wait first, served by the longest idle rep: what `fifo` does, with components."""

    rule: Literal["first_come_longest_idle"]

    @property
    def is_by_order(self) -> bool:
        """True unless waits are weighed."""
        return self.deferred_factor == 1.0

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        blocks[:, settings_of.B_SLOPE_PER_S] = 1.0

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        """It always makes sense."""

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ("waited_s",) if len(scenario.channels) > 1 else ()


class _WithPriorities(IndexRule):
    """A priority per channel and minutes of waiting.

    Attributes:
        priority: of a channel; default 10 for real-time channels, 0 for deferred ones.
    """

    priority: dict[str, float] = Field(default={})

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        for block, channel in zip(blocks, scenario.channels, strict=True):
            default = FRESH_CALL_PRIORITY if channel.is_real_time else 0.0
            block[settings_of.B_CONSTANT] = self.priority.get(channel.name, default)
            block[settings_of.B_SLOPE_PER_S] = 1.0 / 60.0

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        self.check_channels("priority", self.priority, scenario)

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ("waited_s",)


class PriorityAccelerationRule(_WithPriorities):
    """Priority + minutes waited x acceleration.

    Attributes:
        acceleration_per_min: of a channel; default 1 for real-time channels, and for deferred ones what lifts them to a
            fresh call's 10 points in their promised lead time, or in a day where there is none.
    """

    rule: Literal["priority_acceleration"]
    acceleration_per_min: dict[str, NotNegative] = Field(default={})

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        super()._fill(settings, blocks, scenario, facts)
        for block, channel, fact in zip(blocks, scenario.channels, facts, strict=True):
            lead_min = (fact.lead_s or 86_400.0) / 60.0
            default = 1.0 if channel.is_real_time else FRESH_CALL_PRIORITY / lead_min
            block[settings_of.B_SLOPE_PER_S] = self.acceleration_per_min.get(channel.name, default) / 60.0

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        super()._check_sense(scenario, facts)
        self.check_channels("acceleration_per_min", self.acceleration_per_min, scenario)


class ExpandingRingsRule(_WithPriorities):
    """Priority + minutes waited; a contact is offered to reps of its home channel first.

    Attributes:
        expand_after_s: seconds of waiting after which every rep with the skill may serve it. Who waits beyond that is
            found at the next question, after `review_interval_s` at the latest.
    """

    rule: Literal["expanding_rings"]
    expand_after_s: NotNegative = 60.0

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        super()._fill(settings, blocks, scenario, facts)
        settings[settings_of.I_SUITS] = settings_of.AT_HOME
        settings[settings_of.I_HOLD_S] = self.expand_after_s

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        super()._check_sense(scenario, facts)
        if not any(fact.has_home for fact in facts):
            self._refuse(scenario, "no group has a home_channel")

    def _own_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        return (FreeParameter("expand_after_s", 1.0, 3600.0, is_log=True),)


class PreferredRepRule(IndexRule):
    """The longest wait first; who has a preferred rep on the floor waits for that one for a while.

    Attributes:
        expiry_s: seconds of waiting after which every rep with the skill may serve the contact. Who waits beyond that
            is found at the next question, after `review_interval_s` at the latest.
    """

    rule: Literal["preferred_rep_with_expiry"]
    expiry_s: NotNegative = 60.0

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        blocks[:, settings_of.B_SLOPE_PER_S] = 1.0
        settings[settings_of.I_SUITS] = settings_of.PREFERRED
        settings[settings_of.I_HOLD_S] = self.expiry_s

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        if not scenario.has_preferred_reps:
            self._refuse(scenario, "no customer has a preferred rep")

    def _own_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        return (FreeParameter("expiry_s", 1.0, 3600.0, is_log=True),)

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ("waited_s",)


class DueDateInPriorityRule(IndexRule):
    """Classes of channels, the lowest first, within a class the earliest due time; contacts of the lowest class
    interrupt, by default always.

    Attributes:
        priority_class: of a channel; default 0 for real-time channels, 1 for deferred ones.
    """

    rule: Literal["due_date_in_priority"]
    priority_class: dict[str, Annotated[int, Field(ge=0, le=99)]] = Field(default={})
    interrupt: Mode = "always"
    formula: ClassVar[int] = settings_of.EARLIEST_DUE_DATE
    scales_deferred: ClassVar[bool] = False

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        s = settings_of
        for block, channel in zip(blocks, scenario.channels, strict=True):
            block[s.B_CLASS] = self.priority_class.get(channel.name, 0 if channel.is_real_time else 1)
        blocks[:, s.B_INTERRUPTS] *= blocks[:, s.B_CLASS] == blocks[:, s.B_CLASS].min()

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        self.check_channels("priority_class", self.priority_class, scenario)
        self._require_due_times(scenario, facts)

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return _hidden_due_time(scenario)
