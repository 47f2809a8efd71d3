"""Controlled learning as a stage of a training: rollouts, classification, and the test whether it holds.

Room: `experiments.training`. Plays training and validation episodes, never those of the test; writes a table
and TensorBoard's events into the run folder.
"""

import csv
import math
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from agents.episodes import play_episodes
from agents.learning.learned_policy import greedy_policy
from agents.learning.network import CandidateScorer
from agents.learning.rollout_classification import classify
from agents.learning.rollouts import Choices, Rollouts, join
from agents.policy import Policy
from agents.rules.rule_policy import RulePolicy
from agents.run_files import CLASSIFICATION_FILE, TENSORBOARD_FOLDER
from envs.interface.units import HOUR_S
from envs.metrics import calendar_days
from envs.scenario.scenario import Scenario
from experiments.progress import episode_progress
from experiments.seeds import demand_seeds
from experiments.training.training_config import ControlledLearning, TrainingConfig

COLUMNS = ("epoch", "decisions", "minutes", "loss", "saved_usd")


class Classified(NamedTuple):
    """What a stage brought.

    Attributes:
        decisions: from which rollouts started.
        difference_usd: what the network costs more than its prior alone on the validation episodes, USD/day, paired;
            0 if it learned nothing.
        error_usd: standard error of the difference.
    """

    decisions: int
    difference_usd: float
    error_usd: float

    @property
    def is_kept(self) -> bool:
        """True if the network costs less by more than a standard error."""
        return self.difference_usd + self.error_usd < 0.0


NOTHING = Classified(0, 0.0, 0.0)
"""What a stage brought that learned nothing."""


def learn_from_rollouts(
    network: CandidateScorer, scenario: Scenario, config: TrainingConfig, folder: Path
) -> Classified:
    """Let `network` learn what rollouts of its prior tell, and keep that if validation episodes bear it out; if not, or
    if Ctrl-C ended the rollouts, it is its prior alone again."""
    settings = config.controlled_learning
    assert settings is not None
    start_s = time.monotonic()
    try:
        choices = _roll_out(network, scenario, config, settings)
    except KeyboardInterrupt:
        return NOTHING
    if not len(choices.center):  # nobody has a choice, or none was met
        return NOTHING
    device = network.center_scale.device
    network.cpu()  # the network is small, and what it learns from lies there
    torch.set_num_threads(1)  # two would add up gradients in any order
    with (
        (folder / CLASSIFICATION_FILE).open("w", newline="", encoding="utf-8") as stream,
        SummaryWriter(str(folder / TENSORBOARD_FOLDER / "controlled_learning")) as events,
    ):
        rows = csv.writer(stream)
        rows.writerow(COLUMNS)
        for epoch in classify(
            network,
            choices,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            seed=config.seed % 2**32,
        ):
            minutes = round((time.monotonic() - start_s) / 60.0, 2)
            rows.writerow([epoch.number, len(choices.center), minutes, epoch.loss, epoch.saved_usd])
            events.add_scalar("classification/loss", epoch.loss, epoch.number)
            events.add_scalar("classification/saved_usd", epoch.saved_usd, epoch.number)
    torch.set_num_threads(config.threads)
    network.to(device)
    if network.is_prior:
        return NOTHING._replace(decisions=len(choices.center))
    found = _validate(network, scenario, config, settings, len(choices.center))
    if not found.is_kept:
        network.weaken_residual(0.0)
    return found


def _roll_out(
    network: CandidateScorer, scenario: Scenario, config: TrainingConfig, settings: ControlledLearning
) -> Choices:
    rollouts = Rollouts(
        scenario,
        network.prior.read_settings(),
        horizon_s=HOUR_S * settings.horizon_h,
        share_frac=settings.share_frac,
        exploration_frac=settings.exploration_frac,
    )
    search = config.adjustment
    first_episode = 0 if search is None else search.generations * search.episodes  # those that it has not met
    parts: list[Choices] = []
    with episode_progress() as progress:
        task = progress.add_task("rollouts", total=settings.episodes)
        for part in rollouts.play(
            demand_seeds(config.seed).train,
            first_episode,
            settings.episodes,
            threads=config.threads,
            end_s=time.monotonic() + 60.0 * settings.minutes,
        ):
            parts.append(part)
            progress.advance(task)
    return join(parts)


def _validate(
    network: CandidateScorer, scenario: Scenario, config: TrainingConfig, settings: ControlledLearning, decisions: int
) -> Classified:
    """Return what `network`, played greedily, costs on the validation episodes against its prior."""
    episodes = np.arange(settings.validation_episodes)
    seed, days = demand_seeds(config.seed).validation, calendar_days(scenario)

    def costs_usd(policy: Policy) -> NDArray[np.float64]:
        counts = play_episodes(scenario, policy, seed, episodes, threads=config.threads)
        return np.array([count["cost_usd"].sum() for count in counts]) / days

    prior_usd = costs_usd(RulePolicy("expected_loss", scenario, network.prior.read_settings(), needs=()))
    difference_usd = costs_usd(greedy_policy(network, scenario)) - prior_usd
    error_usd = float(difference_usd.std(ddof=1)) / math.sqrt(len(episodes))
    return Classified(decisions, float(difference_usd.mean()), error_usd)
