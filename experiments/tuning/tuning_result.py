"""What a tuning found, rule by rule.

Room: `experiments.tuning`. Data only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from agents.rules.rule import Rule
from envs.headline import Headline, Headlined
from experiments.intervals import Interval
from experiments.texts import interval_json, usd_text, warning_text
from experiments.tuning.search import Search
from experiments.tuning.tuning_config import TuningConfig


class Candidate(NamedTuple):
    """A rule to be tuned in one scenario: as it is without tuning, and where the search starts, which may have more
    components."""

    default: Rule
    start: Rule


@dataclass(frozen=True)
class RuleResult:
    """What tuning did to one rule in one scenario; costs are USD/day.

    Attributes:
        default: the rule as it was stated, or as a benchmark plays it by its name.
        kept: the rule that does best on the validation episodes, the default or the found one, with the tuned name.
        keeps_found: whether that is the one that the search found: of its shortlist the one that costs least on the
            validation episodes.
        search: what was found.
        parameters: the tuned parameters' values where the search began and in the rule that it found, by key.
        training_cost_usd: of the default and of the found rule.
        validation_cost_usd: of the default and of the found rule.
        default_test_usd: of the default on the test episodes.
        kept_test_usd: of the kept rule on the test episodes.
        difference_usd: kept minus default on the test episodes, paired.
        no_interval: why the costs on test episodes have no intervals; None where they have.
        policy_file: where the kept rule is.
    """

    default: Rule
    kept: Rule
    keeps_found: bool
    search: Search
    parameters: dict[str, tuple[float, float]]
    training_cost_usd: tuple[float, float]
    validation_cost_usd: tuple[float, float]
    default_test_usd: Interval
    kept_test_usd: Interval
    difference_usd: Interval
    no_interval: str | None
    policy_file: Path


@dataclass(frozen=True, repr=False)
class TuningResult(Headlined):
    """A finished tuning: its run folder, the results by scenario and rule, and why rules were left out."""

    folder: Path
    config: TuningConfig
    scenarios: dict[str, list[RuleResult]]
    skipped: dict[str, dict[str, str]]

    def headline(self) -> Headline:
        """Return how many rules are better tuned, and a row for each."""
        found = [(name, rule) for name, rules in self.scenarios.items() for rule in rules]
        kept = sum(rule.keeps_found for _, rule in found)
        return Headline(
            f"{self.folder}: {kept} of {len(found)} rules are kept tuned, seed {self.config.seed}"
            f"{warning_text(next((rule.no_interval for _, rule in found if rule.no_interval), None))}",
            ("scenario", "rule", "kept", "test, USD/day", "kept minus default, USD/day"),
            [
                (
                    name,
                    rule.default.name,
                    "tuned" if rule.keeps_found else "default",
                    usd_text(rule.kept_test_usd),
                    usd_text(rule.difference_usd),
                )
                for name, rule in found
            ],
        )


def describe_result(result: TuningResult) -> dict[str, Any]:
    """Return the outcome as plain data; costs are USD/day.

    `{"run_folder", "seed", "episodes", "validation_episodes", "test_episodes", "scenarios": {NAME: {"rules": {RULE:
    {"trials", "pruned", "is_complete", "parameters": {KEY: {"default", "tuned"}}, "training_cost_usd": {"default",
    "tuned"}, "validation_cost_usd": {"default", "tuned"}, "kept", "test_cost_usd": {"default", "kept", "difference":
    {"mean", "low", "high"}}, "no_interval", "policy", "rule"}}, "skipped": {RULE: reason}}}}`
    """
    config = result.config
    return {
        "run_folder": str(result.folder),
        "seed": config.seed,
        "episodes": config.episodes,
        "validation_episodes": config.validation_episodes,
        "test_episodes": config.test_episodes,
        "scenarios": {
            name: {
                "rules": {rule.default.name: _rule_json(rule) for rule in rules},
                "skipped": result.skipped[name],
            }
            for name, rules in result.scenarios.items()
        },
    }


def _rule_json(result: RuleResult) -> dict[str, Any]:
    return {
        "trials": result.search.trials,
        "pruned": result.search.pruned,
        "is_complete": result.search.is_complete,
        "parameters": {key: _pair_json(pair) for key, pair in result.parameters.items()},
        "training_cost_usd": _pair_json(result.training_cost_usd),
        "validation_cost_usd": _pair_json(result.validation_cost_usd),
        "kept": "tuned" if result.keeps_found else "default",
        "test_cost_usd": {
            "default": interval_json(result.default_test_usd),
            "kept": interval_json(result.kept_test_usd),
            "difference": interval_json(result.difference_usd),
        },
        "no_interval": result.no_interval,
        "policy": str(result.policy_file),
        "rule": result.kept.model_dump(mode="json"),
    }


def _pair_json(pair: tuple[float, float]) -> dict[str, float]:
    return {"default": pair[0], "tuned": pair[1]}
