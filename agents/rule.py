"""What all rules have in common that a configuration states as a mapping, and that `blended tune` tunes.

Room: `agents`. Touches the scenario; runs nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict

from agents.baselines import Baseline
from envs.scenario import Scenario


class FreeParameter(NamedTuple):
    """A number of a rule that may be tuned: its key (`reserve.email` is the entry of `email` in the mapping
    `reserve`), the range to search, and how.

    `is_log`: searched on a logarithmic scale, so `low` > 0; `is_integer`: whole numbers only.
    """

    key: str
    low: float
    high: float
    is_log: bool = False
    is_integer: bool = False


class Rule(BaseModel, ABC):
    """A rule as a configuration states it: `rule` names it, the other keys are its parameters.

    Attributes:
        rule: which rule.
        name: of the row in tables.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str
    name: str

    @abstractmethod
    def make(self, scenario: Scenario) -> Baseline:
        """Return the policy for `scenario`; raises `ConfigurationError` where it makes no sense there."""

    @abstractmethod
    def free_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        """Return what may be tuned in `scenario`; empty if nothing is free."""

    @abstractmethod
    def hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        """Return the fields of the observation by which the rule decides in `scenario` that tell more than the Markov
        fields do, as `agents.baselines.hidden_fields` does."""

    def for_tuning(self, scenario: Scenario) -> Self:
        """Return the rule from which tuning starts: with the parts switched on that numbers alone can then turn off."""
        return self

    def values_of(self, parameters: tuple[FreeParameter, ...]) -> dict[str, float]:
        """Return the present value of each of `parameters`, by key; what a mapping leaves out is 0."""
        values = {}
        for parameter in parameters:
            key, _, entry = parameter.key.partition(".")
            value = getattr(self, key)
            values[parameter.key] = float(value.get(entry, 0.0) if entry else value)
        return values

    def with_values(self, values: Mapping[str, float], name: str | None = None) -> Self:
        """Return this rule with other `values` of its free parameters, by key, checked, and perhaps another `name`."""
        stated = self.model_dump()
        for key, value in values.items():
            first, _, entry = key.partition(".")
            if entry:
                stated[first] = {**stated[first], entry: value}
            else:
                stated[first] = value
        return type(self).model_validate(stated if name is None else {**stated, "name": name})
