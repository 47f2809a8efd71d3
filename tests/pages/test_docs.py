"""The pages: their tables equal the code, their commands and examples work, their links lead somewhere."""

import inspect
import re
import shlex
import sys
import typing
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.main import get_command

from agents.catalog import NamedPolicy, load_policy
from agents.episodes import play_episodes
from agents.rules.index_rule import IndexRule
from agents.rules.registry import RULES
from agents.rules.rule_policy import RulePolicy
from envs import metrics
from envs.center import BlendedCenter
from envs.interface.actions import KINDS, LENSES, SERVE, SERVE_PREFERRED
from envs.interface.cost_terms import COST_TERM_TABLE
from envs.interface.fields import CANDIDATE_FIELDS, CENTER_FIELDS, FAR_S, QUEUE_FIELDS, Field
from envs.interface.units import DAY_S, WEEK_S, WEEKDAYS
from envs.scenario import agreements, channel, customers, distributions, outcomes, parts, scenario, staff
from envs.scenario import recording as replay
from envs.scenario.scenario import Scenario, load_scenario
from experiments.calibration.logs import cleaning, mapping
from experiments.calibration.sensitivity import assumptions
from experiments.cli.main import app
from experiments.records.recorder import RecordFolder
from experiments.records.tables import DISPOSITIONS, TABLES
from experiments.seeds import demand_seeds
from experiments.sweeps import sweep_config
from experiments.training import algorithm_settings, training_config
from experiments.tuning import tuning_config

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "envs/simulator/README.md",
    "findings/README.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """Return the text of a page below a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", read(page), re.MULTILINE | re.DOTALL)
    assert found is not None, f"{page} has no heading {heading!r}"
    return found[1]


def table(text: str) -> list[list[str]]:
    """Return the cells of a table's rows, its head left out."""
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[1:]]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", read(page), re.MULTILINE | re.DOTALL)


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [slug(heading) for heading in headings], target


BOUNDS = {DAY_S: "1 day", WEEK_S: "7 days", FAR_S: "30 days", -FAR_S: "-30 days", 1e6: "1e6", 1e9: "1e9"}


@pytest.mark.parametrize(
    ("heading", "fields"),
    [("Center fields", CENTER_FIELDS), ("Channel fields", QUEUE_FIELDS), ("Candidate fields", CANDIDATE_FIELDS)],
)
def test_observation_fields(heading: str, fields: tuple[Field, ...]):
    expected = [
        [
            f"`{field.name}`",
            field.unit,
            " to ".join(BOUNDS.get(end, f"{end:,g}") for end in (field.low, field.high)),
            f"{field.scale:,g}",
            "yes" if field.markov else "",
            field.meaning,
        ]
        for field in fields
    ]
    assert table(section("docs/observation.md", heading)) == expected


@pytest.mark.parametrize(
    ("heading", "prefix", "example", "definitions"),
    [
        ("Center", "", "", metrics.CENTER_METRICS),
        ("Every channel", "<channel>.", "voice.", metrics.QUEUE_METRICS),
        ("Real-time channels", "<channel>.", "voice.", metrics.REAL_TIME_METRICS),
        ("Deferred channels", "<channel>.", "email.", metrics.DEFERRED_METRICS),
        ("Account-value bands", "band_<i>.", "band_0.", metrics.BAND_METRICS),
    ],
)
def test_metrics(heading: str, prefix: str, example: str, definitions: dict[str, metrics.Metric]):
    undefined = metrics.undefined_keys(load_scenario("bank"))
    expected = [
        [f"`{prefix}{key}`", metric.unit, "yes" if example + key in undefined else "", metric.meaning]
        for key, metric in definitions.items()
    ]
    assert table(section("docs/metrics.md", heading)) == expected


def test_cost_terms():
    rows = table(section("docs/metrics.md", "Cost terms"))
    assert rows == [[f"`cost_{term.name}_usd`", "USD/day", term.meaning] for term in COST_TERM_TABLE]


def test_actions():
    expected = []
    for kind, row in enumerate(KINDS):
        for lens, which in enumerate(LENSES.get(kind, (None,))):
            if which is None:
                expected.append([f"`{row.name}`", row.subject, row.meaning, ""])
                continue
            channel = ":<channel>" if kind == SERVE and lens != SERVE_PREFERRED else ""
            meaning = f"{row.meaning} {which.meaning}"
            expected.append([f"`{row.name}{channel}:{which.name}`", row.subject, meaning, which.needs])
    assert table(section("docs/decision.md", "Actions")) == expected


def test_the_readme_counts_the_index_rules():
    named, more = re.search(r"an index rule \((.*?) and\s+(\d+) more\)", read("README.md")).groups()
    names = re.findall(r"`(\w+)`", named)
    index_rules = [kind for kind in RULES if issubclass(kind, IndexRule)]
    known = {name for kind in index_rules for name in typing.get_args(kind.model_fields["rule"].annotation)}
    assert set(names) <= known
    assert len(names) + int(more) == len(known)


