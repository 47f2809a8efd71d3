"""What `blended compare` reads from run folders, and which trainings it puts together."""

import pytest
from training_folders import DIGEST, write_training

from agents.run_files import METRICS_COLUMNS
from envs.errors import ConfigurationError
from experiments.learning_curves.groups import group_runs, rules_on_validation
from experiments.learning_curves.trained_run import NEEDED_FILES, find_run_folders, read_run

METRICS_HEAD = f"{','.join(METRICS_COLUMNS)}\n"


def read(*folders):
    return [read_run(folder) for folder in folders]


def test_run_folders_are_found_at_any_depth_and_each_once(tmp_path):
    deep = write_training(tmp_path / "sweep" / "one" / "seed0")
    flat = write_training(tmp_path / "sweep" / "seed1", seed=1)
    assert find_run_folders([flat, tmp_path / "sweep", deep]) == [flat, deep]


def test_a_run_is_what_its_files_say(tmp_path):
    points = [(0, 0.0, 100.0), (500, 2.5, 90.0), (900, 4.0, 70.0), (900, 4.5, 75.0)]
    learned = ("learned_at_start", "adjusted_rule", "pretrained")
    rows = {"fifo": (40.0, 60.0), **dict.fromkeys(learned, (30.0, 30.0))}
    run = read_run(write_training(tmp_path / "run", seed=3, test_seed=8, rows_usd=rows, points=points))
    assert (run.scenario, run.algorithm, run.seed, run.test_seed) == ("desk", "policy_search", 3, 8)
    # (10 + 20) / 2 and (40 + 60) / 2
    assert (run.cost_usd, run.costs_usd["fifo"]) == (15.0, 50.0)
    assert run.episodes_usd["learned"].tolist() == [10.0, 20.0]
    assert run.baselines == ["fifo"]  # the others are stages of the training, or trained elsewhere
    measured = run.measured["learned"]["cost/total_usd"]
    assert measured.decisions.tolist() == [0, 500, 900]
    assert measured.seconds.tolist() == [0, 2.5, 4.5]  # of two rows at 900 decisions the later one
    assert measured.values.tolist() == [100.0, 90.0, 75.0]


@pytest.mark.parametrize("name", [name for name in NEEDED_FILES if name != "training.yaml"])
def test_a_file_that_is_missing_is_named(tmp_path, name):
    folder = write_training(tmp_path / "run")
    (folder / name).unlink()
    with pytest.raises(ConfigurationError, match=f"run: has no {name}: the training ended early"):
        read_run(folder)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("training.yaml", "- a list\n", "has no attribute 'items'"),
        ("provenance.json", "{}", "KeyError('data')"),
        ("metrics.csv", "", "StopIteration()"),
        ("metrics.csv", "run,tag,step,value\n", "its columns are run, tag, step, value, not run, tag, step, seconds"),
        ("metrics.csv", f"{METRICS_HEAD}fifo,cost/total_usd,0,0,1\n", "it has no cost/total_usd of learned"),
        (
            "metrics.csv",
            f"{METRICS_HEAD}learned,cost/total_usd,0,9,1\nlearned,cost/total_usd,1,8,1\n",
            "its seconds fall while its decisions rise",
        ),
        (
            "metrics.csv",
            f"{METRICS_HEAD}learned,cost/total_usd,0,9,much\n",
            "could not convert string to float",
        ),
        ("metrics.csv", f"{METRICS_HEAD}learned,cost/total_usd,0,9,\n", "could not convert string to float: ''"),
        ("metrics.csv", f"{METRICS_HEAD}learned,cost/total_usd,0,9,nan\n", "one of its values is not finite"),
        ("metrics.csv", f"{METRICS_HEAD}learned,cost/total_usd,0\n", "not enough values to unpack"),
        ("benchmark.json", '{"scenarios": {}}', "not enough values to unpack"),
        ("benchmark.csv", "policy,episode,total_cost_usd\nlearned,1,5\n", "the episodes of learned are not 0, 1, ..."),
        (
            "benchmark.csv",
            "policy,episode,total_cost_usd\nlearned,0,5\n",
            "its policies are not those of benchmark",
        ),
        ("benchmark.csv", "policy,episode,total_cost_usd\nlearned,0\n", "IndexError('list index out of range')"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, text, reason):
    folder = write_training(tmp_path / "run")
    (folder / name).write_text(text)
    with pytest.raises(ConfigurationError, match=f"{name}: is not what a training writes") as raised:
        read_run(folder)
    assert reason in str(raised.value)


