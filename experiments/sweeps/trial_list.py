"""The trials of a sweep, listed from its file.

Room: `experiments.sweeps`. Touches nothing itself; what it is given may read the files of trainings.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator
from itertools import product

from envs.errors import ConfigurationError
from experiments.run_folder import file_name
from experiments.sweeps.sweep_config import SweepConfig, label_of
from experiments.sweeps.trials import Trial

DIGEST_DIGITS = 8
"""Hexadecimal digits in a folder's name that stand for the values that vary."""

Reads = Callable[[str, str, str], bool]
"""Returns whether the training of a scenario by an algorithm has a place for a key (see `experiments.sweeps.trial`)."""


def list_trials(config: SweepConfig, reads: Reads) -> tuple[Trial, ...]:
    """Return every trial of a sweep: by scenario, by algorithm, by combination of the values that vary, by seed; a key
    that a training has no place for is left out of its trials. Raises `ConfigurationError` if none has one."""
    stated = [*config.settings, *config.vary]
    trials, used = [], set()
    for scenario, algorithm in product(config.scenarios, config.algorithms):
        keys = {key for key in stated if reads(scenario, algorithm, key)}
        used |= keys
        label = label_of(scenario)
        for varied in _combinations(config, keys):
            overrides = _overrides(config, keys, varied)
            for seed in config.seed_list():
                name = _name(label, algorithm, varied, seed)
                trials.append(Trial(name, scenario, label, algorithm, seed, varied, overrides))
    for key in stated:
        if key not in used:
            part = "settings" if key in config.settings else "vary"
            raise ConfigurationError(
                f"sweep.{part}.{key}: must belong to one of {', '.join(config.algorithms)}, or to all"
            )
    return tuple(trials)


def _name(label: str, algorithm: str, varied: tuple[tuple[str, str], ...], seed: int) -> str:
    """Return the name of a trial's run folder: `<scenario>-<algorithm>[-<digest of the values that vary>]-seed<k>`."""
    parts = [label, algorithm]
    if varied:
        text = json.dumps(sorted(varied), separators=(",", ":"))
        parts.append(hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS])
    return file_name("-".join([*parts, f"seed{seed}"]))


def _combinations(config: SweepConfig, keys: Collection[str]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield every combination of the values of those `keys` that vary; one empty one if none does."""
    varying = [key for key in config.vary if key in keys]
    for values in product(*(config.vary[key] for key in varying)):
        yield tuple((key, json.dumps(value)) for key, value in zip(varying, values, strict=True))


def _overrides(config: SweepConfig, keys: Collection[str], varied: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Return what is changed in a training, later texts after what they may change once more."""
    stated = {"threads": config.threads, "episodes_seed": config.episodes_seed}
    if config.episodes_seed is None:  # a training's own default
        del stated["episodes_seed"]
    stated |= {key: value for key, value in config.settings.items() if key in keys}
    return tuple(f"{key}={text}" for key, text in (*((k, json.dumps(v)) for k, v in stated.items()), *varied))
