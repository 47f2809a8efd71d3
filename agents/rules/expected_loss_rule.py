"""The rule `expected_loss` as a user states it: its adjustments.

Room: `agents.rules`. Touches the scenario and the settings of `agents.rules.compiled.expected_loss`; runs nothing.
"""

from typing import Literal

import numpy as np

from agents.rules.compiled.expected_loss import ADJUSTMENTS
from agents.rules.markov_needs import hidden_fields
from agents.rules.rule import FreeParameter, Rule
from agents.rules.rule_policy import RulePolicy
from envs.scenario.scenario import Scenario


class ExpectedLossRule(Rule):
    """The rule `expected_loss` with some of its `agents.rules.compiled.expected_loss.ADJUSTMENTS`; all 0 is the rule
    itself.

    Attributes:
        rule: `expected_loss`.
        name: of the row in tables.
    """

    rule: Literal["expected_loss"]
    name: str = "expected_loss"
    real_time_index: float = 0.0
    deferred_index: float = 0.0
    resume_index: float = 0.0
    due_scale: float = 0.0
    idle_last_rep: float = 0.0
    idle_second_rep: float = 0.0
    idle_forecast: float = 0.0
    interrupt_gain: float = 0.0
    interrupt_price: float = 0.0
    interrupt_value: float = 0.0
    offer_benefit: float = 0.0
    offer_value: float = 0.0
    offer_queue: float = 0.0

    def make(self, scenario: Scenario) -> RulePolicy:
        """Return the policy for `scenario`."""
        adjustment = np.array([getattr(self, key) for key in ADJUSTMENTS])
        return RulePolicy("expected_loss", scenario, adjustment, needs=self.hidden_fields(scenario))

    def free_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        """Return the adjustments that matter in `scenario`, those of logarithms and of units of 10 USD on their own
        scale."""
        kinds = {channel.is_real_time for channel in scenario.channels}
        free = []
        if len(kinds) == 2:
            free += [FreeParameter("deferred_index", -5.0, 5.0), FreeParameter("idle_last_rep", 0.0, 50.0)]
            free += [FreeParameter("idle_second_rep", 0.0, 50.0)]
            if scenario.observation == "full":
                free += [FreeParameter("idle_forecast", 0.0, 50.0)]
        if any(channel.due is not None for channel in scenario.channels):
            free += [FreeParameter("due_scale", -3.0, 3.0)]
        if True in kinds and any(channel.interruptible for channel in scenario.channels):
            free += [FreeParameter("interrupt_price", -4.0, 4.0)]
        if any(channel.callback_offer is not None for channel in scenario.channels):
            free += [FreeParameter("offer_benefit", 0.0, 5.0), FreeParameter("offer_queue", -1.0, 1.0)]
        return tuple(free)

    def hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        """Return those of the baseline, and `forecast_per_hour` where it keeps reps free by the forecast."""
        fields = hidden_fields("expected_loss", scenario)
        return (*fields, "forecast_per_hour") if self.idle_forecast != 0.0 else fields
