"""Pretrained policies as they are shipped: `agents/pretrained/<scenario>.onnx`, and a card for each.

Room: `experiments.training`. Reads the folder of a finished run; writes file and card.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from agents.catalog import PRETRAINED_FOLDER
from agents.run_files import (
    BENCHMARK_JSON_FILE,
    LEARNED_ROW,
    POLICY_FILE,
    PROVENANCE_FILE,
    SCENARIO_FILE,
    SEARCH_FILE,
    SELECTION_FILE,
    TRAINING_FILE,
)
from envs.configuration.document import load_yaml, named_files, validate
from envs.configuration.quantities import Checked
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario
from experiments.comparison.benchmark_tables import BAND_SERVICE
from experiments.provenance import without_folder
from experiments.run_folder import writing, yaml_text
from experiments.training.algorithms.policy_search import last_generation
from experiments.training.training_config import TrainingConfig


class Estimate(Checked):
    """A mean with its 95 % interval, USD/day; ends that are None are not known."""

    mean: float
    low: float | None
    high: float | None


class Row(Checked):
    """What a policy did on the test episodes.

    Attributes:
        chosen: the policy in a row that validation filled, as in `best_tuned`.
        total_cost_usd: its cost, USD/day.
        learned_minus: the shipped policy's cost less this one's, paired, USD/day; None of itself.
        bands: of each account-value band, the lowest first, service level, abandoned and on-time share, fractions;
            None where there was nothing to count.
    """

    chosen: str | None = None
    total_cost_usd: Estimate
    learned_minus: Estimate | None = None
    bands: tuple[dict[str, float | None], ...] = ()


class Card(Checked):
    """Where a shipped policy comes from, and what it costs.

    Attributes:
        scenario: its name.
        command: that trained it.
        date: when, UTC.
        commit: of the code; None outside a git clone.
        modified: whether files differed from that commit.
        seed: the user's seed (`experiments.seeds`).
        training_episodes: that the policy search played, all candidates together.
        minutes: that the search took by the clock, validation included.
        mode: greedy or sampled.
        validation_cost_usd: by mode, USD/day.
        test_seed: the user's seed of the test episodes.
        test_episodes: so many.
        policies: rows by name, the cheapest first; `learned` is the shipped one.
    """

    scenario: str
    command: str
    date: str
    commit: str | None
    modified: bool | None
    seed: int
    training_episodes: int
    minutes: float
    mode: str
    validation_cost_usd: dict[str, float]
    test_seed: int
    test_episodes: int
    policies: dict[str, Row]


def card_file(scenario_name: str) -> Path:
    """Return the file of the card of the policy that is shipped for a scenario."""
    return PRETRAINED_FOLDER / f"{scenario_name}.yaml"


def ship_run(folder: Path) -> tuple[Path, Path]:
    """Write policy and card of a finished run to `PRETRAINED_FOLDER`, and return both files.

    Raises:
        ConfigurationError: the run is not finished, was no policy search, had no test, or its scenario is not one of
            `configs/scenarios` as it stands there.
    """
    card = make_card(folder)
    ours = named_files("scenarios")
    if card.scenario not in ours or load_scenario(folder / SCENARIO_FILE) != load_scenario(card.scenario):
        raise ConfigurationError(
            f"--ship {folder}: its scenario {card.scenario} must be one of configs/scenarios, as it stands there"
        )
    file = PRETRAINED_FOLDER / f"{card.scenario}.onnx"
    with writing(f"--ship {file}"):
        PRETRAINED_FOLDER.mkdir(exist_ok=True)
        shutil.copyfile(folder / POLICY_FILE, file)
        text = f"# Written by `blended export RUN --ship`; costs in USD/day.\n{yaml_text(card)}"
        card_file(card.scenario).write_text(text, encoding="utf-8")
    return file, card_file(card.scenario)


def make_card(folder: Path) -> Card:
    """Return the card of a finished run; raises `ConfigurationError` if it is not finished, was not a
    policy search alone, had no test, or is of an older version."""
    for name in (PROVENANCE_FILE, TRAINING_FILE, SELECTION_FILE, SEARCH_FILE, POLICY_FILE, BENCHMARK_JSON_FILE):
        if not (folder / name).is_file():
            raise ConfigurationError(f"--ship {folder}: has no {name}; must be a finished policy search with a test")
    config = validate(load_yaml(folder / TRAINING_FILE), TrainingConfig, "training")
    if config.has_later_stage:
        went_on = config.algorithm
        raise ConfigurationError(f"--ship {folder}: went on with {went_on}; must be a policy search alone")
    try:
        return _read_card(folder)
    except KeyError as error:
        raise ConfigurationError(f"--ship {folder}: says nothing of {error}: was made by an older version") from error


def _read_card(folder: Path) -> Card:
    files = (PROVENANCE_FILE, SELECTION_FILE, BENCHMARK_JSON_FILE)
    provenance, selection, benchmark = (_read(folder / name) for name in files)
    ((scenario_name, test),) = benchmark["scenarios"].items()
    last = last_generation(folder)
    return Card.model_validate(
        {
            "scenario": scenario_name,
            "command": without_folder(provenance["command"]),
            **{key: provenance[key] for key in ("date", "commit", "modified", "seed")},
            "training_episodes": int(last["episodes"]),
            "minutes": float(last["minutes"]),
            **{key: selection[key] for key in ("mode", "validation_cost_usd")},
            "test_seed": test["seed"],
            "test_episodes": test["episodes"],
            "policies": _rows(test),
        }
    )


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _rows(test: dict[str, Any]) -> dict[str, dict[str, Any]]:
    minus = {
        pair["against"]: {"mean": pair["mean_difference"], "low": pair["low"], "high": pair["high"]}
        for pair in test["comparisons"]
        if (pair["policy"], pair["metric"]) == (LEARNED_ROW, "total_cost_usd")
    }
    by_cost = sorted(test["policies"].items(), key=lambda item: item[1]["total_cost_usd"]["mean"])
    rows = {}
    for name, metrics in by_cost:
        n_bands = sum(key.endswith(".arrived") and key.startswith("band_") for key in metrics)
        row = {"total_cost_usd": metrics["total_cost_usd"]}
        row |= {"chosen": test["chosen"][name]} if name in test["chosen"] else {}
        row |= {"learned_minus": minus[name]} if name in minus else {}
        row["bands"] = [
            {key: metrics[f"band_{band}.{key}"]["mean"] for key in BAND_SERVICE.values()} for band in range(n_bands)
        ]
        rows[name] = row
    return rows
