"""What a benchmark says of a scenario in one line: who is best, how surely, and what the cost of the best consists of.

Room: `experiments.comparison`. Touches outcomes and rich; what it is told of differences comes from
`experiments.comparison.comparison`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.table import Table

from envs.interface.cost_terms import COST_TERMS
from experiments.comparison.outcomes import Outcome
from experiments.intervals import Interval
from experiments.texts import usd_text

LARGE_FRAC = 0.1
"""From this share of the total cost on a cost term counts as a large one."""


@dataclass(frozen=True)
class Summary:
    """The outcome of one scenario in short.

    Attributes:
        best: the policy of the least mean cost, the first of equals.
        total_cost_usd: what it costs, USD/day.
        runner_up: the second in cost; None if nobody else took part.
        difference: the paired difference of total cost, runner-up minus best, USD/day; None without a runner-up.
        largest_term: the largest cost term of the best policy; None if it costs nothing.
        largest_term_frac: its share of the total cost; NaN if that is nothing.
        large_terms: the number of terms with `LARGE_FRAC` of the total cost or more.
    """

    best: str
    total_cost_usd: Interval
    runner_up: str | None
    difference: Interval | None
    largest_term: str | None
    largest_term_frac: float
    large_terms: int

    @property
    def excludes_zero(self) -> bool | None:
        """True if the interval of the difference leaves out 0; None without a runner-up, or without an interval."""
        if self.difference is None or math.isnan(self.difference.low):
            return None
        return self.difference.low > 0.0 or self.difference.high < 0.0


def summarize(outcomes: Mapping[str, Outcome], difference: Callable[[str, str], Interval]) -> Summary:
    """Return the summary of a scenario; `difference(a, b)` is the paired difference of total cost, a minus b."""
    best, *others = sorted(outcomes, key=lambda name: outcomes[name].metrics["total_cost_usd"])
    runner_up = others[0] if others else None
    metrics = outcomes[best].metrics
    total_usd = metrics["total_cost_usd"]
    shares = {term: metrics[f"cost_{term}_usd"] / total_usd for term in COST_TERMS} if total_usd > 0.0 else {}
    largest = max(shares, key=lambda term: shares[term], default=None)
    return Summary(
        best=best,
        total_cost_usd=outcomes[best].intervals["total_cost_usd"],
        runner_up=runner_up,
        difference=None if runner_up is None else difference(runner_up, best),
        largest_term=largest,
        largest_term_frac=math.nan if largest is None else shares[largest],
        large_terms=sum(share >= LARGE_FRAC for share in shares.values()),
    )


def summary_table(summaries: Mapping[str, Summary]) -> Table:
    """Return one row per scenario."""
    table = Table(
        "scenario", "best policy", title="The best of each scenario",
        caption=f"Costs in USD/day with 95 % intervals where there are any, the difference paired. Large: "
        f"{LARGE_FRAC:.0%} of the cost or more.",
    )  # fmt: skip
    table.add_column("its cost", justify="right")
    table.add_column("runner-up")
    table.add_column("runner-up minus best", justify="right")
    table.add_column("0 left out")
    table.add_column("largest cost term")
    table.add_column("large terms", justify="right")
    for name, summary in summaries.items():
        largest = summary.largest_term
        table.add_row(
            name,
            summary.best,
            usd_text(summary.total_cost_usd),
            summary.runner_up or "",
            "" if summary.difference is None else usd_text(summary.difference),
            {True: "yes", False: "no", None: ""}[summary.excludes_zero],
            "" if largest is None else f"{largest.replace('_', ' ')} {summary.largest_term_frac:.0%}",
            str(summary.large_terms),
        )
    return table
