"""Policies compared on the very same episodes: intervals, paired differences, tables and files.

Room: `experiments`. What `benchmark` and `train` share; touches files only when asked to write.

    result = run_benchmark(scenario, ["fifo", NamedPolicy("learned", policy)], episodes=64, seed=3)
    result.show()
    result.write_json(run_folder / "benchmark.json")
"""

import csv
import itertools
import json
import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from agents.catalog import NamedPolicy, fitting_baselines, load_policy
from agents.episodes import Episodes
from agents.rule import Rule
from envs.errors import ConfigurationError
from envs.scenario import COST_TERMS, Scenario
from experiments.bound import BoundResult
from experiments.coverage import Coverage, check_bound, compute_coverage, coverage_table
from experiments.intervals import Interval, bootstrap_intervals
from experiments.outcomes import Outcome, episode_progress, play
from experiments.seeds import demand_seeds
from experiments.summary import Summary, amount_text, summarize, summary_table, usd_text
from experiments.table_console import table_console
from experiments.tuned_rules import BEST_TUNED, choose_best, load_tuned

if TYPE_CHECKING:
    from experiments.records import RecordFolder  # needs the extra `data`, as its caller knows

REFERENCES = ("learned", BEST_TUNED)
"""The policy that is compared with all others: the first of these that takes part, otherwise the first one."""


@dataclass(frozen=True)
class Comparison:
    """The paired difference of one metric between two policies, `policy` minus `against`, on the same
    episodes."""

    policy: str
    against: str
    metric: str
    difference: Interval


@dataclass(frozen=True)
class ScenarioResult:
    """What the policies achieved in one scenario.

    Attributes:
        scenario: the scenario.
        seed: the user's seed; the episodes are those of its test seed.
        reference: the policy that the tables compare with the others.
        outcomes: by name of the policy.
        comparisons: of every pair of policies once; the reference is always first in its pairs.
        wall_s: seconds by the clock to play the scenario with all policies, compilation included, and to compare them.
        best_tuned: which policy the row `best_tuned` is; None without tuned rules.
        coverage: what the policies cover of the way from FIFO to a lower bound; None where no bound was asked for.
    """

    scenario: Scenario
    seed: int
    reference: str
    outcomes: dict[str, Outcome]
    comparisons: list[Comparison]
    wall_s: float
    best_tuned: str | None = None
    coverage: Coverage | None = None

    @cached_property
    def summary(self) -> Summary:
        """Who is best and how surely, and what the best policy's cost consists of."""
        differences = {
            (found.policy, found.against): found.difference
            for found in self.comparisons
            if found.metric == "total_cost_usd"
        }

        def difference(policy: str, against: str) -> Interval:
            found = differences.get((policy, against))
            if found is not None:
                return found
            mean, low, high = differences[against, policy]
            return Interval(-mean, -high, -low)

        # The row `best_tuned` is another name of a policy that takes part itself.
        once = {name: outcome for name, outcome in self.outcomes.items() if name != BEST_TUNED}
        return summarize(once, difference)

    def comparison(self, against: str, metric: str = "total_cost_usd") -> Comparison:
        """Return the comparison of the reference with another policy."""
        return next(
            found
            for found in self.comparisons
            if (found.policy, found.against, found.metric) == (self.reference, against, metric)
        )


