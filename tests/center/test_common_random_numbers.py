"""Common random numbers pay: policies meet the same customers, so their difference varies less than with customers of
their own."""

import numpy as np

from agents.episodes import Episodes
from agents.rules.rule_policy import RulePolicy
from envs.scenario.scenario import load_scenario
from experiments.seeds import demand_seeds

EPISODES = 64


def test_the_paired_difference_of_fifo_and_voice_first_has_at_most_half_the_variance_of_independent_episodes():
    bank = load_scenario("bank")
    shared = Episodes(bank, demand_seeds(0).test, threads=2)

    def costs_usd(policy: str, first: int) -> np.ndarray:
        numbers = np.arange(first, first + EPISODES)
        return np.array([count["cost_usd"].sum() for count in shared.play(RulePolicy(policy, bank), numbers)])

    paired = costs_usd("fifo", 0) - costs_usd("voice_first", 0)
    independent = costs_usd("fifo", 0) - costs_usd("voice_first", EPISODES)
    ratio = paired.var(ddof=1) / independent.var(ddof=1)
    print(f"variance of the difference: {ratio:.3f} of that of independent episodes")
    assert ratio <= 0.5
