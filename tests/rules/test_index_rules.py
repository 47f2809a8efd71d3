"""The index rules: every index on an observation worked by hand, the components, what is refused, and that all play."""

import math
from typing import Any

import numpy as np
import pytest
import yaml
from playing import EMAIL, VOICE, Center, bank_day, channel, contact, day, play, starts

from agents.action_layout import action_layout
from agents.catalog import load_policy
from agents.episodes import play_episodes
from agents.rules.compiled.adjustments import ADJUSTMENTS, CHANNEL_ADJUSTMENTS
from agents.rules.compiled.choice import BASELINES
from agents.rules.compiled.formulas import index_of
from agents.rules.compiled.index import reserve_of
from agents.rules.expected_loss_rule import ExpectedLossRule
from agents.rules.markov_needs import hidden_fields
from agents.rules.queue_facts import queue_facts
from agents.rules.registry import RULE_NAMES, RuleFile, default_rule
from agents.rules.rule import Rule
from envs.center_rows import CenterRows
from envs.configuration.document import REPOSITORY_FOLDER, find_config, load_yaml
from envs.errors import ConfigurationError
from envs.interface.fields import CANDIDATE_FIELDS, CENTER_FIELDS, QUEUE_FIELDS, field_table
from envs.scenario.scenario import Scenario, load_scenario
from experiments.comparison.benchmark import BenchmarkConfig, benchmark, load_benchmark

INDEX_RULE_NAMES = tuple(name for name in RULE_NAMES if name not in ("priority", "expected_loss"))
SCENARIOS = sorted(path.stem for path in (REPOSITORY_FOLDER / "configs" / "scenarios").glob("*.yaml"))
CANDIDATE = {field.name: place for place, field in enumerate(CANDIDATE_FIELDS)}
BOTH = [{"name": "all", "count": 1, "skills": ["voice", "email"]}]


def rule(name: str, **parts: Any) -> Rule:
    return RuleFile.model_validate({"rule": name} | parts).root


def fitting(names: tuple[str, ...], scenario: Scenario) -> list[str]:
    """Return the rules that make sense in `scenario`."""
    found = []
    for name in names:
        try:
            default_rule(name).make(scenario)
        except ConfigurationError:
            continue
        found.append(name)
    return found


# --- indices ------------------------------------------------------------------------------------------------

# Voice: 1/tau = 6 an hour, mu = 12 an hour, mean stake 1,000 USD * 0.01 + 2 USD = 12 USD, nothing for waiting.
# E-mail: due after 2 hours, mu = 6 an hour, mean stake 1,000 * 0.02 + 4 = 24 USD, 1 USD an hour once late, holding 0.5.
CALL = channel(
    VOICE,
    patience={"distribution": "exponential", "mean_s": 600},
    arrivals={"rate_per_hour": 6, "day_factor_cv": 0},
    harm={"abandonment_prob": 0.01},
    costs={"abandonment_usd": 2},
)
CASE = channel(
    EMAIL,
    harm={"late_prob": 0.02, "late_prob_per_hour": 0.001},
    costs={"late_usd": 4, "holding_usd_per_hour": 0.5},
)
CUSTOMER = [{"name": "customer", "share_frac": 1, "account_value": 1000}]
CENTER = day([CALL, CASE], groups=BOTH, segments=CUSTOMER)
VOICE_QUEUE, EMAIL_QUEUE = 0, 1


def row(queue: int, **fields: float) -> np.ndarray:
    values = np.zeros(len(CANDIDATE_FIELDS), np.float32)
    values[CANDIDATE["channel"]] = queue + 1
    values[CANDIDATE["real_time"]] = queue == VOICE_QUEUE
    for name, value in fields.items():
        values[CANDIDATE[name]] = value
    return values


def index(policy: Rule, queue: int, scenario: Scenario = CENTER, **fields: float) -> float:
    settings = policy.make(scenario).settings
    return float(index_of(settings, queue, row(queue, **fields)))


