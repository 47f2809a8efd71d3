"""Due times that nobody told: only their passing is visible (D2)."""

from typing import Any

import numpy as np
import pytest
from playing import VOICE, Center, channel, contact, day, finish

from agents.episodes import play_episodes
from agents.rules.rule_policy import RulePolicy
from envs.counts import add_counts
from envs.errors import ConfigurationError
from envs.metrics import compute_metrics
from envs.scenario.scenario import Scenario, load_scenario

MEMORYLESS = {"distribution": "exponential", "mean_s": 3600}


def email(hidden_after: Any, **changes: Any) -> dict[str, Any]:
    base = {"name": "email", "kind": "deferred", "handle_time": 600, "costs": {"late_usd": 7}}
    return channel(base, due={"hidden_after": hidden_after}, **changes)


def seen(center: Center, action: str, field: str) -> float:
    names = [entry.name for entry in center.observation_fields.candidates]
    return float(center._observe()["candidates"][center.action_names.index(action), names.index(field)])


def test_the_slack_shown_is_an_expectation_until_the_due_time_has_passed():
    center = Center(day([VOICE, email(MEMORYLESS)], contact(0, "email"), review_interval_s=100))
    due_s = float(center.record["slots"]["person"]["due_s"][0])
    while center.time_s < due_s:
        # Without memory the mean time left is the mean; less the expected work.
        assert seen(center, "serve:email:oldest", "slack_s") == pytest.approx(3600 - 600, rel=1e-3)
        assert seen(center, "serve:email:oldest", "overdue") == 0
        center.do("wait")
    assert center.time_s == due_s
    assert seen(center, "serve:email:oldest", "overdue") == 1
    assert center.metrics["cost_lateness_usd"] == 7
    center.do("wait")
    assert seen(center, "serve:email:oldest", "slack_s") == pytest.approx(due_s - center.time_s - 600)


def test_the_expectation_of_a_fixed_time_runs_down():
    center = Center(day([VOICE, email(1600)], contact(0, "email"), review_interval_s=400))
    assert seen(center, "serve:email:oldest", "slack_s") == 1000
    center.do("wait")
    assert seen(center, "serve:email:oldest", "slack_s") == pytest.approx(600)


def test_what_the_router_sees_does_not_depend_on_the_draw():
    scenario = day([VOICE, email(MEMORYLESS)], contact(0, "email"), contact(5, "email"), review_interval_s=30)
    center = Center(scenario)
    views, dues_s = [], []
    for seed in range(2):
        _, center.info = center.reset(seed=seed)
        center.wait_until(10)
        dues_s.append(center.record["slots"]["person"]["due_s"][:2].tolist())
        assert min(dues_s[-1]) > 10
        views.append(np.concatenate([center._observe()["center"], center._observe()["candidates"].ravel()]))
    assert dues_s[0] != dues_s[1]
    np.testing.assert_array_equal(views[0], views[1])


def test_the_most_urgent_is_the_one_that_showed_to_be_overdue_then_the_oldest():
    # Three e-mails at 0, 1 and 2 s: whichever passes first becomes the most urgent, before that the oldest is.
    scenario = day([VOICE, email(MEMORYLESS)], *(contact(i, "email") for i in range(3)), review_interval_s=30)
    for seed in range(6):
        center = Center(scenario)
        _, center.info = center.reset(seed=seed)
        center.wait_until(3)
        dues_s = center.record["slots"]["person"]["due_s"][:3]
        if dues_s.min() <= 3:
            continue
        assert "serve:email:most_urgent" not in center.open  # the same as the oldest
        center.wait_until(float(dues_s.min()))
        first = int(dues_s.argmin())
        if first > 0:
            assert seen(center, "serve:email:most_urgent", "overdue") == 1
        assert seen(center, "serve:email:oldest", "overdue") == (first == 0)


def test_contacts_are_overdue_in_the_share_that_the_law_says():
    # Nobody serves in the first hour, then all at once: P(due later than that) = 1/e.
    shifts = [{"start": "01:00", "end": "24:00"}]
    groups = [{"name": "all", "count": 1, "skills": ["voice", "email"], "shifts": shifts}]
    contacts = [contact(0, "email", handle_time=0) for _ in range(200)]
    scenario = day([VOICE, email(MEMORYLESS)], *contacts, groups=groups)
    counts = play_episodes(scenario, RulePolicy("fifo", scenario), 0, np.arange(10))
    metrics = compute_metrics(scenario, add_counts(counts), 10)
    # 2,000 contacts: standard error sqrt(0.368 * 0.632 / 2000) = 0.0108.
    assert metrics["email.on_time_frac"] == pytest.approx(np.exp(-1), abs=4 * 0.0108)


def test_those_who_come_back_have_a_hidden_due_time_of_their_own():
    rework = {"to": "email", "delay_s": 100, "work_frac": 0.5}
    voice = channel(VOICE, error={"prob": 1, "rework": rework})
    dues_s = []
    for seed in range(200):
        center = Center(day([voice, email(MEMORYLESS, error={"prob": 0})], contact(0)))
        _, center.info = center.reset(seed=seed)
        center.do("assign:longest_idle")  # until 300; back at 400
        assert center.time_s == 400
        dues_s.append(float(center.record["slots"]["person"]["due_s"][0]) - 400)
    # Mean of 200 exponentials: standard error 3600 / sqrt(200) = 255.
    assert np.mean(dues_s) == pytest.approx(3600, abs=4 * 255)
    assert min(dues_s) > 0


@pytest.mark.parametrize(
    ("due", "more", "problem"),
    [
        ("{hidden_after: 60, after_s: 60}", "", "due.after_s = 60: must be given, or hidden_after instead of it"),
        ("{clock: calendar}", "", "due.after_s: must be given, or hidden_after instead of it"),
        ("{hidden_after: 0}", "", "due.hidden_after"),
        ("{hidden_after: 60, opens_after_s: 5}", "", "due.opens_after_s = 5: must be 0"),
        ("{hidden_after: 60}", ", promised: true", "promised = true: must be false"),
        ("{hidden_after: 60}", ", reach: {prob: 0.5, attempt_s: 1, retry_after_s: 5}", "channels[0].reach"),
        ("{hidden_after: 60}", ", follow_up: {prob: 0.5, after: 5, window_s: 5}", "follow_up.to"),
    ],
)
def test_mistakes_are_named(tmp_path, due, more, problem):
    file = tmp_path / "x.yaml"
    file.write_text(
        f"name: x\nchannels: [{{name: email, kind: deferred, handle_time: 60, due: {due}{more}}}]\n"
        "groups: [{name: all, count: 1, skills: [email]}]\n"
    )
    with pytest.raises(ConfigurationError) as raised:
        load_scenario(file)
    assert problem in str(raised.value)


def test_a_scenario_states_one_of_both(tmp_path):
    scenario = day([VOICE, email(MEMORYLESS)])
    assert isinstance(scenario, Scenario)
    assert scenario.channels[1].due is not None
    assert scenario.channels[1].due.mean_after_s == 3600
    assert finish(Center(scenario))["total_cost_usd"] == 0
