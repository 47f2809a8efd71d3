"""A way: one course that a contact may take, with its least cost and the rep time that it needs.

Room: `experiments.bounds`. Data only.
"""

from typing import NamedTuple

from envs.interface.units import NOBODY


class Way(NamedTuple):
    """One way in which a contact may end.

    Attributes:
        cost_usd: what it costs at least, USD.
        work_s: rep time that it takes at least, seconds; 0 where nobody is needed.
        release_s, deadline_s: the times between which this work is done.
        queue: whose skill it takes.
    """

    cost_usd: float
    work_s: float = 0.0
    release_s: float = 0.0
    deadline_s: float = 0.0
    queue: int = NOBODY
