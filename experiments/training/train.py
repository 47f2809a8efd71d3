"""The command `blended train`: train a policy, choose it on validation episodes, export it, and test it.

Room: `experiments.training`. Needs the extra `train`. Writes a run folder (`experiments.run_folder`):

    training.yaml scenario.yaml network.json provenance.json   what was run
    state/                                                      all that it needs to go on, three times
    checkpoints/start.pt, step_….pt, best.pt                    weights, whole or not at all
    search.csv adjusted.yaml checkpoints/adjusted.pt            of policy search, if there was one
    classification.csv checkpoints/classified.pt                of controlled learning
    validation.csv selection.json                               what was chosen, and why
    tensorboard/ metrics.csv                                    learner and rules, the same tags
    policy.onnx benchmark.json benchmark.csv                    the result

A run that died goes on from its last state (`experiments.training.run.training_run`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from stable_baselines3.common.callbacks import BaseCallback

from agents.catalog import NamedPolicy, fitting_baselines, load_policy
from agents.exported_policy import MODES, ExportedPolicy
from agents.learning.finite import NotFiniteError
from agents.learning.learned_policy import (
    greedy_policy,
    load_network,
    make_network,
    save_weights,
)
from agents.learning.network import CandidateScorer
from agents.rules.rule_policy import RulePolicy
from agents.run_files import (
    ADJUSTED_FILE,
    ADJUSTED_RULE_ROW,
    BENCHMARK_CSV_FILE,
    BENCHMARK_JSON_FILE,
    CHECKPOINTS_FOLDER,
    CLASSIFIED_FILE,
    FINISHED_FILE,
    LEARNED_AT_START_ROW,
    LEARNED_ROW,
    NETWORK_FILE,
    POLICY_FILE,
    PROVENANCE_FILE,
    SCENARIO_FILE,
    SELECTION_FILE,
    START_FILE,
    STATE_FOLDER,
    TRAINING_FILE,
)
from agents.user_code import load_class, telling
from agents.whole_file import write_whole
from envs.configuration.document import load_yaml, validate
from envs.errors import ConfigurationError
from envs.headline import Headline, Headlined
from envs.scenario.scenario import Scenario, load_scenario
from experiments.comparison.benchmark_result import BenchmarkResult
from experiments.comparison.comparison import run_benchmark
from experiments.comparison.tuned_rules import BEST_TUNED, CHOSEN_ROWS, load_rules, tuned_file
from experiments.console import message_console, say_doubts
from experiments.progress import episode_progress
from experiments.provenance import Data, collect_data
from experiments.run_folder import (
    check_data,
    create_run_folder,
    write_json,
    write_provenance,
    write_yaml,
)
from experiments.texts import amount_text
from experiments.training.algorithm_settings import Dqn
from experiments.training.algorithms.controlled_learning import learn_from_rollouts
from experiments.training.algorithms.gradients import GradientModel, learn_by_gradients
from experiments.training.algorithms.maskable_ppo import build_ppo
from experiments.training.algorithms.policy_search import choose_start, search_policy
from experiments.training.algorithms.value_learning import build_dqn
from experiments.training.checkpoint_choice import CheckpointChoice, Selection
from experiments.training.onnx_export import export_policy
from experiments.training.run.reference_lines import reference_lines
from experiments.training.run.training_run import EXPORT, GRADIENTS, ROLLOUTS, SEARCH, TrainingRun
from experiments.training.training_config import TrainingConfig
from experiments.transfer.moves import Move, moved


def choose_device(wanted: str) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda`; raises `ConfigurationError` where there is none."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise ConfigurationError(f"--device {wanted}: must be auto, cpu or cuda")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("--device cuda: torch sees no usable GPU here (blended doctor says why)")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


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
    name: str | None = None,
    device: str = "auto",
    callbacks: Sequence[BaseCallback] = (),
    progress_bar: bool = True,
    console: Console | None = None,
) -> TrainingResult:
    """Train, choose, export and test one policy; everything is kept in a new run folder, `name` or one that says when.

    `callbacks` are Stable-Baselines3's, for the algorithms that learn by gradients, after those that the configuration
    names.
    """
    console = console or message_console()
    scenario = load_scenario(config.scenario, config.scenario_overrides)
    if config.adjustment is not None and config.adjustment.centers is not None:
        for size_factor in config.adjustment.centers.size_factor:
            moved(scenario, Move(size_factor=size_factor))  # or it is refused now
    chosen_device = choose_device(device)
    data = _data(scenario, config)
    _shipped_rows(scenario, config)  # before the work, not after it
    callbacks = [*load_callbacks(config), *callbacks]
    folder = create_run_folder(Path(runs_folder), experiment, config.seed, name)
    (folder / CHECKPOINTS_FOLDER).mkdir()
    write_yaml(folder / TRAINING_FILE, config)
    write_yaml(folder / SCENARIO_FILE, scenario)
    write_json(folder / NETWORK_FILE, config.network.model_dump())
    write_provenance(folder, config.seed, data)
    say_doubts([scenario], console)
    console.print(f"Run folder: {folder}", highlight=False, soft_wrap=True)
    return _go(TrainingRun(folder, scenario, config, chosen_device, console), callbacks, bar=progress_bar)


def resume(
    folder: Path,
    *,
    device: str = "auto",
    callbacks: Sequence[BaseCallback] = (),
    progress_bar: bool = True,
    console: Console | None = None,
) -> TrainingResult:
    """Go on with a training that died, from its last state that is whole, or from the beginning if it had kept none.

    `callbacks` that were given to `train` must be given again; all callbacks begin anew.

    Raises `ConfigurationError` if there is none, it is finished, another process trains there, or what it depends on,
    such as its scenario, recorded days, tuned rules and callbacks, is no longer the same.
    """
    if is_finished(folder):
        raise ConfigurationError(f"--resume {folder}: this training is finished")
    config = read_run_training(folder)
    if not (folder / STATE_FOLDER).is_dir() and (folder / SELECTION_FILE).is_file():
        raise ConfigurationError(f"--resume {folder}: is of an older version, which kept nothing to go on from")
    scenario = load_scenario(folder / SCENARIO_FILE)
    check_data(f"--resume {folder}", folder, _data(scenario, config))
    return _go(
        TrainingRun(folder, scenario, config, choose_device(device), console or message_console()),
        [*load_callbacks(config), *callbacks],
        bar=progress_bar,
    )


def _data(scenario: Scenario, config: TrainingConfig) -> Data:
    """Return the digests of all that a training depends on beside its configuration."""
    stated = () if config.benchmark is None else config.benchmark.policies or ()
    files = {f"{row} of {scenario.name}": tuned_file(scenario.name, row) for row in CHOSEN_ROWS}
    files |= {text: Path(text.rpartition(":")[0]) for text in config.callbacks if ".py:" in text}
    policies = [load_policy(text, scenario) for text in stated]
    return collect_data([scenario], policies, {name: file for name, file in files.items() if file.is_file()})


def load_callbacks(config: TrainingConfig) -> list[BaseCallback]:
    """Return the callbacks that a training names, each made without arguments."""
    made = []
    for text in config.callbacks:
        kind = load_class(text, "callback", "on_step()")
        with telling(f"callback = {text!r}: cannot be made:", kind):
            made.append(kind())
        if not isinstance(made[-1], BaseCallback):
            raise ConfigurationError(f"callback = {text!r}: must be a BaseCallback of Stable-Baselines3")
    return made


def read_run_training(folder: Path) -> TrainingConfig:
    """Return the training of a run folder; raises `ConfigurationError` if it is none."""
    for name in (TRAINING_FILE, SCENARIO_FILE, PROVENANCE_FILE):
        if not (folder / name).is_file():
            raise ConfigurationError(f"{folder}: no {name} there, so it is no training run, or it died at once")
    return validate(load_yaml(folder / TRAINING_FILE), TrainingConfig, "training")


def is_finished(folder: Path) -> bool:
    """Return whether the training in `folder` came to its end, its policy exported and tested."""
    return (folder / FINISHED_FILE).is_file()


def _go(run: TrainingRun, callbacks: Sequence[BaseCallback], *, bar: bool) -> TrainingResult:
    """Learn, or go on learning, and finish; what the operating system refuses on the way is one message."""
    config, folder = run.config, run.folder
    torch.set_num_threads(config.threads)
    how = f"Going on with {config.algorithm}" if run.goes_on else f"Training by {config.algorithm}"
    run.say(f"{how} in {run.scenario.name} on {run.device.type}, seed {config.seed}")
    try:
        with run.log:
            _learn(run, callbacks, bar=bar and run.console.is_terminal)
        run.require_chosen()
        return finish_run(folder, run.scenario, config, run.selection, run.console)
    except NotFiniteError as error:
        raise NotFiniteError(
            f"{folder}: {error}; the training has ended, and its checkpoints have the last good weights"
        ) from error
    except OSError as error:
        what = folder if error.filename is None else error.filename
        raise ConfigurationError(
            f"{what}: cannot be written ({error.strerror or error}); what was kept is whole: "
            f"blended train --resume {folder}"
        ) from error
    finally:
        run.close()


def _learn(run: TrainingRun, callbacks: Sequence[BaseCallback], *, bar: bool) -> None:
    """Go through the stages that are left of a run; at its end the choice is made."""
    scenario, config, folder = run.scenario, run.config, run.folder
    model = build_model(scenario, config, run.device) if config.gradient_steps else None
    network = _network_of(model, scenario, config)
    if not run.goes_on:
        with episode_progress() as progress:
            progress.add_task("rules on the validation episodes", total=None)
            run.lines = reference_lines(scenario, config)
            if config.adjustment is None and config.prior == BEST_TUNED and network.prior_weight > 0.0:
                start = choose_start(scenario, config)
                network.prior.set_settings(start.rule.settings(scenario))
                run.say(f"The prior is {start.name}")
        run.log.describe(config)
        run.lines.begin(run.log)
        save_weights(network, folder / START_FILE)
        run.keep(SEARCH, network)
    run.load_network(network)
    if config.adjustment is not None and not run.is_past(SEARCH):
        found = search_policy(run, network)
        network.prior.set_settings(found.rule.settings(scenario))
        save_weights(network, folder / ADJUSTED_FILE)
        run.say(f"Policy search from {found.start}: {amount_text(found.validation_usd)} USD/day on validation episodes")
        run.keep(ROLLOUTS, network)
    if config.controlled_learning is not None and not run.is_past(ROLLOUTS):
        _learn_from_rollouts(run, network)
    if run.is_past(GRADIENTS):
        return
    if model is None:
        CheckpointChoice(folder, scenario, config, run.selection).judge(network, 0, run.seconds())
    else:
        if config.gradient_settings is not None and config.gradient_settings.staggered:
            # The backlogs that training meets first are those of the rule from which it begins.
            starter = RulePolicy("expected_loss", scenario, network.prior.read_settings(), needs=())
            model.env.starter = starter
        learn_by_gradients(run, model, network, callbacks, bar=bar)
    run.keep(EXPORT, network)


def _learn_from_rollouts(run: TrainingRun, network: CandidateScorer) -> None:
    learned = learn_from_rollouts(run, network)
    save_weights(network, run.folder / CLASSIFIED_FILE)
    run.say(
        f"Controlled learning from {learned.decisions:,} decisions: {amount_text(learned.difference_usd)} ± "
        f"{amount_text(learned.error_usd)} USD/day against the prior alone on validation episodes, "
        f"{'kept' if learned.is_kept else 'so the prior stays as it was'}"
    )
    run.keep(GRADIENTS, network)


def build_model(scenario: Scenario, config: TrainingConfig, device: torch.device) -> GradientModel:
    """Return the model of an algorithm that learns by gradients, as the training configuration states it."""
    build = build_dqn if isinstance(config.gradient_settings, Dqn) else build_ppo
    return build(scenario, config, device)


def _network_of(model: GradientModel | None, scenario: Scenario, config: TrainingConfig) -> CandidateScorer:
    """Return the network that `model` trains, or one that nobody trains further."""
    if model is not None:
        network: CandidateScorer = model.policy.scorer_network  # type: ignore[assignment]
        return network
    torch.manual_seed(config.seed % 2**32)
    return make_network(scenario, **config.network.model_dump())


def finish_run(
    folder: Path,
    scenario: Scenario,
    config: TrainingConfig,
    selection: Selection,
    console: Console,
) -> TrainingResult:
    """Export the chosen policy and test it against its start, the tuned rules and the baselines; then the run is
    finished."""
    rows = _shipped_rows(scenario, config)
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
            seed=config.judged_seed,
            threads=config.threads,
            validation_episodes=config.benchmark.tuned_episodes,
        )
        result.write_json(folder / BENCHMARK_JSON_FILE)
        result.write_csv(folder / BENCHMARK_CSV_FILE)
    write_whole(folder / FINISHED_FILE, b"")
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
    if config.gradient_steps:
        start, _ = load_network(folder, START_FILE)
        stages.append(NamedPolicy(LEARNED_AT_START_ROW, greedy_policy(start, scenario), True))
    if config.has_later_stage and config.adjustment is not None:
        network, _ = load_network(folder, ADJUSTED_FILE)
        rule = RulePolicy("expected_loss", scenario, network.prior.read_settings(), needs=())
        stages.append(NamedPolicy(ADJUSTED_RULE_ROW, rule, True))
    names = config.benchmark.policies
    return [
        NamedPolicy(LEARNED_ROW, exported, mode == "greedy"),
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
    command += ["--mode", result.selection.mode, "--seed", str(config.judged_seed)]
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
