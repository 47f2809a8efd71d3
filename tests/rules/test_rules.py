"""The routing rules on small situations: each names the action that it should take."""

from typing import Any

import numpy as np
import pytest
from playing import EMAIL, VOICE, Center, bank_day, channel, contact, scripted

from agents.rules.compiled.choice import BASELINES
from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.errors import ConfigurationError
from envs.interface.fields import CANDIDATE_FIELDS
from envs.scenario.scenario import Scenario, load_scenario

SHARED_RULES = tuple(rule for rule in BASELINES if rule != "silo")
"""Rules that need no home channels."""
LONG = 6000


def batch(center: Center) -> dict[str, np.ndarray]:
    """Return the center's present observation as a batch of one."""
    return {key: values[None] for key, values in center._rows.observation(0).items()}


def choice(rule: str, center: Center) -> str:
    """Return the name of the action that a rule takes now."""
    return center.action_names[int(RulePolicy(rule, center.scenario).predict(batch(center))[0])]


def after_a_call(*contacts: dict[str, Any], **keys: Any) -> Center:
    """Return a center whose only rep comes free at 300 with the contacts waiting: the first question of then."""
    center = Center(scripted(contact(0, handle_time=300), *contacts, **keys)).do("assign:longest_idle")
    assert center.time_s == 300
    return center


def rep_is_asked(center: Center) -> Center:
    """Answer wait until the rep is asked."""
    while center.subject[0] != "rep":
        center.do("wait")
    assert center.time_s == 300
    return center


# --- a free rep ---------------------------------------------------------------------------------------------


def test_fifo_takes_the_oldest_contact_of_all():
    older_email = after_a_call(contact(10, "email", 900), contact(200, value_usd=900))
    assert choice("fifo", older_email) == "wait"  # the call is not the oldest
    assert choice("fifo", rep_is_asked(older_email)) == "serve:email:oldest"
    older_call = after_a_call(contact(10), contact(200, "email", 900))
    assert choice("fifo", older_call) == "assign:longest_idle"
    assert choice("fifo", rep_is_asked(older_call)) == "serve:voice:oldest"


def test_voice_first_takes_the_oldest_call():
    center = after_a_call(contact(10, "email", 900), contact(20, value_usd=1), contact(200, value_usd=900))
    for rule in ("voice_first", "voice_first_interrupting"):
        assert choice(rule, center) == "assign:longest_idle"
    rep_is_asked(center)
    for rule in ("voice_first", "voice_first_interrupting"):
        assert choice(rule, center) == "serve:voice:oldest"


def test_voice_first_then_resumes_own_work_then_takes_deferred_work():
    center = Center(scripted(contact(0, "email", handle_time=LONG), contact(100), contact(150, "email"))).do(
        "serve:email:oldest"
    )
    center.do("interrupt:least_value_at_stake")
    assert (center.time_s, center.open) == (400, {"wait", "resume", "serve:email:oldest"})
    for rule in ("voice_first", "voice_first_interrupting"):
        assert choice(rule, center) == "resume"
    center = after_a_call(contact(20, "email"), contact(10, "email"))
    for rule in ("voice_first", "voice_first_interrupting"):
        assert choice(rule, center) == "serve:email:oldest"


def test_value_first_takes_the_largest_account():
    center = after_a_call(
        contact(10, value_usd=1), contact(20, "email", 50), contact(30, "email", 9000), contact(40, value_usd=500)
    )
    assert choice("value_first", center) == "wait"  # for a caller of 1 USD, then for one of 500 USD
    center.do("wait")
    assert choice("value_first", center) == "wait"
    assert choice("value_first", rep_is_asked(center)) == "serve:email:most_valuable"
    center = after_a_call(contact(10, "email", 50), contact(40, value_usd=500))
    assert choice("value_first", center) == "assign:longest_idle"
    assert choice("value_first", rep_is_asked(center)) == "serve:voice:oldest"


def test_value_first_counts_what_is_left_to_lose():
    # 9,000 USD of which 5 % are left are less than 500 USD; where nothing is to be seen of it, the larger account.
    center = rep_is_asked(after_a_call(contact(10, value_usd=500), contact(20, "email", 9000)))
    observation = batch(center)
    email = center.action_names.index("serve:email:oldest")
    retention = [field.name for field in CANDIDATE_FIELDS].index("retention_prob")
    policy = RulePolicy("value_first", center.scenario)
    assert policy.predict(observation).tolist() == [email]
    observation["candidates"][0, email, retention] = 0.05
    assert policy.predict(observation).tolist() == [center.action_names.index("serve:voice:oldest")]
    observation["candidates"][0, :, retention] = 0.0
    assert policy.predict(observation).tolist() == [email]


