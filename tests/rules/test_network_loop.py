"""A network in the compiled loop: the logits of torch, those of the exported graph, episodes, and what it refuses."""

import base64
import json

import numpy as np
import onnx
import pytest
import torch
from scipy.stats import chi2

from agents.episodes import advance_rows, compiled_form, play_episodes
from agents.exported_policy import ExportedPolicy
from agents.learning.expected_loss_prior import ExpectedLossPrior
from agents.learning.learned_policy import LearnedPolicy, greedy_policy, make_network
from agents.learning.maskable_ppo.candidate_scoring_policy import CandidateScoringPolicy
from agents.learning.network import CandidateScorer
from agents.network_policy import NetworkPolicy, SampledPolicy, random_states, read_network
from agents.policy import MASKED_LOGIT
from agents.rules.cost_rules import CmuRule
from agents.rules.expected_loss_rule import ExpectedLossRule
from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.errors import ArgumentError
from envs.scenario.scenario import Scenario, load_scenario
from experiments.training.onnx_export import export_policy, visit_states
from experiments.training.train import build_model
from experiments.training.training_config import load_training

TINY = load_scenario("tiny", ("horizon.days=1",))
STATES = 300


def random_network(scenario: Scenario, seed: int = 0, **settings: float) -> CandidateScorer:
    """Return a network whose layers and prior all matter, and weigh about the same."""
    torch.manual_seed(seed)
    network = make_network(scenario, **({"width": 12, "prior_weight": 3.0} | settings))
    with torch.no_grad():
        for parameter in network.actor_parameters():
            parameter += 0.3 * torch.randn_like(parameter)
        network.prior.adjustment *= 0.02
    return network


