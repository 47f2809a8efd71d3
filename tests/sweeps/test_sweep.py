"""A whole sweep: its table, also after a kill; what it refuses; and the command as a user gives it."""

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_trial
import pytest
import yaml

from experiments.cli import main as cli
from experiments.sweeps import trial as trials
from experiments.sweeps.sweep_folder import LOCK_FILE, SWEEP_FILE

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SMALL = {"scenarios": ["tiny", "certify_value"], "algorithms": ["policy_search", "maskable_ppo"], "seeds": 3}


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    monkeypatch.setattr(trials, "train_trial", fake_trial.train)
    monkeypatch.setattr(trials, "resolve_trial", fake_trial.resolve)
    monkeypatch.setattr(trials, "data_of_trials", fake_trial.data_of)
    monkeypatch.setattr(trials, "reads", fake_trial.reads)


def written(folder: Path, **keys) -> Path:
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(SMALL | keys, sort_keys=False), encoding="utf-8")
    return file


def blended(monkeypatch, *arguments) -> int:
    """Run the command line in this process; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["blended", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def order(folder: Path, **orders) -> None:
    (folder / "orders.json").write_text(json.dumps({name.replace("__", "-"): what for name, what in orders.items()}))


def run(monkeypatch, folder: Path, *options) -> int:
    return blended(monkeypatch, "sweep", folder / "mine.yaml", "--local", "--workers", 2, "--runs", folder, *options)


def attempts(folder: Path) -> dict[str, int]:
    """Return by name of the trial how many attempts there were."""
    return {file.parent.name: len(file.read_text().splitlines()) for file in folder.glob("mine/*/attempts.log")}


def test_the_table_is_by_scenario_and_algorithm(monkeypatch, capsys, tmp_path):
    written(tmp_path)
    assert run(monkeypatch, tmp_path, "--json", tmp_path / "r.json") == 0
    result = json.loads((tmp_path / "r.json").read_text())
    # Seeds 0 to 2 cost 80 + seed and 110 + seed, in the mean 81 and 111; the rule 100.
    assert [tuple(row.values()) for row in result["rows"]] == [
        (scenario, algorithm, "", 3, 0, cost_usd, 100.0, difference_usd)
        for scenario in ("tiny", "certify_value")
        for algorithm, cost_usd, difference_usd in (("policy_search", 81.0, -19.0), ("maskable_ppo", 111.0, 11.0))
    ]
    assert len(result["trials"]) == 12
    shown = capsys.readouterr()
    assert "mine: 12 of 12 trials finished, 0 failed" in shown.out
    assert "-19.0 %" in shown.out
    assert "11.0 %" in shown.out
    assert "[12/12]" in shown.err
    assert "tiny-policy_search-seed0: 80.00 USD/day, -20.00 against fifo" in shown.err


def test_finished_trials_are_read_and_new_ones_are_run(monkeypatch, capsys, tmp_path):
    written(tmp_path, seeds=1)
    assert run(monkeypatch, tmp_path) == 0
    first = capsys.readouterr().out
    assert run(monkeypatch, tmp_path) == 0
    assert capsys.readouterr().out == first
    assert set(attempts(tmp_path).values()) == {1}
    written(tmp_path, seeds=2)
    assert run(monkeypatch, tmp_path) == 0
    assert "8 of 8 trials finished" in capsys.readouterr().out
    assert len(attempts(tmp_path)) == 8
    assert set(attempts(tmp_path).values()) == {1}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"seeds": [1]}, "trial tiny-policy_search-seed0 is no longer in it"),
        ({"settings": {"network.width": 7}}, 'trial tiny-policy_search-seed0: network.width was "5", is "7"'),
        ({"settings": {}}, 'trial tiny-policy_search-seed0: network.width was "5", is null'),
        ({"episodes_seed": 3}, 'trial tiny-policy_search-seed0: episodes_seed was "0", is "3"'),
    ],
)
def test_another_sweep_under_the_same_name_is_refused(monkeypatch, capsys, tmp_path, keys, message):
    written(tmp_path, seeds=1, settings={"network.width": 5})
    assert run(monkeypatch, tmp_path) == 0
    written(tmp_path, **({"seeds": 1, "settings": {"network.width": 5}} | keys))
    assert run(monkeypatch, tmp_path) == 2
    said = capsys.readouterr().err
    assert "was begun as another sweep, and only new trials may be added" in said
    assert message in said
    assert run(monkeypatch, tmp_path, "--name", "other") == 0


def test_a_scenario_that_was_changed_between_two_commands_is_named(monkeypatch, capsys, tmp_path):
    scenario = tmp_path / "center.yaml"
    scenario.write_text("extends: tiny\n")
    written(tmp_path, scenarios=["tiny", "center.yaml"], algorithms=["policy_search"], seeds=1)
    assert run(monkeypatch, tmp_path) == 0
    scenario.write_text("extends: tiny\nname: another\n")
    written(tmp_path, scenarios=["tiny", "center.yaml"], algorithms=["policy_search"], seeds=2)
    capsys.readouterr()
    assert run(monkeypatch, tmp_path) == 2
    then, now = (
        hashlib.sha256(text.encode()).hexdigest()[:12] for text in ("extends: tiny\n", "extends: tiny\nname: another\n")
    )
    said = capsys.readouterr().err
    named = "trial center-policy_search-seed0: scenario is no longer what it was begun with"
    assert f"{named}: SHA-256 {then} then, {now} now" in said
    assert "trial tiny" not in said
    scenario.write_text("extends: tiny\n")
    assert run(monkeypatch, tmp_path) == 0


def test_where_ray_is_not_installed_processes_of_this_machine_do(monkeypatch, capsys, tmp_path):
    written(tmp_path, seeds=1)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert blended(monkeypatch, "sweep", tmp_path / "mine.yaml", "--runs", tmp_path) == 0
    assert "4 of 4 trials finished" in capsys.readouterr().out


def test_threads_may_change(monkeypatch, tmp_path):
    written(tmp_path, seeds=1)
    assert run(monkeypatch, tmp_path) == 0
    written(tmp_path, seeds=1, settings={"threads": 2}, description="on a larger machine")
    assert run(monkeypatch, tmp_path) == 0


def test_a_failed_trial_is_exit_code_1_and_is_tried_again_by_the_next_command(monkeypatch, capsys, tmp_path):
    written(tmp_path, seeds=1, retries=0)
    order(tmp_path, tiny__maskable_ppo__seed0={"die": 1})
    assert run(monkeypatch, tmp_path, "--json", tmp_path / "r.json") == 1
    shown = capsys.readouterr().out
    assert "Failed: tiny-maskable_ppo-seed0: killed by SIGKILL; its log ends: attempt 1" in shown
    assert "3 of 4 trials finished, 1 failed" in shown
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["rows"][1] == {
        **{"scenario": "tiny", "algorithm": "maskable_ppo", "values": "", "seeds": 0, "failed": 1},
        **dict.fromkeys(("cost_usd", "rule_cost_usd", "difference_usd")),
    }
    assert run(monkeypatch, tmp_path) == 0
    assert attempts(tmp_path)["tiny-maskable_ppo-seed0"] == 2


def test_the_table_of_a_killed_sweep_equals_that_of_an_undisturbed_one(monkeypatch, capsys, tmp_path):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        written(tmp_path / name)
    assert run(monkeypatch, tmp_path / "whole", "--json", tmp_path / "whole.json") == 0
    wanted = capsys.readouterr().out

    folder = tmp_path / "killed"
    # One dies by itself, two hang until the whole sweep is killed.
    order(folder, tiny__maskable_ppo__seed1={"die": 1}, certify_value__policy_search__seed0={"sleep_s": 60})
    code = (
        "import fake_trial\n"
        "from experiments.cli.main import main\n"
        "from experiments.sweeps import trial\n"
        "trial.train_trial, trial.resolve_trial, trial.reads = fake_trial.train, fake_trial.resolve, fake_trial.reads\n"
        "trial.data_of_trials = fake_trial.data_of\n"
        "main()\n"
    )
    words = ["sweep", folder / "mine.yaml", "--local", "--workers", "2", "--runs", folder]
    sweep = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)])},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    hanging = folder / "mine" / "certify_value-policy_search-seed0" / "attempts.log"
    try:
        end_s = time.monotonic() + 60.0
        while sweep.poll() is None and not hanging.exists() and time.monotonic() < end_s:
            time.sleep(0.01)
    finally:
        sweep.kill()
        assert sweep.wait() == -signal.SIGKILL
    assert hanging.exists()
    finished = {file.parent.name for file in (folder / "mine").glob("*/trial.json")}
    assert 0 < len(finished) < 12

    order(folder)
    before = attempts(folder)
    assert run(monkeypatch, folder, "--json", tmp_path / "killed.json") == 0
    assert capsys.readouterr().out == wanted
    assert (tmp_path / "killed.json").read_text() == (tmp_path / "whole.json").read_text()
    assert all(attempts(folder)[name] == before[name] for name in finished)
    # It had two steps when it was killed, and went on from there.
    assert [step for _, step in fake_trial.read_attempts(hanging.parent)] == [0, 2]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_trials_and_the_same_command_goes_on(monkeypatch, capsys, tmp_path, number, code):
    written(tmp_path, scenarios=["tiny"], algorithms=["policy_search"], seeds=1)
    order(tmp_path, tiny__policy_search__seed0={"sleep_s": 60})
    attempts_file = tmp_path / "mine" / "tiny-policy_search-seed0" / "attempts.log"
    wait, sent = time.sleep, []

    def interrupt(seconds):
        if attempts_file.exists() and attempts_file.read_text().endswith("\n") and not sent:
            sent.append(number)
            signal.raise_signal(number)
        wait(seconds)

    monkeypatch.setattr(time, "sleep", interrupt)
    assert run(monkeypatch, tmp_path) == code
    assert "Stopped, 0 of 1 trials ended; the same command goes on" in capsys.readouterr().err
    ((process, _),) = fake_trial.read_attempts(attempts_file.parent)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    order(tmp_path)
    assert run(monkeypatch, tmp_path) == 0
    assert [step for _, step in fake_trial.read_attempts(attempts_file.parent)] == [0, 2]


def test_two_commands_do_not_work_in_the_same_folder(monkeypatch, capsys, tmp_path):
    written(tmp_path, seeds=1)
    (tmp_path / "mine").mkdir()
    with (tmp_path / "mine" / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run(monkeypatch, tmp_path) == 2
    assert "another blended sweep is at work in it" in capsys.readouterr().err
    assert run(monkeypatch, tmp_path) == 0


def test_a_folder_of_something_else_is_left_alone(monkeypatch, capsys, tmp_path):
    written(tmp_path, seeds=1)
    (tmp_path / "mine" / "20261130-102417-seed0").mkdir(parents=True)
    assert run(monkeypatch, tmp_path) == 2
    assert "must be new, or the folder of a sweep; it has no sweep.yaml but holds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (SWEEP_FILE, "[]", "sweep.yaml: is not what a sweep writes"),
        (SWEEP_FILE, "trials: {a: 3}\ndata: {}\n", "sweep.yaml: is not what a sweep writes"),
        (SWEEP_FILE, "trials: {}\ndata: {a: 3}\n", "sweep.yaml: is not what a sweep writes"),
        (SWEEP_FILE, "trials: {}\n", "sweep.yaml: is not what a sweep writes, or one of an older version"),
        ("tiny-policy_search-seed0/trial.json", '{"cost', "trial.json: cannot be read"),
    ],
)
def test_damaged_files_are_named(monkeypatch, capsys, tmp_path, file, text, message):
    written(tmp_path, seeds=1)
    assert run(monkeypatch, tmp_path) == 0
    (tmp_path / "mine" / file).write_text(text)
    assert run(monkeypatch, tmp_path) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--address", "auto"), "--local: must stand without --address auto"),
        (("--name", "a/b"), "--name a/b: must be the name of a folder, without a path"),
        (("--json", "/no/such/folder/r.json"), "--json /no/such/folder/r.json: cannot be written"),
    ],
)
def test_options_that_make_no_sense_are_refused(monkeypatch, capsys, tmp_path, options, message):
    written(tmp_path, seeds=1)
    assert run(monkeypatch, tmp_path, *options) == 2
    assert message in capsys.readouterr().err


def test_a_trial_whose_training_makes_no_sense_is_named_before_any_is_run(monkeypatch, capsys, tmp_path):
    written(tmp_path, vary={"no_such_key": [1]})
    assert run(monkeypatch, tmp_path) == 2
    assert "trial tiny-policy_search-" in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()


def test_without_ray_a_cluster_is_an_extra_that_is_missing(monkeypatch, capsys, tmp_path):
    written(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "experiments.sweeps.ray_engine", raising=False)
    assert blended(monkeypatch, "sweep", tmp_path / "mine.yaml", "--address", "auto") == 2
    assert "needs ray: pip install -c constraints.txt -e '.[sweep]'" in capsys.readouterr().err
