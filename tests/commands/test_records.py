"""Records: every metric counted again from them alone, their rows by hand, their files, and the command."""

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute  # registers pa.compute
import pyarrow.parquet as pq
import pytest
from auditing import check_exact_laws
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playing import EMAIL, VOICE, channel, contact, scripted
from random_centers import scenarios
from recounting import Recount, read_records

from agents.catalog import NamedPolicy
from agents.episodes import play_episodes
from agents.policy import Observations, Policy
from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.counts import (
    Counts,
    add_counts,
)
from envs.errors import ConfigurationError
from envs.interface.cost_terms import COST_TERMS
from envs.metrics import compute_metrics
from envs.scenario.scenario import Scenario, load_scenario
from envs.simulator.machine.record_types import MAX_NOTES
from experiments.cli.main import main
from experiments.comparison.comparison import run_benchmark
from experiments.records.recorder import ROWS_PER_GROUP, RecordFolder, make_schema
from experiments.records.tables import TABLES
from experiments.seeds import demand_seeds

EVERYTHING = Path(__file__).parents[1] / "everything.yaml"


class Chance:
    """Takes any open action, and now and then a masked one if it may; knows its probabilities."""

    def __init__(self, seed: int = 0, masked_prob: float = 0.0) -> None:
        self.masked_prob = masked_prob
        self.seed(seed)

    def seed(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)

    def predict(self, observations: Observations, deterministic: bool = True) -> np.ndarray:
        mask = observations["action_mask"]
        noise = self.generator.random(mask.shape)
        is_free = self.generator.random(len(mask)) < self.masked_prob
        return np.where((mask != 0) | is_free[:, np.newaxis], noise, -1.0).argmax(axis=1)

    def action_probabilities(self, observations: Observations) -> np.ndarray:
        mask = observations["action_mask"]
        return mask / mask.sum(axis=1, keepdims=True)


class Script:
    """Answers with the actions of these names, then waits."""

    def __init__(self, scenario: Scenario, *names: str) -> None:
        table = CenterRows(scenario, 1).action_names
        self.actions = [table.index(name) for name in names]

    def predict(self, observations: Observations, deterministic: bool = True) -> np.ndarray:
        return np.array([self.actions.pop(0) if self.actions else 0])


def record(
    scenario: Scenario, policy: Policy, folder: Path, episodes: int = 1, seed: int = 0, **keys: Any
) -> tuple[list[Counts], Path]:
    """Play test episodes with a recorder; return their counters and the folder of the records."""
    with RecordFolder(folder).open(scenario, NamedPolicy("played", policy), seed) as recorder:
        counts = play_episodes(
            scenario, policy, demand_seeds(seed).test, np.arange(episodes), recorder=recorder, **keys
        )
    return counts, folder


def check_recount(scenario: Scenario, counts: list[Counts], folder: Path) -> None:
    """Compare every metric with the recount, and the costs with those of the decisions too."""
    total = add_counts(counts)
    recount = Recount(scenario, read_records(folder), len(counts))
    wanted, found = compute_metrics(scenario, total, len(counts)), recount.metrics()
    assert set(found) == set(wanted)
    for key, value in wanted.items():
        relative, absolute = 1e-9, 1e-12
        name, _, metric = key.rpartition(".")
        if metric == "wait_p95_s":  # the kernel keeps a histogram
            relative = absolute = 1 / 16
        if metric == "wait_variance_s2":  # the difference of two much larger numbers, perhaps
            absolute = 1e-12 * (1 + value + wanted[f"{name}.mean_wait_s"] ** 2)
        if metric == "found_open" and not np.isnan(value):
            n_customers, _, n_unclear = recount.found_open(name)
            assert found[key] - (n_unclear + 1e-6) / n_customers <= value <= found[key] + 1e-6 / n_customers, key
            continue
        assert found[key] == pytest.approx(value, rel=relative, abs=absolute, nan_ok=True), key
    if len(set(recount.decisions["episode"])) == len(counts):  # an episode without a decision has no step
        for i, term in enumerate(COST_TERMS):
            assert recount.step_cost_usd(term) == pytest.approx(total["cost_usd"][i], rel=1e-9, abs=1e-12), term


# Every metric again -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fifo", "value_first", "expected_loss", "voice_first_interrupting", "chance"])
def test_every_metric_of_tiny_is_counted_again(name, tmp_path):
    scenario = load_scenario("tiny")
    policy = Chance() if name == "chance" else RulePolicy(name, scenario)
    counts, folder = record(scenario, policy, tmp_path / "records", episodes=2)
    check_recount(scenario, counts, folder)


