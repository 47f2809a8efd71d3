"""A training: what `configs/training/*.yaml` may say.

Room: `experiments.training`. Checked and frozen; reads files, touches nothing else.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from agents.catalog import locate_policy
from agents.user_code import locate_class
from envs.configuration.document import (
    Document,
    apply_overrides,
    find_config,
    load_yaml,
    named_files,
    validate,
)
from envs.configuration.inheritance import EXTENDS, resolve_extends
from envs.configuration.messages import did_you_mean
from envs.configuration.path_keys import locate_paths
from envs.configuration.quantities import Checked
from envs.errors import ConfigurationError, InvalidValueError
from envs.scenario.scenario import locate_override, locate_scenario
from experiments.processors import MOST_THREADS
from experiments.seeds import LARGEST_SEED, MOST_EPISODES, DemandSeeds, demand_seeds
from experiments.training.algorithm_settings import Adjustment, ControlledLearning, Dqn, Network, Ppo, Qrdqn

PATH_KEYS = {
    "scenario": locate_scenario,
    "scenario_overrides": locate_override,
    "benchmark.policies": locate_policy,
    "callbacks": locate_class,
}
"""Keys whose texts may name files; relative paths begin in the folder of the training file."""


class Validation(Checked):
    """Choosing the checkpoint and the mode: on `episodes` validation episodes, every `every_steps` decisions."""

    every_steps: int = Field(default=500_000, ge=1)
    episodes: int = Field(default=16, ge=2, le=MOST_EPISODES)


class FinalBenchmark(Checked):
    """The test at the end: `episodes` test episodes, the learned policy, its start, and `policies`; with `best_tuned`
    also the rows `best_tuned` and `best_published`, chosen on `tuned_episodes` validation episodes, where rules are
    shipped for the scenario."""

    episodes: int = Field(default=64, ge=2, le=MOST_EPISODES)
    policies: tuple[str, ...] | None = None
    best_tuned: bool = False
    tuned_episodes: int = Field(default=64, ge=1, le=MOST_EPISODES)


class Checkpoint(Checked):
    """How often a training keeps all it would need to go on (`experiments.training.run.training_run`): after so many
    seconds, at the next place where it can. No result depends on it."""

    every_s: float = Field(default=60.0, ge=0)


class Algorithm(NamedTuple):
    """What belongs to one algorithm.

    Attributes:
        section: its key of the training.
        has_gradients: True if it learns for `steps` decisions, and validates every `validation.every_steps`.
        prior_weight: of its network, unless stated.
        residual_weight: the same; 1 without a prior.
    """

    section: str
    has_gradients: bool
    prior_weight: float
    residual_weight: float


ALGORITHMS = {
    "policy_search": Algorithm("adjustment", has_gradients=False, prior_weight=8.0, residual_weight=0.02),
    "maskable_ppo": Algorithm("ppo", has_gradients=True, prior_weight=8.0, residual_weight=0.02),
    "masked_dqn": Algorithm("dqn", has_gradients=True, prior_weight=1.0, residual_weight=1.0),
    "masked_qrdqn": Algorithm("qrdqn", has_gradients=True, prior_weight=1.0, residual_weight=1.0),
    "controlled_learning": Algorithm("controlled_learning", has_gradients=False, prior_weight=2.0, residual_weight=1.0),
}
"""Whom `algorithm` may name. The section of `policy_search` may stand in every training: it fits the prior, with which
the others go on."""
DEFAULT_ALGORITHM = "policy_search"
_OWN_SECTIONS = {found.section: name for name, found in ALGORITHMS.items() if name != DEFAULT_ALGORITHM}
"""The algorithm of each section that belongs to one alone."""
DEFAULT_STEPS = 2_000_000
"""Decisions of a training by gradients that states none."""


class TrainingConfig(Checked):
    """A training of one policy in one scenario; the checkpoints and the modes are judged on validation episodes.

    Without `algorithm` the section of an algorithm says which one is meant, and without any it is policy search.
    """

    description: str = ""
    scenario: str = "bank"
    scenario_overrides: tuple[str, ...] = ()
    algorithm: str = DEFAULT_ALGORITHM
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] = 0
    episodes_seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] | None = None
    steps: int | None = Field(default=None, ge=0)
    threads: int = Field(default=2, ge=1, le=MOST_THREADS)
    network: Network = Network()
    prior: Literal["best_tuned", "expected_loss"] = "best_tuned"
    adjustment: Adjustment | None = None
    controlled_learning: ControlledLearning | None = None
    ppo: Ppo | None = None
    dqn: Dqn | None = None
    qrdqn: Qrdqn | None = None
    validation: Validation = Validation()
    benchmark: FinalBenchmark | None = FinalBenchmark()
    callbacks: tuple[str, ...] = ()
    checkpoint: Checkpoint = Checkpoint()

    @model_validator(mode="before")
    @classmethod
    def _name_algorithm(cls, data: Any) -> Any:
        """Let `data` say its algorithm, have the section of it, and how its network begins."""
        if not isinstance(data, dict):
            return data
        algorithm = data.get("algorithm", algorithm_of(data))
        named = {**data, "algorithm": algorithm}
        own = ALGORITHMS.get(algorithm) if isinstance(algorithm, str) else None
        if own is not None:
            named[own.section] = {} if named.get(own.section) is None else named[own.section]
            network = named.get("network", {})
            if isinstance(network, dict):
                prior_weight = network.get("prior_weight", own.prior_weight)
                residual_weight = own.residual_weight if prior_weight else 1.0
                named["network"] = {"prior_weight": prior_weight, "residual_weight": residual_weight, **network}
        return named

    @model_validator(mode="after")
    def _check(self) -> "TrainingConfig":
        if self.algorithm not in ALGORITHMS:
            raise InvalidValueError(("algorithm",), unknown_text(self.algorithm))
        for section, owner in _OWN_SECTIONS.items():
            if getattr(self, section) is not None and owner != self.algorithm:
                raise InvalidValueError(
                    (section,), f"belongs to algorithm {owner}, not to {self.algorithm}: must not be there"
                )
        if self.steps and not ALGORITHMS[self.algorithm].has_gradients:
            raise InvalidValueError(
                ("steps",), f"must not be there: {self.algorithm} has no gradients of returns; maskable_ppo has"
            )
        if self.callbacks and not ALGORITHMS[self.algorithm].has_gradients:
            raise InvalidValueError(("callbacks",), f"must not be there: {self.algorithm} has no step of a learner")
        if "prior" in self.model_fields_set and self.adjustment is not None:
            raise InvalidValueError(
                ("prior",), "must not be there with adjustment: the search chooses its start itself"
            )
        if self.adjustment is not None and self.network.prior_weight == 0.0:
            raise InvalidValueError(("adjustment",), "needs a prior: network.prior_weight must be > 0")
        if self.controlled_learning is not None and 0.0 in (self.network.prior_weight, self.network.residual_weight):
            raise InvalidValueError(
                ("controlled_learning",),
                "needs a prior, and layers that add to it: network.prior_weight and residual_weight must be > 0",
            )
        if self.adjustment is not None and self.adjustment.centers is not None and self.algorithm != "policy_search":
            raise InvalidValueError(
                ("adjustment", "centers"), f"must be null with {self.algorithm}: it learns in the scenario alone"
            )
        return self

    @property
    def gradient_settings(self) -> Ppo | Dqn | None:
        """The section of the algorithm, if it learns by gradients."""
        return self.ppo or self.qrdqn or self.dqn

    @property
    def gradient_steps(self) -> int:
        """Decisions that are learned from by gradients of returns; 0 for an algorithm that has none."""
        if not ALGORITHMS[self.algorithm].has_gradients:
            return 0
        return DEFAULT_STEPS if self.steps is None else self.steps

    @property
    def has_later_stage(self) -> bool:
        """True if something is learned on top of the prior."""
        return self.gradient_steps > 0 or self.controlled_learning is not None

    @property
    def line_episodes(self) -> int:
        """Validation episodes on which the rules are played beside which the learner is drawn: those of its curve."""
        stage = self.adjustment or self.controlled_learning
        return self.validation.episodes if self.gradient_steps or stage is None else stage.validation_episodes

    @property
    def judged_seed(self) -> int:
        """The user's seed of the validation and test episodes."""
        return self.seed if self.episodes_seed is None else self.episodes_seed

    @property
    def demand(self) -> DemandSeeds:
        """The demand seeds of the training episodes, and of those on which policies are judged."""
        return demand_seeds(self.judged_seed)._replace(train=demand_seeds(self.seed).train)


