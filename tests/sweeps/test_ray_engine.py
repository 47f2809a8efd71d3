"""Trials on Ray, with a cluster of two nodes on this machine; outside continuous integration, which has no Ray."""

import json
import os
import threading
import time
from pathlib import Path

import fake_trial
import pytest

ray = pytest.importorskip("ray", reason="the extra `sweep` is not installed")

from ray.cluster_utils import Cluster  # noqa: E402 (it is there only with Ray)

from envs.errors import ConfigurationError  # noqa: E402
from experiments.sweeps import ray_engine  # noqa: E402
from experiments.sweeps.trial_process import LOGS_FOLDER, TrialEnd, Work, address_of  # noqa: E402
from experiments.sweeps.trials import Trial, read_outcome  # noqa: E402

pytestmark = pytest.mark.slow

HERE = Path(__file__).resolve().parent


@pytest.fixture(autouse=True)
def path_of_the_nodes(monkeypatch):
    """Let the nodes find what a real one has installed, and the trial of these tests."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parents[1])]))


def trial(seed: int) -> Trial:
    return Trial(f"tiny-policy_search-seed{seed}", "tiny", "tiny", "policy_search", seed, (), ())


def order(folder: Path, orders: dict[int, dict]) -> None:
    (folder / "orders.json").write_text(json.dumps({trial(seed).name: what for seed, what in orders.items()}))


def start(folder: Path, *trials: Trial, **options):
    (folder / "sweep" / LOGS_FOLDER).mkdir(parents=True)
    stated = {"address": None, "workers": 2, "threads": 1, "retries": 2, "on_start": lambda _: None}
    return ray_engine.run_on_ray(Work(address_of(fake_trial.train), folder / "sweep"), trials, **(stated | options))


def costs(ends: list[TrialEnd]) -> dict[int, float | None]:
    return {end.trial.seed: None if end.outcome is None else end.outcome.cost_usd for end in ends}


@pytest.fixture
def cluster():
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


def test_trials_of_this_machine_are_tried_again_and_fail_as_elsewhere(tmp_path):
    order(tmp_path, {1: {"die": 1}, 2: {"raise": 9}, 3: {"refuse": 9}})
    ends = {end.trial.seed: end for end in start(tmp_path, *map(trial, range(4)))}
    assert costs(list(ends.values())) == {0: 80.0, 1: 81.0, 2: None, 3: None}
    assert ends[2].problem == "exit code 1; its log ends: RuntimeError: out of luck"
    assert ends[3].problem == "exit code 2; its log ends: error: training.steps = -1: must be >= 0"
    attempts = [len(fake_trial.read_attempts(tmp_path / "sweep" / trial(seed).name)) for seed in range(4)]
    assert attempts == [1, 2, 3, 1]
    assert not (tmp_path / "sweep" / ray_engine.TOKEN_FILE).exists()


def test_without_a_shared_file_system_the_files_come_back(monkeypatch, tmp_path, cluster):
    monkeypatch.setattr(ray_engine, "TOKEN_FILE", "driver-elsewhere")  # as if no node saw what the driver wrote
    order(tmp_path, {})
    ends = list(start(tmp_path, trial(0), trial(1), address=cluster.address))
    assert costs(ends) == {0: 80.0, 1: 81.0}
    for seed in (0, 1):
        folder = tmp_path / "sweep" / trial(seed).name
        assert read_outcome(folder).cost_usd == 80.0 + seed
        assert (folder / "checkpoint").read_text() == "3"
        assert (tmp_path / "sweep" / LOGS_FOLDER / f"{trial(seed).name}.log").read_text() == "attempt 1\n"


def test_when_a_node_dies_no_finished_trial_is_lost_and_the_others_are_finished(tmp_path, cluster):
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    order(tmp_path, {seed: {"sleep_s": 2.0} for seed in range(6)})
    finished: list[set[str]] = []

    def kill_second_node() -> None:
        """Kill the node when some trials are finished and both nodes are at work."""
        while True:
            begun, ended = (
                {file.parent.name for file in tmp_path.glob(f"sweep/*/{name}")}
                for name in ("attempts.log", "trial.json")
            )
            if len(ended) >= 2 and len(begun - ended) == 2:
                finished.append(ended)
                cluster.remove_node(second, allow_graceful=False)
                return
            time.sleep(0.05)

    killer = threading.Thread(target=kill_second_node, daemon=True)
    killer.start()
    ends = list(start(tmp_path, *map(trial, range(6)), address=cluster.address))
    killer.join(30.0)
    assert costs(ends) == {seed: 80.0 + seed for seed in range(6)}
    attempts = {trial(seed).name: fake_trial.read_attempts(tmp_path / "sweep" / trial(seed).name) for seed in range(6)}
    assert all(len(attempts[name]) == 1 for name in finished[0])
    # What the dead node had begun goes on where the checkpoint is.
    assert [step for found in attempts.values() if len(found) == 2 for _, step in found] == [0, 2]


def test_mistakes_of_address_and_threads_are_named(tmp_path, cluster):
    with pytest.raises(ConfigurationError, match=r"threads = 9: must be <= 1, the processors"):
        next(start(tmp_path / "a", trial(0), address=cluster.address, threads=9))
    with pytest.raises(ConfigurationError, match=r"--address 127\.0\.0\.1:1: no Ray cluster answers"):
        next(start(tmp_path / "b", trial(0), address="127.0.0.1:1"))
