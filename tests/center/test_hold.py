"""`hold`: one answer keeps a caller from all free reps, until something could change it (docs/decision.md)."""

import dataclasses

import numpy as np
import pytest
from playing import EMAIL, VOICE, Center, channel, contact, day, scripted, value_of_subject

from agents.learning.rollouts import Rollouts
from agents.rules.rule_policy import RulePolicy
from envs.interface.actions import ASSIGN, HOLD, WAIT
from envs.interface.units import DAY_S
from envs.scenario.action_table import action_table
from envs.scenario.scenario import load_scenario_as
from experiments.optimum.average_cost import find_optimum
from experiments.optimum.markov_chain import Edges, explore
from experiments.optimum.markovian_scenario import MarkovianScenario

PATIENT = channel(VOICE, service_level_threshold_s=5000, patience=20_000)
"""A voice channel on which neither threshold nor patience plays a part."""


def asked(center: Center) -> tuple[float, str]:
    return center.time_s, center.subject[0]


def test_a_held_caller_is_offered_to_no_rep_until_the_threshold_passes():
    center = Center(scripted(contact(10), reps=2))
    assert (asked(center), center.open) == ((10, "contact"), {"wait", "hold", "assign:longest_idle"})
    center.do("hold")
    assert asked(center) == (30, "contact")  # the threshold is 20 s; neither rep was asked
    center.do("hold")
    assert asked(center) == (150, "contact")  # the review interval is 120 s


def test_other_work_is_offered_all_the_same():
    center = Center(scripted(contact(10, "email"), contact(20), channels=[PATIENT, EMAIL])).do("wait")
    center.do("hold")
    assert (asked(center), center.open) == ((20, "rep"), {"wait", "serve:email:oldest"})


def test_of_two_callers_only_the_one_that_is_not_held_is_offered():
    channels = [PATIENT, EMAIL]
    center = Center(scripted(contact(0), contact(10, value_usd=100), contact(20, value_usd=900), channels=channels))
    center.do("assign:longest_idle")
    assert asked(center) == (300, "contact")  # the older one
    center.do("hold").do("wait")
    assert (asked(center), center.open) == ((300, "rep"), {"wait", "serve:voice:most_valuable"})


def test_a_rep_who_comes_free_is_a_reason_to_ask_again():
    center = Center(scripted(contact(0), contact(10), reps=2, channels=[PATIENT, EMAIL], review_interval_s=9000))
    center.do("assign:longest_idle").do("hold")
    assert asked(center) == (300, "contact")
    assert center.open == {"wait", "hold", "assign:longest_idle"}


def test_one_held_caller_stays_held_when_another_is_left_to_the_reps():
    # Both are held as they come; at 300 a rep comes free, and the router holds the older and leaves the other.
    contacts = (contact(0), contact(10, value_usd=100), contact(15, value_usd=900))
    center = Center(scripted(*contacts, reps=2, channels=[PATIENT, EMAIL], review_interval_s=9000))
    center.do("assign:longest_idle").do("hold").do("hold")
    assert (asked(center), center.open) == ((15, "rep"), {"wait", "serve:voice:oldest"})  # for whom the second is news
    center.do("wait")
    assert asked(center) == (300, "contact")
    center.do("hold")
    assert value_of_subject(center) == 900
    center.do("wait")
    assert (asked(center), center.open) == ((300, "rep"), {"wait", "serve:voice:most_valuable"})


def test_new_work_is_a_reason_to_offer_a_held_caller_with_it():
    # As after `wait`: what comes may change the answer.
    center = Center(scripted(contact(10), contact(50, "email"), channels=[PATIENT, EMAIL], review_interval_s=9000))
    center.do("hold")
    assert (asked(center), center.open) == ((50, "rep"), {"wait", "serve:voice:oldest", "serve:email:oldest"})