@pytest.mark.parametrize(
    ("policy", "queue", "fields", "expected"),
    [
        (rule("cmu"), VOICE_QUEUE, {"stake_usd": 99}, 12 * 6 * 12),  # the queue's mean stake, whatever the contact's
        (rule("cmu"), EMAIL_QUEUE, {}, (24 * 0.5 + 0.5) * 6),
        (rule("cmu"), EMAIL_QUEUE, {"overdue": 1}, (1 + 0.5) * 6),
        (rule("value_cmu"), VOICE_QUEUE, {"stake_usd": 30, "loss_usd_per_hour": 5}, (30 * 6 + 5) * 12),
        (rule("value_cmu"), EMAIL_QUEUE, {"stake_usd": 60, "loss_usd_per_hour": 3}, (60 * 0.5 + 0.5) * 6),
        (rule("value_cmu"), EMAIL_QUEUE, {"overdue": 1, "loss_usd_per_hour": 3}, 3 * 6),
        # C'(a) = 2 stake a / tau^2: a minute is a tenth of tau, an hour half of it.
        (rule("generalized_cmu"), VOICE_QUEUE, {"stake_usd": 12, "waited_s": 60}, 2 * 12 * 6 * 0.1 * 12),
        (rule("generalized_cmu"), EMAIL_QUEUE, {"stake_usd": 24, "waited_s": 3600}, (2 * 24 * 0.5 * 0.5 + 0.5) * 6),
        (rule("generalized_cmu", power=1), VOICE_QUEUE, {"stake_usd": 12, "waited_s": 60}, 12 * 6 * 12),
        (rule("generalized_cmu", power=3), VOICE_QUEUE, {"stake_usd": 12, "waited_s": 60}, 3 * 12 * 6 * 0.01 * 12),
        # One rep drains at 12 - 6 an hour: E[X] = 1/6 h, E[X^2] = 2/36 h^2. C' is linear for p = 2, square for p = 3.
        (rule("whittle"), VOICE_QUEUE, {"stake_usd": 12}, 2 * 12 * 36 / 6 * 12),
        (rule("whittle"), VOICE_QUEUE, {"stake_usd": 12, "waited_s": 60}, 2 * 12 * 36 * (1 / 60 + 1 / 6) * 12),
        (rule("whittle", power=3), VOICE_QUEUE, {"stake_usd": 12}, 3 * 12 * 216 * 2 / 36 * 12),
        # (theta stake + running) mu / theta
        (rule("cmu_theta"), VOICE_QUEUE, {"stake_usd": 12, "loss_usd_per_hour": 3}, (6 * 12 + 3) * 12 / 6),
        (rule("cmu_theta"), EMAIL_QUEUE, {"stake_usd": 24}, (0.5 * 24 + 0.5) * 6 / 0.5),
        (rule("cmu_theta", leave_h=10), EMAIL_QUEUE, {"overdue": 1, "loss_usd_per_hour": 1.5}, 1.5 * 6 * 10),
        (
            rule("hazard_cmu_theta"),
            VOICE_QUEUE,
            {"stake_usd": 12, "abandon_per_hour": 10, "loss_usd_per_hour": 2},
            (10 * 12 + 2) * 12 / 10,
        ),
        (rule("hazard_cmu_theta"), EMAIL_QUEUE, {"stake_usd": 24, "abandon_per_hour": 9}, (0.5 * 24 + 0.5) * 6 / 0.5),
        (rule("earliest_due_date"), VOICE_QUEUE, {"slack_s": 15}, -15),
        (rule("earliest_due_date"), EMAIL_QUEUE, {"slack_s": 3000, "expected_work_s": 600}, -3600),
        # Interrupted, 400 s of work left, and a pick-up of 60 s that does not count.
        (
            rule("earliest_due_date"),
            EMAIL_QUEUE,
            {"slack_s": 3000, "expected_work_s": 460, "interruptions": 1},
            -3400,
        ),
        (
            rule("earliest_due_date", deferred_factor=2),
            EMAIL_QUEUE,
            {"slack_s": 3000, "expected_work_s": 600},
            -1800,
        ),
        (rule("least_slack"), EMAIL_QUEUE, {"slack_s": 3000, "expected_work_s": 600}, -3000),
        (rule("least_slack", deferred_factor=2), EMAIL_QUEUE, {"slack_s": -50}, 100),
        # K = 2 * 300 s, the work of calls, which alone arrive; 24 USD / (1/6 h).
        (
            rule("apparent_tardiness"),
            EMAIL_QUEUE,
            {"stake_usd": 24, "slack_s": 600, "expected_work_s": 600},
            144 / math.e,
        ),
        (rule("apparent_tardiness"), VOICE_QUEUE, {"stake_usd": 12, "slack_s": -9, "expected_work_s": 300}, 144),
        (
            rule("apparent_tardiness"),
            EMAIL_QUEUE,
            {"overdue": 1, "loss_usd_per_hour": 1.5, "expected_work_s": 600},
            1.5 * (600 / 3600) * 6,
        ),
        # Of the threshold of 20 s, of the two hours.
        (rule("generalized_longest_delay"), VOICE_QUEUE, {"waited_s": 10}, 0.5),
        (rule("generalized_longest_delay", weight={"email": 3}), EMAIL_QUEUE, {"waited_s": 3600}, 1.5),
        (
            rule("weight_based_routing", constant={"voice": -1}, idle_per_min=0.1),
            VOICE_QUEUE,
            {"waited_s": 10, "rep_idle_s": 60},
            -1 + 0.5 + 0.1,
        ),
        (rule("weight_based_routing", wait_per_min={"voice": 6}), VOICE_QUEUE, {"waited_s": 10}, 1),
        (rule("first_come_longest_idle"), EMAIL_QUEUE, {"waited_s": 77}, 77),
        (rule("priority_acceleration"), VOICE_QUEUE, {"waited_s": 30}, 10.5),
        (rule("priority_acceleration"), EMAIL_QUEUE, {"waited_s": 3600}, 5),  # half way to its due time
        (rule("priority_acceleration", acceleration_per_min={"email": 1}), EMAIL_QUEUE, {"waited_s": 3600}, 60),
        (rule("due_date_in_priority"), VOICE_QUEUE, {"slack_s": 15}, -15),
        (rule("due_date_in_priority"), EMAIL_QUEUE, {"slack_s": 3000, "expected_work_s": 600}, -1e7 - 3600),
        (rule("threshold_reservation", order=["email", "voice"]), EMAIL_QUEUE, {}, 2),
        (rule("threshold_reservation", order=["email", "voice"]), VOICE_QUEUE, {}, 1),
        (rule("threshold_reservation"), VOICE_QUEUE, {}, 2),  # by c mu: 864 against 75
        (rule("blending_threshold"), VOICE_QUEUE, {}, 864),
        (rule("blending_threshold"), EMAIL_QUEUE, {}, 75 - 1e7),
        (rule("adaptive_blending"), EMAIL_QUEUE, {}, 75 - 1e7),
    ],
)
def test_an_index_is_its_formula(policy: Rule, queue: int, fields: dict[str, float], expected: float):
    assert index(policy, queue, **fields) == pytest.approx(expected, rel=1e-6)


