"""Mean flows between channels: worked examples, circles that do not die out, and the simulator's own counts."""

from typing import Any

import numpy as np
import pytest
from playing import scripted

from agents.episodes import play_episodes
from agents.rules.rule_policy import RulePolicy
from envs.scenario.scenario import Scenario
from experiments.description.mean_flows import Flows, flows_from, missed_attempts_h, reached_frac, rep_hours

DELAY = {"distribution": "fixed", "value_s": 3600}
LATER = {"after": DELAY, "window_s": 86_400}


def deferred(name: str, **keys: Any) -> dict[str, Any]:
    return {"name": name, "kind": "deferred", "handle_time": 360} | keys


def center(*channels: dict[str, Any], reps: int = 1, **keys: Any) -> Scenario:
    groups = [{"name": "all", "count": reps, "skills": [channel["name"] for channel in channels]}]
    return scripted(channels=channels, reps=groups, **keys)


def returning(scenario: Scenario, contacts: list[float], handle_h: list[float]) -> tuple[list[float], list[float]]:
    """Return the contacts and the hours that follow from first ones; nothing is endless."""
    flows, endless = flows_from(scenario, Flows(np.array(contacts), np.array(handle_h)))
    assert endless == ()
    return flows.contacts.tolist(), flows.handle_h.tolist()


def test_follow_ups_of_follow_ups():
    # A quarter is followed up, those too: 1/4 + 1/16 + ... = 1/3 of the contacts. Each has half the work of the one
    # before: 1/8 + 1/64 + ... = 1/7 of the hours.
    scenario = center(deferred("email", follow_up={"prob": 0.25, "work_frac": 0.5, **LATER}))
    assert returning(scenario, [144.0], [28.0]) == (pytest.approx([48]), pytest.approx([4]))


def test_everything_that_a_contact_may_lead_to():
    voice = {
        "name": "voice",
        "kind": "real_time",
        "handle_time": 360,
        "patience": 60,
        "redial": {"prob": 0.9, "delay": 600},  # depends on the policy, and is left out
        "callback_offer": {"to": "letter", "accept_prob": 0.5},  # as well
        "follow_up": {"prob": 0.2, "to": "research", "work_frac": 2, **LATER},
        "error": {
            "prob": 0.1,
            "per_interruption_prob": 0.5,
            "rework": {"to": "letter", "delay_s": 0, "work_frac": 0.5},
        },
        "resolution": {
            "prob": 0.75,
            "returns": {"prob": 0.5, "after": 3600, "work_frac": 0.5},
            "escalates": {"prob": 0.3, "to": "desk", "work_frac": 3},
        },
    }
    desk = deferred("desk", resolution={"prob": 0.5, "returns": {"prob": 1, "after": 3600, "to": "letter"}})
    scenario = center(voice, deferred("letter"), deferred("research"), desk)
    contacts, hours = returning(scenario, [910.0, 0, 0, 0], [91.0 * 1.0, 0, 0, 0])
    # Of a call: 0.2 are deferred; of 0.8 a tenth, 0.08, hold an error; of 0.72 a quarter, 0.18, are unresolved: half of
    # these, 0.09, call again, 0.054 are escalated, the rest gives up. So 910 calls become 910 / 0.91 = 1,000.
    calls = 1000
    assert contacts == pytest.approx([90, 0.08 * calls + 0.5 * 0.054 * calls, 0.2 * calls, 0.054 * calls])
    # An hour of calls leads to 0.09 * 0.5 = 0.045 of calls.
    call_h = 91 / 0.955
    desk_h = 0.054 * 3 * call_h
    assert hours == pytest.approx([call_h - 91, 0.08 * 0.5 * call_h + 0.5 * desk_h, 0.2 * 2 * call_h, desk_h])


def test_new_work_is_that_of_the_channel_joined_and_not_of_the_contact_before():
    # Of 80 calls a quarter returns as an e-mail of 6 min whatever the call took, half of which is followed up by a
    # letter of double its work: 20 e-mails of 0.1 h and 10 letters of 0.2 h.
    returns = {"prob": 0.5, "after": 0, "to": "email", "new_work": True}
    voice = {"name": "voice", "kind": "real_time", "handle_time": 360, "after_work": 36} | {
        "resolution": {"prob": 0.5, "returns": returns}
    }
    email = deferred("email", after_work=72, follow_up={"prob": 0.5, "to": "letter", "work_frac": 2, **LATER})
    scenario = center(voice, email, deferred("letter"))
    first = Flows(np.array([80.0, 0, 0]), np.array([1000.0, 0, 0]))
    assert returning(scenario, *[part.tolist() for part in first]) == (
        pytest.approx([0, 20, 10]),
        pytest.approx([0, 2, 2]),
    )
    # After-contact work of 0.01 h a call and 0.02 h an e-mail.
    following, _ = flows_from(scenario, first)
    assert rep_hours(scenario, first) == pytest.approx([1000.8, 0, 0])
    assert rep_hours(scenario, following) == pytest.approx([0, 2.4, 2])


def test_after_contact_work_is_none_after_an_attempt_in_vain():
    # 8 contacts of half an hour, of whom half are reached: 4 of 0.5 + 0.1 h, and 4 attempts of 0.02 h fail.
    reach = {"prob": 0.5, "attempt_s": 72, "retry_after_s": 600, "max_attempts": 1}
    scenario = center(deferred("research", after_work=360, reach=reach))
    assert rep_hours(scenario, Flows(np.array([8.0]), np.array([4.0]))) == pytest.approx([2.4 + 0.08])


