"""Methods against each other: paired differences and probabilities of improvement by hand."""

import math
import tracemalloc

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from training_folders import DIGEST, write_training

from experiments.learning_curves.groups import group_runs
from experiments.learning_curves.method_differences import paired_differences, probability_of_improvement
from experiments.learning_curves.trained_run import read_run
from experiments.learning_curves.training_comparison import compare_trainings


def pair(folder, ours, theirs, **options):
    """Return two groups of a scenario. `ours` and `theirs`: of each run, seed 0 on, its test seed and what it costs in
    each episode."""
    folders = [
        write_training(
            folder / algorithm / f"{seed}",
            algorithm=algorithm,
            seed=seed,
            test_seed=test_seed,
            learned_usd=costs_usd,
            **options,
        )
        for algorithm, runs in (("maskable_ppo", ours), ("policy_search", theirs))
        for seed, (test_seed, costs_usd) in enumerate(runs)
    ]
    group, against = group_runs([read_run(each) for each in folders])
    return group, against


def test_test_seeds_with_their_runs_are_drawn_again(tmp_path):
    ours = [(0, (10.0, 20.0)), (1, (30.0, 40.0)), (9, (99.0, 99.0))]  # 9 is no test seed of the other
    groups = pair(tmp_path, ours, [(0, (12.0, 24.0)), (1, (20.0, 26.0))])
    (found,) = paired_differences([groups])
    assert (found.scenario, found.method, found.against) == ("desk", "maskable_ppo", "policy_search")
    assert (found.test_seeds, found.n_runs) == ((0, 1), 4)
    # Means 15 and 35 against 18 and 23: differences -3 and 12. Two draws of two have the means -3, 4.5, 12 with
    # probability 1/4, 1/2, 1/4. As fractions 15/18 - 1, 25/20.5 - 1, 35/23 - 1.
    assert found.difference_usd == pytest.approx((4.5, -3.0, 12.0))
    assert found.difference_frac == pytest.approx((25 / 20.5 - 1, 15 / 18 - 1, 35 / 23 - 1))


def test_under_one_test_seed_episodes_are_drawn_again_the_same_for_both(tmp_path):
    (found,) = paired_differences([pair(tmp_path, [(5, (10.0, 20.0))], [(5, (12.0, 24.0))])])
    # Differences -2 and -4: drawn again -2, -3, -4 with probability 1/4, 1/2, 1/4. Episodes drawn apart from each other
    # would give 10 - 24 as well.
    assert found.difference_usd == pytest.approx((-3.0, -4.0, -2.0))


def test_under_one_test_seed_runs_are_drawn_again_too(tmp_path):
    (found,) = paired_differences([pair(tmp_path, [(5, (10.0, 10.0)), (5, (20.0, 20.0))], [(5, (10.0, 10.0))])])
    # Episodes are all alike; of the two runs, 10 and 20, the mean is 10, 15 or 20.
    assert found.difference_usd == pytest.approx((5.0, 0.0, 10.0))


def test_of_tests_of_unequal_length_the_common_episodes_count(tmp_path):
    (found,) = paired_differences([pair(tmp_path, [(5, (10.0, 20.0, 900.0))], [(5, (12.0, 24.0))])])
    assert found.difference_usd.mean == pytest.approx(-3.0)


def test_without_common_test_episodes_there_is_no_difference(tmp_path):
    assert paired_differences([pair(tmp_path, [(0, (10.0, 20.0))], [(1, (12.0, 24.0))])]) == []
    result = compare_trainings([tmp_path])
    assert result.as_json()["differences"] == []


def test_recorded_days_under_one_test_seed_have_no_interval(tmp_path):
    digests = {"scenario desk": DIGEST, "recorded days of desk": DIGEST}
    (found,) = paired_differences([pair(tmp_path, [(5, (10.0, 20.0))], [(5, (12.0, 24.0))], digests=digests)])
    assert found.difference_usd.mean == pytest.approx(-3.0)
    assert math.isnan(found.difference_usd.low)


def test_over_scenarios_each_counts_once(tmp_path):
    desk = pair(tmp_path / "desk", [(0, (10.0, 10.0)), (1, (20.0, 20.0))], [(0, (20.0, 20.0)), (1, (20.0, 20.0))])
    shop = pair(tmp_path / "shop", [(0, (900.0, 900.0))], [(0, (1000.0, 1000.0))], scenario="shop")
    *_, found = paired_differences([desk, shop])
    # desk: 15/20 - 1 = -25 %, drawn again -50 %, -25 %, 0 %; shop: -10 % always, since its episodes are alike.
    assert found.scenario is None
    assert math.isnan(found.difference_usd.mean)
    assert found.difference_frac == pytest.approx((-0.175, -0.3, -0.05))


