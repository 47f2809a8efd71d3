"""What is measured: every metric key, its unit and its definition, from the counters of a state.

Room: `envs`. Reads a state and the scenario; touches nothing.

Money is USD per calendar day touched by the counted part of the horizon. A ratio is a sum over a sum, NaN where the
denominator is 0. Averages over episodes are again sums over sums: `add_counts` adds the counters of several episodes.
Keys of a queue start with the channel's name, keys of an account-value band with `band_<i>` (0 is the lowest).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.interface.cost_terms import COST_TERMS
from envs.interface.units import DAY_S
from envs.scenario.scenario import Scenario
from envs.simulator.machine.record_types import WAIT_CELLS, WAIT_OCTAVES

CENTER_METRICS = {
    "total_cost_usd": ("USD/day", "sum of all cost terms"),
    "account_loss_usd": ("USD/day", "expected account value lost, all causes, before weights"),
    "occupancy_frac": (
        "fraction",
        "rep time at work, picking up or in after-contact work / rep time on the floor, overtime included",
    ),
    "mean_busy_reps": ("reps", "time average of reps at work, picking up or in after-contact work"),
    "contacts_per_busy_rep": ("contacts", "time average of contacts in the hands of a rep / that of reps who have any"),
    "all_busy_frac": ("fraction", "time in which every rep on the floor is busy / counted time"),
    "mean_all_busy_s": (
        "s",
        "that time / such spells that begin in it; of a single rep the mean busy period",
    ),
    "pick_up_min": ("min/day", "rep minutes lost to picking up interrupted work"),
    "absent_min": ("min/day", "rep minutes of shifts that were missed, breaks included"),
    "overtime_min": ("min/day", "rep minutes on a contact after the shift's end"),
    "contacts_per_rep_hour": ("1/h", "contacts completed / rep hours on the floor"),
    "cost_per_contact_usd": ("USD", "total cost / contacts completed"),
    "interruptions": ("1/day", "interruptions of work or of a pick-up"),
    "decisions": ("1/day", "questions put to the router"),
    "substituted": ("1/day", "masked actions replaced by wait"),
    "lost": ("1/day", "contacts turned away because the simulator's own capacity was full; must be 0"),
}
QUEUE_METRICS = {
    "arrived": ("1/day", "contacts that reached the queue, blocked ones included"),
    "blocked_frac": ("fraction", "blocked / arrived"),
    "completed": ("1/day", "contacts completed"),
    "wait_prob": ("fraction", "contacts that waited at all / (arrived - blocked)"),
    "mean_wait_s": ("s", "total wait of started, abandoned and called-back contacts / their number"),
    "mean_wait_started_s": ("s", "total wait of started contacts / started"),
    "mean_cycle_s": ("s", "time from joining the queue to completion / completed"),
    "wait_variance_s2": ("s^2", "variance of the waits that mean_wait_s averages"),
    "wait_p95_s": ("s", "95 % quantile of these waits, from a histogram with cells of at most a sixteenth of the wait"),
    "mean_customer_s": (
        "s",
        "mean_cycle_s * contacts_per_customer: waits and work of all contacts of a customer",
    ),
    "contacts_per_customer": ("count", "completed / customers' first contacts completed without follow-up"),
    "mean_handle_s": ("s", "handle time of completed contacts, after-contact work included / completed (AHT)"),
    "after_work_frac": ("fraction", "rep time in after-contact work of the queue / counted time"),
    "mean_waiting": ("contacts", "time average of contacts waiting"),
    "mean_in_service": ("contacts", "time average of contacts in the hands of a rep, picked up ones included"),
    "mean_open": ("contacts", "time average of contacts waiting, suspended and in service"),
    "mean_scheduled": ("contacts", "time average of contacts that are not there yet, but will come back to the queue"),
    "found_open": (
        "contacts",
        "mean number of its open contacts that new customers find who come after second 0",
    ),
    "fcr_frac": (
        "fraction",
        "customers' first contacts resolved without error or follow-up / first contacts completed without one (FCR)",
    ),
    "unresolved": ("1/day", "contacts completed without error and not resolved"),
    "returned": ("1/day", "unresolved contacts that come back"),
    "escalated": ("1/day", "unresolved contacts escalated: internally, or by live transfer"),
    "deferred": ("1/day", "contacts that ended deferred: a follow-up was scheduled"),
    "preferred_frac": ("fraction", "started by the customer's preferred rep / started, of customers who have one"),
    "left_open": ("contacts", "contacts open at the end of the horizon"),
    "account_loss_usd": ("USD/day", "expected account value lost"),
}
REAL_TIME_METRICS = {
    "service_level_frac": ("fraction", "started within the threshold / (arrived - blocked)"),
    "abandoned": ("1/day", "contacts that hung up"),
    "abandoned_frac": ("fraction", "abandoned / arrived"),
    "mean_wait_abandoned_s": ("s", "total wait of abandoned contacts / abandoned"),
    "redialled": ("1/day", "abandoned contacts that will dial again"),
    "callback_frac": ("fraction", "callbacks accepted / arrived"),
    "callbacks_offered": ("1/day", "callbacks offered"),
    "callbacks_accepted": ("1/day", "callbacks accepted"),
    "callbacks_refused": ("1/day", "accepted callbacks that were not approved"),
}
DEFERRED_METRICS = {
    "on_time_frac": ("fraction", "completed by the due time / (those + due times missed); kept promises of callbacks"),
    "mean_suspended": ("contacts", "time average of suspended contacts"),
    "left_overdue": ("contacts", "contacts open and overdue at the end of the horizon"),
    "left_age_s": ("s", "mean age of the contacts open at the end of the horizon"),
    "interruptions_per_contact": ("count", "interruptions / completed"),
    "pick_up_frac": ("fraction", "pick-up time on this queue's contacts / counted time"),
    "errors_frac": ("fraction", "completed with an error / completed"),
    "reworked": ("1/day", "errors that come back as rework"),
    "attempts": ("1/day", "outbound attempts to reach the customer"),
    "reached_frac": ("fraction", "attempts that reached the customer / attempts, those under way taken as such"),
    "given_up": ("1/day", "contacts given up after the last attempt"),
    "recalled": ("1/day", "contacts of a work list that the client took back at the due time"),
    "recovered_usd": ("USD/day", "paid by debtors"),
    "commission_usd": ("USD/day", "commission on what debtors paid"),
}
BAND_METRICS = {
    "arrived": ("1/day", "contacts of customers of the band that reached a queue"),
    "service_level_frac": (
        "fraction",
        "real-time contacts started within the threshold / real-time contacts started or abandoned",
    ),
    "abandoned_frac": ("fraction", "abandoned / arrived"),
    "on_time_frac": ("fraction", "completed by the due time / (those + due times missed)"),
    "account_loss_usd": ("USD/day", "expected account value lost"),
}
Counts = dict[str, Any]


def read_counts(state: Any) -> Counts:
    """Return a copy of the counters of one state record: names to arrays, times of the counted part in `counted_s`."""
    return {
        "cost_usd": np.array(state["cost_usd"]),
        # Of a single record `np.array` makes an array that shares its memory, even with `copy=True`.
        "center_count": np.array(state["center_count"]).copy(),
        "queue_count": np.array(state["queue_count"]),
        "band_count": np.array(state["band_count"]),
        "wait_count": np.array(state["wait_count"]).astype(np.int64),
        "census_waiting": np.array(state["census_waiting"]).astype(np.int64),
    }


def add_counts(counts: list[Counts]) -> Counts:
    """Return the sums of the counters of several episodes."""
    total: Counts = {key: sum(count[key] for count in counts) for key in ("cost_usd", "wait_count", "census_waiting")}
    for key in ("center_count", "queue_count", "band_count"):
        added = counts[0][key].copy()
        for name in added.dtype.names:
            added[name] = sum(count[key][name] for count in counts)
        total[key] = added
    return total


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator > 0 else math.nan


def calendar_days(scenario: Scenario) -> float:
    """Return the number of calendar days that the counted part of the horizon touches."""
    return math.ceil(scenario.horizon.days) - math.floor(scenario.horizon.warm_up_days)


def compute_metrics(scenario: Scenario, counts: Counts, n_episodes: int = 1) -> dict[str, float]:
    """Return all metrics of `n_episodes` whole episodes whose counters were added up to `counts`."""
    days = calendar_days(scenario) * n_episodes
    counted_s = (scenario.horizon.days - scenario.horizon.warm_up_days) * DAY_S * n_episodes
    center, queues = counts["center_count"], counts["queue_count"]
    total_usd = float(counts["cost_usd"].sum())
    completed = float(queues["completed"].sum())
    in_after_work_s = float(queues["after_work_time_s"].sum())
    metrics = {"total_cost_usd": total_usd / days}
    for i, term in enumerate(COST_TERMS):
        metrics[f"cost_{term}_usd"] = float(counts["cost_usd"][i]) / days
    metrics |= {
        "account_loss_usd": float(queues["account_loss_usd"].sum()) / days,
        "occupancy_frac": _ratio(center["busy_s"], center["staffed_s"]),
        "mean_busy_reps": float(center["busy_s"]) / counted_s,
        "contacts_per_busy_rep": _ratio(float(queues["in_service_time_s"].sum()), center["busy_s"] - in_after_work_s),
        "all_busy_frac": float(center["all_busy_s"]) / counted_s,
        "mean_all_busy_s": _ratio(center["all_busy_s"], center["all_busy_spells"]),
        "pick_up_min": float(center["pick_up_s"]) / 60.0 / days,
        "absent_min": float(center["absent_s"]) / 60.0 / days,
        "overtime_min": float(center["overtime_s"]) / 60.0 / days,
        "contacts_per_rep_hour": _ratio(completed, center["staffed_s"] / 3600.0),
        "cost_per_contact_usd": _ratio(total_usd, completed),
        "interruptions": float(queues["interruptions"].sum()) / days,
        "decisions": float(center["decisions"]) / days,
        "substituted": float(center["substituted"]) / days,
        "lost": float(queues["lost"].sum()) / days,
    }
    for i, channel in enumerate(scenario.channels):
        values = _queue_metrics(queues[i], counts["wait_count"][i], channel.is_real_time, days, counted_s, n_episodes)
        for place, time_s in enumerate(scenario.census_at_s):
            values[f"waiting_at_{time_s:g}_s"] = float(counts["census_waiting"][i, place]) / n_episodes
        metrics |= {f"{channel.name}.{key}": value for key, value in values.items()}
    for band in range(len(scenario.value_bands_usd) + 1 if scenario.value_bands_usd else 0):
        values = _band_metrics(counts["band_count"][band], days)
        metrics |= {f"band_{band}.{key}": value for key, value in values.items()}
    return metrics


def _wait_quantile_s(wait_count: NDArray[np.int64], n_waits: float, probability: float) -> float:
    """Return the quantile of `n_waits` waits, seconds; those that the histogram `wait_count` leaves out are 0. Linear
    within a cell."""
    if n_waits <= 0:
        return math.nan
    edges_s = [np.arange(WAIT_CELLS) / WAIT_CELLS]
    edges_s += [2.0**octave * (1.0 + np.arange(WAIT_CELLS) / WAIT_CELLS) for octave in range(WAIT_OCTAVES)]
    upper_s = np.append(np.concatenate(edges_s), 2.0**WAIT_OCTAVES)
    at_most = np.cumsum(np.insert(wait_count.ravel(), 0, round(n_waits) - wait_count.sum()))
    return float(np.interp(probability * n_waits, at_most, upper_s))


def _queue_metrics(
    count: Any, wait_count: NDArray[np.int64], real_time: bool, days: float, counted_s: float, n_episodes: int
) -> dict[str, float]:
    admitted = count["arrived"] - count["blocked"]
    n_waits = count["started"] + count["abandoned"] + (count["callbacks_accepted"] if real_time else 0.0)
    mean_wait_s = _ratio(count["wait_s"], n_waits)
    in_center_s = count["waiting_time_s"] + count["in_service_time_s"] + count["suspended_time_s"]
    values = {
        "arrived": count["arrived"] / days,
        "blocked_frac": _ratio(count["blocked"], count["arrived"]),
        "completed": count["completed"] / days,
        "wait_prob": _ratio(count["waited"], admitted),
        "mean_wait_s": mean_wait_s,
        "mean_wait_started_s": _ratio(count["wait_started_s"], count["started"]),
        "mean_cycle_s": _ratio(count["cycle_s"], count["completed"]),
        "wait_variance_s2": max(_ratio(count["wait_squared_s2"], n_waits) - mean_wait_s**2, 0.0),
        "wait_p95_s": _wait_quantile_s(wait_count, n_waits, 0.95),
        "mean_customer_s": _ratio(count["cycle_s"], count["first_contacts"]),
        "contacts_per_customer": _ratio(count["completed"], count["first_contacts"]),
        "mean_handle_s": _ratio(count["handle_s"], count["completed"]),
        "after_work_frac": count["after_work_time_s"] / counted_s,
        "mean_waiting": count["waiting_time_s"] / counted_s,
        "mean_in_service": count["in_service_time_s"] / counted_s,
        "mean_open": in_center_s / counted_s,
        "mean_scheduled": count["scheduled_time_s"] / counted_s,
        "found_open": _ratio(count["found_open"], count["came"]),
        "fcr_frac": _ratio(count["first_resolved"], count["first_contacts"]),
        "unresolved": count["unresolved"] / days,
        "returned": count["returned"] / days,
        "escalated": count["escalated"] / days,
        "deferred": count["deferred"] / days,
        "preferred_frac": _ratio(count["preferred_started"], count["preferring_started"]),
        "left_open": count["left_open"] / n_episodes,
        "account_loss_usd": count["account_loss_usd"] / days,
    }
    if real_time:
        values |= {
            "service_level_frac": _ratio(count["started_within_threshold"], admitted),
            "abandoned": count["abandoned"] / days,
            "abandoned_frac": _ratio(count["abandoned"], count["arrived"]),
            "mean_wait_abandoned_s": _ratio(count["wait_abandoned_s"], count["abandoned"]),
            "redialled": count["redialled"] / days,
            "callback_frac": _ratio(count["callbacks_accepted"], count["arrived"]),
            "callbacks_offered": count["callbacks_offered"] / days,
            "callbacks_accepted": count["callbacks_accepted"] / days,
            "callbacks_refused": count["callbacks_refused"] / days,
        }
    else:
        values |= {
            "on_time_frac": _ratio(count["on_time"], count["on_time"] + count["late"]),
            "mean_suspended": count["suspended_time_s"] / counted_s,
            "left_overdue": count["left_overdue"] / n_episodes,
            "left_age_s": _ratio(count["left_age_s"], count["left_open"]),
            "interruptions_per_contact": _ratio(count["interruptions"], count["completed"]),
            "pick_up_frac": count["pick_up_s"] / counted_s,
            "errors_frac": _ratio(count["errors"], count["completed"]),
            "reworked": count["reworked"] / days,
            "attempts": count["attempts"] / days,
            "reached_frac": _ratio(count["attempts"] - count["unreached"], count["attempts"]),
            "given_up": count["given_up"] / days,
            "recalled": count["recalled"] / days,
            "recovered_usd": count["recovered_usd"] / days,
            "commission_usd": count["commission_usd"] / days,
        }
    return {key: float(value) for key, value in values.items()}


def _band_metrics(count: Any, days: float) -> dict[str, float]:
    return {
        "arrived": float(count["arrived"]) / days,
        "service_level_frac": _ratio(
            count["started_within_threshold"], count["real_time_started"] + count["abandoned"]
        ),
        "abandoned_frac": _ratio(count["abandoned"], count["arrived"]),
        "on_time_frac": _ratio(count["on_time"], count["on_time"] + count["late"]),
        "account_loss_usd": float(count["account_loss_usd"]) / days,
    }


def metric_glossary(scenario: Scenario) -> dict[str, tuple[str, str]]:
    """Return for every metric key of `scenario` its unit and definition."""
    glossary = {"total_cost_usd": CENTER_METRICS["total_cost_usd"]}
    for term in COST_TERMS:
        glossary[f"cost_{term}_usd"] = ("USD/day", f"cost term {term}, with its weight")
    glossary |= CENTER_METRICS
    for channel in scenario.channels:
        kind = REAL_TIME_METRICS if channel.is_real_time else DEFERRED_METRICS
        glossary |= {f"{channel.name}.{key}": text for key, text in (QUEUE_METRICS | kind).items()}
        for time_s in scenario.census_at_s:
            text = f"mean number of contacts waiting at second {time_s:g}, before what happens in it"
            glossary[f"{channel.name}.waiting_at_{time_s:g}_s"] = ("contacts", text)
    for band in range(len(scenario.value_bands_usd) + 1 if scenario.value_bands_usd else 0):
        glossary |= {f"band_{band}.{key}": text for key, text in BAND_METRICS.items()}
    return glossary
