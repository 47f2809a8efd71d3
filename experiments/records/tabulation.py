"""From the journal of an episode to the rows of the tables.

Room: `experiments.records`. Reads the journal; writes no file.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.interface.cost_terms import COST_TERMS
from envs.interface.units import DAY_S, NOBODY
from envs.scenario.scenario import Scenario
from envs.simulator.machine.journal import (
    END_ABANDONED,
    END_CALLBACK_ACCEPTED,
    END_CALLBACK_REFUSED,
    END_DEFERRED,
    END_ERRED,
    END_ESCALATED,
    END_GIVEN_UP,
    END_RECALLED,
    END_REDIALLED,
    END_RESOLVED,
    END_RETURNED,
    END_REWORKED,
    END_UNREACHED,
    END_UNRESOLVED,
    NOTE_ABSENT,
    NOTE_AFTER_WORK,
    NOTE_ATTEMPTED,
    NOTE_AWAY,
    NOTE_BLOCKED,
    NOTE_CALLBACK_OFFERED,
    NOTE_CHARGED,
    NOTE_DUE_PASSED,
    NOTE_ENDED,
    NOTE_FREE,
    NOTE_JOINED,
    NOTE_LOST,
    NOTE_OVERTIME,
    NOTE_PAID,
    NOTE_PICKING_UP,
    NOTE_PRESENT,
    NOTE_RELEASED,
    NOTE_SCHEDULED,
    NOTE_SUSPENDED,
    NOTE_TAKEN_OVER,
    NOTE_WORKING,
)

_ENDS = {
    END_RESOLVED: "resolved",
    END_UNRESOLVED: "unresolved",
    END_RETURNED: "returned",
    END_ESCALATED: "escalated",
    END_DEFERRED: "deferred",
    END_ERRED: "erred",
    END_REWORKED: "reworked",
    END_UNREACHED: "unreached",
    END_GIVEN_UP: "given_up",
    END_RECALLED: "recalled",
    END_ABANDONED: "abandoned",
    END_REDIALLED: "redialled",
    END_CALLBACK_ACCEPTED: "callback_accepted",
    END_CALLBACK_REFUSED: "callback_refused",
}
_LEFT = {
    NOTE_SCHEDULED: "left_scheduled",
    NOTE_JOINED: "left_waiting",
    NOTE_RELEASED: "left_waiting",
    NOTE_WORKING: "left_in_service",
    NOTE_PICKING_UP: "left_in_service",
    NOTE_SUSPENDED: "left_suspended",
    NOTE_BLOCKED: "blocked",
}
_CONTACT_PHASES = {NOTE_JOINED: "waiting", NOTE_RELEASED: "waiting", NOTE_SUSPENDED: "suspended"}
_REP_PHASES = {
    NOTE_FREE: "idle",
    NOTE_WORKING: "working",
    NOTE_PICKING_UP: "picking_up",
    NOTE_AFTER_WORK: "after_work",
}
Rows = dict[str, Any]
"""Columns of a table by name: arrays, lists, or arrays of pyarrow."""


def tabulate_episode(
    scenario: Scenario, entries: NDArray[Any], demand: NDArray[Any], owner: NDArray[np.int32]
) -> dict[str, Rows]:
    """Return the rows of a whole episode in `contacts`, `phases` and `charges`, without the column `episode`.

    Args:
        scenario: the scenario.
        entries: all that the kernel noted, `ENTRY` records in order.
        demand: the episode's `DEMAND` records.
        owner: the rep of each seat.
    """
    horizon_s = scenario.horizon.days * DAY_S
    channels = np.array([channel.name for channel in scenario.channels])
    phases = _phases(channels, entries, owner, horizon_s)
    charges = _charges(channels, entries)
    contacts = _contacts(scenario, channels, entries, demand, owner, phases, charges)
    return {"contacts": contacts, "phases": phases, "charges": charges}


def _of_kind(entries: NDArray[Any], *kinds: int) -> NDArray[Any]:
    return entries[np.isin(entries["kind"], kinds)]


def _name(names: NDArray[Any], places: NDArray[Any]) -> NDArray[Any]:
    """Return `names[places]` as objects, None where the place is -1."""
    named: NDArray[Any] = names.astype(object)[places]
    named[places == NOBODY] = None
    return named


def _spans(entries: NDArray[Any], owner: str, horizon_s: float) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return `entries` by owner (`rep` or `contact`), and when the next one of the same owner came, or the horizon."""
    ordered = entries[np.argsort(entries[owner], kind="stable")]
    ends_s = np.full(len(ordered), horizon_s)
    is_followed = ordered[owner][:-1] == ordered[owner][1:]
    ends_s[:-1][is_followed] = ordered["time_s"][1:][is_followed]
    return ordered, ends_s


