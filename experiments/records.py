"""Records: every contact, every decision, what every rep did and every charge, as Parquet (D16).

Room: `experiments`. Needs the extra `data`; touches files below the folder that it is given. `docs/records.md`
describes the tables, and a test holds that page equal to `TABLES`.

    records = RecordFolder("records")
    with records.open(scenario, NamedPolicy("fifo", policy), seed=0) as recorder:
        play_episodes(scenario, policy, demand_seeds(0).test, np.arange(64), recorder=recorder)

The kernel's journal (`envs.journal`) tells what happened; here it becomes rows. They are written whenever enough of
them have gathered, so that memory stays bounded: decisions as they are made, the others when a batch of episodes ends.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from agents.catalog import NamedPolicy
from agents.exported import action_names, field_records
from agents.policy import StochasticPolicy
from envs.center_rows import CenterRows
from envs.errors import ConfigurationError
from envs.journal import (
    END_ABANDONED,
    END_CALLBACK_ACCEPTED,
    END_CALLBACK_REFUSED,
    END_DEFERRED,
    END_ERRED,
    END_ESCALATED,
    END_GIVEN_UP,
    END_RECALLED,
    END_REDIALLED,
    END_RESOLVED,
    END_RETURNED,
    END_REWORKED,
    END_UNREACHED,
    END_UNRESOLVED,
    NOTE_ABSENT,
    NOTE_AFTER_WORK,
    NOTE_ATTEMPTED,
    NOTE_AWAY,
    NOTE_BLOCKED,
    NOTE_CALLBACK_OFFERED,
    NOTE_CHARGED,
    NOTE_DUE_PASSED,
    NOTE_ENDED,
    NOTE_FREE,
    NOTE_JOINED,
    NOTE_LOST,
    NOTE_OVERTIME,
    NOTE_PAID,
    NOTE_PICKING_UP,
    NOTE_PRESENT,
    NOTE_RELEASED,
    NOTE_SCHEDULED,
    NOTE_SUSPENDED,
    NOTE_WORKING,
)
from envs.scenario import COST_TERMS, DAY_S, Scenario
from envs.state import CONTACT_SUBJECT, ENTRY, NOBODY
from experiments.seeds import demand_seeds

FORMAT_VERSION = 1
ROWS_PER_GROUP = {"contacts": 65_536, "decisions": 8192, "phases": 65_536, "charges": 65_536}
"""Rows that are written together: of decisions some 30 MB before compression, in the scenario `bank`."""


class Column(NamedTuple):
    """One column of a table: its type, its unit and what it means.

    The name `cost_<term>_usd` stands for one column per cost term, a size in brackets for a list of that size.
    """

    name: str
    type: str
    unit: str
    meaning: str


_TERM_COLUMN = "cost_<term>_usd"
_OR_NULL = " or null"
_EPISODE = Column("episode", "int32", "", "number of the episode")

CONTACTS = (
    _EPISODE,
    Column("contact", "int32", "", "number in the episode: one for each visit of a customer to a queue"),
    Column("customer", "int32", "", "the customer's place in the order of arrivals, lists last; same for all visits"),
    Column("attempt", "int32", "", "earlier contacts of the customer; a repeated outbound attempt keeps the number"),
    Column("channel", "string", "", "the queue"),
    Column("value_usd", "float64", "USD", "account value of the customer"),
    Column("at_risk", "bool", "", "the customer is close to leaving"),
    Column("band", "int32", "", "account-value band of the customer, 0 the lowest"),
    Column("preferred_rep", "int32 or null", "", "the customer's preferred rep"),
    Column("owed_usd", "float64", "USD", "the debt at first"),
    Column("scheduled_s", "float64 or null", "s", "when the customer's return was settled; null: a first visit"),
    Column("opens_s", "float64 or null", "s", "not before this time, as settled then"),
    Column("arrived_s", "float64 or null", "s", "reached the queue, also if blocked; below 0: before the start"),
    Column("due_s", "float64 or null", "s", "due time"),
    Column("due_passed_s", "float64 or null", "s", "when the due time passed while this contact was open"),
    Column("callback_offered_s", "float64 or null", "s", "when a callback was offered"),
    Column("first_start_s", "float64 or null", "s", "when a rep first started it"),
    Column("ended_s", "float64 or null", "s", "when it ended; null: open at the horizon"),
    Column("disposition", "string", "", "how it ended, or how it was left: see below"),
    Column("first_rep", "int32 or null", "", "the rep who started it"),
    Column("last_rep", "int32 or null", "", "the rep who had it last"),
    Column("overdue", "bool", "", "its due time had passed when it ended, or at the horizon"),
    Column("reached", "bool or null", "", "the outbound attempt reached the customer"),
    Column("handle_s", "float64", "s", "rep time spent on it, after-contact work included, pick-ups apart"),
    Column("pick_up_s", "float64", "s", "rep time spent picking it up"),
    Column("interruptions", "int32", "", "times it was interrupted"),
    Column("recovered_usd", "float64", "USD", "paid by the debtor"),
    Column("commission_usd", "float64", "USD", "commission on that"),
    Column(_TERM_COLUMN, "float64", "USD", "charged for it to this cost term, after its weight: `charges` added up"),
    Column("account_loss_usd", "float64", "USD", "expected account value lost, before weights"),
)
DECISIONS = (
    _EPISODE,
    Column("step", "int32", "", "number of the decision in its episode, from 0 on"),
    Column("time_s", "float64", "s", "when the router was asked"),
    Column("subject", "string", "", "whom the question was about: `contact` or `rep`"),
    Column("contact", "int32 or null", "", "the contact, if that was the subject"),
    Column("rep", "int32 or null", "", "the rep, if that was the subject"),
    Column("center", "float32 [center fields]", "", "the observation; `fields` of the metadata names its numbers"),
    Column("candidates", "float32 [actions × candidate fields]", "", "the observation, action by action"),
    Column("action_mask", "int8 [actions]", "", "1 where the action was open"),
    Column("action", "int32", "", "what the policy chose"),
    Column("action_name", "string", "", "its name"),
    Column("action_contact", "int32 or null", "", "the contact that the action meant"),
    Column("action_rep", "int32 or null", "", "the rep whom the action meant"),
    Column("action_prob", "float64 or null", "", "its chance in the policy's own distribution"),
    Column("substituted", "bool", "", "the action was masked, and `wait` was taken instead"),
    Column("until_s", "float64", "s", "the next decision, or the horizon"),
    Column("elapsed_s", "float64", "s", "from this decision until then"),
    Column(_TERM_COLUMN, "float64", "USD", "cost by term in that time, after its weight; minus the reward in all"),
)
PHASES = (
    _EPISODE,
    Column(
        "phase",
        "string",
        "",
        "`waiting`, `working`, `picking_up`, `after_work`, `suspended`, `idle`, `overtime`, `absent`",
    ),
    Column("channel", "string or null", "", "the contact's queue"),
    Column(
        "contact", "int32 or null", "", "the contact; null: `idle`, `absent`, `overtime` begun in after-contact work"
    ),
    Column("rep", "int32 or null", "", "the rep, who may work on several contacts at a time; null: `waiting`"),
    Column("start_s", "float64", "s", "beginning"),
    Column("end_s", "float64", "s", "end, or the horizon"),
)
CHARGES = (
    _EPISODE,
    Column("time_s", "float64", "s", "when it was charged"),
    Column("term", "string", "", "the cost term"),
    Column("channel", "string or null", "", "the queue that it counts for; null: the floor of fairness"),
    Column("contact", "int32 or null", "", "the contact; null: a statement of work, or the floor of fairness"),
    Column("amount_usd", "float64", "USD", "the charge, after the term's weight"),
    Column("account_loss_usd", "float64", "USD", "the expected account value lost in it, before the weight"),
)
TABLES = {"contacts": CONTACTS, "decisions": DECISIONS, "phases": PHASES, "charges": CHARGES}
"""The tables and their columns, in order."""

DISPOSITIONS = {
    "resolved": "completed, and solved",
    "unresolved": "completed and not solved; the customer gives up",
    "returned": "completed and not solved; the customer will come back",
    "escalated": "completed and not solved; escalated, or transferred",
    "deferred": "completed; a follow-up was scheduled",
    "erred": "completed with an error, without rework",
    "reworked": "completed with an error that comes back as rework",
    "unreached": "outbound attempt that did not reach the customer, and will be repeated",
    "given_up": "outbound attempt that did not reach the customer, the last one",
    "recalled": "taken back by the client from a work list, at its due time",
    "abandoned": "the customer hung up",
    "redialled": "the customer hung up, and will dial again",
    "callback_accepted": "the customer accepted the offered callback, which will join its channel",
    "callback_refused": "the customer accepted the offered callback, which was not approved",
    "blocked": "turned away from a full queue",
    "lost": "turned away because the simulator's own capacity was full",
    "left_scheduled": "at the horizon not come back yet",
    "left_waiting": "at the horizon waiting",
    "left_in_service": "at the horizon in the hands of a rep",
    "left_suspended": "at the horizon suspended",
}
"""How a contact ended, or was left at the horizon."""

_ENDS = {
    END_RESOLVED: "resolved",
    END_UNRESOLVED: "unresolved",
    END_RETURNED: "returned",
    END_ESCALATED: "escalated",
    END_DEFERRED: "deferred",
    END_ERRED: "erred",
    END_REWORKED: "reworked",
    END_UNREACHED: "unreached",
    END_GIVEN_UP: "given_up",
    END_RECALLED: "recalled",
    END_ABANDONED: "abandoned",
    END_REDIALLED: "redialled",
    END_CALLBACK_ACCEPTED: "callback_accepted",
    END_CALLBACK_REFUSED: "callback_refused",
}
_LEFT = {
    NOTE_SCHEDULED: "left_scheduled",
    NOTE_JOINED: "left_waiting",
    NOTE_RELEASED: "left_waiting",
    NOTE_WORKING: "left_in_service",
    NOTE_PICKING_UP: "left_in_service",
    NOTE_SUSPENDED: "left_suspended",
    NOTE_BLOCKED: "blocked",
}
_CONTACT_PHASES = {NOTE_JOINED: "waiting", NOTE_RELEASED: "waiting", NOTE_SUSPENDED: "suspended"}
_REP_PHASES = {
    NOTE_FREE: "idle",
    NOTE_WORKING: "working",
    NOTE_PICKING_UP: "picking_up",
    NOTE_AFTER_WORK: "after_work",
}

Rows = dict[str, Any]
"""Columns of a table by name: arrays, lists, or arrays of pyarrow."""


class RecordFolder:
    """Where the records of a command go: `FOLDER/<scenario>/<policy>/<table>.parquet`.

    In names of folders whatever is not a letter, a digit or one of `_.-~` is written as in a URL.

    Raises:
        ConfigurationError: the folder is not empty, is a file, or would lie in a folder that does not exist.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.parent.is_dir():
            raise ConfigurationError(f"records {folder}: cannot be written (no folder {self.folder.parent})")
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigurationError(f"records {folder}: must be a folder, is a file")
        with _writing(self.folder):
            if self.folder.exists() and any(self.folder.iterdir()):
                raise ConfigurationError(f"records {folder}: must be a new folder or an empty one, holds files")

    @contextmanager
    def open(self, scenario: Scenario, named: NamedPolicy, seed: int) -> Iterator["Recorder"]:
        """Give a recorder of the test episodes that `named` plays in `scenario` under the user's `seed`.

        The files have their names when the block ends well; otherwise nothing stays of them. Raises
        `ConfigurationError` if they cannot be written.
        """
        folder = self.folder / _folder_name(scenario.name) / _folder_name(named.name)
        drafts = {table: folder / f".{table}.parquet.draft" for table in TABLES}
        facts = _facts(scenario, named, seed)
        writers: dict[str, pq.ParquetWriter] = {}
        try:
            with _writing(folder):
                folder.mkdir(parents=True, exist_ok=True)
                for table, draft in drafts.items():
                    writers[table] = _open_writer(draft, make_schema(table, scenario, facts))
            yield Recorder(scenario, named, writers)
            with _writing(folder):
                for table, draft in drafts.items():
                    writers[table].close()
                    draft.replace(folder / f"{table}.parquet")
        finally:
            for writer in writers.values():
                writer.close()
            for draft in drafts.values():
                draft.unlink(missing_ok=True)


