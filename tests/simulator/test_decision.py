"""Who is asked when, on small scripted centers (DESIGN section 3), and the order of events at the same second."""

import numpy as np
import pytest
from playing import EMAIL, VOICE, Center, channel, contact, scripted, value_of_subject

from envs.interface.units import DAY_S

LATE_THRESHOLD = channel(VOICE, service_level_threshold_s=5000, patience=20_000)
"""A voice channel on which neither threshold nor patience plays a part."""


def questions(center: Center, until_s: float) -> list[tuple[float, str]]:
    """Answer wait up to a time, and return when was asked about whom."""
    asked = []
    while not center.is_done and center.time_s <= until_s:
        asked.append((center.time_s, center.subject[0]))
        center.do("wait")
    return asked


# --- the pass -----------------------------------------------------------------------------------------------


def test_the_contact_that_just_arrived_is_asked_about_first():
    center = Center(scripted(contact(10, value_usd=900), contact(20, value_usd=100)))
    assert (center.time_s, value_of_subject(center)) == (10, 900)
    center.do("wait")
    assert center.subject == ("rep", 0)
    center.do("wait")
    assert (center.time_s, value_of_subject(center)) == (20, 100)
    center.do("wait")
    assert (center.time_s, center.subject) == (20, ("rep", 0))


def test_then_the_oldest_and_the_most_valuable_then_reps():
    center = Center(
        scripted(
            contact(0),
            contact(10, value_usd=500),
            contact(20, value_usd=100),
            contact(30, value_usd=900),
        )
    ).do("assign:longest_idle")
    assert (center.time_s, value_of_subject(center)) == (300, 500)
    center.do("wait")
    assert (center.time_s, value_of_subject(center)) == (300, 900)
    center.do("wait")
    assert (center.time_s, center.subject[0]) == (300, "rep")
    assert center.open == {"wait", "serve:voice:oldest", "serve:voice:most_valuable"}


def test_reps_are_asked_longest_idle_first():
    groups = [
        {"name": "first", "count": 1, "skills": ["voice", "email"]},
        {"name": "second", "count": 1, "skills": ["email", "voice"]},
    ]
    center = Center(scripted(contact(0, handle_time=50), contact(100, "email"), contact(100, "email"), reps=groups)).do(
        "assign:longest_idle"
    )
    assert center.time_s == 100
    assert center.subject == ("rep", 1)  # rep 0 came free at 50
    center.do("wait")
    assert center.subject == ("rep", 0)


def test_any_start_begins_the_pass_anew():
    center = Center(scripted(contact(0), contact(0), contact(10), contact(20), contact(20), reps=2))
    center.do("assign:longest_idle").do("assign:longest_idle")
    assert center.time_s == 300  # both reps come free at once, one event after the other
    first = center.subject
    center.do("assign:longest_idle")
    assert (center.time_s, center.subject[0]) == (300, "contact")
    assert center.subject != first


# --- wait closes the subject --------------------------------------------------------------------------------


@pytest.mark.parametrize("interval_s", [60, 120])
def test_wait_closes_a_contact_and_a_rep_until_threshold_and_review(interval_s):
    scenario = scripted(contact(10), review_interval_s=interval_s)
    times = [10, 30, 30 + interval_s, 30 + 2 * interval_s]  # arrival, threshold of 20 s, reviews
    expected = [(time_s, kind) for time_s in times for kind in ("contact", "rep")]
    assert questions(Center(scenario), times[-1]) == expected


def test_the_review_interval_is_120_s_unless_told():
    assert questions(Center(scripted(contact(10, "email"))), 300) == [(10, "rep"), (130, "rep"), (250, "rep")]


def test_a_freed_rep_is_news_to_a_contact():
    center = Center(
        scripted(
            contact(0, handle_time=100),
            contact(10),
            reps=2,
            channels=[LATE_THRESHOLD, EMAIL],
            review_interval_s=9000,
        )
    ).do("assign:longest_idle")
    assert questions(center, 100) == [(10, "contact"), (10, "rep"), (100, "contact"), (100, "rep")]


def test_a_start_of_interruptible_work_is_news_to_a_contact():
    center = Center(
        scripted(
            contact(10),
            contact(40, "email"),
            channels=[LATE_THRESHOLD, EMAIL],
            review_interval_s=9000,
        )
    )
    assert questions(center, 10) == [(10, "contact"), (10, "rep")]
    assert (center.time_s, center.subject[0]) == (40, "rep")
    center.do("serve:email:oldest")
    assert (center.time_s, center.subject[0]) == (40, "contact")
    assert center.open == {"wait", "interrupt:least_value_at_stake"}