def _phases(channels: NDArray[Any], entries: NDArray[Any], owner: NDArray[np.int32], horizon_s: float) -> Rows:
    parts = []

    def add(phase: str, begun: NDArray[Any], ends_s: NDArray[np.float64], *, of_rep: bool) -> None:
        parts.append(
            {
                "phase": np.full(len(begun), phase, object),
                "channel": _name(channels, begun["queue"]),
                "contact": begun["contact"],
                "rep": owner[begun["rep"]] if of_rep else np.full(len(begun), NOBODY),
                "start_s": begun["time_s"],
                "end_s": ends_s,
            }
        )

    # A contact waits or is suspended until the next of these happens to it.
    changes = _of_kind(entries, *_CONTACT_PHASES, NOTE_WORKING, NOTE_PICKING_UP, NOTE_ENDED)
    ordered, ends_s = _spans(changes, "contact", horizon_s)
    for kind, phase in _CONTACT_PHASES.items():
        begun = ordered["kind"] == kind
        add(phase, ordered[begun], ends_s[begun], of_rep=phase == "suspended")
    ordered, ends_s = _spans(_of_kind(entries, *_REP_PHASES, NOTE_AWAY), "rep", horizon_s)
    for kind, phase in _REP_PHASES.items():
        begun = ordered["kind"] == kind
        if kind == NOTE_FREE:  # a seat that is open beside contacts in hand leaves nobody idle
            begun &= owner[ordered["rep"]] == ordered["rep"]
        add(phase, ordered[begun], ends_s[begun], of_rep=True)
    ordered, ends_s = _spans(_of_kind(entries, NOTE_OVERTIME, NOTE_AWAY), "rep", horizon_s)
    begun = (ordered["kind"] == NOTE_OVERTIME) & (ordered["detail"] == 1)
    begun &= ends_s > ordered["time_s"]  # work that ends with the shift is no overtime
    add("overtime", ordered[begun], ends_s[begun], of_rep=True)
    ordered, ends_s = _spans(_of_kind(entries, NOTE_ABSENT, NOTE_PRESENT), "rep", horizon_s)
    begun = ordered["kind"] == NOTE_ABSENT
    add("absent", ordered[begun], ends_s[begun], of_rep=True)
    phases = join_rows(parts)
    in_order = np.argsort(phases["start_s"], kind="stable")
    return {name: values[in_order] for name, values in phases.items()}


def _charges(channels: NDArray[Any], entries: NDArray[Any]) -> Rows:
    charged = _of_kind(entries, NOTE_CHARGED)
    return {
        "time_s": charged["time_s"],
        "term": _name(np.array(COST_TERMS), charged["detail"]),
        "channel": _name(channels, charged["queue"]),
        "contact": charged["contact"],
        "amount_usd": charged["amount_usd"],
        "account_loss_usd": charged["loss_usd"],
    }