def test_the_glossary_leaves_no_metric_out():
    bank = load_scenario("bank")
    page = read("docs/metrics.md")
    channels = {channel.name for channel in bank.channels}
    for key, (unit, _) in metrics.metric_glossary(bank).items():
        owner, dot, name = key.partition(".")
        pattern = key if not dot else f"<channel>.{name}" if owner in channels else f"band_<i>.{name}"
        assert f"| `{pattern}` | {unit} |" in page, key


def shown_default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value >= 1e9:
        return "1e9"
    if isinstance(value, int | float):
        return f"{value:,.9g}"
    if isinstance(value, BaseModel):
        return "its defaults"
    if value == WEEKDAYS:
        return "all seven"
    return f"`{value}`" if value else "empty"


def models_of(module) -> list[type[BaseModel]]:
    """Return the models that a module defines, those left out that have no key of their own."""
    own = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__]
    return [kind for kind in own if issubclass(kind, BaseModel) and kind.model_fields]


SCENARIO_MODULES = (scenario, parts, customers, outcomes, channel, staff, agreements, distributions)
TRAINING_MODULES = (training_config, algorithm_settings)
VALUE_LEARNERS = (algorithm_settings.Dqn, algorithm_settings.Qrdqn)
"""Whose keys stand together on a page of their own, which their tests read."""


def heading_of(model: type[BaseModel], page: str) -> str:
    """Return the heading that is the model's name, or ends with it in brackets."""
    headings = re.findall(r"^#+ (.+)$", read(page), re.MULTILINE)
    found = [heading for heading in headings if heading == model.__name__ or heading.endswith(f"({model.__name__})")]
    assert len(found) == 1, f"{page} needs one heading for {model.__name__}"
    return found[0]


@pytest.mark.parametrize(
    ("page", "model"),
    [("docs/scenario.md", model) for module in SCENARIO_MODULES for model in models_of(module)]
    + [
        ("docs/training.md", model)
        for module in TRAINING_MODULES
        for model in models_of(module)
        if model not in VALUE_LEARNERS
    ]
    + [("docs/sweeps.md", model) for model in models_of(sweep_config)]
    + [("docs/tuning.md", model) for model in models_of(tuning_config)]
    + [("docs/calibration.md", model) for module in (mapping, cleaning, assumptions) for model in models_of(module)],
)
def test_keys_and_defaults(page: str, model: type[BaseModel]):
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    heading = heading_of(model, page)
    law = fields.pop("distribution", None)
    if law is not None:
        assert heading.startswith(f"`{typing.get_args(law.annotation)[0]}`")
    rows = table(section(page, heading))
    assert [row[:2] for row in rows] == [[f"`{name}`", shown_default(field)] for name, field in fields.items()]
    assert all(all(row) for row in rows)


def test_cleaning_rules():
    expected = [[f"`{rule}`", meaning] for rule, meaning in cleaning.MEANINGS.items()]
    assert table(section("docs/calibration.md", "Cleaning rules")) == expected


def test_columns_of_a_record():
    rows = table(section("docs/scenario.md", "Columns of a record"))
    expected = [[f"`{name}`", "yes" if name in replay.REQUIRED_COLUMNS else ""] for name in replay.COLUMNS]
    assert [row[:2] for row in rows] == expected
    assert all(row[2] and row[3] for row in rows)


def test_the_example_of_a_record(tmp_path):
    (example,) = blocks("docs/scenario.md", "csv")
    file = tmp_path / "record.csv"
    file.write_text(example, encoding="utf-8")
    recording = replay.read_recording(file, {"voice": True}, DAY_S, 1)
    assert [day["at_s"].tolist() for day in recording.days] == [[25_376, 29_356], [26_010]]


@pytest.mark.parametrize("name", TABLES)
def test_records(name: str):
    expected = [[f"`{column.name}`", *column[1:]] for column in TABLES[name]]
    assert table(section("docs/records.md", name.capitalize())) == expected


def test_dispositions():
    expected = [[f"`{name}`", text] for name, text in DISPOSITIONS.items()]
    assert table(section("docs/records.md", "Dispositions")) == expected


def test_the_example_of_records(tmp_path, monkeypatch, capsys):
    bank = load_scenario("bank", ("horizon.days=1",))
    fifo = NamedPolicy("expected_loss", RulePolicy("fifo", bank))
    with RecordFolder(tmp_path / "records").open(bank, fifo, 0) as recorder:
        (count,) = play_episodes(bank, fifo.policy, demand_seeds(0).test, np.array([0]), recorder=recorder)
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks("docs/records.md", "python")[0], "records.md", "exec"), {})
    shown = re.findall(r"band (\d): (.*)% of (\d+) calls", capsys.readouterr().out)
    voice = count["queue_count"][0]
    assert [int(band) for band, _, _ in shown] == list(range(len(bank.value_bands_usd) + 1))
    assert sum(int(calls) for _, _, calls in shown) == voice["arrived"] - voice["blocked"]
    within = sum(float(percent) / 100 * int(calls) for _, percent, calls in shown)
    assert within == pytest.approx(voice["started_within_threshold"], abs=0.0005 * voice["arrived"])


