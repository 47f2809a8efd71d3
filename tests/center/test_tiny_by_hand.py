"""The day of the scenario `tiny`, worked by hand from DESIGN section 3 and the scenario file.

Reps: E (group early, 09:00 to 09:15) and L (group late, 09:00 to 10:00). Contacts A to I are those of the
file. Prices a second: holding a callback 0.01 USD, picking up 30 / 3600 USD, overtime 40 / 3600 USD.

    09:00:00  E and L come; nothing to do, nobody is asked.
    09:05:00  e-mail A (1,000 USD, due 09:25:00).             E, first of two equally idle, serves it.
    09:06:00  call B (500 USD).                               Assigned to L, who is busy until 09:11:00.
    09:08:00  call C (10,000 USD).                            Interrupts E: A has 180 s done, 420 s left.
    09:09:00  call D (2,000 USD). Nobody to interrupt.        Offered a callback, accepts: due 09:14:00.
    09:10:00  call F (3,000 USD, patience until 09:12:00).    Waits.
    09:10:20  F passes the threshold of 20 s.                 Asked again; waits.
    09:10:30  call G (1,000 USD, at risk): one call waits already, so it is blocked.
    09:11:00  L ends B.                                       F is left; L serves callback D until 09:16.
    09:12:00  F hangs up after 120 s.
    09:13:00  E ends C.                                       E resumes A, picking up until 09:15:00.
    09:14:00  D, in service, passes its due time.
    09:14:30  call H (100 USD).                               Interrupts E's pick-up; until 09:19:30.
    09:15:00  E's shift ends: overtime.
    09:16:00  L ends D, 120 s late; A is E's own, so there is nothing for L.
    09:19:30  E ends H and goes home after 270 s of overtime; A is open to L, who serves it.
    09:21:30  L has picked up A for 120 s and works the 420 s left.
    09:25:00  A passes its due time.
    09:28:30  L ends A, 210 s late, with an error for sure: rework of 300 s comes back after 600 s.
    09:38:30  the rework of A is there, due 09:58:30.         L waits, and is asked again after 120 s.
    09:40:30                                                  L serves it until 09:45:30.
    10:00:00  L goes home.
    10:30:00  e-mail I (1,000 USD, due 10:50:00); nobody is there.
    10:50:00  I passes its due time.
    24:00:00  the horizon.
"""

from typing import NamedTuple

import numpy as np
import pytest
from playing import step_costs_usd

from envs import BlendedCenter
from envs.interface.cost_terms import COST_TERMS


def at(clock: str) -> float:
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return hours * 3600.0 + minutes * 60.0 + seconds


class Decision(NamedTuple):
    """What is asked, what is answered, and the costs in USD from the answer until the next question."""

    clock: str
    subject: str
    open_actions: set[str]
    action: str
    cost_usd: dict[str, float]


