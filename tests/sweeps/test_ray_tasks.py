"""What the engine of Ray does by itself, with something in Ray's place that no more than remembers: without Ray."""

import importlib
import sys
import tempfile
import types
from pathlib import Path

import fake_trial
import pytest

from envs.errors import ConfigurationError
from experiments.sweeps.archive import unpack
from experiments.sweeps.trial_process import LOGS_FOLDER, Work, address_of
from experiments.sweeps.trials import Trial, read_outcome

TRIAL = Trial("tiny-policy_search-seed1", "tiny", "tiny", "policy_search", 1, (), ())


class RayInPlace(types.ModuleType):
    """Answers as Ray does to who has joined, or has not joined, a cluster."""

    def __init__(self, is_joined: bool) -> None:
        super().__init__("ray")
        self.exceptions = types.ModuleType("ray.exceptions")
        self.exceptions.RayError = self.exceptions.RayTaskError = RuntimeError
        self.ObjectRef = object
        self.is_joined = is_joined
        self.n_shutdowns = 0

    def is_initialized(self) -> bool:
        return self.is_joined

    def init(self, *arguments, **options) -> None:
        if self.is_joined:
            raise RuntimeError("Maybe you called ray.init twice by accident?")
        self.is_joined = True

    def nodes(self):
        return [{"Alive": True, "Resources": {"CPU": 1.0}}]

    def remote(self, **options):
        return lambda function: function

    def shutdown(self) -> None:
        self.is_joined = False
        self.n_shutdowns += 1


@pytest.fixture
def engine(monkeypatch, tmp_path):
    """Return a function that loads the engine with such a Ray, joined or not, and returns both."""
    scratch = tmp_path / "temporary"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    def load(is_joined: bool = False):
        ray = RayInPlace(is_joined)
        monkeypatch.setitem(sys.modules, "ray", ray)
        monkeypatch.setitem(sys.modules, "ray.exceptions", ray.exceptions)
        monkeypatch.delitem(sys.modules, "experiments.sweeps.ray_engine", raising=False)
        return importlib.import_module("experiments.sweeps.ray_engine"), ray

    yield load
    sys.modules.pop("experiments.sweeps.ray_engine", None)  # it has the Ray of these tests


def start(engine, folder: Path, **options):
    (folder / LOGS_FOLDER).mkdir(parents=True)
    stated = {"address": None, "workers": 1, "threads": 1, "retries": 0, "on_start": lambda _: None}
    return list(engine.run_on_ray(Work(address_of(fake_trial.train), folder), [], **(stated | options)))


def test_a_node_keeps_nothing_of_a_finished_trial(engine, tmp_path):
    loaded, _ = engine()
    (tmp_path / "sweep" / LOGS_FOLDER).mkdir(parents=True)
    packed = loaded.run_trial(Work(address_of(fake_trial.train), tmp_path / "sweep"), TRIAL, "0123")
    assert list((tmp_path / "temporary").iterdir()) == []
    unpack(packed, tmp_path / "sweep", TRIAL.name)
    assert read_outcome(tmp_path / "sweep" / TRIAL.name).cost_usd == 81.0
    assert (tmp_path / "sweep" / LOGS_FOLDER / f"{TRIAL.name}.log").read_text() == "attempt 1\n"


@pytest.mark.parametrize(
    ("order", "error", "left"), [("refuse", "TrialRefusedError", 0), ("raise", "TrialDiedError", 1)]
)
def test_of_a_trial_that_failed_a_node_keeps_what_another_attempt_goes_on_with(engine, tmp_path, order, error, left):
    loaded, _ = engine()
    work = Work(f"fake_trial:train_{order}", tmp_path / "sweep")
    with pytest.raises(getattr(loaded, error)):
        loaded.run_trial(work, TRIAL, "0123")
    assert len(list((tmp_path / "temporary").iterdir())) == left
    if left:
        packed = loaded.run_trial(work._replace(function=address_of(fake_trial.train)), TRIAL, "0123")
        (tmp_path / "sweep" / LOGS_FOLDER).mkdir(parents=True)
        unpack(packed, tmp_path / "sweep", TRIAL.name)
        assert [step for _, step in fake_trial.read_attempts(tmp_path / "sweep" / TRIAL.name)] == [0, 2]
        assert list((tmp_path / "temporary").iterdir()) == []


def test_the_engine_leaves_what_it_has_joined_and_nothing_else(engine, tmp_path):
    loaded, ray = engine()
    assert start(loaded, tmp_path / "one") == []
    assert (ray.is_joined, ray.n_shutdowns) == (False, 1)
    with pytest.raises(ConfigurationError, match=r"threads = 2: must be <= 1"):
        start(loaded, tmp_path / "two", threads=2)
    assert not ray.is_joined
    loaded, ray = engine(is_joined=True)
    with pytest.raises(ConfigurationError, match="has joined a Ray already"):
        start(loaded, tmp_path / "three")
    assert ray.n_shutdowns == 0
