"""Damaged, foreign and hostile policy files: one line that says what is wrong, nothing run, nothing else read."""

import json
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from rich.console import Console

from agents.catalog import PRETRAINED_FOLDER, load_policy
from agents.exported_policy import ExportedPolicy
from agents.model_file import EXTERNAL_FIELDS, TENSORS_IN, read_model
from agents.network_policy import random_states
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario
from experiments.cli import main as cli
from experiments.console import say_policy_doubts

SHIPPED = PRETRAINED_FOLDER / "premium_desk.onnx"
CHANGED_FILES = 50


@pytest.fixture(scope="module")
def desk():
    return load_scenario("premium_desk")


@pytest.fixture(scope="module")
def states(desk):
    return random_states(desk, 16)


def play(file, scenario, states):
    """Ask the policy of a file in every way, and return it."""
    policy = ExportedPolicy(file, scenario)
    rows = np.arange(len(states["action_mask"]))
    policy.masked_logits(states)
    for deterministic in (True, False):
        assert states["action_mask"][rows, policy.predict(states, deterministic)].all()
    return policy


def refusal(file, scenario):
    """Return what is said of a file that must be refused, and hold it to one printable line."""
    with pytest.raises(ConfigurationError) as caught:
        play(file, scenario, random_states(scenario, 2))
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith(f"{file}: ")
    return str(caught.value)


class Touch:
    """Unpickled, it makes the file `made` in the working folder."""

    def __reduce__(self):
        return Path.touch, (Path("made"),)


