"""Learning curves over seeds: what is carried on, where they begin, and their band."""

import numpy as np
import pytest
from training_folders import write_training

from experiments.intervals import interquartile_interval
from experiments.learning_curves.curves import MOST_POINTS, RESAMPLES, aggregate, curve_over_seeds
from experiments.learning_curves.groups import group_runs
from experiments.learning_curves.trained_run import read_run

LONG = ((0, 1.0, 100.0), (10, 2.0, 80.0), (30, 9.0, 60.0))
SHORT = ((5, 3.0, 90.0), (20, 4.0, 70.0))


def runs(folder, *points, **options):
    """Return runs that were measured at these (decisions, seconds, cost), seeds 0, 1, ..."""
    return [
        read_run(write_training(folder / f"{seed}", seed=seed, points=own, **options))
        for seed, own in enumerate(points)
    ]


def test_the_last_value_is_carried_on_from_where_every_run_has_one(tmp_path):
    curve = curve_over_seeds(runs(tmp_path, LONG, SHORT))
    # Decisions 5, 10, 20, 30: the long run has 100, 80, 80, 60, the short one, from 5 to 20, has 90, 90, 70, 70.
    assert curve.places.tolist() == [5, 10, 20, 30]
    assert curve.mean.tolist() == [95, 85, 75, 65]
    # Of two seeds the interval ends at the lower and at the higher one: both draws are the same with probability 1/4.
    assert curve.low.tolist() == [90, 80, 70, 60]
    assert curve.high.tolist() == [100, 90, 80, 70]
    assert (curve.shortest_end, curve.n_runs) == (20, 2)


def test_a_curve_against_seconds_has_its_own_places(tmp_path):
    curve = curve_over_seeds(runs(tmp_path, LONG, SHORT), axis="seconds")
    # Seconds 3, 4, 9: 80, 80, 60 and 90, 70, 70.
    assert curve.places.tolist() == [3, 4, 9]
    assert curve.mean.tolist() == [85, 75, 65]
    assert curve.shortest_end == 4


def test_between_its_places_a_curve_is_flat_and_before_them_it_is_not_defined(tmp_path):
    curve = curve_over_seeds(runs(tmp_path, LONG, SHORT))
    assert np.isnan(curve.at(4.9)).all()
    assert curve.at(19.9) == (85, 80, 90)
    assert curve.at(1e9) == (65, 60, 70)


def test_one_seed_has_no_band(tmp_path):
    curve = curve_over_seeds(runs(tmp_path, LONG))
    assert curve.mean.tolist() == [100, 80, 60]
    assert np.isnan(curve.low).all()
    assert np.isnan(curve.high).all()


def test_each_place_has_the_interval_that_final_costs_have(tmp_path):
    values = [[100.0, 40.0], [90.0, 70.0], [60.0, 65.0], [80.0, 10.0], [300.0, 66.0]]
    curve = curve_over_seeds(runs(tmp_path, *([(0, 0, first), (8, 8, last)] for first, last in values)))
    # Of five a quarter is one: without the lowest and the highest (80 + 90 + 100) / 3 and (40 + 65 + 66) / 3.
    assert curve.mean == pytest.approx([90.0, 57.0])
    for place, costs_usd in enumerate(zip(*values, strict=True)):
        expected = interquartile_interval([costs_usd], resamples=RESAMPLES)
        assert (curve.mean[place], curve.low[place], curve.high[place]) == pytest.approx(expected)


def test_where_a_tag_is_not_defined_in_one_seed_its_last_value_is_carried_on(tmp_path):
    tag = "cost/per_contact_usd"  # not defined in a validation without contacts, so it is not noted there
    one, two = (
        write_training(tmp_path / f"{seed}", seed=seed, points=LONG, tags={tag: points})
        for seed, points in enumerate([[(0, 0, 5.0), (30, 9, 1.0)], [(0, 0, 7.0), (10, 2, 9.0), (30, 9, 3.0)]])
    )
    curve = curve_over_seeds([read_run(one), read_run(two)], tag)
    # (5 + 7) / 2, (5 + 9) / 2 with the first run's last value, (1 + 3) / 2
    assert (curve.places.tolist(), curve.mean.tolist()) == ([0, 10, 30], [6, 7, 2])


def test_many_places_are_thinned_first_and_last_kept(tmp_path):
    points = [(i, i, 1000.0 - i) for i in range(5 * MOST_POINTS)]
    curve = curve_over_seeds(runs(tmp_path, points))
    assert len(curve.places) == MOST_POINTS
    assert (curve.places[0], curve.places[-1]) == (0, 5 * MOST_POINTS - 1)
    assert curve.mean.tolist() == [1000.0 - place for place in curve.places]


def test_every_tag_that_all_seeds_have_is_aggregated(tmp_path):
    two = runs(tmp_path / "desk", LONG, SHORT, tags={"center/interruptions": [(0, 0, 4.0), (10, 5, 2.0)]})
    other = read_run(write_training(tmp_path / "shop", scenario="shop", tags={"cost/wait_usd": [(0, 0, 3.0)]}))
    two[0].measured["learned"]["center/occupancy_frac"] = two[0].measured["learned"]["cost/total_usd"]  # type: ignore[index]
    found = aggregate(group_runs([*two, other]))
    assert {key: set(tags) for key, tags in found.items()} == {
        ("desk", "policy_search"): {"cost/total_usd", "center/interruptions"},
        ("shop", "policy_search"): {"cost/total_usd", "cost/wait_usd"},
    }
    curve = found["desk", "policy_search"]["center/interruptions"]
    assert (curve.places.tolist(), curve.mean.tolist()) == ([0, 10], [4, 2])
    assert aggregate(group_runs(two), "seconds")["desk", "policy_search"]["center/interruptions"].places.tolist() == [
        0,
        5,
    ]
