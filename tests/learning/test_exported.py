"""Exported policies: the file, its metadata, parity with torch, and evaluation without the training stack."""

import io
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
import torch
from onnxruntime.quantization import quantize_dynamic
from rich.console import Console
from torch import nn

from agents import exported_policy
from agents.catalog import load_policy
from agents.exported_policy import ExportedPolicy, action_names, fields_as_data
from agents.policy import MASKED_LOGIT
from agents.rules.rule_policy import RulePolicy
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario
from experiments.cli import main as cli
from experiments.comparison.evaluate import evaluate as evaluate_policy
from experiments.comparison.evaluate import show
from experiments.provenance import collect_data
from experiments.run_folder import write_provenance
from experiments.training import onnx_export as policy_file
from experiments.training.onnx_export import ParityError, check_parity, export_policy, visit_states

ONE_DAY = ("horizon.days=1",)
METADATA = {
    "mode": "sampled",
    "validation_cost_usd": {"greedy": 12.5, "sampled": 11.0},
    "provenance": {"seed": 3},
}


class SmallScorer(nn.Module):
    """Scores every candidate by its own row and a summary of the center, mask and scaling inside."""

    def __init__(self, scenario, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        fields = fields_as_data(scenario)
        for part, records in fields.items():
            self.register_buffer(f"{part}_scale", torch.tensor([field["scale"] for field in records]))
        self.summary = nn.Linear(len(fields["center"]), 8)
        self.row = nn.Linear(len(fields["candidates"]), 8)
        self.score = nn.Linear(8, 1)
        self.bias = nn.Parameter(torch.randn(len(action_names(scenario))))
        self.dropout = nn.Dropout(0.5)  # shows in every result unless the copy is set to evaluation

    def forward(self, center, candidates, action_mask):
        summary = self.summary(torch.asinh(center / self.center_scale))
        rows = self.row(torch.asinh(candidates / self.candidates_scale))
        logits = self.score(self.dropout(torch.tanh(rows + summary[:, None]))).squeeze(-1) + self.bias
        return torch.where(action_mask > 0, logits, MASKED_LOGIT)


@pytest.fixture(scope="module")
def tiny():
    return load_scenario("tiny")


@pytest.fixture(scope="module")
def module(tiny):
    return SmallScorer(tiny)


@pytest.fixture(scope="module")
def file(tmp_path_factory, tiny, module):
    path = tmp_path_factory.mktemp("exported") / "policy.onnx"
    parity = export_policy(module, tiny, path, METADATA, parity_states=400)
    assert parity.states == 400
    assert parity.largest_logit_difference < 1e-4
    assert [found.name for found in path.parent.iterdir()] == ["policy.onnx"]
    return path


@pytest.fixture(scope="module")
def states(tiny):
    return visit_states(tiny, RulePolicy("fifo", tiny), 0, 100)


def with_metadata(file, folder, **changes):
    """Copy a file with other metadata; None leaves an entry out."""
    model = onnx.load(file)
    texts = {entry.key: entry.value for entry in model.metadata_props} | changes
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {key: text for key, text in texts.items() if text is not None})
    changed = folder / "changed.onnx"
    onnx.save(model, changed)
    return changed


def test_the_module_is_left_as_it_was(file, module):
    assert module.training


def test_metadata(file, tiny):
    found = ExportedPolicy(file, tiny).metadata
    assert found["format_version"] == "1"
    assert found["action_names"] == action_names(tiny)
    assert found["fields"] == fields_as_data(tiny)
    assert found["scenario_name"] == "tiny"
    assert found["data"] == collect_data([tiny])
    assert found["scenario"]["channels"][0]["name"] == tiny.channels[0].name
    assert found["mode"] == "sampled"
    assert found["validation_cost_usd"] == METADATA["validation_cost_usd"]
    assert found["provenance"]["seed"] == 3
    assert {"command", "date", "commit", "versions"} <= set(found["provenance"]["export"])
    assert "torch" in found["provenance"]["export"]["versions"]


