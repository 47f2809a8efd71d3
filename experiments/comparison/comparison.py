"""Policies compared on the very same episodes: intervals, paired differences, tables and files.

Room: `experiments.comparison`. What `benchmark` and `train` share; touches files only when asked to write.

    result = run_benchmark(scenario, ["fifo", NamedPolicy("learned", policy)], episodes=64, seed=3)
    result.show()
    result.write_json(run_folder / "benchmark.json")
"""

import itertools
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from agents.catalog import (
    NamedPolicy,
    fitting_baselines,
    load_policy,
)
from agents.episodes import Episodes
from agents.rules.rule import Rule
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario
from experiments.comparison.benchmark_result import BenchmarkResult
from experiments.comparison.benchmark_tables import compared_metrics
from experiments.comparison.bound_coverage import check_bound, compute_coverage
from experiments.comparison.outcomes import Outcome, play
from experiments.comparison.scenario_result import Comparison, ScenarioResult
from experiments.comparison.tuned_rules import (
    BEST_TUNED,
    choose_best,
    load_tuned,
)
from experiments.intervals import Interval, bootstrap_intervals
from experiments.progress import episode_progress
from experiments.seeds import demand_seeds

if TYPE_CHECKING:
    from experiments.records.recorder import RecordFolder


REFERENCES = ("learned", BEST_TUNED)
"""The policy that is compared with all others: the first of these that takes part, otherwise the first one."""


def run_benchmark(
    scenarios: Scenario | Sequence[Scenario],
    policies: Sequence[str | Rule | NamedPolicy] | None = None,
    *,
    episodes: int = 64,
    seed: int = 0,
    threads: int = 1,
    reference: str | None = None,
    records: "RecordFolder | None" = None,
    tuned: bool = False,
    validation_episodes: int = 64,
    bound: int = 0,
) -> BenchmarkResult:
    """Play the same test episodes with every policy, and compare.

    Args:
        scenarios: one or more; their names must differ.
        policies: what `agents.catalog.load_policy` understands, made anew for each scenario, or policies
            ready to play; their names must differ. None: in each scenario every baseline that fits it.
        episodes: episodes per scenario; 2 at least, since an interval needs them.
        seed: the user's seed; the episodes are 0, 1, ... of its test seed (`experiments.seeds`).
        threads: on which a baseline's episodes are played, and those of an exported policy.
        reference: the policy that the tables compare with the others; default `learned`, else `best_tuned`, else the
            first.
        records: where to write every contact and decision (`experiments.records.recorder`), if anywhere.
        tuned: add the tuned rules of each scenario (`experiments.comparison.tuned_rules`), and as `best_tuned` once
        more the one
            that costs least on validation episodes, which are played before any test episode.
        validation_episodes: so many; 1 at least.
        bound: on how many of the episodes, the first ones, a lower bound is computed (`experiments.bounds.bound`).
    """
    scenarios = [scenarios] if isinstance(scenarios, Scenario) else list(scenarios)
    if episodes < 2:
        raise ConfigurationError(f"episodes = {episodes}: must be >= 2, since an interval needs two")
    if validation_episodes < 1:
        raise ConfigurationError(f"validation_episodes = {validation_episodes}: must be >= 1")
    check_bound(bound, episodes)
    _check_names("scenario", [scenario.name for scenario in scenarios])
    test_seed = demand_seeds(seed).test
    # All are made before any is played, so that a mistake is reported at once.
    made = [
        [
            policy if isinstance(policy, NamedPolicy) else load_policy(policy, scenario, threads=threads)
            for policy in (fitting_baselines(scenario) if policies is None else policies)
        ]
        for scenario in scenarios
    ]
    made_tuned = [
        [load_policy(rule, scenario) for rule in load_tuned(scenario.name).rules] if tuned else []
        for scenario in scenarios
    ]
    references = [
        _choose_reference([named.name for named in (*own, *rules)] + [BEST_TUNED] * tuned, reference)
        for own, rules in zip(made, made_tuned, strict=True)
    ]
    results = {}
    with episode_progress() as progress:
        for scenario, own, rules, first in zip(scenarios, made, made_tuned, references, strict=True):
            start_s = time.perf_counter()
            best_tuned = None
            if tuned:
                best_tuned = choose_best(
                    rules, scenario, seed=seed, episodes=validation_episodes, threads=threads, progress=progress
                )
            shared = Episodes(scenario, test_seed, threads=threads)
            outcomes = {}
            for named in (*own, *rules):
                with nullcontext() if records is None else records.open(scenario, named, seed) as recorder:
                    outcomes[named.name] = play(named, shared, episodes, progress=progress, recorder=recorder)
            if best_tuned is not None:
                outcomes[BEST_TUNED] = replace(outcomes[best_tuned], policy=BEST_TUNED)
            comparisons = _compare(outcomes, first)
            wall_s = time.perf_counter() - start_s
            coverage = compute_coverage(outcomes, test_seed, bound, progress) if bound else None
            results[scenario.name] = ScenarioResult(
                scenario, seed, first, outcomes, comparisons, wall_s, best_tuned=best_tuned, coverage=coverage
            )
    return BenchmarkResult(results)


def _choose_reference(names: list[str], reference: str | None) -> str:
    """Return the policy that the tables compare with the others, the names of all policies checked."""
    _check_names("policy", names)
    chosen = reference or next((name for name in REFERENCES if name in names), names[0])
    if chosen not in names:
        raise ConfigurationError(f"reference = {chosen!r}: must be one of {', '.join(names)}")
    return chosen


def _check_names(kind: str, names: list[str]) -> None:
    if not names:
        raise ConfigurationError(f"a benchmark needs a {kind} at least")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        hint = "; name one of them with name=..." if kind == "policy" else ""
        raise ConfigurationError(f"{kind} {doubled[0]!r} takes part twice: names must differ{hint}")


def _compare(outcomes: dict[str, Outcome], reference: str) -> list[Comparison]:
    """Return the paired differences between all policies, each pair once."""
    names = [reference, *(name for name in outcomes if name != reference)]
    keys = list(outcomes[reference].metrics)
    metrics = compared_metrics(outcomes[reference].scenario)
    columns = [keys.index(metric) for metric in metrics]
    pairs = list(itertools.combinations(names, 2))
    if not pairs:
        return []
    differences = np.concatenate(
        [
            outcomes[policy].pseudo_values[:, columns] - outcomes[against].pseudo_values[:, columns]
            for policy, against in pairs
        ],
        axis=1,
    )
    ends = bootstrap_intervals(differences)
    labels = [(policy, against, metric) for policy, against in pairs for metric in metrics]
    return [Comparison(*label, Interval(*ends[:, i].tolist())) for i, label in enumerate(labels)]
