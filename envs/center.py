"""The center as a Gymnasium environment.

Room: `envs`. One row of `CenterRows` behind the environment contract; with `vector_center`, `spaces` and `spec` the
only files here that import gymnasium.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsIndex

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.arguments import (
    RENDER_MODES,
    check_kind,
    check_mode,
    check_options,
    check_render_mode,
    check_whole,
    read_seed,
)
from envs.center_rows import CenterRows, Observation, Snapshot
from envs.errors import NotRunningError
from envs.info import row_info
from envs.scenario.scenario import Scenario, load_scenario
from envs.spaces import observation_space
from envs.spec import WritableSpec


class BlendedCenter(WritableSpec, gymnasium.Env[Observation, np.int64]):
    """A blended multichannel contact center, seen by its router.

    ## Description
    Reps serve calls, e-mails, callbacks and more. Whenever a rep comes free with work waiting, or a customer waits on a
    real-time channel, the router decides. Between decisions time passes by itself (semi-Markov): every step reports
    `info["elapsed_s"]`. `docs/decision.md` says when who is asked, `envs.info` what else `info` says.

    ## Action space
    `Discrete(n)`; the meaning of each index is `action_names`: `wait`, `hold`, `serve:<channel>:<lens>`,
    `resume`, `assign:<lens>`, `interrupt:<lens>`, `offer_callback`. n depends on the channels, not on the number of
    reps. Only actions with mask 1 are open. A masked one becomes `wait`, flagged in `info["substituted"]`
    (`on_masked_action="substitute"`), or is refused with `ValueError` before anything changes (`"raise"`). What is no
    index of an action at all is always refused.

    ## Observation space
    A dictionary of float32 `center` (n_center,), float32 `candidates` (n, n_candidate) with one row per action, and
    int8 `action_mask` (n,), in natural units; `observation_fields` names every number with unit, range and scale, and
    `docs/observation.md` says what it means.

    ## Rewards
    Minus the cost in USD since the last decision, the sum of the `cost_<term>_usd` in `info`, each weighted by the
    scenario (`docs/costs.md`). The first step's counts from the start: all rewards add up to minus the cost.

    ## Starting state
    Start of the horizon, with the scenario's backlog and whoever is on shift. The demand of an episode is a pure
    function of (scenario, seed, episode): `reset(seed=s)` starts episode 0 under seed s, `reset()` the next episode
    under the same seed, and `reset(seed=s, options={"episode": k})` replays episode k. Without any seed one is drawn.
    Other options are refused.

    ## Episode end
    `terminated` at the horizon, when the work left is charged once (`envs.simulator.horizon`). Never `truncated`.
    `info["metrics"]` then holds all metrics of the episode, in the order of `metric_names` (`envs.metrics`);
    `metrics()` returns them by name at any time, also after a wrapper has cut the episode short.

    ## Arguments
    * `scenario`: a name in `configs/scenarios/`, a path, a mapping as such a file holds it, or a `Scenario`.
    * `overrides`: `dotted.key=value` texts that change the scenario, such as `("horizon.days=1",)`.
    * `on_masked_action`: `"substitute"` or `"raise"`.
    * `render_mode`: None or `"ansi"`.
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 4}  # noqa: RUF012 (as gymnasium declares it)

    def __init__(
        self,
        scenario: str | Path | Mapping[str, Any] | Scenario = "bank",
        *,
        overrides: Sequence[str] = (),
        on_masked_action: str = "substitute",
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = check_render_mode(render_mode)
        self._raise_masked = check_mode(on_masked_action) == "raise"
        self.scenario = load_scenario(scenario, overrides)
        self._rows = CenterRows(self.scenario, 1)
        self.action_names = self._rows.action_names
        self.metric_names = self._rows.metric_names
        self.observation_fields = self._rows.fields
        self.action_space = spaces.Discrete(self._rows.n_actions)
        self.observation_space = observation_space(self._rows.fields, self._rows.n_actions)  # type: ignore[assignment]  # a Dict of arrays
        self._seed: int | None = None
        self._episode = -1
        self._is_running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see "Starting state". Returns (observation, info); raises `ConfigurationError`, before
        anything changes, for a seed or an option that it cannot take."""
        seed = None if seed is None else read_seed("seed", seed)
        episode = check_options(options, ("episode",)).get("episode")
        if episode is not None:
            episode = check_whole("options['episode']", episode)
        super().reset(seed=seed)
        if seed is not None:
            self._seed, self._episode = seed, -1
        if self._seed is None:
            self._seed = int(self.np_random.integers(2**31))
        self._episode = check_whole("episode", self._episode + 1) if episode is None else episode
        self._rows.start(self._rows.all_rows, np.array([self._seed]), np.array([self._episode]))
        self._is_running = True  # even where nobody is ever asked: then the first step ends the episode
        return self._observe(), self._info()

    def step(self, action: SupportsIndex) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out `action`. Returns (observation, reward in USD, terminated, truncated, info).

        Before anything changes, raises `ValueError` for what is no action, and for a masked one under
        `on_masked_action="raise"`; `RuntimeError` before `reset` or after the end.
        """
        if not self._is_running:
            raise NotRunningError("step() needs a running episode: call reset() first")
        actions = np.array([check_whole("action", action, high=self._rows.n_actions - 1)])
        if self._raise_masked:
            self._rows.refuse_masked(self._rows.all_rows, actions)
        self._rows.step(self._rows.all_rows, actions)
        terminated = bool(self._rows.done[0])
        self._is_running = not terminated
        return self._observe(), float(self._rows.reward_usd[0]), terminated, False, self._info()

    def metrics(self) -> dict[str, float | None]:
        """Return the metrics of the episode as they stand, by name; None where a ratio is one of nothing. Raises
        `RuntimeError` before `reset`."""
        if self._seed is None:
            raise NotRunningError("metrics() needs an episode: call reset() first")
        return self._rows.defined_metrics(0)

    def snapshot(self) -> Snapshot:
        """Return the episode as it is now, for `restore`, here or in any environment of the scenario, also in a row of
        the vector environment. It knows the episode's whole future: who looks ahead with it and no `fresh_seed` is
        clairvoyant. Raises `RuntimeError` before `reset`."""
        if self._seed is None:
            raise NotRunningError("snapshot() needs an episode: call reset() first")
        return Snapshot(self._rows.snapshot(0), self._seed, self._episode)

    def restore(self, snapshot: Snapshot, *, fresh_seed: int | None = None) -> tuple[Observation, dict[str, Any]]:
        """Go on from `snapshot`: the same actions lead to the same trace, bit for bit.

        With `fresh_seed`, an integer >= 0, only what has been observed is kept: the future and all that is hidden are
        drawn anew given that, a pure function of snapshot and seed, so that a look-ahead is not clairvoyant
        (`envs.inputs.foresight`). Returns (observation, info), as they were then; raises `ValueError`, before anything
        changes, for a snapshot of another scenario or a wrong seed.
        """
        check_kind("snapshot", snapshot, Snapshot)
        seed, episode = check_whole("snapshot.seed", snapshot.seed), check_whole("snapshot.episode", snapshot.episode)
        self._rows.restore(0, snapshot.row, fresh_seed=fresh_seed)
        self._seed, self._episode = seed, episode
        self._is_running = not self._rows.is_over[0]
        return self._observe(), self._info()

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are open now, bool (n,)."""
        return self._rows.mask[0].astype(bool)

    def render(self) -> str | None:
        """Return the center as text in mode `ansi`, else None."""
        return self._rows.render(0) if self.render_mode == "ansi" else None

    def _observe(self) -> Observation:
        return {key: buffer.copy() for key, buffer in self._rows.observation(0).items()}

    def _info(self) -> dict[str, Any]:
        assert self._seed is not None
        return row_info(self._rows, 0, self._seed, self._episode)
