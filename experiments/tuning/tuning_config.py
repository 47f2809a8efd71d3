"""A tuning: what `configs/tuning/*.yaml` may say.

Room: `experiments.tuning`. Checked and frozen; reads files, touches nothing else.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agents.rules.registry import AnyRule
from envs.configuration.document import (
    Document,
    find_config,
    load_yaml,
    validate,
)
from experiments.seeds import LARGEST_SEED


class TuningConfig(BaseModel):
    """Which rules are tuned, in which scenarios, on how many episodes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = ""
    scenarios: tuple[str, ...] = Field(default=("bank",), min_length=1)
    overrides: tuple[str, ...] = ()
    rules: tuple[str | AnyRule, ...] | None = Field(default=None, min_length=1)
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    trials: int = Field(default=120, ge=1)
    minutes: float = Field(default=10.0, gt=0)
    episodes: int = Field(default=32, ge=1)
    validation_episodes: int = Field(default=64, ge=1)
    test_episodes: int = Field(default=64, ge=2)


def load_tuning(name_or_path: str | Path | None = None, **changes: Any) -> TuningConfig:
    """Return the checked tuning of that name in `configs/tuning/`, or of that file; without a name every key has its
    default. `changes` that are not None replace values of keys."""
    document = Document({}, Path()) if name_or_path is None else load_yaml(find_config(name_or_path, "tuning"))
    changes = {key: value for key, value in changes.items() if value is not None}
    if changes and isinstance(document.data, dict):
        overridden = frozenset((key,) for key in changes)
        document = replace(document, data={**document.data, **changes}, overridden=overridden)
    return validate(document, TuningConfig, "tuning")
