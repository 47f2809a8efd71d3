"""`blended describe`: offered load against staffing, distinct days, warnings, tables, and the command itself."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from envs import Scenario, load_scenario
from envs.interface.actions import action_meaning
from envs.interface.fields import field_table
from envs.scenario.action_table import action_table
from experiments.cli import main as cli
from experiments.description.describe import describe
from experiments.description.description_tables import show, show_summary
from experiments.description.scenario_description import Description
from experiments.texts import clock_text, duration_text

SCRIPT = Path(sys.executable).parent / "blended"

# Monday and Tuesday. Three reps take calls in the afternoon, one answers e-mails and letters from 8 to 16.
# Calls keep 20/h * 0.1 h = 2 reps busy on Monday from 12 to 24, and 40/h * 0.1 h = 4 on Tuesday: 24 and 48 rep-hours
# for 3 * 12 = 36. E-mails keep 2/h * 0.5 h = 1 rep busy all the time: 24 rep-hours a day for 8. The backlog is
# 4 * 0.5 h = 2 rep-hours.
CENTER = """\
name: center
description: A center to be reckoned by hand.
horizon: {days: 2, start_weekday: monday}
channels:
  - name: voice
    kind: real_time
    handle_time: 360
    arrivals: {interval_s: 43_200, rate_per_hour: {monday: [0, 20], tuesday: [0, 40]}}
  - name: email
    kind: deferred
    handle_time: {distribution: exponential, mean_s: 1800}
    arrivals: {rate_per_hour: 2}
    due: {after_s: 1200}
    initial_backlog: {mean_contacts: 4}
  - {name: letter, kind: deferred, handle_time: 600}
groups:
  - {name: phone, count: 3, skills: [voice], home_channel: voice, shifts: [{start: "12:00", end: "24:00"}]}
  - {name: desk, count: 1, skills: [email, letter], shifts: [{start: "08:00", end: "16:00"}]}
segments:
  - {name: student, share_frac: 0.75, account_value: 500}
  - {name: client, share_frac: 0.25, at_risk_prob: 0.1, account_value: {distribution: lognormal, mean_usd: 5000, cv: 2}}
