"""The one list of rules that a configuration can state; names, the union of policy files and the pages follow it.

Room: `agents.rules`. Touches the rules' classes; makes no policy.
"""

from typing import TYPE_CHECKING, Annotated, Union, get_args

from pydantic import Field, RootModel

from agents.rules.blending_rules import (
    AdaptiveBlendingRule,
    BlendingThresholdRule,
    ThresholdReservationRule,
)
from agents.rules.cost_rules import (
    CmuRule,
    DelayCostRule,
    LeavingRule,
)
from agents.rules.due_date_rules import (
    ApparentTardinessRule,
    DueDateInPriorityRule,
    DueDateRule,
)
from agents.rules.expected_loss_rule import ExpectedLossRule
from agents.rules.priority_rule import PriorityRule
from agents.rules.rule import Rule
from agents.rules.waiting_rules import (
    ExpandingRingsRule,
    FirstComeRule,
    LongestDelayRule,
    PreferredRepRule,
    PriorityAccelerationRule,
    WeightBasedRule,
)
from envs.configuration.messages import did_you_mean
from envs.errors import ConfigurationError

RULES: tuple[type[Rule], ...] = (
    PriorityRule,
    ExpectedLossRule,
    CmuRule,
    DelayCostRule,
    LeavingRule,
    DueDateRule,
    ApparentTardinessRule,
    LongestDelayRule,
    BlendingThresholdRule,
    AdaptiveBlendingRule,
    ThresholdReservationRule,
    WeightBasedRule,
    FirstComeRule,
    PriorityAccelerationRule,
    ExpandingRingsRule,
    DueDateInPriorityRule,
    PreferredRepRule,
)
"""Every class of rules that a mapping can state; its key `rule` lists the names of those that it holds."""

RULE_NAMES: tuple[str, ...] = tuple(name for kind in RULES for name in get_args(kind.model_fields["rule"].annotation))
"""Names of the rules that a mapping can state; each by itself means the rule with its defaults."""

if TYPE_CHECKING:
    AnyRule = Rule
else:
    AnyRule = Annotated[Union[RULES], Field(discriminator="rule")]  # noqa: UP007 (of a tuple)
    """A rule as a configuration states it: a mapping whose key `rule` names it."""


class RuleFile(RootModel[AnyRule]):
    """The content of a policy file."""


def default_rule(name: str) -> Rule:
    """Return the rule of that name (one of `RULE_NAMES`) with its defaults; raises `ConfigurationError` if there is
    none."""
    if name not in RULE_NAMES:
        hint = did_you_mean(name, RULE_NAMES) or f" (known: {', '.join(RULE_NAMES)})"
        raise ConfigurationError(f"rule = {name!r}: no such rule{hint}")
    return RuleFile.model_validate({"rule": name}).root
