"""Exported policies: one ONNX file each, run by onnxruntime, or from what its metadata say by the compiled loop.

Room: `agents`. Touches onnxruntime, numpy and `agents.network_policy`; never torch or Stable-Baselines3, so a policy is
evaluated where neither is installed.

The graph takes an observation batch in natural units, `center` float32 [batch, center fields], `candidates`
float32 [batch, actions, candidate fields] and `action_mask` int8 [batch, actions], and returns
`masked_logits` float32 [batch, actions], -1e8 (`agents.policy.MASKED_LOGIT`) where an action is masked. Scaling
and mask are inside; shapes stand at inputs and output only, and runtimes infer those between. What else has to
be known stands in the file's metadata, each entry text:

* `format_version`: `FORMAT_VERSION`;
* `action_names`: JSON list, the action table it was trained for;
* `fields`: JSON, `{"center": [...], "candidates": [...]}`, each field with name, unit, low, high and scale;
* `scenario_name`, and `scenario`: JSON, the resolved scenario;
* `data`: JSON, the SHA-256 of that scenario and of its recorded days (`experiments.provenance`); older files have none;
* `network`: JSON, prior and layers once more (`agents.network_policy`), from which the compiled loop plays the greedy
  policy and actions are sampled; older files and graphs of another make have none;
* `mode`: `greedy` or `sampled`, the better one on validation episodes, and `validation_cost_usd`: JSON, the
  cost per day of both there (empty if unknown);
* `provenance`: JSON: versions, command, seed, date, commit.

A file may be damaged, or made by somebody else: `agents.model_file` reads its bytes before onnxruntime does, the graph
must take and give what stands above, metadata are checked, and whatever else is wrong is told in one line. Nothing in
such a file is ever run but the operators of its graph, by onnxruntime, which loads no library for it.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, TypeAdapter, ValidationError

from agents.model_file import read_model
from agents.network_policy import NetworkPolicy, draw_actions, random_states, read_network
from agents.policy import MASKED_LOGIT, Observations
from envs.errors import ConfigurationError
from envs.interface.fields import field_table
from envs.scenario.action_table import action_table
from envs.scenario.scenario import Scenario

FORMAT_VERSION = 1
INPUT_TYPES = {"center": np.float32, "candidates": np.float32, "action_mask": np.int8}
OUTPUT = "masked_logits"
MODES = ("greedy", "sampled")
COMPARED_STATES = 256
"""Random observations on which the graph is compared with the loop."""
LOGIT_TOLERANCE = 1e-4
"""More than sums in another order make of float32."""
_LONGEST_TEXT = 200
"""Characters of a name in a file; also what is told of an error of onnxruntime."""


def _check_line(text: str) -> str:
    if not text.isprintable() or len(text) > _LONGEST_TEXT:
        raise ValueError
    return text


_Line = Annotated[str, AfterValidator(_check_line)]
"""A text that may stand in a message or a table as it is."""


class _Named(BaseModel):
    name: _Line


class _Field(_Named):
    unit: _Line


class _Fields(BaseModel):
    center: list[_Field]
    candidates: list[_Field]


class _Trained(BaseModel):
    channels: list[_Named]


class _Digest(BaseModel):
    sha256: _Line


_ENTRIES: dict[str, TypeAdapter[Any]] = {
    "action_names": TypeAdapter(list[_Line]),
    "fields": TypeAdapter(_Fields),
    "scenario": TypeAdapter(_Trained),
    "validation_cost_usd": TypeAdapter(dict[Literal["greedy", "sampled"], float]),
    "provenance": TypeAdapter(dict[str, Any]),
    "data": TypeAdapter(dict[_Line, _Digest]),
}
"""The entries of JSON, and what is read of each."""


def action_names(scenario: Scenario) -> list[str]:
    """Return the action table of `scenario` as it stands in a file's metadata."""
    return [action.name for action in action_table(scenario)]


