"""Settings of the algorithms that a training may use.

Room: `experiments.training`. Checked and frozen; touches nothing.
"""

from pydantic import Field

from envs.configuration.quantities import Checked


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
