"""The rule `priority`: order, reservation, interruption, offers, on situations worked by hand, and what it refuses."""

import numpy as np
import pytest
from playing import EMAIL, VOICE, bank_day, channel, contact, day, play, starts

from agents.catalog import load_policy
from agents.rules.priority_rule import PriorityRule
from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.errors import ConfigurationError
from envs.scenario.scenario import load_scenario
from experiments.comparison.benchmark import BenchmarkConfig, benchmark

GOLD = channel(VOICE, name="gold", handle_time=100)
STANDARD = channel(VOICE, name="standard", handle_time=100)
LETTER = channel(EMAIL, name="letter", handle_time=50)


def rule(**parts) -> PriorityRule:
    return PriorityRule.model_validate({"rule": "priority"} | parts)


def test_channels_are_served_in_the_order_and_contacts_of_a_channel_as_they_came():
    # One rep, 100 s each: the first call is served to 100 s; meanwhile standard, gold, gold come.
    contacts = [contact(0, "gold"), contact(10, "standard"), contact(20, "gold"), contact(30, "gold")]
    scenario = day([STANDARD, GOLD], *contacts)
    assert starts(scenario, rule(order=["gold", "standard"])) == [(0, 0), (100, 2), (200, 3), (300, 1)]
    assert starts(scenario, rule(order=["standard", "gold"])) == [(0, 0), (100, 1), (200, 2), (300, 3)]


def test_without_an_order_real_time_channels_come_first():
    scenario = day([LETTER, VOICE], contact(0, "letter"), contact(10, "letter"), contact(20, "voice"))
    assert [place for _, place in starts(scenario, rule())] == [0, 2, 1]


def test_reserved_reps_are_kept_free_of_the_channel_and_of_no_other():
    # Three reps, two kept free of standard: the first standard call finds three free and is served, the second finds
    # two and waits until the first ends at 100 s; gold is served at once.
    groups = [{"name": "all", "count": 3, "skills": ["gold", "standard"]}]
    contacts = [contact(0, "standard"), contact(10, "standard"), contact(20, "gold")]
    scenario = day([GOLD, STANDARD], *contacts, groups=groups)
    assert starts(scenario, rule(reserve={"standard": 2})) == [(0, 0), (20, 2), (120, 1)]
    # At 100 s the first rep comes free, two are: still not more than two. At 120 s three are.
    assert starts(scenario, rule(reserve={"standard": 1})) == [(0, 0), (10, 1), (20, 2)]


def test_reserved_reps_are_those_with_the_skill():
    # Two reps serve gold only, two both. Of these two one is kept free of standard.
    groups = [
        {"name": "gold_only", "count": 2, "skills": ["gold"]},
        {"name": "both", "count": 2, "skills": ["gold", "standard"]},
    ]
    contacts = [contact(0, "standard"), contact(10, "standard")]
    scenario = day([GOLD, STANDARD], *contacts, groups=groups)
    assert starts(scenario, rule(reserve={"standard": 1})) == [(0, 0), (100, 1)]


def test_dedicated_reps_go_first_with_the_lens_fewest_skills():
    groups = [
        {"name": "both", "count": 1, "skills": ["gold", "standard"]},
        {"name": "gold_only", "count": 1, "skills": ["gold"]},
    ]
    scenario = day([GOLD, STANDARD], contact(0, "gold"), contact(10, "standard"), groups=groups)
    # The longest idle rep (the first one) takes gold, and standard waits; or the dedicated one takes it.
    assert starts(scenario, rule()) == [(0, 0), (100, 1)]
    assert starts(scenario, rule(assign="fewest_skills")) == [(0, 0), (10, 1)]


