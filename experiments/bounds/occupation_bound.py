"""The least that a Markovian center can cost on average: a linear program over how much time it spends in each state.

Room: `experiments.bounds`. Reads a scenario. docs/bound.md has the proof.

Whatever a policy does, the mean time that the center spends in each state and the mean number of its moves balance: it
enters every state as often as it leaves it, but for the states in which the horizon begins and ends. So the least cost
of all times and moves that balance is a bound. A center of many states is taken apart into blocks of channels: each
block has all the reps to itself, and only on average do the blocks share them.
"""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from envs.interface.units import DAY_S, HOUR_S
from envs.scenario.agreements import Costs
from envs.scenario.channel import (
    Channel,
    ChannelCosts,
    Due,
    Harm,
)
from envs.scenario.customers import (
    Arrivals,
    Churn,
    PreferredRep,
    Segment,
)
from envs.scenario.distributions import Exponential, FixedValue
from envs.scenario.outcomes import Error
from envs.scenario.parts import Horizon
from envs.scenario.scenario import Scenario
from envs.scenario.staff import Group, Proficiency
from experiments.bounds.assumptions import (
    Keys,
    KnownKeys,
    constant_rate_per_hour,
    key_text,
    unknown_keys,
)
from experiments.bounds.linear_program import LinearProgram

MAX_STATES = 4_000
"""States of a block, at most."""
KNOWN_KEYS: KnownKeys = {
    Scenario: Keys(
        read={
            "horizon", "channels", "groups", "segments", "scripted_contacts", "replay", "preferred_rep", "churn",
            "costs", "suspended_limit", "suspended_work",
        },
        # Costs >= 0 that are left out; what narrows the choice of the router; what is only measured.
        harmless={
            "name", "description", "business_hours", "clients", "service_level", "fairness", "value_bands_usd",
            "review", "review_interval_s", "observation", "terminal_charge", "census_at_s",
        },
    ),
    Horizon: Keys(read={"days", "warm_up_days"}, harmless={"start_weekday"}),
    Channel: Keys(
        # An unlimited `supply` has no `waiting_limit`, without which there is no bound.
        read={
            "name", "handle_time", "after_work", "arrivals", "supply", "segment_shares", "lines", "waiting_limit",
            "harm", "costs", "error", "resolution", "follow_up", "patience", "redial", "callback_offer", "concurrency",
            "due", "reach", "collection", "promised", "interruptible", "pick_up", "pick_up_by_others", "pick_up_mode",
            "initial_backlog",
        },
        harmless={"kind", "offered_per_day", "assumed", "service_level_threshold_s"},
    ),
    Arrivals: Keys(read={"interval_s", "rate_per_hour", "day_factor_cv"}),
    Harm: Keys(
        read={"abandonment_prob", "blocked_prob", "wait_prob_per_min", "late_prob"},
        # They come last, so that they take from no harm that is charged.
        harmless={
            "wait_max_prob", "late_prob_per_hour", "late_max_prob", "error_prob", "unresolved_prob",
        },
    ),
    ChannelCosts: Keys(
        read={
            "abandonment_usd", "blocked_usd", "late_usd", "holding_usd_per_hour", "waiting_usd_per_hour",
            "overdue_waiting_usd_per_hour",
        },
        harmless={"error_usd", "unresolved_usd"},
    ),
    Error: Keys(read={"rework"}, harmless={"prob", "per_interruption_prob"}),
    Due: Keys(read={"hidden_after"}, harmless={"clock", "after_s", "met_by", "opens_after_s"}),
    # Where nobody differs in speed a preferred rep is like any other, and no contact is unresolved.
    Segment: Keys(read={"name", "share_frac", "account_value"}, harmless={"at_risk_prob", "preferred_rep_prob"}),
    PreferredRep: Keys(read={"speed"}, harmless={"resolution"}),
    Proficiency: Keys(read={"speed"}, harmless={"resolution"}),
    # Absence needs shifts; several contacts at a time need a channel with concurrency.
    Group: Keys(
        read={"count", "skills", "shifts", "proficiency"},
        harmless={"name", "home_channel", "absence_prob", "capacity_units"},
    ),
    # Sampled churn has the same mean; customers at risk lose no less.
    Churn: Keys(harmless={"mode", "at_risk_multiplier"}),
    Costs: Keys(
        read={"weights", "interruption_usd", "pick_up_usd_per_hour"}, harmless={"callback_usd", "overtime_usd_per_hour"}
    ),
}  # fmt: skip
"""What the proof has thought of; see docs/bound.md."""
State = tuple[int, ...]
"""Contacts of one channel: in service, waiting and not overdue, waiting and overdue, suspended, being picked up; of a
block, those of its channels one after the other."""
IN_SERVICE, WAITING, OVERDUE, SUSPENDED, PICKED_UP = range(5)
N_COUNTS = 5


