"""Controlled learning: on top of its prior the network learns the action whose mean cost is least, and only what holds."""

import numpy as np
import pytest
import torch

from agents.learning.learned_policy import make_network
from agents.learning.rollout_classification import HELD_OUT, classify
from agents.learning.rollouts import Choices, Rollouts, join
from agents.rules.rule_policy import RulePolicy
from envs.scenario.scenario import load_scenario
from experiments.optimum.certify import certify
from experiments.training.onnx_export import export_policy

SCENARIO = load_scenario("premium_desk", ("horizon.days=1",))
N_EPISODES = 20


@pytest.fixture(scope="module")
def met():
    """Choices of twenty days, whose costs the tests make up."""
    rollouts = Rollouts(
        SCENARIO,
        RulePolicy("expected_loss", SCENARIO).settings,
        horizon_s=1.0,
        share_frac=0.1,
        exploration_frac=0.0,
    )
    return join(list(rollouts.play(4, 0, N_EPISODES, threads=2)))


def network_of(scenario=SCENARIO):
    torch.manual_seed(0)
    return make_network(scenario, width=16, prior_weight=2.0)


def learn(network, choices, epochs=15):
    return list(classify(network, choices, epochs=epochs, batch_size=128, learning_rate=5e-3, seed=0))


def greedy(network, choices: Choices):
    """Return the places in `choices` of the likeliest actions."""
    n_actions = len(network.action_embedding)
    candidates = np.zeros((len(choices.center), n_actions, choices.candidates.shape[1]), np.float32)
    mask = np.zeros((len(choices.center), n_actions), np.float32)
    candidates[choices.decision, choices.action] = choices.candidates
    mask[choices.decision, choices.action] = 1.0
    with torch.no_grad():
        logits = network(torch.from_numpy(choices.center), torch.from_numpy(candidates), torch.from_numpy(mask))
    chosen = logits.argmax(dim=1).numpy()
    return np.flatnonzero(choices.action == chosen[choices.decision])


def with_costs(choices, cost_usd):
    return choices._replace(cost_usd=cost_usd, noise_usd=np.zeros(len(cost_usd)))


def test_the_first_policy_is_the_prior(met):
    np.testing.assert_array_equal(greedy(network_of(), met), np.flatnonzero(met.is_rules))


def test_the_action_of_least_mean_cost_is_learned_even_where_it_is_dearer_nearly_always(met):
    # The last open action costs 1; the others cost 0, but 20 once in ten times: 2 in the mean. Taking whichever was
    # cheapest most often would be wrong in nine of ten decisions.
    is_last = np.append(np.diff(met.decision) > 0, True)
    luck = np.random.default_rng(0).random(len(met.action)) < 0.1
    network = network_of()
    epochs = learn(network, with_costs(met, np.where(is_last, 1.0, 20.0 * luck)))
    is_held_out = met.episode % HELD_OUT == HELD_OUT - 1
    chosen = greedy(network, met)
    assert is_last[chosen][is_held_out].mean() > 0.9
    assert max(epoch.saved_usd for epoch in epochs) > 0.5


def test_the_prior_itself_stays(met):
    network = network_of()
    before = {key: value.clone() for key, value in network.prior.state_dict().items()}
    learn(network, with_costs(met, np.where(met.is_rules, 1.0, 0.0)), epochs=2)
    assert not np.array_equal(greedy(network, met), np.flatnonzero(met.is_rules))
    for key, value in network.prior.state_dict().items():
        assert torch.equal(value, before[key])


def test_rollouts_that_all_cost_the_same_teach_nothing(met):
    network = network_of()
    assert {epoch.saved_usd for epoch in learn(network, with_costs(met, np.ones(len(met.action))), epochs=2)} == {0.0}
    np.testing.assert_array_equal(greedy(network, met), np.flatnonzero(met.is_rules))


def test_what_does_not_hold_on_the_episodes_held_out_is_forgotten(met):
    # Any other action than the rule's is cheaper in the episodes that teach, and dearer in those held out.
    is_held_out = (met.episode % HELD_OUT == HELD_OUT - 1)[met.decision]
    network = network_of()
    epochs = learn(network, with_costs(met, np.where(met.is_rules, 1.0, np.where(is_held_out, 5.0, 0.0))), epochs=3)
    assert min(epoch.saved_usd for epoch in epochs) < 0.0
    np.testing.assert_array_equal(greedy(network, met), np.flatnonzero(met.is_rules))


def test_the_same_seed_learns_the_same(met):
    costs_usd = np.random.default_rng(1).random(len(met.action))
    first, second = (learn(network_of(), with_costs(met, costs_usd), epochs=2) for _ in range(2))
    assert first == second


def test_one_step_from_a_rule_twice_as_dear_as_the_optimum_saves_more_than_half_of_that(tmp_path):
    # `expected_loss` never keeps a rep free for gold callers: 108.7 % above the optimum (docs/certify.md). An exact step of
    # policy iteration from it, all advantages known, ends 39.3 % above.
    scenario = load_scenario("certify_value", ("horizon.days=1",))
    rollouts = Rollouts(
        scenario,
        RulePolicy("expected_loss", scenario).settings,
        horizon_s=1200.0,
        share_frac=0.3,
        exploration_frac=0.05,
    )
    choices = join(list(rollouts.play(5, 0, 15, threads=2)))
    network = network_of(scenario)
    learn(network, choices, epochs=20)
    export_policy(network, scenario, tmp_path / "policy.onnx", parity_states=50)
    found = certify("certify_value", [f"learned={tmp_path / 'policy.onnx'}"])
    assert found.gap_frac("learned") < 0.5
