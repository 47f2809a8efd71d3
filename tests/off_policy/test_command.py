"""`blended ope`, from a policy file to the estimates; and the truth that they are held against."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from agents.policy import Observations
from envs.scenario.scenario import load_scenario
from experiments.cli.main import main
from experiments.optimum.average_cost import evaluate_actions
from experiments.optimum.finite_horizon import expected_cost_usd
from experiments.optimum.markov_chain import Chain, Edges

SOFTENED = "rule: softened\nname: soft\nof: voice_first_interrupting\nexplore_frac: 0.3\n"
ESTIMATORS = [
    "per_decision",
    "per_day",
    "marginalised",
    "direct",
    "doubly_robust",
    "doubly_robust_marginalised",
]


def run(monkeypatch, *arguments: str) -> int:
    """Run the command line; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["blended", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    """Return the records of forty days of `tiny` under a softened rule, made by the command."""
    folder = tmp_path_factory.mktemp("ope")
    (folder / "soft.yaml").write_text(SOFTENED)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        arguments = ("soft.yaml", "--scenario", "tiny", "--episodes", "40", "--record", "records")
        assert run(monkeypatch, "evaluate", *arguments) == 0
    return folder / "records"


def test_policies_are_valued_from_records(records, tmp_path, monkeypatch, capsys):
    result, figure = tmp_path / "result.json", tmp_path / "overlap.svg"
    policies = ("--policy", "voice_first_interrupting", "--policy", "fifo")
    assert run(monkeypatch, "ope", str(records), *policies, "--json", str(result), "--figure", str(figure)) == 0
    found = json.loads(result.read_text())
    assert found["scenario"] == "tiny"
    assert found["logged"]["policy"] == "soft"
    assert found["logged"]["episodes"] == 40
    assert list(found["policies"]) == ["voice_first_interrupting", "fifo"]
    for policy in found["policies"].values():
        assert list(policy["estimates"]) == ESTIMATORS
        assert sum(policy["overlap"]["ratio_fracs"]) == pytest.approx(1.0)
        for estimate in policy["estimates"].values():
            assert (estimate["mean"] is None) == (estimate["refused"] is not None)
    # Days on which the log did all that the rule does are days of the rule, and those of `tiny` are all alike.
    per_day = found["policies"]["voice_first_interrupting"]["estimates"]["per_day"]
    if per_day["refused"] is None:
        assert per_day["mean"] == pytest.approx(273.51, abs=0.01)
    shown = capsys.readouterr().out
    assert "soft in tiny" in shown
    assert "per_day says nothing: overlap is too thin" in shown  # of `fifo`
    assert figure.read_bytes().startswith(b"<?xml")


def test_the_credit_horizon_and_the_half_life_can_be_stated(records, tmp_path, monkeypatch):
    result = tmp_path / "result.json"
    options = ("--credit-min", "5", "--half-life-h", "2", "--json", str(result))
    assert run(monkeypatch, "ope", str(records), "--policy", "fifo", *options) == 0
    estimates = json.loads(result.read_text())["policies"]["fifo"]["estimates"]
    assert estimates["per_decision"]["credit"] == "decisions of the last 5 min"
    assert estimates["direct"]["credit"] == "Q what follows, by half each 2 h"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none", "--policy", "fifo"), "records none: no such folder or file"),
        (("{records}",), "a policy to be valued is needed: --policy"),
        (("{records}", "--policy", "fifoo"), "did you mean 'fifo'?"),
        (("{records}", "--policy", "fifo", "--policy", "fifo"), "takes part twice"),
        (("{records}", "--policy", "fifo", "--figure", "a.txt"), "--figure a.txt: must end in .svg, .png, .pdf"),
        (("{records}", "--policy", "fifo", "--json", "no/a.json"), "--json no/a.json: cannot be written"),
    ],
)
def test_mistakes_are_one_message(records, monkeypatch, capsys, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    filled = [argument.format(records=records) for argument in arguments]
    assert run(monkeypatch, "ope", *filled) == 2
    assert message in capsys.readouterr().err


def test_few_days_say_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "soft.yaml").write_text(SOFTENED)
    assert run(monkeypatch, "evaluate", "soft.yaml", "--scenario", "tiny", "--episodes", "4", "--record", "few") == 0
    assert run(monkeypatch, "ope", "few", "--policy", "fifo") == 2
    assert "4 independent episodes: at least 10 are needed" in capsys.readouterr().err