def with_prior(rule: ExpectedLossRule, scenario: Scenario) -> CandidateScorer:
    network = random_network(scenario)
    assert isinstance(network.prior, ExpectedLossPrior)
    network.prior.set_settings(rule.settings(scenario))
    return network


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network, and the file that it was written to."""
    network, file = random_network(TINY), tmp_path_factory.mktemp("exported") / "policy.onnx"
    export_policy(network, TINY, file, parity_states=STATES)
    return network, file


@pytest.mark.parametrize(
    ("scenario", "network"),
    [
        (TINY, random_network(TINY)),
        (TINY, random_network(TINY, prior_weight=0.0)),
        (TINY, random_network(TINY, residual_weight=0.0)),
        (TINY, with_prior(ExpectedLossRule.around(CmuRule(rule="cmu"), TINY), TINY)),
        (load_scenario("certify_interrupt"), random_network(load_scenario("certify_interrupt"))),
    ],
    ids=["prior and layers", "layers alone", "prior alone", "another ranking", "markov"],
)
def test_the_loop_has_the_logits_of_torch(scenario, network):
    policy = greedy_policy(network, scenario)
    states = visit_states(scenario, RulePolicy("fifo", scenario), 0, STATES)
    with torch.no_grad():
        tensors = (torch.from_numpy(states[key]) for key in ("center", "candidates", "action_mask"))
        expected = network(*tensors).numpy()
    found = policy.masked_logits(states)
    is_open = states["action_mask"] != 0
    # Sums of some hundred float32 numbers of order one in another order: 1e-7 each.
    np.testing.assert_allclose(found[is_open], expected[is_open], rtol=1e-4, atol=1e-4)
    assert (found[~is_open] == np.float32(MASKED_LOGIT)).all()
    np.testing.assert_array_equal(policy.predict(states), expected.argmax(axis=1))
    assert len(np.unique(policy.predict(states))) > 3


def test_episodes_in_the_loop_are_those_of_one_question_after_the_other():
    network = random_network(TINY, seed=1)
    episodes = np.arange(3)
    in_loop = play_episodes(TINY, greedy_policy(network, TINY), 4, episodes, threads=2)
    asked = play_episodes(TINY, LearnedPolicy(network), 4, episodes)
    for loop, torch_ in zip(in_loop, asked, strict=True):
        assert loop["cost_usd"].sum() == torch_["cost_usd"].sum() > 0
        assert loop["center_count"]["decisions"] == torch_["center_count"]["decisions"]


def test_sampled_actions_follow_the_probabilities_of_the_network():
    network, draws = random_network(TINY, seed=2), 20_000
    states = visit_states(TINY, RulePolicy("fifo", TINY), 0, 20)
    probabilities = LearnedPolicy(network).action_probabilities(states)
    place = int(np.argmin(np.abs(probabilities.max(axis=1) - 0.5)))  # a state in which several are likely
    many = {key: np.repeat(array[[place]], draws, axis=0) for key, array in states.items()}
    sampled = SampledPolicy(greedy_policy(network, TINY), seed=1)
    drawn = sampled.predict(many)
    counts = np.bincount(drawn, minlength=probabilities.shape[1])
    is_likely = probabilities[place] * draws >= 5  # as the chi-squared test wants
    assert is_likely.sum() > 2
    expected = probabilities[place][is_likely] * draws
    statistic = ((counts[is_likely] - expected) ** 2 / expected).sum()
    assert statistic < chi2.isf(1e-6, is_likely.sum() - 1)
    assert counts[probabilities[place] == 0.0].sum() == 0
    sampled.seed(1)
    np.testing.assert_array_equal(sampled.predict(many), drawn)
    np.testing.assert_array_equal(sampled.predict(states, deterministic=True), LearnedPolicy(network).predict(states))


def test_an_exported_file_samples_what_the_loop_weighs(exported, monkeypatch):
    states = visit_states(TINY, RulePolicy("fifo", TINY), 0, STATES)
    policy, graph = ExportedPolicy(exported[1], TINY, seed=3), ExportedPolicy(exported[1], TINY, seed=3)
    graph.__dict__["loop"] = None  # as of a graph that the loop does not know
    expected, likeliest = graph.predict(states, deterministic=False), graph.predict(states, deterministic=True)
    assert policy.loop is not None
    monkeypatch.setattr(ExportedPolicy, "masked_logits", lambda *arguments: pytest.fail("asks the graph"))
    as_wrappers_have_them = {
        "center": states["center"].astype(np.float64),
        "candidates": states["candidates"].astype(np.float64),
        "action_mask": states["action_mask"] != 0,
    }
    np.testing.assert_array_equal(policy.predict(as_wrappers_have_them, deterministic=False), expected)
    assert (expected != likeliest).any()


def test_a_training_learns_from_the_probabilities_that_it_acted_by():
    training = load_training(
        "tiny", ("network.width=12", "network.prior_weight=3", "network.residual_weight=1"), algorithm="maskable_ppo"
    )
    model = build_model(TINY, training, torch.device("cpu"))
    policy: CandidateScoringPolicy = model.policy
    policy.scorer_network.load_state_dict(random_network(TINY, seed=3).state_dict())
    states = visit_states(TINY, RulePolicy("fifo", TINY), 0, STATES)
    observed = {key: torch.from_numpy(array) for key, array in states.items()}
    with torch.no_grad():
        actions, values, log_probabilities = policy.forward(observed)
        again, expected, entropies = policy.evaluate_actions(observed, actions)
        distribution = policy.get_distribution(observed)  # sb3-contrib's own, of the form that is exported
        likeliest, _, _ = policy.forward(observed, deterministic=True)
    is_open = states["action_mask"][np.arange(STATES), actions] == 1
    assert is_open.all()
    torch.testing.assert_close(log_probabilities, expected, rtol=1e-4, atol=1e-4)  # sums of float32 in another order
    torch.testing.assert_close(expected, distribution.log_prob(actions), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(entropies, distribution.entropy(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(values, again)
    torch.testing.assert_close(likeliest, distribution.mode())
    assert (actions != likeliest).any()


def test_an_exported_file_is_played_by_the_loop_where_it_acts_greedily(exported, monkeypatch):
    network, file = exported
    policy = ExportedPolicy(file, TINY)
    assert isinstance(compiled_form(policy), NetworkPolicy)
    assert compiled_form(policy, False) is None
    rows = CenterRows(TINY, 1)
    rows.start(rows.all_rows, np.array([4]), np.array([7]))
    advance_rows(rows, policy, rows.all_rows, on_choice=lambda running, actions: None)  # asks the graph
    asked: list[object] = []
    monkeypatch.setattr(ExportedPolicy, "predict", lambda *arguments: asked.append(arguments))
    (played,) = play_episodes(TINY, policy, 4, np.array([7]))
    assert rows.counts(0)["cost_usd"].sum() == played["cost_usd"].sum()
    assert not asked
    assert greedy_policy(network, TINY).network.weights.tolist() == compiled_form(policy).network.weights.tolist()


def test_an_action_that_the_network_was_not_made_for_is_never_chosen(exported):
    """As if `hold` had come later: the other logits are those of a center that never offers it."""
    loop = ExportedPolicy(exported[1], TINY).loop
    states = visit_states(TINY, RulePolicy("fifo", TINY), 0, STATES)
    place = CenterRows(TINY, 1).action_names.index("hold")
    knows_action = loop.network.knows_action.copy()
    knows_action[place] = 0
    without = NetworkPolicy(TINY, loop.settings, loop.network._replace(knows_action=knows_action))
    logits = without.masked_logits(states)
    assert (states["action_mask"][:, place] == 1).any()
    assert (logits[:, place] == np.float32(MASKED_LOGIT)).all()
    states["action_mask"][:, place] = 0
    np.testing.assert_array_equal(logits, loop.masked_logits(states))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((3, 4), np.float32), r"of shape \(3, 4\), float32: must be of shape \(12, 12\), float32"),
        (np.zeros((12, 12)), r"of shape \(12, 12\), float64: must be of shape \(12, 12\), float32"),
        (np.full((12, 12), np.nan, np.float32), "and finite numbers"),
    ],
    ids=["shape", "type", "not a number"],
)
def test_weights_that_compiled_code_could_not_trust_are_refused(wrong, message):
    network = random_network(TINY)
    with pytest.raises(ArgumentError, match=rf"network.hidden .*{message}"):
        NetworkPolicy(TINY, network.prior.read_settings(), network.weights()._replace(hidden=wrong))


def test_a_class_that_has_another_predict_is_asked(exported):
    class Waits(ExportedPolicy):
        def predict(self, observations, deterministic=None):
            return np.zeros(len(observations["action_mask"]), np.int64)

    class Delegates:
        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def predict(self, observations, deterministic=True):
            return self.inner.predict(observations, deterministic)

    assert ExportedPolicy(exported[1], TINY).loop is not None
    assert compiled_form(Waits(exported[1], TINY)) is None
    assert compiled_form(Delegates(ExportedPolicy(exported[1], TINY))) is None


def test_a_field_that_came_later_has_no_weight_in_the_loop(exported):
    policy = ExportedPolicy(exported[1], TINY)
    states = random_states(TINY, 50)
    fields = {
        "actions": policy._actions,
        "center": policy._fields["center"],
        "candidates": policy._fields["candidates"],
    }
    stated = json.loads(policy.metadata["network"])
    for name in ("center_in", "center_scale"):  # as of a file that was written before the first field came
        array = np.frombuffer(base64.b64decode(stated["layers"][name]["base64"]), np.float32)
        array = array.reshape(stated["layers"][name]["shape"])[1:]
        stated["layers"][name] = {"shape": array.shape, "base64": base64.b64encode(array.tobytes()).decode()}
    fields["center"] = fields["center"][1:]
    loop = read_network(json.dumps(stated), TINY, fields)
    logits = loop.masked_logits(states)
    assert np.isfinite(logits).all()
    states["center"][:, 0] += 1000.0
    np.testing.assert_array_equal(loop.masked_logits(states), logits)


def changed(file, folder, network):
    """Return a copy of the file with another entry `network`, a text."""
    model = onnx.load(file)
    texts = {entry.key: entry.value for entry in model.metadata_props} | {"network": network}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, texts)
    onnx.save(model, folder / "changed.onnx")
    return folder / "changed.onnx"


@pytest.mark.parametrize(
    "change",
    [
        lambda stated: stated["weights"].__setitem__(0, 2.0),
        lambda stated: stated["adjustment"].update(real_time_index=1.0),
        lambda stated: stated["adjustment"].update(of_a_later_version=1.0),
        lambda stated: stated["ranking"].append(1.0),
        lambda stated: stated["layers"].pop("hidden"),
        lambda stated: stated["layers"]["hidden"].update(shape=[3, 4]),
        lambda stated: stated["layers"].update(of_a_later_version=stated["layers"]["hidden"]),
        lambda stated: stated.pop("layers"),
        lambda stated: stated.update(layers=[]),
        lambda stated: stated.update(adjustment=[]),
        lambda stated: stated["weights"].__setitem__(0, 10**400),
    ],
    ids=["prior's weight", "adjustment", "adjustment of a later version", "ranking", "a layer less", "shape",
         "a layer more", "no layers", "a list of layers", "a list of adjustments", "a number too large"],
)  # fmt: skip
def test_an_entry_that_does_not_say_what_the_graph_does_is_passed_over(tmp_path, exported, change):
    _, file = exported
    stated = json.loads(ExportedPolicy(file, TINY).metadata["network"])
    change(stated)
    policy = ExportedPolicy(changed(file, tmp_path, json.dumps(stated)), TINY)
    assert policy.loop is None
    (played,) = play_episodes(TINY, policy, 4, np.array([7]))
    (as_before,) = play_episodes(TINY, ExportedPolicy(file, TINY), 4, np.array([7]))
    assert played["cost_usd"].sum() == as_before["cost_usd"].sum()


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_an_entry_that_is_damaged_is_passed_over(tmp_path, exported, text):
    assert ExportedPolicy(changed(exported[1], tmp_path, text), TINY).loop is None
