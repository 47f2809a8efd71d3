"""A training that died goes on as if it never had: the same weights, choice, policy and events, to the last bit."""

import csv
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from faults import TRAININGS, contents, differences, go_on, no_export, run_whole, small_training

from envs.errors import ConfigurationError
from experiments.cli import main as cli
from experiments.training import onnx_export
from experiments.training import train as trainings
from experiments.training.algorithms import policy_search
from experiments.training.run import kept_states
from experiments.training.run.kept_states import KeptStates


class DiedError(BaseException):
    """Stands for SIGKILL in this process: nothing of ours catches it."""


@pytest.fixture(scope="module", autouse=True)
def _no_export():
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(trainings, "export_policy", no_export)
        yield


@pytest.fixture(scope="module", params=sorted(TRAININGS))
def whole(request, tmp_path_factory):
    """An algorithm, and the folder of a training by it that nothing disturbed."""
    return request.param, run_whole(small_training(request.param), tmp_path_factory.mktemp("whole"), "whole")


def die_in(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let this process die in the `number`-th file of a checkpoint, when half of it is written."""
    count = 0
    write_whole = kept_states.write_whole

    def write_half(file: Path, content: bytes) -> None:
        nonlocal count
        count += 1
        if count == number:
            file.with_name(f"{file.name}.draft").write_bytes(content[: len(content) // 2])
            raise DiedError
        write_whole(file, content)

    monkeypatch.setattr(kept_states, "write_whole", write_half)


def died(algorithm: str, parent: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> Path:
    with monkeypatch.context() as patch:
        die_in(patch, number)
        with pytest.raises(DiedError):
            run_whole(small_training(algorithm), parent, "died")
    torch.manual_seed(123)  # another process would have other random numbers
    return parent / "faults" / "died"


@pytest.mark.parametrize("share", [0.0, 0.45, 0.95])
def test_a_training_that_died_while_it_kept_its_state_ends_as_one_that_did_not(whole, share, tmp_path, monkeypatch):
    algorithm, undisturbed = whole
    n_files = 2 * max(int(file.stem) for file in (undisturbed / "state").glob("*.json"))
    folder = died(algorithm, tmp_path, monkeypatch, 1 + int(share * (n_files - 1)))
    assert not trainings.is_finished(folder)
    go_on(folder)
    assert differences(undisturbed, folder) == []
    assert trainings.is_finished(folder)
    assert not list(folder.rglob("*.draft"))


def test_of_several_deaths_the_last_one_counts(whole, tmp_path, monkeypatch):
    algorithm, undisturbed = whole
    folder = died(algorithm, tmp_path, monkeypatch, 5)
    for _ in range(2):
        with monkeypatch.context() as patch:
            die_in(patch, 4)
            with pytest.raises(DiedError):
                go_on(folder)
    go_on(folder)
    assert differences(undisturbed, folder) == []


def test_a_damaged_state_is_named_and_the_one_before_is_taken(whole, tmp_path, monkeypatch):
    algorithm, undisturbed = whole
    folder = died(algorithm, tmp_path, monkeypatch, 9)
    newest = max((folder / "state").glob("*.pt"))
    newest.write_bytes(newest.read_bytes()[:-1])
    said = go_on(folder)
    assert f"{newest}: is not what its manifest says; the checkpoint before it is taken" in said
    assert differences(undisturbed, folder) == []


def test_the_clock_of_the_wall_makes_no_difference(whole, tmp_path, monkeypatch):
    algorithm, undisturbed = whole
    now, calls = time.time, 0

    def jumping() -> float:
        nonlocal calls
        calls += 1
        return now() + (-86_400.0 if calls % 2 else 86_400.0)

    monkeypatch.setattr(time, "time", jumping)
    assert differences(undisturbed, run_whole(small_training(algorithm), tmp_path, "clock")) == []


def test_the_training_of_a_run_folder_gives_the_same_run_again(whole, tmp_path):
    algorithm, undisturbed = whole
    again = trainings.read_run_training(undisturbed)
    assert again == small_training(algorithm)
    assert differences(undisturbed, run_whole(again, tmp_path, "again")) == []


def test_a_finished_training_is_not_gone_on_with(whole):
    with pytest.raises(ConfigurationError, match="this training is finished"):
        trainings.resume(whole[1], device="cpu")


def test_without_any_whole_state_there_is_one_message(whole, tmp_path, monkeypatch):
    folder = died(whole[0], tmp_path, monkeypatch, 9)
    for file in (folder / "state").glob("*.pt"):
        file.write_bytes(b"")
    with pytest.raises(ConfigurationError, match="no checkpoint is whole any more"):
        go_on(folder)


def test_another_scenario_is_refused(whole, tmp_path, monkeypatch):
    folder = died(whole[0], tmp_path, monkeypatch, 5)
    stated = yaml.safe_load((folder / "scenario.yaml").read_text())
    stated["horizon"] = {**stated.get("horizon", {}), "days": 3}
    (folder / "scenario.yaml").write_text(yaml.safe_dump(stated))
    with pytest.raises(ConfigurationError, match="--resume"):
        go_on(folder)


def test_what_no_run_is_and_what_is_said_beside_resume_is_one_message(tmp_path, monkeypatch, capsys):
    def said(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["blended", "train", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        return line

    assert "no training.yaml there, so it is no training run" in said("--resume", tmp_path)
    assert "--resume: must stand alone" in said("bank", "--resume", tmp_path)


@pytest.mark.parametrize("algorithm", ["maskable_ppo", "masked_dqn"])
def test_two_threads_add_gradients_up_in_one_order(algorithm, tmp_path, monkeypatch):
    # In batches of some hundred decisions threads share the sums of a gradient.
    section = {"maskable_ppo": "ppo", "masked_dqn": "dqn"}[algorithm]
    settings = {**TRAININGS[algorithm][section], "batch_size": 1024, "environments": 64}
    changes = {"threads": 2, "steps": 4096, section: settings, "network": {"width": 32, "prior_weight": 4}}
    config = small_training(algorithm, **changes)
    undisturbed = run_whole(config, tmp_path, "whole")
    n_files = 2 * max(int(file.stem) for file in (undisturbed / "state").glob("*.json"))
    with monkeypatch.context() as patch:
        die_in(patch, n_files // 2)
        with pytest.raises(DiedError):
            run_whole(config, tmp_path, "died")
    go_on(tmp_path / "faults" / "died")
    assert differences(undisturbed, tmp_path / "faults" / "died") == []


def test_a_run_that_lives_is_not_gone_on_with(tmp_path, monkeypatch):
    folder = died("policy_search", tmp_path, monkeypatch, 5)
    with (folder / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match="another process is training there"):
            go_on(folder)
    go_on(folder)


def test_a_run_of_before_there_were_states_is_left_alone(tmp_path):
    folder = run_whole(small_training("policy_search"), tmp_path, "whole")
    shutil.rmtree(folder / "state")
    (folder / "finished").unlink()
    before = contents(folder)
    with pytest.raises(ConfigurationError, match="is of an older version, which kept nothing to go on from"):
        go_on(folder)
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["checkpoints/best.pt", "selection.json"])
def test_a_choice_that_was_damaged_is_not_exported(name, tmp_path, monkeypatch):
    def dies(*_: object, **__: object) -> None:
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(trainings, "export_policy", dies)
        with pytest.raises(DiedError):
            run_whole(small_training("policy_search"), tmp_path, "died")
    file = tmp_path / "faults" / "died" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="is no longer what the training wrote, so it cannot be exported"):
        go_on(tmp_path / "faults" / "died")


def test_a_log_of_which_something_is_gone_is_named(tmp_path, monkeypatch):
    folder = died("policy_search", tmp_path, monkeypatch, 9)
    (folder / "search.csv").unlink()
    with pytest.raises(ConfigurationError, match=r"search\.csv: has 0 bytes: must have the \d+ that were written"):
        go_on(folder)


def test_minutes_of_a_search_count_from_its_first_generation_also_after_it_went_on(tmp_path, monkeypatch):
    # Starts that take longer than the search may: they are not its minutes.
    known_starts = policy_search.known_starts

    def slow(scenario):
        time.sleep(1.5)
        return known_starts(scenario)

    monkeypatch.setattr(policy_search, "known_starts", slow)
    search = {**TRAININGS["policy_search"]["adjustment"], "generations": 30, "minutes": 1 / 60}
    with monkeypatch.context() as patch:
        die_in(patch, 9)
        with pytest.raises(DiedError):
            run_whole(small_training("policy_search", adjustment=search), tmp_path, "died")
    go_on(tmp_path / "faults" / "died")
    with (tmp_path / "faults" / "died" / "search.csv").open(newline="") as stream:
        assert int(list(csv.DictReader(stream))[-1]["generation"]) > 8


def test_the_exported_policy_is_the_same_too(tmp_path, monkeypatch):
    monkeypatch.setattr(trainings, "export_policy", onnx_export.export_policy)
    changes = {"benchmark": {"episodes": 4, "policies": ["fifo"]}}
    config = small_training("maskable_ppo", **changes)
    undisturbed = run_whole(config, tmp_path, "whole")
    with monkeypatch.context() as patch:
        die_in(patch, 11)
        with pytest.raises(DiedError):
            run_whole(config, tmp_path, "died")
    go_on(tmp_path / "faults" / "died")
    assert (undisturbed / "policy.onnx").is_file()
    assert differences(undisturbed, tmp_path / "faults" / "died") == []


def test_a_command_that_is_killed_goes_on_with_resume(tmp_path):
    # As a user runs it, by SIGKILL, wherever that falls; with a state after each generation of a long search.
    stated = small_training("policy_search").model_dump(mode="json", exclude_unset=True)
    stated["adjustment"]["generations"] = 4000
    (tmp_path / "long.yaml").write_text(yaml.safe_dump(stated))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "experiments.cli.main", "train", *map(str, arguments)]
        return subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE)

    def wait_for_state(process: subprocess.Popen[str], generation: int) -> Path:
        until = time.monotonic() + 240.0
        while time.monotonic() < until and process.poll() is None:
            for table in tmp_path.glob("runs/long/*/search.csv"):
                with table.open(newline="") as stream:
                    if sum(1 for _ in csv.reader(stream)) > generation:
                        return table.parent
            time.sleep(0.05)
        process.kill()
        raise AssertionError(process.communicate()[1])

    process = start(tmp_path / "long.yaml", "--runs", tmp_path / "runs", "--device", "cpu")
    folder = wait_for_state(process, 4)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert KeptStates(folder).latest(lambda _: None) is not None
    before = len((folder / "search.csv").read_text().splitlines())
    process = start("--resume", folder, "--device", "cpu")
    wait_for_state(process, before + 3)
    process.send_signal(signal.SIGINT)  # and ends with the best so far
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert "Going on with policy_search in tiny" in said
    with (folder / "search.csv").open(newline="") as stream:
        generations = [int(row["generation"]) for row in csv.DictReader(stream)]
    assert generations == list(range(len(generations)))  # none twice, none missing
    assert (folder / "policy.onnx").is_file()
