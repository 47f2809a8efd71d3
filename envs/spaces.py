"""The space of an observation, as Gymnasium wants it.

Room: `envs`. Reads the field table.
"""

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.interface.fields import Field, FieldTable


def observation_space(table: FieldTable, n_actions: int) -> spaces.Dict:
    """Return the space of one observation with `n_actions` candidates; bounds are those of the field `table`."""

    def bounds(fields: tuple[Field, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        low = np.array([min(field.low, 0.0) for field in fields], np.float32)
        return low, np.array([field.high for field in fields], np.float32)

    center_low, center_high = bounds(table.center)
    low, high = bounds(table.candidates)
    shape = (n_actions, len(low))
    return spaces.Dict(
        {
            "center": spaces.Box(center_low, center_high, dtype=np.float32),
            "candidates": spaces.Box(np.broadcast_to(low, shape), np.broadcast_to(high, shape), dtype=np.float32),
            "action_mask": spaces.Box(0, 1, (n_actions,), dtype=np.int8),
        }
    )
