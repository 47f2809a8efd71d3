"""Collections: what a debtor pays, and when the client recalls a contact of the work list (D6).

Room: `envs`, kernel. Touches one contact of a work list, its queue and the counters.

Who is reached pays a share of the debt, or nothing; that is the debtor's own luck. At the due time the client
recalls what nobody has in hand, and fee and expected commission are forgone. By which hours debtors are reached is in
`envs.reach`.
"""

from envs.compilation import compiled
from envs.journal import END_RECALLED, NOTE_ENDED, note, note_payment
from envs.luck import LUCK_PAYMENT, uniform
from envs.queues import dequeue
from envs.state import NOBODY, SCHEDULED, WAITING
from envs.statement_of_work import forgo_income


@compiled
def collect(state, parameters, contact):
    """Let the debtor who was reached pay, or not."""
    person = state.contacts[contact]
    limits = parameters.queues[person.queue]
    if uniform(person.key, LUCK_PAYMENT, person.attempt) < limits.pay_prob:
        paid_usd = person.owed_usd * limits.recovery_frac
        person.owed_usd -= paid_usd
        state.queue_count[person.queue].recovered_usd += paid_usd
        state.queue_count[person.queue].commission_usd += paid_usd * limits.commission_frac
        note_payment(state, contact, paid_usd, paid_usd * limits.commission_frac)


@compiled
def is_recalled(state, parameters, contact):
    """Return True if the client recalls `contact`, whose due time passes now: nobody has it in hand."""
    person = state.contacts[contact]
    if not parameters.queues[person.queue].collection:
        return False
    return person.status == WAITING or person.status == SCHEDULED


@compiled
def recall(state, parameters, contact):
    """Let the client recall the overdue `contact`; the caller forgets the customer."""
    person = state.contacts[contact]
    queue = person.queue
    state.queues[queue].overdue -= 1
    state.queue_count[queue].recalled += 1
    if person.status == WAITING:
        dequeue(state, parameters, contact)
    else:
        state.queues[queue].scheduled -= 1
        state.queue_count[queue].recalled_scheduled += 1
    note(state, NOTE_ENDED, contact, NOBODY, END_RECALLED)
    forgo_income(state, parameters, contact)
