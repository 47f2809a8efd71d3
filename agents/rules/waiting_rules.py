"""Rules of waiting time and of channel weights: longest delay, weights, first come, accelerated priorities, rings,
preferred reps.

Room: `agents.rules`. Touches the scenario and the settings of `agents.rules.compiled.index`; runs nothing.
"""

from typing import ClassVar, Literal

from pydantic import Field

from agents.rules.compiled import formulas as settings_of
from agents.rules.index_rule import (
    MOST_FREE_CHANNELS,
    Floats,
    IndexRule,
    NotNegative,
    Weight,
    deferred_names,
    has_both_kinds,
)
from agents.rules.queue_facts import QueueFacts
from agents.rules.rule import FreeParameter
from envs.interface.units import HOUR_S
from envs.scenario.scenario import Scenario

FRESH_CALL_PRIORITY = 10.0
"""Priority of a real-time contact that has just come, where a rule states none; that of a deferred one is 0."""


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
            per_min = self.wait_per_min.get(channel.name, 60.0 / (fact.lead_s or HOUR_S * self.leave_h))
            block[s.B_CONSTANT] = self.constant.get(channel.name, 0.0)
            block[s.B_SLOPE_PER_S] = per_min / 60.0

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        self.check_channels("constant", self.constant, scenario)
        self.check_channels("wait_per_min", self.wait_per_min, scenario)

    def _own_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        names = deferred_names(scenario)[:MOST_FREE_CHANNELS] if has_both_kinds(scenario) else []
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
        return (FreeParameter("expand_after_s", 1.0, HOUR_S, is_log=True),)


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
        return (FreeParameter("expiry_s", 1.0, HOUR_S, is_log=True),)

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ("waited_s",)