def _open_writer(file: Path, schema: pa.Schema) -> pq.ParquetWriter:
    # Observations hardly repeat: a dictionary of their numbers takes time and saves nothing.
    plain = [field.name for field in schema if not pa.types.is_fixed_size_list(field.type)]
    return pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=plain)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"records {path}: cannot be written ({error.strerror or error})") from error


def _folder_name(name: str) -> str:
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def _facts(scenario: Scenario, named: NamedPolicy, seed: int) -> dict[str, str]:
    """Return what stands in the metadata of every file."""
    return {
        "format_version": str(FORMAT_VERSION),
        "package_version": metadata.version("blended-routing"),
        "scenario_name": scenario.name,
        "scenario": scenario.model_dump_json(),
        "policy": named.name,
        "mode": "greedy" if named.deterministic else "sampled",
        "seed": str(seed),
        "demand_seed": str(demand_seeds(seed).test),
        "action_names": json.dumps(action_names(scenario)),
        "fields": json.dumps(field_records(scenario)),
    }


def make_schema(table: str, scenario: Scenario, facts: Mapping[str, str]) -> pa.Schema:
    """Return the Arrow schema of one of `TABLES` in `scenario`, with `facts` as its metadata."""
    fields = field_records(scenario)
    n_actions = len(action_names(scenario))
    sizes = {
        "center fields": len(fields["center"]),
        "actions": n_actions,
        "actions × candidate fields": n_actions * len(fields["candidates"]),
    }
    columns = []
    for column in TABLES[table]:
        plain, _, size = column.type.removesuffix(_OR_NULL).rstrip("]").partition(" [")
        kind = pa.type_for_alias(plain)
        if size:
            kind = pa.list_(pa.field("element", kind), sizes[size])  # the name that Parquet gives it
        nullable = column.type.endswith(_OR_NULL)
        columns += [pa.field(name, kind, nullable) for name in _expand(column.name)]
    return pa.schema(columns, metadata=dict(facts))


