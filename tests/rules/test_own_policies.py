"""Policies of a user's own: where they are found, what they are handed, and that whatever they do is one message."""

import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from agents.catalog import NamedPolicy, load_policy, locate_policy
from agents.checked_policy import CheckedPolicy
from agents.episodes import Episodes
from envs.center import BlendedCenter
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario
from envs.vector_center import BlendedCenterVector
from experiments.cli import main as cli
from experiments.comparison.comparison import run_benchmark
from experiments.records.recorder import RecordFolder

FIRST_OPEN = """
class Policy:
    who = {who!r}
    def predict(self, observations, deterministic=True):
        return observations["action_mask"].argmax(axis=1)
"""

SHAPES = """
class Base:
    def answer(self, observations):
        return observations["action_mask"].argmax(axis=1)

class WithState(Base):
    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        assert state is None and episode_start is None and deterministic is True
        return self.answer(observation), state

class WithoutFlag(Base):
    def predict(self, observations):
        return self.answer(observations)

class OnlyByName(Base):
    def predict(self, observations, *, deterministic):
        return self.answer(observations)

class AnyKeys(Base):
    def predict(self, observations, **keys):
        assert keys == {"deterministic": True}
        return self.answer(observations)

class Setting(Base):
    def __init__(self, weight=1.0):
        assert weight == 1.0
    def predict(self, observations, deterministic=True):
        return self.answer(observations)

class Normalises(Base):
    def predict(self, observations, deterministic=True):
        chosen = self.answer(observations)
        for key in observations:
            observations[key] *= 0
        observations.clear()
        return chosen

class Raises(Base):
    def predict(self, observations, deterministic=True):
        return {}["no such key"]

class Leaves(Base):
    def predict(self, observations, deterministic=True):
        raise SystemExit(0)

class Recurrent(Base):
    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return self.answer(observation), (0.0,)

class NeedsMore(Base):
    def predict(self, observations, weights, deterministic=True):
        return self.answer(observations)

class SeedRaises(Base):
    def seed(self, seed):
        raise ValueError("no seeds here")
    def predict(self, observations, deterministic=True):
        return self.answer(observations)

class Silent(Base):
    pass

class Property(Base):
    predict = 3
"""