def unknown_text(algorithm: str) -> str:
    """Return what is wrong with an algorithm that does not exist."""
    return f"must be one of {', '.join(ALGORITHMS)}{did_you_mean(algorithm, ALGORITHMS)}"


def algorithm_of(data: Mapping[str, Any]) -> str:
    """Return the algorithm that plain data of a training mean."""
    stated = data.get("algorithm")
    if stated is not None:
        return str(stated)
    named = (name for section, name in _OWN_SECTIONS.items() if data.get(section) is not None)
    return next(named, DEFAULT_ALGORITHM)


COMMON = "common"
"""The training in `configs/training/` for scenarios that have none of their own, from which those that have inherit."""


def load_training(
    name_or_path: str | Path, overrides: tuple[str, ...] = (), *, algorithm: str | None = None, **changes: Any
) -> TrainingConfig:
    """Return the checked training of that name in `configs/training/`, or of that file; of a scenario that has no
    training of its own, by its name or file, the `COMMON` one.

    With another `algorithm` than the training has, it is by that alone: the sections of all others, and `steps`, are
    left out. `changes` that are not None replace keys, as `--set` does.
    """
    document = _find_training(name_or_path)
    if algorithm is not None:
        document = _with_algorithm(document, algorithm)
    texts = [*overrides, *(f"{key}={value}" for key, value in changes.items() if value is not None)]
    if texts:
        document = apply_overrides(document, texts)
    return validate(locate_paths(document, "training", PATH_KEYS), TrainingConfig, "training")