class Move(NamedTuple):
    """A change of the counts of a channel at a rate per hour, or, without one, when the router likes; USD each time."""

    change: State
    per_hour: float | None
    usd: float = 0.0


def reason_against(scenario: Scenario) -> str | None:
    """Return why this bound does not hold for `scenario`, or None if it does."""
    if any(group.shifts is not None for group in scenario.groups):
        return "reps come and go"
    if scenario.has_unequal_speeds:
        return "reps differ in speed"
    if scenario.scripted_contacts or scenario.replay is not None:
        return "contacts are scripted or recorded"
    for channel in scenario.channels:
        reason = _reason_against(channel)
        if reason is None and math.prod(_most(scenario, channel)) > MAX_STATES:
            reason = "it has too many states"
        if reason is not None:
            return f"channel {channel.name}: {reason}"
    unknown = next(unknown_keys(scenario, KNOWN_KEYS), None)
    return None if unknown is None else f"the proof does not know {key_text(scenario, unknown)}"


def _reason_against(channel: Channel) -> str | None:
    if channel.arrivals is not None and channel.arrivals.day_factor_cv > 0.0:
        return "days differ"
    if constant_rate_per_hour(channel.arrivals) is None:
        return "rates vary with time"
    if channel.waiting_limit is None or channel.lines is not None:
        return "its waiting room has no limit, or its lines have one"
    if not isinstance(channel.handle_time, Exponential):
        return "handle times are not exponential"
    if channel.patience is not None and not isinstance(channel.patience, Exponential):
        return "patience is not exponential"
    features = {
        "redial": channel.redial,
        "callback_offer": channel.callback_offer,
        "concurrency": channel.concurrency,
        "after_work": channel.after_work,
        "reach": channel.reach,
        "collection": channel.collection,
        "follow_up": channel.follow_up,
        "resolution": channel.resolution,
        "rework": channel.error.rework,
        "initial_backlog": channel.initial_backlog,
    }
    return next((f"it has {name}" for name, feature in features.items() if feature is not None), None)


def _rate_per_hour(law: object) -> float | None:
    """Return the rate of an exponential law, None for any other."""
    return HOUR_S / law.mean_s if isinstance(law, Exponential) else None


def _reps(scenario: Scenario, names: set[str]) -> int:
    """Return the number of reps who have the skill for one of the channels `names` at least."""
    return sum(group.count for group in scenario.groups if names & set(group.skills))


def _due_per_hour(channel: Channel) -> float | None:
    return None if channel.due is None else _rate_per_hour(channel.due.hidden_after)


def _pick_up_per_hour(channel: Channel) -> float | None:
    """Return the rate at which a pick-up ends; None where pick-ups are taken to need no time, as where they depend on
    what came before: an unpaid rest, or who worked last."""
    if channel.pick_up_mode != "restart" or channel.pick_up_by_others is not None:
        return None
    return _rate_per_hour(channel.pick_up)


def _most(scenario: Scenario, channel: Channel) -> State:
    """Return one more than the largest value of each count of a channel."""
    reps, limit = _reps(scenario, {channel.name}), channel.waiting_limit or 0
    return (
        reps + 1,
        limit + 1,
        limit + 1 if _due_per_hour(channel) else 1,
        reps * scenario.suspended_limit + 1 if channel.interruptible else 1,
        reps + 1 if channel.interruptible and _pick_up_per_hour(channel) else 1,
    )


