"""The summary of a scenario: best and second, their difference, and the parts of the best one's cost."""

import math
import os
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from envs.interface.cost_terms import COST_TERMS
from experiments.comparison.summary import Summary, summarize, summary_table
from experiments.intervals import Interval


def outcome(**terms_usd: float) -> Any:
    """Return the costs of a policy, as an outcome tells them."""
    total_usd = sum(terms_usd.values())
    metrics = {f"cost_{term}_usd": terms_usd.get(term, 0.0) for term in COST_TERMS} | {"total_cost_usd": total_usd}
    return SimpleNamespace(metrics=metrics, intervals={"total_cost_usd": Interval(total_usd, 0.9 * total_usd, 300.0)})


def summary(low: float = 20.0, high: float = 60.0, **outcomes: Any) -> Summary:
    asked = []

    def difference(policy: str, against: str) -> Interval:
        asked.append((policy, against))
        return Interval(40.0, low, high)

    found = summarize(outcomes, difference)
    assert asked == ([] if found.runner_up is None else [(found.runner_up, found.best)])
    return found


THREE = {
    "dear": outcome(abandonment=500),
    # 200 in all: 60 %, 29.5 %, 10 %, and 0.5 %, which is not large.
    "best": outcome(abandonment=59, lateness=120, wait=20, error=1),
    "second": outcome(abandonment=240),
}


def test_best_and_second_and_the_parts_of_the_cost():
    found = summary(**THREE)
    assert (found.best, found.runner_up) == ("best", "second")
    assert found.total_cost_usd == (200.0, 180.0, 300.0)
    assert found.difference == (40.0, 20.0, 60.0)
    assert (found.largest_term, found.largest_term_frac, found.large_terms) == ("lateness", 0.6, 3)


@pytest.mark.parametrize(
    ("low", "high", "excludes_zero"), [(20, 60, True), (-1, 60, False), (0, 60, False), (0, 0, False), (-9, -1, True)]
)
def test_whether_the_interval_of_the_difference_leaves_out_0(low, high, excludes_zero):
    assert summary(low, high, **THREE).excludes_zero is excludes_zero


def test_one_policy_alone_has_no_runner_up():
    found = summary(only=outcome(wait=5))
    assert (found.best, found.runner_up, found.difference, found.excludes_zero) == ("only", None, None, None)


def test_of_equals_the_first_is_best_and_what_costs_nothing_has_no_parts():
    found = summary(one=outcome(), other=outcome())
    assert (found.best, found.runner_up, found.largest_term, found.large_terms) == ("one", "other", None, 0)
    assert math.isnan(found.largest_term_frac)


def test_the_table_has_a_row_per_scenario():
    console = Console(record=True, width=160, file=open(os.devnull, "w"))  # noqa: SIM115 (the console keeps it)
    console.print(summary_table({"bank": summary(**THREE), "quiet": summary(only=outcome())}))
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in console.export_text().splitlines()]
    assert ["bank", "best", "200 (180 to 300)", "second", "40.00 (20.00 to 60.00)", "yes", "lateness 60%", "3"] in rows
    assert ["quiet", "only", "0.00 (0.00 to 300)", "", "", "", "", "0"] in rows
