"""`extends:`: what merges with what, where mistakes are reported, circles, and scenarios that use it."""

import shutil
from pathlib import Path

import pytest
import yaml

from envs import ConfigurationError, load_scenario
from envs.configuration import document as config_file
from envs.configuration.document import Document, apply_overrides, load_yaml
from envs.configuration.inheritance import resolve_extends

PARENT = """\
name: center
horizon: {days: 5, start_weekday: monday}
channels:
  - name: voice
    kind: real_time
    handle_time: {distribution: lognormal, mean_s: 180, cv: 1.2}
    patience: {distribution: exponential, mean_s: 90}
    arrivals: {rate_per_hour: 12}
  - name: email
    kind: deferred
    handle_time: 600
    due: {after_s: 3600}
groups:
  - {name: day, count: 3, skills: [voice, email], home_channel: {voice: 2, email: 1}}
  - {name: night, count: 1, skills: [voice, email]}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file into an empty working directory, beside `parent.yaml`, and return its path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parent.yaml").write_text(PARENT, encoding="utf-8")

    def write_file(text: str, name: str = "child.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def resolved(path: Path) -> Document:
    return resolve_extends(load_yaml(path), "scenarios", "scenario")


def message(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_scenario(path, overrides)
    return str(caught.value)


def test_a_file_that_only_extends_says_what_the_other_says(write):
    child = resolved(write("extends: parent.yaml\n"))
    assert child.data == yaml.safe_load(PARENT)
    assert load_scenario("child.yaml") == load_scenario("parent.yaml")


def test_mappings_merge_key_by_key_and_single_values_are_replaced(write):
    child = resolved(write("extends: parent.yaml\nname: weekend\nhorizon: {days: 2}\nreview: every_event\n"))
    assert child.data["name"] == "weekend"
    assert child.data["horizon"] == {"days": 2, "start_weekday": "monday"}
    assert child.data["review"] == "every_event"
    assert child.data["channels"] == yaml.safe_load(PARENT)["channels"]


def test_named_items_merge_by_name_in_the_order_of_the_extended_file_and_new_ones_follow(write):
    text = """\
extends: parent.yaml
channels:
  - {name: letter, kind: deferred, handle_time: 900}
  - {name: email, handle_time: 700}
  - {name: voice, lines: 9}
"""
    channels = resolved(write(text)).data["channels"]
    before = yaml.safe_load(PARENT)["channels"]
    assert channels == [
        before[0] | {"lines": 9},
        before[1] | {"handle_time": 700},
        {"name": "letter", "kind": "deferred", "handle_time": 900},
    ]


def test_lists_without_names_are_replaced(write):
    text = "extends: parent.yaml\ngroups:\n  - {name: day, skills: [email], home_channel: email}\n"
    day, night = resolved(write(text)).data["groups"]
    assert day == {"name": "day", "count": 3, "skills": ["email"], "home_channel": "email"}
    assert night == {"name": "night", "count": 1, "skills": ["voice", "email"]}
    assert resolved(write("extends: parent.yaml\nsegments: []\n")).data["segments"] == []


def test_a_law_of_the_same_kind_merges_and_one_of_another_kind_replaces(write):
    text = """\
extends: parent.yaml
channels:
  - name: voice
    handle_time: {mean_s: 200}
    patience: {distribution: weibull, mean_s: 60, shape: 0.5}
"""
    voice = resolved(write(text)).data["channels"][0]
    assert voice["handle_time"] == {"distribution": "lognormal", "mean_s": 200, "cv": 1.2}
    text = "extends: child.yaml\nchannels:\n  - {name: voice, patience: {distribution: exponential, mean_s: 10}}\n"
    assert resolved(write(text, "grandchild.yaml")).data["channels"][0]["patience"] == {
        "distribution": "exponential",
        "mean_s": 10,
    }


def test_null_takes_away_what_the_extended_file_says(write):
    text = """\
extends: parent.yaml
horizon: null
channels: [{name: email, due: null}]
groups: [{name: day, home_channel: {voice: 3, email: null}}]
"""
    path = write(text)
    data = resolved(path).data
    assert "horizon" not in data
    assert "due" not in data["channels"][1]
    assert data["groups"][0]["home_channel"] == {"voice": 3}
    scenario = load_scenario(path)
    assert scenario.horizon.days == 1  # the default
    assert scenario.channels[1].due is None


def test_a_named_item_is_removed(write):
    text = """\
extends: parent.yaml
channels:
  - {name: voice, remove: true}
  - {name: letter, kind: deferred, handle_time: 900}
groups:
  - {name: night, remove: true}
  - {name: day, skills: [email, letter], home_channel: null}
