"""`blended tune`: the best value found, on training episodes only, the same after a kill; and what it refuses."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
import yaml
from playing import meet_demand

from agents.catalog import load_policy
from agents.episodes import Episodes
from agents.rules.priority_rule import PriorityRule
from agents.rules.registry import default_rule
from agents.rules.rule import OWN_PARTS
from envs.errors import ConfigurationError
from envs.scenario.scenario import Scenario, load_scenario
from experiments.cli import main as cli
from experiments.comparison import tuned_rules
from experiments.comparison.benchmark import load_benchmark
from experiments.seeds import demand_seeds
from experiments.tuning import search as tuning
from experiments.tuning import tune
from experiments.tuning.search import search
from experiments.tuning.tuning_config import load_tuning

ROOT = Path(__file__).resolve().parents[2]
SEED = 3
PRIORITY = PriorityRule(rule="priority")

# Three reps, four e-mails of 600 s at 09:01:00, due 1,300 s later, and at 09:02:00 a call whose customer waits 30 s.
# reserve 0: three e-mails are begun, nobody is left for the call: 50 USD. The fourth is done after 1,200 s.
# reserve 1: two e-mails, the call, and when its rep is free again (360 s) only one is: the others follow at 600 s and
#            are done after 1,200 s: 0 USD.
# reserve 2: one e-mail at a time, done after 600, 1,200, 1,800 and 2,400 s; two are late: 10 USD.
KNOWN = """
name: known
horizon: {days: 1, start_weekday: monday}
channels:
  - {name: voice, kind: real_time, handle_time: 300, patience: 30, service_level_threshold_s: 20,
     costs: {abandonment_usd: 50}}
  - {name: email, kind: deferred, handle_time: 600, due: {clock: calendar, after_s: 1300}, costs: {late_usd: 5}}
groups:
  - {name: all, count: 3, skills: [voice, email], shifts: [{start: "09:00", end: "17:00"}]}
scripted_contacts:
  - {channel: email, at_s: 32_460, account_value: 0}
  - {channel: email, at_s: 32_460, account_value: 0}
  - {channel: email, at_s: 32_460, account_value: 0}
  - {channel: email, at_s: 32_460, account_value: 0}
  - {channel: voice, at_s: 32_520, account_value: 0}
