"""What a mishap costs: direct costs and the expected loss of the account.

Room: `envs.simulator.money`. Touches the cost fields of the state and the retention of one contact.

Harms of one customer combine (DESIGN section 3): with retention r and a rise p of the chance to leave,
charge = value * r * p, then r becomes r * (1 - p). The sum of charges over several harms is therefore
value * (1 - product of (1 - p)). In mode `sampled` the customer's own luck decides at each harm whether the whole
value is lost (r becomes 0); the expected charge is the same, since P(lost at this harm) = r * p.
"""

from envs.interface.units import NEVER
from envs.simulator.machine.compilation import compiled
from envs.simulator.machine.journal import note_charge
from envs.simulator.machine.luck import LUCK_CHURN, uniform
from envs.simulator.machine.state import (
    TERM_BROKEN_PROMISE,
    TERM_FORGONE,
    TERM_LATENESS,
    TERM_WAIT,
)


@compiled
def add_cost(state, parameters, term, amount_usd):
    """Add `amount_usd` >= 0, before the scenario's weight, to a cost term; returns it after the weight."""
    weighted = amount_usd * parameters.term_weight[term]
    state.step_cost_usd[term] += weighted
    state.cost_usd[term] += weighted
    return weighted


@compiled
def charge(state, parameters, contact, term, amount_usd, loss_usd):
    """Charge `amount_usd` for `contact` to a cost term, of which `loss_usd` is the expected loss of its account."""
    person = state.contacts[contact]
    state.queue_count[person.queue].account_loss_usd += loss_usd
    state.band_count[person.band].account_loss_usd += loss_usd
    weighted_usd = add_cost(state, parameters, term, amount_usd)
    note_charge(state, contact, person.queue, term, weighted_usd, loss_usd)


@compiled
def raise_for_risk(parameters, at_risk, rise):
    """Return the rise of the chance to leave of a customer who is at risk or not, at most 1."""
    if at_risk:
        return min(rise * parameters.at_risk_multiplier, 1.0)
    return rise


@compiled
def charge_harm(state, parameters, contact, term, rise, direct_usd):
    """Charge one harm to the customer of `contact`: `rise` before the at-risk multiplier, plus `direct_usd`."""
    person = state.contacts[contact]
    rise = raise_for_risk(parameters, person.at_risk, rise)
    loss_usd = 0.0
    if rise > 0.0:
        if parameters.sampled_churn:
            if uniform(person.key, LUCK_CHURN, person.harms) < rise:
                loss_usd = person.value_usd * person.retention_prob
                person.retention_prob = 0.0
        else:
            loss_usd = person.value_usd * person.retention_prob * rise
            person.retention_prob *= 1.0 - rise
        person.harms += 1
    charge(state, parameters, contact, term, loss_usd + direct_usd, loss_usd)


@compiled
def income_usd(state, parameters, contact):
    """Return what handling `contact` in its present queue earns, USD: the client's fee (D7), and the commission to be
    expected from a debtor who is reached (D6)."""
    person = state.contacts[contact]
    limits = parameters.queues[person.queue]
    return limits.fee_usd + person.owed_usd * limits.commission_per_owed


@compiled
def broken_promise_usd(state, parameters, contact):
    """Return what breaking the promise to `contact` costs now, USD: its abandonment, with
    the fee forgone, or missing its due time, at which a work list's contact is taken back."""
    person = state.contacts[contact]
    limits = parameters.queues[person.queue]
    left_usd = person.value_usd * person.retention_prob
    if limits.real_time:
        rise = raise_for_risk(parameters, person.at_risk, limits.abandonment_rise)
        fee_usd = limits.fee_usd * (1.0 - limits.redial_prob)
        return left_usd * rise + limits.abandonment_usd + fee_usd
    if person.overdue or (limits.met_by_start and person.due_s == NEVER):
        return 0.0
    missed_usd = left_usd * raise_for_risk(parameters, person.at_risk, limits.late_rise) + limits.late_usd
    if limits.collection:
        missed_usd += income_usd(state, parameters, contact)
    return missed_usd


@compiled
def error_usd(state, parameters, contact):
    """Return what an error costs whose customer is that of `contact`, USD, as an expectation."""
    person = state.contacts[contact]
    limits = parameters.queues[person.queue]
    rise = raise_for_risk(parameters, person.at_risk, limits.error_rise)
    return person.value_usd * person.retention_prob * rise + limits.error_usd


@compiled
def error_prob(state, parameters, contact):
    """Return the chance that the work on `contact`, completed now, holds an error."""
    person = state.contacts[contact]
    limits = parameters.queues[person.queue]
    return min(limits.error_prob + limits.error_per_interruption_prob * person.interruptions, 1.0)


@compiled
def charge_wait(state, parameters, contact):
    """Charge the wait beyond the threshold of a real-time contact whose wait ends now."""
    person = state.contacts[contact]
    limits = parameters.queues[person.queue]
    excess_s = state.now_s - person.arrival_s - limits.threshold_s
    if excess_s > 0.0 and limits.wait_rise_per_s > 0.0:
        rise = min(excess_s * limits.wait_rise_per_s, limits.wait_rise_max)
        charge_harm(state, parameters, contact, TERM_WAIT, rise, 0.0)


@compiled
def charge_lateness(state, parameters, contact, rise, direct_usd):
    """Charge a missed due time to the term that the channel's promise belongs to."""
    promised = parameters.queues[state.contacts[contact].queue].promised
    term = TERM_BROKEN_PROMISE if promised else TERM_LATENESS
    charge_harm(state, parameters, contact, term, rise, direct_usd)


@compiled
def overdue_rise(parameters, queue, overdue_s):
    """Return the rise of the chance to leave of being `overdue_s` seconds late, beyond that of being late at all."""
    limits = parameters.queues[queue]
    return min(max(overdue_s, 0.0) * limits.late_rise_per_s, limits.late_rise_max)


@compiled
def value_at_stake_usd(state, parameters, contact):
    """Return the account value, USD, that the customer of `contact` still stands for, weighted by the risk."""
    person = state.contacts[contact]
    weight = parameters.at_risk_multiplier if person.at_risk else 1.0
    return person.value_usd * person.retention_prob * weight


@compiled
def loss_usd_per_hour(state, parameters, contact):
    """Return what `contact` loses by each further hour once its promise is broken, USD per hour."""
    person = state.contacts[contact]
    limits = parameters.queues[person.queue]
    rise_per_s = limits.wait_rise_per_s if limits.real_time else limits.late_rise_per_s
    rise = raise_for_risk(parameters, person.at_risk, rise_per_s * 3600.0)
    waiting_usd_per_s = limits.holding_usd_per_s + limits.waiting_usd_per_s + limits.overdue_waiting_usd_per_s
    return person.value_usd * person.retention_prob * rise + 3600.0 * waiting_usd_per_s


@compiled
def forgo_income(state, parameters, contact):
    """Charge what handling `contact` in its present queue would have earned: it will not be handled."""
    earned_usd = income_usd(state, parameters, contact)
    if earned_usd > 0.0:
        charge(state, parameters, contact, TERM_FORGONE, earned_usd, 0.0)
