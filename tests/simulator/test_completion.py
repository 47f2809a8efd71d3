"""How contacts end: deferred, unresolved, escalated, unreached; who works how fast (D3, D4, D10, D13).

Accounts of 1,000 USD, one rep, fixed times; chances are 0 or 1 where an order of events is worked by hand.
"""

from typing import Any

import numpy as np
import pytest
from playing import EMAIL, VOICE, Center, channel, contact, day, finish

from agents.episodes import play_episodes
from agents.rules.rule_policy import RulePolicy
from envs.counts import add_counts
from envs.metrics import compute_metrics

NEVER_REACHED = 1e-12
ALWAYS = {"prob": 1.0}


def call(at_s: float, channel_name: str = "voice", **needs: Any) -> dict[str, Any]:
    return contact(at_s, channel_name, 1000, **needs)


# Deferral (D3) ------------------------------------------------------------------------------------

DEFERRING_VOICE = channel(VOICE, follow_up={**ALWAYS, "after": 3600, "window_s": 1800, "to": "email", "work_frac": 0.5})


def test_a_contact_that_ends_deferred_comes_back_in_its_window_and_not_before():
    center = Center(day([DEFERRING_VOICE, EMAIL], call(100)))
    center.do("assign:longest_idle")  # 100 to 400 s; the window opens at 400 + 3,600
    assert center.time_s == 4000
    assert "serve:email:oldest" in center.open
    center.do("serve:email:oldest")  # 0.5 * 300 = 150 s
    metrics = finish(center)
    assert metrics["voice.deferred"] == metrics["voice.completed"] == 1
    assert metrics["email.arrived"] == metrics["email.completed"] == 1
    assert metrics["email.mean_cycle_s"] == 150
    assert metrics["email.on_time_frac"] == 1
    assert np.isnan(metrics["voice.fcr_frac"])  # a deferred contact is neither resolved nor unresolved


def test_a_follow_up_for_which_no_rep_is_free_in_the_window_is_late():
    email = channel(EMAIL, costs={"late_usd": 7})
    # The second call has the rep from 3,990 to 6,990 s; the window of the first one's follow-up is 4,000 to 5,800 s.
    center = Center(day([DEFERRING_VOICE, email], call(100), call(3990, handle_time=3000)))
    center.do("assign:longest_idle").do("assign:longest_idle")
    assert center.time_s == 6990
    center.do("serve:email:oldest")
    # The second call's own follow-up opens at 6,990 + 3,600 s, and is served in its window.
    assert center.time_s == 10590
    metrics = finish(center.do("serve:email:oldest"))
    assert metrics["cost_lateness_usd"] == 7
    assert metrics["email.on_time_frac"] == 0.5


# Resolution (D13) ---------------------------------------------------------------------------------


def test_a_caller_without_end_of_patience_who_returns_is_asked_about_again():
    voice = {key: value for key, value in VOICE.items() if key != "patience"}
    returns = channel(voice, resolution={"prob": 0, "returns": {**ALWAYS, "after": 1000}})
    center = Center(day([returns, EMAIL], call(0)))
    center.do("assign:longest_idle")  # to 300 s; back at 1,300 s
    assert center.time_s == 1300
    center.do("wait").do("wait")  # for the caller and for the rep
    assert (center.time_s, center.subject[0]) == (1320, "contact")  # the threshold of 20 s passes


def test_an_unresolved_contact_costs_and_returns_by_another_channel():
    voice = channel(
        VOICE,
        resolution={"prob": 0, "returns": {**ALWAYS, "after": 1000, "to": "email", "work_frac": 2}},
        harm={"unresolved_prob": 0.01},
        costs={"unresolved_usd": 5},
    )
    center = Center(day([voice, EMAIL], call(0)))
    center.do("assign:longest_idle")  # 0 to 300 s
    assert center.time_s == 1300
    center.do("serve:email:oldest")  # 2 * 300 s
    metrics = finish(center)
    assert metrics["cost_unresolved_usd"] == pytest.approx(5 + 1000 * 0.01)
    assert metrics["voice.unresolved"] == metrics["voice.returned"] == 1
    assert metrics["voice.fcr_frac"] == 0
    assert metrics["email.mean_handle_s"] == 600
    assert np.isnan(metrics["email.fcr_frac"])  # the customer's second contact


def test_a_contact_is_resolved_where_the_scenario_says_nothing():
    metrics = finish(Center(day([VOICE, EMAIL], call(0))).do("assign:longest_idle"))
    assert metrics["voice.fcr_frac"] == 1
    assert metrics["voice.unresolved"] == metrics["cost_unresolved_usd"] == 0


