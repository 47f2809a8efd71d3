"""What is measured: every metric with its unit, its definition and its formula, from the counters of a state.

Room: `envs`. Reads a state and the scenario; touches nothing.

Money is USD per calendar day touched by the counted part of the horizon. A ratio is a sum over a sum, NaN where the
denominator is 0; `undefined_keys` lists those that may be. Averages over episodes are again sums over sums:
`add_counts` adds the counters of several episodes. All metrics may be computed at any time in an episode: then they are
of the time that has passed, by which a time average is divided, and of what is open now.
Keys of a queue start with the channel's name, keys of an account-value band with `band_<i>` (0 is the lowest).
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from envs.counts import (
    Counted,
    Counts,
    admitted,
    in_center_s,
    mean_wait_s,
    n_waits,
    no_counts,
    ratio,
    service_level_frac,
    wait_quantile_s,
)
from envs.interface.cost_terms import COST_TERM_TABLE
from envs.interface.units import HOUR_S
from envs.scenario.channel import Channel
from envs.scenario.scenario import Scenario


class Metric(NamedTuple):
    """One metric: its unit, its definition, and the formula that the definition says."""

    unit: str
    meaning: str
    value: Callable[[Counted], float]


_SERVICE_LEVEL = Metric(
    "fraction",
    "real-time contacts started within the threshold / (arrived - blocked), less those whom `service_level` leaves out",
    service_level_frac,
)
"""Of a channel and of a band; clients' targets and the floor of fairness are held against the same."""

CENTER_METRICS = {
    "total_cost_usd": Metric("USD/day", "sum of all cost terms", lambda c: c.cost_usd / c.days),
    "account_loss_usd": Metric(
        "USD/day",
        "expected account value lost, all causes, before weights",
        lambda c: c.of_queues("account_loss_usd") / c.days,
    ),
    "occupancy_frac": Metric(
        "fraction",
        "rep time at work, picking up or in after-contact work / rep time on the floor, overtime included",
        lambda c: ratio(c.count["busy_s"], c.count["staffed_s"]),
    ),
    "mean_busy_reps": Metric(
        "reps",
        "time average of reps at work, picking up or in after-contact work",
        lambda c: c.average(c.count["busy_s"]),
    ),
    "contacts_per_busy_rep": Metric(
        "contacts",
        "time average of contacts in the hands of a rep / that of reps who have any",
        lambda c: ratio(c.of_queues("in_service_time_s"), c.count["busy_s"] - c.of_queues("after_work_time_s")),
    ),
    "all_busy_frac": Metric(
        "fraction",
        "time in which every rep on the floor is busy / counted time",
        lambda c: c.average(c.count["all_busy_s"]),
    ),
    "mean_all_busy_s": Metric(
        "s",
        "that time / such spells that begin in it; of a single rep the mean busy period",
        lambda c: ratio(c.count["all_busy_s"], c.count["all_busy_spells"]),
    ),
    "pick_up_min": Metric(
        "min/day", "rep minutes lost to picking up interrupted work", lambda c: c.count["pick_up_s"] / 60.0 / c.days
    ),
    "absent_min": Metric(
        "min/day",
        "rep minutes of shifts that were missed, breaks included",
        lambda c: c.count["absent_s"] / 60.0 / c.days,
    ),
    "overtime_min": Metric(
        "min/day", "rep minutes on a contact after the shift's end", lambda c: c.count["overtime_s"] / 60.0 / c.days
    ),
    "contacts_per_rep_hour": Metric(
        "1/h",
        "contacts completed / rep hours on the floor",
        lambda c: ratio(c.of_queues("completed"), c.count["staffed_s"] / HOUR_S),
    ),
    "cost_per_contact_usd": Metric(
        "USD", "total cost / contacts completed", lambda c: ratio(c.cost_usd, c.of_queues("completed"))
    ),
    "interruptions": Metric(
        "1/day", "interruptions of work or of a pick-up", lambda c: c.of_queues("interruptions") / c.days
    ),
    "take_overs": Metric(
        "1/day", "suspended contacts that another rep took over", lambda c: c.of_queues("taken_over") / c.days
    ),
    "decisions": Metric("1/day", "questions put to the router", lambda c: c.count["decisions"] / c.days),
    "substituted": Metric("1/day", "masked actions replaced by wait", lambda c: c.count["substituted"] / c.days),
    "lost": Metric(
        "1/day",
        "contacts turned away because the simulator's own capacity was full; always 0, since it grows",
        lambda c: c.of_queues("lost") / c.days,
    ),
}

