"""Reading a log back: what it says, in bounded memory, and one message for whatever is wrong with it."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agents.catalog import NamedPolicy, load_policy
from agents.episodes import Episodes
from agents.exploration.softened_policy import SoftenedPolicy
from agents.exported_policy import action_names
from agents.policy import Observations, Policy
from agents.rules.rule_policy import RulePolicy
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario, load_scenario
from experiments.comparison.outcomes import play
from experiments.off_policy.evaluation import evaluate_off_policy
from experiments.off_policy.logged_days import read_days
from experiments.records import reading
from experiments.records.reading import DecisionFile, find_decisions
from experiments.records.recorder import RecordFolder
from experiments.seeds import demand_seeds


def record(scenario: Scenario, policy: Policy, folder: Path, episodes: int = 12, *, greedy: bool = False) -> Path:
    named = NamedPolicy("logging", policy, deterministic=greedy)
    with RecordFolder(folder).open(scenario, named, 0) as recorder:
        play(named, Episodes(scenario, demand_seeds(0).test), episodes, recorder=recorder)
    return folder / "decisions" / scenario.name / "logging.parquet"


@pytest.fixture(scope="module")
def tiny() -> Scenario:
    return load_scenario("tiny")


@pytest.fixture(scope="module")
def log(tiny, tmp_path_factory) -> Path:
    softened = SoftenedPolicy(RulePolicy("voice_first_interrupting", tiny), 0.3)
    return record(tiny, softened, tmp_path_factory.mktemp("log") / "records")


def test_a_log_is_read_as_it_was_written_however_small_the_batches(log, monkeypatch):
    whole = pq.read_table(log)
    monkeypatch.setattr(reading, "ROWS_AT_A_TIME", 7)
    batches = list(DecisionFile(log).batches("time_s", "action_mask", "action_probs"))
    assert max(len(batch["time_s"]) for batch in batches) == 7
    for name in ("time_s", "action_mask", "action_probs"):
        assert np.concatenate([batch[name] for batch in batches]).tolist() == whole[name].to_pylist()


def test_the_chances_of_all_actions_are_those_of_the_softened_rule(log):
    (batch,) = DecisionFile(log).batches("action", "action_mask", "action_prob", "action_probs")
    mask, probs = batch["action_mask"], batch["action_probs"]
    assert (probs[mask == 0] == 0.0).all()
    # With k open actions 0.3 / k each, and 0.7 more for the rule's own.
    each = 0.3 / mask.sum(axis=1)
    assert np.allclose(np.where(mask == 1, probs, np.inf).min(axis=1), each)
    assert np.allclose(probs.max(axis=1), 0.7 + each)
    assert (probs[np.arange(len(mask)), batch["action"]] == batch["action_prob"]).all()


def test_a_log_says_what_its_sampling_was_told_and_so_can_be_played_again(log, tiny):
    facts = DecisionFile(log).facts
    policy = SoftenedPolicy(RulePolicy("voice_first_interrupting", tiny), 0.3, seed=int(facts["sampling_seed"]))
    (batch,) = DecisionFile(log).batches("episode", "action", "center", "candidates", "action_mask")
    rows = np.flatnonzero(np.arange(len(batch["action"])) < 12)  # the first question of every episode
    first: Observations = {key: batch[key][rows] for key in ("center", "action_mask")}
    first["candidates"] = batch["candidates"][rows].reshape(12, batch["action_mask"].shape[1], -1)
    assert batch["episode"][rows].tolist() == list(range(12))
    assert policy.predict(first).tolist() == batch["action"][rows].tolist()


def test_closed_actions_have_no_part_in_what_a_policy_would_do(log, tiny):
    file = DecisionFile(log)
    softened = NamedPolicy("other", SoftenedPolicy(RulePolicy("fifo", tiny), 0.5), deterministic=False)
    logged, (other,) = read_days(file, [softened])
    n_actions = len(file.action_names)
    chances = other.features[:, -n_actions:]
    masks = {name: np.concatenate([batch[name] for batch in file.batches(name)]) for name in ("action_mask",)}
    step = np.concatenate([batch["step"] for batch in file.batches("step")])
    episode = np.concatenate([batch["episode"] for batch in file.batches("episode")])
    mask = masks["action_mask"][np.lexsort((step, episode))]
    assert (chances[mask == 0] == 0.0).all()
    assert np.allclose(chances.sum(axis=1), 1.0)
    assert other.unsupported_prob.max() == 0.0
    assert logged.n_episodes == 12


def test_records_that_a_rule_played_have_no_chances(tiny, tmp_path):
    file = record(tiny, RulePolicy("fifo", tiny), tmp_path / "records", 2, greedy=True)
    (batch,) = DecisionFile(file).batches("action_prob", "action_probs")
    assert np.isnan(batch["action_prob"]).all()
    assert np.isnan(batch["action_probs"]).all()
    with pytest.raises(ConfigurationError, match="logging was played greedily, so nothing is known"):
        evaluate_off_policy(file, ["fifo"])


def test_a_policy_without_chances_is_told_so(tiny, tmp_path):
    file = record(tiny, RulePolicy("fifo", tiny), tmp_path / "records", 2)
    with pytest.raises(ConfigurationError, match=r"logging has no chances \(action_prob is null\)"):
        evaluate_off_policy(file, ["fifo"])


class NeverInterrupts:
    """Takes any open action but interruptions."""

    def __init__(self, scenario: Scenario) -> None:
        self.may = np.array([not name.startswith("interrupt") for name in action_names(scenario)])

    def action_probabilities(self, observations: Observations) -> np.ndarray:
        allowed = observations["action_mask"] * self.may
        return allowed / allowed.sum(axis=1, keepdims=True)

    def predict(self, observations: Observations, deterministic: bool = True) -> np.ndarray:
        noise = np.random.default_rng(0).random(observations["action_mask"].shape)
        return (self.action_probabilities(observations) * noise).argmax(axis=1)


def test_what_the_log_never_tries_is_counted(tiny, tmp_path):
    file = DecisionFile(record(tiny, NeverInterrupts(tiny), tmp_path / "records"))
    _, (fifo, interrupting) = read_days(
        file, [load_policy(name, tiny) for name in ("fifo", "voice_first_interrupting")]
    )
    assert fifo.unsupported_prob.max() == 0.0
    assert interrupting.unsupported_prob.max() == 1.0


def test_a_policy_that_needs_what_the_log_does_not_show_is_refused(tmp_path):
    scenario = load_scenario("certify_interrupt", ("horizon.days=0.02",))
    file = record(scenario, SoftenedPolicy(RulePolicy("voice_first", scenario), 0.5), tmp_path / "records", 2)
    assert DecisionFile(file).facts["observation"] == "markov"
    with pytest.raises(ConfigurationError, match=r"policy fifo: decides by fields that records .* do not show"):
        evaluate_off_policy(file, ["fifo"])


def test_a_softened_rule_is_shown_what_the_rule_needs(tmp_path):
    scenario = load_scenario("certify_interrupt", ("horizon.days=0.02",))
    file = record(scenario, SoftenedPolicy(RulePolicy("fifo", scenario), 0.5), tmp_path / "records", 2)
    assert DecisionFile(file).facts["observation"] == "full"
    (batch,) = DecisionFile(file).batches("center")
    assert batch["center"][:, 2].min() > 0.0  # time_left_s, which the Markov state does not have


def changed(log: Path, target: Path, **facts: str) -> Path:
    table = pq.read_table(log)
    written = {key.encode(): text.encode() for key, text in facts.items()}
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, **written}), target)
    return target


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"format_version": "2"}, "format_version = 2: this version of the project reads 3"),
        ({"scenario": "{"}, "their metadata are damaged"),
        ({"action_names": '["wait"]'}, "has other actions or fields of the observation in this version"),
    ],
)
def test_metadata_are_checked(log, tmp_path, facts, message):
    with pytest.raises(ConfigurationError, match=message):
        DecisionFile(changed(log, tmp_path / "changed.parquet", **facts))


def test_files_that_are_no_log_are_told_in_one_line(log, tmp_path):
    content = log.read_bytes()
    cases = {
        "cut": (content[: len(content) // 2], "cannot be read as Parquet"),
        "text": (b"time,action\n0,1\n", "cannot be read as Parquet"),
        "empty": (b"", "cannot be read as Parquet"),
    }
    for name, (written, message) in cases.items():
        file = tmp_path / f"{name}.parquet"
        file.write_bytes(written)
        with pytest.raises(ConfigurationError, match=message) as caught:
            evaluate_off_policy(file, ["fifo"])
        assert str(caught.value).count("\n") == 0
    contacts = log.parents[2] / "contacts" / "tiny" / "logging.parquet"
    with pytest.raises(ConfigurationError, match="is no table of decisions"):
        DecisionFile(contacts)
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pq.read_table(log).replace_schema_metadata({}), foreign)
    with pytest.raises(ConfigurationError, match="not written by --record"):
        DecisionFile(foreign)


def test_damaged_pages_are_told_in_one_line(log, tmp_path):
    content = bytearray(log.read_bytes())
    group = pq.ParquetFile(log).metadata.row_group(0)
    chunk = next(group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema == "time_s")
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    file = tmp_path / "damaged.parquet"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="are damaged"):
        evaluate_off_policy(file, ["fifo"])


def test_numbers_that_no_record_holds_are_damage(log, tmp_path):
    table = pq.read_table(log)
    place = table.schema.get_field_index("action_prob")
    halved = pa.array(table["action_prob"].to_numpy() / 2)
    pq.write_table(table.set_column(place, table.schema.field(place), halved), tmp_path / "halved.parquet")
    with pytest.raises(ConfigurationError, match="actions, chances, times or costs are not what a record holds"):
        evaluate_off_policy(tmp_path / "halved.parquet", ["fifo"])


def test_the_file_of_decisions_is_found_or_must_be_named(log, tiny, tmp_path):
    assert find_decisions(log) == log
    assert find_decisions(log.parents[2]) == log
    with pytest.raises(ConfigurationError, match="no such folder or file"):
        find_decisions(tmp_path / "none")
    with pytest.raises(ConfigurationError, match="holds no decisions"):
        find_decisions(tmp_path)
    for name in ("a", "b"):
        (tmp_path / "decisions" / "tiny").mkdir(parents=True, exist_ok=True)
        (tmp_path / "decisions" / "tiny" / f"{name}.parquet").touch()
    with pytest.raises(ConfigurationError, match="hold 2 logs of decisions: name one file"):
        find_decisions(tmp_path)


def test_a_log_read_as_days_has_the_costs_of_its_episodes(log, tiny):
    logged, _ = read_days(DecisionFile(log), [])
    table = pq.read_table(log)
    spent = {}
    for name in table.column_names:
        if name.startswith("cost_"):
            for episode, usd in zip(table["episode"].to_pylist(), table[name].to_pylist(), strict=True):
                spent[episode] = spent.get(episode, 0.0) + usd
    assert np.bincount(logged.episode, logged.cost_usd).tolist() == pytest.approx([spent[i] for i in range(12)])
    assert (np.diff(logged.episode * 1e6 + logged.time_s) >= 0.0).all()
    # All seconds of a day are somebody's: those before its first decision, and those after each.
    total_s = logged.spans.seconds.sum() + logged.seconds_before.sum()
    assert total_s == pytest.approx(12 * 86_400)
    assert json.loads(DecisionFile(log).facts["action_names"])[0] == "wait"
