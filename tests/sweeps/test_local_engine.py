"""Trials by processes of this machine: tried again, failed for good, and ended with their parent."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_trial
import pytest

from experiments.sweeps.local_engine import run_locally
from experiments.sweeps.trial_process import LOGS_FOLDER, TrialEnd, TrialProcess, Work, address_of
from experiments.sweeps.trials import Outcome, Trial

HERE = Path(__file__).resolve().parent


def trial(seed: int) -> Trial:
    return Trial(f"tiny-policy_search-seed{seed}", "tiny", "tiny", "policy_search", seed, (), ())


def run(folder: Path, *trials: Trial, orders: dict | None = None, workers: int = 2, retries: int = 2) -> list[TrialEnd]:
    named = {f"tiny-policy_search-seed{seed}": order for seed, order in (orders or {}).items()}
    (folder / "orders.json").write_text(json.dumps(named))
    work = Work(address_of(fake_trial.train), folder / "sweep")
    return list(run_locally(work, trials, workers=workers, retries=retries, on_start=lambda _: None))


def is_alive(process: int) -> bool:
    """Return whether a process runs; one that is gone but for its exit code does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return not state.stdout.strip().startswith("Z") and state.stdout.strip() != ""


def wait_until(holds, seconds: float = 20.0) -> None:
    end_s = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.02)


def costs(ends: list[TrialEnd]) -> dict[int, float | None]:
    return {end.trial.seed: None if end.outcome is None else end.outcome.cost_usd for end in ends}


def test_every_trial_ends_with_its_outcome(tmp_path):
    ends = run(tmp_path, *map(trial, range(3)))
    assert costs(ends) == {0: 80.0, 1: 81.0, 2: 82.0}
    assert all(end.outcome.difference_usd == end.outcome.cost_usd - 100.0 for end in ends)


def test_a_killed_trial_goes_on_from_its_checkpoint(tmp_path):
    (end,) = run(tmp_path, trial(7), orders={7: {"die": 1}})
    assert end.outcome == Outcome(87.0, "fifo", 100.0, end.outcome.wall_s)
    # Killed before its third step, it has two.
    assert [step for _, step in fake_trial.read_attempts(tmp_path / "sweep" / end.trial.name)] == [0, 2]


def test_a_trial_that_dies_too_often_fails_and_the_others_go_on(tmp_path):
    ends = run(tmp_path, *map(trial, range(3)), orders={1: {"die": 9}}, workers=1, retries=2)
    assert costs(ends) == {0: 80.0, 1: None, 2: 82.0}
    failed = ends[1]
    assert failed.problem == "killed by SIGKILL; its log ends: attempt 3"
    assert len(fake_trial.read_attempts(tmp_path / "sweep" / failed.trial.name)) == 3


def test_an_exception_is_tried_again_and_reported_by_the_last_line_of_the_log(tmp_path):
    first, second = run(tmp_path, trial(0), trial(1), orders={0: {"raise": 9}, 1: {"raise": 1}}, workers=1, retries=1)
    assert first.problem == "exit code 1; its log ends: RuntimeError: out of luck"
    assert second.outcome is not None
    log = (tmp_path / "sweep" / LOGS_FOLDER / f"{first.trial.name}.log").read_text()
    assert log.count("Traceback") == 2


def test_a_mistake_of_the_user_is_not_tried_again(tmp_path):
    (end,) = run(tmp_path, trial(0), orders={0: {"refuse": 9}})
    assert end.problem == "exit code 2; its log ends: error: training.steps = -1: must be >= 0"
    assert len(fake_trial.read_attempts(tmp_path / "sweep" / end.trial.name)) == 1


def test_so_many_run_at_a_time_as_there_are_workers(tmp_path):
    started: list[Trial] = []
    (tmp_path / "orders.json").write_text(json.dumps({trial(seed).name: {"sleep_s": 0.3} for seed in range(3)}))
    work = Work(address_of(fake_trial.train), tmp_path / "sweep")
    ends = run_locally(work, [trial(seed) for seed in range(3)], workers=2, retries=0, on_start=started.append)
    next(ends)
    assert len(started) == 2
    assert len(list(ends)) == 2
    assert len(started) == 3


def test_closing_the_engine_ends_what_is_running(tmp_path):
    (tmp_path / "orders.json").write_text(json.dumps({trial(1).name: {"sleep_s": 60}}))
    work = Work(address_of(fake_trial.train), tmp_path / "sweep")
    ends = run_locally(work, [trial(0), trial(1)], workers=2, retries=0, on_start=lambda _: None)
    next(ends)
    attempts = tmp_path / "sweep" / trial(1).name / "attempts.log"
    wait_until(lambda: attempts.exists() and attempts.read_text().endswith("\n"))
    ((process, _),) = fake_trial.read_attempts(attempts.parent)
    assert is_alive(process)
    ends.close()
    assert not is_alive(process)


def test_a_trial_waits_for_an_earlier_attempt_that_is_not_gone_yet(tmp_path):
    logs = tmp_path / "sweep" / LOGS_FOLDER
    logs.mkdir(parents=True)
    with (logs / f"{trial(0).name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = TrialProcess(Work(address_of(fake_trial.train), tmp_path / "sweep"), trial(0))
        time.sleep(1.0)
        assert not process.has_ended()
        assert not (tmp_path / "sweep" / trial(0).name).exists()
    process.wait()
    assert process.end().outcome is not None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_trial_outlives_its_parent(tmp_path, number):
    (tmp_path / "orders.json").write_text(json.dumps({trial(0).name: {"sleep_s": 60}}))
    code = (
        "import sys, pathlib, fake_trial\n"
        "from experiments.sweeps.local_engine import run_locally\n"
        "from experiments.sweeps.trial_process import Work\n"
        "from experiments.sweeps.trials import Trial\n"
        "work = Work('fake_trial:train', pathlib.Path(sys.argv[1]))\n"
        "trial = Trial('tiny-policy_search-seed0', 'tiny', 'tiny', 'policy_search', 0, (), ())\n"
        "list(run_locally(work, [trial], workers=1, retries=0, on_start=print))\n"
    )
    path = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "sweep")],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
    )
    attempts = tmp_path / "sweep" / trial(0).name / "attempts.log"
    try:
        wait_until(lambda: attempts.exists() and attempts.read_text().endswith("\n"))
        ((process, _),) = fake_trial.read_attempts(attempts.parent)
        assert is_alive(process)
    finally:
        parent.send_signal(number)
        parent.wait()
    wait_until(lambda: not is_alive(process), 5.0)
