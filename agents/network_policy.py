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
from envs.interface.fields import N_CANDIDATE_FIELDS, N_CENTER_FIELDS, N_QUEUE_FIELDS
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
    the scenario shows."""

    def __init__(self, scenario: Scenario, settings: NDArray[np.float64], network: NetworkWeights) -> None:
        super().__init__("expected_loss", scenario, settings, needs=())
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
    return json.dumps(
        {
            "weights": network.weights.tolist(),
            "adjustment": dict(zip(names, settings[: len(names)].tolist(), strict=True)),
            "ranking": settings[len(names) :].tolist(),
            "layers": layers,
        }
    )


def read_network(text: str, scenario: Scenario, places: Mapping[str, NDArray[np.int64]]) -> NetworkPolicy | None:
    """Return the policy of `network_text` in `scenario`; None if the text is of a version that this one cannot read.

    `places` has the place in the scenario's tables of each action (`actions`) and field (`center`, `candidates`) of the
    file.
    """
    counts = {"actions": len(action_table(scenario)), "center": 0, "candidates": N_CANDIDATE_FIELDS}
    counts["center"] = N_CENTER_FIELDS + len(scenario.channels) * N_QUEUE_FIELDS
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
            if name in ROWS_OF:  # what the file does not know has no weight
                arrays[name] = np.zeros((counts[ROWS_OF[name]], *array.shape[1:]), np.float32)
                arrays[name][places[ROWS_OF[name]]] = array
        network = NO_NETWORK._replace(**arrays)
        settings = _read_settings(stated["adjustment"], stated["ranking"], scenario)
    except (KeyError, TypeError, ValueError):
        return None
    return NetworkPolicy(scenario, settings, network)


def _read_settings(adjustment: Mapping[str, float], ranking: list[float], scenario: Scenario) -> NDArray[np.float64]:
    """Return the settings of the prior; raises `ValueError` for what this version does not know."""
    names = adjustment_names(tuple(channel.name for channel in scenario.channels))
    if not set(adjustment) <= set(names) or len(ranking) not in (0, n_settings("index_rule", len(scenario.channels))):
        raise ValueError
    return np.array([*(adjustment.get(name, 0.0) for name in names), *ranking], np.float64)