"""
KNOWN_COST_USD = {0: 50.0, 1: 0.0, 2: 10.0}


@pytest.fixture
def known(tmp_path) -> Path:
    file = tmp_path / "known.yaml"
    file.write_text(KNOWN, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def bank() -> Scenario:
    return load_scenario("bank", ("horizon.days=0.5",))


def blended(monkeypatch, *arguments) -> int:
    """Run the command line in this process; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["blended", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def study_of(folder: Path, name: str) -> list[tuple]:
    """Return (parameters, value, stopped after so many episodes, state) of each finished trial of a study."""
    study = optuna.load_study(study_name=name, storage=tuning.open_storage(folder / tune.STUDIES_FILE))
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return [
        (trial.params, trial.value, trial.intermediate_values, trial.state) for trial in study.get_trials(states=states)
    ]


def test_the_best_value_is_found_from_the_default_on(known, tmp_path):
    scenario = load_scenario(known)
    for reserve, cost_usd in KNOWN_COST_USD.items():
        (count,) = Episodes(scenario, 0).play(
            PRIORITY.with_values({"reserve.email": reserve}).make(scenario), np.array([0])
        )
        assert count["cost_usd"].sum() == pytest.approx(cost_usd)
    storage = tuning.open_storage(tmp_path / "studies.journal")
    found = search(
        PRIORITY, Episodes(scenario, 0), n_episodes=1, seed=0, trials=12, minutes=1, storage=storage, study_name="known"
    )
    assert found.rules[0].reserve == {"email": 1}
    assert found.training_costs_usd[0] == pytest.approx(0.0)
    assert (found.trials, found.is_complete) == (12, True)
    study = optuna.load_study(study_name="known", storage=storage)
    stated = study.user_attrs
    assert (stated["scenario"], stated["rule"], stated["seed"]) == (scenario.name, PRIORITY.name, 0)
    assert stated["objective"].startswith("mean cost of a training episode, USD, least")
    assert stated["version"]
    first, *others = study.trials
    assert (first.number, first.params, first.value) == (0, {"reserve.email": 0}, pytest.approx(50.0))
    for trial in others:
        assert trial.value == pytest.approx(KNOWN_COST_USD[trial.params["reserve.email"]])


def test_the_shortlist_holds_the_cheapest_values_once_each(known):
    found = search(PRIORITY, Episodes(load_scenario(known), 0), n_episodes=1, seed=0, trials=12, minutes=1, shortlist=2)
    cheapest = sorted(KNOWN_COST_USD.items(), key=lambda item: item[1])[:2]
    assert [rule.reserve["email"] for rule in found.rules] == [reserve for reserve, _ in cheapest]
    assert found.training_costs_usd == pytest.approx([cost_usd for _, cost_usd in cheapest])


def test_parts_that_are_left_out_keep_their_values(bank):
    whole, published = (
        {free.key for free in tuning.free_parameters(default_rule("whittle").for_tuning(bank), bank, without)}
        for without in (frozenset(), OWN_PARTS)
    )
    assert whole - published == {"reserve_by_stake", "open_stake_usd", "urgent_relief", "urgent_within_h"}
    assert published


def test_the_same_values_are_not_played_again(known, monkeypatch):
    played = []
    play = tuning.episode_costs_usd
    monkeypatch.setattr(tuning, "episode_costs_usd", lambda *args: played.append(1) or play(*args))
    search(PRIORITY, Episodes(load_scenario(known), 0), n_episodes=1, seed=0, trials=12, minutes=1)
    assert len(played) <= len(KNOWN_COST_USD)


def test_a_trial_that_is_surely_dearer_is_stopped():
    def race(costs_usd, against):
        return tuning._race(lambda numbers: np.array(costs_usd)[numbers], len(costs_usd), np.array(against))

    # Twelve episodes in four parts of three. 1, 2, 3 more: mean 2, standard error 1 / sqrt 3, so 3.5 of them.
    assert len(race([11.0, 12.0, 13.0] * 4, [10.0] * 12)) == 3
    # 0, 2, 4 more: mean 2, standard error 2 / sqrt 3, so 1.7 of them; of six episodes 2 / (1.79 / sqrt 6) = 2.7, of
    # nine 2 / (1.73 / sqrt 9) = 3.5.
    assert len(race([10.0, 12.0, 14.0] * 4, [10.0] * 12)) == 9
    assert len(race([9.0, 8.0, 7.0] * 4, [10.0] * 12)) == 12
    assert len(race([10.0] * 12, [10.0] * 12)) == 12
    # One or two episodes do not say how sure a difference is.
    assert len(race([99.0, 99.0], [10.0, 10.0])) == 2


def test_the_same_seed_gives_the_same_trials_on_any_number_of_threads(bank, tmp_path):
    trials = []
    for place, (seed, threads) in enumerate([(0, 1), (0, 2), (1, 1)]):
        storage = tuning.open_storage(tmp_path / f"{place}.journal")
        episodes = Episodes(bank, 9, threads=threads)
        search(
            PRIORITY, episodes, n_episodes=4, seed=seed, trials=14, minutes=5, storage=storage, study_name="priority"
        )
        study = optuna.load_study(study_name="priority", storage=storage)
        trials.append([(trial.params, trial.value, trial.state) for trial in study.trials])
    assert trials[0] == trials[1]
    assert trials[0][0] == trials[2][0]  # the default
    assert trials[0][1:] != trials[2][1:]


def test_when_the_time_is_up_the_default_has_been_played(bank):
    found = search(PRIORITY, Episodes(bank, 9), n_episodes=4, seed=0, trials=50, minutes=1e-9)
    assert (found.trials, found.is_complete) == (1, False)
    assert set(found.rules[0].reserve.values()) == {0}


SMALL = ("--rule", "priority", "--set", "horizon.days=0.5", "--seed", SEED, "--episodes", 4)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a tuning in `bank`, its demand in the order in which it was drawn, and its JSON result."""
    folder = tmp_path_factory.mktemp("tune")
    with pytest.MonkeyPatch.context() as monkeypatch:
        met = meet_demand(monkeypatch)
        file = folder / "small.yaml"
        file.write_text(yaml.safe_dump({"trials": 16, "validation_episodes": 5, "test_episodes": 6}))
        options = ("--config", file, "--runs", folder, "--name", "whole", "--threads", 1, "--json", folder / "r.json")
        assert blended(monkeypatch, "tune", *SMALL, *options) == 0
    return folder / "tune" / "whole", met, json.loads((folder / "r.json").read_text())


def test_training_validation_and_test_follow_each_other_on_their_own_episodes(run):
    _, met, _ = run
    seeds = demand_seeds(SEED)
    # Drawn once for all trials, and nothing of the test before the choice is made.
    assert met == [
        *((seeds.train, episode) for episode in range(4)),
        *((seeds.validation, episode) for episode in range(5)),
        *((seeds.test, episode) for episode in range(6)),
    ]


def test_the_result_is_what_its_policy_file_costs(run, bank):
    folder, _, result = run
    assert json.loads((folder / tune.RESULT_FILE).read_text()) == result
    found = result["scenarios"]["bank"]["rules"]["priority"]
    assert found["kept"] == "tuned"
    assert found["trials"] == 16
    file = Path(found["policy"])
    assert file == folder / "bank" / "tuned_priority.yaml"
    named = load_policy(str(file), bank)
    assert named.name == "tuned_priority"
    seeds = demand_seeds(SEED)
    rules = {"default": PRIORITY.make(bank), "tuned": named.policy}
    costs = {}
    for kind, demand_seed, count in (("training", seeds.train, 4), ("validation", seeds.validation, 5)):
        for name, policy in rules.items():
            counts = Episodes(bank, demand_seed).play(policy, np.arange(count))
            costs[kind, name] = np.mean([count["cost_usd"].sum() for count in counts])  # the horizon is half a day
            assert found[f"{kind}_cost_usd"][name] == pytest.approx(costs[kind, name])
    assert costs["training", "tuned"] < costs["training", "default"]
    test = {
        name: np.array([c["cost_usd"].sum() for c in Episodes(bank, seeds.test).play(policy, np.arange(6))])
        for name, policy in rules.items()
    }
    assert found["test_cost_usd"]["default"]["mean"] == pytest.approx(test["default"].mean())
    assert found["test_cost_usd"]["kept"]["mean"] == pytest.approx(test["tuned"].mean())
    difference = found["test_cost_usd"]["difference"]
    assert difference["mean"] == pytest.approx((test["tuned"] - test["default"]).mean())
    assert difference["low"] < difference["mean"] < difference["high"]


def test_what_is_dearer_on_validation_is_not_kept(monkeypatch, known, tmp_path):
    play = tune.episode_costs_usd
    seeds = demand_seeds(SEED)

    def unlucky(episodes, policy, numbers):
        costs_usd = play(episodes, policy, numbers)
        return 60.0 - costs_usd if episodes.seed == seeds.validation else costs_usd  # 10, 60, 50 for reserve 0, 1, 2

    monkeypatch.setattr(tune, "episode_costs_usd", unlucky)
    (tmp_path / "one.yaml").write_text(f"{{scenarios: ['{known}'], rules: [priority], trials: 12, shortlist: 1}}")
    options = ("--config", tmp_path / "one.yaml", "--seed", SEED, "--runs", tmp_path, "--name", "unlucky")
    assert blended(monkeypatch, "tune", *options) == 0
    found = json.loads((tmp_path / "tune" / "unlucky" / tune.RESULT_FILE).read_text())
    priority = found["scenarios"]["known"]["rules"]["priority"]
    assert priority["training_cost_usd"] == {"default": pytest.approx(50.0), "tuned": pytest.approx(0.0)}
    assert priority["validation_cost_usd"] == {"default": pytest.approx(10.0), "tuned": pytest.approx(60.0)}
    assert priority["kept"] == "default"
    assert priority["rule"]["reserve"] == {}
    assert priority["test_cost_usd"]["difference"] == {"mean": 0.0, "low": 0.0, "high": 0.0}


def test_of_the_shortlist_the_cheapest_on_validation_is_kept(monkeypatch, known, tmp_path):
    play = tune.episode_costs_usd
    seeds = demand_seeds(SEED)

    def odd(episodes, policy, numbers):
        costs_usd = play(episodes, policy, numbers)
        if episodes.seed != seeds.validation:
            return costs_usd
        return np.abs(costs_usd - 10.0)  # of 50, 0 and 10 USD for reserve 0, 1 and 2: 40, 10 and 0

    monkeypatch.setattr(tune, "episode_costs_usd", odd)
    monkeypatch.setattr(tuning, "is_surely_positive", lambda *_: False)  # all trials are played to their end
    options = ("--rule", "priority", "--trials", 12, "--seed", SEED, "--runs", tmp_path, "--name", "odd", "--published")
    assert blended(monkeypatch, "tune", known, *options) == 0
    found = json.loads((tmp_path / "tune" / "odd" / tune.RESULT_FILE).read_text())
    priority = found["scenarios"]["known"]["rules"]["priority"]
    assert priority["training_cost_usd"]["tuned"] == pytest.approx(10.0)
    assert priority["validation_cost_usd"] == {"default": pytest.approx(40.0), "tuned": pytest.approx(0.0)}
    assert (priority["kept"], priority["rule"]["reserve"]) == ("tuned", {"email": 2})
    assert priority["rule"]["name"] == "published_priority"


def test_a_stopped_run_goes_on_as_if_it_had_not_been(run, monkeypatch, tmp_path):
    whole, _, result = run
    play = tuning.episode_costs_usd
    calls = []

    def stop(*arguments):
        calls.append(1)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return play(*arguments)

    file = whole.parent.parent / "small.yaml"
    with monkeypatch.context() as stopping:
        stopping.setattr(tuning, "episode_costs_usd", stop)
        options = ("--config", file, "--runs", tmp_path, "--name", "stopped")
        assert blended(stopping, "tune", *SMALL, *options) == 130
    folder = tmp_path / "tune" / "stopped"
    assert 1 < len(study_of(folder, "bank/priority")) < 16
    assert not (folder / tune.RESULT_FILE).exists()
    assert blended(monkeypatch, "tune", "--resume", folder) == 0
    assert study_of(folder, "bank/priority") == study_of(whole, "bank/priority")
    study = optuna.load_study(study_name="bank/priority", storage=tuning.open_storage(folder / tune.STUDIES_FILE))
    assert not study.get_trials(states=(optuna.trial.TrialState.RUNNING,))
    found = json.loads((folder / tune.RESULT_FILE).read_text())["scenarios"]["bank"]["rules"]["priority"]
    wanted = result["scenarios"]["bank"]["rules"]["priority"]
    assert {**found, "policy": ""} == {**wanted, "policy": ""}


def test_a_killed_run_goes_on_and_may_go_further(run, monkeypatch, tmp_path):
    whole, _, _ = run
    file = tmp_path / "long.yaml"
    file.write_text(yaml.safe_dump({"trials": 10_000, "validation_episodes": 5, "test_episodes": 6}))
    options = ("--config", file, "--runs", tmp_path, "--name", "killed", "--threads", 1)
    code = "from experiments.cli.main import main; main()"
    arguments = [sys.executable, "-c", code, "tune", *map(str, (*SMALL, *options))]
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, cwd=ROOT)
    studies = tmp_path / "tune" / "killed" / tune.STUDIES_FILE
    try:
        # A trial is one line that asks for it and several that tell what came of it.
        while process.poll() is None and not (studies.exists() and studies.read_bytes().count(b"\n") > 60):
            time.sleep(0.01)
    finally:
        process.kill()
        assert process.wait() == -signal.SIGKILL
    studies.write_bytes(studies.read_bytes() + b'{"op_code":4,"wor')  # as if in the middle of a line
    before = len(study_of(studies.parent, "bank/priority"))
    assert before >= 6
    # Further than the killed run, if that got so far.
    assert blended(monkeypatch, "tune", "--resume", studies.parent, "--trials", max(16, before)) == 0
    assert study_of(studies.parent, "bank/priority")[:16] == study_of(whole, "bank/priority")


def test_a_resumed_run_needs_the_same_scenario(run, monkeypatch, capsys, tmp_path, known):
    options = ("--rule", "priority", "--trials", 2, "--runs", tmp_path, "--name", "mine")
    assert blended(monkeypatch, "tune", known, *options) == 0
    known.write_text(KNOWN.replace("late_usd: 5", "late_usd: 6"))
    assert blended(monkeypatch, "tune", "--resume", tmp_path / "tune" / "mine") == 2
    assert "scenario known is no longer what it was begun with" in capsys.readouterr().err


def test_a_rule_of_a_file_is_tuned_as_it_stands(known, monkeypatch, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("{rule: priority, name: mine, reserve: {email: 2}, order: [email, voice]}")
    options = ("--rule", file, "--rule", "priority", "--trials", 3, "--runs", tmp_path, "--name", "two")
    assert blended(monkeypatch, "tune", known, *options) == 0
    folder = tmp_path / "tune" / "two"
    assert study_of(folder, "known/mine")[0][:2] == ({"reserve.email": 2}, pytest.approx(10.0))
    assert study_of(folder, "known/priority")[0][:2] == ({"reserve.email": 0}, pytest.approx(50.0))
    file.write_text("{rule: priority, name: mine, reserve: {email: 1}}")  # the run has kept what it began with
    assert blended(monkeypatch, "tune", "--resume", folder, "--trials", 4) == 0
    assert len(study_of(folder, "known/mine")) == 4
    assert yaml.safe_load((folder / "known" / "tuned_mine.yaml").read_text())["order"] == ["email", "voice"]


def test_what_a_resumed_tuning_ships_names_the_command_that_began_it_and_no_folder(known, monkeypatch, tmp_path):
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", tmp_path / "tuned")
    options = ("--rule", "priority", "--seed", SEED, "--runs", tmp_path, "--name", "begun")
    assert blended(monkeypatch, "tune", known, *options, "--trials", 3) == 0
    assert blended(monkeypatch, "tune", "--resume", tmp_path / "tune" / "begun", "--trials", 4, "--ship") == 0
    (origin,) = tuned_rules.load_tuned("known").origins.values()
    assert origin.trials == 4
    assert origin.command.startswith("blended tune ")
    assert "--trials 3" in origin.command
    assert "--resume" not in origin.command


def test_shipped_rules_can_be_loaded_and_keep_those_of_other_names(known, monkeypatch, tmp_path):
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", tmp_path / "tuned")
    file = tmp_path / "mine.yaml"
    file.write_text("{rule: priority, name: mine, reserve: {email: 2}}")
    for rule in ("priority", file):
        options = ("--rule", rule, "--trials", 6, "--seed", SEED, "--runs", tmp_path, "--ship")
        assert blended(monkeypatch, "tune", known, *options) == 0
    shipped = tuned_rules.load_tuned("known")
    assert [rule.name for rule in shipped.rules] == ["tuned_mine", "tuned_priority"]
    origin = shipped.origins["tuned_priority"]
    assert (origin.seed, origin.trials, origin.episodes, origin.validation_episodes) == (SEED, 6, 32, 64)
    assert origin.command.startswith(f"blended tune {known} --rule priority")
    assert "--runs" not in origin.command  # a place on one machine
    assert origin.command.endswith("--ship")
    assert (origin.training_cost_usd.default, origin.validation_cost_usd.default) == (50.0, 50.0)
    assert origin.validation_cost_usd.tuned <= 50.0


def test_a_scenario_whose_name_is_no_file_name_is_tuned_and_shipped_all_the_same(known, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", tmp_path / "tuned")
    known.write_text(KNOWN.replace("name: known", "name: ../[red] a/b"))
    options = ("--rule", "priority", "--trials", 4, "--seed", SEED, "--runs", tmp_path / "runs", "--name", "run")
    assert blended(monkeypatch, "tune", known, *options, "--ship") == 0
    folder = tmp_path / "runs" / "tune" / "run"
    (policy_file,) = folder.rglob("tuned_priority.yaml")
    assert policy_file.parent.parent == folder
    assert "../[red] a/b: " in capsys.readouterr().out
    assert tuned_rules.load_tuned("../[red] a/b").scenario == "../[red] a/b"
    (shipped,) = (tmp_path / "tuned").iterdir()
    assert shipped.suffix == ".yaml"
    assert blended(monkeypatch, "tune", "--resume", folder, "--trials", 5) == 0


def test_without_the_extra_the_message_says_how_to_get_it(monkeypatch, capsys):
    for module in ("experiments.tuning.tune", "experiments.tuning.search"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert blended(monkeypatch, "tune", "bank") == 2
    assert "blended tune needs optuna: pip install -c constraints.txt -e '.[tune]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bnk",), "did you mean 'bank'?"),
        (("--rule", "priorty"), "did you mean 'priority'?"),
        (("--rule", "none.yaml"), "none.yaml: no such file"),
        (("--rule", "wrong.yaml"), "policy priority.reserve = 'letter': no such channel in scenario bank"),
        (("--rule", "wide.yaml"), "rule priority.reserve.email = 99: must be >= 0 and <= 13 to be tuned"),
        (("--rule", "priority", "--rule", "priority"), "rule 'priority' is to be tuned twice"),
        (("bank", "bank"), "scenario 'bank' is to be tuned twice"),
        (("million_dollar_interrupt", "--rule", "priority"), "rule priority: has no free parameter in scenario"),
        (("tiny", "--rule", "whittle"), "policy whittle makes no sense in scenario tiny: no channel has arrivals"),
        (("--trials", "0"), "tuning.trials = 0: must be >= 1"),
        (("--episodes", "0"), "tuning.episodes = 0: must be >= 1"),
        (("--minutes", "0"), "tuning.minutes = 0.0: must be > 0"),
        (("--seed", "-1"), "tuning.seed = -1: must be >= 0"),
        (("--set", "horizon.dys=1"), "did you mean 'days'?"),
        (("--config", "none"), "none: no such file, and no such name in configs/tuning"),
        (("--name", "a/b"), "--name a/b: must be the name of a folder"),
        (("--name", "there"), "--name there: runs/tune/there is there already"),
        (("--suite", "bank"), "--suite: must stand without SCENARIO and --config"),
        (("--resume", "runs/tune/there"), "--resume runs/tune/there: is not the folder of a tuning"),
        (("--resume", "runs/tune/there", "--seed", "1"), "--resume: must stand without"),
        (("--ship", "--set", "horizon.days=1"), "--ship: must stand without --set"),
        (("--json", "none/found.json"), "--json none/found.json: cannot be written"),
    ],
)
def test_mistakes_end_in_one_message_and_exit_code_2(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "tune" / "there").mkdir(parents=True)
    (tmp_path / "wrong.yaml").write_text("{rule: priority, reserve: {letter: 1}}")
    (tmp_path / "wide.yaml").write_text("{rule: priority, reserve: {email: 99}}")
    assert blended(monkeypatch, "tune", *arguments) == 2
    assert message in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "runs" / "tune").iterdir()] == ["there"]


def test_every_key_has_a_default():
    assert load_tuning().trials >= 1
    with pytest.raises(ConfigurationError, match=r"tuning\.trials = 0"):
        load_tuning(trials=0)


def test_the_shipped_tuning_is_that_of_the_suite():
    suite = load_benchmark("suite")
    config = load_tuning("suite")
    assert config.scenarios == suite.scenarios
    assert (config.trials, config.episodes, config.rules) == (250, 48, None)  # docs/suite.md says who was tuned so long
