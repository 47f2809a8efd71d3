"""Validation models: scenarios with an exact answer, and what the simulator says to them.

Room: `experiments`. Reads `configs/validation/`; touches `agents.episodes` to play.

A file holds one model of queueing theory as an ordinary scenario, the policy that the theory assumes, and the
exact values of some metrics with their source. The simulation agrees with a value if it is within four
standard errors of it and the standard error is small enough to mean something (`Reference.agrees`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agents.baselines import Baseline
from agents.episodes import play_episodes
from envs.config_file import find_config, load_yaml, validate
from envs.metrics import add_counts, compute_metrics
from envs.scenario import Scenario

Tier = Literal["fast", "slow"]

AGREEMENT_STANDARD_ERRORS = 4.0


class Estimate(NamedTuple):
    """A simulated mean and its standard error, over independent batches."""

    mean: float
    standard_error: float


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Reference(_Part):
    """The exact value of one metric; `tier` says which run is long enough to check it."""

    metric: str
    value: float = Field(gt=0)
    unit: str
    source: str
    tier: Tier
    max_relative_error: float = Field(default=0.01, gt=0)

    def agrees(self, estimate: Estimate) -> bool:
        """Return True if `estimate` is precise enough and no further from the value than chance allows."""
        is_precise = estimate.standard_error <= self.max_relative_error * self.value
        distance = abs(estimate.mean - self.value)
        return is_precise and distance <= AGREEMENT_STANDARD_ERRORS * estimate.standard_error


class EpisodesPerBatch(_Part):
    """How many independent episodes make up one batch in the fast and in the slow tier."""

    fast: int = Field(default=1, ge=1)
    slow: int = Field(default=1, ge=1)


class ValidationModel(_Part):
    """A model with an exact answer: its scenario, policy, size of the run and reference values."""

    title: str
    source: str
    scenario: Scenario
    policy: str
    seed: int = Field(ge=0)
    batches: int = Field(default=64, ge=2)
    episodes_per_batch: EpisodesPerBatch = EpisodesPerBatch()
    references: tuple[Reference, ...] = Field(min_length=1)

    def references_of(self, tier: Tier) -> tuple[Reference, ...]:
        """Return the references that a run of `tier` has to meet; the slow tier, being longer, has all."""
        return tuple(reference for reference in self.references if tier in ("slow", reference.tier))


def load_validation_model(name_or_path: str | Path) -> ValidationModel:
    """Return the checked model of that name in `configs/validation/`, or of that file.

    Raises `ConfigurationError` with file, line, path and rule for whatever is wrong.
    """
    return validate(load_yaml(find_config(name_or_path, "validation")), ValidationModel, "model")


def simulate(model: ValidationModel, tier: Tier, progress: Callable[[int], None] | None = None) -> dict[str, Estimate]:
    """Return the estimate of every metric that the references of `tier` name.

    A batch is the sum over its independent episodes, warm-up left out, so a ratio metric is a ratio of sums;
    mean and standard error are those of the batches. `progress` is told the number of episodes just finished.
    """
    size = model.episodes_per_batch.slow if tier == "slow" else model.episodes_per_batch.fast
    policy = Baseline(model.policy, model.scenario)
    batches = []
    counts = play_episodes(
        model.scenario, policy, model.seed, np.arange(model.batches * size), batch=32, progress=progress
    )
    for start in range(0, len(counts), size):
        batches.append(compute_metrics(model.scenario, add_counts(counts[start : start + size]), size))
    estimates = {}
    for reference in model.references_of(tier):
        values = np.array([batch[reference.metric] for batch in batches])
        error = float(values.std(ddof=1) / np.sqrt(len(values)))
        estimates[reference.metric] = Estimate(float(values.mean()), error)
    return estimates
