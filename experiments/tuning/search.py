"""Tuning the free parameters of one rule: a search over whole training episodes, all trials on the same ones.

Room: `experiments.tuning`. Needs the extra `tune`. Touches the episodes that it is given and the file of the studies.

The sampler is Optuna's TPE (Bergstra et al. 2011, NeurIPS 24), of all parameters together. It takes whole numbers,
logarithmic scales and trials that were stopped early as they are, which CMA-ES does not, and with a handful of
parameters a hundred trials are enough for it. Its random numbers are drawn anew for every trial, from the seed and the
number of trials before it, so that a study that goes on after a kill continues as if nothing had happened.
"""

import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from agents.episodes import Episodes
from agents.rules.rule import FreeParameter, Rule
from envs.errors import ConfigurationError
from envs.inputs.demand import recorded_days
from envs.scenario.scenario import Scenario
from experiments.comparison.outcomes import episode_costs_usd
from experiments.intervals import is_surely_positive

BLOCKS = 4
"""A trial plays its episodes in so many parts, and may be stopped after each."""
_COSTS = "costs_usd"
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


class Search(NamedTuple):
    """What a search found.

    Attributes:
        rules: those of the trials with the least mean training costs, the cheapest first; the first trial is the rule
            as it was given.
        training_costs_usd: what each costs on the training episodes, USD/day.
        trials: finished trials, those of earlier calls included.
        pruned: trials that were stopped early.
        is_complete: whether all trials that were asked for are finished; if not, the time was up.
    """

    rules: tuple[Rule, ...]
    training_costs_usd: tuple[float, ...]
    trials: int
    pruned: int
    is_complete: bool


def open_storage(file: Path) -> optuna.storages.BaseStorage:
    """Return the journal in which the studies of a run live, one line for each thing that happened; a line that a kill
    has cut off is removed."""
    if file.exists():
        text = file.read_bytes()
        file.write_bytes(text[: text.rfind(b"\n") + 1])
    return JournalStorage(JournalFileBackend(str(file)))


def free_parameters(rule: Rule, scenario: Scenario, without: frozenset[str] = frozenset()) -> tuple[FreeParameter, ...]:
    """Return the free parameters of `rule` in `scenario`, but those `without`, for which there is more than one
    value."""
    return tuple(
        parameter
        for parameter in rule.free_parameters(scenario)
        if parameter.low < parameter.high and parameter.key.partition(".")[0] not in without
    )


def check_free(rule: Rule, scenario: Scenario, without: frozenset[str] = frozenset()) -> None:
    """Raise `ConfigurationError` if nothing of `rule` is free, or a value is outside of the range to search."""
    parameters = free_parameters(rule, scenario, without)
    if not parameters:
        raise ConfigurationError(f"rule {rule.name}: has no free parameter in scenario {scenario.name}")
    start = rule.values_of(parameters)
    for parameter in parameters:
        value = start[parameter.key]
        if not parameter.low <= value <= parameter.high:
            raise ConfigurationError(
                f"rule {rule.name}.{parameter.key} = {value:g}: must be >= {parameter.low:g} and "
                f"<= {parameter.high:g} to be tuned in scenario {scenario.name}"
            )


OBJECTIVE = f"mean cost of a training episode, USD, least; {_COSTS} of a trial are those of each episode"
"""What the value of a trial is, to who reads a study."""


