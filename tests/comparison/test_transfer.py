"""`blended transfer`: policies move as they are, rules are tuned anew on no test episode, mistakes are told at once."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from playing import meet_demand

from agents.episodes import play_episodes
from agents.rules.registry import default_rule
from agents.rules.rule_policy import RulePolicy
from envs.errors import ConfigurationError
from envs.metrics import calendar_days
from envs.scenario.scenario import load_scenario
from experiments.cli import main as cli
from experiments.comparison import tuned_rules
from experiments.comparison.tuned_rules import load_tuned, tuned_file
from experiments.seeds import demand_seeds
from experiments.transfer import transfer as transfer_module
from experiments.transfer.moves import MOVES, moved
from experiments.transfer.transfer import transfer, tune_anew

EPISODES, SEED = 3, 5
DAY = ("horizon.days=1",)
ORIGIN = (
    "{command: blended tune, date: '2026-01-01', seed: 0, trials: 1, episodes: 1, validation_episodes: 1, kept: tuned, "
    "training_cost_usd: {default: 1, tuned: 1}, validation_cost_usd: {default: 1, tuned: 1}}"
)
TUNED = f"""
scenario: premium_desk
rules:
  - {{rule: value_cmu, name: tuned_value_cmu, reserve_deferred: 7}}
origins: {{tuned_value_cmu: {ORIGIN}}}
"""


@pytest.fixture
def one_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ship one tuned rule, one of whose values is beyond what half of the center has reps for."""
    (tmp_path / "premium_desk.yaml").write_text(TUNED)
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", tmp_path)
    monkeypatch.setattr(tuned_rules, "PUBLISHED_FOLDER", tmp_path / "none")


def blended(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["blended", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_command_plays_every_policy_in_every_moved_center(monkeypatch, tmp_path, capsys) -> None:
    options = ("--policies", "pretrained,best_tuned,fifo", "--moves", "at_home,more_load", "--set", *DAY)
    files = ("--json", tmp_path / "found.json", "--csv", tmp_path / "found.csv")
    assert not blended(
        monkeypatch, "transfer", "premium_desk", *options, "--episodes", EPISODES, "--seed", SEED, *files
    )
    assert "premium_desk: pretrained is surely dearer than best_tuned: " in capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["moves"] == {"at_home": "premium_desk.at_home", "more_load": "premium_desk.more_load"}
    for move, center in found["moves"].items():
        policies = found["scenarios"][center]["policies"]
        assert list(policies) == ["pretrained", "best_tuned", "fifo"]
        scenario = moved(load_scenario("premium_desk", DAY), MOVES[move])
        counts = play_episodes(scenario, RulePolicy("fifo", scenario), demand_seeds(SEED).test, np.arange(EPISODES))
        mean_usd = np.mean([count["cost_usd"].sum() for count in counts]) / calendar_days(scenario)
        assert policies["fifo"]["total_cost_usd"]["mean"] == pytest.approx(mean_usd)
    assert len((tmp_path / "found.csv").read_text().splitlines()) == 1 + 2 * 3 * EPISODES


def test_rules_are_tuned_anew_from_what_the_center_allows_and_met_no_test_episode(one_rule, monkeypatch) -> None:
    met = meet_demand(monkeypatch)
    center = moved(load_scenario("premium_desk", DAY), MOVES["half_size"])  # six reps
    rule = tune_anew(load_tuned("premium_desk").rules, center, 3, 2, SEED, 1)
    assert rule.reserve_deferred <= 5
    assert {seed for seed, _ in met} == {demand_seeds(SEED).train, demand_seeds(SEED).validation}


def test_a_rule_with_nothing_to_tune_stays_as_it_is() -> None:
    costs = {"waiting_usd_per_hour": 60}
    voice = {"name": "voice", "kind": "real_time", "handle_time": 300, "arrivals": {"rate_per_hour": 6}, "costs": costs}
    alone = load_scenario(
        {"name": "alone", "channels": [voice], "groups": [{"name": "one", "count": 1, "skills": ["voice"]}]}
    )
    rule = default_rule("cmu")
    assert not rule.free_parameters(alone)
    assert tune_anew([rule], alone, 3, 2, SEED, 1) == rule


def test_the_row_of_rules_tuned_anew_stands_beside_the_one_that_moved(one_rule) -> None:
    scenario = load_scenario("premium_desk", DAY)
    found = transfer(
        scenario, ["best_tuned", "fifo"], moves={"more_load": MOVES["more_load"]}, episodes=2, seed=SEED, retune=3
    )
    result = found.centers["more_load"]
    assert list(result.outcomes) == ["best_tuned", "fifo", "retuned"]
    assert result.reference == "best_tuned"
    assert result.chosen == {"best_tuned": "tuned_value_cmu"}
    rule = found.retuned["more_load"]
    center = moved(scenario, MOVES["more_load"])
    counts = play_episodes(center, rule.make(center), demand_seeds(SEED).test, np.arange(2))
    mean_usd = np.mean([count["cost_usd"].sum() for count in counts]) / calendar_days(center)
    assert result.outcomes["retuned"].metrics["total_cost_usd"] == pytest.approx(mean_usd)
    assert found.as_json()["retuned"]["more_load"] == rule.model_dump(mode="json")
    columns = ["center", "best_tuned, USD/day", "minus fifo, paired", "minus retuned, paired"]
    assert list(found.headline().columns) == columns


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("premium_desk", "--moves", "third_size"), "move = 'third_size': must be one of at_home"),
        (("million_dollar_interrupt",), "only a center whose contacts are drawn can move"),
        (
            ("premium_desk", "--policies", "best_tuned,retuned=fifo"),
            "is the row of rules that are tuned anew: --retune TRIALS",
        ),
        (("premium_desk", "--policies", "best_tuned,pretraind"), "did you mean"),
        (("premium_desk", "--policies", "best_tuned,fifo,fifo"), "takes part twice: names must differ"),
        (("premium_desk", "--episodes", "1"), "episodes = 1: must be a whole number >= 2"),
        (("premium_desk", "--retune", "-1"), "retune = -1: must be"),
    ],
)
def test_a_mistake_is_told_before_anything_is_played(monkeypatch, capsys, arguments, message) -> None:
    for name in ("run_benchmark", "choose_best", "tune_anew"):
        monkeypatch.setattr(transfer_module, name, None)
    assert blended(monkeypatch, "transfer", *arguments) == 2
    assert message in capsys.readouterr().err


def test_the_help_names_every_move(monkeypatch, capsys) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert not blended(monkeypatch, "transfer", "--help")
    assert f"Of {', '.join(MOVES)}; default: all of them." in capsys.readouterr().out


def test_tuned_rules_must_be_there_to_be_tuned_anew() -> None:
    assert not tuned_file("tiny").is_file()
    with pytest.raises(ConfigurationError, match="no tuned rules of scenario tiny"):
        transfer(load_scenario("tiny"), ["fifo"], moves={}, retune=2)
