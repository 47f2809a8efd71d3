"""`blended calibrate`: from a log to a scenario that the other commands take, on a made-up log and on the bank's."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from envs.scenario.scenario import load_scenario
from experiments.calibration.calibrate import Calibration, calibrate, parts_of
from experiments.calibration.contact_log import ABANDONED
from experiments.calibration.scenario_file import numbers_without_origin
from experiments.calibration.sensitivity.assumptions import write_assumptions
from experiments.cli import main as cli
from experiments.description.describe import describe

BANK_LOG = Path(__file__).resolve().parents[3] / "shared" / "data" / "bank1999_02.csv.gz"
CALLS_PER_HOUR, HANDLE_S, PATIENCE_S = 30.0, 120.0, 300.0

MAPPING = """\
times: {format: seconds, date_format: iso}
columns: {date: day, arrived: arrived_s, wait: wait_s, handle: handle_s, rep: rep, outcome: outcome}
outcomes: {served: served, abandoned: abandoned}
"""


def write_log(file: Path, days: int = 14) -> None:
    """Write the calls of a made-up center from 9 to 17 o'clock: two reps, first come first served."""
    generator = np.random.default_rng(1)
    lines = ["day,arrived_s,wait_s,handle_s,rep,outcome"]
    for day in range(days):
        free_s = {"ann": 0.0, "ben": 0.0}
        count = generator.poisson(8 * CALLS_PER_HOUR)
        for at_s in np.sort(generator.uniform(9 * 3600, 17 * 3600, count)):
            rep = min(free_s, key=lambda name: free_s[name])
            wait_s = max(free_s[rep] - at_s, 0.0)
            patience_s, handle_s = generator.exponential(PATIENCE_S), HANDLE_S * generator.lognormal(-0.5, 1.0)
            date = f"2024-03-{4 + day:02d}"
            if wait_s > patience_s:
                lines.append(f"{date},{at_s:.3f},{patience_s:.3f},,,abandoned")
                continue
            free_s[rep] = at_s + wait_s + handle_s
            lines.append(f"{date},{at_s:.3f},{wait_s:.3f},{handle_s:.3f},{rep},served")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("calibrate")
    write_log(made / "calls.csv")
    (made / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def found(folder: Path) -> Calibration:
    return calibrate(folder / "calls.csv", folder / "mapping.yaml", folder / "center.yaml")


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> int:
    """Return the exit code of the command in a folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["blended", "calibrate", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert isinstance(left.value.code, int)
    return left.value.code


def test_the_scenario_has_the_load_of_the_log(found: Calibration):
    """Two weeks of 240 calls a day, 120 s each: 8 rep-hours a day, within what chance leaves of 3,360 calls."""
    voice = found.scenario.channels[0]
    assert voice.arrivals is not None
    calls = [sum(voice.arrivals.rates_on(day)) / 2 for day in ("sunday", "wednesday")]
    assert calls == pytest.approx([240, 240], rel=0.1)
    assert voice.handle_time.mean_duration_s == pytest.approx(HANDLE_S, rel=0.1)
    assert voice.patience is not None


def test_other_commands_take_the_scenario(found: Calibration):
    assert describe(load_scenario(found.file)).name == "center"


def test_every_number_has_an_origin_or_is_assumed(found: Calibration):
    assert numbers_without_origin(found.estimates) == []


def test_the_command(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    options = (
        "--mapping",
        "mapping.yaml",
        "--out",
        "again.yaml",
        "--json",
        "found.json",
        "--set",
        "first_day=2024-03-05",
    )
    assert run(monkeypatch, folder, "calls.csv", *options) == 0
    shown = capsys.readouterr().out
    assert "outside_days" in shown
    assert "channels.voice.handle_time" in shown
    result = json.loads((folder / "found.json").read_text())
    lines = (folder / "calls.csv").read_text().splitlines()
    outside = sum(line.startswith("2024-03-04") for line in lines)
    assert result["log"]["cleaned"]["outside_days"] == outside
    assert result["log"]["contacts"] == {"voice": len(lines) - 1 - outside}
    assert {number["path"] for number in result["assumptions"]} >= {"channels.voice.harm.abandonment_prob"}
    assert load_scenario(folder / "again.yaml").name == "again"


def test_numbers_of_the_users_own(folder: Path, found: Calibration, tmp_path: Path):
    own = tmp_path / "own.yaml"
    path = "segments.customer.account_value.mean_usd"
    own.write_text(
        f"assumptions: [{{path: {path}, value: 80000, low: 40000, high: 160000, reason: our own books}}]\n",
        encoding="utf-8",
    )
    again = calibrate(folder / "calls.csv", folder / "mapping.yaml", tmp_path / "own_center.yaml", assumptions=own)
    assert again.scenario.segments[0].account_value.mean_usd == 80_000
    assert len(again.estimates.assumptions) == len(found.estimates.assumptions)


def test_the_command_ranks_policies_over_what_is_assumed(
    folder: Path, found: Calibration, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Of the assumed numbers all but one are said to be known."""
    moved = "channels.voice.harm.abandonment_prob"
    known = [replace(n, low=n.value, high=n.value) for n in found.estimates.assumptions if n.path != moved]
    write_assumptions(known, folder / "known.yaml")
    options = "--mapping mapping.yaml --out ranked.yaml --assumptions known.yaml --sensitivity --episodes 2"
    files = "--policies fifo,expected_loss --figure ranked.svg --json ranked.json --threads 1"
    assert run(monkeypatch, folder, "calls.csv", *options.split(), *files.split()) == 0
    assert "the best policy along each assumed range" in capsys.readouterr().out
    ranked = json.loads((folder / "ranked.json").read_text())["sensitivity"]
    assert list(ranked["moved"]) == [moved]
    assert set(ranked["stated"]["costs_usd"]) == {"fifo", "expected_loss"}
    assert sum(ranked["best_fracs"].values()) == pytest.approx(1.0)
    assert (folder / "ranked.svg").read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mapping", "mapping.yaml", "--out", "x.txt"], "--out x.txt: must end in .yaml"),
        (
            ["--mapping", "mapping.yaml", "--out", "none/x.yaml"],
            "--out none/x.yaml: cannot be written (no folder none)",
        ),
        (["--mapping", "nothing", "--out", "x.yaml"], "no such name in configs/mappings"),
        (
            ["--mapping", "mapping.yaml", "--out", "x.yaml", "--episodes", "4"],
            "--episodes: must stand beside --sensitivity",
        ),
        (
            ["--mapping", "mapping.yaml", "--out", "x.yaml", "--figure", "x.svg"],
            "--figure: must stand beside --hold-out or --sensitivity, and not beside both",
        ),
        (["--mapping", "mapping.yaml", "--out", "x.yaml", "--hold-out", "14"], "--hold-out 14: must be < 14, the days"),
        (["--mapping", "bank", "--out", "x.yaml"], "mapping.columns.arrived = 'queue_enter_s': calls.csv has no such"),
    ],
)
def test_a_mistake_ends_in_exit_code_2(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
):
    assert run(monkeypatch, folder, "calls.csv", *options) == 2
    assert message in capsys.readouterr().err


def test_days_are_held_out_in_parts_that_follow_each_other():
    assert parts_of(np.arange(100, 107), 3) == ((100, 101, 102), (103, 104, 105), (106,))


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    if not BANK_LOG.exists():
        pytest.skip("../shared/data/bank1999_02.csv.gz is not beside this checkout (no licence to ship it)")
    return calibrate(BANK_LOG, "bank", tmp_path_factory.mktemp("bank") / "bank_log.yaml")


def test_the_bank_log_is_read_whole(bank: Calibration):
    """32,552 calls, of which 1,972 hung up in the voice-response unit; the shares are those of ../shared/data."""
    contacts = bank.log.contacts
    assert len(contacts) + bank.log.cleaned["left_out"] == 32_552
    assert len(bank.log.days) == 28
    assert (contacts["outcome"] == ABANDONED).mean() == pytest.approx(0.1285, abs=5e-5)
    assert contacts["wait_s"].mean() == pytest.approx(44.63, abs=0.005)
    assert len(bank.log.reps) == 24


def test_the_bank_log_becomes_a_scenario_whose_every_number_has_an_origin(bank: Calibration):
    assert numbers_without_origin(bank.estimates) == []
    assert describe(bank.scenario).name == "bank_log"
