"""A learned policy in torch: how the network of a scenario is made, played, kept and found again.

Room: `agents.learning`. Touches torch and the files of a run folder. Checkpoints hold weights only and are read with
`weights_only=True`: loading one never executes code.
"""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.action_layout import action_layout
from agents.exported_policy import MODES
from agents.learning.network import CandidateScorer
from agents.network_policy import NetworkPolicy
from agents.policy import Observations
from agents.run_files import (
    BEST_FILE,
    CHOICE_KEYS,
    NETWORK_FILE,
    SCENARIO_FILE,
    SELECTION_FILE,
)
from agents.whole_file import write_whole
from envs.errors import ConfigurationError
from envs.interface.fields import field_table
from envs.scenario.scenario import Scenario, load_scenario


def make_network(scenario: Scenario, **settings: Any) -> CandidateScorer:
    """Return an untrained network for `scenario`; its first policy is the prior. `settings` are those of
    `CandidateScorer`: `width`, `prior_weight`, `residual_weight`."""
    fields = field_table(tuple(channel.name for channel in scenario.channels))
    return CandidateScorer(fields, action_layout(scenario), **settings)


class LearnedPolicy:
    """A network as a policy, asked in torch: what its compiled and its exported form are held against. Sampling uses a
    generator of its own, seeded by `seed`."""

    def __init__(self, network: CandidateScorer, seed: int = 0) -> None:
        self._network = network
        self._generator = torch.Generator()
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Start the generator of sampled actions anew."""
        self._generator.manual_seed(seed)

    def _logits(self, observations: Observations) -> torch.Tensor:
        device = self._network.center_scale.device
        center, candidates, mask = (
            torch.as_tensor(observations[key], device=device) for key in ("center", "candidates", "action_mask")
        )
        with torch.no_grad():
            return self._network.score_open(center, candidates, mask)[0].cpu()

    def predict(self, observations: Observations, deterministic: bool = True) -> NDArray[np.int64]:
        """Return one open action per observation: the likeliest, or a sampled one."""
        logits = self._logits(observations)
        if deterministic:
            return logits.argmax(dim=1).numpy()
        probabilities = torch.softmax(logits.double(), dim=1)
        return torch.multinomial(probabilities, 1, generator=self._generator).flatten().numpy()

    def action_probabilities(self, observations: Observations) -> NDArray[np.float64]:
        """Return the probabilities of the actions (n, actions)."""
        return torch.softmax(self._logits(observations).double(), dim=1).numpy()


def greedy_policy(network: CandidateScorer, scenario: Scenario) -> NetworkPolicy:
    """Return `network` as it is now, acting greedily in the compiled loop."""
    return NetworkPolicy(scenario, network.prior.read_settings(), network.weights())


def save_weights(network: CandidateScorer, file: Path) -> None:
    """Write the weights of `network`, whole or not at all."""
    stream = io.BytesIO()
    torch.save({key: value.cpu() for key, value in network.state_dict().items()}, stream)
    write_whole(file, stream.getvalue())


def load_network(run_folder: Path, weights: str = BEST_FILE) -> tuple[CandidateScorer, Scenario]:
    """Return the network of a run with the weights of one of its checkpoints, and its scenario."""
    for name in (NETWORK_FILE, SCENARIO_FILE, weights):
        if not (run_folder / name).is_file():
            raise ConfigurationError(f"{run_folder}: no {name} there, so it is no training run, or it ended early")
    scenario = load_scenario(run_folder / SCENARIO_FILE)
    with _reading(run_folder / NETWORK_FILE):
        network = make_network(scenario, **json.loads((run_folder / NETWORK_FILE).read_text(encoding="utf-8")))
    with _reading(run_folder / weights):
        network.load_state_dict(torch.load(run_folder / weights, map_location="cpu", weights_only=True))
    return network, scenario


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Turn whatever a file of a run folder that was changed or cut off makes fail in the block into one
    `ConfigurationError`."""
    try:
        yield
    except Exception as error:  # json's, torch's, the network's own, and what pickle makes of any bytes
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigurationError(f"{file}: is no longer what the training wrote ({words})") from error


def load_run(run_folder: Path) -> tuple[CandidateScorer, Scenario, dict[str, Any]]:
    """Return the best network of a run, its scenario, and what is known of the choice: the mode that did better on
    validation episodes, both validation costs, and the provenance of the training."""
    network, scenario = load_network(run_folder)
    selection = run_folder / SELECTION_FILE
    if not selection.is_file():
        return network, scenario, {}
    with _reading(selection):
        metadata = json.loads(selection.read_text(encoding="utf-8"))
        if not isinstance(metadata, dict) or set(metadata) - set(CHOICE_KEYS) or metadata.get("mode") not in MODES:
            raise ValueError(f"must have a mode, {' or '.join(MODES)}, and no other keys than {', '.join(CHOICE_KEYS)}")
    return network, scenario, metadata