def test_every_metric_of_a_center_with_everything_is_counted_again(tmp_path):
    scenario = load_scenario(EVERYTHING)
    counts, folder = record(scenario, Chance(masked_prob=0.02), tmp_path / "records", episodes=12, seed=5)
    total = add_counts(counts)
    for count in ("queue_count", "band_count", "center_count"):
        for field in total[count].dtype.names:
            if field != "lost":
                assert total[count][field].sum() > 0, f"{field} does not occur, so it is not tested"
    assert (total["cost_usd"] > 0).all()
    check_recount(scenario, counts, folder)


@st.composite
def warmed_up(draw) -> Scenario:
    """Return a random center, perhaps with a warm-up, which often ends at the second of other events."""
    scenario = draw(scenarios())
    warm_up_days = draw(st.sampled_from([0.0, 0.0, 900 / 86_400, 1800 / 86_400, 0.03]))
    horizon = scenario.horizon.model_copy(update={"warm_up_days": warm_up_days})
    return scenario.model_copy(update={"horizon": horizon})


def check_random(scenario: Scenario, seed: int, folder: Path) -> None:
    counts, files = record(scenario, Chance(seed), folder / f"{len(list(folder.iterdir()))}", episodes=2, seed=seed)
    check_exact_laws(scenario, counts)
    check_recount(scenario, counts, files)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(scenario=warmed_up(), seed=st.integers(0, 2**31 - 1))
def test_every_metric_of_random_centers_is_counted_again(tmp_path, scenario, seed):
    check_random(scenario, seed, tmp_path)


