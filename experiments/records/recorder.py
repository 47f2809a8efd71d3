"""Records: every contact, every decision, what every rep did and every charge, as Parquet (D16).

Room: `experiments.records`. Needs the extra `data`; touches files below the folder that it is given. `docs/records.md`
describes the tables, and a test holds that page equal to `TABLES`.

    records = RecordFolder("records")
    with records.open(scenario, NamedPolicy("fifo", policy), seed=0) as recorder:
        play_episodes(scenario, policy, demand_seeds(0).test, np.arange(64), recorder=recorder)

The kernel's journal (`envs.simulator.machine.journal`) tells what happened; here it becomes rows. They are written
whenever enough of them have gathered, so that memory stays bounded: decisions as they are made, the others when a
batch of episodes ends.

A table is one folder, so that what reads a folder as one table is right. Scenario and policy are columns of it. In the
folders' names they would be guessed at: pyarrow, polars and duckdb all make a number of `scenario=2024`.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from agents.catalog import NamedPolicy
from agents.checked_policy import CheckedPolicy
from agents.episodes import shown_observation
from agents.exported_policy import action_names, fields_as_data
from agents.policy import StochasticPolicy
from envs.center_rows import CenterRows
from envs.errors import ConfigurationError
from envs.interface.cost_terms import COST_TERMS
from envs.interface.units import NOBODY
from envs.scenario.scenario import Scenario
from envs.simulator.machine.state import CONTACT_SUBJECT, ENTRY
from experiments.provenance import collect_data
from experiments.records.tables import (
    FORMAT_VERSION,
    OR_NULL,
    TABLES,
    TERM_COLUMN,
)
from experiments.records.tabulation import (
    Rows,
    join_rows,
    tabulate_episode,
)
from experiments.run_folder import file_name, writing
from experiments.seeds import demand_seeds, sampling_seed

READ_ME = "README.md"
ROWS_PER_GROUP = {"contacts": 65_536, "decisions": 8192, "phases": 65_536, "charges": 65_536}
"""Rows that are written together: of decisions some 30 MB before compression, in the scenario `bank`."""
_READ_ME_TEXT = """\
Records of `blended`. Each folder here is one table, with the columns `scenario` and `policy`; read it whole:

    pandas.read_parquet("contacts")
    polars.read_parquet("contacts/**/*.parquet")
    pyarrow.parquet.read_table("contacts")
    duckdb.sql("SELECT * FROM 'contacts/**/*.parquet'")
"""


class RecordFolder:
    """Where the records of a command go: `FOLDER/<table>/<scenario>/<policy>.parquet`.

    Files are named as `experiments.run_folder.file_name` says.

    Raises:
        ConfigurationError: the folder is not empty, is a file, or would lie in a folder that does not exist.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.parent.is_dir():
            raise ConfigurationError(f"records {folder}: cannot be written (no folder {self.folder.parent})")
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigurationError(f"records {folder}: must be a folder, is a file")
        with writing(f"records {self.folder}"):
            if self.folder.exists() and any(self.folder.iterdir()):
                raise ConfigurationError(f"records {folder}: must be a new folder or an empty one, holds files")

    @contextmanager
    def open(self, scenario: Scenario, named: NamedPolicy, seed: int) -> Iterator["Recorder"]:
        """Give a recorder of the test episodes that `named` plays in `scenario` under the user's `seed`.

        The files have their names when the block ends well; otherwise nothing stays of them, and if the process is
        killed, files outside the tables' folders. Raises `ConfigurationError` if they cannot be written.
        """
        files = {table: self.file(table, scenario.name, named.name) for table in TABLES}
        facts = _facts(scenario, named, seed)
        with ExitStack() as stack:
            with writing(f"records {self.folder}"):
                self.folder.mkdir(exist_ok=True)
                drafts = Path(stack.enter_context(TemporaryDirectory(prefix=".draft-", dir=self.folder)))
                writers = {
                    table: stack.enter_context(_open_writer(drafts / table, make_schema(table, facts)))
                    for table, file in files.items()
                }
            yield Recorder(scenario, named, writers)
            with writing(f"records {self.folder}"):
                # No Parquet, and the first file in order: who reads the whole folder as one table gets an error.
                (self.folder / READ_ME).write_text(_READ_ME_TEXT, encoding="utf-8")
                for table, file in files.items():
                    writers[table].close()
                    file.parent.mkdir(parents=True, exist_ok=True)
                    (drafts / table).replace(file)

    def file(self, table: str, scenario: str, policy: str) -> Path:
        """Return the file that holds what `table` says of a policy in a scenario, both by name."""
        return self.folder / table / file_name(scenario) / f"{file_name(policy)}.parquet"


def _open_writer(file: Path, schema: pa.Schema) -> pq.ParquetWriter:
    # Observations hardly repeat: a dictionary of their numbers takes time and saves nothing.
    plain = [field.name for field in schema if not pa.types.is_list(field.type)]
    return pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=plain)


