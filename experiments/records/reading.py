"""Reading decisions back from records, a batch at a time.

Room: `experiments.records`. Needs the extra `data`; reads the one file that it is given, of which it holds
`ROWS_AT_A_TIME` rows.

    log = DecisionFile(find_decisions("records"))
    for rows in log.batches("episode", "action", "action_mask"):
        ...

A file may be damaged, cut off, of another version, or no record at all: whatever is wrong is one message.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError

from agents.exported_policy import action_names, fields_as_data
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario
from experiments.records.recorder import make_schema
from experiments.records.tables import FORMAT_VERSION
from experiments.records.tabulation import Rows

ROWS_AT_A_TIME = 4096
"""Rows of a batch: some 15 MB of decisions, in the scenario `bank`."""
_FACTS = ("policy", "mode", "observation", "seed", "demand_seed", "sampling_seed", "scenario", "action_names", "fields")


def find_decisions(records: str | Path) -> Path:
    """Return the file of decisions that `records` means: itself, or the only one in a folder that `--record` wrote.

    Raises `ConfigurationError` if there is none, or several of which one must be named.
    """
    place = Path(records)
    if place.is_file():
        return place
    if not place.is_dir():
        raise ConfigurationError(f"records {records}: no such folder or file")
    files = sorted((place / "decisions").rglob("*.parquet"))
    if not files:
        raise ConfigurationError(f"records {records}: holds no decisions/<scenario>/<policy>.parquet: see --record")
    if len(files) > 1:
        shown = ", ".join(str(file) for file in files[:4]) + (", …" if len(files) > 4 else "")
        raise ConfigurationError(f"records {records}: hold {len(files)} logs of decisions: name one file ({shown})")
    return files[0]


class DecisionFile:
    """The decisions of one policy in one scenario, as `--record` wrote them.

    Attributes:
        file: where they are.
        scenario: the resolved scenario in which they were made.
        facts: the metadata, text by key, as `docs/records.md` lists them.
        n_rows: number of decisions.

    Raises:
        ConfigurationError: the file cannot be read, is no such record, is of another version of the records, or its
            scenario has other actions or fields today.
    """

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file)
        try:
            self._parquet = pq.ParquetFile(self.file)
        except (OSError, pa.ArrowException, ValueError) as error:
            raise ConfigurationError(f"records {self.file}: cannot be read as Parquet ({_told(error)})") from error
        self.facts = self._read_facts()
        self.n_rows: int = self._parquet.metadata.num_rows
        try:
            self.scenario = Scenario.model_validate_json(self.facts["scenario"])
            names, fields = json.loads(self.facts["action_names"]), json.loads(self.facts["fields"])
        except (ValidationError, ValueError) as error:
            raise ConfigurationError(f"records {self.file}: their metadata are damaged ({_told(error)})") from error
        self.action_names: tuple[str, ...] = tuple(action_names(self.scenario))
        if names != list(self.action_names) or _names_of(fields) != _names_of(fields_as_data(self.scenario)):
            raise ConfigurationError(
                f"records {self.file}: the scenario {self.scenario.name} has other actions or fields of the "
                "observation in this version of the project: record it again"
            )
        if not self._parquet.schema_arrow.equals(make_schema("decisions", self.facts)):
            raise ConfigurationError(f"records {self.file}: is no table of decisions with the columns of this version")

    def _read_facts(self) -> dict[str, str]:
        try:
            facts = {key.decode(): value.decode() for key, value in (self._parquet.schema_arrow.metadata or {}).items()}
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"records {self.file}: their metadata are damaged (not UTF-8)") from error
        version = facts.get("format_version")
        if version is None:
            raise ConfigurationError(f"records {self.file}: not written by --record (no format_version)")
        if version != str(FORMAT_VERSION):
            raise ConfigurationError(
                f"records {self.file}: format_version = {version[:20]}: this version of the project reads "
                f"{FORMAT_VERSION}: record again"
            )
        missing = [key for key in _FACTS if key not in facts]
        if missing:
            raise ConfigurationError(f"records {self.file}: their metadata lack {', '.join(missing)}")
        return facts

    def batches(self, *columns: str) -> Iterator[Rows]:
        """Yield the `columns`, by name, of the next `ROWS_AT_A_TIME` rows: arrays of (rows,), (rows, numbers of the
        list) for a list. Null becomes NaN; columns of numbers and truth values only.

        Raises `ConfigurationError` where a part of the file is damaged, or a list has another length than the scenario
        has it.
        """
        lengths = self._lengths()
        try:
            for batch in self._parquet.iter_batches(ROWS_AT_A_TIME, columns=list(columns)):
                yield {name: self._as_numpy(batch.column(name), name, lengths.get(name)) for name in columns}
        except (OSError, pa.ArrowException, ValueError) as error:
            raise ConfigurationError(f"records {self.file}: are damaged ({_told(error)})") from error

    def _lengths(self) -> Mapping[str, int]:
        fields = fields_as_data(self.scenario)
        n_actions = len(self.action_names)
        return {
            "center": len(fields["center"]),
            "candidates": n_actions * len(fields["candidates"]),
            "action_mask": n_actions,
            "action_probs": n_actions,
        }

    def _as_numpy(self, column: pa.Array, name: str, length: int | None) -> NDArray[Any]:
        if length is None:
            return column.to_numpy(zero_copy_only=False)
        found = column.value_lengths().to_numpy(zero_copy_only=False)  # NaN where null
        if not (np.isnan(found) | (found == length)).all():
            raise ConfigurationError(
                f"records {self.file}: are damaged ({name}: lists of another length than {length})"
            )
        if column.null_count == 0:
            return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), length)
        values = np.full((len(column), length), np.nan)
        values[~np.isnan(found)] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, length)
        return values


def _names_of(fields: Any) -> list[list[tuple[str, str]]]:
    return [[(field["name"], field["unit"]) for field in fields[part]] for part in ("center", "candidates")]


def _told(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]
