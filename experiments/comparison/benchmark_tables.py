"""A benchmark's result as tables.

Room: `experiments.comparison`. Reads results; writes to no file.
"""

import math

from rich.table import Table

from envs.interface.cost_terms import COST_TERMS
from envs.scenario.scenario import Scenario
from experiments.comparison.scenario_result import ScenarioResult
from experiments.comparison.tuned_rules import BEST_TUNED
from experiments.texts import (
    UNDEFINED,
    amount_text,
    percent_text,
    usd_text,
)


def compared_metrics(scenario: Scenario) -> list[str]:
    """Return the metrics of which paired differences are reported: costs, and the service of each channel."""
    keys = [
        "total_cost_usd",
        *(f"cost_{term}_usd" for term in COST_TERMS),
        "account_loss_usd",
        "interruptions",
    ]
    return keys + [key for _, key in _service_metrics(scenario)]


def _service_metrics(scenario: Scenario) -> list[tuple[str, str]]:
    """Return (heading, key) of the service that is shown of each channel."""
    shown = []
    for channel in scenario.channels:
        if channel.is_real_time:
            shown.append((f"{channel.name}\nabandoned", f"{channel.name}.abandoned_frac"))
            shown.append((f"{channel.name}\nservice level", f"{channel.name}.service_level_frac"))
        else:
            shown.append((f"{channel.name}\non time", f"{channel.name}.on_time_frac"))
    return shown


def result_tables(result: ScenarioResult) -> list[Table]:
    """Return the tables of one scenario: costs, service, cost by term, and the bound if there is one."""
    count = len(result.outcomes[result.reference].counts)
    intervals = " with 95 % intervals" if result.no_interval is None else ""
    costs = Table(
        title=f"{result.scenario.name}: cost per day{intervals}, {count} test episodes of seed {result.seed}",
        caption=result.no_interval and f"Warning: {result.no_interval}.",
    )
    service = Table(title=f"{result.scenario.name}: service")
    terms = Table(title=f"{result.scenario.name}: cost by term, USD/day")
    for table in (costs, service, terms):
        table.add_column("policy", no_wrap=True)
    costs.add_column("total cost, USD/day", justify="right")
    costs.add_column(f"{result.reference} minus this, paired, USD/day", justify="right")
    shown = _service_metrics(result.scenario)
    for heading, _ in shown:
        service.add_column(heading, justify="right")
    service.add_column("interruptions\nper day", justify="right")
    # A term that costs nobody anything would only take room.
    with_cost = [
        term for term in COST_TERMS if any(outcome.metrics[f"cost_{term}_usd"] for outcome in result.outcomes.values())
    ]
    for term in with_cost:
        terms.add_column(term.replace("_", " "), justify="right")
    by_cost = sorted(result.outcomes.values(), key=lambda outcome: outcome.metrics["total_cost_usd"])
    for outcome in by_cost:
        label = outcome.policy if outcome.mode == "greedy" else f"{outcome.policy} (sampled)"
        if outcome.policy == BEST_TUNED:
            label = f"{BEST_TUNED} ({result.best_tuned})"
        difference = ""
        if outcome.policy != result.reference:
            difference = usd_text(result.comparison(outcome.policy).difference)
        costs.add_row(label, usd_text(outcome.intervals["total_cost_usd"]), difference)
        shares = (percent_text(outcome.metrics[key]) for _, key in shown)
        service.add_row(label, *shares, f"{outcome.metrics['interruptions']:,.1f}")
        terms.add_row(label, *(amount_text(outcome.metrics[f"cost_{term}_usd"]) for term in with_cost))
    if any(math.isnan(outcome.metrics[key]) for outcome in by_cost for _, key in shown):
        service.caption = UNDEFINED
    return [costs, service, terms]
