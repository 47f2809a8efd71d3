"""Checks that hold in every center, whatever its policy, from the counters of independent batches.

Room: `experiments.validation`. Reads counters and a scenario; plays nothing. Of a scenario that states what the checks
do not know (`KNOWN_KEYS`), such as a new way to end, none is made.

* Flow balance of each queue, to the contact: those there at the end of the warm-up and those who came since are those
  who left, one way or another, and those who are there at the horizon.
* Little's law of each line, L = lambda W (Little 1961, Operations Research 9(3)), in its exact form for a finite
  stretch of time: the time integral of the number waiting, counted by the clock of the center, is the sum of the times
  that contacts stood in line within that stretch, counted by each contact's own.
* PASTA (Wolff 1982, Operations Research 30(2)) of each queue whose new customers come by a Poisson process of constant
  rate: they find as many open contacts of the queue as there are on average. The number found, summed over customers,
  less the rate times the time integral has mean 0 for any stretch of time and any policy that does not anticipate.
"""

from typing import Any, NamedTuple

import numpy as np

from envs.counts import Counts
from envs.errors import ConfigurationError
from envs.interface.units import DAY_S, HOUR_S
from envs.scenario.channel import Channel
from envs.scenario.customers import Arrivals
from envs.scenario.parts import Horizon
from envs.scenario.scenario import Scenario
from experiments.bounds.assumptions import (
    Keys,
    KnownKeys,
    constant_rate_per_hour,
    key_text,
    unknown_keys,
)

AGREEMENT_STANDARD_ERRORS = 4.0
ROUNDING = 1e-6
"""Relative difference that sums of many floating-point numbers may have."""
KNOWN_KEYS: KnownKeys = {
    Scenario: Keys(
        read={"horizon", "channels"},
        # Whoever they bring or send away is counted; staff and prices decide when, not whether.
        harmless={
            "name", "description", "groups", "business_hours", "segments", "scripted_contacts", "replay", "clients",
            "service_level", "fairness", "preferred_rep", "churn", "costs", "value_bands_usd", "suspended_limit",
            "suspended_work", "review", "review_interval_s", "observation", "terminal_charge", "census_at_s",
        },
    ),
    Horizon: Keys(read={"days", "warm_up_days"}, harmless={"start_weekday"}),
    Channel: Keys(
        read={"name", "arrivals"},
        # All ways to join a queue and to leave it, each with a counter of its own in the balance.
        harmless={
            "kind", "handle_time", "after_work", "supply", "offered_per_day", "segment_shares", "lines",
            "waiting_limit", "harm", "costs", "error", "resolution", "follow_up", "assumed", "patience",
            "service_level_threshold_s", "redial", "callback_offer", "concurrency", "due", "reach", "collection",
            "promised", "interruptible", "pick_up", "pick_up_by_others", "pick_up_mode",
            "initial_backlog",
        },
    ),
    Arrivals: Keys(read={"interval_s", "rate_per_hour", "day_factor_cv"}),
}  # fmt: skip
"""What the laws have been thought through for."""


class Check(NamedTuple):
    """One check: what was expected and what was found (per batch), and whether it holds.

    `standard_error` is 0 for an exact law, where z is not defined (None).
    """

    name: str
    channel: str
    unit: str
    expected: float
    found: float
    standard_error: float
    z: float | None
    passed: bool

    @property
    def text(self) -> str:
        """The check in words."""
        return f"{self.name} of {self.channel}: {self.found:.9g}, expected {self.expected:.9g} {self.unit}"


def require_known_keys(scenario: Scenario) -> None:
    """Raise `ConfigurationError` if `scenario` states a key for which the laws have not been thought through."""
    for path in unknown_keys(scenario, KNOWN_KEYS):
        raise ConfigurationError(
            f"scenario {scenario.name} cannot be validated: the generic checks do not know {key_text(scenario, path)}"
        )


def check_batches(scenario: Scenario, batches: list[Counts], episodes_per_batch: int) -> tuple[Check, ...]:
    """Return all checks of all queues of `scenario`; each of `batches` is the sum over its episodes.

    Raises `ConfigurationError` where `require_known_keys` does.
    """
    require_known_keys(scenario)
    counted_s = (scenario.horizon.days - scenario.horizon.warm_up_days) * DAY_S * episodes_per_batch
    checks = []
    for queue, channel in enumerate(scenario.channels):
        counts = [batch["queue_count"][queue] for batch in batches]
        checks.append(_check_flow(channel, counts))
        checks.append(_check_little(channel, counts, counted_s))
        if has_constant_rate(channel) and len(batches) > 1:
            checks.append(_check_pasta(channel, counts, counted_s))
    return tuple(checks)


def has_constant_rate(channel: Channel) -> bool:
    """Return True if the channel's new customers come by a Poisson process of constant rate > 0."""
    arrivals = channel.arrivals
    return arrivals is not None and arrivals.day_factor_cv == 0 and (constant_rate_per_hour(arrivals) or 0.0) > 0


def _check_flow(channel: Channel, counts: list[Any]) -> Check:
    came, left = 0.0, 0.0
    for count in counts:
        came += count["arrived"] - count["blocked"] + count["open_at_start"]
        left += count["completed"] + count["abandoned"] + count["callbacks_accepted"] + count["unreached"]
        left += count["recalled"] - count["recalled_scheduled"] + count["open_at_end"]
    n = len(counts)
    return Check(
        "flow balance", channel.name, "contacts", float(came / n), float(left / n), 0.0, None, bool(came == left)
    )


def _check_little(channel: Channel, counts: list[Any], counted_s: float) -> Check:
    by_contact = float(np.mean([count["line_time_s"] for count in counts])) / counted_s
    by_clock = float(np.mean([count["waiting_time_s"] for count in counts])) / counted_s
    holds = abs(by_clock - by_contact) <= ROUNDING * max(by_clock, by_contact, ROUNDING)
    return Check("Little's law", channel.name, "contacts", by_contact, by_clock, 0.0, None, bool(holds))


def _check_pasta(channel: Channel, counts: list[Any], counted_s: float) -> Check:
    rate_per_s = (constant_rate_per_hour(channel.arrivals) or 0.0) / HOUR_S
    in_time = np.array(
        [count["waiting_time_s"] + count["in_service_time_s"] + count["suspended_time_s"] for count in counts]
    )
    found = np.array([count["found_open"] for count in counts])
    expected_customers = rate_per_s * counted_s
    difference = (found - rate_per_s * in_time) / expected_customers
    error = float(difference.std(ddof=1) / np.sqrt(len(counts)))
    mean_open = float(in_time.mean()) / counted_s
    z = float(difference.mean()) / error if error > 0 else 0.0
    found_open = mean_open + float(difference.mean())
    holds = abs(z) <= AGREEMENT_STANDARD_ERRORS
    return Check("PASTA", channel.name, "contacts", mean_open, found_open, error, z, holds)
