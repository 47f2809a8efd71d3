"""The action table as arrays, for rules that look up what an index means.

Room: `agents.rules.compiled`. Reads the table of `envs.interface.actions`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.scenario.action_table import action_table
from envs.scenario.scenario import Scenario


class ActionLayout(NamedTuple):
    """Kind, queue and lens of every action (int64; -1 where there is none); which queues are real-time (int64)."""

    kind: NDArray[np.int64]
    queue: NDArray[np.int64]
    lens: NDArray[np.int64]
    real_time: NDArray[np.int64]


def action_layout(scenario: Scenario) -> ActionLayout:
    """Return the layout of the actions of `scenario`."""
    actions = action_table(scenario)
    return ActionLayout(
        np.array([action.kind for action in actions], np.int64),
        np.array([action.queue for action in actions], np.int64),
        np.array([action.lens for action in actions], np.int64),
        np.array([channel.is_real_time for channel in scenario.channels], np.int64),
    )
