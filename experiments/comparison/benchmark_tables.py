"""A benchmark's result as tables.

Room: `experiments.comparison`. Reads results; writes to no file.
"""

import itertools
import math

from rich.table import Table

from envs.interface.cost_terms import COST_TERMS
from envs.scenario.scenario import Scenario
from experiments.comparison.outcomes import Outcome
from experiments.comparison.scenario_result import ScenarioResult
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


BAND_SERVICE = {"service level": "service_level_frac", "abandoned": "abandoned_frac", "on time": "on_time_frac"}
"""What is shown of each account-value band: heading and key."""


def band_names(scenario: Scenario) -> list[str]:
    """Return the account-value bands in words, the lowest first; empty where the scenario has none."""
    edges = scenario.value_bands_usd
    if not edges:
        return []
    between = [f"{low:,g} to {high:,g} USD" for low, high in itertools.pairwise(edges)]
    return [f"below {edges[0]:,g} USD", *between, f"{edges[-1]:,g} USD and more"]


def band_table(result: ScenarioResult) -> Table | None:
    """Return who is served how: of each account-value band service level, abandoned and on-time share; None where the
    scenario has no bands."""
    names = band_names(result.scenario)
    if not names:
        return None
    table = Table(
        title=f"{result.scenario.name}: service by account value, {', '.join(BAND_SERVICE)}",
        caption="Bands have mixes of channels of their own: compare policies within a band.",
    )
    table.add_column("policy", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right")
    for outcome in sorted(result.outcomes.values(), key=lambda found: found.metrics["total_cost_usd"]):
        bands = ([outcome.metrics[f"band_{band}.{key}"] for key in BAND_SERVICE.values()] for band in range(len(names)))
        table.add_row(_label(result, outcome), *(", ".join(map(percent_text, shares)) for shares in bands))
    return table


def _label(result: ScenarioResult, outcome: Outcome) -> str:
    if outcome.policy in result.chosen:
        return f"{outcome.policy} ({result.chosen[outcome.policy]})"
    return outcome.policy if outcome.mode == "greedy" else f"{outcome.policy} (sampled)"


def result_tables(result: ScenarioResult) -> list[Table]:
    """Return the tables of one scenario: costs, service, service by account-value band if there are any, and cost by
    term."""
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
        label = _label(result, outcome)
        difference = ""
        if outcome.policy != result.reference:
            difference = usd_text(result.comparison(outcome.policy).difference)
        costs.add_row(label, usd_text(outcome.intervals["total_cost_usd"]), difference)
        shares = (percent_text(outcome.metrics[key]) for _, key in shown)
        service.add_row(label, *shares, f"{outcome.metrics['interruptions']:,.1f}")
        terms.add_row(label, *(amount_text(outcome.metrics[f"cost_{term}_usd"]) for term in with_cost))
    if any(math.isnan(outcome.metrics[key]) for outcome in by_cost for _, key in shown):
        service.caption = UNDEFINED
    bands = band_table(result)
    return [costs, service, *([] if bands is None else [bands]), terms]
