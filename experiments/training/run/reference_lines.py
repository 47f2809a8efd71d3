"""The rules that a learner is drawn beside: every baseline, and the best tuned rule, on its validation episodes.

Room: `experiments.training.run`. Plays validation episodes; notes in the log of a run.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agents.catalog import fitting_baselines
from agents.episodes import play_episodes
from agents.policy import Policy
from agents.rules.rule_policy import RulePolicy
from agents.run_files import COST_TAG, LEARNED_ROW
from envs.counts import add_counts
from envs.metrics import compute_metrics
from envs.scenario.scenario import Scenario
from experiments.comparison.tuned_rules import BEST_TUNED, choose_best, load_rules, tuned_file
from experiments.training.run.run_log import DETAIL, LEAD, TERMS, RunLog
from experiments.training.training_config import TrainingConfig

DRAWN_UP_TO = 2.0
"""Rules that cost more than so many times the cheapest are no lines in TensorBoard, where they would press all others
into one; the table of the test has them."""


def tagged(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return metrics under their tags: the total cost, its terms, and the rest among the details."""
    tags = {}
    for key, value in metrics.items():
        if not np.isfinite(value):
            continue
        is_term = key.startswith("cost_") and key.endswith("_usd") and key != "cost_per_contact_usd"
        of_the_rest = COST_TAG if key == "total_cost_usd" else f"{DETAIL}center/{key}"
        tags[TERMS + key.removeprefix("cost_") if is_term else of_the_rest] = value
    return tags


@dataclass(frozen=True)
class ReferenceLines:
    """What rules cost on validation episodes.

    Attributes:
        values: by rule and tag. Tags whose value is 0 for every rule are left out: the scenario does not have them.
    """

    values: Mapping[str, Mapping[str, float]]

    @property
    def least_usd(self) -> float:
        """What the cheapest rule costs, USD/day."""
        return min(tags[COST_TAG] for tags in self.values.values())

    def begin(self, log: RunLog) -> None:
        """Note all that is known of the rules, at 0 decisions."""
        for name, tags in self._drawn().items():
            log.note(name, tags, 0, 0.0)

    def note(self, log: RunLog, metrics: Mapping[str, float], step: int, seconds: float) -> None:
        """Note `metrics` of the learner after `step` decisions, what it costs more than the cheapest rule, and what the
        rules cost once more, so that their lines are as long as its curve."""
        known = set().union(*self.values.values())
        tags = {tag: value for tag, value in tagged(metrics).items() if value != 0.0 or tag in known}
        log.note(LEARNED_ROW, {**tags, LEAD: tags[COST_TAG] - self.least_usd}, step, seconds)
        self.go_on(log, step, seconds)

    def go_on(self, log: RunLog, step: int, seconds: float) -> None:
        """Note the costs of the rules once more."""
        if step:
            for name, tags in self._drawn().items():
                log.note(name, {COST_TAG: tags[COST_TAG]}, step, seconds)

    def _drawn(self) -> dict[str, Mapping[str, float]]:
        most_usd = DRAWN_UP_TO * abs(self.least_usd)
        return {name: tags for name, tags in self.values.items() if tags[COST_TAG] <= most_usd}


def reference_lines(scenario: Scenario, config: TrainingConfig) -> ReferenceLines:
    """Return what every baseline costs on the validation episodes of a training and, if its test has it, the best of
    the shipped tuned rules."""
    episodes = np.arange(config.line_episodes)

    def found(policy: Policy) -> dict[str, float]:
        counts = play_episodes(scenario, policy, config.demand.validation, episodes, threads=config.threads)
        return tagged(compute_metrics(scenario, add_counts(counts), len(episodes)))

    values = {name: found(RulePolicy(name, scenario)) for name in fitting_baselines(scenario)}
    if config.benchmark is not None and config.benchmark.best_tuned and tuned_file(scenario.name).is_file():
        rules = {named.name: named for named in load_rules(scenario)}
        best = choose_best(
            list(rules.values()), scenario, seed=config.judged_seed, episodes=len(episodes), threads=config.threads
        )
        values[BEST_TUNED] = found(rules[best].policy)
    empty = {tag for tag in set().union(*values.values()) if not any(tags.get(tag) for tags in values.values())}
    return ReferenceLines(
        {
            name: {tag: value for tag, value in tags.items() if tag not in empty - {COST_TAG}}
            for name, tags in values.items()
        }
    )
