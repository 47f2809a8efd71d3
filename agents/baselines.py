"""Baselines: the compiled rules as policies.

Room: `agents`. Touches the rules, `CenterRows` and numpy.
"""

import numpy as np
from numpy.typing import NDArray

from agents.action_layout import action_layout
from agents.policy import Observations
from agents.rule_loop import play_rule
from agents.rules import ADJUSTMENTS, RULES, choose_adjusted_rows, choose_rows
from envs.center_rows import CenterRows
from envs.errors import ConfigurationError
from envs.scenario import Scenario


class Baseline:
    """A rule of `agents.rules` for one scenario. Sees what a learned policy sees; deterministic in either mode.

    `adjustment`: values of `agents.rules.ADJUSTMENTS`, for the rule `expected_loss` only.
    """

    def __init__(self, name: str, scenario: Scenario, adjustment: NDArray[np.float64] | None = None) -> None:
        if name not in RULES:
            raise ConfigurationError(f"policy = {name!r}: no such baseline (known: {', '.join(RULES)})")
        if name == "silo" and all(home is None for group in scenario.groups for home in group.home_channels()):
            raise ConfigurationError(
                f"policy silo makes no sense in scenario {scenario.name}: no group has a home_channel"
            )
        if adjustment is not None and name != "expected_loss":
            raise ConfigurationError(f"policy {name}: only expected_loss has adjustments")
        self.name = name
        self.adjustment = adjustment
        self.code = RULES.index(name)
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
        adjustment = np.zeros(len(ADJUSTMENTS)) if self.adjustment is None else self.adjustment
        adjustments = np.broadcast_to(adjustment, (rows.n_rows, len(ADJUSTMENTS)))
        play_rule(self.code, self.layout, adjustments, rows, running, until_s)

    def choose_into(self, rows: NDArray[np.int64], observations: Observations, actions: NDArray[np.int64]) -> None:
        """Write the actions of `rows` of a batch into `actions`, the other entries left alone."""
        if self.adjustment is not None:
            adjustments = np.broadcast_to(self.adjustment, (len(actions), len(ADJUSTMENTS)))
            choose_adjusted_rows(
                self.layout,
                rows,
                observations["center"],
                observations["candidates"],
                observations["action_mask"],
                np.ascontiguousarray(adjustments),
                actions,
            )
            return
        choose_rows(
            self.code,
            self.layout,
            rows,
            observations["center"],
            observations["candidates"],
            observations["action_mask"],
            actions,
        )
