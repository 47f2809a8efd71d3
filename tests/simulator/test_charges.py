"""Every cost term on a small example worked by hand, and the charge at the horizon.

Unless a test says otherwise: one rep, always there; accounts of 1,000 USD; nothing charged at the horizon.
"""

from typing import Any

import numpy as np
import pytest
from playing import EMAIL, VOICE, Center, channel, contact, scripted

from agents.episodes import play_episodes
from agents.policy import Observations, Policy
from agents.rules.rule_policy import RulePolicy
from envs.counts import read_counts
from envs.interface.cost_terms import COST_TERMS
from envs.interface.units import DAY_S
from envs.metrics import compute_metrics
from envs.scenario.scenario import Scenario, load_scenario


def day(channels: list[dict[str, Any]], *contacts: dict[str, Any], **keys: Any) -> Scenario:
    skills = [entry["name"] for entry in channels]
    groups = [{"name": "all", "count": 1, "skills": skills}]
    keys = {"terminal_charge": "none", "channels": channels, "reps": groups} | keys
    return scripted(*contacts, **keys)


def play(scenario: Scenario, *actions: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return the costs that are not 0, by term, and all metrics of a day with these actions, then waits."""
    center = Center(scenario)
    for action in actions:
        center.do(action)
    if center.record["done"] == 0:
        center.wait_until(np.inf)
    metrics = compute_metrics(scenario, read_counts(center.record))
    costs = {term: metrics[f"cost_{term}_usd"] for term in COST_TERMS if metrics[f"cost_{term}_usd"] != 0.0}
    assert metrics["total_cost_usd"] == pytest.approx(sum(costs.values()))
    return costs, metrics


def value(at_s: float, channel_name: str = "voice", **needs: Any) -> dict[str, Any]:
    """A contact of 1,000 USD."""
    return contact(at_s, channel_name, 1000, **needs)


def test_nothing_is_charged_when_nothing_goes_wrong():
    costs, metrics = play(day([VOICE, EMAIL], value(100)), "assign:longest_idle")
    assert costs == {}
    assert metrics["voice.service_level_frac"] == 1.0


# Real-time contacts -------------------------------------------------------------------------------


def test_abandonment_costs_its_price_and_the_rise_of_the_chance_to_leave():
    voice = channel(VOICE, patience=60, harm={"abandonment_prob": 0.02}, costs={"abandonment_usd": 3})
    costs, metrics = play(day([voice], value(100)))
    assert costs == pytest.approx({"abandonment": 3 + 1000 * 0.02})
    assert metrics["voice.account_loss_usd"] == pytest.approx(20)
    assert metrics["voice.mean_wait_abandoned_s"] == pytest.approx(60)


@pytest.mark.parametrize(("most", "charge_usd"), [(1.0, 50.0), (0.04, 40.0)])
def test_a_wait_is_charged_beyond_the_threshold_up_to_its_maximum(most, charge_usd):
    harm = {"wait_prob_per_min": 0.03, "wait_max_prob": most}
    voice = channel(VOICE, harm=harm, service_level_threshold_s=20)
    # The second call waits for the end of the first, 120 s: 100 s beyond the threshold, a rise of
    # 0.03 * 100 / 60 = 0.05.
    costs, metrics = play(day([voice], value(0), value(180)), "assign:longest_idle", "assign:longest_idle")
    assert costs == pytest.approx({"wait": charge_usd})
    assert metrics["voice.service_level_frac"] == 0.5


def test_a_wait_of_exactly_the_threshold_is_within_the_service_level():
    voice = channel(VOICE, harm={"wait_prob_per_min": 0.03}, service_level_threshold_s=120)
    costs, metrics = play(day([voice], value(0), value(180)), "assign:longest_idle", "assign:longest_idle")
    assert costs == {}
    assert metrics["voice.service_level_frac"] == 1.0


@pytest.mark.parametrize("limit", [{"lines": 2}, {"waiting_limit": 1}])
def test_a_blocked_call_costs_its_price_and_the_rise_of_the_chance_to_leave(limit):
    voice = channel(VOICE, harm={"blocked_prob": 0.01}, costs={"blocked_usd": 2}) | limit
    costs, metrics = play(day([voice], value(0), value(10), value(20)), "assign:longest_idle", "assign:longest_idle")
    assert costs == pytest.approx({"blocked": 2 + 1000 * 0.01})
    assert metrics["voice.blocked_frac"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(("accept_prob", "costs_usd"), [(1, {"callback": 3.0}), (0, {})])
def test_a_callback_is_paid_for_when_it_is_accepted(accept_prob, costs_usd):
    voice = channel(VOICE, callback_offer={"to": "callback", "accept_prob": accept_prob})
    callback = {"name": "callback", "kind": "deferred", "handle_time": 300, "due": {"after_s": 7200}}
    served_later = "serve:callback:oldest" if accept_prob else "assign:longest_idle"
    costs, metrics = play(
        day([voice, callback], value(0), value(10), costs={"callback_usd": 3}),
        "assign:longest_idle",
        "offer_callback",
        served_later,
    )
    assert costs == costs_usd
    assert metrics["voice.callbacks_offered"] == 1
    assert metrics["voice.callbacks_accepted"] == metrics["callback.completed"] == accept_prob


# Deferred contacts --------------------------------------------------------------------------------


@pytest.mark.parametrize(("promised", "term"), [(False, "lateness"), (True, "broken_promise")])
def test_a_missed_due_time_is_charged_when_it_passes_and_by_the_hour_at_completion(promised, term):
    email = channel(EMAIL, due={"after_s": 600}, promised=promised)
    email |= {"harm": {"late_prob": 0.01, "late_prob_per_hour": 0.12}, "costs": {"late_usd": 5}}
    # Served 300 s late: 5 + 10 when the due time passes, then 1,000 * 0.99 * (0.12 * 300 / 3600) = 9.90.
    costs, metrics = play(day([VOICE, email], value(0), value(0, "email")), "assign:longest_idle", "serve:email:oldest")
    assert costs == pytest.approx({term: 5 + 10 + 9.9})
    assert metrics["email.on_time_frac"] == 0.0


def test_the_charge_by_the_hour_has_its_maximum():
    email = channel(EMAIL, due={"after_s": 600}, harm={"late_prob_per_hour": 0.12, "late_max_prob": 0.004})
    costs, _ = play(day([VOICE, email], value(0), value(0, "email")), "assign:longest_idle", "serve:email:oldest")
    assert costs == pytest.approx({"lateness": 4.0})


def test_work_that_ends_at_its_due_time_is_on_time():
    email = channel(EMAIL, due={"after_s": 600}, harm={"late_prob": 0.01}, costs={"late_usd": 5})
    costs, metrics = play(day([VOICE, email], value(0, "email")), "serve:email:oldest")
    assert costs == {}
    assert metrics["email.on_time_frac"] == 1.0


def test_holding_is_charged_from_arrival_to_completion_suspension_and_pick_up_included():
    email = channel(EMAIL, costs={"holding_usd_per_hour": 3.6})
    scenario = day([VOICE, email], value(0, "email"), value(200))
    # 200 s of work, 300 s suspended, 60 s of pick-up, 400 s of work, at 0.001 USD a second.
    costs, _ = play(scenario, "serve:email:oldest", "interrupt:least_value_at_stake", "resume")
    assert costs == pytest.approx({"backlog": 0.96})


def test_waiting_is_charged_until_the_start_and_more_once_overdue():
    prices = {"waiting_usd_per_hour": 3.6, "overdue_waiting_usd_per_hour": 36}
    email = channel(EMAIL, due={"after_s": 500}, costs=prices)
    # The first is in hand for 600 s. The second waits 600 s, of which it is overdue the last 100 s.
    costs, _ = play(day([email], value(0, "email"), value(0, "email")), "serve:email:oldest", "serve:email:oldest")
    assert costs == pytest.approx({"backlog": 600 * 0.001 + 100 * 0.01})


def test_a_promise_met_by_the_start_is_not_broken_while_the_contact_is_in_hand():
    email = channel(EMAIL, due={"after_s": 700, "met_by": "start"}, harm={"late_prob": 0.01})
    # The first starts at once, the second after 600 s, and both end after their due time.
    scenario = day([email], value(0, "email", handle_time=600), value(0, "email", handle_time=900))
    costs, metrics = play(scenario, "serve:email:oldest", "serve:email:oldest")
    assert costs == {}
    assert metrics["email.on_time_frac"] == 1.0


def test_hours_overdue_end_with_the_start_that_meets_the_promise():
    late = {"late_prob": 0.01, "late_prob_per_hour": 0.36}
    email = channel(EMAIL, due={"after_s": 500, "met_by": "start"}, harm=late)
    scenario = day([email], value(0, "email"), value(0, "email"))
    costs, metrics = play(scenario, "serve:email:oldest", "serve:email:oldest")
    # The second, of a 1,000 USD account, is started 100 s late: 10 USD, then 990 USD * 0.36 * 100 / 3600.
    assert costs == pytest.approx({"lateness": 10 + 990 * 0.36 * 100 / 3600})
    assert metrics["email.on_time_frac"] == 0.5


def test_a_promise_met_by_the_start_is_charged_at_the_horizon_if_the_work_would_start_late():
    email = channel(EMAIL, handle_time=MEMORYLESS, due={"after_s": 900, "met_by": "start"}, harm={"late_prob": 0.01})
    # One rep works both off, 600 s each: the second starts 600 s after midnight, due 800 s after it.
    contacts = value(DAY_S - 200, "email"), value(DAY_S - 100, "email")
    assert play(end_of_day(email, *contacts))[0] == {}
    # Had the promise to be met by completion, the second would end 400 s late.
    by_completion = email | {"due": {"after_s": 900}}
    assert play(end_of_day(by_completion, *contacts))[0] == pytest.approx({"lateness": 10})


def test_an_error_is_charged_and_comes_back_as_half_the_work():
    rework = {"name": "rework", "kind": "deferred", "handle_time": 900, "due": {"after_s": 3600}}
    email = channel(EMAIL, harm={"error_prob": 0.03}, costs={"error_usd": 7})
    email |= {"error": {"prob": 1, "rework": {"to": "rework", "delay_s": 1200, "work_frac": 0.5}}}
    costs, metrics = play(day([VOICE, email, rework], value(0, "email")), "serve:email:oldest", "serve:rework:oldest")
    assert costs == pytest.approx({"error": 7 + 1000 * 0.03})
    assert metrics["email.errors_frac"] == metrics["email.reworked"] == 1.0
    assert metrics["rework.mean_handle_s"] == pytest.approx(300)  # half of the e-mail's own 600 s
    assert metrics["rework.mean_wait_s"] == 0.0


def test_rework_pays_for_its_own_lateness():
    rework = {"name": "rework", "kind": "deferred", "handle_time": 900, "due": {"after_s": 100}}
    rework |= {"costs": {"late_usd": 4}}
    email = channel(EMAIL, error={"prob": 1, "rework": {"to": "rework", "delay_s": 0, "work_frac": 1}})
    costs, _ = play(day([VOICE, email, rework], value(0, "email")), "serve:email:oldest", "serve:rework:oldest")
    assert costs == pytest.approx({"lateness": 4})


# Interruptions ------------------------------------------------------------------------------------

INTERRUPTION_PRICES = {"interruption_usd": 2, "pick_up_usd_per_hour": 36}


@pytest.mark.parametrize(
    ("mode", "paid_s"),
    [
        ("restart", 40 + 100),  # 40 s lost to the second interruption, then the whole pick-up anew
        ("accumulate", 40 + 60 + 100),  # 40 s, then the unpaid 60 s and a whole one
    ],
)
def test_interruptions_cost_their_price_and_the_pick_up_time_by_mode(mode, paid_s):
    email = channel(EMAIL, pick_up=100, pick_up_mode=mode)
    scenario = day([VOICE, email], value(0, "email"), value(200), value(540), costs=INTERRUPTION_PRICES)
    # Interrupted at 200 for a call of 300 s; picked up from 500; the pick-up interrupted at 540.
    costs, metrics = play(
        scenario,
        "serve:email:oldest",
        "interrupt:least_value_at_stake",
        "resume",
        "interrupt:least_value_at_stake",
        "resume",
    )
    assert costs == pytest.approx({"interruption": 2 * 2 + paid_s * 0.01})
    assert metrics["email.interruptions_per_contact"] == 2
    assert metrics["email.pick_up_frac"] == pytest.approx(paid_s / DAY_S)
    assert metrics["email.mean_cycle_s"] == pytest.approx(600 + 2 * 300 + paid_s)


def test_each_interruption_raises_the_chance_of_an_error():
    email = channel(EMAIL, error={"prob": 0, "per_interruption_prob": 1}, costs={"error_usd": 7})
    scenario = day([VOICE, email], value(0, "email"), value(200))
    undisturbed, _ = play(scenario, "serve:email:oldest")
    disturbed, _ = play(scenario, "serve:email:oldest", "interrupt:least_value_at_stake", "resume")
    assert undisturbed == {}
    assert disturbed == pytest.approx({"error": 7})


def test_a_suspended_contact_whose_rep_has_left_costs_the_next_rep_a_pick_up():
    groups = [
        {
            "name": "early",
            "count": 1,
            "skills": ["voice", "email"],
            "shifts": [{"start": "00:00", "end": "00:10"}],
        },
        {
            "name": "late",
            "count": 1,
            "skills": ["voice", "email"],
            "shifts": [{"start": "00:20", "end": "01:00"}],
        },
    ]
    contacts = value(0, "email"), value(200)
    scenario = day([VOICE, channel(EMAIL, pick_up=100)], *contacts, reps=groups, costs=INTERRUPTION_PRICES)
    # Suspended at 200, the call ends at 500, nobody resumes; at 00:20 the other rep takes it.
    center = Center(scenario).do("serve:email:oldest").do("interrupt:least_value_at_stake").wait_until(1200)
    assert center.open == {"serve:email:oldest", "wait"}
    center.do("serve:email:oldest")
    assert center.is_done
    assert center.metrics["cost_interruption_usd"] == pytest.approx(2 + 100 * 0.01)
    assert center.metrics["email.mean_cycle_s"] == pytest.approx(1200 + 100 + 400)


# The rest -----------------------------------------------------------------------------------------


def test_overtime_is_charged_from_the_end_of_the_shift_to_the_end_of_the_contact():
    groups = [{"name": "all", "count": 1, "skills": ["voice"], "shifts": [{"start": "00:00", "end": "00:10"}]}]
    costs, metrics = play(
        day([VOICE], value(540), reps=groups, costs={"overtime_usd_per_hour": 45}), "assign:longest_idle"
    )
    assert costs == pytest.approx({"handling": 45 * 240 / 3600})
    assert metrics["overtime_min"] == pytest.approx(4)
    assert metrics["occupancy_frac"] == pytest.approx(300 / (600 + 240))


def test_harms_of_one_customer_combine_to_less_than_their_sum():
    harm = {"wait_prob_per_min": 0.05, "abandonment_prob": 0.1}
    costs, metrics = play(day([channel(VOICE, patience=80, harm=harm)], value(0)))
    assert costs == pytest.approx({"wait": 50, "abandonment": 1000 * 0.95 * 0.1})
    assert metrics["account_loss_usd"] == pytest.approx(1000 * (1 - 0.95 * 0.9))


def test_harms_combine_over_all_attempts_of_a_customer():
    voice = channel(VOICE, patience=60, harm={"abandonment_prob": 0.1}, redial={"prob": 1, "delay": 3600})
    costs, metrics = play(day([voice], value(0)))
    attempts = metrics["voice.arrived"]
    assert attempts == 24  # at 0 s and every 60 + 3,600 s: 23 * 3,660 < 86,400
    assert costs == pytest.approx({"abandonment": 1000 * (1 - 0.9**attempts)})


@pytest.mark.parametrize(("rise", "charge_usd"), [(0.02, 100.0), (0.3, 1000.0)])
def test_customers_at_risk_react_more_strongly_but_can_leave_only_once(rise, charge_usd):
    voice = channel(VOICE, patience=60, harm={"abandonment_prob": rise})
    scenario = day([voice], value(0, at_risk_prob=1), churn={"at_risk_multiplier": 5})
    assert play(scenario)[0] == pytest.approx({"abandonment": charge_usd})


def test_a_weight_scales_its_term_but_not_the_loss_of_accounts():
    voice = channel(VOICE, patience=60, harm={"abandonment_prob": 0.02}, costs={"abandonment_usd": 3})
    costs, metrics = play(day([voice], value(0), costs={"weights": {"abandonment": 2, "wait": 7}}))
    assert costs == pytest.approx({"abandonment": 46})
    assert metrics["account_loss_usd"] == pytest.approx(20)


def test_costs_count_from_the_end_of_the_warm_up_and_per_calendar_day():
    voice = channel(VOICE, patience=60, costs={"abandonment_usd": 3})
    contacts = value(100), value(DAY_S + 100), value(2 * DAY_S + 100)
    horizon = {"days": 3, "warm_up_days": 1}
    assert play(day([voice], *contacts, horizon=horizon))[0] == pytest.approx({"abandonment": 3})
    assert play(day([voice], *contacts, horizon={"days": 3}))[0] == pytest.approx({"abandonment": 3})


# Sampled churn ------------------------------------------------------------------------------------


class WaitingPolicy:
    """Serves nobody."""

    def predict(self, observations: Observations, deterministic: bool = True) -> np.ndarray:
        return np.zeros(len(observations["action_mask"]), np.int64)


def test_sampled_churn_has_the_mean_of_its_expectation_and_takes_an_account_at_most_once():
    n = 40
    voice = channel(VOICE, patience=80, arrivals={"rate_per_hour": 20, "day_factor_cv": 0})
    voice |= {"harm": {"wait_prob_per_min": 0.1, "abandonment_prob": 0.2}}
    segments = [{"name": "all", "share_frac": 1, "account_value": 1000}]
    base = {"segments": segments, "horizon": {"days": 1}}
    losses_usd = {}
    for mode in ("expectation", "sampled"):
        scenario = day([voice], **base, churn={"mode": mode})
        counts = play_episodes(scenario, WaitingPolicy(), 1, np.arange(n))
        calls = sum(float(count["queue_count"]["abandoned"][0]) for count in counts)
        losses_usd[mode] = np.array([count["cost_usd"].sum() for count in counts])
    expected_usd = 1000 * (1 - 0.9 * 0.8)
    assert losses_usd["expectation"].sum() == pytest.approx(expected_usd * calls)
    assert (losses_usd["sampled"] % 1000 == 0).all()
    error_usd = 1000 * np.sqrt(calls * 0.28 * 0.72)
    assert losses_usd["sampled"].sum() == pytest.approx(expected_usd * calls, abs=4 * error_usd)
    assert losses_usd["sampled"].sum() != pytest.approx(expected_usd * calls)


def test_sampled_churn_charges_a_sure_harm_once_and_whole():
    voice = channel(VOICE, patience=60, harm={"abandonment_prob": 1}, redial={"prob": 1, "delay": 3600})
    assert play(day([voice], value(0), churn={"mode": "sampled"}))[0] == pytest.approx({"abandonment": 1000})


# The charge at the horizon ------------------------------------------------------------------------

MEMORYLESS = {"distribution": "exponential", "mean_s": 600}
"""Remaining work is 600 s on average, whatever was done."""
LATE = {"late_prob": 0.01, "late_prob_per_hour": 0.36}
LONG_S = 1e6


def end_of_day(email: dict[str, Any], *contacts: dict[str, Any], reps: int = 1, **keys: Any) -> Scenario:
    groups = [{"name": "all", "count": reps, "skills": ["voice", "email"]}]
    return day([VOICE, email], *contacts, reps=groups, terminal_charge="expected", **keys)


def test_a_caller_still_waiting_is_charged_as_if_it_hung_up():
    voice = channel(VOICE, harm={"wait_prob_per_min": 0.03, "abandonment_prob": 0.02}, costs={"abandonment_usd": 3})
    costs, metrics = play(day([voice], value(DAY_S - 120), terminal_charge="expected"))
    assert costs == pytest.approx({"wait": 50, "abandonment": 3 + 1000 * 0.95 * 0.02})
    assert metrics["voice.left_open"] == 1
    assert play(day([voice], value(DAY_S - 120)))[0] == {}


@pytest.mark.parametrize(("reps", "late_s"), [(1, (500, 900)), (2, (200, 300))])
def test_waiting_work_is_worked_off_in_order_of_due_time_by_the_reps_there_are(reps, late_s):
    email = channel(EMAIL, handle_time=MEMORYLESS, due={"after_s": 400}, harm=LATE, costs={"late_usd": 5})
    # Due 100 s and 300 s after midnight. One rep ends them at 600 s and 1,200 s, two at 300 s and 600 s.
    contacts = value(DAY_S - 300, "email"), value(DAY_S - 100, "email")
    costs, metrics = play(end_of_day(email, *contacts, reps=reps))
    charges = [5 + 1000 * 0.01 + 1000 * 0.99 * 0.36 * seconds / 3600 for seconds in late_s]
    assert costs == pytest.approx({"lateness": sum(charges)})
    assert metrics["email.left_open"] == 2
    assert metrics["email.left_overdue"] == 0


def test_work_that_can_still_be_done_in_time_costs_nothing_more():
    email = channel(EMAIL, handle_time=MEMORYLESS, due={"after_s": 3600}, harm=LATE, costs={"late_usd": 5})
    assert play(end_of_day(email, value(DAY_S - 100, "email")))[0] == {}


def test_an_overdue_contact_is_charged_its_hours_until_it_would_end_but_not_its_due_time_again():
    email = channel(EMAIL, handle_time=MEMORYLESS, due={"after_s": 400}, harm=LATE, costs={"late_usd": 5})
    # Due 1,200 s before midnight: 5 + 10 then; ends 600 s after it, 1,800 s late.
    costs, _ = play(end_of_day(email, value(DAY_S - 1600, "email")))
    assert costs == pytest.approx({"lateness": 15 + 1000 * 0.99 * 0.18})


def test_a_contact_in_service_ends_after_its_own_remaining_work_and_holds_up_nobody():
    email = channel(EMAIL, handle_time=MEMORYLESS, due={"after_s": 900}, harm=LATE)
    contacts = value(DAY_S - 200, "email", handle_time=LONG_S), value(DAY_S - 100, "email")
    # Both end 600 s after midnight, due at 700 s and 800 s: both in time.
    assert play(end_of_day(email, *contacts), "serve:email:oldest")[0] == {}


def test_holding_goes_on_until_the_work_would_end():
    email = channel(EMAIL, handle_time=MEMORYLESS, costs={"holding_usd_per_hour": 3.6})
    costs, _ = play(end_of_day(email, value(DAY_S - 100, "email")))
    assert costs == pytest.approx({"backlog": (100 + 600) * 0.001})


def test_a_suspended_contact_still_needs_its_pick_up_and_may_still_end_in_error():
    email = channel(EMAIL, handle_time=MEMORYLESS, pick_up=200, due={"after_s": 1000})
    email |= {"harm": LATE | {"error_prob": 0.02}, "costs": {"error_usd": 10}}
    email |= {"error": {"prob": 0.1, "per_interruption_prob": 0.3}}
    contacts = value(DAY_S - 300, "email", handle_time=LONG_S), value(DAY_S - 100)
    # Ends 200 + 600 s after midnight, due at 700 s: 100 s late. Retention is then 0.99 * (1 - 0.01).
    costs, _ = play(
        end_of_day(email, *contacts, costs=INTERRUPTION_PRICES),
        "serve:email:oldest",
        "interrupt:least_value_at_stake",
    )
    retention = 0.99 * 0.99
    assert costs == pytest.approx(
        {
            "interruption": 2 + 200 * 0.01,
            "lateness": 10 + 1000 * 0.99 * 0.01,
            "error": (0.1 + 0.3) * (10 + 1000 * retention * 0.02),
        }
    )


def test_rework_on_its_way_is_open_work_too():
    rework = {"to": "email", "delay_s": 7200, "work_frac": 0.5}
    email = channel(EMAIL, error={"prob": 1, "rework": rework}, due={"after_s": 7200})
    email |= {"costs": {"holding_usd_per_hour": 3.6, "error_usd": 7}}
    costs, _ = play(end_of_day(email, value(DAY_S - 1000, "email")), "serve:email:oldest")
    # 600 s of work before midnight; 300 s of rework after it, which would again end in an error for sure.
    assert costs == pytest.approx({"backlog": (600 + 300) * 0.001, "error": 7 + 7})


def test_real_time_work_leaves_fewer_reps_for_what_is_open():
    voice = channel(VOICE, handle_time=1800, arrivals={"rate_per_hour": 1, "day_factor_cv": 0}, patience=1)
    email = channel(EMAIL, handle_time=MEMORYLESS, costs={"holding_usd_per_hour": 3.6})
    # One rep less half a rep of calls: 600 s of work take 1,200 s.
    scenario = day([voice, email], value(DAY_S - 100, "email"), terminal_charge="expected")
    assert play(scenario)[0] == pytest.approx({"backlog": (100 + 1200) * 0.001})


# Refusing work never pays -------------------------------------------------------------------------


class RefusingPolicy:
    """As `voice_first`, but starts no deferred work from `from_s` seconds before the horizon on."""

    def __init__(self, scenario: Scenario, from_s: float = np.inf) -> None:
        self._inner = RulePolicy("voice_first", scenario)
        layout = self._inner.layout
        self._is_deferred = (layout.queue >= 0) & (layout.real_time[layout.queue] == 0)
        self._from_s = from_s
        self._time_left = 2  # the field `time_left_s`

    def predict(self, observations: Observations, deterministic: bool = True) -> np.ndarray:
        refuses = observations["center"][:, self._time_left] <= self._from_s
        mask = observations["action_mask"].copy()
        mask[np.ix_(refuses, self._is_deferred)] = 0
        return np.maximum(self._inner.predict(observations | {"action_mask": mask}), 0)


def total_usd(scenario: Scenario, policy: Policy, n: int) -> np.ndarray:
    return np.array([count["cost_usd"].sum() for count in play_episodes(scenario, policy, 11, np.arange(n))])


def busy_day() -> Scenario:
    """Seventeen hours that end with the shift and the arrivals, while no e-mail of the day is due yet."""
    open_hours = [0.0] * 9 + [1.0] * 8 + [0.0] * 7

    def arrivals(per_hour: float) -> dict[str, Any]:
        return {"interval_s": 3600, "rate_per_hour": [per_hour * x for x in open_hours], "day_factor_cv": 0.1}

    harm = {"late_prob": 0.005, "late_prob_per_hour": 0.001, "late_max_prob": 0.05}
    voice = channel(VOICE, arrivals=arrivals(20), patience={"distribution": "exponential", "mean_s": 200})
    email = channel(EMAIL, arrivals=arrivals(6), handle_time=MEMORYLESS, due={"after_s": 36_000}, harm=harm)
    shifts = [{"start": "09:00", "end": "17:00"}]
    return Scenario.model_validate(
        {
            "name": "busy_day",
            "horizon": {"days": 17 / 24},
            "channels": [voice | {"harm": {"abandonment_prob": 0.01}}, email],
            "groups": [{"name": "all", "count": 4, "skills": ["voice", "email"], "shifts": shifts}],
            "segments": [{"name": "all", "share_frac": 1, "account_value": 1000}],
        }
    )


SCENARIOS = {
    "bank_day": lambda: load_scenario("bank", ("horizon.days=1",)),
    "bank_two_days": lambda: load_scenario("bank", ("horizon.days=2",)),
    "busy_day": busy_day,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_refusing_all_deferred_work_never_pays(name):
    scenario, n = SCENARIOS[name](), 64
    served_usd = total_usd(scenario, RulePolicy("voice_first", scenario), n)
    refused_usd = total_usd(scenario, RefusingPolicy(scenario), n)
    more_usd = refused_usd - served_usd
    assert more_usd.mean() > 4 * more_usd.std(ddof=1) / np.sqrt(n)