def test_scenarios_are_drawn_apart_from_each_other(tmp_path):
    runs = [[(0, (10.0, 10.0)), (1, (20.0, 20.0))], [(0, (20.0, 20.0)), (1, (20.0, 20.0))]]
    pairs = [pair(tmp_path / f"{i}", *runs, scenario=f"desk{i}") for i in range(2)]
    *_, found = paired_differences(pairs)
    # Each has -50 %, -25 %, 0 % with probability 1/4, 1/2, 1/4; the mean of two independent ones is -50 % and 0 % with
    # probability 1/16 each, -37.5 % and -12.5 % with 1/4 each, so 2.5 % lie in the sixteenth.
    assert found.difference_frac == pytest.approx((-0.25, -0.5, 0.0))
    three = [*pairs, pair(tmp_path / "2", *runs, scenario="desk2")]
    *_, found = paired_differences(three)
    # Of three, all at their lowest has the probability 1/64 = 1.6 %, below 2.5 %: next is (-50 - 50 - 25) / 3 %.
    assert found.difference_frac == pytest.approx((-0.25, -1.25 / 3, -0.25 / 3))


def costs(*usd):
    return [(0, (cost_usd,)) for cost_usd in usd]


def test_the_probability_of_improvement_is_the_mean_over_scenarios_of_the_share_of_pairs(tmp_path):
    desk = pair(tmp_path / "desk", costs(1.0, 2.0, 5.0), costs(2.0, 3.0))
    shop = pair(tmp_path / "shop", costs(1.0), costs(2.0, 0.0), scenario="shop")
    # desk: 1 beats 2 and 3; 2 ties with 2 and beats 3; 5 beats none: (2 + 1.5 + 0) / 6. shop: 1 beats 2, not 0: 1/2.
    found = probability_of_improvement([desk, shop])
    assert (found.method, found.against) == ("maskable_ppo", "policy_search")
    assert found.scenarios == ("desk", "shop")
    assert found.probability.mean == pytest.approx((3.5 / 6 + 0.5) / 2)
    back = probability_of_improvement([(desk[1], desk[0]), (shop[1], shop[0])])
    assert back.probability.mean == pytest.approx(1.0 - found.probability.mean)


def test_the_share_of_pairs_is_the_statistic_of_mann_and_whitney(tmp_path):
    generator = np.random.default_rng(3)
    ours, theirs = generator.integers(0, 9, 7).astype(float), generator.integers(0, 9, 5).astype(float)
    found = probability_of_improvement([pair(tmp_path, costs(*ours), costs(*theirs))])
    # U of the second sample counts the pairs in which it is larger.
    assert found.probability.mean == pytest.approx(mannwhitneyu(theirs, ours).statistic / 35)
    assert found.probability.low < found.probability.mean < found.probability.high


def test_its_interval_draws_runs_again_within_scenario_and_method(tmp_path):
    found = probability_of_improvement([pair(tmp_path, costs(1.0, 1.0), costs(2.0, 0.0))])
    # Two draws of 2 and 0: both 2 (1 beats both), one of each, both 0, with probability 1/4, 1/2, 1/4.
    assert found.probability == (0.5, 0.0, 1.0)


@pytest.mark.parametrize("theirs", [(2.0,), (2.0, 3.0)])
def test_one_run_alone_has_no_interval(tmp_path, theirs):
    found = probability_of_improvement([pair(tmp_path, costs(1.0), costs(*theirs))])
    assert found.probability.mean == 1.0
    assert math.isnan(found.probability.low)
    assert math.isnan(found.probability.high)


def test_a_hundred_seeds_fit_into_memory(tmp_path):
    groups = pair(tmp_path, costs(*np.arange(100.0)), costs(*np.arange(50.0, 150.0)))
    tracemalloc.start()
    try:
        found = probability_of_improvement([groups])
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Of 100 times 100 pairs those with 50 <= j <= i < 100 are no less: 50 · 51 / 2, of which 50
    # are ties, half a pair each.
    assert found.probability.mean == pytest.approx(1.0 - (50 * 51 / 2 - 50 / 2) / 100**2)
    # All resamples at once would be 10,000 · 100 · 100 pairs of a byte at least.
    assert peak_bytes < 2e8
