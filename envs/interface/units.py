"""Units and sizes that every room shares: seconds of a day, intervals of a week, cells of a quantile table.

Room: `envs.interface`. Constants only; imports nobody.
"""

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
WEEK_S = 7 * DAY_S
HOURS_OF_DAY = 24
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
WEEK_INTERVAL_S = 1800.0
N_WEEK_INTERVALS = 336
"""Half-hours of a week: the grid of forecast and planned staffing."""

NOBODY = -1
"""Stands for "no contact", "no rep", "no queue"."""
NEVER = float("inf")
"""Seconds: a time that does not come."""

MAX_CAPACITY_UNITS = 8
"""Units of a rep's capacity, at most."""
OCTAVES = 26
"""Octaves of the quantile table: octave k covers uniform numbers from 1 - 2^-k to 1 - 2^-(k+1)."""
CELLS = 32
"""Linear cells in each octave."""