QUEUE_METRICS = {
    "arrived": Metric(
        "1/day", "contacts that reached the queue, blocked ones included", lambda c: c.count["arrived"] / c.days
    ),
    "blocked_frac": Metric("fraction", "blocked / arrived", lambda c: ratio(c.count["blocked"], c.count["arrived"])),
    "completed": Metric("1/day", "contacts completed", lambda c: c.count["completed"] / c.days),
    "wait_prob": Metric(
        "fraction",
        "waits of more than 0 s that ended / (arrived - blocked), each counted when it happens: above 1 where fewer of "
        "them began than ended, as may be after a warm-up",
        lambda c: ratio(c.count["waited"], admitted(c)),
    ),
    "mean_wait_s": Metric(
        "s", "total wait of started, abandoned and called-back contacts / their number", lambda c: mean_wait_s(c)
    ),
    "mean_wait_started_s": Metric(
        "s", "total wait of started contacts / started", lambda c: ratio(c.count["wait_started_s"], c.count["started"])
    ),
    "mean_cycle_s": Metric(
        "s",
        "time from joining the queue to completion / completed",
        lambda c: ratio(c.count["cycle_s"], c.count["completed"]),
    ),
    "wait_variance_s2": Metric(
        "s^2",
        "variance of the waits that mean_wait_s averages",
        lambda c: max(ratio(c.count["wait_squared_s2"], n_waits(c)) - mean_wait_s(c) ** 2, 0.0),
    ),
    "wait_p95_s": Metric(
        "s",
        "95 % quantile of these waits, from a histogram with cells of at most a sixteenth of the wait",
        lambda c: wait_quantile_s(c.wait_count, n_waits(c), 0.95),
    ),
    "mean_customer_s": Metric(
        "s",
        "mean_cycle_s * contacts_per_customer: waits and work of all contacts of a customer",
        lambda c: ratio(c.count["cycle_s"], c.count["first_contacts"]),
    ),
    "contacts_per_customer": Metric(
        "count",
        "completed / customers' first contacts completed without follow-up",
        lambda c: ratio(c.count["completed"], c.count["first_contacts"]),
    ),
    "mean_handle_s": Metric(
        "s",
        "handle time of completed contacts, after-contact work included / completed (AHT)",
        lambda c: ratio(c.count["handle_s"], c.count["completed"]),
    ),
    "after_work_frac": Metric(
        "fraction",
        "rep time in after-contact work of the queue / counted time",
        lambda c: c.average(c.count["after_work_time_s"]),
    ),
    "mean_waiting": Metric(
        "contacts", "time average of contacts waiting", lambda c: c.average(c.count["waiting_time_s"])
    ),
    "mean_in_service": Metric(
        "contacts",
        "time average of contacts in the hands of a rep, picked up ones included",
        lambda c: c.average(c.count["in_service_time_s"]),
    ),
    "mean_open": Metric(
        "contacts",
        "time average of contacts waiting, suspended and in service",
        lambda c: c.average(in_center_s(c)),
    ),
    "mean_scheduled": Metric(
        "contacts",
        "time average of contacts that are not there yet, but will come back to the queue",
        lambda c: c.average(c.count["scheduled_time_s"]),
    ),
    "found_open": Metric(
        "contacts",
        "mean number of its open contacts that new customers find who come after second 0",
        lambda c: ratio(c.count["found_open"], c.count["came"]),
    ),
    "fcr_frac": Metric(
        "fraction",
        "customers' first contacts resolved without error or follow-up / first contacts completed without one (FCR)",
        lambda c: ratio(c.count["first_resolved"], c.count["first_contacts"]),
    ),
    "unresolved": Metric(
        "1/day", "contacts completed without error and not resolved", lambda c: c.count["unresolved"] / c.days
    ),
    "returned": Metric("1/day", "unresolved contacts that come back", lambda c: c.count["returned"] / c.days),
    "escalated": Metric(
        "1/day",
        "unresolved contacts escalated: internally, or by live transfer",
        lambda c: c.count["escalated"] / c.days,
    ),
    "deferred": Metric(
        "1/day", "contacts that ended deferred: a follow-up was scheduled", lambda c: c.count["deferred"] / c.days
    ),
    "preferred_frac": Metric(
        "fraction",
        "started by the customer's preferred rep / started, of customers who have one",
        lambda c: ratio(c.count["preferred_started"], c.count["preferring_started"]),
    ),
    "left_open": Metric(
        "contacts",
        "contacts open at the end of the horizon: waiting, in the hands of a rep, or suspended",
        lambda c: c.left["open"] / c.n_episodes,
    ),
    "account_loss_usd": Metric(
        "USD/day", "expected account value lost", lambda c: c.count["account_loss_usd"] / c.days
    ),
}

