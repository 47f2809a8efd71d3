"""Reps kept free of all channels but one, by hand, in `priority` and in an index rule."""

import pytest
from playing import EMAIL, VOICE, channel, contact, day, play, starts

from agents.rules.priority_rule import PriorityRule
from agents.rules.registry import RuleFile
from agents.rules.rule import OWN_PARTS, keep_free_parameters
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario
from experiments.tuning.search import free_parameters

GOLD = channel(VOICE, name="gold", handle_time=100)
STANDARD = channel(VOICE, name="standard", handle_time=100)
LETTER = channel(EMAIL, name="letter", handle_time=50)
BOTH = {"name": "both", "count": 2, "skills": ["gold", "standard"]}
GOLD_ONLY = {"name": "gold_only", "count": 1, "skills": ["gold"]}
in_each_rule = pytest.mark.parametrize("name", ["priority", "first_come_longest_idle"])


def rule(name: str, **parts):
    return RuleFile.model_validate({"rule": name} | parts).root


@in_each_rule
def test_only_reps_with_the_skill_are_kept_and_only_of_others(name):
    contacts = [contact(0, "gold"), contact(10, "gold"), contact(20, "gold"), contact(30, "standard")]
    scenario = day([GOLD, STANDARD], *contacts, groups=[GOLD_ONLY, BOTH])
    policy = rule(name, keep_free={"standard": 1}, assign="fewest_skills")
    # The dedicated rep takes the first call, one of two flexible reps the second. The third finds one flexible rep
    # free, who is kept, and waits for the dedicated one; the standard call takes the kept rep.
    assert starts(scenario, policy) == [(0, 0), (10, 1), (30, 3), (100, 2)]
    # A reserve counts the dedicated rep too: the second call finds two reps free, not one.
    assert starts(scenario, rule(name, reserve={"gold": 1}, assign="fewest_skills"))[:3] == [(0, 0), (10, 1), (30, 3)]
    assert starts(scenario, rule(name, reserve={"gold": 2}, assign="fewest_skills"))[:2] == [(0, 0), (30, 3)]


@in_each_rule
def test_where_the_lens_names_a_kept_rep_another_one_is_taken(name):
    # Flexible reps stand first, so they are idle longest. The first call takes one of them, the second finds the other
    # kept and takes the dedicated rep. At 100 s a flexible rep comes free, and is kept; at 110 s the dedicated one.
    contacts = [contact(0, "gold"), contact(10, "gold"), contact(20, "gold"), contact(30, "standard")]
    scenario = day([GOLD, STANDARD], *contacts, groups=[BOTH, GOLD_ONLY])
    assert starts(scenario, rule(name, keep_free={"standard": 1})) == [(0, 0), (10, 1), (30, 3), (110, 2)]


@in_each_rule
def test_a_rep_whom_no_lens_names_serves_when_asked(name):
    # Both reps have two skills, and the kept one is idle longer: every lens names that one.
    groups = [{**BOTH, "count": 1}, {"name": "other", "count": 1, "skills": ["gold", "letter"]}]
    scenario = day([GOLD, STANDARD, LETTER], contact(0, "gold"), contact(10, "standard"), groups=groups)
    assert starts(scenario, rule(name, keep_free={"standard": 1})) == [(0, 0), (10, 1)]


@in_each_rule
def test_reps_are_kept_free_of_deferred_work_alike(name):
    # Two reps, one kept: the second letter waits until the first one ends.
    groups = [{"name": "all", "count": 2, "skills": ["gold", "letter"]}]
    scenario = day([GOLD, LETTER], contact(0, "letter"), contact(5, "letter"), groups=groups)
    assert starts(scenario, rule(name, keep_free={"gold": 1})) == [(0, 0), (50, 1)]
    assert starts(scenario, rule(name, keep_free={"letter": 1})) == [(0, 0), (5, 1)]


@pytest.mark.parametrize(("name", "interrupt"), [("priority", ["voice"]), ("first_come_longest_idle", "always")])
def test_suspended_work_is_resumed_by_no_rep_who_is_kept(name, interrupt):
    # Two reps, one kept for calls. The e-mail of 600 s is interrupted at 60 s, since the other rep is at a call of
    # 1,000 s from 30 s on. At 360 s its rep is free again, but alone: asked every 120 s, and at 1,080 s two are free.
    contacts = [contact(0, "email"), contact(30, handle_time=1000), contact(60)]
    groups = [{"name": "all", "count": 2, "skills": ["voice", "email"]}]
    scenario = day([VOICE, EMAIL], *contacts, groups=groups)
    choices = play(scenario, rule(name, keep_free={"voice": 1}, interrupt=interrupt))
    assert [at_s for at_s, _, action in choices if action == "resume"] == [1080]


def test_a_rep_who_holds_chats_takes_another_one_though_no_free_rep_may_be_taken():
    chat = channel(VOICE, name="chat", handle_time=100, concurrency={"speed_frac": [1, 1]})
    groups = [{"name": "all", "count": 2, "skills": ["chat", "gold"], "capacity_units": 2}]
    scenario = day([chat, GOLD], *(contact(at_s, "chat") for at_s in (0, 10, 20)), groups=groups)
    # The first chat takes a rep, whom the second one joins; the third finds only the kept rep, until 100 s.
    assert starts(scenario, rule("priority", keep_free={"gold": 1})) == [(0, 0), (10, 1), (100, 2)]


def test_it_is_tuned_where_some_reps_have_the_skill_and_some_not():
    apart = day([GOLD, STANDARD], contact(0, "gold"), groups=[GOLD_ONLY, BOTH])
    assert [(free.key, free.low, free.high) for free in keep_free_parameters(apart)] == [("keep_free.standard", 0, 1)]
    assert keep_free_parameters(day([GOLD, STANDARD], contact(0, "gold"))) == ()
    policy = PriorityRule(rule="priority")
    assert [free.key for free in free_parameters(policy, apart)] == ["keep_free.standard"]
    assert free_parameters(policy, apart, OWN_PARTS) == ()  # what the field knows stays what it was


@in_each_rule
def test_a_channel_that_is_not_there_is_refused(name):
    with pytest.raises(ConfigurationError, match=r"keep_free = 'viice': no such channel in scenario bank .*'voice'"):
        rule(name, keep_free={"viice": 1}).make(load_scenario("bank"))
