"""The action table of a scenario as arrays, for rules that look up what an index means.

Room: `agents`. Reads the scenario.
"""

import numpy as np

from agents.rules.compiled.reading import ActionLayout
from envs.scenario.action_table import action_table
from envs.scenario.scenario import Scenario


def action_layout(scenario: Scenario) -> ActionLayout:
    """Return the layout of the actions of `scenario`."""
    actions = action_table(scenario)
    return ActionLayout(
        np.array([action.kind for action in actions], np.int64),
        np.array([action.queue for action in actions], np.int64),
        np.array([action.lens for action in actions], np.int64),
        np.array([channel.is_real_time for channel in scenario.channels], np.int64),
        np.array(
            [[channel.name in group.skills for channel in scenario.channels] for group in scenario.groups], np.int64
        ),
    )
