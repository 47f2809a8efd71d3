"""An environment's specification that can always be written as JSON.

Room: `envs`. Touches the specification that `gymnasium.make` hands over, with which a data set or another process makes
the same environment again.
"""

import copy
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from gymnasium.envs.registration import EnvSpec

from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario, locate_override, locate_scenario


class WritableSpec:
    """Makes the `spec` of an environment one that `spec.to_json()` can write: of its arguments a `Scenario` is kept as
    the mapping that makes an equal one, a path as text, whole, since it is read elsewhere, a mode as its value."""

    _spec: EnvSpec | None = None

    @property
    def spec(self) -> EnvSpec | None:
        """The arguments with which `gymnasium.make` made this environment; None if it was made directly."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        if spec is not None:
            spec = copy.copy(spec)
            spec.kwargs = {key: _as_data(_located(key, value)) for key, value in spec.kwargs.items()}
        self._spec = spec


def _located(key: str, value: Any) -> Any:
    """Return the argument `key` with whole paths for relative ones, which begin in the working folder of now."""
    try:
        if key == "scenario" and isinstance(value, str | Path):
            return locate_scenario(str(value), Path())
        if key == "overrides":
            return [locate_override(text, Path.cwd()) for text in value]
    except ConfigurationError:  # made in another working folder: as it was stated
        pass
    return value


def _as_data(value: Any) -> Any:
    if isinstance(value, Scenario):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: _as_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_data(item) for item in value]
    return value
