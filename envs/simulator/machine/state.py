"""What the kernel reads and writes: record types, their codes and their sizes.

Room: `envs.simulator.machine`. Touches numpy only. Everything that happens in one environment is in one `State`
record: a snapshot is a copy of it, a checkpoint its bytes. What a scenario fixes is in one `Parameters` record. What
an episode brings is an array of `DEMAND` records. Sizes come in steps (`SIZES`), so that all scenarios of a step share
the compiled code; the slots for contacts stand last in the record, so that it serves any number of them
(`for_kernel`).

Times are seconds since the start of the horizon, money is USD, -1 stands for "no contact", "no rep", "no queue".
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.interface.cost_terms import N_TERMS
from envs.simulator.machine.record_types import (
    BAND_COUNT,
    BLOCK,
    CENTER_COUNT,
    MAX_BANDS,
    MAX_CENSUSES,
    MAX_CONTACTS,
    MAX_NOTES,
    QUEUE_COUNT,
    WAIT_CELLS,
    WAIT_OCTAVES,
    Sizes,
    record_type,
)

# What a contact is doing.
UNUSED, WAITING, IN_SERVICE, PICKING_UP, SUSPENDED, SCHEDULED = range(6)
# What a rep is doing.
AWAY, FREE, WORKING, RESUMING, AFTER_WORK = range(5)
# Whom the router is asked about.
NO_SUBJECT, CONTACT_SUBJECT, REP_SUBJECT = range(3)
# What a shift change is; at the same second they happen in this order.
SHIFT_START, BREAK_END, BREAK_START, SHIFT_END = range(4)
# Orders in which contacts are kept: the clock of the whole center, then one heap per queue and order. Suspended
# contacts stand in heaps of their own, by urgency and by value, since they wait in none.
BY_CLOCK, BY_ARRIVAL, BY_URGENCY, BY_NEXT_DUE, BY_VALUE = range(5)
N_ORDERS = 5
DEMAND = record_type(
    [
        ("arrival_s", np.float64),
        ("handle_s", np.float64),
        ("patience_s", np.float64),
        ("value_usd", np.float64),
        ("due_s", np.float64),
        ("owed_usd", np.float64),
        ("key", np.uint64),
        ("queue", np.int32),
        ("at_risk", np.int32),
        ("preferred", np.int64),  # 64 bits: no padding, so that equal demands are equal bytes
    ]
)
"""One contact that the outside world brings. `due_s` is absolute; patience and due time are inf where they have no
meaning. Contacts of an unlimited supply have no arrival of their own (`arrival_s` inf) and stand at the end, those of a
queue together. `key` is the customer's own: all later chances are a function of it (`envs.simulator.machine.luck`)."""
CONTACT = record_type(
    [
        ("key", np.uint64),
        ("arrival_s", np.float64),  # joined its present queue
        ("due_s", np.float64),
        ("abandon_s", np.float64),
        ("return_s", np.float64),  # of a scheduled contact
        ("left_s", np.float64),  # of a scheduled contact: when its customer left the center
        ("request_s", np.float64),  # hidden: when a scheduled customer asks for the contact, before its window opens
        ("handle_s", np.float64),  # hidden: whole work of the present contact, at speed 1
        ("work_left_s", np.float64),  # hidden, at speed 1
        ("work_done_s", np.float64),  # at speed 1
        ("served_s", np.float64),  # rep time spent on it, pick-ups apart
        ("pick_up_left_s", np.float64),  # hidden: unpaid rest of an interrupted pick-up, mode accumulate
        ("pick_up_s", np.float64),  # hidden: the last pick-up as it was drawn
        ("review_s", np.float64),
        ("value_usd", np.float64),
        ("retention_prob", np.float64),
        ("owed_usd", np.float64),
        ("queued_s", np.float64),  # of a waiting contact: since when it stands in line
        ("new_work", np.int64),  # 1 + the queue by whose law this contact's own work was drawn; 0: as the earlier ones'
        ("sequence", np.int64),
        ("closed_at", np.int64),
        ("held_at", np.int64),  # the count of class news at the last answer, if that was `hold`; else -1
        ("queue", np.int32),
        ("status", np.int32),
        ("rep", np.int32),
        ("next_suspended", np.int32),
        ("preferred", np.int32),
        ("next_preferring", np.int32),
        ("previous_preferring", np.int32),
        ("attempt", np.int32),
        ("harms", np.int32),
        ("interruptions", np.int32),
        ("pick_ups", np.int32),
        ("at_risk", np.int32),
        ("band", np.int32),
        ("offered", np.int32),
        ("overdue", np.int32),
        ("past_threshold", np.int32),
        ("reached", np.int32),
        ("reach_attempts", np.int32),
        ("number", np.int32),  # of this visit to a queue, in the episode
        ("customer", np.int32),  # place in the demand
        ("handled", np.int32),  # an earlier contact was handled to its end, which told how much work this one is
        ("worked_by", np.int32),  # the rep who worked on it last, and knows its thread; NOBODY: nobody has yet
        ("picked_up_by_other", np.int32),  # 1: the last pick-up was drawn by the law of one who had not worked on it
        ("return_from", np.int32),  # of a scheduled contact: the queue that it left unresolved, to come back by itself
    ]
)
ENTRY = record_type(
    [
        ("time_s", np.float64),
        ("due_s", np.float64),  # of the contact, as the next four fields
        ("opens_s", np.float64),
        ("contact", np.int32),  # its number
        ("customer", np.int32),
        ("attempt", np.int32),
        ("overdue", np.int32),
        ("kind", np.int32),
        ("queue", np.int32),
        ("rep", np.int32),
        ("detail", np.int32),
        ("amount_usd", np.float64),
        ("loss_usd", np.float64),
    ]
)
"""One note of the journal (`envs.simulator.machine.journal`)."""
REP = record_type(
    [
        ("phase_start_s", np.float64),
        ("idle_since_s", np.float64),
        ("review_s", np.float64),
        ("shift_end_s", np.float64),
        ("speed", np.float64),  # at the present contact
        ("after_work_of", np.int64),  # in after-contact work: the queue
        ("closed_at", np.int64),
        ("status", np.int32),
        ("contact", np.int32),
        ("seat_class", np.int32),
        ("n_held", np.int32),
        ("open_seat", np.int32),
        ("on_shift", np.int32),
        ("on_break", np.int32),
        ("absent", np.int32),
        ("suspended", np.int32),
        ("n_suspended", np.int32),
        ("first_preferring", np.int32),
        ("last_preferring", np.int32),
        ("next_free", np.int32),
        ("previous_free", np.int32),
        ("rank", np.int64),  # in a Markovian center with pooled work (`envs.simulator.service.ranks`)
        ("order", np.int64),  # as the next two, of which the rank is made
        ("color", np.uint64),
        ("next_color", np.uint64),
    ]
)
"""A seat: the rep itself, or one more contact that a rep can hold (`envs.simulator.service.seats`). Of the further
seats only status, contact, phase, speed, class and place among the free have a meaning; `n_held` counts what a rep
holds, and `open_seat` is the further seat that is free."""
REP_CLASS = record_type(
    [
        ("news", np.int64),
        ("closed_at", np.int64),
        ("review_s", np.float64),
        ("first_free", np.int32),
        ("last_free", np.int32),
        ("n_free", np.int32),
        ("n_interruptible", np.int32),
    ]
)
"""Reps that are interchangeable: one group, one home channel. `first_free` heads the list of free reps, longest idle
first."""
QUEUE = record_type(
    [
        ("news", np.int64),
        ("waiting", np.int32),
        ("in_service", np.int32),
        ("suspended", np.int32),
        ("after_work", np.int32),  # reps who do the after-contact work of one of its contacts
        ("scheduled", np.int32),
        ("overdue", np.int32),
        ("first_supply", np.int32),  # of the demand, where the supply is unlimited
        ("end_supply", np.int32),
        ("next_supply", np.int32),
        ("supply_round", np.int32),
    ]
)


