"""The rule `expected_loss` as a user states it: its adjustments.

Room: `agents.rules`. Touches the scenario and the settings of `agents.rules.compiled.adjustments`; runs nothing.
"""

import math
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from agents.rules.compiled.adjustments import (
    ADJUSTMENTS,
    CHANNEL_ADJUSTMENTS,
    FORMS,
    LOAD_UNIT_PER_HOUR,
    STAKE_UNIT_USD,
    adjustment_names,
)
from agents.rules.compiled.expected_loss import (
    OFFER_SCORE,
    REP_HOUR_USD,
    RESERVE_PER_STAKE_REPS,
    RESERVE_UNIT_REPS,
    RESERVE_WHEN_DUE_REPS,
    VALUE_UNIT_USD,
)
from agents.rules.cost_rules import CmuRule, DelayCostRule, LeavingRule
from agents.rules.due_date_rules import ApparentTardinessRule
from agents.rules.index_rule import IndexRule
from agents.rules.markov_needs import hidden_fields
from agents.rules.rule import FreeParameter, Rule
from agents.rules.rule_policy import RulePolicy
from envs.errors import InvalidValueError
from envs.scenario.scenario import Scenario

Ranking = CmuRule | DelayCostRule | LeavingRule | ApparentTardinessRule
"""Index rules whose index is in USD, or USD per hour or hour squared, and never below 0, so that a factor means
the same for every contact."""
RANKING_KEYS = frozenset(key for kind in get_args(Ranking) for key in kind.model_fields) - (
    IndexRule.model_fields.keys() - {"rule", "name", "deferred_factor"}
)
"""Keys of a ranking itself; the others are its components, in whose place the adjustments stand."""
NEVER = 30.0
"""An adjustment of the price of interruptions with which none pays that has one; its negative takes the price away."""
ALWAYS_OFFER = 0.02
"""An adjustment of offers with which each stands above waiting, and below any interruption that pays."""

LOOKS_AT = {
    "_load": "forecast_per_hour",
    "_load_later": "forecast_in_1h_per_hour",
    "_surprise": "arrived_today",
    "_waited": "waited_s",
    "_late": "slack_s",
    "_within_1h": "slack_s",
    "_within_6h": "slack_s",
    "_overtime": "rep_shift_left_s",
    "_progress": "disturbed_progress_s",
    "idle_forecast": "forecast_per_hour",
    "reserve_urgent": "slack_s",
}
"""The field that tells more than the Markov ones do at which an adjustment of such an ending looks."""


TUNED_RANGES = {
    "deferred_index": (-5.0, 5.0),
    "idle_last_rep": (0.0, 50.0),
    "reserve_deferred": (0.0, 3.0),
    "idle_second_rep": (0.0, 50.0),
    "idle_forecast": (0.0, 50.0),
    "reserve_real_time": (-1.0, 2.0),
    "reserve_by_stake": (0.0, 3.0),
    "due_scale": (-3.0, 3.0),
    "reserve_urgent": (0.0, 3.0),
    "interrupt_price": (-4.0, 4.0),
    "offer_benefit": (0.0, 5.0),
    "offer_queue": (-1.0, 1.0),
}
"""The adjustments that `blended tune` tunes, and the ranges that it searches; policy search moves all."""


def _names(scenario: Scenario) -> tuple[str, ...]:
    return adjustment_names(tuple(channel.name for channel in scenario.channels))


def _mean_offer_price_usd(scenario: Scenario) -> float:
    """Return what a callback offer costs in expectation, USD, the mean of the channels that have one."""
    offers = [channel.callback_offer for channel in scenario.channels if channel.callback_offer is not None]
    accept_prob = sum(offer.accept_prob for offer in offers) / max(len(offers), 1)
    return accept_prob * scenario.costs.callback_usd


