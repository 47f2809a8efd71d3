"""A learned policy in the compiled loop: its network's weights, from torch or from an exported file.

Room: `agents`. Touches the compiled rules and network, rows of environments and numpy; never torch or onnxruntime.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.policy import MASKED_LOGIT, Observations
from agents.rules.compiled.adjustments import adjustment_names
from agents.rules.compiled.choice import NETWORK
from agents.rules.compiled.network import NO_NETWORK, NetworkWeights, score_rows
from agents.rules.rule_policy import RulePolicy, n_settings
from envs.errors import ArgumentError
from envs.interface.actions import WAIT
from envs.interface.fields import (
    C_CHANNEL,
    C_DISTURBED_CHANNEL,
    C_REAL_TIME,
    Field,
    field_table,
)
from envs.scenario.action_table import action_table
from envs.scenario.scenario import Scenario

ROWS_OF = {
    "center_scale": "center",
    "center_in": "center",
    "candidate_scale": "candidates",
    "candidate_in": "candidates",
    "embedding": "actions",
}
"""Of weights with a row for each field of the center, field of a candidate, or action: of which."""


class NetworkPolicy(RulePolicy):
    """The greedy policy of a network, with the rule `expected_loss` of these `settings` as its prior. It is shown what
    the scenario shows.

    Raises `ArgumentError` if settings or weights do not fit the scenario or each other, since compiled code trusts
    them.
    """

    def __init__(self, scenario: Scenario, settings: NDArray[np.float64], network: NetworkWeights) -> None:
        super().__init__("expected_loss", scenario, settings, needs=())
        for name, shape in _shapes(scenario, network).items():
            array = getattr(network, name)
            kind = np.int8 if name == "knows_action" else np.float32
            if array.shape != shape or array.dtype != kind or not np.isfinite(array).all():
                raise ArgumentError(
                    f"network.{name} of shape {array.shape}, {array.dtype}: must be of shape {shape}, "
                    f"{np.dtype(kind)}, and finite numbers"
                )
        self.name, self.code, self.network = "network", NETWORK, network

    def masked_logits(self, observations: Observations) -> NDArray[np.float32]:
        """Return the network's logits, float32 (n, actions), `MASKED_LOGIT` for masked actions and those that the
        network was not made for."""
        checked = self._check_observations(observations)
        logits = np.empty(checked["action_mask"].shape, np.float32)
        score_rows(
            self.layout,
            self.network,
            np.array(self.settings),
            checked["center"],
            checked["candidates"],
            checked["action_mask"],
            logits,
        )
        return np.maximum(logits, np.float32(MASKED_LOGIT))


class SampledPolicy:
    """The policy of a network that draws its actions, by a generator of its own that is seeded by `seed`. All rows draw
    from it, so an action depends on what was asked before and on the place in the batch."""

    def __init__(self, network: NetworkPolicy, seed: int = 0) -> None:
        self._network = network
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Start the generator anew."""
        self._generator = np.random.default_rng(seed)

    def predict(self, observations: Observations, deterministic: bool = False) -> NDArray[np.int64]:
        """Return one open action per observation, int64 (n,): a sampled one, or if `deterministic` the likeliest."""
        if deterministic:
            return self._network.predict(observations)
        return draw_actions(self._network.masked_logits(observations), self._generator)


def draw_actions(logits: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.int64]:
    """Return for each row of `logits` (n, actions) an action of its softmax, int64 (n,): the largest of logit + Gumbel
    noise (Maddison et al. 2014, A* Sampling, section 2)."""
    return np.argmax(logits + generator.gumbel(size=logits.shape), axis=1).astype(np.int64)


def _counts(scenario: Scenario) -> dict[str, int]:
    """Return how many actions, fields of the center and fields of a candidate there are in `scenario`."""
    table = field_table(tuple(channel.name for channel in scenario.channels))
    return {"actions": len(action_table(scenario)), "center": len(table.center), "candidates": len(table.candidates)}


def _shapes(scenario: Scenario, network: NetworkWeights) -> dict[str, tuple[int, ...]]:
    """Return the shapes that the weights must have; those of layers that are not read are left out."""
    shapes: dict[str, tuple[int, ...]] = {"weights": (2,), "knows_action": (_counts(scenario)["actions"],)}
    if network.weights.shape == (2,) and network.weights[1] == 0.0:
        return shapes
    width = len(network.hidden_bias)
    for name in NetworkWeights._fields:
        if name in ROWS_OF:
            rows = _counts(scenario)[ROWS_OF[name]]
            shapes[name] = (rows,) if name.endswith("_scale") else (rows, width)
        elif name in ("center_out", "hidden"):
            shapes[name] = (width, width)
        elif name not in shapes:
            shapes[name] = (1,) if name == "out_bias" else (width,)
    return shapes


