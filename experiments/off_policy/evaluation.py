"""The command `blended ope`: what policies would have cost, estimated from the records of another one.

Room: `experiments.off_policy`. Reads the records and the policies; prints the tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agents.catalog import NamedPolicy, load_policy
from envs.errors import ConfigurationError
from envs.headline import Headline, Headlined
from experiments.comparison.comparison import require_different
from experiments.console import say_policy_doubts, table_console
from experiments.intervals import Interval, bootstrap_intervals
from experiments.off_policy import doubly_robust as doubly
from experiments.off_policy.direct_method import direct_method
from experiments.off_policy.estimate import LEAST_EFFECTIVE_DAYS, RESAMPLES, Estimate, effective_days
from experiments.off_policy.fitted_q import QEquations
from experiments.off_policy.logged_days import Counterpart, LoggedDays, read_days
from experiments.off_policy.marginalised import make_cells, marginalise, marginalised
from experiments.off_policy.per_day import per_day
from experiments.off_policy.per_decision import per_decision
from experiments.off_policy.weights import CREDITS_S, choose_weights, credit_text, weigh, window_products
from experiments.progress import episode_progress
from experiments.records.reading import DecisionFile, find_decisions
from experiments.texts import digits_text, duration_text, interval_json, json_number, usd_text

MOST_UNSUPPORTED_FRAC = 0.01
"""Share of a policy's choices that the log may never make: what they cost, no weight can tell."""
RATIO_BINS = (0.0, 1e-9, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0, 16.0, 32.0, np.inf)
"""Bounds of the bars of ratios in the figure; the first bar is of decisions in which the policy would not have done as
the log did."""


