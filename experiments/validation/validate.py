"""The command `blended validate`: does the simulator agree with theory?

Room: `experiments.validation`. The models are those of `experiments.validation.models`; this runs them, shows them,
and judges.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Table

from agents.catalog import load_policy
from envs.configuration.messages import did_you_mean
from envs.errors import ConfigurationError
from experiments.console import table_console
from experiments.progress import episode_progress
from experiments.texts import json_number
from experiments.validation.decision_trace import (
    N_DECISIONS,
    Trace,
    trace_decisions,
)
from experiments.validation.generic_checks import require_known_keys
from experiments.validation.models import (
    ModelResult,
    Tier,
    ValidationModel,
    load_validation,
    simulate,
)


def validate(
    files: Sequence[str | Path] = (), *, tier: Tier = "fast", models: Sequence[str] = (), threads: int = 1
) -> list[ModelResult]:
    """Run the models of `files` (default: all of `configs/validation/`), or those named in `models` only, on `threads`
    threads, on which no result depends; return their results in order."""
    chosen = _choose(load_validation(files), models)
    for model in chosen:  # all before any is played, so that a mistake is reported at once
        load_policy(model.policy, model.scenario)
        require_known_keys(model.scenario)
    results = []
    with episode_progress() as progress:
        for model in chosen:
            start_s = time.perf_counter()
            task = progress.add_task(model.name, total=model.n_episodes(tier))
            result = simulate(model, tier, threads=threads, progress=lambda n, task=task: progress.advance(task, n))  # type: ignore[misc]
            progress.remove_task(task)
            results.append(replace(result, wall_s=time.perf_counter() - start_s))
    return results


def run_trace(*, threads: int, batch: int) -> Trace:
    """Return the fingerprint of a million decisions (`experiments.validation.decision_trace`), with a bar."""
    with episode_progress() as progress:
        task = progress.add_task("decisions", total=N_DECISIONS)
        return trace_decisions(threads=threads, batch=batch, progress=lambda n: progress.advance(task, n))


def _choose(loaded: list[ValidationModel], names: Sequence[str]) -> list[ValidationModel]:
    known = [model.name for model in loaded]
    for name in names:
        if name not in known:
            raise ConfigurationError(f"--model {name}: no such model{did_you_mean(name, known)}")
    return [model for model in loaded if not names or model.name in names]


def show(results: list[ModelResult]) -> None:
    """Print a row for every metric and check, and a line that counts them."""
    table = Table(title=f"Validation, {results[0].tier} tier")
    for heading in ("model", "metric", "unit", "known", "simulated", "standard error", "z", "verdict"):
        table.add_column(heading, justify="left" if heading in ("model", "metric", "unit", "verdict") else "right")
    n_rows = 0
    for result in results:
        for row in _rows(result):
            n_rows += 1
            table.add_row(
                result.model.name,
                row["metric"],
                row["unit"],
                f"{row['known']:.5g}",
                "undefined" if row["simulated"] is None else f"{row['simulated']:.5g}",
                f"{row['standard_error']:.2g}" if row["standard_error"] else "",
                "" if row["z"] is None else f"{row['z']:+.2f}",
                "ok" if row["passed"] else f"FAILED: {row['failure']}",
            )
        table.add_section()
    console = table_console()
    console.print(table)
    failures = [text for result in results for text in result.failures]
    wall_s = sum(result.wall_s for result in results)
    console.print(
        f"Models: {len(results)}, rows: {n_rows}, {wall_s:.0f} s: "
        + ("all agree." if not failures else f"{len(failures)} failed.")
    )
    for text in failures:
        console.print(f"FAILED {text}", soft_wrap=True, highlight=False)


def passed(results: list[ModelResult]) -> bool:
    """Return True if nothing failed."""
    return not any(result.failures for result in results)


def describe_results(results: list[ModelResult]) -> dict[str, Any]:
    """Return all results as plain data, for `--json`."""
    return {
        "tier": results[0].tier,
        "passed": passed(results),
        "wall_s": sum(result.wall_s for result in results),
        "models": [
            {
                "name": result.model.name,
                "title": result.model.title,
                "source": result.model.source,
                "scenario": result.model.scenario.name,
                "policy": result.model.policy
                if isinstance(result.model.policy, str)
                else result.model.policy.model_dump(mode="json"),
                "seed": result.model.seed,
                "batches": result.model.batches,
                "episodes": result.model.n_episodes(result.tier),
                "wall_s": result.wall_s,
                "rows": _rows(result),
            }
            for result in results
        ],
    }


def _rows(result: ModelResult) -> list[dict[str, Any]]:
    rows = []
    for reference in result.model.references_of(result.tier):
        estimate = result.estimates[reference.metric]
        verdict = reference.judge(estimate)
        rows.append(
            {
                "kind": "reference",
                "metric": reference.metric,
                "unit": reference.unit,
                "source": reference.source,
                "known": reference.value,
                "simulated": json_number(estimate.mean),
                "standard_error": json_number(estimate.standard_error),
                "z": json_number(verdict.z),
                "passed": verdict.failure is None,
                "failure": verdict.failure,
            }
        )
    for check in result.checks:
        rows.append(
            {
                "kind": "check",
                "metric": f"{check.name}, {check.channel}",
                "unit": check.unit,
                "source": "experiments.validation.generic_checks",
                "known": check.expected,
                "simulated": check.found,
                "standard_error": check.standard_error,
                "z": check.z,
                "passed": check.passed,
                "failure": None if check.passed else "does not hold",
            }
        )
    return rows
