"""Mean flows of contacts between channels: what follows from handling a contact, and how much work that is.

Room: `experiments.description`. Reads a scenario; simulates nothing.

Traffic equations as in a network of queues (Jackson 1957, Operations Research 5(4)): the contacts of a channel are its
first contacts and, of the contacts of every channel, the share that goes on to it. Follow-ups, rework of errors without
interruptions, returns and escalations are followed; they bring `work_frac` of the contact's own handle time, so that
handle time obeys equations of the same form, or new work by the law of their channel. Left out is what depends on the
policy (abandonment and redials, callback offers, interruptions) or on the rep (proficiency, preferred reps).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.interface.units import HOUR_S
from envs.scenario.channel import (
    Channel,
    Concurrency,
    Reach,
)
from envs.scenario.outcomes import (
    Error,
    Escalation,
    FollowUp,
    Resolution,
    Return,
    Rework,
)
from envs.scenario.scenario import Scenario
from experiments.bounds.assumptions import Keys, KnownKeys

Floats = NDArray[np.float64]
ALWAYS = Reach(prob=1.0, attempt_s=0.0, retry_after_s=1.0, max_attempts=1)
KNOWN_KEYS: KnownKeys = {
    Channel: Keys(
        read={
            "name", "handle_time", "after_work", "arrivals", "supply", "error", "resolution", "follow_up",
            "concurrency", "due", "reach", "initial_backlog",
        },
        # What depends on the policy is left out and said to be; the rest brings no work.
        harmless={
            "kind", "offered_per_day", "segment_shares", "lines", "waiting_limit", "harm", "costs", "assumed",
            "patience", "service_level_threshold_s", "redial", "callback_offer", "collection", "promised",
            "interruptible", "pick_up", "pick_up_by_others", "pick_up_mode",
        },
    ),
    Error: Keys(read={"prob", "rework"}, harmless={"per_interruption_prob"}),
    Rework: Keys(read={"to", "work_frac"}, harmless={"delay_s"}),
    Resolution: Keys(read={"prob", "returns", "escalates"}),
    Return: Keys(read={"prob", "to", "work_frac", "new_work"}, harmless={"after"}),
    Escalation: Keys(read={"prob", "to", "work_frac", "new_work"}),
    FollowUp: Keys(read={"prob", "to", "work_frac"}, harmless={"after", "window_s"}),
    Concurrency: Keys(read={"units", "speed_frac"}),
    Reach: Keys(read={"prob", "attempt_s", "max_attempts"}, harmless={"retry_after_s"}),
}  # fmt: skip
"""What the flows know of a channel; more in `experiments.description.offered_load`."""


class Flows(NamedTuple):
    """Means by channel, [queues].

    Attributes:
        contacts: that join the queue; outbound attempts at the same contact are one.
        handle_h: their handle time without after-contact work, hours, if all are reached.
    """

    contacts: Floats
    handle_h: Floats


def reached_frac(channel: Channel) -> float:
    """Return the share of a channel's contacts whose customer is reached in the end."""
    reach = channel.reach or ALWAYS
    return 1.0 - (1.0 - reach.mean_prob) ** reach.max_attempts


def missed_attempts_h(channel: Channel) -> float:
    """Return the mean time of outbound attempts in vain at one contact, hours.

    Attempt i of at most n is made in vain with probability (1 - p)^i, p that of reaching the customer, on average over
    the hours of the day in which that is possible.
    """
    reach = channel.reach or ALWAYS
    return sum((1.0 - reach.mean_prob) ** i for i in range(1, reach.max_attempts + 1)) * reach.attempt_s / HOUR_S


def rep_hours(scenario: Scenario, flows: Flows) -> Floats:
    """Return the time that reps need for `flows`, hours [queues], outbound attempts in vain included."""
    parts = zip(scenario.channels, flows.contacts, flows.handle_h, strict=True)
    return np.array([rep_time_h(scenario, channel, contacts, handle_h) for channel, contacts, handle_h in parts])


