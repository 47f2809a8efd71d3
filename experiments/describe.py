"""The command `blended describe`: a scenario in words and tables, and what about it deserves a second look.

Room: `experiments`. Reads a scenario; simulates nothing and compiles nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from envs.actions import action_table
from envs.observation import field_table
from envs.parameters import recorded_forecast, week_forecast
from envs.scenario import (
    DAY_S,
    WEEKDAYS,
    Channel,
    Client,
    Fairness,
    Group,
    OpeningHours,
    Scenario,
    Segment,
    Shift,
)
from experiments.offered_load import (
    INTERVAL_H,
    INTERVALS_PER_DAY,
    INTERVALS_PER_HOUR,
    DistinctDay,
    OfferedLoad,
    Pool,
    distinct_days,
    offered_load,
    share_due_while_closed,
)
from experiments.table_console import table_console

CLOSED_SHARE = 0.05
"""From this share of arrivals on a warning says that they are due before anybody with the skill is there."""


@dataclass(frozen=True)
class ChannelDescription:
    """One channel: what comes, and how it is served.

    Attributes:
        name: of the channel.
        kind: `real_time` or `deferred`.
        promise: the service-level threshold or the due time, in words.
        patience: of real-time customers, in words; None for deferred channels.
        mean_handle_s: the mean handle time of a first contact without after-contact work, seconds.
        mean_after_work_s: the mean of its after-contact work, seconds.
        arrivals_per_weekday: mean arrivals of each weekday.
        scripted_contacts: number of them.
        initial_backlog: mean number of contacts already there at the start.
        sources: from where contacts come, such as `arrivals` or `voice.callback_offer`.
        skilled_groups: names of the groups with the skill.
        work_rep_hours: work of the horizon: arrivals, scripted contacts, initial backlog, and what comes back of them.
        returning_contacts: mean number of those that come back: follow-ups, rework, returns, escalations.
        returning_rep_hours: their part of the work.
        staffed_rep_hours: time of the skilled reps within the horizon.
    """

    name: str
    kind: str
    promise: str
    patience: str | None
    mean_handle_s: float
    mean_after_work_s: float
    arrivals_per_weekday: dict[str, float]
    scripted_contacts: int
    initial_backlog: float
    sources: tuple[str, ...]
    skilled_groups: tuple[str, ...]
    work_rep_hours: float
    returning_contacts: float
    returning_rep_hours: float
    staffed_rep_hours: float


@dataclass(frozen=True)
class GroupDescription:
    """One group of reps; `shifts` in words, `staffed_rep_hours` within the horizon, the absent not counted."""

    name: str
    count: int
    skills: tuple[str, ...]
    home: str
    shifts: tuple[str, ...]
    staffed_rep_hours: float
    capacity_units: int
    absence_prob: float


@dataclass(frozen=True)
class SegmentDescription:
    """One kind of customers; `account_value` in words."""

    name: str
    share_frac: float
    account_value: str
    at_risk_prob: float
    preferred_rep_prob: float


@dataclass(frozen=True)
class PreferredRepDescription:
    """What a preferred rep is worth: `speed` divides the handle time, `resolution` multiplies the chance of it."""

    speed: float
    resolution: float


@dataclass(frozen=True)
class TargetDescription:
    """What a client was promised for a channel.

    Attributes:
        channel: its name.
        measure: `service level` or `on-time share`.
        at_least_frac: the target.
        usd_per_point_day: penalty for each percentage point short and calendar day, USD.
        most_usd_per_day: penalty if nothing at all is attained, USD/day.
    """

    channel: str
    measure: str
    at_least_frac: float
    usd_per_point_day: float
    most_usd_per_day: float


@dataclass(frozen=True)
class ClientDescription:
    """One client and its statement of work; fee and technology are USD per handled contact."""

    name: str
    channels: tuple[str, ...]
    fee_usd: float
    technology_usd: float
    targets: tuple[TargetDescription, ...]


@dataclass(frozen=True)
class FairnessDescription:
    """The floor under the service of the worst-served account-value band; `most_usd_per_day` if it gets no service."""

    floor_frac: float
    usd_per_point_day: float
    most_usd_per_day: float


@dataclass(frozen=True)
class HourDescription:
    """One hour of a distinct day, means over the hour.

    Attributes:
        hour: of the day, 0 to 23.
        load_reps: work that arrives, in reps that it keeps busy.
        staffed_reps: reps on shift.
        peak_load_frac: load over staffed reps in the busier half-hour; None where work meets nobody.
        queue_load_reps: by channel.
        queue_skilled_reps: reps on shift with the skill, by channel.
    """

    hour: int
    load_reps: float
    staffed_reps: float
    peak_load_frac: float | None
    queue_load_reps: dict[str, float]
    queue_skilled_reps: dict[str, float]


@dataclass(frozen=True)
class DayDescription:
    """Days of the horizon that are alike: `days` counts from 0, figures are those of one of them."""

    label: str
    days: tuple[int, ...]
    work_rep_hours: float
    staffed_rep_hours: float
    hours: tuple[HourDescription, ...]


@dataclass(frozen=True)
class ActionDescription:
    """One row of the action table."""

    index: int
    name: str
    meaning: str


@dataclass(frozen=True)
class FieldDescription:
    """One number of the observation; `part` is `center` or `candidates`."""

    part: str
    name: str
    unit: str
    low: float
    high: float
    scale: float


@dataclass(frozen=True)
class Description:
    """A scenario as `blended describe` shows it; `dataclasses.asdict` makes plain data of it.

    `work_rep_hours` is the work of the horizon, initial backlog included and what comes back, of which
    `returning_rep_hours` tell; `value_bands_usd` are the borders of the bands; `preferred_rep` is None where no
    customer has one; `warnings` are sentences.
    """

    name: str
    description: str
    horizon_days: float
    start_weekday: str
    warm_up_days: float
    business_hours: tuple[str, ...]
    reps: int
    work_rep_hours: float
    returning_rep_hours: float
    staffed_rep_hours: float
    channels: tuple[ChannelDescription, ...]
    groups: tuple[GroupDescription, ...]
    segments: tuple[SegmentDescription, ...]
    value_bands_usd: tuple[float, ...]
    preferred_rep: PreferredRepDescription | None
    clients: tuple[ClientDescription, ...]
    fairness: FairnessDescription | None
    days: tuple[DayDescription, ...]
    actions: tuple[ActionDescription, ...]
    observation: tuple[FieldDescription, ...]
    warnings: tuple[str, ...]


def describe(scenario: Scenario) -> Description:
    """Return what a researcher should know of `scenario` before training on it."""
    load = offered_load(scenario)
    days = distinct_days(scenario, load)
    center = load.pools()[0]
    work, staffed = load.rep_hours(center)
    sources = _sources(scenario)
    channel_names = tuple(channel.name for channel in scenario.channels)
    return Description(
        name=scenario.name,
        description=scenario.description,
        horizon_days=scenario.horizon.days,
        start_weekday=scenario.horizon.start_weekday,
        warm_up_days=scenario.horizon.warm_up_days,
        business_hours=tuple(_hours_text(hours) for hours in scenario.business_hours),
        reps=sum(group.count for group in scenario.groups),
        work_rep_hours=work + float(load.backlog_rep_hours.sum() + load.returning_rep_hours.sum()),
        returning_rep_hours=float(load.returning_rep_hours.sum()),
        staffed_rep_hours=staffed,
        channels=tuple(_channel(scenario, q, load, sources[name]) for q, name in enumerate(channel_names)),
        groups=tuple(_group(group, g, load) for g, group in enumerate(scenario.groups)),
        segments=tuple(_segment(segment) for segment in scenario.segments),
        value_bands_usd=scenario.value_bands_usd,
        preferred_rep=PreferredRepDescription(scenario.preferred_rep.speed, scenario.preferred_rep.resolution)
        if scenario.has_preferred_reps
        else None,
        clients=tuple(_client(scenario, client) for client in scenario.clients),
        fairness=None if scenario.fairness is None else _fairness(scenario.fairness),
        days=tuple(_day(scenario, load, day) for day in days),
        actions=tuple(
            ActionDescription(index, action.name, action_meaning(action.name))
            for index, action in enumerate(action_table(scenario))
        ),
        observation=tuple(
            FieldDescription(part, field.name, field.unit, float(field.low), float(field.high), float(field.scale))
            for part, fields in field_table(channel_names)._asdict().items()
            for field in fields
        ),
        warnings=(
            *_overloads(scenario, load, days),
            *_endless(load),
            *_unreachable(scenario, sources),
            *_doubtful_due_times(scenario),
        ),
    )


# --- channels, groups, segments -----------------------------------------------------------------------------


def _channel(scenario: Scenario, q: int, load: OfferedLoad, sources: tuple[str, ...]) -> ChannelDescription:
    channel = scenario.channels[q]
    skilled = tuple(g for g, is_skilled in enumerate(load.skilled[q]) if is_skilled)
    work, staffed = load.rep_hours(Pool((q,), skilled))
    per_day = (week_forecast(scenario, channel) * INTERVAL_H).reshape(len(WEEKDAYS), -1).sum(axis=1)
    return ChannelDescription(
        name=channel.name,
        kind=channel.kind,
        promise=_promise(channel),
        patience=_patience(channel),
        mean_handle_s=channel.handle_time.mean_duration_s,
        mean_after_work_s=0.0 if channel.after_work is None else channel.after_work.mean_duration_s,
        arrivals_per_weekday=dict(zip(WEEKDAYS, per_day.tolist(), strict=True)),
        scripted_contacts=sum(contact.channel == channel.name for contact in scenario.scripted_contacts),
        initial_backlog=0.0 if channel.initial_backlog is None else channel.initial_backlog.mean_contacts,
        sources=sources,
        skilled_groups=tuple(scenario.groups[g].name for g in skilled),
        work_rep_hours=work + float(load.backlog_rep_hours[q] + load.returning_rep_hours[q]),
        returning_contacts=float(load.returning_contacts[q]),
        returning_rep_hours=float(load.returning_rep_hours[q]),
        staffed_rep_hours=staffed,
    )


def _promise(channel: Channel) -> str:
    if channel.is_real_time:
        held = "" if channel.concurrency is None else ", held side by side"
        return f"answered within {duration_text(channel.service_level_threshold_s)}{held}"
    if channel.due is None:
        return "no due time"
    words = "promised" if channel.promised else "taken back" if channel.collection is not None else "due"
    if channel.due.hidden_after is not None:
        return f"hidden due times, {duration_text(channel.due.mean_after_s)} on average"
    return f"{words} within {duration_text(channel.due.mean_after_s)} ({channel.due.clock} clock)"


def _patience(channel: Channel) -> str | None:
    if not channel.is_real_time:
        return None
    if channel.patience is None:
        return "without end"
    return f"{_law_name(channel.patience)}, mean {duration_text(channel.patience.mean_duration_s)}"


def _group(group: Group, g: int, load: OfferedLoad) -> GroupDescription:
    homes = group.home_channel
    return GroupDescription(
        name=group.name,
        count=group.count,
        skills=group.skills,
        home=", ".join(f"{home}: {count}" for home, count in homes.items()) if isinstance(homes, dict) else homes or "",
        shifts=("always there",)
        if group.shifts is None
        else tuple(_hours_text(shift) + _breaks_text(shift) for shift in group.shifts),
        staffed_rep_hours=float(load.group_reps[:, g] @ load.length_h),
        capacity_units=group.capacity_units,
        absence_prob=group.absence_prob,
    )


def _hours_text(hours: OpeningHours) -> str:
    weekdays = "every day" if len(set(hours.weekdays)) == len(WEEKDAYS) else ", ".join(hours.weekdays)
    return f"{weekdays} {clock_text(hours.start)} to {clock_text(hours.end)}"


def _breaks_text(shift: Shift) -> str:
    return "".join(f", break {clock_text(pause.start)} for {duration_text(pause.length_s)}" for pause in shift.breaks)


def _segment(segment: Segment) -> SegmentDescription:
    law = segment.account_value
    numbers = law.model_dump(exclude={"distribution"}, exclude_defaults=True)
    figures = ", ".join(f"{key.removesuffix('_usd')} {_number(value)}" for key, value in numbers.items())
    name = _law_name(law)
    text = figures.removeprefix("value ") if name == "fixed" else f"{name}: {figures}"
    return SegmentDescription(segment.name, segment.share_frac, text, segment.at_risk_prob, segment.preferred_rep_prob)


def _client(scenario: Scenario, client: Client) -> ClientDescription:
    targets = []
    for target in client.targets:
        is_real_time = scenario.channels[scenario.channel_index(target.channel)].is_real_time
        targets.append(
            TargetDescription(
                channel=target.channel,
                measure="service level" if is_real_time else "on-time share",
                at_least_frac=target.at_least_frac,
                usd_per_point_day=target.usd_per_point_day,
                most_usd_per_day=_most_usd_per_day(target.at_least_frac, target.usd_per_point_day),
            )
        )
    return ClientDescription(client.name, client.channels, client.fee_usd, client.technology_usd, tuple(targets))


def _fairness(fairness: Fairness) -> FairnessDescription:
    most_usd = _most_usd_per_day(fairness.floor_frac, fairness.usd_per_point_day)
    return FairnessDescription(fairness.floor_frac, fairness.usd_per_point_day, most_usd)


def _most_usd_per_day(wanted_frac: float, usd_per_point_day: float) -> float:
    return 100.0 * wanted_frac * usd_per_point_day


def _law_name(law: BaseModel) -> str:
    return str(getattr(law, "distribution", type(law).__name__)).replace("_", " ")


def _sources(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """Return for each channel from where its contacts come: arrivals, record, script, backlog, or part of a channel."""
    sources: dict[str, list[str]] = {channel.name: [] for channel in scenario.channels}
    for channel in scenario.channels:
        recorded = recorded_forecast(scenario, channel)
        if (week_forecast(scenario, channel) > recorded).any():
            sources[channel.name].append("arrivals")
        if recorded.any():
            sources[channel.name].append("recorded days")
        if channel.is_unlimited:
            sources[channel.name].append("a list that never runs out")
        if any(contact.channel == channel.name for contact in scenario.scripted_contacts):
            sources[channel.name].append("scripted contacts")
        if channel.initial_backlog is not None and channel.initial_backlog.mean_contacts > 0:
            sources[channel.name].append("initial backlog")
    for channel in scenario.channels:
        for path, target in _targets(channel, channel.name):
            if target in sources:
                sources[target].append(path)
    return {name: tuple(found) for name, found in sources.items()}


def _targets(part: BaseModel, path: str) -> Iterator[tuple[str, str]]:
    """Yield each part of a channel that says `to` which channel its contacts go, with its dotted path."""
    for key in type(part).model_fields:
        value = getattr(part, key)
        if key == "to" and isinstance(value, str):
            yield path, value
        elif isinstance(value, BaseModel):
            yield from _targets(value, f"{path}.{key}")


# --- hours --------------------------------------------------------------------------------------------------


def _day(scenario: Scenario, load: OfferedLoad, day: DistinctDay) -> DayDescription:
    center = load.pools()[0]
    work, staffed = load.rep_hours(center, day.intervals)
    first = day.intervals.start
    last = min(first + INTERVALS_PER_DAY, len(load.length_h))
    hours = range(first, last, INTERVALS_PER_HOUR)
    return DayDescription(
        label=day.label,
        days=day.days,
        work_rep_hours=work,
        staffed_rep_hours=staffed,
        hours=tuple(_hour(scenario, load, (start - first) // INTERVALS_PER_HOUR, start) for start in hours),
    )


def _hour(scenario: Scenario, load: OfferedLoad, hour: int, start: int) -> HourDescription:
    intervals = slice(start, start + INTERVALS_PER_HOUR)
    share = load.length_h[intervals] / load.length_h[intervals].sum()
    arriving, present = load.queue_load_reps[intervals].sum(axis=1), load.group_reps[intervals].sum(axis=1)
    fractions = [
        0.0 if work == 0.0 else work / reps if reps > 0.0 else None
        for work, reps in zip(arriving.tolist(), present.tolist(), strict=True)
    ]
    return HourDescription(
        hour=hour,
        load_reps=float(arriving @ share),
        staffed_reps=float(present @ share),
        peak_load_frac=None if None in fractions else max(frac for frac in fractions if frac is not None),
        queue_load_reps={
            channel.name: float(load.queue_load_reps[intervals, q] @ share)
            for q, channel in enumerate(scenario.channels)
        },
        queue_skilled_reps={
            channel.name: float(load.skilled_reps(q)[intervals] @ share) for q, channel in enumerate(scenario.channels)
        },
    )


# --- warnings -----------------------------------------------------------------------------------------------


def _overloads(scenario: Scenario, load: OfferedLoad, days: list[DistinctDay]) -> Iterator[str]:
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


def _endless(load: OfferedLoad) -> Iterator[str]:
    if load.endless:
        yield (
            f"endless: contacts of {', '.join(load.endless)} lead to at least as much work as they are themselves, so "
            "what comes of them has no bound; the offered load leaves it out"
        )


def _unreachable(scenario: Scenario, sources: dict[str, tuple[str, ...]]) -> Iterator[str]:
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


def _doubtful_due_times(scenario: Scenario) -> Iterator[str]:
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


# --- actions ------------------------------------------------------------------------------------------------

_LENSES = {
    "serve": {
        "oldest": "which has waited longest",
        "most_valuable": "of the largest account value",
        "most_urgent": "with the least slack, overdue ones included",
        "next_due": "with the least slack among those not overdue",
        "highest_index": "with the highest index",
    },
    "assign": {
        "preferred": "whom the customer prefers",
        "fastest": "who handles it fastest",
        "longest_idle": "who has been idle longest",
        "least_loaded": "who has the least work in hand",
        "fewest_skills": "with the fewest skills",
    },
    "interrupt": {
        "least_value_at_stake": "whose work has the least account value at stake",
        "least_progress": "whose work has made the least progress",
        "cheapest_to_resume": "whose work has the shortest mean pick-up time",
        "picking_up": "who began a pick-up last",
        "preferred": "whom the customer prefers",
    },
}
_WHOLE = {
    "wait": "change nothing now",
    "serve:preferred": "free rep: start the oldest waiting contact whose preferred rep this is",
    "resume": "free rep: pick up the most urgent of the own suspended contacts",
    "offer_callback": "waiting contact: offer a callback",
}


def action_meaning(name: str) -> str:
    """Return in words what the action of this name does; docs/decision.md says it in full."""
    if name in _WHOLE:
        return _WHOLE[name]
    kind, _, rest = name.partition(":")
    queue, _, lens = rest.rpartition(":")
    which = _LENSES.get(kind, {}).get(lens, f"by {lens.replace('_', ' ')}")
    if kind == "serve":
        return f"free rep: start the waiting {queue} contact {which}"
    if kind == "assign":
        return f"waiting contact: give it to the free rep {which}"
    if kind == "interrupt":
        return f"waiting contact: take off the rep {which}"
    return name.replace("_", " ").replace(":", ", ")


# --- rendering ----------------------------------------------------------------------------------------------


def show(description: Description, console: Console | None = None) -> None:
    """Print a description as tables, its warnings last."""
    console = console or table_console()
    days = "1 day" if description.horizon_days == 1 else f"{description.horizon_days:g} days"
    sizes = ", ".join(
        f"{count} {noun}{'' if count == 1 else 's'}"
        for count, noun in (
            (description.reps, "rep"),
            (len(description.groups), "group"),
            (len(description.channels), "channel"),
        )
    )
    warm_up = f", metrics after {description.warm_up_days:g}" if description.warm_up_days else ""
    console.print(f"[bold]{description.name}[/]: {description.description or 'no description'}", highlight=False)
    console.print(
        f"An episode is {days} from {description.start_weekday}{warm_up}; {sizes}. "
        f"Offered load {description.work_rep_hours:,.1f} of {description.staffed_rep_hours:,.1f} rep-hours"
        f"{_fraction_text(description.work_rep_hours, description.staffed_rep_hours, ' ({})')}.\n",
        highlight=False,
    )
    if description.business_hours:
        console.print(f"Business hours: {'; '.join(description.business_hours)}.\n", highlight=False)
    console.print(_channel_table(description))
    console.print(_work_table(description))
    console.print(_group_table(description))
    if description.segments:
        console.print(_segment_table(description))
    if description.clients:
        console.print(_client_table(description))
    for sentence in _sentences(description):
        console.print(f"\n{sentence}", highlight=False)
    console.print(
        "\nOffered load: work that arrives / reps on shift, both in reps, without what comes back; under a channel the "
        "reps with its skill, where not all have it. Peak: load of the busier half-hour.",
        highlight=False,
    )
    for day in description.days:
        console.print(_day_table(description, day))
    actions = Table("index", "name", "meaning", title="Actions")
    for action in description.actions:
        actions.add_row(str(action.index), action.name, action.meaning)
    console.print(actions)
    console.print(_observation_table(description))
    if not description.warnings:
        console.print("No warnings.")
    for warning in description.warnings:
        console.print(f"Warning: {warning}.", style="yellow", markup=False, highlight=False, soft_wrap=True)


def _channel_table(description: Description) -> Table:
    table = Table("channel", "kind", "promise", "patience", "mean handle time", "comes from", title="Channels")
    for channel in description.channels:
        table.add_row(
            channel.name,
            channel.kind.replace("_", "-"),
            channel.promise,
            channel.patience or "",
            _handle_text(channel),
            "\n".join(channel.sources) or "nothing",
        )
    return table


def _handle_text(channel: ChannelDescription) -> str:
    after = f", after-contact work {duration_text(channel.mean_after_work_s)}" if channel.mean_after_work_s > 0 else ""
    return duration_text(channel.mean_handle_s) + after


def _work_table(description: Description) -> Table:
    table = Table(
        "channel",
        title="Work over the horizon",
        caption="Work: arrivals, scripted contacts, initial backlog and, of all these, what comes back, whenever it "
        "does: follow-ups, rework, returns, escalations, on average. Callbacks, redials and interruptions, which "
        "depend on the policy, come on top. Staffed: the reps with the skill, whatever else they do.",
    )
    headings = ("arrivals a week", "on the busiest day", "scripted", "backlog", "coming back")
    for heading in (*headings, "work, rep-h", "of it coming back", "staffed, rep-h", "load"):
        table.add_column(heading, justify="right")
    for channel in description.channels:
        busiest, most = max(channel.arrivals_per_weekday.items(), key=lambda item: item[1])
        is_even = len(set(channel.arrivals_per_weekday.values())) == 1
        table.add_row(
            channel.name,
            _number(sum(channel.arrivals_per_weekday.values())),
            _number(most) if is_even else f"{_number(most)} ({busiest})",
            str(channel.scripted_contacts or ""),
            f"{channel.initial_backlog:g}" if channel.initial_backlog else "",
            f"{channel.returning_contacts:,.1f}" if channel.returning_contacts else "",
            f"{channel.work_rep_hours:,.1f}",
            f"{channel.returning_rep_hours:,.1f}" if channel.returning_rep_hours else "",
            f"{channel.staffed_rep_hours:,.1f}",
            _fraction_text(channel.work_rep_hours, channel.staffed_rep_hours),
        )
    table.add_section()
    fraction = _fraction_text(description.work_rep_hours, description.staffed_rep_hours)
    work, staffed = f"{description.work_rep_hours:,.1f}", f"{description.staffed_rep_hours:,.1f}"
    returning = f"{description.returning_rep_hours:,.1f}" if description.returning_rep_hours else ""
    table.add_row("center", *[""] * len(headings), work, returning, staffed, fraction)
    return table


def _group_table(description: Description) -> Table:
    table = Table("group", "reps", "skills", "home", "shifts", "rep-h of the horizon", title="Reps")
    for group in description.groups:
        units = f", {group.capacity_units} units each" if group.capacity_units > 1 else ""
        absent = f", {100 * group.absence_prob:g} % absent" if group.absence_prob else ""
        table.add_row(
            group.name,
            f"{group.count}{units}{absent}",
            ", ".join(group.skills),
            group.home,
            "\n".join(group.shifts),
            f"{group.staffed_rep_hours:,.1f}",
        )
    return table


def _segment_table(description: Description) -> Table:
    table = Table("segment", "share", "account value, USD", "at risk", title="Customers")
    if description.preferred_rep is not None:
        table.add_column("have a preferred rep")
    for segment in description.segments:
        cells = [segment.name, f"{segment.share_frac:.1%}", segment.account_value, f"{segment.at_risk_prob:.1%}"]
        if description.preferred_rep is not None:
            cells.append(f"{segment.preferred_rep_prob:.1%}")
        table.add_row(*cells)
    return table


def _client_table(description: Description) -> Table:
    """Return one row per target; a client without any has a row too."""
    table = Table("client", "channels", title="Clients and their statements of work")
    for heading in ("fee, USD", "technology, USD"):
        table.add_column(heading, justify="right")
    table.add_column("target")
    for heading in ("USD a point and day", "at most, USD a day"):
        table.add_column(heading, justify="right")
    for client in description.clients:
        head = [client.name, ", ".join(client.channels), _number(client.fee_usd), _number(client.technology_usd)]
        if not client.targets:
            table.add_row(*head)
        for target in client.targets:
            text = f"{target.channel}: {target.measure} {target.at_least_frac:.1%}"
            table.add_row(*head, text, _number(target.usd_per_point_day), _number(target.most_usd_per_day))
            head = [""] * len(head)
    return table


def _sentences(description: Description) -> Iterator[str]:
    """Yield what the scenario says of fairness and preferred reps."""
    if description.value_bands_usd:
        borders = [_number(border) for border in description.value_bands_usd]
        yield f"Account-value bands: borders at {', '.join(borders)} USD."
    if description.fairness is not None:
        fairness = description.fairness
        yield (
            f"Fairness: in every band {fairness.floor_frac:.1%} of the real-time contacts are to be started within the "
            "threshold; each percentage point that the worst-served band is short costs "
            f"{fairness.usd_per_point_day:g} USD a day, {_number(fairness.most_usd_per_day)} at most."
        )
    if description.preferred_rep is not None:
        worth = description.preferred_rep
        yield (
            f"A preferred rep handles a contact {worth.speed:g} times as fast, and the chance that it is resolved is "
            f"{worth.resolution:g} times as large."
        )


def _day_table(description: Description, day: DayDescription) -> Table:
    """Return the table of one distinct day; hours that read the same share a row."""
    total = f"{day.work_rep_hours:,.1f} / {day.staffed_rep_hours:,.1f} rep-hours"
    fraction = _fraction_text(day.work_rep_hours, day.staffed_rep_hours, " = {}")
    table = Table(title=f"{day.label}: {total}{fraction}")
    everybody = {
        channel.name for channel in description.channels if len(channel.skilled_groups) == len(description.groups)
    }
    for heading in ("hours", "center", "peak", *[channel.name for channel in description.channels]):
        table.add_column(heading, justify="right")
    rows: list[tuple[int, int, list[str]]] = []
    for hour in day.hours:
        cells = [
            f"{_number(hour.load_reps)} / {_number(hour.staffed_reps)}",
            "closed" if hour.peak_load_frac is None else f"{hour.peak_load_frac:.2f}" if hour.staffed_reps else "",
            *[
                _number(load) if name in everybody else f"{_number(load)} / {_number(hour.queue_skilled_reps[name])}"
                for name, load in hour.queue_load_reps.items()
            ],
        ]
        if rows and rows[-1][2] == cells:
            rows[-1] = (rows[-1][0], hour.hour + 1, cells)
        else:
            rows.append((hour.hour, hour.hour + 1, cells))
    for start, end, cells in rows:
        table.add_row(f"{start:02d} to {end:02d}", *cells)
    return table


def _observation_table(description: Description) -> Table:
    """Return the table of fields; those that every channel has are shown once."""
    table = Table(
        "part", "name", "unit", "range", "scale", title="Observation",
        caption="Float32 in natural units; `candidates` has one row per action, `action_mask` one flag per action.",
    )  # fmt: skip
    channels = {channel.name for channel in description.channels}
    rows: dict[tuple[str, ...], None] = {}
    for field in description.observation:
        owner, dot, rest = field.name.partition(".")
        name = f"<channel>.{rest}" if dot and owner in channels else field.name
        rows[field.part, name, field.unit, f"{field.low:,g} to {field.high:,g}", f"{field.scale:,g}"] = None
    part = ""
    for row in rows:
        if part and row[0] != part:
            table.add_section()
        part = row[0]
        table.add_row(*row)
    return table


def duration_text(duration_s: float) -> str:
    """Return a duration in the unit that suits its size: `45 s`, `8 min`, `12 h`, `2 days`."""
    for unit_s, unit in ((DAY_S, "days"), (3600.0, "h"), (60.0, "min")):
        if duration_s >= 1.5 * unit_s or (unit != "days" and duration_s >= unit_s):
            return f"{duration_s / unit_s:.3g} {unit}"
    return f"{duration_s:.3g} s"


def clock_text(time_s: float) -> str:
    """Return a time of day such as `07:30`."""
    minutes = round(time_s / 60.0)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _fraction_text(work: float, staffed: float, form: str = "{}") -> str:
    """Return the load as text; nothing where nobody is staffed."""
    return form.format(f"{work / staffed:.2f}") if staffed > 0.0 else ""


def _number(value: Any) -> str:
    if isinstance(value, int | float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{round(value, 2):g}"
    return str(value)