def test_whittle_counts_the_reps_with_the_skill_where_one_is_too_few():
    # 30 calls an hour, 12 by one rep, 36 by three: again 6 an hour, as in the case of one rep above.
    busy = day(
        [channel(CALL, arrivals={"rate_per_hour": 30}), CASE],
        groups=[{"name": "all", "count": 3, "skills": ["voice", "email"]}],
        segments=CUSTOMER,
    )
    assert index(rule("whittle"), VOICE_QUEUE, busy, stake_usd=12) == pytest.approx(2 * 12 * 36 / 6 * 12)


def test_rings_and_the_preferred_rep_rank_by_priority_and_wait():
    homes = day([CALL, CASE], groups=[BOTH[0] | {"home_channel": "voice"}], segments=CUSTOMER)
    assert index(rule("expanding_rings"), VOICE_QUEUE, homes, waited_s=120) == pytest.approx(12)
    assert index(rule("expanding_rings", priority={"email": 3}), EMAIL_QUEUE, homes, waited_s=60) == pytest.approx(4)
    preferring = day([CALL, CASE], groups=BOTH, segments=[CUSTOMER[0] | {"preferred_rep_prob": 0.5}])
    assert index(rule("preferred_rep_with_expiry"), EMAIL_QUEUE, preferring, waited_s=60) == pytest.approx(60)


def test_the_mean_stake_weighs_segments_and_risk():
    # Half of 1,000 USD and half of 3,000 USD, of which a quarter at risk, who leave four times as likely, not above 1:
    # 500 * 0.3 + 1,500 * (0.75 * 0.3 + 0.25 * 1) = 150 + 712.5; and the direct 2 USD.
    segments = [
        {"name": "small", "share_frac": 0.5, "account_value": 1000},
        {"name": "large", "share_frac": 0.5, "account_value": 3000, "at_risk_prob": 0.25},
    ]
    scenario = day(
        [channel(CALL, harm={"abandonment_prob": 0.3}), CASE],
        groups=BOTH,
        segments=segments,
        churn={"at_risk_multiplier": 4},
    )
    voice, email = queue_facts(scenario)
    assert voice.stake_usd == pytest.approx(862.5 + 2)
    assert voice.stake_per_value == pytest.approx(862.5 / 2000)
    assert (voice.services_per_hour, voice.promise_per_hour, voice.lead_s) == (12, 6, 20)
    assert (email.services_per_hour, email.promise_per_hour, email.lead_s) == (6, 0.5, 7200)


def test_without_segments_the_stake_is_that_of_the_scripted_contacts():
    scenario = day([CALL, CASE], contact(0, value_usd=100), contact(0, value_usd=300), groups=BOTH)
    assert queue_facts(scenario)[0].stake_usd == pytest.approx(200 * 0.01 + 2)


# --- components ---------------------------------------------------------------------------------------------


GOLD = channel(VOICE, name="gold", handle_time=100, costs={"abandonment_usd": 9})
STANDARD = channel(VOICE, name="standard", handle_time=100, costs={"abandonment_usd": 1})


def test_the_highest_index_goes_first_whichever_channel_comes_first():
    contacts = [contact(0, "gold"), contact(10, "standard"), contact(20, "gold")]
    for channels in ([STANDARD, GOLD], [GOLD, STANDARD]):
        assert starts(day(channels, *contacts), rule("cmu")) == [(0, 0), (100, 2), (200, 1)]
    assert starts(day([STANDARD, GOLD], *contacts), rule("first_come_longest_idle")) == [(0, 0), (100, 1), (200, 2)]


def test_equal_indices_go_by_the_order_of_the_channels_and_own_suspended_work_first():
    contacts = [contact(0, "gold"), contact(10, "standard"), contact(20, "gold")]
    dear = channel(STANDARD, costs=GOLD["costs"])
    assert starts(day([GOLD, dear], *contacts), rule("cmu")) == [(0, 0), (100, 2), (200, 1)]
    assert starts(day([dear, GOLD], *contacts), rule("cmu")) == [(0, 0), (100, 1), (200, 2)]
    letters = [channel(EMAIL, name=name, handle_time=100, costs={"late_usd": 1}) for name in ("post", "fax")]
    waiting = [contact(0, "post"), contact(10, "fax"), contact(20, "post")]
    assert starts(day(letters, *waiting), rule("cmu")) == [(0, 0), (100, 2), (200, 1)]
    # The call from 60 to 360 s; then the rest of the first e-mail, 540 s after a pick-up of 60 s, to 960 s.
    emails = [contact(0, "email"), contact(10, "email"), contact(60, "voice")]
    policy = rule("cmu", interrupt="always")
    late = channel(EMAIL, costs={"late_usd": 1})
    costly = channel(VOICE, costs={"abandonment_usd": 9})
    assert starts(day([costly, late], *emails), policy) == [(0, 0), (60, 2), (360, 0), (960, 1)]


