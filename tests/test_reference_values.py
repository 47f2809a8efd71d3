"""The kernel against exact queueing theory, by the pass rule of the reference file (`Reference.agrees`).

A test is one run of one model: fixed seed, 64 independent batches.
"""

import math

import numpy as np
import pytest

from envs.config_file import REPOSITORY_FOLDER
from envs.errors import ConfigurationError
from envs.metrics import metric_glossary
from experiments.validation import Estimate, Reference, load_validation_model, simulate

MODELS = sorted(path.stem for path in (REPOSITORY_FOLDER / "configs" / "validation").glob("*.yaml"))
FAST_MODELS = [name for name in MODELS if load_validation_model(name).references_of("fast")]


def assert_agrees(name: str, tier: str) -> None:
    model = load_validation_model(name)
    estimates = simulate(model, tier)
    wrong = [
        f"{reference.metric}: {estimate.mean:.6g} +- {estimate.standard_error:.2g} (standard error, "
        f"{estimate.standard_error / reference.value:.2%}), exact {reference.value:.6g}"
        for reference in model.references_of(tier)
        if not reference.agrees(estimate := estimates[reference.metric])
    ]
    assert not wrong, f"{name} ({model.title}):\n" + "\n".join(wrong)


@pytest.mark.parametrize("name", FAST_MODELS)
def test_the_kernel_reproduces_probabilities_and_interruptions(name):
    assert_agrees(name, "fast")


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_the_kernel_reproduces_waits_and_sojourns(name):
    assert_agrees(name, "slow")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_a_pure_queue_with_64_batches_and_units_of_the_glossary(name):
    model = load_validation_model(name)
    assert model.batches == 64
    assert model.scenario.name == name
    assert model.scenario.terminal_charge == "none"
    assert all(channel.arrivals.day_factor_cv == 0 for channel in model.scenario.channels)
    glossary = metric_glossary(model.scenario)
    assert {r.metric: r.unit for r in model.references} == {r.metric: glossary[r.metric][0] for r in model.references}


def test_values_of_the_files_agree_with_closed_forms():
    load, reps, calls_per_s, mean_s = 15.0, 16, 5 / 60, 180.0
    terms = [load**n / math.factorial(n) for n in range(reps + 1)]
    delayed = terms[reps] * reps / (reps - load)
    wait_prob = delayed / (sum(terms[:reps]) + delayed)
    drain_per_s = (reps - load) / mean_s
    erlang_c = values_of("V02b")
    assert erlang_c["voice.wait_prob"] == pytest.approx(wait_prob)
    assert erlang_c["voice.mean_wait_s"] == pytest.approx(wait_prob / drain_per_s)
    assert erlang_c["voice.mean_waiting"] == pytest.approx(calls_per_s * wait_prob / drain_per_s)
    for name, threshold_s in (("V02b", 20), ("V02b_60s", 60)):
        served_in_time = 1 - wait_prob * np.exp(-drain_per_s * threshold_s)
        assert values_of(name)["voice.service_level_frac"] == pytest.approx(served_in_time)
    erlang_a = values_of("V03")  # Little's law; abandonments are patience's rate times the queue
    assert erlang_a["voice.mean_waiting"] == pytest.approx(calls_per_s * erlang_a["voice.mean_wait_s"])
    assert erlang_a["voice.abandoned_frac"] == pytest.approx(erlang_a["voice.mean_wait_s"] / 120.0)


def values_of(name: str) -> dict[str, float]:
    return {reference.metric: reference.value for reference in load_validation_model(name).references}


def test_a_reference_agrees_only_if_the_estimate_is_both_close_and_precise():
    reference = Reference(metric="m", value=100.0, unit="s", source="a formula", tier="fast")
    assert reference.agrees(Estimate(mean=103.9, standard_error=1.0))
    assert not reference.agrees(Estimate(mean=104.1, standard_error=1.0))
    assert not reference.agrees(Estimate(mean=100.0, standard_error=1.1))
    assert not reference.agrees(Estimate(mean=math.nan, standard_error=math.nan))


def test_an_unknown_key_of_a_model_is_reported_with_its_line(tmp_path):
    path = tmp_path / "wrong.yaml"
    text = (REPOSITORY_FOLDER / "configs" / "validation" / "V03.yaml").read_text()
    path.write_text(text.replace("seed: 203", "sed: 203"))
    with pytest.raises(ConfigurationError, match=r"model\.sed.*wrong\.yaml:\d+"):
        load_validation_model(path)