def matters(scenario: Scenario, *, has_ranking: bool = False) -> NDArray[np.bool_]:
    """Return which adjustments, in the order of `adjustment_names`, can change what the rule does in `scenario` as a
    learner sees it there; `has_ranking`: with another rule's index in place of its own."""
    kinds = {channel.is_real_time for channel in scenario.channels}
    has_real_time, has_deferred, has_both = True in kinds, False in kinds, len(kinds) == 2
    has_due = any(channel.due is not None for channel in scenario.channels)
    interrupts = has_real_time and any(channel.interruptible for channel in scenario.channels)
    offers = any(channel.callback_offer is not None for channel in scenario.channels)
    of_form = {
        "due_scale": has_due and not has_ranking,
        "real_time": has_real_time,
        "deferred": has_deferred,
        "resume": interrupts,
        "rep": True,
        "assign": has_real_time,
        "idle": has_both,
        "reserve_real_time": has_real_time,
        "reserve_by_stake": has_real_time,
        "reserve_deferred": has_both,
        "reserve_urgent": has_both and has_due,
        "interrupt_gain": interrupts,
        "interrupt_price": interrupts,
        "interrupt_rep_hour": interrupts,
        "interrupt_due_scale": interrupts and has_due,
        "interrupt_value": interrupts,
        "offer_benefit": offers,
        "offer": offers,
    }
    of_name = {name: of_form[form] for form, names in FORMS.items() for name in names}
    has_homes = any(home is not None for group in scenario.groups for home in group.home_channels())
    of_ending = {
        "_preferred": scenario.has_preferred_reps,
        "_home": has_homes,
        "real_time_index": has_both,
        "deferred_index": has_both,
        "_backlog": has_deferred,
        "_overdue": has_due,
        "_within_1h": has_due,
        "_within_6h": has_due,
        **({} if scenario.observation == "full" else dict.fromkeys(LOOKS_AT, False)),
    }
    for name in ADJUSTMENTS:
        of_name[name] &= all(said for ending, said in of_ending.items() if name.endswith(ending))
    for channel in scenario.channels:
        of_name[f"channel_interrupt_price.{channel.name}"] = interrupts and channel.interruptible
        for key in ("channel_index", "channel_reserve"):
            of_name[f"{key}.{channel.name}"] = True
    return np.array([of_name[name] for name in _names(scenario)])


