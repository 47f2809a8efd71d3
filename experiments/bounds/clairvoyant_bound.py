"""The least that an episode can cost a router who knows the whole future: a linear program for each episode.

Room: `experiments.bounds`. Touches `envs.inputs.demand` and `envs.inputs.parameters`. docs/bound.md has the proof.

Only customers' first contacts are modelled, and each cost that is left out is >= 0. A contact ends in one of several
*ways*: served in time, served late, turned away, called back, given up, left. A way has a cost below what any policy
pays for it, and perhaps work: rep time that has to be found between its release and its deadline. All that ties
contacts together is the time of the reps on the floor.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from envs.inputs.demand import DemandSampler
from envs.inputs.parameters import build_parameters
from envs.inputs.staff_parameters import shift_changes
from envs.interface.cost_terms import (
    TERM_ABANDONMENT,
    TERM_BACKLOG,
    TERM_BLOCKED,
    TERM_BROKEN_PROMISE,
    TERM_CALLBACK,
    TERM_ERROR,
    TERM_FORGONE,
    TERM_HANDLING,
    TERM_LATENESS,
    TERM_UNRESOLVED,
    TERM_WAIT,
)
from envs.interface.units import (
    DAY_S,
    HOUR_S,
    NOBODY,
)
from envs.scenario.scenario import Scenario
from envs.scenario.staff import Group, Proficiency
from envs.simulator.machine.luck import (
    LUCK_ABSENCE,
    LUCK_ACCEPT,
    LUCK_APPROVAL,
    LUCK_ERROR,
    LUCK_FOLLOW_UP,
    LUCK_REACH,
    LUCK_REDIAL,
    LUCK_RESOLUTION,
    SECONDS_APART,
    uniform,
)
from envs.simulator.machine.state import SHIFT_START
from envs.simulator.service.promise_clock import due_times_s
from experiments.bounds.episode_program import least_cost_usd
from experiments.bounds.floor_time import PERIOD_S, Floor
from experiments.bounds.way import Way

LATE_STEPS_S = (0.0, HOUR_S, 4 * HOUR_S, 12 * HOUR_S, 36 * HOUR_S)
"""Deferred contacts are served in time, or later than their due time by at least so much."""
HOLDING_STEPS_S = (600.0, 1800.0, HOUR_S, 4 * HOUR_S, 12 * HOUR_S)
"""Where holding a contact costs, it is there for at least so long."""


class _Pace(NamedTuple):
    """How fast the reps with a skill are at best and at worst, and the most by which one of them multiplies the chance
    of resolution. `best` is the work of all contacts that a rep holds, `slowest` that of one of them."""

    best: float
    slowest: float
    resolution: float


class _Later(NamedTuple):
    """What a completed contact still costs, USD with its weights: `loss_usd` in proportion to the customer's retention,
    `direct_usd` in any case."""

    loss_usd: float
    direct_usd: float


class ClairvoyantBound:
    """Lower bounds of the episodes of one scenario; what all episodes share is computed once."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._parameters = build_parameters(scenario)
        self._record: Any = self._parameters[0]
        self._sampler = DemandSampler(scenario)
        self._horizon_s = scenario.horizon.days * DAY_S
        self._center = SimpleNamespace(
            sampled_churn=bool(self._record.sampled_churn),
            charge_end=bool(self._record.charge_end),
            at_risk_multiplier=float(self._record.at_risk_multiplier),
            callback_usd=float(self._record.callback_usd),
        )
        # Plain numbers: a record's fields are slow to read one by one.
        self._queues = [_plain(self._record.queues[queue]) for queue in range(len(scenario.channels))]
        self._weight = self._record.term_weight.tolist()
        self._groups = [group for group in scenario.groups for _ in range(group.count)]
        self._changes = shift_changes(scenario)
        self._paces = [self._pace_of(queue) for queue in range(len(scenario.channels))]

    def bound_usd(self, seed: int, episode: int) -> float:
        """Return what the counted part of `episode` under the demand `seed` costs at least, USD."""
        demand = self._sampler.sample(seed, episode)
        # Before the end of a warm-up nothing is charged, so that whoever came before it may be left out.
        warm_up_s = self._scenario.horizon.warm_up_days * DAY_S
        comes = (demand["arrival_s"] < self._horizon_s) & ((warm_up_s <= 0.0) | (demand["arrival_s"] >= warm_up_s))
        names = demand.dtype.names or ()
        people = [dict(zip(names, values, strict=True)) for values in demand[comes].tolist()]
        for person, key in zip(people, demand["key"][comes], strict=True):
            person["key"] = key  # its 64 bits are no plain number's
        choices = [list(self._ways(person)) for person in people]
        least_usd = [min(way.cost_usd for way in ways) for ways in choices]
        # Who ends as cheaply as can be without a rep takes no part in the program.
        contested = [
            [way._replace(cost_usd=way.cost_usd - least) for way in ways]
            for ways, least in zip(choices, least_usd, strict=True)
            if all(way.work_s > 0.0 or way.cost_usd > least for way in ways)
        ]
        floor = Floor(self._scenario, self._changes, self._absences(self._sampler.episode_key(seed, episode)))
        starts_s = np.arange(0.0, self._horizon_s, PERIOD_S)
        return sum(least_usd) + sum(least_cost_usd(floor, contested, start_s) for start_s in starts_s.tolist())

    def _absences(self, key: np.uint64) -> set[tuple[int, float]]:
        """Return the shifts, as rep and start in seconds, that are missed in the episode of `key`."""
        return {
            (rep, start_s)
            for start_s, kind, rep, _ in self._changes
            if kind == SHIFT_START
            and uniform(key, LUCK_ABSENCE, SECONDS_APART * rep + int(start_s)) < self._record.absence_prob[rep]
        }

    def _pace_of(self, queue: int) -> _Pace:
        name = self._scenario.channels[queue].name
        best, slowest, resolution = 0.0, math.inf, 0.0
        for group in self._scenario.groups:
            if name in group.skills:
                proficiency = group.proficiency.get(name, Proficiency())
                most, least = self._sharing(queue, group)
                best = max(best, proficiency.speed * most)
                slowest = min(slowest, proficiency.speed * least)
                resolution = max(resolution, proficiency.resolution)
        return _Pace(best, slowest * min(1.0, self._scenario.preferred_rep.speed), resolution)

    def _sharing(self, queue: int, group: Group) -> tuple[float, float]:
        """Return how much faster a rep of `group` works on all contacts that it holds together than on a single one, at
        best, and how much slower on one of them, at worst."""
        if self._scenario.channels[queue].concurrency is None:
            return 1.0, 1.0
        speeds = self._record.shared_speed[queue, 1 : self._scenario.most_held(group) + 1]
        return float((speeds * np.arange(1, len(speeds) + 1)).max()), float(speeds.min())

    def _own_pace(self, person: Any, queue: int) -> _Pace:
        """Return the pace of work on one customer's contact, whose preferred rep may be better."""
        pace, name = self._paces[queue], self._scenario.channels[queue].name
        if person["preferred"] == NOBODY or name not in self._groups[person["preferred"]].skills:
            return pace
        group, preferred = self._groups[person["preferred"]], self._scenario.preferred_rep
        own = group.proficiency.get(name, Proficiency())
        most, _ = self._sharing(queue, group)
        return _Pace(
            max(pace.best, own.speed * preferred.speed * most),
            pace.slowest,
            max(pace.resolution, own.resolution * preferred.resolution),
        )

    def _value_usd(self, person: Any) -> float:
        # Sampled churn charges a whole account or nothing: it is left out.
        return 0.0 if self._center.sampled_churn else float(person["value_usd"])

    def _rise(self, person: Any, rise: float) -> float:
        return min(rise * self._center.at_risk_multiplier, 1.0) if person["at_risk"] else float(rise)

    def _income_usd(self, person: Any, queue: int) -> float:
        limits = self._queues[queue]
        earned_usd = limits.fee_usd + person["owed_usd"] * limits.commission_per_owed
        return float(self._weight[TERM_FORGONE] * earned_usd)

    def _ways(self, person: Any) -> Iterator[Way]:
        queue = int(person["queue"])
        limits, channel = self._queues[queue], self._scenario.channels[queue]
        if channel.waiting_limit is not None or channel.lines is not None:
            loss_usd = self._value_usd(person) * self._rise(person, limits.blocked_rise)
            turned_away_usd = self._weight[TERM_BLOCKED] * (loss_usd + limits.blocked_usd)
            yield Way(float(turned_away_usd) + self._income_usd(person, queue))
        if limits.real_time:
            yield from self._real_time_ways(person, queue)
        else:
            yield from self._deferred_ways(person, queue)

    def _real_time_ways(self, person: Any, queue: int) -> Iterator[Way]:
        limits, weight = self._queues[queue], self._weight
        arrival_s, pace = float(person["arrival_s"]), self._own_pace(person, queue)
        present_s = self._horizon_s - arrival_s
        wait_s = min(float(person["patience_s"]), present_s)
        holding_usd_per_s = float(weight[TERM_BACKLOG] * limits.holding_usd_per_s)
        value_usd = self._value_usd(person)
        wait_loss_usd = float(weight[TERM_WAIT] * value_usd)
        longest = self._wait_rise(person, queue, wait_s)
        # Left waiting until patience, or the horizon, ends.
        if wait_s < present_s or self._center.charge_end:
            redials = wait_s < present_s and uniform(person["key"], LUCK_REDIAL, 0) < limits.redial_prob
            loss_usd = weight[TERM_ABANDONMENT] * value_usd * self._rise(person, limits.abandonment_rise)
            left_usd = wait_loss_usd * longest + (1.0 - longest) * loss_usd
            left_usd += weight[TERM_ABANDONMENT] * limits.abandonment_usd
            left_usd += 0.0 if redials else self._income_usd(person, queue)
            yield Way(float(left_usd) + holding_usd_per_s * wait_s)
        else:
            yield Way(holding_usd_per_s * wait_s)
        # Served.
        handle_s = float(person["handle_s"])
        end_s = arrival_s + wait_s + handle_s / pace.slowest
        later = self._conclusion(person, queue, pace) if end_s < self._horizon_s else _Later(0.0, 0.0)
        served_usd = _least_usd(wait_loss_usd, 0.0, longest, later)
        served_usd += holding_usd_per_s * min(handle_s / pace.best, present_s)
        yield Way(served_usd, handle_s / pace.best, arrival_s, min(end_s, self._horizon_s), queue)
        if limits.offer_to != NOBODY and uniform(person["key"], LUCK_ACCEPT, 0) < limits.accept_prob:
            yield from self._callback_ways(person, queue, wait_s, longest)

    def _wait_rise(self, person: Any, queue: int, wait_s: float) -> float:
        """Return the rise of the chance to leave that a wait costs."""
        limits = self._queues[queue]
        excess_s = max(wait_s - limits.threshold_s, 0.0)
        if excess_s <= 0.0 or limits.wait_rise_per_s <= 0.0:
            return 0.0
        return self._rise(person, min(excess_s * limits.wait_rise_per_s, limits.wait_rise_max))

    def _callback_ways(self, person: Any, queue: int, wait_s: float, longest: float) -> Iterator[Way]:
        """Yield the ways of a caller who would accept a callback, which is the customer's second contact."""
        limits, weight = self._queues[queue], self._weight
        target = int(limits.offer_to)
        offer_usd = float(weight[TERM_CALLBACK] * self._center.callback_usd)
        wait_loss_usd = float(weight[TERM_WAIT] * self._value_usd(person))
        late_usd, late_loss_usd = self._lateness_usd(person, target)
        late = _Later(late_loss_usd * self._rise(person, self._queues[target].late_rise), late_usd)
        late_way_usd = offer_usd + _least_usd(wait_loss_usd, 0.0, longest, late)
        if uniform(person["key"], LUCK_APPROVAL, 0) < limits.refusal_prob:
            yield Way(late_way_usd + self._income_usd(person, queue))
            return
        request_s = float(person["arrival_s"]) + wait_s + limits.approval_delay_s
        due_s = math.inf
        if not self._queues[target].hidden_due and not self._is_met_by_start(target):
            due_s = float(due_times_s(self._parameters, target, np.array([request_s]))[0])
        if due_s >= self._horizon_s:
            yield Way(offer_usd)
            return
        yield Way(late_way_usd)
        work_s = float(person["handle_s"]) / self._own_pace(person, target).best
        yield Way(offer_usd, work_s, float(person["arrival_s"]), due_s, target)

    def _conclusion(self, person: Any, queue: int, pace: _Pace) -> _Later:
        """Return what a customer's first contact costs as it is completed, whoever does it and when: technology, and
        what the customer's luck makes of it."""
        limits, weight, key = self._queues[queue], self._weight, person["key"]
        technology_usd = float(weight[TERM_HANDLING] * limits.technology_usd)
        if uniform(key, LUCK_FOLLOW_UP, 0) < limits.follow_up_prob:
            return _Later(0.0, technology_usd)
        value_usd = self._value_usd(person)
        error_usd = weight[TERM_ERROR] * limits.error_usd
        error_loss_usd = weight[TERM_ERROR] * value_usd * self._rise(person, limits.error_rise)
        unresolved_usd = weight[TERM_UNRESOLVED] * limits.unresolved_usd
        unresolved_loss_usd = weight[TERM_UNRESOLVED] * value_usd * self._rise(person, limits.unresolved_rise)
        if uniform(key, LUCK_ERROR, 0) < limits.error_prob:
            return _Later(float(error_loss_usd), technology_usd + float(error_usd))
        if uniform(key, LUCK_RESOLUTION, 0) < limits.resolution_prob * pace.resolution:
            return _Later(0.0, technology_usd)
        if limits.error_per_interruption_prob > 0.0:  # interrupted, it may end in an error instead
            unresolved_usd = min(unresolved_usd, error_usd)
            unresolved_loss_usd = min(unresolved_loss_usd, error_loss_usd)
        return _Later(float(unresolved_loss_usd), technology_usd + float(unresolved_usd))

    def _open_conclusion(self, person: Any, queue: int) -> _Later:
        """Return what is charged at the horizon for the conclusion of an open contact."""
        limits, weight = self._queues[queue], self._weight
        value_usd = self._value_usd(person)
        error = weight[TERM_ERROR] * min(limits.error_prob, 1.0)
        unresolved = weight[TERM_UNRESOLVED] * max(1.0 - limits.resolution_prob, 0.0)
        loss = error * self._rise(person, limits.error_rise) + unresolved * self._rise(person, limits.unresolved_rise)
        direct_usd = error * limits.error_usd + unresolved * limits.unresolved_usd
        return _Later(float(value_usd * loss), float(direct_usd + weight[TERM_HANDLING] * limits.technology_usd))

    def _lateness_usd(self, person: Any, queue: int) -> tuple[float, float]:
        """Return what a missed due time costs directly, and what a rise of 1 by lateness costs, USD with weights."""
        limits = self._queues[queue]
        weight = self._weight[TERM_BROKEN_PROMISE if limits.promised else TERM_LATENESS]
        return float(weight * limits.late_usd), float(weight * self._value_usd(person))

    def _is_met_by_start(self, queue: int) -> bool:
        return bool(self._queues[queue].met_by_start)

    def _late_rise(self, person: Any, queue: int, overdue_s: float) -> float:
        """Return the rise of the chance to leave of a contact that ends `overdue_s` >= 0 seconds after its due time."""
        limits = self._queues[queue]
        hours = min(overdue_s * limits.late_rise_per_s, limits.late_rise_max) if limits.late_rise_per_s > 0.0 else 0.0
        return 1.0 - (1.0 - self._rise(person, limits.late_rise)) * (1.0 - self._rise(person, hours))

    def _deferred_ways(self, person: Any, queue: int) -> Iterator[Way]:
        limits, weight, pace = self._queues[queue], self._weight, self._own_pace(person, queue)
        release_s, due_s = max(float(person["arrival_s"]), 0.0), float(person["due_s"])
        longest_s = float(person["handle_s"]) / pace.slowest
        # Where a start keeps the promise, work goes on after the due time: as long as the work takes, or any time.
        grace_s = 0.0
        if self._is_met_by_start(queue):
            grace_s = math.inf if limits.interruptible else longest_s
        late_usd, loss_usd = self._lateness_usd(person, queue)
        # Between two attempts to reach a customer the contact is not held.
        holding_usd_per_s = 0.0 if limits.outbound else float(weight[TERM_BACKLOG] * limits.holding_usd_per_s)
        once = self._late_rise(person, queue, 0.0)
        given_up_usd = loss_usd * once + late_usd + self._income_usd(person, queue)
        may_stay_in_hand = bool(limits.interruptible) or max(longest_s, limits.attempt_s) >= self._horizon_s - due_s
        if limits.outbound or (limits.collection and due_s < self._horizon_s):
            yield Way(given_up_usd)  # or taken back by the client
        # Left open.
        if not limits.collection or due_s >= self._horizon_s or may_stay_in_hand:
            later = self._open_conclusion(person, queue) if self._center.charge_end else _Later(0.0, 0.0)
            least, most = 0.0, self._late_rise(person, queue, math.inf) if self._center.charge_end else once
            is_late = due_s < self._horizon_s and not (grace_s > 0.0 and may_stay_in_hand)
            if is_late:
                ends_late = self._center.charge_end and grace_s == 0.0
                least = self._late_rise(person, queue, self._horizon_s - due_s) if ends_late else once
            open_usd = _least_usd(loss_usd, least, most, later) + (late_usd if is_late else 0.0)
            yield Way(open_usd + holding_usd_per_s * (self._horizon_s - release_s))
        # Served in time, or later by steps.
        work_s = float(person["handle_s"]) / pace.best + self._attempts_s(person, queue)
        if work_s == math.inf:
            return
        later = self._conclusion(person, queue, pace)
        steps = LATE_STEPS_S if limits.late_rise_per_s > 0.0 else LATE_STEPS_S[:1]
        times_s = {due_s + step_s for step_s in steps}
        if holding_usd_per_s > 0.0:
            times_s |= {release_s + step_s for step_s in HOLDING_STEPS_S}
        inside = sorted(time_s for time_s in times_s if release_s < time_s < self._horizon_s)
        for from_s, until_s in pairwise([release_s, *inside, self._horizon_s]):
            is_late = from_s >= due_s
            if is_late and limits.collection and not limits.interruptible:
                until_s = min(until_s, due_s + longest_s)  # in hand when the due time passed
                if until_s <= from_s:
                    continue
            least = self._late_rise(person, queue, from_s - due_s) if is_late else 0.0
            most = self._late_rise(person, queue, until_s - due_s) if is_late else 0.0
            cost_usd = _least_usd(loss_usd, least, most, later) + (late_usd if is_late else 0.0)
            cost_usd += holding_usd_per_s * max(from_s - release_s, float(person["handle_s"]) / pace.best)
            yield Way(cost_usd, work_s, release_s, min(until_s + grace_s, self._horizon_s), queue)

    def _attempts_s(self, person: Any, queue: int) -> float:
        """Return the rep time that goes into attempts that cannot reach the customer, seconds; inf if none can."""
        limits = self._queues[queue]
        if not limits.outbound:
            return 0.0
        best = self._record.reach_prob[:, queue].max()
        for attempt in range(int(limits.max_attempts)):
            if uniform(person["key"], LUCK_REACH, attempt) < best:
                return float(attempt * limits.attempt_s)
        return math.inf


def _plain(record: Any) -> SimpleNamespace:
    """Return the fields of a record, by name."""
    return SimpleNamespace(**{name: record[name].item() for name in record.dtype.names})


def _least_usd(loss_usd: float, least: float, most: float, later: _Later) -> float:
    """Return what a harm and what comes later cost at least, where the harm's rise, at `loss_usd` for a rise of 1, lies
    between `least` and `most`: linear in the rise, which takes its share of what later losses are left."""
    return min(loss_usd * rise + (1.0 - rise) * later.loss_usd for rise in (least, most)) + later.direct_usd
