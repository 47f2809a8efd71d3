"""Policies compared on the very same episodes: intervals, paired differences, tables and files.

Room: `experiments.comparison`. What `benchmark` and `train` share; touches files only when asked to write.

    result = run_benchmark(scenario, ["fifo", NamedPolicy("learned", policy)], episodes=64, seed=3)
    result.show()
    result.write_json(run_folder / "benchmark.json")
"""

import itertools
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.progress import Progress

from agents.catalog import (
    PRETRAINED,
    NamedPolicy,
    StockLoader,
    fitting_baselines,
    load_policy,
)
from agents.episodes import Episodes
from agents.rules.rule import Rule
from agents.run_files import LEARNED_ROW
from envs.arguments import check_whole
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario
from experiments.bounds.bound import reason_against_bound
from experiments.comparison.benchmark_result import BenchmarkResult
from experiments.comparison.benchmark_tables import compared_metrics
from experiments.comparison.bound_coverage import Coverage, check_bound, compute_coverage
from experiments.comparison.outcomes import Outcome, play
from experiments.comparison.scenario_result import Comparisons, ScenarioResult
from experiments.comparison.tuned_rules import (
    BEST_TUNED,
    CHOSEN_ROWS,
    choose_best,
    load_rules,
)
from experiments.console import say_policy_doubts
from experiments.intervals import bootstrap_intervals, least_units
from experiments.progress import episode_progress
from experiments.provenance import collect_data
from experiments.seeds import LARGEST_SEED, MOST_EPISODES, demand_seeds

if TYPE_CHECKING:
    from experiments.records.recorder import RecordFolder


REFERENCES = (LEARNED_ROW, PRETRAINED, BEST_TUNED)
"""The policy that is compared with all others: the first of these that takes part, otherwise the first one."""
_COLUMNS = 8192
"""Differences whose intervals are made at a time."""


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
    load_stock: StockLoader | None = None,
) -> BenchmarkResult:
    """Play the same test episodes with every policy, and compare.

    Args:
        scenarios: one or more; their names must differ.
        policies: what `agents.catalog.load_policy` understands, made anew for each scenario, or policies
            ready to play; their names must differ. `best_tuned` and `best_published` are the shipped rules
            (`experiments.comparison.tuned_rules`) that cost least on validation episodes, which are played before any
            test episode. None: in each scenario every baseline that fits it.
        episodes: episodes per scenario; 2 at least, since an interval needs them.
        seed: the user's seed; the episodes are 0, 1, ... of its test seed (`experiments.seeds`).
        threads: on which a baseline's episodes are played, and those of an exported policy.
        reference: the policy that the tables compare with the others; default the first of `REFERENCES` that takes
            part, else the first.
        records: where to write every contact and decision (`experiments.records.recorder`), if anywhere.
        tuned: add all tuned rules of each scenario, and `best_tuned`.
        validation_episodes: so many; 1 at least.
        bound: on how many of the episodes, the first ones, a lower bound is computed (`experiments.bounds.bound`).
        load_stock: what loads models of Stable-Baselines3 (`agents.catalog.StockLoader`); None: they are refused.
    """
    scenarios = [scenarios] if isinstance(scenarios, Scenario) else list(scenarios)
    seed = check_whole("seed", seed, high=LARGEST_SEED)
    episodes = check_whole("episodes", episodes, 2, MOST_EPISODES)  # an interval needs two
    validation_episodes = check_whole("validation_episodes", validation_episodes, 1, MOST_EPISODES)
    check_bound(bound, episodes)
    _check_names("scenario", [scenario.name for scenario in scenarios])
    # All are made before any is played, so that a mistake is reported at once.
    load = partial(load_policy, threads=threads, load_stock=load_stock)
    line_ups = [_line_up(scenario, policies, reference, tuned=tuned, load=load) for scenario in scenarios]
    for line_up in line_ups:
        say_policy_doubts(line_up.policies)
    match = _Match(seed, episodes, validation_episodes, bound, threads, records)
    with episode_progress() as progress:
        return BenchmarkResult({line_up.scenario.name: match.play(line_up, progress) for line_up in line_ups})


class _LineUp(NamedTuple):
    """Who takes part in one scenario.

    Attributes:
        scenario: where.
        policies: all that play under their own names.
        to_choose: of each row that validation fills, the rules among which it chooses.
        reference: name of the policy or the row that is compared with the others.
    """

    scenario: Scenario
    policies: list[NamedPolicy]
    to_choose: dict[str, list[NamedPolicy]]
    reference: str


def _line_up(
    scenario: Scenario,
    policies: Sequence[str | Rule | NamedPolicy] | None,
    reference: str | None,
    *,
    tuned: bool,
    load: Callable[[str | Rule, Scenario], NamedPolicy],
) -> _LineUp:
    own: list[NamedPolicy] = []
    names: list[str] = []
    to_choose: dict[str, list[NamedPolicy]] = {}
    for policy in fitting_baselines(scenario) if policies is None else policies:
        row = policy.strip() if isinstance(policy, str) else ""
        if row in CHOSEN_ROWS:
            to_choose[row] = load_rules(scenario, row)
            names.append(row)
        else:
            own.append(policy if isinstance(policy, NamedPolicy) else load(policy, scenario))
            names.append(own[-1].name)
    if tuned:
        if BEST_TUNED not in to_choose:
            to_choose[BEST_TUNED] = load_rules(scenario, BEST_TUNED)
            names.append(BEST_TUNED)
        own += to_choose[BEST_TUNED]
        names += [rule.name for rule in to_choose[BEST_TUNED]]
    return _LineUp(scenario, own, to_choose, _choose_reference(names, reference))


