"""The course of the algorithms that learn by gradients of returns: validations, the log, and the states to go on from.

Room: `experiments.training.algorithms`. Touches the model that learns, through
Stable-Baselines3's callbacks, and the run.
"""

from collections.abc import Sequence

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.logger import Logger

from agents.learning.finite import require_finite
from agents.learning.maskable_ppo.resumable_ppo import ResumablePPO
from agents.learning.network import CandidateScorer
from agents.learning.value_learning.masked_off_policy import MaskedOffPolicy
from agents.run_files import LEARNED_ROW
from experiments.training.checkpoint_choice import CheckpointChoice
from experiments.training.run.run_log import LearnerOutput
from experiments.training.run.training_run import GRADIENTS, TrainingRun

NOTES = 200
"""Updates that are noted in the log, at most: a learner may have one after a handful of decisions."""


GradientModel = ResumablePPO | MaskedOffPolicy
"""What learns by gradients on a `TrainingVecEnv`, and whose training can be kept and taken up again."""


class GradientCourse(BaseCallback):
    """Validates, logs and keeps states, at the start, between two rollouts when it is time, and at the end.

    What is not finite ends the training before it is kept: with the last good weights.
    """

    def __init__(self, run: TrainingRun, network: CandidateScorer) -> None:
        super().__init__()
        self._run, self._network = run, network
        self._choice = CheckpointChoice(run.folder, run.scenario, run.config, run.selection)
        kept = run.own_state(GRADIENTS)
        self._next = run.config.validation.every_steps if kept is None else int(kept["next"])
        self._done = -1 if kept is None else int(kept["done"])
        """Decisions after which everything between two rollouts was done last."""
        self._validated = -1 if kept is None else int(kept["validated"])
        self._noted = 0 if kept is None else int(kept["noted"])

    def _on_training_start(self) -> None:
        if self._done < 0:
            self.validate()

    def _on_step(self) -> bool:
        require_finite("reward of environment ", self.locals["rewards"])
        for name in ("center", "candidates"):
            require_finite(f"observation {name} ", self.locals["new_obs"][name])
        return True

    def _on_rollout_start(self) -> None:
        config, steps = self._run.config, self.num_timesteps
        if config.ppo is not None and config.ppo.critic_warm_up_steps:
            self.model.policy.train_actor(steps >= config.ppo.critic_warm_up_steps)  # type: ignore[operator]
        torch.set_num_threads(1)  # batches of one decision per row are too small to share
        if steps == self._done:  # it has just gone on from here
            return
        self._require_finite()
        if steps - self._noted >= config.gradient_steps // NOTES:
            self._note_updates()
        if steps >= self._next:
            self._next += config.validation.every_steps
            self.validate()
        self._done = steps
        if self._run.is_due():
            self.keep()

    def _on_rollout_end(self) -> None:
        torch.set_num_threads(self._run.config.threads)

    def end(self) -> None:
        """Note and validate what came after the last rollout."""
        self._require_finite()
        self._note_updates()
        self.validate()

    def keep(self) -> None:
        """Keep all that the training needs to go on."""
        model: GradientModel = self.model  # type: ignore[assignment]
        counts = {"next": self._next, "done": self._done, "validated": self._validated, "noted": self._noted}
        states = {"model": model.training_state(), "environment": model.env.training_state()}
        self._run.keep(GRADIENTS, self._network, {**counts, **states})

    def validate(self) -> None:
        """Validate the present weights, unless that has just been done."""
        steps = self.num_timesteps
        if steps == self._validated:
            return
        self._validated = steps
        seconds = self._run.seconds()
        metrics = self._choice.judge(self._network, steps, seconds)
        self._run.lines.note(self._run.log, metrics["greedy"], steps, seconds)
        self._run.log.note(
            LEARNED_ROW, {"cost/total_sampled_usd": metrics["sampled"]["total_cost_usd"]}, steps, seconds
        )

    def _note_updates(self) -> None:
        """Note what Stable-Baselines3 recorded of the last updates, and of the last episodes."""
        self._noted = self.num_timesteps
        episodes = list(self.model.ep_info_buffer or ())
        if episodes:
            self.logger.record("rollout/ep_rew_mean", float(np.mean([episode["r"] for episode in episodes])))
            self.logger.record("rollout/ep_len_mean", float(np.mean([episode["l"] for episode in episodes])))
        self.logger.dump(self.num_timesteps)

    def _require_finite(self) -> None:
        """Raise `NotFiniteError` if a gradient of the last update, or a weight, is no number."""
        for name, parameter in self.model.policy.named_parameters():
            if parameter.grad is not None:
                require_finite(f"gradient of {name} ", parameter.grad)
            require_finite(f"weight {name} ", parameter)


def learn_by_gradients(
    run: TrainingRun, model: GradientModel, network: CandidateScorer, callbacks: Sequence[BaseCallback], *, bar: bool
) -> None:
    """Let `model` learn for the decisions that the configuration states, or for those that are left of a run that goes
    on; `network` is the part of it that acts. Ctrl-C ends the learning with the best so far; `bar` shows how far it is.
    Raises `NotFiniteError` as soon as a reward, an observation, a logit, a gradient or a weight is no number.
    """
    course = GradientCourse(run, network)
    kept = run.own_state(GRADIENTS)
    model.set_logger(Logger(None, [LearnerOutput(run.log, run.seconds)]))
    run.restore_random_numbers()
    if kept is not None:
        model.restore_training_state(kept["model"])
        model.env.restore_training_state(kept["environment"])
    left = run.config.gradient_steps - model.num_timesteps
    # Else threads, and a GPU, would add gradients up in any order, and no run would be the same twice.
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        model.learn(
            left,
            callback=CallbackList([course, *callbacks]),
            log_interval=None,  # type: ignore[arg-type]  # the course logs between rollouts
            reset_num_timesteps=kept is None,
            progress_bar=bar,
        )
    except KeyboardInterrupt:
        if not run.selection.validations:
            raise  # there is nothing to go on with
        run.say(f"Stopped; going on with the best of {len(run.selection.validations)} checkpoints")
    else:
        course.end()
    finally:
        torch.use_deterministic_algorithms(False)