def test_a_live_transfer_is_real_time_and_an_internal_escalation_is_deferred():
    expert = channel(VOICE, name="expert", patience=50, costs={"abandonment_usd": 3})
    escalation = channel(EMAIL, name="escalation", due={"after_s": 500})
    to = {target: {"prob": 0, "escalates": {**ALWAYS, "to": target}} for target in ("expert", "escalation")}
    # Live: the customer is in the expert queue at 300 s, patient for 50 s.
    live = Center(day([channel(VOICE, resolution=to["expert"]), expert], call(0))).do("assign:longest_idle")
    assert (live.time_s, live.subject[0]) == (300, "contact")
    live.wait_until(349)
    metrics = finish(live)
    assert metrics["expert.abandoned_frac"] == 1
    assert metrics["expert.mean_wait_abandoned_s"] == 50
    assert metrics["cost_abandonment_usd"] == 3
    # Internal: it may wait, and is late at 300 + 500 s.
    inside = Center(day([channel(VOICE, resolution=to["escalation"]), escalation], call(0))).do("assign:longest_idle")
    assert (inside.time_s, inside.subject[0]) == (300, "rep")
    metrics = finish(inside.wait_until(700).do("serve:escalation:oldest"))
    assert metrics["voice.escalated"] == metrics["escalation.completed"] == 1
    assert metrics["escalation.on_time_frac"] == 0  # 300 s of work from 700 s on end after 800 s


def test_a_transferred_caller_is_there_before_anyone_is_asked():
    expert = channel(VOICE, name="expert")
    voice = channel(VOICE, resolution={"prob": 0, "escalates": {**ALWAYS, "to": "expert"}})
    center = Center(day([voice, expert, EMAIL], call(0), call(100, "email"))).do("assign:longest_idle")
    # At 300 s the rep is free for the e-mail, but the caller whom the rep has just transferred comes first.
    assert (center.time_s, center.subject[0]) == (300, "contact")
    center.do("wait")
    assert center.open == {"serve:expert:oldest", "serve:email:oldest", "wait"}


def test_the_chance_of_resolution_is_the_channels_times_the_groups():
    arrivals = {"rate_per_hour": 20, "day_factor_cv": 0}
    voice = channel(VOICE, arrivals=arrivals, resolution={"prob": 0.8}, handle_time=1)
    groups = [{"name": "all", "count": 9, "skills": ["voice"], "proficiency": {"voice": {"resolution": 0.75}}}]
    scenario = day([voice], groups=groups, horizon={"days": 20})
    metrics = compute_metrics(scenario, play_episodes(scenario, RulePolicy("fifo", scenario), 0, np.arange(1))[0])
    # 0.8 * 0.75 = 0.6 of about 20 * 24 * 20 = 9,600 calls: standard error sqrt(0.6 * 0.4 / 9600) = 0.005
    assert metrics["voice.fcr_frac"] == pytest.approx(0.6, abs=0.02)
    assert metrics["voice.unresolved"] / metrics["voice.completed"] == pytest.approx(0.4, abs=0.02)


# Outbound attempts (D4) ---------------------------------------------------------------------------


def outbound(prob: float, after_s: float = 7200, **changes: Any) -> dict[str, Any]:
    reach = {"prob": prob, "attempt_s": 60, "retry_after_s": 600, "max_attempts": 3}
    costs = {"late_usd": 11}
    return {
        "name": "callback",
        "kind": "deferred",
        "handle_time": 300,
        "due": {"after_s": after_s},
        "reach": reach,
        "promised": True,
        "costs": costs,
    } | changes


def test_a_customer_who_is_never_reached_is_tried_again_and_given_up():
    center = Center(day([VOICE, outbound(NEVER_REACHED)], call(0, "callback")))
    for start_s in (0, 660, 1320):  # 60 s an attempt, 600 s between them
        assert center.time_s == start_s
        center.do("serve:callback:oldest")
    metrics = finish(center)
    assert metrics["callback.attempts"] == 3
    assert metrics["callback.reached_frac"] == 0
    assert metrics["callback.given_up"] == 1
    assert metrics["callback.completed"] == metrics["callback.left_open"] == 0
    assert metrics["cost_broken_promise_usd"] == 11
    assert metrics["occupancy_frac"] == pytest.approx(180 / 86400)


def test_a_promise_missed_between_two_attempts_is_broken_then_and_once():
    center = Center(day([VOICE, outbound(NEVER_REACHED, after_s=300)], call(0, "callback")))
    center.do("serve:callback:oldest")
    assert center.time_s == 660
    assert center.metrics["cost_broken_promise_usd"] == 11
    center.do("serve:callback:oldest").do("serve:callback:oldest")
    metrics = finish(center)
    assert metrics["cost_broken_promise_usd"] == 11
    assert metrics["callback.on_time_frac"] == 0
    assert center.record["queues"]["overdue"][1] == 0