def test_the_graph_has_the_documented_form(file, tiny):
    graph = onnx.load(file).graph
    assert [entry.name for entry in graph.input] == ["center", "candidates", "action_mask"]
    assert [entry.name for entry in graph.output] == ["masked_logits"]
    assert graph.input[2].type.tensor_type.elem_type == onnx.TensorProto.INT8
    for entry in [*graph.input, *graph.output]:
        assert entry.type.tensor_type.shape.dim[0].dim_param, "the batch must be dynamic"


def test_the_file_says_shapes_at_its_ends_only_and_nothing_of_where_it_was_made(file):
    # Shapes in between carry torch's own symbols, which OpenVINO, tract and quantisation take for contradictions.
    graph = onnx.load(file).graph
    assert len(graph.value_info) == 0
    assert str(Path(policy_file.__file__).parent).encode() not in file.read_bytes()


def test_a_dynamically_quantised_file_acts_the_same(file, tiny, states, tmp_path):
    changed = tmp_path / "quantised.onnx"
    quantize_dynamic(file, changed)
    assert {"DynamicQuantizeLinear", "MatMulInteger"} & {node.op_type for node in onnx.load(changed).graph.node}
    whole, quantised = ExportedPolicy(file, tiny), ExportedPolicy(changed, tiny)
    logits, found = whole.masked_logits(states), quantised.masked_logits(states)
    is_open = states["action_mask"] != 0
    # Eight bits move a logit a little, so only actions that are nearer to each other than that may change places.
    moved = np.abs(logits - found)[is_open].max()
    assert moved < 0.5
    best = np.sort(np.where(is_open, logits, -np.inf), axis=1)
    is_clear = best[:, -1] - best[:, -2] > 2 * moved
    assert is_clear.mean() > 0.5
    assert (found.argmax(axis=1) == logits.argmax(axis=1))[is_clear].all()
    assert (found[~is_open] == np.float32(MASKED_LOGIT)).all()


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_logits_equal_those_of_torch_in_every_batch_size(file, tiny, module, states, count):
    batch = {key: values[:count] for key, values in states.items()}
    exported = ExportedPolicy(file, tiny)
    found = exported.masked_logits(batch)
    with torch.inference_mode():
        network = SmallScorer(tiny).eval()
        wanted = network(*(torch.from_numpy(batch[key].astype(np.float32)) for key in batch)).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert (exported.predict(batch, deterministic=True) == wanted.argmax(axis=1)).all()


def test_masked_logits_are_finite_and_never_chosen(file, tiny, states):
    exported = ExportedPolicy(file, tiny)
    logits = exported.masked_logits(states)
    masked = states["action_mask"] == 0
    assert masked.any()
    assert np.isfinite(logits).all()
    assert (logits[masked] == np.float32(MASKED_LOGIT)).all()
    assert f"{MASKED_LOGIT:.0e}".replace("e+0", "e") in exported_policy.__doc__  # the page of the file says the same
    for deterministic in (True, False):
        actions = exported.predict(states, deterministic)
        assert actions.dtype == np.int64
        assert states["action_mask"][np.arange(len(actions)), actions].all()


def test_sampling_follows_the_probabilities(file, tiny, states):
    exported = ExportedPolicy(file, tiny, seed=1)
    probabilities = exported.action_probabilities(states)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert (probabilities[states["action_mask"] == 0] == 0.0).all()
    one = {key: np.repeat(values[:1], 20_000, axis=0) for key, values in states.items()}
    frequencies = np.bincount(exported.predict(one, False), minlength=probabilities.shape[1]) / 20_000
    np.testing.assert_allclose(frequencies, probabilities[0], atol=0.015)


def test_the_seed_decides_what_is_sampled(file, tiny, states):
    exported = ExportedPolicy(file, tiny, seed=1)
    first = exported.predict(states)  # the file's own mode is to sample
    exported.seed(1)
    assert (exported.predict(states) == first).all()
    assert (ExportedPolicy(file, tiny, seed=2).predict(states) != first).any()


