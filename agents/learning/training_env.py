"""The center as a Stable-Baselines3 `VecEnv`, made for training.

Room: `agents.learning`. Touches SB3 and `CenterRows`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from agents.episodes import advance_rows
from agents.policy import Policy
from envs.arguments import check_actions, read_seed
from envs.center_rows import CenterRows, RowSnapshot
from envs.inputs.demand import DemandSampler
from envs.scenario.scenario import Scenario
from envs.simulator.open_work import estimate_open_work
from envs.spaces import observation_space


class TrainingVecEnv(VecEnv):
    """`n_envs` centers of `scenario` under demand seed `seed`; every row takes the next episode nobody has had.

    Rewards are -cost / `reward_scale_usd`. What makes them easier to learn from leaves the order of policies as it is:

    * `without_luck`: cost less its luck (`envs.simulator.money.control_variate`) and less a fixed share of the stake
      of everyone who arrives (input-driven baselines: Mao et al. 2018, arXiv 1807.02264).
    * `potential_half_life_s` > 0, the learner's own discount half-life: shaping by the potential minus what the
      open work is expected to cost (`envs.simulator.open_work`; Ng, Harada, Russell 1999, theorem 1), so that what a
      backlog will cost in hours, and what a caller's hanging up will cost, is felt at once.

    With `starter`, which may be set before a reset too, that policy first routes row i until i / n_envs of the horizon,
    so that training meets every hour and the horizon's end from the start, with backlogs that are warm. Horizons are
    terminations; nothing is truncated.
    `elapsed_s` is the time of each row's last step, in seconds.
    """

    render_mode: str | None = None

    def __init__(
        self,
        scenario: Scenario,
        n_envs: int,
        seed: int,
        *,
        threads: int = 1,
        reward_scale_usd: float = 1.0,
        without_luck: bool = False,
        potential_half_life_s: float = 0.0,
        starter: Policy | None = None,
    ) -> None:
        self.rows = CenterRows(scenario, n_envs, threads)
        self.elapsed_s: NDArray[np.float64] = np.zeros(n_envs)
        self._seed = read_seed("seed", seed)
        self._scale = reward_scale_usd
        self._without_luck = without_luck
        self._potential_half_life_s = potential_half_life_s
        self._potential_usd = np.zeros(n_envs)
        self.starter = starter
        self._next_episode = 0
        self._episodes = np.zeros(n_envs, np.int64)
        self._actions = np.zeros(n_envs, np.int64)
        self._arrived_usd = np.zeros((n_envs, len(scenario.channels)))
        self._noise_usd = np.zeros(n_envs)
        self._arrival_credit = np.zeros(len(scenario.channels))
        self._return_usd = np.zeros(n_envs)
        self._length = np.zeros(n_envs, np.int64)
        space = observation_space(self.rows.fields, self.rows.n_actions)
        super().__init__(n_envs, space, Discrete(self.rows.n_actions))

    def _start(self, rows: NDArray[np.int64]) -> None:
        episodes = self._next_episode + np.arange(len(rows))
        self._next_episode += len(rows)
        self._episodes[rows] = episodes
        self.rows.start(rows, np.full(len(rows), self._seed), episodes)
        self._arrived_usd[rows] = self._read_arrived()[rows]
        self._noise_usd[rows] = 0.0  # a first step has the costs since the start
        self._return_usd[rows] = 0.0
        self._length[rows] = 0

    def reset(self) -> dict[str, NDArray[Any]]:
        """Start an episode in every row, staggered if there is a starter. Returns the observations."""
        self._start(self.rows.all_rows)
        if self.starter is not None:
            horizon_s = float(self.rows.parameters[0]["horizon_s"])
            until_s = self.rows.all_rows * horizon_s / self.num_envs
            advance_rows(self.rows, self.starter, self.rows.all_rows, until_s=until_s)
            self._set_arrival_credit()
            self._arrived_usd = self._read_arrived()
            self._noise_usd = np.where(self.rows.has_stepped, self.rows.states["noise_usd"], 0.0)
            finished = np.flatnonzero(self.rows.done)
            if len(finished):
                self._start(finished)
        self._potential_usd = self._read_potential()
        return self._observe()

    def step_async(self, actions: NDArray[Any]) -> None:
        """Note the actions of the next step, one per row; raises `ValueError` for anything else."""
        self._actions[:] = check_actions(actions, self.num_envs, self.rows.n_actions)

    def step_wait(self) -> Any:
        """Step all rows. Returns (observations, rewards, dones, infos)."""
        self.rows.step(self.rows.all_rows, self._actions)
        self.elapsed_s = self.rows.elapsed_s.copy()
        rewards_usd = self.rows.reward_usd.copy()
        luck_usd = self._take_luck() if self._without_luck else 0.0
        shaping_usd = self._shape() if self._potential_half_life_s > 0.0 else 0.0
        dones = self.rows.done
        self._return_usd += rewards_usd
        self._length += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]  # wrappers write into them
        if dones.any():
            ended = np.flatnonzero(dones)
            for row in ended:
                infos[row] = {
                    "terminal_observation": {k: v.copy() for k, v in self.rows.observation(int(row)).items()},
                    "TimeLimit.truncated": False,
                    "episode": {"r": float(self._return_usd[row]), "l": int(self._length[row]), "t": 0.0},
                    "metrics": self.rows.metrics(int(row)),
                }
            self._start(ended)
            self._potential_usd = self._read_potential()
        return self._observe(), ((rewards_usd + luck_usd + shaping_usd) / self._scale).astype(np.float32), dones, infos

    def _read_potential(self) -> NDArray[np.float64]:
        estimates_usd = np.zeros(self.num_envs)
        if self._potential_half_life_s > 0.0:
            estimate_open_work(self.rows.kernel_arrays()[0], self.rows.parameters, estimates_usd)
        return -estimates_usd

    def _shape(self) -> NDArray[np.float64]:
        """Return the shaping reward of the last step, USD: discounted potential after it less potential before."""
        before_usd, self._potential_usd = self._potential_usd, self._read_potential()
        return np.exp2(-self.elapsed_s / self._potential_half_life_s) * self._potential_usd - before_usd

    def _read_arrived(self) -> NDArray[np.float64]:
        return self.rows.states["arrived_stake_usd"][:, : len(self._arrival_credit)].copy()

    def _set_arrival_credit(self) -> None:
        """Credit each arrival with the share of its stake that customers of its channel lost under the starter."""
        n_channels = len(self._arrival_credit)
        lost_usd = self.rows.states["queue_count"]["account_loss_usd"][:, :n_channels].sum(axis=0)
        stake_usd = self._read_arrived().sum(axis=0)
        self._arrival_credit = np.clip(lost_usd / np.maximum(stake_usd, 1e-9), 0.0, 1.0)

    def _take_luck(self) -> NDArray[np.float64]:
        """Return, USD, what of the last step's cost neither the policy nor its past had a part in."""
        arrived_usd = self._read_arrived()
        credit_usd = (arrived_usd - self._arrived_usd) @ self._arrival_credit
        noise_usd = self.rows.states["noise_usd"] - self._noise_usd
        self._arrived_usd = arrived_usd
        self._noise_usd = self._noise_usd + noise_usd
        return noise_usd + credit_usd

    def _observe(self) -> dict[str, NDArray[Any]]:
        return {key: buffer.copy() for key, buffer in self.rows.observation().items()}

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are open, bool (n_envs, actions)."""
        return self.rows.mask != 0

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Answer `action_masks` for the rows asked for; no other method exists."""
        if method_name != "action_masks":
            raise AttributeError(f"{type(self).__name__} has no method {method_name!r} on its rows")
        return list(self.action_masks()[list(self._get_indices(indices))])

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the whole environment, once per row."""
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the whole environment."""
        setattr(self, attr_name, value)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No row is wrapped."""
        return [False] * len(list(self._get_indices(indices)))

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Set the demand seed used from the next reset on."""
        if seed is not None:
            self._seed, self._next_episode = read_seed("seed", seed), 0
        return [self._seed] * self.num_envs

    def training_state(self) -> dict[str, Any]:
        """Return, as plain data, all that these centers need to go on: of each row its whole state, its episode, whose
        demand is drawn again, and what the rewards of its next steps are made of."""
        rows = []
        for row in range(self.num_envs):
            snapshot = self.rows.snapshot(row)._asdict()
            rows.append({name: snapshot[name] for name in _KEPT_OF_A_ROW})
        return {"rows": rows, **{name: getattr(self, name) for name in _KEPT}}

    def restore_training_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `training_state` was asked; raises `ArgumentError` if that was in another scenario or version."""
        for name in _KEPT:
            setattr(self, name, state[name])
        sampler = DemandSampler(self.rows.scenario)
        for row, kept in enumerate(state["rows"]):
            demand = sampler.sample(self._seed, int(self._episodes[row]))
            self.rows.restore(row, RowSnapshot(self.rows.scenario, demand=demand, **kept))

    def close(self) -> None:
        """Nothing to close."""


_KEPT_OF_A_ROW = ("state", "center", "candidates", "mask", "result", "checksum")
"""What is kept of a `RowSnapshot`; its checksum says whether the demand that is drawn again is the same."""
_KEPT = (
    "elapsed_s",
    "_seed",
    "_next_episode",
    "_episodes",
    "_arrived_usd",
    "_noise_usd",
    "_arrival_credit",
    "_potential_usd",
    "_return_usd",
    "_length",
)
"""What else is kept of the environment."""
