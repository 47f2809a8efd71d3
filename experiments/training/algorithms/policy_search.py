"""Policy search: the adjustments of the prior rule, fitted by evolution and chosen on validation episodes.

Room: `experiments.training.algorithms`. Plays training and validation episodes, never those of the test; writes
a table, a policy file and the log of the run. What it keeps to go on is how the candidates of every generation ranked:
the rest follows.
"""

import csv
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TextIO, get_args

import numpy as np
from numpy.typing import NDArray

from agents.learning.adjustment import AdjustedPlay, Generation, search_adjustments
from agents.learning.network import CandidateScorer
from agents.rules.expected_loss_rule import ExpectedLossRule, Ranking, matters
from agents.run_files import ADJUSTED_RULE_FILE, ADJUSTED_RULE_ROW, COST_TAG, LEARNED_ROW, SEARCH_FILE
from envs.errors import ConfigurationError
from envs.metrics import calendar_days
from envs.scenario.scenario import Scenario
from experiments.comparison.tuned_rules import load_tuned, tuned_file
from experiments.progress import episode_progress
from experiments.run_folder import write_yaml
from experiments.training.run.run_log import LEAD
from experiments.training.run.training_run import SEARCH, TrainingRun
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
    """What the search found.

    Attributes:
        rule: the one that costs least on validation episodes.
        validation_usd: what it costs there, USD/day.
        start: the name of the rule whence it started.
        form: its adjustments, in the order of the rule's settings.
    """

    rule: ExpectedLossRule
    validation_usd: float
    start: str
    form: NDArray[np.float64]


class SearchLog:
    """The table of one search, and its part in the log of the run: a row and a few points a generation.

    Args:
        stream: the open table, empty or going on.
        run: whose log it is.
        spent: episodes, decisions and seconds of the search before it went on.
    """

    def __init__(self, stream: TextIO, run: TrainingRun, spent: tuple[int, int, float] = (0, 0, 0.0)) -> None:
        self._stream, self._run = stream, run
        self._played, self._decisions, self._used_s = spent
        self._start_s = time.monotonic()
        self._rows = csv.writer(stream)
        if not any(spent):
            self._rows.writerow(COLUMNS)
        # With gradients to come, whose validation has other episodes, the learner's curve is theirs.
        self._validation_tag = "search/validation_usd" if run.config.gradient_steps else COST_TAG

    def spent(self) -> tuple[int, int, float]:
        """Return the episodes, decisions and seconds of the search so far."""
        return self._played, self._decisions, self._used_s + time.monotonic() - self._start_s

    def note(self, course: "_Course", generation: Generation | None, validation_usd: float | None, days: float) -> None:
        """Write what a generation of `course` cost, or, without one, its start, and what its forms cost on validation
        episodes if they played any, USD/day; the row is on disk when this returns."""
        number, training_usd, step_size = 0, None, self._run.config.adjustment.sigma  # type: ignore[union-attr]  # it searches
        if generation is not None:
            self._played += generation.episodes
            self._decisions += generation.decisions
            number, training_usd, step_size = generation.number, generation.cost_usd / days, generation.step_size
        minutes = round(self.spent()[2] / 60.0, 2)
        cells = ("" if usd is None else usd for usd in (training_usd, step_size, validation_usd))
        self._rows.writerow([course.start.name, number, self._played, self._decisions, minutes, *cells])
        self._stream.flush()
        values = {"search/training_usd": training_usd, "search/step_size": step_size}
        shown = {tag: value for tag, value in values.items() if value is not None}
        seconds = self._run.seconds()
        self._run.log.note(LEARNED_ROW, shown, self._decisions, seconds)
        if validation_usd is not None:
            lines = self._run.lines
            best_usd = {self._validation_tag: validation_usd}
            if self._validation_tag == COST_TAG:
                best_usd[LEAD] = validation_usd - lines.least_usd
                lines.go_on(self._run.log, self._decisions, seconds)
            self._run.log.note(LEARNED_ROW, best_usd, self._decisions, seconds)


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


def choose_start(scenario: Scenario, config: TrainingConfig) -> Start:
    """Return whichever of `known_starts` costs least on the validation episodes of a training, the first of equals."""
    starts = known_starts(scenario)
    if len(starts) == 1:
        return starts[0]
    play = AdjustedPlay(scenario, config.threads)
    numbers = np.arange(config.line_episodes)
    # One at a time: with a ranking of another rule the settings are longer.
    costs_usd = [
        play.costs_usd(start.rule.settings(scenario)[None], config.demand.validation, numbers).mean()
        for start in starts
    ]
    return starts[int(np.argmin(costs_usd))]


@dataclass
class _Course:
    """One search from one start.

    Attributes:
        start: the rule whose adjustments it moves.
        generations: to come.
        validation_usd: the least cost on validation episodes so far, USD/day.
        told: the ranks of the candidates of each generation so far.
    """

    start: Start
    generations: Iterator[Generation]
    validation_usd: float
    told: list[NDArray[np.int64]]


