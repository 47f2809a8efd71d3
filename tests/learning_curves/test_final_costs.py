"""What methods cost over seeds, and against the other rows of their tests: figures by hand."""

import math

import pytest
from training_folders import write_training

from experiments.learning_curves.final_costs import against_rows, final_costs
from experiments.learning_curves.groups import group_runs
from experiments.learning_curves.trained_run import read_run


def groups(folder, costs_usd, **options):
    """Return the groups of trainings that cost so much, seeds 0, 1, ..."""
    folders = [
        write_training(folder / f"{seed}", seed=seed, learned_usd=(usd, usd), **options)
        for seed, usd in enumerate(costs_usd)
    ]
    return group_runs([read_run(each) for each in folders])


def test_costs_are_interquartile_means_over_seeds(tmp_path):
    learned, fifo = final_costs(groups(tmp_path, [100.0, 1000.0, 200.0, 300.0]))
    # Without the lowest and the highest quarter: (200 + 300) / 2. `fifo` costs twice as much in each seed's test.
    assert (learned.name, learned.is_method, learned.n_seeds) == ("policy_search", True, 4)
    assert (learned.cost_usd.mean, learned.best_usd, learned.worst_usd) == (250.0, 100.0, 1000.0)
    assert (fifo.name, fifo.is_method, fifo.n_seeds, fifo.cost_usd.mean) == ("fifo", False, 4, 500.0)


def test_the_interval_draws_seeds_again(tmp_path):
    learned, _ = final_costs(groups(tmp_path, [100.0, 300.0]))
    # Two draws of two seeds have the mean 100, 200 or 300 with probability 1/4, 1/2, 1/4, so these are the quantiles.
    assert learned.cost_usd == (200.0, 100.0, 300.0)


def test_one_seed_has_no_interval(tmp_path):
    learned, _ = final_costs(groups(tmp_path, [100.0]))
    assert learned.cost_usd.mean == 100.0
    assert math.isnan(learned.cost_usd.low)
    assert math.isnan(learned.cost_usd.high)


def test_a_baseline_counts_once_in_a_test_that_trainings_share(tmp_path):
    own = groups(tmp_path, [100.0, 200.0], test_seed=7, rows_usd={"fifo": (50.0, 70.0)})
    fifo, learned = final_costs(own)
    assert (fifo.name, fifo.n_seeds, fifo.cost_usd.mean) == ("fifo", 1, 60.0)
    assert (learned.name, learned.n_seeds) == ("policy_search", 2)


def test_methods_against_rows_are_fractions_of_what_the_row_costs_in_the_same_test(tmp_path):
    runs = [
        write_training(tmp_path / "0", seed=0, learned_usd=(90.0,), rows_usd={"fifo": (100.0,), "silo": (45.0,)}),
        write_training(tmp_path / "1", seed=1, learned_usd=(60.0,), rows_usd={"fifo": (200.0,)}),
    ]
    (found,) = against_rows(group_runs([read_run(folder) for folder in runs]))  # `silo` was in one test alone
    # 90/100 - 1 = -0.1 and 60/200 - 1 = -0.7
    assert (found.method, found.row) == ("policy_search", "fifo")
    assert found.difference_frac == pytest.approx((-0.4, -0.7, -0.1))


def test_scenarios_are_strata(tmp_path):
    desk = groups(tmp_path / "desk", [90.0, 60.0], rows_usd={"fifo": (100.0, 100.0)})
    shop = groups(tmp_path / "shop", [80.0, 80.0], scenario="shop", rows_usd={"fifo": (100.0, 100.0)})
    (found,) = against_rows([*desk, *shop])
    # -0.4, -0.2, -0.2, -0.1 without the lowest and the highest: -0.2. Drawn again, desk has twice -0.4, both or twice
    # -0.1 with probability 1/4, 1/2, 1/4, shop always twice -0.2: (-0.4 - 0.2) / 2 and (-0.2 - 0.1) / 2 at the ends.
    assert found.difference_frac == pytest.approx((-0.2, -0.3, -0.15))
