"""What a mishap costs: direct costs and the expected loss of the account.

Room: `envs.simulator.money`. Touches the cost fields of the state and the retention of one contact.

Harms of one customer combine (DESIGN section 3): with retention r and a rise p of the chance to leave,
charge = value * r * p, then r becomes r * (1 - p). The sum of charges over several harms is therefore
value * (1 - product of (1 - p)). In mode `sampled` the customer's own luck decides at each harm whether the whole
value is lost (r becomes 0); the expected charge is the same, since P(lost at this harm) = r * p.
"""

from envs.interface.cost_terms import (
    TERM_BROKEN_PROMISE,
    TERM_FORGONE,
    TERM_LATENESS,
    TERM_WAIT,
)
from envs.interface.units import HOUR_S, NEVER
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.journal import note_charge
from envs.simulator.machine.luck import LUCK_CHURN, uniform


@compiled
def add_cost(state, parameters, term, amount_usd):
    """Add `amount_usd` >= 0, before the scenario's weight, to `term`, a code of the cost terms; return it after the
    weight, USD."""
    weighted = amount_usd * parameters.term_weight[term]
    state.step_cost_usd[term] += weighted
    state.cost_usd[term] += weighted
    return weighted


@compiled
def charge(state, parameters, contact, term, amount_usd, loss_usd):
    """Charge `amount_usd`, before the scenario's weight, for `contact` (slot) to `term`, a code of the cost terms;
    `loss_usd` of it is the loss of its account."""
    person = state.slots[contact].person
    state.queue_count[person.queue].account_loss_usd += loss_usd
    state.band_count[person.band].account_loss_usd += loss_usd
    weighted_usd = add_cost(state, parameters, term, amount_usd)
    note_charge(state, contact, person.queue, term, weighted_usd, loss_usd)


@compiled
def raise_for_risk(parameters, at_risk, rise):
    """Return the rise of the chance to leave of a customer who is at risk (`at_risk` is 1) or not (0): `rise`, times
    the multiplier and at most 1 if at risk."""
    if at_risk:
        return min(rise * parameters.at_risk_multiplier, 1.0)
    return rise


@compiled
def account_loss_usd(state, parameters, contact, rise):
    """Return what a `rise` of the chance to leave, before the at-risk multiplier, costs with the customer of `contact`
    (slot), USD as an expectation: account value x retention x rise (DESIGN section 3)."""
    person = state.slots[contact].person
    return person.value_usd * person.retention_prob * raise_for_risk(parameters, person.at_risk, rise)


@compiled
def charge_harm(state, parameters, contact, term, rise, direct_usd):
    """Charge one harm to the customer of `contact` (slot) to `term`, a code of the cost terms: `rise` of the chance to
    leave, 0 to 1 before the at-risk multiplier, plus `direct_usd`."""
    person = state.slots[contact].person
    raised = raise_for_risk(parameters, person.at_risk, rise)
    loss_usd = 0.0
    if raised > 0.0:
        if parameters.sampled_churn:
            if uniform(person.key, LUCK_CHURN, person.harms) < raised:
                loss_usd = person.value_usd * person.retention_prob
                person.retention_prob = 0.0
        else:
            loss_usd = account_loss_usd(state, parameters, contact, rise)
            person.retention_prob *= 1.0 - raised
        person.harms += 1
    charge(state, parameters, contact, term, loss_usd + direct_usd, loss_usd)


@compiled
def income_usd(state, parameters, contact):
    """Return what handling `contact` (slot) in its present queue earns, USD: the client's fee (D7), and the commission
    to be expected from a debtor who is reached (D6)."""
    person = state.slots[contact].person
    limits = parameters.queues[person.queue]
    return limits.fee_usd + person.owed_usd * limits.commission_per_owed