class _Search:
    """What all courses of a search share: how they play, how their forms are judged, and the best of these."""

    def __init__(self, run: TrainingRun) -> None:
        config = run.config
        assert config.adjustment is not None
        self.settings = config.adjustment
        self._scenario, self._threads, self._folder = run.scenario, config.threads, run.folder
        self._seeds, self.days = config.demand, calendar_days(run.scenario)
        centers = self.settings.centers
        self._center_of = None if centers is None else partial(_center_of, run.scenario, centers)
        self._play = AdjustedPlay(run.scenario, self._threads, self._center_of)
        rule = ExpectedLossRule(rule="expected_loss")
        self.found = Found(rule, math.inf, rule.name, rule.settings(run.scenario))

    def judge(self, start: Start, *forms: NDArray[np.float64]) -> float:
        """Return the least of what the rule of `start` costs on the validation episodes with each of these settings,
        USD/day, and keep the rule if none cost less before."""
        numbers = np.arange(self.settings.validation_episodes)
        costs_usd = self._play.costs_usd(np.array(forms), self._seeds.validation, numbers).mean(axis=1) / self.days
        best = int(costs_usd.argmin())
        if costs_usd[best] < self.found.validation_usd:
            self.find(start, forms[best], float(costs_usd[best]))
        return float(costs_usd[best])

    def find(self, start: Start, form: NDArray[np.float64], validation_usd: float) -> None:
        """Take the rule of `start` with the adjustments `form` as the best so far."""
        rule = start.rule.with_adjustment(form, self._scenario)
        self.found = _keep(self._folder, Found(rule, validation_usd, start.name, form))

    def begin(self, start: Start, validation_usd: float, told: Sequence[NDArray[np.int64]] = ()) -> _Course:
        """Return a course from `start`, the best of which costs `validation_usd`; it goes on where it was `told` the
        ranks of its generations."""
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
            told=told,
        )
        return _Course(start, generations, validation_usd, list(told))

    def go_on(self, course: _Course, is_judged: bool, log: SearchLog) -> None:
        """Play a generation of `course`, and judge its forms if `is_judged`."""
        generation = next(course.generations)
        course.told.append(generation.ranks)
        cost_usd = None
        if is_judged:
            distinct = {form.tobytes(): form for form in (generation.mean, *generation.averages)}
            cost_usd = self.judge(course.start, *distinct.values())
            course.validation_usd = min(cost_usd, course.validation_usd)
        log.note(course, generation, cost_usd, self.days)

    def first_courses(self) -> list[_Course]:
        """Return the courses from the starts that cost least on validation episodes."""
        judged = [
            (self.judge(start, start.rule.settings(self._scenario)), start) for start in known_starts(self._scenario)
        ]
        judged.sort(key=lambda pair: pair[0])
        return [self.begin(start, cost_usd) for cost_usd, start in judged[: self.settings.starts]]

    def state(self, courses: Sequence[_Course], number: int, spent: tuple[int, int, float]) -> dict[str, Any]:
        """Return, as plain data, all that the search needs to go on after generation `number`."""
        return {
            "number": number,
            "spent": spent,
            "found": (self.found.start, self.found.form, self.found.validation_usd),
            "courses": [(course.start.name, course.validation_usd, np.array(course.told)) for course in courses],
        }

    def courses_of(self, state: dict[str, Any]) -> list[_Course]:
        """Return the courses of a search that goes on, and take what it had found."""
        starts = {start.name: start for start in known_starts(self._scenario)}
        for name in (state["found"][0], *(name for name, _, _ in state["courses"])):
            if name not in starts:
                raise ConfigurationError(
                    f"{self._folder}: {name} is no longer among the tuned rules, so it cannot go on"
                )
        name, form, validation_usd = state["found"]
        self.find(starts[name], form, validation_usd)
        return [self.begin(starts[name], cost_usd, tuple(told)) for name, cost_usd, told in state["courses"]]


def search_policy(run: TrainingRun, network: CandidateScorer) -> Found:
    """Return the best adjustments of a search as the configuration states it; every step of it is kept.

    The start is whichever of `known_starts` costs least on validation episodes; with several `starts` those that cost
    least search for `RACE_GENERATIONS`, and whoever costs least then goes on alone. The mean of a search, and averages
    of its last means, play the validation episodes every `every_generations` and at the end; the cheapest is the
    policy, the starts included. Ctrl-C ends the search with the best so far. `network` is what the run keeps beside
    it.
    """
    search = _Search(run)
    settings, kept = search.settings, run.own_state(SEARCH)
    with (run.folder / SEARCH_FILE).open("w" if kept is None else "a", newline="", encoding="utf-8") as stream:
        log = SearchLog(stream, run, (0, 0, 0.0) if kept is None else kept["spent"])
        with episode_progress() as progress:
            task = progress.add_task("policy search", total=settings.generations)
            courses = search.first_courses() if kept is None else search.courses_of(kept)
            if kept is None:
                log.note(courses[0], None, search.found.validation_usd, search.days)
            done = 0 if kept is None else int(kept["number"])
            progress.advance(task, done)
            # From here on: what is compiled is compiled.
            start_s = time.monotonic() - (0.0 if kept is None else float(kept["searched_s"]))
            end_s = start_s + 60.0 * settings.minutes
            try:
                for number in range(done + 1, settings.generations + 1):
                    is_last = number == settings.generations or time.monotonic() > end_s
                    courses = _play_generation(search, courses, number, is_last, log)
                    progress.advance(task)
                    if is_last:
                        break
                    if run.is_due():
                        state = search.state(courses, number, log.spent())
                        run.keep(SEARCH, network, state | {"searched_s": time.monotonic() - start_s})
            except KeyboardInterrupt:
                progress.console.print("Policy search stopped; going on with the best so far", highlight=False)
        run.decisions = log.spent()[1]
    return search.found


def _play_generation(
    search: _Search, courses: list[_Course], number: int, is_last: bool, log: SearchLog
) -> list[_Course]:
    """Play generation `number` of all `courses`, and return those that go on."""
    is_race_over = number == RACE_GENERATIONS and len(courses) > 1
    is_judged = is_last or is_race_over or number % search.settings.every_generations == 0
    for course in courses:
        search.go_on(course, is_judged, log)
    return [min(courses, key=lambda course: course.validation_usd)] if is_race_over and not is_last else courses


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
    write_yaml(folder / ADJUSTED_RULE_FILE, found.rule.model_copy(update={"name": ADJUSTED_RULE_ROW}))
    return found
