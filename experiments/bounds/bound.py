"""A lower bound on the cost that any routing could reach on given episodes.

Room: `experiments.bounds`. Chooses between the bounds of `experiments.bounds.clairvoyant_bound` and
`experiments.bounds.occupation_bound`; docs/bound.md says why they are bounds, and what they leave out.

    result = episode_bounds(scenario, demand_seeds(0).test, episodes=range(4))
    print(result.kind, result.total_cost_usd)
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from envs.errors import ConfigurationError
from envs.inputs.demand import recorded_days
from envs.metrics import calendar_days
from envs.scenario.scenario import Scenario
from experiments.bounds.assumptions import key_text, unknown_keys
from experiments.bounds.clairvoyant_bound import ClairvoyantBound
from experiments.bounds.clairvoyant_keys import KNOWN_KEYS
from experiments.bounds.occupation_bound import expected_bound_usd, reason_against
from experiments.intervals import Interval, mean_interval

Kind = Literal["per episode", "in expectation"]


@dataclass(frozen=True)
class BoundResult:
    """Lower bounds on the cost of episodes, warm-up left out.

    Attributes:
        scenario: the scenario.
        seed: the demand seed of the episodes.
        episodes: their numbers, (n,).
        clairvoyant_usd: USD of each whole episode, (n,): no routing costs less in that episode, not even one that knows
            the future.
        expected_usd: USD of a whole episode: no policy that sees the observation only costs less on average over
            episodes; None where the scenario is not Markovian.
        wall_s: seconds by the clock to compute them.
    """

    scenario: Scenario
    seed: int
    episodes: NDArray[np.int64]
    clairvoyant_usd: NDArray[np.float64]
    expected_usd: float | None
    wall_s: float

    @property
    def kind(self) -> Kind:
        """Which bound is the larger on average: the one that is reported."""
        is_larger = self.expected_usd is not None and self.expected_usd > self.clairvoyant_usd.mean()
        return "in expectation" if is_larger else "per episode"

    @property
    def days(self) -> NDArray[np.int64] | None:
        """The recorded day that each episode replays; None without a record."""
        return recorded_days(self.scenario, self.seed, self.episodes)

    @property
    def usd_per_day(self) -> NDArray[np.float64]:
        """The reported bound for each episode, (n,), comparable with the metric `total_cost_usd`. The bound in
        expectation is the same for all, and may lie above what a single episode costs."""
        if self.kind == "per episode":
            return self.clairvoyant_usd / calendar_days(self.scenario)
        return np.full(len(self.episodes), self.expected_usd) / calendar_days(self.scenario)

    @property
    def total_cost_usd(self) -> Interval:
        """The mean of the reported bound, USD/day, with a 95 % interval over episodes; that of the bound in expectation
        has length 0, since nothing in it is sampled."""
        if self.kind == "per episode":
            return mean_interval(self.usd_per_day, days=self.days)
        return Interval(*(float(self.usd_per_day[0]),) * 3)


def reason_against_bound(scenario: Scenario) -> str | None:
    """Return why no bound is known for `scenario`, None where there is one: it states a key that no proof has thought
    of."""
    unknown = next(unknown_keys(scenario, KNOWN_KEYS), None)
    return None if unknown is None else f"the proof does not know {key_text(scenario, unknown)}"


def episode_bounds(
    scenario: Scenario, seed: int, episodes: Iterable[int], *, progress: Callable[[int], None] | None = None
) -> BoundResult:
    """Return the lower bounds of `episodes`, one at least, of `scenario` under the demand `seed`.

    `progress` is told the number of episodes just finished. Raises `ConfigurationError` without any episode,
    and for a scenario that the proof does not cover.
    """
    numbers = np.array(list(episodes), np.int64)
    if len(numbers) == 0:
        raise ConfigurationError("a bound needs an episode at least")
    reason = reason_against_bound(scenario)
    if reason is not None:
        raise ConfigurationError(f"scenario {scenario.name}: no lower bound: {reason}")
    start_s = time.perf_counter()
    expected_usd = expected_bound_usd(scenario) if reason_against(scenario) is None else None
    clairvoyant = ClairvoyantBound(scenario)
    bounds_usd = np.empty(len(numbers))
    for i, episode in enumerate(numbers.tolist()):
        bounds_usd[i] = clairvoyant.bound_usd(seed, episode)
        if progress is not None:
            progress(1)
    return BoundResult(scenario, seed, numbers, bounds_usd, expected_usd, time.perf_counter() - start_s)
