"""What all rules have in common that a configuration states as a mapping, and that `blended tune` tunes.

Room: `agents.rules`. Touches the scenario; runs nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from agents.rules.rule_policy import RulePolicy
from envs.configuration.messages import did_you_mean
from envs.configuration.quantities import Checked
from envs.errors import ConfigurationError
from envs.interface.actions import ASSIGN_LENSES, PREFERRED_REPS, code_of
from envs.scenario.action_table import action_table
from envs.scenario.scenario import Scenario

if TYPE_CHECKING:
    AssignLens = str
else:
    AssignLens = Literal[tuple(lens.name for lens in ASSIGN_LENSES if lens.needs != PREFERRED_REPS)]
    """A lens by which a rule chooses between free reps; whom the customer prefers is for the router to weigh."""


OWN_PARTS = frozenset(
    {
        "reserve_by_stake",
        "open_stake_usd",
        "urgent_relief",
        "urgent_within_h",
        "reserve_real_time",
        "reserve_urgent",
        "keep_free",
    }
)
"""Keys of the parts that this project added to published rules: reserves by stake and by urgency, and reps kept free of
all channels but one, which the field knows of some rules alone. Tuned without them, a rule is what the field knows."""


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


def keep_free_parameters(scenario: Scenario) -> tuple[FreeParameter, ...]:
    """Return `keep_free` of each real-time channel for which it says more than a reserve of the others does: some other
    channel is served by reps with its skill and by reps without."""
    free = []
    for channel in scenario.channels:
        with_skill, without = (
            [group for group in scenario.groups if (channel.name in group.skills) == has_skill]
            for has_skill in (True, False)
        )
        flexible = {skill for group in with_skill for skill in group.skills} - {channel.name}
        n_reps = sum(group.count for group in with_skill)
        if channel.is_real_time and any(flexible.intersection(group.skills) for group in without):
            free.append(FreeParameter(f"keep_free.{channel.name}", 0, n_reps - 1, is_integer=True))
    return tuple(free)


class Rule(Checked, ABC):
    """A rule as a configuration states it: `rule` names it, the other keys are its parameters.

    Attributes:
        rule: which rule.
        name: of the row in tables.
    """

    rule: str
    name: str

    @abstractmethod
    def make(self, scenario: Scenario) -> RulePolicy:
        """Return the policy for `scenario`; raises `ConfigurationError` where it makes no sense there."""

    @abstractmethod
    def free_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        """Return what may be tuned in `scenario`; empty if nothing is free."""

    @abstractmethod
    def hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        """Return the fields of the observation by which the rule decides in `scenario` that tell more than the Markov
        fields do, as `agents.rules.markov_needs.hidden_fields` does."""

    def for_tuning(self, scenario: Scenario) -> Self:
        """Return the rule from which tuning starts: with the parts switched on that numbers alone can then turn off."""
        return self

    def check_channels(self, key: str, listed: Iterable[str], scenario: Scenario) -> None:
        """Raise `ConfigurationError` if the part `key` names a channel that `scenario` does not have."""
        names = [channel.name for channel in scenario.channels]
        for name in listed:
            if name not in names:
                known = f"no such channel in scenario {scenario.name} (known: {', '.join(names)})"
                raise ConfigurationError(f"policy {self.name}.{key} = {name!r}: {known}{did_you_mean(name, names)}")

    def check_order(self, order: Sequence[str], scenario: Scenario) -> None:
        """Raise `ConfigurationError` unless `order` names every channel of `scenario` once."""
        names = [channel.name for channel in scenario.channels]
        if sorted(order) != sorted(names):
            raise ConfigurationError(
                f"policy {self.name}.order = {', '.join(order)}: must name every channel of scenario {scenario.name} "
                f"once ({', '.join(names)})"
            )

    def assign_lens(self, name: str, scenario: Scenario) -> int:
        """Return the code of the lens `name` by which a contact chooses between free reps; raises `ConfigurationError`
        if `scenario` has no such action."""
        if f"assign:{name}" not in [action.name for action in action_table(scenario)]:
            raise ConfigurationError(
                f"policy {self.name}.assign = {name!r}: has no meaning in scenario {scenario.name}, "
                "where all reps are equal in this"
            )
        return code_of(ASSIGN_LENSES, name)

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