def _loss_usd(scenario: Scenario, channel: Channel, rise: float) -> float:
    """Return the expected loss of the least of the accounts that reach `channel`, for a first harm of `rise`, USD."""
    if channel.harm.wait_prob_per_min > 0.0:  # a wait may have done its harm before
        return 0.0
    shares = {segment.name: segment.share_frac for segment in scenario.segments}
    shares = shares if channel.segment_shares is None else dict(channel.segment_shares)
    laws = [segment.account_value for segment in scenario.segments if shares.get(segment.name, 0.0) > 0.0]
    least_usd = min((law.value_usd if isinstance(law, FixedValue) else 0.0 for law in laws), default=0.0)
    return least_usd * rise


def _moves(scenario: Scenario, channel: Channel, state: State) -> Iterator[Move]:
    """Yield the moves of a channel from `state`."""
    weights, costs, harm = scenario.costs.weights, channel.costs, channel.harm
    in_service, waiting, overdue, suspended, picked_up = state
    arrivals_per_hour = constant_rate_per_hour(channel.arrivals)
    if waiting + overdue < (channel.waiting_limit or 0):
        yield Move((0, 1, 0, 0, 0), arrivals_per_hour)
    else:
        blocked_usd = costs.blocked_usd + _loss_usd(scenario, channel, harm.blocked_prob)
        yield Move((0, 0, 0, 0, 0), arrivals_per_hour, weights.get("blocked", 1.0) * blocked_usd)
    if in_service:
        yield Move((-1, 0, 0, 0, 0), in_service * HOUR_S / channel.handle_time.mean_duration_s)
    if waiting:
        yield Move((1, -1, 0, 0, 0), None)
        leave_per_hour, due_per_hour = _rate_per_hour(channel.patience), _due_per_hour(channel)
        if leave_per_hour is not None:
            left_usd = costs.abandonment_usd + _loss_usd(scenario, channel, harm.abandonment_prob)
            yield Move((0, -1, 0, 0, 0), waiting * leave_per_hour, weights.get("abandonment", 1.0) * left_usd)
        if due_per_hour is not None:
            late_usd = costs.late_usd + _loss_usd(scenario, channel, harm.late_prob)
            weight = weights.get("broken_promise" if channel.promised else "lateness", 1.0)
            yield Move((0, -1, 1, 0, 0), waiting * due_per_hour, weight * late_usd)
    if overdue:
        yield Move((1, 0, -1, 0, 0), None)
    if not channel.interruptible:
        return
    interruption_usd = weights.get("interruption", 1.0) * scenario.costs.interruption_usd
    pick_up_per_hour = _pick_up_per_hour(channel)
    if in_service:
        yield Move((-1, 0, 0, 1, 0), None, interruption_usd)
    if suspended:
        yield Move((1, 0, 0, -1, 0) if pick_up_per_hour is None else (0, 0, 0, -1, 1), None)
    if picked_up and pick_up_per_hour is not None:
        yield Move((0, 0, 0, 1, -1), None, interruption_usd)
        yield Move((1, 0, 0, 0, -1), picked_up * pick_up_per_hour)


def _holding_usd_per_hour(scenario: Scenario, channel: Channel, state: State) -> float:
    """Return what the contacts of a channel cost by the hour in `state`."""
    weights, costs = scenario.costs.weights, channel.costs
    n_waiting = state[WAITING] + state[OVERDUE]
    backlog_usd = sum(state) * costs.holding_usd_per_hour
    backlog_usd += n_waiting * costs.waiting_usd_per_hour
    backlog_usd += state[OVERDUE] * costs.overdue_waiting_usd_per_hour
    pick_up_usd = state[PICKED_UP] * scenario.costs.pick_up_usd_per_hour
    return weights.get("backlog", 1.0) * backlog_usd + weights.get("interruption", 1.0) * pick_up_usd


def expected_bound_usd(scenario: Scenario) -> float:
    """Return what the counted part of an episode of `scenario` costs at least on average over episodes, USD, under
    every policy that sees the observation only. Only where `reason_against` is None."""
    program = _Program(scenario)
    for names in _blocks(scenario):
        program.add_block(names)
    program.share_reps()
    return program.solve() * program.counted_h


