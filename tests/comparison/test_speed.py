"""`make bench`: the keys of its figures, taking turns with another commit, ratios, and the file."""

import json
import sys
from pathlib import Path

import pytest

from envs.configuration.document import REPOSITORY_FOLDER
from experiments.speed import __main__ as speed
from experiments.speed.measures import MEASURES


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
        "figures": {key: 1.0 if key == "cold_start_s" else 10.0 for key in MEASURES}  # of 1, 10, 100
    }


def test_with_a_base_both_take_turns_and_the_ratios_are_here_over_base(calls, monkeypatch, tmp_path, capsys):
    bench(monkeypatch, "--base", "HEAD", "--keys", "state_bytes", "--json", tmp_path / "bench.json")
    assert calls == 3 * [("state_bytes", True), ("state_bytes", False)]
    found = json.loads((tmp_path / "bench.json").read_text())
    assert found == {"figures": {"state_bytes": 10.0}, "base": {"state_bytes": 20.0}, "ratios": {"state_bytes": 0.5}}
    assert "state of one environment, bank" in " ".join(capsys.readouterr().out.split())


def test_a_figure_is_taken_in_a_process_of_its_own_from_the_code_it_is_told(tmp_path):
    # The 64 slots of a small center, 464 bytes each, and less than 64 KiB in all.
    assert 64 * 464 < speed.measure("state_bytes_tiny", REPOSITORY_FOLDER) <= 65_536
