"""The chain that is made of the simulator's own steps, where suspended work is pooled, against one written by hand."""

from typing import Any

import numpy as np
import pytest
from test_queueing_theory import exact_values, models

from agents.rules.registry import RuleFile
from experiments.optimum.average_cost import evaluate_actions, find_optimum
from experiments.optimum.certify import edges_of
from experiments.optimum.markov_chain import explore
from experiments.optimum.markovian_scenario import MarkovianScenario


def priced(name: str, email: dict[str, Any], voice: dict[str, Any], **keys: Any) -> MarkovianScenario:
    """Return the scenario of a model with other keys of its channels, and of its own."""
    content = models()[name]["scenario"]
    first, second = content["channels"]
    return MarkovianScenario.model_validate(content | {"channels": [first | voice, second | email]} | keys)


@pytest.mark.parametrize("name", ["pooled_two_reps", "pooled_three_reps"])
def test_a_rule_costs_in_the_chain_what_the_model_by_hand_says(name):
    policy = RuleFile.model_validate(models()[name]["policy"]).root
    known = exact_values(name)
    # A pick-up costs 60 USD an hour, so a dollar a minute for each rep in one.
    scenario = priced(name, {}, {}, costs={"pick_up_usd_per_hour": 60})
    chain = explore(scenario, policy.make(scenario).predict)
    found = evaluate_actions(chain, edges_of(chain, chain.actions.weight.astype(np.int64)))
    assert 60.0 * found.cost_usd_per_s == pytest.approx(known["email.pick_up_frac"], rel=1e-9)


def test_reps_with_pooled_work_do_as_well_as_with_their_own_or_better():
    # Two reps, who may still leave suspended work to who began it. A pick-up of others as fast as the own one costs
    # nothing more, so the optimum is the least then, and it falls with the law of others.
    voice = {"waiting_limit": 2, "costs": {"abandonment_usd": 6, "blocked_usd": 6}}
    email = {"waiting_limit": 2, "costs": {"holding_usd_per_hour": 9, "blocked_usd": 30}}
    slow, fast = ({"distribution": "exponential", "mean_s": mean_s} for mean_s in (1e5, 75))
    least = {
        law: find_optimum(explore(priced("pooled_two_reps", email | {"pick_up_by_others": by_others}, voice, **keys)))
        for law, by_others, keys in (
            ("own", None, {"suspended_work": "own"}),
            ("slow", slow, {}),
            ("stated", {"distribution": "exponential", "mean_s": 150}, {}),
            ("fast", fast, {}),
            ("default", None, {}),
        )
    }
    cost = {law: 60.0 * found.cost_usd_per_s for law, found in least.items()}
    assert cost["slow"] == pytest.approx(cost["own"], rel=1e-6)  # nobody takes over what takes more than a day
    assert cost["own"] > cost["stated"] > cost["fast"]
    assert cost["default"] == pytest.approx(cost["fast"], rel=1e-9)  # 75 s are the own law's mean
