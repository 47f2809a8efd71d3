"""The command `blended train`: train a policy, choose it on validation episodes, export it, and test it.

Room: `experiments`. Needs the extra `train`. Writes a run folder (`experiments.run_folder`):

    training.yaml scenario.yaml network.json provenance.json   what was run
    checkpoints/start.pt, step_….pt, best.pt                    weights, whole or not at all
    validation.csv selection.json                               what was chosen, and why
    tensorboard/                                                learner and baselines, the same tags
    policy.onnx benchmark.json benchmark.csv                    the result
"""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback
from torch.utils.tensorboard import SummaryWriter

from agents.action_layout import action_layout
from agents.adjustment import fit_adjustment
from agents.baselines import Baseline
from agents.catalog import NamedPolicy, fitting_baselines
from agents.elapsed_time import ElapsedTimeBuffer
from agents.episodes import advance_rows, play_episodes
from agents.exported import ExportedPolicy
from agents.learned import (
    ADJUSTED_FILE,
    BEST_FILE,
    NETWORK_FILE,
    SCENARIO_FILE,
    SELECTION_FILE,
    START_FILE,
    LearnedPolicy,
    load_network,
    save_weights,
)
from agents.maskable_policy import CandidateScoringPolicy, quiet_distributions
from agents.network import CandidateScorer
from agents.training_env import TrainingVecEnv
from envs.center_rows import CenterRows
from envs.errors import ConfigurationError
from envs.metrics import add_counts, compute_metrics
from envs.scenario import Scenario, load_scenario
from experiments.comparison import BenchmarkResult, run_benchmark
from experiments.outcomes import episode_progress
from experiments.policy_file import export_policy
from experiments.provenance import collect_provenance
from experiments.run_folder import create_run_folder, write_json, write_provenance, write_yaml
from experiments.seeds import demand_seeds
from experiments.training_config import TrainingConfig

MODES = ("greedy", "sampled")


