"""The command `blended reproduce`: every scenario of the suite trained with several seeds, and what that says.

Room: `experiments.training`. Trains (`experiments.training.train`); reads the finished runs; a run that is there
already is not repeated.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from agents.catalog import load_policy
from agents.run_files import (
    BENCHMARK_JSON_FILE,
    CLASSIFICATION_FILE,
    KEYS_WITHOUT_EFFECT,
    LEARNED_ROW,
    POLICY_FILE,
    SELECTION_FILE,
    TRAINING_FILE,
)
from envs.configuration.document import load_yaml, validate
from envs.errors import ConfigurationError
from envs.headline import Headline, Headlined
from envs.scenario.scenario import Scenario, load_scenario
from experiments.comparison.tuned_rules import CHOSEN_ROWS, choose_best
from experiments.console import message_console
from experiments.intervals import Interval, interquartile_interval
from experiments.provenance import collect_data
from experiments.run_folder import check_data
from experiments.texts import percent_interval_text, percent_text
from experiments.training.algorithms.policy_search import last_generation
from experiments.training.train import train
from experiments.training.training_config import TrainingConfig, load_training

JUDGED_EPISODES = 64
"""Validation episodes on which the policies of several seeds are compared."""


class Run(NamedTuple):
    """A finished training.

    Attributes:
        scenario: its name.
        seed: the user's.
        folder: of the run.
        against: by row of tuned rules, what `learned` costs more on the same test episodes, a fraction of the row's
            cost.
    """

    scenario: str
    seed: int
    folder: Path
    against: dict[str, float]


@dataclass(frozen=True, repr=False)
class Reproduction(Headlined):
    """Finished trainings of some scenarios with several seeds each."""

    runs: tuple[Run, ...]

    def of(self, scenario: str) -> list[Run]:
        """Return the runs of a scenario, by seed."""
        return [run for run in self.runs if run.scenario == scenario]

    def scenarios(self) -> list[str]:
        """Return the names of the scenarios, in their order."""
        return list(dict.fromkeys(run.scenario for run in self.runs))

    def difference(self, row: str, scenarios: Sequence[str] | None = None) -> Interval:
        """Return the interquartile mean over runs of what `learned` costs more than `row`, a fraction, with its
        interval by resampling the seeds of each scenario (Agarwal et al. 2021, NeurIPS 34)."""
        names = self.scenarios() if scenarios is None else scenarios
        return interquartile_interval([[run.against[row] for run in self.of(name)] for name in names])

    def rows(self) -> list[str]:
        """Return the rows of tuned rules that took part in every run."""
        return [row for row in CHOSEN_ROWS if all(row in run.against for run in self.runs)]

    def headline(self) -> Headline:
        """Return what the learned policies cost against the tuned rules, and a row for each scenario."""
        parts = [f"{row} {percent_interval_text(self.difference(row))}" for row in self.rows()]
        columns = ["scenario", "seeds", *(f"{row}, {kind}" for row in self.rows() for kind in ("mean", "worst"))]
        cells = []
        for name in self.scenarios():
            own = self.of(name)
            row_cells = [name, f"{len(own)}"]
            for row in self.rows():
                worst = max(run.against[row] for run in own)
                row_cells += [percent_interval_text(self.difference(row, [name])), percent_text(worst)]
            cells.append(row_cells)
        said = f"{len(self.runs)} trainings; interquartile mean of learned minus {', '.join(parts) or 'nothing'}"
        return Headline(said, tuple(columns), cells)

    def show(self, console: Console | None = None) -> None:
        """Print the headline and its table."""
        said, columns, rows = self.headline()
        table = Table(title="learned minus the tuned rules: interquartile mean over seeds, 95 % interval; worst seed")
        for column in columns:
            table.add_column(column, justify="left" if column == "scenario" else "right")
        for row in rows:
            table.add_row(*row)
        console = console or Console()
        console.print(table)
        console.print(said, highlight=False)


def reproduce(
    scenarios: Sequence[str],
    seeds: Sequence[int],
    *,
    runs_folder: str | Path = "runs",
    device: str = "auto",
    overrides: tuple[str, ...] = (),
    console: Console | None = None,
) -> Reproduction:
    """Train each scenario with each seed, those pairs left out that are finished in `runs_folder` under the same
    configuration, and return all runs."""
    console = console or message_console()
    configs = {
        (name, seed): load_training(name, (*overrides, "benchmark.best_tuned=true"), seed=seed)
        for name in scenarios
        for seed in seeds
    }
    found = {pair: finished_run(Path(runs_folder) / Path(pair[0]).stem, config) for pair, config in configs.items()}
    missing = [pair for pair, folder in found.items() if folder is None]
    stages = [stage for pair in missing for stage in (configs[pair].adjustment, configs[pair].controlled_learning)]
    minutes = sum(stage.minutes for stage in stages if stage is not None)
    console.print(
        f"{len(missing)} of {len(configs)} trainings to do; searches and rollouts take at most {minutes:g} minutes",
        highlight=False,
    )
    for pair in missing:
        experiment = Path(pair[0]).stem
        train(configs[pair], experiment=experiment, runs_folder=runs_folder, device=device, console=console)
        found[pair] = finished_run(Path(runs_folder) / experiment, configs[pair])
        if found[pair] is None:  # Ctrl-C ended its search, and what came of that is no part of the figures
            raise KeyboardInterrupt
    return Reproduction(tuple(read_run(name, folder) for (name, _), folder in found.items() if folder is not None))


def finished_run(parent: Path, config: TrainingConfig) -> Path | None:
    """Return the latest folder below `parent` of a finished training as `config` states it, in the scenario as it is
    now; None if there is none. What makes no other training (`KEYS_WITHOUT_EFFECT`) may be different."""
    data = collect_data([load_scenario(config.scenario, config.scenario_overrides)])
    same = {key: getattr(config, key) for key in KEYS_WITHOUT_EFFECT}
    for folder in sorted(parent.glob("*"), reverse=True):
        if not ((folder / BENCHMARK_JSON_FILE).is_file() and (folder / TRAINING_FILE).is_file()):
            continue
        try:
            kept = validate(load_yaml(folder / TRAINING_FILE), TrainingConfig, "training")
            check_data(str(folder), folder, data)
        except ConfigurationError:  # of another version, or another scenario
            continue
        if kept.model_copy(update=same) == config and _is_whole(folder, config):
            return folder
    return None


def _is_whole(folder: Path, config: TrainingConfig) -> bool:
    """Return whether search and rollouts of a run, if it has them, came to their end."""
    if config.controlled_learning is not None and not (folder / CLASSIFICATION_FILE).is_file():
        return False
    if config.adjustment is None:
        return True
    last = last_generation(folder)
    is_last = int(last["generation"]) >= config.adjustment.generations
    return is_last or float(last.get("minutes", 0.0)) >= config.adjustment.minutes


def choose_run(runs: Sequence[Run], scenario: Scenario) -> Run:
    """Return the run whose policy costs least on the validation episodes of seed 0: of its own seed each met others,
    which cost more or less for everybody."""
    policies = [replace(load_policy(str(run.folder / POLICY_FILE), scenario), name=str(run.seed)) for run in runs]
    best = choose_best(policies, scenario, seed=0, episodes=JUDGED_EPISODES)
    return next(run for run in runs if str(run.seed) == best)


def require_shippable(scenarios: Sequence[str], overrides: tuple[str, ...]) -> None:
    """Raise `ConfigurationError` if a training of one of `scenarios` could not be shipped."""
    for name in scenarios:
        config = load_training(name, overrides)
        if config.adjustment is None or config.has_later_stage or config.scenario_overrides:
            raise ConfigurationError(f"--ship {name}: must be trained by policy search alone, in the scenario as it is")


def read_run(scenario: str, folder: Path) -> Run:
    """Return what the folder of a finished training tells."""
    selection = json.loads((folder / SELECTION_FILE).read_text(encoding="utf-8"))
    (test,) = json.loads((folder / BENCHMARK_JSON_FILE).read_text(encoding="utf-8"))["scenarios"].values()
    costs_usd = {name: metrics["total_cost_usd"]["mean"] for name, metrics in test["policies"].items()}
    return Run(
        scenario,
        selection["provenance"]["seed"],
        folder,
        {row: costs_usd[LEARNED_ROW] / costs_usd[row] - 1.0 for row in CHOSEN_ROWS if row in costs_usd},
    )