@pytest.mark.slow
@settings(max_examples=1500, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(scenario=warmed_up(), seed=st.integers(0, 2**31 - 1))
def test_every_metric_of_many_random_centers_is_counted_again(tmp_path, scenario, seed):
    check_random(scenario, seed, tmp_path)


# The rows, by hand --------------------------------------------------------------------------------

PRICES = {"interruption_usd": 2, "pick_up_usd_per_hour": 36, "overtime_usd_per_hour": 72}
HARM = {"late_prob": 0.01}


def rows_of(folder: Path, table: str, *columns: str) -> list[tuple[Any, ...]]:
    read = pq.read_table(folder / table)
    return list(zip(*(read[column].to_pylist() for column in columns), strict=True))


@pytest.fixture
def interrupted(tmp_path):
    """An e-mail from 100 s is interrupted at 300 s for a call of 300 s, then picked up for 60 s; it was due at 400 s.
    The shift ends at 900 s: 200 s of 600 s are done at 300 s, so the rest ends at 660 + 400 = 1,060 s."""
    email = channel(EMAIL, due={"after_s": 300}, harm=HARM, costs={"late_usd": 5})
    groups = [{"name": "all", "count": 1, "skills": ["voice", "email"], "shifts": [{"start": "00:00", "end": "00:15"}]}]
    contacts = contact(100, "email", 1000), contact(300, "voice", 50), contact(5000, "email", 1000)
    scenario = scripted(
        *contacts, reps=groups, channels=[VOICE, email], costs=PRICES, terminal_charge="none", value_bands_usd=[100]
    )
    policy = Script(scenario, "serve:email:oldest", "interrupt:least_value_at_stake", "resume")
    return scenario, record(scenario, policy, tmp_path / "records")[1]


def test_contacts_have_all_their_times(interrupted):
    _, folder = interrupted
    columns = (
        "contact",
        "customer",
        "channel",
        "band",
        "arrived_s",
        "due_s",
        "due_passed_s",
        "first_start_s",
        "ended_s",
    )
    assert rows_of(folder, "contacts", *columns) == [
        (0, 0, "email", 1, 100, 400, 400, 100, 1060),
        (1, 1, "voice", 0, 300, None, None, 300, 600),
        (2, 2, "email", 1, 5000, 5300, 5300, None, None),
    ]
    columns = ("disposition", "overdue", "handle_s", "pick_up_s", "interruptions", "first_rep", "cost_lateness_usd")
    assert rows_of(folder, "contacts", *columns) == [
        ("resolved", True, 600, 60, 1, 0, 15),
        ("resolved", False, 300, 0, 0, 0, 0),
        ("left_waiting", True, 0, 0, 0, None, 15),
    ]


def test_phases_are_what_reps_and_contacts_did(interrupted):
    _, folder = interrupted
    found = rows_of(folder, "phases", "phase", "channel", "contact", "rep", "start_s", "end_s")
    assert sorted(row for row in found if row[5] > row[4]) == sorted(
        [
            ("idle", None, None, 0, 0, 100),
            ("working", "email", 0, 0, 100, 300),
            ("suspended", "email", 0, 0, 300, 600),
            ("working", "voice", 1, 0, 300, 600),
            ("picking_up", "email", 0, 0, 600, 660),
            ("working", "email", 0, 0, 660, 1060),
            ("overtime", "email", 0, 0, 900, 1060),
            ("waiting", "email", 2, None, 5000, 86_400),
        ]
    )


def test_after_contact_work_is_a_phase_of_the_rep_and_time_of_the_contact(tmp_path):
    """Calls of 300 s at 100 s and at 200 s, 80 s of after-contact work each: the rep is free at 480, then at 860 s.
    The shift ends at 840 s: 20 s of overtime. Of the third call's after-contact work, from 86,080 + 300 s on, 20 s lie
    before the horizon."""
    voice = channel(VOICE, after_work=80, costs={"holding_usd_per_hour": 36})
    groups = [
        {"name": "day", "count": 1, "skills": ["voice"], "shifts": [{"start": "00:00", "end": "00:14"}]},
        {"name": "night", "count": 1, "skills": ["voice", "email"], "shifts": [{"start": "23:00", "end": "24:00"}]},
    ]
    calls = contact(100), contact(200), contact(86_080)
    scenario = scripted(*calls, reps=groups, channels=[voice, EMAIL], terminal_charge="none")
    policy = Script(scenario, "assign:longest_idle", "wait", "serve:voice:oldest", "assign:longest_idle")
    counts, folder = record(scenario, policy, tmp_path / "records")
    assert rows_of(folder, "contacts", "contact", "first_start_s", "ended_s", "disposition", "handle_s") == [
        (0, 100, 400, "resolved", 380),
        (1, 480, 780, "resolved", 380),
        (2, 86_080, 86_380, "resolved", 320),
    ]
    found = rows_of(folder, "phases", "phase", "channel", "contact", "rep", "start_s", "end_s")
    assert sorted(row for row in found if row[5] > row[4]) == sorted(
        [
            ("idle", None, None, 0, 0, 100),
            ("working", "voice", 0, 0, 100, 400),
            ("after_work", "voice", 0, 0, 400, 480),
            ("waiting", "voice", 1, None, 200, 480),
            ("working", "voice", 1, 0, 480, 780),
            ("after_work", "voice", 1, 0, 780, 860),
            ("overtime", None, None, 0, 840, 860),
            ("idle", None, None, 1, 82_800, 86_080),
            ("working", "voice", 2, 1, 86_080, 86_380),
            ("after_work", "voice", 2, 1, 86_380, 86_400),
        ]
    )
    metrics = compute_metrics(scenario, counts[0])
    assert metrics["voice.mean_handle_s"] == pytest.approx((380 + 380 + 320) / 3)
    assert metrics["voice.after_work_frac"] == pytest.approx(180 / 86_400)
    assert metrics["all_busy_frac"] == pytest.approx((760 + 320) / 86_400)
    assert metrics["mean_all_busy_s"] == pytest.approx((760 + 320) / 2)
    assert metrics["overtime_min"] == pytest.approx(20 / 60)
    check_recount(scenario, counts, folder)


def test_charges_name_contact_term_and_loss(interrupted):
    _, folder = interrupted
    assert rows_of(folder, "charges", "time_s", "term", "channel", "contact", "amount_usd", "account_loss_usd") == [
        (300, "interruption", "email", 0, 2, 0),
        (400, "lateness", "email", 0, 15, 10),
        (660, "interruption", "email", 0, pytest.approx(0.6), 0),  # 60 s at 36 USD an hour
        (5300, "lateness", "email", 2, 15, 10),
    ]


def test_decisions_hold_question_answer_and_what_it_cost(interrupted):
    scenario, folder = interrupted
    columns = ("step", "time_s", "subject", "contact", "rep", "action_name", "action_contact", "action_rep", "until_s")
    assert rows_of(folder, "decisions", *columns) == [
        (0, 100, "rep", None, 0, "serve:email:oldest", 0, 0, 300),
        (1, 300, "contact", 1, None, "interrupt:least_value_at_stake", 1, 0, 600),
        (2, 600, "rep", None, 0, "resume", 0, 0, 86_400),
    ]
    columns = ("cost_interruption_usd", "cost_lateness_usd", "cost_handling_usd", "action_prob", "substituted")
    assert rows_of(folder, "decisions", *columns) == [
        (0, 0, 0, None, False),
        (2, 15, 0, None, False),
        (pytest.approx(0.6), 15, pytest.approx(3.2), None, False),  # 160 s of overtime at 72 USD an hour
    ]
    # The observation is the one that the policy was shown.
    rows = CenterRows(scenario, 1)
    rows.start(rows.all_rows, np.array([demand_seeds(0).test]), np.array([0]))
    shown = pq.read_table(folder / "decisions")
    for step, action in enumerate(shown["action"].to_pylist()):
        assert shown["center"][step].as_py() == rows.center[0].tolist()
        assert shown["candidates"][step].as_py() == rows.candidates[0].reshape(-1).tolist()
        assert shown["action_mask"][step].as_py() == rows.mask[0].tolist()
        rows.step(rows.all_rows, np.array([action]))
    assert rows.done[0]


def test_visits_of_one_customer_are_contacts_of_their_own(tmp_path):
    voice = channel(VOICE, patience=60, redial={"prob": 1, "delay": 1000})
    scenario = scripted(contact(100), channels=[voice, EMAIL], horizon={"days": 0.025})  # 2,160 s
    _, folder = record(scenario, Script(scenario), tmp_path / "records")
    # Hangs up at 160 s, dials at 1,160 s and hangs up at 1,220 s; will dial at 2,220 s, after the horizon.
    columns = ("contact", "customer", "attempt", "scheduled_s", "opens_s", "arrived_s", "ended_s", "disposition")
    assert rows_of(folder, "contacts", *columns) == [
        (0, 0, 0, None, None, 100, 160, "redialled"),
        (1, 0, 1, 160, 1160, 1160, 1220, "redialled"),
        (2, 0, 2, 1220, 2220, None, None, "left_scheduled"),
    ]


def test_the_probability_is_the_policys_own(tmp_path):
    scenario = load_scenario("tiny")
    _, folder = record(scenario, Chance(), tmp_path / "records")
    found = rows_of(folder, "decisions", "action_prob", "action_mask")
    assert found
    assert all(prob == pytest.approx(1 / sum(mask)) for prob, mask in found)


# What recording must not change -------------------------------------------------------------------


@pytest.mark.parametrize(("name", "threads"), [("expected_loss", 1), ("expected_loss", 2), ("chance", 1)])
def test_recorded_results_are_those_without_records(name, threads, tmp_path):
    scenario = load_scenario("bank", ("horizon.days=1",))

    def play(records: RecordFolder | None) -> list[Counts]:
        named = NamedPolicy(name, Chance() if name == "chance" else RulePolicy(name, scenario))
        result = run_benchmark(scenario, [named], episodes=5, seed=3, threads=threads, records=records)
        return result.scenarios["bank"].outcomes[name].counts

    plain, recorded = play(None), play(RecordFolder(tmp_path / "records"))
    for first, second in zip(plain, recorded, strict=True):
        for key in first:
            assert first[key].tobytes() == second[key].tobytes(), key
    check_recount(scenario, recorded, tmp_path / "records")


def test_a_note_without_room_is_an_error_and_not_a_gap():
    scenario = load_scenario("tiny")
    rows = CenterRows(scenario, 1, journal=True)
    rows.start(rows.all_rows, np.array([0]), np.array([0]))
    assert len(rows.drain(0)) == 3  # two reps come at 09:00, an e-mail joins
    rows.states["n_notes"] = MAX_NOTES  # more than any event leaves: a fault of the simulator
    # The e-mail is started: its note has no room.
    rows.step(rows.all_rows, np.array([rows.action_names.index("serve:email:oldest")]))
    with pytest.raises(RuntimeError, match="environment 0: 1 notes of scenario tiny are lost"):
        rows.drain(0)


def test_recording_goes_on_from_a_snapshot_of_rows_that_do_not_record():
    scenario = load_scenario("tiny")
    baseline = RulePolicy("value_first", scenario)
    recording, plain, restored = (CenterRows(scenario, 1, journal=record) for record in (True, False, True))
    for rows in (recording, plain):
        rows.start(rows.all_rows, np.array([0]), np.array([0]))
        for _ in range(4):
            rows.step(rows.all_rows, baseline.predict(rows.observation()))
    recording.drain(0)
    restored.restore(0, plain.snapshot(0))
    assert len(restored.drain(0)) == 0
    n_noted = 0
    while not recording.done[0]:
        for rows in (recording, restored):
            rows.step(rows.all_rows, baseline.predict(rows.observation()))
        noted = recording.drain(0)
        assert noted.tobytes() == restored.drain(0).tobytes()
        n_noted += len(noted)
    assert n_noted > 10


def test_there_is_nothing_to_drain_where_nothing_is_recorded():
    with pytest.raises(RuntimeError, match="journal=True"):
        CenterRows(load_scenario("tiny"), 1).drain(0)


# The files ----------------------------------------------------------------------------------------


def test_files_say_where_they_come_from(tmp_path):
    scenario = load_scenario("tiny")
    _, folder = record(scenario, RulePolicy("fifo", scenario), tmp_path / "records", seed=4)
    for table in TABLES:
        schema = pq.read_schema(folder / table / "tiny" / "played.parquet")
        facts = {key.decode(): value.decode() for key, value in schema.metadata.items()}
        assert schema.equals(make_schema(table, facts), check_metadata=True)
        assert Scenario.model_validate_json(facts["scenario"]) == scenario
        assert (facts["scenario_name"], facts["policy"], facts["mode"]) == ("tiny", "played", "greedy")
        assert (facts["seed"], facts["demand_seed"]) == ("4", str(demand_seeds(4).test))
        assert json.loads(facts["action_names"])[0] == "wait"
        assert json.loads(facts["fields"])["center"][0]["name"] == "time_of_day_s"
        assert facts["package_version"]


def test_decisions_come_in_row_groups_of_bounded_size(tmp_path, monkeypatch):
    monkeypatch.setitem(ROWS_PER_GROUP, "decisions", 10)
    scenario = load_scenario("tiny")
    counts, folder = record(scenario, RulePolicy("fifo", scenario), tmp_path / "records", episodes=6, batch=2)
    file = pq.ParquetFile(folder / "decisions" / "tiny" / "played.parquet")
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    assert sum(sizes) == sum(count["center_count"]["decisions"] for count in counts)
    assert len(sizes) > 3
    assert max(sizes) <= 11  # two rows are stepped at once
    assert pq.ParquetFile(folder / "contacts" / "tiny" / "played.parquet").metadata.num_row_groups == 3


class Failing:
    """Fails at the third question."""

    def __init__(self) -> None:
        self.n_asked = 0

    def predict(self, observations: Observations, deterministic: bool = True) -> np.ndarray:
        self.n_asked += 1
        if self.n_asked == 3:
            raise ZeroDivisionError
        return observations["action_mask"].argmax(axis=1)


def test_nothing_stays_of_records_that_were_broken_off(tmp_path):
    scenario = load_scenario("tiny")
    with pytest.raises(ConfigurationError, match="predict raised ZeroDivisionError"):
        record(scenario, Failing(), tmp_path / "records")
    assert [path for path in (tmp_path / "records").rglob("*") if path.is_file()] == []


NAMES = [
    "mine",
    "runs/a b.onnx",
    "mine:Class",
    "..",
    "_hidden",
    ".hidden",
    "a=b",
    "2024",
    "null",
    "Größe 中",
    "50%",
    "*?[x]",
    "/a/long/path" * 30 + ".onnx",
    "/a/long/path" * 30 + ".yaml",
]


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> Path:
    """Return the records of one episode of `tiny`, there called 2024, with a policy of each of `NAMES`, and of a
    scenario with fewer actions."""
    folder = tmp_path_factory.mktemp("compared") / "records"
    records = RecordFolder(folder)
    tiny = load_scenario("tiny").model_copy(update={"name": "2024"})
    small = scripted(contact(100), contact(200), channels=[VOICE, EMAIL]).model_copy(update={"name": "small/ü"})
    for scenario, names in ((tiny, NAMES), (small, ["mine"])):
        for name in names:
            policy = RulePolicy("fifo", scenario)
            with records.open(scenario, NamedPolicy(name, policy), 0) as recorder:
                play_episodes(scenario, policy, demand_seeds(0).test, np.arange(1), recorder=recorder)
    return folder


PLAYED = {("2024", name) for name in NAMES} | {("small/ü", "mine")}


@pytest.mark.parametrize("table", TABLES)
def test_a_tables_folder_is_one_table_with_scenario_and_policy(compared, table):
    whole = pq.read_table(compared / table)
    assert whole.schema.equals(make_schema(table, {}))
    found = set(zip(whole["scenario"].to_pylist(), whole["policy"].to_pylist(), strict=True))
    assert found == (PLAYED - {("small/ü", "mine")} if table == "charges" else PLAYED)  # the two calls cost nothing
    files = sorted((compared / table).rglob("*.parquet"))
    assert len(files) == len(PLAYED)
    assert whole.num_rows == sum(pq.ParquetFile(file).metadata.num_rows for file in files)
    # Every policy is `fifo`: row by row they say the same, in the same order.
    parts = [whole.filter(pa.compute.equal(whole["policy"], name)) for name in NAMES[1:]]
    assert all(part.drop(["policy"]).equals(parts[0].drop(["policy"])) for part in parts)


def test_lists_have_the_length_of_their_scenario(compared):
    whole = pq.read_table(compared / "decisions")
    for scenario in (load_scenario("tiny"), scripted(channels=[VOICE, EMAIL])):
        name = "2024" if scenario.name == "tiny" else "small/ü"
        masks = whole.filter(pa.compute.equal(whole["scenario"], name))["action_mask"]
        assert {len(mask) for mask in masks.to_pylist()} == {len(CenterRows(scenario, 1).action_names)}


def test_the_whole_folder_is_not_taken_for_one_table(compared):
    with pytest.raises(pa.ArrowInvalid, match=r"README\.md"):
        pq.read_table(compared)


def test_the_calls_of_the_page_read_a_table(compared, monkeypatch):
    """With every library that is installed: `docs/records.md` shows one line for each."""
    page = (Path(__file__).parents[2] / "docs" / "records.md").read_text(encoding="utf-8")
    calls = re.findall(r"^\| (\w+) \| `(.+)` \|$", page, re.MULTILINE)
    assert [library for library, _ in calls] == ["pandas", "polars", "pyarrow", "duckdb"]
    monkeypatch.chdir(compared.parent)
    n_rows = pq.read_table(compared / "contacts").num_rows
    for library, call in calls:
        if importlib.util.find_spec(library) is None:
            continue
        assert len(eval(call, {library: importlib.import_module(library)})) == n_rows


# The command --------------------------------------------------------------------------------------


def run(monkeypatch, *arguments: str) -> int:
    """Run the command line; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["blended", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_benchmark_and_evaluate_write_records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (
        ("benchmark", "tiny", "--policies", "fifo,value_first"),
        ("evaluate", "fifo", "--scenario", "tiny"),
    ):
        assert run(monkeypatch, *command, "--episodes", "2", "--record", command[0]) == 0
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    names = {"benchmark": ("fifo", "value_first"), "evaluate": ("fifo",)}
    assert files == sorted(
        f"{folder}/{file}"
        for folder, policies in names.items()
        for file in ("README.md", *(f"{table}/tiny/{policy}.parquet" for policy in policies for table in TABLES))
    )


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("full", "records full: must be a new folder or an empty one, holds files"),
        ("file", "records file: must be a folder, is a file"),
        ("no/where", "records no/where: cannot be written (no folder no)"),
    ],
)
@pytest.mark.parametrize("command", [("benchmark", "tiny"), ("evaluate", "fifo", "--scenario", "tiny")])
def test_a_folder_that_will_not_do_is_refused_before_the_work(tmp_path, monkeypatch, capsys, command, folder, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.parquet").touch()
    (tmp_path / "file").touch()
    monkeypatch.setattr("agents.episodes.play_episodes", None)
    assert run(monkeypatch, *command, "--record", folder) == 2
    assert message in capsys.readouterr().err


def test_without_pyarrow_the_command_says_how_to_install_it(monkeypatch, capsys, tmp_path):
    monkeypatch.delitem(sys.modules, "experiments.records.recorder", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert run(monkeypatch, "evaluate", "fifo", "--scenario", "tiny", "--record", str(tmp_path / "new")) == 2
    assert "--record needs pyarrow: pip install -c constraints.txt -e '.[data]'" in capsys.readouterr().err


def test_a_policy_whose_probabilities_have_the_wrong_shape_is_told_so(tmp_path):
    class Wrong(Chance):
        def action_probabilities(self, observations: Observations) -> np.ndarray:
            return np.ones(3)

    with pytest.raises(
        ConfigurationError, match=r"policy played: Wrong.action_probabilities returned shape \(3,\): must be"
    ):
        record(load_scenario("tiny"), Wrong(), tmp_path / "records")
