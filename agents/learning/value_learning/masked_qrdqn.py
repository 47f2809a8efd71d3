"""QR-DQN (Dabney et al. 2017, arXiv 1710.10044) that knows which actions are open and how long a decision lasted.

Room: `agents.learning.value_learning`. Touches sb3-contrib.
"""

from sb3_contrib import QRDQN

from agents.learning.value_learning.masked_off_policy import MaskedOffPolicy


class MaskedQRDQN(MaskedOffPolicy, QRDQN):
    """sb3-contrib's QR-DQN with the policy `DuelingQuantilePolicy` and the replay memory `ElapsedTimeReplay`.

    The mask rules greedy actions, exploration (`MaskedOffPolicy`) and targets: quantiles of masked actions are far
    below all others, so the next action whose mean of quantiles is largest is open. The targets of a transition are
    reward + discount x that action's quantiles, with the transition's own discount, and the reward alone where an
    episode ended.
    """
