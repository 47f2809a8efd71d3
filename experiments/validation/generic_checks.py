"""Checks that hold in every center, whatever its scenario and policy, from the counters of independent batches.

Room: `experiments.validation`. Reads counters and a scenario; plays nothing.

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

from envs.interface.units import DAY_S
from envs.metrics import Counts
from envs.scenario.channel import Channel
from envs.scenario.scenario import Scenario

AGREEMENT_STANDARD_ERRORS = 4.0
ROUNDING = 1e-6
"""Relative difference that sums of many floating-point numbers may have."""


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


def check_batches(scenario: Scenario, batches: list[Counts], episodes_per_batch: int) -> tuple[Check, ...]:
    """Return all checks of all queues of `scenario`; each of `batches` is the sum over its episodes."""
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
    if arrivals is None or arrivals.day_factor_cv > 0 or isinstance(arrivals.rate_per_hour, dict):
        return False
    rates = arrivals.rates_on("monday")
    return rates[0] > 0 and all(rate == rates[0] for rate in rates)


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
    assert channel.arrivals is not None
    rate_per_s = channel.arrivals.rates_on("monday")[0] / 3600.0
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