REAL_TIME_METRICS = {
    "service_level_frac": _SERVICE_LEVEL,
    "abandoned": Metric("1/day", "contacts that hung up", lambda c: c.count["abandoned"] / c.days),
    "abandoned_frac": Metric(
        "fraction",
        "abandoned / arrived, each counted when it happens",
        lambda c: ratio(c.count["abandoned"], c.count["arrived"]),
    ),
    "mean_wait_abandoned_s": Metric(
        "s",
        "total wait of abandoned contacts / abandoned",
        lambda c: ratio(c.count["wait_abandoned_s"], c.count["abandoned"]),
    ),
    "redialled": Metric("1/day", "abandoned contacts that will dial again", lambda c: c.count["redialled"] / c.days),
    "callback_frac": Metric(
        "fraction", "callbacks accepted / arrived", lambda c: ratio(c.count["callbacks_accepted"], c.count["arrived"])
    ),
    "callbacks_offered": Metric("1/day", "callbacks offered", lambda c: c.count["callbacks_offered"] / c.days),
    "callbacks_accepted": Metric("1/day", "callbacks accepted", lambda c: c.count["callbacks_accepted"] / c.days),
    "callbacks_refused": Metric(
        "1/day", "accepted callbacks that were not approved", lambda c: c.count["callbacks_refused"] / c.days
    ),
}

DEFERRED_METRICS = {
    "on_time_frac": Metric(
        "fraction",
        "completed by the due time / (those + due times missed); kept promises of callbacks",
        lambda c: ratio(c.count["on_time"], c.count["on_time"] + c.count["late"]),
    ),
    "mean_suspended": Metric(
        "contacts", "time average of suspended contacts", lambda c: c.average(c.count["suspended_time_s"])
    ),
    "left_overdue": Metric(
        "contacts",
        "contacts open and overdue at the end of the horizon",
        lambda c: c.left["overdue"] / c.n_episodes,
    ),
    "left_age_s": Metric(
        "s",
        "mean age of the contacts open at the end of the horizon",
        lambda c: ratio(c.left["age_s"], c.left["open"]),
    ),
    "interruptions_per_contact": Metric(
        "count", "interruptions / completed", lambda c: ratio(c.count["interruptions"], c.count["completed"])
    ),
    "pick_up_frac": Metric(
        "fraction", "pick-up time on this queue's contacts / counted time", lambda c: c.average(c.count["pick_up_s"])
    ),
    "errors_frac": Metric(
        "fraction", "completed with an error / completed", lambda c: ratio(c.count["errors"], c.count["completed"])
    ),
    "reworked": Metric("1/day", "errors that come back as rework", lambda c: c.count["reworked"] / c.days),
    "attempts": Metric("1/day", "outbound attempts to reach the customer", lambda c: c.count["attempts"] / c.days),
    "reached_frac": Metric(
        "fraction",
        "attempts that reached the customer / attempts, those under way taken as such",
        lambda c: ratio(c.count["attempts"] - c.count["unreached"], c.count["attempts"]),
    ),
    "given_up": Metric("1/day", "contacts given up after the last attempt", lambda c: c.count["given_up"] / c.days),
    "recalled": Metric(
        "1/day",
        "contacts of a work list that the client took back at the due time",
        lambda c: c.count["recalled"] / c.days,
    ),
    "recovered_usd": Metric("USD/day", "paid by debtors", lambda c: c.count["recovered_usd"] / c.days),
    "commission_usd": Metric(
        "USD/day", "commission on what debtors paid", lambda c: c.count["commission_usd"] / c.days
    ),
}

