"""Numbers: of the right kind, finite and no larger than their unit allows, wherever one is read; else exit code 2 and
one message that names place, value, rule and unit."""

import json
import sys

import pytest

from agents.rules.registry import RuleFile, default_rule
from agents.table_policy import TablePolicy
from envs.configuration.document import load_yaml, validate
from envs.configuration.quantities import LARGEST, Checked, largest
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario, load_scenario
from experiments.cli import main as cli
from experiments.comparison.benchmark import load_benchmark
from experiments.comparison.tuned_rules import TunedRules
from experiments.training.training_config import TrainingConfig, load_training
from experiments.tuning.tuning_config import TuningConfig, load_tuning
from experiments.validation.models import ValidationFile

SCENARIO = """
name: small
channels:
  - name: voice
    kind: real_time
    arrivals: {rate_per_hour: 30}
    handle_time: 180
    harm: {abandonment_prob: 0.01}
    patience: {distribution: exponential, mean_s: 120}
groups: [{name: reps, count: 2, skills: [voice]}]
segments: [{name: a, share_frac: 1, account_value: 1000}]
"""
NOT_FINITE = (".inf", "-.inf", ".nan", "1e400")
WRONG_KINDS = ("true", '"1"', '"1_000"', "[[1, 2]]", "1_0e1")
KEYS = {
    "horizon.days": "(days)",
    "channels.voice.arrivals.rate_per_hour": "(per hour)",
    "channels.voice.arrivals.day_factor_cv": "",
    "channels.voice.handle_time": "(seconds)",
    "channels.voice.patience.mean_s": "(seconds)",
    "channels.voice.harm.abandonment_prob": "(probability)",
    "channels.voice.costs.abandonment_usd": "(USD)",
    "groups.reps.count": "",
    "segments.a.account_value": "(USD)",
    "segments.a.share_frac": "(fraction)",
    "review_interval_s": "(seconds)",
    "costs.weights.wait": "",
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", NOT_FINITE)
def test_a_number_that_is_not_finite_is_refused_with_its_unit(file, key, value):
    shown = ".inf" if value == "1e400" else value
    with pytest.raises(ConfigurationError) as refused:
        load_scenario(file, (f"{key}={value}",))
    (line,) = str(refused.value).splitlines()
    assert line.endswith(f" = {shown}: must be a finite number {KEYS[key]}".rstrip() + " (--set)")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", WRONG_KINDS)
def test_what_is_no_number_is_refused(file, key, value):
    with pytest.raises(ConfigurationError, match=r"must be .*\(--set\)$") as refused:
        load_scenario(file, (f"{key}={value}",))
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", ["1e300", "9" * 30, "1e30", "-1e300", f"-{'9' * 60}"])
def test_an_absurd_number_is_refused(file, key, value):
    with pytest.raises(ConfigurationError, match=r": must be .*(<=|>=|> 0|between 0 and 1).*\(--set\)$") as refused:
        load_scenario(file, (f"{key}={value}",))
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("value", ["1", "0", "yes", '"true"', "1.0"])
def test_true_or_false_is_no_number_and_no_other_text(file, value):
    with pytest.raises(ConfigurationError, match=r"interruptible = .*: must be true or false \(--set\)$"):
        load_scenario(file, (f"channels.voice.interruptible={value}",))


def test_a_mistake_in_the_file_names_its_line(file):
    file.write_text(SCENARIO.replace("rate_per_hour: 30", "rate_per_hour: .inf"))
    with pytest.raises(ConfigurationError, match=r"rate_per_hour = .inf: must be a finite .*\(.*small.yaml:6\)$"):
        load_scenario(file)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        # 900,000 an hour for 24 hours; 30 an hour for 1000 days.
        (("channels.voice.arrivals.rate_per_hour=900_000",), "about 21,600,000 contacts in an episode of 1 days"),
        (("horizon.days=1000",), "about 720,000 contacts in an episode of 1000 days"),
    ],
)
def test_more_contacts_than_memory_holds_are_refused_with_both_numbers(file, overrides, message):
    with pytest.raises(ConfigurationError, match=rf"rate_per_hour = .*{message}: must be <= 500,000 contacts"):
        load_scenario(file, overrides)
    assert load_scenario(file, ("horizon.days=690",)).horizon.days == 690  # 496,800 contacts


def test_whole_numbers_may_still_be_written_as_floats(file):
    found = load_scenario(file, ("groups.reps.count=3.0", "channels.voice.handle_time=1e2", "horizon.days=1"))
    assert found.groups[0].count == 3
    assert found.channels[0].handle_time.mean_duration_s == 100


def numbers(schema: dict, name: str = "") -> list[tuple[str, dict]]:
    """Return the numbers of a JSON schema, each with the name of its field."""
    found = [(name, schema)] if schema.get("type") in ("number", "integer") else []
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            for inner, below in value.items():
                found += numbers(below, inner)
        elif key != "discriminator":
            for below in value if isinstance(value, list) else [value]:
                if isinstance(below, dict):
                    found += numbers(below, name)
    return found


@pytest.mark.parametrize("model", [Scenario, TrainingConfig, TuningConfig, ValidationFile, RuleFile, TunedRules])
def test_every_number_of_every_configuration_is_bounded_on_both_sides(model):
    found = numbers(model.model_json_schema())
    assert len(found) > 5
    for name, schema in found:
        assert {"maximum", "exclusiveMaximum"} & schema.keys(), name
        assert {"minimum", "exclusiveMinimum"} & schema.keys(), name


