"""The adjustments of `expected_loss`: reserves by hand, what is held and what is not, factors of the index."""

import math
from typing import Any

import numpy as np
import pytest
from playing import EMAIL, VOICE, Center, channel, contact, day
from pydantic import ValidationError

from agents.rules.compiled.adjustments import ADJUSTMENTS, Surroundings, adjustment_names, count_adjustments
from agents.rules.compiled.expected_loss import (
    OFFER_SCORE,
    _log_factor,
    _score_interruption,
    _score_offer,
    reserve_reps,
)
from agents.rules.expected_loss_rule import ExpectedLossRule, matters
from agents.rules.registry import RuleFile, default_rule
from agents.rules.rule import Rule
from envs.errors import ConfigurationError
from envs.interface.actions import RESUME, SERVE
from envs.interface.fields import CANDIDATE_FIELDS
from envs.scenario.scenario import load_scenario

CANDIDATE = {field.name: place for place, field in enumerate(CANDIDATE_FIELDS)}
QUIET = Surroundings(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
BUSY = Surroundings(2.0, 120.0, 0.8, 0.6, 0.5, 0.25, -0.1)


def reserve(around: Surroundings, adjustment: dict[str, float], **fields: float) -> float:
    row = np.zeros(len(CANDIDATE_FIELDS), np.float32)
    for name, value in fields.items():
        row[CANDIDATE[name]] = value
    settings = np.zeros(count_adjustments(1))
    settings[: len(ADJUSTMENTS)] = [adjustment.get(name, 0.0) for name in ADJUSTMENTS]
    return float(reserve_reps(row, around, settings))


@pytest.mark.parametrize(
    ("stake_usd", "reps"),
    [
        (9, 0.0),  # -1.5 * ln((9 + 1) / 10)
        (0, 1.5 * math.log(10)),
        (99, -1.5 * math.log(10)),  # a negative reserve holds nothing
    ],
)
def test_the_reserve_against_a_caller_falls_with_the_logarithm_of_the_stake(stake_usd, reps):
    assert reserve(BUSY, {"reserve_by_stake": 1}, real_time=1, stake_usd=stake_usd) == pytest.approx(reps)


def test_the_reserve_against_callers_moves_with_load_and_queue():
    parts = {"reserve_real_time": 0.5, "reserve_real_time_load": 1, "reserve_real_time_queue": -1}
    assert reserve(QUIET, parts, real_time=1, stake_usd=9) == pytest.approx(1.5)  # 3 * 0.5
    assert reserve(BUSY, parts, real_time=1, stake_usd=9) == pytest.approx(2.4)  # 3 * (0.5 + 0.8 - 0.5)


def test_the_reserve_against_deferred_work_moves_with_load_queue_and_backlog():
    parts = {
        "reserve_deferred": 1,
        "reserve_deferred_load": 1,
        "reserve_deferred_load_later": -1,
        "reserve_deferred_queue": 0.5,
        "reserve_deferred_backlog": -2,
    }
    assert reserve(QUIET, parts, slack_s=1e6) == pytest.approx(3)
    # 3 * (1 + 0.8 - 0.6 + 0.25 - 0.5)
    assert reserve(BUSY, parts, slack_s=1e6) == pytest.approx(2.85)


def test_the_reserve_against_deferred_work_falls_as_its_time_comes():
    parts = {"reserve_deferred": 1, "reserve_urgent": 1}
    # 3 - 2 e^(-slack / 3 h) ln(1 + stake / 10); overdue 3 - 2
    assert reserve(QUIET, parts, slack_s=3 * 3600, stake_usd=90) == pytest.approx(3 - 2 / math.e * math.log(10))
    assert reserve(QUIET, parts, slack_s=-60, stake_usd=90) == pytest.approx(3 - 2 * math.log(10))
    assert reserve(QUIET, parts, overdue=1) == pytest.approx(1)


def test_without_adjustments_nothing_is_kept_free():
    for fields in ({"real_time": 1}, {"overdue": 1}, {"slack_s": 5, "stake_usd": 7}):
        assert reserve(BUSY, {}, **fields) == 0


def rule(**adjustments: Any) -> Rule:
    return RuleFile.model_validate({"rule": "expected_loss"} | adjustments).root


def choice(policy: Rule, center: Center) -> str:
    """Return the name of the action that a rule takes now."""
    return center.action_names[int(policy.make(center.scenario).predict(center._rows.observation())[0])]


def with_reps(count: int, *contacts: Any) -> Center:
    """Return a center with so many reps and a caller who loses half of the account by hanging up."""
    voice = channel(VOICE, patience={"distribution": "exponential", "mean_s": 300}, harm={"abandonment_prob": 0.5})
    groups = [{"name": "all", "count": count, "skills": ["voice", "email"]}]
    return Center(day([voice, channel(EMAIL, due=None)], *contacts, groups=groups))


@pytest.mark.parametrize(
    ("reps", "value_usd", "expected"),
    [
        # The stake is half the value. 1 USD: 1.5 ln(10 / 2) = 2.41 reps are kept free; 10 USD: 1.5 ln(10 / 11) < 0.
        (3, 2, "assign:longest_idle"),
        (2, 2, "hold"),
        (1, 20, "assign:longest_idle"),
    ],
)
def test_a_caller_of_low_stake_waits_while_few_reps_are_free(reps, value_usd, expected):
    center = with_reps(reps, contact(100, value_usd=value_usd))
    assert choice(rule(reserve_by_stake=1), center) == expected
    assert choice(rule(), center) == "assign:longest_idle"


def test_the_rep_who_is_asked_next_holds_the_caller_too_and_takes_other_work():
    center = with_reps(2, contact(100, value_usd=2), contact(100, "email", 1))
    held = rule(reserve_by_stake=1)
    assert choice(held, center) == "hold"
    center.do("wait")  # leaves the caller to the reps
    assert choice(held, center) == "wait"
    center.do("wait")
    assert center.open == {"wait", "serve:voice:oldest", "serve:email:oldest"}
    assert choice(held, center) == "serve:email:oldest"
    assert choice(rule(reserve_by_stake=1, reserve_deferred=1), center) == "wait"


@pytest.mark.parametrize(
    ("adjustments", "expected"),
    [
        ({}, "serve:voice:most_valuable"),
        ({"real_time_stake": -3}, "serve:voice:oldest"),
        # The index of c mu is that of the queue, the same for both: the older one first, unless the stake counts.
        ({"ranking": {"rule": "cmu"}}, "serve:voice:oldest"),
        ({"ranking": {"rule": "cmu"}, "real_time_stake": 1}, "serve:voice:most_valuable"),
    ],
)
def test_the_weight_of_the_stake_decides_between_callers(adjustments, expected):
    # Two callers, one rep busy with the first contact until second 300; the index grows with the stake, which is half
    # the value, and falls with its third power by the adjustment.
    callers = [contact(10 * i, value_usd=value_usd, patience=3000) for i, value_usd in enumerate((1, 40, 4000))]
    center = with_reps(1, *callers)
    center.do("assign:longest_idle")
    while center.subject[0] != "rep":
        center.do("wait")
    assert choice(rule(**adjustments), center) == expected


def test_a_low_score_of_idling_does_not_undo_a_reserve():
    center = with_reps(1, contact(100, "email", 1))
    held = {"reserve_deferred": 1, "idle_last_rep": -5}
    assert choice(rule(**held), center) == "wait"
    assert choice(rule(idle_last_rep=-5), center) == "serve:email:oldest"


def index_factor(adjustment: dict[str, float], kind: int = SERVE, channel: int = 0, **fields: float) -> float:
    """Return by what factor adjustments change the index of a contact, logarithm; `channel` of two, from 1 on."""
    row = np.zeros(len(CANDIDATE_FIELDS), np.float32)
    for name, value in (fields | {"channel": channel}).items():
        row[CANDIDATE[name]] = value
    names = adjustment_names(("voice", "email"))
    settings = np.array([adjustment.get(name, 0.0) for name in names])
    return float(_log_factor(row, kind, settings))


@pytest.mark.parametrize(
    ("adjustment", "fields", "log_factor"),
    [
        ({"real_time_index": 2}, {"real_time": 1}, 2),
        ({"real_time_index": 2}, {}, 0),  # not of deferred contacts
        ({"real_time_stake": 2}, {"real_time": 1, "stake_usd": 99}, 2 * math.log(10)),  # ln(100 / 10)
        ({"deferred_work": -1}, {"expected_work_s": 600}, -math.log(2)),  # ln(600 / 300)
        ({"real_time_waited": 1}, {"real_time": 1, "waited_s": 90}, 1.5),  # minutes
        ({"real_time_waited": 1}, {"real_time": 1, "waited_s": 900}, 3),  # three at most
        ({"real_time_late": 1}, {"real_time": 1, "slack_s": -1}, 1),
        ({"real_time_late": 1}, {"real_time": 1, "slack_s": 1}, 0),
        ({"real_time_hazard": 1}, {"real_time": 1, "abandon_per_hour": 30}, math.log(4)),  # ln(1 + 30 / 10)
        ({"deferred_overdue": 1}, {"overdue": 1}, 1),
        ({"deferred_within_1h": 1}, {"slack_s": 7200}, math.exp(-2)),
        ({"deferred_within_6h": 1}, {"slack_s": 7200}, math.exp(-1 / 3)),
        ({"index_preferred": 1, "index_home": 2}, {"rep_is_preferred": 1}, 1),
        ({"index_preferred": 1, "index_home": 2}, {"rep_at_home": 1}, 2),
        ({"index_overtime": 1}, {"rep_shift_left_s": 299, "expected_work_s": 300}, 1),
        ({"index_overtime": 1}, {"rep_shift_left_s": 300, "expected_work_s": 300}, 0),
        ({"channel_index.email": 3}, {"channel": 2}, 3),
        ({"channel_index.email": 3}, {"channel": 1}, 0),
        ({"real_time_index": 99}, {"real_time": 1}, 30),  # within float32
    ],
)
def test_each_adjustment_moves_the_index_as_its_formula_says(adjustment, fields, log_factor):
    away = {"stake_usd": 9, "expected_work_s": 300, "rep_shift_left_s": 1e6, "slack_s": 1e9}  # all features but 1 are 0
    assert index_factor(adjustment, **(away | fields)) == pytest.approx(log_factor, rel=1e-6)


def test_suspended_work_has_a_constant_of_its_own():
    parts = {"deferred_index": 1, "deferred_overdue": 3, "resume_index": -2}
    assert index_factor(parts, SERVE, overdue=1) == pytest.approx(1 + 3)
    assert index_factor(parts, RESUME, overdue=1) == pytest.approx(-2 + 3)


def test_a_channel_keeps_reps_free_of_its_own():
    settings = np.zeros(count_adjustments(2))
    settings[adjustment_names(("voice", "email")).index("channel_reserve.email")] = 0.5
    row = np.zeros(len(CANDIDATE_FIELDS), np.float32)
    row[CANDIDATE["channel"]], row[CANDIDATE["slack_s"]] = 2, 1e9
    assert reserve_reps(row, QUIET, settings) == pytest.approx(1.5)  # 3 * 0.5
    row[CANDIDATE["channel"]] = 1
    assert reserve_reps(row, QUIET, settings) == 0


@pytest.mark.parametrize(
    ("adjustment", "usd"),
    [
        # Gain: stake 99, leaves at 1/h against a release at 1/h: 99 / 2 = 49.5 USD. Price: 5 direct + 2 error + pick-up
        # 60 s of 60 USD/h = 1 + stake 80 e^(-(7,260 - 60 - 3,600) s / 1 h) = 80 / e.
        ({}, 49.5 - 8 - 80 / math.e),
        ({"interrupt_gain": math.log(2)}, 99 - 8 - 80 / math.e),
        ({"interrupt_gain_stake": 1}, 495 - 8 - 80 / math.e),  # the factor is (99 + 1) / 10
        ({"interrupt_gain_queue": 2 * math.log(2)}, 99 - 8 - 80 / math.e),  # queue 0.5
        ({"interrupt_price": math.log(2)}, 49.5 - 16 - 160 / math.e),
        ({"interrupt_price_progress": 1}, 49.5 - 2 * (8 + 80 / math.e)),  # the factor is 1 + 300 / 300
        ({"interrupt_price_backlog": 4 * math.log(2)}, 49.5 - 2 * (8 + 80 / math.e)),  # backlog 0.25
        ({"channel_interrupt_price.email": math.log(2)}, 49.5 - 16 - 160 / math.e),
        ({"channel_interrupt_price.voice": math.log(2)}, 49.5 - 8 - 80 / math.e),
        ({"interrupt_rep_hour": math.log(3)}, 49.5 - 10 - 80 / math.e),
        ({"interrupt_due_scale": math.log(2)}, 49.5 - 8 - 80 / math.sqrt(math.e)),
        ({"interrupt_value": 1.5}, 49.5 + 15 - 8 - 80 / math.e),
    ],
)
def test_each_adjustment_moves_the_score_of_an_interruption_as_its_formula_says(adjustment, usd):
    row = np.zeros(len(CANDIDATE_FIELDS), np.float32)
    fields = {"channel": 1, "real_time": 1, "stake_usd": 99, "abandon_per_hour": 1, "expected_work_s": 3600}
    fields |= {"action_usd": 5, "disturbed_error_usd": 2, "pick_up_s": 60, "disturbed_stake_usd": 80}
    fields |= {"disturbed_slack_s": 7260, "disturbed_channel": 2, "disturbed_progress_s": 300}
    for name, value in fields.items():
        row[CANDIDATE[name]] = value
    settings = np.array([adjustment.get(name, 0.0) for name in adjustment_names(("voice", "email"))])
    assert _score_interruption(row, BUSY, 1.0, settings) == pytest.approx(usd, rel=1e-6)


@pytest.mark.parametrize(
    ("adjustment", "score"),
    [
        # Accepted with 0.5, the caller's loss is 99 / 2 = 49.5 USD, the callback costs 4: 20.75 USD are saved.
        ({"offer_benefit": 1}, 20.75),
        ({"offer_value": 2}, 20),
        ({"offer_queue": 1}, 20),  # two wait
        ({"offer_load": 1}, 8),  # load 0.8
        ({"offer_backlog": 2}, 5),  # backlog 0.25
        ({"offer_stake": 1}, 10 * math.log(10)),
        ({"offer_waited": 1}, 20),  # two minutes
    ],
)
def test_each_adjustment_moves_the_score_of_an_offer_as_its_formula_says(adjustment, score):
    row = np.zeros(len(CANDIDATE_FIELDS), np.float32)
    fields = {"channel": 1, "real_time": 1, "stake_usd": 99, "abandon_per_hour": 1, "accept_prob": 0.5, "action_usd": 4}
    for name, value in (fields | {"waited_s": 120}).items():
        row[CANDIDATE[name]] = value
    settings = np.array([adjustment.get(name, 0.0) for name in adjustment_names(("voice", "email"))])
    # Without adjustments an offer stands a little below waiting.
    assert _score_offer(row, BUSY, 1.0, settings) == pytest.approx(score + OFFER_SCORE, rel=1e-6)


def test_adjustments_of_reps_choose_whom_a_contact_is_assigned_to():
    # Two free reps, the first idle longest; the second has one skill, the first two.
    groups = [
        {"name": "both", "count": 1, "skills": ["voice", "email"]},
        {"name": "one", "count": 1, "skills": ["voice"]},
    ]
    center = Center(day([VOICE, channel(EMAIL, due=None)], contact(100), groups=groups))
    assert choice(rule(), center) == "assign:longest_idle"
    # 1 + 2 * 2 * 1/2 against 0 + 2 * 2 * 1; waiting scores 0.
    assert choice(rule(assign_specialist=2), center) == "assign:fewest_skills"


@pytest.mark.parametrize(
    ("adjustments", "expected"),
    [
        ({}, "wait"),  # -1: two callers wait for one rep, who picks when asked
        ({"assign_queue": 0.6}, "assign:longest_idle"),  # -1 + 2 * 0.6 = 0.2
        ({"assign_queue": 0.4}, "wait"),
        # The stake is half the value, 99 USD: -1 + 2 * 0.3 ln(100 / 10) = 0.38.
        ({"assign_queue_stake": 0.3}, "assign:longest_idle"),
        ({"assign_queue_stake": 0.1}, "wait"),
    ],
)
def test_where_more_callers_wait_than_reps_are_free_the_stake_may_speak_for_an_assignment(adjustments, expected):
    # A caller of no stake is held while the rep is free; then one of 99 USD calls.
    center = with_reps(1, contact(100, value_usd=0), contact(101, value_usd=198))
    held = rule(reserve_by_stake=1)
    assert choice(held, center) == "hold"
    center.do("hold")
    assert center.time_s == 101
    assert center.subject[0] == "contact"
    assert choice(rule(reserve_by_stake=1, **adjustments), center) == expected


@pytest.mark.parametrize(
    ("scenario", "absent", "present"),
    [
        (
            "bank",
            {"index_preferred"},
            {"reserve_deferred", "offer_queue", "interrupt_price_load", "channel_reserve.email"},
        ),
        ("certify_deadline", {"reserve_urgent", "offer_value", "deferred_within_1h"}, {"deferred_index"}),
        ("follow_the_sun", set(), {"index_preferred", "assign_preferred"}),
    ],
)
def test_the_search_moves_what_can_matter_in_the_scenario(scenario, absent, present):
    loaded = load_scenario(scenario)
    names = adjustment_names(tuple(each.name for each in loaded.channels))
    found = {name for name, said in zip(names, matters(loaded), strict=True) if said}
    assert present <= found
    assert not absent & found


def test_the_scale_of_the_own_index_does_not_matter_to_another_ranking():
    bank = load_scenario("bank")
    own, ranked = matters(bank), matters(bank, has_ranking=True)
    names = adjustment_names(tuple(each.name for each in bank.channels))
    assert [name for name, a, b in zip(names, own, ranked, strict=True) if a != b] == ["due_scale"]


@pytest.mark.parametrize("mode", ["never", "priced", "always"])
def test_the_form_of_an_index_rule_offers_callbacks_and_interrupts_as_it_does(mode):
    # One rep reads an e-mail that may be interrupted; a caller comes who loses half of the account by hanging up. One
    # waits, so what the rep's coming free is worth is the same for both forms.
    voice = channel(
        VOICE,
        patience={"distribution": "exponential", "mean_s": 300},
        harm={"abandonment_prob": 0.5},
        callback_offer={"to": "callback", "accept_prob": 0.5},
    )
    channels = [voice, channel(EMAIL, due=None), {"name": "callback", "kind": "deferred", "handle_time": 300}]
    seen = {"interrupt": set(), "offer": set()}
    for component, others in (("interrupt", {}), ("offer", {"interrupt": "never"})):
        for value_usd in (0.5, 2, 6, 12, 20, 40, 100, 400, 2000):
            contacts = (contact(0, "email", 1), contact(60, value_usd=value_usd))
            scenario = day(channels, *contacts, costs={"callback_usd": 6})
            settings = {component: mode, "offer_margin_usd": 1.0, "offer_price_factor": 3.0, **others}
            index_rule = default_rule("value_cmu").model_copy(update=settings)
            choices = []
            for policy in (index_rule, ExpectedLossRule.around(index_rule, scenario)):
                center = Center(scenario)
                center.do("serve:email:oldest")
                assert center.subject[0] == "contact"
                choices.append(choice(policy, center).partition(":")[0])
            assert choices[0] == choices[1], (component, value_usd)
            seen[component].add(choices[0])
    both = {"never": ({"wait"}, {"wait"}), "always": ({"interrupt"}, {"offer_callback"})}
    expected = both.get(mode, ({"wait", "interrupt"}, {"wait", "offer_callback"}))
    assert (seen["interrupt"], seen["offer"]) == expected


@pytest.mark.parametrize("ranking", [None, {"rule": "whittle", "power": 1.5, "deferred_factor": 0.3}])
def test_a_rule_with_adjustments_has_them_again(ranking):
    bank = load_scenario("bank")
    adjustment = np.random.default_rng(0).normal(size=count_adjustments(len(bank.channels)))
    plain = RuleFile.model_validate({"rule": "expected_loss", "name": "found", "ranking": ranking}).root
    stated = plain.with_adjustment(adjustment, bank)
    assert stated.name == "found"
    settings = RuleFile.model_validate(stated.model_dump()).root.make(bank).settings
    assert np.array_equal(settings[: len(adjustment)], adjustment)
    expected = np.empty(0) if ranking is None else default_rule("whittle").model_copy(update=ranking).settings(bank)
    assert np.array_equal(settings[len(adjustment) :], expected)
    assert np.array_equal(stated.with_adjustment(settings, bank).make(bank).settings, settings)


def test_a_component_is_no_part_of_a_ranking():
    stated = {"rule": "expected_loss", "ranking": {"rule": "cmu_theta", "reserve_deferred": 2}}
    with pytest.raises(ValidationError, match="is no part of a ranking; adjustments stand in its place"):
        RuleFile.model_validate(stated)
    with pytest.raises(ValidationError, match="does not match any of the expected tags"):
        RuleFile.model_validate({"rule": "expected_loss", "ranking": {"rule": "earliest_due_date"}})


def test_the_components_of_an_index_rule_become_adjustments():
    # reserve.email 6 / 3 reps = 2; 1.5 reps per factor e are 1; up to 99 + 1 USD: 1.5 ln(100 / 10) / 3;
    # urgent_relief 4 / 2 = 2; 5 reps per 100 arrivals an hour with 14 reps: 5 x 10 x 14 / 300.
    bank = load_scenario("bank")
    n_reps = sum(group.count for group in bank.groups)
    rule = default_rule("cmu_theta").model_copy(
        update={
            "leave_h": 7.0,
            "deferred_factor": 0.5,
            "reserve": {"email": 6.0},
            "reserve_by_stake": 1.5,
            "open_stake_usd": 99.0,
            "reserve_per_forecast": 5.0,
            "urgent_relief": 4.0,
            "interrupt": "priced",
            "interrupt_gain": math.e,
            "rep_hour_usd": 60.0 * math.e**2,
            "offer": "priced",
            "offer_margin_usd": 3.0,
            "offer_price_factor": 2.0,
        }
    )
    found = ExpectedLossRule.around(rule, bank)
    assert (found.ranking.rule, found.ranking.leave_h, found.ranking.deferred_factor) == ("cmu_theta", 7.0, 0.5)
    assert found.channel_reserve == {"email": 2.0}
    assert found.reserve_by_stake == 1.0
    assert found.reserve_real_time == pytest.approx(1.5 * math.log(10) / 3)
    assert found.reserve_urgent == 2.0
    assert found.reserve_deferred_load == pytest.approx(5 * 10 * n_reps / 300)
    assert (found.interrupt_gain, found.interrupt_rep_hour, found.interrupt_price) == pytest.approx((1, 2, 0))
    # Offered where accept x loss - price > margin + price, so with 10 USD as the unit of `offer_value`.
    assert found.offer_benefit == 1
    price_usd = bank.channels[0].callback_offer.accept_prob * bank.costs.callback_usd
    assert -10 * found.offer_value == pytest.approx(OFFER_SCORE + 3 + price_usd)
    never = ExpectedLossRule.around(default_rule("cmu_theta"), bank)
    assert never.interrupt_price == 30
    assert never.offer_benefit == 0


def test_an_adjustment_of_an_unknown_channel_is_refused():
    stated = RuleFile.model_validate({"rule": "expected_loss", "channel_index": {"emial": 1}}).root
    message = r"policy expected_loss.channel_index = 'emial': no such channel in scenario bank \(.*\).*email"
    with pytest.raises(ConfigurationError, match=message):
        stated.make(load_scenario("bank"))
