"""The last lines of a training: what came of it, and what to look at next.

Room: `experiments.training`. Text only.
"""

import shlex
import sys

from agents.run_files import LEARNED_ROW, POLICY_FILE, SCENARIO_FILE, TENSORBOARD_FOLDER
from experiments.comparison.scenario_result import ScenarioResult
from experiments.texts import amount_text, list_text, usd_text
from experiments.training.train import TrainingResult, evaluate_command
from experiments.training.training_config import TrainingConfig

COMPARED = ("expected_loss", "fifo")
"""Whom the suggested benchmark compares with the policy; both make sense in every scenario."""


def next_steps(result: TrainingResult, config: TrainingConfig) -> list[str]:
    """Return at most 15 lines: the result in a sentence or two, the run folder, and commands that can be pasted."""
    scenario = str(result.folder / SCENARIO_FILE)
    compare = [
        "blended",
        "benchmark",
        scenario,
        "--policies",
        list_text([f"{LEARNED_ROW}={result.policy_file}", *COMPARED]),
    ]
    compare += ["--seed", str(config.judged_seed)]
    if config.benchmark is not None:
        compare += ["--episodes", str(config.benchmark.episodes)]
    elsewhere = ["blended", "export", str(result.folder), "--out", POLICY_FILE]
    tensorboard = [sys.executable, "-m", "tensorboard.main", "--logdir", str(result.folder / TENSORBOARD_FOLDER)]
    return [
        "",
        *_result_lines(result),
        f"Run folder: {result.folder} (docs/training.md says what it holds)",
        f"Policy ({result.selection.mode}): {result.policy_file}",
        "",
        "What to look at next:",
        f"TensorBoard: {shlex.join(tensorboard)}",
        f"Evaluate it: {shlex.join(evaluate_command(result, config))}",
        f"Compare it: {shlex.join(compare)}",
        f"Export it: {shlex.join(elsewhere)}",
    ]


def _result_lines(result: TrainingResult) -> list[str]:
    chosen = result.selection
    if result.benchmark is None:
        cost = amount_text(chosen.best_cost_usd)
        return [f"The checkpoint after {chosen.best_steps:,} decisions costs {cost} USD/day on validation episodes."]
    (found,) = result.benchmark.scenarios.values()
    learned = found.outcomes[LEARNED_ROW]
    cost = usd_text(learned.intervals["total_cost_usd"])
    return [f"The learned policy costs {cost} USD/day in {len(learned.counts)} test episodes.", _rank_line(found)]


def _rank_line(found: ScenarioResult) -> str:
    """Return how the learned policy compares with the best of the others."""
    others = [name for name in found.outcomes if name != LEARNED_ROW]
    if not others:
        return "Nobody else took part."
    best = min(others, key=lambda name: found.outcomes[name].metrics["total_cost_usd"])
    difference = found.comparison(best).difference
    is_clear = difference.low > 0.0 or difference.high < 0.0
    word = ("cheaper" if difference.mean < 0.0 else "dearer") if is_clear else "no different for sure"
    return f"The best of the others is {best}; learned minus it, paired: {usd_text(difference)} USD/day, so {word}."
