"""Which policy is best where: policies ranked again over the ranges of what is assumed.

Room: `experiments.calibration.sensitivity`. Plays episodes by `experiments.comparison`; prints where asked to.

Each assumed number is moved over its range by itself, the others as stated; then all at once, in a Latin hypercube
(McKay, Beckman and Conover 1979, Technometrics 21(2)). Within a range above 0 points lie on a logarithmic scale. Every
policy meets the same test episodes at every point, so that only what was moved tells points apart.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import qmc

from agents.rules.rule import Rule
from envs.errors import ConfigurationError
from envs.headline import Headline, Headlined
from envs.scenario.scenario import Scenario, load_scenario
from experiments.calibration.estimates import Assumption
from experiments.comparison.comparison import run_benchmark
from experiments.comparison.scenario_result import ScenarioResult
from experiments.console import table_console
from experiments.intervals import Interval
from experiments.texts import amount_text, digits_text, interval_json, percent_text

POSITIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Where within its range a number is put, besides its stated value: 0 its lower end, 1 the upper one."""
EPISODES = 16
SAMPLES = 16


@dataclass(frozen=True)
class Ranking:
    """Who is best at one point.

    Attributes:
        values: the assumed numbers that were moved, by path.
        best: the policy of the least mean cost.
        cost_usd: what it costs, USD/day.
        runner_up: the second; None if nobody else took part.
        lead: runner-up minus best, paired, USD/day; None without a runner-up.
        costs_usd: mean cost of every policy, USD/day.
    """

    values: dict[str, float]
    best: str
    cost_usd: float
    runner_up: str | None
    lead: Interval | None
    costs_usd: dict[str, float]

    @property
    def is_sure(self) -> bool:
        """True if the interval of the lead lies above 0."""
        return self.lead is not None and self.lead.low > 0.0


