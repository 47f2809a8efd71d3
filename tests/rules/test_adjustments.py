"""The adjustments of `expected_loss`: reserves by hand, what is held and what is not, factors of the index."""

import math
from typing import Any

import numpy as np
import pytest
from playing import EMAIL, VOICE, Center, channel, contact, day

from agents.rules.compiled.expected_loss import ADJUSTMENTS, Surroundings, reserve_reps
from agents.rules.registry import RuleFile
from agents.rules.rule import Rule
from envs.interface.fields import CANDIDATE_FIELDS

CANDIDATE = {field.name: place for place, field in enumerate(CANDIDATE_FIELDS)}
QUIET = Surroundings(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
BUSY = Surroundings(2.0, 120.0, 0.8, 0.6, 0.5, 0.25)


def reserve(around: Surroundings, adjustment: dict[str, float], **fields: float) -> float:
    row = np.zeros(len(CANDIDATE_FIELDS), np.float32)
    for name, value in fields.items():
        row[CANDIDATE[name]] = value
    settings = np.array([adjustment.get(name, 0.0) for name in ADJUSTMENTS])
    return float(reserve_reps(row, around, settings))


@pytest.mark.parametrize(
    ("stake_usd", "reps"),
    [
        (9, 0.0),  # -1.5 * ln((9 + 1) / 10)
        (0, 1.5 * math.log(10)),
        (99, -1.5 * math.log(10)),  # a negative reserve holds nothing
    ],
)
def test_the_reserve_against_a_caller_falls_with_the_logarithm_of_the_stake(stake_usd, reps):
    assert reserve(BUSY, {"reserve_by_stake": 1}, real_time=1, stake_usd=stake_usd) == pytest.approx(reps)


def test_the_reserve_against_callers_moves_with_load_and_queue():
    parts = {"reserve_real_time": 0.5, "reserve_real_time_load": 1, "reserve_real_time_queue": -1}
    assert reserve(QUIET, parts, real_time=1, stake_usd=9) == pytest.approx(1.5)  # 3 * 0.5
    assert reserve(BUSY, parts, real_time=1, stake_usd=9) == pytest.approx(2.4)  # 3 * (0.5 + 0.8 - 0.5)


def test_the_reserve_against_deferred_work_moves_with_load_queue_and_backlog():
    parts = {
        "reserve_deferred": 1,
        "reserve_deferred_load": 1,
        "reserve_deferred_load_later": -1,
        "reserve_deferred_queue": 0.5,
        "reserve_deferred_backlog": -2,
    }
    assert reserve(QUIET, parts, slack_s=1e6) == pytest.approx(3)
    # 3 * (1 + 0.8 - 0.6 + 0.25 - 0.5)
    assert reserve(BUSY, parts, slack_s=1e6) == pytest.approx(2.85)


def test_the_reserve_against_deferred_work_falls_as_its_time_comes():
    parts = {"reserve_deferred": 1, "reserve_urgent": 1}
    # 3 - 2 e^(-slack / 3 h) ln(1 + stake / 10); overdue 3 - 2
    assert reserve(QUIET, parts, slack_s=3 * 3600, stake_usd=90) == pytest.approx(3 - 2 / math.e * math.log(10))
    assert reserve(QUIET, parts, slack_s=-60, stake_usd=90) == pytest.approx(3 - 2 * math.log(10))
    assert reserve(QUIET, parts, overdue=1) == pytest.approx(1)


def test_without_adjustments_nothing_is_kept_free():
    for fields in ({"real_time": 1}, {"overdue": 1}, {"slack_s": 5, "stake_usd": 7}):
        assert reserve(BUSY, {}, **fields) == 0


def rule(**adjustments: float) -> Rule:
    return RuleFile.model_validate({"rule": "expected_loss"} | adjustments).root


def choice(policy: Rule, center: Center) -> str:
    """Return the name of the action that a rule takes now."""
    return center.action_names[int(policy.make(center.scenario).predict(center._rows.observation())[0])]


def with_reps(count: int, *contacts: Any) -> Center:
    """Return a center with so many reps and a caller who loses half of the account by hanging up."""
    voice = channel(VOICE, patience={"distribution": "exponential", "mean_s": 300}, harm={"abandonment_prob": 0.5})
    groups = [{"name": "all", "count": count, "skills": ["voice", "email"]}]
    return Center(day([voice, channel(EMAIL, due=None)], *contacts, groups=groups))


@pytest.mark.parametrize(
    ("reps", "value_usd", "expected"),
    [
        # The stake is half the value. 1 USD: 1.5 ln(10 / 2) = 2.41 reps are kept free; 10 USD: 1.5 ln(10 / 11) < 0.
        (3, 2, "assign:longest_idle"),
        (2, 2, "wait"),
        (1, 20, "assign:longest_idle"),
    ],
)
def test_a_caller_of_low_stake_waits_while_few_reps_are_free(reps, value_usd, expected):
    center = with_reps(reps, contact(100, value_usd=value_usd))
    assert choice(rule(reserve_by_stake=1), center) == expected
    assert choice(rule(), center) == "assign:longest_idle"


def test_the_rep_who_is_asked_next_holds_the_caller_too_and_takes_other_work():
    center = with_reps(2, contact(100, "email", 1), contact(100, value_usd=2))
    held = rule(reserve_by_stake=1)
    while center.subject[0] == "contact":
        assert choice(held, center) == "wait"
        center.do("wait")
    assert center.subject[0] == "rep"
    assert choice(held, center) == "serve:email:oldest"
    assert choice(rule(reserve_by_stake=1, reserve_deferred=1), center) == "wait"


@pytest.mark.parametrize(
    ("adjustments", "expected"),
    [({}, "serve:voice:most_valuable"), ({"real_time_stake": -3}, "serve:voice:oldest")],
)
def test_the_weight_of_the_stake_decides_between_callers(adjustments, expected):
    # Two callers, one rep busy with the first contact until second 300; the index grows with the stake, which is half
    # the value, and falls with its third power by the adjustment.
    callers = [contact(10 * i, value_usd=value_usd, patience=3000) for i, value_usd in enumerate((1, 40, 4000))]
    center = with_reps(1, *callers)
    center.do("assign:longest_idle")
    while center.subject[0] != "rep":
        center.do("wait")
    assert choice(rule(**adjustments), center) == expected


def test_a_low_score_of_idling_does_not_undo_a_reserve():
    center = with_reps(1, contact(100, "email", 1))
    held = {"reserve_deferred": 1, "idle_last_rep": -5}
    assert choice(rule(**held), center) == "wait"
    assert choice(rule(idle_last_rep=-5), center) == "serve:email:oldest"
