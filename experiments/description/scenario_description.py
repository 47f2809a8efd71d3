"""What is said of a scenario, as data: channels, groups, clients, days, actions, fields.

Room: `experiments.description`. Data only.
"""

from dataclasses import dataclass

from envs.headline import Headline, Headlined


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
    meaning: str


@dataclass(frozen=True, repr=False)
class Description(Headlined):
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

    def headline(self) -> Headline:
        """Return load against staffing, and a row for each channel."""
        return Headline(
            f"{self.name}: work {self.work_rep_hours:,.1f} of {self.staffed_rep_hours:,.1f} rep-hours staffed in "
            f"{self.horizon_days:g} days; {self.reps} reps, {len(self.channels)} channels, warnings: "
            f"{len(self.warnings)}",
            ("channel", "kind", "work, rep-h", "staffed, rep-h"),
            [
                (channel.name, channel.kind, f"{channel.work_rep_hours:,.1f}", f"{channel.staffed_rep_hours:,.1f}")
                for channel in self.channels
            ],
        )
