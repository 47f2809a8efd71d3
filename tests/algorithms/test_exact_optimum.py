"""What value learning reaches where the optimum is known."""

import pytest
import torch
from value_learners import build_dqn

from envs.scenario.scenario import load_scenario
from experiments.optimum.certify import certify
from experiments.training.algorithm_settings import Network, Qrdqn
from experiments.training.onnx_export import export_policy


@pytest.mark.slow
def test_qrdqn_without_a_prior_comes_within_two_per_cent_of_the_optimum(tmp_path):
    torch.set_num_threads(1)
    overrides = ("horizon.days=2",)
    scenario = load_scenario("certify_value", overrides)
    settings = Qrdqn(
        environments=32,
        reward_scale_usd=10.0,
        discount_half_life_h=1.0,
        learning_rate=1e-3,
        exploration_start_frac=0.2,
        exploration_end_frac=0.05,
    )
    model = build_dqn(scenario, settings, Network(width=32, prior_weight=0), seed=0)
    model.learn(100_000)
    file = tmp_path / "policy.onnx"
    export_policy(model.policy.scorer_network, scenario, file, parity_states=200)
    found = certify("certify_value", [f"learned={file}"], overrides=overrides)
    assert found.gap_frac("learned") < 0.02
