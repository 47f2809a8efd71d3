"""Curves as tables: what a law of the scenario says at any point, by linear interpolation between even points.

Room: `envs.simulator.machine`. Touches nothing but its arguments.
"""

from envs.simulator.machine.compilation import compiled


@compiled
def interpolate(table, position):
    """Return the value at `position`, 0 or more, of a curve whose values at 0, 1, 2, ... are those of `table`; beyond
    the last one that."""
    last = table.shape[0] - 1
    if position >= last:
        return table[last]
    cell = int(position)
    low = table[cell]
    return low + (position - cell) * (table[cell + 1] - low)
