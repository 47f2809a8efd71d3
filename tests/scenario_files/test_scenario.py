"""Bad scenarios: each mistake is one clear message with path, value, rule, file and line."""

import subprocess
import sys
from pathlib import Path

import pytest

from envs import BlendedCenter, ConfigurationError, load_scenario
from envs.interface.cost_terms import COST_TERMS
from envs.scenario.parts import Horizon
from envs.scenario.scenario import Scenario
from envs.scenario.staff import Group, Shift

CENTER = """\
name: small
horizon: {days: 2, start_weekday: monday}
segments:
  - {name: student, share_frac: 0.75, account_value: 500}
  - {name: private, share_frac: 0.25, account_value: 90_000}
value_bands_usd: [1_000, 10_000]
channels:
  - name: voice
    kind: real_time
    handle_time: 300
    patience: {distribution: exponential, mean_s: 90}
    arrivals:
      interval_s: 21_600
      rate_per_hour: [0, 8, 10, 4]
    callback_offer: {to: callback, accept_prob: 0.5}
    segment_shares: {student: 0.5, private: 0.5}
  - name: email
    kind: deferred
    handle_time: 600
    due: {after_s: 3600}
    interruptible: true
    pick_up: 60
    error: {prob: 0.1, rework: {to: email, delay_s: 60, work_frac: 0.5}}
  - name: callback
    kind: deferred
    handle_time: 300
groups:
  - name: day
    count: 3
    skills: [voice, email]
    home_channel: {voice: 2, email: 1}
    shifts:
      - {weekdays: [monday], start: "07:30", end: "16:00"}
  - name: late
    count: 1
    skills: [voice, callback]
    home_channel: voice
scripted_contacts:
  - {channel: voice, at_s: 600, account_value: 500}
"""


