"""Relative paths: in a file they begin in the folder of that file, on the command line in the working folder."""

from pathlib import Path

import pytest

from agents.catalog import load_policy, locate_policy
from envs.configuration.document import apply_overrides, load_yaml
from envs.configuration.path_keys import locate_paths
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario, locate_override, locate_scenario
from experiments.comparison.benchmark import load_benchmark
from experiments.training.training_config import load_training
from experiments.tuning.tuning_config import load_tuning
from experiments.validation.models import load_validation

SCENARIO = """
name: small
channels:
  - {name: voice, kind: real_time, arrivals: {rate_per_hour: 30}, handle_time: 180, harm: {abandonment_prob: 0.01},
     patience: {distribution: exponential, mean_s: 120}}
groups: [{name: reps, count: 2, skills: [voice]}]
segments: [{name: a, share_frac: 1, account_value: 1000}]
"""
REPLAYED = "extends: s.yaml\nreplay: {file: days.csv}\n"
OVERRIDES = "[horizon.days=1, replay.file=days.csv, 'replay={file: days.csv}']"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder `sub` with files that name each other, and another one to work in, where nothing of that is."""
    sub = tmp_path / "sub folder"
    (sub / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (sub / "s.yaml").write_text(SCENARIO)
    (sub / "r.yaml").write_text(REPLAYED)
    (sub / "days.csv").write_text("day,channel,at_s\n1,voice,10\n2,voice,20\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    return sub


def whole(folder, *names):
    return tuple(str(folder / name) for name in names)


def test_a_training_finds_what_stands_beside_its_file(folder):
    file = folder / "t.yaml"
    file.write_text(
        f"scenario: s.yaml\nscenario_overrides: {OVERRIDES}\n"
        "benchmark: {policies: [fifo, mine.onnx, best=deep/mine.onnx, deep/p.yaml, my.py:Mine, module:Mine]}\n"
    )
    for name in (file, Path("..") / folder.name / "t.yaml"):
        found = load_training(name)
        assert found.scenario == str(folder / "s.yaml")
        assert load_scenario(found.scenario).name == "small"
        days = str(folder / "days.csv")
        assert found.scenario_overrides == (
            "horizon.days=1",
            f'replay.file="{days}"',
            f'replay={{"file": "{days}"}}',
        )
        assert load_scenario(found.scenario, found.scenario_overrides[:2]).replay.file == days
        assert found.benchmark.policies == (
            "fifo",
            f"mine.onnx={folder}/mine.onnx",
            f"best={folder}/deep/mine.onnx",
            f"{folder}/deep/p.yaml",
            f"my.py:Mine={folder}/my.py:Mine",
            "module:Mine",
        )


def test_a_benchmark_finds_what_stands_beside_its_file(folder):
    file = folder / "b.yaml"
    file.write_text(f"scenarios: [s.yaml, bank]\noverrides: {OVERRIDES}\npolicies: [fifo, deep/mine.json]\n")
    found = load_benchmark(file)
    assert found.scenarios == (str(folder / "s.yaml"), "bank")
    assert found.overrides[1] == f'replay.file="{folder}/days.csv"'
    assert found.policies == ("fifo", f"mine.json={folder}/deep/mine.json")


def test_a_tuning_finds_what_stands_beside_its_file(folder):
    file = folder / "u.yaml"
    file.write_text(f"scenarios: [s.yaml]\noverrides: {OVERRIDES}\nrules: [cmu, deep/p.yaml]\n")
    found = load_tuning(file)
    assert found.scenarios == (str(folder / "s.yaml"),)
    assert found.overrides[1] == f'replay.file="{folder}/days.csv"'
    assert found.rules == ("cmu", f"{folder}/deep/p.yaml")


def test_a_validation_finds_what_stands_beside_its_file(folder):
    file = folder / "v.yaml"
    inline = SCENARIO.strip().replace("\n", "\n      ")
    model = "title: t, source: s, policy: fifo, seed: 1"
    reference = "references: [{metric: total_cost_usd, unit: USD/day, value: 1, source: s}]"
    lines = [
        "models:",
        f"  - {{name: a, scenario: s.yaml, {model}, {reference}}}",
        f"  - {{name: b, scenario: s.yaml, overrides: [replay.file=days.csv], {model}, {reference}}}",
        "  - name: c",
        f"    scenario:\n      {inline}",
        "      replay: {file: days.csv}",
        *(f"    {part}" for part in ("title: t", "source: s", "policy: p.json", "seed: 1", reference)),
    ]
    file.write_text("\n".join(lines))
    plain, overridden, written = load_validation([file])
    assert plain.scenario.name == "small"
    assert overridden.scenario.replay.file == written.scenario.replay.file == str(folder / "days.csv")
    assert written.policy == f"p.json={folder}/p.json"


def test_a_path_on_the_command_line_begins_in_the_working_folder(folder, monkeypatch):
    monkeypatch.chdir(folder / "deep")
    (folder / "deep" / "s.yaml").write_text(SCENARIO.replace("small", "deep"))
    file = folder / "t.yaml"
    file.write_text("scenario: s.yaml\n")
    assert load_training(file).scenario == str(folder / "s.yaml")
    assert load_training(file, ("scenario=s.yaml",)).scenario == str(folder / "deep" / "s.yaml")
    assert load_tuning(scenarios=["s.yaml", "../s.yaml"]).scenarios == whole(folder, "deep/s.yaml", "s.yaml")
    found = load_benchmark(scenarios=["s.yaml"], policies=["p.onnx"], overrides=["replay.file=../days.csv"])
    assert found.scenarios == whole(folder, "deep/s.yaml")
    assert found.policies == ("p.onnx",)  # the name of its row
    replayed = load_scenario(found.scenarios[0], found.overrides)
    assert replayed.replay.file == str(folder / "days.csv")


def test_extends_and_replay_begin_beside_the_file_that_names_them(folder):
    assert load_scenario(folder / "r.yaml").replay.file == str(folder / "days.csv")


@pytest.mark.parametrize(
    ("load", "text", "message"),
    [
        (load_training, "scenario: gone.yaml", r"training.scenario = gone.yaml: no such file.*c.yaml:1"),
        (
            load_benchmark,
            "scenarios: [bank, gone.yaml]",
            r"benchmark.scenarios\[1\] = gone.yaml: no such file.*c.yaml:1",
        ),
        (load_tuning, "overrides: [horizon.days]", r"tuning.overrides\[0\] = --set horizon.days: expected.*c.yaml:1"),
    ],
)
def test_a_file_that_is_not_there_is_named_with_key_and_place(folder, load, text, message):
    (folder / "c.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load(folder / "c.yaml")


def test_a_name_on_the_command_line_that_is_not_there_is_named_as_it_was_written():
    with pytest.raises(ConfigurationError, match=r"^tinny: no such file.*did you mean 'tiny'"):
        load_benchmark(scenarios=["tinny"])


def test_what_is_no_text_is_left_for_the_check(folder):
    (folder / "c.yaml").write_text("scenario: 3\nbenchmark: {policies: fifo}\n")
    with pytest.raises(ConfigurationError, match=r"training.scenario = 3: must be text"):
        load_training(folder / "c.yaml")


def test_a_name_and_a_whole_path_stay_as_they_are(tmp_path):
    assert locate_scenario("bank", tmp_path) == "bank"
    assert locate_policy("/models/p.onnx", tmp_path) == "/models/p.onnx"
    assert locate_policy("mine=fifo", tmp_path) == "mine=fifo"
    assert locate_policy("a=b/c=d/p.yaml", tmp_path) == f"a={tmp_path}/b/c=d/p.yaml"
    assert locate_override("replay.file=/days.csv", tmp_path) == 'replay.file="/days.csv"'
    assert locate_override("channels.voice.name=replay.file", tmp_path) == "channels.voice.name=replay.file"


def test_one_item_replaced_on_the_command_line_leaves_the_others_beside_the_file(folder):
    (folder / "b.yaml").write_text("policies: [a.onnx, b.onnx]\n")
    document = apply_overrides(load_yaml(folder / "b.yaml"), ["policies.1=c.onnx"])
    found = locate_paths(document, "benchmark", {"policies": locate_policy}, here=Path("/here"))
    assert found.data["policies"] == [f"a.onnx={folder}/a.onnx", "c.onnx=/here/c.onnx"]


def test_a_located_policy_plays_under_the_name_of_its_file(folder):
    table = folder / "deep" / "t.json"
    table.write_text("{}")
    named = load_policy(locate_policy("deep/t.json", folder), load_scenario("certify_interrupt"))
    assert named.name == "t.json"
    assert named.policy.file == table
