"""Writing a policy as one ONNX file, and proving that the file acts as torch does.

Room: `experiments.training`. Touches torch and onnx; `agents.exported_policy` describes the file and reads it.
"""

import copy
import json
import logging
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.episodes import advance_rows, compiled_form
from agents.exported_policy import (
    FORMAT_VERSION,
    INPUT_TYPES,
    MODES,
    OUTPUT,
    ExportedPolicy,
    action_names,
    fields_as_data,
)
from agents.learning.network import CandidateScorer
from agents.network_policy import network_text
from agents.policy import MASKED_LOGIT, Observations, Policy
from agents.rules.rule_policy import RulePolicy
from agents.run_files import CHOICE_KEYS
from envs.center_rows import CenterRows
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario
from experiments.provenance import collect_data, collect_provenance
from experiments.seeds import demand_seeds

OPSET = 18
PARITY_STATES = 10_000
TIE_TOLERANCE = 1e-5
"""Where torch's two best logits are closer than this, either action is as good."""
_ROWS = 8
_BATCH = 1000


class ParityError(Exception):
    """An exported graph does not act as the network that it was made of."""


@dataclass(frozen=True)
class Parity:
    """How well file and network agree on `states` visited states.

    Attributes:
        states: states compared.
        ties: states where the actions differ, and torch's two best logits by less than `TIE_TOLERANCE`.
        largest_logit_difference: over all open actions.
        is_in_loop: whether the compiled loop knows the file, and was compared too.
    """

    states: int
    ties: int
    largest_logit_difference: float
    is_in_loop: bool


def export_policy(
    module: nn.Module,
    scenario: Scenario,
    file: str | Path,
    metadata: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    parity_states: int = PARITY_STATES,
) -> Parity:
    """Write `module` to `file`, unless the file would act differently from it.

    Args:
        module: `forward(center, candidates, action_mask) -> masked_logits` (batch, actions), all float32, in
            natural units; the mask is 1.0 where an action is open, and where it is not the logit is `MASKED_LOGIT`.
            Left as it is, on whatever device.
        scenario: what it was trained for; stands in the file in full.
        file: the ONNX file; its folder must exist.
        metadata: what is known of the policy, all of it optional: `mode` (`greedy`, the default, or
            `sampled`), `validation_cost_usd` (mapping from mode to USD per day), `provenance` (plain data
            about the training).
        seed: the user's seed, for the visited states: validation episodes, never those of the test.
        parity_states: number of states compared; half are visited by the baseline `expected_loss`, half by
            the policy.

    Raises:
        ParityError: in some state the file chooses another action; nothing is written.
        ConfigurationError: the mode is unknown, or the file cannot be written.
    """
    file = Path(file)
    texts = _metadata_texts(scenario, metadata or {})
    if isinstance(module, CandidateScorer):  # which the compiled loop can play
        texts["network"] = network_text(scenario, module.prior.read_settings(), module.weights())
    if not file.parent.is_dir() or file.is_dir():
        raise ConfigurationError(f"{file}: cannot be written ({'it is a' if file.is_dir() else 'no such'} folder)")
    network = copy.deepcopy(module).cpu().eval()
    draft = file.with_name(f".{file.name}.draft")
    try:
        _write_graph(network, scenario, draft, texts)
        exported = ExportedPolicy(draft, scenario, seed=seed)
        is_greedy = exported.mode == "greedy"
        visitor = compiled_form(exported, is_greedy) or exported  # which visits the same states sooner
        states = visit_states(scenario, visitor, seed, parity_states, deterministic=is_greedy)
        parity = check_parity(network, exported, states)
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)
    return parity