def count_heaps(sizes: Sizes) -> int:
    """Return how many heaps a center of these `sizes` keeps: the clock, of each queue one in each other order, and
    behind these two of its suspended contacts where others may take them over, by urgency and by value."""
    return 1 + 4 * sizes.queues + 2 * sizes.pooled_queues


def state_type(sizes: Sizes) -> np.dtype:
    """Return the record type of all that happens in one environment of these `sizes`."""
    return record_type(
        [
            ("key", np.uint64),  # of the episode: the luck that belongs to no customer
            ("now_s", np.float64),
            ("counted_from_s", np.float64),  # the start, or the end of the warm-up
            ("pass_number", np.int64),
            ("class_news", np.int64),  # how often something was news to classes of reps
            ("sequence", np.int64),
            ("next_demand", np.int64),
            ("next_arrival_s", np.float64),
            ("next_shift_change", np.int64),
            ("n_contacts", np.int64),
            ("n_unused", np.int64),
            ("n_numbered", np.int64),
            ("n_notes", np.int64),
            ("journaling", np.int32),
            ("done", np.int32),
            ("started", np.int32),
            ("warm", np.int32),
            ("just_arrived", np.int32),
            ("subject_kind", np.int32),
            ("subject", np.int32),
            ("n_legal", np.int32),
            ("n_staffed", np.int32),
            ("n_working", np.int32),
            ("n_resuming", np.int32),
            ("n_overtime", np.int32),
            ("n_absent", np.int32),
            ("all_busy", np.int32),
            ("next_census", np.int32),
            ("day", np.int32),
            ("arrived_today", np.float64, (sizes.queues,)),
            ("cost_usd", np.float64, (N_TERMS,)),
            ("step_cost_usd", np.float64, (N_TERMS,)),
            ("noise_usd", np.float64),
            ("arrived_stake_usd", np.float64, (sizes.queues,)),
            ("center_count", CENTER_COUNT),
            ("queue_count", QUEUE_COUNT, (sizes.queues,)),
            ("band_count", BAND_COUNT, (MAX_BANDS,)),
            ("wait_count", np.int32, (sizes.queues, 1 + WAIT_OCTAVES, WAIT_CELLS)),
            ("census_waiting", np.int32, (sizes.queues, MAX_CENSUSES)),
            ("no_queue_count", QUEUE_COUNT),  # always 0: what the counts become at the end of the warm-up
            ("no_band_count", BAND_COUNT),
            ("no_center_count", CENTER_COUNT),
            ("new_contact", CONTACT),  # never changed: what a slot is before its customer is written into it
            ("queues", QUEUE, (sizes.queues,)),
            ("classes", REP_CLASS, (sizes.classes,)),
            ("reps", REP, (sizes.reps,)),
            ("rep_event_s", np.float64, (sizes.reps,)),
            ("block_event_s", np.float64, (-(-sizes.reps // BLOCK),)),
            ("action_contact", np.int32, (sizes.actions,)),
            ("action_rep", np.int32, (sizes.actions,)),
            ("action_mask", np.int8, (sizes.actions,)),
            ("heap_size", np.int32, (count_heaps(sizes),)),
            ("notes", ENTRY, (MAX_NOTES,)),
            ("slots", _slot_type(sizes), (sizes.contacts,)),
        ]
    )


def _slot_type(sizes: Sizes) -> np.dtype:
    """Return the record type of one slot: a contact with its keys and places in the heaps, and of each heap the entry
    of that number."""
    return record_type(
        [
            ("person", CONTACT),
            ("heap_key", np.float64, (N_ORDERS,)),
            ("heap_place", np.int32, (N_ORDERS,)),
            ("heap_item", np.int32, (count_heaps(sizes),)),
            ("unused", np.int32),  # of the stack of slots without a contact, the entry of that number
        ]
    )


JOURNAL_PER_CONTACT = 16
"""Notes that one event may leave for each open contact and each seat: at the horizon, or as shifts change."""


def journal_type(n_entries: int) -> np.dtype:
    """Return the record type of what was noted in one environment, with room for `n_entries` notes."""
    counts = [(name, np.int64) for name in ("n_room", "n_entries", "n_lost")]
    return record_type([*counts, ("entries", ENTRY, (n_entries,))])


LONGEST = {"slots": MAX_CONTACTS + 1, "entries": JOURNAL_PER_CONTACT * MAX_CONTACTS + 1}
"""How long compiled code takes the last field of a state and of a journal to be: longer than any is, since numpy calls
records that follow each other closely contiguous, and numba would compile for that anew."""


@lru_cache
def _longest_type(kind: np.dtype) -> np.dtype:
    """Return the record type `kind`, of states or journals, with its last field as long as it can be."""
    *others, last = kind.names or ()
    element, _ = kind[last].subdtype or (kind[last], ())
    return record_type([*((name, kind[name]) for name in others), (last, element, (LONGEST[last],))])


def for_kernel(records: NDArray[Any]) -> NDArray[Any]:
    """Return `records`, states or journals, as compiled code takes them: the same memory, said to be of the type with
    the longest last field (`LONGEST`), so that records of all lengths share the compiled code. Only compiled code may
    read the view: it keeps to the room that parameters and journals tell it of.

    The view claims a record more than there is: numpy calls a single one contiguous, and numba would compile for that
    anew.
    """
    longest = _longest_type(records.dtype)
    first = np.lib.stride_tricks.as_strided(records.view(np.uint8), (longest.itemsize,), (1,))
    stretched = np.ndarray((1,), longest, buffer=first)
    return np.lib.stride_tricks.as_strided(stretched, (len(records) + 1,), (records.dtype.itemsize,))


RESULT = record_type(
    [
        ("reward_usd", np.float64),
        ("elapsed_s", np.float64),
        ("time_s", np.float64),
        ("substituted", np.int64),
        ("done", np.int64),
        ("is_full", np.int64),  # 1: the run stopped before an event, since the records have no room for it
        ("has_stepped", np.int64),  # 1: a step was made since the start
        ("is_over", np.int64),  # 1: a step has ended the episode
        ("cost_usd", np.float64, (N_TERMS,)),  # of the last step
    ]
)
"""What a step tells its caller beside the observation: one row per environment, close together, since a look into each
environment's state is a look into cold memory."""
