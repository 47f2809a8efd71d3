"""The Markov chain of a center, found by letting the simulator's own events and actions happen.

Room: `experiments.optimum`. Touches `envs.simulator.forced_events`; knows nothing of optimality.

A state of the chain is of one of two kinds. A *lasting* one lies between two events: nobody is left to be asked.
*Decisions* follow an event within the same instant, one question after the other. Events lead from a lasting state, at
a rate, to a lasting state or a decision; actions lead from a decision, at once, to another decision or a lasting state.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.policy import Observations
from envs.errors import ConfigurationError
from envs.inputs.parameters import build_parameters
from envs.interface.fields import field_table
from envs.scenario.action_table import action_table
from envs.simulator.forced_events import (
    ACTION,
    CHAIN_SIZES,
    EVENT,
    KEY_LENGTH,
    MAX_EVENTS,
    list_events,
    read_cost_rates,
    start_empty,
    step_chain,
)
from envs.simulator.machine.state import state_type
from experiments.optimum.markovian_scenario import (
    MarkovianScenario,
    customers_of,
    event_rates,
)

MAX_STATES = 400_000
"""States of a chain, decisions included, at most."""
_CHUNK = 128


@dataclass(frozen=True)
class Edges:
    """Ways between states: `start` and `end`, int64 numbers of states, and what each costs, USD. `weight` is the rate a
    second of an event, the action (a whole number) of a decision."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    weight: NDArray[np.float64]
    cost_usd: NDArray[np.float64]


@dataclass(frozen=True)
class Chain:
    """All states that can be reached from the empty center, which is number 0.

    Attributes:
        is_decision: bool (states,).
        cost_usd_per_s: of being in a state, float64 (states,); 0 at decisions.
        events: from lasting states.
        actions: from decisions, those of one decision side by side.
        observations: of the decisions, in order of their numbers.
        decisions: int64, their numbers.
    """

    is_decision: NDArray[np.bool_]
    cost_usd_per_s: NDArray[np.float64]
    events: Edges
    actions: Edges
    observations: Observations
    decisions: NDArray[np.int64]

    @property
    def n_lasting_states(self) -> int:
        """Number of states that are no decisions."""
        return int((~self.is_decision).sum())


def explore(
    scenario: MarkovianScenario,
    choose: Callable[[Observations], NDArray[np.int64]] | None = None,
    *,
    is_ordered: bool = False,
) -> Chain:
    """Return the chain of `scenario`.

    Args:
        scenario: of the class that can be solved.
        choose: the action for each of n observations; then only what this policy reaches is explored. None: all open
            actions are.
        is_ordered: the order of arrival is part of the state and shown in the observation, as it is with `observation:
            full`.

    Raises:
        ConfigurationError: the chain has more than `MAX_STATES` states.
    """
    return _Exploration(scenario, is_ordered).run(choose)


