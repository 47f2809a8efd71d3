"""Validation models: scenarios with a known answer, and what the simulator says to them.

Room: `experiments.validation`. Reads `configs/validation/`; touches `agents.episodes` to play.

A file lists models of queueing theory as ordinary scenarios, each with the policy that the theory assumes and the known
values of some metrics with their source. The simulation agrees with a value if it is within four standard errors of it
and the standard error is small enough to mean something (`Reference.judge`). Every model is also put to the generic
checks of `experiments.validation.generic_checks`.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from agents.catalog import load_policy, locate_policy
from agents.episodes import play_episodes
from agents.rules.registry import AnyRule
from envs.configuration.document import (
    REPOSITORY_FOLDER,
    find_config,
    load_yaml,
    validate,
)
from envs.configuration.path_keys import locate_paths
from envs.configuration.quantities import Checked
from envs.counts import (
    Counts,
    add_counts,
)
from envs.errors import ConfigurationError, InvalidValueError
from envs.metrics import (
    compute_metrics,
    metric_glossary,
)
from envs.scenario.scenario import Scenario, load_scenario, locate_override, locate_scenario
from experiments.validation.generic_checks import (
    AGREEMENT_STANDARD_ERRORS,
    Check,
    check_batches,
)

Tier = Literal["fast", "full"]
ROUNDING = 1e-9
"""Relative difference from a known value that rounding may make, where chance makes none."""
LARGEST_BATCH = 16
"""Episodes that run side by side on a thread, at most: long ones need much memory."""


class Estimate(NamedTuple):
    """A simulated mean and its standard error, over independent batches."""

    mean: float
    standard_error: float


class Verdict(NamedTuple):
    """How an estimate compares with a reference: z in standard errors, and why it fails, if it does."""

    z: float
    failure: str | None


class Reference(Checked):
    """The known value of one metric; `tier` says which run is long enough to check it.

    Attributes:
        metric: a key of docs/metrics.md.
        value: the known value, in `unit`, that of the glossary.
        source: the formula, paper or program that it comes from.
        tier: `fast` is checked in both tiers, `full` in the full one only.
        max_relative_error: of the simulation's standard error, as a share of the value.
        value_error: standard error of the value itself, where it was simulated.
    """

    metric: str
    value: float = Field(gt=0)
    unit: str
    source: str
    tier: Tier = "full"
    max_relative_error: float = Field(default=0.01, gt=0)
    value_error: float = Field(default=0.0, ge=0)

    def judge(self, estimate: Estimate) -> Verdict:
        """Return whether `estimate` is precise enough, and no further from the value than chance allows."""
        error = float(np.hypot(estimate.standard_error, self.value_error))
        distance = estimate.mean - self.value
        if error > 0:
            z = distance / error
        else:  # the metric is the same in every batch
            z = 0.0 if abs(distance) <= ROUNDING * self.value else math.copysign(math.inf, distance)
        if not estimate.standard_error <= self.max_relative_error * self.value:
            return Verdict(z, f"standard error above {100 * self.max_relative_error:g} % of the value: too short a run")
        if not abs(z) <= AGREEMENT_STANDARD_ERRORS:
            return Verdict(z, f"more than {AGREEMENT_STANDARD_ERRORS:g} standard errors away")
        return Verdict(z, None)


PATH_KEYS = {
    "models.*.scenario": locate_scenario,
    "models.*.scenario.replay.file": lambda text, base: str(base / text),
    "models.*.overrides": locate_override,
    "models.*.policy": locate_policy,
}
"""Keys whose texts may name files; relative paths begin in the folder of the validation file."""


class EpisodesPerBatch(Checked):
    """How many independent episodes make up one batch in the fast and in the full tier."""

    fast: int = Field(default=1, ge=1)
    full: int = Field(default=1, ge=1)


def _load_named(value: Any) -> Any:
    return load_scenario(value) if isinstance(value, str) else value


class ValidationModel(Checked):
    """A model with a known answer: its scenario, policy, size of the run and reference values.

    Attributes:
        name: unique among all models that run together.
        title: what queueing theory calls it.
        source: where the values come from, with the model's parameters there.
        scenario: inline, or the name or path of one.
        overrides: `dotted.key=value` texts, where the scenario is named.
        policy: what `agents.catalog.load_policy` understands, or a rule (`agents.rules.registry.AnyRule`).
        seed: of the demand.
        batches: independent batches, of which standard errors are made.
        episodes_per_batch: by tier.
        references: the known values.
    """

    name: str
    title: str
    source: str
    scenario: Annotated[Scenario, BeforeValidator(_load_named)]
    overrides: tuple[str, ...] = ()
    policy: str | AnyRule
    seed: int = Field(ge=0, le=2**63 - 1)
    batches: int = Field(default=64, ge=2)
    episodes_per_batch: EpisodesPerBatch = EpisodesPerBatch()
    references: tuple[Reference, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _override(cls, data: Any) -> Any:
        """Apply the overrides to a scenario that is named."""
        if not isinstance(data, dict) or not data.get("overrides"):
            return data
        if not isinstance(data.get("scenario"), str):
            raise InvalidValueError(("overrides",), "has a meaning where the scenario is named, not written here")
        return {**data, "scenario": load_scenario(data["scenario"], tuple(data["overrides"]))}

    @model_validator(mode="after")
    def _check(self) -> "ValidationModel":
        glossary = metric_glossary(self.scenario)
        for i, reference in enumerate(self.references):
            if reference.metric not in glossary:
                raise InvalidValueError(
                    ("references", i, "metric"), "no such metric of this scenario (docs/metrics.md lists them)"
                )
            unit = glossary[reference.metric][0]
            if reference.unit != unit:
                raise InvalidValueError(("references", i, "unit"), f"must be {unit!r}, the unit of {reference.metric}")
        return self

    def references_of(self, tier: Tier) -> tuple[Reference, ...]:
        """Return the references that a run of `tier` has to meet; the full tier, being longer, has all."""
        return tuple(reference for reference in self.references if tier in ("full", reference.tier))

    def n_episodes(self, tier: Tier) -> int:
        """Return the number of episodes of a run of `tier`."""
        return self.batches * (self.episodes_per_batch.full if tier == "full" else self.episodes_per_batch.fast)


class ValidationFile(Checked):
    """A file in `configs/validation/`."""

    description: str = ""
    models: tuple[ValidationModel, ...] = Field(min_length=1)


def load_validation(names_or_paths: Iterable[str | Path] = ()) -> list[ValidationModel]:
    """Return the checked models of those files, each a name in `configs/validation/` or a path; by default of all files
    there.

    Raises `ConfigurationError` with file, line, path and rule for whatever is wrong.
    """
    wanted = list(names_or_paths) or sorted((REPOSITORY_FOLDER / "configs" / "validation").glob("*.yaml"))
    models: list[ValidationModel] = []
    for name_or_path in wanted:
        document = locate_paths(load_yaml(find_config(name_or_path, "validation")), "validation", PATH_KEYS)
        for model in validate(document, ValidationFile, "validation").models:
            if model.name in [other.name for other in models]:
                raise ConfigurationError(f"validation model {model.name}: stands twice; names must differ")
            models.append(model)
    return models


@dataclass(frozen=True)
class ModelResult:
    """What the simulator said to one model.

    Attributes:
        model: the model.
        tier: of the run.
        estimates: of every metric that the references of the tier name.
        checks: the generic checks.
        wall_s: seconds by the clock.
    """

    model: ValidationModel
    tier: Tier
    estimates: dict[str, Estimate]
    checks: tuple[Check, ...]
    wall_s: float = 0.0

    @property
    def failures(self) -> list[str]:
        """What did not hold, a text each."""
        found = []
        for reference in self.model.references_of(self.tier):
            estimate = self.estimates[reference.metric]
            failure = reference.judge(estimate).failure
            if failure is not None:
                found.append(
                    f"{self.model.name} {reference.metric}: {estimate.mean:.6g} +- {estimate.standard_error:.2g} "
                    f"(standard error), known {reference.value:.6g}: {failure}"
                )
        found += [f"{self.model.name} {check.text}" for check in self.checks if not check.passed]
        return found


def simulate(
    model: ValidationModel, tier: Tier, *, threads: int = 1, progress: Callable[[int], None] | None = None
) -> ModelResult:
    """Play the episodes of `tier` and return what came of them.

    A batch is the sum over its independent episodes, warm-up left out, so a ratio metric is a ratio of sums;
    mean and standard error are those of the batches. `progress` is told the number of episodes just finished.
    """
    n_episodes = model.n_episodes(tier)
    size = n_episodes // model.batches
    named = load_policy(model.policy, model.scenario)
    counts = play_episodes(
        model.scenario,
        named.policy,
        model.seed,
        np.arange(n_episodes),
        deterministic=named.deterministic,
        threads=threads,
        batch=LARGEST_BATCH,
        progress=progress,
    )
    batches = [add_counts(counts[start : start + size]) for start in range(0, n_episodes, size)]
    return ModelResult(model, tier, _estimate(model, tier, batches, size), check_batches(model.scenario, batches, size))


def _estimate(model: ValidationModel, tier: Tier, batches: list[Counts], size: int) -> dict[str, Estimate]:
    by_batch = [compute_metrics(model.scenario, batch, size) for batch in batches]
    estimates = {}
    for reference in model.references_of(tier):
        values = np.array([metrics[reference.metric] for metrics in by_batch])
        error = float(values.std(ddof=1) / np.sqrt(len(values)))
        estimates[reference.metric] = Estimate(float(values.mean()), error)
    return estimates
