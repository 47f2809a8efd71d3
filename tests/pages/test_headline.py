"""What a notebook shows of results and scenarios: a small table with the figures that matter, never all of them."""

import re
import shlex
from dataclasses import fields
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from agents.rules.registry import default_rule
from envs.headline import Headline, Headlined
from envs.scenario.scenario import load_scenario
from experiments.cli import main as cli
from experiments.cli.options import split_list
from experiments.comparison.benchmark_result import BenchmarkResult
from experiments.comparison.comparison import run_benchmark
from experiments.comparison.evaluate import evaluate
from experiments.description.describe import describe
from experiments.intervals import Interval
from experiments.optimum.certify import Certificate, Certified
from experiments.texts import amount_text
from experiments.training.checkpoint_choice import Selection
from experiments.training.next_steps import next_steps
from experiments.training.train import TrainingResult
from experiments.training.training_config import TrainingConfig
from experiments.tuning.tuning_result import RuleResult, TuningResult

MOST_BYTES = 5000
POLICIES = ("fifo", "voice_first")


class Cells(HTMLParser):
    """Collects the texts of a page, and refuses tags that are not closed."""

    def __init__(self):
        super().__init__()
        self.open, self.texts = [], []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def shown(result):
    """Return the texts that a notebook shows of a result, its sizes checked."""
    page = result._repr_html_()
    assert len(page.encode()) < MOST_BYTES
    line = repr(result)
    assert len(line) < 400
    assert "\n" not in line
    assert str(result) == line
    assert line.startswith(f"<{type(result).__name__} ")
    parser = Cells()
    parser.feed(page)
    assert parser.open == []
    assert "nan" not in parser.texts
    return parser.texts


@pytest.fixture(scope="module")
def benchmark():
    return run_benchmark(load_scenario("tiny"), POLICIES, episodes=2)


def test_a_scenario_is_its_channels_and_never_all_its_keys():
    for name in ("tiny", "bank", "insurance_claims", "follow_the_sun"):
        scenario = load_scenario(name)
        texts = shown(scenario)
        assert name in repr(scenario)
        assert {channel.name for channel in scenario.channels} <= set(texts)
        assert str(sum(group.count for group in scenario.groups)) in re.findall(r"\d+", repr(scenario))


def test_a_benchmark_is_its_best_policy_and_the_cost_of_each(benchmark):
    result = benchmark.scenarios["tiny"]
    best = result.summary.best
    for part in (benchmark, result):
        texts = shown(part)
        assert set(POLICIES) <= set(texts)
        assert f"{result.outcomes[best].metrics['total_cost_usd']:,.0f}" in repr(part)
        assert best in repr(part)
    other = run_benchmark(load_scenario("tiny", ("name=other",)), POLICIES, episodes=2).scenarios
    both = BenchmarkResult(benchmark.scenarios | other)
    assert {"tiny", "other", best} <= set(shown(both))
    assert shown(result.outcomes["fifo"]) == [repr(result.outcomes["fifo"])[len("<Outcome ") : -1]]


def test_a_benchmark_of_many_policies_stays_small(benchmark):
    many = run_benchmark(load_scenario("tiny"), [f"{'long' * 30}{i}=fifo" for i in range(30)], episodes=2)
    assert "and 18 more" in shown(many)


def test_an_evaluation_is_its_cost_and_service_and_still_plain_data():
    found = evaluate("fifo", "tiny", episodes=2)
    assert isinstance(found, dict)
    texts = shown(found)
    assert {"total_cost_usd", "voice.service_level_frac", "USD/day"} <= set(texts)
    assert f"{found['metrics']['total_cost_usd']['mean']:,.0f}" in repr(found)


def test_a_description_is_its_load():
    described = describe(load_scenario("bank"))
    assert {"voice", "email"} <= set(shown(described))
    assert f"{described.work_rep_hours:,.1f} of {described.staffed_rep_hours:,.1f}" in repr(described)


def filled(kind, **given):
    """Return an instance of a class of data, with None for what is not given."""
    return kind(**{field.name: given.get(field.name) for field in fields(kind)})


