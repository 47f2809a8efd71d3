"""Masked DQN and QR-DQN: targets by hand, exploration among open actions, and where learning starts."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from stable_baselines3.common.logger import Logger
from value_learners import build_dqn

from agents.policy import MASKED_LOGIT
from agents.rules.rule_policy import RulePolicy
from envs.scenario.scenario import load_scenario
from experiments.training.algorithm_settings import Dqn, Network, Qrdqn
from experiments.training.onnx_export import export_policy, visit_states

HOUR_S = 3600.0
SMALL = {"environments": 1, "buffer_size": 4, "batch_size": 1, "staggered": False, "discount_half_life_h": 2.0}
KINDS = [Dqn, Qrdqn]


@pytest.fixture(scope="module")
def tiny():
    return load_scenario("tiny")


@pytest.fixture(scope="module")
def states(tiny):
    """2,000 states of `tiny`, half as `expected_loss` meets them, half as `fifo` does."""
    return visit_states(tiny, RulePolicy("fifo", tiny), 0, 2000)


def state_values(net, value, logits):
    """Let every state of `net` have this value, and the first actions these logits, the others 0; nonnegative."""
    scorer = net.scorer_network
    with torch.no_grad():
        for parameter in scorer.parameters():
            parameter.zero_()
        # The embedding's first number passes both layers of the scorer as it is.
        scorer.action_embedding[: len(logits), 0] = torch.tensor(logits)
        scorer.scorer[1].weight[0, 0] = 1.0
        scorer.scorer[3].weight[0, 0] = 1.0
        scorer.value_net[-1].bias.fill_(value)


def loss_of_one_transition(model, *, elapsed_h, ended=False):
    """Return the loss of the transition in which action 1 brought a reward of -0.5: actions 0 and 1 were open, and so
    they are afterwards; action 2 never is."""
    space = model.observation_space
    observation = {key: np.zeros((1, *part.shape), part.dtype) for key, part in space.spaces.items()}
    observation["action_mask"][0, :2] = 1
    model.env.elapsed_s = np.array([elapsed_h * HOUR_S])
    model.replay_buffer.add(observation, observation, np.array([1]), np.array([-0.5]), np.array([ended]), [{}])
    model.set_logger(Logger(folder=None, output_formats=[]))
    model.train(gradient_steps=1, batch_size=1)
    return model.logger.name_to_value["train/loss"]


def stated_model(scenario, settings):
    """Return a model of which the logits of actions 0, 1 and 2 are 1, 0.25 and 4, the values -1, and -2 in targets."""
    model = build_dqn(scenario, settings, Network(width=4, prior_weight=0), seed=0)
    state_values(model.policy.online, -1.0, [1.0, 0.25, 4.0])
    state_values(model.policy.target, -2.0, [1.0, 0.25, 4.0])
    return model


# --- targets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elapsed_h", "ended", "loss"),
    [
        # Q of action 1 is -1 + 0.25 - 1 = -1.75. Half-life 2 h: after 2 h the discount is 1/2. The largest Q of the
        # open actions in the target is -2, so the target is -0.5 - 2/2 = -1.5, the error 0.25, the loss 0.25^2 / 2.
        # With action 2, which is masked, Q would be -2 + 4 - 1 = 1, the target 0, and the loss 1.75 - 0.5 = 1.25.
        (2.0, False, 0.03125),
        # 4 h: the target is -0.5 - 2/4 = -1, the error 0.75.
        (4.0, False, 0.28125),
        # The same second: the target is -0.5 - 2 = -2.5, the error -0.75.
        (0.0, False, 0.28125),
        # An end is worth nothing: the target is -0.5, the error 1.25, beyond 1, so the loss is 1.25 - 0.5.
        (2.0, True, 0.75),
    ],
)
def test_targets_of_dqn_are_the_best_open_action_discounted_by_elapsed_time(tiny, elapsed_h, ended, loss):
    model = stated_model(tiny, Dqn(**SMALL))
    assert loss_of_one_transition(model, elapsed_h=elapsed_h, ended=ended) == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize(
    ("ended", "loss"),
    [
        # Two quantiles, of the levels 1/4 and 3/4. Those of action 1 are -1.75 -+ 0.5: -2.25 and -1.25. The best open
        # action in the target is 0, whose quantiles are -2 -+ 1: -3 and -1; after 2 h, discounted by 1/2, the targets
        # are -2 and -1. Errors of the first quantile 0.25 and 1.25, of the second -0.75 and 0.25; Huber's losses
        # 0.03125 and 0.75, 0.28125 and 0.03125; weights 1/4 and 1/4, |3/4 - 1| = 1/4 and 3/4. Summed over quantiles:
        # 0.078125 for the first target and 0.2109375 for the second; their mean is the loss. With the masked action 2,
        # whose quantiles are 1 -+ 1, the targets would be -0.5 and 0.5, all errors positive, and the loss 1.328125.
        (False, 0.14453125),
        # An end: both targets are -0.5, the errors 1.75 and 0.75, the losses 1.25 and 0.28125, the weights 1/4 and 3/4.
        (True, 0.5234375),
    ],
)
def test_targets_of_qrdqn_are_the_quantiles_of_the_best_open_action(tiny, ended, loss):
    model = stated_model(tiny, Qrdqn(**SMALL, quantiles=2))
    for net, half_width in ((model.policy.online, 0.5), (model.policy.target, 1.0)):
        with torch.no_grad():
            net.spread[-1].bias.copy_(torch.tensor([-half_width, half_width]))
    assert loss_of_one_transition(model, elapsed_h=2.0, ended=ended) == pytest.approx(loss, abs=1e-6)


def disturbed_model(scenario, settings, seed=0):
    """Return a model with a prior, its weights moved as training would move them."""
    model = build_dqn(scenario, settings, Network(width=8, prior_weight=0.5), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.policy.online.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_open_action_is_worth_the_value_and_is_that_of_the_masked_logits(tiny, states, kind):
    model = disturbed_model(tiny, kind(**SMALL))
    tensors = {key: torch.as_tensor(array) for key, array in states.items()}
    arguments = tuple(tensors[key] for key in ("center", "candidates", "action_mask"))
    with torch.no_grad():
        found = model.policy.online(tensors)
        values = found.mean(dim=1) if kind is Qrdqn else found
        logits, value = model.policy.scorer_network.score_open(*arguments)
    closed = tensors["action_mask"] == 0
    assert (values[closed] < 0.99 * MASKED_LOGIT).all()
    torch.testing.assert_close(values.amax(dim=1, keepdim=True), value, rtol=1e-5, atol=1e-5)
    gaps = torch.where(closed, 0.0, values - value - logits + logits.amax(dim=1, keepdim=True))
    assert gaps.abs().max() < 1e-5
    if kind is Qrdqn:
        assert found.shape == (2000, 32, len(closed[0]))
        assert found.std(dim=1)[~closed].min() > 0  # quantiles differ


# --- who acts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_greedy_policy_with_a_prior_is_the_rule(tiny, states, kind):
    model = build_dqn(tiny, kind(**SMALL), Network(width=8, prior_weight=0.5), seed=0)
    wanted = RulePolicy("expected_loss", tiny).predict(states)
    np.testing.assert_array_equal(model.policy.greedy_actions(states), wanted)
    assert (model.predict(states)[0] == wanted).mean() > 0.95  # torch compares in single precision: near ties


@pytest.mark.parametrize("kind", KINDS)
def test_the_compiled_greedy_action_is_that_of_torch(tiny, states, kind):
    model = disturbed_model(tiny, kind(**SMALL))
    found, wanted = model.policy.greedy_actions(states), model.predict(states)[0]
    assert (found == wanted).mean() > 0.99  # but for rounding
    untrained = build_dqn(tiny, kind(**SMALL), Network(width=8, prior_weight=0.5), seed=0)
    assert (found != untrained.policy.greedy_actions(states)).mean() > 0.05  # the layers have their say


def test_exploration_takes_every_open_action_as_often_and_no_other(tiny, states):
    model = build_dqn(tiny, Dqn(**SMALL), Network(width=8, prior_weight=0.5), seed=0)
    model.exploration_rate = 1.0
    mask = states["action_mask"]
    place = int(mask.sum(axis=1).argmax())  # the state with the most open actions
    n_open = int(mask[place].sum())
    assert 3 <= n_open < mask.shape[1]
    same = {key: np.repeat(array[place : place + 1], 4000, axis=0) for key, array in states.items()}
    counts = np.bincount(model.explore(same), minlength=mask.shape[1])
    assert (counts[mask[place] == 0] == 0).all()
    mean = 4000 / n_open
    assert (np.abs(counts[mask[place] != 0] - mean) < 5 * np.sqrt(mean)).all()


@pytest.mark.parametrize("rate_frac", [0.0, 0.25])
def test_each_environment_explores_with_the_stated_probability(tiny, states, rate_frac):
    model = build_dqn(tiny, Dqn(**SMALL), Network(width=8, prior_weight=0.5), seed=0)
    model.exploration_rate = rate_frac
    greedy, found = model.policy.greedy_actions(states), model.explore(states)
    # Exploring meets the greedy action too: with k open actions, once in k.
    n_open = states["action_mask"].sum(axis=1)
    expected = rate_frac * (1.0 - 1.0 / n_open).sum()
    assert abs((found != greedy).sum() - expected) <= 5 * np.sqrt(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_training_never_takes_a_masked_action(tiny, kind):
    settings = kind(
        environments=4,
        buffer_size=400,
        batch_size=16,
        learning_starts=100,
        exploration_start_frac=1.0,
        reward_scale_usd=5,
    )
    model = build_dqn(tiny, settings, Network(width=8, prior_weight=0), seed=0)
    env, taken = model.env, []
    step_async = env.step_async

    def record(actions):
        taken.append(env.action_masks()[np.arange(4), actions].all())
        step_async(actions)

    env.step_async = record
    before = {name: tensor.clone() for name, tensor in model.policy.online.state_dict().items()}
    model.learn(800)
    assert len(taken) == 200
    assert all(taken)
    after = model.policy.online.state_dict()
    assert any(not torch.equal(after[name], tensor) for name, tensor in before.items())  # it has learned


def test_exploration_goes_from_start_to_end_over_its_share_of_the_training(tiny):
    # From 0.4 to 0 over half of 800 decisions: 0.2 after a quarter of them.
    settings = Dqn(
        environments=4,
        buffer_size=40,
        learning_starts=10_000,
        exploration_start_frac=0.4,
        exploration_end_frac=0.0,
        exploration_until_frac=0.5,
    )
    model = build_dqn(tiny, settings, Network(width=8, prior_weight=0), seed=0)
    rates = {}
    explore = model.explore

    def record(observations):
        rates[model.num_timesteps] = model.exploration_rate
        return explore(observations)

    model.explore = record
    model.learn(800)
    assert [rates[steps] for steps in (0, 200, 400, 796)] == pytest.approx([0.4, 0.2, 0.0, 0.0], abs=1e-6)


def test_what_was_learned_is_exported_like_any_network(tiny, tmp_path):
    model = disturbed_model(tiny, Qrdqn(**SMALL))
    parity = export_policy(model.policy.scorer_network, tiny, tmp_path / "policy.onnx", parity_states=200)
    assert parity.is_in_loop
    assert parity.states == 200


def test_the_page_has_every_key_and_its_default():
    page = (Path(__file__).resolve().parents[2] / "docs" / "value_learning.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE)
    stated = {key: yaml.safe_load(default.strip().replace(",", "")) for key, default in rows}
    assert stated == {key: field.default for key, field in Qrdqn.model_fields.items()}
    assert list(stated)[:-1] == list(Dqn.model_fields)