def test_a_channel_interrupts_only_if_told_and_suspended_work_goes_before_new_work_of_its_channel():
    contacts = [contact(0, "email"), contact(10, "email"), contact(60, "voice")]
    scenario = day([VOICE, EMAIL], *contacts)
    # The e-mail of 600 s goes on to its end, then the call, then the second e-mail.
    assert starts(scenario, rule()) == [(0, 0), (600, 2), (900, 1)]
    # The call from 60 to 360 s; then the rest, 540 s after a pick-up of 60 s, to 960 s; then the second e-mail.
    assert starts(scenario, rule(interrupt=["voice"])) == [(0, 0), (60, 2), (360, 0), (960, 1)]


def test_a_callback_is_offered_only_to_an_arrival_that_finds_so_many_waiting():
    callback = {"name": "callback", "kind": "deferred", "handle_time": 50}
    voice = channel(VOICE, handle_time=100, callback_offer={"to": "callback", "accept_prob": 0.0})
    contacts = [contact(at_s) for at_s in (0, 10, 20, 30)]
    scenario = day([voice, callback], *contacts)
    # The first is served; the second finds none waiting, the third one, the fourth two.
    offers = [at_s for at_s, _, name in play(scenario, rule(offer_at={"voice": 1})) if name == "offer_callback"]
    assert offers == [20, 30]
    offers = [at_s for at_s, _, name in play(scenario, rule(offer_at={"voice": 2})) if name == "offer_callback"]
    assert offers == [30]


def test_the_loop_of_a_priority_rule_plays_what_choosing_and_stepping_plays():
    scenario = bank_day()
    policy = rule(interrupt=["voice"], reserve={"email": 1}).make(scenario)

    rows = [CenterRows(scenario, 1) for _ in range(2)]
    for one in rows:
        one.start(one.all_rows, np.array([3]), np.array([0]))
    policy.play_until(rows[0], rows[0].all_rows, np.full(1, np.inf))
    while not rows[1].done[0]:
        rows[1].step(rows[1].all_rows, policy.predict(rows[1].observation()))
    assert rows[0].states.tobytes() == rows[1].states.tobytes()
    assert rows[0].counts(0)["queue_count"]["interruptions"].sum() > 0


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"order": ["voice"]}, r"order = voice: must name every channel of scenario bank once"),
        ({"order": ["voice", "voice"]}, r"order = voice, voice: must name every channel"),
        ({"reserve": {"emial": 1}}, r"reserve = 'emial': no such channel in scenario bank .*did you mean 'email'"),
        ({"interrupt": ["email"]}, r"interrupt = 'email': must be a real-time channel"),
        ({"offer_at": {"email": 1}}, r"offer_at = 'email': the channel has no callback_offer"),
        ({"assign": "least_loaded"}, r"assign = 'least_loaded': has no meaning in scenario bank"),
    ],
)
def test_a_part_that_makes_no_sense_is_refused_with_the_reason(parts, message):
    with pytest.raises(ConfigurationError, match=message):
        rule(**parts).make(load_scenario("bank"))


def test_priority_without_its_parts_is_no_baseline():
    with pytest.raises(ConfigurationError, match="state them in a policy file"):
        RulePolicy("priority", load_scenario("bank"))


def test_a_policy_file_is_a_policy(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("rule: priority\nname: reserving\nreserve: {email: 1}\n")
    assert load_policy(str(file), load_scenario("bank")).name == "reserving"
    assert load_policy(f"other={file}", load_scenario("bank")).name == "other"
    file.write_text("rule: priority\nreserve: {email: -1}\n")
    with pytest.raises(ConfigurationError, match=r"policy\.reserve\.email = -1: must be >= 0.*mine\.yaml:2"):
        load_policy(str(file), load_scenario("bank"))


def test_a_benchmark_plays_a_rule_beside_baselines():
    config = BenchmarkConfig(
        scenarios=("tiny",), policies=("fifo", PriorityRule(rule="priority", name="calls_first")), episodes=2
    )
    outcomes = benchmark(config).scenarios["tiny"].outcomes
    assert list(outcomes) == ["fifo", "calls_first"]
