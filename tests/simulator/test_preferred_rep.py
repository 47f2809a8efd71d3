"""Preferred reps and backups (D11), worked by hand: two reps, 0 and 1, calls of 300 s."""

from typing import Any

import numpy as np
import pytest
from playing import EMAIL, VOICE, Center, channel, contact, scripted

from envs.counts import read_counts
from envs.errors import ConfigurationError
from envs.inputs.demand import DemandSampler
from envs.metrics import compute_metrics
from envs.scenario.action_table import action_table
from envs.scenario.scenario import Scenario, load_scenario

DAY = {"start": "00:00", "end": "24:00"}


def two_reps(*contacts: dict[str, Any], **keys: Any) -> Scenario:
    return scripted(*contacts, **{"reps": 2, "terminal_charge": "none"} | keys)


def finish(center: Center) -> dict[str, float]:
    center.wait_until(np.inf)
    return compute_metrics(center.scenario, read_counts(center.record))


def seen(center: Center, action: str, field: str) -> float:
    place = [entry.name for entry in center.observation_fields.candidates].index(field)
    return float(center._observe()["candidates"][center.action_names.index(action), place])


def test_the_lens_exists_only_where_customers_have_preferred_reps():
    names = {action.name for action in action_table(two_reps(contact(0)))}
    assert not any(name.endswith(":preferred") for name in names)
    names = {action.name for action in action_table(two_reps(contact(0, preferred_rep=1)))}
    assert {"serve:preferred", "assign:preferred", "interrupt:preferred"} <= names


def test_a_call_can_be_given_to_its_preferred_rep_who_is_faster():
    # Rep 0 is idle longest by the order of reps; rep 1 is preferred: 300 / 1.5 = 200 s.
    center = Center(two_reps(contact(100, preferred_rep=1), preferred_rep={"speed": 1.5}))
    assert center.open == {"assign:longest_idle", "assign:preferred", "hold", "wait"}
    assert seen(center, "assign:preferred", "rep_is_preferred") == 1
    assert seen(center, "assign:longest_idle", "rep_is_preferred") == 0
    assert seen(center, "assign:preferred", "preferred_rep_there") == 1
    assert seen(center, "assign:preferred", "expected_work_s") == pytest.approx(200)
    assert seen(center, "assign:longest_idle", "expected_work_s") == pytest.approx(300)
    metrics = finish(center.do("assign:preferred"))
    assert metrics["voice.mean_handle_s"] == 200
    assert metrics["voice.preferred_frac"] == 1


def test_a_backup_takes_the_usual_time():
    center = Center(two_reps(contact(100, preferred_rep=1), preferred_rep={"speed": 1.5})).do("assign:longest_idle")
    metrics = finish(center)
    assert metrics["voice.mean_handle_s"] == 300
    assert metrics["voice.preferred_frac"] == 0


def test_a_preferred_rep_who_is_the_longest_idle_has_no_second_name():
    center = Center(two_reps(contact(100, preferred_rep=0)))
    assert center.open == {"assign:longest_idle", "hold", "wait"}
    assert seen(center, "assign:longest_idle", "rep_is_preferred") == 1


def test_a_preferred_rep_whose_shift_is_over_is_not_there():
    groups = [
        {"name": "east", "count": 1, "skills": ["voice", "email"], "shifts": [{"start": "00:00", "end": "01:00"}]},
        {"name": "west", "count": 1, "skills": ["voice", "email"], "shifts": [DAY]},
    ]
    center = Center(scripted(contact(7200, preferred_rep=0), contact(7300, preferred_rep=1), reps=groups))
    assert center.open == {"assign:longest_idle", "hold", "wait"}
    assert seen(center, "assign:longest_idle", "has_preferred_rep") == 1
    assert seen(center, "assign:longest_idle", "preferred_rep_there") == 0


def test_the_preferred_rep_may_be_interrupted_for_the_customer():
    # Reps 0, 1 and 2 work on e-mails. Rep 2's is the least account and the least progress; of equal pick-ups rep 0's
    # is named first; rep 1 is the customer's.
    script = [contact(10 * i, "email", value_usd) for i, value_usd in enumerate((90_000, 50_000, 500))]
    center = Center(two_reps(*script, contact(100, preferred_rep=1), reps=3))
    for _ in range(3):
        center.do("serve:email:oldest")
    lenses = {"interrupt:least_value_at_stake", "interrupt:cheapest_to_resume", "interrupt:preferred"}
    assert center.open == lenses | {"wait"}
    row = center.action_names.index("interrupt:preferred")
    assert center.record["action_rep"][row] == 1
    assert seen(center, "interrupt:preferred", "rep_is_preferred") == 1
    assert center.do("interrupt:preferred").record["reps"]["n_suspended"].tolist()[:3] == [0, 1, 0]


def test_a_free_rep_is_asked_for_the_customer_who_waits_for_that_very_rep():
    # The call of 0 s has rep 1 until 300 s; those of 10 s (nobody's) and 20 s (rep 1's) wait meanwhile, and the second
    # is not the queue's oldest, nor its most valuable.
    script = [
        contact(0, preferred_rep=1),
        contact(5, handle_time=3000),
        contact(10, value_usd=9000),
        contact(20, preferred_rep=1),
    ]
    center = Center(two_reps(*script)).do("assign:preferred").do("assign:longest_idle")
    while center.time_s < 300:
        center.do("wait")
    while center.subject != ("rep", 1):
        center.do("wait")
    assert center.open == {"serve:voice:oldest", "serve:preferred", "wait"}
    metrics = finish(center.do("serve:preferred"))
    assert metrics["voice.preferred_frac"] == 1


def test_preferred_reps_have_the_skill_and_the_share_that_the_segments_say():
    groups = [
        {"name": "mail", "count": 2, "skills": ["email"]},
        {"name": "phone", "count": 3, "skills": ["voice"]},
    ]
    segments = [
        {"name": "some", "share_frac": 0.5, "account_value": 1, "preferred_rep_prob": 0.4},
        {"name": "none", "share_frac": 0.5, "account_value": 2},
    ]
    voice = channel(VOICE, arrivals={"rate_per_hour": 400, "day_factor_cv": 0})
    scenario = scripted(channels=[voice, EMAIL], reps=groups, segments=segments)
    demand = DemandSampler(scenario).sample(0, 0)
    assert set(demand["preferred"][demand["value_usd"] == 2]) == {-1}
    mine = demand["preferred"][demand["value_usd"] == 1]
    assert set(mine) == {-1, 2, 3, 4}
    # 400 * 24 / 2 = 4,800 customers: standard error sqrt(0.4 * 0.6 / 4800) = 0.007
    assert (mine >= 0).mean() == pytest.approx(0.4, abs=0.03)


def test_a_preferred_rep_must_exist(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text(
        "name: x\n"
        "channels: [{name: voice, kind: real_time, handle_time: 60}]\n"
        "groups: [{name: all, count: 2, skills: [voice]}]\n"
        "scripted_contacts: [{channel: voice, at_s: 0, account_value: 1, preferred_rep: 2}]\n"
    )
    with pytest.raises(ConfigurationError, match=r"preferred_rep = 2: must be < 2, the number of reps"):
        load_scenario(file)
