"""What a benchmark found in one scenario: every policy's episodes, and their paired differences.

Room: `experiments.comparison`. Data only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from envs.headline import Headline, Headlined
from envs.scenario.scenario import Scenario
from experiments.comparison.bound_coverage import Coverage
from experiments.comparison.outcomes import Outcome
from experiments.comparison.summary import Summary, summarize
from experiments.intervals import Interval
from experiments.provenance import Data
from experiments.texts import usd_text, warning_text


@dataclass(frozen=True)
class Comparison:
    """The paired difference of one metric between two policies, `policy` minus `against`, on the same
    episodes."""

    policy: str
    against: str
    metric: str
    difference: Interval


class Comparisons(Sequence[Comparison]):
    """The paired differences of every pair of policies in every metric, kept as numbers: the suite with all tuned rules
    has a million of them.

    Arguments: the `pairs` of names, the names of `metrics`, and of pair i and metric k the mean, low and high of the
    difference in `ends[:, i, k]`.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]], metrics: Sequence[str], ends: NDArray[np.float64]) -> None:
        self._pairs = {pair: i for i, pair in enumerate(pairs)}
        self._metrics = {metric: k for k, metric in enumerate(metrics)}
        self._labels = [*pairs], [*metrics]
        self._ends = ends

    def __len__(self) -> int:
        return len(self._pairs) * len(self._metrics)

    @overload
    def __getitem__(self, index: int) -> Comparison: ...
    @overload
    def __getitem__(self, index: slice) -> list[Comparison]: ...
    def __getitem__(self, index: int | slice) -> Comparison | list[Comparison]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        pair, metric = divmod(range(len(self))[index], len(self._metrics))
        pairs, metrics = self._labels
        return Comparison(*pairs[pair], metrics[metric], Interval(*self._ends[:, pair, metric].tolist()))

    def difference(self, policy: str, against: str, metric: str) -> Interval:
        """Return `policy` minus `against`; raises `KeyError` if the pair is not there in this order, or no such
        metric."""
        return Interval(*self._ends[:, self._pairs[policy, against], self._metrics[metric]].tolist())


@dataclass(frozen=True, repr=False)
class ScenarioResult(Headlined):
    """What the policies achieved in one scenario.

    Attributes:
        scenario: the scenario.
        seed: the user's seed; the episodes are those of its test seed.
        reference: the policy that the tables compare with the others.
        outcomes: by name of the policy.
        comparisons: of every pair of policies once; the reference is always first in its pairs.
        wall_s: seconds by the clock to play the scenario with all policies, compilation included, and to compare them.
        data: the digests of the scenario, its recorded days and the files of policies.
        chosen: which policy each row that validation chose is, such as `best_tuned`.
        coverage: what the policies cover of the way from FIFO to a lower bound; None where no bound was asked for.
    """

    scenario: Scenario
    seed: int
    reference: str
    outcomes: dict[str, Outcome]
    comparisons: Comparisons
    wall_s: float
    data: Data
    chosen: dict[str, str] = field(default_factory=dict)
    coverage: Coverage | None = None

    @property
    def no_interval(self) -> str | None:
        """Why costs and differences have no intervals; None where they have."""
        return self.outcomes[self.reference].no_interval

    @cached_property
    def summary(self) -> Summary:
        """Who is best and how surely, and what the best policy's cost consists of."""

        def difference(policy: str, against: str) -> Interval:
            try:
                return self.comparisons.difference(policy, against, "total_cost_usd")
            except KeyError:  # each pair stands in one order
                mean, low, high = self.comparisons.difference(against, policy, "total_cost_usd")
                return Interval(-mean, -high, -low)

        # A row that was chosen may be another name of a policy that takes part itself.
        doubles = {
            row
            for row, name in self.chosen.items()
            if name in self.outcomes and self.outcomes[row].counts is self.outcomes[name].counts
        }
        once = {name: found for name, found in self.outcomes.items() if name not in doubles}
        return summarize(once, difference)

    def headline(self) -> Headline:
        """Return who is best at what cost, and a row for each policy, the cheapest first."""
        best, episodes = self.summary.best, len(self.outcomes[self.reference].counts)
        by_cost = sorted(self.outcomes.values(), key=lambda outcome: outcome.metrics["total_cost_usd"])
        rows = []
        for outcome in by_cost:
            name = outcome.policy
            difference = "" if name == self.reference else usd_text(self.comparison(name).difference)
            rows.append((name, usd_text(outcome.intervals["total_cost_usd"]), difference))
        return Headline(
            f"{self.scenario.name}: the best of {len(rows)} is {best}, {usd_text(self.summary.total_cost_usd)} USD/day "
            f"in {episodes} test episodes of seed {self.seed}{warning_text(self.no_interval)}",
            ("policy", "total cost, USD/day", f"{self.reference} minus this, paired, USD/day"),
            rows,
        )

    def comparison(self, against: str, metric: str = "total_cost_usd") -> Comparison:
        """Return the comparison of the reference with another policy; raises `KeyError` if there is none."""
        try:
            return Comparison(
                self.reference, against, metric, self.comparisons.difference(self.reference, against, metric)
            )
        except KeyError:
            raise KeyError(
                f"no comparison of {self.reference}, the reference, with {against!r} in {metric!r}"
            ) from None
