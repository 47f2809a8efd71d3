"""Which checkpoint is chosen: the one that costs least on the validation episodes, greedy and sampled apart.

Room: `experiments.training`. Plays validation episodes; writes weights, the choice, and the table of validations.
"""

import csv
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.episodes import Episodes
from agents.exported_policy import MODES
from agents.learning.learned_policy import greedy_policy, save_weights
from agents.learning.network import CandidateScorer
from agents.network_policy import SampledPolicy
from agents.run_files import (
    BEST_FILE,
    PROVENANCE_FILE,
    SELECTION_FILE,
    VALIDATION_FILE,
    checkpoint_file,
)
from envs.counts import add_counts
from envs.metrics import compute_metrics
from envs.scenario.scenario import Scenario
from experiments.provenance import collect_provenance
from experiments.run_folder import write_json
from experiments.training.training_config import TrainingConfig


@dataclass
class Selection:
    """The choice of a run so far: the cheapest pair of checkpoint and mode.

    Attributes:
        validations: of each checkpoint, in order, its steps, the minutes of the run, and what it cost in
            each mode, USD/day.
        best_cost_usd: of the cheapest pair.
        best_steps: its checkpoint.
        mode: its mode.
        validation_cost_usd: what that checkpoint costs in each mode.
    """

    validations: list[dict[str, float]] = field(default_factory=list)
    best_cost_usd: float = math.inf
    best_steps: int = -1
    mode: str = "greedy"
    validation_cost_usd: dict[str, float] = field(default_factory=dict)

    def add(self, steps: int, minutes: float, metrics: dict[str, dict[str, float]]) -> bool:
        """Note a validation (metrics by mode); return True if it is the best so far."""
        costs = {mode: metrics[mode]["total_cost_usd"] for mode in MODES}
        self.validations.append({"steps": steps, "minutes": round(minutes, 2)} | costs)
        mode = min(MODES, key=lambda name: costs[name])
        if costs[mode] >= self.best_cost_usd:
            return False
        self.best_cost_usd, self.best_steps, self.mode = costs[mode], steps, mode
        self.validation_cost_usd = costs
        return True


def validate_network(
    network: CandidateScorer, scenario: Scenario, seed: int, episodes: int
) -> dict[str, dict[str, float]]:
    """Return the metrics over validation episodes by mode."""
    shared = Episodes(scenario, seed, batch=episodes)
    metrics = {}
    greedy = greedy_policy(network, scenario)
    for mode, policy in (("greedy", greedy), ("sampled", SampledPolicy(greedy, seed))):
        counts = shared.play(policy, np.arange(episodes), deterministic=mode == "greedy")
        metrics[mode] = compute_metrics(scenario, add_counts(counts), episodes)
    return metrics


class CheckpointChoice:
    """Keeps checkpoints and what they cost on validation episodes, and chooses among them."""

    def __init__(self, folder: Path, scenario: Scenario, config: TrainingConfig, selection: Selection) -> None:
        self.config = config
        self._folder = folder
        self._scenario = scenario
        self._selection = selection

    def judge(self, network: CandidateScorer, steps: int, seconds: float) -> dict[str, dict[str, float]]:
        """Keep the weights after `steps` decisions and so many `seconds` of the run, validate them, and note whether
        they are the best so far; returns the metrics by mode."""
        torch.set_num_threads(1)
        save_weights(network, self._folder / checkpoint_file(steps))
        metrics = validate_network(
            network,
            self._scenario,
            self.config.demand.validation,
            self.config.validation.episodes,
        )
        if self._selection.add(steps, seconds / 60.0, metrics):
            save_weights(network, self._folder / BEST_FILE)
            self._write_selection()
        self._write_validations()
        return metrics

    def _write_selection(self) -> None:
        write_json(
            self._folder / SELECTION_FILE,
            {
                "mode": self._selection.mode,
                "validation_cost_usd": self._selection.validation_cost_usd,
                "provenance": self._provenance() | {"steps": self._selection.best_steps},
            },
        )

    def _provenance(self) -> dict[str, Any]:
        """Return where the run comes from, as it was begun."""
        file = self._folder / PROVENANCE_FILE
        if not file.is_file():
            return collect_provenance(self.config.seed)
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return {key: value for key, value in kept.items() if key != "data"}

    def _write_validations(self) -> None:
        with (self._folder / VALIDATION_FILE).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, ["steps", "minutes", *MODES])
            writer.writeheader()
            writer.writerows(self._selection.validations)
