"""The command `blended train`: train a policy, choose it on validation episodes, export it, and test it.

Room: `experiments.training`. Needs the extra `train`. Writes a run folder (`experiments.run_folder`):

    training.yaml scenario.yaml network.json provenance.json   what was run
    checkpoints/start.pt, step_….pt, best.pt                    weights, whole or not at all
    search.csv adjusted.yaml checkpoints/adjusted.pt            of policy search, if there was one
    classification.csv checkpoints/classified.pt                of controlled learning
    validation.csv selection.json                               what was chosen, and why
    tensorboard/                                                learner and baselines, the same tags
    policy.onnx benchmark.json benchmark.csv                    the result
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from sb3_contrib import MaskablePPO

from agents.action_layout import action_layout
from agents.catalog import NamedPolicy, fitting_baselines, load_policy
from agents.exported_policy import MODES, ExportedPolicy
from agents.learning.elapsed_time_buffer import ElapsedTimeBuffer
from agents.learning.learned_policy import (
    greedy_policy,
    load_network,
    make_network,
    save_weights,
)
from agents.learning.maskable_policy import CandidateScoringPolicy
from agents.learning.network import CandidateScorer
from agents.learning.training_env import TrainingVecEnv
from agents.rules.rule_policy import RulePolicy
from agents.run_files import (
    ADJUSTED_FILE,
    BENCHMARK_CSV_FILE,
    BENCHMARK_JSON_FILE,
    CHECKPOINTS_FOLDER,
    CLASSIFIED_FILE,
    NETWORK_FILE,
    POLICY_FILE,
    SCENARIO_FILE,
    SELECTION_FILE,
    START_FILE,
    TENSORBOARD_FOLDER,
    TRAINING_FILE,
)
from envs.errors import ConfigurationError
from envs.headline import Headline, Headlined
from envs.interface.units import HOUR_S
from envs.scenario.scenario import Scenario, load_scenario
from experiments.comparison.benchmark_result import BenchmarkResult
from experiments.comparison.comparison import run_benchmark
from experiments.comparison.tuned_rules import CHOSEN_ROWS, load_rules, tuned_file
from experiments.console import message_console, say_doubts
from experiments.progress import episode_progress
from experiments.provenance import collect_data
from experiments.run_folder import (
    create_run_folder,
    write_json,
    write_provenance,
    write_yaml,
)
from experiments.seeds import demand_seeds
from experiments.texts import amount_text
from experiments.training.checkpoint_choice import (
    CheckpointChoice,
    Selection,
    ValidationCallback,
    write_baselines,
)
from experiments.training.controlled_learning import learn_from_rollouts
from experiments.training.onnx_export import export_policy
from experiments.training.policy_search import search_policy
from experiments.training.training_config import TrainingConfig
from experiments.transfer.moves import Move, moved

LEARNED = "learned"
"""The row of the trained policy."""


def choose_device(wanted: str) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda`; raises `ConfigurationError` where there is none."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise ConfigurationError(f"--device {wanted}: must be auto, cpu or cuda")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("--device cuda: torch sees no usable GPU here (blended doctor says why)")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def build_model(scenario: Scenario, config: TrainingConfig, device: torch.device, folder: Path) -> MaskablePPO:
    """Return MaskablePPO as the training configuration states it, every row starting at the start."""
    ppo = config.ppo
    env = TrainingVecEnv(
        scenario,
        ppo.environments,
        demand_seeds(config.seed).train,
        reward_scale_usd=ppo.reward_scale_usd,
        without_luck=ppo.without_luck,
        potential_half_life_s=HOUR_S * ppo.discount_half_life_h if ppo.shaped else 0.0,
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
            "discount_half_life_s": HOUR_S * ppo.discount_half_life_h,
            "trace_half_life_s": HOUR_S * ppo.trace_half_life_h,
        },
        policy_kwargs={
            "scorer": {
                "fields": env.rows.fields,
                "layout": action_layout(scenario),
                **config.network.model_dump(),
            }
        },
        tensorboard_log=str(folder / TENSORBOARD_FOLDER),
        seed=config.seed % 2**32,
        device=device,
    )
    env.seed(demand_seeds(config.seed).train)  # MaskablePPO has just told it its own seed
    return model


def _network_of(model: MaskablePPO | None, scenario: Scenario, config: TrainingConfig) -> CandidateScorer:
    """Return the network that `model` trains, or one that nobody trains further."""
    if model is not None:
        network: CandidateScorer = model.policy.scorer_network  # type: ignore[assignment]
        return network
    torch.manual_seed(config.seed % 2**32)
    return make_network(scenario, **config.network.model_dump())


@dataclass(frozen=True, repr=False)
class TrainingResult(Headlined):
    """A finished run: its folder, the exported policy, and the benchmark if one was asked for."""

    folder: Path
    policy_file: Path
    selection: Selection
    benchmark: BenchmarkResult | None

    def headline(self) -> Headline:
        """Return what was chosen, and the benchmark's table, or the validations' where there is none."""
        chosen = self.selection
        said = f"{self.policy_file}: {chosen.mode} policy after {chosen.best_steps:,} decisions, "
        said += f"{amount_text(chosen.best_cost_usd)} USD/day on validation episodes"
        if self.benchmark is not None:
            sentence, columns, rows = self.benchmark.headline()
            return Headline(f"{said}; {sentence}", columns, rows)
        steps = [[f"{found['steps']:,}", *(amount_text(found[mode]) for mode in MODES)] for found in chosen.validations]
        return Headline(said, ("decisions", *(f"{mode}, USD/day" for mode in MODES)), steps[::-1])


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
    console = console or message_console()
    scenario = load_scenario(config.scenario, config.scenario_overrides)
    if config.adjustment is not None and config.adjustment.centers is not None:
        for size_factor in config.adjustment.centers.size_factor:
            moved(scenario, Move(size_factor=size_factor))  # or it is refused now
    chosen_device = choose_device(device)
    torch.set_num_threads(config.threads)
    stated = () if config.benchmark is None else config.benchmark.policies or ()
    data = collect_data([scenario], [load_policy(text, scenario) for text in stated])
    rows = _shipped_rows(scenario, config)  # before the work, not after it
    folder = create_run_folder(Path(runs_folder), experiment, config.seed)
    (folder / CHECKPOINTS_FOLDER).mkdir()
    write_yaml(folder / TRAINING_FILE, config)
    write_yaml(folder / SCENARIO_FILE, scenario)
    write_json(folder / NETWORK_FILE, config.network.model_dump())
    write_provenance(folder, config.seed, data)
    say_doubts([scenario], console)
    console.print(f"Run folder: {folder}", highlight=False, soft_wrap=True)
    console.print(f"Training in {scenario.name} on {chosen_device.type}, seed {config.seed}", highlight=False)

    with episode_progress() as progress:
        progress.add_task("baselines on the validation episodes", total=None)
        write_baselines(folder, scenario, config)
    selection = Selection()
    model = build_model(scenario, config, chosen_device, folder) if config.steps else None
    network = _network_of(model, scenario, config)
    save_weights(network, folder / START_FILE)
    _learn_from_episodes(network, scenario, config, folder, console)
    if model is not None and config.ppo.staggered:
        # The backlogs that training meets first are those of the rule from which it begins.
        starter = RulePolicy("expected_loss", scenario, network.prior.read_settings(), needs=())
        model.get_env().set_attr("starter", starter)  # type: ignore[union-attr]  # it was made with one
    choice = CheckpointChoice(folder, scenario, config, selection)
    if model is None:
        choice.judge(network, 0)
        return finish_run(folder, scenario, config, selection, console, rows)
    callback = ValidationCallback(choice)
    try:
        model.learn(config.steps, callback=callback, tb_log_name="learner", progress_bar=progress_bar, log_interval=5)
    except KeyboardInterrupt:
        console.print(f"Stopped; going on with the best of {len(selection.validations)} checkpoints", highlight=False)
    else:
        callback.validate()
    return finish_run(folder, scenario, config, selection, console, rows)


def _learn_from_episodes(
    network: CandidateScorer, scenario: Scenario, config: TrainingConfig, folder: Path, console: Console
) -> None:
    """Let `network` learn what needs no gradient of returns, if the configuration asks for it: the adjustments of
    its prior, then what rollouts of that prior tell."""
    if config.adjustment is not None:
        found = search_policy(scenario, config, folder)
        network.prior.set_settings(found.rule.settings(scenario))
        save_weights(network, folder / ADJUSTED_FILE)
        console.print(
            f"Policy search from {found.start}: {amount_text(found.validation_usd)} USD/day on validation episodes",
            highlight=False,
        )
    if config.controlled_learning is not None:
        learned = learn_from_rollouts(network, scenario, config, folder)
        save_weights(network, folder / CLASSIFIED_FILE)
        console.print(
            f"Controlled learning from {learned.decisions:,} decisions: {amount_text(learned.difference_usd)} ± "
            f"{amount_text(learned.error_usd)} USD/day against the prior alone on validation episodes, "
            f"{'kept' if learned.is_kept else 'so the prior stays as it was'}",
            highlight=False,
            soft_wrap=True,
        )


def finish_run(
    folder: Path,
    scenario: Scenario,
    config: TrainingConfig,
    selection: Selection,
    console: Console,
    rows: list[str],
) -> TrainingResult:
    """Export the chosen policy and test it against its start, the `rows` of tuned rules and the baselines."""
    metadata = json.loads((folder / SELECTION_FILE).read_text(encoding="utf-8"))
    network, _ = load_network(folder)
    file = folder / POLICY_FILE
    with episode_progress() as progress:
        progress.add_task("exporting, and comparing with torch", total=None)
        parity = export_policy(network, scenario, file, metadata, seed=config.seed)
    console.print(f"Exported: same action as torch in {parity.states} visited states", highlight=False)
    result = None
    if config.benchmark is not None:
        result = run_benchmark(
            scenario,
            test_policies(folder, scenario, config, metadata["mode"], rows),
            episodes=config.benchmark.episodes,
            seed=config.seed,
            threads=config.threads,
            validation_episodes=config.benchmark.tuned_episodes,
        )
        result.write_json(folder / BENCHMARK_JSON_FILE)
        result.write_csv(folder / BENCHMARK_CSV_FILE)
    return TrainingResult(folder, file, selection, result)


def test_policies(
    folder: Path, scenario: Scenario, config: TrainingConfig, mode: str, rows: list[str]
) -> list[str | NamedPolicy]:
    """Return who takes part in the final benchmark: the exported policy in its chosen mode, the `rows` of tuned rules,
    the baselines, and, if more came after policy search, what that had found, played greedily; with gradients also the
    network before its first update. With policy search alone the start is the rule `expected_loss`."""
    assert config.benchmark is not None
    exported = ExportedPolicy(folder / POLICY_FILE, scenario)
    stages = []
    if config.steps:
        start, _ = load_network(folder, START_FILE)
        stages.append(NamedPolicy("learned_at_start", greedy_policy(start, scenario), True))
    if (config.steps or config.controlled_learning is not None) and config.adjustment is not None:
        network, _ = load_network(folder, ADJUSTED_FILE)
        rule = RulePolicy("expected_loss", scenario, network.prior.read_settings(), needs=())
        stages.append(NamedPolicy("adjusted_rule", rule, True))
    names = config.benchmark.policies
    return [
        NamedPolicy(LEARNED, exported, mode == "greedy"),
        *stages,
        *rows,
        *(fitting_baselines(scenario) if names is None else names),
    ]


def _shipped_rows(scenario: Scenario, config: TrainingConfig) -> list[str]:
    """Return the rows of tuned rules that are to take part in the test, of those whose rules are shipped; raises
    `ConfigurationError` if these are damaged, or make no sense in the scenario."""
    if config.benchmark is None or not config.benchmark.best_tuned:
        return []
    rows = [row for row in CHOSEN_ROWS if tuned_file(scenario.name, row).is_file()]
    for row in rows:
        load_rules(scenario, row)
    return rows


def evaluate_command(result: TrainingResult, config: TrainingConfig) -> list[str]:
    """Return the command that plays the test of a run again with its policy alone: the run's own scenario, after
    `extends` and overrides, the mode that was chosen, and the same episodes."""
    command = ["blended", "evaluate", str(result.policy_file), "--scenario", str(result.folder / SCENARIO_FILE)]
    command += ["--mode", result.selection.mode, "--seed", str(config.seed)]
    return command if config.benchmark is None else [*command, "--episodes", str(config.benchmark.episodes)]


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
