"""Demand that is kept: the same episodes are played again and again, by one policy after the other.

Room: `envs.inputs`. Touches the drawing of demand.
"""

from typing import Any

from numpy.typing import NDArray

from envs.inputs.demand import DemandSampler
from envs.scenario.scenario import Scenario

KEPT_BYTES = 2**28
"""So much demand at most is kept; what goes beyond is drawn again."""


class KeptDemand(DemandSampler):
    """Draws as `DemandSampler` does, and keeps what it drew until it is told to forget it."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._kept: dict[tuple[int, int], NDArray[Any]] = {}
        self._bytes = 0

    def sample(self, seed: int, episode: int) -> NDArray[Any]:
        """Return the demand of `episode` under `seed`; not to be written to."""
        demand = self._kept.get((seed, episode))
        if demand is None:
            demand = super().sample(seed, episode)
            if self._bytes + demand.nbytes <= KEPT_BYTES:
                self._kept[seed, episode] = demand
                self._bytes += demand.nbytes
        return demand

    def forget(self) -> None:
        """Keep nothing of what was drawn so far."""
        self._kept.clear()
        self._bytes = 0
