"""DQN (Mnih et al. 2015) that knows which actions are open and how long a decision lasted.

Room: `agents.learning.value_learning`. Touches SB3.
"""

from stable_baselines3 import DQN

from agents.learning.value_learning.masked_off_policy import MaskedOffPolicy


class MaskedDQN(MaskedOffPolicy, DQN):
    """SB3's DQN with the policy `DuelingPolicy` and the replay memory `ElapsedTimeReplay`.

    The mask rules greedy actions, exploration (`MaskedOffPolicy`) and targets: masked actions have a Q far below all
    others, so SB3's largest Q of the next observation is that of its open actions. The target of a transition is
    reward + discount x that Q, with the transition's own discount, and the reward alone where an episode ended.
    """