def test_the_bound_of_a_field_follows_from_the_end_of_its_name_unless_it_states_one():
    assert (largest("mean_s"), largest("late_usd_per_hour"), largest("rate_per_hour")) == (1e9, 1e12, 1e6)
    assert largest("count") == 1e9
    assert all(value > 0 for value in LARGEST.values())

    class Part(Checked):
        mean_s: float
        many: tuple[int, ...] = ()
        by_name: dict[str, float | None] | None = None

    assert Part.model_validate({"mean_s": 1e9, "many": [1, 2.0], "by_name": {"a": None, "b": 1}}).many == (1, 2)
    for wrong in ({"mean_s": 1.1e9}, {"mean_s": 1, "many": [True]}, {"mean_s": 1, "by_name": {"a": float("nan")}}):
        with pytest.raises(ValueError, match="1 validation error"):
            Part.model_validate(wrong)


@pytest.mark.parametrize(
    ("load", "key", "value", "message"),
    [
        (load_training, "steps", "1e30", "training.steps"),
        (load_training, "ppo.learning_rate", ".nan", "training.ppo.learning_rate = .nan: must be a finite number"),
        (load_training, "ppo.environments", "true", "training.ppo.environments = true: must be a whole number"),
        (load_training, "ppo.shaped", "1", "training.ppo.shaped = 1: must be true or false"),
        (load_training, "threads", "10_000", "training.threads = 10000: must be <= 1024"),
        (load_training, "seed", "9" * 30, "training.seed"),
    ],
)
def test_trainings(load, key, value, message):
    with pytest.raises(ConfigurationError) as refused:
        load("bank", (f"{key}={value}",))
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("load", [load_benchmark, load_tuning])
@pytest.mark.parametrize("changes", [{"episodes": 10**9}, {"episodes": True}, {"seed": -1}, {"seed": 10**30}])
def test_benchmarks_and_tunings(load, changes):
    with pytest.raises(ConfigurationError, match=r"(episodes|seed) = .*: must be .*\(--set\)$"):
        load(**changes)


@pytest.mark.parametrize("value", [*NOT_FINITE, "true", '"1"', "1e300"])
@pytest.mark.parametrize("rule", ["cmu", "priority", "threshold_reservation"])
def test_settings_of_rules(tmp_path, rule, value):
    names = [name for name, found in default_rule(rule) if isinstance(found, float)]
    for name in names:
        (tmp_path / "p.yaml").write_text(f"rule: {rule}\n{name}: {value}\n")
        with pytest.raises(ConfigurationError, match=rf"policy.{name} = .*: must be .*p.yaml:2\)$"):
            validate(load_yaml(tmp_path / "p.yaml"), RuleFile, "policy")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "1e300", "1_000", "true", "0x10"])
@pytest.mark.parametrize("column", ["at_s", "handle_s", "patience_s", "account_value_usd", "at_risk", "preferred_rep"])
def test_cells_of_recorded_days(file, column, value):
    row = {"channel": "voice", "at_s": "10", column: value}
    (file.parent / "days.csv").write_text(f"{','.join(row)}\n{','.join(row.values())}\n")
    with pytest.raises(ConfigurationError, match=rf"days.csv, row 2, column {column} = '{value}': must be"):
        load_scenario(file, (f"replay.file={file.parent / 'days.csv'}",))


@pytest.mark.parametrize("state", ["(1e9, 0, 0, 0)", "(NaN, 0, 0, 0)", f"({'9' * 5000}, 0, 0, 0)", "(-1, 0, 0, 0)"])
def test_states_of_a_table(tmp_path, state):
    (tmp_path / "t.json").write_text(json.dumps({state: "(0, 0, 0, 0)"}))
    with pytest.raises(ConfigurationError, match="must be a state such as"):
        TablePolicy(tmp_path / "t.json", load_scenario("certify_interrupt"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "fifo", "--episodes", "1e9"),
        ("evaluate", "fifo", "--episodes", "1000000000"),
        ("evaluate", "fifo", "--episodes", "0"),
        ("evaluate", "fifo", "--seed", "-1"),
        ("evaluate", "fifo", "--seed", "1" + "0" * 30),
        ("evaluate", "fifo", "--threads", "0"),
        ("evaluate", "fifo", "--threads", "1000000"),
        ("evaluate", "fifo", "--set", "channels.voice.handle_time=.inf"),
        ("benchmark", "--episodes", "nan"),
        ("benchmark", "--episodes", "1000000000"),
        ("benchmark", "--bound", "1" + "0" * 30),
        ("benchmark", "--seed", "1" + "0" * 30),
        ("benchmark", "--threads", "1000000"),
        ("tune", "--minutes", "nan"),
        ("tune", "--minutes", "inf"),
        ("tune", "--minutes", "1e300"),
        ("tune", "--trials", "1" + "0" * 30),
        ("train", "--steps", "1" + "0" * 30),
        ("train", "--seed", "-1"),
        ("validate", "--threads", "0"),
        ("validate", "--trace", "--batch", "1000000000"),
        ("describe", "bank", "--set", "horizon.days=.nan"),
        ("certify", "certify_interrupt", "--set", "channels.0.handle_time=.inf"),
    ],
)
def test_options_of_commands_end_in_exit_code_2_and_one_message(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["blended", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    shown = capsys.readouterr().err
    assert ended.value.code == 2
    assert "Traceback" not in shown
    assert shown.count("error:") + shown.count("Invalid value") == 1
