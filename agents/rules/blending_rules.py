"""Rules of blending: how many reps are kept free for calls before other work is started.

Room: `agents.rules`. Touches the scenario and the settings of `agents.rules.compiled.index`; runs nothing.
"""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from agents.rules.compiled import formulas as settings_of
from agents.rules.index_rule import (
    Floats,
    IndexRule,
    NotNegative,
    Reps,
    deferred_names,
    has_both_kinds,
)
from agents.rules.queue_facts import QueueFacts
from agents.rules.rule import FreeParameter
from envs.scenario.scenario import Scenario


class BlendingThresholdRule(IndexRule):
    """Real-time contacts first; deferred work only while more than `reserve_deferred` reps are free. Channels of the
    same kind go by `cmu`."""

    rule: Literal["blending_threshold"]
    reserve_deferred: Reps = 1.0
    formula: ClassVar[str] = "cmu"
    scales_deferred: ClassVar[bool] = False

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        blocks[:, settings_of.B_CLASS] = [not channel.is_real_time for channel in scenario.channels]

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        if not has_both_kinds(scenario):
            kind = "deferred work" if not deferred_names(scenario) else "real-time contacts"
            self._refuse(scenario, f"it has no {kind}")

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ()


class AdaptiveBlendingRule(BlendingThresholdRule):
    """As `blending_threshold`, with a reserve that grows as the service level falls short of its target and shrinks as
    it exceeds it.

    Attributes:
        target_frac: of the service level, where the statement of work gives none.
        reps_per_point: reps by which the reserve grows per percentage point short, on the channel that is most short.
    """

    rule: Literal["adaptive_blending"]  # type: ignore[assignment]
    target_frac: float = Field(default=0.8, ge=0, le=1)
    reps_per_point: NotNegative = 0.1

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        super()._fill(settings, blocks, scenario, facts)
        settings[settings_of.I_TARGET_FRAC] = self.target_frac
        settings[settings_of.I_RESERVE_PER_POINT] = self.reps_per_point

    def _own_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        return (FreeParameter("target_frac", 0.5, 1.0), FreeParameter("reps_per_point", 0.0, 2.0))

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ("attained_frac",) if self.reps_per_point > 0.0 else ()


class ThresholdReservationRule(IndexRule):
    """A strict order of channels, with reps kept free for the first.

    Attributes:
        order: channels, the first served first; default: by `cmu`.
        kept_for_first: reps with the skill who are kept free of every channel but the first; `reserve` and the other
            reserves come on top.
    """

    rule: Literal["threshold_reservation"]
    order: tuple[str, ...] = ()
    kept_for_first: Reps = 1.0
    scales_deferred: ClassVar[bool] = False
    has_own_reserve: ClassVar[bool] = True

    def _fill(self, settings: Floats, blocks: Floats, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        s = settings_of
        names = [channel.name for channel in scenario.channels]
        costs = blocks[:, s.B_COST] * blocks[:, s.B_SERVICES_PER_H]
        order = self.order or [names[queue] for queue in np.argsort(-costs, kind="stable")]
        for queue, name in enumerate(names):
            blocks[queue, s.B_CONSTANT] = len(names) - order.index(name)
            blocks[queue, s.B_FACTOR] = 1.0
            if name != order[0]:
                blocks[queue, s.B_RESERVE] += self.kept_for_first

    def _check_sense(self, scenario: Scenario, facts: tuple[QueueFacts, ...]) -> None:
        names = [channel.name for channel in scenario.channels]
        if len(names) < 2:
            self._refuse(scenario, "it has one channel")
        if not self.order:
            self._require_costs(scenario, facts)
        else:
            self.check_order(self.order, scenario)

    def _own_parameters(self, scenario: Scenario) -> tuple[FreeParameter, ...]:
        n_reps = sum(group.count for group in scenario.groups)
        return (FreeParameter("kept_for_first", 0, n_reps - 1, is_integer=True),) if n_reps > 1 else ()

    def _own_hidden_fields(self, scenario: Scenario) -> tuple[str, ...]:
        return ()
