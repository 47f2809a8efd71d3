"""Test helper: logs of a few decisions, small enough to be valued by hand."""

import numpy as np

from envs.scenario.scenario import load_scenario
from experiments.off_policy.logged_days import Counterpart, LoggedDays

HOUR_S = 3600.0


def make_log(
    costs_usd: np.ndarray, features: np.ndarray | None = None, hours: tuple[float, ...] = (0, 6, 12)
) -> LoggedDays:
    """Return a log of a day's horizon with a line of `costs_usd` (days, decisions) for each day, decisions at `hours`.
    States are told apart by the number of the decision; `features` (days, decisions, numbers) default to that too."""
    n_days, n_decisions = costs_usd.shape
    numbers = np.tile(np.eye(n_decisions), (n_days, 1, 1))
    starts_s = HOUR_S * np.array(hours)
    return LoggedDays(
        scenario=load_scenario("tiny"),
        episode=np.repeat(np.arange(n_days), n_decisions),
        time_s=np.tile(starts_s, n_days),
        until_s=np.tile(np.append(starts_s[1:], 24 * HOUR_S), n_days),
        cost_usd=costs_usd.reshape(-1).astype(float),
        action_prob=np.full(n_days * n_decisions, 0.5),
        features=(numbers if features is None else features).reshape(n_days * n_decisions, -1).astype(np.float32),
        states=numbers.reshape(n_days * n_decisions, -1).astype(np.float32),
        units=[np.array([day]) for day in range(n_days)],
    )


def make_counterpart(ratios: np.ndarray, features: np.ndarray) -> Counterpart:
    """Return a policy with a line of `ratios` (days, decisions) for each day, and `features` of its own actions."""
    ratio = ratios.reshape(-1).astype(float)
    return Counterpart("policy", ratio, features.reshape(len(ratio), -1).astype(np.float32), np.zeros(len(ratio)))