def test_the_catalog_takes_the_mode_from_the_file(file, tiny, tmp_path):
    assert not load_policy(str(file), tiny).deterministic
    assert load_policy(str(with_metadata(file, tmp_path, mode="greedy")), tiny).deterministic


def test_another_action_table_is_refused(file):
    bank = load_scenario("bank")
    with pytest.raises(ConfigurationError) as caught:
        ExportedPolicy(file, bank)
    here, there = action_names(bank), action_names(load_scenario("tiny"))
    first = next(i for i in range(len(here)) if here[i] != there[i])
    assert "a policy exported for another action table" in str(caught.value)
    assert f"action {first} is {there[first]!r} in the file" in str(caught.value)
    assert f"{here[first]!r} in scenario bank" in str(caught.value)


def test_an_action_that_the_scenario_lacks_is_refused(file, tiny, tmp_path):
    names = [*action_names(tiny), "transfer"]
    changed = with_metadata(file, tmp_path, action_names=json.dumps(names))
    with pytest.raises(ConfigurationError, match=f"action {len(names) - 1} is 'transfer' in the file"):
        ExportedPolicy(changed, tiny)


def test_other_channels_are_refused(file, tiny, tmp_path):
    trained = json.loads(tiny.model_dump_json())
    trained["channels"][0]["name"] = "fax"
    changed = with_metadata(file, tmp_path, scenario=json.dumps(trained))
    with pytest.raises(ConfigurationError, match=r"exported for channels fax, .*: must be those of scenario tiny"):
        ExportedPolicy(changed, tiny)


def test_what_a_later_version_adds_and_moves_changes_no_choice(file, tiny, states, monkeypatch):
    before = ExportedPolicy(file, tiny).masked_logits(states)
    sampled = ExportedPolicy(file, tiny).predict(states, deterministic=False)
    names, fields = action_names(tiny), fields_as_data(tiny)
    added = {"name": "mood", "unit": "1", "low": 0, "high": 1, "scale": 1}
    later = {part: [records[-1], added, *records[:-1]] for part, records in fields.items()}
    monkeypatch.setattr(exported_policy, "action_names", lambda _: ["transfer", *names[::-1]])
    monkeypatch.setattr(exported_policy, "fields_as_data", lambda _: later)

    def moved(part):
        last, rest = states[part][..., -1:], states[part][..., :-1]
        return np.concatenate([last, np.full_like(last, 7), rest], axis=-1)

    rows, mask = moved("candidates")[:, ::-1], states["action_mask"][:, ::-1]
    shown = {
        "center": moved("center"),
        "candidates": np.concatenate([rows[:, :1], rows], axis=1),
        "action_mask": np.concatenate([np.ones_like(mask[:, :1]), mask], axis=1),
    }
    policy = ExportedPolicy(file, tiny)
    np.testing.assert_array_equal(policy.predict(shown, deterministic=False), len(names) - sampled)
    after = policy.masked_logits(shown)
    np.testing.assert_array_equal(after[:, 1:], before[:, ::-1])
    assert (after[:, 0] == np.float32(MASKED_LOGIT)).all()  # never chosen, though open
    np.testing.assert_array_equal(policy.predict(shown, deterministic=True), len(names) - before.argmax(axis=1))


def test_other_fields_are_refused_and_other_scales_are_not(file, tiny, tmp_path):
    fields = fields_as_data(tiny)
    fields["candidates"][3]["scale"] = 99.0
    ExportedPolicy(with_metadata(file, tmp_path, fields=json.dumps(fields)), tiny)
    fields["candidates"][3]["unit"] = "h"
    with pytest.raises(ConfigurationError, match=r"candidates field 3 is .*\[h\]' in the file"):
        ExportedPolicy(with_metadata(file, tmp_path, fields=json.dumps(fields)), tiny)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": None}, "not a policy written by `blended export`"),
        ({"format_version": "2"}, "format_version = '2': this version of the project reads 1"),
        ({"mode": "drunk"}, "mode = 'drunk': must be one of greedy, sampled"),
        ({"fields": "{"}, "entry fields is missing or damaged"),
        ({"action_names": None}, "entry action_names is missing or damaged"),
    ],
)
def test_damaged_metadata(file, tiny, tmp_path, changes, message):
    with pytest.raises(ConfigurationError) as caught:
        ExportedPolicy(with_metadata(file, tmp_path, **changes), tiny)
    assert message in str(caught.value)


