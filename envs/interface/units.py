"""Units and sizes that every room shares: seconds of a day, intervals of a week, cells of a quantile table.

Room: `envs.interface`. Constants only; imports nobody.
"""

import numpy as np

OCTAVES = 26
"""Octaves of the quantile table: octave k covers uniform numbers from 1 - 2^-k to 1 - 2^-(k+1)."""
CELLS = 32
"""Linear cells in each octave."""
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
MAX_CAPACITY_UNITS = 8
"""Units of a rep's capacity, at most."""
NOBODY = -1
NEVER = np.inf
HOURS_OF_DAY = 24
N_WEEK_INTERVALS = 336
"""Half-hours of a week: the grid of forecast and planned staffing."""
WEEK_INTERVAL_S = 1800.0
