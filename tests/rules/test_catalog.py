"""The catalog: names, files and the user's own classes."""

import re
import sys

import numpy as np
import pytest
import torch

from agents.catalog import fitting_baselines, load_policy
from agents.checked_policy import CheckedPolicy
from agents.rules.compiled.choice import BASELINES
from agents.rules.registry import RULE_NAMES, default_rule
from agents.rules.rule_policy import RulePolicy
from envs.configuration.document import REPOSITORY_FOLDER
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario

OWN = """
import numpy as np

class WithScenario:
    def __init__(self, scenario):
        self.scenario = scenario
    def predict(self, observations, deterministic=True):
        return observations["action_mask"].argmax(axis=1)

class WithoutArguments:
    def predict(self, observations, deterministic=True):
        return observations["action_mask"].argmax(axis=1)

class NeedsMore:
    def __init__(self, scenario, weights):
        pass
    def predict(self, observations, deterministic=True):
        return None

class NoPolicy:
    pass

class Broken:
    def __init__(self):
        raise ZeroDivisionError
    def predict(self, observations, deterministic=True):
        return None
"""


@pytest.fixture(scope="module")
def tiny():
    return load_scenario("tiny")


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "own_policies.py").write_text(OWN)
    (tmp_path / "own_needs.py").write_text("import no_such_package_at_all\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield "own_policies"
    sys.modules.pop("own_policies", None)


def test_every_baseline_by_its_name():
    bank = load_scenario("bank")
    for name in BASELINES:
        found = load_policy(name, bank)
        assert found.name == name
        assert found.deterministic
        assert isinstance(found.policy, RulePolicy)
        assert found.policy.name == name


@pytest.mark.parametrize("name", RULE_NAMES)
def test_every_rule_by_its_name_and_on_its_page(name):
    assert default_rule(name).rule == name
    page = (REPOSITORY_FOLDER / "docs" / "policies.md").read_text(encoding="utf-8")
    assert re.search(rf"^(\| .*|#+ .*|\* .*)`{name}`", page, re.MULTILINE), "docs/policies.md has no row for it"


def test_a_policy_may_have_another_name(tiny):
    found = load_policy("old = fifo", tiny)
    assert found.name == "old"
    assert found.policy.name == "fifo"


def test_fitting_baselines(tiny):
    assert fitting_baselines(load_scenario("bank")) == BASELINES
    homeless = load_scenario(
        "bank",
        ("groups=[{name: all, count: 9, skills: [voice, email, service_request, voicemail, callback]}]",),
    )
    assert fitting_baselines(homeless) == tuple(name for name in BASELINES if name != "silo")


def test_own_classes_with_and_without_the_scenario(tiny, own_module):
    with_scenario = load_policy(f"{own_module}:WithScenario", tiny)
    assert with_scenario.name == f"{own_module}:WithScenario"
    assert with_scenario.policy.scenario == tiny
    assert with_scenario.policy.scenario is not tiny  # a copy, which nobody else sees
    assert load_policy(f"mine={own_module}:WithoutArguments", tiny).name == "mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fifoo", "did you mean 'fifo'?"),
        ("quantum", "known: fifo, voice_first"),
        ("", "must be a rule's name"),
        ("x=", "must be a rule's name"),
        ("no/such/file.onnx", "no/such/file.onnx: no such file"),
        ("runs/lr=0.1/policy.onnx", "runs/lr=0.1/policy.onnx: no such file"),
        ("no_such_module:Class", "no module 'no_such_module'"),
        (".relative:Class", "must be module:Class or FILE.py:Class"),
        (":Class", "must be module:Class or FILE.py:Class"),
        ("own_policies:", "must be module:Class or FILE.py:Class"),
        ("no/such/file.py:Class", "no/such/file.py: no such file"),
        ("own_policies.py:WithScenari", "did you mean 'WithScenario'?"),
        ("own_policies:WithScenari", "did you mean 'WithScenario'?"),
        ("own_policies:NoPolicy", "must be a class with predict"),
        ("own_policies:np", "must be a class with predict"),
        ("own_policies:NeedsMore", "is NeedsMore(scenario, weights)"),
    ],
)
def test_mistakes(tiny, own_module, text, message):
    with pytest.raises(ConfigurationError) as caught:
        load_policy(text, tiny)
    assert message in str(caught.value)