"""


def center(**changes: Any) -> Scenario:
    return Scenario.model_validate(yaml.safe_load(CENTER) | changes)


def one_channel(days: float = 1, shifts: Any = None, business_hours: Any = (), **keys: Any) -> Scenario:
    """Return a Monday, or more days, with one deferred channel, `email`, and one rep."""
    return Scenario.model_validate(
        {
            "name": "one",
            "horizon": {"days": days, "start_weekday": "monday"},
            "channels": [{"name": "email", "kind": "deferred", "handle_time": 600, **keys}],
            "groups": [{"name": "desk", "count": 1, "skills": ["email"], "shifts": shifts}],
            "business_hours": business_hours,
        }
    )


def shown(description: Description) -> str:
    console = Console(record=True, width=160, file=open(os.devnull, "w"))  # noqa: SIM115 (the console keeps it)
    show(description, console)
    return console.export_text()


def test_work_and_staffed_time_by_channel_day_and_horizon():
    described = describe(center())
    voice, email, letter = described.channels
    assert (voice.work_rep_hours, voice.staffed_rep_hours) == pytest.approx((24 + 48, 2 * 36))
    assert (email.work_rep_hours, email.staffed_rep_hours) == pytest.approx((2 * 24 + 2, 2 * 8))
    assert (letter.work_rep_hours, letter.staffed_rep_hours) == pytest.approx((0, 2 * 8))
    assert (described.work_rep_hours, described.staffed_rep_hours) == pytest.approx((122, 88))
    assert [group.staffed_rep_hours for group in described.groups] == pytest.approx([72, 16])
    assert [(day.label, day.days) for day in described.days] == [("monday", (0,)), ("tuesday", (1,))]
    assert [day.work_rep_hours for day in described.days] == pytest.approx([48, 72])
    assert [day.staffed_rep_hours for day in described.days] == pytest.approx([44, 44])
    assert voice.arrivals_per_weekday["tuesday"] == pytest.approx(12 * 40)
    assert voice.arrivals_per_weekday["sunday"] == 0
    assert sum(email.arrivals_per_weekday.values()) == pytest.approx(7 * 48)


def test_the_load_of_single_hours():
    monday = describe(center()).days[0]
    assert [hour.hour for hour in monday.hours] == list(range(24))
    night, noon, evening = monday.hours[3], monday.hours[12], monday.hours[17]
    assert (night.load_reps, night.staffed_reps, night.peak_load_frac) == (1, 0, None)
    # 2 reps of calls and 1 of e-mails; 3 + 1 reps are there at noon, 3 after 16:00.
    assert (noon.load_reps, noon.staffed_reps, noon.peak_load_frac) == pytest.approx((3, 4, 3 / 4))
    assert (evening.load_reps, evening.staffed_reps, evening.peak_load_frac) == pytest.approx((3, 3, 1))
    assert noon.queue_load_reps == pytest.approx({"voice": 2, "email": 1, "letter": 0})
    assert noon.queue_skilled_reps == pytest.approx({"voice": 3, "email": 1, "letter": 1})


def test_the_peak_is_the_busier_half_hour():
    # The rep is there from 8:30 on: in the first half-hour the hour's 1 rep of work meets nobody.
    rates = [0] * 16 + [6, 6] + [0] * 30
    scenario = one_channel(arrivals={"rate_per_hour": rates}, shifts=[{"start": "08:30", "end": "17:00"}])
    hour = describe(scenario).days[0].hours[8]
    assert (hour.load_reps, hour.staffed_reps, hour.peak_load_frac) == (1, 0.5, None)
    rates[16:18] = [3, 9]
    scenario = one_channel(arrivals={"rate_per_hour": rates}, shifts=[{"start": "08:00", "end": "17:00"}])
    hour = describe(scenario).days[0].hours[8]
    assert (hour.load_reps, hour.staffed_reps, hour.peak_load_frac) == pytest.approx((1, 1, 1.5))


def test_scripted_contacts_are_work_and_a_short_horizon_cuts_the_day():
    # One rep, three hours. 2,400 s of work come at second 0, 600 s at 1,800: 3,000 / 3,600 of a rep in the first hour,
    # and 2,400 / 1,800 in its first half.
    described = describe(load_scenario("million_dollar_interrupt"))
    (day,) = described.days
    assert (day.label, day.staffed_rep_hours) == ("monday", pytest.approx(3))
    assert [hour.load_reps for hour in day.hours] == pytest.approx([3000 / 3600, 0, 0])
    assert day.hours[0].peak_load_frac == pytest.approx(2400 / 1800)
    assert [channel.scripted_contacts for channel in described.channels] == [1, 1]


def test_the_last_hour_may_be_cut_short():
    # 1.5 hours: the second hour has 30 minutes, all of them with 6/h * 600 s = 1 rep of work.
    described = describe(one_channel(days=1.5 / 24, arrivals={"rate_per_hour": 6}))
    assert [hour.load_reps for hour in described.days[0].hours] == pytest.approx([1, 1])
    assert (described.work_rep_hours, described.staffed_rep_hours) == pytest.approx((1.5, 1.5))


def test_days_that_are_alike_are_shown_once():
    def labels(**keys: Any) -> list[str]:
        return [day.label for day in describe(one_channel(**keys)).days]

    assert labels(days=7) == ["every day"]
    assert labels(days=14) == ["every day"]
    weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday"]
    shifts = [{"start": "08:00", "end": "16:00", "weekdays": weekdays}]
    assert labels(days=7, shifts=shifts) == ["monday to friday", "saturday, sunday"]
    shifts = [{"start": "08:00", "end": "16:00", "weekdays": ["monday", "wednesday"]}]
    assert labels(days=4, shifts=shifts) == ["monday, wednesday", "tuesday, thursday"]
    # The second Monday is half a day, so weekdays do not tell the days apart.
    assert labels(days=7.5) == ["days 1, 2, 3, 4, 5, 6, 7", "day 8 (monday)"]


def test_overload_is_named_by_day_and_by_the_queues_that_share_the_reps():
    warnings = [warning for warning in describe(center()).warnings if warning.startswith("overload")]
    assert warnings == [
        # 24 + 48 + 2 * 24 + 2 over 2 * (36 + 8)
        "overload over the horizon: 122.0 rep-hours of work (2.0 of them initial backlog) for 88.0 staffed rep-hours, "
        "load 1.39",
        "overload on monday: 48.0 rep-hours of work for 44.0 staffed rep-hours, load 1.09",
        "overload on tuesday: 72.0 rep-hours of work for 44.0 staffed rep-hours, load 1.64",
        # Calls: 72 of 72 over the horizon is not more than there is.
        "overload of voice on tuesday: 48.0 rep-hours of work for 36.0 staffed rep-hours of the skilled (phone), "
        "load 1.33",
        "overload of email, letter over the horizon: 50.0 rep-hours of work (2.0 of them initial backlog) for "
        "16.0 staffed rep-hours of the skilled (desk), load 3.12",
        "overload of email, letter on monday: 24.0 rep-hours of work for 8.0 staffed rep-hours of the skilled (desk), "
        "load 3.00",
        "overload of email, letter on tuesday: 24.0 rep-hours of work for 8.0 staffed rep-hours of the skilled (desk), "
        "load 3.00",
    ]


def test_queues_that_fit_one_by_one_but_not_together_overload_their_reps():
    # Each needs 0.6 of the rep of `desk`; the two reps of `phone` may not help. In total 1.2 of 3.
    queue = {"kind": "deferred", "handle_time": 360, "arrivals": {"rate_per_hour": 6}}
    groups = [
        {"name": "phone", "count": 2, "skills": ["voice"]},
        {"name": "desk", "count": 1, "skills": ["email", "letter"]},
    ]
    channels = [{"name": "voice", "kind": "real_time", "handle_time": 360}]
    channels += [{"name": name, **queue} for name in ("email", "letter")]
    scenario = Scenario.model_validate({"name": "x", "channels": channels, "groups": groups})
    warnings = [warning for warning in describe(scenario).warnings if warning.startswith("overload")]
    # 24 h * 1.2 = 28.8
    assert warnings[-1] == (
        "overload of email, letter on sunday: 28.8 rep-hours of work for 24.0 staffed rep-hours of the skilled (desk), "
        "load 1.20"
    )
    assert not any("overload on" in warning or "overload over" in warning for warning in warnings)


def test_a_day_without_anybody_is_an_overload_if_work_arrives():
    shifts = [{"start": "08:00", "end": "24:00", "weekdays": ["monday"]}]
    scenario = one_channel(days=2, shifts=shifts, arrivals={"rate_per_hour": 1})
    # 24 contacts of 1/6 h
    assert "overload on tuesday: 4.0 rep-hours of work for nobody" in describe(scenario).warnings


def test_work_that_comes_back_counts_over_the_horizon_and_is_named_in_the_overload():
    # 5/h * 1/6 h * 24 h = 20 rep-hours; one in four leads to another as long: 20 / (1 - 1/4) = 26.67 in all. It is not
    # known when, so the day and its hours show the 20 of the arrivals.
    follow_up = {"prob": 0.25, "after": 3600, "window_s": 3600}
    described = describe(one_channel(arrivals={"rate_per_hour": 5}, follow_up=follow_up))
    assert described.warnings == (
        "overload over the horizon: 26.7 rep-hours of work (6.7 of them coming back) for 24.0 staffed rep-hours, "
        "load 1.11",
    )
    (email,) = described.channels
    assert (email.work_rep_hours, email.returning_rep_hours) == pytest.approx((80 / 3, 20 / 3))
    assert email.returning_contacts == pytest.approx(120 / 3)
    assert (described.work_rep_hours, described.returning_rep_hours) == pytest.approx((80 / 3, 20 / 3))
    assert described.days[0].work_rep_hours == pytest.approx(20)
    assert [hour.load_reps for hour in described.days[0].hours] == pytest.approx([5 / 6] * 24)
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in shown(described).splitlines()]
    assert ["email", "840", "120", "", "", "40.0", "26.7", "6.7", "24.0", "1.11"] in rows


def test_backlog_and_what_comes_back_are_both_named():
    # 3 contacts of the backlog are 0.5 rep-hours; with them 20.5 / (3/4) = 27.33, of which 6.83 come back.
    follow_up = {"prob": 0.25, "after": 3600, "window_s": 3600}
    keys = {"arrivals": {"rate_per_hour": 5}, "follow_up": follow_up, "initial_backlog": {"mean_contacts": 3}}
    (warning,) = describe(one_channel(**keys)).warnings
    assert warning == (
        "overload over the horizon: 27.3 rep-hours of work (0.5 of them initial backlog, 6.8 coming back) for 24.0 "
        "staffed rep-hours, load 1.14"
    )


def test_outbound_attempts_are_work_of_the_hours():
    # Half of the attempts reach the customer, two are made: 3 in 4 are reached, and 0.5 + 0.25 attempts of 120 s fail.
    # 6/h * (3/4 * 600 s + 3/4 * 120 s) = 0.9 reps.
    reach = {"prob": 0.5, "attempt_s": 120, "retry_after_s": 3600, "max_attempts": 2}
    described = describe(one_channel(arrivals={"rate_per_hour": 6}, reach=reach))
    assert [hour.load_reps for hour in described.days[0].hours] == pytest.approx([0.9] * 24)
    assert described.work_rep_hours == pytest.approx(0.9 * 24)
    # One scripted contact of 1,200 s at 1:00: 3/4 * 1,200 s + 3/4 * 120 s = 990 s.
    contact = {"channel": "email", "at_s": 3600, "handle_time": 1200, "account_value": 0}
    content = one_channel(reach=reach).model_dump() | {"scripted_contacts": [contact]}
    described = describe(Scenario.model_validate(content))
    assert [hour.load_reps for hour in described.days[0].hours[:3]] == pytest.approx([0, 990 / 3600, 0])
    assert described.work_rep_hours == pytest.approx(990 / 3600)


def test_after_contact_work_is_load_and_is_shown():
    # 4/h * (10 + 2 min) = 0.8 reps. A scripted contact of 20 min at 1:00 takes 20 + 2 min of that hour.
    contact = {"channel": "email", "at_s": 3600, "handle_time": 1200, "account_value": 0}
    content = one_channel(arrivals={"rate_per_hour": 4}, after_work=120).model_dump() | {"scripted_contacts": [contact]}
    described = describe(Scenario.model_validate(content))
    assert [hour.load_reps for hour in described.days[0].hours[:3]] == pytest.approx([0.8, 0.8 + 22 / 60, 0.8])
    assert described.work_rep_hours == pytest.approx(0.8 * 24 + 22 / 60)
    assert (described.channels[0].mean_handle_s, described.channels[0].mean_after_work_s) == (600, 120)
    assert "10 min, after-contact work 2 min" in " ".join(shown(described).split())
    assert ", after-contact work" not in " ".join(shown(describe(one_channel(arrivals={"rate_per_hour": 4}))).split())


def test_returns_with_work_of_their_own_and_their_after_contact_work_are_load():
    # 3/h for 24 h, 72 e-mails. A quarter of the contacts comes back: 72 / 3 = 24 more, each of 10 min like the first,
    # and 5 min of after-contact work follow each: 96 * 15 min = 24 h, of which 24 * 15 min = 6 h come back.
    returns = {"prob": 0.5, "after": 0, "new_work": True}
    resolution = {"prob": 0.5, "returns": returns}
    described = describe(one_channel(arrivals={"rate_per_hour": 3}, after_work=300, resolution=resolution))
    assert (described.work_rep_hours, described.returning_rep_hours) == pytest.approx((24, 6))
    assert described.channels[0].returning_contacts == pytest.approx(24)


def test_contacts_that_come_back_for_ever_are_named():
    follow_up = {"prob": 1, "after": 3600, "window_s": 3600}
    described = describe(one_channel(arrivals={"rate_per_hour": 3}, follow_up=follow_up))
    assert described.warnings == (
        "endless: contacts of email lead to at least as much work as they are themselves, so what comes of them has no "
        "bound; the offered load leaves it out",
    )
    assert described.work_rep_hours == pytest.approx(3 / 6 * 24)


def test_clients_and_fairness_are_shown():
    clients = [
        {
            "name": "shop",
            "channels": ["voice", "email"],
            "fee_usd": 2.5,
            "technology_usd": 0.1,
            "targets": [
                {"channel": "voice", "at_least_frac": 0.8, "usd_per_point_day": 15},
                {"channel": "email", "at_least_frac": 0.95, "usd_per_point_day": 4},
            ],
        },
        {"name": "archive", "channels": ["letter"], "fee_usd": 1},
    ]
    fairness = {"floor_frac": 0.6, "usd_per_point_day": 5}
    described = describe(center(clients=clients, value_bands_usd=[1000, 20_000], fairness=fairness))
    shop, archive = described.clients
    assert (shop.name, shop.channels, shop.fee_usd, shop.technology_usd) == ("shop", ("voice", "email"), 2.5, 0.1)
    voice, email = shop.targets
    assert (voice.channel, voice.measure, voice.at_least_frac) == ("voice", "service level", 0.8)
    # All 80 points short at 15 USD, 95 at 4, 60 at 5.
    assert [target.most_usd_per_day for target in (voice, email)] == pytest.approx([1200, 380])
    assert (email.measure, archive.targets) == ("on-time share", ())
    assert described.fairness is not None
    assert (described.fairness.floor_frac, described.fairness.most_usd_per_day) == pytest.approx((0.6, 300))
    text = shown(described)
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines()]
    assert ["shop", "voice, email", "2.5", "0.1", "voice: service level 80.0%", "15", "1,200"] in rows
    assert ["", "", "", "", "email: on-time share 95.0%", "4", "380"] in rows
    assert ["archive", "letter", "1", "0", "", "", ""] in rows
    assert "Account-value bands: borders at 1,000, 20,000 USD." in text
    assert "in every band 60.0% of the real-time contacts" in text
    assert "costs 5 USD a day, 300 at most." in " ".join(text.split())


def test_preferred_reps_are_shown_where_there_are_any():
    assert describe(center()).preferred_rep is None
    plain = shown(describe(center()))
    assert "have a preferred rep" not in plain  # the heading of a column of segments
    assert "A preferred rep handles" not in plain
    segments = [
        {"name": "student", "share_frac": 0.75, "account_value": 500},
        {"name": "client", "share_frac": 0.25, "account_value": 5000, "preferred_rep_prob": 0.4},
    ]
    described = describe(center(segments=segments, preferred_rep={"speed": 1.33, "resolution": 1.1}))
    assert described.preferred_rep is not None
    assert (described.preferred_rep.speed, described.preferred_rep.resolution) == (1.33, 1.1)
    assert [segment.preferred_rep_prob for segment in described.segments] == [0, 0.4]
    text = shown(described)
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines()]
    assert ["client", "25.0%", "5,000", "0.0%", "40.0%"] in rows
    assert "have a preferred rep" in text
    assert "A preferred rep handles a contact 1.33 times as fast" in text


def test_a_center_without_mistakes_has_no_warnings():
    scenario = one_channel(arrivals={"rate_per_hour": 3}, due={"after_s": 3600})
    assert describe(scenario).warnings == ()
    assert "No warnings." in shown(describe(scenario))


def test_a_channel_that_nothing_leads_to_is_named():
    assert "unreachable: nothing leads to letter, so no contact ever waits there" in describe(center()).warnings
    rework = {"prob": 0.1, "rework": {"to": "email", "delay_s": 60, "work_frac": 0.5}}
    (warning,) = describe(one_channel(error=rework)).warnings
    assert warning == "unreachable: nothing leads to email but email.error.rework, so no contact ever waits there"


@pytest.mark.parametrize(
    ("keys", "source"),
    [
        ({"arrivals": {"rate_per_hour": 1}}, "arrivals"),
        ({"initial_backlog": {"mean_contacts": 1}}, "initial backlog"),
    ],
)
def test_a_channel_with_a_source_is_reachable(keys, source):
    described = describe(one_channel(**keys))
    assert described.channels[0].sources == (source,)
    assert described.warnings == ()


def test_what_only_an_unreachable_channel_leads_to_is_unreachable_too():
    channels = yaml.safe_load(CENTER)["channels"]
    channels[0]["callback_offer"] = {"to": "letter", "accept_prob": 0.5}
    described = describe(center(channels=channels))
    assert described.channels[2].sources == ("voice.callback_offer",)
    assert not any("unreachable" in warning for warning in described.warnings)
    del channels[0]["arrivals"]
    warnings = describe(center(channels=channels)).warnings
    assert [warning.partition(",")[0] for warning in warnings if "unreachable" in warning] == [
        "unreachable: nothing leads to voice",
        "unreachable: nothing leads to letter but voice.callback_offer",
    ]


def test_a_due_time_shorter_than_the_work_is_named():
    assert (
        "due time of email: 20 min after arrival, shorter than the mean handle time of 30 min"
        in describe(center()).warnings
    )


def test_due_times_in_closed_hours_are_named_with_their_share():
    # The desk is open from 8 to 16. Who writes before 7:40 or after 16:00 is due, 20 minutes later, before it opens:
    # 460 + 480 of 1,440 minutes = 65 %.
    assert (
        "due time of email: 65% of its arrivals are due (after 20 min, calendar clock) before anybody with the skill "
        "is there" in describe(center()).warnings
    )


def test_the_staffing_goes_on_after_the_horizon():
    # Monday's e-mails are due 12 hours later. The rep comes at 8:00 every day: nobody who writes on Monday waits longer
    # than from 16:00 to 8:00, and those from 16:00 to 20:00 are late: 4 of 24 hours = 17 %.
    shifts = [{"start": "08:00", "end": "16:00"}]
    (warning,) = describe(one_channel(shifts=shifts, arrivals={"rate_per_hour": 1}, due={"after_s": 43_200})).warnings
    assert warning.startswith("due time of email: 17% of its arrivals")
    # With 16 hours everybody can be served in time.
    assert describe(one_channel(shifts=shifts, arrivals={"rate_per_hour": 1}, due={"after_s": 57_601})).warnings == ()


def test_scripted_contacts_count_for_closed_hours():
    # tiny: of two e-mails, one comes at 10:30, half an hour after the last rep has left.
    (warning,) = describe(load_scenario("tiny")).warnings
    assert warning.startswith("due time of email: 50% of its arrivals are due (after 20 min")


def test_the_tables_of_actions_and_fields_are_those_of_the_environment():
    scenario = center()
    described = describe(scenario)
    assert [(action.index, action.name) for action in described.actions] == [
        (index, action.name) for index, action in enumerate(action_table(scenario))
    ]
    assert all(action.meaning for action in described.actions)
    fields = field_table(("voice", "email", "letter"))
    assert [
        (field.part, field.name, field.unit, field.low, field.high, field.scale, field.meaning)
        for field in described.observation
    ] == [
        (part, field.name, field.unit, field.low, field.high, field.scale, field.meaning)
        for part in ("center", "candidates")
        for field in getattr(fields, part)
    ]


def test_actions_in_words():
    meanings = {action.name: action_meaning(action) for action in action_table(center())}
    assert meanings["wait"] == "change nothing now"
    assert meanings["serve:email:next_due"] == (
        "free rep: start the waiting contact with the least slack among those not overdue"
    )
    assert meanings["interrupt:least_progress"] == (
        "waiting contact: take off the rep whose work has made the least progress"
    )


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (150, "2.5 min"),
        (3600, "1 h"),
        (86_400, "24 h"),
        (172_800, "2 days"),
    ],
)
def test_durations_in_words(duration_s, text):
    assert duration_text(duration_s) == text


def test_times_of_day():
    assert [clock_text(time_s) for time_s in (0, 27_000, 86_400)] == ["00:00", "07:30", "24:00"]


def test_what_is_shown():
    text = shown(describe(center()))
    assert "center: A center to be reckoned by hand." in text
    assert "An episode is 2 days from monday; 4 reps, 2 groups, 3 channels." in text
    assert "due within 20 min (calendar clock)" in text
    assert "monday: 48.0 / 44.0 rep-hours = 1.09" in text
    assert "lognormal: mean 5,000, cv 2" in text
    lines = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines()]
    assert ["00 to 08", "1 / 0", "closed", "0 / 0", "1 / 0", "0 / 0"] in lines  # hours alike share a row
    assert ["12 to 16", "3 / 4", "0.75", "2 / 3", "1 / 1", "0 / 1"] in lines
    assert sum(line[:2] == ["center", "<channel>.waiting"] for line in lines) == 1  # once for all channels
    assert "Warning: unreachable: nothing leads to letter" in text


def test_business_hours_and_breaks_are_shown():
    hours = {"start": "09:00", "end": "17:00"}
    described = describe(
        one_channel(
            shifts=[{**hours, "breaks": [{"start": "12:00", "length_s": 1800}]}],
            arrivals={"rate_per_hour": 1},
            due={"clock": "business", "after_s": 14_400},
            business_hours=[hours],
        )
    )
    assert described.groups[0].shifts == ("every day 09:00 to 17:00, break 12:00 for 30 min",)
    assert described.channels[0].promise == "due within 4 h (business clock)"
    assert "Business hours: every day 09:00 to 17:00." in shown(described)
    assert described.warnings == ()  # the business clock does not fall into closed hours


@pytest.mark.parametrize("name", ["bank", "tiny", "million_dollar_interrupt", "premium_desk"])
def test_scenarios_of_the_project_can_be_described(name):
    described = describe(load_scenario(name))
    json.dumps(asdict(described), allow_nan=False)
    assert name in shown(described)
    assert not any(warning.startswith(("overload over", "unreachable")) for warning in described.warnings)


def blended(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the real console script in a folder."""
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, cwd=folder, check=False)