@dataclass(frozen=True)
class Overlap:
    """How much of a log speaks of a policy.

    Attributes:
        agreed_frac: share of the decisions in which the policy may do as the log did.
        unsupported_frac: mean chance with which the policy takes what the log never takes there.
        largest_ratio: of single decisions.
        ratio_fracs: share of decisions by ratio, in the bars between `RATIO_BINS`.
        effective_days: by credit horizon, as in `CREDITS_S`.
    """

    agreed_frac: float
    unsupported_frac: float
    largest_ratio: float
    ratio_fracs: tuple[float, ...]
    effective_days: tuple[float, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the overlap as plain data."""
        return {
            "agreed_frac": self.agreed_frac,
            "unsupported_frac": self.unsupported_frac,
            "largest_ratio": self.largest_ratio,
            "ratio_bins": [json_number(bound) for bound in RATIO_BINS],
            "ratio_fracs": list(self.ratio_fracs),
            "effective_days": [
                {"credit_s": json_number(credit_s), "effective_days": n_effective}
                for credit_s, n_effective in zip(CREDITS_S, self.effective_days, strict=True)
            ],
        }


@dataclass(frozen=True, repr=False)
class OffPolicyResult(Headlined):
    """What was estimated: of the log itself its own cost, of each policy the overlap and every estimate."""

    file: Path
    scenario: str
    logged: str
    n_days: int
    n_decisions: int
    cost: Interval
    overlaps: dict[str, Overlap]
    estimates: dict[str, list[Estimate]]

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return {
            "records": str(self.file),
            "scenario": self.scenario,
            "logged": {
                "policy": self.logged,
                "episodes": self.n_days,
                "decisions": self.n_decisions,
                **interval_json(self.cost),
            },
            "policies": {
                name: {
                    "overlap": self.overlaps[name].as_json(),
                    "estimates": {each.estimator: each.as_json() for each in found},
                }
                for name, found in self.estimates.items()
            },
        }

    def headline(self) -> Headline:
        """Return what the log cost, and a row for each estimate."""
        rows = [(name, *_row(each)) for name, found in self.estimates.items() for each in found]
        return Headline(
            f"{self.logged} in {self.scenario}: {usd_text(self.cost)} USD/day in {self.n_days} episodes, "
            f"{self.n_decisions:,} decisions",
            ("policy", *_HEADINGS),
            rows,
        )

    def show(self, console: Console | None = None) -> None:
        """Print a table for each policy."""
        console = console or table_console()
        console.print(self.headline().sentence, highlight=False, soft_wrap=True)
        for name, found in self.estimates.items():
            overlap = self.overlaps[name]
            table = Table(
                title=f"{name}: does as the log did in {100 * overlap.agreed_frac:.1f} % of the decisions",
                caption=f"largest ratio {digits_text(overlap.largest_ratio)}; the log never does what the policy does "
                f"in {100 * overlap.unsupported_frac:.2f} % of the decisions",
            )
            for heading in _HEADINGS:
                table.add_column(heading, justify="left" if heading in ("estimator", "credits") else "right")
            for each in found:
                table.add_row(*_row(each))
            console.print(table)
            for each in found:
                if each.refused is not None:
                    console.print(f"{each.estimator} says nothing: {each.refused}", highlight=False, soft_wrap=True)


_HEADINGS = ("estimator", "USD/day", "effective days", "largest weight", "credits")


def _row(each: Estimate) -> tuple[str, ...]:
    cost = usd_text(each.cost) if each.refused is None else "-"
    return each.estimator, cost, f"{each.effective_days:.1f}", f"{100 * each.largest_weight_frac:.0f} %", each.credit


def evaluate_off_policy(
    records: str | Path,
    policies: Sequence[str | NamedPolicy],
    *,
    credit_s: float | None = None,
    half_life_s: float | None = None,
) -> OffPolicyResult:
    """Return what `policies` would have cost in place of the one that `records` are of.

    Args:
        records: a folder that `--record` wrote with one policy in one scenario, or one file of decisions in it.
        policies: what `agents.catalog.load_policy` understands. Those that sample are valued as sampling.
        credit_s: to the decisions of how many seconds before a cost is credited by products of weights; None: of as
            many as the log allows (`experiments.off_policy.weights`).
        half_life_s: of the discount of the fitted Q; None: none.

    Raises:
        ConfigurationError: the records cannot be read or say nothing of other policies, a policy does not fit, or there
            are fewer episodes than `LEAST_EFFECTIVE_DAYS`.
    """
    log = DecisionFile(find_decisions(records))
    named = [policy if isinstance(policy, NamedPolicy) else load_policy(policy, log.scenario) for policy in policies]
    if not named:
        raise ConfigurationError("a policy to be valued is needed: --policy")
    require_different("policy", [each.name for each in named], "takes part twice: name one of them with name=...")
    say_policy_doubts(named)
    with episode_progress() as progress:
        task = progress.add_task(f"{log.scenario.name}: {log.facts['policy']}", total=1 + len(named))
        logged, counterparts = read_days(log, named)
        if len(logged.units) < LEAST_EFFECTIVE_DAYS:
            raise ConfigurationError(
                f"records {log.file}: {len(logged.units)} independent episodes: at least {LEAST_EFFECTIVE_DAYS:.0f} "
                "are needed to say anything"
            )
        progress.advance(task)
        cells = make_cells(logged.states)
        estimates = {}
        for policy in counterparts:
            estimates[policy.name] = estimate_all(logged, policy, cells, credit_s, half_life_s)
            progress.advance(task)
    costs_usd = np.bincount(logged.episode, logged.cost_usd) / logged.days
    ends = bootstrap_intervals(costs_usd[:, np.newaxis], resamples=RESAMPLES)
    return OffPolicyResult(
        log.file,
        log.scenario.name,
        log.facts["policy"],
        logged.n_episodes,
        log.n_rows,
        Interval(*ends[:, 0].tolist()),
        {policy.name: measure_overlap(logged, policy) for policy in counterparts},
        estimates,
    )


def estimate_all(
    logged: LoggedDays,
    policy: Counterpart,
    cells: NDArray[np.int64],
    credit_s: float | None = None,
    half_life_s: float | None = None,
) -> list[Estimate]:
    """Return the estimates of a policy by every estimator, the states told apart by `cells` (n,)."""
    unsupported_frac = float(policy.unsupported_prob.mean())
    refused = None
    if unsupported_frac > MOST_UNSUPPORTED_FRAC:
        refused = f"the log never does what the policy does in {100 * unsupported_frac:.1f} % of the decisions"
    weights = choose_weights(logged, policy, credit_s)
    marginal = marginalise(logged, policy, cells)
    equations = QEquations(logged, policy, half_life_s)
    ahead = "what follows" if half_life_s is None else f"what follows, by half each {duration_text(half_life_s)}"
    back = f"{credit_text(weights.credit_s)}; Q {ahead}"
    through_cells = f"all before, through {marginal.visits.n_cells} cells; Q {ahead}"
    return [
        per_decision(logged, weights, refused=refused),
        per_day(logged, policy, refused=refused),
        marginalised(marginal, refused=refused),
        direct_method(logged, equations, weigh(logged, policy.ratio), f"Q {ahead}", refused=refused),
        doubly.doubly_robust(doubly.NAME, logged, weights, equations, back, refused=refused),
        doubly.doubly_robust(
            doubly.MARGINAL_NAME,
            logged,
            marginal.weights,
            equations,
            through_cells,
            refused=refused or marginal.refused,
        ),
    ]


def measure_overlap(logged: LoggedDays, policy: Counterpart) -> Overlap:
    """Return how much of the log speaks of a policy."""
    counts, _ = np.histogram(policy.ratio, np.array(RATIO_BINS))
    ladder = [weigh(logged, window_products(logged, policy.ratio, credit_s)).seconds for credit_s in CREDITS_S]
    return Overlap(
        agreed_frac=float((policy.ratio > 0.0).mean()),
        unsupported_frac=float(policy.unsupported_prob.mean()),
        largest_ratio=float(policy.ratio.max()),
        ratio_fracs=tuple((counts / len(policy.ratio)).tolist()),
        effective_days=tuple(effective_days(seconds) for seconds in ladder),
    )
