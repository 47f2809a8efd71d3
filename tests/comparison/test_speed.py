"""`make bench`: the keys of its figures, taking turns with another commit, ratios, and the file."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from envs.configuration.document import REPOSITORY_FOLDER
from experiments.speed import __main__ as speed


@pytest.fixture
def calls(monkeypatch):
    """Figures of a code by the order of the calls: of the base 2, 20, 200, of this code 1, 10, 100."""
    made: list[tuple[str, bool]] = []

    def measure(key: str, root: Path) -> float:
        is_base = root != REPOSITORY_FOLDER
        figure = (2.0 if is_base else 1.0) * 10.0 ** sum(call == (key, is_base) for call in made)
        made.append((key, is_base))
        return figure

    monkeypatch.setattr(speed, "measure", measure)
    monkeypatch.setattr(speed, "check_out", lambda commit, folder: None)
    return made


def bench(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["speed", *map(str, arguments)])
    speed.main()


def test_every_figure_is_taken_three_times_and_the_file_has_the_medians(calls, monkeypatch, tmp_path):
    bench(monkeypatch, "--json", tmp_path / "bench.json")
    assert json.loads((tmp_path / "bench.json").read_text()) == {
        "figures": {key: 1.0 if key == "cold_start_s" else 10.0 for key in speed.installed_keys()}  # of 1, 10, 100
    }


def test_figures_of_libraries_that_are_not_installed_are_left_out(monkeypatch):
    monkeypatch.setattr(speed, "find_spec", lambda library: None if library == "simpy" else object())
    keys = speed.installed_keys()
    assert "queue_calls_per_second_simpy" not in keys
    assert {"queue_calls_per_second", "queue_calls_per_second_ciw", "cartpole_steps_per_second_envpool"} <= set(keys)


def test_with_a_base_both_take_turns_and_the_ratios_are_here_over_base(calls, monkeypatch, tmp_path, capsys):
    bench(monkeypatch, "--base", "HEAD", "--keys", "state_bytes", "--json", tmp_path / "bench.json")
    assert calls == 3 * [("state_bytes", True), ("state_bytes", False)]
    found = json.loads((tmp_path / "bench.json").read_text())
    assert found == {"figures": {"state_bytes": 10.0}, "base": {"state_bytes": 20.0}, "ratios": {"state_bytes": 0.5}}
    assert "state of one environment, bank" in " ".join(capsys.readouterr().out.split())


def test_what_one_of_them_cannot_tell_is_left_out(monkeypatch, tmp_path):
    monkeypatch.setattr(speed, "measure", lambda key, root: 2.0 if root == REPOSITORY_FOLDER else math.nan)
    monkeypatch.setattr(speed, "check_out", lambda commit, folder: None)
    bench(monkeypatch, "--base", "HEAD", "--keys", "state_bytes", "--json", tmp_path / "bench.json")
    assert json.loads((tmp_path / "bench.json").read_text()) == {
        "figures": {"state_bytes": 2.0},
        "base": {},
        "ratios": {},
    }


def test_the_state_of_a_small_center_is_small():
    # In each of 64 slots 33 heaps keep an entry of 4 bytes, and 5 orders a key of 8 and a place of 4. At most 64 KiB.
    assert 64 * (33 * 4 + 5 * (8 + 4)) < speed.measure("state_bytes_tiny", REPOSITORY_FOLDER) <= 65_536


def test_a_figure_is_taken_from_the_code_it_is_told_and_missing_where_that_cannot_tell(tmp_path, capfd):
    for package in ("agents", "agents/rules"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "agents" / "rules" / "rule_policy.py").write_text("raise SystemExit('an older commit')")
    assert math.isnan(speed.measure("state_bytes_tiny", tmp_path))
    assert "an older commit" in capfd.readouterr().err


def test_the_files_of_a_commit_are_written_and_a_wrong_one_is_one_message(tmp_path, monkeypatch, capsys):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    (tmp_path / "kept.txt").write_text("as committed")
    for command in (["init", "-q"], ["add", "kept.txt"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / "kept.txt").write_text("changed since")
    monkeypatch.setattr(speed, "REPOSITORY_FOLDER", tmp_path)
    (tmp_path / "out").mkdir()
    speed.check_out("HEAD", tmp_path / "out")
    assert (tmp_path / "out" / "kept.txt").read_text() == "as committed"
    with pytest.raises(SystemExit) as ended:
        bench(monkeypatch, "--base", "nonsense")
    assert ended.value.code == 2
    assert "--base nonsense: must be a commit of this repository" in capsys.readouterr().err
