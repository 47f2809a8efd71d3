"""Controlled learning as a stage of a training: rollouts, classification, and the test whether it holds.

Room: `experiments.training.algorithms`. Plays training and validation episodes, never those of the test; writes a table
and the log of the run. What it keeps to go on are the rollouts; their classification, which is short, begins anew.
"""

import csv
import math
import time
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from agents.episodes import play_episodes
from agents.learning.finite import require_finite
from agents.learning.learned_policy import greedy_policy
from agents.learning.network import CandidateScorer
from agents.learning.rollout_classification import classify
from agents.learning.rollouts import Choices, Rollouts, join
from agents.policy import Policy
from agents.rules.rule_policy import RulePolicy
from agents.run_files import CLASSIFICATION_FILE, COST_TAG, LEARNED_ROW
from envs.interface.units import HOUR_S
from envs.metrics import calendar_days
from envs.scenario.scenario import Scenario
from experiments.progress import episode_progress
from experiments.training.algorithm_settings import ControlledLearning
from experiments.training.run.run_log import LEAD
from experiments.training.run.training_run import ROLLOUTS, TrainingRun

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


def learn_from_rollouts(run: TrainingRun, network: CandidateScorer) -> Classified:
    """Let `network` learn what rollouts of its prior tell, and keep that if validation episodes bear it out; if not, or
    if Ctrl-C ended the rollouts, it is its prior alone again. What it costs before and after is noted."""
    prior_usd = _costs_usd(run, _prior_of(network, run.scenario))
    if run.config.adjustment is None and run.own_state(ROLLOUTS) is None:
        _note(run, float(prior_usd.mean()), 0)
    found = _classify(run, network, prior_usd)
    run.decisions += found.decisions
    _note(run, float(prior_usd.mean()) + (found.difference_usd if found.is_kept else 0.0), run.decisions)
    return found


def _note(run: TrainingRun, cost_usd: float, decisions: int) -> None:
    """Note what the learner costs on the validation episodes after so many decisions, USD/day."""
    run.log.note(LEARNED_ROW, {COST_TAG: cost_usd, LEAD: cost_usd - run.lines.least_usd}, decisions, run.seconds())
    run.lines.go_on(run.log, decisions, run.seconds())


def _classify(run: TrainingRun, network: CandidateScorer, prior_usd: NDArray[np.float64]) -> Classified:
    settings = run.config.controlled_learning
    assert settings is not None
    start_s = time.monotonic()
    try:
        choices = _roll_out(run, network, settings)
    except KeyboardInterrupt:
        return NOTHING
    if not len(choices.center):  # nobody has a choice, or none was met
        return NOTHING
    device = network.center_scale.device
    network.cpu()  # the network is small, and what it learns from lies there
    torch.set_num_threads(1)  # two would add up gradients in any order
    with (run.folder / CLASSIFICATION_FILE).open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(COLUMNS)
        for epoch in classify(
            network,
            choices,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            seed=run.config.seed % 2**32,
        ):
            minutes = round((time.monotonic() - start_s) / 60.0, 2)
            rows.writerow([epoch.number, len(choices.center), minutes, epoch.loss, epoch.saved_usd])
            shown = {"classification/loss": epoch.loss, "classification/saved_usd": epoch.saved_usd}
            run.log.note(LEARNED_ROW, shown, epoch.number, run.seconds())
    torch.set_num_threads(run.config.threads)
    network.to(device)
    if network.is_prior:
        return NOTHING._replace(decisions=len(choices.center))
    found = _validate(run, network, prior_usd, len(choices.center))
    if not found.is_kept:
        network.weaken_residual(0.0)
    return found


def _roll_out(run: TrainingRun, network: CandidateScorer, settings: ControlledLearning) -> Choices:
    """Return what the rollouts of all episodes found; those that were played before the run went on are not played
    again."""
    rollouts = Rollouts(
        run.scenario,
        network.prior.read_settings(),
        horizon_s=HOUR_S * settings.horizon_h,
        share_frac=settings.share_frac,
        exploration_frac=settings.exploration_frac,
    )
    search = run.config.adjustment
    first_episode = 0 if search is None else search.generations * search.episodes  # those that it has not met
    kept = run.own_state(ROLLOUTS)
    parts = [] if kept is None else [Choices(*columns) for columns in kept["parts"]]
    used_s = 0.0 if kept is None else float(kept["seconds"])
    start_s = time.monotonic()

    def keep() -> None:
        columns = [tuple(part) for part in parts]
        run.keep(ROLLOUTS, network, {"parts": columns, "seconds": used_s + time.monotonic() - start_s})

    with episode_progress() as progress:
        task = progress.add_task("rollouts", total=settings.episodes, completed=len(parts))
        if len(parts) < settings.episodes and used_s < 60.0 * settings.minutes:
            for part in rollouts.play(
                run.config.demand.train,
                first_episode + len(parts),
                settings.episodes - len(parts),
                threads=run.config.threads,
                end_s=start_s + 60.0 * settings.minutes - used_s,
            ):
                require_finite("rollout cost_usd", part.cost_usd)
                parts.append(part)
                progress.advance(task)
                if run.is_due():
                    keep()
    keep()
    return join(parts)


def _validate(run: TrainingRun, network: CandidateScorer, prior_usd: NDArray[np.float64], decisions: int) -> Classified:
    """Return what `network`, played greedily, costs on the validation episodes against its prior."""
    difference_usd = _costs_usd(run, greedy_policy(network, run.scenario)) - prior_usd
    error_usd = float(difference_usd.std(ddof=1)) / math.sqrt(len(difference_usd))
    return Classified(decisions, float(difference_usd.mean()), error_usd)


def _prior_of(network: CandidateScorer, scenario: Scenario) -> Policy:
    return RulePolicy("expected_loss", scenario, network.prior.read_settings(), needs=())


def _costs_usd(run: TrainingRun, policy: Policy) -> NDArray[np.float64]:
    """Return what `policy` costs in each validation episode, USD/day."""
    assert run.config.controlled_learning is not None
    episodes = np.arange(run.config.controlled_learning.validation_episodes)
    counts = play_episodes(run.scenario, policy, run.config.demand.validation, episodes, threads=run.config.threads)
    return np.array([count["cost_usd"].sum() for count in counts]) / calendar_days(run.scenario)
