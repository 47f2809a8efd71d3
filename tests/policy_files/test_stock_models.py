"""Models of Stable-Baselines3 as participants: what they choose, what is refused, and that loading one needs trust."""

import base64
import json
import pickle
import sys
import zipfile
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from sb3_contrib import QRDQN, MaskablePPO, RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.policies import MultiInputActorCriticPolicy

from agents.catalog import load_policy, locate_policy
from agents.learning.sb3_policy import load_model
from agents.network_policy import random_states
from agents.policy import StochasticPolicy
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario
from envs.wrappers.scaled_observation import ScaledObservation, flatten_scaled
from experiments.cli import main as cli
from experiments.comparison.evaluate import evaluate

ID = "envs:BlendedCenter-v0"
STEPS = 64
ON_POLICY = {"n_steps": STEPS, "device": "cpu"}
OFF_POLICY = {"learning_starts": 8, "train_freq": STEPS, "buffer_size": 200, "batch_size": 8, "device": "cpu"}
SETTINGS = {PPO: ON_POLICY, A2C: ON_POLICY, MaskablePPO: ON_POLICY, DQN: OFF_POLICY, QRDQN: OFF_POLICY}
WITH_PROBABILITIES = (PPO, A2C, MaskablePPO)


class OwnPolicy(MultiInputActorCriticPolicy):
    """A policy class whose module tells nobody which algorithm it serves."""


@pytest.fixture(scope="module")
def tiny():
    return load_scenario("tiny")


