"""A benchmark's result as JSON.

Room: `experiments.comparison`. Reads results; writes nothing.
"""

from typing import Any

from experiments.bounds.bound import BoundResult
from experiments.comparison.scenario_result import ScenarioResult
from experiments.comparison.summary import Summary
from experiments.texts import interval_json, json_number


def scenario_json(result: ScenarioResult) -> dict[str, Any]:
    """Return what a benchmark found in one scenario, as the README describes it."""
    data: dict[str, Any] = {
        "episodes": len(next(iter(result.outcomes.values())).counts),
        "seed": result.seed,
        "no_interval": result.no_interval,
        "wall_s": result.wall_s,
        "data": result.data,
        "policies": {
            name: {metric: interval_json(interval) for metric, interval in outcome.intervals.items()}
            for name, outcome in result.outcomes.items()
        },
        "comparisons": [
            {
                "policy": found.policy,
                "against": found.against,
                "metric": found.metric,
                "mean_difference": json_number(found.difference.mean),
                "low": json_number(found.difference.low),
                "high": json_number(found.difference.high),
            }
            for found in result.comparisons
        ],
        "summary": _summary_json(result.summary),
        "chosen": result.chosen,
    }
    if result.coverage is not None:
        data["bound"] = _bound_json(result.coverage.bound)
        for name, interval in result.coverage.covered_frac.items():
            data["policies"][name]["covered_frac"] = interval_json(interval)
    return data


def _bound_json(bound: BoundResult) -> dict[str, Any]:
    mean, low, high = (json_number(end) for end in bound.total_cost_usd)
    return {"total_cost_usd": mean, "low": low, "high": high, "episodes": len(bound.episodes), "kind": bound.kind}


def _summary_json(summary: Summary) -> dict[str, Any]:
    return {
        "best": summary.best,
        "total_cost_usd": interval_json(summary.total_cost_usd),
        "runner_up": summary.runner_up,
        "difference": None if summary.difference is None else interval_json(summary.difference),
        "excludes_zero": summary.excludes_zero,
        "largest_term": summary.largest_term,
        "largest_term_frac": json_number(summary.largest_term_frac),
        "large_terms": summary.large_terms,
    }