def test_a_caller_waits_only_for_a_higher_index_that_a_free_rep_can_serve():
    # Standard finds the rep free whom gold needs too, and a gold call waits for its own rep: it is not kept waiting.
    groups = [{"name": "gold", "count": 1, "skills": ["gold"]}, {"name": "other", "count": 1, "skills": ["standard"]}]
    contacts = [contact(0, "gold"), contact(10, "gold"), contact(20, "standard")]
    scenario = day([GOLD, STANDARD], *contacts, groups=groups)
    assert (20, "contact", "assign:longest_idle") in play(scenario, rule("cmu"))


def test_reserved_reps_are_kept_free_of_the_channel():
    groups = [{"name": "all", "count": 3, "skills": ["gold", "standard"]}]
    contacts = [contact(0, "standard"), contact(10, "standard"), contact(20, "gold")]
    scenario = day([GOLD, STANDARD], *contacts, groups=groups)
    for policy in (rule("cmu", reserve={"standard": 2}), rule("threshold_reservation", kept_for_first=2)):
        # The second standard call waits until three are free again, when the gold call ends.
        assert starts(scenario, policy) == [(0, 0), (20, 2), (120, 1)]


def test_deferred_work_is_reserved_against_when_it_is_resumed_too():
    # Two reps, one kept free of e-mail. The e-mail is interrupted at 60 s, since the other rep is busy until 1,030 s.
    # At 400 s its rep is free again, but alone, and asked again every 120 s: resumed at 400 + 6 * 120.
    scenario = day(
        [channel(CALL, handle_time=340), CASE],
        contact(0, "email"),
        contact(30, handle_time=1000),
        contact(60),
        groups=[{"name": "all", "count": 2, "skills": ["voice", "email"]}],
        segments=CUSTOMER,
    )
    policy = rule("blending_threshold", interrupt="always")
    resumed = [at_s for at_s, _, name in play(_without_arrivals(scenario), policy) if name == "resume"]
    assert resumed == [1120]


def _without_arrivals(scenario: Scenario) -> Scenario:
    content = scenario.model_dump()
    content["channels"][0]["arrivals"] = None
    return Scenario.model_validate(content)


def reserve(
    policy: Rule, scenario: Scenario, queue: int, contact_fields: dict[str, float] | None = None, **fields: float
) -> float:
    names = [field.name for field in field_table(tuple(c.name for c in scenario.channels)).center]
    center = np.zeros(len(names), np.float32)
    for name, value in fields.items():
        center[names.index(name.replace("__", "."))] = value
    row = np.zeros(len(CANDIDATE_FIELDS), np.float32)
    for name, value in (contact_fields or {}).items():
        row[CANDIDATE[name]] = value
    return float(reserve_of(action_layout(scenario), policy.make(scenario).settings, center, queue, row))


def test_the_reserve_follows_the_forecast_and_the_service_level():
    policy = rule("cmu", reserve={"email": 0.5}, reserve_deferred=1, reserve_per_forecast=4)
    # 0.5 + 1 + 4 * 30 / 100; nothing for calls.
    assert reserve(policy, CENTER, EMAIL_QUEUE, voice__forecast_per_hour=30) == pytest.approx(2.7)
    assert reserve(policy, CENTER, VOICE_QUEUE, voice__forecast_per_hour=30) == 0
    adaptive = rule("adaptive_blending", reps_per_point=0.1)  # one rep, and 0.1 for each point below 80 %
    assert reserve(adaptive, CENTER, EMAIL_QUEUE, voice__attained_frac=0.7) == pytest.approx(2)
    assert reserve(adaptive, CENTER, EMAIL_QUEUE, voice__attained_frac=0.95) == pytest.approx(-0.5)
    # The target of the statement of work goes before the rule's own: 75 - 70 points.
    found = reserve(adaptive, CENTER, EMAIL_QUEUE, voice__attained_frac=0.7, voice__target_frac=0.75)
    assert found == pytest.approx(1.5, abs=1e-5)


def test_the_reserve_against_a_caller_falls_with_the_logarithm_of_the_stake():
    policy = rule("cmu", reserve={"voice": 1}, reserve_by_stake=2, open_stake_usd=99)
    for stake_usd, expected in ((0, 1 + 2 * math.log(100)), (9, 1 + 2 * math.log(10)), (99, 1), (1e6, 1)):
        assert reserve(policy, CENTER, VOICE_QUEUE, {"stake_usd": stake_usd}) == pytest.approx(expected)
        assert reserve(policy, CENTER, EMAIL_QUEUE, {"stake_usd": stake_usd}) == 0


def test_the_reserve_against_deferred_work_falls_as_its_time_comes():
    policy = rule("cmu", reserve_deferred=3, urgent_relief=2, urgent_within_h=1.5)
    for fields, expected in (
        ({"slack_s": 1.5 * 3600}, 3 - 2 / math.e),
        ({"slack_s": 0}, 1),
        ({"slack_s": -500}, 1),
        ({"slack_s": 1e6}, 3),
        ({"overdue": 1}, 1),
    ):
        assert reserve(policy, CENTER, EMAIL_QUEUE, fields) == pytest.approx(expected)
        assert reserve(policy, CENTER, VOICE_QUEUE, fields) == 0