def test_parity_finds_another_network(file, tiny, states):
    exported = ExportedPolicy(file, tiny)
    assert check_parity(SmallScorer(tiny).eval(), exported, states).ties == 0
    with pytest.raises(ParityError, match="chooses another action than torch in"):
        check_parity(SmallScorer(tiny, seed=1).eval(), exported, states)


def test_masked_logits_of_another_size_are_refused(tmp_path, tiny):
    class Lower(SmallScorer):
        """Masks with another number than the file promises."""

        def forward(self, center, candidates, action_mask):
            return super().forward(center, candidates, action_mask) * 10

    with pytest.raises(ParityError, match="the logits of masked actions must be -1e"):
        export_policy(Lower(tiny), tiny, tmp_path / "policy.onnx", parity_states=100)


def test_parity_allows_near_ties(file, tiny, states):
    class Turned(SmallScorer):
        """As the file, but with the order of near ties turned."""

        def forward(self, center, candidates, action_mask):
            return super().forward(center, candidates, action_mask) * 1e-7

    exported = ExportedPolicy(file, tiny)
    turned = Turned(tiny).eval()
    with torch.no_grad():
        turned.bias.mul_(-1)
    assert check_parity(turned, exported, states).ties > 0


def test_a_failed_export_leaves_no_file(monkeypatch, tmp_path, tiny, module):
    write = policy_file._write_graph

    def write_another(network, *rest):
        write(SmallScorer(tiny, seed=1), *rest)

    monkeypatch.setattr(policy_file, "_write_graph", write_another)
    with pytest.raises(ParityError):
        export_policy(module, tiny, tmp_path / "policy.onnx", METADATA, parity_states=100)
    assert list(tmp_path.iterdir()) == []


def test_mistakes_of_the_caller(tmp_path, tiny, module):
    with pytest.raises(ConfigurationError, match="no such folder"):
        export_policy(module, tiny, tmp_path / "none" / "policy.onnx")
    with pytest.raises(ConfigurationError, match="mode = 'drunk'"):
        export_policy(module, tiny, tmp_path / "policy.onnx", {"mode": "drunk"})
    with pytest.raises(ValueError, match="unknown keys: mood"):
        export_policy(module, tiny, tmp_path / "policy.onnx", {"mood": "greedy"})


