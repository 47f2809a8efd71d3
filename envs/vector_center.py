"""The center as a Gymnasium vector environment: many episodes stepped by one compiled call.

Room: `envs`. Row i behaves as the scalar environment does, bit for bit.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.arguments import (
    RENDER_MODES,
    check_actions,
    check_each,
    check_kind,
    check_mode,
    check_options,
    check_render_mode,
    check_row_mask,
    check_whole,
    read_seed,
)
from envs.center_rows import CenterRows, Observation, Snapshot
from envs.errors import ArgumentError, NotRunningError
from envs.info import rows_info
from envs.scenario.scenario import Scenario, load_scenario
from envs.spaces import observation_space
from envs.spec import WritableSpec


class BlendedCenterVector(WritableSpec, VectorEnv[Observation, NDArray[Any], NDArray[Any]]):
    """`num_envs` centers of one scenario; row i behaves as `BlendedCenter` does.

    ## Seeding
    `reset(seed=s)` with a number starts row i at episode i under seed s; afterwards every row that ends takes the next
    episode that no row has had yet, in order of rows. With a list of seeds, row i starts at episode 0 under its own
    seed (drawn where the list says None) and goes on with its own next episodes: then row i replays `BlendedCenter`
    with `reset(seed=s[i])`. `options={"episodes": [...]}` names the episodes to start; `options={"reset_mask": [...]}`
    starts the rows where it is True and leaves the others as they are, with a seed for none. Other options are refused.

    ## Autoreset
    `autoreset_mode="SameStep"` starts the next episode of a row in the step that ends one, `"NextStep"` in the step
    after it, whose action in that row counts for nothing and whose reward is 0; with `"Disabled"` nobody but the caller
    starts one, by `reset_mask`. Gymnasium's `AutoresetMode` is taken as well; `autoreset_mode` says which it is.
    Wrappers that change observations take all but the first.

    ## Info
    What `envs.info` lists, as arrays over rows, put together as Gymnasium's own vector environments do: with a mask of
    the rows that have an entry under its key with a leading underscore. Where rows ended under `SameStep`, `final_obs`
    and `final_info` hold the last observations and infos; the other entries of these rows are those of the new episode.
    `metrics(row)` tells the metrics so far.

    ## Arguments
    `scenario`, `overrides`, `on_masked_action` and `render_mode` as for `BlendedCenter`; `threads` steps rows in
    parallel; `copy_observations=False` hands out the internal buffers, read-only; the next step overwrites them.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (as gymnasium declares it)
        "render_modes": list(RENDER_MODES),
        "render_fps": 4,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        scenario: str | Path | Mapping[str, Any] | Scenario = "bank",
        num_envs: int = 1,
        *,
        overrides: Sequence[str] = (),
        threads: int = 1,
        on_masked_action: str = "substitute",
        autoreset_mode: str | AutoresetMode = AutoresetMode.SAME_STEP,
        copy_observations: bool = True,
        render_mode: str | None = None,
    ) -> None:
        super().__init__()
        self.render_mode = check_render_mode(render_mode)
        self._raise_masked = check_mode(on_masked_action) == "raise"
        self.autoreset_mode = _read_autoreset_mode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.num_envs = check_whole("num_envs", num_envs, low=1)
        self.scenario = load_scenario(scenario, overrides)
        self.rows = CenterRows(self.scenario, self.num_envs, threads)
        self.action_names = self.rows.action_names
        self.metric_names = self.rows.metric_names
        self.observation_fields = self.rows.fields
        self._copy = copy_observations
        self.single_action_space = spaces.Discrete(self.rows.n_actions)
        self.single_observation_space = observation_space(self.rows.fields, self.rows.n_actions)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.seeds = np.zeros(self.num_envs, np.int64)
        self.episodes = np.full(self.num_envs, -1, np.int64)
        self._next_shared_episode: int | None = None

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | NDArray[np.int64] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode in every row, or in those of `options["reset_mask"]`; see "Seeding". Returns (observations,
        info); raises `ConfigurationError`, before anything changes, for seeds or options that it cannot take."""
        stated = check_options(options, ("episodes", "reset_mask"))
        is_list = isinstance(seed, list | tuple | range) or (isinstance(seed, np.ndarray) and seed.ndim > 0)
        own = list(seed) if is_list else None  # type: ignore[arg-type]
        shared = None if seed is None or own is not None else read_seed("seed", seed)
        if own is not None:
            own = [None if each is None else read_seed(f"seed[{i}]", each) for i, each in enumerate(own)]
            check_each("seed", [0 if each is None else each for each in own], self.num_envs)
        chosen = None
        if "reset_mask" in stated:
            chosen = check_row_mask("options['reset_mask']", stated["reset_mask"], self.num_envs)
            if seed is not None:
                raise ArgumentError("options['reset_mask'] with a seed: must be without, since seeds are for all rows")
            if self.episodes.min() < 0:
                raise NotRunningError("options['reset_mask'] before the first reset: call reset() for all rows first")
        first = stated.get("episodes")
        if first is not None:
            first = check_each("options['episodes']", first, self.num_envs)
        super().reset(seed=shared)
        rows = self.rows.all_rows if chosen is None else np.flatnonzero(chosen)
        if own is not None:
            drawn = self.np_random.integers(2**31, size=self.num_envs)
            self.seeds = np.array([drawn[i] if each is None else each for i, each in enumerate(own)], np.int64)
            self.episodes = np.zeros(self.num_envs, np.int64)
            self._next_shared_episode = None
        elif shared is not None or self.episodes[0] < 0:
            self.seeds = np.full(self.num_envs, self.np_random.integers(2**31) if shared is None else shared, np.int64)
            self.episodes = np.arange(self.num_envs)
            self._next_shared_episode = self.num_envs
        elif first is None:
            self._advance_episodes(rows)
        if first is not None:
            self.episodes[rows] = first[rows]
            if self._next_shared_episode is not None:
                before = 0 if chosen is None else self._next_shared_episode
                self._next_shared_episode = max(before, int(self.episodes.max()) + 1)
        self.rows.start(rows, self.seeds[rows], self.episodes[rows])
        return self._observe(), self._info(chosen)

    def _advance_episodes(self, rows: NDArray[np.int64]) -> None:
        if self._next_shared_episode is None:
            self.episodes[rows] += 1
            return
        self.episodes[rows] = self._next_shared_episode + np.arange(len(rows))
        self._next_shared_episode += len(rows)

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Carry out one action per row. Returns (observations, rewards in USD, terminated, truncated, info).

        Before anything changes, raises `ValueError` for what is not one action per row, and for a masked one under
        `on_masked_action="raise"`; `RuntimeError` before `reset`, and where a row is over under `"Disabled"`.
        """
        if self.episodes[0] < 0:
            raise NotRunningError("step() needs running episodes: call reset() first")
        was_over = self.rows.is_over
        rows = self.rows.all_rows if not was_over.any() else np.flatnonzero(~was_over)
        if len(rows) < self.num_envs and self.autoreset_mode is AutoresetMode.DISABLED:
            over = ", ".join(map(str, np.flatnonzero(was_over)))
            raise NotRunningError(
                f"step() needs running episodes, and those of rows {over} are over: start them by "
                'reset(options={"reset_mask": ...}) first'
            )
        if self._raise_masked:
            self.rows.refuse_masked(rows, check_actions(actions, self.num_envs, self.rows.n_actions))
        self.rows.step(rows, actions)
        rewards_usd, terminated = self.rows.reward_usd.copy(), self.rows.is_over
        if len(rows) < self.num_envs:
            rewards_usd[was_over], terminated[was_over] = 0.0, False
            self._start_next(np.flatnonzero(was_over))
        final: dict[str, Any] = {}
        if self.autoreset_mode is AutoresetMode.SAME_STEP and terminated.any():
            final = self._end_episodes(terminated)
        return self._observe(), rewards_usd, terminated, np.zeros(self.num_envs, bool), self._info() | final

    def _start_next(self, rows: NDArray[np.int64]) -> None:
        self._advance_episodes(rows)
        self.rows.start(rows, self.seeds[rows], self.episodes[rows])

    def _end_episodes(self, terminated: NDArray[np.bool_]) -> dict[str, Any]:
        """Start the next episodes of the rows that ended. Returns what is last said of those that ended."""
        observations = np.full(self.num_envs, None, object)
        for row in np.flatnonzero(terminated).tolist():
            observations[row] = {key: buffer.copy() for key, buffer in self.rows.observation(row).items()}
        final_info = self._info(terminated)
        self._start_next(np.flatnonzero(terminated))
        return {
            "final_obs": observations,
            "_final_obs": terminated.copy(),
            "final_info": final_info,
            "_final_info": terminated.copy(),
        }

    def metrics(self, row: int) -> dict[str, float | None]:
        """Return the metrics of the episode of `row` as they stand; see `BlendedCenter.metrics`."""
        if self.episodes[0] < 0:
            raise NotRunningError("metrics() needs episodes: call reset() first")
        return self.rows.defined_metrics(check_whole("row", row, high=self.num_envs - 1))

    def snapshot(self, row: int) -> Snapshot:
        """Return the episode of `row` as it is now; see `BlendedCenter.snapshot`."""
        return Snapshot(self.rows.snapshot(row), int(self.seeds[row]), int(self.episodes[row]))

    def restore(self, row: int, snapshot: Snapshot, *, fresh_seed: int | None = None) -> None:
        """Let `row` go on from `snapshot`, which may be of another row or of a `BlendedCenter`; the next `step` shows
        it. `rows.observation(row)` is its observation now. For `fresh_seed` and errors see `BlendedCenter.restore`."""
        check_kind("snapshot", snapshot, Snapshot)
        seed, episode = check_whole("snapshot.seed", snapshot.seed), check_whole("snapshot.episode", snapshot.episode)
        if self.episodes.min() < 0:
            raise NotRunningError("restore() before the first reset: call reset() first")
        self.rows.restore(row, snapshot.row, fresh_seed=fresh_seed)
        self.seeds[row], self.episodes[row] = seed, episode

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
        if self._copy:
            return {key: buffer.copy() for key, buffer in buffers.items()}
        views = {key: buffer.view() for key, buffer in buffers.items()}
        for view in views.values():
            view.flags.writeable = False
        return views

    def _info(self, chosen: NDArray[np.bool_] | None = None) -> dict[str, Any]:
        return rows_info(self.rows, self.seeds, self.episodes, chosen)


def _read_autoreset_mode(mode: str | AutoresetMode) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError:
        known = ", ".join(each.value for each in AutoresetMode)
        raise ArgumentError(f"autoreset_mode = {mode!r}: must be one of {known}") from None