def network_text(scenario: Scenario, settings: NDArray[np.float64], network: NetworkWeights) -> str:
    """Return a network as it stands in a file's metadata, JSON: the weights of prior and layers, the adjustments of the
    prior by name, the settings of the index rule that they adjust, and the layers, float32 in base 64, where they add
    anything."""
    names = adjustment_names(tuple(channel.name for channel in scenario.channels))
    layers = {}
    if network.weights[1] != 0.0:
        layers = {
            name: {"shape": array.shape, "base64": base64.b64encode(array.tobytes()).decode("ascii")}
            for name, array in network._asdict().items()
            if name not in ("knows_action", "weights")
        }
    stated = {
        "weights": network.weights.tolist(),
        "adjustment": dict(zip(names, settings[: len(names)].tolist(), strict=True)),
        "ranking": list(map(str, settings[len(names) :].tolist())),  # texts: JSON has no infinity
        "layers": layers,
    }
    return json.dumps(stated, allow_nan=False)


def read_network(text: str, scenario: Scenario, places: Mapping[str, NDArray[np.int64]]) -> NetworkPolicy | None:
    """Return the policy of `network_text` in `scenario`; None if the text is of a version that this one cannot read.

    `places` has the place in the scenario's tables of each action (`actions`) and field (`center`, `candidates`) of the
    file.
    """
    counts = _counts(scenario)
    knows_action = np.zeros(counts["actions"], np.int8)
    knows_action[places["actions"]] = 1
    try:
        stated = json.loads(text)
        arrays: dict[str, NDArray[Any]] = {
            "weights": np.array(stated["weights"], np.float32),
            "knows_action": knows_action,
        }
        for name, layer in stated["layers"].items():
            array = np.frombuffer(base64.b64decode(layer["base64"]), np.float32).reshape(layer["shape"])
            arrays[name] = array.copy()  # what is compiled takes no array that is read-only
            if name in ROWS_OF:  # what the file does not know has no weight, and whatever scale
                arrays[name] = np.full((counts[ROWS_OF[name]], *array.shape[1:]), name.endswith("_scale"), np.float32)
                arrays[name][places[ROWS_OF[name]]] = array
        network = NO_NETWORK._replace(**arrays)
        settings = _read_settings(stated["adjustment"], stated["ranking"], scenario)
        return NetworkPolicy(scenario, settings, network)
    except (ArgumentError, AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return None


def _read_settings(adjustment: Mapping[str, float], ranking: list[str], scenario: Scenario) -> NDArray[np.float64]:
    """Return the settings of the prior; raises `ValueError` for what this version does not know."""
    names = adjustment_names(tuple(channel.name for channel in scenario.channels))
    if not set(adjustment) <= set(names) or len(ranking) not in (0, n_settings("ranking", len(scenario.channels))):
        raise ValueError
    return np.array([*(adjustment.get(name, 0.0) for name in names), *map(float, ranking)], np.float64)


def random_states(scenario: Scenario, count: int) -> Observations:
    """Return `count` observations that no center need ever show, always the same: every number of the magnitude that
    matters, flags and channels as they can be, and half of the actions open, so that all parts of a network speak."""
    generator = np.random.default_rng(0)
    table, actions = field_table(tuple(channel.name for channel in scenario.channels)), action_table(scenario)
    center = _random_numbers(table.center, (count,), generator)
    candidates = _random_numbers(table.candidates, (count, len(actions)), generator)
    n_channels = len(scenario.channels)
    queue = generator.integers(n_channels, size=(count, len(actions)))
    stated = np.array([action.queue for action in actions])
    queue = np.where(stated >= 0, stated, queue)
    candidates[..., C_CHANNEL] = 1 + queue
    candidates[..., C_REAL_TIME] = np.array([channel.is_real_time for channel in scenario.channels])[queue]
    candidates[..., C_DISTURBED_CHANNEL] = 1 + generator.integers(n_channels, size=queue.shape)
    mask = generator.integers(2, size=queue.shape).astype(np.int8)
    mask[:, WAIT] = 1
    return {"center": center, "candidates": candidates, "action_mask": mask}


def _random_numbers(
    fields: tuple[Field, ...], shape: tuple[int, ...], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return numbers of each of `fields`, float32 (*shape, fields), whole ones where it counts."""
    numbers = np.empty((*shape, len(fields)), np.float32)
    for place, field in enumerate(fields):
        size = field.scale * generator.lognormal(size=shape)
        if field.low < 0.0:
            size *= generator.choice((-1.0, 1.0), size=shape)
        if field.high == 1.0:
            size = generator.random(size=shape)
        if field.unit == "0/1":
            size = np.round(size)
        elif field.unit in ("reps", "contacts", "channels", "count"):
            size = np.floor(size)
        numbers[..., place] = np.clip(size, field.low, field.high)
    return numbers