@pytest.fixture
def message_of(tmp_path, monkeypatch):
    """Change the text of a good scenario, load it, and return the message with the line of the change."""
    monkeypatch.chdir(tmp_path)

    def load(old: str, new: str, where: str | None = None) -> tuple[str, int]:
        assert CENTER.count(old) == 1, f"{old} must stand once in the text"
        text = CENTER.replace(old, new)
        Path("small.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigurationError) as caught:
            load_scenario("small.yaml")
        return str(caught.value), text[: text.index(where or new)].count("\n") + 1

    return load


def test_the_center_of_these_tests_is_good(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(CENTER, encoding="utf-8")
    scenario = load_scenario(path)
    assert scenario.name == "small"
    assert scenario.groups[0].shifts[0].start == 7.5 * 3600
    BlendedCenter(scenario).reset(seed=0)


@pytest.mark.parametrize(
    ("old", "new", "where", "expected"),
    [
        # keys
        ("patience:", "patince:", None, "channels[0].patince: unknown key; did you mean 'patience'?"),
        ("name: small", "name: small\nchanels: []", "chanels", "chanels: unknown key; did you mean 'channels'?"),
        # numbers
        (
            "[0, 8, 10, 4]",
            "[0, 8, -10, 4]",
            None,
            "channels[0].arrivals.rate_per_hour[2] = -10: must be >= 0",
        ),
        ("mean_s: 90}", "mean_s: -90}", None, "channels[0].patience.mean_s = -90: must be > 0 seconds"),
        ("patience: {distribution: exponential, mean_s: 90}", "patience: -5", None, "= -5: must be >= 0 seconds"),
        ("accept_prob: 0.5", "accept_prob: 1.5", None, "= 1.5: must be a probability between 0 and 1"),
        ("count: 3", "count: 0", None, "groups[0].count = 0: must be >= 1"),
        ("count: 3", "count: three", None, "groups[0].count = 'three': must be a whole number"),
        ("days: 2,", "days: 0,", None, "horizon.days = 0: must be > 0 days"),
        ("days: 2,", "days: 2, warm_up_days: 2,", None, "horizon.warm_up_days = 2: must be < days = 2"),
        (
            "    segment_shares: {student: 0.5",
            "    redial: {prob: 1, delay: 0}\n    segment_shares: {student: 0.5",
            "redial",
            "channels[0].redial.delay = 0: must be >= 1 second on average",
        ),
        # arrivals
        ("interval_s: 21_600", "interval_s: 7000", None, "interval_s = 7000: must divide a day of 86400 seconds"),
        (
            "[0, 8, 10, 4]",
            "[0, 8]",
            None,
            "channels[0].arrivals.rate_per_hour: has 2 entries: must be 4, one per interval of 21600 seconds",
        ),
        (
            "[0, 8, 10, 4]",
            "{monday: [1, 2, 3, 4], friday: [1]}",
            None,
            "arrivals.rate_per_hour.friday: has 1 entries: must be 4",
        ),
        ("[0, 8, 10, 4]", "{mondy: [1, 2, 3, 4]}", None, "mondy: unknown key; did you mean 'monday'?"),
        # references
        (
            "{to: callback, accept",
            "{to: voice, accept",
            None,
            "channels[0].callback_offer.to = 'voice': must be a deferred channel",
        ),
        (
            "{to: callback, accept",
            "{to: callbak, accept",
            None,
            "channels[0].callback_offer.to = 'callbak': no such channel (known: voice, email, callback); "
            "did you mean 'callback'?",
        ),
        ("{to: email, delay", "{to: voice, delay", None, "channels[1].error.rework.to = 'voice': must be a deferred"),
        ("skills: [voice, email]", "skills: [voice, letter]", None, "groups[0].skills[1] = 'letter': no such channel"),
        ("{channel: voice,", "{channel: fax,", None, "scripted_contacts[0].channel = 'fax': no such channel"),
        ("at_s: 600", "at_s: 172_800", None, "scripted_contacts[0].at_s = 172800: must be < 172800 seconds"),
        ("segment_shares: {student", "segment_shares: {studnt", None, "did you mean 'student'?"),
        # shares
        ("share_frac: 0.75", "share_frac: 0.7", "segments:", "segments: share_frac sums to 0.95: must sum to 1"),
        ("{student: 0.5, private", "{student: 0.6, private", None, "segment_shares: sums to 1.1: must sum to 1"),
        # shifts and homes
        ('"07:30"', '"25:00"', None, "groups[0].shifts[0].start = '25:00': must be a time of day such as \"07:30\""),
        ('"07:30"', '"07:60"', None, "start = '07:60': must be a time of day"),
        ('"07:30"', "730", None, "start = 730: must be a time of day"),
        ('"16:00"', '"24:30"', None, "end = '24:30': must be a time of day"),
        ('"16:00"', "noon", None, "end = 'noon': must be a time of day"),
        ("[monday]", "[mondai]", None, "weekdays[0] = 'mondai': must be one of sunday"),
        ("home_channel: voice", "home_channel: email", None, "groups[1].home_channel = 'email': must be one of"),
        ("home_channel: {voice: 2, email: 1}", "home_channel: {voice: 2}", None, "names 2 reps: must be count = 3"),
        ("{voice: 2, email: 1}", "{voice: 2, callback: 1}", None, "home_channel.callback = 1: must be one of"),
        # staffing
        (
            "skills: [voice, callback]",
            "skills: [voice]",
            "name: callback",
            "channels[2].name = 'callback': no group has this skill, so the staffing can never serve the channel",
        ),
        (
            "[monday]",
            "[friday]",
            "name: email",
            "channels[1].name = 'email': no group with this skill has a shift within the horizon",
        ),
        # the rest
        ("[1_000, 10_000]", "[1_000, 1_000]", None, "value_bands_usd[1] = 1000: must be > 1000 USD"),
        ("[1_000, 10_000]", "[1_000, 100]", None, "value_bands_usd[1] = 100: must be > 1000 USD"),
        ("- name: email", "- name: e-mail", None, "channels[1].name = 'e-mail': must be letters, digits"),
        (
            "- name: callback",
            "- name: email",
            "- name: email\n    kind: deferred\n    handle_time: 300",
            "channels[2].name = 'email': stands twice in channels",
        ),
        ("- name: late", "- name: day", "- name: day\n    count: 1", "groups[1].name = 'day': stands twice"),
        ("{name: private,", "{name: student,", "{name: student, share_frac: 0.25", "segments[1].name = 'student'"),
        ("    pick_up: 60\n", "", "- name: email", "channels[1].pick_up: missing key: an interruptible channel"),
        (
            "    due: {after_s: 3600}",
            "    patience: 60",
            None,
            "channels[1].patience = 60: has no meaning on a deferred",
        ),
        (
            "    handle_time: 300\n    patience",
            "    handle_time: 300\n    promised: true\n    patience",
            "promised",
            "channels[0].promised = true: has no meaning on a real-time",
        ),
        ("kind: real_time", "kind: realtime", None, "channels[0].kind = 'realtime': must be one of"),
    ],
)
def test_each_mistake_is_named_with_path_value_rule_and_line(message_of, old, new, where, expected):
    message, line = message_of(old, new, where)
    first_line = message.splitlines()[0]
    assert first_line.startswith("scenario.")
    assert expected in first_line
    assert first_line.endswith(f"(small.yaml:{line})")
    assert len(message.splitlines()) == 1


def test_all_mistakes_of_the_values_are_listed_at_once(message_of):
    message, _ = message_of("mean_s: 90}", "mean_s: -90}\n    lines: 0", None)
    assert len(message.splitlines()) == 2
    assert "patience.mean_s = -90" in message
    assert "lines = 0" in message


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("channels.voice.patience.mean_s=-1", "scenario.channels[0].patience.mean_s = -1: must be > 0 seconds (--set)"),
        ("groups.late.skills=[fax]", "scenario.groups[1].skills[0] = 'fax': no such channel"),
        ("groups.night.count=2", "groups has no 'night'"),
    ],
)
def test_overrides_are_checked_too(tmp_path, override, expected):
    path = tmp_path / "small.yaml"
    path.write_text(CENTER, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_scenario(path, (override,))
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tinny"], "error: tinny: no such file, and no such name in configs/scenarios; did you mean 'tiny'"),
        (["bad.yaml"], "error: scenario.groups[0].count = 0: must be >= 1 (bad.yaml:29)"),
        (["tiny", "--set", "horizon.days=-1"], "error: scenario.horizon.days = -1: must be > 0 days (--set)"),
        (["tiny", "--policies", "lifo"], "error: policy = 'lifo': no such policy"),
    ],
)
def test_the_command_line_ends_with_one_message_and_exit_code_2(tmp_path, arguments, expected):
    (tmp_path / "bad.yaml").write_text(CENTER.replace("count: 3", "count: 0"), encoding="utf-8")
    script = Path(sys.executable).parent / "blended"
    result = subprocess.run(
        [script, "benchmark", *arguments], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert result.returncode == 2
    assert result.stderr.startswith(expected)
    assert "Traceback" not in result.stderr + result.stdout


@pytest.mark.parametrize(("name", "nearest"), [("bnak", "bank"), ("tinny", "tiny")])
def test_an_unknown_scenario_names_the_nearest(name, nearest):
    with pytest.raises(ConfigurationError, match=f"{name}: no such file.*did you mean '{nearest}'"):
        load_scenario(name)


def test_names_resolve_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_scenario("tiny").name == "tiny"
    scenario = load_scenario("bank")
    assert load_scenario(scenario) is scenario


def test_all_scenarios_of_the_project_are_good():
    folder = Path(__file__).parents[2] / "configs" / "scenarios"
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    assert {"bank", "tiny"} <= set(names)
    for name in names:
        scenario = load_scenario(name)
        assert scenario.name == name
        BlendedCenter(scenario).reset(seed=0)


def test_a_scenario_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        load_scenario("tiny").name = "other"


def group(*shifts: Shift) -> Group:
    return Group(name="night", count=1, skills=("voice",), shifts=shifts)


def test_a_shift_of_the_day_before_works_within_the_horizon():
    night = Shift.model_validate({"weekdays": ["sunday"], "start": "22:00", "end": "06:00"})
    assert group(night).works_within(Horizon(days=1, start_weekday="sunday"))
    assert group(night).works_within(Horizon(days=1, start_weekday="monday"))
    assert not group(night).works_within(Horizon(days=4, start_weekday="tuesday"))
    assert group(night).works_within(Horizon(days=6, start_weekday="tuesday"))
    assert not group().works_within(Horizon(days=7))
    assert Group(name="all", count=1, skills=("voice",)).works_within(Horizon())


def test_cost_terms_are_the_only_weights():
    with pytest.raises(ConfigurationError, match=r"costs\.weights\.handlin: unknown key; did you mean 'handling'"):
        load_scenario("tiny", ("costs={weights: {handlin: 2}}",))
    scenario = load_scenario("tiny", ("costs={weights: {handling: 2}}",))
    assert isinstance(scenario, Scenario)
    assert set(scenario.costs.weights) <= set(COST_TERMS)