def test_the_log_becomes_a_data_set_of_minari_and_is_read_back(records, monkeypatch, tmp_path, capsys):
    minari = pytest.importorskip("minari", reason="the extra minari is not installed")
    monkeypatch.setitem(os.environ, "MINARI_DATASETS_PATH", str(tmp_path))
    assert run(monkeypatch, "ope", str(records), "--to", "minari:blended/soft-v0") == 0
    found = minari.load_dataset("blended/soft-v0")
    assert found.total_episodes == 40
    environment = found.recover_environment().unwrapped
    episode = found[3]
    (started,) = found.storage.get_episode_metadata([3])
    options = {"episode": int(started["options"]["episode"])}
    observation, info = environment.reset(seed=int(started["seed"]), options=options)
    for step, action in enumerate(episode.actions):
        for key in observation:
            assert (episode.observations[key][step] == observation[key]).all()
        assert episode.infos["elapsed_s"][step] == pytest.approx(info["elapsed_s"])
        observation, reward_usd, terminated, _, info = environment.step(action)
        assert episode.rewards[step] == pytest.approx(reward_usd)
        assert episode.terminations[step] == terminated
    assert terminated
    assert run(monkeypatch, "ope", str(records), "--to", "minari:blended/soft-v0") == 2
    assert "--to minari:blended/soft-v0: is there already" in capsys.readouterr().err
    for target in ("blended/soft-v1", "minari:", "minari:soft", "minari:a/soft-v0"):
        assert run(monkeypatch, "ope", str(records), "--to", target) == 2
        assert f"--to {target}: must be minari:NAMESPACE/NAME-vVERSION" in capsys.readouterr().err


def test_without_minari_the_command_says_how_to_install_it(records, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "experiments.records.minari_export", raising=False)
    monkeypatch.setitem(sys.modules, "minari", None)
    assert run(monkeypatch, "ope", str(records), "--to", "minari:a-v0") == 2
    assert "--to needs minari: pip install -c constraints.txt -e '.[minari]'" in capsys.readouterr().err


def test_the_truth_of_a_chain_until_a_horizon():
    """Two states: away from the first at 1 / 100 s, back at 1 / 50 s; the second costs 2 USD a second, coming there
    3."""
    going, back, holding_usd_per_s, coming_usd = 0.01, 0.02, 2.0, 3.0
    nothing: Observations = {"action_mask": np.zeros((0, 1), np.int8)}
    no_edges = Edges(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    events = Edges(np.array([0, 1]), np.array([1, 0]), np.array([going, back]), np.array([coming_usd, 0.0]))
    no_decision = np.zeros(0, np.int64)
    chain = Chain(
        np.zeros(2, bool), np.array([0.0, holding_usd_per_s]), events, no_edges, observations=nothing,
        decisions=no_decision,
    )  # fmt: skip
    horizon_s = 120.0
    # From the first state, the chance of the second after t is p (1 - exp(-r t)), r = 0.03, p = 1 / 3.
    rate, share = going + back, going / (going + back)
    second_s = share * horizon_s - share / rate * (1.0 - np.exp(-rate * horizon_s))
    by_hand = holding_usd_per_s * second_s + coming_usd * going * (horizon_s - second_s)
    assert expected_cost_usd(chain, no_decision, horizon_s) == pytest.approx(by_hand, rel=1e-9)
    # In the long run the average takes over.
    average = evaluate_actions(chain, no_decision).cost_usd_per_s
    long_s = 1e5
    grown = expected_cost_usd(chain, no_decision, long_s + 1e3) - expected_cost_usd(chain, no_decision, long_s)
    assert grown == pytest.approx(1e3 * average, rel=1e-6)


def test_the_scenarios_of_the_check_are_there():
    from experiments.off_policy.check import CASES

    for case in CASES:
        load_scenario(case.scenario, case.overrides)
