"""A policy made of a compiled rule: its code, its line of settings, and what it is shown.

Room: `agents.rules`. Touches the compiled rules, rows of environments and numpy.
"""

import numpy as np
from numpy.typing import NDArray

from agents.action_layout import action_layout
from agents.policy import Observations
from agents.rules.compiled.adjustments import count_adjustments
from agents.rules.compiled.choice import (
    BASELINES,
    INDEX_RULE,
    PRIORITY,
    choose_rows,
)
from agents.rules.compiled.formulas import I_FIRST_BLOCK, N_BLOCK
from agents.rules.compiled.loop import play_rule
from agents.rules.compiled.network import NO_NETWORK
from agents.rules.compiled.priority import N_QUEUE_SETTINGS, P_FIRST_QUEUE
from agents.rules.markov_needs import hidden_fields
from envs.center_rows import CenterRows
from envs.errors import ArgumentError, ConfigurationError
from envs.interface.fields import N_CANDIDATE_FIELDS, N_CENTER_FIELDS, N_QUEUE_FIELDS
from envs.scenario.scenario import Scenario

WITH_SETTINGS = {"priority": PRIORITY, "index_rule": INDEX_RULE}
"""Codes of the rules that need settings."""


def n_settings(name: str, n_channels: int) -> int:
    """Return how many settings the rule with that code's name takes in a scenario of `n_channels`; of the `ranking`
    that `expected_loss` adjusts, how many describe it."""
    if name == "priority":
        return P_FIRST_QUEUE + n_channels * N_QUEUE_SETTINGS
    if name in ("index_rule", "ranking"):
        return I_FIRST_BLOCK + n_channels * (N_BLOCK + (name == "index_rule"))
    return count_adjustments(n_channels)


