"""A second simulator: Ciw (Palmer et al. 2019, Journal of Simulation 13(1)) and the center, both run here, agree.

Three models without a closed form, each simulated by both in independent replications of one length, from empty. A
metric agrees if the difference of the means is within four of its standard errors, and these are at most 4 % of the
mean. Times are minutes in Ciw and seconds in a scenario.
"""

from collections.abc import Callable
from typing import Any

import ciw
import numpy as np
import pytest

from agents.catalog import load_policy
from agents.episodes import play_episodes
from agents.rules.priority_rule import PriorityRule
from envs.metrics import compute_metrics
from envs.scenario.scenario import Scenario

REPLICATIONS = 40
LENGTH_MIN = 7200.0

Metrics = dict[str, float]


def lognormal(mean: float, cv: float) -> Any:
    """Return Ciw's lognormal distribution with this mean and coefficient of variation."""
    variance = np.log1p(cv**2)
    return ciw.dists.Lognormal(mean=np.log(mean) - variance / 2, sd=np.sqrt(variance))


def scenario(channels: list[dict[str, Any]], reps: int) -> Scenario:
    skills = [channel["name"] for channel in channels]
    return Scenario.model_validate(
        {
            "name": "beside_ciw",
            "horizon": {"days": LENGTH_MIN / 1440},
            "terminal_charge": "none",
            "channels": channels,
            "groups": [{"name": "reps", "count": reps, "skills": skills}],
        }
    )


def voice(rate_per_min: float, **keys: Any) -> dict[str, Any]:
    rate = {"rate_per_hour": 60 * rate_per_min, "day_factor_cv": 0}
    return {"name": "voice", "kind": "real_time", "arrivals": rate} | keys


def of_ciw(network: Any, seed: int) -> list[Any]:
    ciw.seed(seed)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time(LENGTH_MIN)
    return simulation.get_all_records()


def waits_s(records: list[Any], kind: str = "service", customer_class: str | None = None) -> np.ndarray:
    chosen = [r for r in records if r.record_type == kind and customer_class in (None, r.customer_class)]
    return np.array([60.0 * record.waiting_time for record in chosen])


# Three reps, lognormal service with a heavy tail: no formula for its wait.
def lognormal_service() -> tuple[Scenario, str, Any, Callable[[list[Any]], Metrics]]:
    ours = scenario([voice(0.5, handle_time={"distribution": "lognormal", "mean_s": 240, "cv": 1.2})], 3)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(0.5)],
        service_distributions=[lognormal(4.0, 1.2)],
        number_of_servers=[3],
    )
    return ours, "fifo", network, lambda records: {"voice.mean_wait_started_s": float(waits_s(records).mean())}


# Five reps, fixed service, lognormal patience, eight lines.
def impatient_callers() -> tuple[Scenario, str, Any, Callable[[list[Any]], Metrics]]:
    patience = {"distribution": "lognormal", "mean_s": 120, "cv": 0.8}
    ours = scenario([voice(1.8, handle_time=180, patience=patience, lines=8)], 5)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(1.8)],
        service_distributions=[ciw.dists.Deterministic(3.0)],
        reneging_time_distributions=[lognormal(2.0, 0.8)],
        number_of_servers=[5],
        queue_capacities=[3],
    )

    def measure(records: list[Any]) -> Metrics:
        n_served, n_gone = len(waits_s(records)), len(waits_s(records, "renege"))
        n_blocked = len(waits_s(records, "rejection"))
        n_all = n_served + n_gone + n_blocked
        return {
            "voice.blocked_frac": n_blocked / n_all,
            "voice.abandoned_frac": n_gone / n_all,
            "voice.mean_wait_started_s": float(waits_s(records).mean()),
        }

    return ours, "fifo", network, measure


# Three reps, two classes with unequal service under non-preemptive priority.
def unequal_classes() -> tuple[Scenario, PriorityRule, Any, Callable[[list[Any]], Metrics]]:
    gold = voice(0.3, name="gold", handle_time={"distribution": "exponential", "mean_s": 120})
    standard = voice(0.3, name="standard", handle_time=360)
    network = ciw.create_network(
        arrival_distributions={"gold": [ciw.dists.Exponential(0.3)], "standard": [ciw.dists.Exponential(0.3)]},
        service_distributions={"gold": [ciw.dists.Exponential(0.5)], "standard": [ciw.dists.Deterministic(6.0)]},
        priority_classes={"gold": 0, "standard": 1},
        number_of_servers=[3],
    )

    def measure(records: list[Any]) -> Metrics:
        names = ("gold", "standard")
        return {f"{name}.mean_wait_started_s": float(waits_s(records, customer_class=name).mean()) for name in names}

    return (
        scenario([gold, standard], 3),
        PriorityRule(rule="priority", order=("gold", "standard")),
        network,
        measure,
    )


def summary(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


@pytest.mark.parametrize("model", [lognormal_service, impatient_callers, unequal_classes])
def test_ciw_and_the_center_agree(model: Callable[[], Any]) -> None:
    ours, policy, network, measure = model()
    theirs = [measure(of_ciw(network, seed)) for seed in range(REPLICATIONS)]
    counts = play_episodes(ours, load_policy(policy, ours).policy, 5, np.arange(4 * REPLICATIONS))
    metrics = [compute_metrics(ours, count) for count in counts]
    for key in theirs[0]:
        their_mean, their_error = summary([found[key] for found in theirs])
        our_mean, our_error = summary([found[key] for found in metrics])
        error = float(np.hypot(their_error, our_error))
        print(f"{key}: Ciw {their_mean:.5g} +- {their_error:.2g}, ours {our_mean:.5g} +- {our_error:.2g}")
        assert error <= 0.04 * our_mean, key
        assert abs(our_mean - their_mean) <= 4 * error, (key, our_mean, their_mean, error)
