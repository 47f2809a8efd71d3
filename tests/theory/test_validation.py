"""The simulator against theory, and how a validation file is read and judged.

A test of a model is one run of it: fixed seed, 64 independent batches.
"""

import math
import re

import pytest

from envs.configuration.document import REPOSITORY_FOLDER
from envs.errors import ConfigurationError
from experiments.processors import usable_cpus
from experiments.validation.models import Estimate, Reference, load_validation, simulate

MODELS = {model.name: model for model in load_validation()}
SMALL = """\
models:
  - name: small
    title: M/M/1
    source: a formula
    policy: fifo
    seed: 1
    batches: 8
    scenario:
      name: small
      horizon: {days: 0.1}
      terminal_charge: none
      channels:
        - {name: voice, kind: real_time, handle_time: 60, arrivals: {rate_per_hour: 30, day_factor_cv: 0}}
      groups: [{name: all, count: 1, skills: [voice]}]
    references:
      - {metric: occupancy_frac, value: 0.5, unit: fraction, source: load, tier: fast, max_relative_error: 0.2}
"""


@pytest.mark.parametrize("name", MODELS)
def test_the_simulator_agrees_with_theory_and_keeps_the_generic_laws(name):
    result = simulate(MODELS[name], "fast", threads=usable_cpus())
    assert result.failures == []
    assert len(result.checks) >= 2 * len(MODELS[name].scenario.channels)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_the_simulator_agrees_with_every_known_value(name):
    assert simulate(MODELS[name], "full", threads=usable_cpus()).failures == []


@pytest.mark.parametrize("name", MODELS)
def test_a_model_says_in_the_fast_tier_something_of_its_own(name):
    model = MODELS[name]
    assert model.references_of("fast")
    assert set(model.references_of("fast")) <= set(model.references_of("full")) == set(model.references)
    assert model.batches == 64
    assert model.scenario.name == name


def test_all_models_of_the_reference_file_are_there():
    wanted = "V01 V02a V02b V03 V03b V04 V05 V06 V06c V07 V07b V08a V09 V10 V11a V12a V12b V13 V14"
    assert set(wanted.split()) <= set(MODELS)
    assert {"contact_centers_day", "contact_centers_day_without_abandonment"} <= set(MODELS)


def test_a_reference_agrees_only_if_the_estimate_is_both_close_and_precise():
    reference = Reference(metric="m", value=100.0, unit="s", source="a formula")

    def agrees(mean: float, standard_error: float) -> bool:
        return reference.judge(Estimate(mean, standard_error)).failure is None

    assert agrees(103.9, 1.0)
    assert not agrees(104.1, 1.0)
    assert not agrees(100.0, 1.1)
    assert not agrees(math.nan, math.nan)
    assert agrees(100.0, 0.0)
    assert not agrees(100.1, 0.0)


def test_the_error_of_a_published_simulation_counts_too():
    # sqrt(0.3^2 + 0.4^2) = 0.5: 2 away is 4 standard errors.
    reference = Reference(metric="m", value=100.0, unit="s", source="a paper", value_error=0.4)
    assert reference.judge(Estimate(101.9, 0.3)).z == pytest.approx(3.8)
    assert reference.judge(Estimate(101.9, 0.3)).failure is None
    assert reference.judge(Estimate(102.1, 0.3)).failure == "more than 4 standard errors away"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed: 1", "sed: 1", r"validation\.models\[0\]\.sed.*small\.yaml:\d+"),
        ("metric: occupancy_frac", "metric: ocupancy", r"references\[0\]\.metric = 'ocupancy': no such metric"),
        ("unit: fraction", "unit: s", r"references\[0\]\.unit = 's': must be 'fraction'"),
        ("value: 0.5", "value: -0.5", r"references\[0\]\.value = -0\.5: must be > 0"),
        ("policy: fifo", "policy: fifo\n    overrides: [horizon.days=2]", r"overrides.*scenario is named"),
    ],
)
def test_a_mistake_in_a_file_is_reported_with_its_place(old, new, message, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.replace(old, new))
    with pytest.raises(ConfigurationError, match=message):
        load_validation([path])


def test_a_scenario_may_be_named_and_changed(tmp_path):
    text = SMALL[: SMALL.index("    scenario:")] + "    scenario: bank\n    overrides: [horizon.days=0.5]\n"
    path = tmp_path / "named.yaml"
    path.write_text(text + SMALL[SMALL.index("    references:") :])
    (model,) = load_validation([path])
    assert (model.scenario.name, model.scenario.horizon.days) == ("bank", 0.5)


def test_a_name_may_stand_once_over_all_files(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(SMALL)
    with pytest.raises(ConfigurationError, match="validation model small: stands twice"):
        load_validation([tmp_path / "one.yaml", tmp_path / "two.yaml"])


def test_no_result_depends_on_the_number_of_threads():
    model = MODELS["V14"].model_copy(update={"batches": 4})
    assert simulate(model, "fast", threads=1) == simulate(model, "fast", threads=2)


def test_the_example_of_the_docs_holds(tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", (REPOSITORY_FOLDER / "docs" / "validation.md").read_text(), re.DOTALL)
    (tmp_path / "mine.yaml").write_text(example)
    (model,) = load_validation([tmp_path / "mine.yaml"])
    assert simulate(model, "fast", threads=usable_cpus()).failures == []
