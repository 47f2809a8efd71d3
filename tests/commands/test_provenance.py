"""Data tell who they are: digests of scenario, recorded days and policy files, and no run goes on with others."""

import gzip
import hashlib
import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from agents.catalog import load_policy
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario
from experiments.cli.main import main
from experiments.comparison.evaluate import evaluate
from experiments.provenance import collect_data, require_same_data
from experiments.records.recorder import RecordFolder

SCENARIO = """\
name: mine
channels: [{name: voice, kind: real_time, handle_time: 60, patience: 60, costs: {abandonment_usd: 5}},
           {name: email, kind: deferred, handle_time: 60}]
groups: [{name: all, count: 3, skills: [voice, email]}]
replay: {file: calls.csv}
"""
CALLS = "channel,at_s\nvoice,11\nvoice,12\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make a folder with a scenario and its record, and work there."""
    (tmp_path / "mine.yaml").write_text(SCENARIO)
    (tmp_path / "calls.csv").write_text(CALLS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def digests(file: str | Path, *overrides: str) -> tuple[str, str]:
    """Return the digests of a scenario called `mine` and of its record."""
    data = collect_data([load_scenario(file, overrides)])
    assert set(data) == {"scenario mine", "recorded days of mine"}
    return data["scenario mine"]["sha256"], data["recorded days of mine"]["sha256"]


def run(monkeypatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["blended", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_the_digest_of_a_record_is_that_of_its_text_wherever_it_lies(folder):
    scenario, record = digests("mine.yaml")
    assert record == hashlib.sha256(CALLS.encode()).hexdigest()
    Path("other.csv.gz").write_bytes(gzip.compress(CALLS.encode()))
    assert digests("mine.yaml", "replay.file=other.csv.gz") == (scenario, record)
    Path("calls.csv").write_text(CALLS.replace("12", "13"))
    same, changed = digests("mine.yaml")
    assert same == scenario
    assert changed == hashlib.sha256(CALLS.replace("12", "13").encode()).hexdigest()


def test_the_digest_of_a_scenario_is_that_of_what_it_says(folder):
    scenario, _ = digests("mine.yaml")
    Path("dumped.yaml").write_text("# the same\n" + yaml.safe_dump(yaml.safe_load(SCENARIO)))
    Path("child.yaml").write_text("extends: mine.yaml\nsuspended_limit: 3\nreplay: {order: in_turn}\n")  # defaults
    for other in ("dumped.yaml", "child.yaml"):
        assert digests(other)[0] == scenario, other
    assert digests("mine.yaml", "channels.voice.handle_time=60.0")[0] == scenario
    for change in ("channels.voice.handle_time=61", "groups.all.count=4", "replay.order=drawn", "suspended_limit=2"):
        assert digests("mine.yaml", change)[0] != scenario, change


def test_the_files_of_policies_have_their_digests(folder):
    scenario = load_scenario("mine.yaml")
    Path("rule.yaml").write_text("{rule: priority, name: ruled}")
    Path("own_policies_of_a_test.py").write_text("class Waits:\n    def predict(self, o, deterministic=True): ...\n")
    policies = [
        load_policy(text, scenario)
        for text in ("fifo", "cmu", "rule.yaml", "x=rule.yaml", "own_policies_of_a_test:Waits")
    ]
    data = collect_data([], policies)
    assert {name: datum["file"] for name, datum in data.items()} == {
        "policy ruled": "rule.yaml",
        "policy x": "rule.yaml",
        "policy own_policies_of_a_test:Waits": "own_policies_of_a_test.py",
    }
    for datum in data.values():
        assert datum["sha256"] == hashlib.sha256(Path(str(datum["file"])).read_bytes()).hexdigest()


def test_records_and_evaluations_say_on_which_data_they_are(folder, monkeypatch):
    Path("rule.yaml").write_text("{rule: priority, name: ruled}")
    found = evaluate("rule.yaml", "mine.yaml", episodes=2, records=RecordFolder("records"))
    expected = collect_data([load_scenario("mine.yaml")], [load_policy("rule.yaml", load_scenario("mine.yaml"))])
    assert set(expected) == {"scenario mine", "recorded days of mine", "policy ruled"}
    assert found["data"] == expected
    for file in Path("records").rglob("*.parquet"):
        assert json.loads(pq.read_schema(file).metadata[b"data"]) == expected


def test_data_that_differ_are_refused_with_both_digests_and_the_file():
    scenario, policy = ({"file": file, "sha256": digit * 64} for file, digit in ((None, "1"), ("p.yaml", "2")))
    kept = {"data": {"scenario a": scenario, "policy p": policy}}
    require_same_data("run", kept, {"scenario a": scenario})
    for now, message in (
        (
            {"policy p": {"file": "q.yaml", "sha256": "3" * 64}},
            r"run: policy p \(q.yaml\) is no longer what it was begun with: SHA-256 2{12} then, 3{12} now",
        ),
        ({"scenario b": scenario}, "run: was not begun with scenario b"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            require_same_data("run", kept, now)
    with pytest.raises(ConfigurationError, match="run: its provenance has no data"):
        require_same_data("run", {}, {})


@pytest.mark.parametrize(
    ("file", "text", "what"),
    [
        ("calls.csv", CALLS.replace("12", "13"), "recorded days of mine (calls.csv)"),
        ("mine.yaml", SCENARIO.replace("count: 3", "count: 2"), "scenario mine"),
        ("parent.yaml", "segments: [{name: all, share_frac: 1, account_value: 2}]\n", "scenario mine"),
    ],
)
def test_a_tuning_does_not_go_on_with_other_data(folder, monkeypatch, capsys, file, text, what):
    if file == "parent.yaml":
        Path("parent.yaml").write_text("segments: [{name: all, share_frac: 1, account_value: 1}]\n")
        Path("mine.yaml").write_text(f"extends: parent.yaml\n{SCENARIO}")
    options = ("--rule", "priority", "--trials", 2, "--episodes", 2, "--runs", ".", "--name", "begun")
    assert run(monkeypatch, "tune", "mine.yaml", *options) == 0
    provenance = json.loads(Path("tune/begun/provenance.json").read_text())
    before = collect_data([load_scenario("mine.yaml")])
    assert provenance["data"] == before
    Path(file).write_text(text)
    after = collect_data([load_scenario("mine.yaml")])
    capsys.readouterr()
    assert run(monkeypatch, "tune", "--resume", "tune/begun", "--trials", 3) == 2
    name = what.partition(" (")[0]
    message = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert f"--resume tune/begun: {what} is no longer what it was begun with: SHA-256" in message
    assert f"{before[name]['sha256'][:12]} then, {after[name]['sha256'][:12]} now" in message
