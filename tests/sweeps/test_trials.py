"""Which trials a sweep file states, what their folders are called, and what it refuses."""

from pathlib import Path

import fake_trial
import pytest
import yaml

from envs.errors import ConfigurationError
from experiments.sweeps.sweep_config import load_sweep
from experiments.sweeps.trial import reads
from experiments.sweeps.trial_list import list_trials
from experiments.sweeps.trials import Trial

SMALL = {"scenarios": ["tiny"], "algorithms": ["policy_search"]}


def written(folder: Path, **keys) -> Path:
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(SMALL | keys, sort_keys=False), encoding="utf-8")
    return file


def trials_of(folder: Path, **keys) -> tuple[Trial, ...]:
    return list_trials(load_sweep(written(folder, **keys)), fake_trial.reads)


def test_the_example_has_two_by_two_by_three_trials():
    trials = list_trials(load_sweep("example"), reads)
    assert [trial.name for trial in trials] == [
        f"{scenario}-{algorithm}-seed{seed}"
        for scenario in ("tiny", "certify_value")
        for algorithm in ("policy_search", "maskable_ppo")
        for seed in (0, 1, 2)
    ]
    assert all("threads=1" in trial.overrides and "episodes_seed=0" in trial.overrides for trial in trials)


def test_values_that_vary_are_crossed_for_the_algorithms_that_read_them(tmp_path):
    trials = trials_of(
        tmp_path,
        algorithms=["policy_search", "maskable_ppo"],
        seeds=[4, 9],
        vary={"ppo.learning_rate": [1e-3, 3e-4], "network.width": [8, 16, 32]},
    )
    # policy_search: 3 widths x 2 seeds; maskable_ppo: 2 rates x 3 widths x 2 seeds.
    by_algorithm = {name: [trial for trial in trials if trial.algorithm == name] for name in ("policy_search",)}
    assert len(by_algorithm["policy_search"]) == 6
    assert len(trials) == 6 + 12
    assert len({trial.name for trial in trials}) == 18
    assert {trial.seed for trial in trials} == {4, 9}
    assert all("ppo" not in " ".join(trial.overrides) for trial in by_algorithm["policy_search"])
    last = trials[-1]
    assert last.varied == (("ppo.learning_rate", "0.0003"), ("network.width", "32"))
    assert last.overrides[-2:] == ("ppo.learning_rate=0.0003", "network.width=32")


def test_the_name_of_a_trial_depends_on_its_values_and_not_on_their_order(tmp_path):
    keys = {"network.width": [8], "network.prior_weight": [1]}
    (one,) = trials_of(tmp_path, seeds=1, vary=keys)
    (other,) = trials_of(tmp_path, seeds=1, vary=dict(reversed(keys.items())))
    (third,) = trials_of(tmp_path, seeds=1, vary=keys | {"network.prior_weight": [2]})
    assert one.name == other.name != third.name
    assert one.name.startswith("tiny-policy_search-")
    assert one.name.endswith("-seed0")


def test_settings_of_an_algorithm_do_not_reach_another(tmp_path):
    settings = {"ppo.epochs": 2, "steps": 100, "benchmark.episodes": 8, "threads": 2}
    search, ppo = trials_of(tmp_path, algorithms=["policy_search", "maskable_ppo"], seeds=1, settings=settings)
    assert search.overrides == ("threads=2", "episodes_seed=0", "benchmark.episodes=8")
    assert ppo.overrides == ("threads=2", "episodes_seed=0", "ppo.epochs=2", "steps=100", "benchmark.episodes=8")


def test_a_training_may_stand_for_its_scenario(tmp_path):
    (trial,) = trials_of(tmp_path, scenarios=["premium_desk_fair"], seeds=1)
    assert (trial.scenario, trial.name) == ("premium_desk_fair", "premium_desk_fair-policy_search-seed0")


def test_without_episodes_seed_each_training_has_its_own(tmp_path):
    (trial,) = trials_of(tmp_path, seeds=1, episodes_seed=None)
    assert trial.overrides == ("threads=1",)


