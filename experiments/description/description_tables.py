"""The description of a scenario as words and tables.

Room: `experiments.description`. Writes to the terminal only.
"""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.console import table_console
from experiments.description.scenario_description import (
    ChannelDescription,
    DayDescription,
    Description,
)
from experiments.texts import duration_text, number_text


def show_summary(description: Description, console: Console | None = None) -> None:
    """Print what one must know of a scenario, without hours, segments, clients, actions and fields; warnings last."""
    console = console or table_console()
    _show_head(description, console)
    console.print(_summary_table(description))
    groups = [f"{group.count} {group.name} ({', '.join(group.skills)})" for group in description.groups]
    console.print(f"Reps: {'; '.join(groups)}.", markup=False, highlight=False)
    loads = [
        f"{day.label} {_fraction_text(day.work_rep_hours, day.staffed_rep_hours) or 'closed'}"
        for day in description.days
    ]
    console.print(f"Load by day: {', '.join(loads)}.", markup=False, highlight=False)
    sizes = {part: sum(field.part == part for field in description.observation) for part in ("center", "candidates")}
    console.print(
        f"{len(description.actions)} actions; an observation has {sizes['center']} numbers of the center and "
        f"{sizes['candidates']} of each action.",
        highlight=False,
    )
    _show_warnings(description, console)
    console.print("Hours, shifts, customers, clients, actions and observation: --full", highlight=False)


def show(description: Description, console: Console | None = None) -> None:
    """Print a description as tables, its warnings last."""
    console = console or table_console()
    _show_head(description, console)
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
    _show_warnings(description, console)


def _show_head(description: Description, console: Console) -> None:
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
    console.print(
        Text.assemble((description.name, "bold"), f": {description.description or 'no description'}"), highlight=False
    )
    console.print(
        f"An episode is {days} from {description.start_weekday}{warm_up}; {sizes}. "
        f"Offered load {description.work_rep_hours:,.1f} of {description.staffed_rep_hours:,.1f} rep-hours"
        f"{_fraction_text(description.work_rep_hours, description.staffed_rep_hours, ' ({})')}.\n",
        highlight=False,
    )


def _show_warnings(description: Description, console: Console) -> None:
    if not description.warnings:
        console.print("No warnings.")
    for warning in description.warnings:
        console.print(f"Warning: {warning}.", style="yellow", markup=False, highlight=False, soft_wrap=True)


def _summary_table(description: Description) -> Table:
    table = Table(title="Channels")
    table.add_column("channel", no_wrap=True)
    for heading in ("promise", "mean handle time"):
        table.add_column(heading)
    for heading in ("arrivals a week", "work / staffed, rep-h", "load"):
        table.add_column(heading, justify="right")
    for channel in description.channels:
        table.add_row(
            channel.name,
            channel.promise,
            _handle_text(channel),
            number_text(sum(channel.arrivals_per_weekday.values())),
            f"{channel.work_rep_hours:,.1f} / {channel.staffed_rep_hours:,.1f}",
            _fraction_text(channel.work_rep_hours, channel.staffed_rep_hours),
        )
    return table


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
            number_text(sum(channel.arrivals_per_weekday.values())),
            number_text(most) if is_even else f"{number_text(most)} ({busiest})",
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
        head = [
            client.name,
            ", ".join(client.channels),
            number_text(client.fee_usd),
            number_text(client.technology_usd),
        ]
        if not client.targets:
            table.add_row(*head)
        for target in client.targets:
            text = f"{target.channel}: {target.measure} {target.at_least_frac:.1%}"
            table.add_row(*head, text, number_text(target.usd_per_point_day), number_text(target.most_usd_per_day))
            head = [""] * len(head)
    return table


def _sentences(description: Description) -> Iterator[str]:
    """Yield what the scenario says of fairness and preferred reps."""
    if description.value_bands_usd:
        borders = [number_text(border) for border in description.value_bands_usd]
        yield f"Account-value bands: borders at {', '.join(borders)} USD."
    if description.fairness is not None:
        fairness = description.fairness
        yield (
            f"Fairness: in every band {fairness.floor_frac:.1%} of the real-time contacts are to be started within the "
            "threshold; each percentage point that the worst-served band is short costs "
            f"{fairness.usd_per_point_day:g} USD a day, {number_text(fairness.most_usd_per_day)} at most."
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
            f"{number_text(hour.load_reps)} / {number_text(hour.staffed_reps)}",
            "closed" if hour.peak_load_frac is None else f"{hour.peak_load_frac:.2f}" if hour.staffed_reps else "",
            *[
                number_text(load)
                if name in everybody
                else f"{number_text(load)} / {number_text(hour.queue_skilled_reps[name])}"
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
        "part", "name", "unit", "range", "scale", "meaning", title="Observation",
        caption="Float32 in natural units; `candidates` has one row per action, `action_mask` one flag per action.",
    )  # fmt: skip
    channels = {channel.name for channel in description.channels}
    rows: dict[tuple[str, ...], None] = {}
    for field in description.observation:
        owner, dot, rest = field.name.partition(".")
        name = f"<channel>.{rest}" if dot and owner in channels else field.name
        bounds = f"{field.low:,g} to {field.high:,g}"
        rows[field.part, name, field.unit, bounds, f"{field.scale:,g}", field.meaning] = None
    part = ""
    for row in rows:
        if part and row[0] != part:
            table.add_section()
        part = row[0]
        table.add_row(*row)
    return table


def _fraction_text(work: float, staffed: float, form: str = "{}") -> str:
    """Return the load as text; nothing where nobody is staffed."""
    return form.format(f"{work / staffed:.2f}") if staffed > 0.0 else ""
