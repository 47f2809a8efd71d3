"""Which checkpoint is kept: the one that costs least on the validation episodes, greedy and sampled apart.

Room: `experiments.training`. Plays validation episodes; writes weights and TensorBoard's events.
"""

import csv
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from torch.utils.tensorboard import SummaryWriter

from agents.catalog import fitting_baselines
from agents.episodes import Episodes, play_episodes
from agents.exported_policy import MODES
from agents.learning.learned_policy import greedy_policy, save_weights
from agents.learning.maskable_policy import CandidateScoringPolicy
from agents.learning.network import CandidateScorer
from agents.network_policy import SampledPolicy
from agents.rules.rule_policy import RulePolicy
from agents.run_files import (
    BEST_FILE,
    SELECTION_FILE,
    TENSORBOARD_FOLDER,
    VALIDATION_FILE,
    checkpoint_file,
)
from envs.counts import add_counts
from envs.metrics import compute_metrics
from envs.scenario.scenario import Scenario
from experiments.provenance import collect_provenance
from experiments.run_folder import write_json
from experiments.seeds import demand_seeds
from experiments.training.training_config import TrainingConfig


@dataclass
class Selection:
    """The choice of a run so far: the cheapest pair of checkpoint and mode.

    Attributes:
        validations: of each checkpoint, in order, its steps, the minutes since the choice began, and what it cost in
            each mode, USD/day.
        best_cost_usd: of the cheapest pair.
        best_steps: its checkpoint.
        mode: its mode.
        validation_cost_usd: what that checkpoint costs in each mode.
    """

    validations: list[dict[str, float]] = field(default_factory=list)
    best_cost_usd: float = np.inf
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


def tagged(metrics: dict[str, float]) -> dict[str, float]:
    """Return metrics under their TensorBoard tags: cost terms under `cost/`, the rest under `center/`."""
    tags = {}
    for key, value in metrics.items():
        if np.isfinite(value):
            is_cost = key.startswith("cost_") and key.endswith("_usd") and key != "cost_per_contact_usd"
            tags[f"cost/{key[5:]}" if is_cost else "cost/total_usd" if key == "total_cost_usd" else f"center/{key}"] = (
                value
            )
    return tags


class CheckpointChoice:
    """Keeps checkpoints and what they cost on validation episodes, and chooses among them."""

    def __init__(self, folder: Path, scenario: Scenario, config: TrainingConfig, selection: Selection) -> None:
        self.config = config
        self._folder = folder
        self._scenario = scenario
        self._selection = selection
        self._start_s = time.monotonic()

    def judge(self, network: CandidateScorer, steps: int) -> dict[str, dict[str, float]]:
        """Keep the weights after `steps` decisions, validate them, and note whether they are the best so far; returns
        the metrics by mode."""
        torch.set_num_threads(1)
        save_weights(network, self._folder / checkpoint_file(steps))
        metrics = validate_network(
            network,
            self._scenario,
            demand_seeds(self.config.seed).validation,
            self.config.validation.episodes,
        )
        if self._selection.add(steps, (time.monotonic() - self._start_s) / 60.0, metrics):
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
                "provenance": collect_provenance(self.config.seed) | {"steps": self._selection.best_steps},
            },
        )

    def _write_validations(self) -> None:
        with (self._folder / VALIDATION_FILE).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, ["steps", "minutes", *MODES])
            writer.writeheader()
            writer.writerows(self._selection.validations)


class ValidationCallback(BaseCallback):
    """Validates, logs, and keeps checkpoints, at the start, every `every_steps`, and at the end."""

    def __init__(self, choice: CheckpointChoice) -> None:
        super().__init__()
        self._choice = choice
        self._config = choice.config
        self._next = choice.config.validation.every_steps
        self._last = -1

    def _on_training_start(self) -> None:
        self.validate()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        policy: CandidateScoringPolicy = self.model.policy  # type: ignore[assignment]
        policy.train_actor(self.num_timesteps >= self._config.ppo.critic_warm_up_steps)
        torch.set_num_threads(1)  # batches of one decision per row are too small to share
        if self.num_timesteps >= self._next:
            self._next += self._config.validation.every_steps
            self.validate()

    def _on_rollout_end(self) -> None:
        torch.set_num_threads(self._config.threads)

    def validate(self) -> None:
        """Validate the present weights, unless that has just been done."""
        steps = self.num_timesteps
        if steps == self._last:
            return
        self._last = steps
        metrics = self._choice.judge(self.model.policy.scorer_network, steps)  # type: ignore[arg-type]
        for tag, value in tagged(metrics["greedy"]).items():
            self.logger.record(tag, value)
        self.logger.record("cost/total_sampled_usd", metrics["sampled"]["total_cost_usd"])
        self.logger.dump(steps)


def write_baselines(folder: Path, scenario: Scenario, config: TrainingConfig) -> None:
    """Write every baseline as a TensorBoard run of its own: horizontal lines under the learner's tags."""
    seed = demand_seeds(config.seed).validation
    episodes = np.arange(config.validation.episodes)
    for name in fitting_baselines(scenario):
        counts = play_episodes(scenario, RulePolicy(name, scenario), seed, episodes, threads=config.threads)
        metrics = compute_metrics(scenario, add_counts(counts), len(episodes))
        with SummaryWriter(str(folder / TENSORBOARD_FOLDER / name)) as writer:
            for tag, value in tagged(metrics).items():
                for step in (0, _last_step(config)):
                    writer.add_scalar(tag, value, step)


def _last_step(config: TrainingConfig) -> int:
    """Return where the lines of the baselines end: at the last decision of training, or the last episode of a policy
    search without one."""
    search = config.adjustment
    played = 0 if search is None else search.generations * search.population * search.episodes
    return config.steps or played
