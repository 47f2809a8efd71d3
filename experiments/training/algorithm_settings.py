"""What each algorithm of a training may be told: its section of `configs/training/*.yaml`.

Room: `experiments.training`. Checked and frozen; touches nothing.
"""

from pydantic import Field

from envs.configuration.quantities import Checked
from experiments.seeds import MOST_EPISODES
from experiments.transfer.moves import RandomCenters


class Network(Checked):
    """The candidate-scoring network.

    Attributes:
        width: of its layers.
        prior_weight: weight of the preferences of the rule `expected_loss` in the logits; its few adjustments are
            learned too. 0: no prior. A training that states none has that of its algorithm.
        residual_weight: weight of what the layers add. Small, the adjustments of the rule learn first; 1, the layers
            are free. A training that states none has that of its algorithm, without a prior 1.
    """

    width: int = Field(default=64, ge=4, le=1024)
    prior_weight: float = Field(default=0.0, ge=0)
    residual_weight: float = Field(default=1.0, ge=0)


class Adjustment(Checked):
    """Policy search: fitting the adjustments of the prior rule by CMA-ES on training episodes
    (`agents.learning.adjustment`).

    Attributes:
        generations: of the search.
        minutes: of the search itself, without the starts and compilation, after which it ends as well, with the
            generation that is played then.
        validation_episodes: on which the starts, and mean and average of the search are judged.
        every_generations: how often that is.
        population: candidates in a generation.
        episodes: new training episodes in each generation, the same for all its candidates, of which the dearer half
            plays the first half.
        sigma: standard deviation at the start; the adjustments are scaled so that one is a large change.
        starts: so many of the starts that cost least search at first; after ten generations the best of them alone.
        centers: around the scenario, one for each training and validation episode (`experiments.transfer.moves`), for
            a policy that is to be moved; default: the scenario itself.
    """

    generations: int = Field(default=30, ge=1, le=100_000)
    minutes: float = Field(default=60.0, gt=0)
    validation_episodes: int = Field(default=64, ge=2, le=MOST_EPISODES)
    every_generations: int = Field(default=5, ge=1)
    population: int = Field(default=12, ge=4, le=10_000)
    episodes: int = Field(default=8, ge=1, le=MOST_EPISODES)
    sigma: float = Field(default=0.4, gt=0)
    starts: int = Field(default=1, ge=1)
    centers: RandomCenters | None = None


class ControlledLearning(Checked):
    """Learning by classification which actions rollouts of the prior rule found cheapest, after the policy
    search if there is one (`agents.learning.rollouts`, `agents.learning.rollout_classification`).

    Attributes:
        minutes: after which no further episode is begun.
        episodes: training episodes, at most, from whose decisions rollouts start.
        share_frac: of their decisions from which rollouts of all open actions start.
        horizon_h: hours of a rollout, of center time; should outlast the promises that are at stake.
        exploration_frac: of the decisions of these episodes that take any open action, to meet others than the rule's.
        epochs: passes over the decisions.
        batch_size: decisions in a gradient step.
        learning_rate: at the start; it falls to 0 along a cosine.
        validation_episodes: on which what was learned must cost less than the prior alone, by more than a standard
            error of the difference; else it is dropped.
    """

    minutes: float = Field(default=5.0, gt=0)
    episodes: int = Field(default=1000, ge=5, le=MOST_EPISODES)
    share_frac: float = Field(default=0.1, gt=0, le=1)
    horizon_h: float = Field(default=2.0, gt=0)
    exploration_frac: float = Field(default=0.02, ge=0, le=1)
    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=256, ge=1)
    learning_rate: float = Field(default=5e-3, gt=0)
    validation_episodes: int = Field(default=64, ge=2, le=MOST_EPISODES)


