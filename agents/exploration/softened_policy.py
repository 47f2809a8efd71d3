"""A rule that now and then takes any open action: the smallest honest policy with probabilities.

Room: `agents.exploration`. Touches the rule that it softens, and numpy.
"""

import numpy as np
from numpy.typing import NDArray

from agents.policy import Observations
from agents.rules.rule_policy import RulePolicy


class SoftenedPolicy:
    """With probability `explore_frac` an open action, each as likely as the other; else what `rule` takes.

    So of k open actions the rule's own has the probability 1 - explore_frac + explore_frac / k, and every other
    explore_frac / k: the ε-greedy policy over open actions (Sutton and Barto 2018, Reinforcement Learning, section
    2.2). No open action is left out, which is what makes records of it tell of other policies (`docs/off_policy.md`).

    Attributes:
        rule: what it softens, which is also what it does if asked to be deterministic.
        explore_frac: in 0 to 1.
    """

    def __init__(self, rule: RulePolicy, explore_frac: float, *, seed: int = 0) -> None:
        self.rule = rule
        self.explore_frac = explore_frac
        self.seed(seed)

    @property
    def hidden_fields(self) -> tuple[str, ...]:
        """What the rule needs in the scenario beyond the Markov fields (`agents.rules.rule_policy`)."""
        return self.rule.hidden_fields

    def seed(self, seed: int) -> None:
        """Start the generator of actions anew."""
        self._generator = np.random.default_rng(seed)

    def predict(self, observations: Observations, deterministic: bool = False) -> NDArray[np.int64]:
        """Return one open action per observation, int64 (n,): a drawn one, or if `deterministic` the rule's.

        All rows draw from one generator, so an action depends on what was asked before and on the place in the batch;
        the same calls after the same `seed` give the same actions.
        """
        actions = self.rule.predict(observations)
        if deterministic:
            return actions
        mask = observations["action_mask"]
        explores = self._generator.random(len(actions)) < self.explore_frac
        place = (self._generator.random(len(actions)) * mask.sum(axis=1)).astype(np.int64)
        # The first action at which so many open ones have been passed, and one more.
        drawn = (np.cumsum(mask, axis=1) > place[:, np.newaxis]).argmax(axis=1)
        return np.where(explores, drawn, actions)

    def action_probabilities(self, observations: Observations) -> NDArray[np.float64]:
        """Return the probabilities with which actions are drawn, float64 (n, actions); masked ones have 0."""
        mask = observations["action_mask"]
        probabilities = self.explore_frac * mask / mask.sum(axis=1, keepdims=True)
        probabilities[np.arange(len(mask)), self.rule.predict(observations)] += 1.0 - self.explore_frac
        return probabilities