DAY = (
    Decision("09:05:00", "rep 0", {"serve:email:oldest", "wait"}, "serve:email:oldest", {}),
    Decision(
        "09:06:00", "a voice contact of 500 USD", {"assign:longest_idle", "hold", "wait"}, "assign:longest_idle", {}
    ),
    Decision(
        "09:08:00",
        "a voice contact of 10,000 USD",
        {"interrupt:least_value_at_stake", "offer_callback", "wait"},
        "interrupt:least_value_at_stake",
        {"interruption": 2.0},  # the price of an interruption
    ),
    Decision(
        "09:09:00",
        "a voice contact of 2,000 USD",
        {"offer_callback", "wait"},
        "offer_callback",
        {"callback": 3.0, "backlog": 0.6},  # D is held for 60 s until 09:10:00: 60 * 0.01
    ),
    Decision(
        "09:10:00",
        "a voice contact of 3,000 USD",
        {"offer_callback", "wait"},
        "wait",
        {"backlog": 0.2},  # 20 s until 09:10:20: 20 * 0.01
    ),
    Decision(
        "09:10:20",
        "a voice contact of 3,000 USD",
        {"offer_callback", "wait"},
        "wait",
        # Until 09:11:00. G is blocked, at risk: 1 + 1,000 * 0.01 * 2 = 21. D is held for 40 s.
        {"blocked": 21.0, "backlog": 0.4},
    ),
    Decision("09:11:00", "a voice contact of 3,000 USD", {"assign:longest_idle", "hold", "wait"}, "wait", {}),
    Decision(
        "09:11:00",
        "rep 1",
        {"serve:voice:oldest", "serve:callback:oldest", "wait"},
        "serve:callback:oldest",
        # Until 09:13:00. F hangs up: 100 s beyond the threshold are a rise of 100 * 0.0001 = 0.01, so
        # 3,000 * 0.01 = 30; retention is 0.99 then, and 4 + 3,000 * 0.99 * 0.1 = 301. D is held for 120 s.
        {"wait": 30.0, "abandonment": 301.0, "backlog": 1.2},
    ),
    Decision(
        "09:13:00",
        "rep 0",
        {"resume", "wait"},
        "resume",
        # Until 09:14:30. The promise to D is broken: 5 + 2,000 * 0.01 = 25. D is held for 90 s.
        {"broken_promise": 25.0, "backlog": 0.9},
    ),
    Decision(
        "09:14:30",
        "a voice contact of 100 USD",
        {"interrupt:least_value_at_stake", "offer_callback", "wait"},
        "interrupt:least_value_at_stake",
        {
            # The price of an interruption, and 90 s of pick-up: 2 + 90 * 30 / 3600.
            "interruption": 2.75,
            # D ends 120 s late, retention 0.99, a rise of 120 / 12,000 = 0.01: 2,000 * 0.99 * 0.01.
            "broken_promise": 19.8,
            "backlog": 0.9,  # D is held for 90 s more, until 09:16:00
            "handling": 3.0,  # overtime from 09:15:00 to 09:19:30: 270 * 40 / 3600
        },
    ),
    Decision(
        "09:19:30",
        "rep 1",
        {"serve:email:oldest", "wait"},
        "serve:email:oldest",
        {
            "interruption": 1.0,  # 120 s of pick-up: 120 * 30 / 3600
            # A is due: 5 + 1,000 * 0.01 = 15, retention 0.99. It ends 210 s late, a rise of
            # 210 / 6000 = 0.035: 1,000 * 0.99 * 0.035 = 34.65, retention 0.99 * 0.965 = 0.95535.
            "lateness": 15.0 + 34.65,
            # Two interruptions make an error sure: 10 + 1,000 * 0.95535 * 0.02.
            "error": 29.107,
        },
    ),
    Decision("09:38:30", "rep 1", {"serve:email:oldest", "wait"}, "wait", {}),
    Decision(
        "09:40:30",
        "rep 1",
        {"serve:email:oldest", "wait"},
        "serve:email:oldest",
        # I is due at 10:50:00: 5 + 1,000 * 0.01 = 15, retention 0.99. The horizon finds it still to be
        # done, and whenever that will be, it will be more than 13 h late, a rise of 0.6 an hour but at
        # most 0.1: 1,000 * 0.99 * 0.1 = 99.
        {"lateness": 15.0 + 99.0},
    ),
)

COST_OF_DAY_USD = {
    "abandonment": 301.0,
    "wait": 30.0,
    "lateness": 49.65 + 114.0,
    "broken_promise": 25.0 + 19.8,
    "error": 29.107,
    "interruption": 2.0 + 2.75 + 1.0,
    "callback": 3.0,
    "backlog": 4.2,  # D from 09:09:00 to 09:16:00: 420 * 0.01
    "blocked": 21.0,
    "handling": 3.0,
}
TOTAL_USD = 605.507

