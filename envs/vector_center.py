"""The center as a Gymnasium vector environment: many episodes stepped by one compiled call.

Room: `envs`. Row i behaves as the scalar environment does, bit for bit.
"""

from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.center_rows import (
    CenterRows,
    Observation,
    Snapshot,
    check_mode,
)
from envs.scenario.scenario import Scenario, load_scenario
from envs.spaces import observation_space


class BlendedCenterVector(VectorEnv[Observation, NDArray[Any], NDArray[Any]]):
    """`num_envs` centers of one scenario, autoreset in the same step.

    Seeding. `reset(seed=s)` with a number starts row i at episode i under seed s; afterwards every row that ends takes
    the next episode that no row has had yet, in order of rows. With a list of seeds, row i starts at episode 0 under
    its own seed and goes on with its own next episodes: then row i replays `BlendedCenter` with `reset(seed=s[i])`.
    `options={"episodes": [...]}` names the first episodes.

    `info` holds arrays over rows: `elapsed_s`, `time_s`, `substituted`, `action_mask`; in a step in which rows ended
    also `final_obs` and `final_info` (`metrics` and `cost` as object arrays) with `_final_obs`, `_final_info` as masks.

    Arguments: `scenario`, `on_masked_action` and `render_mode` as for `BlendedCenter`; `threads` steps rows in
    parallel; `copy_observations=False` hands out the internal buffers, which the next step overwrites.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (as gymnasium declares it)
        "render_modes": ["ansi"],
        "render_fps": 4,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        scenario: str | Path | Scenario = "bank",
        num_envs: int = 1,
        *,
        threads: int = 1,
        on_masked_action: str = "substitute",
        copy_observations: bool = True,
        render_mode: str | None = None,
    ) -> None:
        super().__init__()
        self.num_envs = num_envs
        self.scenario = load_scenario(scenario)
        self.render_mode = render_mode
        self.rows = CenterRows(self.scenario, num_envs, threads)
        self.action_names = self.rows.action_names
        self.observation_fields = self.rows.fields
        self._raise_masked = check_mode(on_masked_action) == "raise"
        self._copy = copy_observations
        self.single_action_space = spaces.Discrete(self.rows.n_actions)
        self.single_observation_space = observation_space(self.rows.fields, self.rows.n_actions)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.seeds = np.zeros(num_envs, np.int64)
        self.episodes = np.full(num_envs, -1, np.int64)
        self._next_shared_episode: int | None = None

    def reset(
        self, *, seed: int | list[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode in every row; see "Seeding". Returns (observations, info)."""
        super().reset(seed=seed if isinstance(seed, int) else None)
        first = (options or {}).get("episodes")
        if isinstance(seed, list | tuple | np.ndarray):
            self.seeds = np.asarray(seed, np.int64)
            self.episodes = np.zeros(self.num_envs, np.int64)
            self._next_shared_episode = None
        elif seed is not None or self.episodes[0] < 0:
            start = int(self.np_random.integers(2**31)) if seed is None else int(seed)
            self.seeds = np.full(self.num_envs, start, np.int64)
            self.episodes = np.arange(self.num_envs)
            self._next_shared_episode = self.num_envs
        else:
            self._advance_episodes(self.rows.all_rows)
        if first is not None:
            self.episodes = np.asarray(first, np.int64)
            self._next_shared_episode = None if self._next_shared_episode is None else int(self.episodes.max()) + 1
        self.rows.start(self.rows.all_rows, self.seeds, self.episodes)
        return self._observe(), self._info()

    def _advance_episodes(self, rows: NDArray[np.int64]) -> None:
        if self._next_shared_episode is None:
            self.episodes[rows] += 1
            return
        self.episodes[rows] = self._next_shared_episode + np.arange(len(rows))
        self._next_shared_episode += len(rows)

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Carry out one action per row. Returns (observations, rewards in USD, terminated, truncated, info)."""
        actions = np.ascontiguousarray(actions, np.int64)
        if self._raise_masked:
            self.rows.refuse_masked(actions)
        self.rows.step(self.rows.all_rows, actions)
        terminated = self.rows.done
        elapsed_s, substituted = self.rows.elapsed_s.copy(), self.rows.substituted != 0
        final: dict[str, Any] = {}
        if terminated.any():
            final = self._end_episodes(np.flatnonzero(terminated), terminated)
        info = self._info() | {"elapsed_s": elapsed_s, "substituted": substituted} | final
        return self._observe(), self.rows.reward_usd.copy(), terminated, np.zeros(self.num_envs, bool), info

    def _end_episodes(self, ended: NDArray[np.int64], terminated: NDArray[np.bool_]) -> dict[str, Any]:
        observations = np.full(self.num_envs, None, object)
        metrics = np.full(self.num_envs, None, object)
        costs = np.full(self.num_envs, None, object)
        episodes = self.episodes.copy()
        for row in ended:
            observations[row] = {key: buffer.copy() for key, buffer in self.rows.observation(int(row)).items()}
            metrics[row] = self.rows.metrics(int(row))
            costs[row] = self.rows.step_costs(int(row))
        self._advance_episodes(ended)
        self.rows.start(ended, self.seeds[ended], self.episodes[ended])
        final_info = {"metrics": metrics, "_metrics": terminated, "cost": costs, "_cost": terminated}
        return {
            "final_obs": observations,
            "_final_obs": terminated,
            "final_info": final_info | {"episode": episodes, "_episode": terminated},
            "_final_info": terminated,
        }

    def snapshot(self, row: int) -> Snapshot:
        """Return the episode of `row` as it is now; see `BlendedCenter.snapshot`."""
        return Snapshot(self.rows.snapshot(row), int(self.seeds[row]), int(self.episodes[row]))

    def restore(self, row: int, snapshot: Snapshot, *, fresh_seed: int | None = None) -> None:
        """Let `row` go on from `snapshot`, which may be of another row or of a `BlendedCenter`; the next `step` shows
        it. `rows.observation(row)` is its observation now. For `fresh_seed` and errors see `BlendedCenter.restore`."""
        self.rows.restore(row, snapshot.row, fresh_seed=fresh_seed)
        self.seeds[row], self.episodes[row] = snapshot.seed, snapshot.episode

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are open now, bool (num_envs, n)."""
        return self.rows.mask != 0

    def render(self) -> tuple[str, ...] | None:
        """Return every center as text in mode `ansi`, else None."""
        if self.render_mode != "ansi":
            return None
        return tuple(self.rows.render(row) for row in range(self.num_envs))

    def _observe(self) -> Observation:
        buffers = self.rows.observation()
        return {key: buffer.copy() for key, buffer in buffers.items()} if self._copy else buffers

    def _info(self) -> dict[str, Any]:
        return {
            "action_mask": self.rows.mask.copy() if self._copy else self.rows.mask,
            "elapsed_s": np.zeros(self.num_envs),
            "time_s": self.rows.time_s.copy(),
            "substituted": np.zeros(self.num_envs, bool),
        }