def choice(policy: Rule, center: Center) -> str:
    """Return the name of the action that a rule takes now."""
    return center.action_names[int(policy.make(center.scenario).predict(center._rows.observation())[0])]


IMPATIENT = {"distribution": "exponential", "mean_s": 300}


def interrupted(value_usd: float) -> Center:
    """Return a center whose rep works on an e-mail without due time when a caller of `value_usd` comes.

    Within the next minute hangs up 1 - exp(-60/300): 10.876 an hour. The rep comes free at 6 an hour. Expected loss of
    the caller: 0.5 value * 10.876 / (10.876 + 6) = 0.32223 value. Price: a minute of pick-up at 60 USD an hour, 1 USD.
    """
    voice = channel(VOICE, patience=IMPATIENT, harm={"abandonment_prob": 0.5})
    email = channel(EMAIL, due=None)
    scenario = day([voice, email], contact(0, "email", 1), contact(100, value_usd=value_usd, patience=3000))
    return Center(scenario).do("serve:email:oldest")


@pytest.mark.parametrize(
    ("parts", "value_usd", "interrupts"),
    [
        ({}, 1e6, False),
        ({"interrupt": "always"}, 0, True),
        ({"interrupt": "priced"}, 3.0, False),  # 0.967 USD
        ({"interrupt": "priced"}, 3.2, True),  # 1.031 USD
        ({"interrupt": "priced", "interrupt_gain": 2}, 1.6, True),
        ({"interrupt": "priced", "rep_hour_usd": 120}, 6.1, False),
        ({"interrupt": "priced", "rep_hour_usd": 120}, 6.3, True),
        ({"interrupt": "priced", "interrupt_gain": 0.01}, 300, False),
    ],
)
def test_an_interruption_must_be_worth_its_price(parts, value_usd, interrupts):
    center = interrupted(value_usd)
    assert center.open == {"wait", "interrupt:least_value_at_stake"}
    assert (choice(rule("first_come_longest_idle", **parts), center) != "wait") == interrupts


def test_the_cheapest_interruption_is_taken():
    # Rep 0 works for 1 USD on what takes 600 s to find again, rep 1 for 900 USD on what takes 30 s. No due times.
    slow, quick = channel(EMAIL, due=None, pick_up=600), channel(EMAIL, name="letter", due=None, pick_up=30)
    voice = channel(VOICE, patience=IMPATIENT, harm={"abandonment_prob": 0.5})
    scenario = day(
        [voice, slow, quick],
        contact(0, "email", 1, handle_time=6000),
        contact(10, "letter", 900, handle_time=6000),
        contact(100, value_usd=1e6),
        groups=[{"name": "all", "count": 2, "skills": ["voice", "email", "letter"]}],
    )
    center = Center(scenario).do("serve:email:oldest").do("serve:letter:oldest")
    action = choice(rule("cmu", interrupt="priced"), center)
    assert int(center.record["action_rep"][center.action_names.index(action)]) == 1


def offered(stake_usd: float, **callback: Any) -> Center:
    """Return a center whose rep is on a call when a caller comes who would cost `stake_usd` by hanging up.

    The rep comes free at 12 an hour: expected loss stake * 10.876 / (10.876 + 12) = 0.47543 stake; half of it if one in
    two accepts. An accepted callback costs 4 USD, so an offer 2 USD.
    """
    voice = channel(
        VOICE,
        patience=IMPATIENT,
        costs={"abandonment_usd": stake_usd},
        callback_offer={"to": "email", "accept_prob": 0.5},
    )
    scenario = day([voice, EMAIL], contact(0), contact(10, patience=3000), costs={"callback_usd": 4})
    return Center(scenario).do("assign:longest_idle")


@pytest.mark.parametrize(
    ("parts", "stake_usd", "offers"),
    [
        ({}, 1e6, False),
        ({"offer": "always"}, 0, True),
        ({"offer": "priced"}, 8.3, False),  # 1.973 USD
        ({"offer": "priced"}, 8.5, True),  # 2.021 USD
        ({"offer": "priced", "offer_price_factor": 2}, 16.7, False),
        ({"offer": "priced", "offer_price_factor": 2}, 17.0, True),
        ({"offer": "priced", "offer_margin_usd": 1}, 12.5, False),  # 2.971 USD
        ({"offer": "priced", "offer_margin_usd": 1}, 12.8, True),  # 3.043 USD
        ({"offer": "priced", "offer_margin_usd": -2.5}, 0, True),
    ],
)
def test_an_offer_must_be_worth_its_price(parts, stake_usd, offers):
    center = offered(stake_usd)
    assert center.open == {"wait", "offer_callback"}
    assert (choice(rule("first_come_longest_idle", **parts), center) == "offer_callback") == offers


def test_only_the_top_class_interrupts():
    scenario = day(
        [channel(GOLD), channel(STANDARD), EMAIL],
        contact(0, "email"),
        contact(50, "standard"),
        contact(60, "gold"),
    )
    policy = rule("due_date_in_priority", priority_class={"gold": 0, "standard": 1, "email": 2})
    assert starts(scenario, policy)[:3] == [(0, 0), (60, 2), (160, 1)]
    # In one class both interrupt, the standard call first.
    assert starts(scenario, rule("due_date_in_priority"))[:3] == [(0, 0), (50, 1), (150, 2)]


