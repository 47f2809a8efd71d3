"""Models of Stable-Baselines3 and sb3-contrib, as `model.save` wrote them, as policies.

Room: `agents.learning`. Touches SB3, torch and the file. Loading a model runs code that its file holds (SB3 keeps
classes and functions as pickles), so whoever calls `load_model` trusts the file; `agents.catalog` never does by itself.

A file does not say which algorithm wrote it. What it says as plain JSON, read before anything is unpickled, tells the
five algorithms apart if their own policy classes were used: the module of the class, and for PPO and A2C, which share
theirs, the settings. With a policy class of the user's own the algorithm has to be named.

Of algorithms that know no mask the closed actions are left out here: of PPO and A2C by their logits, of DQN and QR-DQN
by their action values, so no model is asked to have learned what is closed.
"""

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Dict, Discrete, Space
from numpy.typing import NDArray
from sb3_contrib import QRDQN, MaskablePPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm

from agents.network_policy import draw_actions
from agents.policy import MASKED_LOGIT, Observations, Policy
from agents.user_code import first_on_path, telling
from envs.errors import ConfigurationError
from envs.interface.fields import FieldTable, field_table
from envs.scenario.action_table import action_table
from envs.scenario.scenario import Scenario
from envs.spaces import observation_space
from envs.wrappers.scaled_observation import flatten_scaled

ALGORITHMS: dict[str, type[BaseAlgorithm]] = {kind.__name__: kind for kind in (PPO, A2C, DQN, MaskablePPO, QRDQN)}
_OF_MODULE = {
    "sb3_contrib.common.maskable.policies": "MaskablePPO",
    "sb3_contrib.common.recurrent.policies": "RecurrentPPO",
    "sb3_contrib.qrdqn.policies": "QRDQN",
    "stable_baselines3.dqn.policies": "DQN",
}
"""The algorithm whose policy classes a module holds."""
_OF_SETTING = {"clip_range": "PPO", "cg_max_steps": "TRPO", "normalize_advantage": "A2C"}
"""The algorithm that has a setting, the first of these that is there, of those that share `ACTOR_CRITIC_MODULE`."""
ACTOR_CRITIC_MODULE = "stable_baselines3.common.policies"
_NOT_TRAINED_ON: dict[str, Any] = {"seed": None, "verbose": 0, "tensorboard_log": None}
"""Settings of a model that only predicts: a seed would start the generators of the whole process anew."""
_SMALL_BUFFER: dict[bool, dict[str, Any]] = {True: {"buffer_size": 1}, False: {"n_steps": 1, "n_envs": 1}}
"""Settings that keep the memory of a training small, with a replay buffer and without."""


class StockModel:
    """A model that values actions, DQN or QR-DQN: greedy among the open ones.

    Args:
        what: names the model in messages.
        model: the loaded model.
        fields: the field table by which the observation is made flat; None where the model takes the dictionary.
    """

    def __init__(self, what: str, model: BaseAlgorithm, fields: FieldTable | None) -> None:
        self.what = what
        self.model = model
        self._fields = fields
        model.policy.set_training_mode(False)

    def predict(self, observations: Observations, deterministic: bool = True) -> NDArray[np.int64]:
        """Return the open action of the highest value per observation, int64 (n,); raises `ConfigurationError` if
        asked to sample, since such a model has no probabilities."""
        if not deterministic:
            raise ConfigurationError(
                f"{self.what}: a model of {type(self.model).__name__} has no probabilities to sample from: "
                "mode must be greedy"
            )
        return self._open_scores(observations).argmax(axis=1).astype(np.int64)

    def _open_scores(self, observations: Observations) -> NDArray[np.float32]:
        """Return values or logits, float32 (n, actions), minus infinity where an action is masked."""
        mask = observations["action_mask"]
        shown: Any = observations if self._fields is None else flatten_scaled(observations, self._fields)
        with telling(f"{self.what}: its network raised"), torch.inference_mode():
            tensors, _ = self.model.policy.obs_to_tensor(shown)
            scores: NDArray[np.float32] = self._score(self.model.policy, tensors).cpu().numpy()
        if not np.isfinite(scores).all():
            raise ConfigurationError(f"{self.what}: its network gives numbers that are not finite")
        return np.where(mask == 0, np.float32(-np.inf), scores)

    def _score(self, policy: Any, tensors: Any) -> torch.Tensor:
        return policy.quantile_net(tensors).mean(dim=1) if isinstance(self.model, QRDQN) else policy.q_net(tensors)


class StockActor(StockModel):
    """A model with probabilities, PPO, A2C or MaskablePPO: the likeliest of the open actions, or one drawn among them,
    by a generator of its own that is seeded by `seed`."""

    def __init__(self, what: str, model: BaseAlgorithm, fields: FieldTable | None) -> None:
        super().__init__(what, model, fields)
        self.seed(0)

    def seed(self, seed: int) -> None:
        """Start the generator of sampled actions anew."""
        self._generator = np.random.default_rng(seed)

    def predict(self, observations: Observations, deterministic: bool = True) -> NDArray[np.int64]:
        """Return one open action per observation, int64 (n,): the likeliest, or a sampled one."""
        scores = self._open_scores(observations)
        if deterministic:
            return scores.argmax(axis=1).astype(np.int64)
        return draw_actions(np.maximum(scores, np.float32(MASKED_LOGIT)), self._generator)

    def action_probabilities(self, observations: Observations) -> NDArray[np.float64]:
        """Return the probabilities among the open actions, float64 (n, actions); masked ones have 0."""
        scores = self._open_scores(observations).astype(np.float64)
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
        return probabilities

    def _score(self, policy: Any, tensors: Any) -> torch.Tensor:
        logits: torch.Tensor = policy.get_distribution(tensors).distribution.logits
        return logits


