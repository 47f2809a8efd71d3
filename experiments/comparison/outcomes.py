"""What a policy achieves: its episodes played, and every metric with an interval.

Room: `experiments.comparison`. Touches `agents.episodes` to play; prints only progress, and on the terminal alone.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from agents.catalog import NamedPolicy
from agents.checked_policy import CheckedPolicy
from agents.episodes import EpisodeRecorder, Episodes
from agents.policy import Policy
from agents.rules.rule_policy import RulePolicy
from envs.counts import (
    Counts,
    add_counts,
)
from envs.headline import Headline, Headlined
from envs.inputs.demand import recorded_days
from envs.metrics import (
    compute_metrics,
    metric_glossary,
)
from envs.scenario.action_table import action_table
from envs.scenario.scenario import Scenario
from experiments.intervals import (
    Interval,
    bootstrap_intervals,
    episodes_by_day,
    least_units,
    pseudo_values,
    reason_against_interval,
)
from experiments.seeds import sampling_seed
from experiments.texts import usd_text, warning_text


@dataclass(frozen=True, repr=False)
class Outcome(Headlined):
    """The counters of the episodes that one policy played in one scenario, in the order of the episodes.

    Attributes:
        policy: its name.
        mode: `greedy` or `sampled`.
        scenario: the scenario.
        counts: of each episode.
        days: the recorded day that each episode replays; None without a record.
    """

    policy: str
    mode: str
    scenario: Scenario
    counts: list[Counts]
    days: NDArray[np.int64] | None = None

    def headline(self) -> Headline:
        """Return what the policy costs."""
        cost = usd_text(self.intervals["total_cost_usd"])
        return Headline(
            f"{self.policy} ({self.mode}) in {self.scenario.name}: {cost} USD/day in {len(self.counts)} episodes"
            f"{warning_text(self.no_interval)}"
        )

    @cached_property
    def episode_metrics(self) -> list[dict[str, float]]:
        """The metrics of each episode by itself."""
        return [compute_metrics(self.scenario, count) for count in self.counts]

    @cached_property
    def metrics(self) -> dict[str, float]:
        """The metrics over all episodes: ratios are sums over sums."""
        return compute_metrics(self.scenario, add_counts(self.counts), len(self.counts))

    @cached_property
    def pseudo_values(self) -> NDArray[np.float64]:
        """One value per metric and episode, or per recorded day that the episodes replay, the mean of which is the
        metric (see `experiments.intervals`)."""
        n_episodes = len(self.counts)
        whole = np.array(list(self.metrics.values()))
        units = episodes_by_day(n_episodes, self.days)
        if len(units) == 1:
            return whole[np.newaxis]
        total = add_counts(self.counts)
        without = [
            compute_metrics(
                self.scenario, _subtract(total, add_counts([self.counts[i] for i in unit])), n_episodes - len(unit)
            )
            for unit in units
        ]
        return pseudo_values(whole, np.array([list(metrics.values()) for metrics in without]))

    @property
    def no_interval(self) -> str | None:
        """Why the metrics have no intervals; None where they have."""
        return reason_against_interval(len(self.counts), self.days)

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Every metric over all episodes with its 95 % bootstrap interval; NaN for its ends where there is none.

        No metric is below 0 and no share above 1, where the approximation of a ratio's interval may end.
        """
        _, lows, highs = bootstrap_intervals(self.pseudo_values, least=least_units(self.days))
        glossary = metric_glossary(self.scenario)
        intervals = {}
        for (key, value), low, high in zip(self.metrics.items(), lows.tolist(), highs.tolist(), strict=True):
            largest = max(1.0, value) if glossary[key][0] == "fraction" else math.inf
            # NaN first: min and max keep their first argument where the comparison is false.
            intervals[key] = Interval(value, max(low, 0.0), min(high, largest))
        return intervals


def play(
    named: NamedPolicy,
    episodes: Episodes,
    count: int,
    *,
    progress: Progress | None = None,
    recorder: EpisodeRecorder | None = None,
) -> Outcome:
    """Return what `named` achieves in the first `count` of `episodes`, which a `recorder` may follow.

    A policy with a method `seed` is told a number that follows from their demand seed first
    (`experiments.seeds.sampling_seed`). Masked actions raise `ConfigurationError`.
    """
    scenario = episodes.scenario
    policy = named.policy
    if not isinstance(policy, RulePolicy):
        policy = CheckedPolicy(named.name, policy, [action.name for action in action_table(scenario)])
        policy.seed(sampling_seed(episodes.seed))
    task = None if progress is None else progress.add_task(f"{scenario.name}: {named.name}", total=count)

    def advance(finished: int) -> None:
        if progress is not None and task is not None:
            progress.advance(task, finished)

    counts = episodes.play(
        policy, np.arange(count), deterministic=named.deterministic, progress=advance, recorder=recorder
    )
    days = recorded_days(scenario, episodes.seed, range(count))
    return Outcome(named.name, "greedy" if named.deterministic else "sampled", scenario, counts, days)


def episode_costs_usd(episodes: Episodes, policy: Policy, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the total cost of each of the episodes `numbers` with `policy`, USD/day, float64 (n,)."""
    counts = episodes.play(policy, numbers)
    return np.array([compute_metrics(episodes.scenario, count)["total_cost_usd"] for count in counts])


def _subtract(total: Counts, part: Counts) -> Counts:
    """Return counters less those of one episode."""
    rest: Counts = {}
    for key, whole in total.items():
        if whole.dtype.names is None:
            rest[key] = whole - part[key]
            continue
        rest[key] = whole.copy()
        for name in whole.dtype.names:
            rest[key][name] = whole[name] - part[key][name]
    return rest