def _expand(name: str) -> list[str]:
    return [f"cost_{term}_usd" for term in COST_TERMS] if name == _TERM_COLUMN else [name]


class Recorder:
    """Writes the records of one policy in one scenario; an `agents.episodes.EpisodeRecorder`."""

    def __init__(self, scenario: Scenario, named: NamedPolicy, writers: Mapping[str, pq.ParquetWriter]) -> None:
        self.scenario = scenario
        self.policy_name = named.name
        self.stochastic = named.policy if isinstance(named.policy, StochasticPolicy) else None
        self.channels = [channel.name for channel in scenario.channels]
        self._writers = writers
        self._lock = threading.Lock()

    def follow(self, rows: CenterRows, episodes: NDArray[np.int64]) -> "BatchRecord":
        """Return what records `episodes`, which have just started in `rows`."""
        return BatchRecord(self, rows, episodes)

    def write(self, table: str, rows: Rows) -> None:
        """Write `rows` as one row group; may be called from several threads."""
        writer = self._writers[table]
        arrays = [_as_array(rows[field.name], field) for field in writer.schema]
        with self._lock, _writing(Path(writer.where)):
            writer.write_table(pa.Table.from_arrays(arrays, schema=writer.schema))


class BatchRecord:
    """Records the episodes of one batch; an `agents.episodes.BatchRecorder`."""

    def __init__(self, recorder: Recorder, rows: CenterRows, episodes: NDArray[np.int64]) -> None:
        self._recorder = recorder
        self._rows = rows
        self._episodes = episodes
        self._steps = np.zeros(len(episodes), np.int64)
        self._noted = [bytearray(rows.drain(row).tobytes()) for row in range(len(episodes))]
        self._question: Rows = {}
        self._parts: dict[str, list[Rows]] = {table: [] for table in TABLES}
        self._sizes = dict.fromkeys(TABLES, 0)

    def before_step(self, running: NDArray[np.int64], actions: NDArray[np.int64]) -> None:
        """Keep the questions put to the rows `running`, and the answers."""
        states = self._rows.states
        observation = {key: buffer[running] for key, buffer in self._rows.observation().items()}
        chosen = actions[running]
        known = np.where((chosen >= 0) & (chosen < self._rows.n_actions), chosen, 0)
        is_contact = states["subject_kind"][running] == CONTACT_SUBJECT
        subject = states["subject"][running]
        self._question = {
            "episode": self._episodes[running],
            "step": self._steps[running],
            "time_s": self._rows.time_s[running],
            "subject": np.where(is_contact, "contact", "rep"),
            "contact": self._numbers(running, np.where(is_contact, subject, NOBODY)),
            "rep": self._reps(np.where(is_contact, NOBODY, subject)),
            **observation,
            "action": chosen,
            "action_name": np.array(self._rows.action_names)[known],
            "action_contact": self._numbers(running, states["action_contact"][running, known]),
            "action_rep": self._reps(states["action_rep"][running, known]),
            "action_prob": self._probabilities(observation, known),
        }
        self._steps[running] += 1

    def _numbers(self, running: NDArray[np.int64], slots: NDArray[Any]) -> NDArray[np.int64]:
        """Return the numbers of the contacts in `slots`, one per row of `running`; -1 where there is none."""
        return np.where(slots == NOBODY, NOBODY, self._rows.states["contacts"]["number"][running, slots])

    def _reps(self, seats: NDArray[Any]) -> NDArray[np.int64]:
        """Return the reps whose seats these are; -1 where there is none."""
        return np.where(seats == NOBODY, NOBODY, self._rows.parameters[0]["owner"][seats])

    def _probabilities(self, observation: Rows, actions: NDArray[np.int64]) -> NDArray[np.float64]:
        if self._recorder.stochastic is None:
            return np.full(len(actions), np.nan)
        probabilities = np.asarray(self._recorder.stochastic.action_probabilities(observation))
        if probabilities.shape != observation["action_mask"].shape:
            raise ConfigurationError(
                f"policy {self._recorder.policy_name}: action_probabilities returned shape {probabilities.shape}: "
                f"must be {observation['action_mask'].shape}, one row per observation and one column per action"
            )
        return probabilities[np.arange(len(actions)), actions].astype(np.float64)

    def after_step(self, running: NDArray[np.int64]) -> None:
        """Keep what came of the answers, and what was noted."""
        costs_usd = self._rows.states["step_cost_usd"][running]
        answered = {
            "substituted": self._rows.substituted[running] != 0,
            "until_s": self._rows.time_s[running],
            "elapsed_s": self._rows.elapsed_s[running],
        }
        costs = {f"cost_{term}_usd": costs_usd[:, i] for i, term in enumerate(COST_TERMS)}
        self._add("decisions", self._question | answered | costs)
        for row in running:
            self._noted[row] += self._rows.drain(row).tobytes()

    def finish(self) -> None:
        """Write what is left: the last decisions, and the contacts, phases and charges of all episodes."""
        for row, episode in enumerate(self._episodes):
            entries = np.frombuffer(self._noted[row], ENTRY)
            demand = self._rows.demands[row, : self._rows.demand_counts[row]]
            found = tabulate_episode(self._recorder.scenario, entries, demand, self._rows.parameters[0]["owner"])
            for table, columns in found.items():
                length = len(next(iter(columns.values())))
                self._add(table, {"episode": np.full(length, episode)} | columns)
        for table in TABLES:
            self._write(table)

    def _add(self, table: str, columns: Rows) -> None:
        """Keep rows of `table` until there are enough of them for a row group."""
        self._parts[table].append(columns)
        self._sizes[table] += len(columns["episode"])
        if self._sizes[table] >= ROWS_PER_GROUP[table]:
            self._write(table)

    def _write(self, table: str) -> None:
        parts = self._parts[table]
        if self._sizes[table] > 0:
            self._recorder.write(table, _join(parts))
        self._parts[table], self._sizes[table] = [], 0