def test_folders_without_a_training_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="none: no such folder"):
        find_run_folders([tmp_path / "none"])
    with pytest.raises(ConfigurationError, match="holds no run of a training"):
        find_run_folders([tmp_path])


def test_trainings_that_differ_in_seed_threads_and_test_alone_are_one_group(tmp_path):
    settings = [
        {"threads": threads, "benchmark": {"episodes": threads}, "episodes_seed": threads} for threads in (1, 2)
    ]
    runs = read(*(write_training(tmp_path / f"{i}", seed=2 - i, settings=settings[i]) for i in range(2)))
    (group,) = group_runs(runs)
    assert (group.scenario, group.method) == ("desk", "policy_search")
    assert [run.seed for run in group.runs] == [1, 2]


def test_settings_that_differ_are_in_the_name_of_the_method(tmp_path):
    rates = (
        {"ppo": {"learning_rate": 0.001, "epochs": 4}},
        {"ppo": {"learning_rate": 0.01, "epochs": 4}},
        {"ppo": {"epochs": 4}},
    )
    folders = [
        write_training(tmp_path / f"{i}", algorithm="maskable_ppo", settings=stated) for i, stated in enumerate(rates)
    ]
    # What another algorithm, or the same in another scenario, states makes no difference.
    folders.append(write_training(tmp_path / "search", settings={"adjustment": {"sigma": 0.2}}))
    folders.append(write_training(tmp_path / "other", algorithm="maskable_ppo", scenario="shop"))
    assert [(group.scenario, group.method) for group in group_runs(read(*folders))] == [
        ("desk", "maskable_ppo, ppo.learning_rate=0.001"),
        ("desk", "maskable_ppo, ppo.learning_rate=0.01"),
        ("desk", "maskable_ppo, ppo.learning_rate=default"),
        ("desk", "policy_search"),
        ("shop", "maskable_ppo"),
    ]


@pytest.mark.parametrize(
    ("digests", "name"),
    [
        ({"scenario desk": "b" * 64}, "scenario desk"),
        ({"scenario desk": DIGEST, "recorded days of desk": "b" * 64}, "recorded days of desk"),
    ],
)
def test_scenarios_of_one_name_and_other_content_are_refused(tmp_path, digests, name):
    runs = read(write_training(tmp_path / "one"), write_training(tmp_path / "two", seed=1, digests=digests))
    with pytest.raises(ConfigurationError, match=f"one and .*two: {name} is not the same in both"):
        group_runs(runs)


def test_the_same_training_twice_is_refused(tmp_path):
    runs = read(write_training(tmp_path / "one"), write_training(tmp_path / "two", settings={"threads": 2}))
    with pytest.raises(
        ConfigurationError, match=r"one and .*two: are the same training \(desk, policy_search, seed 0\)"
    ):
        group_runs(runs)


def test_a_rule_that_one_run_left_out_has_no_mean_over_runs(tmp_path):
    costs = [{"fifo": (usd, usd), "silo": (300.0, 300.0), "pretrained": (5.0, 5.0)} for usd in (40.0, 60.0)]
    runs = read(
        write_training(tmp_path / "one", rows_usd=costs[0]),
        write_training(tmp_path / "two", rows_usd=costs[1], seed=1, dropped=["silo"]),
    )
    # (40 + 60) / 2; `silo` is in one log alone, and `pretrained` is no rule.
    assert rules_on_validation(group_runs(runs)) == {"fifo": 50.0}