def test_a_start_of_work_that_cannot_be_interrupted_is_no_news():
    center = Center(
        scripted(
            contact(10),
            contact(40, "email"),
            channels=[LATE_THRESHOLD, channel(EMAIL, interruptible=False, pick_up=None)],
            review_interval_s=9000,
        )
    )
    questions(center, 10)
    center.do("serve:email:oldest")
    assert (center.time_s, center.subject[0]) == (640, "contact")  # the e-mail takes 600 s


def test_arrivals_and_due_times_are_news_to_a_rep():
    scenario = scripted(
        contact(10, "email"),
        contact(50, "email"),
        channels=[VOICE, channel(EMAIL, due={"after_s": 500})],
        review_interval_s=9000,
    )
    center = Center(scenario)
    assert questions(center, 50) == [(10, "rep"), (50, "rep")]
    assert center.time_s == 510  # the first comes due
    assert center.open == {"wait", "serve:email:oldest", "serve:email:next_due"}
    center.do("wait")
    assert center.time_s == 550
    assert center.open == {"wait", "serve:email:oldest"}  # nothing is left that is not overdue


def test_interchangeable_reps_are_asked_once():
    one_group = scripted(contact(10, "email"), reps=3)
    assert questions(Center(one_group), 10) == [(10, "rep")]
    groups = [{"name": name, "count": 2, "skills": ["voice", "email"]} for name in ("a", "b")]
    assert questions(Center(scripted(contact(10, "email"), reps=groups)), 10) == [(10, "rep"), (10, "rep")]


def test_reps_with_other_home_channels_are_not_interchangeable():
    groups = [{"name": "a", "count": 2, "skills": ["voice", "email"], "home_channel": {"voice": 1, "email": 1}}]
    assert len(questions(Center(scripted(contact(10, "email"), reps=groups)), 10)) == 2


def test_a_rep_with_suspended_work_is_asked_apart_from_the_others():
    groups = [
        {"name": "all", "count": 1, "skills": ["voice", "email"]},
    ]
    center = Center(scripted(contact(0, "email"), contact(100), contact(700, "email"), reps=groups))
    center.do("serve:email:oldest").do("interrupt:least_value_at_stake")
    assert (center.time_s, center.subject) == (400, ("rep", 0))
    assert center.open == {"wait", "resume"}
    assert questions(center, 700) == [(400, "rep"), (520, "rep"), (640, "rep"), (700, "rep")]


def test_a_rep_who_comes_free_is_asked():
    center = Center(scripted(contact(0), contact(10, "email"), reps=2, review_interval_s=9000)).do(
        "assign:longest_idle"
    )
    assert questions(center, 300) == [(10, "rep"), (300, "rep")]


def test_nobody_is_asked_when_wait_is_the_only_action():
    center = Center(scripted(contact(0), contact(10), contact(20, "email"))).do("assign:longest_idle")
    assert center.time_s == 300
    no_choice = Center(scripted(contact(0, "email"), channels=[VOICE, channel(EMAIL, handle_time=5)]))
    no_choice.do("serve:email:oldest")
    assert no_choice.is_done
    assert no_choice.time_s == DAY_S


def every_event_scenario(review: str):
    groups = [
        {"name": "all", "count": 1, "skills": ["voice", "email"]},
        {"name": "post", "count": 1, "skills": ["letter"]},
    ]
    letter = channel(EMAIL, name="letter")
    return scripted(
        contact(10, "email"),
        contact(60, "letter"),
        reps=groups,
        channels=[VOICE, EMAIL, letter],
        review=review,
    )


def test_every_event_asks_again():
    on_change = Center(every_event_scenario("on_change"))
    assert [on_change.subject] == [("rep", 0)]
    on_change.do("wait")
    assert (on_change.time_s, on_change.subject) == (60, ("rep", 1))  # a letter is no news to rep 0
    every_event = Center(every_event_scenario("every_event")).do("wait")
    subjects = [every_event.subject, every_event.do("wait").subject]
    assert every_event.time_s == 60
    assert sorted(subjects) == [("rep", 0), ("rep", 1)]


# --- open actions -------------------------------------------------------------------------------------------


def test_second_names_of_the_same_contact_are_masked():
    center = Center(scripted(contact(10, "email", 500), contact(10, "email", 900)))
    assert center.open == {"wait", "serve:email:oldest"}  # one e-mail so far
    center.do("wait")
    assert center.time_s == 10
    assert center.open == {"wait", "serve:email:oldest", "serve:email:most_valuable"}


def test_second_names_of_the_same_rep_are_masked():
    assert Center(scripted(contact(10), reps=2)).open == {"wait", "hold", "assign:longest_idle"}
    groups = [
        {"name": "all", "count": 1, "skills": ["voice", "email"]},
        {"name": "voice", "count": 1, "skills": ["voice"]},
    ]
    center = Center(scripted(contact(10), reps=groups))
    assert center.open == {"wait", "hold", "assign:longest_idle", "assign:fewest_skills"}