class ExpectedLossRule(Rule):
    """The rule `expected_loss` with some of its adjustments (`agents.rules.compiled.adjustments`); all 0 is the rule
    itself. Those of `CHANNEL_ADJUSTMENTS` are mappings by channel.

    Attributes:
        rule: `expected_loss`.
        name: of the row in tables.
        ranking: the index rule, with its values but without components, whose index is adjusted; None: the rule's own.
    """

    rule: Literal["expected_loss"]
    name: str = "expected_loss"
    ranking: Ranking | None = Field(default=None, discriminator="rule")
    due_scale: float = 0.0
    real_time_index: float = 0.0
    real_time_stake: float = 0.0
    real_time_work: float = 0.0
    real_time_waited: float = 0.0
    real_time_late: float = 0.0
    real_time_hazard: float = 0.0
    deferred_index: float = 0.0
    deferred_stake: float = 0.0
    deferred_work: float = 0.0
    deferred_overdue: float = 0.0
    deferred_within_1h: float = 0.0
    deferred_within_6h: float = 0.0
    resume_index: float = 0.0
    index_preferred: float = 0.0
    index_home: float = 0.0
    index_overtime: float = 0.0
    assign_preferred: float = 0.0
    assign_home: float = 0.0
    assign_specialist: float = 0.0
    assign_queue: float = 0.0
    assign_queue_stake: float = 0.0
    idle_last_rep: float = 0.0
    idle_second_rep: float = 0.0
    idle_forecast: float = 0.0
    reserve_real_time: float = 0.0
    reserve_real_time_load: float = 0.0
    reserve_real_time_load_later: float = 0.0
    reserve_real_time_queue: float = 0.0
    reserve_real_time_backlog: float = 0.0
    reserve_real_time_surprise: float = 0.0
    reserve_by_stake: float = 0.0
    reserve_deferred: float = 0.0
    reserve_deferred_load: float = 0.0
    reserve_deferred_load_later: float = 0.0
    reserve_deferred_queue: float = 0.0
    reserve_deferred_backlog: float = 0.0
    reserve_deferred_surprise: float = 0.0
    reserve_urgent: float = 0.0
    interrupt_gain: float = 0.0
    interrupt_gain_stake: float = 0.0
    interrupt_gain_queue: float = 0.0
    interrupt_price: float = 0.0
    interrupt_price_load: float = 0.0
    interrupt_price_queue: float = 0.0
    interrupt_price_backlog: float = 0.0
    interrupt_price_progress: float = 0.0
    interrupt_rep_hour: float = 0.0
    interrupt_due_scale: float = 0.0
    interrupt_value: float = 0.0
    offer_benefit: float = 0.0
    offer_value: float = 0.0
    offer_queue: float = 0.0
    offer_load: float = 0.0
    offer_backlog: float = 0.0
    offer_stake: float = 0.0
    offer_waited: float = 0.0
    channel_index: dict[str, float] = Field(default_factory=dict)
    channel_reserve: dict[str, float] = Field(default_factory=dict)
    channel_interrupt_price: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.ranking is not None:
            plain = type(self.ranking).model_validate({"rule": self.ranking.rule})
            for key in type(self.ranking).model_fields.keys() - RANKING_KEYS:
                if getattr(self.ranking, key) != getattr(plain, key):
                    raise InvalidValueError(("ranking", key), "is no part of a ranking; adjustments stand in its place")
        return self

    def make(self, scenario: Scenario) -> RulePolicy:
        """Return the policy for `scenario`; raises `ConfigurationError` for a channel that it does not have, or a
        ranking that makes no sense there."""
        for key in CHANNEL_ADJUSTMENTS:
            self.check_channels(key, getattr(self, key), scenario)
        return RulePolicy("expected_loss", scenario, self.settings(scenario), needs=self.hidden_fields(scenario))

    def settings(self, scenario: Scenario) -> NDArray[np.float64]:
        """Return the settings of the compiled rule in `scenario`: the adjustments, and behind them those of the
        ranking, if there is one."""
        adjustment = self.adjustment(scenario)
        return adjustment if self.ranking is None else np.append(adjustment, self.ranking.settings(scenario))

    def adjustment(self, scenario: Scenario) -> NDArray[np.float64]:
        """Return the adjustments in `scenario`, in the order of `adjustment_names`."""
        return np.array([self._value(*name.split(".", 1)) for name in _names(scenario)])

    def _value(self, key: str, channel: str | None = None) -> float:
        stated = getattr(self, key)
        return float(stated if channel is None else stated.get(channel, 0.0))

    def with_adjustment(self, adjustment: NDArray[np.float64], scenario: Scenario) -> Self:
        """Return this rule with these adjustments, in the order of `adjustment_names`; what stands behind them is
        passed over."""
        stated: dict[str, Any] = {"rule": self.rule, "name": self.name, "ranking": self.ranking}
        names = _names(scenario)
        for full_name, value in zip(names, adjustment[: len(names)].tolist(), strict=True):
            key, _, channel = full_name.partition(".")
            if channel:
                stated.setdefault(key, {})[channel] = value
            else:
                stated[key] = value
        return type(self).model_validate(stated)

    @classmethod
    def around(cls, rule: Ranking, scenario: Scenario) -> Self:
        """Return the rule with the ranking of `rule`, and adjustments in the place of its components: about the same
        policy, from which a search can start.

        Not the same: a reserve that follows the forecast does so for each rep here, one that falls as the due time
        comes does so by the stake and within three hours, and one by stake goes on falling beyond `open_stake_usd`; a
        contact is assigned where there are reps for all that wait, to whoever is idle longest; and a rep who comes free
        is not shared among all that wait in what an interruption or an offer gains.
        """
        keys = RANKING_KEYS & type(rule).model_fields.keys()
        ranking = type(rule).model_validate({key: getattr(rule, key) for key in keys})
        n_reps = sum(group.count for group in scenario.groups)
        per_factor = rule.reserve_by_stake
        open_factor = math.log((rule.open_stake_usd + 1.0) / STAKE_UNIT_USD)
        stated: dict[str, Any] = {
            "channel_reserve": {name: reps / RESERVE_UNIT_REPS for name, reps in rule.reserve.items()},
            "reserve_by_stake": per_factor / RESERVE_PER_STAKE_REPS,
            "reserve_real_time": per_factor * open_factor / RESERVE_UNIT_REPS,
            "reserve_deferred": rule.reserve_deferred / RESERVE_UNIT_REPS,
            "reserve_deferred_load": rule.reserve_per_forecast
            * LOAD_UNIT_PER_HOUR
            * n_reps
            / (100.0 * RESERVE_UNIT_REPS),
            "reserve_urgent": rule.urgent_relief / RESERVE_WHEN_DUE_REPS,
            "interrupt_price": {"never": NEVER, "priced": 0.0, "always": -NEVER}[rule.interrupt],
            "interrupt_gain": math.log(rule.interrupt_gain),
            "interrupt_rep_hour": math.log(rule.rep_hour_usd / REP_HOUR_USD),
        }
        if rule.offer == "priced":  # there the benefit must exceed the margin and the rest of the price, here 0
            price_usd = _mean_offer_price_usd(scenario)
            margin_usd = rule.offer_margin_usd + (rule.offer_price_factor - 1.0) * price_usd
            stated |= {"offer_benefit": 1.0, "offer_value": -(OFFER_SCORE + margin_usd) / VALUE_UNIT_USD}
        elif rule.offer == "always":
            stated["offer_value"] = ALWAYS_OFFER
        return cls.model_validate({"rule": "expected_loss", "name": rule.name, "ranking": ranking} | stated)

    def free_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        """Return those of `TUNED_RANGES` that matter in `scenario`."""
        is_free = matters(scenario, has_ranking=self.ranking is not None)
        matter = dict(zip(_names(scenario), is_free, strict=True))
        return tuple(FreeParameter(name, *ends) for name, ends in TUNED_RANGES.items() if matter[name])

    def hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        """Return those of the baseline, and those that only adjustments look at."""
        fields = dict.fromkeys(hidden_fields("expected_loss", scenario))
        if self.ranking is not None:
            fields |= dict.fromkeys(self.ranking.hidden_fields(scenario))
        for name in ADJUSTMENTS:
            if getattr(self, name) != 0.0:
                fields |= {field: None for ending, field in LOOKS_AT.items() if name.endswith(ending)}
        return tuple(fields)