def _with_algorithm(document: Document, algorithm: str) -> Document:
    """Return the training by another algorithm alone, without what belongs to others."""
    if algorithm not in ALGORITHMS:
        raise ConfigurationError(f"--algorithm {algorithm}: {unknown_text(algorithm)}")
    if not isinstance(document.data, dict):
        return document
    data, former = dict(document.data), algorithm_of(document.data)
    if former != algorithm:
        own = ALGORITHMS[algorithm].section
        for key in {"steps", *(found.section for found in ALGORITHMS.values())} - {own}:
            data.pop(key, None)
    return replace(document, data={**data, "algorithm": algorithm}, overridden=document.overridden | {("algorithm",)})


def _find_training(name_or_path: str | Path) -> Document:
    try:
        file = find_config(name_or_path, "training")
    except ConfigurationError as error:
        try:
            find_config(name_or_path, "scenarios")
        except ConfigurationError:
            raise ConfigurationError(f"{error}; nor in configs/scenarios") from None
        return _common_training(str(name_or_path))
    document = load_yaml(file)
    if not _is_scenario(document):
        return resolve_extends(document, "training", "training")
    scenario = locate_scenario(str(file), Path())  # a name, if it is one of ours
    own = named_files("training").get(scenario)
    return _common_training(scenario) if own is None else resolve_extends(load_yaml(own), "training", "training")


def _is_scenario(document: Document) -> bool:
    """Return whether a document is a scenario: both may extend another file, and say nothing that only one can say."""
    if not isinstance(document.data, dict):
        return False
    own = set(document.data) - {EXTENDS, "description"}
    return "channels" in own or (EXTENDS in document.data and not own & set(TrainingConfig.model_fields))


def _common_training(scenario: str) -> Document:
    """Return the training for scenarios that have none of their own, for `scenario`, a name or a whole path."""
    document = load_yaml(find_config(COMMON, "training"))
    return replace(document, data={**document.data, "scenario": scenario}, overridden=frozenset({("scenario",)}))