def search(
    rule: Rule,
    episodes: Episodes,
    *,
    n_episodes: int,
    seed: int,
    trials: int,
    minutes: float,
    shortlist: int = 1,
    without: frozenset[str] = frozenset(),
    storage: optuna.storages.BaseStorage | None = None,
    study_name: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Search:
    """Return the best values of the free parameters of `rule` on the first `n_episodes` of `episodes`.

    Args:
        rule: where the search starts: its own values are the first trial.
        episodes: the training episodes, those of one demand seed.
        n_episodes: so many are played in a trial.
        seed: of the sampler.
        trials: finished trials of the study, those of earlier calls included, after which the search ends.
        minutes: of this call, after which it ends as well; the first trial is always finished.
        shortlist: so many rules are returned at most.
        without: keys of parameters that keep their values.
        storage: where the study lives; default: in memory.
        study_name: of the study in `storage`; one that is there is continued.
        progress: is told the number of trials just finished.

    Raises:
        ConfigurationError: nothing is free in the scenario, or a value of the rule is outside of the range to search.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    check_free(rule, episodes.scenario, without)
    kept = optuna.create_study(storage=storage, study_name=study_name, load_if_exists=True)
    known = {"objective": OBJECTIVE, "scenario": episodes.scenario.name, "rule": rule.name, "seed": seed}
    for key, value in (known | {"version": metadata.version("blended-routing")}).items():
        if key not in kept.user_attrs:  # as it was begun
            kept.set_user_attr(key, value)
    study = _Study(rule, episodes, n_episodes, seed, kept, free_parameters(rule, episodes.scenario, without))
    end_s = time.monotonic() + 60.0 * minutes
    finished = study.finished()
    if progress is not None:
        progress(len(finished))
    while len(finished) < trials and (not finished or time.monotonic() < end_s):
        study.play_next(finished)
        finished = study.finished()
        if progress is not None:
            progress(1)
    first: dict[tuple[tuple[str, Any], ...], FrozenTrial] = {}
    for trial in sorted(_complete(finished), key=_mean_usd):  # the earlier one of equals
        first.setdefault(tuple(trial.params.items()), trial)
    chosen = list(first.values())[:shortlist]
    return Search(
        rules=tuple(rule.with_values(trial.params) for trial in chosen),
        training_costs_usd=tuple(_mean_usd(trial) for trial in chosen),
        trials=len(finished),
        pruned=len(finished) - len(_complete(finished)),
        is_complete=len(finished) >= trials,
    )


class _Study:
    """The trials of one rule, all on the same episodes, kept in a study of Optuna."""

    def __init__(
        self,
        rule: Rule,
        episodes: Episodes,
        n_episodes: int,
        seed: int,
        study: optuna.Study,
        parameters: tuple[FreeParameter, ...],
    ) -> None:
        self._rule = rule
        self._episodes = episodes
        self._n_episodes = n_episodes
        self._seed = seed
        self._study = study
        self._days = recorded_days(episodes.scenario, episodes.seed, range(n_episodes))
        self._start = _whole_numbers(rule.values_of(parameters), parameters)
        self._distributions = {parameter.key: _distribution(parameter) for parameter in parameters}
        for stale in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(stale.number, state=TrialState.FAIL)  # a kill ended it
        finished = self.finished()
        if finished and (finished[0].params, finished[0].distributions) != (self._start, self._distributions):
            raise ConfigurationError(f"rule {rule.name}: is no longer the one whose tuning began")

    def finished(self) -> list[FrozenTrial]:
        """Return the finished trials in their order."""
        return self._study.get_trials(deepcopy=False, states=_FINISHED)

    def play_next(self, finished: list[FrozenTrial]) -> None:
        """Play one more trial after those `finished`; the first one is the rule as it was given."""
        if not finished:
            self._study.enqueue_trial(self._start, skip_if_exists=True)
        self._study.sampler = _sampler(self._seed, len(finished))
        trial = self._study.ask(self._distributions)
        costs_usd = self._costs_usd(trial.params, finished)
        trial.set_user_attr(_COSTS, costs_usd.tolist())
        if len(costs_usd) == self._n_episodes:
            self._study.tell(trial, float(costs_usd.mean()))
        else:
            trial.report(float(costs_usd.mean()), len(costs_usd))
            self._study.tell(trial, state=TrialState.PRUNED)

    def _costs_usd(self, values: dict[str, Any], finished: list[FrozenTrial]) -> NDArray[np.float64]:
        """Return what the rule costs with these values on the episodes, of which a race may leave out the last ones;
        values that were played before are not played again."""
        known = next((old for old in finished if old.params == values), None)
        if known is not None:
            return np.array(known.user_attrs[_COSTS])
        policy = self._rule.with_values(values).make(self._episodes.scenario)
        best = min(_complete(finished), key=_mean_usd, default=None)
        against = None if best is None else np.array(best.user_attrs[_COSTS])
        return _race(
            lambda numbers: episode_costs_usd(self._episodes, policy, numbers), self._n_episodes, against, self._days
        )


def _race(
    play: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    n_episodes: int,
    against: NDArray[np.float64] | None,
    days: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Return the costs of the first episodes, of all unless they are surely dearer than those `against` which they
    run; `days` are their recorded days, if they have them."""
    size = -(-n_episodes // BLOCKS)
    costs_usd = np.empty(0)
    for first in range(0, n_episodes, size):
        costs_usd = np.append(costs_usd, play(np.arange(first, min(first + size, n_episodes))))
        n_played = len(costs_usd)
        days_played = None if days is None else days[:n_played]
        if against is not None and is_surely_positive(costs_usd - against[:n_played], days_played):
            break
    return costs_usd


def _sampler(seed: int, n_finished: int) -> TPESampler:
    state = np.random.SeedSequence((seed, n_finished)).generate_state(1)
    # The liar is for trials that run side by side, of which there are none.
    return TPESampler(seed=int(state[0]), multivariate=True, constant_liar=False)


def _distribution(parameter: FreeParameter) -> BaseDistribution:
    if parameter.is_integer:
        return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.is_log)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.is_log)


def _whole_numbers(values: Mapping[str, float], parameters: tuple[FreeParameter, ...]) -> dict[str, Any]:
    return {p.key: int(values[p.key]) if p.is_integer else values[p.key] for p in parameters}


def _complete(finished: list[FrozenTrial]) -> list[FrozenTrial]:
    return [trial for trial in finished if trial.state == TrialState.COMPLETE]


def _mean_usd(trial: FrozenTrial) -> float:
    assert trial.value is not None
    return trial.value