def rep_time_h(scenario: Scenario, channel: Channel, contacts: Any, handle_h: Any) -> Any:
    """Return the time that reps need for `contacts` of one channel with `handle_h` in all, after-contact work added,
    hours; numbers or arrays. Where reps can hold several contacts, that of reps who hold as many as serve most."""
    after_h = 0.0 if channel.after_work is None else channel.after_work.mean_duration_s / HOUR_S
    served_h = (handle_h + contacts * after_h) * scenario.attention_frac(channel)
    return served_h * reached_frac(channel) + contacts * missed_attempts_h(channel)


def flows_from(scenario: Scenario, first: Flows) -> tuple[Flows, tuple[str, ...]]:
    """Return the flows that come of the first contacts, these left out, whenever they come; and the endless channels.

    A channel is endless where contacts lead to contacts, or their work to work, faster than they end. Nothing that the
    contacts of an endless channel lead to is followed.
    """
    contacts, work, new_work_h = _transitions(scenario)
    is_reached, is_endless = _find_endless(contacts, work, first.contacts > 0.0)
    for transitions in (contacts, work, new_work_h):
        transitions[is_endless | ~is_reached] = 0.0
    names = tuple(channel.name for channel, found in zip(scenario.channels, is_endless, strict=True) if found)
    following = _solve(contacts, contacts.T @ first.contacts)
    new_h = new_work_h.T @ (first.contacts + following)
    return Flows(following, _solve(work, work.T @ first.handle_h + new_h)), names


def _solve(transitions: Floats, begun: Floats) -> Floats:
    """Return x of the traffic equations x = begun + P' x."""
    return np.asarray(np.linalg.solve(np.eye(len(begun)) - transitions.T, begun), np.float64)


def _transitions(scenario: Scenario) -> tuple[Floats, Floats, Floats]:
    """Return [from, to] the mean contacts that follow from a contact, the hours that follow from an hour, and the hours
    of new work that follow from a contact."""
    contacts = np.zeros((len(scenario.channels), len(scenario.channels)))
    work, new_work_h = np.zeros_like(contacts), np.zeros_like(contacts)
    for q, channel in enumerate(scenario.channels):
        for to, prob, work_frac in _what_follows(channel):
            target = q if to is None else scenario.channel_index(to)
            contacts[q, target] += prob
            if work_frac is None:
                new_work_h[q, target] += prob * scenario.channels[target].handle_time.mean_duration_s / HOUR_S
            else:
                work[q, target] += prob * work_frac
    return contacts, work, new_work_h


def _what_follows(channel: Channel) -> list[tuple[str | None, float, float | None]]:
    """Return (channel, None for the same; probability; share of the work, None for new work) of all that a contact may
    lead to.

    In the order of `envs.simulator.contacts.completion`: not reached, deferred, an error, unresolved.
    """
    found: list[tuple[str | None, float, float | None]] = []
    prob = reached_frac(channel)
    if channel.follow_up is not None:
        found.append((channel.follow_up.to, prob * channel.follow_up.prob, channel.follow_up.work_frac))
        prob *= 1.0 - channel.follow_up.prob
    rework = channel.error.rework
    if rework is not None:
        found.append((rework.to, prob * channel.error.prob, rework.work_frac))
    prob *= 1.0 - channel.error.prob
    if channel.resolution is not None:
        prob *= 1.0 - channel.resolution.prob
        for part in (channel.resolution.returns, channel.resolution.escalates):
            if part is not None:
                found.append((part.to, prob * part.prob, None if part.new_work else part.work_frac))
    return found


def _find_endless(
    contacts: Floats, work: Floats, is_first: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return to which channels contacts get, and which of these belong to a circle that does not die out."""
    count = len(contacts)
    leads = (contacts > 0.0) | np.eye(count, dtype=bool)
    for _ in range(count):
        leads = leads @ leads
    is_reached = is_first @ leads
    endless = np.zeros(count, bool)
    for q in np.flatnonzero(is_reached):
        circle = np.ix_(leads[q] & leads[:, q], leads[q] & leads[:, q])
        endless[q] = any(np.abs(np.linalg.eigvals(flow[circle])).max() >= 1.0 - 1e-9 for flow in (contacts, work))
    return is_reached, endless
