from __future__ import annotations

import math

import numpy as np
import pytest
from logged import FIRST_DAY, contacts, log_of

from experiments.calibration.estimators.after_work import GRID_S, needed_bounds, turnbull
from experiments.calibration.estimators.credits import split_by_credit
from experiments.calibration.estimators.erlang_a import erlang_a, interpolated
from experiments.calibration.estimators.presence import mean_present, rep_spans
from experiments.calibration.estimators.staffing import (
    available_frac,
    explaining_reps,
    losing_reps,
    shifts_of,
    usual_reps,
)

NAN = np.nan


def test_a_rep_is_there_from_first_to_last_contact_but_for_longer_gaps() -> None:
    """Rep 0: 0 to 100 s, 130 to 200 s (a gap of 30 s), 400 to 450 s (a gap of 200 s). Rep 1 once, after a wait."""
    day = contacts(
        [(0, 0.0, 0.0, 100.0, 0), (0, 120.0, 10.0, 70.0, 0), (0, 400.0, 0.0, 50.0, 0), (0, 5.0, 5.0, 8.0, 1)]
    )
    spans = rep_spans(day, 60.0, 60.0)
    assert spans.tolist() == [(0, 0.0, 200.0), (0, 400.0, 450.0), (1, 10.0, 18.0)]
    assert len(rep_spans(day, 300.0, 300.0)) == 2
    assert len(rep_spans(day[:0], 60.0, 60.0)) == 0
    # Of the first 100 s rep 0 is there throughout and rep 1 for 8 s; of the second rep 0 alone.
    np.testing.assert_allclose(mean_present(spans, 100.0, 3), [1.08, 1.0, 0.0])


def test_a_contact_within_another_of_the_same_rep_is_one_span() -> None:
    day = contacts([(0, 0.0, 0.0, 100.0, 0), (0, 20.0, 0.0, 10.0, 0)])
    assert rep_spans(day, 60.0, 60.0).tolist() == [(0, 0.0, 100.0)]


@pytest.mark.parametrize(
    ("from_s", "wait_s", "spans"), [(200.0, 20.0, 2), (99.0, 5.0, 1), (301.0, 9.0, 1), (90.0, 16.0, 2)]
)
def test_a_rep_in_a_longer_gap_was_idle_unless_somebody_waited(from_s: float, wait_s: float, spans: int) -> None:
    """The gap lasts from 100 to 300 s; until 105 s the rep may be still busy, and who comes at 301 s waits later."""
    day = contacts([(0, 0.0, 0.0, 100.0, 0), (0, 300.0, 0.0, 9.0, 0), (0, from_s, wait_s, NAN, -1)])
    assert len(rep_spans(day, 60.0, 600.0)) == spans
    assert len(rep_spans(day, 60.0, 150.0)) == 2  # nobody is idle for so long


def test_what_a_rep_needs_between_two_contacts_is_known_only_if_the_second_had_waited() -> None:
    """Rep 0 ends at 100 s and takes at 108 s a caller of 90 s: needed 8 s. It ends at 150 s and takes at 190 s who came
    then; until 170 s somebody else waited in vain: needed between 20 and 40 s."""
    day = contacts(
        [
            (0, 0.0, 0.0, 100.0, 0),
            (0, 90.0, 18.0, 42.0, 0),
            (0, 160.0, 10.0, NAN, -1),
            (0, 190.0, 0.0, 10.0, 0),
        ]
    )
    low, high = needed_bounds(day, 60.0)
    np.testing.assert_allclose(low, [8.0, 20.0])
    np.testing.assert_allclose(high, [8.0, 40.0])
    assert len(needed_bounds(day, 30.0)[0]) == 1  # a gap of 40 s is a break


def test_turnbull_of_known_times_is_their_distribution() -> None:
    """3 s lies in the cell (2, 3], 5 s in (4, 5]."""
    prob = turnbull(np.array([3.0, 3.0, 5.0]), np.array([3.0, 3.0, 5.0]))
    assert prob[2] == pytest.approx(2 / 3)
    assert prob[4] == pytest.approx(1 / 3)


def test_turnbull_recovers_a_law_from_bounds() -> None:
    """Exponential needs of mean 20 s, of which only every second is known, the others up to 60 s around it."""
    drawn = np.random.default_rng(0)
    need_s = drawn.exponential(20.0, 8000)
    known = drawn.random(8000) < 0.5
    low = np.where(known, need_s, np.maximum(need_s - drawn.uniform(0.0, 60.0, 8000), 0.0))
    high = np.where(known, need_s, need_s + drawn.uniform(0.0, 60.0, 8000))
    survival = 1.0 - np.cumsum(turnbull(low, high))
    at_s = np.array([10, 20, 40])
    np.testing.assert_allclose(survival[np.searchsorted(GRID_S, at_s) - 1], np.exp(-at_s / 20.0), atol=0.03)


def test_erlang_a_with_patience_as_long_as_service_is_the_infinite_server() -> None:
    """With equal rates of service and patience the number there is Poisson of the load 2: with 3 reps the share that
    waits is P(N >= 3) = 1 − e^−2 (1 + 2 + 2) and the queue is E[(N − 3)+] = 2 − 3 + e^−2 (3 + 2 × 2 + 1 × 2)."""
    found = erlang_a(2 / 100.0, 100.0, 100.0, 3)
    queue = -1.0 + math.exp(-2.0) * 9.0
    assert found.waits_frac == pytest.approx(1.0 - 5.0 * math.exp(-2.0))
    assert found.wait_s == pytest.approx(queue / 0.02)
    assert found.abandoned_frac == pytest.approx(queue / 100.0 / 0.02)
    assert erlang_a(0.0, 100.0, 100.0, 3) == (0.0, 0.0, 0.0)


