"""Exact optima and exact costs of policies: against reference values, a second model, theory, and the simulator."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_decision_process import SmallCenter
from torch import nn

from agents.catalog import load_policy
from agents.episodes import play_episodes
from agents.exported_policy import action_names, fields_as_data
from agents.policy import MASKED_LOGIT
from envs.errors import ConfigurationError
from envs.metrics import compute_metrics
from envs.scenario.scenario import load_scenario
from experiments.optimum.certify import Certificate, certify
from experiments.training.onnx_export import export_policy

SCRIPT = Path(sys.executable).parent / "blended"
REFERENCE_FOLDER = Path(__file__).parents[3] / "shared" / "reference"

# Average costs a minute of three Markov decision processes, computed by others, with the policies that they name.
OPTIMA = {
    "certify_interrupt": 0.3601656649161828,
    "certify_value": 0.8426647050023288,
    "certify_deadline": 1.0656480550427152,
}
NAMED = {
    ("certify_interrupt", "fifo"): 0.45738596927636305,
    ("certify_interrupt", "voice_first"): 0.43149667679813575,
    ("certify_interrupt", "value_first"): 0.43149667679813575,
    ("certify_interrupt", "cmu"): 0.43149667679813575,
    ("certify_interrupt", "voice_first_interrupting"): 0.3989994099448852,
    ("certify_value", "fifo"): 2.1108853035310577,
    ("certify_value", "value_first"): 1.7583302040673137,
    ("certify_value", "cmu"): 1.7583302040673137,
    ("certify_deadline", "fifo"): 1.0953438230364791,
    ("certify_deadline", "voice_first"): 1.0740892350498101,
    ("certify_deadline", "value_first"): 1.0715658955201357,
    ("certify_deadline", "cmu"): 1.0740892350498101,
}
STATED: dict[str, list[tuple[dict[str, Any], float]]] = {
    "certify_interrupt": [
        ({}, 0.43149667679813575),
        ({"interrupt": ["voice"]}, 0.3989994099448852),
        ({"interrupt": ["voice"], "interrupt_at": {"voice": 2}}, 0.41329528515791325),
        ({"first_at": {"email": 4}}, 0.43180551681421997),
        ({"first_at": {"email": 2}}, 0.4386866594846048),
        ({"order": ["email", "voice"]}, 0.46677350389582384),
    ],
    "certify_value": [
        ({"order": ["gold", "standard"], "reserve": {"standard": 2}}, 0.9138898390102737),
        ({"order": ["gold", "standard"], "reserve": {"standard": 1}}, 1.1873936509322427),
        ({"order": ["gold", "standard"]}, 1.7583302040673137),
        ({"order": ["standard", "gold"]}, 2.1985034857788675),
    ],
    "certify_deadline": [
        ({}, 1.0740892350498101),
        ({"order": ["email", "voice"]}, 1.0840871166879975),
        ({"by_urgency": ["email"]}, 1.1168098660277612),
        ({"reserve": {"email": 1}}, 1.5990279391271018),
    ],
}


def policy_files(folder: Path, scenario: str) -> list[str]:
    """Write the stated rules of a scenario as policy files, and return their paths."""
    files = []
    for i, (parts, _) in enumerate(STATED[scenario]):
        file = folder / f"{i}.yaml"
        file.write_text(json.dumps({"rule": "priority", "name": f"rule_{i}"} | parts))
        files.append(str(file))
    return files


@pytest.mark.parametrize("scenario", sorted(OPTIMA))
def test_optimum_and_policies_cost_what_the_reference_says(scenario, tmp_path):
    named = [policy for known, policy in NAMED if known == scenario]
    found = certify(scenario, [*named, *policy_files(tmp_path, scenario)])
    assert found.optimal_cost_usd_per_minute == pytest.approx(OPTIMA[scenario], abs=1e-9)
    for policy in named:
        assert found.policies[policy].cost_usd_per_minute == pytest.approx(NAMED[scenario, policy], abs=1e-9)
    for i, (_, cost) in enumerate(STATED[scenario]):
        assert found.policies[f"rule_{i}"].cost_usd_per_minute == pytest.approx(cost, abs=1e-9)
        assert found.gap_frac(f"rule_{i}") == pytest.approx(cost / OPTIMA[scenario] - 1, abs=1e-9)
    assert found.policies["fifo"].is_ordered
    assert not found.policies["value_first"].is_ordered


@pytest.mark.skipif(not REFERENCE_FOLDER.is_dir(), reason="the reference tables are not beside this clone")
@pytest.mark.parametrize(
    ("scenario", "table"),
    [
        ("certify_interrupt", "policy_MDP1a.json.gz"),
        ("certify_value", "policy_MDP2.json.gz"),
        ("certify_deadline", "policy_MDP4.json.gz"),
    ],
)
def test_the_reference_tables_cost_the_optimum(scenario, table):
    found = certify(scenario, [f"table={REFERENCE_FOLDER / table}"])
    assert found.gap_frac("table") == pytest.approx(0.0, abs=1e-10)


@pytest.mark.parametrize("scenario", sorted(OPTIMA))
def test_the_optimal_table_costs_the_optimum_in_the_chain_and_in_the_simulator(scenario, tmp_path):
    file = tmp_path / "optimum.json"
    certify(scenario, ["voice_first"]).write_table(file)
    found = certify(scenario, [f"optimum={file}"])
    assert found.gap_frac("optimum") == pytest.approx(0.0, abs=1e-10)
    # That a day begins with an empty center matters less than a tenth of a standard error.
    shorter = load_scenario(scenario, ("horizon.days=4",))
    policy = load_policy(str(file), shorter).policy
    counts = play_episodes(shorter, policy, 5, np.arange(24))
    costs = np.array([compute_metrics(shorter, count)["total_cost_usd"] / 1440 for count in counts])
    standard_error = costs.std(ddof=1) / np.sqrt(len(costs))
    assert abs(costs.mean() - OPTIMA[scenario]) < 4 * standard_error
    assert standard_error < 0.03 * OPTIMA[scenario]


@pytest.mark.parametrize(
    ("policy", "overrides"),
    [
        ("fifo", ()),
        ("voice_first", ()),
        ("cmu", ("channels.email.after_work={distribution: exponential, mean_s: 60}",)),
        ("voice_first_interrupting", ("costs={interruption_usd: 0.5, pick_up_usd_per_hour: 12}",)),
    ],
)
def test_exact_costs_of_rules_agree_with_the_simulator(policy, overrides):
    scenario = load_scenario("certify_interrupt", ("horizon.days=4", *overrides))
    exact = certify("certify_interrupt", [policy], overrides=overrides).policies[policy].cost_usd_per_minute
    named = load_policy(policy, scenario)
    counts = play_episodes(scenario, named.policy, 7, np.arange(100))
    costs = np.array([compute_metrics(scenario, count)["total_cost_usd"] / 1440 for count in counts])
    assert abs(costs.mean() - exact) < 4 * costs.std(ddof=1) / np.sqrt(len(costs))


def test_an_exported_network_costs_what_the_simulator_finds(tmp_path):
    scenario = load_scenario("certify_value", ("horizon.days=4",))
    file = tmp_path / "network.onnx"
    torch.manual_seed(0)
    export_policy(LinearScorer(scenario), scenario, file, {"mode": "sampled"}, parity_states=100)
    exact = certify("certify_value", [f"network={file}"]).policies["network"].cost_usd_per_minute
    assert exact > 1.01 * OPTIMA["certify_value"]
    counts = play_episodes(scenario, load_policy(str(file), scenario).policy, 5, np.arange(24))
    costs = np.array([compute_metrics(scenario, count)["total_cost_usd"] / 1440 for count in counts])
    assert abs(costs.mean() - exact) < 4 * costs.std(ddof=1) / np.sqrt(len(costs))


class LinearScorer(nn.Module):
    """Random weights on the scaled fields of each candidate, those of the center in the way."""

    def __init__(self, scenario):
        super().__init__()
        fields = fields_as_data(scenario)
        self.register_buffer("scale", torch.tensor([field["scale"] for field in fields["candidates"]]))
        self.row = nn.Linear(len(fields["candidates"]), 1)
        self.bias = nn.Linear(len(fields["center"]), len(action_names(scenario)))

    def forward(self, center, candidates, action_mask):
        logits = self.row(candidates / self.scale).squeeze(-1) + self.bias(torch.tanh(center))
        return torch.where(action_mask > 0, logits, MASKED_LOGIT)


# Others of the same families, against a second model ----------------------------------------------


def exponential(rate_per_minute: float) -> dict[str, Any]:
    return {"distribution": "exponential", "mean_s": 60 / rate_per_minute}


def written(center: SmallCenter) -> dict[str, Any]:
    """Return the scenario of a small center."""
    channels: list[dict[str, Any]] = []
    for k, name in enumerate(("first", "second")):
        channel: dict[str, Any] = {
            "name": name,
            "kind": "real_time" if center.abandonment[k] else "deferred",
            "arrivals": {"rate_per_hour": 60 * center.arrival[k], "day_factor_cv": 0},
            "handle_time": exponential(center.service[k]),
            "waiting_limit": center.limit[k],
            "costs": {"blocked_usd": center.blocked[k]},
        }
        if center.abandonment[k]:
            channel["patience"] = exponential(center.abandonment[k])
            channel["costs"]["abandonment_usd"] = center.loss[k]
        else:
            channel["costs"]["holding_usd_per_hour"] = 60 * center.holding
        channels.append(channel)
    if center.suspended:
        channels[1] |= {"interruptible": True, "pick_up": exponential(center.pick_up)}
    groups = [{"name": "flexible", "count": center.flexible, "skills": ["first", "second"]}]
    if center.dedicated:
        groups.append({"name": "dedicated", "count": center.dedicated, "skills": ["first"]})
    return {
        "name": "small",
        "channels": channels,
        "groups": groups,
        "suspended_limit": center.suspended,
        "review": "every_event",
        "observation": "markov",
        "terminal_charge": "none",
    }


INTERRUPTED = SmallCenter(
    arrival=(0.4, 0.07),
    service=(0.5, 0.2),
    abandonment=(0.25, 0.0),
    limit=(4, 5),
    loss=(6.0, 0.0),
    blocked=(6.0, 30.0),
    holding=0.15,
    dedicated=0,
    flexible=1,
    suspended=2,
    pick_up=0.4,
)
VALUED = SmallCenter(
    arrival=(0.5, 0.4),
    service=(0.3, 0.2),
    abandonment=(0.5, 0.1),
    limit=(3, 5),
    loss=(9.0, 1.0),
    blocked=(9.0, 1.0),
    holding=0.0,
    dedicated=0,
    flexible=3,
)


def certify_written(center: SmallCenter, folder: Path, policies: list[str]) -> Certificate:
    file = folder / "small.yaml"
    file.write_text(json.dumps(written(center)))
    return certify(file, policies)


@pytest.mark.parametrize(
    "center",
    [
        INTERRUPTED,
        INTERRUPTED.__class__(**{**INTERRUPTED.__dict__, "dedicated": 1, "arrival": (0.7, 0.07)}),
        INTERRUPTED.__class__(**{**INTERRUPTED.__dict__, "flexible": 2, "arrival": (0.7, 0.15), "limit": (3, 4)}),
        VALUED,
        VALUED.__class__(**{**VALUED.__dict__, "dedicated": 1, "flexible": 2}),
    ],
    ids=["interrupt", "interrupt with a dedicated rep", "interrupt two reps", "value", "value with a dedicated rep"],
)
def test_the_optimum_is_that_of_a_second_model(center, tmp_path):
    found = certify_written(center, tmp_path, ["voice_first"])
    assert found.optimal_cost_usd_per_minute == pytest.approx(center.least_cost(), abs=1e-7)
    assert found.gap_frac("voice_first") > 0


def test_without_a_choice_the_optimum_is_the_loss_formula(tmp_path):
    # M/M/2/2 with offered load 1.5 loses B = (1.5^2 / 2) / (1 + 1.5 + 1.5^2 / 2) of its arrivals (Erlang B).
    calls = {"name": "voice", "kind": "real_time", "arrivals": {"rate_per_hour": 30, "day_factor_cv": 0}}
    calls |= {"handle_time": exponential(1 / 3), "lines": 2, "costs": {"blocked_usd": 7}}
    content = written(VALUED) | {"channels": [calls], "groups": [{"name": "all", "count": 2, "skills": ["voice"]}]}
    file = tmp_path / "loss.yaml"
    file.write_text(json.dumps(content))
    found = certify(file, ["fifo"])
    assert found.policies["fifo"].cost_usd_per_minute == pytest.approx(7 * 0.5 * 1.125 / 3.625, rel=1e-9)
    assert found.optimal_cost_usd_per_minute == pytest.approx(7 * 0.5 * 1.125 / 3.625, rel=1e-9)


# What is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "place"),
    [
        ("channels.voice.handle_time=90", "channels[0].handle_time"),
        ("channels.email.pick_up={distribution: lognormal, mean_s: 60, cv: 1}", "channels[1].pick_up"),
        ("channels.voice.waiting_limit=null", "channels[0].waiting_limit"),
        ("channels.email.arrivals.day_factor_cv=0.1", "channels[1].arrivals.day_factor_cv"),
        ("channels.email.error={prob: 0.1}", "channels[1].error"),
        ("channels.email.due={after_s: 900}", "channels[1].due"),
        ("channels.voice.redial={prob: 0.5, delay: 60}", "channels[0].redial"),
        ("review=on_change", "review"),
        ("observation=full", "observation"),
        ("terminal_charge=expected", "terminal_charge"),
        ("channels.voice.segment_shares={caller: 0.5, writer: 0.5}", "channels[0].segment_shares"),
    ],
)
def test_a_scenario_outside_the_class_is_refused_with_the_place(override, place):
    with pytest.raises(ConfigurationError) as error:
        certify("certify_interrupt", overrides=(override,))
    message = str(error.value)
    assert place in message
    assert "certify" in message or "certified" in message
    assert "\n" not in message


def test_the_message_names_the_line(tmp_path):
    content = "extends: certify_interrupt\nname: fixed\nchannels:\n  - name: voice\n    handle_time: 90\n"
    file = tmp_path / "fixed.yaml"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"channels\[0\].handle_time.*fixed\.yaml:5"):
        certify(file)


def test_a_policy_that_needs_ages_is_refused_with_the_field():
    with pytest.raises(ConfigurationError, match=r"earliest_due_date.*slack_s.*certify_interrupt"):
        certify("certify_interrupt", ["earliest_due_date", "fifo"])


def test_a_rule_says_what_its_parameters_make_it_need(tmp_path):
    file = tmp_path / "by_forecast.yaml"
    file.write_text("{rule: expected_loss, name: by_forecast, idle_forecast: 1.0}")
    with pytest.raises(ConfigurationError, match=r"by_forecast.*forecast_per_hour"):
        certify("certify_interrupt", [str(file)])


def test_a_table_that_does_not_fit_is_refused(tmp_path):
    file = tmp_path / "table.json"
    file.write_text('{"(0, 0)": "(0, 0)"}')
    with pytest.raises(ConfigurationError, match="must have 4 numbers, has 2"):
        certify("certify_interrupt", [str(file)])
    file.write_text('{"(0, 0, 0, 0)": "(0, 0, 0, 0)"}')
    with pytest.raises(ConfigurationError, match="has no entry for state"):
        certify("certify_interrupt", [str(file)])
    with pytest.raises(ConfigurationError, match="makes no sense in scenario bank"):
        load_policy(str(file), load_scenario("bank"))


# The command --------------------------------------------------------------------------------------


def test_the_command_writes_json_and_a_table(tmp_path):
    arguments = ["certify", "certify_deadline", "fifo", "value_first", "--json", "found.json", "--table", "best.json"]
    result = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 0, result.stderr
    assert "(optimum)" in result.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["optimal_cost_per_minute"] == pytest.approx(OPTIMA["certify_deadline"], abs=1e-9)
    fifo = found["policies"]["fifo"]
    assert fifo["cost_per_minute"] == pytest.approx(NAMED["certify_deadline", "fifo"], abs=1e-9)
    assert fifo["gap_frac"] == pytest.approx(0.02786639346193298, abs=1e-9)
    assert json.loads((tmp_path / "best.json").read_text())["(0, 0, 1, 0, 0)"] == "(1, 0, 0, 0, 0)"


def test_a_mistake_ends_in_one_message_and_exit_code_2(tmp_path):
    for arguments in (["bank"], ["certify_interrupt", "generalized_cmu"], ["certify_intrupt"]):
        result = subprocess.run(
            [SCRIPT, "certify", *arguments], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert result.returncode == 2
        assert "Traceback" not in result.stderr
