"""What is no number ends a training at once, is named, and spoils nothing that was kept."""

import numpy as np
import pytest
import torch
from faults import PLACES, TRAININGS, not_finite, small_training

from agents.learning.adjustment import AdjustedPlay
from agents.learning.finite import NotFiniteError, require_finite
from envs.center_rows import CenterRows
from envs.scenario.scenario import load_scenario

LEARNERS = sorted(name for name in TRAININGS if small_training(name).gradient_steps)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("algorithm", LEARNERS)
def test_it_is_named_and_the_weights_that_were_kept_are_good(algorithm, place, tmp_path):
    torch.set_num_threads(1)
    code, said, is_good = not_finite(algorithm, tmp_path, place)
    assert code == 2
    assert place in said
    assert "is nan: must be a finite number; the training has ended" in said
    assert "\n" not in said
    assert is_good


def test_a_cost_that_is_no_number_ends_a_search(monkeypatch):
    tiny = load_scenario("tiny")
    play = AdjustedPlay(tiny)

    class Spoiled:
        def __getitem__(self, key):
            return np.array([np.nan]) if key == "cost_usd" else {"center_count": {"decisions": 1}}

    monkeypatch.setattr(CenterRows, "states", property(lambda rows: Spoiled()))
    monkeypatch.setattr("agents.learning.adjustment.play_rule", lambda *_: None)
    monkeypatch.setattr(CenterRows, "start", lambda *_: None)
    monkeypatch.setattr(CenterRows, "restart", lambda *_: None)
    with pytest.raises(NotFiniteError, match=r"cost_usd\[0, 0\] is nan: must be a finite number"):
        play.costs_usd(np.zeros((1, 4)), 0, np.arange(1))


@pytest.mark.parametrize(
    ("values", "place"),
    [
        (np.array([[0.0, 1.0], [np.inf, 2.0]]), r"x\[1, 0\] is inf"),
        (np.array([np.inf, -np.inf]), r"x\[0\] is inf"),
        (np.array(np.nan), "x is nan"),
        (torch.tensor([0.0, float("nan")]), r"x\[1\] is nan"),
    ],
)
def test_the_first_place_is_named(values, place):
    with pytest.raises(NotFiniteError, match=place):
        require_finite("x", values)


def test_large_numbers_are_finite_whose_sum_is_not():
    require_finite("x", np.full(4, 3e38, np.float32))
    require_finite("x", np.zeros((0, 3)))