def test_paths_begin_in_the_folder_of_the_file(tmp_path):
    (tmp_path / "center.yaml").write_text("extends: tiny\n", encoding="utf-8")
    (tmp_path / "rule.yaml").write_text("rule: cmu\n", encoding="utf-8")
    (trial,) = trials_of(
        tmp_path, scenarios=["center.yaml"], seeds=1, settings={"benchmark.policies": ["rule.yaml", "fifo"]}
    )
    assert trial.scenario == str(tmp_path / "center.yaml")
    assert trial.name == "center-policy_search-seed0"
    assert trial.overrides[-1] == f'benchmark.policies=["{tmp_path / "rule.yaml"}", "fifo"]'


def test_callbacks_begin_in_the_folder_of_the_file_and_are_for_those_who_learn_by_gradients(tmp_path):
    file = written(
        tmp_path,
        algorithms=["policy_search", "maskable_ppo"],
        seeds=1,
        settings={"callbacks": ["mine.py:Stop", "package.module:Stop"], "adjustment.centers": {}},
    )
    search, ppo = list_trials(load_sweep(file), reads)
    assert search.overrides[-1] == "adjustment.centers={}"  # an empty mapping is a section with its defaults
    assert ppo.overrides[-1] == f'callbacks=["{tmp_path / "mine.py"}:Stop", "package.module:Stop"]'


def test_no_result_of_the_example_depends_on_the_clock():
    # Five generations of it take seconds; an hour is the bound that every training has (docs/training.md).
    settings = load_sweep("example").settings
    assert (settings["adjustment.generations"], settings["adjustment.minutes"]) == (5, 60)


def test_a_trial_goes_through_json_and_back(tmp_path):
    (trial,) = trials_of(tmp_path, seeds=1, vary={"network.width": [8]})
    assert Trial.from_json(trial.as_json()) == trial


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"seeds": 0}, "sweep.seeds"),
        ({"seeds": [1, 1]}, "sweep.seeds: must not name 1 twice"),
        ({"seeds": [-1]}, "sweep.seeds"),
        ({"scenarios": []}, "sweep.scenarios"),
        ({"scenarios": ["tiny", "tiny"]}, "must not name tiny twice"),
        ({"scenarios": ["tyni"]}, "tyni"),
        ({"vary": {"network.width": []}}, "sweep.vary.network.width"),
        ({"settings": {"seed": 1}}, "a sweep has a key of its own for it"),
        ({"vary": {"scenario": ["bank"]}}, "a sweep has a key of its own for it"),
        ({"settings": {"network": None}, "vary": {"network": [None]}}, "must not stand in settings too"),
        ({"vary": {"ppo.epochs": [2, 4, 2]}}, "sweep.vary.ppo.epochs: must not name 2 twice"),
        ({"vary": {"steps": [1000, 1000.0]}}, "sweep.vary.steps: must not name 1000.0 twice"),
        ({"vary": {"threads": [1, 4]}}, "sweep.vary.threads: must not vary: it makes no other training"),
        ({"vary": {"checkpoint.minutes": [1, 4]}}, "must not vary: it makes no other training"),
        ({"settings": {"benchmark": {"policies": ["a.yaml"]}}}, "state its keys dotted, as benchmark.policies"),
        ({"vary": {"ppo": [{"epochs": 2}]}}, "sweep.vary.ppo: must be no mapping: state its keys dotted"),
        ({"retries": -1}, "sweep.retries = -1: must be >= 0"),
        ({"worker": 1}, "sweep.worker"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path, keys, message):
    with pytest.raises(ConfigurationError) as raised:
        trials_of(tmp_path, **keys)
    assert message in str(raised.value)
    assert "mine.yaml" in str(raised.value)


@pytest.mark.parametrize("part", ["settings", "vary"])
def test_a_key_that_no_algorithm_of_the_sweep_has_is_refused(tmp_path, part):
    with pytest.raises(ConfigurationError, match=rf"sweep\.{part}\.ppo\.epochs: must belong to one of policy_search"):
        trials_of(tmp_path, **{part: {"ppo.epochs": [1]}})


def test_scenarios_of_the_same_name_would_share_folders(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "center.yaml").write_text("extends: tiny\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="two are called center"):
        trials_of(tmp_path, scenarios=["a/center.yaml", "b/center.yaml"])