HARMFUL_VOICE = channel(
    VOICE,
    patience={"distribution": "exponential", "mean_s": 300},
    harm={"abandonment_prob": 0.5, "wait_prob_per_min": 0.01},
)
HARMFUL_EMAIL = channel(EMAIL, due={"after_s": 3600}, harm={"late_prob": 0.5, "late_prob_per_hour": 0.1})


@pytest.mark.parametrize(
    ("call_usd", "email_usd", "answer"),
    [(1_000_000, 500, "serve:voice:oldest"), (1, 1_000_000, "serve:email:oldest")],
)
def test_expected_loss_takes_what_loses_most(call_usd, email_usd, answer):
    center = after_a_call(
        contact(10, "email", email_usd, handle_time=600),
        contact(280, value_usd=call_usd, patience=3000),
        channels=[HARMFUL_VOICE, HARMFUL_EMAIL],
    )
    assert choice("expected_loss", rep_is_asked(center)) == answer


def test_without_any_stake_expected_loss_serves_something():
    center = after_a_call(contact(10, "email", 0), contact(20, value_usd=0))
    assert choice("expected_loss", rep_is_asked(center)).startswith("serve:")


# --- a waiting call, nobody free ----------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["fifo", "voice_first", "value_first"])
def test_most_rules_never_interrupt(rule):
    center = Center(scripted(contact(0, "email", 1), contact(100, value_usd=900))).do("serve:email:oldest")
    assert center.open == {"wait", "interrupt:least_value_at_stake"}
    assert choice(rule, center) == "wait"


def test_voice_first_interrupting_disturbs_the_least_progress():
    center = Center(
        scripted(
            contact(0, "email", 1, handle_time=LONG), contact(50, "email", 900, handle_time=LONG), contact(100), reps=2
        )
    )
    center.do("serve:email:oldest").do("serve:email:oldest")
    assert center.open >= {"interrupt:least_value_at_stake", "interrupt:least_progress"}
    assert choice("voice_first_interrupting", center) == "interrupt:least_progress"


def test_voice_first_interrupting_disturbs_a_rep_who_picks_up_first():
    center = Center(
        scripted(
            contact(0, "email", 1, handle_time=LONG),
            contact(40, "email", 900, handle_time=LONG),
            contact(50, handle_time=30),
            contact(100, handle_time=30),
            channels=[VOICE, channel(EMAIL, pick_up=600)],
            reps=2,
        )
    )
    center.do("serve:email:oldest").do("serve:email:oldest").do("interrupt:least_progress")
    assert (center.time_s, center.subject) == (80, ("rep", 1))
    center.do("resume")
    assert center.time_s == 100
    assert "interrupt:picking_up" in center.open or "interrupt:least_progress" in center.open
    action = choice("voice_first_interrupting", center)
    assert int(center.record["action_rep"][center.action_names.index(action)]) == 1


def test_a_rep_who_picks_up_is_found_under_the_name_of_another_lens():
    # Rep 0 works 100 s on an e-mail until a call; at 180 s it is picking that up.
    # Rep 1 has done 90 s on one of less value. `cheapest_to_resume` names rep 0, so `picking_up` is not open.
    center = Center(
        scripted(
            contact(0, "email", 900, handle_time=LONG),
            contact(90, "email", 1, handle_time=LONG),
            contact(100, handle_time=30),
            contact(180, handle_time=30),
            channels=[VOICE, channel(EMAIL, pick_up=600)],
            reps=2,
        )
    )
    center.do("serve:email:oldest").do("serve:email:oldest").do("interrupt:cheapest_to_resume").do("resume")
    assert center.time_s == 180
    assert center.open == {"wait", "interrupt:least_value_at_stake", "interrupt:cheapest_to_resume"}
    assert choice("voice_first_interrupting", center) == "interrupt:cheapest_to_resume"


@pytest.mark.parametrize(("call_usd", "email_usd", "interrupts"), [(1_000_000, 500, True), (500, 1_000_000, False)])
def test_expected_loss_weighs_an_interruption(call_usd, email_usd, interrupts):
    scenario = scripted(
        contact(0, "email", email_usd, handle_time=3000),
        contact(100, value_usd=call_usd, patience=3000),
        channels=[HARMFUL_VOICE, HARMFUL_EMAIL],
    )
    center = Center(scenario).do("serve:email:oldest")
    assert (choice("expected_loss", center) != "wait") == interrupts


@pytest.mark.parametrize("rule", SHARED_RULES)
def test_callbacks_are_not_offered(rule):
    voice = channel(VOICE, callback_offer={"to": "email", "accept_prob": 1.0})
    center = Center(scripted(contact(0), contact(10), channels=[voice, EMAIL])).do("assign:longest_idle")
    assert center.open == {"wait", "offer_callback"}
    assert choice(rule, center) == "wait"


@pytest.mark.parametrize("rule", SHARED_RULES)
def test_a_call_that_finds_a_free_rep_alone_is_assigned(rule):
    assert choice(rule, Center(scripted(contact(10), reps=2))) == "assign:longest_idle"


