"""The journal: what happens to contacts and reps, noted where it is counted or charged (D16).

Room: `envs.simulator.machine`. Touches the notes of the state, and the journal that is handed in; costs nothing unless
the state keeps a journal.

Notes are `ENTRY` records. They gather in a small buffer of the state, since what happens deep in the center has no
other array at hand; after every event and every action the kernel moves them to the journal of the environment, which
Python reads after every step (`CenterRows.drain`). Nothing is allocated, and what does not fit is counted.

Every visit of a customer to a queue is a contact with a number of its own, from 0 on in each episode: the kernel's
slots stay with the customer and are used again. A customer who will come back has the next contact's number already.
"""

from envs.interface.units import NEVER, NOBODY
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.record_types import MAX_NOTES

(
    NOTE_SCHEDULED,  # a contact that is not there yet: it joins its queue at `opens_s` at the earliest
    NOTE_JOINED,
    NOTE_BLOCKED,
    NOTE_LOST,  # blocked, because the simulator's own capacity is full
    NOTE_DUE_PASSED,
    NOTE_CALLBACK_OFFERED,
    NOTE_ATTEMPTED,  # detail 1: the customer was reached
    NOTE_SUSPENDED,
    NOTE_RELEASED,  # the rep who kept the suspended contact has left: it waits for anybody
    NOTE_ENDED,  # detail: one of the ends below
    NOTE_CHARGED,  # detail: the cost term
    NOTE_WORKING,
    NOTE_PICKING_UP,
    NOTE_FREE,
    NOTE_AWAY,
    NOTE_OVERTIME,  # detail 1: begins; 0: becomes ordinary work, since the next shift has begun
    NOTE_ABSENT,  # a shift begins that the rep misses
    NOTE_PRESENT,  # that shift is over
    NOTE_PAID,  # amount and loss: what a debtor paid, and the commission on it
    NOTE_AFTER_WORK,  # the after-contact work of the contact, which is about to end
    NOTE_TAKEN_OVER,  # by the rep; detail: the rep who had suspended it
) = range(21)
(
    END_RESOLVED,
    END_UNRESOLVED,
    END_RETURNED,
    END_ESCALATED,
    END_DEFERRED,
    END_ERRED,
    END_REWORKED,
    END_UNREACHED,
    END_GIVEN_UP,
    END_ABANDONED,
    END_REDIALLED,
    END_CALLBACK_ACCEPTED,
    END_CALLBACK_REFUSED,
    END_RECALLED,
) = range(14)


@compiled
def _write(state, kind, contact, queue, rep, detail, amount_usd, loss_usd):
    """Add an entry to the state's notes, or only count it where they are full: of `kind`, a NOTE_ code, about `contact`
    (slot), `queue`, a channel's number, and `rep` (seat), NOBODY where there is none; `detail` is what the kind says it
    is."""
    state.n_notes += 1
    if state.n_notes > MAX_NOTES:
        return
    entry = state.notes[state.n_notes - 1]
    entry.time_s = state.now_s
    entry.kind = kind
    entry.queue = queue
    entry.rep = rep
    entry.detail = detail
    entry.amount_usd = amount_usd
    entry.loss_usd = loss_usd
    if contact == NOBODY:
        entry.contact = NOBODY
        entry.customer = NOBODY
        entry.attempt = 0
        entry.overdue = 0
        entry.due_s = NEVER
        entry.opens_s = NEVER
        return
    person = state.slots[contact].person
    entry.contact = person.number
    entry.customer = person.customer
    entry.attempt = person.attempt
    entry.overdue = person.overdue
    entry.due_s = person.due_s
    entry.opens_s = person.return_s


@compiled
def note(state, kind, contact, rep, detail):
    """Note that `kind`, a NOTE_ code, happened to `contact` (slot) by `rep` (seat), NOBODY where there is none;
    `detail` is what the kind says it is."""
    if state.journaling:
        queue = NOBODY if contact == NOBODY else state.slots[contact].person.queue
        _write(state, kind, contact, queue, rep, detail, 0.0, 0.0)


@compiled
def note_rep(state, kind, rep):
    """Note that `kind`, a NOTE_ code, happened to `rep` (seat), who has no contact in hand."""
    if state.journaling:
        _write(state, kind, NOBODY, NOBODY, rep, 0, 0.0, 0.0)


@compiled
def note_charge(state, contact, queue, term, amount_usd, loss_usd):
    """Note a charge of `amount_usd`, after its weight, to `term`, a code of the cost terms, of which an account's loss
    is `loss_usd` before it, for `contact` (slot) or, where that is NOBODY, for `queue`, a channel's number, as a whole,
    or for the center where both are NOBODY."""
    if state.journaling:
        if amount_usd != 0.0 or loss_usd != 0.0:
            _write(state, NOTE_CHARGED, contact, queue, NOBODY, term, amount_usd, loss_usd)


@compiled
def note_payment(state, contact, paid_usd, commission_usd):
    """Note that the debtor of `contact` (slot) paid `paid_usd`, of which the provider keeps `commission_usd`."""
    if state.journaling:
        queue = state.slots[contact].person.queue
        _write(state, NOTE_PAID, contact, queue, NOBODY, 0, paid_usd, commission_usd)


@compiled
def number_contact(state, contact):
    """Give the visit to a queue that begins in `contact` (slot) the episode's next number."""
    state.slots[contact].person.number = state.n_numbered
    state.n_numbered += 1


@compiled
def move_notes(state, journal):
    """Move the notes of the state to the end of the environment's `journal`; what has no room in either is lost, and
    counted."""
    for i in range(state.n_notes):
        if i < MAX_NOTES and journal.n_entries < journal.n_room:
            journal.entries[journal.n_entries] = state.notes[i]
            journal.n_entries += 1
        else:
            journal.n_lost += 1
    state.n_notes = 0
