"""What a scenario says of each queue on average: the constants of index rules.

Room: `agents.rules`. Touches the scenario; runs nothing.
"""

from typing import NamedTuple

import numpy as np

from envs.interface.units import HOUR_S
from envs.scenario.channel import Channel
from envs.scenario.scenario import Scenario
from envs.scenario.week import week_forecast


class QueueFacts(NamedTuple):
    """Means of one queue. Rates are per hour; what there is not, is 0.

    Attributes:
        stake_usd: what breaking the promise to a customer costs: an abandonment with the fee forgone; missing the due
            time.
        stake_fixed_usd: the part of it that does not grow with the account value.
        stake_per_value: USD per USD of account value.
        loss_per_hour: what an hour of waiting beyond the promise costs, holding included, USD.
        loss_fixed_per_hour: the part of it that does not grow with the account value, USD.
        loss_per_value_hour: the part that does, USD per USD of it.
        holding_per_hour: what an hour of waiting costs at all times, USD.
        promise_per_hour: one over the time until the promise breaks: mean patience, time to the due time.
        lead_s: promised lead time, seconds: the service-level threshold, the time to the due time; 0 without one.
        work_s: mean time that a contact takes of a rep, seconds, shared where reps hold several contacts.
        services_per_hour: one over it.
        after_work_s, pick_up_s: mean after-contact work and pick-up, seconds.
        arrivals_per_hour: mean over the half-hours of the week that have any.
        peak_per_hour: the most of them.
        reps: with the skill.
        has_home: some rep has the queue as home channel.
    """

    stake_usd: float
    stake_fixed_usd: float
    stake_per_value: float
    loss_per_hour: float
    loss_fixed_per_hour: float
    loss_per_value_hour: float
    holding_per_hour: float
    promise_per_hour: float
    lead_s: float
    work_s: float
    services_per_hour: float
    after_work_s: float
    pick_up_s: float
    arrivals_per_hour: float
    peak_per_hour: float
    reps: int
    has_home: bool


def _customers(scenario: Scenario, channel: Channel) -> list[tuple[float, float, float]]:
    """Return (share, mean account value in USD, at-risk share) of the kinds of customers of `channel`: by its segments,
    else by its recorded or scripted contacts, else by those of all channels."""
    if scenario.segments:
        shares = channel.segment_shares
        return [
            (
                segment.share_frac if shares is None else shares.get(segment.name, 0.0),
                segment.account_value.mean_value_usd,
                segment.at_risk_prob,
            )
            for segment in scenario.segments
        ]
    if scenario.recording is not None:
        contacts = np.concatenate(scenario.recording.days)
        contacts = contacts[~np.isnan(contacts["account_value_usd"])]
        own = contacts[contacts["queue"] == scenario.channel_index(channel.name)]
        chosen = own if len(own) else contacts
        if len(chosen):
            at_risk = np.nan_to_num(chosen["at_risk"]).mean()
            return [(1.0, float(chosen["account_value_usd"].mean()), float(at_risk))]
    scripted = scenario.scripted_contacts
    found = [contact for contact in scripted if contact.channel == channel.name] or list(scripted)
    share = 1.0 / max(len(found), 1)
    return [(share, contact.account_value.mean_value_usd, contact.at_risk_prob) for contact in found]


def _risen(customers: list[tuple[float, float, float]], rise: float, multiplier: float) -> tuple[float, float]:
    """Return the mean of value x rise, USD, the at-risk multiplier included, and the same per USD of mean value."""
    loss_usd = value_usd = 0.0
    for share, mean_usd, at_risk in customers:
        loss_usd += share * mean_usd * ((1.0 - at_risk) * rise + at_risk * min(multiplier * rise, 1.0))
        value_usd += share * mean_usd
    return loss_usd, loss_usd / value_usd if value_usd > 0.0 else rise


def _facts_of(scenario: Scenario, channel: Channel) -> QueueFacts:
    customers = _customers(scenario, channel)
    harm, costs, multiplier = channel.harm, channel.costs, scenario.churn.at_risk_multiplier
    fee_usd = sum(client.fee_usd for client in scenario.clients if channel.name in client.channels)
    if channel.is_real_time:
        stake_usd, stake_per_value = _risen(customers, harm.abandonment_prob, multiplier)
        redial_prob = 0.0 if channel.redial is None else channel.redial.prob
        fixed_usd = costs.abandonment_usd + fee_usd * (1.0 - redial_prob)
        loss_usd, loss_per_value = _risen(customers, 60.0 * harm.wait_prob_per_min, multiplier)
        lead_s = max(channel.service_level_threshold_s, 1.0)
        promise_s = 0.0 if channel.patience is None else max(channel.patience.mean_duration_s, 1.0)
    else:
        stake_usd, stake_per_value = _risen(customers, harm.late_prob, multiplier)
        fixed_usd = costs.late_usd
        if channel.collection is not None:
            owed_usd = channel.collection.amount_owed.mean_value_usd
            fixed_usd += fee_usd + owed_usd * channel.collection.commission_per_owed
        loss_usd, loss_per_value = _risen(customers, harm.late_prob_per_hour, multiplier)
        lead_s = promise_s = 0.0 if channel.due is None else channel.due.mean_after_s
    work_s = max(channel.mean_rep_time_s * scenario.attention_frac(channel), 1.0)
    holding_per_hour = costs.holding_usd_per_hour + costs.waiting_usd_per_hour
    forecast = week_forecast(scenario, channel)
    return QueueFacts(
        stake_usd=stake_usd + fixed_usd,
        stake_fixed_usd=fixed_usd,
        stake_per_value=stake_per_value,
        loss_per_hour=loss_usd + holding_per_hour + costs.overdue_waiting_usd_per_hour,
        loss_fixed_per_hour=holding_per_hour + costs.overdue_waiting_usd_per_hour,
        loss_per_value_hour=loss_per_value,
        holding_per_hour=holding_per_hour,
        promise_per_hour=HOUR_S / promise_s if promise_s > 0.0 else 0.0,
        lead_s=lead_s,
        work_s=work_s,
        services_per_hour=HOUR_S / work_s,
        after_work_s=0.0 if channel.after_work is None else channel.after_work.mean_duration_s,
        pick_up_s=0.0 if channel.pick_up is None else channel.pick_up.mean_duration_s,
        arrivals_per_hour=float(forecast[forecast > 0.0].mean()) if (forecast > 0.0).any() else 0.0,
        peak_per_hour=float(forecast.max()),
        reps=sum(group.count for group in scenario.groups if channel.name in group.skills),
        has_home=any(channel.name in group.home_channels() for group in scenario.groups),
    )


def queue_facts(scenario: Scenario) -> tuple[QueueFacts, ...]:
    """Return the means of every queue of `scenario`, in the order of its channels."""
    return tuple(_facts_of(scenario, channel) for channel in scenario.channels)
