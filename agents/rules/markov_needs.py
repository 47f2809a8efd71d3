"""Which fields of the observation a baseline needs beyond those of a Markovian center.

Room: `agents.rules`. Reads the scenario. `agents.rules.rule_policy` shows such a rule the full observation of the
same episodes.
"""

from agents.rules.compiled.choice import BASELINES
from envs.errors import ConfigurationError
from envs.scenario.channel import Channel
from envs.scenario.distributions import Exponential
from envs.scenario.scenario import Scenario


def slack_tells_more(channel: Channel) -> bool:
    """Return True if a contact's `slack_s` on `channel` tells more than the Markov fields do: the time since it came,
    or until it is due. A due time that is hidden and exponential has no memory."""
    if channel.is_real_time:
        return True
    return channel.due is not None and not isinstance(channel.due.hidden_after, Exponential)


def disturbed_slack_tells_more(scenario: Scenario) -> bool:
    """Return True if the `disturbed_slack_s` of work that may be interrupted tells more than the Markov fields do."""
    return any(channel.interruptible and slack_tells_more(channel) for channel in scenario.channels)


def hidden_fields(name: str, scenario: Scenario) -> tuple[str, ...]:
    """Return the fields by which the baseline `name` decides in `scenario` that tell more than the Markov fields do.

    They are fields of `envs.interface.fields` that are not Markov; a field of the queues that says the same of whoever
    waits (`oldest_wait_s`, `least_slack_s`) goes without saying. Empty: the baseline decides from the Markov state.
    """
    real_time = [channel for channel in scenario.channels if channel.is_real_time]
    n_deferred = len(scenario.channels) - len(real_time)
    if name == "fifo":
        return ("waited_s",) if len(scenario.channels) > 1 else ()
    if name in ("voice_first", "voice_first_interrupting"):
        return ("waited_s",) if len(real_time) > 1 or n_deferred > 1 else ()
    if name == "value_first":
        return ()
    if name == "silo":  # of one channel it takes the oldest anyway, but weighs suspended against waiting work by age
        homes = {home for group in scenario.groups for home in group.home_channels()}
        return ("waited_s",) if any(each.interruptible and each.name in homes for each in scenario.channels) else ()
    if name != "expected_loss":
        raise ConfigurationError(f"policy = {name!r}: no such baseline (known: {', '.join(BASELINES)})")
    # Its trifle for age only orders contacts that are worth the same.
    loses_by_waiting = any(
        channel.harm.wait_prob_per_min + channel.costs.holding_usd_per_hour + channel.costs.waiting_usd_per_hour > 0.0
        for channel in real_time
    )
    deferred = [channel for channel in scenario.channels if not channel.is_real_time]
    fields: tuple[str, ...] = ()
    if loses_by_waiting or any(slack_tells_more(channel) for channel in deferred):
        fields += ("slack_s",)
    if real_time and disturbed_slack_tells_more(scenario):
        fields += ("disturbed_slack_s",)
    return fields
