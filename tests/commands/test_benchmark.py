"""The benchmark: the same episodes for all, the form of its files, and the command as a user runs it."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from agents.catalog import NamedPolicy, load_policy
from agents.episodes import play_episodes
from agents.rules.compiled.choice import BASELINES
from agents.rules.priority_rule import PriorityRule
from agents.rules.rule_policy import RulePolicy
from envs.counts import add_counts
from envs.errors import ConfigurationError
from envs.inputs.demand import DemandSampler
from envs.interface.cost_terms import COST_TERMS
from envs.metrics import (
    compute_metrics,
    metric_glossary,
)
from envs.scenario.scenario import load_scenario
from experiments.cli.main import main
from experiments.comparison import tuned_rules
from experiments.comparison.benchmark import benchmark, load_benchmark
from experiments.comparison.benchmark_tables import band_table, compared_metrics
from experiments.comparison.comparison import run_benchmark
from experiments.provenance import collect_data
from experiments.seeds import demand_seeds

SCRIPT = Path(sys.executable).parent / "blended"
EPISODES, SEED = 6, 3


class Chance:
    """Takes any open action; `seed` makes it repeatable."""

    def seed(self, seed):
        self.generator = np.random.default_rng(seed)

    def predict(self, observations, deterministic=True):
        noise = self.generator.random(observations["action_mask"].shape)
        return np.where(observations["action_mask"], noise, -1.0).argmax(axis=1)


class AlwaysTheLast:
    """Takes the last action, open or not."""

    def predict(self, observations, deterministic=True):
        return np.full(len(observations["action_mask"]), observations["action_mask"].shape[1] - 1)


@pytest.fixture(scope="module")
def bank():
    return load_scenario("bank", ("horizon.days=1",))


@pytest.fixture(scope="module")
def result(bank):
    policies = [
        "fifo",
        NamedPolicy("learned", RulePolicy("expected_loss", bank)),
        NamedPolicy("again", RulePolicy("fifo", bank)),
        NamedPolicy("chance", Chance(), deterministic=False),
    ]
    return run_benchmark(bank, policies, episodes=EPISODES, seed=SEED)


@pytest.fixture(scope="module")
def counts(bank):
    return play_episodes(bank, RulePolicy("fifo", bank), demand_seeds(SEED).test, np.arange(EPISODES))


def test_metrics_are_those_of_the_test_episodes(bank, result, counts):
    outcome = result.scenarios["bank"].outcomes["fifo"]
    for found, count in zip(outcome.episode_metrics, counts, strict=True):
        assert found == pytest.approx(compute_metrics(bank, count), nan_ok=True)
    wanted = compute_metrics(bank, add_counts(counts), EPISODES)  # ratios are sums over sums
    for key, interval in outcome.intervals.items():
        assert interval.mean == pytest.approx(wanted[key], nan_ok=True), key
        if not np.isnan(interval.low):
            rounding = 1e-12 * abs(interval.mean)  # of a metric that is the same in every episode
            assert interval.low - rounding <= interval.mean <= interval.high + rounding, key


def test_json_has_the_agreed_form(bank, result):
    data = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert set(data) == {"scenarios"}
    assert set(data["scenarios"]) == {"bank"}
    found = data["scenarios"]["bank"]
    assert set(found) == {
        "episodes", "seed", "no_interval", "wall_s", "data", "policies", "comparisons", "summary", "chosen",
    }  # fmt: skip
    assert found["no_interval"] is None
    assert found["chosen"] == {}
    assert set(found["data"]) == {"scenario bank", "policy chance"}  # the file of the user's own code
    assert found["data"]["scenario bank"] == collect_data([bank])["scenario bank"]
    assert (found["episodes"], found["seed"]) == (EPISODES, SEED)
    assert set(found["policies"]) == {"fifo", "learned", "again", "chance"}
    for metrics in found["policies"].values():
        assert set(metrics) == set(metric_glossary(bank))
        for ends in metrics.values():
            assert set(ends) == {"mean", "low", "high"}
    for entry in found["comparisons"]:
        assert set(entry) == {"policy", "against", "metric", "mean_difference", "low", "high"}
    pairs = {(entry["policy"], entry["against"]) for entry in found["comparisons"]}
    assert {("learned", "fifo"), ("learned", "again"), ("learned", "chance")} < pairs
    assert len(pairs) == 6
    assert {entry["metric"] for entry in found["comparisons"]} == set(compared_metrics(bank))
    assert 0 < found["wall_s"] < 600


def test_the_summary_tells_what_policies_and_comparisons_tell(result):
    found = result.as_json()["scenarios"]["bank"]
    summary = found["summary"]
    cost = {name: metrics["total_cost_usd"]["mean"] for name, metrics in found["policies"].items()}
    assert [summary["best"], summary["runner_up"]] == sorted(cost, key=cost.get)[:2]
    best, runner_up = found["policies"][summary["best"]], summary["runner_up"]
    assert summary["total_cost_usd"] == best["total_cost_usd"]
    # The best one is the reference here, so its comparison has the other sign.
    (pair,) = [
        entry
        for entry in found["comparisons"]
        if (entry["policy"], entry["against"], entry["metric"]) == (summary["best"], runner_up, "total_cost_usd")
    ]
    assert summary["difference"] == {"mean": -pair["mean_difference"], "low": -pair["high"], "high": -pair["low"]}
    assert summary["difference"]["mean"] == pytest.approx(cost[runner_up] - cost[summary["best"]])
    assert summary["excludes_zero"] == (summary["difference"]["low"] > 0)
    terms = {term: best[f"cost_{term}_usd"]["mean"] / cost[summary["best"]] for term in COST_TERMS}
    assert summary["largest_term"] == max(terms, key=terms.get)
    assert summary["largest_term_frac"] == pytest.approx(max(terms.values()))
    assert summary["large_terms"] == sum(share >= 0.1 for share in terms.values())


def test_differences_are_policy_minus_against_and_paired(result):
    outcomes = result.scenarios["bank"].outcomes
    found = result.scenarios["bank"].comparison("fifo").difference
    costs = {
        name: np.array([metrics["total_cost_usd"] for metrics in outcomes[name].episode_metrics])
        for name in ("learned", "fifo")
    }
    differences = costs["learned"] - costs["fifo"]
    assert found.mean == pytest.approx(differences.mean())
    assert differences.min() <= found.low < found.mean < found.high <= differences.max()


def test_a_policy_against_itself_differs_by_exactly_0(result):
    for found in result.scenarios["bank"].comparisons:
        if {found.policy, found.against} == {"fifo", "again"} and not np.isnan(found.difference.mean):
            assert found.difference == (0.0, 0.0, 0.0), found.metric


def test_csv_has_a_row_per_policy_and_episode(bank, result, tmp_path):
    result.write_csv(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["policy"], int(row["episode"])) for row in rows] == [
        (policy, episode) for policy in ("fifo", "learned", "again", "chance") for episode in range(EPISODES)
    ]
    assert list(rows[0]) == ["scenario", "policy", "mode", "seed", "episode", *result_keys(result)]
    assert {row["mode"] for row in rows if row["policy"] == "chance"} == {"sampled"}
    mean = np.mean([float(row["total_cost_usd"]) for row in rows if row["policy"] == "fifo"])
    assert mean == pytest.approx(result.scenarios["bank"].outcomes["fifo"].metrics["total_cost_usd"])


def result_keys(result):
    return list(result.scenarios["bank"].outcomes["fifo"].metrics)


def test_tables_name_every_policy(result, capsys):
    result.show()
    shown = capsys.readouterr().out
    assert "learned minus this" in shown
    assert "chance (sampled)" in shown
    assert "bank: cost by term" in shown


def test_a_result_does_not_depend_on_who_else_takes_part(bank, result):
    chance = Chance()
    for _ in range(2):  # and not on what the policy played before
        alone = run_benchmark(bank, [NamedPolicy("chance", chance, deterministic=False)], episodes=EPISODES, seed=SEED)
        found = alone.scenarios["bank"]
        assert found.outcomes["chance"].metrics == pytest.approx(
            result.scenarios["bank"].outcomes["chance"].metrics, nan_ok=True
        )
        assert len(found.comparisons) == 0


def test_another_seed_has_other_episodes(bank, result):
    other = run_benchmark(bank, ["fifo"], episodes=EPISODES, seed=SEED + 1)
    cost = other.scenarios["bank"].outcomes["fifo"].metrics["total_cost_usd"]
    assert cost != result.scenarios["bank"].outcomes["fifo"].metrics["total_cost_usd"]


def test_several_scenarios_with_different_channels(bank, tmp_path):
    result = run_benchmark([bank, load_scenario("tiny")], ["fifo", "voice_first"], episodes=2)
    assert result.scenarios["bank"].reference == "fifo"
    result.write_csv(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 8
    only_bank = set(metric_glossary(bank)) - set(metric_glossary(load_scenario("tiny")))
    assert only_bank
    assert all(row[key] == "" for row in rows if row["scenario"] == "tiny" for key in only_bank)


@pytest.mark.parametrize(
    ("policies", "episodes", "message"),
    [
        (["fifo", "fifo"], 2, "policy 'fifo' takes part twice"),
        ([], 2, "needs a policy"),
        (["fifo"], 1, "episodes = 1: must be a whole number >= 2"),
        (["fifo"], 2.5, "episodes = 2.5: must be a whole number >= 2"),
        (["fifoo"], 2, "did you mean 'fifo'?"),
        ([NamedPolicy("last", AlwaysTheLast())], 2, "policy last: AlwaysTheLast.predict returned action"),
    ],
)
def test_mistakes(bank, policies, episodes, message):
    with pytest.raises(ConfigurationError) as caught:
        run_benchmark(bank, policies, episodes=episodes)
    assert message in str(caught.value)


def test_a_scenario_takes_part_once(bank):
    with pytest.raises(ConfigurationError, match="scenario 'bank' takes part twice"):
        run_benchmark([bank, bank], ["fifo"], episodes=2)


def test_the_shipped_benchmark_is_valid():
    config = load_benchmark("bank")
    assert config.episodes == 64
    assert {"fifo", "voice_first", "voice_first_interrupting", "value_first", "silo"} < set(config.policies)


def test_without_policies_all_that_fit_take_part():
    config = load_benchmark(scenarios=["tiny"], episodes=2)
    names = list(benchmark(config).scenarios["tiny"].outcomes)
    assert "fifo" in names
    assert "expected_loss" in names


def test_without_policies_each_scenario_is_played_by_what_fits_it(bank):
    # In `bank` reps have home channels, in `million_dollar_interrupt` nobody does.
    result = run_benchmark([bank, load_scenario("million_dollar_interrupt")], episodes=2)
    assert list(result.scenarios["bank"].outcomes) == list(BASELINES)
    others = list(result.scenarios["million_dollar_interrupt"].outcomes)
    assert others == [rule for rule in BASELINES if rule != "silo"]


def test_a_named_policy_has_to_fit_every_scenario(bank):
    with pytest.raises(ConfigurationError, match="silo makes no sense in scenario million_dollar_interrupt"):
        run_benchmark([bank, load_scenario("million_dollar_interrupt")], ["fifo", "silo"], episodes=2)


TUNED = """
scenario: bank
rules:
  - {rule: priority, name: tuned_none}
  - {rule: priority, name: tuned_some, reserve: {email: 3, service_request: 3}}
  - {rule: priority, name: tuned_all, reserve: {email: 13, service_request: 13, voicemail: 13, callback: 13}}