class RulePolicy:
    """A rule of `agents.rules.compiled` for one scenario. Sees what a learned policy sees; deterministic in
    either mode.

    `settings`: of `expected_loss` its adjustments (`agents.rules.compiled.adjustments`), by default 0, and behind them
    perhaps the settings of the index rule whose ranking they adjust; of `priority` and `index_rule` those that
    `agents.rules.priority_rule` and `agents.rules.index_rule` make. Other rules have none.

    `hidden_fields`: what the rule needs in the scenario beyond the Markov fields, as the function of that name says of
    the baselines; `is_by_order`: of the waits among them it needs only who came first.
    """

    def __init__(
        self,
        name: str,
        scenario: Scenario,
        settings: NDArray[np.float64] | None = None,
        *,
        needs: tuple[str, ...] | None = None,
        is_by_order: bool = False,
    ) -> None:
        if name not in (*BASELINES, *WITH_SETTINGS):
            raise ConfigurationError(f"policy = {name!r}: no such baseline (known: {', '.join(BASELINES)})")
        if name == "silo" and all(home is None for group in scenario.groups for home in group.home_channels()):
            raise ConfigurationError(
                f"policy silo makes no sense in scenario {scenario.name}: no group has a home_channel"
            )
        if settings is None and name in WITH_SETTINGS:
            raise ConfigurationError(f"policy {name}: needs its order and perhaps more: state them in a policy file")
        if settings is not None and name not in ("expected_loss", *WITH_SETTINGS):
            raise ConfigurationError(f"policy {name}: has no settings")
        self.name = name
        self.settings = self._check_settings(settings, scenario)
        self.code = WITH_SETTINGS[name] if name in WITH_SETTINGS else BASELINES.index(name)
        self.network = NO_NETWORK
        self.layout = action_layout(scenario)
        self.hidden_fields = hidden_fields(name, scenario) if needs is None else needs
        self.is_by_order = is_by_order or name in ("fifo", "voice_first", "voice_first_interrupting")

    def predict(self, observations: Observations, deterministic: bool = True) -> NDArray[np.int64]:
        """Return one open action per observation, int64 (n,); raises `ArgumentError` for observations of another
        scenario or form."""
        checked = self._check_observations(observations)
        actions = np.zeros(len(checked["action_mask"]), np.int64)
        self.choose_into(np.arange(len(actions)), checked, actions)
        return actions

    def _check_observations(self, observations: Observations) -> Observations:
        n_actions, n_channels = len(self.layout.kind), len(self.layout.real_time)
        mask = observations.get("action_mask")
        n = len(mask) if isinstance(mask, np.ndarray) and mask.ndim else 1
        shapes = {
            "center": (np.float32, (n, N_CENTER_FIELDS + n_channels * N_QUEUE_FIELDS)),
            "candidates": (np.float32, (n, n_actions, N_CANDIDATE_FIELDS)),
            "action_mask": (np.int8, (n, n_actions)),
        }
        for key, (kind, shape) in shapes.items():
            found = observations.get(key)
            if not isinstance(found, np.ndarray):
                raise ArgumentError(
                    f"policy {self.name}: {key} of type {type(found).__name__}: must be an array of shape {shape}"
                )
            if found.dtype != kind or found.shape != shape:
                raise ArgumentError(
                    f"policy {self.name}: {key} of shape {found.shape}, {found.dtype}: must be of shape {shape}, "
                    f"{np.dtype(kind)}"
                )
            if found.size and not (np.isin(found, (0, 1)) if kind is np.int8 else np.isfinite(found)).all():
                said = "0 or 1, closed or open" if kind is np.int8 else "finite"
                raise ArgumentError(f"policy {self.name}: {key} has other entries than it may: each must be {said}")
        return {key: np.ascontiguousarray(observations[key]) for key in shapes}

    def _check_settings(self, settings: NDArray[np.float64] | None, scenario: Scenario) -> NDArray[np.float64]:
        n_channels = len(scenario.channels)
        size = n_settings(self.name, n_channels)
        if settings is None:
            return np.zeros(size)
        if self.name == "expected_loss" and np.size(settings) > size:  # with a ranking behind the adjustments
            size += n_settings("ranking", n_channels)
        if not isinstance(settings, np.ndarray) or settings.shape != (size,) or settings.dtype != np.float64:
            is_array = isinstance(settings, np.ndarray)
            form = f"{settings.shape}, {settings.dtype}" if is_array else type(settings).__name__
            raise ArgumentError(f"policy {self.name}: settings of {form}: must be float64 of shape ({size},)")
        # Thresholds that nothing reaches are infinite; adjustments of the rule of expected loss are numbers.
        is_number = ~np.isnan(settings)
        if self.name == "expected_loss":
            is_number[: count_adjustments(n_channels)] = np.isfinite(settings[: count_adjustments(n_channels)])
        if not is_number.all():
            place = int(np.flatnonzero(~is_number)[0])
            kind = "a finite number" if self.name == "expected_loss" else "a number"
            raise ArgumentError(f"policy {self.name}: settings[{place}] = {settings[place]}: must be {kind}")
        return settings

    def play_until(self, rows: CenterRows, running: NDArray[np.int64], until_s: NDArray[np.float64]) -> None:
        """Route the environments `running` of `rows` until each reaches its horizon, or its first decision at or after
        `until_s[row]` seconds: what choosing and stepping in turn would do, in one compiled loop."""
        play_rule(self.code, self.layout, self._settings_of(rows.n_rows), rows, running, until_s, self.network)

    def choose_into(self, rows: NDArray[np.int64], observations: Observations, actions: NDArray[np.int64]) -> None:
        """Write the actions of `rows` of a batch into `actions`, the other entries left alone."""
        choose_rows(
            self.code,
            self.layout,
            np.array(self._settings_of(len(actions)), order="C"),  # a copy, as in `play_rule`
            self.network,
            rows,
            observations["center"],
            observations["candidates"],
            observations["action_mask"],
            actions,
        )

    def _settings_of(self, n_rows: int) -> NDArray[np.float64]:
        return np.broadcast_to(self.settings, (n_rows, len(self.settings)))