# --- held contacts ------------------------------------------------------------------------------------------


def test_rings_expand_after_a_while():
    groups = [
        {"name": "case", "count": 1, "skills": ["voice", "email"], "home_channel": "email"},
        {"name": "call", "count": 1, "skills": ["voice", "email"], "home_channel": "voice"},
    ]
    scenario = day([VOICE, EMAIL], contact(0), contact(10), contact(1000, "email"), groups=groups)
    # The first call goes to the voice rep, though the other comes first; the second waits, and is asked about again
    # when its threshold of 20 s passes and after the review interval of 120 s.
    center = Center(scenario)
    while choice(rule("expanding_rings"), center) == "wait" and center.time_s == 0:
        center.do("wait")
    assert center.subject == ("rep", 1)
    assert choice(rule("expanding_rings"), center) == "serve:voice:oldest"
    assert starts(scenario, rule("expanding_rings", expand_after_s=15))[:2] == [(0, 0), (30, 1)]
    at_s, place = starts(scenario, rule("expanding_rings", expand_after_s=60))[1]
    assert place == 1
    assert 70 <= at_s <= 10 + 60 + 120
    assert starts(scenario, rule("expanding_rings", expand_after_s=1e6))[1] == (300, 1)


def test_a_contact_waits_for_its_preferred_rep_until_that_expires():
    groups = [{"name": "all", "count": 2, "skills": ["voice", "email"]}]
    contacts = [contact(0, preferred_rep=1), contact(10, preferred_rep=1), contact(20)]
    scenario = day([VOICE, EMAIL], *contacts, groups=groups)
    center = Center(scenario)
    action = choice(rule("preferred_rep_with_expiry"), center)
    assert int(center.record["action_rep"][center.action_names.index(action)]) == 1
    # The second call waits for rep 1, who is busy until 300 s; the third, who prefers nobody, does not.
    assert starts(scenario, rule("preferred_rep_with_expiry", expiry_s=1e6)) == [(0, 0), (20, 2), (300, 1)]
    assert starts(scenario, rule("preferred_rep_with_expiry", expiry_s=0))[:2] == [(0, 0), (10, 1)]
    at_s, place = starts(day([VOICE, EMAIL], *contacts[:2], groups=groups), rule("preferred_rep_with_expiry"))[1]
    assert place == 1
    assert 70 <= at_s <= 10 + 60 + 120


def test_nothing_of_a_negative_weight_is_started():
    # An e-mail gains a point in its two hours: with a constant of -0.25 it is started after half an hour, at the next
    # review.
    scenario = day([VOICE, EMAIL], contact(0, "email"), groups=BOTH)
    policy = rule("weight_based_routing", constant={"email": -0.25}, idle_per_min=0)
    ((at_s, _),) = starts(scenario, policy)
    assert 1800 <= at_s <= 1800 + 120


# --- as policies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULE_NAMES)
def test_a_rule_survives_being_written_and_read(name: str, tmp_path):
    scenario = load_scenario("premium_desk")
    stated = default_rule(name).for_tuning(scenario)
    file = tmp_path / "rule.yaml"
    file.write_text(yaml.safe_dump(stated.model_dump(mode="json")))
    read = RuleFile.model_validate(load_yaml(file).data).root
    assert read == stated
    np.testing.assert_array_equal(read.make(scenario).settings, stated.make(scenario).settings)
    assert load_policy(str(file), scenario).name == name


@pytest.mark.parametrize("name", RULE_NAMES)
def test_free_parameters_can_be_set_from_end_to_end(name: str):
    scenario = load_scenario("premium_desk")
    stated = default_rule(name).for_tuning(scenario)
    parameters = stated.free_parameters(scenario)
    assert 0 < len(parameters) <= 13
    for key, value in stated.values_of(parameters).items():
        (parameter,) = [free for free in parameters if free.key == key]
        assert parameter.low <= value <= parameter.high
        assert not parameter.is_log or parameter.low > 0
    settings = {}
    for end in ("low", "high"):
        changed = stated.with_values({free.key: getattr(free, end) for free in parameters})
        settings[end] = changed.make(scenario).settings
    assert (settings["low"] != settings["high"]).sum() >= len(parameters)


def test_parameters_are_free_only_where_they_matter():
    calls = day([CALL], contact(0), groups=[{"name": "all", "count": 1, "skills": ["voice"]}])
    assert rule("cmu").for_tuning(calls) == rule("cmu")
    assert rule("cmu").free_parameters(calls) == ()
    keys = [free.key for free in rule("cmu").for_tuning(load_scenario("bank")).free_parameters(load_scenario("bank"))]
    assert {"interrupt_gain", "offer_margin_usd", "reserve_per_forecast"} <= set(keys)
    assert "interrupt_gain" not in [free.key for free in rule("cmu").free_parameters(load_scenario("bank"))]


