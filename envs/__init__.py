"""The contact center: scenarios, the compiled simulator, and its Gymnasium environments.

Importing this package registers `BlendedCenter-v0` with `gymnasium.make` and `gymnasium.make_vec`.
"""

import gymnasium

from envs.center import BlendedCenter
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario, load_scenario
from envs.vector_center import BlendedCenterVector

__all__ = ["BlendedCenter", "BlendedCenterVector", "ConfigurationError", "Scenario", "load_scenario"]

if "BlendedCenter-v0" not in gymnasium.registry:
    gymnasium.register(
        id="BlendedCenter-v0",
        entry_point="envs.center:BlendedCenter",
        vector_entry_point="envs.vector_center:BlendedCenterVector",
        disable_env_checker=True,
        order_enforce=False,
    )