@pytest.fixture(scope="module")
def states(tiny):
    """Half of the actions are open in these, so a model that knows no mask takes a closed one every other time."""
    return random_states(tiny, 200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module", params=SETTINGS, ids=lambda algorithm: algorithm.__name__)
def trained(request, folder):
    """A model of each algorithm, trained in `tiny` for 192 steps, and its file."""
    model = request.param("MultiInputPolicy", gymnasium.make(ID, scenario="tiny"), seed=1, **SETTINGS[request.param])
    model.learn(3 * STEPS)
    file = folder / f"{request.param.__name__}.zip"
    model.save(file)
    return model, file


@pytest.fixture(scope="module")
def ppo_file(folder):
    file = folder / "untrained.zip"
    PPO("MultiInputPolicy", gymnasium.make(ID, scenario="tiny"), **ON_POLICY).save(file)
    return file


def load(file, scenario, algorithm=""):
    return load_policy(f"sb3:{algorithm}{file}", scenario, load_stock=load_model).policy


def test_a_model_chooses_what_stable_baselines3_does_and_an_open_action_where_that_is_closed(trained, tiny, states):
    model, file = trained
    policy = load(file, tiny)
    mask = states["action_mask"]
    rows = np.arange(len(mask))
    found = policy.predict(states)
    assert found.dtype == np.int64
    assert mask[rows, found].all()
    masks = {"action_masks": mask} if isinstance(model, MaskablePPO) else {}
    own, _ = model.predict(states, deterministic=True, **masks)
    is_open = mask[rows, own] != 0
    assert is_open.any()
    assert is_open.all() == isinstance(model, MaskablePPO)
    np.testing.assert_array_equal(found[is_open], own[is_open])


def test_probabilities_are_those_of_the_open_actions(trained, tiny, states):
    model, file = trained
    policy = load(file, tiny)
    assert isinstance(policy, StochasticPolicy) == isinstance(model, WITH_PROBABILITIES)
    if not isinstance(model, WITH_PROBABILITIES):
        with pytest.raises(ConfigurationError, match="has no probabilities to sample from"):
            policy.predict(states, deterministic=False)
        return
    found = policy.action_probabilities(states)
    tensors, _ = model.policy.obs_to_tensor(states)
    whole = model.policy.get_distribution(tensors).distribution.probs.detach().numpy() * states["action_mask"]
    np.testing.assert_allclose(found, whole / whole.sum(axis=1, keepdims=True), atol=1e-5)
    one = {key: np.repeat(values[:1], 20_000, axis=0) for key, values in states.items()}
    policy.seed(3)
    sampled = policy.predict(one, deterministic=False)
    # 20,000 draws: a share's standard deviation is at most sqrt(1/4 / 20,000) = 0.0035, and 0.015 more than four of it.
    np.testing.assert_allclose(np.bincount(sampled, minlength=found.shape[1]) / 20_000, found[0], atol=0.015)
    policy.seed(3)
    np.testing.assert_array_equal(policy.predict(one, deterministic=False), sampled)


def test_evaluate_plays_a_model_with_its_digest(trained, tiny):
    model, file = trained
    result = evaluate(f"mine=sb3:{file}", "tiny", episodes=3, seed=2, load_stock=load_model)
    assert (result["policy"], result["mode"]) == ("mine", "greedy")
    assert result["metrics"]["total_cost_usd"]["mean"] > 0
    assert Path(result["data"]["policy mine"]["file"]).name == file.name
    sampled = {"scenario": "tiny", "episodes": 3, "seed": 2, "mode": "sampled", "load_stock": load_model}
    if isinstance(model, WITH_PROBABILITIES):
        first, second = (evaluate(f"sb3:{file}", **sampled)["metrics"] for _ in range(2))
        assert first == second
    else:
        with pytest.raises(ConfigurationError, match="mode must be greedy"):
            evaluate(f"sb3:{file}", **sampled)


@pytest.mark.parametrize("algorithm", [MaskablePPO, DQN], ids=lambda algorithm: algorithm.__name__)
def test_a_model_of_the_flat_observation_is_shown_that(algorithm, tiny, states, tmp_path):
    env = ScaledObservation(gymnasium.make(ID, scenario="tiny"))
    model = algorithm("MlpPolicy", env, **SETTINGS[algorithm])
    model.save(tmp_path / "flat.zip")
    flat = flatten_scaled(states, env.get_wrapper_attr("observation_fields"))
    masks = {"action_masks": states["action_mask"]} if algorithm is MaskablePPO else {}
    own, _ = model.predict(flat, deterministic=True, **masks)
    found = load(tmp_path / "flat.zip", tiny).predict(states)
    is_open = states["action_mask"][np.arange(len(own)), own] != 0
    np.testing.assert_array_equal(found[is_open], own[is_open])


def test_loading_starts_no_generator_anew(ppo_file, tiny):
    np.random.seed(5)  # noqa: NPY002 - the generator that SB3's set_random_seed would start anew
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    load(ppo_file, tiny)
    assert np.random.rand() == expected  # noqa: NPY002


def test_a_policy_class_of_ones_own_needs_the_algorithms_name(tiny, states, tmp_path):
    file = tmp_path / "own.zip"
    PPO(OwnPolicy, gymnasium.make(ID, scenario="tiny"), **ON_POLICY).save(file)
    with pytest.raises(ConfigurationError, match=r"does not tell the algorithm: name it, as in sb3:PPO:own\.zip"):
        load(file, tiny)
    actions = load(file, tiny, "PPO:").predict(states)
    assert states["action_mask"][np.arange(len(actions)), actions].all()


def test_a_recurrent_model_is_refused(tiny, tmp_path):
    file = tmp_path / "recurrent.zip"
    RecurrentPPO("MultiInputLstmPolicy", gymnasium.make(ID, scenario="tiny"), n_steps=STEPS, device="cpu").save(file)
    with pytest.raises(
        ConfigurationError, match="a model of 'RecurrentPPO': must be of PPO, A2C, DQN, MaskablePPO, QRDQN"
    ):
        load(file, tiny)


@pytest.mark.parametrize("scenario", ["bank", "certify_interrupt"])
def test_a_model_of_another_scenario_is_refused(ppo_file, scenario):
    with pytest.raises(ConfigurationError, match=rf"made for .*: must be .* of scenario {scenario}"):
        load(ppo_file, load_scenario(scenario))


def test_a_model_of_another_observation_is_refused(tiny, tmp_path):
    env = gymnasium.wrappers.FlattenObservation(gymnasium.make(ID, scenario="tiny"))
    PPO("MlpPolicy", env, **ON_POLICY).save(tmp_path / "flattened.zip")
    with pytest.raises(ConfigurationError, match="made for the observation Box"):
        load(tmp_path / "flattened.zip", tiny)


@pytest.mark.parametrize(
    ("algorithm", "message"),
    [("DQN:", "cannot be loaded as DQN"), ("SAC:", "a model of 'SAC': must be of PPO, A2C, DQN, MaskablePPO, QRDQN")],
)
def test_another_algorithm_than_that_of_the_file(ppo_file, tiny, algorithm, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        load(ppo_file, tiny, algorithm)
    assert "\n" not in str(caught.value)


class Touch:
    """Unpickled, it makes a file: code that a file of a model holds."""

    def __init__(self, file):
        self.file = str(file)

    def __reduce__(self):
        return Path.touch, (Path(self.file),)


def write_hostile(file: Path, made: Path) -> None:
    """Write a zip that looks like a model of PPO, and makes the file `made` when it is loaded."""
    text = base64.b64encode(pickle.dumps(Touch(made))).decode()
    policy_class = {":serialized:": text, "__module__": "stable_baselines3.common.policies"}
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data", json.dumps({"policy_class": policy_class, "clip_range": 0.2}))


def run(monkeypatch, capsys, *arguments):
    """Return exit code and standard error of a command, as one line."""
    monkeypatch.setattr(sys, "argv", ["blended", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return caught.value.code, capsys.readouterr().err


def test_nothing_of_a_model_is_run_without_trust(tmp_path, monkeypatch, capsys):
    file, made = tmp_path / "hostile.zip", tmp_path / "made"
    write_hostile(file, made)
    for command in (
        ("evaluate", f"sb3:{file}", "--scenario", "tiny"),
        ("benchmark", "tiny", "--policies", f"sb3:{file}"),
    ):
        code, said = run(monkeypatch, capsys, *command)
        assert code == 2
        assert "only with --trust: loading it runs code that its file holds" in said
        assert said.count("\n") == 1
        assert not made.exists()
    code, said = run(monkeypatch, capsys, "evaluate", f"sb3:{file}", "--scenario", "tiny", "--trust")
    assert code == 2
    assert "cannot be loaded as PPO" in said
    assert made.exists()  # that is what the option is about


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a model that Stable-Baselines3 saved"),
        (b"a text\n", "not a model that Stable-Baselines3 saved"),
        (pickle.dumps(Touch("made")), "not a model that Stable-Baselines3 saved"),
        (None, "no such file"),
        ("truncated", "not a model that Stable-Baselines3 saved"),
        ("foreign", "not a model that Stable-Baselines3 saved"),
        ("odd module", "which does not tell the algorithm: name it"),
        ("weights damaged", "cannot be loaded as PPO"),
        ("folder", "a folder: must be a FILE.zip"),
    ],
    ids=str,
)
def test_damaged_and_foreign_models(content, message, ppo_file, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "model.zip"
    if content == "truncated":
        file.write_bytes(ppo_file.read_bytes()[:-100])
    elif content == "foreign":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("data.csv", "1,2")
    elif content == "odd module":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("data", '{"policy_class": {"__module__": []}}')
    elif content == "weights damaged":
        with zipfile.ZipFile(ppo_file) as whole, zipfile.ZipFile(file, "w") as archive:
            for name in whole.namelist():
                archive.writestr(name, whole.read(name)[: 1000 if name == "policy.pth" else None])
    elif content == "folder":
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=message) as caught:
        load(file, tiny)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "made").exists()


def test_a_benchmark_compares_a_model_with_the_rules(ppo_file, tmp_path, monkeypatch, capsys):
    json_file = tmp_path / "found.json"
    policies = f"mine=sb3:{ppo_file},sb3:PPO:{ppo_file},fifo"
    options = ["--episodes", "2", "--bound", "0", "--json", str(json_file), "--trust"]
    monkeypatch.setattr(sys, "argv", ["blended", "benchmark", "tiny", "--policies", policies, *options])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code, capsys.readouterr().err
    found = json.loads(json_file.read_text())["scenarios"]["tiny"]["policies"]
    assert list(found) == ["mine", f"sb3:PPO:{ppo_file}", "fifo"]
    assert found["mine"] == found[f"sb3:PPO:{ppo_file}"]


def test_a_zip_without_the_prefix_is_told_of_it(tiny):
    with pytest.raises(ConfigurationError, match=r"a model of Stable-Baselines3 is sb3:model\.zip"):
        load_policy("model.zip", tiny)


@pytest.mark.parametrize(
    ("text", "located"),
    [
        ("sb3:model.zip", "sb3:model.zip=sb3:/runs/model.zip"),
        ("sb3:DQN:deep/model.zip", "sb3:DQN:model.zip=sb3:DQN:/runs/deep/model.zip"),
        ("mine=sb3:model.zip", "mine=sb3:/runs/model.zip"),
        ("sb3:/other/model.zip", "sb3:/other/model.zip"),
    ],
)
def test_a_path_in_a_file_begins_in_the_folder_of_that_file(text, located):
    assert locate_policy(text, Path("/runs")) == located
