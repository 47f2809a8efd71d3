"""Baselines: the compiled rules as policies.

Room: `agents`. Touches the rules, `CenterRows` and numpy.
"""

import numpy as np
from numpy.typing import NDArray

from agents.action_layout import action_layout
from agents.policy import Observations
from agents.rule_loop import play_rule
from agents.rules import ADJUSTMENTS, PRIORITY, RULES, choose_rows
from envs.center_rows import CenterRows
from envs.errors import ConfigurationError
from envs.scenario import Scenario


class Baseline:
    """A rule of `agents.rules` for one scenario. Sees what a learned policy sees; deterministic in either mode.

    `settings`: of `expected_loss` the values of `agents.rules.ADJUSTMENTS`, by default 0; of `priority` those that
    `agents.priority` makes. Other rules have none.
    """

    def __init__(self, name: str, scenario: Scenario, settings: NDArray[np.float64] | None = None) -> None:
        if name not in (*RULES, "priority"):
            raise ConfigurationError(f"policy = {name!r}: no such baseline (known: {', '.join(RULES)})")
        if name == "silo" and all(home is None for group in scenario.groups for home in group.home_channels()):
            raise ConfigurationError(
                f"policy silo makes no sense in scenario {scenario.name}: no group has a home_channel"
            )
        if settings is None and name == "priority":
            raise ConfigurationError("policy priority: needs its order and perhaps more: state them in a policy file")
        if settings is not None and name not in ("expected_loss", "priority"):
            raise ConfigurationError(f"policy {name}: only expected_loss and priority have settings")
        self.name = name
        self.settings = np.zeros(len(ADJUSTMENTS)) if settings is None else settings
        self.code = PRIORITY if name == "priority" else RULES.index(name)
        self.layout = action_layout(scenario)

    def predict(self, observations: Observations, deterministic: bool = True) -> NDArray[np.int64]:
        """Return one open action per observation, int64 (n,)."""
        count = len(observations["action_mask"])
        actions = np.zeros(count, np.int64)
        self.choose_into(np.arange(count), observations, actions)
        return actions

    def play_until(self, rows: CenterRows, running: NDArray[np.int64], until_s: NDArray[np.float64]) -> None:
        """Route the environments `running` of `rows` until each reaches its horizon, or its first decision at or after
        `until_s[row]` seconds: what choosing and stepping in turn would do, in one compiled loop."""
        play_rule(self.code, self.layout, self._settings_of(rows.n_rows), rows, running, until_s)

    def choose_into(self, rows: NDArray[np.int64], observations: Observations, actions: NDArray[np.int64]) -> None:
        """Write the actions of `rows` of a batch into `actions`, the other entries left alone."""
        choose_rows(
            self.code,
            self.layout,
            np.ascontiguousarray(self._settings_of(len(actions))),
            rows,
            observations["center"],
            observations["candidates"],
            observations["action_mask"],
            actions,
        )

    def _settings_of(self, n_rows: int) -> NDArray[np.float64]:
        return np.broadcast_to(self.settings, (n_rows, len(self.settings)))
