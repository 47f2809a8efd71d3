"""Many environments of one scenario side by side: their states, demands and observation buffers.

Room: `envs`. The only file that calls the kernel; the scalar environment is one row, the vector environment many, and
the compiled loop of the baselines uses the same rows.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from envs.actions import action_table
from envs.demand import DemandSampler
from envs.errors import ConfigurationError
from envs.foresight import redraw
from envs.kernel import reset_rows, step_rows, step_rows_in_parallel
from envs.metrics import Counts, compute_metrics, read_counts
from envs.observation import FieldTable, field_table
from envs.parameters import build_parameters, choose_tier
from envs.scenario import COST_TERMS, Scenario
from envs.state import DEMAND, RESULT, state_type

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


class CenterRows:
    """`n_rows` environments of `scenario`; arrays have one row per environment.

    `threads` > 1 steps rows in parallel on at most that many numba threads; results are equal bit for bit.
    """

    def __init__(self, scenario: Scenario, n_rows: int, threads: int = 1) -> None:
        self.scenario = scenario
        self.n_rows = n_rows
        self.action_names: tuple[str, ...] = tuple(action.name for action in action_table(scenario))
        self.fields: FieldTable = field_table(tuple(channel.name for channel in scenario.channels))
        self.parameters = build_parameters(scenario)
        self.states = np.zeros(n_rows, state_type(choose_tier(scenario)))
        n_actions = len(self.action_names)
        self.center = np.zeros((n_rows, len(self.fields.center)), np.float32)
        self.candidates = np.zeros((n_rows, n_actions, len(self.fields.candidates)), np.float32)
        self.mask = np.zeros((n_rows, n_actions), np.int8)
        self._results = np.zeros(n_rows, RESULT)
        self.demands = np.zeros((n_rows, 1), DEMAND)
        self.demand_counts = np.zeros(n_rows, np.int64)
        self.all_rows = np.arange(n_rows)
        self._sampler = DemandSampler(scenario)
        self._threads = min(threads, numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return len(self.action_names)

    def start(self, rows: NDArray[np.int64], seeds: NDArray[np.int64], episodes: NDArray[np.int64]) -> None:
        """Start episode `episodes[i]` under `seeds[i]` in environment `rows[i]` and run to its first decision."""
        for row, seed, episode in zip(rows, seeds, episodes, strict=True):
            self.load_demand(int(row), self._sampler.sample(int(seed), int(episode)))
        self.restart(rows)

    def load_demand(self, row: int, demand: NDArray[Any]) -> None:
        """Give environment `row` its demand, `DEMAND` records in order of arrival."""
        if len(demand) > self.demands.shape[1]:
            wider = np.zeros((self.n_rows, len(demand) + len(demand) // 4), DEMAND)
            wider[:, : self.demands.shape[1]] = self.demands
            self.demands = wider
        self.demands[row, : len(demand)] = demand
        self.demand_counts[row] = len(demand)

    def restart(self, rows: NDArray[np.int64]) -> None:
        """Start the environments `rows` again with the demand they have."""
        state_bytes = self.states.view(np.uint8).reshape(self.n_rows, -1)
        for row in rows:
            state_bytes[row] = 0
        reset_rows(
            rows,
            self.states,
            self.parameters,
            self.demands,
            self.demand_counts,
            self.center,
            self.candidates,
            self.mask,
            self._results,
        )

    def step(self, rows: NDArray[np.int64], actions: NDArray[np.int64]) -> None:
        """Carry out `actions` (one per environment, read at `rows` only) and run each of `rows` to its next decision.

        Results are in `center`, `candidates`, `mask`, `reward_usd`, `elapsed_s`, `time_s`, `substituted` and `states`.
        """
        arguments = (
            rows,
            self.states,
            self.parameters,
            self.demands,
            self.demand_counts,
            actions,
            self.center,
            self.candidates,
            self.mask,
            self._results,
        )
        if self._threads > 1 and len(rows) > 1:
            numba.set_num_threads(self._threads)
            step_rows_in_parallel(*arguments)
        else:
            step_rows(*arguments)

    def snapshot(self, row: int) -> RowSnapshot:
        """Return environment `row` as it is now."""
        return RowSnapshot(
            self.scenario,
            self.states[row : row + 1].copy(),
            self.demands[row, : self.demand_counts[row]].copy(),
            self.center[row].copy(),
            self.candidates[row].copy(),
            self.mask[row].copy(),
            self._results[row : row + 1].copy(),
        )

    def restore(self, row: int, snapshot: RowSnapshot, *, fresh_seed: int | None = None) -> None:
        """Make environment `row` what `snapshot` is; with `fresh_seed`, an integer >= 0, as far as it is observed, and
        with future and hidden quantities drawn anew (`envs.foresight`).

        Raises `ValueError` if the snapshot is of another scenario, `ConfigurationError` for a wrong seed.
        """
        if snapshot.scenario is not self.scenario and snapshot.scenario != self.scenario:
            raise ValueError(
                f"snapshot of scenario {snapshot.scenario.name}: must be of the environment's own, {self.scenario.name}"
            )
        state, demand = snapshot.state, snapshot.demand
        if fresh_seed is not None:
            if not isinstance(fresh_seed, int | np.integer) or fresh_seed < 0:
                raise ConfigurationError(f"fresh_seed = {fresh_seed!r}: must be an integer >= 0")
            state, demand = redraw(state, demand, self.parameters, self.scenario, self._sampler, int(fresh_seed))
        self.load_demand(row, demand)
        self.states[row : row + 1] = state
        self.center[row] = snapshot.center
        self.candidates[row] = snapshot.candidates
        self.mask[row] = snapshot.mask
        self._results[row : row + 1] = snapshot.result

    @property
    def reward_usd(self) -> NDArray[np.float64]:
        """Minus the cost of each row's last step, USD; a view, as the next three are."""
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

    def observation(self, row: int | None = None) -> Observation:
        """Return the observation buffers of all rows, or of one, without a copy."""
        buffers: Observation = {"center": self.center, "candidates": self.candidates, "action_mask": self.mask}
        return buffers if row is None else {key: buffer[row] for key, buffer in buffers.items()}

    def step_costs(self, row: int) -> dict[str, float]:
        """Return the costs of the last step of environment `row`, USD by term."""
        return dict(zip(COST_TERMS, self.states["step_cost_usd"][row].tolist(), strict=True))

    def counts(self, row: int) -> Counts:
        """Return the counters of environment `row`."""
        return read_counts(self.states[row])

    def metrics(self, row: int) -> dict[str, float]:
        """Return the metrics of the finished episode of environment `row`."""
        return compute_metrics(self.scenario, self.counts(row))