origins:
"""
ORIGIN = (
    "{command: by hand, date: never, seed: 0, trials: 1, episodes: 1, validation_episodes: 1, kept: default, "
    "training_cost_usd: {default: 1, tuned: 1}, validation_cost_usd: {default: 1, tuned: 1}}"
)


TUNED_RULES = [PriorityRule.model_validate(rule) for rule in yaml.safe_load(TUNED)["rules"]]


@pytest.fixture
def tuned_folder(tmp_path, monkeypatch):
    """A folder of tuned rules with those of `bank`."""
    folder = tmp_path / "tuned"
    folder.mkdir()
    origins = "".join(f"  tuned_{name}: {ORIGIN}\n" for name in ("none", "some", "all"))
    (folder / "bank.yaml").write_text(TUNED + origins)
    monkeypatch.setattr(tuned_rules, "TUNED_FOLDER", folder)
    monkeypatch.setattr(tuned_rules, "PUBLISHED_FOLDER", tmp_path / "none")
    return folder


def test_best_tuned_is_chosen_on_validation_episodes_before_any_test_episode(bank, tuned_folder, monkeypatch):
    met = []
    sample = DemandSampler.sample
    monkeypatch.setattr(DemandSampler, "sample", lambda self, *which: met.append(which) or sample(self, *which))
    found = run_benchmark(bank, ["fifo"], episodes=EPISODES, seed=SEED, tuned=True, validation_episodes=4)
    seeds = demand_seeds(SEED)
    drawn = [
        (seed, episode) for seed, count in ((seeds.validation, 4), (seeds.test, EPISODES)) for episode in range(count)
    ]
    assert met == drawn
    monkeypatch.undo()
    costs = {
        named.name: np.mean([count["cost_usd"].sum() for count in counts])
        for named in (load_policy(rule, bank) for rule in TUNED_RULES)
        for counts in [play_episodes(bank, named.policy, seeds.validation, np.arange(4))]
    }
    best = min(costs, key=costs.get)
    result = found.scenarios["bank"]
    assert result.chosen == {"best_tuned": best}
    assert list(result.outcomes) == ["fifo", *costs, "best_tuned"]
    assert result.outcomes["best_tuned"].metrics == pytest.approx(result.outcomes[best].metrics, nan_ok=True)
    assert result.reference == "best_tuned"
    assert {pair.against for pair in result.comparisons if pair.policy == "best_tuned"} == {"fifo", *costs}
    assert result.comparison(best).difference == (0.0, 0.0, 0.0)
    # A second name of the same policy is nobody's runner-up.
    assert result.summary.best == best
    assert result.summary.runner_up in {"fifo", *costs} - {best}
    assert found.as_json()["scenarios"]["bank"]["chosen"] == {"best_tuned": best}


def test_who_is_surely_dearer_plays_only_the_first_validation_episodes(monkeypatch):
    tiny = load_scenario("tiny")
    played = []
    play = tuned_rules.play

    def odd(named, episodes, count, **settings):
        played.append((named.name, count))
        found = play(named, episodes, count, **settings)
        for number, counts in enumerate(found.counts):  # costs by hand
            counts["cost_usd"][:] = 0.0
            # Episodes take turns between 0 and 20: close is dearer by 1 or cheaper by 2, far dearer by 9 or 11.
            more = {"best": 0, "close": (1, -2)[number % 2], "far": (9, 11)[number % 2]}[named.name]
            counts["cost_usd"][0] = 20 * (number % 2) + more
        return found

    monkeypatch.setattr(tuned_rules, "play", odd)
    policies = [NamedPolicy(name, RulePolicy("fifo", tiny)) for name in ("best", "far", "close")]
    # The mean of close is half a dollar less than that of best.
    assert tuned_rules.choose_best(policies, tiny, seed=0, episodes=32) == "close"
    assert played == [("best", 16), ("far", 16), ("close", 16), ("best", 32), ("close", 32)]
    played.clear()
    assert tuned_rules.choose_best(policies, tiny, seed=0, episodes=8) == "close"
    assert played == [("best", 8), ("far", 8), ("close", 8)]  # too few for a race


def test_a_policy_of_the_chosen_rule_s_name_lends_the_row_nothing(bank, tuned_folder):
    rules = {rule.name: load_policy(rule, bank) for rule in TUNED_RULES}
    alone = run_benchmark(bank, ["best_tuned"], episodes=EPISODES, seed=SEED, validation_episodes=4).scenarios["bank"]
    best = alone.chosen["best_tuned"]
    impostor = NamedPolicy(best, RulePolicy("silo", bank))
    found = run_benchmark(bank, [impostor, "best_tuned"], episodes=EPISODES, seed=SEED, validation_episodes=4)
    outcomes = found.scenarios["bank"].outcomes
    usd = {name: outcome.metrics["total_cost_usd"] for name, outcome in outcomes.items()}
    assert usd["best_tuned"] == alone.outcomes["best_tuned"].metrics["total_cost_usd"] != usd[best]
    assert found.scenarios["bank"].summary.runner_up is not None  # both rows count
    assert best in rules


def test_the_message_about_missing_tuned_rules_says_what_makes_them(bank, tuned_folder):
    mine = bank.model_copy(update={"name": "mine"})
    with pytest.raises(ConfigurationError, match=r"to make them: blended tune FILE.yaml, the scenario's file, --ship"):
        run_benchmark(mine, ["fifo"], episodes=2, tuned=True)
    with pytest.raises(ConfigurationError, match="to make them: blended tune tiny --ship"):
        run_benchmark(load_scenario("tiny"), ["fifo"], episodes=2, tuned=True)


def test_a_table_says_how_each_account_value_band_is_served(bank, result):
    table = band_table(result.scenarios["bank"])
    headings = [column.header for column in table.columns]
    assert headings == [
        "policy", "below 2,000 USD", "2,000 to 20,000 USD", "20,000 to 150,000 USD", "150,000 USD and more",
    ]  # fmt: skip
    cells = [list(column.cells) for column in table.columns]
    assert sorted(cells[0]) == ["again", "chance (sampled)", "fifo", "learned"]
    metrics = result.scenarios["bank"].outcomes["fifo"].metrics
    shares = [metrics[f"band_2.{key}"] for key in ("service_level_frac", "abandoned_frac", "on_time_frac")]
    assert cells[3][cells[0].index("fifo")] == ", ".join(f"{100 * share:.1f} %" for share in shares)
    plain = run_benchmark(load_scenario("tiny"), ["fifo"], episodes=2).scenarios["tiny"]
    assert band_table(plain) is None


def test_learned_stays_the_reference(bank, tuned_folder):
    learned = NamedPolicy("learned", RulePolicy("expected_loss", bank))
    found = run_benchmark(bank, ["fifo", learned], episodes=2, tuned=True, validation_episodes=2)
    assert found.scenarios["bank"].reference == "learned"


def test_the_command_with_tuned_rules_and_a_figure(tuned_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ("bank", "--set", "horizon.days=0.5", "--policies", "fifo,silo", "--episodes", "4", "--tuned")
    monkeypatch.setattr(
        sys, "argv", ["blended", "benchmark", *arguments, "--json", "found.json", "--figure", "found.svg"]
    )
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    found = json.loads(Path("found.json").read_text())["scenarios"]["bank"]
    shown = capsys.readouterr().out
    assert f"best_tuned ({found['chosen']['best_tuned']})" in shown
    assert "best_tuned minus this" in shown
    assert Path("found.svg").read_text().startswith("<?xml")


def test_tuned_rules_are_asked_for_in_the_file_too(tuned_folder, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("{scenarios: [bank], policies: [fifo], episodes: 2, tuned: true, validation_episodes: 2}")
    config = load_benchmark(file, overrides=("horizon.days=0.5",))
    assert benchmark(config).scenarios["bank"].chosen


def test_tuned_rules_must_be_there_and_well_named(bank, tuned_folder):
    with pytest.raises(ConfigurationError, match=r"tuned: no tuned rules of scenario tiny .* blended tune tiny --ship"):
        run_benchmark(load_scenario("tiny"), ["fifo"], episodes=2, tuned=True)
    with pytest.raises(ConfigurationError, match="validation_episodes = 0: must be a whole number >= 1"):
        run_benchmark(bank, ["fifo"], episodes=2, tuned=True, validation_episodes=0)
    file = tuned_folder / "bank.yaml"
    text = file.read_text()
    for old, new, message in [
        ("name: tuned_none", "name: none", "tuned.rules[0].name = 'none': must start with tuned_ or published_ ("),
        ("  tuned_none:", "  tuned_nobody:", "tuned.origins: must name every rule"),
        ("scenario: bank", "scenario: tiny", "tuned.scenario = 'tiny': must be 'bank'"),
    ]:
        file.write_text(text.replace(old, new))
        with pytest.raises(ConfigurationError) as caught:
            run_benchmark(bank, ["fifo"], episodes=2, tuned=True)
        assert message in str(caught.value)


def test_the_suite_names_scenarios_that_exist_and_leaves_policies_to_them():
    config = load_benchmark("suite")
    assert config.policies is None
    assert config.tuned
    assert config.scenarios[0] == "bank"
    assert [load_scenario(name).name for name in config.scenarios] == list(config.scenarios)


def test_the_suite_as_a_command_whose_results_do_not_depend_on_threads(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found = []
    for threads in ((), ("--threads", "3")):
        arguments = ("--suite", "--episodes", "3", "--policies", "fifo,silo", "--set", "horizon.days=0.5", "--no-tuned")
        arguments += ("--bound", "1", *threads)
        monkeypatch.setattr(sys, "argv", ["blended", "benchmark", *arguments, "--json", "found.json"])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 0
        shown = capsys.readouterr().out
        # One row per scenario at the end, after its own tables.
        after = shown.partition("The best of each scenario")[2]
        assert all(after.count(name) == 1 for name in load_benchmark("suite").scenarios)
        scenarios = json.loads(Path("found.json").read_text())["scenarios"]
        assert all(scenario.pop("wall_s") > 0 for scenario in scenarios.values())
        found.append(scenarios)
    assert list(found[0]) == list(load_benchmark("suite").scenarios)
    assert found[0] == found[1]


def test_a_mistake_in_the_file_names_its_line(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("scenarios: [bank]\nepisodes: 1\npolicy: [fifo]\n")
    with pytest.raises(ConfigurationError) as caught:
        load_benchmark(file)
    assert "benchmark.episodes = 1: must be >= 2" in str(caught.value)
    assert "mine.yaml:2" in str(caught.value)
    assert "did you mean 'policies'?" in str(caught.value)


def test_what_changes_the_file_is_checked_as_the_file_is(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("scenarios: [bank]\nepisodes: 2\n")
    for name in (None, file):
        for changes, message in [
            ({"episodes": 1}, "benchmark.episodes = 1: must be >= 2 (--set)"),
            ({"bound": -1}, "benchmark.bound = -1: must be >= 0 (--set)"),
            ({"polices": ["fifo"]}, "benchmark.polices: unknown key; did you mean 'policies'?"),
            ({"scenarios": []}, "benchmark.scenarios: must have at least 1 item, has 0"),
        ]:
            with pytest.raises(ConfigurationError) as caught:
                load_benchmark(name, **changes)
            assert message in str(caught.value)
    assert load_benchmark(file, episodes=3, seed=None).episodes == 3


def blended(*arguments, folder):
    return subprocess.run([SCRIPT, "benchmark", *arguments], capture_output=True, text=True, cwd=folder, check=False)


def test_the_command(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "class First:\n"
        "    def predict(self, observations, deterministic=True):\n"
        "        return observations['action_mask'].argmax(axis=1)\n"
    )
    done = blended(
        *("bank", "--set", "horizon.days=1", "--policies", "fifo,voice_first,first=mine:First"),
        *("--episodes", "2", "--seed", "3", "--json", "found.json", "--csv", "found.csv"),
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "fifo minus this" in done.stdout
    found = json.loads((tmp_path / "found.json").read_text())["scenarios"]["bank"]
    assert list(found["policies"]) == ["fifo", "voice_first", "first"]
    assert (found["episodes"], found["seed"]) == (2, 3)
    assert len((tmp_path / "found.csv").read_text().splitlines()) == 1 + 3 * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bnk",), "did you mean 'bank'?"),
        (("--config", "bnk"), "did you mean 'bank'?"),
        (("--suite", "bank"), "--suite: must stand without SCENARIO and --config"),
        (("--suite", "--config", "bank"), "--suite: must stand without SCENARIO and --config"),
        (("--suite", "--policies", "fifo", "--set", "clients=[]", "--reference", "silo"), "reference = 'silo'"),
        (("--policies", "fifo,voice_frist"), "did you mean 'voice_first'?"),
        (("--set", "horizon.dys=1"), "did you mean 'days'?"),
        (("--episodes", "1"), "episodes = 1: must be >= 2"),
        (("--figure", "costs.txt"), "--figure costs.txt: must end in .svg, .png, .pdf"),
        (("--figure", "none/costs.svg"), "--figure none/costs.svg: cannot be written"),
        (("--tuned", "million_dollar_interrupt"), "no tuned rules of scenario million_dollar_interrupt"),
        (("--csv", "none/rows.csv"), "--csv none/rows.csv: cannot be written"),
        (("--reference", "nobody", "--policies", "fifo"), "reference = 'nobody': must be one of fifo"),
        (
            ("--seed", "9999999999999999999"),
            "benchmark.seed = 9999999999999999999: must be <= 9007199254740991 (--set)",
        ),
        (("--policies", ""), "policy = ''"),
    ],
)
def test_mistakes_end_in_exit_code_2(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["blended", "benchmark", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