# --- silo ---------------------------------------------------------------------------------------------------


def walled(**home_channel: int) -> list[dict[str, Any]]:
    count = sum(home_channel.values())
    return [{"name": "all", "count": count, "skills": ["voice", "email"], "home_channel": home_channel}]


def test_silo_serves_the_home_channel_only():
    center = Center(scripted(contact(10, "email"), reps=walled(voice=1)))
    assert choice("silo", center) == "wait"
    center = Center(scripted(contact(10, "email"), reps=walled(email=1)))
    assert choice("silo", center) == "serve:email:oldest"
    center = Center(scripted(contact(10), reps=walled(email=1)))
    assert choice("silo", center) == "wait"
    center = Center(scripted(contact(10), reps=walled(voice=1)))
    assert choice("silo", center) == "assign:longest_idle"


def test_silo_never_interrupts():
    center = Center(scripted(contact(0, "email"), contact(10), reps=walled(email=1))).do("serve:email:oldest")
    assert center.open == {"wait", "interrupt:least_value_at_stake"}
    assert choice("silo", center) == "wait"


def test_silo_reaches_the_home_rep_even_behind_others():
    # The email rep is idle as long and comes first in the table: the call goes to the voice rep all the same.
    center = Center(scripted(contact(10), reps=walled(email=1, voice=1)))
    while choice("silo", center) == "wait" and center.time_s == 10:
        center.do("wait")
    assert center.time_s == 10
    action = choice("silo", center)
    assert int(center.record["action_rep"][center.action_names.index(action)]) == 1


def test_silo_without_home_channels_is_refused():
    with pytest.raises(ConfigurationError, match=r"policy silo .* scripted: no group has a home_channel"):
        RulePolicy("silo", scripted())


def test_an_unknown_rule_is_refused():
    with pytest.raises(ConfigurationError, match=r"policy = 'lifo': .* \(known: fifo, voice_first"):
        RulePolicy("lifo", scripted())


# --- all rules ----------------------------------------------------------------------------------------------


def visited(scenario: Scenario, rule: str, n_steps: int) -> dict[str, np.ndarray]:
    """Return the observations of some steps of four episodes played by a rule, every action checked to be open."""
    rows = CenterRows(scenario, 4)
    rows.start(rows.all_rows, np.full(4, 2), np.arange(4))
    policy = RulePolicy(rule, scenario)
    seen: dict[str, list[np.ndarray]] = {"center": [], "candidates": [], "action_mask": []}
    for _ in range(n_steps):
        running = np.flatnonzero(~rows.done)
        if not len(running):
            break
        observations = rows.observation()
        for key, values in observations.items():
            seen[key].append(values[running].copy())
        actions = policy.predict(observations)
        assert actions.dtype == np.int64
        assert (rows.mask[running, actions[running]] == 1).all()
        rows.step(running, actions)
    return {key: np.concatenate(values) for key, values in seen.items()}


@pytest.mark.parametrize("rule", BASELINES)
def test_actions_are_open_and_a_batch_is_as_one_by_one(rule):
    scenario = bank_day()
    policy = RulePolicy(rule, scenario)
    observations = visited(scenario, rule, 2500)
    actions = policy.predict(observations)
    np.testing.assert_array_equal(policy.predict(observations), actions)
    np.testing.assert_array_equal(policy.predict(observations, deterministic=False), actions)
    np.testing.assert_array_equal(RulePolicy(rule, scenario).predict(observations), actions)
    for i in range(0, len(actions), 25):
        one = {key: values[i : i + 1] for key, values in observations.items()}
        assert policy.predict(one).tolist() == [actions[i]]
    backwards = {key: np.ascontiguousarray(values[::-1]) for key, values in observations.items()}
    np.testing.assert_array_equal(policy.predict(backwards), actions[::-1])
    assert len(set(actions.tolist())) > 2


@pytest.mark.parametrize("rule", SHARED_RULES)
def test_rules_play_tiny(rule):
    visited(load_scenario("tiny"), rule, 100)


@pytest.mark.parametrize("rule", BASELINES)
def test_after_the_horizon_every_rule_waits(rule):
    center = Center(scripted(contact(10), reps=walled(voice=1))).do("assign:longest_idle")
    assert center.is_done
    assert choice(rule, center) == "wait"


def test_only_the_rows_named_are_chosen():
    scenario = bank_day()
    observations = visited(scenario, "fifo", 5)
    policy = RulePolicy("fifo", scenario)
    expected = policy.predict(observations)
    actions = np.full(len(expected), -7, np.int64)
    rows = np.array([1, 3])
    policy.choose_into(rows, observations, actions)
    np.testing.assert_array_equal(actions[rows], expected[rows])
    assert (np.delete(actions, rows) == -7).all()