def test_the_lenses_of_an_interruption():
    scenario = scripted(
        contact(0, "email", 900, handle_time=3000),
        contact(100, "email", 500, handle_time=3000),
        contact(200, "email", 700, handle_time=3000),
        contact(300),
        reps=3,
    )
    center = Center(scenario)
    for _ in range(3):
        center.do("serve:email:oldest")
    assert center.time_s == 300
    assert center.open == {
        "wait",
        "interrupt:least_value_at_stake",
        "interrupt:least_progress",
        "interrupt:cheapest_to_resume",
    }
    named = {name: int(center.record["action_rep"][center.action_names.index(name)]) for name in center.open - {"wait"}}
    assert named == {
        "interrupt:least_value_at_stake": 1,
        "interrupt:least_progress": 2,
        "interrupt:cheapest_to_resume": 0,
    }


def test_nobody_is_interrupted_while_a_suitable_rep_is_free():
    center = Center(scripted(contact(0, "email"), contact(10), reps=2)).do("serve:email:oldest")
    assert center.open == {"wait", "hold", "assign:longest_idle"}


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_suspended_work_is_limited(limit):
    scenario = scripted(
        contact(0, "email", handle_time=5000),
        contact(10, handle_time=20),
        contact(3000, handle_time=20),
        suspended_limit=limit,
        review_interval_s=9000,
    )
    center = Center(scenario).do("serve:email:oldest")
    if limit == 0:
        assert center.is_done or center.time_s > 3000
        return
    center.do("interrupt:least_value_at_stake")
    assert (center.time_s, center.open) == (30, {"wait", "resume"})
    center.do("resume")
    assert center.time_s == 3000
    assert center.open == {"wait", "interrupt:least_value_at_stake"}  # nothing is suspended at this time


def test_a_callback_is_offered_once_and_only_when_nobody_is_free():
    voice = channel(VOICE, callback_offer={"to": "email", "accept_prob": 0.0})
    center = Center(scripted(contact(0), contact(10), channels=[voice, EMAIL]))
    assert center.open == {"wait", "hold", "assign:longest_idle"}
    center.do("assign:longest_idle")
    assert (center.time_s, center.open) == (10, {"wait", "offer_callback"})
    center.do("offer_callback")
    assert (center.time_s, center.open) == (300, {"wait", "hold", "assign:longest_idle"})
    assert center.record["queue_count"]["callbacks_offered"][0] == 1
    assert center.record["queue_count"]["callbacks_accepted"][0] == 0


def test_an_accepted_callback_becomes_deferred_work():
    voice = channel(VOICE, callback_offer={"to": "email", "accept_prob": 1.0})
    center = Center(scripted(contact(0), contact(10), channels=[voice, EMAIL])).do("assign:longest_idle")
    center.do("offer_callback")
    assert (center.time_s, center.open) == (300, {"wait", "serve:email:oldest"})
    assert center.record["queue_count"]["callbacks_accepted"][0] == 1
    assert center.record["queues"]["waiting"].tolist()[:2] == [0, 1]


def test_a_full_queue_blocks_even_while_reps_are_kept_free():
    voice = channel(VOICE, waiting_limit=1)
    center = Center(scripted(contact(10), contact(20), reps=5, channels=[voice, EMAIL]))
    center.wait_until(30)
    assert center.record["queue_count"]["blocked"][0] == 1
    assert center.record["queues"]["waiting"][0] == 1
    assert center.record["classes"]["n_free"][0] == 5


def test_lines_count_those_in_service_too():
    voice = channel(VOICE, lines=2)
    center = Center(scripted(contact(10), contact(20), contact(30), reps=5, channels=[voice, EMAIL]))
    center.do("assign:longest_idle").do("assign:longest_idle")
    assert center.is_done
    assert center.record["queue_count"]["blocked"][0] == 1


# --- the order of events at the same second -----------------------------------------------------------------


def count(center: Center, name: str, queue: int = 0) -> float:
    return float(center.record["queue_count"][name][queue])


def test_a_completion_comes_before_the_end_of_patience():
    center = Center(scripted(contact(0), contact(10, patience=290))).do("assign:longest_idle")
    assert (center.time_s, center.subject[0]) == (300, "contact")
    center.do("assign:longest_idle")
    assert (count(center, "started"), count(center, "abandoned")) == (2, 0)


def test_work_completed_at_its_due_time_is_on_time():
    center = Center(scripted(contact(10, "email"), channels=[VOICE, channel(EMAIL, due={"after_s": 600})]))
    center.do("serve:email:oldest")
    assert (count(center, "on_time", 1), count(center, "late", 1)) == (1, 0)


