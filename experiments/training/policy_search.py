"""Policy search: the adjustments of the prior rule, fitted by evolution and chosen on validation episodes.

Room: `experiments.training`. Plays training and validation episodes, never those of the test; writes a table, a policy
file and TensorBoard's events into the run folder.
"""

import csv
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple, TextIO, get_args

import numpy as np
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from agents.learning.adjustment import AdjustedPlay, search_adjustments
from agents.rules.expected_loss_rule import ExpectedLossRule, Ranking, matters
from agents.run_files import ADJUSTED_RULE_FILE, SEARCH_FILE, TENSORBOARD_FOLDER
from envs.metrics import calendar_days
from envs.scenario.scenario import Scenario
from experiments.comparison.tuned_rules import load_tuned, tuned_file
from experiments.moves import RandomCenters, moved
from experiments.progress import episode_progress
from experiments.run_folder import write_yaml
from experiments.seeds import demand_seeds
from experiments.training.training_config import TrainingConfig

COLUMNS = ("generation", "episodes", "minutes", "training_usd", "step_size", "validation_usd")


class Start(NamedTuple):
    """A rule from which the search may start, and the name of the one that it follows."""

    name: str
    rule: ExpectedLossRule


class Found(NamedTuple):
    """What the search found: the rule that costs least on validation episodes, USD/day, and whence it started."""

    rule: ExpectedLossRule
    validation_usd: float
    start: str


class SearchLog:
    """The table and TensorBoard's events of one search, a row and a few points a generation.

    Args:
        stream: the open table, to which the head is written at once.
        events: TensorBoard's writer; its steps are training episodes played.
    """

    def __init__(self, stream: TextIO, events: SummaryWriter) -> None:
        self._stream, self._events, self._played = stream, events, 0
        self._start_s = time.monotonic()
        self._rows = csv.writer(stream)
        self._rows.writerow(COLUMNS)

    def note(
        self,
        generation: int,
        episodes: int,
        training_usd: float | None,
        step_size: float,
        validation_usd: float | None,
    ) -> None:
        """Write what one generation of so many training `episodes` cost, USD/day, where it played; the row is on disk
        when this returns."""
        self._played += episodes
        minutes = round((time.monotonic() - self._start_s) / 60.0, 2)
        cells = ("" if number is None else number for number in (training_usd, step_size, validation_usd))
        self._rows.writerow([generation, self._played, minutes, *cells])
        self._stream.flush()
        for tag, value in (("cost/training_usd", training_usd), ("cost/total_usd", validation_usd)):
            if value is not None:
                self._events.add_scalar(tag, value, self._played)
        self._events.add_scalar("search/step_size", step_size, self._played)


def last_generation(folder: Path) -> dict[str, str]:
    """Return the last row of the table of the search in a run folder, by column."""
    with (folder / SEARCH_FILE).open(newline="", encoding="utf-8") as stream:
        *_, last = csv.DictReader(stream)
    return last


def known_starts(scenario: Scenario) -> list[Start]:
    """Return the rule `expected_loss` as it is, and the tuned rules that are shipped for the scenario: of each index
    rule whose index is money its form with adjustments."""
    starts = [Start("expected_loss", ExpectedLossRule(rule="expected_loss"))]
    if tuned_file(scenario.name).is_file():
        for rule in load_tuned(scenario.name).rules:
            if isinstance(rule, ExpectedLossRule):
                starts.append(Start(rule.name, rule))
            elif isinstance(rule, get_args(Ranking)):
                starts.append(Start(rule.name, ExpectedLossRule.around(rule, scenario)))
    return starts


def search_policy(scenario: Scenario, config: TrainingConfig, folder: Path) -> Found:
    """Return the best adjustments of a search as the configuration states it; every step of it is kept in `folder`.

    The start is whichever of `known_starts` costs least on validation episodes. The mean of the search, and
    averages of its last means, play these every `every_generations` and at the end; the cheapest is the policy, the
    start included. Ctrl-C ends the search with the best so far.
    """
    search = config.adjustment
    assert search is not None
    seeds, days = demand_seeds(config.seed), calendar_days(scenario)
    numbers = np.arange(search.validation_episodes)
    center_of = None if search.centers is None else partial(_center_of, scenario, search.centers)
    play = AdjustedPlay(scenario, config.threads, center_of)

    def validate(settings: NDArray[np.float64]) -> float:
        return float(play.costs_usd(settings[None], seeds.validation, numbers).mean()) / days

    with (
        (folder / SEARCH_FILE).open("w", newline="", encoding="utf-8") as stream,
        SummaryWriter(str(folder / TENSORBOARD_FOLDER / "policy_search")) as events,
        episode_progress() as progress,
    ):
        log = SearchLog(stream, events)
        task = progress.add_task("policy search", total=search.generations)
        starts = known_starts(scenario)
        costs_usd = [validate(start.rule.settings(scenario)) for start in starts]
        validation_usd, start = min(zip(costs_usd, starts, strict=True), key=lambda pair: pair[0])
        found = _keep(folder, Found(start.rule, validation_usd, start.name))
        log.note(0, 0, None, search.sigma, validation_usd)
        end_s = time.monotonic() + 60.0 * search.minutes  # from here on: what is compiled is compiled
        try:
            for generation in search_adjustments(
                scenario,
                seeds.train,
                start=start.rule.settings(scenario),
                free=matters(scenario),
                generations=search.generations,
                population=search.population,
                episodes=search.episodes,
                sigma=search.sigma,
                threads=config.threads,
                center_of=center_of,
            ):
                cost_usd = None
                is_last = generation.number == search.generations or time.monotonic() > end_s
                if is_last or generation.number % search.every_generations == 0:
                    forms = (generation.mean, *generation.averages)
                    cost_usd, settings = min(zip(map(validate, forms), forms, strict=True), key=lambda pair: pair[0])
                    if cost_usd < found.validation_usd:
                        rule = start.rule.with_adjustment(settings, scenario)
                        found = _keep(folder, Found(rule, cost_usd, start.name))
                log.note(
                    generation.number, generation.episodes, generation.cost_usd / days, generation.step_size, cost_usd
                )
                progress.advance(task)
                if is_last:
                    break
        except KeyboardInterrupt:
            progress.console.print("Policy search stopped; going on with the best so far", highlight=False)
    return found


def _center_of(scenario: Scenario, centers: RandomCenters, seed: int, episode: int) -> Scenario:
    """Return the center of an episode."""
    return moved(scenario, centers.draw(scenario, seed, episode))


def _keep(folder: Path, found: Found) -> Found:
    """Write the rule as a policy file, so that it is there when a run dies; returns `found`."""
    write_yaml(folder / ADJUSTED_RULE_FILE, found.rule.with_values({}, "adjusted_rule"))
    return found
