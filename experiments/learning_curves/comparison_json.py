"""A comparison of trainings as JSON; docs/compare.md describes it.

Room: `experiments.learning_curves`. Reads figures; writes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from experiments.learning_curves.curves import Axis, Curve
from experiments.learning_curves.final_costs import AgainstRow, FinalCost
from experiments.learning_curves.groups import Group
from experiments.learning_curves.method_differences import Improvement, PairedDifference
from experiments.texts import interval_json, json_number


def runs_json(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Return the trainings that took part."""
    return [
        {
            "folder": str(run.folder),
            "scenario": group.scenario,
            "method": group.method,
            "seed": run.seed,
            "test_seed": run.test_seed,
            "total_cost_usd": run.cost_usd,
        }
        for group in groups
        for run in group.runs
    ]


def scenario_json(
    costs: Sequence[FinalCost],
    against: Sequence[AgainstRow],
    curves: Mapping[Axis, Mapping[str, Curve]],
    baselines_usd: Mapping[str, float],
) -> dict[str, Any]:
    """Return what was found in one scenario."""
    return {
        "costs": [
            {
                "name": final.name,
                "is_method": final.is_method,
                "seeds": final.n_seeds,
                "total_cost_usd": interval_json(final.cost_usd),
                "best_usd": final.best_usd,
                "worst_usd": final.worst_usd,
            }
            for final in costs
        ],
        "against": against_json(against),
        "validation_baselines_usd": {name: json_number(cost_usd) for name, cost_usd in baselines_usd.items()},
        "curves": {axis: {method: _curve_json(curve) for method, curve in own.items()} for axis, own in curves.items()},
    }


def against_json(against: Sequence[AgainstRow]) -> list[dict[str, Any]]:
    """Return methods against rows of their tests."""
    return [
        {"method": found.method, "row": found.row, "difference_frac": interval_json(found.difference_frac)}
        for found in against
    ]


def differences_json(differences: Sequence[PairedDifference]) -> list[dict[str, Any]]:
    """Return paired differences; those over scenarios have the scenario None."""
    return [
        {
            "scenario": found.scenario,
            "method": found.method,
            "against": found.against,
            "test_seeds": list(found.test_seeds),
            "runs": found.n_runs,
            "difference_usd": interval_json(found.difference_usd),
            "difference_frac": interval_json(found.difference_frac),
        }
        for found in differences
    ]


def improvements_json(improvements: Sequence[Improvement]) -> list[dict[str, Any]]:
    """Return probabilities of improvement."""
    return [
        {
            "method": found.method,
            "against": found.against,
            "scenarios": list(found.scenarios),
            "probability": interval_json(found.probability),
        }
        for found in improvements
    ]


def _curve_json(curve: Curve) -> dict[str, Any]:
    return {
        "places": curve.places.tolist(),
        "mean": _numbers(curve.mean),
        "low": _numbers(curve.low),
        "high": _numbers(curve.high),
        "shortest_end": curve.shortest_end,
        "seeds": curve.n_runs,
    }


def _numbers(values: NDArray[Any]) -> list[float | None]:
    return [json_number(value) for value in values.tolist()]