def fields_as_data(scenario: Scenario) -> dict[str, list[dict[str, Any]]]:
    """Return the field table of `scenario` as it stands in a file's metadata."""
    table = field_table(tuple(channel.name for channel in scenario.channels))
    return {
        part: [
            {
                "name": field.name,
                "unit": field.unit,
                "low": field.low,
                "high": field.high,
                "scale": field.scale,
            }
            for field in getattr(table, part)
        ]
        for part in ("center", "candidates")
    }


class ExportedPolicy:
    """A policy from an ONNX file, for one scenario.

    Args:
        file: what `blended export` wrote.
        scenario: where it is to act. It may be another scenario than that of its training, as long as it has the
            same channels in the same order, and all actions and observation fields that the file knows, matched by
            name and unit, whatever their places; what a later version added is not shown to the graph, or never
            chosen. Ranges and scales may differ, since scaling is in the graph.
        seed: of the generator that draws the actions when sampling.
        threads: onnxruntime's threads for one batch.

    Attributes:
        metadata: the file's metadata, JSON entries parsed.
        mode: `greedy` or `sampled`, what `predict` does unless told otherwise.

    Raises:
        ConfigurationError: the file cannot be loaded, refers to other files, was not written by `blended export`, or
            was exported for other channels, or for actions or observation fields that the scenario does not have; by
            the methods also, where the graph cannot be run or gives what are no logits.
    """

    def __init__(self, file: str | Path, scenario: Scenario, *, seed: int = 0, threads: int = 1) -> None:
        self.file = Path(file)
        self._session = _open_session(self.file, threads)
        self.metadata = _read_metadata(self.file, self._session)
        self.mode: str = self.metadata["mode"]
        self._actions = _match_actions(self.file, self.metadata, scenario)
        self._fields = _match_fields(self.file, self.metadata["fields"], scenario)
        _check_graph(self.file, self._session, self.metadata)
        self._scenario = scenario
        self._n_actions = len(action_names(scenario))
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Start the generator of sampled actions anew."""
        self._generator = np.random.default_rng(seed)

    @cached_property
    def loop(self) -> NetworkPolicy | None:
        """The greedy policy as the compiled loop plays it, from whose logits actions are sampled too; None where that
        does not know the graph."""
        text = self.metadata.get("network")
        found = read_network(text, self._scenario, {"actions": self._actions, **self._fields}) if text else None
        return found if found is not None and self._agrees_with(found) else None

    @cached_property
    def doubt(self) -> str | None:
        """What the user should know of the file, where graph and metadata do not say the same; else None."""
        if "network" not in self.metadata or self.loop is not None:
            return None
        return (
            f"{self.file}: its graph and the network in its metadata differ, or that is of another version: the file "
            "was changed, as by quantisation, or damaged; its graph is played, which takes longer"
        )

    def _agrees_with(self, loop: NetworkPolicy) -> bool:
        """Return whether graph and loop give the same logits: who changed the graph may have left the entry as it
        was."""
        states = random_states(self._scenario, COMPARED_STATES)
        return bool(
            np.allclose(
                loop.masked_logits(states), self.masked_logits(states), rtol=LOGIT_TOLERANCE, atol=LOGIT_TOLERANCE
            )
        )

    def masked_logits(self, observations: Observations) -> NDArray[np.float32]:
        """Return the graph's output, float32 (n, actions), `MASKED_LOGIT` for actions that the file does not know."""
        parts = {
            "center": _take(observations["center"], self._fields["center"], 1),
            "candidates": _take(_take(observations["candidates"], self._actions, 1), self._fields["candidates"], 2),
            "action_mask": _take(observations["action_mask"], self._actions, 1),
        }
        feed = {name: np.ascontiguousarray(parts[name], kind) for name, kind in INPUT_TYPES.items()}
        found = self._run(feed)
        logits = np.full((len(found), self._n_actions), MASKED_LOGIT, np.float32)
        logits[:, self._actions] = found
        return logits

    def _run(self, feed: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Return the graph's output, float32 (n, actions of the file), finite."""
        try:
            found: NDArray[np.float32] = self._session.run([OUTPUT], feed)[0]
        except Exception as error:  # onnxruntime's errors have no common class of their own
            raise ConfigurationError(f"{self.file}: its graph cannot be run ({_told(error)})") from error
        wanted = (len(feed["center"]), len(self._actions))
        if found.shape != wanted:
            raise ConfigurationError(f"{self.file}: its graph gives {OUTPUT} of shape {found.shape}: must be {wanted}")
        if not np.isfinite(found).all():
            raise ConfigurationError(f"{self.file}: its graph gives {OUTPUT} that are not finite numbers")
        return found

    def predict(self, observations: Observations, deterministic: bool | None = None) -> NDArray[np.int64]:
        """Return one open action per observation, int64 (n,).

        Args:
            observations: the batch.
            deterministic: True for the likeliest action, False to sample, None for the file's own `mode`. All
                rows draw from one generator, so a sampled action depends on what was asked before and on the
                place in the batch; the same calls after the same `seed` give the same actions.
        """
        if deterministic is None:
            deterministic = self.mode == "greedy"
        if deterministic:
            return np.argmax(self.masked_logits(observations), axis=1).astype(np.int64)
        typed = {name: np.ascontiguousarray(observations[name], kind) for name, kind in INPUT_TYPES.items()}
        logits = (self.loop or self).masked_logits(typed)  # the loop's arithmetic takes a tenth of the time
        # Drawn among the file's own actions: those that a later version adds change no draw.
        return self._actions[draw_actions(logits[:, self._actions], self._generator)]

    def action_probabilities(self, observations: Observations) -> NDArray[np.float64]:
        """Return the probabilities with which actions are sampled, float64 (n, actions); masked ones have
        0."""
        logits = self.masked_logits(observations).astype(np.float64)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights[observations["action_mask"] == 0] = 0.0
        return weights / weights.sum(axis=1, keepdims=True)


def _open_session(file: Path, threads: int) -> onnxruntime.InferenceSession:
    content = read_model(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # nothing: errors are raised
    try:
        # From the bytes that were read, which cannot change meanwhile; a second attempt would only print.
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # onnxruntime's errors have no common class of their own
        raise ConfigurationError(f"{file}: not an ONNX file that onnxruntime can load ({_told(error)})") from error


def _told(error: Exception) -> str:
    """Return the first line of an error, in printable characters."""
    line = next(iter(str(error).splitlines()), type(error).__name__)
    return "".join(character if character.isprintable() else "?" for character in line)[:_LONGEST_TEXT]


def _read_metadata(file: Path, session: onnxruntime.InferenceSession) -> dict[str, Any]:
    try:
        texts: dict[str, str] = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: its metadata are damaged (not UTF-8)") from error
    version = texts.get("format_version")
    if version is None:
        raise ConfigurationError(f"{file}: not a policy written by `blended export` (no format_version)")
    if version != str(FORMAT_VERSION):
        raise ConfigurationError(
            f"{file}: format_version = {version[:_LONGEST_TEXT]!r}: this version of the project reads {FORMAT_VERSION}"
        )
    metadata: dict[str, Any] = {"data": "{}", **texts}
    for key, entry in _ENTRIES.items():
        try:
            entry.validate_json(metadata[key])
            metadata[key] = json.loads(metadata[key])
        except (KeyError, RecursionError, ValidationError, ValueError) as error:
            raise ConfigurationError(f"{file}: its metadata entry {key} is missing or damaged") from error
    mode = metadata.get("mode")
    if mode not in MODES:
        shown = mode if mode is None else mode[:_LONGEST_TEXT]
        raise ConfigurationError(f"{file}: mode = {shown!r}: must be one of {', '.join(MODES)}")
    return metadata


def _check_graph(file: Path, session: onnxruntime.InferenceSession, metadata: dict[str, Any]) -> None:
    """Raise `ConfigurationError` if the graph takes or gives something else than the metadata say."""
    fields, n_actions = metadata["fields"], len(metadata["action_names"])
    sizes = {
        "center": [len(fields["center"])],
        "candidates": [n_actions, len(fields["candidates"])],
        "action_mask": [n_actions],
    }
    types = {np.float32: "tensor(float)", np.int8: "tensor(int8)"}
    wanted = {name: (types[kind], sizes[name]) for name, kind in INPUT_TYPES.items()}
    found = {entry.name: (entry.type, entry.shape[1:]) for entry in session.get_inputs()}
    for name in sorted({*wanted, *found}):
        if wanted.get(name) != found.get(name):
            raise ConfigurationError(
                f"{file}: its graph takes {_input_text(name, found)}: must take {_input_text(name, wanted)}, as its "
                "metadata say"
            )
    if (OUTPUT, "tensor(float)") not in {(entry.name, entry.type) for entry in session.get_outputs()}:
        raise ConfigurationError(f"{file}: its graph gives no {OUTPUT} as tensor(float): must give them")


def _input_text(name: str, inputs: dict[str, tuple[str, list[Any]]]) -> str:
    if name not in inputs:
        return f"no {name[:_LONGEST_TEXT]!r}"
    kind, sizes = inputs[name]
    return f"{name[:_LONGEST_TEXT]!r} as {kind} [{', '.join(map(str, ['batch', *sizes]))}]"


def _match_actions(file: Path, metadata: dict[str, Any], scenario: Scenario) -> NDArray[np.int64]:
    """Return the place in the action table of `scenario` of each action of the file."""
    found, wanted = metadata["action_names"], action_names(scenario)
    channels = [channel.name for channel in scenario.channels]
    trained = [channel["name"] for channel in metadata["scenario"]["channels"]]
    is_known = trained == channels and set(found) <= set(wanted)
    difference = None if is_known else _first_difference(found, wanted)
    if difference is not None:
        index, there, here = difference
        raise ConfigurationError(
            f"{file}: a policy exported for another action table: action {index} is {there} in the file "
            f"({len(found)} actions), {here} in scenario {scenario.name} ({len(wanted)} actions)"
        )
    if trained != channels:
        raise ConfigurationError(
            f"{file}: a policy exported for channels {', '.join(trained)}: must be those of scenario {scenario.name}, "
            f"{', '.join(channels)}"
        )
    return np.array([wanted.index(name) for name in found], np.int64)


def _match_fields(
    file: Path, found: dict[str, list[dict[str, Any]]], scenario: Scenario
) -> dict[str, NDArray[np.int64]]:
    """Return the place in the field tables of `scenario` of each field of the file, by part."""
    places = {}
    for part, wanted in fields_as_data(scenario).items():
        there, here = ([f"{field['name']} [{field['unit']}]" for field in fields] for fields in (found[part], wanted))
        unknown = [(index, name) for index, name in enumerate(there) if name not in here]
        if unknown:
            index, name = unknown[0]
            stands = repr(here[index]) if index < len(here) else "missing"
            raise ConfigurationError(
                f"{file}: a policy exported for other observation fields: {part} field {index} is {name!r} "
                f"in the file ({len(there)} fields), {stands} in scenario {scenario.name} ({len(here)} fields)"
            )
        places[part] = np.array([here.index(name) for name in there], np.int64)
    return places


def _take(values: NDArray[Any], places: NDArray[np.int64], axis: int) -> NDArray[Any]:
    """Return the entries of `values` at `places` along `axis`; where that is all, the array itself, not a copy."""
    is_all = len(places) == values.shape[axis] and bool((places == np.arange(len(places))).all())
    return values if is_all else np.take(values, places, axis=axis)


def _first_difference(found: list[str], wanted: list[str]) -> tuple[int, str, str] | None:
    """Return the first index where two lists differ, and what stands there in each."""
    for index in range(max(len(found), len(wanted))):
        there = repr(found[index]) if index < len(found) else "missing"
        here = repr(wanted[index]) if index < len(wanted) else "missing"
        if there != here:
            return index, there, here
    return None