def tabulate_episode(
    scenario: Scenario, entries: NDArray[Any], demand: NDArray[Any], owner: NDArray[np.int32]
) -> dict[str, Rows]:
    """Return the rows of a whole episode in `contacts`, `phases` and `charges`, without the column `episode`.

    Args:
        scenario: the scenario.
        entries: all that the kernel noted, `ENTRY` records in order.
        demand: the episode's `DEMAND` records.
        owner: the rep of each seat.
    """
    horizon_s = scenario.horizon.days * DAY_S
    channels = np.array([channel.name for channel in scenario.channels])
    phases = _phases(channels, entries, owner, horizon_s)
    charges = _charges(channels, entries)
    contacts = _contacts(scenario, channels, entries, demand, owner, phases, charges)
    return {"contacts": contacts, "phases": phases, "charges": charges}


def _of_kind(entries: NDArray[Any], *kinds: int) -> NDArray[Any]:
    return entries[np.isin(entries["kind"], kinds)]


def _name(names: NDArray[Any], places: NDArray[Any]) -> NDArray[Any]:
    """Return `names[places]` as objects, None where the place is -1."""
    named: NDArray[Any] = names.astype(object)[places]
    named[places == NOBODY] = None
    return named


def _spans(entries: NDArray[Any], owner: str, horizon_s: float) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return `entries` by owner (`rep` or `contact`), and when the next one of the same owner came, or the horizon."""
    ordered = entries[np.argsort(entries[owner], kind="stable")]
    ends_s = np.full(len(ordered), horizon_s)
    is_followed = ordered[owner][:-1] == ordered[owner][1:]
    ends_s[:-1][is_followed] = ordered["time_s"][1:][is_followed]
    return ordered, ends_s


def _phases(channels: NDArray[Any], entries: NDArray[Any], owner: NDArray[np.int32], horizon_s: float) -> Rows:
    parts = []

    def add(phase: str, begun: NDArray[Any], ends_s: NDArray[np.float64], *, of_rep: bool) -> None:
        parts.append(
            {
                "phase": np.full(len(begun), phase, object),
                "channel": _name(channels, begun["queue"]),
                "contact": begun["contact"],
                "rep": owner[begun["rep"]] if of_rep else np.full(len(begun), NOBODY),
                "start_s": begun["time_s"],
                "end_s": ends_s,
            }
        )

    # A contact waits or is suspended until the next of these happens to it.
    changes = _of_kind(entries, *_CONTACT_PHASES, NOTE_WORKING, NOTE_PICKING_UP, NOTE_ENDED)
    ordered, ends_s = _spans(changes, "contact", horizon_s)
    for kind, phase in _CONTACT_PHASES.items():
        begun = ordered["kind"] == kind
        add(phase, ordered[begun], ends_s[begun], of_rep=phase == "suspended")
    ordered, ends_s = _spans(_of_kind(entries, *_REP_PHASES, NOTE_AWAY), "rep", horizon_s)
    for kind, phase in _REP_PHASES.items():
        begun = ordered["kind"] == kind
        if kind == NOTE_FREE:  # a seat that is open beside contacts in hand leaves nobody idle
            begun &= owner[ordered["rep"]] == ordered["rep"]
        add(phase, ordered[begun], ends_s[begun], of_rep=True)
    ordered, ends_s = _spans(_of_kind(entries, NOTE_OVERTIME, NOTE_AWAY), "rep", horizon_s)
    begun = (ordered["kind"] == NOTE_OVERTIME) & (ordered["detail"] == 1)
    add("overtime", ordered[begun], ends_s[begun], of_rep=True)
    ordered, ends_s = _spans(_of_kind(entries, NOTE_ABSENT, NOTE_PRESENT), "rep", horizon_s)
    begun = ordered["kind"] == NOTE_ABSENT
    add("absent", ordered[begun], ends_s[begun], of_rep=True)
    phases = _join(parts)
    in_order = np.argsort(phases["start_s"], kind="stable")
    return {name: values[in_order] for name, values in phases.items()}


def _charges(channels: NDArray[Any], entries: NDArray[Any]) -> Rows:
    charged = _of_kind(entries, NOTE_CHARGED)
    return {
        "time_s": charged["time_s"],
        "term": _name(np.array(COST_TERMS), charged["detail"]),
        "channel": _name(channels, charged["queue"]),
        "contact": charged["contact"],
        "amount_usd": charged["amount_usd"],
        "account_loss_usd": charged["loss_usd"],
    }


def _contacts(
    scenario: Scenario,
    channels: NDArray[Any],
    entries: NDArray[Any],
    demand: NDArray[Any],
    owner: NDArray[np.int32],
    phases: Rows,
    charges: Rows,
) -> Rows:
    noted = entries[entries["contact"] != NOBODY]
    numbers, firsts = np.unique(noted["contact"], return_index=True)  # every number has a note
    first = noted[firsts]
    count = len(numbers)
    customers = demand[first["customer"] % max(len(demand), 1)]  # a list that was worked through starts over

    def time_of(*kinds: int) -> NDArray[np.float64]:
        found = _of_kind(noted, *kinds)
        times_s = np.full(count, np.nan)
        times_s[found["contact"][::-1]] = found["time_s"][::-1]  # the first one stays
        return times_s

    def total(values: NDArray[Any], chosen: NDArray[np.bool_], rows: Rows) -> NDArray[np.float64]:
        return np.bincount(rows["contact"][chosen], values[chosen], count).astype(np.float64)

    scheduled_s = time_of(NOTE_SCHEDULED)
    was_scheduled = ~np.isnan(scheduled_s)
    arrived_s = time_of(NOTE_JOINED, NOTE_BLOCKED)
    started = _of_kind(noted, NOTE_WORKING, NOTE_PICKING_UP)
    first_rep, last_rep, reached = (np.full(count, NOBODY) for _ in range(3))
    first_rep[started["contact"][::-1]] = owner[started["rep"][::-1]]
    last_rep[started["contact"]] = owner[started["rep"]]
    attempted = _of_kind(noted, NOTE_ATTEMPTED)
    reached[attempted["contact"]] = attempted["detail"]
    overdue = np.zeros(count, np.int64)
    np.maximum.at(overdue, noted["contact"], noted["overdue"])
    disposition = np.full(count, None, object)
    stood = _of_kind(noted, *_LEFT)
    disposition[stood["contact"]] = [_LEFT[kind] for kind in stood["kind"].tolist()]  # the last one stays
    disposition[_of_kind(noted, NOTE_LOST)["contact"]] = "lost"
    ended = _of_kind(noted, NOTE_ENDED)
    disposition[ended["contact"]] = [_ENDS[end] for end in ended["detail"].tolist()]
    paid = _of_kind(noted, NOTE_PAID)
    length_s = phases["end_s"] - phases["start_s"]
    is_charged = charges["contact"] != NOBODY
    return {
        "contact": numbers,
        "customer": first["customer"],
        "attempt": first["attempt"],
        "channel": _name(channels, first["queue"]),
        "value_usd": customers["value_usd"],
        "at_risk": customers["at_risk"] != 0,
        "band": np.searchsorted(np.array(scenario.value_bands_usd), customers["value_usd"], side="right"),
        "preferred_rep": customers["preferred"],
        "owed_usd": customers["owed_usd"],
        "scheduled_s": scheduled_s,
        "opens_s": np.where(was_scheduled, first["opens_s"], np.nan),
        "arrived_s": np.where(was_scheduled | np.isinf(customers["arrival_s"]), arrived_s, customers["arrival_s"]),
        "due_s": np.where(np.isinf(first["due_s"]), np.nan, first["due_s"]),
        "due_passed_s": time_of(NOTE_DUE_PASSED),
        "callback_offered_s": time_of(NOTE_CALLBACK_OFFERED),
        "first_start_s": time_of(NOTE_WORKING, NOTE_PICKING_UP),
        "ended_s": time_of(NOTE_ENDED, NOTE_BLOCKED),
        "disposition": disposition,
        "first_rep": first_rep,
        "last_rep": last_rep,
        "overdue": overdue != 0,
        "reached": np.where(reached == NOBODY, None, reached != 0),
        "handle_s": total(length_s, np.isin(phases["phase"], ("working", "after_work")), phases),
        "pick_up_s": total(length_s, phases["phase"] == "picking_up", phases),
        "interruptions": np.bincount(_of_kind(noted, NOTE_SUSPENDED)["contact"], minlength=count),
        "recovered_usd": np.bincount(paid["contact"], paid["amount_usd"], count),
        "commission_usd": np.bincount(paid["contact"], paid["loss_usd"], count),
        **{
            f"cost_{term}_usd": total(charges["amount_usd"], is_charged & (charges["term"] == term), charges)
            for term in COST_TERMS
        },
        "account_loss_usd": total(charges["account_loss_usd"], is_charged, charges),
    }


def _join(parts: list[Rows]) -> Rows:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _as_array(values: NDArray[Any], field: pa.Field) -> pa.Array:
    """Return an Arrow array; NaN, -1 and None become null where the column may be null."""
    if pa.types.is_fixed_size_list(field.type):
        flat = pa.array(np.ascontiguousarray(values).reshape(-1), field.type.value_type)
        return pa.FixedSizeListArray.from_arrays(flat, type=field.type)
    missing = None
    if field.nullable and values.dtype.kind == "f":
        missing = np.isnan(values)
    elif field.nullable and values.dtype.kind in "iu":
        missing = values == NOBODY
    return pa.array(values, field.type, mask=missing)