def test_expected_loss_has_all_adjustments_as_keys():
    own = set(ExpectedLossRule.model_fields) - {"rule", "name", "ranking"}
    assert own == {*ADJUSTMENTS, *CHANNEL_ADJUSTMENTS}
    bank = load_scenario("bank")
    made = rule("expected_loss", idle_forecast=2).make(bank)
    assert made.settings[ADJUSTMENTS.index("idle_forecast")] == 2
    assert made.settings.sum() == 2


VOICE_ONLY = day([VOICE], contact(0), groups=[{"name": "all", "count": 1, "skills": ["voice"]}])
EMAIL_ONLY = day([channel(EMAIL, due=None)], contact(0, "email"), groups=[BOTH[0] | {"skills": ["email"]}])
FREE = day([channel(VOICE, patience=None), channel(EMAIL, due=None)], contact(0))


@pytest.mark.parametrize(
    ("name", "scenario", "reason"),
    [
        ("cmu", FREE, "waiting costs nothing"),
        ("cmu_theta", FREE, "no channel has patience or due times"),
        ("hazard_cmu_theta", FREE, "no channel has patience or due times"),
        ("whittle", day([CALL | {"arrivals": None}, CASE], contact(0)), "no channel has arrivals"),
        ("earliest_due_date", EMAIL_ONLY, "no channel has due times"),
        ("generalized_longest_delay", EMAIL_ONLY, "no channel has due times"),
        ("due_date_in_priority", EMAIL_ONLY, "no channel has due times"),
        ("blending_threshold", VOICE_ONLY, "it has no deferred work"),
        ("adaptive_blending", EMAIL_ONLY, "it has no real-time contacts"),
        ("threshold_reservation", VOICE_ONLY, "it has one channel"),
        ("expanding_rings", VOICE_ONLY, "no group has a home_channel"),
        ("preferred_rep_with_expiry", VOICE_ONLY, "no customer has a preferred rep"),
    ],
)
def test_a_rule_is_refused_where_it_makes_no_sense(name: str, scenario: Scenario, reason: str):
    with pytest.raises(ConfigurationError, match=rf"policy {name} makes no sense in scenario scripted: .*{reason}"):
        load_policy(name, scenario)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"rule": "cmu", "reserve": {"emial": 1}}, r"cmu\.reserve = 'emial': no such channel in scenario bank"),
        ({"rule": "cmu", "assign": "fastest"}, r"cmu\.assign = 'fastest': has no meaning in scenario bank"),
        ({"rule": "threshold_reservation", "order": ["voice"]}, r"order = voice: must name every channel"),
        ({"rule": "weight_based_routing", "constant": {"mail": 1}}, r"constant = 'mail': no such channel"),
    ],
)
def test_a_part_that_makes_no_sense_is_refused(parts, message):
    with pytest.raises(ConfigurationError, match=message):
        RuleFile.model_validate(parts).root.make(load_scenario("bank"))


