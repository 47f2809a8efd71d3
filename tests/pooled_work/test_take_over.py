"""Suspended work that another rep takes over, worked by hand: who is asked, which contact is meant, what it costs."""

import pytest
from playing import EMAIL, VOICE, Center, channel, contact, day, finish, play
from pydantic import ValidationError

from agents.rules.registry import RuleFile
from envs.errors import ConfigurationError
from envs.interface.fields import CANDIDATE_FIELDS
from envs.rendering import render_state
from envs.scenario.action_table import action_table
from envs.scenario.scenario import Scenario, load_scenario

CALL = channel(VOICE, handle_time=100)
CASE = channel(EMAIL, due=None, pick_up_by_others=120)
LETTER = channel(EMAIL, name="letter")
TWO = [{"name": "all", "count": 2, "skills": ["voice", "email"]}]
FIELD = {field.name: place for place, field in enumerate(CANDIDATE_FIELDS)}
COSTS = {"pick_up_usd_per_hour": 60}


def pooled(*contacts, channels=(CALL, CASE), groups=TWO, **keys) -> Scenario:
    keys = {"suspended_work": "pooled", "review_interval_s": 50_000} | keys
    return day(list(channels), *contacts, groups=groups, **keys)


def row(center: Center, name: str) -> dict[str, float]:
    values = center._rows.observation()["candidates"][0, center.action_names.index(name)]
    return {field: float(values[place]) for field, place in FIELD.items()}


# The e-mail begins at 0 s with rep 0; rep 1 has a call from 5 to 105 s; the call of 50 s interrupts rep 0 until 450 s.
CONTACTS = (contact(0, "email"), contact(5), contact(50, handle_time=400))


def interrupted(scenario: Scenario) -> Center:
    """Play until rep 1 comes free and is asked."""
    center = Center(scenario)
    center.do("serve:email:oldest").do("assign:longest_idle").do("interrupt:least_value_at_stake")
    assert (center.time_s, center.subject) == (105.0, ("rep", 1))
    return center


def test_another_rep_takes_over_after_a_pick_up_of_its_own_law():
    center = interrupted(pooled(*CONTACTS, costs=COSTS))
    assert center.open == {"wait", "take_over:most_urgent"}  # the only one is the most valuable too
    shown = row(center, "take_over:most_urgent")
    # 50 of 600 s are done; 120 s are a pick-up by one who did not work on it, at a dollar a minute.
    assert (shown["channel"], shown["interruptions"], shown["progress_s"]) == (2, 1, 50)
    assert (shown["pick_up_s"], shown["expected_work_s"], shown["action_usd"]) == pytest.approx((120, 670, 2))
    metrics = finish(center.do("take_over:most_urgent"))
    # Rep 1 picks up from 105 to 225 s and works the other 550 s.
    assert metrics["email.mean_cycle_s"] == pytest.approx(775)
    assert (metrics["take_overs"], metrics["interruptions"]) == (1, 1)
    assert metrics["pick_up_min"] == pytest.approx(2)
    assert metrics["cost_interruption_usd"] == pytest.approx(2)


def test_the_thread_stays_with_who_worked_last_until_a_pick_up_is_complete():
    # A call of 50 s interrupts rep 1 at 150 s in the pick-up. At 200 s rep 1 may resume, by the law of others still; at
    # 450 s rep 0 takes the e-mail back, and finds its own thread in 60 s.
    center = interrupted(pooled(*CONTACTS, contact(150, handle_time=50)))
    center.do("take_over:most_urgent").do("interrupt:least_value_at_stake")
    assert (center.time_s, center.open) == (200.0, {"wait", "resume"})
    assert row(center, "resume")["pick_up_s"] == 120
    center.do("wait")
    assert (center.time_s, center.subject) == (450.0, ("rep", 0))
    assert row(center, "take_over:most_urgent")["pick_up_s"] == 60
    metrics = finish(center.do("take_over:most_urgent"))
    assert metrics["email.mean_cycle_s"] == pytest.approx(450 + 60 + 550)
    assert metrics["take_overs"] == 2
    assert metrics["pick_up_min"] == pytest.approx((45 + 60) / 60)