def test_a_certificate_is_its_optimum_and_the_gaps():
    # 0.01 USD/s = 0.6 USD/minute; 0.66 is 10 % more.
    certificate = filled(
        Certificate,
        scenario=SimpleNamespace(name="small"),
        chain=SimpleNamespace(n_lasting_states=17),
        optimum=SimpleNamespace(cost_usd_per_s=0.01),
        policies={"fifo": Certified(0.66, 17, False)},
    )
    assert {"fifo", "0.660000", "10.00 %"} <= set(shown(certificate))
    assert "0.600000 USD/minute" in repr(certificate)


def test_a_tuning_is_what_was_kept():
    rule = filled(
        RuleResult,
        default=default_rule("cmu"),
        keeps_found=True,
        kept_test_usd=Interval(1000.0, 900.0, 1100.0),
        difference_usd=Interval(-50.0, -80.0, -20.0),
    )
    tuning = TuningResult(Path("runs/tune"), SimpleNamespace(seed=3), {"bank": [rule]}, {"bank": {}})
    assert {"bank", "cmu", "tuned", "1,000 (900 to 1,100)"} <= set(shown(tuning))
    assert "1 of 1 rules" in repr(tuning)


def test_a_training_is_its_choice_and_its_benchmark(benchmark):
    selection = Selection()
    for steps, cost_usd in ((1000, 500.0), (2000, 400.0)):
        selection.add(
            steps, 1.0, {"greedy": {"total_cost_usd": cost_usd}, "sampled": {"total_cost_usd": cost_usd + 50.0}}
        )
    without = TrainingResult(Path("runs/x"), Path("runs/x/policy.onnx"), selection, None)
    assert {"2,000", "400", "450"} <= set(shown(without))
    assert "greedy policy after 2,000 decisions, 400 USD/day on validation episodes" in repr(without)
    assert set(POLICIES) <= set(shown(TrainingResult(Path("r"), Path("r/policy.onnx"), selection, benchmark)))


def test_texts_of_others_are_escaped_and_cut():
    class Foreign(Headlined):
        def headline(self):
            return Headline("<b>" * 200, ("<script>",), [("a&b" * 50,)])

    page = Foreign()._repr_html_()
    assert "<b>" not in page
    assert "<script>" not in page
    assert "a&amp;b" in page
    assert len(page) < 3000


@pytest.mark.parametrize("with_benchmark", [True, False])
def test_a_training_ends_with_what_to_look_at_next(with_benchmark):
    config = TrainingConfig(scenario="tiny", seed=5, **({} if with_benchmark else {"benchmark": None}))
    benchmark = run_benchmark(load_scenario("tiny"), ["learned=voice_first", "fifo"], episodes=2)
    folder = Path("runs/tiny/a run, the second")
    result = TrainingResult(folder, folder / "policy.onnx", Selection(), benchmark if with_benchmark else None)
    lines = next_steps(result, config)
    assert len(lines) <= 15
    commands = {line.partition(": ")[0]: shlex.split(line.partition(": ")[2]) for line in lines if ": blended " in line}
    assert set(commands) == {"Evaluate it", "Compare it", "Export it"}
    for command in commands.values():  # every option is one that the command has
        parsed = typer.main.get_command(cli.app).commands[command[1]].make_context(command[1], command[2:])
        assert parsed.params
    compared = commands["Compare it"]
    policies = split_list(compared[compared.index("--policies") + 1])
    assert policies == [f"learned={folder / 'policy.onnx'}", "expected_loss", "fifo"]
    assert commands["Evaluate it"][2] == str(folder / "policy.onnx")
    assert str(folder / "tensorboard") in shlex.split(next(line for line in lines if line.startswith("TensorBoard: ")))
    text = "\n".join(lines)
    if with_benchmark:
        outcomes = benchmark.scenarios["tiny"].outcomes
        assert amount_text(outcomes["learned"].metrics["total_cost_usd"]) in text
        assert "The best of the others is fifo" in text
    else:
        assert "on validation episodes" in text


def test_what_is_left_of_an_evaluation_still_has_a_repr():
    found = evaluate("fifo", "tiny", episodes=2)
    found.pop("metrics")
    assert "part of an evaluation: policy, scenario" in repr(found)
    found.clear()
    assert "part of an evaluation: nothing" in repr(found)


def test_a_comparison_that_is_not_there_is_a_key_error():
    found = run_benchmark(load_scenario("tiny"), ["fifo", "voice_first"], episodes=2).scenarios["tiny"]
    with pytest.raises(KeyError, match="no comparison of fifo, the reference, with 'fifo'"):
        found.comparison("fifo")
