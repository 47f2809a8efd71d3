"""The candidate-scoring network: its two forms agree, it starts as its rule, and masks hold."""

import inspect

import numpy as np
import pytest
import torch
from playing import bank_day

from agents.learning.learned_policy import LearnedPolicy, make_network
from agents.learning.network import MASKED_LOGIT, CandidateScorer
from agents.rules.rule_policy import RulePolicy
from envs.scenario.action_table import action_table
from envs.scenario.scenario import load_scenario
from experiments.training.onnx_export import visit_states
from experiments.training.training_config import Network

TIE = 1e-5
"""Relative difference of the rule's two best scores below which either action is as good."""


@pytest.fixture(scope="module")
def day():
    return bank_day()


@pytest.fixture(scope="module")
def states(day):
    """10,000 states of bank days: half as `expected_loss` meets them, half as `voice_first_interrupting` does."""
    return visit_states(day, RulePolicy("voice_first_interrupting", day), 0, 10_000)


def tensors(states, count=None):
    """Return the first `count` states as the arguments of a network."""
    return tuple(torch.as_tensor(states[key][:count]) for key in ("center", "candidates", "action_mask"))


def disturb(network, seed=0):
    """Move all weights, so that nothing is 0 that training would change."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    return network


@pytest.fixture(scope="module")
def trained(day):
    """A network with a prior, its weights moved as training would move them."""
    torch.manual_seed(0)
    return disturb(make_network(day, width=16, prior_weight=4.0))


@pytest.mark.parametrize("prior_weight", [0.0, 4.0])
def test_the_form_for_training_equals_the_exported_form(day, states, prior_weight):
    torch.manual_seed(1)
    network = disturb(make_network(day, width=16, prior_weight=prior_weight))
    arguments = tensors(states, 1000)
    with torch.no_grad():
        logits, values = network.score_open(*arguments)
        torch.testing.assert_close(logits, network(*arguments), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(values, network.value(*arguments), rtol=1e-5, atol=1e-5)
    assert values.shape == (1000, 1)
    assert logits.std() > 0


def test_masked_actions_have_the_masked_logit_and_no_probability(day, states, trained):
    arguments = tensors(states, 1000)
    closed = arguments[2] == 0
    with torch.no_grad():
        for logits in (trained(*arguments), trained.score_open(*arguments)[0]):
            assert (logits[closed] == MASKED_LOGIT).all()
            assert (logits[~closed].abs() < 1e4).all()
    batch = {key: value[:1000] for key, value in states.items()}
    probabilities = LearnedPolicy(trained).action_probabilities(batch)
    np.testing.assert_array_equal(probabilities[closed.numpy()], 0.0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)


def test_a_masked_row_does_not_matter(day, states, trained):
    center, candidates, mask = tensors(states, 200)
    changed = torch.where((mask > 0)[:, :, None], candidates, 1e6)
    with torch.no_grad():
        torch.testing.assert_close(trained(center, changed, mask), trained(center, candidates, mask))
        for found, wanted in zip(
            trained.score_open(center, changed, mask), trained.score_open(center, candidates, mask), strict=True
        ):
            torch.testing.assert_close(found, wanted)


def test_a_fresh_network_with_a_prior_is_the_rule_in_10_000_states(day, states):
    assert len(states["action_mask"]) == 10_000
    network = make_network(day, width=16, prior_weight=6.0)
    found = LearnedPolicy(network).predict(states)
    wanted = RulePolicy("expected_loss", day).predict(states)
    with torch.no_grad():
        scores = network.prior.scores(*tensors(states)).double().numpy()
    best = np.sort(scores, axis=1)[:, -2:]
    is_tie = np.abs(best[:, 1] - best[:, 0]) <= TIE * np.abs(best).max(axis=1)
    assert is_tie.mean() < 0.05
    np.testing.assert_array_equal(found[~is_tie], wanted[~is_tie])
    kinds = {name.partition(":")[0] for name in np.array(names(day))[wanted]}
    assert {"serve", "assign", "wait", "resume", "interrupt"} <= kinds


def names(scenario):
    """Return the names of the actions."""
    return [action.name for action in action_table(scenario)]


def test_a_fresh_network_without_a_prior_is_indifferent(day, states):
    network = make_network(day, width=16, prior_weight=0.0)
    batch = {key: value[:100] for key, value in states.items()}
    probabilities = LearnedPolicy(network).action_probabilities(batch)
    is_open = batch["action_mask"] != 0
    np.testing.assert_allclose(probabilities, is_open / is_open.sum(axis=1, keepdims=True), atol=1e-9)


def test_weights_survive_a_round_trip(day, states, trained, tmp_path):
    torch.save(trained.state_dict(), tmp_path / "weights.pt")
    again = make_network(day, width=16, prior_weight=4.0)
    again.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    arguments = tensors(states, 100)
    with torch.no_grad():
        torch.testing.assert_close(again(*arguments), trained(*arguments), rtol=0, atol=0)


def test_the_actor_has_all_parameters_but_those_of_the_value(trained):
    actor = {id(parameter) for parameter in trained.actor_parameters()}
    critic = {id(parameter) for parameter in trained.value_net.parameters()}
    assert actor | critic == {id(parameter) for parameter in trained.parameters()}
    assert not actor & critic


def test_greedy_and_sampled(day, states, trained):
    batch = {key: value[:2000] for key, value in states.items()}
    greedy = LearnedPolicy(trained).predict(batch)
    with torch.no_grad():
        np.testing.assert_array_equal(greedy, trained(*tensors(batch)).argmax(dim=1).numpy())
    sampled = LearnedPolicy(trained, seed=1).predict(batch, False)
    assert (batch["action_mask"][np.arange(2000), sampled] == 1).all()
    assert (sampled != greedy).any()
    np.testing.assert_array_equal(LearnedPolicy(trained, seed=1).predict(batch, False), sampled)
    assert (LearnedPolicy(trained, seed=2).predict(batch, False) != sampled).any()


def test_samples_follow_the_probabilities():
    tiny = load_scenario("tiny")
    one = visit_states(tiny, RulePolicy("fifo", tiny), 0, 40)
    torch.manual_seed(0)
    policy = LearnedPolicy(disturb(make_network(tiny, width=8, prior_weight=0.0)))
    row = int(one["action_mask"].sum(axis=1).argmax())
    batch = {key: np.repeat(value[row : row + 1], 20_000, axis=0) for key, value in one.items()}
    wanted = policy.action_probabilities({key: value[:1] for key, value in batch.items()})[0]
    found = np.bincount(policy.predict(batch, False), minlength=len(wanted)) / 20_000
    np.testing.assert_allclose(found, wanted, atol=4 * 0.5 / np.sqrt(20_000))


def test_the_network_of_a_training_has_the_defaults_of_the_network():
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(CandidateScorer).parameters.items()
        if parameter.default is not parameter.empty
    }
    assert Network().model_dump() == defaults