def visit_states(
    scenario: Scenario, policy: Policy, seed: int, count: int, *, deterministic: bool = True
) -> Observations:
    """Return `count` observations from validation episodes of `seed`, half visited by `expected_loss`, half
    by `policy`.

    They are drawn evenly from the decisions of whole episodes, so that every hour and the end of the horizon
    occur.
    """
    halves = (
        _sample_decisions(scenario, RulePolicy("expected_loss", scenario), seed, count // 2, True),
        _sample_decisions(scenario, policy, seed, count - count // 2, deterministic),
    )
    return {key: np.concatenate([half[key] for half in halves]) for key in halves[0]}


def check_parity(module: nn.Module, exported: ExportedPolicy, states: Observations) -> Parity:
    """Compare file and network on `states`, and where the file says how, the compiled loop as well; raises
    `ParityError` unless they choose the same actions."""
    starts = range(0, len(states["action_mask"]), _BATCH)
    expected = np.concatenate([_torch_logits(module, _slice(states, start)) for start in starts])
    loop = exported.loop
    if loop is not None:
        _compare(exported, states, expected, loop.masked_logits(states))
    found = np.concatenate([exported.masked_logits(_slice(states, start)) for start in starts])
    return _compare(exported, states, expected, found)


def _compare(
    exported: ExportedPolicy, states: Observations, expected: NDArray[np.float32], found: NDArray[np.float32]
) -> Parity:
    """Return how well the logits that were `found` agree with those of torch; raises `ParityError` if they do not."""
    is_open, n_states = states["action_mask"] != 0, len(states["action_mask"])
    if not np.isfinite(found).all():
        raise ParityError(f"{exported.file.name}: the graph returns logits that are not finite")
    if (found[~is_open] != np.float32(MASKED_LOGIT)).any():
        raise ParityError(f"{exported.file.name}: the logits of masked actions must be {MASKED_LOGIT:g}")
    chosen, wanted = found.argmax(axis=1), expected.argmax(axis=1)
    if not is_open[np.arange(n_states), chosen].all():
        raise ParityError(f"{exported.file.name}: the graph prefers a masked action")
    largest = float(np.abs(expected - found)[is_open].max())
    best = np.sort(np.where(is_open, expected, -np.inf), axis=1)
    differs = chosen != wanted
    wrong = differs & (best[:, -1] - best[:, -2] >= TIE_TOLERANCE)
    if wrong.any():
        raise ParityError(
            f"the graph chooses another action than torch in {wrong.sum()} of {n_states} visited states "
            f"(largest difference of a logit: {largest:.3g}); nothing was exported"
        )
    return Parity(n_states, int(differs.sum()), largest, exported.loop is not None)


def _metadata_texts(scenario: Scenario, metadata: Mapping[str, Any]) -> dict[str, str]:
    unknown = set(metadata) - set(CHOICE_KEYS)
    if unknown:
        raise ValueError(f"metadata has unknown keys: {', '.join(sorted(unknown))}")
    mode = metadata.get("mode", "greedy")
    if mode not in MODES:
        raise ConfigurationError(f"mode = {mode!r}: must be one of {', '.join(MODES)}")
    data = collect_data([scenario])
    provenance = {**metadata.get("provenance", {}), "export": collect_provenance()}
    return {
        "format_version": str(FORMAT_VERSION),
        "action_names": json.dumps(action_names(scenario)),
        "fields": json.dumps(fields_as_data(scenario)),
        "scenario_name": scenario.name,
        "scenario": scenario.model_dump_json(),
        "data": json.dumps(data),
        "mode": mode,
        "validation_cost_usd": json.dumps(dict(metadata.get("validation_cost_usd", {}))),
        "provenance": json.dumps(provenance),
    }


class _Graph(nn.Module):
    """The network behind the inputs of the file: the mask comes as whole numbers, the network wants float."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, center: Tensor, candidates: Tensor, action_mask: Tensor) -> Tensor:
        logits: Tensor = self.network(center, candidates, action_mask.to(torch.float32))
        return logits


def _write_graph(network: nn.Module, scenario: Scenario, file: Path, texts: Mapping[str, str]) -> None:
    fields = fields_as_data(scenario)
    n_actions = len(action_names(scenario))
    # Two rows: torch takes a size of one for a constant.
    example = (
        torch.zeros(2, len(fields["center"])),
        torch.zeros(2, n_actions, len(fields["candidates"])),
        torch.ones(2, n_actions, dtype=torch.int8),
    )
    batch = torch.export.Dim("batch")
    exporter_log = logging.getLogger("torch.onnx")
    level = exporter_log.level
    exporter_log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the exporter's own insides
            torch.onnx.export(
                _Graph(network).eval(),
                example,
                str(file),
                input_names=list(INPUT_TYPES),
                output_names=[OUTPUT],
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                dynamic_shapes=({0: batch}, {0: batch}, {0: batch}),
                verbose=False,
            )
    finally:
        exporter_log.setLevel(level)
    model = onnx.load(str(file))
    _strip(model.graph)
    onnx.helper.set_model_props(model, dict(texts))
    onnx.save(model, str(file))


def _strip(graph: onnx.GraphProto) -> None:
    """Take away what torch notes and no runtime needs: the shapes between the nodes, in torch's own symbols, which
    OpenVINO, tract and onnxruntime's quantisation hold against what they infer, and refuse; and of each node the lines
    of source it came from, with the folders of whoever exported."""
    del graph.value_info[:]
    del graph.metadata_props[:]
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""


def _sample_decisions(scenario: Scenario, policy: Policy, seed: int, count: int, deterministic: bool) -> Observations:
    """Return a uniform sample of the observations at the decisions of some validation episodes (reservoir
    sampling)."""
    rows = CenterRows(scenario, _ROWS)
    observation = rows.observation()
    sample = {key: np.zeros((count, *buffer.shape[1:]), buffer.dtype) for key, buffer in observation.items()}
    generator = np.random.default_rng(seed)
    seen = 0

    def keep(stepped: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        nonlocal seen
        for row in stepped[~rows.done[stepped]]:
            place = seen if seen < count else int(generator.integers(seen + 1))
            if place < count:
                for key, buffer in observation.items():
                    sample[key][place] = buffer[row]
            seen += 1

    episode = 0
    while seen < count:
        before = seen
        episodes = np.arange(episode, episode + _ROWS)
        rows.start(rows.all_rows, np.full(_ROWS, demand_seeds(seed).validation), episodes)
        keep(rows.all_rows)
        advance_rows(rows, policy, rows.all_rows[~rows.done], deterministic=deterministic, on_step=keep)
        episode += _ROWS
        if seen == before:
            raise ConfigurationError(f"scenario {scenario.name}: its episodes have no decision, so no policy to export")
    return sample


def _slice(states: Observations, start: int) -> Observations:
    return {key: values[start : start + _BATCH] for key, values in states.items()}


def _torch_logits(module: nn.Module, states: Observations) -> np.ndarray[Any, np.dtype[np.float32]]:
    inputs = (torch.from_numpy(np.ascontiguousarray(states[key], np.float32)) for key in INPUT_TYPES)
    with torch.inference_mode():
        logits: np.ndarray[Any, np.dtype[np.float32]] = module(*inputs).numpy()
    return logits
