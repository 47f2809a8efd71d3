"""The decisions of a log as arrays, and what the policies to be valued would have done in them.

Room: `experiments.off_policy`. Reads records through `experiments.records.reading`, a batch at a time; keeps of an
observation only the numbers by which costs are learned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.catalog import NamedPolicy
from agents.checked_policy import CheckedPolicy
from agents.episodes import shown_observation
from agents.policy import Observations, StochasticPolicy
from envs.errors import ConfigurationError
from envs.inputs.demand import recorded_days
from envs.interface.cost_terms import COST_TERMS
from envs.interface.fields import FieldTable, field_table
from envs.interface.units import DAY_S
from envs.metrics import calendar_days
from envs.scenario.scenario import Scenario
from experiments.intervals import episodes_by_day
from experiments.records.reading import DecisionFile
from experiments.records.tabulation import Rows

PERIODS_A_DAY = 8
"""Parts of a day in each of which weights are normalised by themselves, and knots of the value over time."""
LARGEST_NUMBER = 10.0
"""Of a scaled field: beyond it, a tail would decide a regression alone."""
MOST_UNITS = 200
"""Units that the jackknife leaves out one by one, at most: of more episodes neighbours are one."""
_COSTS = tuple(f"cost_{term}_usd" for term in COST_TERMS)
_COLUMNS = (
    "episode", "step", "time_s", "until_s", "action", "action_prob", "action_probs", "action_mask", "center",
    "candidates", *_COSTS,
)  # fmt: skip


@dataclass(frozen=True)
class LoggedDays:
    """The decisions of a log, those of an episode side by side in order of time; arrays of (n,) unless stated.

    Attributes:
        scenario: where they were made.
        episode: int64, from 0 on without gaps.
        time_s, until_s: of a decision and of the next one, or of the horizon, seconds.
        cost_usd: what was spent until then, USD; 0 before the end of the warm-up.
        action_prob: the chance with which the log took its action, > 0.
        features: float32 (n, numbers), of state and action taken: what costs are learned from.
        states: float32 (n, numbers), of the state alone: what states are told apart by.
        units: places of the episodes that are left out together, one by one or by recorded day.
    """

    scenario: Scenario
    episode: NDArray[np.int64]
    time_s: NDArray[np.float64]
    until_s: NDArray[np.float64]
    cost_usd: NDArray[np.float64]
    action_prob: NDArray[np.float64]
    features: NDArray[np.float32]
    states: NDArray[np.float32]
    units: list[NDArray[np.int64]]

    @property
    def horizon_s(self) -> float:
        """Length of an episode, seconds."""
        return self.scenario.horizon.days * DAY_S

    @property
    def days(self) -> float:
        """Calendar days of an episode, by which costs are divided."""
        return calendar_days(self.scenario)

    @property
    def n_episodes(self) -> int:
        """Number of episodes with a decision at least."""
        return int(self.episode[-1]) + 1

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """Place of the first decision of each episode, int64 (episodes,)."""
        return np.searchsorted(self.episode, np.arange(self.n_episodes))

    @cached_property
    def unit(self) -> NDArray[np.int64]:
        """The unit of each episode, int64 (episodes,)."""
        found = np.zeros(self.n_episodes, np.int64)
        for place, episodes in enumerate(self.units):
            found[episodes] = place
        return found

    @cached_property
    def is_last(self) -> NDArray[np.bool_]:
        """Whether a decision is the last of its episode, bool (n,)."""
        return np.append(self.episode[1:] != self.episode[:-1], True)

    @cached_property
    def edges_s(self) -> NDArray[np.float64]:
        """Bounds of the periods in which weights are normalised, seconds, float64 (periods + 1,)."""
        return np.linspace(0.0, self.horizon_s, PERIODS_A_DAY * int(np.ceil(self.scenario.horizon.days)) + 1)

    @cached_property
    def spans(self) -> "Spans":
        """How many seconds of which period follow on each decision."""
        return _split(self.time_s, self.until_s, self.edges_s)

    @cached_property
    def seconds_before(self) -> NDArray[np.float64]:
        """How many seconds of each period lie before the first decision of each unit, float64 (units, periods)."""
        starts_s = self.time_s[self.first]
        before = _split(np.zeros_like(starts_s), starts_s, self.edges_s)
        return self._sum(self.unit[before.place], before.period, before.seconds)

    @cached_property
    def period(self) -> NDArray[np.int64]:
        """The period of each decision, int64 (n,)."""
        return np.minimum(np.searchsorted(self.edges_s, self.time_s, side="right"), len(self.edges_s) - 1) - 1

    def by_unit(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums of `values` (episodes, ...) over the episodes of each unit, (units, ...)."""
        return np.stack([values[episodes].sum(axis=0) for episodes in self.units])

    def sum_by_unit(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums of `values` (n,) over the decisions of each unit and period, (units, periods)."""
        return self._sum(self.unit[self.episode], self.period, values)

    def sum_over_time(self, rates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums of `rates` (n,) × seconds that follow on each decision, by unit and period, (units,
        periods)."""
        decision, period, seconds = self.spans
        return self._sum(self.unit[self.episode[decision]], period, rates[decision] * seconds)

    def _sum(
        self, unit: NDArray[np.int64], period: NDArray[np.int64], values: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        n_periods = len(self.edges_s) - 1
        sums = np.bincount(unit * n_periods + period, values, len(self.units) * n_periods)
        return sums.astype(np.float64).reshape(-1, n_periods)


class Spans(NamedTuple):
    """Pieces of spans of time, each within one period: of which span, in which period, how many seconds."""

    place: NDArray[np.int64]
    period: NDArray[np.int64]
    seconds: NDArray[np.float64]


@dataclass(frozen=True)
class Counterpart:
    """What a policy to be valued would have done in the decisions of a log.

    Attributes:
        name: of its row.
        ratio: the chance with which it takes the action taken / that of the log, float64 (n,).
        features: float32 (n, numbers), the mean over its own actions of what `LoggedDays.features` says of one.
        unsupported_prob: the chance with which it takes what the log never takes there, float64 (n,).
    """

    name: str
    ratio: NDArray[np.float64]
    features: NDArray[np.float32]
    unsupported_prob: NDArray[np.float64]


def _split(start_s: NDArray[np.float64], end_s: NDArray[np.float64], edges_s: NDArray[np.float64]) -> Spans:
    """Return the pieces of the spans from `start_s` to `end_s` in the periods between `edges_s`."""
    places, periods, seconds = [], [], []
    for period, (low_s, high_s) in enumerate(pairwise(edges_s)):
        within_s = np.minimum(end_s, high_s) - np.maximum(start_s, low_s)
        found = np.flatnonzero(within_s > 0.0)
        places.append(found)
        periods.append(np.full(len(found), period))
        seconds.append(within_s[found])
    return Spans(np.concatenate(places), np.concatenate(periods), np.concatenate(seconds))


def read_days(log: DecisionFile, policies: Sequence[NamedPolicy]) -> tuple[LoggedDays, list[Counterpart]]:
    """Return the decisions of `log`, and for each of `policies` what it would have done in them.

    A policy that is named as deterministic takes its own action for certain, any other with its `action_probabilities`.

    Raises `ConfigurationError` where the log has no chances or was played greedily, where a policy needs fields that
    the log does not show, or a value is not what a record holds.
    """
    _check_log(log)
    for named in policies:
        if shown_observation(named.policy, log.scenario) != log.facts["observation"] == "markov":
            raise ConfigurationError(
                f"policy {named.name}: decides by fields that records {log.file} do not show, as their scenario has "
                "observation: markov"
            )
    checked = [CheckedPolicy(named.name, named.policy, log.action_names) for named in policies]
    reader = _Reader(log)
    parts = []
    for rows in reader.parts():  # of which the observations are not kept
        chances = [_chances(each, named, rows) for each, named in zip(checked, policies, strict=True)]
        parts.append(({name: rows[name] for name in _KEPT}, [reader.compare(rows, each) for each in chances]))
    if not parts:
        raise ConfigurationError(f"records {log.file}: hold no decision")
    columns = {name: np.concatenate([part[name] for part, _ in parts]) for name in _KEPT}
    order = np.lexsort((columns["step"], columns["episode"]))
    numbers, episode = np.unique(columns["episode"][order], return_inverse=True)
    days = recorded_days(log.scenario, int(log.facts["demand_seed"]), numbers.tolist())
    units = episodes_by_day(len(numbers), days)
    if days is None and len(units) > MOST_UNITS:
        units = [np.asarray(part) for part in np.array_split(np.arange(len(numbers)), MOST_UNITS)]
    kept = {name: columns[name][order] for name in _KEPT if name not in ("episode", "step")}
    logged = LoggedDays(log.scenario, episode.astype(np.int64), units=units, **kept)
    found = []
    for place, named in enumerate(policies):
        ratio, features, unsupported = (
            np.concatenate([compared[place][part] for _, compared in parts])[order] for part in range(3)
        )
        found.append(Counterpart(named.name, ratio, features, unsupported))
    return logged, found


_KEPT = ("episode", "step", "time_s", "until_s", "cost_usd", "action_prob", "features", "states")


def _check_log(log: DecisionFile) -> None:
    if log.facts["mode"] != "sampled":
        raise ConfigurationError(
            f"records {log.file}: policy {log.facts['policy']} was played greedily, so nothing is known of what it did "
            "not do: record a policy that samples, such as a softened rule (docs/policies.md)"
        )


def _chances(checked: CheckedPolicy, named: NamedPolicy, rows: Rows) -> NDArray[np.float64]:
    """Return the chances with which a policy takes each action, float64 (n, actions)."""
    observations: Observations = {key: rows[key] for key in ("center", "candidates", "action_mask")}
    if not named.deterministic and isinstance(named.policy, StochasticPolicy):
        return checked.action_probabilities(observations)
    chosen = checked.predict(observations, True)
    return (np.arange(rows["action_mask"].shape[1]) == chosen[:, np.newaxis]).astype(np.float64)


class _Reader:
    """Reads batches, checks them, and makes numbers of their observations."""

    def __init__(self, log: DecisionFile) -> None:
        self.log = log
        scenario = log.scenario
        self.table: FieldTable = field_table(tuple(channel.name for channel in scenario.channels))
        self.center_scale = np.array([field.scale for field in self.table.center], np.float32)
        self.candidate_scale = np.array([field.scale for field in self.table.candidates], np.float32)
        self.is_markov = np.array([field.markov for field in self.table.center])
        self.horizon_s = scenario.horizon.days * DAY_S
        self.warm_up_s = scenario.horizon.warm_up_days * DAY_S
        self.n_knots = PERIODS_A_DAY * int(np.ceil(scenario.horizon.days)) + 1

    def parts(self) -> Iterator[Rows]:
        """Yield batches with the columns that are kept, and the observations."""
        for batch in self.log.batches(*_COLUMNS):
            rows: Rows = {name: batch[name] for name in ("episode", "step", "time_s", "until_s", "action_prob")}
            mask, actions, probs = batch["action_mask"], batch["action"], batch["action_probs"]
            self._check(batch)
            spent_usd = np.sum([batch[name] for name in _COSTS], axis=0)
            rows["cost_usd"] = np.where(batch["until_s"] < self.warm_up_s, 0.0, spent_usd)
            rows |= {"center": batch["center"], "action_mask": mask, "action_probs": probs}
            rows["candidates"] = batch["candidates"].reshape(len(mask), mask.shape[1], -1)
            rows["features"] = self._features(rows, (np.arange(mask.shape[1]) == actions[:, np.newaxis]).astype(float))
            # In a Markovian center the time says nothing; elsewhere it is part of what is known.
            clock = [] if self.log.facts["observation"] == "markov" else [self._knots(batch["time_s"])]
            scaled = (batch["center"] / self.center_scale)[:, self.is_markov]
            rows["states"] = np.concatenate([scaled, mask, *clock], axis=1).astype(np.float32)
            yield rows

    def _check(self, batch: Rows) -> None:
        mask, actions, probs = batch["action_mask"], batch["action"], batch["action_probs"]
        everyone = np.arange(len(mask))
        if np.isnan(batch["action_prob"]).any():
            raise ConfigurationError(
                f"records {self.log.file}: policy {self.log.facts['policy']} has no chances (action_prob is null), so "
                "its decisions say nothing of another policy: record one that samples"
            )
        is_right = (
            (actions >= 0).all()
            and (actions < mask.shape[1]).all()
            and np.allclose(probs.sum(axis=1), 1.0, atol=1e-6)
            and (np.abs(probs[everyone, actions] - batch["action_prob"]) < 1e-9).all()
            and (batch["action_prob"] > 0.0).all()
            and (batch["until_s"] >= batch["time_s"]).all()
            and all(np.isfinite(batch[name]).all() for name in ("time_s", "until_s", *_COSTS))
        )
        if not is_right:
            raise ConfigurationError(
                f"records {self.log.file}: are damaged: near episode {batch['episode'][0]}, step {batch['step'][0]} "
                "actions, chances, times or costs are not what a record holds"
            )

    def compare(self, rows: Rows, chances: NDArray[np.float64]) -> tuple[NDArray[Any], ...]:
        """Return ratio, features and unsupported chance of `Counterpart` for a policy with these `chances`."""
        taken = rows["features"][:, -chances.shape[1] :] > 0.5  # the flags of the action stand last
        ratio = chances[taken] / rows["action_prob"]
        return ratio, self._features(rows, chances), np.where(rows["action_probs"] > 0.0, 0.0, chances).sum(axis=1)

    def _features(self, rows: Rows, chances: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the knots of time, the scaled center, the scaled candidate and which action it is, the last two as
        means over actions with these `chances` (n, actions)."""
        limits = (-LARGEST_NUMBER, LARGEST_NUMBER)
        center = np.clip(rows["center"] / self.center_scale, *limits)
        candidates = np.clip(rows["candidates"] / self.candidate_scale, *limits)
        means = np.einsum("na,naf->nf", chances.astype(np.float32), candidates)
        return np.concatenate([self._knots(rows["time_s"]), center, center**2, means, chances], axis=1).astype(
            np.float32
        )

    def _knots(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the time as hat functions, which add up to 1, (n, knots)."""
        place = time_s / self.horizon_s * (self.n_knots - 1)
        return np.maximum(1.0 - np.abs(place[:, np.newaxis] - np.arange(self.n_knots)), 0.0)