METRICS = {
    "total_cost_usd": TOTAL_USD,
    "account_loss_usd": 347.0 + 172.757 + 39.8,
    # E: A 180 s, C 300 s, pick-up 90 s, H 300 s. L: B 300 s, D 300 s, A 120 + 420 s, rework 300 s.
    # On the floor: E 900 s and 270 s of overtime, L 3,600 s.
    "occupancy_frac": (870.0 + 1440.0) / 4770.0,
    "pick_up_min": 3.5,
    "overtime_min": 4.5,
    "contacts_per_rep_hour": 6 / (4770.0 / 3600.0),
    "cost_per_contact_usd": TOTAL_USD / 6,
    "interruptions": 2.0,
    "decisions": 13.0,
    "substituted": 0.0,
    "lost": 0.0,
    "voice.arrived": 6.0,
    "voice.blocked_frac": 1 / 6,
    "voice.completed": 3.0,
    "voice.wait_prob": 1 / 5,  # F, of B, C, D, F, H
    "voice.mean_wait_s": 120.0 / 5,
    "voice.mean_wait_started_s": 0.0,
    "voice.mean_wait_abandoned_s": 120.0,
    "voice.mean_cycle_s": 300.0,
    "voice.mean_handle_s": 300.0,
    "voice.mean_waiting": 120.0 / 86_400.0,
    "voice.mean_in_service": 900.0 / 86_400.0,
    "voice.left_open": 0.0,
    "voice.service_level_frac": 3 / 5,
    "voice.abandoned_frac": 1 / 6,
    "voice.redialled": 0.0,
    "voice.callbacks_offered": 1.0,
    "voice.callbacks_accepted": 1.0,
    "voice.account_loss_usd": 30.0 + 297.0 + 20.0,
    "email.arrived": 3.0,  # A, its rework, I
    "email.completed": 2.0,
    "email.wait_prob": 1 / 3,  # the rework
    "email.mean_wait_s": 120.0 / 2,
    "email.mean_cycle_s": (1410.0 + 420.0) / 2,
    "email.mean_handle_s": (600.0 + 300.0) / 2,
    "email.mean_waiting": (120.0 + 48_600.0) / 86_400.0,  # the rework; I from 10:30:00 to midnight
    "email.mean_suspended": (300.0 + 300.0) / 86_400.0,  # A while E is on C and on H
    "email.mean_in_service": (180.0 + 90.0 + 540.0 + 300.0) / 86_400.0,
    "email.mean_open": (48_720.0 + 600.0 + 1110.0) / 86_400.0,
    "email.on_time_frac": 1 / 3,  # the rework; A and I are late
    "email.left_open": 1.0,
    "email.left_overdue": 1.0,
    "email.left_age_s": 48_600.0,
    "email.interruptions_per_contact": 1.0,
    "email.pick_up_frac": (90.0 + 120.0) / 86_400.0,
    "email.errors_frac": 1 / 2,
    "email.reworked": 1.0,
    "email.account_loss_usd": 10.0 + 34.65 + 19.107 + 10.0 + 99.0,
    "callback.arrived": 1.0,
    "callback.completed": 1.0,
    "callback.mean_wait_s": 120.0,
    "callback.mean_cycle_s": 420.0,
    "callback.mean_handle_s": 300.0,
    "callback.on_time_frac": 0.0,
    "callback.account_loss_usd": 20.0 + 19.8,
}


@pytest.fixture
def center() -> BlendedCenter:
    return BlendedCenter("tiny", on_masked_action="raise", render_mode="ansi")


def test_every_decision_comes_at_its_second_with_its_actions_and_costs(center):
    _, info = center.reset(seed=0)
    clocks = [decision.clock for decision in DAY[1:]] + ["24:00:00"]
    for i, (decision, next_clock) in enumerate(zip(DAY, clocks, strict=True)):
        assert info["time_s"] == at(decision.clock), decision
        assert f"asked about {decision.subject}:" in center.render(), decision
        open_actions = {center.action_names[k] for k in np.flatnonzero(center.action_masks())}
        assert open_actions == decision.open_actions, decision
        _, reward, terminated, truncated, info = center.step(center.action_names.index(decision.action))
        assert info["elapsed_s"] == at(next_clock) - at(decision.clock), decision
        expected = dict.fromkeys(COST_TERMS, 0.0) | decision.cost_usd
        assert step_costs_usd(info) == pytest.approx(expected, rel=1e-12, abs=1e-12), decision
        assert reward == pytest.approx(-sum(decision.cost_usd.values()), rel=1e-12), decision
        assert terminated == (i == len(DAY) - 1)
        assert not truncated
    assert info["time_s"] == at("24:00:00")
    metrics = center.metrics()
    by_hand = METRICS | {f"cost_{term}_usd": usd for term, usd in COST_OF_DAY_USD.items()}
    assert {key: metrics[key] for key in by_hand} == pytest.approx(by_hand, rel=1e-12)


def test_the_hand_calculation_adds_up():
    # These are worked by hand in tests/simulator/test_completion.py and test_statement_of_work.py.
    elsewhere = {"unresolved", "forgone", "sow_penalty", "fairness"}
    assert set(COST_TERMS) - set(COST_OF_DAY_USD) == elsewhere
    for term in COST_OF_DAY_USD:
        by_step = sum(decision.cost_usd.get(term, 0.0) for decision in DAY)
        assert by_step == pytest.approx(COST_OF_DAY_USD[term])
        assert by_step > 0, f"the day has no example of {term}"
    assert sum(COST_OF_DAY_USD.values()) == pytest.approx(TOTAL_USD)


def test_the_day_is_the_same_under_every_seed(center):
    costs = []
    for seed in (1, 2, 3):
        center.reset(seed=seed)
        costs.append([center.step(center.action_names.index(decision.action))[1] for decision in DAY])
    assert costs[0] == costs[1] == costs[2]


def test_a_masked_action_is_refused_by_name_before_anything_changes(center):
    center.reset(seed=0)
    with pytest.raises(ValueError, match=r"resume.*serve:email:oldest"):
        center.step(center.action_names.index("resume"))
    info = center.step(center.action_names.index("serve:email:oldest"))[4]
    assert info["time_s"] == at("09:06:00")