def _blocks(scenario: Scenario) -> list[list[str]]:
    """Return the channels in blocks of at most `MAX_STATES` states."""
    blocks: list[list[str]] = []
    n_states = math.inf
    for channel in scenario.channels:
        own = math.prod(_most(scenario, channel))
        if n_states * own <= MAX_STATES:
            blocks[-1].append(channel.name)
            n_states *= own
        else:
            blocks.append([channel.name])
            n_states = own
    return blocks


class _Program:
    """The linear program: columns are shares of time in states, and moves an hour that the router makes."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._channels = {channel.name: channel for channel in scenario.channels}
        self.counted_h = (scenario.horizon.days - scenario.horizon.warm_up_days) * DAY_S / HOUR_S
        self._linear = LinearProgram()
        self._busy: dict[str, list[tuple[int, int]]] = {}
        self._blocks: list[set[str]] = []

    def _states(self, names: list[str]) -> list[State]:
        """Return the states of a block: those in which no more reps are busy than there are."""
        ranges = [range(most) for name in names for most in _most(self._scenario, self._channels[name])]
        subsets = [
            ([names.index(name) * N_COUNTS for name in subset], _reps(self._scenario, set(subset)))
            for size in range(1, len(names) + 1)
            for subset in itertools.combinations(names, size)
        ]
        limits = [self._channels[name].waiting_limit or 0 for name in names]
        return [
            state
            for state in itertools.product(*ranges)
            if all(sum(state[i + IN_SERVICE] + state[i + PICKED_UP] for i in firsts) <= n for firsts, n in subsets)
            and all(
                state[i * N_COUNTS + WAITING] + state[i * N_COUNTS + OVERDUE] <= limit for i, limit in enumerate(limits)
            )
        ]

    def add_block(self, names: list[str]) -> None:
        """Add the states and moves of the channels `names`, which share the reps in every state."""
        self._blocks.append(set(names))
        states = self._states(names)
        rows = {state: self._linear.add_equal_row(0.0) for state in states}
        whole = self._linear.add_equal_row(1.0)
        starts, ends = self._linear.add_equal_row(1.0), self._linear.add_equal_row(1.0)
        is_known = self._scenario.horizon.warm_up_days == 0.0
        for state in states:
            row = rows[state]
            usd_per_hour = 0.0
            time = self._linear.add_column(0.0)
            self._linear.put_equal(whole, time, 1.0)
            for i, name in enumerate(names):
                own = slice(i * N_COUNTS, (i + 1) * N_COUNTS)
                channel, part = self._channels[name], state[own]
                usd_per_hour += _holding_usd_per_hour(self._scenario, channel, part)
                self._busy.setdefault(name, []).append((time, part[IN_SERVICE] + part[PICKED_UP]))
                for move in _moves(self._scenario, channel, part):
                    to = tuple(a + b for a, b in zip(part, move.change, strict=True))
                    reached = rows.get((*state[: own.start], *to, *state[own.stop :]))
                    if reached is None:  # no rep is free, or no more may be suspended
                        continue
                    column, rate = time, move.per_hour
                    if rate is None:
                        column, rate = self._linear.add_column(move.usd), 1.0
                    else:
                        usd_per_hour += rate * move.usd
                    self._linear.put_equal(row, column, -rate)
                    self._linear.put_equal(reached, column, rate)
            self._linear.set_cost(time, usd_per_hour)
            # Entered less left: where the horizon ends less where it begins.
            end = self._linear.add_column(0.0)
            self._linear.put_equal(row, end, -1.0 / self.counted_h)
            self._linear.put_equal(ends, end, 1.0)
            if not is_known or not any(state):
                start = self._linear.add_column(0.0)
                self._linear.put_equal(row, start, 1.0 / self.counted_h)
                self._linear.put_equal(starts, start, 1.0)

    def share_reps(self) -> None:
        """Let the blocks have no more reps on average than there are."""
        names = list(self._channels)
        for size in range(2, len(names) + 1):
            for subset in itertools.combinations(names, size):
                if any(set(subset) <= block for block in self._blocks):
                    continue
                row = self._linear.add_most_row(float(_reps(self._scenario, set(subset))))
                for time, busy in itertools.chain.from_iterable(self._busy[name] for name in subset):
                    self._linear.put_most(row, time, float(busy))

    def solve(self) -> float:
        """Return the least cost, USD/hour."""
        return max(self._linear.minimum(), 0.0)
