"""The command `blended certify`: the optimum of a small Markovian center, and how far from it policies are, exactly.

Room: `experiments.optimum`. Reads a policy's action in every decision of the chain
(`experiments.optimum.markov_chain`) and solves the linear system (`experiments.optimum.average_cost`); nothing is
simulated.
"""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from agents.catalog import (
    NamedPolicy,
    fitting_baselines,
    load_policy,
)
from agents.checked_policy import CheckedPolicy
from agents.rules.rule_policy import RulePolicy
from agents.table_policy import StateSpace
from envs.errors import ConfigurationError
from envs.headline import Headline, Headlined
from envs.scenario.action_table import action_table
from envs.scenario.scenario import load_scenario_as
from experiments.comparison.comparison import require_different
from experiments.console import table_console
from experiments.optimum.average_cost import (
    Optimum,
    evaluate_actions,
    find_optimum,
)
from experiments.optimum.markov_chain import Chain, explore
from experiments.optimum.markovian_scenario import MarkovianScenario
from experiments.progress import episode_progress
from experiments.run_folder import writing
from experiments.texts import json_number


@dataclass(frozen=True)
class Certified:
    """The exact cost of one policy, USD a minute; of how many lasting states the chain is that it makes of the center,
    and whether the order of arrival had to be among them."""

    cost_usd_per_minute: float
    n_states: int
    is_ordered: bool


@dataclass(frozen=True, repr=False)
class Certificate(Headlined):
    """The optimum of a scenario and the policies measured by it; `refused` has the reason why one was not."""

    scenario: MarkovianScenario
    chain: Chain
    optimum: Optimum
    policies: dict[str, Certified]
    refused: dict[str, str]
    wall_s: float

    @property
    def optimal_cost_usd_per_minute(self) -> float:
        """The least average cost, USD a minute."""
        return 60.0 * self.optimum.cost_usd_per_s

    def gap_frac(self, policy: str) -> float:
        """Return by which share of the optimum a policy costs more; NaN where the optimum costs nothing."""
        optimal = self.optimal_cost_usd_per_minute
        return self.policies[policy].cost_usd_per_minute / optimal - 1.0 if optimal > 0.0 else math.nan

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return {
            "scenario": self.scenario.name,
            "optimal_cost_per_minute": self.optimal_cost_usd_per_minute,
            "optimal_bounds_per_minute": [60.0 * self.optimum.low_usd_per_s, 60.0 * self.optimum.high_usd_per_s],
            "improvements": self.optimum.n_improvements,
            "sweeps": self.optimum.n_sweeps,
            "states": self.chain.n_lasting_states,
            "decisions": len(self.chain.decisions),
            "wall_s": self.wall_s,
            "policies": {
                name: {
                    "cost_per_minute": found.cost_usd_per_minute,
                    "gap_frac": json_number(self.gap_frac(name)),
                    "states": found.n_states,
                    "order_of_arrival": found.is_ordered,
                }
                for name, found in self.policies.items()
            },
            "refused": self.refused,
        }

    def headline(self) -> Headline:
        """Return the optimum, and a row for each policy, the cheapest first."""
        return Headline(
            f"{self.scenario.name}: the least average cost is {self.optimal_cost_usd_per_minute:.6f} USD/minute "
            f"({self.chain.n_lasting_states:,} states; {len(self.policies)} policies measured)",
            ("policy", "USD/minute", "above the optimum", "states"),
            self._policy_rows(),
        )

    def _policy_rows(self) -> list[tuple[str, str, str, str]]:
        rows = []
        for name, found in sorted(self.policies.items(), key=lambda entry: entry[1].cost_usd_per_minute):
            ordered = " in order of arrival" if found.is_ordered else ""
            frac = self.gap_frac(name)
            gap = "-" if math.isnan(frac) else f"{max(100 * frac, 0.0):.2f} %"  # rounding may put it below 0
            rows.append((name, f"{found.cost_usd_per_minute:.6f}", gap, f"{found.n_states:,}{ordered}"))
        return rows

    def show(self) -> None:
        """Print the optimum and a row for each policy."""
        console = table_console()
        table = Table(title=f"{self.scenario.name}: exact average cost")
        table.add_column("policy", no_wrap=True)
        for heading in ("USD/minute", "above the optimum", "states"):
            table.add_column(heading, justify="right")
        table.add_row("(optimum)", f"{self.optimal_cost_usd_per_minute:.6f}", "", f"{self.chain.n_lasting_states:,}")
        for row in self._policy_rows():
            table.add_row(*row)
        console.print(table)
        if self.optimal_cost_usd_per_minute <= 0.0:
            console.print("-: the optimum costs nothing, so there is no share of it.", highlight=False)
        for name, reason in self.refused.items():
            console.print(f"{name}: {reason}", highlight=False, soft_wrap=True)
        low, high = (60.0 * bound for bound in (self.optimum.low_usd_per_s, self.optimum.high_usd_per_s))
        console.print(
            f"Policy iteration: {self.optimum.n_improvements} improvements, {len(self.chain.decisions):,} decisions. "
            f"Value iteration: between {low:.9f} and {high:.9f} USD/minute after {self.optimum.n_sweeps:,} sweeps.",
            highlight=False,
            soft_wrap=True,
        )

    def write_table(self, file: Path) -> None:
        """Write the optimal policy as a table from state to state, which every command plays (`agents.table_policy`).

        Raises `ConfigurationError` where the scenario has no such table.
        """
        table = {str(before): str(after) for before, after in self._optimal_table().items()}
        with writing(str(file)):
            file.write_text(json.dumps(table, indent=0) + "\n", encoding="utf-8")

    def _optimal_table(self) -> dict[tuple[int, ...], tuple[int, ...]]:
        space = StateSpace(self.scenario)
        chain = self.chain
        place = {number: i for i, number in enumerate(chain.decisions.tolist())}
        edges = edges_of(chain, self.optimum.actions)
        targets: dict[tuple[int, ...], tuple[int, ...]] = {}
        for first in np.unique(chain.events.end[chain.is_decision[chain.events.end]]).tolist():
            before = state = space.read(chain.observations["center"][place[first]])
            number = first
            while number in place:
                i = place[number]
                action = int(self.optimum.actions[i])
                state = space.after(state, action, chain.observations["candidates"][i, action])
                number = int(chain.actions.end[edges[i]])
            targets.setdefault(before, state)
        return targets