def test_visited_states_are_spread_over_the_horizon():
    bank = load_scenario("bank", ONE_DAY)
    found = visit_states(bank, RulePolicy("fifo", bank), 0, 400)
    assert all(len(values) == 400 for values in found.values())
    assert (found["action_mask"].sum(axis=1) >= 2).all()  # nobody is asked when only one action is open
    times = [field["name"] for field in fields_as_data(bank)["center"]].index("time_of_day_s")
    hours = np.bincount((found["center"][:, times] // 3600).astype(int), minlength=24)
    assert (hours[8:22] > 0).all()


BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        blocked = {"torch", "stable_baselines3", "sb3_contrib", "onnx", "onnxscript", "pandas"}
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"blocked: {name}", name=name)
sys.meta_path.insert(0, Blocker())
try:
    import torch
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("torch is not blocked")
from experiments.cli.main import main
main()
"""


def evaluate(*arguments, folder):
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, "evaluate", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )


def test_evaluation_without_the_training_stack(file, tmp_path):
    options = ("--scenario", "tiny", "--episodes", "3", "--seed", "2")
    done = evaluate(file, *options, "--json", "found.json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "The file's own mode is sampled" in done.stdout
    assert "greedy 12.50, sampled 11.00" in done.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["scenario"], found["episodes"], found["seed"]) == ("tiny", 3, 2)
    assert (found["mode"], found["default_mode"]) == ("sampled", "sampled")
    cost = found["metrics"]["total_cost_usd"]
    assert cost["low"] <= cost["mean"] <= cost["high"]
    assert cost["unit"] == "USD/day"

    done = evaluate(file, *options, "--mode", "greedy", "--json", "greedy.json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    greedy = json.loads((tmp_path / "greedy.json").read_text())
    assert (greedy["mode"], greedy["default_mode"]) == ("greedy", "sampled")

    done = evaluate("fifo", *options, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "fifo (greedy) in tiny" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("FILE", "--scenario", "bank"), "a policy exported for another action table"),
        (("FILE", "--scenario", "tiy"), "did you mean 'tiny'?"),
        (("fifoo", "--scenario", "tiny"), "did you mean 'fifo'?"),
        (("fifo", "--mode", "drunk"), "'greedy'"),
        (("fifo", "--episodes", "0"), "episodes = 0: must be a whole number >= 1"),
        (("fifo", "--json", "none/found.json"), "--json none/found.json: cannot be written"),
    ],
)
def test_mistakes_end_in_exit_code_2(file, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    given = [str(file) if text == "FILE" else text for text in arguments]
    monkeypatch.setattr(sys, "argv", ["blended", "evaluate", *given])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_the_command_exports_a_run(tmp_path, monkeypatch, capsys, tiny, module):
    learned = ModuleType("agents.learning.learned_policy")
    learned.load_run = lambda folder: (module, tiny, METADATA)
    monkeypatch.setitem(sys.modules, "agents.learning.learned_policy", learned)
    monkeypatch.setattr(policy_file.export_policy, "__kwdefaults__", {"seed": 0, "parity_states": 100})
    write_provenance(tmp_path, 0, collect_data([tiny]))
    monkeypatch.setattr(sys, "argv", ["blended", "export", str(tmp_path)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    assert "same action as torch in 100 visited states" in capsys.readouterr().out
    assert ExportedPolicy(tmp_path / "policy.onnx", tiny).mode == "sampled"


def test_a_run_whose_data_have_changed_is_not_exported(tmp_path, monkeypatch, capsys, tiny, module):
    learned = ModuleType("agents.learning.learned_policy")
    learned.load_run = lambda folder: (module, load_scenario("tiny", ONE_DAY), METADATA)
    monkeypatch.setitem(sys.modules, "agents.learning.learned_policy", learned)
    write_provenance(tmp_path, 0, collect_data([load_scenario("tiny", ("suspended_limit=1",))]))
    monkeypatch.setattr(sys, "argv", ["blended", "export", str(tmp_path)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert "scenario tiny is no longer what it was begun with: SHA-256" in capsys.readouterr().err
    assert not (tmp_path / "policy.onnx").exists()


def test_an_evaluation_on_other_data_says_so(file, tiny):
    shown = []
    for overrides in ((), ("suspended_limit=1",)):
        result = evaluate_policy(file, "tiny", overrides=overrides, episodes=2)
        assert result["exported_for"] == collect_data([tiny])
        assert set(result["data"]) == {"scenario tiny", f"policy {file}"}
        console = Console(file=io.StringIO(), width=200)
        show(result, console)
        shown.append(console.file.getvalue())
    digest = collect_data([tiny])["scenario tiny"]["sha256"][:12]
    assert f"The file was exported for the same scenario tiny (SHA-256 {digest})" in shown[0]
    assert f"The file was exported for scenario tiny (SHA-256 {digest}); this is another: scenario tiny (" in shown[1]


def test_a_run_that_is_not_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["blended", "export", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert "none: no such folder" in capsys.readouterr().err


@pytest.mark.slow
def test_parity_over_ten_thousand_states_of_the_bank(tmp_path):
    bank = load_scenario("bank")
    parity = export_policy(SmallScorer(bank), bank, tmp_path / "policy.onnx")
    assert parity.states == 10_000