def load_model(file: Path, algorithm: str | None, scenario: Scenario) -> Policy:
    """Return the model in `file` as a policy in `scenario`. **Runs code that the file holds.**

    Classes that the file names are looked for in the working folder too.

    Args:
        file: what `model.save` wrote.
        algorithm: one of `ALGORITHMS`; None: as the file tells.
        scenario: where it is to act.

    Raises:
        ConfigurationError: there is no such file, it is no model of these algorithms, cannot be loaded, or was made for
            another observation or another number of actions.
    """
    what = f"policy {file}"
    found = algorithm or _find_algorithm(what, file)
    if found not in ALGORITHMS:
        raise ConfigurationError(f"{what}: a model of {found!r}: must be of {', '.join(ALGORITHMS)}")
    model = _load(what, file, ALGORITHMS[found])
    n_actions = len(action_table(scenario))
    if model.action_space != Discrete(n_actions):
        raise ConfigurationError(
            f"{what}: made for actions {model.action_space}: must be Discrete({n_actions}), those of scenario "
            f"{scenario.name}"
        )
    fields = field_table(tuple(channel.name for channel in scenario.channels))
    kind = StockModel if isinstance(model, DQN | QRDQN) else StockActor
    return kind(what, model, _flat_fields(what, model.observation_space, scenario, fields))


def _find_algorithm(what: str, file: Path) -> str:
    """Return the algorithm that wrote a file, by what it says as plain JSON: nothing is unpickled."""
    if not file.is_file():
        raise ConfigurationError(f"{what}: {'a folder: must be a FILE.zip' if file.is_dir() else 'no such file'}")
    try:
        with zipfile.ZipFile(file) as archive:
            data = json.loads(archive.read("data"))
        module = str(data["policy_class"]["__module__"])
    except Exception as error:  # whatever zipfile, its decompressors and json find wrong with such a file
        raise ConfigurationError(f"{what}: not a model that Stable-Baselines3 saved, or a damaged one") from error
    if module == ACTOR_CRITIC_MODULE:
        return next((name for setting, name in _OF_SETTING.items() if setting in data), module)
    if module in _OF_MODULE:
        return _OF_MODULE[module]
    raise ConfigurationError(
        f"{what}: its policy class is of the module {module!r}, which does not tell the algorithm: name it, as in "
        f"sb3:PPO:{file.name} (known: {', '.join(ALGORITHMS)})"
    )


def _load(what: str, file: Path, algorithm: type[BaseAlgorithm]) -> BaseAlgorithm:
    if not file.is_file():
        raise ConfigurationError(f"{what}: no such file")
    # Schedules serve training alone, and as pickled functions they often outlive no other version of Python.
    schedules = dict.fromkeys(("lr_schedule", "clip_range", "clip_range_vf", "exploration_schedule"), _no_schedule)
    settings = _NOT_TRAINED_ON | _SMALL_BUFFER[issubclass(algorithm, DQN | QRDQN)]
    with warnings.catch_warnings(record=True) as said, first_on_path(Path.cwd()):
        warnings.simplefilter("always")
        try:
            with telling(f"{what}: cannot be loaded as {algorithm.__name__}:"):
                return algorithm.load(
                    file, device="cpu", custom_objects={**schedules, "learning_rate": 0.0}, **settings
                )
        except ConfigurationError as error:
            # SB3 warns of what it cannot unpickle, and then fails for want of it.
            first = " ".join(str(said[0].message).split()) if said else ""
            raise ConfigurationError(f"{error}{f'; {first[:300]}' if first else ''}") from error.__cause__


def _no_schedule(_: float) -> float:
    return 0.0


def _flat_fields(what: str, space: Space[Any], scenario: Scenario, fields: FieldTable) -> FieldTable | None:
    """Return the fields by which the observation becomes the flat one that a model with `space` takes, None if it takes
    the dictionary; raises `ConfigurationError` if it takes neither."""
    whole = observation_space(fields, len(action_table(scenario)))
    if space == whole:
        return None
    low, high = (
        flatten_scaled({key: getattr(box, end) for key, box in whole.items()}, fields) for end in ("low", "high")
    )
    flat = Box(low, high, dtype=np.float32)
    if space == flat:
        return fields
    raise ConfigurationError(
        f"{what}: made for the observation {_space_text(space)}: must be that of scenario {scenario.name}, "
        f"{_space_text(whole)}, or what ScaledObservation makes of it, {_space_text(flat)}, with the same bounds"
    )


def _space_text(space: Space[Any]) -> str:
    if isinstance(space, Dict):
        return ", ".join(f"{key} {part.shape}" for key, part in space.items())
    return f"{type(space).__name__} {space.shape}"