def test_once_the_pick_up_is_complete_the_thread_is_the_takers():
    # The call comes at 325 s, 100 s after the pick-up of rep 1: it resumes in 60 s at 375 s, with 450 s of work left.
    center = interrupted(pooled(*CONTACTS, contact(325, handle_time=50)))
    center.do("take_over:most_urgent").do("interrupt:least_value_at_stake")
    assert center.time_s == 375.0
    assert row(center, "resume")["pick_up_s"] == 60
    assert finish(center.do("resume"))["email.mean_cycle_s"] == pytest.approx(375 + 60 + 450)


def test_an_unpaid_rest_is_added_to_the_next_draw_whoever_draws_it():
    case = channel(CASE, pick_up_mode="accumulate")
    center = interrupted(pooled(*CONTACTS, contact(150, handle_time=50), channels=(CALL, case)))
    center.do("take_over:most_urgent").do("interrupt:least_value_at_stake").do("wait").do("take_over:most_urgent")
    # 45 of 120 s were paid: the rest of 75 s, and 60 s for rep 0.
    assert finish(center)["email.mean_cycle_s"] == pytest.approx(450 + 75 + 60 + 550)


def test_without_the_key_nobody_takes_over_and_the_actions_are_as_they_were():
    scenario = pooled(*CONTACTS, suspended_work="own")
    center = Center(scenario)
    assert not any(name.startswith("take_over") for name in center.action_names)
    center.do("serve:email:oldest").do("assign:longest_idle").do("interrupt:least_value_at_stake")
    assert (center.time_s, center.open) == (450.0, {"wait", "resume"})
    metrics = finish(center.do("resume"))
    assert (metrics["email.mean_cycle_s"], metrics["take_overs"]) == (450 + 60 + 550, 0)
    alone = pooled(*CONTACTS, channels=(CALL, channel(CASE, interruptible=False, pick_up=None, pick_up_by_others=None)))
    assert [action.name for action in action_table(alone)] == list(center.action_names)  # nothing is ever suspended


def test_released_work_follows_the_law_of_who_starts_it():
    # Rep 0 works from 8 to 9 and from 10 on, rep 1 until 12. Rep 0's e-mail is interrupted at 8:48, and its shift ends
    # after that call; whoever starts the e-mail pays 120 s if it is rep 1, at 9:15, and 60 s if it is rep 0, at 10.
    groups = [
        {"name": "early", "count": 1, "skills": ["voice", "email"],
         "shifts": [{"start": "08:00", "end": "09:00"},
                    {"start": "10:00", "end": "12:00"}]},
        {"name": "late", "count": 1, "skills": ["voice", "email"],
         "shifts": [{"start": "08:00", "end": "12:00"}]},
    ]  # fmt: skip
    contacts = [contact(8.7 * 3600, "email", handle_time=6000), contact(8.75 * 3600, handle_time=1800),
                contact(8.8 * 3600, handle_time=720)]  # fmt: skip
    for suspended_work in ("own", "pooled"):
        scenario = pooled(*contacts, groups=groups, suspended_work=suspended_work, horizon={"days": 1})
        center = Center(scenario)
        center.do("serve:email:oldest").do("assign:longest_idle").do("interrupt:least_value_at_stake")
        assert center.time_s == pytest.approx(9.25 * 3600)  # rep 1 is done with the first call
        shown = row(center, "serve:email:oldest")
        assert (shown["pick_up_s"], shown["expected_work_s"]) == pytest.approx((120, 600 - 360 + 120))
        center.do("wait")
        assert (center.time_s, center.subject) == (10 * 3600.0, ("rep", 0))
        shown = row(center, "serve:email:oldest")
        assert (shown["pick_up_s"], shown["expected_work_s"]) == pytest.approx((60, 600 - 360 + 60))
        metrics = finish(center.do("serve:email:oldest"))
        assert (metrics["pick_up_min"], metrics["take_overs"]) == (1, 0)