class Ppo(Checked):
    """MaskablePPO.

    Attributes:
        environments: centers side by side.
        rollout_steps: decisions of each between two updates.
        batch_size: decisions in a gradient step.
        epochs: passes over a rollout.
        learning_rate: at the start; it falls linearly to a twentieth.
        clip_range: of the probability ratio.
        entropy_weight: bonus for uncertain choices.
        value_weight: weight of the value loss.
        max_gradient_norm: longer gradients are shortened to it.
        discount_half_life_h: hours of center time after which a cost counts half; should outlast the longest promise.
        trace_half_life_h: hours after which the advantage trace (lambda) counts half.
        reward_scale_usd: what counts as a reward of -1.
        without_luck: learn from the cost less its luck (`envs.simulator.money.control_variate`).
        shaped: shape rewards by what the open work is expected to cost (`envs.simulator.open_work`).
        critic_warm_up_steps: decisions during which only the critic learns.
        staggered: start the environments spread over the horizon, with the backlogs of the rule `expected_loss`.
    """

    environments: int = Field(default=128, ge=1, le=10_000)
    rollout_steps: int = Field(default=64, ge=1, le=100_000)
    batch_size: int = Field(default=4096, ge=2)
    epochs: int = Field(default=4, ge=1, le=1000)
    learning_rate: float = Field(default=5e-4, gt=0)
    clip_range: float = Field(default=0.2, gt=0)
    entropy_weight: float = Field(default=0.0, ge=0)
    value_weight: float = Field(default=0.5, ge=0)
    max_gradient_norm: float = Field(default=0.5, gt=0)
    discount_half_life_h: float = Field(default=6.0, gt=0)
    trace_half_life_h: float = Field(default=0.75, gt=0)
    reward_scale_usd: float = Field(default=100.0, gt=0)
    without_luck: bool = True
    shaped: bool = True
    critic_warm_up_steps: int = Field(default=0, ge=0)
    staggered: bool = True


class Dqn(Checked):
    """Masked DQN over the candidate-scoring network (`agents.learning.value_learning`).

    Attributes:
        environments: centers side by side.
        buffer_size: transitions in the replay memory; in `bank` 4.4 KB each.
        batch_size: transitions in a gradient step.
        learning_starts: decisions before the first gradient step.
        train_every_steps: steps of all environments between two updates.
        gradient_steps: of an update.
        target_update_every_steps: decisions between two copies of the network to that of the targets.
        exploration_start_frac: probability of any open action at the start.
        exploration_end_frac: the same at the end.
        exploration_until_frac: share of the training over which it moves linearly from the one to the other.
        learning_rate: at the start; it falls linearly to a twentieth.
        max_gradient_norm: longer gradients are shortened to it.
        discount_half_life_h: hours of center time after which a cost counts half. Short ones keep values small beside
            the differences between actions; with `shaped`, what waits longer is in the potential.
        reward_scale_usd: what counts as a reward of -1. Errors beyond 1 count linearly, so that rare dear ones are not
            given their full weight: large enough that few are; and with a prior, `network.prior_weight` times this is
            what an action that the rule thinks far worse is taken to cost at first.
        without_luck: learn from the cost less its luck (`envs.simulator.money.control_variate`).
        shaped: shape rewards by what the open work is expected to cost (`envs.simulator.open_work`).
        staggered: start the environments spread over the horizon, with the backlogs of the rule `expected_loss`.
    """

    environments: int = Field(default=64, ge=1, le=10_000)
    buffer_size: int = Field(default=100_000, ge=1, le=100_000_000)
    batch_size: int = Field(default=256, ge=1)
    learning_starts: int = Field(default=10_000, ge=0)
    train_every_steps: int = Field(default=4, ge=1)
    gradient_steps: int = Field(default=1, ge=1)
    target_update_every_steps: int = Field(default=10_000, ge=1)
    exploration_start_frac: float = Field(default=0.05, ge=0, le=1)
    exploration_end_frac: float = Field(default=0.02, ge=0, le=1)
    exploration_until_frac: float = Field(default=0.5, gt=0, le=1)
    learning_rate: float = Field(default=3e-4, gt=0)
    max_gradient_norm: float = Field(default=10.0, gt=0)
    discount_half_life_h: float = Field(default=1.0, gt=0)
    reward_scale_usd: float = Field(default=10.0, gt=0)
    without_luck: bool = True
    shaped: bool = True
    staggered: bool = True


class Qrdqn(Dqn):
    """Masked QR-DQN: as `Dqn`, and

    Attributes:
        quantiles: of the return, whose mean is its expectation.
    """

    quantiles: int = Field(default=32, ge=1, le=1000)
