"""The command `blended describe`: a scenario in words and tables, and what about it deserves a second look.

Room: `experiments.description`. Reads a scenario; simulates nothing and compiles nothing.
"""

from collections.abc import Iterator

from pydantic import BaseModel

from envs.inputs.record_doubts import record_doubts
from envs.interface.actions import action_meaning
from envs.interface.fields import field_table
from envs.interface.units import WEEKDAYS
from envs.scenario.action_table import action_table
from envs.scenario.agreements import Client, Fairness
from envs.scenario.channel import Channel
from envs.scenario.customers import Segment
from envs.scenario.scenario import Scenario
from envs.scenario.staff import (
    Group,
    OpeningHours,
    Shift,
)
from envs.scenario.week import recorded_forecast, week_forecast
from experiments.description.offered_load import (
    INTERVAL_H,
    INTERVALS_PER_DAY,
    INTERVALS_PER_HOUR,
    DistinctDay,
    OfferedLoad,
    Pool,
    distinct_days,
    offered_load,
)
from experiments.description.scenario_description import (
    ActionDescription,
    ChannelDescription,
    ClientDescription,
    DayDescription,
    Description,
    FairnessDescription,
    FieldDescription,
    GroupDescription,
    HourDescription,
    PreferredRepDescription,
    SegmentDescription,
    TargetDescription,
)
from experiments.description.scenario_warnings import (
    doubtful_due_times,
    endless_channels,
    keys_left_out,
    many_contacts,
    overloaded_channels,
    unreachable_channels,
)
from experiments.texts import (
    clock_text,
    duration_text,
    number_text,
)


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
            ActionDescription(index, action.name, action_meaning(action))
            for index, action in enumerate(action_table(scenario))
        ),
        observation=tuple(
            FieldDescription(
                part, field.name, field.unit, float(field.low), float(field.high), float(field.scale), field.meaning
            )
            for part, fields in field_table(channel_names)._asdict().items()
            for field in fields
        ),
        warnings=(
            *record_doubts(scenario),
            *overloaded_channels(scenario, load, days),
            *many_contacts(scenario, load),
            *endless_channels(load),
            *keys_left_out(scenario),
            *unreachable_channels(scenario, sources),
            *doubtful_due_times(scenario),
        ),
    )


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
    figures = ", ".join(f"{key.removesuffix('_usd')} {number_text(value)}" for key, value in numbers.items())
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