def staffed(*spans: tuple[str, str]) -> list[dict]:
    return [
        {
            "name": f"shift_{start[:2]}",
            "count": 1,
            "skills": ["voice", "email"],
            "shifts": [{"start": start, "end": end}],
        }
        for start, end in spans
    ]


def test_a_change_of_shift_comes_before_an_arrival():
    center = Center(scripted(contact(3600, patience=60), reps=staffed(("00:00", "01:00"))))
    assert center.is_done
    assert count(center, "abandoned") == 1
    center = Center(scripted(contact(3600, patience=60), reps=staffed(("01:00", "02:00"))))
    assert (center.time_s, center.open) == (3600, {"wait", "hold", "assign:longest_idle"})


def test_at_a_hand_over_only_those_who_have_come_are_asked():
    scenario = scripted(
        contact(3000, "email"), reps=staffed(("00:00", "01:00"), ("01:00", "02:00")), review_interval_s=9000
    )
    center = Center(scenario)
    assert center.subject == ("rep", 0)
    center.do("wait")
    assert (center.time_s, center.subject) == (3600, ("rep", 1))
    assert center.record["n_staffed"] == 1


def test_an_arrival_comes_before_a_contacts_own_clock():
    voice = channel(VOICE, waiting_limit=1)
    center = Center(
        scripted(contact(0), contact(10, patience=90), contact(100, patience=90), channels=[voice, EMAIL])
    ).do("assign:longest_idle")
    assert center.is_done
    assert (count(center, "blocked"), count(center, "abandoned")) == (1, 1)


def test_a_contacts_review_comes_before_that_of_reps():
    assert questions(Center(scripted(contact(10))), 150)[-2:] == [(150, "contact"), (150, "rep")]


def test_events_of_equal_contacts_come_in_the_order_of_arrival():
    center = Center(scripted(*[contact(10, patience=50, value_usd=value) for value in (1, 2, 3)]))
    assert value_of_subject(center) == 1
    center.do("wait").do("wait")
    assert value_of_subject(center) == 2


def test_the_horizon_comes_before_all_else():
    center = Center(scripted(contact(DAY_S - 300))).do("assign:longest_idle")
    assert center.is_done
    assert center.time_s == DAY_S
    assert count(center, "completed") == 0


def test_what_happens_at_the_second_at_which_the_warm_up_ends_counts():
    horizon = {"days": 0.5, "warm_up_days": 0.25}
    center = Center(scripted(contact(0.25 * DAY_S - 1), contact(0.25 * DAY_S), reps=2, horizon=horizon))
    center.do("assign:longest_idle").do("assign:longest_idle")
    assert (count(center, "arrived"), count(center, "started"), count(center, "completed")) == (1, 1, 2)


# --- corners ------------------------------------------------------------------------------------------------


def test_work_that_was_overdue_before_the_start_does_not_turn_back_the_clock():
    email = channel(EMAIL, due={"after_s": 600}, initial_backlog={"mean_contacts": 30, "max_age_s": 7200})
    center = Center(scripted(channels=[VOICE, email]))
    late = float((center._rows.demands["due_s"][0] < 0).sum())
    assert late > 0
    while center.time_s == 0.0:
        center.do("wait")
    assert center.time_s > 0.0
    assert center.info["elapsed_s"] > 0.0
    assert count(center, "late", 1) == late


def test_work_left_is_never_negative():
    # Rep 1's work ends at 0.1 + 0.2, a little more than 0.3, at the same second as that of rep 0, which is handled
    # first; in between, rep 1 has worked for 0.30000000000000004 - 0.1 > 0.2 seconds.
    groups = [
        {"name": "email", "count": 1, "skills": ["email"]},
        {"name": "all", "count": 1, "skills": ["voice", "email"]},
    ]
    scenario = scripted(
        contact(0.1, "email", handle_time=0.2),
        contact(0.1, "email", handle_time=0.2),
        contact(0.2),
        reps=groups,
        review="every_event",
    )
    center = Center(scenario).do("serve:email:oldest").do("serve:email:oldest")
    while center.time_s < 0.3:
        center.do("wait")
    assert center.time_s == 0.1 + 0.2
    assert center.open == {"wait", "interrupt:least_value_at_stake"}
    center.do("interrupt:least_value_at_stake")
    assert (center.record["slots"]["person"]["work_left_s"] >= 0.0).all()
    assert np.count_nonzero(center.record["slots"]["person"]["interruptions"]) == 1


def test_customers_without_patience_leave_unless_taken_at_once():
    center = Center(scripted(contact(0), contact(10), channels=[channel(VOICE, patience=0), EMAIL]))
    center.do("assign:longest_idle")
    assert center.is_done
    assert (count(center, "completed"), count(center, "abandoned")) == (1, 1)
