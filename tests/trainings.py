"""Trainings under way, for tests of their stages."""

from pathlib import Path

import torch

from agents.run_files import COST_TAG
from envs.scenario.scenario import Scenario
from experiments.console import message_console
from experiments.training.run.reference_lines import ReferenceLines
from experiments.training.run.training_run import TrainingRun
from experiments.training.training_config import TrainingConfig


def begun(folder: Path, scenario: Scenario, config: TrainingConfig) -> TrainingRun:
    """Return a training in `folder` before its first stage, beside one rule that costs 1 USD a day."""
    run = TrainingRun(folder, scenario, config, torch.device("cpu"), message_console())
    run.lines = ReferenceLines({"fifo": {COST_TAG: 1.0}})
    return run