def test_mistakes_in_files_are_reported_with_their_place(tmp_path):
    bank = load_scenario("bank")
    file = tmp_path / "rule.yaml"
    for text, message in (
        ("rule: cmu_tetha\n", r"policy\.rule = 'cmu_tetha': must be one of .*did you mean 'cmu_theta'.*rule\.yaml:1"),
        ("rule: cmu\npower: 2\n", r"policy\.power: unknown key.*rule\.yaml:2"),
        ("rule: whittle\npower: 0\n", r"policy\.power = 0: must be >= 1.*rule\.yaml:2"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigurationError, match=message):
            load_policy(str(file), bank)
    file.write_text("policies: [fifo, {rule: cmu, reserve: {email: -1}}]\n")
    with pytest.raises(ConfigurationError, match=r"policies\[1\]\.reserve\.email = -1.*>= 0.*rule\.yaml:1"):
        load_benchmark(file)
    with pytest.raises(ConfigurationError, match=r"rule = 'cmo': no such rule; did you mean 'cmu'"):
        default_rule("cmo")


def test_a_benchmark_plays_rules_by_name_and_as_mappings(tmp_path):
    file = tmp_path / "few.yaml"
    file.write_text("scenarios: [tiny]\nepisodes: 2\npolicies: [cmu, {rule: cmu, name: kept, reserve_deferred: 1}]\n")
    config = load_benchmark(file)
    assert isinstance(config, BenchmarkConfig)
    assert list(benchmark(config).scenarios["tiny"].outcomes) == ["cmu", "kept"]


def test_first_come_longest_idle_plays_what_fifo_plays():
    scenario = bank_day()
    episodes = np.arange(2)
    counts = [
        play_episodes(scenario, load_policy(name, scenario).policy, 3, episodes)
        for name in ("fifo", "first_come_longest_idle")
    ]
    for one, other in zip(*counts, strict=True):
        assert {key: np.asarray(value).tobytes() for key, value in one.items()} == {
            key: np.asarray(value).tobytes() for key, value in other.items()
        }


@pytest.mark.parametrize("name", ["whittle", "apparent_tardiness", "expanding_rings"])
def test_the_loop_plays_what_choosing_and_stepping_plays(name: str):
    scenario = bank_day()
    policy = default_rule(name).for_tuning(scenario).with_values({"reserve_per_forecast": 0.5}).make(scenario)
    rows = [CenterRows(scenario, 1) for _ in range(2)]
    for one in rows:
        one.start(one.all_rows, np.array([3]), np.array([0]))
    policy.play_until(rows[0], rows[0].all_rows, np.full(1, np.inf))
    while not rows[1].done[0]:
        rows[1].step(rows[1].all_rows, policy.predict(rows[1].observation()))
    assert rows[0].states.tobytes() == rows[1].states.tobytes()


@pytest.mark.parametrize("scenario_name", SCENARIOS)
def test_every_rule_plays_every_scenario_that_it_fits(scenario_name: str):
    content = load_yaml(find_config(scenario_name, "scenarios")).data
    days = min(float(content.get("horizon", {}).get("days", 1)), 0.5)
    overrides = (f"horizon.days={days}",) if days == 0.5 and scenario_name not in ("monday_backlog", "tiny") else ()
    scenario = load_scenario(scenario_name, overrides)
    names = fitting(INDEX_RULE_NAMES, scenario)
    assert len(names) >= len(INDEX_RULE_NAMES) - 6
    rows = CenterRows(scenario, 1)
    for name in names:
        policy = default_rule(name).for_tuning(scenario).make(scenario)
        rows.start(rows.all_rows, np.array([5]), np.array([0]))
        while not rows.done[0]:
            action = policy.predict(rows.observation())
            assert rows.mask[0, action[0]] == 1, name
            rows.step(rows.all_rows, action)
        assert rows.counts(0)["queue_count"]["completed"].sum() > 0, name


# --- hidden fields ------------------------------------------------------------------------------------------

SAME_OF_A_QUEUE = {"waited_s": "oldest_wait_s", "slack_s": "least_slack_s"}


def without_hidden(scenario: Scenario, observations: dict[str, np.ndarray], but: tuple[str, ...]) -> dict[str, Any]:
    """Return observations in which every field is 0 that is not Markov, those named in `but` excepted."""
    kept = {*but, *(SAME_OF_A_QUEUE.get(name, name) for name in but)}
    blanked = {key: values.copy() for key, values in observations.items()}
    for place, field in enumerate(CANDIDATE_FIELDS):
        if not field.markov and field.name not in kept:
            blanked["candidates"][:, :, place] = 0.0
    fields = [*CENTER_FIELDS, *(QUEUE_FIELDS * len(scenario.channels))]
    for place, field in enumerate(fields):
        if not field.markov and field.name not in kept:
            blanked["center"][:, place] = 0.0
    return blanked


@pytest.fixture(scope="module")
def bank_observations() -> tuple[Scenario, dict[str, np.ndarray]]:
    """Observations of a bank day on the way of an index rule that holds reps free, so that contacts wait."""
    scenario = bank_day()
    rows = CenterRows(scenario, 4)
    rows.start(rows.all_rows, np.full(4, 2), np.arange(4))
    policy = rule("value_cmu", interrupt="priced", reserve_deferred=2).make(scenario)
    seen: dict[str, list[np.ndarray]] = {"center": [], "candidates": [], "action_mask": []}
    for _ in range(1500):
        running = np.flatnonzero(~rows.done)
        if not len(running):
            break
        observations = rows.observation()
        for key, values in observations.items():
            seen[key].append(values[running].copy())
        rows.step(running, policy.predict(observations))
    return scenario, {key: np.concatenate(values) for key, values in seen.items()}


@pytest.mark.parametrize("name", [*BASELINES[:-1], *INDEX_RULE_NAMES])
def test_a_rule_decides_from_markov_fields_and_those_that_it_names(name: str, bank_observations):
    scenario, observations = bank_observations
    if name in BASELINES:
        policy, named = load_policy(name, scenario).policy, hidden_fields(name, scenario)
    elif name in fitting(INDEX_RULE_NAMES, scenario):
        stated = default_rule(name).for_tuning(scenario).with_values({"reserve_per_forecast": 1.0})
        policy, named = stated.make(scenario), stated.hidden_fields(scenario)
    else:
        pytest.skip("makes no sense in the bank")
    expected = policy.predict(observations)
    np.testing.assert_array_equal(policy.predict(without_hidden(scenario, observations, named)), expected)
    for field in set(named) - {"disturbed_slack_s", "attained_frac", "retention_prob"}:
        fewer = tuple(other for other in named if other != field)
        assert (policy.predict(without_hidden(scenario, observations, fewer)) != expected).any(), field


def test_rules_of_rates_need_no_hidden_field():
    scenario = bank_day()
    for name in ("cmu", "value_cmu", "cmu_theta", "hazard_cmu_theta", "blending_threshold", "threshold_reservation"):
        assert default_rule(name).hidden_fields(scenario) == ()
    assert rule("least_slack").hidden_fields(scenario) == ("slack_s",)
    assert rule("earliest_due_date").hidden_fields(scenario) == ("slack_s", "interruptions")
    assert hidden_fields("fifo", scenario) == ("waited_s",)
    one_each = day([CALL, CASE], segments=CUSTOMER)
    assert hidden_fields("voice_first", one_each) == ()
    assert hidden_fields("voice_first", scenario) == ("waited_s",)
    memoryless = channel(
        CASE, interruptible=False, pick_up=None, due={"hidden_after": {"distribution": "exponential", "mean_s": 600}}
    )
    assert hidden_fields("expected_loss", day([CALL, memoryless], segments=CUSTOMER)) == ()
    assert hidden_fields("expected_loss", one_each) == ("slack_s", "disturbed_slack_s")
