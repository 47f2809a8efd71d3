"""Many environments of one scenario side by side: their states, demands and observation buffers.

Room: `envs`. The only file that calls the kernel; the scalar environment is one row, the vector environment many, and
the compiled loop of the baselines uses the same rows.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from envs.arguments import check_actions, check_demand, check_each, check_kind, check_rows, check_whole, checksum_of
from envs.counts import Counts, read_counts
from envs.errors import ArgumentError, NotRunningError
from envs.inputs.demand import DemandSampler
from envs.inputs.foresight import redraw
from envs.inputs.parameters import build_parameters, check_contacts, choose_sizes
from envs.interface.fields import FieldTable, field_table
from envs.metrics import compute_metrics, metric_glossary
from envs.rendering import render_state
from envs.scenario.action_table import action_table
from envs.scenario.scenario import Scenario
from envs.simulator.machine.growth import RowRecords, count_slots, enlarge_states
from envs.simulator.machine.record_types import GROWTH, MAX_NOTES
from envs.simulator.machine.state import DEMAND, RESULT
from envs.simulator.step import GO_ON, START, STEP, move_rows, move_rows_in_parallel

Observation = dict[str, NDArray[Any]]


class RowSnapshot(NamedTuple):
    """One environment at one moment, whole: a copy that later steps do not change."""

    scenario: Scenario
    state: NDArray[Any]
    demand: NDArray[Any]
    center: NDArray[np.float32]
    candidates: NDArray[np.float32]
    mask: NDArray[np.int8]
    result: NDArray[Any]
    checksum: int


class Snapshot(NamedTuple):
    """An episode at one moment, of whichever environment: all that `restore` needs."""

    row: RowSnapshot
    seed: int
    episode: int


class CenterRows:
    """`n_rows` environments of `scenario`; arrays have one row per environment.

    `threads` > 1 steps rows in parallel on at most that many numba threads; results are equal bit for bit. `sampler`
    draws the demand, of the same scenario; None: one of these rows' own. With `journal` what happens to contacts and
    reps is noted too, for `drain`, and nothing else changes.
    """

    def __init__(
        self,
        scenario: Scenario,
        n_rows: int,
        threads: int = 1,
        *,
        sampler: DemandSampler | None = None,
        journal: bool = False,
    ) -> None:
        self.scenario = scenario
        self.n_rows = check_whole("n_rows", n_rows, low=1)
        self.metric_names: tuple[str, ...] = tuple(metric_glossary(scenario))
        self.action_names: tuple[str, ...] = tuple(action.name for action in action_table(scenario))
        self.fields: FieldTable = field_table(tuple(channel.name for channel in scenario.channels))
        self.parameters = build_parameters(scenario)
        self.sizes = choose_sizes(scenario)
        self._records = RowRecords(n_rows, self.sizes, journal=journal)
        n_actions = len(self.action_names)
        self.center = np.zeros((n_rows, len(self.fields.center)), np.float32)
        self.candidates = np.zeros((n_rows, n_actions, len(self.fields.candidates)), np.float32)
        self.mask = np.zeros((n_rows, n_actions), np.int8)
        self._results = np.zeros(n_rows, RESULT)
        self.demands = np.zeros((n_rows, 1), DEMAND)
        self.demand_counts = np.zeros(n_rows, np.int64)
        self.keys = np.zeros(n_rows, np.uint64)
        self.all_rows, self._no_actions = np.arange(n_rows), np.zeros(n_rows, np.int64)
        self._were_started = np.zeros(n_rows, bool)
        self._has_journal = journal
        self._sampler = DemandSampler(scenario) if sampler is None else sampler
        self._threads = min(check_whole("threads", threads, low=1), numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]

    @property
    def states(self) -> NDArray[Any]:
        """The `state_type` record of each row; another array once these have grown."""
        return self._records.states

    @property
    def journals(self) -> NDArray[Any]:
        """The `journal_type` record of each row, or one for all that keep none."""
        return self._records.journals

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return len(self.action_names)

    def start(self, rows: NDArray[np.int64], seeds: NDArray[np.int64], episodes: NDArray[np.int64]) -> None:
        """Start episode `episodes[i]` under `seeds[i]` in environment `rows[i]` and run to its first decision.

        Raises `ArgumentError`, before anything moves, unless `rows` are indices in ascending order, with a seed and an
        episode each, whole numbers >= 0.
        """
        rows = check_rows(rows, self.n_rows)
        seeds, episodes = check_each("seeds", seeds, len(rows)), check_each("episodes", episodes, len(rows))
        for row, seed, episode in zip(rows, seeds, episodes, strict=True):
            self.load_demand(int(row), self._sampler.sample(int(seed), int(episode)))
            self.keys[row] = self._sampler.episode_key(int(seed), int(episode))
        self.restart(rows)

    def load_demand(self, row: int, demand: NDArray[Any]) -> None:
        """Give environment `row` its demand, `DEMAND` records in order of arrival; raises `ArgumentError` for anything
        else."""
        row = check_whole("row", row, high=self.n_rows - 1)
        check_demand(demand, DEMAND, len(self.scenario.channels), sum(group.count for group in self.scenario.groups))
        if len(demand) > self.demands.shape[1]:
            wider = np.zeros((self.n_rows, len(demand) + len(demand) // 4), DEMAND)
            wider[:, : self.demands.shape[1]] = self.demands
            self.demands = wider
        self.demands[row, : len(demand)].view(np.uint8)[:] = np.ascontiguousarray(demand).view(np.uint8)
        self.demand_counts[row] = len(demand)

    def restart(self, rows: NDArray[np.int64]) -> None:
        """Start the environments `rows` again with the demand they have."""
        rows = check_rows(rows, self.n_rows)
        state_bytes = self.states.view(np.uint8).reshape(self.n_rows, -1)
        for row in rows:
            state_bytes[row] = 0
            self.states[row]["key"] = self.keys[row]
        self._start_journal(rows)
        self._were_started[rows] = True
        self._move(START, rows, self._no_actions)

    def step(self, rows: NDArray[np.int64], actions: NDArray[np.int64]) -> None:
        """Carry out `actions` (one per environment, read at `rows` only) and run each of `rows` to its next decision.

        Results are in `center`, `candidates`, `mask`, `reward_usd`, `elapsed_s`, `time_s`, `substituted` and `states`.
        Before anything moves, raises `ArgumentError` unless `rows` are indices in ascending order and there is one
        index of the action table per environment, and `NotRunningError` if one of `rows` was never started.
        """
        rows = self.check_started(rows)
        actions = check_actions(actions, self.n_rows, self.n_actions)
        self._move(STEP, rows, actions)

    def _move(self, move: int, rows: NDArray[np.int64], actions: NDArray[np.int64]) -> None:
        """Make `move` of `envs.simulator.step` in `rows`, in records that are large enough for it."""
        is_shared = self._threads > 1 and len(rows) > 1
        if is_shared:
            numba.set_num_threads(self._threads)
        move_all = move_rows_in_parallel if is_shared else move_rows
        if move_all(move, rows, *self.kernel_arrays(), actions, *self.seen_arrays()):
            self.make_room()

    def kernel_arrays(self) -> tuple[NDArray[Any], ...]:
        """Return what the kernel's entry points are given first, after the rows: states, parameters, demands and their
        lengths. For compiled code alone: the states look longer than they are."""
        return self._records.kernel_states, self.parameters, self.demands, self.demand_counts

    def seen_arrays(self) -> tuple[NDArray[Any], ...]:
        """Return what they are given last: what is seen of the rows, and what is noted."""
        return self.center, self.candidates, self.mask, self._results, self._records.kernel_journals

    def make_room(self) -> None:
        """Move all rows into larger records, and let those that stopped for want of room go on, until none stops: as if
        the records had been so large from the start.

        Raises `ConfigurationError` if more contacts are open at once than the simulator can hold.
        """
        rows = np.flatnonzero(self._results["is_full"])
        has_slots = self.states["n_unused"][rows] > 1 + int(self.parameters["n_supplied"][0])
        if not has_slots.all():
            self._hold_contacts(GROWTH * self.sizes.contacts, float(self.states["now_s"][rows[~has_slots][0]]))
        if self._has_journal and has_slots.any():
            self._records.hold_notes(GROWTH * self.journals["entries"].shape[1])
        self._move(GO_ON, rows, self._no_actions)

    def _hold_contacts(self, n_contacts: int, now_s: float) -> None:
        """Give all rows room for `n_contacts` contacts, since at `now_s` seconds there was not enough."""
        check_contacts(self.scenario, n_contacts, now_s)
        self.sizes = self.sizes._replace(contacts=n_contacts)
        self._records.hold_contacts(self.sizes)
        self.parameters["n_contacts"] = n_contacts

    def check_started(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return `rows`; raises `ArgumentError` unless they are indices of environments in ascending order, and
        `NotRunningError` if one of them was never started."""
        if rows is not self.all_rows:
            rows = check_rows(rows, self.n_rows)
        if not self._were_started[rows].all():
            row = int(rows[~self._were_started[rows]][0])
            raise NotRunningError(f"environment {row} has no episode: it must be started before it is stepped")
        return rows

    def check_rule(
        self, n_actions: int, n_channels: int, settings: NDArray[np.float64], until_s: NDArray[np.float64]
    ) -> None:
        """Raise `ArgumentError` unless a rule that was made for so many actions and channels can route these rows, with
        a line of `settings` and a time `until_s`, a number, for each."""
        if (n_actions, n_channels) != (self.n_actions, len(self.scenario.channels)):
            raise ArgumentError(
                f"a rule for {n_actions} actions and {n_channels} channels: must be for {self.n_actions} and "
                f"{len(self.scenario.channels)}, those of scenario {self.scenario.name}"
            )
        fits = settings.ndim == 2 and len(settings) == self.n_rows and until_s.shape == (self.n_rows,)
        if not fits or np.isnan(until_s).any():
            raise ArgumentError(
                f"settings of shape {settings.shape}, until_s of shape {until_s.shape}: must have one line for each of "
                f"{self.n_rows} environments, of until_s a number of seconds"
            )

    def refuse_masked(self, rows: NDArray[np.int64], actions: NDArray[np.int64]) -> None:
        """Raise `ArgumentError` naming the first of `actions`, indices of the action table, one per environment, that
        is not open in an environment of `rows`."""
        is_open = self.mask[rows, actions[rows]] != 0
        if is_open.all():
            return
        row = int(rows[~is_open][0])
        action = int(actions[row])
        legal = ", ".join(self.open_actions(row))
        raise ArgumentError(
            f"action = {action} ({self.action_names[action]}) in environment {row}: must be an open action ({legal})"
        )

    def open_actions(self, row: int) -> list[str]:
        """Return the names of the actions that are open in environment `row`."""
        return [self.action_names[i] for i in np.flatnonzero(self.mask[row])]

    def render(self, row: int) -> str:
        """Return environment `row` as lines of text."""
        return render_state(self.scenario, self.parameters[0], self.states[row], self.open_actions(row))

    def drain(self, row: int) -> NDArray[Any]:
        """Return what was noted in environment `row` since the last call or its start, and forget it.

        Returns `ENTRY` records in the order of events; their kinds are those of `envs.simulator.machine.journal`. To
        be called after every start and step. Raises `RuntimeError` if these rows keep no journal, or if one event left
        more notes than there is room for.
        """
        if not self._has_journal:
            raise RuntimeError("drain() needs CenterRows(..., journal=True)")
        journal = self.journals[row]
        if journal["n_lost"] > 0:
            raise RuntimeError(
                f"environment {row}: {journal['n_lost']} notes of scenario {self.scenario.name} are lost, since one "
                f"event left more than {MAX_NOTES}, so its records would have gaps"
            )
        entries: NDArray[Any] = journal["entries"][: journal["n_entries"]].copy()
        journal["n_entries"] = 0
        return entries

    def _start_journal(self, rows: NDArray[np.int64]) -> None:
        """Let `rows` keep a journal from now on, with nothing noted yet, or not, as this object does."""
        self.states["journaling"][rows], self.states["n_notes"][rows] = self._has_journal, 0
        if self._has_journal:
            self.journals["n_entries"][rows] = 0
            self.journals["n_lost"][rows] = 0

    def snapshot(self, row: int) -> RowSnapshot:
        """Return environment `row` as it is now."""
        row = check_whole("row", row, high=self.n_rows - 1)
        copies = [array.copy() for array in self._arrays_of(row)]
        for copied in copies:
            copied.flags.writeable = False
        return RowSnapshot(self.scenario, *copies, checksum_of(copies))  # type: ignore[call-arg, arg-type]

    def _arrays_of(self, row: int) -> tuple[NDArray[Any], ...]:
        """Return what makes up environment `row`, in the order of `RowSnapshot`, without a copy."""
        return (
            self.states[row : row + 1],
            self.demands[row, : self.demand_counts[row]],
            self.center[row],
            self.candidates[row],
            self.mask[row],
            self._results[row : row + 1],
        )

    def restore(self, row: int, snapshot: RowSnapshot, *, fresh_seed: int | None = None) -> None:
        """Make environment `row` what `snapshot` is, with nothing noted yet; with `fresh_seed`, an integer >= 0, as far
        as it is observed, and with future and hidden quantities drawn anew (`envs.inputs.foresight`).

        Raises `ArgumentError`, before anything moves, if the snapshot is of another scenario or is no longer what
        `snapshot` made, or the seed is wrong.
        """
        row = check_whole("row", row, high=self.n_rows - 1)
        check_kind("snapshot", snapshot, RowSnapshot)
        if snapshot.scenario is not self.scenario and snapshot.scenario != self.scenario:
            raise ArgumentError(
                f"snapshot of scenario {snapshot.scenario.name}: must be of the environment's own, {self.scenario.name}"
            )
        if snapshot.checksum != checksum_of(snapshot[1:-1]):
            raise ArgumentError("snapshot: has been changed since it was made, and compiled code trusts its indices")
        snapshot = snapshot._replace(state=self._fit(snapshot.state))
        for name, own in zip(RowSnapshot._fields[1:-1], self._arrays_of(row), strict=True):
            kept = getattr(snapshot, name)
            if kept.dtype != own.dtype or (kept.shape != own.shape and name != "demand"):
                raise ArgumentError(f"snapshot.{name}: is of another version of the center, or of numpy")
        state, demand = snapshot.state, snapshot.demand
        if fresh_seed is not None:
            fresh_seed = check_whole("fresh_seed", fresh_seed)
            state, demand = redraw(state, demand, self.parameters, self.scenario, self._sampler, fresh_seed)
        self.load_demand(row, demand)
        self.states[row : row + 1] = state
        self.keys[row] = state["key"][0]
        self._start_journal(np.array([row]))
        self.center[row] = snapshot.center
        self.candidates[row] = snapshot.candidates
        self.mask[row] = snapshot.mask
        self._results[row : row + 1] = snapshot.result
        self._were_started[row] = True

    def copy(self, source: int, row: int) -> None:
        """Make environment `row` what environment `source` is, with nothing noted yet: as `restore` of its snapshot,
        without the checks, which take longer than the copy."""
        source, row = (check_whole(name, i, high=self.n_rows - 1) for name, i in (("source", source), ("row", row)))
        state_bytes = self.states.view(np.uint8).reshape(self.n_rows, -1)
        arrays = (self.demands, self.demand_counts, self.keys, self.center, self.candidates, self.mask, self._results)
        for array in (state_bytes, *arrays, self._were_started):
            array[row] = array[source]
        self._start_journal(np.array([row]))

    def _fit(self, state: NDArray[Any]) -> NDArray[Any]:
        """Return `state`, of a snapshot, in a record as large as those of these rows, which grow where it is larger; as
        it is if it is a state of another version."""
        n_contacts = count_slots(state, self.sizes)
        if n_contacts > self.sizes.contacts:
            self._hold_contacts(n_contacts, float(state["now_s"][0]))
        return enlarge_states(state, self.sizes) if 0 < n_contacts < self.sizes.contacts else state

    @property
    def results(self) -> NDArray[Any]:
        """The `RESULT` record of each row's last step; a view, as the next four are."""
        return self._results

    @property
    def reward_usd(self) -> NDArray[np.float64]:
        """Minus the cost of each row's last step, USD."""
        return self._results["reward_usd"]

    @property
    def elapsed_s(self) -> NDArray[np.float64]:
        """Seconds that each row's last step took."""
        return self._results["elapsed_s"]

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Seconds since the start of each row's horizon."""
        return self._results["time_s"]

    @property
    def substituted(self) -> NDArray[np.int64]:
        """1 in rows whose last action was masked and replaced by `wait`."""
        return self._results["substituted"]

    @property
    def done(self) -> NDArray[np.bool_]:
        """True in rows whose horizon has been reached."""
        return self._results["done"] != 0

    @property
    def is_over(self) -> NDArray[np.bool_]:
        """True in rows whose episode has ended with a step. Where nobody is ever asked the horizon is reached at the
        start; then the first step ends the episode."""
        return self._results["is_over"] != 0

    @property
    def has_stepped(self) -> NDArray[np.bool_]:
        """True in rows in which a step was made since the start."""
        return self._results["has_stepped"] != 0

    def observation(self, row: int | None = None) -> Observation:
        """Return the observation buffers of all rows, or of one, without a copy."""
        buffers: Observation = {"center": self.center, "candidates": self.candidates, "action_mask": self.mask}
        return buffers if row is None else {key: buffer[row] for key, buffer in buffers.items()}

    @property
    def step_costs_usd(self) -> NDArray[np.float64]:
        """The costs of each row's last step, USD, (n_rows, terms); 0 before the first one, whose costs count from the
        start."""
        return self._results["cost_usd"]

    def counts(self, row: int) -> Counts:
        """Return the counters of environment `row`."""
        return read_counts(self.states[row])

    def defined_metrics(self, row: int) -> dict[str, float | None]:
        """Return the same metrics, with None where a ratio is one of nothing: what JSON can hold."""
        return {key: None if np.isnan(value) else value for key, value in self.metrics(row).items()}

    def metrics(self, row: int) -> dict[str, float]:
        """Return the metrics of the episode of environment `row` as they stand; NaN where a ratio is one of nothing."""
        return compute_metrics(self.scenario, self.counts(row))
