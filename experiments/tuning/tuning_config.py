"""A tuning: what `configs/tuning/*.yaml` may say.

Room: `experiments.tuning`. Checked and frozen; reads files, touches nothing else.
"""

from pathlib import Path
from typing import Any

from pydantic import Field

from agents.catalog import locate_policy
from agents.rules.registry import AnyRule
from envs.configuration.quantities import Checked
from envs.scenario.scenario import locate_override, locate_scenario
from experiments.run_folder import load_config
from experiments.seeds import LARGEST_SEED, MOST_EPISODES

PATH_KEYS = {"scenarios": locate_scenario, "overrides": locate_override, "rules": locate_policy}
"""Keys whose texts may name files; relative paths begin in the folder of the tuning file."""


class TuningConfig(Checked):
    """Which rules are tuned, in which scenarios, on how many episodes.

    Attributes:
        description: what it is for.
        scenarios: names or paths.
        overrides: `dotted.key=value` texts, applied to every scenario.
        rules: names, policy files or rules; none: every rule that makes sense.
        published: without the parts that are this project's own (`agents.rules.rule.OWN_PARTS`).
        seed: the user's seed (`experiments.seeds`).
        trials: of each rule.
        minutes: after which a rule's search ends as well.
        episodes: training episodes of a trial.
        shortlist: so many of the trials that cost least on these play the validation episodes.
        validation_episodes: which decide what is kept.
        test_episodes: on which that is reported.
    """

    description: str = ""
    scenarios: tuple[str, ...] = Field(default=("bank",), min_length=1)
    overrides: tuple[str, ...] = ()
    rules: tuple[str | AnyRule, ...] | None = Field(default=None, min_length=1)
    published: bool = False
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    trials: int = Field(default=120, ge=1)
    minutes: float = Field(default=10.0, gt=0)
    episodes: int = Field(default=32, ge=1, le=MOST_EPISODES)
    shortlist: int = Field(default=8, ge=1)
    validation_episodes: int = Field(default=64, ge=1, le=MOST_EPISODES)
    test_episodes: int = Field(default=64, ge=2, le=MOST_EPISODES)


def load_tuning(name_or_path: str | Path | None = None, **changes: Any) -> TuningConfig:
    """Return the checked tuning of that name in `configs/tuning/`, or of that file; without a name every key has its
    default. `changes` that are not None replace values of keys."""
    return load_config(TuningConfig, "tuning", "tuning", name_or_path, changes, paths=PATH_KEYS)