BAND_METRICS = {
    "arrived": Metric(
        "1/day", "contacts of customers of the band that reached a queue", lambda c: c.count["arrived"] / c.days
    ),
    "service_level_frac": _SERVICE_LEVEL,
    "abandoned_frac": Metric(
        "fraction",
        "abandoned / arrived, each counted when it happens",
        lambda c: ratio(c.count["abandoned"], c.count["arrived"]),
    ),
    "on_time_frac": Metric(
        "fraction",
        "completed by the due time / (those + due times missed)",
        lambda c: ratio(c.count["on_time"], c.count["on_time"] + c.count["late"]),
    ),
    "account_loss_usd": Metric(
        "USD/day", "expected account value lost", lambda c: c.count["account_loss_usd"] / c.days
    ),
}


def calendar_days(scenario: Scenario) -> float:
    """Return the number of calendar days that the counted part of the horizon touches."""
    return math.ceil(scenario.horizon.days) - math.floor(scenario.horizon.warm_up_days)


def _of_channel(channel: Channel) -> Mapping[str, Metric]:
    """Return the metrics of a channel, by key."""
    return QUEUE_METRICS | (REAL_TIME_METRICS if channel.is_real_time else DEFERRED_METRICS)


def _n_bands(scenario: Scenario) -> int:
    """Return the number of account-value bands that are reported."""
    return len(scenario.value_bands_usd) + 1 if scenario.value_bands_usd else 0


def compute_metrics(scenario: Scenario, counts: Counts, n_episodes: int = 1) -> dict[str, float]:
    """Return all metrics of `n_episodes` episodes, whole ones or so far, whose counters were added up to `counts`. NaN,
    without a warning, where a metric is not defined."""
    center = Counted(
        count=counts["center_count"],
        left=None,
        queues=counts["queue_count"],
        wait_count=None,
        cost_usd=float(counts["cost_usd"].sum()),
        days=float(counts["days"]),
        counted_s=float(counts["counted_s"]),
        n_episodes=n_episodes,
        real_time=False,
    )
    metrics = {"total_cost_usd": float(CENTER_METRICS["total_cost_usd"].value(center))}
    for term, cost_usd in zip(COST_TERM_TABLE, counts["cost_usd"], strict=True):
        metrics[f"cost_{term.name}_usd"] = float(cost_usd) / center.days
    metrics |= {key: float(metric.value(center)) for key, metric in CENTER_METRICS.items()}
    for i, channel in enumerate(scenario.channels):
        queue = center._replace(
            count=counts["queue_count"][i],
            left=counts["left"][i],
            wait_count=counts["wait_count"][i],
            real_time=channel.is_real_time,
        )
        for key, metric in _of_channel(channel).items():
            metrics[f"{channel.name}.{key}"] = float(metric.value(queue))
        for waiting, time_s in zip(counts["census_waiting"][i], scenario.census_at_s, strict=False):
            metrics[f"{channel.name}.waiting_at_{time_s:g}_s"] = float(waiting) / n_episodes
    for band in range(_n_bands(scenario)):
        in_band = center._replace(count=counts["band_count"][band])
        metrics |= {f"band_{band}.{key}": float(metric.value(in_band)) for key, metric in BAND_METRICS.items()}
    return metrics


def undefined_keys(scenario: Scenario) -> frozenset[str]:
    """Return the metric keys of `scenario` that may be undefined (NaN): ratios of whose denominator nothing may have
    happened."""
    nothing = compute_metrics(scenario, no_counts(len(scenario.channels)))
    return frozenset(key for key, value in nothing.items() if math.isnan(value))


def metric_glossary(scenario: Scenario) -> dict[str, tuple[str, str]]:
    """Return for every metric key of `scenario` its unit and definition."""
    glossary = {"total_cost_usd": CENTER_METRICS["total_cost_usd"][:2]}
    for term in COST_TERM_TABLE:
        glossary[f"cost_{term.name}_usd"] = ("USD/day", term.meaning)
    glossary |= {key: metric[:2] for key, metric in CENTER_METRICS.items()}
    for channel in scenario.channels:
        glossary |= {f"{channel.name}.{key}": metric[:2] for key, metric in _of_channel(channel).items()}
        for time_s in scenario.census_at_s:
            text = f"mean number of contacts waiting at second {time_s:g}, before what happens in it"
            glossary[f"{channel.name}.waiting_at_{time_s:g}_s"] = ("contacts", text)
    for band in range(_n_bands(scenario)):
        glossary |= {f"band_{band}.{key}": metric[:2] for key, metric in BAND_METRICS.items()}
    return glossary
