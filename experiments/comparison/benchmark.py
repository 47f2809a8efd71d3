"""The command `blended benchmark`: which policies, in which scenarios, on which episodes.

Room: `experiments.comparison`. Reads `configs/benchmarks/`; the work is done by `experiments.comparison.comparison`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from agents.catalog import StockLoader, locate_policy
from agents.rules.registry import AnyRule
from envs.configuration.quantities import Checked
from envs.scenario.scenario import load_scenario, locate_override, locate_scenario
from experiments.comparison.benchmark_result import BenchmarkResult
from experiments.comparison.comparison import run_benchmark
from experiments.console import say_doubts
from experiments.run_folder import load_config
from experiments.seeds import LARGEST_SEED, MOST_EPISODES

if TYPE_CHECKING:
    from experiments.records.recorder import RecordFolder


PATH_KEYS = {"scenarios": locate_scenario, "overrides": locate_override, "policies": locate_policy}
"""Keys whose texts may name files; relative paths begin in the folder of the benchmark file."""
BOUNDED_EPISODES = 4
"""Episodes on which a lower bound is computed if nobody says on how many: that takes seconds for each."""


class BenchmarkConfig(Checked):
    """A benchmark, as a file in `configs/benchmarks/` states it.

    Attributes:
        description: what it is for.
        scenarios: names or paths.
        overrides: `dotted.key=value` texts, applied to every scenario.
        policies: what `agents.catalog.load_policy` understands, rules (`agents.rules.registry.AnyRule`) included;
            none: in each scenario every baseline that fits it.
        episodes: test episodes per scenario.
        seed: the user's seed (`experiments.seeds`).
        reference: the policy that the tables compare with the others; default `learned`, else `pretrained`, else
            `best_tuned`, else the first.
        tuned: whether the tuned rules of each scenario (`experiments.comparison.tuned_rules`) take part, and the best
            of them on validation episodes as `best_tuned`.
        validation_episodes: per scenario, to choose that one.
        bound: on how many of the episodes, the first ones, a lower bound is computed (docs/bound.md); default: on 4, or
            on all if they are fewer; 0: on none.
    """

    description: str = ""
    scenarios: tuple[str, ...] = Field(default=("bank",), min_length=1)
    overrides: tuple[str, ...] = ()
    policies: tuple[str | AnyRule, ...] | None = Field(default=None, min_length=1)
    episodes: int = Field(default=64, ge=2, le=MOST_EPISODES)
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    reference: str | None = None
    tuned: bool = False
    validation_episodes: int = Field(default=64, ge=1, le=MOST_EPISODES)
    bound: int | None = Field(default=None, ge=0)


def load_benchmark(name_or_path: str | Path | None = None, **changes: Any) -> BenchmarkConfig:
    """Return the checked benchmark of that name in `configs/benchmarks/`, or of that file.

    Without a name every key has its default. `changes` that are not None replace values of keys, and are checked as
    those are.
    """
    # On the command line a policy's text is the name of its row, and stays as it is written.
    return load_config(BenchmarkConfig, "benchmark", "benchmarks", name_or_path, changes, paths=PATH_KEYS, here=Path())


def benchmark(
    config: BenchmarkConfig,
    *,
    threads: int = 1,
    records: "RecordFolder | None" = None,
    load_stock: StockLoader | None = None,
) -> BenchmarkResult:
    """Run a benchmark; with `records` every contact and decision is written there (`experiments.records.recorder`).
    Models of Stable-Baselines3 take part with `load_stock` only, which a file cannot give."""
    scenarios = [load_scenario(name, tuple(config.overrides)) for name in config.scenarios]
    say_doubts(scenarios)
    return run_benchmark(
        scenarios,
        config.policies,
        episodes=config.episodes,
        seed=config.seed,
        threads=threads,
        reference=config.reference,
        records=records,
        tuned=config.tuned,
        validation_episodes=config.validation_episodes,
        load_stock=load_stock,
        bound=min(BOUNDED_EPISODES, config.episodes) if config.bound is None else config.bound,
    )