def certify(scenario_name: str | Path, policies: Sequence[str] = (), *, overrides: tuple[str, ...] = ()) -> Certificate:
    """Return the optimum of a scenario and the exact cost of `policies`, as `agents.catalog.load_policy` understands
    them; without any, of every baseline that fits and needs nothing that the state lacks. Policies that could sample
    are asked for their greedy actions.

    Raises `ConfigurationError` if the scenario is not of the class `MarkovianScenario`, or if a policy that was named
    needs what the state lacks.
    """
    start_s = time.perf_counter()
    scenario = load_scenario_as(MarkovianScenario, scenario_name, overrides)
    named = [load_policy(text, scenario) for text in policies or fitting_baselines(scenario)]
    names = [policy.name for policy in named]
    require_different("policy", names, "takes part twice: names must differ; name one of them with name=...")
    reasons = {policy.name: reason for policy in named if (reason := _why_refused(policy, scenario)) is not None}
    if policies and reasons:
        raise ConfigurationError("\n".join(f"policy {name}: {reason}" for name, reason in reasons.items()))
    found = {}
    with episode_progress():
        chain = explore(scenario)
        optimum = find_optimum(chain)
        for policy in named:
            if policy.name in reasons:
                continue
            try:
                found[policy.name] = _evaluate(policy, scenario, chain)
            except ConfigurationError as error:
                if policies:
                    raise
                reasons[policy.name] = str(error)  # the chain in order of arrival is too large
    return Certificate(scenario, chain, optimum, found, reasons, time.perf_counter() - start_s)


def _is_by_order(policy: NamedPolicy) -> bool:
    """Return True if a policy needs of all that the Markov state lacks only the order in which contacts came."""
    rule = policy.policy
    return isinstance(rule, RulePolicy) and rule.is_by_order and rule.hidden_fields == ("waited_s",)


def _why_refused(policy: NamedPolicy, scenario: MarkovianScenario) -> str | None:
    hidden: tuple[str, ...] = getattr(policy.policy, "hidden_fields", ())
    if not hidden:
        return None
    if _is_by_order(policy):
        is_due = any(channel.interruptible and channel.due is not None for channel in scenario.channels)
        if scenario.pools_suspended_work and is_due:
            return "decides by the order of arrival, and which suspended contact it may take over by when it came due"
        return None
    fields = ", ".join(hidden)
    return f"decides by {fields}, which the state of scenario {scenario.name} does not hold"


def _evaluate(policy: NamedPolicy, scenario: MarkovianScenario, chain: Chain) -> Certified:
    names = [action.name for action in action_table(scenario)]
    checked = CheckedPolicy(policy.name, policy.policy, names)
    is_ordered = _is_by_order(policy)
    if is_ordered:
        chain = explore(scenario, checked.predict, is_ordered=True)
        actions = chain.actions.weight.astype(np.int64)  # the chosen ones alone were explored
    else:
        actions = checked.predict(chain.observations) if len(chain.decisions) else np.zeros(0, np.int64)
    found = evaluate_actions(chain, edges_of(chain, actions))
    return Certified(60.0 * found.cost_usd_per_s, found.n_lasting_states, is_ordered)


def edges_of(chain: Chain, actions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index in `chain.actions` of each decision's action."""
    n_actions = 1 + int(chain.actions.weight.max(initial=0))
    keys = chain.actions.start * n_actions + chain.actions.weight.astype(np.int64)
    order = np.argsort(keys)
    edges: NDArray[np.int64] = order[np.searchsorted(keys[order], chain.decisions * n_actions + actions)]
    return edges