def test_the_readme_names_every_scenario():
    readme = read("README.md")
    for file in (ROOT / "configs" / "scenarios").glob("*.yaml"):
        assert f"| `{file.stem}` |" in readme


def scenario_on(page: str, folder: Path) -> Scenario:
    """Return the scenario that stands on a page, the first one if there are several."""
    text = blocks(page, "yaml")[0]
    file = folder / "scenario.yaml"
    file.write_text(text, encoding="utf-8")
    return load_scenario(file)


def test_the_smallest_scenario_is_one(tmp_path):
    small = scenario_on("docs/scenario.md", tmp_path)
    assert small.name == "small"
    assert small.channels[1].due is not None
    assert small.channels[1].due.after_s == 4 * 3600


def test_the_example_of_an_extending_scenario(tmp_path):
    small, extending = blocks("docs/scenario.md", "yaml")
    (tmp_path / "small.yaml").write_text(small, encoding="utf-8")
    (tmp_path / "scenario.yaml").write_text(extending, encoding="utf-8")
    scenario = load_scenario(tmp_path / "scenario.yaml")
    voice, letter = scenario.channels
    assert (voice.name, voice.harm.abandonment_prob, letter.name) == ("voice", 0, "letter")
    assert voice.patience is not None
    assert voice.patience.mean_duration_s == 60
    assert scenario.groups[0].home_channel == {"voice": 2, "letter": 1}


def commands() -> list[str]:
    lines = [line.strip() for page in PAGES for line in read(page).splitlines()]
    return sorted({line.partition("#")[0].strip() for line in lines if line.startswith("blended ")})


@pytest.mark.parametrize("line", commands())
def test_commands_are_understood(line):
    _, name, *arguments = shlex.split(line)
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    command.make_context(name, arguments)  # reads all options, runs nothing


def test_every_command_has_an_example():
    named = {line.split()[1] for line in commands()}
    assert named == set(get_command(app).commands)  # type: ignore[attr-defined]


def test_the_example_of_looking_ahead_runs(capsys):
    ahead, _ = blocks("docs/decision.md", "python")
    exec(compile(ahead.replace("futures=20", "futures=2"), "docs/decision.md", "exec"), {})
    assert float(capsys.readouterr().out) > 0


def test_the_example_of_the_test_episodes_runs():
    _, example = blocks("docs/decision.md", "python")
    found: dict = {}
    exec(compile(example, "docs/decision.md", "exec"), found)
    assert (found["info"]["demand_seed"], found["info"]["demand_episode"]) == (demand_seeds(0).test, 0)


def test_the_examples_in_python_run(tmp_path, monkeypatch, capsys):
    environments, own_policy = blocks("README.md", "python")
    exec(compile(environments.replace('"bank"', '"tiny"').replace("1000", "5"), "README.md", "exec"), {})
    name, elapsed_s, cost_usd = capsys.readouterr().out.split()
    assert name in BlendedCenter("tiny").action_names
    assert float(elapsed_s) >= 0.0 <= float(cost_usd)
    (tmp_path / "my_policies.py").write_text(own_policy, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    tiny = load_scenario("tiny")
    try:
        named = load_policy("my_policies:LongestWait", tiny)
        (counts,) = play_episodes(tiny, named.policy, 0, np.array([0]))
    finally:
        sys.modules.pop("my_policies", None)
    assert counts["queue_count"]["completed"].sum() > 0
    assert counts["queue_count"]["interruptions"].sum() == 0


def test_the_example_of_the_terminal_charge(tmp_path):
    center = BlendedCenter(scenario_on("docs/costs.md", tmp_path))
    center.reset(seed=0)
    terminated = False
    while not terminated:
        _, _, terminated, _, _ = center.step(0)  # `wait`, always
    # By hand: 10,000 * 0.01 + 5 for the due time of the second case, 9,900 * 0.06 / 6 for its ten minutes; 2 USD an
    # hour for 60 and 70 minutes.
    lateness_usd, backlog_usd = 204.0, 2.0 * (1.0 + 70 / 60)
    assert f"**{lateness_usd:.0f} USD**" in read("docs/costs.md")
    assert f"**{backlog_usd:.2f} USD**" in read("docs/costs.md")
    assert center.metrics()["cost_lateness_usd"] == pytest.approx(lateness_usd)
    assert center.metrics()["cost_backlog_usd"] == pytest.approx(backlog_usd)
    assert center.metrics()["total_cost_usd"] == pytest.approx(lateness_usd + backlog_usd)
