"""A sweep: what `configs/sweeps/*.yaml` may say.

Room: `experiments.sweeps`. Checked and frozen; reads files, touches nothing else.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from agents.catalog import locate_policy
from agents.run_files import KEYS_WITHOUT_EFFECT
from agents.user_code import locate_class
from envs.configuration.document import find_config, named_files
from envs.configuration.path_keys import Locate
from envs.configuration.quantities import Checked
from envs.errors import InvalidValueError
from envs.scenario.scenario import locate_override, locate_scenario
from experiments.run_folder import load_config
from experiments.seeds import LARGEST_SEED


def locate_training(text: str, base: Path) -> str:
    """Return the whole path of the scenario or training that `text` names where relative paths begin in `base`; a name
    in `configs/scenarios/` or `configs/training/` stays a name."""
    return text if text in named_files("training") else locate_scenario(text, base)


PATH_KEYS = {"scenarios": locate_training}
"""Keys whose texts may name files; relative paths begin in the folder of the sweep file."""

PATH_SETTINGS: Mapping[str, Locate] = {
    "scenario_overrides": locate_override,
    "benchmark.policies": locate_policy,
    "callbacks": locate_class,
}
"""Keys of a training, in `settings` and `vary`, whose texts may name files too."""

STATED_ELSEWHERE = ("algorithm", "episodes_seed", "scenario", "seed")
"""Keys of a training that a sweep has keys of its own for."""

Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Value = Any
"""What a key of a training may be; the training's own check says more."""


class SweepConfig(Checked):
    """Trainings: every scenario by every algorithm, with every seed and every combination of the values that vary.

    Attributes:
        description: what it is for.
        scenarios: names or paths, of scenarios or of trainings.
        algorithms: names, as the key `algorithm` of a training.
        seeds: so many, 0, 1 and so on; or these.
        settings: dotted keys of a training and their values, for all trials, as after `--set`.
        vary: dotted keys of a training and the values that each takes in turn, crossed.
        episodes_seed: seed of the validation and test episodes, the same for all trials; none: each trial's own seed.
        retries: how often a trial that died is tried again, from its last checkpoint.

    Keys that belong to an algorithm apply only to trials whose training has its section
    (`experiments.sweeps.trial.reads`).
    """

    description: str = ""
    scenarios: tuple[str, ...] = Field(min_length=1)
    algorithms: tuple[str, ...] = Field(min_length=1)
    seeds: Annotated[int, Field(ge=1, le=1000)] | Annotated[tuple[Seed, ...], Field(min_length=1)] = 3
    settings: dict[str, Value] = Field(default={})
    vary: dict[str, Annotated[tuple[Value, ...], Field(min_length=1)]] = Field(default={})
    episodes_seed: Seed | None = 0
    retries: int = Field(default=2, ge=0, le=100)

    @model_validator(mode="after")
    def _check(self) -> "SweepConfig":
        for key in ("scenarios", "algorithms", "seeds"):
            values = getattr(self, key)
            repeated = [] if isinstance(values, int) else [item for item, n in Counter(values).items() if n > 1]
            if repeated:
                raise InvalidValueError((key,), f"must not name {repeated[0]} twice")
        labels = Counter(map(label_of, self.scenarios))
        if max(labels.values()) > 1:
            raise InvalidValueError(
                ("scenarios",), f"two are called {labels.most_common(1)[0][0]}, and would share run folders"
            )
        for part in ("settings", "vary"):
            for key in getattr(self, part):
                if key in STATED_ELSEWHERE:
                    raise InvalidValueError((part, key), "must not stand here: a sweep has a key of its own for it")
        for key, value in self.settings.items():
            _require_no_mapping(("settings", key), value)
        for key, values in self.vary.items():
            _check_varying(key, values)
        for key in self.vary.keys() & self.settings.keys():
            raise InvalidValueError(("vary", key), "must not stand in settings too")
        return self

    @property
    def threads(self) -> int:
        """Return the threads of a trial: 1 unless the settings say otherwise."""
        stated = self.settings.get("threads", 1)
        return stated if isinstance(stated, int) and stated > 0 else 1  # what is neither, a training's check refuses

    def seed_list(self) -> tuple[int, ...]:
        """Return the seeds, in their order."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds


def _check_varying(key: str, values: tuple[Value, ...]) -> None:
    """Raise `InvalidValueError` if trials with different values of a key would not be different trainings."""
    if key.partition(".")[0] in KEYS_WITHOUT_EFFECT:
        raise InvalidValueError(("vary", key), "must not vary: it makes no other training")
    for place, value in enumerate(values):
        _require_no_mapping(("vary", key), value)
        if value in values[:place]:  # 1000 is 1000.0 to a training as well
            raise InvalidValueError(("vary", key), f"must not name {value} twice")


def _require_no_mapping(where: tuple[str, str], value: Value) -> None:
    """Raise `InvalidValueError` for keys below a key, in which paths would not be found; {} stands for all defaults."""
    if isinstance(value, dict) and value:
        raise InvalidValueError(where, f"must be no mapping: state its keys dotted, as {where[1]}.{next(iter(value))}")


def label_of(scenario: str) -> str:
    """Return what a scenario is called in names of folders and in tables: of a file the name without folder and
    suffix."""
    return Path(scenario).stem if Path(scenario).is_absolute() else scenario


def load_sweep(name_or_path: str | Path, **changes: Any) -> SweepConfig:
    """Return the checked sweep of that name in `configs/sweeps/`, or of that file; raises `ConfigurationError`.
    `changes` that are not None replace values of keys."""
    config = load_config(SweepConfig, "sweep", "sweeps", name_or_path, changes, paths=PATH_KEYS)
    base = find_config(name_or_path, "sweeps").resolve().parent
    settings = {key: _located(key, value, base) for key, value in config.settings.items()}
    vary = {key: tuple(_located(key, value, base) for value in values) for key, values in config.vary.items()}
    return config.model_copy(update={"settings": settings, "vary": vary})


def _located(key: str, value: Value, base: Path) -> Value:
    """Return the value of a training's key with whole paths."""
    locate = PATH_SETTINGS.get(key)
    if locate is None or not isinstance(value, list | tuple):
        return value
    return [locate(item, base) if isinstance(item, str) else item for item in value]