def write_zip(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data", "{}")


def write_small_graph(file):
    """Write a whole ONNX file with this project's metadata and a graph of something else."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "other",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    model.metadata_props.extend(onnx.load(SHIPPED).metadata_props)
    onnx.save(model, file)


def write_other_output(file):
    model = onnx.load(SHIPPED)
    node = next(node for node in model.graph.node if "masked_logits" in node.output)
    node.output[list(node.output).index("masked_logits")] = "logits"
    model.graph.output[0].name = "logits"
    onnx.save(model, file)


def write_huge(file):
    with file.open("wb") as stream:
        stream.truncate(2**31)  # a hole, which takes no room


FILES = {
    "empty": (lambda file: file.touch(), "not an ONNX file (it is empty)"),
    "folder": (lambda file: file.mkdir(), "a folder: must be an ONNX file"),
    "missing": (lambda file: None, "no such file"),
    "text": (lambda file: file.write_text("not a model\n"), "not an ONNX file"),
    "pickle": (lambda file: file.write_bytes(pickle.dumps(Touch())), "not an ONNX file"),
    "renamed zip": (
        write_zip,
        "not an ONNX file but a zip archive; a model of Stable-Baselines3 takes part as sb3:FILE.zip",
    ),
    "truncated": (lambda file: file.write_bytes(SHIPPED.read_bytes()[:-1000]), "a damaged one"),
    "huge": (write_huge, "2147483648 bytes: an ONNX file has 2147483647 at most"),
    "other inputs": (write_small_graph, "its graph takes no 'action_mask': must take 'action_mask' as tensor(int8)"),
    "other output": (write_other_output, "its graph gives no masked_logits as tensor(float)"),
    "endless number": (lambda file: file.write_bytes(b"\xff" * 100), "not an ONNX file"),
    "nested": (lambda file: file.write_bytes(nested(20_000)), "not an ONNX file that onnxruntime can load"),
}


def nested(depth):
    """Return a model whose graph holds a node with an attribute with a graph, and so on."""

    def wrap(key, content):
        size, length = len(content), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        return bytes([key << 3 | 2]) + length + bytes([size]) + content

    content = b""
    for _ in range(depth // 3):
        content = wrap(1, wrap(5, wrap(6, content)))
    return wrap(7, content)


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_policy_is_refused_in_one_line(kind, desk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write, message = FILES[kind]
    file = tmp_path / "policy.onnx"
    write(file)
    assert message in refusal(file, desk)
    assert not (tmp_path / "made").exists()


def test_the_command_says_one_line_and_ends_with_code_2(tmp_path, monkeypatch, capsys):
    file = tmp_path / "policy.onnx"
    file.write_bytes(SHIPPED.read_bytes()[:30_000])
    monkeypatch.setattr(sys, "argv", ["blended", "evaluate", str(file), "--scenario", "premium_desk"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    shown = capsys.readouterr()
    assert caught.value.code == 2
    assert shown.out == ""
    assert shown.err.startswith(f"error: {file}: ")
    assert shown.err.count("\n") == 1


def with_metadata(folder, **changes):
    """Write the shipped file with other entries in its metadata."""
    model = onnx.load(SHIPPED)
    texts = {entry.key: entry.value for entry in model.metadata_props} | changes
    del model.metadata_props[:]
    helper.set_model_props(model, texts)
    onnx.save(model, folder / "changed.onnx")
    return folder / "changed.onnx"


FIELD = '{"name": "open", "unit": "0/1"}'


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("fields", "[]"),
        ("fields", '{"center": [], "candidates": [{"name": "open"}]}'),
        ("fields", '{"center": [{"name": "open\\nunseen", "unit": "0/1"}], "candidates": []}'),
        ("fields", '{"center": [7], "candidates": []}'),
        ("fields", f'{{"center": [{FIELD}]}}'),
        ("action_names", '{"wait": 0}'),
        ("action_names", '["wait", 1]'),
        ("action_names", '["\\u001b[31mwait"]'),
        ("action_names", json.dumps(["w" * 10_000])),
        ("action_names", "[" * 100_000),
        ("action_names", "9" * 10_000),
        ("scenario", "null"),
        ("scenario", '{"channels": ["voice"]}'),
        ("validation_cost_usd", '{"greedy": "cheap"}'),
        ("validation_cost_usd", '{"drunk": 1}'),
        ("data", '{"scenario premium_desk": "abc"}'),
        ("provenance", "[1]"),
    ],
)
def test_a_wrong_entry_of_the_metadata_is_named(key, text, desk, tmp_path):
    assert f"its metadata entry {key} is missing or damaged" in refusal(with_metadata(tmp_path, **{key: text}), desk)


@pytest.mark.parametrize("key", ["format_version", "mode"])
def test_what_a_message_quotes_is_cut_and_printable(key, desk, tmp_path):
    said = refusal(with_metadata(tmp_path, **{key: "\x1b[31m\n" + "x" * 10_000}), desk)
    assert f"{key} = '\\x1b[31m\\n" in said
    assert len(said) < len(str(tmp_path)) + 1000


def test_a_field_table_that_is_not_the_graphs_is_refused(desk, tmp_path):
    fields = json.loads(next(e.value for e in onnx.load(SHIPPED).metadata_props if e.key == "fields"))
    fields["center"].pop()
    said = refusal(with_metadata(tmp_path, fields=json.dumps(fields)), desk)
    n = len(fields["center"])
    assert f"its graph takes 'center' as tensor(float) [batch, {n + 1}]" in said
    assert f"must take 'center' as tensor(float) [batch, {n}]" in said


def external_tensor(location):
    tensor = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": "0", "length": "16"}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def in_initializer(model, tensor):
    model.graph.initializer.append(tensor)


def in_constant(model, tensor):
    model.graph.node.insert(0, helper.make_node("Constant", [], ["outside"], value=tensor))


def in_branch(model, tensor):
    body = helper.make_graph(
        [], "body", [], [helper.make_tensor_value_info("outside", TensorProto.FLOAT, [4])], [tensor]
    )
    model.graph.node.insert(0, helper.make_node("If", ["action_mask"], ["outside"], then_branch=body, else_branch=body))


def in_function(model, tensor):
    node = helper.make_node("Constant", [], ["outside"], value=tensor)
    model.functions.append(helper.make_function("own", "Own", [], ["outside"], [node], [helper.make_opsetid("", 18)]))


def in_sparse(model, tensor):
    indices = helper.make_tensor("i", TensorProto.INT64, [4], [0, 1, 2, 3])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(tensor, indices, [8]))


@pytest.mark.parametrize("place", [in_initializer, in_constant, in_branch, in_function, in_sparse])
@pytest.mark.parametrize("location", ["beside", "../secret", "ABSOLUTE", "link"])
def test_a_file_that_refers_to_others_is_refused_and_they_are_not_read(place, location, desk, tmp_path, monkeypatch):
    folder = tmp_path / "policies"
    folder.mkdir()
    numbers = np.arange(4, dtype=np.float32).tobytes()
    for file in (tmp_path / "secret", folder / "beside"):
        file.write_bytes(numbers)
    (folder / "link").symlink_to(tmp_path / "secret")
    model = onnx.load(SHIPPED)
    place(model, external_tensor(str(tmp_path / "secret") if location == "ABSOLUTE" else location))
    file = folder / "policy.onnx"
    file.write_bytes(model.SerializeToString())
    monkeypatch.chdir(folder)
    opened = []
    monkeypatch.setattr("onnxruntime.InferenceSession", lambda *_, **__: opened.append(1))
    assert "keeps tensors in other files: must hold all of them itself" in refusal(file, desk)
    assert opened == []  # onnxruntime never saw it


def test_a_field_whose_key_a_reader_cuts_to_32_bits_is_no_field(tmp_path):
    def varint(value):
        return (bytes([value & 127 | 128]) + varint(value >> 7)) if value > 127 else bytes([value])

    def model(key):
        """A model whose graph holds a tensor with one field of this key, of one byte."""
        tensor = varint(key) + b"\x01\x00"
        graph = bytes([5 << 3 | 2, len(tensor)]) + tensor
        return bytes([7 << 3 | 2, len(graph)]) + graph

    file = tmp_path / "policy.onnx"
    external_data = EXTERNAL_FIELDS[0] << 3 | 2
    file.write_bytes(model(external_data))
    with pytest.raises(ConfigurationError, match="keeps tensors in other files"):
        read_model(file)
    for key in (1 << 32 | external_data, 1 << 60 | external_data):
        file.write_bytes(model(key))
        with pytest.raises(ConfigurationError, match="its bytes are no message"):
            read_model(file)


def test_there_is_no_field_of_number_0(tmp_path):
    file = tmp_path / "policy.onnx"
    for field in (b"\x00\x01", b"\x02\x01\x00"):  # a number, bytes
        file.write_bytes(field)
        with pytest.raises(ConfigurationError, match="its bytes are no message"):
            read_model(file)


def test_every_place_of_a_tensor_in_onnx_is_known():
    # The tables by hand against onnx's own description of the format.
    tensor = TensorProto.DESCRIPTOR
    assert tuple(tensor.fields_by_name[name].number for name in ("external_data", "data_location")) == EXTERNAL_FIELDS

    def leads_to_tensor(kind, above=()):
        if kind is tensor:
            return True
        inner = [field.message_type for field in kind.fields if field.message_type is not None]
        return kind not in above and any(leads_to_tensor(each, (*above, kind)) for each in inner)

    names = {"model": onnx.ModelProto, "graph": onnx.GraphProto, "node": onnx.NodeProto, "function": onnx.FunctionProto}
    names |= {"attribute": onnx.AttributeProto, "sparse": onnx.SparseTensorProto, "training": onnx.TrainingInfoProto}
    ours = {names[name].DESCRIPTOR.name: name for name in names} | {"TensorProto": "tensor"}
    assert set(names) == set(TENSORS_IN)
    for name, message in names.items():
        wanted = {
            field.number: ours[field.message_type.name]
            for field in message.DESCRIPTOR.fields
            if field.message_type is not None and leads_to_tensor(field.message_type)
        }
        assert wanted == TENSORS_IN[name], name


def test_shipped_files_refer_to_no_others():
    shipped = sorted(PRETRAINED_FOLDER.glob("*.onnx"))
    assert shipped
    for file in shipped:
        assert read_model(file) == file.read_bytes()


def test_truncated_files_are_refused(desk, tmp_path):
    whole, random = SHIPPED.read_bytes(), np.random.default_rng(1)
    file = tmp_path / "policy.onnx"
    for size in random.integers(len(whole), size=CHANGED_FILES).tolist():
        file.write_bytes(whole[:size])
        assert refusal(file, desk), size


def test_a_flipped_bit_is_refused_told_or_changes_nothing(desk, states, tmp_path):
    whole, random = SHIPPED.read_bytes(), np.random.default_rng(2)
    right = ExportedPolicy(SHIPPED, desk).masked_logits(states)
    file = tmp_path / "policy.onnx"
    counts = {"refused": 0, "told": 0, "harmless": 0}
    for place in random.integers(len(whole), size=CHANGED_FILES).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        file.write_bytes(damaged)
        try:
            policy = play(file, desk, states)
        except ConfigurationError:  # anything else ends the test
            counts["refused"] += 1
            continue
        if policy.doubt is not None:
            counts["told"] += 1
        else:
            np.testing.assert_allclose(policy.masked_logits(states), right, rtol=1e-4, atol=1e-4)
            counts["harmless"] += 1
    assert counts["refused"] > 0
    assert sum(counts.values()) == CHANGED_FILES


def test_a_graph_that_is_not_the_network_of_the_metadata_is_told(desk, tmp_path):
    assert ExportedPolicy(SHIPPED, desk).doubt is None
    model = onnx.load(SHIPPED)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.raw_data = (np.frombuffer(tensor.raw_data, np.float32) * np.float32(1.5)).tobytes()
    onnx.save(model, tmp_path / "changed.onnx")
    named = load_policy(f"mine={tmp_path / 'changed.onnx'}", desk)
    console = Console(record=True, width=80)
    say_policy_doubts([named, load_policy("fifo", desk), load_policy("pretrained", desk)], console)
    said = console.export_text()
    assert said.startswith("policy mine: ")
    assert "its graph and the network in its metadata differ" in said
    assert said.count("\n") == 1