def test_the_command_shows_and_writes_the_description_of_an_extending_file(tmp_path):
    (tmp_path / "center.yaml").write_text(CENTER, encoding="utf-8")
    (tmp_path / "own.yaml").write_text("extends: center.yaml\nname: own\n", encoding="utf-8")
    result = blended(
        "describe", "own.yaml", "--full", "--set", "groups.desk.count=3", "--json", "own.json", folder=tmp_path
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("own: A center to be reckoned by hand.")
    # Three at the desk: 24 rep-hours a day for 3 * 8 = 24; 50 for 48 over the horizon with the backlog.
    assert "staffed rep-hours of the skilled (desk), load 1.04" in result.stdout
    written = json.loads((tmp_path / "own.json").read_text())
    assert written["name"] == "own"
    assert written["groups"][1]["count"] == 3
    assert written["warnings"] == list(
        describe(load_scenario(tmp_path / "own.yaml", ("groups.desk.count=3",))).warnings
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bnak",), "did you mean 'bank'?"),
        (("bank", "--set", "horizon.days=-1"), "scenario.horizon.days = -1: must be > 0 days (--set)"),
        (("bank", "--json", "no/such/folder/x.json"), "cannot be written"),
        ((), "SCENARIO"),
    ],
)
def test_a_mistake_ends_in_a_message_and_exit_code_2(tmp_path, arguments, message):
    result = blended("describe", *arguments, folder=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_nothing_is_compiled_and_no_training_stack_is_imported():
    code = (
        "import sys; from experiments.description.describe import describe; from envs import load_scenario; "
        "describe(load_scenario('tiny')); from envs.simulator.router.observation import write_observation; "
        "print(len(write_observation.signatures), 'torch' in sys.modules, 'onnxruntime' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["0", "False", "False"]


@pytest.mark.parametrize("name", ["bank", "insurance_claims", "follow_the_sun", "two_clients", "tiny"])
def test_the_summary_fits_a_screen_and_keeps_every_warning(name):
    described = describe(load_scenario(name))
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=100, file=nowhere)
        show_summary(described, console)
    text = console.export_text()
    assert len(text.splitlines()) <= 40
    words = " ".join(text.split())
    for channel in described.channels:
        assert channel.name in words
    for warning in described.warnings:
        assert warning in words
    assert f"{described.work_rep_hours:,.1f} of {described.staffed_rep_hours:,.1f} rep-hours" in words
    assert f"{len(described.actions)} actions" in words
    assert text.splitlines()[-1].endswith("--full")


def test_the_command_shows_the_summary_unless_all_is_asked_for(monkeypatch, capsys):
    shown_lines = {}
    for option in ((), ("--full",)):
        monkeypatch.setattr(sys, "argv", ["blended", "describe", "tiny", *option])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert not caught.value.code
        shown_lines[option] = capsys.readouterr().out
    assert "interrupt:" not in shown_lines[()]
    assert "interrupt:" in shown_lines["--full",]


def test_brackets_in_a_name_are_shown_as_they_stand():
    scenario = center().model_copy(update={"name": "[red] [/] calls"})
    assert shown(describe(scenario)).startswith("[red] [/] calls: ")
