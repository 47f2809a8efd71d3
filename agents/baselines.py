"""Baselines: the compiled rules as policies.

Room: `agents`. Touches the rules, `CenterRows` and numpy.
"""

import numpy as np
from numpy.typing import NDArray

from agents.action_layout import action_layout
from agents.policy import Observations
from agents.rule_choice import INDEX_RULE, choose_rows
from agents.rule_loop import play_rule
from agents.rules import ADJUSTMENTS, PRIORITY, RULES
from envs.center_rows import CenterRows
from envs.distributions import Exponential
from envs.errors import ConfigurationError
from envs.scenario import Channel, Scenario

WITH_SETTINGS = {"priority": PRIORITY, "index_rule": INDEX_RULE}
"""Codes of the rules that need settings."""


class Baseline:
    """A rule of `agents.rules` for one scenario. Sees what a learned policy sees; deterministic in either mode.

    `settings`: of `expected_loss` the values of `agents.rules.ADJUSTMENTS`, by default 0; of `priority` and
    `index_rule` those that `agents.priority` and `agents.index_rule` make. Other rules have none.

    `hidden_fields`: what the rule needs in the scenario beyond the Markov fields, as the function of that name says of
    the baselines; `is_by_order`: of the waits among them it needs only who came first.
    """

    def __init__(
        self,
        name: str,
        scenario: Scenario,
        settings: NDArray[np.float64] | None = None,
        *,
        needs: tuple[str, ...] | None = None,
        is_by_order: bool = False,
    ) -> None:
        if name not in (*RULES, *WITH_SETTINGS):
            raise ConfigurationError(f"policy = {name!r}: no such baseline (known: {', '.join(RULES)})")
        if name == "silo" and all(home is None for group in scenario.groups for home in group.home_channels()):
            raise ConfigurationError(
                f"policy silo makes no sense in scenario {scenario.name}: no group has a home_channel"
            )
        if settings is None and name in WITH_SETTINGS:
            raise ConfigurationError(f"policy {name}: needs its order and perhaps more: state them in a policy file")
        if settings is not None and name not in ("expected_loss", *WITH_SETTINGS):
            raise ConfigurationError(f"policy {name}: has no settings")
        self.name = name
        self.settings = np.zeros(len(ADJUSTMENTS)) if settings is None else settings
        self.code = WITH_SETTINGS[name] if name in WITH_SETTINGS else RULES.index(name)
        self.layout = action_layout(scenario)
        self.hidden_fields = hidden_fields(name, scenario) if needs is None else needs
        self.is_by_order = is_by_order or name in ("fifo", "voice_first", "voice_first_interrupting")

    def predict(self, observations: Observations, deterministic: bool = True) -> NDArray[np.int64]:
        """Return one open action per observation, int64 (n,)."""
        count = len(observations["action_mask"])
        actions = np.zeros(count, np.int64)
        self.choose_into(np.arange(count), observations, actions)
        return actions

    def play_until(self, rows: CenterRows, running: NDArray[np.int64], until_s: NDArray[np.float64]) -> None:
        """Route the environments `running` of `rows` until each reaches its horizon, or its first decision at or after
        `until_s[row]` seconds: what choosing and stepping in turn would do, in one compiled loop."""
        play_rule(self.code, self.layout, self._settings_of(rows.n_rows), rows, running, until_s)

    def choose_into(self, rows: NDArray[np.int64], observations: Observations, actions: NDArray[np.int64]) -> None:
        """Write the actions of `rows` of a batch into `actions`, the other entries left alone."""
        choose_rows(
            self.code,
            self.layout,
            np.array(self._settings_of(len(actions)), order="C"),  # a copy, as in `play_rule`
            rows,
            observations["center"],
            observations["candidates"],
            observations["action_mask"],
            actions,
        )

    def _settings_of(self, n_rows: int) -> NDArray[np.float64]:
        return np.broadcast_to(self.settings, (n_rows, len(self.settings)))


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

    They are fields of `envs.observation` that are not Markov; a field of the queues that says the same of whoever
    waits (`oldest_wait_s`, `least_slack_s`) goes without saying. Empty: the baseline decides from the Markov state.
    """
    real_time = [channel for channel in scenario.channels if channel.is_real_time]
    n_deferred = len(scenario.channels) - len(real_time)
    if name == "fifo":
        return ("waited_s",) if len(scenario.channels) > 1 else ()
    if name in ("voice_first", "voice_first_interrupting"):
        return ("waited_s",) if len(real_time) > 1 or n_deferred > 1 else ()
    if name in ("value_first", "silo"):
        return ()
    if name != "expected_loss":
        raise ConfigurationError(f"policy = {name!r}: no such baseline (known: {', '.join(RULES)})")
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