@compiled
def broken_promise_usd(state, parameters, contact):
    """Return what breaking the promise to `contact` (slot) costs now, USD: its abandonment, with the fee forgone, or
    missing its due time, at which a work list's contact is taken back; 0 where that promise was kept by the start or is
    broken already."""
    person = state.slots[contact].person
    limits = parameters.queues[person.queue]
    if limits.real_time:
        loss_usd = account_loss_usd(state, parameters, contact, limits.abandonment_rise)
        fee_usd = limits.fee_usd * (1.0 - limits.redial_prob)
        return loss_usd + limits.abandonment_usd + fee_usd
    if person.overdue or (limits.met_by_start and person.due_s == NEVER):
        return 0.0
    missed_usd = account_loss_usd(state, parameters, contact, limits.late_rise) + limits.late_usd
    if limits.collection:
        missed_usd += income_usd(state, parameters, contact)
    return missed_usd


@compiled
def error_usd(state, parameters, contact):
    """Return what an error costs whose customer is that of `contact` (slot), USD, as an expectation."""
    limits = parameters.queues[state.slots[contact].person.queue]
    return account_loss_usd(state, parameters, contact, limits.error_rise) + limits.error_usd


@compiled
def error_prob(state, parameters, contact):
    """Return the chance, 0 to 1, that the work on `contact` (slot), completed now, holds an error."""
    person = state.slots[contact].person
    limits = parameters.queues[person.queue]
    return min(limits.error_prob + limits.error_per_interruption_prob * person.interruptions, 1.0)


@compiled
def charge_wait(state, parameters, contact):
    """Charge the wait beyond the threshold of the real-time `contact` (slot), whose wait ends now."""
    person = state.slots[contact].person
    limits = parameters.queues[person.queue]
    excess_s = state.now_s - person.arrival_s - limits.threshold_s
    if excess_s > 0.0 and limits.wait_rise_per_s > 0.0:
        rise = min(excess_s * limits.wait_rise_per_s, limits.wait_rise_max)
        charge_harm(state, parameters, contact, TERM_WAIT, rise, 0.0)


@compiled
def charge_lateness(state, parameters, contact, rise, direct_usd):
    """Charge a missed due time of `contact` (slot) to the term that the channel's promise belongs to: `rise` of the
    chance to leave, 0 to 1 before the at-risk multiplier, plus `direct_usd`."""
    promised = parameters.queues[state.slots[contact].person.queue].promised
    term = TERM_BROKEN_PROMISE if promised else TERM_LATENESS
    charge_harm(state, parameters, contact, term, rise, direct_usd)


@compiled
def overdue_rise(parameters, queue, overdue_s):
    """Return the rise, 0 to 1, of the chance to leave of a customer of `queue`, a channel's number, for being
    `overdue_s` seconds late, beyond that of being late at all."""
    limits = parameters.queues[queue]
    return min(max(overdue_s, 0.0) * limits.late_rise_per_s, limits.late_rise_max)


@compiled
def value_at_stake_usd(state, parameters, contact):
    """Return the account value, USD, that the customer of `contact` (slot) still stands for, weighted by the risk."""
    person = state.slots[contact].person
    weight = parameters.at_risk_multiplier if person.at_risk else 1.0
    return person.value_usd * person.retention_prob * weight


@compiled
def loss_usd_per_hour(state, parameters, contact):
    """Return what `contact` (slot) loses by each further hour once its promise is broken, USD per hour."""
    person = state.slots[contact].person
    limits = parameters.queues[person.queue]
    rise_per_s = limits.wait_rise_per_s if limits.real_time else limits.late_rise_per_s
    loss_usd = account_loss_usd(state, parameters, contact, rise_per_s * HOUR_S)
    waiting_usd_per_s = limits.holding_usd_per_s + limits.waiting_usd_per_s + limits.overdue_waiting_usd_per_s
    return loss_usd + HOUR_S * waiting_usd_per_s


@compiled
def forgo_income(state, parameters, contact):
    """Charge what handling `contact` (slot) in its present queue would have earned: it will not be handled."""
    earned_usd = income_usd(state, parameters, contact)
    if earned_usd > 0.0:
        charge(state, parameters, contact, TERM_FORGONE, earned_usd, 0.0)