def test_reps_that_are_not_whole_lie_between() -> None:
    low, high = erlang_a(0.02, 100.0, 100.0, 2), erlang_a(0.02, 100.0, 100.0, 3)
    assert interpolated(0.02, 100.0, 100.0, 2.25).wait_s == pytest.approx(0.75 * low.wait_s + 0.25 * high.wait_s)


def test_the_staffing_that_explains_the_waits_is_found() -> None:
    rates = np.array([0.02, 0.0, 0.05])
    waits = np.array([erlang_a(0.02, 100.0, 200.0, 3).wait_s, 0.0, erlang_a(0.05, 100.0, 200.0, 4).wait_s])
    np.testing.assert_array_equal(explaining_reps(rates, waits, 100.0, 200.0), [3, 0, 4])
    # Who does not wait at all has the fewest reps that keep the wait below a second.
    (none,) = explaining_reps(np.array([0.02]), np.zeros(1), 100.0, 200.0)
    assert erlang_a(0.02, 100.0, 200.0, int(none)).wait_s <= 1.0 < erlang_a(0.02, 100.0, 200.0, int(none) - 1).wait_s


def test_the_staffing_that_explains_the_abandonment_is_found() -> None:
    lost = erlang_a(0.05, 100.0, 200.0, 4).abandoned_frac
    np.testing.assert_array_equal(losing_reps(np.array([0.05, 0.0]), lost, 100.0, 200.0), [4, 0])


def test_without_reps_and_waits_reps_are_busy_as_usual() -> None:
    """A load of 2 takes 2 / 0.85 reps, rounded up."""
    np.testing.assert_array_equal(usual_reps(np.array([0.02, 0.0]), 100.0), [3, 0])


def test_the_share_available_explains_the_abandonment() -> None:
    """Of 5 reps present, 80 % are available: 4 reps lose what is given."""
    lost = erlang_a(0.05, 100.0, 200.0, 4).abandoned_frac
    found = available_frac(np.array([5.0, 0.0]), np.array([0.05, 0.0]), 100.0, 200.0, lost)
    assert found == pytest.approx(0.8, abs=0.002)
    assert available_frac(np.array([5.0]), np.array([0.05]), 100.0, 200.0, 0.0) == 1.0


def test_levels_become_shifts_of_staircases() -> None:
    """Monday 2, 3, 1 reps in three intervals of eight hours, Tuesday 1, 1, 1: the first rep is always there on both."""
    levels = {"monday": np.array([2, 3, 1]), "tuesday": np.array([1, 1, 1])}
    groups = shifts_of(levels, 8 * 3600.0, ("voice",))
    assert [group["count"] for group in groups] == [1, 1, 1]
    assert groups[0]["shifts"] == [{"weekdays": ["monday", "tuesday"], "start": "00:00", "end": "24:00"}]
    assert groups[1]["shifts"] == [{"weekdays": ["monday"], "start": "00:00", "end": "16:00"}]
    assert groups[2]["shifts"] == [{"weekdays": ["monday"], "start": "08:00", "end": "16:00"}]


def test_reps_of_equal_shifts_are_one_group() -> None:
    groups = shifts_of({"monday": np.array([0, 2])}, 12 * 3600.0, ("voice",))
    assert [(group["name"], group["count"]) for group in groups] == [("shift_1", 2)]


def test_contacts_with_credit_are_a_channel_of_their_own() -> None:
    day = contacts([(FIRST_DAY, 100.0 * i, 5.0, 60.0, 0) for i in range(200)])
    day["priority"] = np.tile([0.0, 90.0], 100)
    split, rule = split_by_credit(log_of(day, 1))
    assert split.channels == ("voice", "voice_90s")
    np.testing.assert_array_equal(split.contacts["channel"], np.tile([0, 1], 100))
    assert rule == {
        "rule": "priority_acceleration",
        "name": "center",
        "priority": {"voice": 0.0, "voice_90s": 1.5},
        "acceleration_per_min": {"voice": 1.0, "voice_90s": 1.0},
    }


def test_a_log_of_one_credit_stays_as_it_is() -> None:
    day = contacts([(FIRST_DAY, 100.0 * i, 5.0, 60.0, 0) for i in range(4)])
    split, rule = split_by_credit(log_of(day, 1))
    assert (split.channels, rule) == (("voice",), "fifo")


def test_a_credit_of_a_few_makes_no_channel() -> None:
    day = contacts([(FIRST_DAY, 100.0 * i, 5.0, 60.0, 0) for i in range(400)])
    day["priority"][:99] = 90.0
    split, rule = split_by_credit(log_of(day, 1))
    assert (split.channels, rule) == (("voice",), "fifo")
    assert not split.contacts["priority"].any()


def test_credit_noted_of_waiters_alone_is_drawn_for_the_others() -> None:
    """Half of those who waited have credit and none of the 400 who did not: about half of these have it afterwards, 200
    within five standard deviations of √(400 / 4) = 10."""
    day = contacts([(FIRST_DAY, float(i), float(i < 200), 60.0, 0) for i in range(600)])
    day["priority"][:100] = 90.0
    split, _ = split_by_credit(log_of(day, 1))
    np.testing.assert_array_equal(split.contacts["channel"][:200], [1] * 100 + [0] * 100)
    assert 150 < split.contacts["channel"][200:].sum() < 250
