"""Reading configuration files: the YAML dialect, line numbers, overrides and names."""

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envs.configuration import document as config_file
from envs.configuration.document import apply_overrides, dump_yaml, find_config, load_yaml
from envs.errors import ConfigurationError

CENTER = """\
# A comment above, and an empty line.

name: small
channels:
  - name: voice
    patience:
      distribution: exponential
      mean_s: 90
  - name: email
    patience: null
hours: [8, 9,
        10]
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file into an empty working directory and return its path."""
    monkeypatch.chdir(tmp_path)

    def write_file(text: str, name: str = "center.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E6", 1_000_000.0),
        ("2.5", 2.5),
        (".5", 0.5),
        ("-1.", -1.0),
        ("1_000_000", 1_000_000),
        ("+7", 7),
        ("0", 0),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        # What the older YAML 1.1 would turn into something else.
        ("10:30", "10:30"),
        ("no", "no"),
        ("on", "on"),
        ("2026-01-05", "2026-01-05"),
        ("007", "007"),
        ("1e", "1e"),
        ("1.2.3", "1.2.3"),
        ("'1e-3'", "1e-3"),
    ],
)
def test_plain_scalars_follow_the_core_schema(write, text, value):
    read = load_yaml(write(f"x: {text}\n")).data["x"]
    assert read == value
    assert type(read) is type(value)


@given(st.floats(allow_nan=False))
def test_every_float_that_python_prints_is_read_back(number):
    text = repr(number).replace("inf", ".inf")
    assert config_file._parse(text, str)[0] == number


@given(st.integers())
def test_every_integer_that_python_prints_is_read_back(number):
    assert config_file._parse(f"{number:_}", str)[0] == number


def test_lines_of_keys_and_items(write):
    document = load_yaml(write(CENTER))
    assert document.data["channels"][0]["patience"] == {"distribution": "exponential", "mean_s": 90}
    assert document.location_of(("name",)).line == 3
    assert document.location_of(("channels",)).line == 4
    assert document.location_of(("channels", 0)).line == 5
    assert document.location_of(("channels", 0, "patience", "mean_s")).line == 8
    assert document.location_of(("channels", 1, "name")).line == 9
    assert document.location_of(("hours", 1)).line == 11
    assert document.location_of(("hours", 2)).line == 12


def test_line_of_what_is_not_there_is_its_nearest_ancestors(write):
    document = load_yaml(write(CENTER))
    assert document.location_of(("channels", 1, "patience", "mean_s")).line == 10
    assert document.location_of(("channels", 7, "name")).line == 4
    assert document.location_of(("nothing", "here")).line == document.location_of(()).line == 3


def test_an_anchor_gives_its_value_again_with_the_lines_of_its_own(write):
    document = load_yaml(write("a: &mean\n  mean_s: 3\nb: *mean\n"))
    assert document.data["b"] == {"mean_s": 3}
    assert document.location_of(("b", "mean_s")).line == 2
    assert document.location_of(("b",)).line == 3


