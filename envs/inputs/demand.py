"""The demand of an episode: all that does not depend on the policy.

Room: `envs.inputs`. Reads the scenario, draws with numpy's generators, returns an array of `DEMAND` records.

Seeding. The demand is a pure function of (scenario, seed, episode). Every variable of every channel has a random stream
of its own, `SeedSequence(seed, spawn_key=(episode, channel, variable))`, and so has what a backlog, a script or a
record leaves open: a change of one channel's handle time leaves every other draw as it was. Every policy meets the same
customers, and the same later luck, since that is a function of the customer's key.

`sample_rest` draws the part of a demand that has not come yet anew, from streams that no episode has.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.inputs.parameters import build_parameters
from envs.interface.units import DAY_S, HOUR_S, NOBODY
from envs.scenario.channel import Channel
from envs.scenario.customers import (
    Arrivals,
    ScriptedContact,
    Segment,
)
from envs.scenario.distributions import DurationDistribution
from envs.scenario.scenario import Scenario
from envs.scenario.week import weekday_of
from envs.simulator.machine.state import DEMAND
from envs.simulator.service.promise_clock import due_times_s

STREAMS = (
    "day_factor",
    "count",
    "time",
    "handle",
    "patience",
    "segment",
    "value",
    "risk",
    "key",
    "backlog",
    "preferred",
    "due",
    "owed",
    "supply",
    "episode",
    "day",
)
_SCRIPT_CHANNEL = 1_000_000
_REPLAY_CHANNEL = 2_000_000
MAX_LIST = 20_000
"""Contacts drawn of a list of unlimited supply, at most; it then starts over with fresh luck."""
_NO_EPISODE = 2**40
"""Stands for the episode in streams that belong to none."""
_RECORDED_NEEDS = {
    "handle_s": "handle_s",
    "patience_s": "patience_s",
    "account_value_usd": "value_usd",
    "at_risk": "at_risk",
    "preferred_rep": "preferred",
    "amount_owed_usd": "owed_usd",
}
"""Columns of a record that replace a drawn field of `DEMAND`."""


class DemandSampler:
    """Draws episodes of one scenario; everything that all episodes share is computed once."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._horizon_s = scenario.horizon.days * DAY_S
        self._parameters = build_parameters(scenario)
        self._rates = [self._interval_rates(channel) for channel in scenario.channels]

    def _interval_rates(self, channel: Channel) -> tuple[NDArray[np.float64], NDArray[np.int64], float]:
        """Return (mean arrivals per interval of the horizon, calendar day of each interval, interval in seconds)."""
        if channel.arrivals is None:
            return np.zeros(0), np.zeros(0, np.int64), 1.0
        interval_s = channel.arrivals.interval_s
        per_day = round(DAY_S / interval_s)
        n_days = int(np.ceil(self._scenario.horizon.days))
        rates = np.concatenate([channel.arrivals.rates_on(weekday_of(self._scenario, day)) for day in range(n_days)])
        return rates * interval_s / HOUR_S, np.repeat(np.arange(n_days), per_day), interval_s

    def sample(self, seed: int, episode: int) -> NDArray[Any]:
        """Return the demand of `episode` (0, 1, ...) under `seed`: `DEMAND` records in order of arrival.

        Deferred work already there at the start has an arrival time <= 0; it enters at second 0. Lists of unlimited
        supply stand at the end, with arrival time inf.
        """
        parts = [
            part
            for index, channel in enumerate(self._scenario.channels)
            for part in self._sample_channel(index, channel, seed, episode)
        ]
        parts += self._sample_script(seed, episode)
        parts += self._sample_replay(seed, episode)
        return _in_order_of_arrival(parts)

    def _sample_channel(self, index: int, channel: Channel, seed: int, episode: int) -> Iterator[NDArray[Any]]:
        """Yield the parts of the demand of `channel`, number `index`: arrivals, initial backlog, list of unlimited
        supply."""

        def stream(variable: str) -> np.random.Generator:
            return _generator(seed, episode, index, variable)

        if channel.arrivals is not None:
            yield self._fill(index, channel, self._draw_arrivals_s(index, channel.arrivals, stream, 0.0, 0), stream)
        if channel.initial_backlog is not None:
            backlog = stream("backlog")
            count = int(backlog.poisson(channel.initial_backlog.mean_contacts))
            ages_s = backlog.random(count) * channel.initial_backlog.max_age_s

            def backlog_stream(variable: str) -> np.random.Generator:
                return _generator(seed, episode, index + _SCRIPT_CHANNEL + 1, variable)

            yield self._fill(index, channel, -ages_s, backlog_stream)
        if channel.is_unlimited:
            yield self._fill(index, channel, np.full(self._list_length(index, channel), np.inf), stream)

    def _list_length(self, index: int, channel: Channel) -> int:
        """Return more contacts than the planned reps with the skill could handle: the length of an unlimited list.

        One that is exhausted all the same starts over (`envs.simulator.contacts.arrival`).
        """
        reps = sum(group.count for group in self._scenario.groups if channel.name in group.skills)
        handled = reps * self._horizon_s / max(channel.mean_rep_time_s, 1.0)
        return min(int(handled) + 100, MAX_LIST)

    def episode_key(self, seed: int, episode: int) -> np.uint64:
        """Return the key of the episode's luck that belongs to no customer: who is absent."""
        if not any(group.absence_prob for group in self._scenario.groups):
            return np.uint64(0)
        return np.uint64(_generator(seed, episode, _SCRIPT_CHANNEL - 1, "episode").integers(2**64, dtype=np.uint64))

    def _draw_arrivals_s(
        self, index: int, arrivals: Arrivals, stream: Any, from_s: float, came_today: int
    ) -> NDArray[np.float64]:
        """Return arrival times, seconds, from `from_s` to the horizon, of which `came_today` came earlier on its day.

        The day's factor, a priori gamma with shape k = cv^-2 and rate k, then has shape k + N and rate k + m: N have
        come where the rates let expect m. Those to come are Poisson whatever came before, given the factor.
        """
        means, days, interval_s = self._rates[index]
        starts_s = np.arange(len(means)) * interval_s
        left_frac = np.clip((starts_s + interval_s - from_s) / interval_s, 0.0, 1.0)
        factors = np.ones(int(days[-1]) + 1)
        variance = arrivals.day_factor_cv**2
        if variance > 0:
            today = int(from_s / DAY_S)
            came, expected = np.zeros(len(factors)), np.zeros(len(factors))
            came[today] = came_today
            expected[today] = np.sum((means * (1.0 - left_frac))[days == today])
            shapes = arrivals.day_factor_cv**-2 + came
            factors = stream("day_factor").gamma(shapes, variance / (1.0 + variance * expected))
        counts = stream("count").poisson(means * left_frac * factors[days])
        begins_s = np.repeat(np.maximum(starts_s, from_s), counts)
        times_s = begins_s + stream("time").random(len(begins_s)) * np.repeat(left_frac * interval_s, counts)
        return times_s[times_s < self._horizon_s]

    def sample_rest(self, demand: NDArray[Any], n_came: int, now_s: float, seed: int) -> NDArray[Any]:
        """Return `demand` with what is still to come at `now_s`, all but its first `n_came` records, drawn anew.

        A pure function of its arguments. Arrivals follow the scenario's law, given those of the present day so far (see
        `_draw_arrivals_s`; recorded contacts of a channel with both count as such). Of the backlog that the center
        finds at second 0, and of scripted contacts, the times are known and stay; their needs are drawn anew, and so
        are those of all that stands on lists. Recorded days go on as any of them does, all equally likely.
        """
        places = self.script_places(demand)
        is_drawn = (places == NOBODY) & (demand["arrival_s"] > 0.0)
        came_today = is_drawn & (demand["arrival_s"] >= np.floor(now_s / DAY_S) * DAY_S)
        came_today[n_came:] = False
        is_backlog = (places == NOBODY) & ~is_drawn
        is_backlog[:n_came] = False
        parts = []
        for index, channel in enumerate(self._scenario.channels):

            def stream(variable: str, place: int = index) -> np.random.Generator:
                return _generator(seed, _NO_EPISODE, place, variable)

            def backlog_stream(variable: str, place: int = index) -> np.random.Generator:
                return _generator(seed, _NO_EPISODE, place + _SCRIPT_CHANNEL + 1, variable)

            mine = demand["queue"] == index
            if channel.arrivals is not None:
                count = int(np.count_nonzero(came_today & mine))
                times_s = self._draw_arrivals_s(index, channel.arrivals, stream, now_s, count)
                parts.append(self._fill(index, channel, times_s, stream))
            if (is_backlog & mine).any():
                parts.append(self._fill(index, channel, demand["arrival_s"][is_backlog & mine], backlog_stream))
            if channel.is_unlimited:
                listed_s = demand["arrival_s"][mine & np.isinf(demand["arrival_s"])]
                parts.append(self._fill(index, channel, listed_s, stream))
        for place in np.sort(places[n_came:][places[n_came:] != NOBODY]):
            contact = self._scenario.scripted_contacts[place]
            parts.append(self._fill_scripted(int(place), contact, seed, _NO_EPISODE))
        parts += self._sample_replay(seed, _NO_EPISODE, now_s)
        return np.concatenate([demand[:n_came], _in_order_of_arrival(parts)])

    def script_places(self, demand: NDArray[Any]) -> NDArray[np.int64]:
        """Return for each record of a demand of this scenario which scripted contact it is, NOBODY for all others.

        Of one channel and second the scripted contacts come last, in the order of the script.
        """
        places = np.full(len(demand), NOBODY)
        same: dict[tuple[int, float], list[int]] = {}
        for place, contact in enumerate(self._scenario.scripted_contacts):
            same.setdefault((self._scenario.channel_index(contact.channel), contact.at_s), []).append(place)
        for (queue, at_s), members in same.items():
            found = np.flatnonzero((demand["queue"] == queue) & (demand["arrival_s"] == at_s))
            places[found[-len(members) :]] = members
        return places

    def laws_of_needs(self, queue: int, script_place: int) -> tuple[DurationDistribution, DurationDistribution | None]:
        """Return the laws of handle time and of patience (None: endless) of a first contact on `queue`: those of its
        channel, unless the scripted contact `script_place` (or NOBODY) has its own."""
        channel = self._scenario.channels[queue]
        if script_place == NOBODY:
            return channel.handle_time, channel.patience
        contact = self._scenario.scripted_contacts[script_place]
        return contact.handle_time or channel.handle_time, contact.patience or channel.patience

    def _fill(self, index: int, channel: Channel, times_s: NDArray[np.float64], stream: Any) -> NDArray[Any]:
        """Return `DEMAND` records of first contacts that reach `channel`, number `index`, at `times_s` seconds;
        `stream` gives the generator of each variable."""
        count = len(times_s)
        part = np.zeros(count, DEMAND)
        part["arrival_s"] = times_s
        part["queue"] = index
        part["handle_s"] = channel.handle_time.sample(stream("handle"), count)
        part["patience_s"] = np.inf if channel.patience is None else channel.patience.sample(stream("patience"), count)
        part["due_s"] = self._draw_due_times_s(index, channel, times_s, stream)
        if channel.collection is not None:
            part["owed_usd"] = channel.collection.amount_owed.sample(stream("owed"), count)
        part["key"] = stream("key").integers(0, 2**64, count, dtype=np.uint64)
        part["preferred"] = NOBODY
        self._fill_customers(channel, part, stream)
        return part

    def _draw_due_times_s(
        self, index: int, channel: Channel, times_s: NDArray[np.float64], stream: Any
    ) -> NDArray[np.float64]:
        """Return when contacts that reach `channel`, number `index`, at `times_s` are due, seconds; hidden due times
        are drawn; inf without a due time."""
        if channel.due is None:
            return np.full(len(times_s), np.inf)
        if channel.due.hidden_after is not None:
            return times_s + channel.due.hidden_after.sample(stream("due"), len(times_s))
        return due_times_s(self._parameters, index, times_s)

    def _fill_customers(self, channel: Channel, part: NDArray[Any], stream: Any) -> None:
        """Write account value, risk and preferred rep of customers of `channel` into `part`, by the segment drawn for
        each; nothing where the scenario has no segments."""
        segments = self._scenario.segments
        if not segments:
            return
        shares = np.array([segment_share(channel, segment) for segment in segments])
        chosen = np.searchsorted(np.cumsum(shares)[:-1], stream("segment").random(len(part)), side="right")
        values, risks = stream("value"), stream("risk").random(len(part))
        for i, segment in enumerate(segments):
            mine = chosen == i
            part["value_usd"][mine] = segment.account_value.sample(values, int(mine.sum()))
            part["at_risk"][mine] = risks[mine] < segment.at_risk_prob
        if self._scenario.has_preferred_reps:
            part["preferred"] = self._draw_preferred(channel, chosen, stream("preferred"))

    def _draw_preferred(
        self, channel: Channel, segments: NDArray[np.int64], generator: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return each customer's preferred rep, any of those with the skill, or nobody, by the customer's segment."""
        groups = self._scenario.groups
        has_skill = np.repeat([channel.name in group.skills for group in groups], [group.count for group in groups])
        reps = np.flatnonzero(has_skill)
        share = np.array([segment.preferred_rep_prob for segment in self._scenario.segments])[segments]
        has_preferred = generator.random(len(segments)) < share
        return np.where(has_preferred, reps[generator.integers(len(reps), size=len(segments))], NOBODY)

    def _sample_script(self, seed: int, episode: int) -> list[NDArray[Any]]:
        """Return one `DEMAND` record of each scripted contact, in the order of the script."""
        contacts = self._scenario.scripted_contacts
        return [self._fill_scripted(place, contact, seed, episode) for place, contact in enumerate(contacts)]

    def _fill_scripted(self, place: int, contact: ScriptedContact, seed: int, episode: int) -> NDArray[Any]:
        """Return one `DEMAND` record of the scripted `contact`, number `place` of the script, with what it leaves open
        drawn."""

        def stream(variable: str) -> np.random.Generator:
            return _generator(seed, episode, _SCRIPT_CHANNEL + 1000 + place, variable)

        index = self._scenario.channel_index(contact.channel)
        channel = self._scenario.channels[index]
        handle_time, patience = self.laws_of_needs(index, place)
        part = np.zeros(1, DEMAND)
        part["arrival_s"] = contact.at_s
        part["queue"] = index
        part["preferred"] = NOBODY if contact.preferred_rep is None else contact.preferred_rep
        part["handle_s"] = handle_time.sample(stream("handle"), 1)
        part["patience_s"] = np.inf if patience is None else patience.sample(stream("patience"), 1)
        part["due_s"] = self._draw_due_times_s(index, channel, np.array([contact.at_s]), stream)
        if channel.collection is not None:
            owed = contact.amount_owed or channel.collection.amount_owed
            part["owed_usd"] = owed.sample(stream("owed"), 1)
        part["value_usd"] = contact.account_value.sample(stream("value"), 1)
        part["at_risk"] = stream("risk").random(1) < contact.at_risk_prob
        part["key"] = stream("key").integers(0, 2**64, 1, dtype=np.uint64)
        return part

    def _sample_replay(self, seed: int, episode: int, from_s: float = -np.inf) -> list[NDArray[Any]]:
        """Return what the recorded day of an episode brings after `from_s` seconds."""
        recording = self._scenario.recording
        if recording is None:
            return []
        day = recording.days[recorded_day(self._scenario, seed, episode)]
        parts = []
        for index, channel in enumerate(self._scenario.channels):
            contacts = day[(day["queue"] == index) & (day["at_s"] > from_s)]

            def stream(variable: str, place: int = index) -> np.random.Generator:
                return _generator(seed, episode, _REPLAY_CHANNEL + place, variable)

            # Drawn for all and then replaced by what is recorded: a cell more leaves every other draw as it was.
            part = self._fill(index, channel, contacts["at_s"], stream)
            if channel.patience is not None:
                least_s = contacts["patience_at_least_s"]
                longer_s = channel.patience.sample_longer_than(stream("patience"), np.nan_to_num(least_s))
                part["patience_s"] = np.where(np.isnan(least_s), part["patience_s"], longer_s)
            for column, target in _RECORDED_NEEDS.items():
                is_known = ~np.isnan(contacts[column])
                part[target][is_known] = contacts[column][is_known]
            parts.append(part)
        return parts


def _in_order_of_arrival(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Return all records of `parts`, `DEMAND` records, in order of arrival; those of the same second as they stand.

    They are moved as bytes: numpy copies records field by field, which takes three times as long.
    """
    as_bytes = np.dtype((np.void, DEMAND.itemsize))
    together = np.concatenate([np.zeros(0, as_bytes), *(part.view(as_bytes) for part in parts)])
    return together.take(np.argsort(together.view(DEMAND)["arrival_s"], kind="stable")).view(DEMAND)


def recorded_day(scenario: Scenario, seed: int, episode: int) -> int:
    """Return which recorded day, 0 the first, `episode` replays under `seed`; NOBODY without a record."""
    replay, recording = scenario.replay, scenario.recording
    if replay is None or recording is None:
        return NOBODY
    if replay.order == "drawn" or episode == _NO_EPISODE:
        return int(_generator(seed, episode, _REPLAY_CHANNEL, "day").integers(len(recording.days)))
    return episode % len(recording.days)


def recorded_days(scenario: Scenario, seed: int, episodes: Iterable[int]) -> NDArray[np.int64] | None:
    """Return which recorded day each of `episodes` replays under `seed`, of equal days the first: a copy of a day is no
    new data. None where the scenario has no record."""
    if scenario.recording is None:
        return None
    first: dict[bytes, int] = {}
    distinct = [first.setdefault(day.tobytes(), number) for number, day in enumerate(scenario.recording.days)]
    return np.array([distinct[recorded_day(scenario, seed, int(episode))] for episode in episodes], np.int64)


def _generator(seed: int, episode: int, place: int, variable: str) -> np.random.Generator:
    """Return the generator of `variable`, one of `STREAMS`, in `episode` under `seed`; `place` is the channel's number,
    or what stands for one."""
    sequence = np.random.SeedSequence(seed, spawn_key=(episode, place, STREAMS.index(variable)))
    return np.random.Generator(np.random.PCG64(sequence))


def segment_share(channel: Channel, segment: Segment) -> float:
    """Return the share, 0 to 1, of `segment` in the customers of `channel`."""
    if channel.segment_shares is None:
        return segment.share_frac
    return channel.segment_shares.get(segment.name, 0.0)