@dataclass(frozen=True)
class BenchmarkResult:
    """The results of a benchmark, by name of the scenario."""

    scenarios: dict[str, ScenarioResult]

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain data; what is not defined (NaN) is None.

        `{"scenarios": {NAME: {"episodes", "seed", "wall_s", "policies": {POLICY: {METRIC: {"mean", "low", "high"}}},
        "comparisons": [{"policy", "against", "metric", "mean_difference", "low", "high"}],
        "summary": {"best", "total_cost_usd": {"mean", "low", "high"}, "runner_up", "difference": {"mean", "low",
        "high"}, "excludes_zero", "largest_term", "largest_term_frac", "large_terms"}, "best_tuned"}}}`; with a bound
        also `"bound": {"total_cost_usd", "low", "high", "episodes", "kind"}`, and `covered_frac` among the metrics of
        each policy if `fifo` takes part.
        """
        return {"scenarios": {name: _scenario_json(result) for name, result in self.scenarios.items()}}

    def write_json(self, file: str | Path) -> None:
        """Write `as_json` to a file."""
        text = json.dumps(self.as_json(), indent=2, allow_nan=False) + "\n"
        _write_text(Path(file), text)

    def write_csv(self, file: str | Path) -> None:
        """Write one row per scenario, policy and episode with all metrics; what is not defined is left
        empty."""
        keys: dict[str, None] = {}  # a set in order of appearance: scenarios differ in their channels
        for result in self.scenarios.values():
            for outcome in result.outcomes.values():
                keys |= dict.fromkeys(outcome.metrics)
        try:
            with Path(file).open("w", newline="", encoding="utf-8") as stream:
                writer = csv.writer(stream)
                writer.writerow(["scenario", "policy", "mode", "seed", "episode", *keys])
                for name, result in self.scenarios.items():
                    for policy, outcome in result.outcomes.items():
                        for episode, metrics in enumerate(outcome.episode_metrics):
                            values = (metrics.get(key, math.nan) for key in keys)
                            cells = ["" if math.isnan(value) else repr(value) for value in values]
                            writer.writerow([name, policy, outcome.mode, result.seed, episode, *cells])
        except OSError as error:
            raise ConfigurationError(f"{file}: cannot be written ({error.strerror})") from error

    def show(self, console: Console | None = None) -> None:
        """Print the tables of every scenario: total cost and differences, service, costs by term; of several scenarios
        a summary last."""
        console = console or table_console()
        for result in self.scenarios.values():
            for table in _tables(result):
                console.print(table)
            if result.coverage is not None:
                console.print(coverage_table(result.scenario.name, result.coverage))
        if len(self.scenarios) > 1:
            console.print(summary_table({name: result.summary for name, result in self.scenarios.items()}))


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
        records: where to write every contact and decision (`experiments.records`), if anywhere.
        tuned: add the tuned rules of each scenario (`experiments.tuned_rules`), and as `best_tuned` once more the one
            that costs least on validation episodes, which are played before any test episode.
        validation_episodes: so many; 1 at least.
        bound: on how many of the episodes, the first ones, a lower bound is computed (`experiments.bound`).
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


def compared_metrics(scenario: Scenario) -> list[str]:
    """Return the metrics of which paired differences are reported: costs, and the service of each channel."""
    keys = [
        "total_cost_usd",
        *(f"cost_{term}_usd" for term in COST_TERMS),
        "account_loss_usd",
        "interruptions",
    ]
    return keys + [key for _, key in _service_metrics(scenario)]


def _service_metrics(scenario: Scenario) -> list[tuple[str, str]]:
    """Return (heading, key) of the service that is shown of each channel."""
    shown = []
    for channel in scenario.channels:
        if channel.is_real_time:
            shown.append((f"{channel.name}\nabandoned", f"{channel.name}.abandoned_frac"))
            shown.append((f"{channel.name}\nservice level", f"{channel.name}.service_level_frac"))
        else:
            shown.append((f"{channel.name}\non time", f"{channel.name}.on_time_frac"))
    return shown


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


def _scenario_json(result: ScenarioResult) -> dict[str, Any]:
    data: dict[str, Any] = {
        "episodes": len(next(iter(result.outcomes.values())).counts),
        "seed": result.seed,
        "wall_s": result.wall_s,
        "policies": {
            name: {metric: _interval_json(interval) for metric, interval in outcome.intervals.items()}
            for name, outcome in result.outcomes.items()
        },
        "comparisons": [
            {
                "policy": found.policy,
                "against": found.against,
                "metric": found.metric,
                "mean_difference": _number(found.difference.mean),
                "low": _number(found.difference.low),
                "high": _number(found.difference.high),
            }
            for found in result.comparisons
        ],
        "summary": _summary_json(result.summary),
        "best_tuned": result.best_tuned,
    }
    if result.coverage is not None:
        data["bound"] = _bound_json(result.coverage.bound)
        for name, interval in result.coverage.covered_frac.items():
            data["policies"][name]["covered_frac"] = _interval_json(interval)
    return data


def _bound_json(bound: BoundResult) -> dict[str, Any]:
    mean, low, high = (_number(end) for end in bound.total_cost_usd)
    return {"total_cost_usd": mean, "low": low, "high": high, "episodes": len(bound.episodes), "kind": bound.kind}


def _summary_json(summary: Summary) -> dict[str, Any]:
    return {
        "best": summary.best,
        "total_cost_usd": _interval_json(summary.total_cost_usd),
        "runner_up": summary.runner_up,
        "difference": None if summary.difference is None else _interval_json(summary.difference),
        "excludes_zero": summary.excludes_zero,
        "largest_term": summary.largest_term,
        "largest_term_frac": _number(summary.largest_term_frac),
        "large_terms": summary.large_terms,
    }


def _interval_json(interval: Interval) -> dict[str, float | None]:
    return {end: _number(value) for end, value in interval._asdict().items()}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _write_text(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be written ({error.strerror})") from error


def _tables(result: ScenarioResult) -> list[Table]:
    count = len(result.outcomes[result.reference].counts)
    costs = Table(
        title=f"{result.scenario.name}: cost per day with 95 % intervals, {count} test episodes of seed {result.seed}",
    )
    service = Table(title=f"{result.scenario.name}: service")
    terms = Table(title=f"{result.scenario.name}: cost by term, USD/day")
    for table in (costs, service, terms):
        table.add_column("policy", no_wrap=True)
    costs.add_column("total cost, USD/day", justify="right")
    costs.add_column(f"{result.reference} minus this, paired, USD/day", justify="right")
    shown = _service_metrics(result.scenario)
    for heading, _ in shown:
        service.add_column(heading, justify="right")
    service.add_column("interruptions\nper day", justify="right")
    # A term that costs nobody anything would only take room.
    with_cost = [
        term for term in COST_TERMS if any(outcome.metrics[f"cost_{term}_usd"] for outcome in result.outcomes.values())
    ]
    for term in with_cost:
        terms.add_column(term.replace("_", " "), justify="right")
    by_cost = sorted(result.outcomes.values(), key=lambda outcome: outcome.metrics["total_cost_usd"])
    for outcome in by_cost:
        label = outcome.policy if outcome.mode == "greedy" else f"{outcome.policy} (sampled)"
        if outcome.policy == BEST_TUNED:
            label = f"{BEST_TUNED} ({result.best_tuned})"
        difference = ""
        if outcome.policy != result.reference:
            difference = usd_text(result.comparison(outcome.policy).difference)
        costs.add_row(label, usd_text(outcome.intervals["total_cost_usd"]), difference)
        shares = (_percent(outcome.metrics[key]) for _, key in shown)
        service.add_row(label, *shares, f"{outcome.metrics['interruptions']:,.1f}")
        terms.add_row(label, *(amount_text(outcome.metrics[f"cost_{term}_usd"]) for term in with_cost))
    return [costs, service, terms]


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"
