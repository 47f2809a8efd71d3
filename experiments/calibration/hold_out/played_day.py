"""What a policy makes of a day, contact by contact: when each came, how long it waited, and how that ended.

Room: `experiments.calibration.hold_out`. Plays; touches no file.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.checked_policy import CheckedPolicy
from agents.episodes import advance_rows
from agents.policy import Policy
from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.counts import Counts
from envs.interface.units import DAY_S
from envs.scenario.action_table import action_table
from envs.scenario.scenario import Scenario
from envs.simulator.machine.journal import END_ABANDONED, NOTE_ENDED, NOTE_JOINED, NOTE_PICKING_UP, NOTE_WORKING


@dataclass(frozen=True)
class Visits:
    """The contacts of an episode in the order in which they joined.

    Attributes:
        arrived_s: when each joined its queue, seconds after midnight.
        wait_s: until it was answered or abandoned, or the day ended.
        served, abandoned: how the wait ended; neither at the end of the day.
        queue: its channel's number.
    """

    arrived_s: NDArray[np.float64]
    wait_s: NDArray[np.float64]
    served: NDArray[np.bool_]
    abandoned: NDArray[np.bool_]
    queue: NDArray[np.int64]


def play_day(
    scenario: Scenario, policy: Policy, episodes: NDArray[np.int64], seed: int, *, deterministic: bool = True
) -> tuple[list[Visits], list[Counts]]:
    """Return what happens to the contacts of a day, and its counters, in each of `episodes` under the demand `seed`:
    the recorded contacts are the same, what is drawn of them is not. Policies meet the same draws. Masked actions of a
    policy that is no rule raise `ConfigurationError`."""
    if not isinstance(policy, RulePolicy | CheckedPolicy):
        policy = CheckedPolicy(type(policy).__name__, policy, [action.name for action in action_table(scenario)])
        policy.seed(seed % 2**32)
    rows = CenterRows(scenario, len(episodes), journal=True)
    rows.start(rows.all_rows, np.full(len(episodes), seed), episodes)
    advance_rows(rows, policy, rows.all_rows[~rows.done], deterministic=deterministic)
    visits = [_read_visits(rows.drain(row), scenario.horizon.days * DAY_S) for row in rows.all_rows.tolist()]
    return visits, [rows.counts(row) for row in rows.all_rows.tolist()]


def _read_visits(entries: NDArray[np.void], end_s: float) -> Visits:
    """Return the contacts that the journal of an episode tells of; `end_s` is the end of the day."""
    joined = entries[entries["kind"] == NOTE_JOINED]
    number, first = np.unique(joined["contact"], return_index=True)
    joined = joined[first]

    def first_s(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        found = np.full(len(number), np.inf)
        mine = entries[chosen]
        place = np.searchsorted(number, mine["contact"])
        np.minimum.at(found, place, mine["time_s"])
        return found

    started_s = first_s(np.isin(entries["kind"], (NOTE_WORKING, NOTE_PICKING_UP)))
    left_s = first_s((entries["kind"] == NOTE_ENDED) & (entries["detail"] == END_ABANDONED))
    arrived_s = joined["time_s"].astype(np.float64)
    wait_s = np.minimum(np.minimum(started_s, left_s), end_s) - arrived_s
    served = np.isfinite(started_s)
    return Visits(arrived_s, wait_s, served, np.isfinite(left_s) & ~served, joined["queue"].astype(np.int64))