def test_of_two_groups_only_the_one_that_has_news_is_offered_a_held_caller():
    groups = [
        {"name": "voice", "count": 1, "skills": ["voice"]},
        {"name": "both", "count": 1, "skills": ["voice", "email"]},
    ]
    contacts = (contact(10), contact(50, "email"))
    center = Center(scripted(*contacts, reps=groups, channels=[PATIENT, EMAIL], review_interval_s=9000)).do("hold")
    assert (center.time_s, center.subject) == (50, ("rep", 1))
    assert center.open == {"wait", "serve:voice:oldest", "serve:email:oldest"}
    center.do("wait")
    assert asked(center) == (5010, "contact")  # the threshold passes; the first group was not asked


def test_a_caller_who_is_held_no_more_is_offered_to_reps_who_said_wait():
    # The rep is asked about the e-mail while the caller is held, and waits; at the threshold the caller is left to it.
    center = Center(scripted(contact(10, "email"), contact(20), review_interval_s=9000))
    assert asked(center) == (10, "rep")
    center.do("wait").do("hold")
    assert (asked(center), center.open) == ((20, "rep"), {"wait", "serve:email:oldest"})
    center.do("wait")
    assert asked(center) == (40, "contact")
    center.do("wait")
    assert (asked(center), center.open) == ((40, "rep"), {"wait", "serve:email:oldest", "serve:voice:oldest"})


def test_who_waits_for_want_of_a_rep_cannot_be_held():
    center = Center(scripted(contact(0, "email"), contact(10), channels=[PATIENT, EMAIL])).do("serve:email:oldest")
    assert (center.time_s, center.open) == (10, {"wait", "interrupt:least_value_at_stake"})


def test_a_held_caller_is_not_offered_to_the_preferred_rep_either():
    contacts = (contact(0, preferred_rep=0), contact(5, preferred_rep=1))
    center = Center(scripted(*contacts, reps=2, channels=[PATIENT, EMAIL], review_interval_s=9000))
    center.do("assign:longest_idle").do("hold")
    assert asked(center) == (300, "contact")  # rep 0 comes free; rep 1, for whom the caller waits, was not asked


def test_what_is_held_at_every_event_is_asked_about_at_the_next():
    contacts = (contact(10), contact(20, "email"))
    center = Center(scripted(*contacts, channels=[PATIENT, EMAIL], review="every_event"))
    center.do("hold")
    assert asked(center) == (20, "contact")


def test_holding_shows_in_one_step_what_it_costs_where_waiting_shows_nothing():
    # `wait` has the rep asked in the same second, who serves from 10 to 310, and the second caller waits 5 s. Held, the
    # first is asked about again at the threshold, 30, and the second waits from 305 to 330: 5 s beyond the threshold,
    # 500 USD x 0.1 a minute x 5 / 60 = 4.17 USD.
    voice = VOICE | {"harm": {"wait_prob_per_min": 0.1, "wait_max_prob": 0.9}}
    scenario = day([voice], contact(10), contact(305))
    rule = RulePolicy("expected_loss", scenario)
    rollouts = Rollouts(scenario, rule.settings, horizon_s=DAY_S, share_frac=1.0, exploration_frac=0.0)
    choices = rollouts.play_episode(0, 0)
    of_first = choices.decision == 0
    cost_usd = dict(zip(choices.action[of_first].tolist(), choices.cost_usd[of_first].tolist(), strict=True))
    hold, assign = (int(np.flatnonzero(rule.layout.kind == kind)[0]) for kind in (HOLD, ASSIGN))
    assert cost_usd == {WAIT: 0.0, hold: pytest.approx(500 * 0.1 * 5 / 60), assign: 0.0}


@pytest.mark.parametrize("name", ["certify_value", "certify_deadline"])
def test_the_exact_optimum_gains_nothing_by_it(name):
    # Whoever is held could be told to wait, and so could each rep after that.
    scenario = load_scenario_as(MarkovianScenario, name)
    chain = explore(scenario)
    kinds = np.array([action.kind for action in action_table(scenario)])
    others = kinds[chain.actions.weight.astype(int)] != HOLD
    assert not others.all()
    actions = Edges(*(getattr(chain.actions, field.name)[others] for field in dataclasses.fields(Edges)))
    without = find_optimum(dataclasses.replace(chain, actions=actions))
    assert without.cost_usd_per_s == pytest.approx(find_optimum(chain).cost_usd_per_s, rel=1e-9)
