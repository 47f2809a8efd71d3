"""Rules of due dates: earliest due date, least slack, apparent tardiness, due date in priority.

Room: `agents.rules`. Touches the scenario and the settings of `agents.rules.compiled.index`; runs nothing.
"""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from agents.rules.compiled import formulas as settings_of
from agents.rules.index_rule import (
    Floats,
    IndexRule,
    Mode,
    Weight,
)
from agents.rules.markov_needs import slack_tells_more
from agents.rules.queue_facts import QueueFacts
from agents.rules.rule import FreeParameter
from envs.interface.units import HOUR_S
from envs.scenario.scenario import Scenario


class DueDateRule(IndexRule):
    """The earliest due time, or the least slack, first."""

    rule: Literal["earliest_due_date", "least_slack"]

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
    formula: ClassVar[str] = "apparent_tardiness"

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        weights = [fact.arrivals_per_hour for fact in facts]
        if not any(weights):
            weights = [1.0] * len(facts)
        mean_s = float(np.average([fact.work_s for fact in facts], weights=weights))
        settings[settings_of.I_LOOK_AHEAD_H] = self.look_ahead * mean_s / HOUR_S

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        self._require_due_times(scenario, facts)
        self._require_costs(scenario, facts)

    def _own_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        return (FreeParameter("look_ahead", 0.1, 100.0, is_log=True),)

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return _hidden_slack(scenario)


class DueDateInPriorityRule(IndexRule):
    """Classes of channels, the lowest first, within a class the earliest due time; contacts of the lowest class
    interrupt, by default always.

    Attributes:
        priority_class: of a channel; default 0 for real-time channels, 1 for deferred ones.
    """

    rule: Literal["due_date_in_priority"]
    priority_class: dict[str, Annotated[int, Field(ge=0, le=99)]] = Field(default={})
    interrupt: Mode = "always"
    formula: ClassVar[str] = "earliest_due_date"
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
