"""The rule `expected_loss` as a user states it: its adjustments.

Room: `agents.rules`. Touches the scenario and the settings of `agents.rules.compiled.expected_loss`; runs nothing.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agents.rules.compiled.expected_loss import ADJUSTMENTS
from agents.rules.markov_needs import hidden_fields
from agents.rules.rule import FreeParameter, Rule
from agents.rules.rule_policy import RulePolicy
from envs.scenario.scenario import Scenario

_OF_LOAD = ("interrupt_price_load", "reserve_real_time_load", "reserve_deferred_load")


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
    real_time_stake: float = 0.0
    real_time_work: float = 0.0
    real_time_waited: float = 0.0
    deferred_stake: float = 0.0
    deferred_work: float = 0.0
    deferred_overdue: float = 0.0
    interrupt_price_load: float = 0.0
    reserve_real_time: float = 0.0
    reserve_real_time_load: float = 0.0
    reserve_real_time_queue: float = 0.0
    reserve_by_stake: float = 0.0
    reserve_deferred: float = 0.0
    reserve_deferred_load: float = 0.0
    reserve_deferred_load_later: float = 0.0
    reserve_deferred_queue: float = 0.0
    reserve_deferred_backlog: float = 0.0
    reserve_urgent: float = 0.0

    def make(self, scenario: Scenario) -> RulePolicy:
        """Return the policy for `scenario`."""
        return RulePolicy("expected_loss", scenario, self.adjustment(), needs=self.hidden_fields(scenario))

    def adjustment(self) -> NDArray[np.float64]:
        """Return the adjustments, (len(`ADJUSTMENTS`),), in their order."""
        return np.array([getattr(self, key) for key in ADJUSTMENTS])

    def free_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        """Return the adjustments that matter in `scenario`, those of logarithms and of units of 10 USD on their own
        scale."""
        kinds = {channel.is_real_time for channel in scenario.channels}
        free = []
        if len(kinds) == 2:
            free += [FreeParameter("deferred_index", -5.0, 5.0), FreeParameter("idle_last_rep", 0.0, 50.0)]
            free += [FreeParameter("reserve_deferred", 0.0, 3.0)]
            free += [FreeParameter("idle_second_rep", 0.0, 50.0)]
            if scenario.observation == "full":
                free += [FreeParameter("idle_forecast", 0.0, 50.0)]
        if True in kinds:
            free += [FreeParameter("reserve_real_time", -1.0, 2.0), FreeParameter("reserve_by_stake", 0.0, 3.0)]
        if any(channel.due is not None for channel in scenario.channels):
            free += [FreeParameter("due_scale", -3.0, 3.0)]
            if len(kinds) == 2:
                free += [FreeParameter("reserve_urgent", 0.0, 3.0)]
        if True in kinds and any(channel.interruptible for channel in scenario.channels):
            free += [FreeParameter("interrupt_price", -4.0, 4.0)]
        if any(channel.callback_offer is not None for channel in scenario.channels):
            free += [FreeParameter("offer_benefit", 0.0, 5.0), FreeParameter("offer_queue", -1.0, 1.0)]
        return tuple(free)

    def hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        """Return those of the baseline, and those that only adjustments look at."""
        fields = dict.fromkeys(hidden_fields("expected_loss", scenario))
        looked_at = {
            "forecast_per_hour": ("idle_forecast", *_OF_LOAD),
            "forecast_in_1h_per_hour": ("reserve_deferred_load_later",),
            "waited_s": ("real_time_waited",),
        }
        for field, keys in looked_at.items():
            if any(getattr(self, key) != 0.0 for key in keys):
                fields[field] = None
        if self.reserve_urgent != 0.0:
            fields["slack_s"] = None
        return tuple(fields)
