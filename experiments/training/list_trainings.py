"""The list of `blended train --list`: which trainings are shipped, and which algorithms there are.

Room: `experiments.training`. Reads `configs/training`; prints.
"""

from rich.console import Console
from rich.table import Table

from envs.configuration.document import named_files
from experiments.training.training_config import ALGORITHMS, COMMON, TrainingConfig, load_training


def budget_text(config: TrainingConfig) -> str:
    """Return what ends a training, in words."""
    parts = []
    if config.adjustment is not None:
        parts.append(f"search {config.adjustment.minutes:g} min")
    if config.controlled_learning is not None:
        parts.append(f"rollouts {config.controlled_learning.minutes:g} min")
    if config.gradient_steps:
        parts.append(f"{config.gradient_steps:,} decisions")
    return ", ".join(parts)


def show_trainings(console: Console | None = None) -> None:
    """Print the trainings in `configs/training`, by name, and the algorithms that `--algorithm` takes."""
    table = Table(title="trainings in configs/training; any other scenario takes common")
    for column in ("training", "scenario", "algorithm", "budget"):
        table.add_column(column, overflow="fold", no_wrap=column in ("training", "algorithm"))
    for name in named_files("training"):
        if name != COMMON:
            config = load_training(name)
            table.add_row(name, config.scenario, config.algorithm, budget_text(config))
    console = console or Console()
    console.print(table)
    console.print(f"Algorithms: {', '.join(ALGORITHMS)} (--algorithm)", highlight=False)
