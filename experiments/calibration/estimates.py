"""What a log tells of a center: the numbers of a scenario, each with where it comes from.

Room: `experiments.calibration`. Data only; `experiments.calibration.estimation` fills it from a log,
`experiments.calibration.scenario_data` turns it into a scenario.

A law is a mapping as a scenario states it (docs/scenario.md, Durations and Account values). An origin is one line of
text: how the number was estimated, from how many observations, with its interval where it has one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Law = Mapping[str, Any]
"""A duration or an account value as a scenario states it, such as `{"distribution": "exponential", "mean_s": 60}`."""


@dataclass(frozen=True)
class ArrivalEstimate:
    """When contacts of a channel arrive.

    Attributes:
        interval_s: length of an interval of the day, seconds.
        rate_per_hour: contacts per hour, float64 (7, intervals of a day), Sunday first.
        profiles: weekdays that share one row of rates, in the order of the week.
        day_factor_cv: coefficient of variation of the factor that multiplies a whole day, Poisson noise taken out.
        rate_origin: where the rates come from, and how the profiles were decided.
        day_factor_origin: where the factor comes from.
    """

    interval_s: float
    rate_per_hour: NDArray[np.float64]
    profiles: tuple[tuple[str, ...], ...]
    day_factor_cv: float
    rate_origin: str
    day_factor_origin: str


@dataclass(frozen=True)
class PatienceEstimate:
    """How long customers of a channel are willing to wait.

    Attributes:
        time_s: distinct waits after which somebody abandoned, seconds, ascending, float64 (n,).
        survival_prob: product-limit estimate of the chance to wait longer, from each of these on.
        low_prob, high_prob: ends of its pointwise 95 % interval.
        law: the law of patience, smoothed.
        origin: where it comes from.
    """

    time_s: NDArray[np.float64]
    survival_prob: NDArray[np.float64]
    low_prob: NDArray[np.float64]
    high_prob: NDArray[np.float64]
    law: Law
    origin: str


@dataclass(frozen=True)
class HandleTimeEstimate:
    """How long contacts of a channel take.

    Attributes:
        law: the law chosen.
        held_back_log_likelihood: of each law that was tried, nats per contact on days that it was not fitted to.
        origin: where it comes from.
    """

    law: Law
    held_back_log_likelihood: Mapping[str, float]
    origin: str


@dataclass(frozen=True)
class RedialEstimate:
    """Who abandoned and came again.

    Attributes:
        prob: chance to come again, by the same channel.
        delay: law of the time until then.
        origin: where both come from, and how they are biased.
    """

    prob: float
    delay: Law
    origin: str


@dataclass(frozen=True)
class ChannelEstimate:
    """One channel: what the log tells of it; None: nothing.

    Attributes:
        name: as the log has it.
        kind: `real_time` or `deferred`.
        arrivals: when its contacts come.
        handle_time: what they take.
        patience: how long customers wait; None on a deferred channel, and where nobody abandoned.
        after_work: law of the time from the end of a contact until its rep can take the next one; None: no such time.
        after_work_origin: where it comes from.
        redial: None where the log does not name customers.
    """

    name: str
    kind: str
    arrivals: ArrivalEstimate
    handle_time: HandleTimeEstimate
    patience: PatienceEstimate | None
    after_work: Law | None
    after_work_origin: str
    redial: RedialEstimate | None


@dataclass(frozen=True)
class StaffingEstimate:
    """Who works when.

    Attributes:
        groups: groups of reps as a scenario states them (docs/scenario.md, Group).
        origin: where they come from: the reps' own activity, or the staffing that explains the waits.
    """

    groups: tuple[Mapping[str, Any], ...]
    origin: str


@dataclass(frozen=True)
class Assumption:
    """A number that no log tells.

    Attributes:
        path: dotted path of its key in the scenario, as in `--set`: `channels.voice.harm.abandonment_prob`.
        value: what the scenario states.
        low, high: the range within which it may lie.
        reason: why so.
    """

    path: str
    value: float
    low: float
    high: float
    reason: str


@dataclass(frozen=True)
class Estimates:
    """All that a scenario needs.

    Attributes:
        name: of the scenario, a text.
        center_rule: how the center itself orders its queues, as a policy file states it, or a baseline's name.
        days: the days to which the numbers were fitted, `date.toordinal()`, ascending.
        channels: in the order of the log.
        staffing: who works when.
        account_value: law of account values where the log states them, else None.
        account_value_origin: where it comes from.
        assumptions: the numbers that the log does not tell.
        source: which log it was, and its SHA-256.
    """

    name: str
    center_rule: Law | str
    days: NDArray[np.int64]
    channels: tuple[ChannelEstimate, ...]
    staffing: StaffingEstimate
    account_value: Law | None
    account_value_origin: str
    assumptions: tuple[Assumption, ...]
    source: str

    def origins(self) -> dict[str, str]:
        """Return the origin of each estimated number by the dotted path of its key in the scenario, as in `--set`:
        `channels.voice.patience`. A key below such a path has the same origin. Assumed numbers are in `assumptions`."""
        found = {
            "horizon.days": "a week, since rates and shifts are stated by weekday",
            "segments.customer.share_frac": "the log tells no kinds of customers apart",
            "segments.customer.account_value": self.account_value_origin,
            "groups": self.staffing.origin,
        }
        for channel in self.channels:
            place = f"channels.{channel.name}"
            found[f"{place}.arrivals.interval_s"] = "half-hours, the grid on which contacts are counted"
            found[f"{place}.arrivals.rate_per_hour"] = channel.arrivals.rate_origin
            found[f"{place}.arrivals.day_factor_cv"] = channel.arrivals.day_factor_origin
            found[f"{place}.handle_time"] = channel.handle_time.origin
            if channel.patience is not None:
                found[f"{place}.patience"] = channel.patience.origin
            if channel.after_work is not None:
                found[f"{place}.after_work"] = channel.after_work_origin
            if channel.redial is not None:
                found[f"{place}.redial"] = channel.redial.origin
            if channel.kind == "deferred":
                found[f"{place}.pick_up.cv"] = "assumed: about as variable as in the scenario bank"
        return found