class _Notes:
    """What was noted of the contacts of an episode; every number has a note."""

    def __init__(self, entries: NDArray[Any]) -> None:
        self.entries = entries[entries["contact"] != NOBODY]
        self.numbers, firsts = np.unique(self.entries["contact"], return_index=True)
        self.first = self.entries[firsts]
        self.count = len(self.numbers)

    def of_kind(self, *kinds: int) -> NDArray[Any]:
        """Return the notes of these kinds, in order."""
        return _of_kind(self.entries, *kinds)

    def first_time_s(self, *kinds: int) -> NDArray[np.float64]:
        """Return when the first note of these kinds was made of each contact; NaN where there is none."""
        found = self.of_kind(*kinds)
        times_s = np.full(self.count, np.nan)
        times_s[found["contact"][::-1]] = found["time_s"][::-1]  # the first one stays
        return times_s

    def sums(self, rows: Rows, column: str, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return for each contact the sum of a column over its `chosen` rows of another table."""
        return np.bincount(rows["contact"][chosen], rows[column][chosen], self.count).astype(np.float64)


def _contacts(
    scenario: Scenario,
    channels: NDArray[Any],
    entries: NDArray[Any],
    demand: NDArray[Any],
    owner: NDArray[np.int32],
    phases: Rows,
    charges: Rows,
) -> Rows:
    notes = _Notes(entries)
    first = notes.first
    customers = demand[first["customer"] % max(len(demand), 1)]  # a list that was worked through starts over
    return {
        "contact": notes.numbers,
        "customer": first["customer"],
        "attempt": first["attempt"],
        "channel": _name(channels, first["queue"]),
        "value_usd": customers["value_usd"],
        "at_risk": customers["at_risk"] != 0,
        "band": np.searchsorted(np.array(scenario.value_bands_usd), customers["value_usd"], side="right"),
        "preferred_rep": customers["preferred"],
        "owed_usd": customers["owed_usd"],
        **_times(notes, customers),
        "disposition": _dispositions(notes),
        **_service(notes, owner),
        **_rep_time(notes, phases),
        **_money(notes, charges),
    }


def _times(notes: _Notes, customers: NDArray[Any]) -> Rows:
    """Return when what happened to each contact, seconds; NaN where it did not."""
    first = notes.first
    scheduled_s = notes.first_time_s(NOTE_SCHEDULED)
    was_scheduled = ~np.isnan(scheduled_s)
    joined_s = notes.first_time_s(NOTE_JOINED, NOTE_BLOCKED)
    return {
        "scheduled_s": scheduled_s,
        "opens_s": np.where(was_scheduled, first["opens_s"], np.nan),
        "arrived_s": np.where(was_scheduled | np.isinf(customers["arrival_s"]), joined_s, customers["arrival_s"]),
        "due_s": np.where(np.isinf(first["due_s"]), np.nan, first["due_s"]),
        "due_passed_s": notes.first_time_s(NOTE_DUE_PASSED),
        "callback_offered_s": notes.first_time_s(NOTE_CALLBACK_OFFERED),
        "first_start_s": notes.first_time_s(NOTE_WORKING, NOTE_PICKING_UP),
        "ended_s": notes.first_time_s(NOTE_ENDED, NOTE_BLOCKED),
    }


def _dispositions(notes: _Notes) -> NDArray[Any]:
    """Return how each contact ended, or how it was left at the horizon."""
    disposition = np.full(notes.count, None, object)
    stood = notes.of_kind(*_LEFT)
    disposition[stood["contact"]] = [_LEFT[kind] for kind in stood["kind"].tolist()]  # the last one stays
    disposition[notes.of_kind(NOTE_LOST)["contact"]] = "lost"
    ended = notes.of_kind(NOTE_ENDED)
    disposition[ended["contact"]] = [_ENDS[end] for end in ended["detail"].tolist()]
    return disposition


def _service(notes: _Notes, owner: NDArray[np.int32]) -> Rows:
    """Return who served each contact, whether in time, and whether an outbound attempt reached the customer."""
    first_rep, last_rep, reached = (np.full(notes.count, NOBODY) for _ in range(3))
    started = notes.of_kind(NOTE_WORKING, NOTE_PICKING_UP)
    first_rep[started["contact"][::-1]] = owner[started["rep"][::-1]]
    last_rep[started["contact"]] = owner[started["rep"]]
    attempted = notes.of_kind(NOTE_ATTEMPTED)
    reached[attempted["contact"]] = attempted["detail"]
    overdue = np.zeros(notes.count, np.int64)
    np.maximum.at(overdue, notes.entries["contact"], notes.entries["overdue"])
    return {
        "first_rep": first_rep,
        "last_rep": last_rep,
        "overdue": overdue != 0,
        "reached": np.where(reached == NOBODY, None, reached != 0),
    }


def _rep_time(notes: _Notes, phases: Rows) -> Rows:
    """Return the rep time that went into each contact, and how often it was interrupted and taken over."""
    spans = {"contact": phases["contact"], "length_s": phases["end_s"] - phases["start_s"]}
    suspended = notes.of_kind(NOTE_SUSPENDED)
    return {
        "handle_s": notes.sums(spans, "length_s", np.isin(phases["phase"], ("working", "after_work"))),
        "pick_up_s": notes.sums(spans, "length_s", phases["phase"] == "picking_up"),
        "interruptions": np.bincount(suspended["contact"], minlength=notes.count),
        "take_overs": np.bincount(notes.of_kind(NOTE_TAKEN_OVER)["contact"], minlength=notes.count),
    }


def _money(notes: _Notes, charges: Rows) -> Rows:
    """Return what each debtor paid, and what was charged for each contact, USD."""
    paid = notes.of_kind(NOTE_PAID)
    is_charged = charges["contact"] != NOBODY
    return {
        "recovered_usd": np.bincount(paid["contact"], paid["amount_usd"], notes.count),
        "commission_usd": np.bincount(paid["contact"], paid["loss_usd"], notes.count),
        **{
            f"cost_{term}_usd": notes.sums(charges, "amount_usd", is_charged & (charges["term"] == term))
            for term in COST_TERMS
        },
        "account_loss_usd": notes.sums(charges, "account_loss_usd", is_charged),
    }


def join_rows(parts: list[Rows]) -> Rows:
    """Return the rows of all `parts` behind each other, column by column."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
