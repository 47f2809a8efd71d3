"""Tuned rules as they are shipped, `configs/benchmarks/tuned/<scenario>.yaml`, and the best of them; and the same rules
without the parts that are this project's own, `configs/benchmarks/published/<scenario>.yaml`.

Room: `experiments.comparison`. Reads and writes these files; plays validation episodes. Needs no extra.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from rich.progress import Progress

from agents.catalog import NamedPolicy, load_policy
from agents.episodes import Episodes
from agents.rules.registry import AnyRule
from envs.configuration.document import (
    REPOSITORY_FOLDER,
    load_yaml,
    named_files,
    shown_path,
    validate,
)
from envs.configuration.quantities import Checked
from envs.errors import ConfigurationError, InvalidValueError
from envs.inputs.demand import recorded_days
from envs.scenario.scenario import Scenario
from experiments.comparison.outcomes import play
from experiments.intervals import is_surely_positive
from experiments.run_folder import file_name, writing, yaml_text
from experiments.seeds import LARGEST_SEED, demand_seeds

TUNED_FOLDER = REPOSITORY_FOLDER / "configs" / "benchmarks" / "tuned"
PUBLISHED_FOLDER = REPOSITORY_FOLDER / "configs" / "benchmarks" / "published"
BEST_TUNED = "best_tuned"
"""The row of the tuned rule that costs least on validation episodes, with or without own parts."""
BEST_PUBLISHED = "best_published"
"""The row of the tuned rule without `agents.rules.rule.OWN_PARTS` that costs least on validation episodes."""
CHOSEN_ROWS = (BEST_TUNED, BEST_PUBLISHED)
"""Rows of which validation episodes choose who stands in them."""


class CostPair(Checked):
    """What a rule costs before and after tuning, USD/day."""

    default: float
    tuned: float


class Origin(Checked):
    """Where the values of a tuned rule come from.

    Attributes:
        command: that tuned it.
        date: when, UTC.
        seed: the user's seed (`experiments.seeds`).
        trials: finished trials.
        episodes: training episodes.
        validation_episodes: on which tuned and default values were compared; the better ones are in the file.
        kept: whether those are the tuned or the default ones.
        training_cost_usd: on the training episodes.
        validation_cost_usd: on the validation episodes.
    """

    command: str
    date: str
    seed: int = Field(ge=0, le=LARGEST_SEED)
    trials: int
    episodes: int
    validation_episodes: int
    kept: str
    training_cost_usd: CostPair
    validation_cost_usd: CostPair


class TunedRules(Checked):
    """The tuned rules of one scenario.

    Attributes:
        scenario: its name.
        rules: each named `tuned_`, or `published_`, and the name of the rule that was tuned.
        origins: where they come from, by name.
    """

    scenario: str
    rules: tuple[AnyRule, ...] = Field(min_length=1)
    origins: dict[str, Origin]

    @model_validator(mode="after")
    def _check(self) -> "TunedRules":
        for index, rule in enumerate(self.rules):
            if not rule.name.startswith(PREFIXES):
                raise InvalidValueError(("rules", index, "name"), f"must start with {' or '.join(PREFIXES)}")
        if list(self.origins) != [rule.name for rule in self.rules]:
            raise InvalidValueError(("origins",), "must name every rule, in the same order")
        return self


RACE_EPISODES = 16
"""Validation episodes that all play between whom a row is chosen."""


def prefix(row: str = BEST_TUNED) -> str:
    """Return how the names of the rules begin among which `row`, one of `CHOSEN_ROWS`, is chosen."""
    return f"{row.removeprefix('best_')}_"


PREFIXES = tuple(prefix(row) for row in CHOSEN_ROWS)


def tuned_file(scenario_name: str, row: str = BEST_TUNED) -> Path:
    """Return the file of the rules of a scenario among which `row` is chosen; it may be missing."""
    folder = TUNED_FOLDER if row == BEST_TUNED else PUBLISHED_FOLDER
    return folder / f"{file_name(scenario_name)}.yaml"


def load_tuned(scenario_name: str, row: str = BEST_TUNED) -> TunedRules:
    """Return the rules of a scenario among which `row` is chosen; raises `ConfigurationError` if none are there."""
    file = tuned_file(scenario_name, row)
    if not file.is_file():
        is_ours = scenario_name in named_files("scenarios")
        to_make = shlex.quote(scenario_name) if is_ours else "FILE.yaml, the scenario's file,"
        raise ConfigurationError(
            f"{prefix(row)[:-1]}: no tuned rules of scenario {scenario_name} ({shown_path(file)}); "
            f"to make them: blended tune {to_make} {'' if row == BEST_TUNED else '--published '}--ship"
        )
    found = validate(load_yaml(file), TunedRules, "tuned")
    for rule in found.rules:
        if not rule.name.startswith(prefix(row)):
            raise ConfigurationError(f"{shown_path(file)}: rule {rule.name}: its name must start with {prefix(row)}")
    if found.scenario != scenario_name:
        raise ConfigurationError(f"{shown_path(file)}: tuned.scenario = {found.scenario!r}: must be {scenario_name!r}")
    return found


def rules_of(scenario_name: str, row: str = BEST_TUNED) -> tuple[AnyRule, ...]:
    """Return the rules of a scenario among which `row` is chosen; raises `ConfigurationError` if none are there.

    Among the best tuned rules are those without this project's own parts: with fewer numbers to tune these may be tuned
    better, and whoever is compared with the best should be compared with them.
    """
    rules = load_tuned(scenario_name, row).rules
    if row == BEST_TUNED and tuned_file(scenario_name, BEST_PUBLISHED).is_file():
        rules += load_tuned(scenario_name, BEST_PUBLISHED).rules
    return rules


def load_rules(scenario: Scenario, row: str = BEST_TUNED) -> list[NamedPolicy]:
    """Return the `rules_of` a row, ready to play in `scenario`; raises `ConfigurationError` if none are there, or one
    makes no sense there."""
    return [load_policy(rule, scenario) for rule in rules_of(scenario.name, row)]


def ship(tuned: TunedRules, row: str = BEST_TUNED) -> Path:
    """Write the rules among which `row` is chosen to the file of their scenario and return it; rules of other names
    stay in it."""
    file = tuned_file(tuned.scenario, row)
    if file.is_file():
        before = load_tuned(tuned.scenario, row)
        others = [rule for rule in before.rules if rule.name not in tuned.origins]
        rules = sorted([*others, *tuned.rules], key=lambda rule: rule.name)
        origins = {**before.origins, **tuned.origins}
        tuned = TunedRules(
            scenario=tuned.scenario, rules=tuple(rules), origins={rule.name: origins[rule.name] for rule in rules}
        )
    text = f"# Written by `blended tune --ship`; costs in USD/day.\n{yaml_text(tuned)}"
    with writing(f"--ship {file}"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return file


def choose_best(
    policies: Sequence[NamedPolicy],
    scenario: Scenario,
    *,
    seed: int,
    episodes: int,
    threads: int = 1,
    progress: Progress | None = None,
) -> str:
    """Return the name of the policy with the least mean cost on the first `episodes` validation episodes of the user's
    `seed`, the first of equals.

    Of many episodes all play `RACE_EPISODES`; those that are surely dearer there than the best play no more.
    """
    validation = Episodes(scenario, demand_seeds(seed).validation, threads=threads)

    def costs_usd(named: NamedPolicy, count: int) -> NDArray[np.float64]:
        return np.array([found["cost_usd"].sum() for found in play(named, validation, count, progress=progress).counts])

    left = list(policies)
    if episodes >= 2 * RACE_EPISODES:
        days = recorded_days(scenario, validation.seed, range(RACE_EPISODES))
        found = [costs_usd(named, RACE_EPISODES) for named in policies]
        best = min(found, key=np.mean)
        left = [
            named for named, costs in zip(policies, found, strict=True) if not is_surely_positive(costs - best, days)
        ]
    means_usd = {named.name: float(costs_usd(named, episodes).mean()) for named in left}
    return min(means_usd, key=lambda name: means_usd[name])
