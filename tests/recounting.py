"""Test helper: every metric once more, counted from the records of a policy and its scenario alone.

Written from the definitions in docs/metrics.md and docs/records.md, without a look at the counters of the kernel.
"""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from envs.interface.cost_terms import COST_TERMS
from envs.interface.units import DAY_S
from envs.scenario.scenario import Scenario

Rows = dict[str, np.ndarray]

COMPLETED = ("resolved", "unresolved", "returned", "escalated", "deferred", "erred", "reworked")
CONCLUDED = tuple(name for name in COMPLETED if name != "deferred")
BUSY = ("working", "picking_up", "after_work")


def read_records(folder: Path) -> dict[str, Rows]:
    """Return the tables in a folder of records: columns as arrays, null as NaN in numbers and None in texts."""
    tables = {}
    for name in ("contacts", "decisions", "phases", "charges"):
        table = pq.read_table(folder / name)
        tables[name] = {
            column: table[column].to_numpy()
            for column in table.column_names
            if column not in ("center", "candidates", "action_mask")
        }
    return tables


def share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole > 0 else math.nan


class Recount:
    """The metrics of all episodes in `tables`."""

    def __init__(self, scenario: Scenario, tables: dict[str, Rows], n_episodes: int) -> None:
        self.scenario = scenario
        self.contacts, self.phases, self.charges = tables["contacts"], tables["phases"], tables["charges"]
        self.decisions = tables["decisions"]
        self.n_episodes = n_episodes
        self.begin_s = scenario.horizon.warm_up_days * DAY_S
        self.end_s = scenario.horizon.days * DAY_S
        self.counted_s = (self.end_s - self.begin_s) * n_episodes
        last_day, first_day = math.ceil(scenario.horizon.days), math.floor(scenario.horizon.warm_up_days)
        self.days = (last_day - first_day) * n_episodes
        self.visits: dict[tuple[int, int], list[int]] | None = None  # rows of the contacts of each customer

    def counts(self, time_s: np.ndarray) -> np.ndarray:
        """Return what happened after the warm-up; what never happened (NaN) did not."""
        return time_s >= self.begin_s

    def taken_over(self) -> np.ndarray:
        """Return for each phase whether in it a rep picks up what another one had suspended until then."""

        def places(phase: str, time: str) -> list[tuple[int, int, float]]:
            chosen = self.phases["phase"] == phase
            return list(zip(*(self.phases[key][chosen] for key in ("episode", "contact", time)), strict=True))

        held = dict(
            zip(places("suspended", "end_s"), self.phases["rep"][self.phases["phase"] == "suspended"], strict=True)
        )
        for released in places("waiting", "start_s"):
            held.pop(released, None)
        is_pick_up = self.phases["phase"] == "picking_up"
        taken_over = np.zeros(len(is_pick_up), bool)
        reps = self.phases["rep"][is_pick_up]
        others = [held.get(place, rep) != rep for place, rep in zip(places("picking_up", "start_s"), reps, strict=True)]
        taken_over[is_pick_up] = others
        return taken_over & self.counts(self.phases["start_s"])

    def per_day(self, selected: np.ndarray) -> float:
        return float(np.sum(selected)) / self.days

    def spent_s(self, *phases: str, channel: str | None = None) -> float:
        """Return the time in `phases`, seconds, that falls into the counted part of the horizon."""
        chosen = np.isin(self.phases["phase"], phases)
        if channel is not None:
            chosen &= self.phases["channel"] == channel
        start_s = np.maximum(self.phases["start_s"][chosen], self.begin_s)
        return float(np.maximum(self.phases["end_s"][chosen] - start_s, 0.0).sum())

    def busy_s(self) -> float:
        """Return the time in which reps are busy, seconds; one who holds several contacts is one rep."""
        chosen = np.isin(self.phases["phase"], BUSY)
        start_s = np.maximum(self.phases["start_s"][chosen], self.begin_s)
        whose = zip(self.phases["episode"][chosen], self.phases["rep"][chosen], strict=True)
        spans = sorted(zip(whose, start_s.tolist(), self.phases["end_s"][chosen].tolist(), strict=True))
        total_s, last, until_s = 0.0, None, 0.0
        for rep, begin_s, end_s in spans:
            if rep != last:
                last, until_s = rep, self.begin_s
            total_s += max(end_s - max(begin_s, until_s), 0.0)
            until_s = max(until_s, end_s)
        return total_s

    def all_busy(self) -> tuple[float, int]:
        """Return the counted time in which somebody is busy and nobody idle, seconds, and how many such spells begin
        in it."""
        phases, total_s, n_spells = self.phases, 0.0, 0
        is_idle, is_busy = phases["phase"] == "idle", np.isin(phases["phase"], BUSY)
        for episode in range(self.n_episodes):
            mine = (phases["episode"] == episode) & (is_idle | is_busy)
            changes: dict[float, list[int]] = {}  # by time: of the idle reps, and of what is in the hands of others
            for key, change in (("start_s", 1), ("end_s", -1)):
                for time_s, idle in zip(phases[key][mine].tolist(), is_idle[mine].tolist(), strict=True):
                    changes.setdefault(time_s, [0, 0])[0 if idle else 1] += change
            n_idle, n_in_hand, was_all_busy = 0, 0, False
            for time_s, next_s in pairwise(sorted(changes)):
                n_idle += changes[time_s][0]
                n_in_hand += changes[time_s][1]
                is_all_busy = n_idle == 0 and n_in_hand > 0
                total_s += is_all_busy * max(next_s - max(time_s, self.begin_s), 0.0)
                n_spells += is_all_busy and not was_all_busy and time_s >= self.begin_s
                was_all_busy = is_all_busy
        return total_s, n_spells

    def metrics(self) -> dict[str, float]:
        """Return every metric by its key."""
        scenario, contacts, charges = self.scenario, self.contacts, self.charges
        costs = {term: self.cost_usd(term) for term in COST_TERMS}
        ended = self.counts(contacts["ended_s"])
        completed = np.isin(contacts["disposition"], COMPLETED) & ended
        on_floor_s = self.spent_s("idle") + self.busy_s()
        suspended = self.phases["phase"] == "suspended"
        busy_s, (all_busy_s, n_spells) = self.busy_s(), self.all_busy()
        found = {
            "total_cost_usd": sum(costs.values()) / self.days,
            **{f"cost_{term}_usd": usd / self.days for term, usd in costs.items()},
            "account_loss_usd": self.per_day(charges["account_loss_usd"][self.counts(charges["time_s"])]),
            "occupancy_frac": share(busy_s, on_floor_s),
            "mean_busy_reps": busy_s / self.counted_s,
            "contacts_per_busy_rep": share(self.spent_s("working", "picking_up"), busy_s - self.spent_s("after_work")),
            "all_busy_frac": all_busy_s / self.counted_s,
            "mean_all_busy_s": share(all_busy_s, n_spells),
            "pick_up_min": self.spent_s("picking_up") / 60 / self.days,
            "absent_min": self.spent_s("absent") / 60 / self.days,
            "overtime_min": self.spent_s("overtime") / 60 / self.days,
            "contacts_per_rep_hour": share(completed.sum(), on_floor_s / 3600),
            "cost_per_contact_usd": share(sum(costs.values()), completed.sum()),
            "interruptions": self.per_day(suspended & self.counts(self.phases["start_s"])),
            "take_overs": self.per_day(self.taken_over()),
            "decisions": self.per_day(self.counts(self.decisions["time_s"])),
            "substituted": self.per_day(self.counts(self.decisions["time_s"]) & self.decisions["substituted"]),
            "lost": self.per_day((contacts["disposition"] == "lost") & ended),
        }
        for channel in scenario.channels:
            of_channel = self.channel_metrics(channel.name, channel.is_real_time)
            for time_s in scenario.census_at_s:
                of_channel[f"waiting_at_{time_s:g}_s"] = self.waiting_at(channel.name, time_s) / self.n_episodes
            found |= {f"{channel.name}.{key}": value for key, value in of_channel.items()}
        if scenario.value_bands_usd:
            for band in range(len(scenario.value_bands_usd) + 1):
                found |= {f"band_{band}.{key}": value for key, value in self.band_metrics(band).items()}
        return found

    def cost_usd(self, term: str) -> float:
        """Return what was charged to `term`, and what accrued with time, from the prices of the scenario."""
        chosen = (self.charges["term"] == term) & self.counts(self.charges["time_s"])
        total_usd = float(self.charges["amount_usd"][chosen].sum())
        weight = self.scenario.costs.weights.get(term, 1.0)  # type: ignore[call-overload]
        if term == "backlog":
            for channel in self.scenario.channels:
                present_s = self.spent_s("waiting", "working", "picking_up", "suspended", channel=channel.name)
                total_usd += weight * channel.costs.holding_usd_per_hour / 3600 * present_s
                waiting_s = self.spent_s("waiting", channel=channel.name)
                total_usd += weight * channel.costs.waiting_usd_per_hour / 3600 * waiting_s
                overdue_s = self.overdue_waiting_s(channel.name)
                total_usd += weight * channel.costs.overdue_waiting_usd_per_hour / 3600 * overdue_s
        if term == "handling":
            total_usd += weight * self.scenario.costs.overtime_usd_per_hour / 3600 * self.spent_s("overtime")
        return total_usd

    def overdue_waiting_s(self, name: str) -> float:
        """Return the counted time for which contacts of a channel wait after their due time, seconds."""
        phases, contacts = self.phases, self.contacts
        # A repeated attempt may have been overdue all along.
        known_s = np.where(np.isnan(contacts["due_passed_s"]), -np.inf, contacts["due_passed_s"])
        passed_s = {
            (episode, contact): time_s
            for episode, contact, time_s, overdue in zip(
                contacts["episode"], contacts["contact"], known_s, contacts["overdue"], strict=True
            )
            if overdue
        }
        total_s = 0.0
        for row in np.flatnonzero((phases["phase"] == "waiting") & (phases["channel"] == name)):
            due_s = passed_s.get((phases["episode"][row], phases["contact"][row]), np.inf)
            total_s += max(phases["end_s"][row] - max(phases["start_s"][row], due_s, self.begin_s), 0.0)
        return total_s

    def step_cost_usd(self, term: str) -> float:
        """Return the same from the decisions: steps that end before the end of the warm-up do not count."""
        return float(self.decisions[f"cost_{term}_usd"][self.counts(self.decisions["until_s"])].sum())

    def handle_s(self) -> np.ndarray:
        """Return the handle time of each contact, with that of earlier attempts that did not reach the customer."""
        keys = ("episode", "customer", "attempt")
        _, same = np.unique(np.array([self.contacts[key] for key in keys]), axis=1, return_inverse=True)
        return np.bincount(same, self.contacts["handle_s"])[same]

    def waiting_at(self, name: str, time_s: float) -> int:
        """Return how many contacts of a channel wait just before `time_s`, in all episodes."""
        phases = self.phases
        waiting = (phases["phase"] == "waiting") & (phases["channel"] == name)
        return int((waiting & (phases["start_s"] < time_s) & (phases["end_s"] >= time_s)).sum())

    def scheduled_s(self, mine: np.ndarray) -> float:
        """Return the counted time between the settling of a return and its arrival, seconds: `mine` are the chosen
        contacts; a debt taken back before that has an end and no arrival."""
        contacts = self.contacts
        mine = mine & ~np.isnan(contacts["scheduled_s"])
        until_s = np.where(np.isnan(contacts["arrived_s"]), contacts["ended_s"], contacts["arrived_s"])
        until_s = np.where(np.isnan(until_s), self.end_s, until_s)[mine]
        return float(np.maximum(until_s - np.maximum(contacts["scheduled_s"][mine], self.begin_s), 0.0).sum())

    def found_open(self, name: str) -> tuple[int, int, int]:
        """Return how many new customers come to a channel after second 0, how many of its contacts they find open, and
        how many of these may have left in the same second already, for all that the records tell.

        Within a second work ends first, then customers come, then clocks strike; contacts are numbered as they begin.
        """
        contacts = self.contacts
        of_channel = (contacts["channel"] == name) & (contacts["disposition"] != "lost")
        new = of_channel & (contacts["attempt"] == 0) & np.isnan(contacts["scheduled_s"])
        new &= (contacts["arrived_s"] > 0) & self.counts(contacts["arrived_s"])
        if self.scenario.channels[self.scenario.channel_index(name)].is_unlimited:
            new[:] = False
        n_found, n_unclear = 0, 0
        for customer in np.flatnonzero(new):
            time_s = contacts["arrived_s"][customer]
            others = of_channel & (contacts["episode"] == contacts["episode"][customer])
            others &= (contacts["disposition"] != "blocked") & (contacts["arrived_s"] <= time_s)
            others &= ~(contacts["ended_s"] < time_s)
            others[customer] = False
            for other in np.flatnonzero(others):
                if self.came_before(other, customer):
                    left = self.left_before(other, customer)
                    n_found += left is not True
                    n_unclear += left is None
        return int(new.sum()), n_found, n_unclear

    def came_before(self, other: int, customer: int) -> bool:
        """Return True if a contact, which joined when `customer` came or earlier, did so before."""
        contacts = self.contacts
        time_s = contacts["arrived_s"][customer]
        if contacts["arrived_s"][other] < time_s:
            return True
        begins_before = contacts["contact"][other] < contacts["contact"][customer]
        if np.isnan(contacts["scheduled_s"][other]):
            return bool(begins_before)
        # Of those who come back, only these do so without a clock.
        ended = contacts["disposition"][self.neighbor(other, -1)]
        is_at_once = contacts["scheduled_s"][other] == time_s and ended in ("escalated", "callback_accepted")
        return bool(is_at_once and begins_before)

    def left_before(self, other: int, customer: int) -> bool | None:
        """Return True if a contact, which did not end before the second in which `customer` came, ended before, None if
        the records do not tell."""
        contacts = self.contacts
        time_s, ended = contacts["arrived_s"][customer], contacts["disposition"][other]
        if contacts["ended_s"][other] != time_s or ended in ("abandoned", "redialled", "recalled"):  # by a clock
            return False
        following = self.neighbor(other, 1)
        if following is not None:
            return bool(contacts["contact"][following] < contacts["contact"][customer])
        return True if contacts["first_start_s"][other] < time_s else None

    def neighbor(self, contact: int, step: int) -> int | None:
        """Return the contact, a row, that the same customer had next (`step` 1) or before (-1)."""
        if self.visits is None:
            self.visits = {}
            for row, key in enumerate(zip(self.contacts["episode"], self.contacts["customer"], strict=True)):
                self.visits.setdefault(key, []).append(row)
        mine = self.visits[self.contacts["episode"][contact], self.contacts["customer"][contact]]
        place = mine.index(contact) + step
        return mine[place] if 0 <= place < len(mine) else None

    def service_level_frac(self, mine: np.ndarray) -> float:
        """Return the service level of the real-time ones among the contacts that `mine` chooses: of those who came and
        found room, but the early leavers whom the scenario forgives, the share answered in time."""
        contacts, n_in_time, n_to_answer = self.contacts, 0, 0
        rule = self.scenario.service_level
        for channel in self.scenario.channels:
            if not channel.is_real_time:
                continue
            came = mine & (contacts["channel"] == channel.name) & self.counts(contacts["arrived_s"])
            came &= ~np.isin(contacts["disposition"], ["blocked", "lost"])
            threshold_s = channel.service_level_threshold_s
            n_in_time += (contacts["first_start_s"] - contacts["arrived_s"] <= threshold_s)[came].sum()
            wait_s = (contacts["ended_s"] - contacts["arrived_s"])[came]
            hung_up = np.isin(contacts["disposition"], ["abandoned", "redialled"])[came]
            forgiven = np.zeros(len(wait_s), bool)
            if rule.abandoned_within_threshold == "left_out":
                forgiven |= wait_s <= threshold_s
            if rule.short_abandon_s is not None:
                forgiven |= wait_s <= rule.short_abandon_s
            n_to_answer += len(wait_s) - (hung_up & forgiven).sum()
        return share(n_in_time, n_to_answer)

    def on_time_frac(self, mine: np.ndarray) -> float:
        contacts = self.contacts
        deferred = [channel.name for channel in self.scenario.channels if not channel.is_real_time]
        mine = mine & np.isin(contacts["channel"], deferred)
        ended = mine & self.counts(contacts["ended_s"])
        kept = ended & np.isin(contacts["disposition"], COMPLETED) & ~contacts["overdue"]
        missed = mine & self.counts(contacts["due_passed_s"])
        given_up = ended & (contacts["disposition"] == "given_up") & ~contacts["overdue"]
        return share(kept.sum(), kept.sum() + missed.sum() + given_up.sum())

    def channel_metrics(self, name: str, real_time: bool) -> dict[str, float]:
        contacts = self.contacts
        mine = contacts["channel"] == name
        ended = mine & self.counts(contacts["ended_s"])

        def ending(*dispositions: str) -> np.ndarray:
            return ended & np.isin(contacts["disposition"], dispositions)

        arrived = mine & self.counts(np.maximum(contacts["arrived_s"], 0.0))
        blocked = ending("blocked", "lost")
        admitted = arrived.sum() - blocked.sum()
        started = mine & self.counts(contacts["first_start_s"])
        abandoned = ending("abandoned", "redialled")
        called_back = ending("callback_accepted", "callback_refused")
        completed = ending(*COMPLETED)
        to_start_s = contacts["first_start_s"] - contacts["arrived_s"]
        to_end_s = contacts["ended_s"] - contacts["arrived_s"]
        wait_s = to_start_s[started].sum() + to_end_s[abandoned].sum() + to_end_s[called_back].sum()
        n_waits = (to_start_s[started] > 0).sum() + abandoned.sum() + (to_end_s[called_back] > 0).sum()
        waits_s = np.concatenate([to_start_s[started], to_end_s[abandoned], to_end_s[called_back]])
        first = contacts["attempt"] == 0
        n_first = (ending(*CONCLUDED) & first).sum()
        n_customers, n_found, _ = self.found_open(name)
        present_s = self.spent_s("waiting", "working", "picking_up", "suspended", channel=name)
        preferring = started & ~np.isnan(contacts["preferred_rep"].astype(float))
        left = mine & np.isin(contacts["disposition"], ["left_waiting", "left_in_service", "left_suspended"])
        if self.scenario.channels[self.scenario.channel_index(name)].is_unlimited:
            left &= (contacts["disposition"] != "left_waiting") | (contacts["interruptions"] > 0)
        charges = self.charges
        charged = (charges["channel"] == name) & self.counts(charges["time_s"])
        unresolved = ending("unresolved", "returned", "escalated")
        found = {
            "arrived": self.per_day(arrived),
            "blocked_frac": share(blocked.sum(), arrived.sum()),
            "completed": self.per_day(completed),
            "wait_prob": share(n_waits, admitted),
            "mean_wait_s": share(wait_s, started.sum() + abandoned.sum() + called_back.sum()),
            "mean_wait_started_s": share(to_start_s[started].sum(), started.sum()),
            "mean_cycle_s": share(to_end_s[completed].sum(), completed.sum()),
            "wait_variance_s2": float(waits_s.var()) if len(waits_s) else math.nan,
            "wait_p95_s": float(np.sort(waits_s)[math.floor(0.95 * len(waits_s))]) if len(waits_s) else math.nan,
            "mean_customer_s": share(to_end_s[completed].sum(), n_first),
            "contacts_per_customer": share(completed.sum(), n_first),
            "mean_handle_s": share(self.handle_s()[completed].sum(), completed.sum()),
            "after_work_frac": self.spent_s("after_work", channel=name) / self.counted_s,
            "mean_waiting": self.spent_s("waiting", channel=name) / self.counted_s,
            "mean_in_service": self.spent_s("working", "picking_up", channel=name) / self.counted_s,
            "mean_open": present_s / self.counted_s,
            "mean_scheduled": self.scheduled_s(mine) / self.counted_s,
            "found_open": share(n_found, n_customers),
            "fcr_frac": share((ending("resolved") & first).sum(), n_first),
            "unresolved": self.per_day(unresolved),
            "returned": self.per_day(ending("returned")),
            "escalated": self.per_day(ending("escalated")),
            "deferred": self.per_day(ending("deferred")),
            "preferred_frac": share(
                (preferring & (contacts["first_rep"] == contacts["preferred_rep"])).sum(), preferring.sum()
            ),
            "left_open": float(left.sum()) / self.n_episodes,
            "account_loss_usd": self.per_day(charges["account_loss_usd"][charged]),
        }
        if real_time:
            return found | {
                "service_level_frac": self.service_level_frac(mine),
                "abandoned": self.per_day(abandoned),
                "abandoned_frac": share(abandoned.sum(), arrived.sum()),
                "mean_wait_abandoned_s": share(to_end_s[abandoned].sum(), abandoned.sum()),
                "redialled": self.per_day(ending("redialled")),
                "callback_frac": share(called_back.sum(), arrived.sum()),
                "callbacks_offered": self.per_day(mine & self.counts(contacts["callback_offered_s"])),
                "callbacks_accepted": self.per_day(called_back),
                "callbacks_refused": self.per_day(ending("callback_refused")),
            }
        phases = self.phases
        suspended = (phases["phase"] == "suspended") & (phases["channel"] == name) & self.counts(phases["start_s"])
        attempts = started & (contacts["reached"] != None)  # noqa: E711 (element by element)
        unreached = ending("unreached", "given_up")
        return found | {
            "on_time_frac": self.on_time_frac(mine),
            "mean_suspended": self.spent_s("suspended", channel=name) / self.counted_s,
            "left_overdue": float((left & contacts["overdue"]).sum()) / self.n_episodes,
            "left_age_s": share((self.end_s - contacts["arrived_s"][left]).sum(), left.sum()),
            "interruptions_per_contact": share(suspended.sum(), completed.sum()),
            "pick_up_frac": self.spent_s("picking_up", channel=name) / self.counted_s,
            "errors_frac": share(ending("erred", "reworked").sum(), completed.sum()),
            "reworked": self.per_day(ending("reworked")),
            "attempts": self.per_day(attempts),
            "reached_frac": share(attempts.sum() - unreached.sum(), attempts.sum()),
            "given_up": self.per_day(ending("given_up")),
            "recalled": self.per_day(ending("recalled")),
            "recovered_usd": self.per_day(contacts["recovered_usd"][ended]),
            "commission_usd": self.per_day(contacts["commission_usd"][ended]),
        }

    def band_metrics(self, band: int) -> dict[str, float]:
        contacts, charges = self.contacts, self.charges
        mine = contacts["band"] == band
        hung_up = np.isin(contacts["disposition"], ["abandoned", "redialled"])
        abandoned = mine & hung_up & self.counts(contacts["ended_s"])
        arrived = mine & self.counts(np.maximum(contacts["arrived_s"], 0.0))
        of_band = {
            (episode, contact)
            for episode, contact in zip(contacts["episode"][mine], contacts["contact"][mine], strict=True)
        }
        charged = self.counts(charges["time_s"]) & np.array(
            [key in of_band for key in zip(charges["episode"], charges["contact"], strict=True)], bool
        )
        return {
            "arrived": self.per_day(arrived),
            "service_level_frac": self.service_level_frac(mine),
            "abandoned_frac": share(abandoned.sum(), arrived.sum()),
            "on_time_frac": self.on_time_frac(mine),
            "account_loss_usd": self.per_day(charges["account_loss_usd"][charged]),
        }


def recount_metrics(scenario: Scenario, folder: Path, n_episodes: int) -> dict[str, Any]:
    """Return every metric of the `n_episodes` episodes recorded in a policy's `folder`."""
    return Recount(scenario, read_records(folder), n_episodes).metrics()