class _Exploration:
    def __init__(self, scenario: MarkovianScenario, is_ordered: bool) -> None:
        self.name = scenario.name
        self.is_ordered = is_ordered
        shown = scenario.model_copy(update={"observation": "full"}) if is_ordered else scenario
        self.parameters = build_parameters(shown, CHAIN_SIZES)
        self.parameters["warm_up_s"] = 0.0
        self.parameters["sampled_churn"] = 0  # the expectation is the same
        self.rates = event_rates(scenario)
        self.customers = customers_of(scenario)
        self.fields = field_table(tuple(channel.name for channel in scenario.channels))
        self.n_actions = len(action_table(scenario))
        self.numbers: dict[bytes, int] = {}
        self.asked: list[bool] = []

    def run(self, choose: Callable[[Observations], NDArray[np.int64]] | None) -> Chain:
        states = np.zeros(1, state_type(CHAIN_SIZES))
        keys = np.zeros((1, KEY_LENGTH), np.int64)
        start_empty(states, self.parameters, self.is_ordered, keys)
        self._number(keys, np.zeros(1, bool))
        events: list[tuple[Any, ...]] = []
        actions: list[tuple[Any, ...]] = []
        rates: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
        shown: list[tuple[NDArray[np.int64], Observations]] = []
        waiting: list[tuple[NDArray[np.int64], NDArray[Any], Observations | None]] = [
            (np.zeros(1, np.int64), states, None)
        ]
        while waiting:
            numbers, states, observations = waiting.pop()
            if observations is None:
                usd_per_s = np.zeros(len(numbers))
                read_cost_rates(states, self.parameters, usd_per_s)
                rates.append((numbers, usd_per_s))
                rows, listed = self._list_events(states)
                weights = listed["rate_per_s"]
                found = self._step(states[rows], listed["kind"], listed["who"])
                edges = events
            else:
                shown.append((numbers, observations))
                if choose is None:
                    rows, chosen = np.nonzero(observations["action_mask"])
                else:
                    rows, chosen = np.arange(len(numbers)), choose(observations)
                weights = chosen.astype(np.float64)
                found = self._step(states[rows], np.full(len(chosen), ACTION), chosen)
                edges = actions
            reached, ends, costs_usd = found
            edges.append((numbers[rows], ends, weights, costs_usd))
            waiting += reached
            if len(self.asked) > MAX_STATES:
                raise ConfigurationError(
                    f"scenario {self.name}: its chain has more than {MAX_STATES:,} states and decisions: lower "
                    "waiting_limit or the number of reps to certify it"
                )
        return self._assemble(events, actions, rates, shown)

    def _list_events(self, states: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return the events that may come next, after the row in `states` from which each comes."""
        listed = np.zeros((len(states), MAX_EVENTS), EVENT)
        counts = np.zeros(len(states), np.int64)
        list_events(states, self.parameters, self.rates, self.is_ordered, listed, counts)
        is_listed = np.arange(MAX_EVENTS) < counts[:, None]
        return np.nonzero(is_listed)[0], listed[is_listed]

    def _step(
        self, states: NDArray[Any], kinds: NDArray[np.int64], whos: NDArray[np.int64]
    ) -> tuple[
        list[tuple[NDArray[np.int64], NDArray[Any], Observations | None]], NDArray[np.int64], NDArray[np.float64]
    ]:
        """Let one event or action happen in each of `states`, which change.

        Returns the states reached that are new, in chunks of (numbers, records, observations, None for lasting states),
        the number of the state reached from each, and what each step cost, USD.
        """
        count = len(states)
        observations: Observations = {
            "center": np.zeros((count, len(self.fields.center)), np.float32),
            "candidates": np.zeros((count, self.n_actions, len(self.fields.candidates)), np.float32),
            "action_mask": np.zeros((count, self.n_actions), np.int8),
        }
        keys = np.zeros((count, KEY_LENGTH), np.int64)
        costs_usd = np.zeros(count)
        asked = np.zeros(count, bool)
        step_chain(
            states,
            self.parameters,
            self.customers,
            self.is_ordered,
            np.ascontiguousarray(kinds, np.int64),
            np.ascontiguousarray(whos, np.int64),
            observations["center"],
            observations["candidates"],
            observations["action_mask"],
            keys,
            costs_usd,
            asked,
        )
        ends, is_new = self._number(keys, asked)
        reached: list[tuple[NDArray[np.int64], NDArray[Any], Observations | None]] = []
        for is_decision in (False, True):
            rows = np.flatnonzero(is_new & (asked == is_decision))
            for first in range(0, len(rows), _CHUNK):
                chunk = rows[first : first + _CHUNK]
                seen = {key: values[chunk] for key, values in observations.items()} if is_decision else None
                reached.append((ends[chunk], states[chunk], seen))
        return reached, ends, costs_usd

    def _number(self, keys: NDArray[np.int64], asked: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the number of the state of each key, and whether it is new."""
        ends = np.zeros(len(keys), np.int64)
        is_new = np.zeros(len(keys), bool)
        for i, (key, is_decision) in enumerate(zip(keys, asked.tolist(), strict=True)):
            # A decision and a lasting state may have the same key where nobody has said `wait` yet.
            text = key.tobytes() + (b"?" if is_decision else b"")
            number = self.numbers.setdefault(text, len(self.asked))
            if number == len(self.asked):
                self.asked.append(is_decision)
                is_new[i] = True
            ends[i] = number
        return ends, is_new

    def _assemble(self, events: Any, actions: Any, rates: Any, shown: Any) -> Chain:
        cost_usd_per_s = np.zeros(len(self.asked))
        for numbers, usd_per_s in rates:
            cost_usd_per_s[numbers] = usd_per_s
        decisions = np.concatenate([numbers for numbers, _ in shown]) if shown else np.zeros(0, np.int64)
        order = np.argsort(decisions)
        observations = (
            {key: np.concatenate([seen[key] for _, seen in shown])[order] for key in shown[0][1]} if shown else {}
        )
        return Chain(
            is_decision=np.array(self.asked, bool),
            cost_usd_per_s=cost_usd_per_s,
            events=_edges(events),
            actions=_edges(actions),
            observations=observations,
            decisions=decisions[order],
        )


def _edges(parts: list[tuple[Any, ...]]) -> Edges:
    """Return edges in order of their start."""
    if not parts:
        return Edges(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    start, end, weight, cost_usd = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(start, kind="stable")
    return Edges(start[order], end[order], weight[order], cost_usd[order])