def test_an_empty_file_is_an_empty_mapping(write):
    assert load_yaml(write("# nothing yet\n")).data == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "center.yaml:3: the key 'a' is already given in line 1"),
        ("a:\n  b: 1\n  'b': 2\n", "center.yaml:3: the key 'b' is already given in line 2"),
        ("a: [1, 2\nb: 3\n", "center.yaml:2: not valid YAML"),
        ("a: 1\n\tb: 2\n", "center.yaml:2: not valid YAML"),
        ("a: 1\nb: \x07\n", "center.yaml:2: not valid YAML"),
        ("a: 1\n---\nb: 2\n", "center.yaml:2: not valid YAML"),
        ("a: *missing\n", "center.yaml:1: not valid YAML"),
        ("a: 1\nb: !!python/object/apply:os.getcwd []\n", "center.yaml:2: the tag"),
        ("b: !!python/name:os.getcwd ''\n", "center.yaml:1: not valid YAML"),
        ("b: !!set {x, y}\n", "center.yaml:1: the tag"),
        ("b: !!int many\n", "center.yaml:1: "),
        ("a: &a [*a]\n", "center.yaml:1: an anchor that contains itself"),
        ("? [1, 2]\n: 3\n", "center.yaml:1: a key must be plain text"),
    ],
)
def test_a_file_that_is_not_plain_data_is_refused_with_its_line(write, text, message):
    with pytest.raises(ConfigurationError) as caught:
        load_yaml(write(text))
    assert str(caught.value).startswith(message)


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"^missing\.yaml: no such file$"):
        load_yaml(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes("a: é".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"^latin\.yaml: not a UTF-8 text file"):
        load_yaml("latin.yaml")
    with pytest.raises(ConfigurationError, match=r"cannot be read"):
        load_yaml(tmp_path)


def test_overrides_by_key_by_name_and_by_index(write):
    before = load_yaml(write(CENTER))
    after = apply_overrides(
        before,
        [
            "name=large",
            "channels.voice.patience.mean_s=1e2",
            "channels.1.patience.mean_s=5",
            "hours.2={from: 1}",
            "review.interval_s=60",
        ],
    )
    assert after.data["name"] == "large"
    assert after.data["channels"][0]["patience"] == {"distribution": "exponential", "mean_s": 100.0}
    assert after.data["channels"][1]["patience"] == {"mean_s": 5}
    assert after.data["hours"] == [8, 9, {"from": 1}]
    assert after.data["review"] == {"interval_s": 60}
    assert before.data == load_yaml(before.path).data


def test_a_value_may_hold_equals_signs_and_dots(write):
    document = apply_overrides(load_yaml(write("a: 1\n")), ["a=b=c.d"])
    assert document.data == {"a": "b=c.d"}


def test_the_origin_of_a_value(write):
    document = apply_overrides(load_yaml(write(CENTER, "folder/center.yaml")), ["channels.voice.patience.mean_s=1"])
    assert document.origin(("channels", 0, "patience", "mean_s")) == "--set"
    assert document.origin(("channels", 0, "patience", "mean_s", "below")) == "--set"
    assert document.origin(("channels", 0, "patience")) == "folder/center.yaml:6 and --set"
    assert document.origin(("channels", 1)) == "folder/center.yaml:9"


def test_a_path_outside_the_working_directory_is_shown_whole(write, monkeypatch, tmp_path):
    document = load_yaml(write(CENTER))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert document.origin(("name",)) == f"{tmp_path.resolve()}/center.yaml:3"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("name", "--set name: expected dotted.key=value"),
        ("=3", "--set =3: expected dotted.key=value"),
        ("channels..x=3", "--set channels..x=3: expected dotted.key=value"),
        ("channels.voce.x=3", "--set channels.voce.x=3: channels has no 'voce'; did you mean 'voice'?"),
        ("channels.x.y=3", "--set channels.x.y=3: channels has no 'x'; known names: voice, email"),
        ("channels.2.x=3", "--set channels.2.x=3: channels has 2 items, counted from 0"),
        ("hours.first=3", "--set hours.first=3: hours has no 'first'; its items are named by index, from 0"),
        ("name.x=3", "--set name.x=3: name is a single value and has no key 'x'"),
        ("channels.voice.name.x=3", "--set channels.voice.name.x=3: channels[0].name is a single value"),
        ("name=[1", "--set name=[1: not valid YAML"),
        ("name={a: 1, a: 2}", "--set name={a: 1, a: 2}: the key 'a' is already given"),
    ],
)
def test_an_override_that_leads_nowhere_is_refused(write, override, message):
    with pytest.raises(ConfigurationError) as caught:
        apply_overrides(load_yaml(write(CENTER)), [override])
    assert str(caught.value).startswith(message)


@pytest.fixture
def repository(write, tmp_path, monkeypatch):
    """Stand in for the clone, with the working directory somewhere else."""
    for name in ("bank", "tiny", "bank_night"):
        write("name: x\n", f"clone/configs/scenarios/{name}.yaml")
    monkeypatch.setattr(config_file, "REPOSITORY_FOLDER", tmp_path / "clone")
    return tmp_path / "clone"


def test_a_name_is_found_from_any_working_directory(repository):
    expected = repository / "configs" / "scenarios" / "bank.yaml"
    assert find_config("bank", "scenarios") == expected
    assert find_config("bank.yaml", "scenarios") == expected


def test_a_path_is_taken_as_it_is(repository, write):
    own = write("name: own\n", "bank.yaml")
    assert find_config("bank.yaml", "scenarios").resolve() == own
    assert find_config(own, "scenarios") == own
    # A bare name means the project's scenario, whatever lies in the working directory.
    write("name: own\n", "bank")
    assert find_config("bank", "scenarios").is_relative_to(repository)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("bnak", "; did you mean 'bank'?"),
        ("bank_nigt", "; did you mean 'bank_night'"),
        ("hospital", "; known names: bank, bank_night, tiny"),
        ("BANK", "no such name in configs/scenarios"),
        ("no/such/file.yaml", "no/such/file.yaml: no such file"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_ones(repository, name, hint):
    with pytest.raises(ConfigurationError) as caught:
        find_config(name, "scenarios")
    assert hint in str(caught.value)


def test_a_folder_without_files_has_no_names(repository):
    with pytest.raises(ConfigurationError, match="no such name in configs/sweeps; known names: none"):
        find_config("x", "sweeps")


@given(
    st.one_of(
        st.text(), st.sampled_from(["1e3", "0x2", "1_000", "010", "1:30", "null", "~", "true", "yes", ".inf", "-"])
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_as_yaml_is_read_again_as_the_same(tmp_path, text):
    data = {"name": text, "items": [text, 1, 1e20, -0.5, True, None], "1e3": {"on": text}}
    (tmp_path / "written.yaml").write_text(dump_yaml(data), encoding="utf-8")
    assert load_yaml(tmp_path / "written.yaml").data == data


def test_a_format_of_dates_needs_no_quotes_on_the_command_line(tmp_path):
    (tmp_path / "file.yaml").write_text("replay: {file: log.csv}\n", encoding="utf-8")
    document = apply_overrides(load_yaml(tmp_path / "file.yaml"), ["replay.date_format=%d/%m/%Y"])
    assert document.data["replay"] == {"file": "log.csv", "date_format": "%d/%m/%Y"}