def choose_device(wanted: str) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda`; raises `ConfigurationError` where there is none."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise ConfigurationError(f"--device {wanted}: must be auto, cpu or cuda")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("--device cuda: torch sees no usable GPU here (blended doctor says why)")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


@dataclass
class Selection:
    """The validations of a run so far; the best is the cheapest pair of checkpoint and mode."""

    records: list[dict[str, float]] = field(default_factory=list)
    best_cost_usd: float = np.inf
    best_steps: int = -1
    mode: str = "greedy"
    validation_cost_usd: dict[str, float] = field(default_factory=dict)

    def add(self, steps: int, metrics: dict[str, dict[str, float]]) -> bool:
        """Note a validation (metrics by mode); return True if it is the best so far."""
        costs = {mode: metrics[mode]["total_cost_usd"] for mode in MODES}
        self.records.append({"steps": steps} | costs)
        mode = min(MODES, key=lambda name: costs[name])
        if costs[mode] >= self.best_cost_usd:
            return False
        self.best_cost_usd, self.best_steps, self.mode = costs[mode], steps, mode
        self.validation_cost_usd = costs
        return True


def validate_network(
    network: CandidateScorer, scenario: Scenario, seed: int, episodes: int
) -> dict[str, dict[str, float]]:
    """Return the metrics over validation episodes by mode; both modes play side by side."""
    rows = CenterRows(scenario, 2 * episodes)
    numbers = np.tile(np.arange(episodes), 2)
    rows.start(rows.all_rows, np.full(2 * episodes, seed), numbers)
    greedy = rows.all_rows < episodes
    advance_rows(rows, LearnedPolicy(network, seed), rows.all_rows[~rows.done], deterministic=greedy)
    metrics = {}
    for mode, chosen in zip(MODES, (greedy, ~greedy), strict=True):
        counts = [rows.counts(int(row)) for row in np.flatnonzero(chosen)]
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


class ValidationCallback(BaseCallback):
    """Validates, logs, and keeps checkpoints, at the start, every `every_steps`, and at the end."""

    def __init__(self, folder: Path, scenario: Scenario, config: TrainingConfig, selection: Selection) -> None:
        super().__init__()
        self._folder = folder
        self._scenario = scenario
        self._config = config
        self._selection = selection
        self._next = config.validation.every_steps
        self._last = -1

    def _on_training_start(self) -> None:
        self.validate()

    def _network(self) -> CandidateScorer:
        return self.model.policy.scorer_network  # type: ignore[return-value]

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
        torch.set_num_threads(1)
        network = self._network()
        save_weights(network, self._folder / f"checkpoints/step_{steps:09d}.pt")
        metrics = validate_network(
            network,
            self._scenario,
            demand_seeds(self._config.seed).validation,
            self._config.validation.episodes,
        )
        if self._selection.add(steps, metrics):
            save_weights(network, self._folder / BEST_FILE)
            self._write_selection()
        self._write_records()
        for tag, value in tagged(metrics["greedy"]).items():
            self.logger.record(tag, value)
        self.logger.record("cost/total_sampled_usd", metrics["sampled"]["total_cost_usd"])
        self.logger.dump(steps)

    def _write_selection(self) -> None:
        write_json(
            self._folder / SELECTION_FILE,
            {
                "mode": self._selection.mode,
                "validation_cost_usd": self._selection.validation_cost_usd,
                "provenance": collect_provenance(self._config.seed) | {"steps": self._selection.best_steps},
            },
        )

    def _write_records(self) -> None:
        with (self._folder / "validation.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, ["steps", *MODES])
            writer.writeheader()
            writer.writerows(self._selection.records)


def write_baselines(folder: Path, scenario: Scenario, config: TrainingConfig) -> None:
    """Write every baseline as a TensorBoard run of its own: horizontal lines under the learner's tags."""
    seed = demand_seeds(config.seed).validation
    episodes = np.arange(config.validation.episodes)
    for name in fitting_baselines(scenario):
        counts = play_episodes(scenario, Baseline(name, scenario), seed, episodes, threads=config.threads)
        metrics = compute_metrics(scenario, add_counts(counts), len(episodes))
        with SummaryWriter(str(folder / "tensorboard" / name)) as writer:
            for tag, value in tagged(metrics).items():
                for step in (0, config.steps):
                    writer.add_scalar(tag, value, step)


def build_model(scenario: Scenario, config: TrainingConfig, device: torch.device, folder: Path) -> MaskablePPO:
    """Return MaskablePPO as the training configuration states it."""
    ppo = config.ppo
    starter = Baseline("expected_loss", scenario) if ppo.staggered else None
    env = TrainingVecEnv(
        scenario,
        ppo.environments,
        demand_seeds(config.seed).train,
        reward_scale_usd=ppo.reward_scale_usd,
        without_luck=ppo.without_luck,
        potential_half_life_s=3600.0 * ppo.discount_half_life_h if ppo.shaped else 0.0,
        starter=starter,
    )
    model = MaskablePPO(
        CandidateScoringPolicy,
        env,
        learning_rate=lambda remaining: ppo.learning_rate * max(remaining, 0.05),
        n_steps=ppo.rollout_steps,
        batch_size=min(ppo.batch_size, ppo.environments * ppo.rollout_steps),
        n_epochs=ppo.epochs,
        clip_range=ppo.clip_range,
        ent_coef=ppo.entropy_weight,
        vf_coef=ppo.value_weight,
        max_grad_norm=ppo.max_gradient_norm,
        rollout_buffer_class=ElapsedTimeBuffer,
        rollout_buffer_kwargs={
            "source": env,
            "discount_half_life_s": 3600.0 * ppo.discount_half_life_h,
            "trace_half_life_s": 3600.0 * ppo.trace_half_life_h,
        },
        policy_kwargs={
            "fields": env.rows.fields,
            "layout": action_layout(scenario),
            **config.network.model_dump(),
        },
        tensorboard_log=str(folder / "tensorboard"),
        seed=config.seed % 2**32,
        device=device,
    )
    env.seed(demand_seeds(config.seed).train)  # MaskablePPO has just told it its own seed
    return model


def adjust_prior(network: CandidateScorer, scenario: Scenario, config: TrainingConfig) -> None:
    """Fit the adjustments of the prior on training episodes, and set them in `network`."""
    assert config.adjustment is not None
    with episode_progress() as progress:
        task = progress.add_task("adjusting the prior rule", total=config.adjustment.generations)
        found = fit_adjustment(
            scenario,
            demand_seeds(config.seed).train,
            **config.adjustment.model_dump(),
            threads=config.threads,
            progress=lambda count: progress.advance(task, count),
        )
    network.prior.set_adjustment(found)


@dataclass(frozen=True)
class TrainingResult:
    """A finished run: its folder, the exported policy, and the benchmark if one was asked for."""

    folder: Path
    policy_file: Path
    selection: Selection
    benchmark: BenchmarkResult | None


def train(
    config: TrainingConfig,
    *,
    experiment: str,
    runs_folder: str | Path = "runs",
    device: str = "auto",
    progress_bar: bool = True,
    console: Console | None = None,
) -> TrainingResult:
    """Train, choose, export and test one policy; everything is kept in a new run folder."""
    console = console or Console(stderr=True)
    scenario = load_scenario(config.scenario, config.scenario_overrides)
    chosen_device = choose_device(device)
    torch.set_num_threads(config.threads)
    quiet_distributions()
    folder = create_run_folder(Path(runs_folder), experiment, config.seed)
    (folder / "checkpoints").mkdir()
    write_yaml(folder / "training.yaml", config)
    write_yaml(folder / SCENARIO_FILE, scenario)
    write_json(folder / NETWORK_FILE, config.network.model_dump())
    write_provenance(folder, config.seed)
    console.print(f"Run folder: {folder}", highlight=False, soft_wrap=True)
    console.print(f"Training in {scenario.name} on {chosen_device.type}, seed {config.seed}", highlight=False)

    with episode_progress() as progress:
        progress.add_task("baselines on the validation episodes", total=None)
        write_baselines(folder, scenario, config)
    selection = Selection()
    model = build_model(scenario, config, chosen_device, folder)
    network: CandidateScorer = model.policy.scorer_network  # type: ignore[assignment]
    save_weights(network, folder / START_FILE)
    if config.adjustment is not None:
        adjust_prior(network, scenario, config)
        save_weights(network, folder / ADJUSTED_FILE)
    callback = ValidationCallback(folder, scenario, config, selection)
    try:
        model.learn(config.steps, callback=callback, tb_log_name="learner", progress_bar=progress_bar, log_interval=5)
    except KeyboardInterrupt:
        console.print(f"Stopped; going on with the best of {len(selection.records)} checkpoints", highlight=False)
    else:
        callback.validate()
    return finish_run(folder, scenario, config, selection, console)


def finish_run(
    folder: Path, scenario: Scenario, config: TrainingConfig, selection: Selection, console: Console
) -> TrainingResult:
    """Export the chosen policy and test it against its start and the baselines."""
    metadata = json.loads((folder / SELECTION_FILE).read_text(encoding="utf-8"))
    network, _ = load_network(folder)
    file = folder / "policy.onnx"
    with episode_progress() as progress:
        progress.add_task("exporting, and comparing with torch", total=None)
        parity = export_policy(network, scenario, file, metadata, seed=config.seed)
    console.print(f"Exported: same action as torch in {parity.states} visited states", highlight=False)
    result = None
    if config.benchmark is not None:
        result = run_benchmark(
            scenario,
            test_policies(folder, scenario, config, metadata["mode"]),
            episodes=config.benchmark.episodes,
            seed=config.seed,
            threads=config.threads,
        )
        result.write_json(folder / "benchmark.json")
        result.write_csv(folder / "benchmark.csv")
    return TrainingResult(folder, file, selection, result)


def test_policies(folder: Path, scenario: Scenario, config: TrainingConfig, mode: str) -> list[str | NamedPolicy]:
    """Return who takes part in the final benchmark: the exported policy in its chosen mode, the
    network before its first update, played greedily, and the baselines."""
    assert config.benchmark is not None
    exported = ExportedPolicy(folder / "policy.onnx", scenario)
    start, _ = load_network(folder, START_FILE)
    adjusted = []
    if config.adjustment is not None:
        network, _ = load_network(folder, ADJUSTED_FILE)
        rule = Baseline("expected_loss", scenario, network.prior.read_adjustment())
        adjusted = [NamedPolicy("adjusted_rule", rule, True)]
    names = config.benchmark.policies
    return [
        NamedPolicy("learned", exported, mode == "greedy"),
        NamedPolicy("learned_at_start", LearnedPolicy(start), True),
        *adjusted,
        *(fitting_baselines(scenario) if names is None else names),
    ]


def describe_result(result: TrainingResult) -> dict[str, Any]:
    """Return the outcome of a run as plain data."""
    return {
        "run_folder": str(result.folder),
        "policy": str(result.policy_file),
        "mode": result.selection.mode,
        "best_steps": result.selection.best_steps,
        "validation_cost_usd": result.selection.validation_cost_usd,
        "benchmark": None if result.benchmark is None else result.benchmark.as_json(),
    }
