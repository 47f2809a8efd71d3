"""Policy search: the adjustments of the prior rule, fitted by evolution and chosen on validation episodes.

Room: `experiments.training`. Plays training and validation episodes, never those of the test; writes a table, a policy
file and TensorBoard's events into the run folder.
"""

import csv
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, TextIO, get_args

import numpy as np
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from agents.learning.adjustment import AdjustedPlay, Generation, search_adjustments
from agents.rules.expected_loss_rule import ExpectedLossRule, Ranking, matters
from agents.run_files import ADJUSTED_RULE_FILE, SEARCH_FILE, TENSORBOARD_FOLDER
from envs.errors import ConfigurationError
from envs.metrics import calendar_days
from envs.scenario.scenario import Scenario
from experiments.comparison.tuned_rules import load_tuned, tuned_file
from experiments.progress import episode_progress
from experiments.run_folder import write_yaml
from experiments.seeds import demand_seeds
from experiments.training.training_config import TrainingConfig
from experiments.transfer.moves import RandomCenters, moved

COLUMNS = ("start", "generation", "episodes", "decisions", "minutes", "training_usd", "step_size", "validation_usd")

RACE_GENERATIONS = 10
"""Generations after which one of several starts goes on."""


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
        self._stream, self._events, self._played, self._decisions = stream, events, 0, 0
        self._start_s = time.monotonic()
        self._rows = csv.writer(stream)
        self._rows.writerow(COLUMNS)

    def note(
        self,
        start: str,
        generation: int,
        episodes: int,
        decisions: int,
        training_usd: float | None,
        step_size: float,
        validation_usd: float | None,
    ) -> None:
        """Write what one generation of so many training `episodes` and `decisions` from `start` cost, USD/day, where it
        played; the row is on disk when this returns."""
        self._played += episodes
        self._decisions += decisions
        minutes = round((time.monotonic() - self._start_s) / 60.0, 2)
        cells = ("" if number is None else number for number in (training_usd, step_size, validation_usd))
        self._rows.writerow([start, generation, self._played, self._decisions, minutes, *cells])
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
    rule that can be a `Ranking` its form with adjustments; what makes no sense in the scenario is left out."""
    starts = [Start("expected_loss", ExpectedLossRule(rule="expected_loss"))]
    if tuned_file(scenario.name).is_file():
        for rule in load_tuned(scenario.name).rules:
            if isinstance(rule, ExpectedLossRule):
                starts.append(Start(rule.name, rule))
            elif isinstance(rule, get_args(Ranking)):
                starts.append(Start(rule.name, ExpectedLossRule.around(rule, scenario)))
    return [start for start in starts if _makes_sense(start.rule, scenario)]


@dataclass
class _Course:
    """One search from one start.

    Attributes:
        start: the rule whose adjustments it moves.
        generations: to come.
        validation_usd: the least cost on validation episodes so far, USD/day.
    """

    start: Start
    generations: Iterator[Generation]
    validation_usd: float


class _Search:
    """What all courses of a search share: how they play, how their forms are judged, and the best of these."""

    def __init__(self, scenario: Scenario, config: TrainingConfig, folder: Path) -> None:
        assert config.adjustment is not None
        self.settings = config.adjustment
        self._scenario, self._threads, self._folder = scenario, config.threads, folder
        self._seeds, self._days = demand_seeds(config.seed), calendar_days(scenario)
        centers = self.settings.centers
        self._center_of = None if centers is None else partial(_center_of, scenario, centers)
        self._play = AdjustedPlay(scenario, self._threads, self._center_of)
        self.found = Found(ExpectedLossRule(rule="expected_loss"), math.inf, "expected_loss")

    def judge(self, start: Start, *forms: NDArray[np.float64]) -> float:
        """Return the least of what the rule of `start` costs on the validation episodes with each of these settings,
        USD/day, and keep the rule if none cost less before."""
        numbers = np.arange(self.settings.validation_episodes)
        costs_usd = self._play.costs_usd(np.array(forms), self._seeds.validation, numbers).mean(axis=1) / self._days
        best = int(costs_usd.argmin())
        if costs_usd[best] < self.found.validation_usd:
            rule = start.rule.with_adjustment(forms[best], self._scenario)
            self.found = _keep(self._folder, Found(rule, float(costs_usd[best]), start.name))
        return float(costs_usd[best])

    def begin(self, start: Start, validation_usd: float) -> _Course:
        """Return a course from `start`, which costs `validation_usd` itself."""
        generations = search_adjustments(
            self._scenario,
            self._seeds.train,
            start=start.rule.settings(self._scenario),
            free=matters(self._scenario, has_ranking=start.rule.ranking is not None),
            generations=self.settings.generations,
            population=self.settings.population,
            episodes=self.settings.episodes,
            sigma=self.settings.sigma,
            threads=self._threads,
            center_of=self._center_of,
        )
        return _Course(start, generations, validation_usd)

    def go_on(self, course: _Course, is_judged: bool, log: SearchLog) -> None:
        """Play a generation of `course`, and judge its forms if `is_judged`."""
        generation = next(course.generations)
        cost_usd = None
        if is_judged:
            distinct = {form.tobytes(): form for form in (generation.mean, *generation.averages)}
            cost_usd = self.judge(course.start, *distinct.values())
            course.validation_usd = min(cost_usd, course.validation_usd)
        log.note(
            course.start.name,
            generation.number,
            generation.episodes,
            generation.decisions,
            generation.cost_usd / self._days,
            generation.step_size,
            cost_usd,
        )


def search_policy(scenario: Scenario, config: TrainingConfig, folder: Path) -> Found:
    """Return the best adjustments of a search as the configuration states it; every step of it is kept in `folder`.

    The start is whichever of `known_starts` costs least on validation episodes; with several `starts` those that cost
    least search for `RACE_GENERATIONS`, and whoever costs least then goes on alone. The mean of a search, and averages
    of its last means, play the validation episodes every `every_generations` and at the end; the cheapest is the
    policy, the starts included. Ctrl-C ends the search with the best so far.
    """
    search = _Search(scenario, config, folder)
    settings = search.settings
    with (
        (folder / SEARCH_FILE).open("w", newline="", encoding="utf-8") as stream,
        SummaryWriter(str(folder / TENSORBOARD_FOLDER / "policy_search")) as events,
        episode_progress() as progress,
    ):
        log = SearchLog(stream, events)
        task = progress.add_task("policy search", total=settings.generations)
        judged = [(search.judge(start, start.rule.settings(scenario)), start) for start in known_starts(scenario)]
        judged.sort(key=lambda pair: pair[0])
        courses = [search.begin(start, cost_usd) for cost_usd, start in judged[: settings.starts]]
        log.note(search.found.start, 0, 0, 0, None, settings.sigma, search.found.validation_usd)
        end_s = time.monotonic() + 60.0 * settings.minutes  # from here on: what is compiled is compiled
        try:
            for number in range(1, settings.generations + 1):
                is_last = number == settings.generations or time.monotonic() > end_s
                is_race_over = number == RACE_GENERATIONS and len(courses) > 1
                is_judged = is_last or is_race_over or number % settings.every_generations == 0
                for course in courses:
                    search.go_on(course, is_judged, log)
                progress.advance(task)
                if is_last:
                    break
                if is_race_over:
                    courses = [min(courses, key=lambda course: course.validation_usd)]
        except KeyboardInterrupt:
            progress.console.print("Policy search stopped; going on with the best so far", highlight=False)
    return search.found


def _makes_sense(rule: ExpectedLossRule, scenario: Scenario) -> bool:
    """Return whether a rule makes sense in a scenario, which overrides may have changed since it was tuned."""
    try:
        rule.make(scenario)
    except ConfigurationError:
        return False
    return True


def _center_of(scenario: Scenario, centers: RandomCenters, seed: int, episode: int) -> Scenario:
    """Return the center of an episode."""
    return moved(scenario, centers.draw(scenario, seed, episode))


def _keep(folder: Path, found: Found) -> Found:
    """Write the rule as a policy file, so that it is there when a run dies; returns `found`."""
    write_yaml(folder / ADJUSTED_RULE_FILE, found.rule.model_copy(update={"name": "adjusted_rule"}))
    return found