def test_errors_inside_the_users_code_are_one_message_with_their_line_and_are_kept_as_the_cause(tiny, own_module):
    line = 1 + OWN.splitlines().index("        raise ZeroDivisionError")
    with pytest.raises(ConfigurationError, match=rf"Broken'.*: ZeroDivisionError \(own_policies.py:{line}\)") as caught:
        load_policy(f"{own_module}:Broken", tiny)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(ConfigurationError, match=r"no_such_package_at_all' \(own_needs.py:1\)"):
        load_policy("own_needs:Class", tiny)


def test_a_file_that_is_no_policy(tiny, tmp_path):
    file = tmp_path / "text.onnx"
    file.write_text("not a graph")
    with pytest.raises(ConfigurationError, match="not an ONNX file"):
        load_policy(str(file), tiny)


class Constant:
    """Answers always the same."""

    def __init__(self, answer):
        self.answer = answer

    def predict(self, observations, deterministic=True):
        return self.answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.array([1, 2]), "returned action 2 (resume), which is masked; open were: wait, serve"),
        (np.array([1, 3]), "returned action 3: must be >= 0 and < 3"),
        (np.array([-1, 0]), "returned action -1"),
        (np.array([1]), r"returned shape (1,) of int64: must be whole numbers of shape (2,)"),
        (np.array([1.0, 0.0]), "of float64: must be whole numbers"),
        (np.array([0.5, 0.0]), "of float64 (such as 0.5): must be whole numbers"),
        (np.array([np.nan, 0.0]), "of float64 (such as nan): must be whole numbers"),
        (np.array([1e300, 0.0]), "of float64: must be whole numbers"),
        (np.array([True, False]), "shape (2,) of bool"),
        (np.array([2**64 - 1, 0], np.uint64), "returned action 18446744073709551615: must be >= 0 and < 3"),
        (np.array([[1], [0]]), "shape (2, 1) of int64: must be whole numbers of shape (2,)"),
        (np.zeros((2, 0), int), "shape (2, 0)"),
        (np.array([], int), "shape (0,)"),
        (1, "shape () of int64"),
        (None, "returned None: must be whole numbers of shape (2,), one action per observation"),
        ("serve", "returned str: must be"),
        ({"actions": [1, 0]}, "returned dict: must be"),
        ([[1], [0, 1]], "returned list of length 2: must be"),
        ([None, 1], "returned list of length 2: must be"),
        (["wait", "serve"], "of <U5: must be"),
        ((number for number in (1, 0)), "returned generator: must be"),
        ((np.array([1, 0]), np.zeros(3)), "returned a state of class ndarray beside the actions: must be None"),
        ((np.array([1, 0]), None, None), "returned tuple of length 3: must be"),
        ((None, None), "returned tuple of length 2: must be"),
        (torch.tensor([1.5, 0.0], requires_grad=True), "returned Tensor: must be"),
        (torch.tensor([0.5, 0.0]), "of float32 (such as 0.5)"),
    ],
)
def test_answers_are_checked(answer, message):
    policy = CheckedPolicy("mine", Constant(answer), ["wait", "serve", "resume"])
    with pytest.raises(ConfigurationError) as caught:
        policy.predict({"action_mask": np.array([[1, 1, 1], [1, 1, 0]], np.int8)})
    assert message in str(caught.value)
    assert "policy mine" in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        [1, 0],
        (1, 0),
        np.array([1, 0], np.uint8),
        torch.tensor([1, 0]),
        (np.array([1, 0]), None),
        (torch.tensor([1, 0]), None),
        ([1, 0], None),
    ],
    ids=repr,
)
def test_good_answers_pass(answer):
    policy = CheckedPolicy("mine", Constant(answer), ["wait", "serve", "resume"])
    actions = policy.predict({"action_mask": np.array([[1, 1, 0], [1, 0, 0]], np.int8)})
    assert actions.tolist() == [1, 0]
    assert actions.dtype == np.int64