def test_outbound_attempts():
    # Attempts 1, 2 and 3 fail for 0.5, 0.25 and 0.125 of the customers: 0.875 in all, and 0.875 are reached.
    reach = {"prob": 0.5, "attempt_s": 72, "retry_after_s": 600, "max_attempts": 3}
    scenario = center(
        deferred("research", reach=reach, follow_up={"prob": 0.4, "to": "letter", **LATER}), deferred("letter")
    )
    (research, letter) = scenario.channels
    assert (reached_frac(research), missed_attempts_h(research)) == pytest.approx((0.875, 0.875 * 0.02))
    assert (reached_frac(letter), missed_attempts_h(letter)) == (1, 0)
    # 8 contacts of half an hour: 7 are reached, and 7 attempts of 72 s fail.
    first = Flows(np.array([8.0, 0.0]), np.array([4.0, 0.0]))
    assert rep_hours(scenario, first) == pytest.approx([3.5 + 0.14, 0])
    # Of the 7 reached 0.4 are followed up.
    assert returning(scenario, [8.0, 0.0], [4.0, 0.0]) == (pytest.approx([0, 2.8]), pytest.approx([0, 1.4]))


def test_what_comes_of_nothing_is_nothing():
    scenario = center(deferred("email", follow_up={"prob": 0.25, **LATER}))
    assert returning(scenario, [0.0], [0.0]) == ([0], [0])


def endless(scenario: Scenario, contacts: list[float]) -> tuple[Flows, tuple[str, ...]]:
    first = np.array(contacts)
    return flows_from(scenario, Flows(first, first))


def test_a_circle_that_does_not_die_out_is_named_and_not_followed():
    # Every e-mail becomes a letter, every letter an e-mail; half of the notes become e-mails.
    scenario = center(
        deferred("email", follow_up={"prob": 1, "to": "letter", **LATER}),
        deferred("letter", follow_up={"prob": 1, "to": "email", **LATER}),
        deferred("note", follow_up={"prob": 0.5, "to": "email", **LATER}),
    )
    flows, names = endless(scenario, [0.0, 0.0, 10.0])
    assert names == ("email", "letter")
    assert flows.contacts == pytest.approx([5, 0, 0])
    # Nobody gets into the circle from letters that do not come.
    flows, names = endless(center(*[channel.model_dump() for channel in scenario.channels]), [0.0, 0.0, 0.0])
    assert (flows.contacts.tolist(), names) == ([0, 0, 0], ())


@pytest.mark.parametrize(("work_frac", "names"), [(1.99, ()), (2.0, ("email",))])
def test_work_that_grows_faster_than_contacts_end_is_endless(work_frac, names):
    # Half of the contacts are followed up with twice the work: as much work as before, again and again.
    scenario = center(deferred("email", follow_up={"prob": 0.5, "work_frac": work_frac, **LATER}))
    flows, found = endless(scenario, [1.0])
    assert found == names
    # 0.995 / (1 - 0.995)
    assert flows.handle_h == pytest.approx([0 if names else 199])


def test_the_simulator_counts_as_many_contacts_and_hours():
    """All work is there at the start, reps are many, and the horizon is long enough for everything to end."""
    reach = {"prob": 0.6, "attempt_s": 60, "retry_after_s": 1800, "max_attempts": 3}
    error = {"prob": 0.1, "rework": {"to": "letter", "delay_s": 600, "work_frac": 0.5}}
    resolution = {
        "prob": 0.7,
        "returns": {"prob": 0.5, "after": DELAY, "work_frac": 0.7},
        "escalates": {"prob": 0.3, "to": "desk", "new_work": True},
    }
    scenario = center(
        deferred(
            "email",
            after_work={"distribution": "exponential", "mean_s": 60},
            initial_backlog={"mean_contacts": 300},
            follow_up={"prob": 0.25, "to": "research", "work_frac": 1.5, **LATER},
            error=error,
            resolution=resolution,
        ),
        deferred("letter", error=error),
        deferred("research", after_work=30, reach=reach, follow_up={"prob": 0.2, **LATER}),
        deferred("desk", resolution=resolution),
        reps=30,
        horizon={"days": 4},
    )
    first = Flows(np.array([300.0, 0, 0, 0]), np.array([30.0, 0, 0, 0]))
    flows, names = flows_from(scenario, first)
    assert names == ()
    expected = [
        *(first.contacts + flows.contacts) * [reached_frac(channel) for channel in scenario.channels],
        rep_hours(scenario, Flows(first.contacts + flows.contacts, first.handle_h + flows.handle_h)).sum(),
    ]
    counts = play_episodes(scenario, RulePolicy("fifo", scenario), 7, np.arange(16))
    assert not any(count["left"]["open"].any() for count in counts)
    found = np.array(
        [[*count["queue_count"]["completed"][:4], count["center_count"]["busy_s"] / 3600] for count in counts]
    )
    error_of_mean = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (error_of_mean < 0.06 * np.array(expected)).all()
    assert (np.abs(found.mean(axis=0) - expected) < 3 * error_of_mean).all()