class _Match(NamedTuple):
    """How each scenario of a benchmark is played; see `run_benchmark`."""

    seed: int
    episodes: int
    validation_episodes: int
    bound: int
    threads: int
    records: "RecordFolder | None"

    def play(self, line_up: _LineUp, progress: Progress) -> ScenarioResult:
        """Return what those of `line_up` achieve in its scenario."""
        start_s = time.perf_counter()
        chosen = {row: self._choose_best(line_up.scenario, rules, progress) for row, rules in line_up.to_choose.items()}
        outcomes = self._play_test(line_up, chosen, progress)
        comparisons = _compare(outcomes, line_up.reference)
        wall_s = time.perf_counter() - start_s
        return ScenarioResult(
            line_up.scenario,
            self.seed,
            line_up.reference,
            outcomes,
            comparisons,
            wall_s,
            collect_data([line_up.scenario], line_up.policies),
            chosen=chosen,
            coverage=self._cover(line_up.scenario, outcomes, progress) if self.bound else None,
        )

    def _cover(self, scenario: Scenario, outcomes: dict[str, Outcome], progress: Progress) -> Coverage | None:
        """Return what the policies reach of the lower bound; None, and a word to the user, where none is known."""
        reason = reason_against_bound(scenario)
        if reason is not None:
            print(f"{scenario.name}: no lower bound: {reason}", file=sys.stderr)
            return None
        return compute_coverage(outcomes, demand_seeds(self.seed).test, self.bound, progress)

    def _choose_best(self, scenario: Scenario, rules: list[NamedPolicy], progress: Progress) -> str:
        return choose_best(
            rules,
            scenario,
            seed=self.seed,
            episodes=self.validation_episodes,
            threads=self.threads,
            progress=progress,
        )

    def _play_test(self, line_up: _LineUp, chosen: dict[str, str], progress: Progress) -> dict[str, Outcome]:
        """Return the outcome of each policy on the test episodes, which all share, and of each `chosen` row."""
        shared = Episodes(line_up.scenario, demand_seeds(self.seed).test, threads=self.threads)
        outcomes: dict[str, Outcome] = {}
        rows = {row: next(rule for rule in line_up.to_choose[row] if rule.name == name) for row, name in chosen.items()}
        for named in (*line_up.policies, *(replace(rule, name=row) for row, rule in rows.items())):
            rule = rows.get(named.name)
            if rule is not None and any(rule is other for other in line_up.policies):
                outcomes[named.name] = replace(outcomes[rule.name], policy=named.name)
                continue
            recording = nullcontext() if self.records is None else self.records.open(line_up.scenario, named, self.seed)
            with recording as recorder:
                outcomes[named.name] = play(named, shared, self.episodes, progress=progress, recorder=recorder)
        return outcomes


def _choose_reference(names: list[str], reference: str | None) -> str:
    """Return the policy that the tables compare with the others, the names of all policies checked."""
    _check_names("policy", names, hint="; name one of them with name=...")
    chosen = reference or next((name for name in REFERENCES if name in names), names[0])
    if chosen not in names:
        raise ConfigurationError(f"reference = {chosen!r}: must be one of {', '.join(names)}")
    return chosen


def _check_names(kind: str, names: Sequence[str], *, hint: str = "") -> None:
    if not names:
        raise ConfigurationError(f"a benchmark needs a {kind} at least")
    require_different(kind, names, f"takes part twice: names must differ{hint}")


def require_different(kind: str, names: Sequence[str], problem: str) -> None:
    """Raise `ConfigurationError` if two of `names` are the same; `problem` says of that name what is wrong with it."""
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ConfigurationError(f"{kind} {doubled[0]!r} {problem}")


def _compare(outcomes: dict[str, Outcome], reference: str) -> Comparisons:
    """Return the paired differences between all policies, each pair once, the reference first in its pairs."""
    names = [reference, *(name for name in outcomes if name != reference)]
    keys = list(outcomes[reference].metrics)
    metrics = compared_metrics(outcomes[reference].scenario)
    columns = [keys.index(metric) for metric in metrics]
    values = np.stack([outcomes[name].pseudo_values[:, columns] for name in names])
    pairs = list(itertools.combinations(range(len(names)), 2))
    policy, against = (np.repeat([pair[side] for pair in pairs], len(metrics)).astype(np.int64) for side in (0, 1))
    metric = np.tile(np.arange(len(metrics)), len(pairs))
    ends = np.empty((3, len(metric)))
    for start in range(0, len(metric), _COLUMNS):  # not all differences of all pairs at once, which may be a gigabyte
        part = slice(start, start + _COLUMNS)
        differences = values[policy[part], :, metric[part]] - values[against[part], :, metric[part]]
        ends[:, part] = bootstrap_intervals(
            np.ascontiguousarray(differences.T), least=least_units(outcomes[reference].days)
        )
    labels = [(names[i], names[k]) for i, k in pairs]
    return Comparisons(labels, metrics, ends.reshape(3, len(pairs), len(metrics)))