def _facts(scenario: Scenario, named: NamedPolicy, seed: int) -> dict[str, str]:
    """Return what stands in the metadata of every file."""
    return {
        "format_version": str(FORMAT_VERSION),
        "package_version": metadata.version("blended-routing"),
        "scenario_name": scenario.name,
        "scenario": scenario.model_dump_json(),
        "data": json.dumps(collect_data([scenario], [named])),
        "policy": named.name,
        "mode": "greedy" if named.deterministic else "sampled",
        "observation": shown_observation(named.policy, scenario),
        "seed": str(seed),
        "demand_seed": str(demand_seeds(seed).test),
        "sampling_seed": str(sampling_seed(demand_seeds(seed).test)),
        "action_names": json.dumps(action_names(scenario)),
        "fields": json.dumps(fields_as_data(scenario)),
    }


def make_schema(table: str, facts: Mapping[str, str]) -> pa.Schema:
    """Return the Arrow schema of one of `TABLES`, with `facts` as its metadata; else the same in every scenario."""
    columns = []
    for column in TABLES[table]:
        plain, _, length = column.type.removesuffix(OR_NULL).partition(" [")
        kind = pa.type_for_alias(plain)
        if length:  # a list without a length in its type: scenarios differ in it, and are read as one table
            kind = pa.list_(pa.field("element", kind))  # the name that Parquet gives it
        nullable = column.type.endswith(OR_NULL)
        columns += [pa.field(name, kind, nullable) for name in _expand(column.name)]
    return pa.schema(columns, metadata=dict(facts))


def _expand(name: str) -> list[str]:
    return [f"cost_{term}_usd" for term in COST_TERMS] if name == TERM_COLUMN else [name]


class Recorder:
    """Writes the records of one policy in one scenario; an `agents.episodes.EpisodeRecorder`."""

    def __init__(self, scenario: Scenario, named: NamedPolicy, writers: Mapping[str, pq.ParquetWriter]) -> None:
        self.scenario = scenario
        self.names = {"scenario": scenario.name, "policy": named.name}
        self.stochastic = None
        if isinstance(named.policy, StochasticPolicy):
            self.stochastic = CheckedPolicy(named.name, named.policy, action_names(scenario))
        self.channels = [channel.name for channel in scenario.channels]
        self._writers = writers
        self._lock = threading.Lock()

    def follow(self, rows: CenterRows, episodes: NDArray[np.int64]) -> "BatchRecord":
        """Return what records `episodes`, which have just started in `rows`."""
        return BatchRecord(self, rows, episodes)

    def write(self, table: str, rows: Rows) -> None:
        """Write `rows` as one row group; may be called from several threads."""
        writer = self._writers[table]
        n_rows = len(rows["episode"])
        arrays = [
            pa.repeat(self.names[field.name], n_rows)
            if field.name in self.names
            else _as_array(rows[field.name], field)
            for field in writer.schema
        ]
        with self._lock, writing(f"records {writer.where}"):
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
            **self._probabilities(observation, known),
        }
        self._steps[running] += 1

    def _numbers(self, running: NDArray[np.int64], slots: NDArray[Any]) -> NDArray[np.int64]:
        """Return the numbers of the contacts in `slots`, one per row of `running`; -1 where there is none."""
        return np.where(slots == NOBODY, NOBODY, self._rows.states["slots"]["person"]["number"][running, slots])

    def _reps(self, seats: NDArray[Any]) -> NDArray[np.int64]:
        """Return the reps whose seats these are; -1 where there is none."""
        return np.where(seats == NOBODY, NOBODY, self._rows.parameters[0]["owner"][seats])

    def _probabilities(self, observation: Rows, actions: NDArray[np.int64]) -> Rows:
        if self._recorder.stochastic is None:
            probs = np.full((len(actions), self._rows.n_actions), np.nan)
        else:
            probs = self._recorder.stochastic.action_probabilities(observation)
        return {"action_prob": probs[np.arange(len(actions)), actions], "action_probs": probs}

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
            self._recorder.write(table, join_rows(parts))
        self._parts[table], self._sizes[table] = [], 0


def _as_array(values: NDArray[Any], field: pa.Field) -> pa.Array:
    """Return an Arrow array; NaN, -1 and None become null where the column may be null."""
    if pa.types.is_list(field.type):
        is_missing = np.isnan(values).all(axis=1) if field.nullable else np.zeros(len(values), bool)
        flat = pa.array(np.ascontiguousarray(values[~is_missing]).reshape(-1), field.type.value_type)
        starts = np.append(0, np.cumsum(np.where(is_missing, 0, values[0].size)))
        mask = pa.array(is_missing) if is_missing.any() else None
        return pa.ListArray.from_arrays(pa.array(starts, pa.int32()), flat, type=field.type, mask=mask)
    missing = None
    if field.nullable and values.dtype.kind == "f":
        missing = np.isnan(values)
    elif field.nullable and values.dtype.kind in "iu":
        missing = values == NOBODY
    return pa.array(values, field.type, mask=missing)