"""
    scenario = load_scenario(write(text))
    assert [channel.name for channel in scenario.channels] == ["email", "letter"]
    assert [group.name for group in scenario.groups] == ["day"]


def test_chains_and_folders(write):
    write("extends: ../parent.yaml\nname: middle\nhorizon: {days: 3}\n", "variants/middle.yaml")
    path = write("extends: middle.yaml\nhorizon: {start_weekday: friday}\n", "variants/last.yaml")
    scenario = load_scenario(path)
    assert scenario.name == "middle"
    assert (scenario.horizon.days, scenario.horizon.start_weekday) == (3, "friday")
    absolute = write(f"extends: {path}\nname: own\n", "elsewhere/child.yaml")
    assert load_scenario(absolute).horizon == scenario.horizon


def test_a_relative_path_begins_at_the_extending_file_not_in_the_working_directory(write):
    write("name: near\nhorizon: {days: 7}\n", "folder/base.yaml")
    write("name: wrong\n", "base.yaml")
    assert resolved(write("extends: base.yaml\n", "folder/child.yaml")).data["name"] == "near"


def test_a_name_means_a_scenario_of_the_project(write, tmp_path, monkeypatch):
    shutil.move(write(PARENT, "clone/configs/scenarios/bank.yaml"), tmp_path / "clone/configs/scenarios/bank.yaml")
    monkeypatch.setattr(config_file, "REPOSITORY_FOLDER", tmp_path / "clone")
    # Its own name, too: this is another file.
    assert load_scenario(write("extends: bank\nname: own\n", "bank.yaml")).name == "own"
    assert "did you mean 'bank'? (child.yaml:1)" in message(write("extends: bnak\n"))


def test_overrides_come_last(write):
    path = write("extends: parent.yaml\nchannels: [{name: email, due: {after_s: 60}}]\n")
    scenario = load_scenario(path, ("channels.email.due.after_s=30", "channels.voice.patience.mean_s=7"))
    assert scenario.channels[1].due is not None
    assert scenario.channels[1].due.after_s == 30
    document = apply_overrides(resolved(path), ["channels.voice.patience.mean_s=7"])
    assert document.origin(("channels", 0, "patience")) == "parent.yaml:7 and --set"


def test_a_mistake_is_reported_in_the_file_where_it_stands(write):
    text = """\
extends: parent.yaml
channels:
  - {name: email, remove: true}
  - name: letter
    kind: deferred
    handle_time: -5
groups:
  - name: day
    home_channel: null
    skills:
      - voice
      - letter
"""
    # The child's own value; and the parent's skill, which the child has taken the channel away from.
    assert message(write(text)) == "scenario.channels[1].handle_time = -5: must be >= 0 seconds (child.yaml:6)"
    assert message(write(text.replace("-5", "5"))).endswith("(parent.yaml:15)")
    broken = PARENT.replace("rate_per_hour: 12", "rate_per_hour: -12")
    (Path("parent.yaml")).write_text(broken, encoding="utf-8")
    assert message(write("extends: parent.yaml\n\nname: own\n")).endswith("(parent.yaml:8)")


def test_a_required_key_that_was_taken_away_is_missed_at_the_null(write):
    text = "extends: parent.yaml\nchannels:\n  - name: voice\n    handle_time: null\n"
    assert message(write(text)) == "scenario.channels[0].handle_time: missing key (child.yaml:4)"


def test_an_unknown_key_of_the_child_is_the_childs(write):
    text = "extends: parent.yaml\nchannels:\n  - name: voice\n    patiense: 30\n"
    assert message(write(text)) == "scenario.channels[0].patiense: unknown key; did you mean 'patience'? (child.yaml:4)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "extends: parent.yaml\nchannels: [{name: emial, remove: true}]\n",
            "scenario.channels[0].name = 'emial': parent.yaml has nothing of this name to remove; "
            "did you mean 'email'? (child.yaml:2)",
        ),
        (
            "extends: parent.yaml\nchannels: [{name: email, remove: false}]\n",
            "scenario.channels[0].remove = false: must be true, beside no other key than name (child.yaml:2)",
        ),
        (
            "extends: parent.yaml\nchannels:\n- name: email\n  remove: true\n  lines: 3\n",
            "scenario.channels[0].remove = true: must be true, beside no other key than name (child.yaml:4)",
        ),
        (
            "extends: parent.yaml\nchannels: [{name: email},\n  {name: email, lines: 3}]\n",
            "scenario.channels[1].name = 'email': stands twice in channels: names must differ (child.yaml:3)",
        ),
        (
            "name: x\nextends: [parent.yaml]\n",
            "scenario.extends: must be text: the name or the path of a file (child.yaml:2)",
        ),
        (
            "\nextends: missing.yaml\n",
            "scenario.extends = missing.yaml: no such file, and no such name in configs/scenarios",
        ),
        ("extends: list.yaml\n", "scenario.extends = 'list.yaml': list.yaml must be a mapping (child.yaml:1)"),
        ("extends: broken.yaml\n", "broken.yaml:2: not valid YAML"),
    ],
)
def test_what_cannot_be_extended_is_refused(write, text, expected):
    write("- 1\n", "list.yaml")
    write("a: 1\n\tb: 2\n", "broken.yaml")
    assert message(write(text)).startswith(expected)


def test_a_circle_is_named(write):
    write("extends: child.yaml\n", "b.yaml")
    assert message(write("name: a\nextends: b.yaml\n")) == (
        "scenario.extends = 'child.yaml': files extend each other in a circle: "
        "child.yaml -> b.yaml -> child.yaml (b.yaml:1)"
    )
    assert "circle: self.yaml -> self.yaml (self.yaml:1)" in message(write("extends: self.yaml\n", "self.yaml"))


def test_the_resolved_scenario_of_a_run_folder_stands_alone(write, tmp_path):
    scenario = load_scenario(write("extends: parent.yaml\nname: own\nchannels: [{name: voice, lines: 4}]\n"))
    alone = tmp_path / "run" / "scenario.yaml"
    alone.parent.mkdir()
    alone.write_text(yaml.safe_dump(scenario.model_dump(mode="json")), encoding="utf-8")
    (tmp_path / "parent.yaml").unlink()
    assert load_scenario(alone) == scenario
