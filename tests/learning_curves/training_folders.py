"""Run folders of finished trainings, as small as `blended compare` reads them: figures that a test can work by hand."""

import csv
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agents.run_files import FINISHED_FILE, METRICS_COLUMNS
from envs.configuration.document import dump_yaml

DIGEST = "a" * 64


def write_training(
    folder: Path,
    *,
    scenario: str = "desk",
    algorithm: str = "policy_search",
    seed: int = 0,
    test_seed: int | None = None,
    learned_usd: Sequence[float] = (10.0, 20.0),
    rows_usd: Mapping[str, Sequence[float]] | None = None,
    points: Sequence[tuple[float, float, float]] = ((0, 0, 100.0), (10, 5, 80.0)),
    dropped: Collection[str] = (),
    tags: Mapping[str, Sequence[tuple[float, float, float]]] | None = None,
    settings: Mapping[str, Any] | None = None,
    digests: Mapping[str, str] | None = None,
) -> Path:
    """Write and return a run folder.

    Args:
        learned_usd: cost of the learned policy in each test episode.
        rows_usd: the same of other rows of the test; default: `fifo`, twice as dear.
        points: decisions, seconds and validation cost of the learned policy as it was trained.
        dropped: rows of the test that the log has not, as they cost far more than others on validation.
        tags: the same of further tags.
        settings: further keys of the training.
        digests: SHA-256 by what it is of; default: one of the scenario.
    """
    folder.mkdir(parents=True)
    test_seed = seed if test_seed is None else test_seed
    tested = {"learned": learned_usd, **({"fifo": [2 * usd for usd in learned_usd]} if rows_usd is None else rows_usd)}
    stated = {"algorithm": algorithm, "scenario": scenario, "seed": seed, **(settings or {})}
    (folder / "training.yaml").write_text(dump_yaml(stated))
    data = {f"scenario {scenario}": DIGEST} if digests is None else digests
    provenance = {"seed": seed, "data": {name: {"file": None, "sha256": digest} for name, digest in data.items()}}
    (folder / "provenance.json").write_text(json.dumps(provenance))
    policies = {
        row: {"total_cost_usd": {"mean": float(np.mean(usd)), "low": None, "high": None}} for row, usd in tested.items()
    }
    test = {"episodes": len(learned_usd), "seed": test_seed, "policies": policies}
    (folder / "benchmark.json").write_text(json.dumps({"scenarios": {scenario: test}}))
    with (folder / "benchmark.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["scenario", "policy", "mode", "seed", "episode", "total_cost_usd"])
        for row, usd in tested.items():
            writer.writerows([scenario, row, "greedy", test_seed, i, cost_usd] for i, cost_usd in enumerate(usd))
    with (folder / "metrics.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(METRICS_COLUMNS)
        for tag, measured in {"cost/total_usd": points, **(tags or {})}.items():
            writer.writerows(["learned", tag, *point] for point in measured)
        rules = {row: usd for row, usd in tested.items() if row not in ("learned", *dropped)}
        writer.writerows([row, "cost/total_usd", 0, 0, np.mean(usd)] for row, usd in rules.items())
    (folder / FINISHED_FILE).touch()
    return folder