@pytest.fixture(scope="module")
def tiny():
    return load_scenario("tiny")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Return a folder to work in; what is loaded from it is forgotten afterwards."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def blended(monkeypatch, capsys):
    """Return a function that runs a command as a user does, and returns exit code, output and errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["blended", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return caught.value.code or 0, captured.out, captured.err

    return run


def assert_one_message(err):
    """Nothing but one line may stand on standard error, after what a cold start says of compiling."""
    lines = [line for line in err.splitlines() if not line.startswith("Compiling")]
    assert [line[:7] for line in lines] == ["error: "], err


def write(file, who=""):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(FIRST_OPEN.format(who=who), encoding="utf-8")
    return file


# What a policy may look like.


@pytest.mark.parametrize("name", ["WithState", "WithoutFlag", "OnlyByName", "AnyKeys", "Setting", "Normalises"])
def test_every_usual_form_of_predict_is_played(here, blended, name):
    (here / "shapes.py").write_text(SHAPES)
    code, out, err = blended("evaluate", f"shapes.py:{name}", "--scenario", "tiny", "--episodes", 2)
    assert code == 0, err
    assert "total_cost_usd" in out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Raises", "policy shapes.py:Raises: Raises.predict raised KeyError: 'no such key' (shapes.py:"),
        ("Leaves", "policy shapes.py:Leaves: Leaves.predict raised SystemExit: 0 (shapes.py:"),
        ("Recurrent", "Recurrent.predict returned a state of class tuple beside the actions: must be None"),
        ("NeedsMore", "NeedsMore.predict(observations, weights, deterministic=True): must be callable as predict("),
        ("SeedRaises", "SeedRaises.seed raised ValueError: no seeds here (shapes.py:"),
        ("Silent", "must be a class with predict(observations, deterministic)"),
        ("Property", "must be a class with predict(observations, deterministic)"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "benchmark"])
def test_whatever_a_policy_does_is_one_message(here, blended, command, name, message):
    (here / "shapes.py").write_text(SHAPES)
    policy = f"shapes.py:{name}"
    arguments = (policy, "--scenario", "tiny") if command == "evaluate" else ("tiny", "--policies", f"fifo,{policy}")
    code, out, err = blended(command, *arguments, "--episodes", 2)
    assert (code, out) == (2, "")
    assert message in err
    assert_one_message(err)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = = 1\n", "SyntaxError: invalid syntax (broken.py:1)"),
        ("import no_such_library\n", "ModuleNotFoundError: No module named 'no_such_library' (broken.py:1)"),
        ("\nraise RuntimeError('not\\n today')\n", "RuntimeError: not today (broken.py:2)"),
        ("\nimport sys\nsys.exit('stop')\n", "SystemExit: stop (broken.py:3)"),
        (
            "from agents.networks import Net\n",
            "agents is a package of this project here: import what lies beside a file as in `from .agents.netw",
        ),
        ("def __getattr__(name):\n    raise RuntimeError('lazy')\n", "RuntimeError: lazy (broken.py:2)"),
        ("\xff", "(broken.py:"),
    ],
)
@pytest.mark.parametrize("source", ["broken.py:Policy", "broken:Policy"])
def test_a_module_that_cannot_be_loaded_is_one_message(here, blended, text, message, source):
    (here / "broken.py").write_bytes(text.encode("latin-1"))
    code, out, err = blended("evaluate", source, "--scenario", "tiny")
    assert (code, out) == (2, "")
    assert f"policy = {source!r}: cannot be loaded: " in err
    assert message in err
    assert_one_message(err)


def test_an_object_that_is_no_policy_is_one_message(tiny):
    class Silent:
        """Has no predict."""

    with pytest.raises(ConfigurationError, match=r"policy mine: Silent.predict: no such method"):
        CheckedPolicy("mine", Silent(), [])
    with pytest.raises(ConfigurationError, match="policy = Silent object: must be"):
        run_benchmark(tiny, [Silent()], episodes=2)


# Where it is found.


def who_is(text, scenario):
    return load_policy(text, scenario).policy.who


def test_the_working_folder_comes_first(here, tiny, tmp_path, monkeypatch):
    installed = tmp_path / "installed"
    write(installed / "routing_ideas.py", "installed")
    write(installed / "ideas_package" / "__init__.py", "installed")
    write(installed / "plain_folder" / "__init__.py", "installed")
    monkeypatch.syspath_prepend(installed)
    assert who_is("routing_ideas:Policy", tiny) == "installed"
    for name in ("routing_ideas", "json", "ideas_package"):  # loaded before; in Python's library; a package elsewhere
        write(here / f"{name}.py", "mine")
        assert who_is(f"{name}:Policy", tiny) == "mine"
    write(here / "plain_folder" / "first.py", "without __init__")
    assert who_is("plain_folder.first:Policy", tiny) == "without __init__"
    write(here / "own" / "deep" / "second.py", "deep")
    assert who_is("own.deep.second:Policy", tiny) == "deep"
    import json

    assert json.loads("1") == 1  # nobody else's import changes
    assert sys.path[0] != str(here)


@pytest.mark.parametrize("folder", ["agents", "envs", "experiments", "my policies", "v1.2", "runs/a=b", "2024"])
def test_a_file_is_found_whatever_its_folders_are_called(here, tiny, folder):
    write(here / folder / "my-best.policy.py", folder)
    assert who_is(f"{folder}/my-best.policy.py:Policy", tiny) == folder
    assert who_is(f"{here / folder}/my-best.policy.py:Policy", tiny) == folder
    assert load_policy(f"mine={folder}/my-best.policy.py:Policy", tiny).name == "mine"


def test_a_file_below_a_folder_with_an_equals_sign_is_found_by_a_plain_path(here, tiny):
    write(here / "a=b" / "mine.py", "mine")
    assert who_is("a=b/mine.py:Policy", tiny) == "mine"
    assert locate_policy("a=b/mine.py:Policy", here).endswith("a=b/mine.py:Policy")


@pytest.mark.parametrize("source", [f"{'x' * 300}.py:Policy", f"{'x' * 5000}:Policy"])
def test_a_name_that_no_file_can_have_is_one_message(here, tiny, source):
    with pytest.raises(ConfigurationError, match=r"no such file|no module|must be module:Class"):
        load_policy(source, tiny)


def test_a_hint_inside_a_package_of_our_name_names_the_file_beside(here, blended):
    (here / "agents").mkdir()
    (here / "agents" / "mine.py").write_text("from agents.networks import Net\n")
    _, _, err = blended("evaluate", "agents/mine.py:Policy", "--scenario", "tiny")
    assert "as in `from .networks import`" in err


@pytest.mark.parametrize("package", ["agents", "envs", "experiments"])
@pytest.mark.parametrize("module", ["{}.dqn", "{}"])
def test_a_package_named_as_one_of_ours_is_said_with_the_way_out(here, tiny, blended, package, module):
    file = write(here / package / ("dqn.py" if "." in module else "__init__.py"), "mine")
    text = f"{module.format(package)}:Policy"
    code, _, err = blended("evaluate", text, "--scenario", "tiny")
    way_out = f"{file.relative_to(here)}:Policy"
    assert code == 2
    assert f"{package} is also the name of a package of this project" in err
    assert f"as in {way_out}" in err
    assert_one_message(err)
    assert who_is(way_out, tiny) == "mine"


def test_what_lies_beside_a_file_can_be_imported_and_files_of_one_name_are_kept_apart(here, tiny):
    for folder in ("one", "two", "agents"):
        write(here / folder / "policies.py", "")
        (here / folder / "helping.py").write_text(f"NAME = {folder!r}\n")
        text = "import helping\n" + FIRST_OPEN.replace("{who!r}", "helping.NAME")
        (here / folder / "policies.py").write_text(text)
    assert [who_is(f"{folder}/policies.py:Policy", tiny) for folder in ("one", "two", "agents")] == [
        "one",
        "two",
        "agents",
    ]
    # As part of a package: with dots, also to the packages above.
    (here / "agents" / "__init__.py").write_text("")
    (here / "agents" / "deep").mkdir()
    (here / "agents" / "deep" / "__init__.py").write_text("")
    (here / "agents" / "deep" / "dotted.py").write_text(
        "from ..helping import NAME\nfrom .near import NEAR\n" + FIRST_OPEN.replace("{who!r}", "NAME + NEAR")
    )
    (here / "agents" / "deep" / "near.py").write_text("NEAR = '!'\n")
    assert who_is("agents/deep/dotted.py:Policy", tiny) == "agents!"


def test_a_file_that_was_edited_is_read_again(here, tiny):
    write(here / "mine.py", "before")
    assert who_is("mine.py:Policy", tiny) == "before"
    write(here / "mine.py", "after")
    assert who_is("mine.py:Policy", tiny) == "after"


def test_an_import_inside_a_method_is_found_too(here, tiny):
    (here / "folder").mkdir()
    (here / "folder" / "late_helper.py").write_text("def first(mask):\n    return mask.argmax(axis=1)\n")
    (here / "folder" / "late.py").write_text(
        "class Policy:\n    def predict(self, observations):\n        from late_helper import first\n\n"
        "        return first(observations['action_mask'])\n"
    )
    named = load_policy("folder/late.py:Policy", tiny)
    assert len(Episodes(tiny, 1).play(named.policy, np.arange(2))) == 2


# What it is handed.


class Scribbler:
    """Takes the first open action, and writes over all that it is handed."""

    def __init__(self, scenario):
        self.scenario = scenario

    def _scribble(self, observations):
        for key in observations:
            observations[key][...] = 1
        observations.clear()

    def predict(self, observations, deterministic=True):
        chosen = observations["action_mask"].argmax(axis=1)
        self._scribble(observations)
        return chosen

    def action_probabilities(self, observations):
        mask = observations["action_mask"] > 0
        self._scribble(observations)
        return mask / mask.sum(axis=1, keepdims=True)


class Honest(Scribbler):
    """The same without writing."""

    def _scribble(self, observations):
        pass


def test_a_policy_that_writes_over_what_it_is_handed_changes_no_result_and_no_record(tiny, tmp_path, here):
    (here / "spoil.py").write_text(
        "class Policy:\n"
        "    def __init__(self, scenario):\n"
        "        for part in (scenario, *scenario.channels, *scenario.groups):\n"
        "            for key, value in vars(part).items():\n"
        "                if isinstance(value, dict):\n"
        "                    value.clear()\n"
        "            part.__dict__['name'] = 'spoiled'\n"
        "    def predict(self, observations):\n"
        "        return observations['action_mask'].argmax(axis=1)\n"
    )
    before = tiny.model_dump_json()
    tables = {}
    costs = {}
    for kind in (Honest, Scribbler):
        records = RecordFolder(tmp_path / kind.__name__)
        line_up = [NamedPolicy("mine", kind(tiny)), "fifo", "spoil.py:Policy"]
        result = run_benchmark(tiny, line_up, episodes=3, records=records)
        found = result.scenarios["tiny"].outcomes
        costs[kind] = {name: outcome.metrics for name, outcome in found.items()}
        files = sorted((tmp_path / kind.__name__).rglob("*.parquet"))
        assert files
        tables[kind] = {
            str(file.relative_to(tmp_path / kind.__name__)): pq.ParquetFile(file).read().to_pydict() for file in files
        }
    np.testing.assert_equal(costs[Scribbler], costs[Honest])
    np.testing.assert_equal(tables[Scribbler], tables[Honest])
    assert tiny.model_dump_json() == before


def test_play_without_a_benchmark_hands_out_copies_too(tiny):
    played = [Episodes(tiny, 5).play(kind(tiny), np.arange(4)) for kind in (Honest, Scribbler)]
    np.testing.assert_equal(played[1], played[0])


@pytest.mark.parametrize("rows", [None, 2])
def test_a_wrapper_that_writes_over_what_the_environment_hands_out_changes_nothing(tiny, rows):
    def play(spoil):
        env = BlendedCenter(tiny) if rows is None else BlendedCenterVector(tiny, num_envs=rows)
        observation, info = env.reset(seed=3)
        trace = []
        for _ in range(12):
            action = info["action_mask"].argmax(axis=-1)
            if spoil:
                for part in (*observation.values(), info["action_mask"]):
                    part[...] = 0
                observation.clear()
                info.clear()
            np.testing.assert_equal(env.action_masks().any(), True)
            observation, reward_usd, terminated, _, info = env.step(action)
            trace.append((reward_usd, *(value.copy() for value in observation.values()), info["action_mask"].copy()))
            if np.all(terminated):
                break
        return trace

    np.testing.assert_equal(play(spoil=True), play(spoil=False))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.ones(3), r"returned shape \(3,\): must be \(2, 3\), one row per observation"),
        (np.full((2, 3), np.nan), "no probabilities: must be >= 0 and <= 1"),
        (np.full((2, 3), -0.5), "no probabilities"),
        ([[1], [2, 3]], "action_probabilities raised ValueError"),
        (None, r"returned shape \(\)"),
    ],
)
def test_probabilities_are_checked(answer, message):
    class Teller(Honest):
        """Tells what it is told to."""

        def action_probabilities(self, observations):
            return answer

    with pytest.raises(ConfigurationError, match=f"policy mine: Teller.action_probabilities.*{message}|{message}"):
        CheckedPolicy("mine", Teller(None), []).action_probabilities({"action_mask": np.ones((2, 3), np.int8)})
