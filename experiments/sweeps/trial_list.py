"""The trials of a sweep, listed from its file.

Room: `experiments.sweeps`. Touches nothing.
"""

import hashlib
import json
from collections.abc import Iterator
from itertools import product

from experiments.run_folder import file_name
from experiments.sweeps.sweep_config import OWN_SECTIONS, SweepConfig, label_of
from experiments.sweeps.trials import Trial

DIGEST_DIGITS = 8
"""Hexadecimal digits in a folder's name that stand for the values that vary."""


def list_trials(config: SweepConfig) -> tuple[Trial, ...]:
    """Return every trial of a sweep: by scenario, by algorithm, by combination of the values that vary, by seed."""
    return tuple(
        Trial(
            _name(label_of(scenario), algorithm, varied, seed),
            scenario,
            label_of(scenario),
            algorithm,
            seed,
            varied,
            _overrides(config, algorithm, varied),
        )
        for scenario in config.scenarios
        for algorithm in config.algorithms
        for varied in _combinations(config, algorithm)
        for seed in config.seed_list()
    )


def _name(label: str, algorithm: str, varied: tuple[tuple[str, str], ...], seed: int) -> str:
    """Return the name of a trial's run folder: `<scenario>-<algorithm>[-<digest of the values that vary>]-seed<k>`."""
    parts = [label, algorithm]
    if varied:
        text = json.dumps(sorted(varied), separators=(",", ":"))
        parts.append(hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS])
    return file_name("-".join([*parts, f"seed{seed}"]))


def _applies(key: str, algorithm: str) -> bool:
    """Return whether trainings by `algorithm` read a key."""
    readers = OWN_SECTIONS.get(key.partition(".")[0])
    return readers is None or algorithm in readers


def _combinations(config: SweepConfig, algorithm: str) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield every combination of the values that vary for an algorithm; one empty one if none does."""
    keys = [key for key in config.vary if _applies(key, algorithm)]
    for values in product(*(config.vary[key] for key in keys)):
        yield tuple((key, json.dumps(value)) for key, value in zip(keys, values, strict=True))


def _overrides(config: SweepConfig, algorithm: str, varied: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Return what is changed in a training, later texts after what they may change once more."""
    stated = {"threads": config.threads, "episodes_seed": config.episodes_seed, **config.settings}
    if config.episodes_seed is None:  # a training's own default
        del stated["episodes_seed"]
    texts = [(key, json.dumps(value)) for key, value in stated.items() if _applies(key, algorithm)]
    return tuple(f"{key}={text}" for key, text in (*texts, *varied))
