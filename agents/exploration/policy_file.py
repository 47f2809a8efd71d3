"""What a policy `FILE.yaml` may state: a rule with its parameters, or a rule that is softened.

Room: `agents.exploration`. Touches the rules' classes; makes a policy when asked to.
"""

from typing import TYPE_CHECKING, Annotated, Literal, Union

from pydantic import Field, RootModel

from agents.exploration.softened_policy import SoftenedPolicy
from agents.rules.compiled.choice import BASELINES
from agents.rules.registry import RULE_NAMES, RULES, AnyRule, default_rule
from agents.rules.rule_policy import RulePolicy
from envs.configuration.messages import did_you_mean
from envs.configuration.quantities import Checked
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario


class SoftenedRule(Checked):
    """A rule that explores, as a policy file states it.

    Attributes:
        rule: `softened`.
        name: of the row in tables.
        of: the rule that is softened: a mapping, or the name of a baseline or of a rule, which then has its defaults.
        explore_frac: the share of decisions in which any open action is taken, each as likely as the other.
    """

    rule: Literal["softened"]
    name: str = "softened"
    of: AnyRule | str
    explore_frac: float = Field(gt=0, le=1)

    def make(self, scenario: Scenario) -> SoftenedPolicy:
        """Return the policy for `scenario`; raises `ConfigurationError` where the rule makes no sense in it."""
        return SoftenedPolicy(self._inner(scenario), self.explore_frac)

    def _inner(self, scenario: Scenario) -> RulePolicy:
        if not isinstance(self.of, str):
            return self.of.make(scenario)
        if self.of in BASELINES:
            return RulePolicy(self.of, scenario)
        if self.of in RULE_NAMES:
            return default_rule(self.of).make(scenario)
        known = tuple(dict.fromkeys((*BASELINES, *RULE_NAMES)))
        hint = did_you_mean(self.of, known) or f" (known: {', '.join(known)})"
        raise ConfigurationError(f"policy {self.name}.of = {self.of!r}: no such rule{hint}")


if TYPE_CHECKING:
    AnyPolicy = AnyRule | SoftenedRule
else:
    AnyPolicy = Annotated[Union[(*RULES, SoftenedRule)], Field(discriminator="rule")]


class PolicyFile(RootModel[AnyPolicy]):
    """The content of a policy file."""