@dataclass(frozen=True, repr=False)
class Sensitivity(Headlined):
    """The rankings over the ranges.

    Attributes:
        scenario: name of the scenario.
        assumptions: what was moved.
        stated: the ranking where everything is as stated.
        moved: of each assumption, by path, the rankings along its range, ascending, the stated one among them.
        sampled: rankings with all numbers moved at once.
        episodes: test episodes of each point.
        seed: the user's.
    """

    scenario: str
    assumptions: tuple[Assumption, ...]
    stated: Ranking
    moved: dict[str, list[Ranking]]
    sampled: list[Ranking]
    episodes: int
    seed: int

    def best_fracs(self) -> dict[str, float]:
        """Return the share of the sampled points in which each policy is best, the largest first."""
        names = [ranking.best for ranking in self.sampled]
        shares = {name: names.count(name) / len(names) for name in dict.fromkeys(names)}
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    def headline(self) -> Headline:
        """Return who is best as stated and over all ranges, and a row for each assumption."""
        changing = [path for path, rankings in self.moved.items() if len({ranking.best for ranking in rankings}) > 1]
        shares = ", ".join(f"{name} {percent_text(frac)}" for name, frac in self.best_fracs().items())
        return Headline(
            f"{self.scenario}: {self.stated.best} is best as stated; another within the range of {len(changing)} of "
            f"{len(self.moved)} assumed numbers by itself; best with all moved at once: {shares or '-'}",
            ("assumed number", "range", "best along it"),
            [
                (path, _range_text(assumption), ", ".join(dict.fromkeys(ranking.best for ranking in self.moved[path])))
                for path, assumption in ((assumption.path, assumption) for assumption in self.assumptions)
            ],
        )

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain data: `{"scenario", "episodes", "seed", "assumptions": [...], "stated", "moved":
        {PATH: [RANKING]}, "sampled": [RANKING], "best_fracs": {POLICY: share}}`, where a ranking is `{"values", "best",
        "cost_usd", "runner_up", "lead": {"mean", "low", "high"}, "costs_usd"}`."""
        return {
            "scenario": self.scenario,
            "episodes": self.episodes,
            "seed": self.seed,
            "assumptions": [vars(assumption) for assumption in self.assumptions],
            "stated": _ranking_json(self.stated),
            "moved": {path: [_ranking_json(found) for found in rankings] for path, rankings in self.moved.items()},
            "sampled": [_ranking_json(found) for found in self.sampled],
            "best_fracs": self.best_fracs(),
        }

    def show(self, console: Console | None = None) -> None:
        """Print who is best along each range, and how often with all numbers moved at once."""
        console = console or table_console()
        table = Table(
            "assumed number", "value", "best policy", "cost", "lead on the next", "who is next",
            title=f"{self.scenario}: the best policy along each assumed range",
            caption=f"USD/day, {self.episodes} test episodes of seed {self.seed} a point; the lead is paired, with its "
            "95 % interval. *: the value that the scenario states.",
        )  # fmt: skip
        for assumption in self.assumptions:
            for ranking in self.moved[assumption.path]:
                value = ranking.values.get(assumption.path, assumption.value)
                mark = " *" if ranking is self.stated else ""
                table.add_row(assumption.path, digits_text(value) + mark, *_ranking_cells(ranking))
            table.add_section()
        console.print(table)
        if self.sampled:
            shares = Table("policy", "best in", title=f"All assumed numbers moved at once, {len(self.sampled)} points")
            for name, frac in self.best_fracs().items():
                shares.add_row(name, percent_text(frac))
            console.print(shares)


def rank_over_ranges(
    scenario: Scenario,
    assumptions: Sequence[Assumption],
    policies: Sequence[str | Rule] | None = None,
    *,
    episodes: int = EPISODES,
    samples: int = SAMPLES,
    seed: int = 0,
    threads: int = 1,
) -> Sensitivity:
    """Rank policies again over the ranges of what is assumed.

    Args:
        scenario: where they play.
        assumptions: the numbers and their ranges; one at least whose range has a length.
        policies: what `agents.catalog.load_policy` understands; None: every baseline that fits the scenario.
        episodes: test episodes of each point, 2 at least.
        samples: points with all numbers moved at once; 0: none.
        seed: the user's seed; it draws the points too.
        threads: on which episodes are played.

    Raises:
        ConfigurationError: nothing has a range, or an assumed number is none of the scenario's.
    """
    ranged = [assumption for assumption in assumptions if assumption.low < assumption.high]
    if not ranged:
        raise ConfigurationError("sensitivity: no assumed number has a range: must be one at least, with low < high")
    points = [(assumption.path, value) for assumption in ranged for value in points_of(assumption)]
    total = 1 + len(points) + samples

    def rank(values: dict[str, float], number: int) -> Ranking:
        moved = load_scenario(scenario, tuple(f"{path}={value!r}" for path, value in values.items()))
        named = load_scenario(moved, (f'name="{scenario.name}, point {number} of {total}"',))
        found = run_benchmark(named, policies, episodes=episodes, seed=seed, threads=threads).scenarios[named.name]
        return _ranking(values, found)

    stated = rank({}, 1)
    along = {
        assumption.path: {assumption.value: stated}
        | {
            value: rank({path: value}, number)
            for number, (path, value) in enumerate(points, start=2)
            if path == assumption.path
        }
        for assumption in ranged
    }
    first = 2 + len(points)
    sampled = [rank(values, first + i) for i, values in enumerate(sampled_points(ranged, samples, seed))]
    moved = {path: [rankings[value] for value in sorted(rankings)] for path, rankings in along.items()}
    return Sensitivity(scenario.name, tuple(ranged), stated, moved, sampled, episodes, seed)


def points_of(assumption: Assumption) -> list[float]:
    """Return the values along the range of a number, ascending, without the stated one."""
    values = {_value_at(assumption, position) for position in POSITIONS}
    return sorted(value for value in values if not math.isclose(value, assumption.value, rel_tol=1e-9))


def sampled_points(assumptions: Sequence[Assumption], samples: int, seed: int) -> list[dict[str, float]]:
    """Return points of a Latin hypercube over all ranges, each as values by path: every number meets each of `samples`
    equal parts of its range once."""
    if samples == 0:
        return []
    positions = qmc.LatinHypercube(len(assumptions), rng=np.random.default_rng(seed)).random(samples)
    return [
        {assumption.path: _value_at(assumption, float(row[i])) for i, assumption in enumerate(assumptions)}
        for row in positions
    ]


def _value_at(assumption: Assumption, position: float) -> float:
    low, high = assumption.low, assumption.high
    if position in (0.0, 1.0):
        return high if position else low  # exactly, whatever the scale
    return low * (high / low) ** position if low > 0.0 else low + position * (high - low)


def _ranking(values: dict[str, float], found: ScenarioResult) -> Ranking:
    summary = found.summary
    costs = {name: outcome.metrics["total_cost_usd"] for name, outcome in found.outcomes.items()}
    return Ranking(values, summary.best, costs[summary.best], summary.runner_up, summary.difference, costs)


def _ranking_cells(ranking: Ranking) -> tuple[str, str, str, str]:
    lead = ranking.lead
    shown = "-" if lead is None else f"{amount_text(lead.mean)} ({amount_text(lead.low)} to {amount_text(lead.high)})"
    return ranking.best, amount_text(ranking.cost_usd), shown, ranking.runner_up or "-"


def _ranking_json(ranking: Ranking) -> dict[str, Any]:
    return vars(ranking) | {"lead": None if ranking.lead is None else interval_json(ranking.lead)}


def _range_text(assumption: Assumption) -> str:
    return f"{digits_text(assumption.low)} to {digits_text(assumption.high)}"