def test_a_reached_customer_is_served_whole():
    center = Center(day([VOICE, outbound(1.0)], call(0, "callback")))
    assert center.do("serve:callback:oldest").wait_until(np.inf).is_done
    metrics = center.metrics
    assert metrics["callback.completed"] == 1
    assert metrics["callback.mean_handle_s"] == 300


def test_attempts_reach_their_share_of_the_customers():
    arrivals = {"rate_per_hour": 20, "day_factor_cv": 0}
    scenario = day([outbound(0.5, arrivals=arrivals, handle_time=1)], horizon={"days": 20})
    metrics = compute_metrics(
        scenario, add_counts(play_episodes(scenario, RulePolicy("fifo", scenario), 0, np.arange(1)))
    )
    # Of about 9,600 customers 1 - 0.5^3 = 0.875 are reached in three attempts: standard error 0.0034.
    assert metrics["callback.completed"] / metrics["callback.arrived"] == pytest.approx(0.5, abs=0.02)
    assert metrics["callback.given_up"] * 7 == pytest.approx(metrics["callback.completed"], rel=0.12)
    assert metrics["callback.reached_frac"] == pytest.approx(0.5, abs=0.02)


def test_the_network_sees_the_chance_to_reach():
    center = Center(day([VOICE, outbound(0.25)], call(0, "callback")))
    place = [field.name for field in center.observation_fields.candidates].index("reach_prob")
    row = center.action_names.index("serve:callback:oldest")
    assert center._observe()["candidates"][row, place] == np.float32(0.25)


# Approval of callbacks (D4) -----------------------------------------------------------------------


@pytest.mark.parametrize(("opens_after_s", "start_s"), [(0, 1100), (500, 1600)])
def test_an_accepted_callback_waits_for_approval_and_for_its_window(opens_after_s, start_s):
    offer = {"to": "callback", "accept_prob": 1.0, "approval_delay_s": 900}
    due = {"after_s": 2000, "opens_after_s": opens_after_s}
    channels = [channel(VOICE, callback_offer=offer), outbound(1.0, due=due)]
    # The first call has the rep until 300 s. The second is offered a callback at 200 s: approved at 1,100 s.
    center = Center(day(channels, call(0), call(200)))
    center.do("assign:longest_idle").do("offer_callback")
    assert center.time_s == start_s
    center.do("serve:callback:oldest")
    metrics = finish(center)
    assert metrics["callback.completed"] == 1
    assert metrics["voice.callbacks_refused"] == 0


def test_a_refused_callback_breaks_the_promise():
    offer = {"to": "callback", "accept_prob": 1.0, "refusal_prob": 1.0}
    center = Center(day([channel(VOICE, callback_offer=offer), outbound(1.0)], call(0), call(200)))
    metrics = finish(center.do("assign:longest_idle").do("offer_callback"))
    assert metrics["voice.callbacks_refused"] == metrics["voice.callbacks_accepted"] == 1
    assert metrics["callback.arrived"] == 0
    assert metrics["cost_broken_promise_usd"] == 11


# Proficiency (D10) --------------------------------------------------------------------------------


def test_a_fast_rep_takes_less_time_also_after_an_interruption():
    groups = [{"name": "all", "count": 1, "skills": ["voice", "email"], "proficiency": {"email": {"speed": 2.0}}}]
    center = Center(day([VOICE, EMAIL], call(0, "email"), call(100), groups=groups))
    center.do("serve:email:oldest").do("interrupt:least_value_at_stake")
    # Done at 100 s: 200 of 600 s of work. The call ends at 400 s; 60 s of pick-up; 400 / 2 = 200 s of work are left.
    center.do("resume")
    metrics = finish(center)
    assert metrics["email.mean_cycle_s"] == pytest.approx(400 + 60 + 200)
    assert metrics["email.mean_handle_s"] == pytest.approx(100 + 200)
    assert metrics["occupancy_frac"] == pytest.approx((660) / 86400)


def test_the_expected_work_is_that_of_the_rep_in_question():
    groups = [{"name": "all", "count": 1, "skills": ["voice", "email"], "proficiency": {"email": {"speed": 2.0}}}]
    center = Center(day([VOICE, EMAIL], call(0, "email"), groups=groups))
    place = [field.name for field in center.observation_fields.candidates].index("expected_work_s")
    row = center.action_names.index("serve:email:oldest")
    assert center._observe()["candidates"][row, place] == pytest.approx(300)
