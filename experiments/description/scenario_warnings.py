"""What is likely a mistake in a scenario: overload, channels that nothing reaches, due times that nobody can keep.

Room: `experiments.description`. Reads the scenario and its offered load; returns sentences.
"""

from collections.abc import Iterator

import numpy as np

from envs.inputs.parameters import choose_sizes
from envs.interface.units import DAY_S, HOUR_S
from envs.scenario.channel import Channel
from envs.scenario.scenario import Scenario
from envs.simulator.machine.record_types import GROWTH, MAX_CONTACTS
from envs.simulator.machine.state import state_type
from experiments.description.offered_load import (
    DistinctDay,
    OfferedLoad,
    Pool,
    share_due_while_closed,
    uncounted_keys,
)
from experiments.texts import duration_text

MANY_CONTACTS = 4096
"""Open contacts that are worth a warning: from there on an episode takes megabytes."""
CLOSED_SHARE = 0.05
"""From this share of arrivals on a warning says that they are due before anybody with the skill is there."""


def overloaded_channels(scenario: Scenario, load: OfferedLoad, days: list[DistinctDay]) -> Iterator[str]:
    """Yield a warning for each pool of channels that more work reaches than its reps have time for."""
    for pool in load.pools():
        backlog = float(load.backlog_rep_hours[list(pool.queues)].sum())
        returning = float(load.returning_rep_hours[list(pool.queues)].sum())
        work, staffed = load.rep_hours(pool)
        parts = {"initial backlog": backlog, "coming back": returning}
        yield from _overload(scenario, pool, "over the horizon", work + backlog + returning, staffed, parts)
        for day in days:
            work, staffed = load.rep_hours(pool, day.intervals)
            yield from _overload(scenario, pool, f"on {day.label}", work, staffed, {})


def _overload(
    scenario: Scenario, pool: Pool, when: str, work: float, staffed: float, parts: dict[str, float]
) -> Iterator[str]:
    """Yield a warning if more work comes than the staffed time suffices for, all in rep-hours; `parts` of the work are
    named in it."""
    if work <= staffed * (1.0 + 1e-9):
        return
    whole = len(pool.groups) == len(scenario.groups)
    queues = "" if whole else f" of {', '.join(scenario.channels[q].name for q in pool.queues)}"
    skilled = "" if whole else f" of the skilled ({', '.join(scenario.groups[g].name for g in pool.groups)})"
    named = [(part, hours) for part, hours in parts.items() if hours > 0.0]
    texts = [f"{hours:.1f}{'' if i else ' of them'} {part}" for i, (part, hours) in enumerate(named)]
    included = f" ({', '.join(texts)})" if texts else ""
    capacity = f"{staffed:.1f} staffed rep-hours{skilled}, load {work / staffed:.2f}" if staffed > 0.0 else "nobody"
    yield f"overload{queues} {when}: {work:.1f} rep-hours of work{included} for {capacity}"


def many_contacts(scenario: Scenario, load: OfferedLoad) -> Iterator[str]:
    """Yield a warning if `MANY_CONTACTS` or more may be open at once, which takes memory: the initial backlog, or what
    the reps, who do nothing else, cannot do within the horizon of the contacts that do not leave before its end."""
    deferred = [q for q, channel in enumerate(scenario.channels) if _stays(scenario, channel)]
    hours = load.length_h @ load.queue_load_reps[:, deferred]
    hours += load.backlog_rep_hours[deferred] + load.returning_rep_hours[deferred]
    mean_hours = np.array([scenario.channels[q].mean_rep_time_s for q in deferred]) / HOUR_S
    contacts = float((hours / np.maximum(mean_hours, 1e-9)).sum())
    _, staffed = load.rep_hours(load.pools()[0])
    left = contacts * max(1.0 - staffed / float(hours.sum()), 0.0) if hours.sum() > 0.0 else 0.0
    backlogs = (channel.initial_backlog for channel in scenario.channels)
    expected = max(left, sum(backlog.mean_contacts for backlog in backlogs if backlog is not None))
    if expected < MANY_CONTACTS:
        return
    sizes = choose_sizes(scenario)
    while sizes.contacts < min(expected, MAX_CONTACTS):
        sizes = sizes._replace(contacts=GROWTH * sizes.contacts)
    text = (
        f"many open contacts: about {expected:,.0f} contacts may be open at once; room for {sizes.contacts:,} takes "
        f"{state_type(sizes).itemsize / 1e6:,.0f} MB for each of the episodes that are played side by side"
    )
    if expected >= MAX_CONTACTS:
        text += f"; more than {MAX_CONTACTS:,} end the run with an error"
    yield text


def _stays(scenario: Scenario, channel: Channel) -> bool:
    """Return True if contacts of `channel` wait until they are served, or longer than the horizon."""
    patience = channel.patience
    return patience is None or patience.mean_duration_s >= DAY_S * scenario.horizon.days


def endless_channels(load: OfferedLoad) -> Iterator[str]:
    """Yield a warning if contacts lead to as much work as they are themselves."""
    if load.endless:
        yield (
            f"endless: contacts of {', '.join(load.endless)} lead to at least as much work as they are themselves, so "
            "what comes of them has no bound; the offered load leaves it out"
        )


def keys_left_out(scenario: Scenario) -> Iterator[str]:
    """Yield a warning for each key that the offered load does not know."""
    for key in uncounted_keys(scenario):
        yield f"left out: the offered load does not know {key}, so that work or staffing may be other than shown"


def unreachable_channels(scenario: Scenario, sources: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """Yield a warning for each channel that no contact can ever reach."""
    reached: set[str] = set()
    found = {name for name, own in sources.items() if any("." not in source for source in own)}
    while found - reached:
        reached |= found
        found = {name for name, own in sources.items() if any(source.partition(".")[0] in reached for source in own)}
    for channel in scenario.channels:
        if channel.name not in reached:
            only = f" but {', '.join(sources[channel.name])}" if sources[channel.name] else ""
            yield f"unreachable: nothing leads to {channel.name}{only}, so no contact ever waits there"


def doubtful_due_times(scenario: Scenario) -> Iterator[str]:
    """Yield a warning for each due time that nobody can keep."""
    for channel in scenario.channels:
        if channel.due is None:
            continue
        handle_s = channel.handle_time.mean_duration_s
        if channel.due.mean_after_s < handle_s:
            yield (
                f"due time of {channel.name}: {duration_text(channel.due.mean_after_s)} after arrival, shorter than "
                f"the mean handle time of {duration_text(handle_s)}"
            )
        share = share_due_while_closed(scenario, channel)
        if share is not None and share >= CLOSED_SHARE:
            yield (
                f"due time of {channel.name}: {share:.0%} of its arrivals are due (after "
                f"{duration_text(channel.due.mean_after_s)}, calendar clock) before anybody with the skill is there"
            )
