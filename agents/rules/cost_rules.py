"""Rules of the cost of waiting: cμ, its value and leaving forms, delay costs.

Room: `agents.rules`. Touches the scenario and the settings of `agents.rules.compiled.index`; runs nothing.
"""

from typing import Literal

from pydantic import Field

from agents.rules.compiled import formulas as settings_of
from agents.rules.index_rule import (
    Floats,
    IndexRule,
    Weight,
)
from agents.rules.queue_facts import QueueFacts
from agents.rules.rule import FreeParameter
from envs.scenario.scenario import Scenario


class CmuRule(IndexRule):
    """c mu: mean cost rate of waiting x service rate, of the queue (`cmu`) or with the contact's own stake
    (`value_cmu`)."""

    rule: Literal["cmu", "value_cmu"]

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
        settings[settings_of.I_LEAVE_PER_H] = 1.0 / self.leave_h

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        if not any(fact.promise_per_hour > 0.0 for fact in facts):
            self._refuse(scenario, "no channel has patience or due times")
        self._require_costs(scenario, facts)

    def _own_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        return (FreeParameter("leave_h", 1.0, 168.0, is_log=True),)

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ()