def test_the_lenses_mean_the_most_urgent_and_the_most_valuable_of_others_that_the_rep_can_serve():
    # Reps 0 to 2 begin an e-mail of 500 USD, one of 900 USD that came later, and a letter; all three are interrupted.
    # Rep 3 cannot read letters; rep 4 can, and the letter, which has a due time, is more urgent than the e-mails.
    groups = [
        {"name": "all", "count": 3, "skills": ["voice", "email", "letter"]},
        {"name": "no_letters", "count": 1, "skills": ["voice", "email"]},
        {"name": "readers", "count": 1, "skills": ["email", "letter"]},
    ]
    contacts = [contact(0, "email"), contact(10, "email", 900), contact(20, "letter", 700)]
    contacts += [contact(30 + i, handle_time=1000 if i else 70) for i in range(4)]
    center = Center(pooled(*contacts, channels=(CALL, CASE, LETTER), groups=groups))
    center.do("serve:email:oldest").do("serve:email:oldest").do("serve:letter:oldest")
    center.do("assign:longest_idle")  # rep 3, until 100 s
    people = center.record["slots"]["person"]
    asked = []
    while center.time_s < 100.0:
        kind, who = center.subject
        if kind == "contact":
            center.do("interrupt:least_progress" if "interrupt:least_progress" in center.open else
                      "interrupt:least_value_at_stake")  # fmt: skip
        else:
            asked.append(who)
            center.do("wait")
    assert set(asked) == {4}  # whom each suspended contact is news to
    assert center.subject == ("rep", 3)
    meant = {name: people[int(center.record["action_contact"][center.action_names.index(name)])] for name in center.open
             if name.startswith("take_over")}  # fmt: skip
    assert {name: float(person["value_usd"]) for name, person in meant.items()} == {
        "take_over:most_urgent": 500.0,  # of two without due time the one that came first
        "take_over:most_valuable": 900.0,
    }
    assert "rep 0   working on voice, 1 suspended" in render_state(
        center.scenario, center._rows.parameters[0], center.record, sorted(center.open)
    )


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("priority", {"interrupt": ["voice"]}),
        ("expected_loss", {"interrupt_value": 1.0}),
        ("first_come_longest_idle", {"interrupt": "always"}),
    ],
)
def test_rules_take_over_where_they_would_resume(name, parts):
    scenario = pooled(*CONTACTS, channels=(channel(CALL, costs={"abandonment_usd": 50}), CASE))
    choices = play(scenario, RuleFile.model_validate({"rule": name} | parts).root)
    assert [(at_s, action) for at_s, _, action in choices if action.startswith("take_over")] == [
        (105.0, "take_over:most_urgent")
    ]


def test_a_snapshot_in_a_take_over_goes_on_alike():
    center = interrupted(pooled(*CONTACTS))
    center.do("take_over:most_urgent")
    snapshot = center.snapshot()
    first = finish(center)
    again = Center(center.scenario)
    _, again.info = again.restore(snapshot)
    again.is_done = bool(again.record["done"])
    assert finish(again) == first


@pytest.mark.parametrize(
    ("channel_keys", "message"),
    [
        ({"interruptible": False, "pick_up": None}, "has no meaning on a channel that is not interruptible"),
        ({"kind": "real_time", "interruptible": False, "pick_up": None}, "has no meaning on a real-time channel"),
    ],
)
def test_a_law_for_others_needs_work_that_is_interrupted(channel_keys, message):
    with pytest.raises(ValidationError, match=message):
        pooled(*CONTACTS, channels=(CALL, channel(CASE, **channel_keys)))


def test_work_is_own_or_pooled():
    with pytest.raises(ConfigurationError, match=r"suspended_work = 'shared': must be one of own, pooled"):
        load_scenario("bank", ("suspended_work=shared",))
