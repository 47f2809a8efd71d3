"""Fresh restores: what is known stays, and what is hidden follows its law given what is known.

Statistical tests compare with the law within four standard errors, or by Kolmogorov-Smirnov at 1e-4.
"""

from typing import Any

import numpy as np
import pytest
from auditing import Auditor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playing import EMAIL, VOICE, Center, channel, contact, random_action, scripted
from random_centers import scenarios
from scipy import stats

from envs.center_rows import CenterRows, RowSnapshot, Snapshot
from envs.scenario.distributions import Lognormal, LogUniformValue
from envs.scenario.scenario import Scenario
from envs.simulator.machine.compilation import entry_point
from envs.simulator.machine.state import (
    AFTER_WORK,
    BY_CLOCK,
    IN_SERVICE,
    PICKING_UP,
    SCHEDULED,
    SUSPENDED,
    WAITING,
)
from envs.simulator.router.observation import write_observation

EXPONENTIAL = {"distribution": "exponential", "mean_s": 600}
LOGNORMAL = {"distribution": "lognormal", "mean_s": 600, "cv": 1.5}
LOGNORMAL_LAW = Lognormal.model_validate(LOGNORMAL)

# Nothing observed changes -------------------------------------------------------------------------

HIDDEN_FIELDS = {
    "key",
    "next_arrival_s",
    "queues",
    "rep_event_s",
    "block_event_s",
    "slots",
}
HIDDEN_OF_CONTACTS = {"key", "abandon_s", "handle_s", "work_left_s", "pick_up_left_s", "pick_up_s", "customer"}
PLACES_IN_DEMAND = {"first_supply", "next_supply", "end_supply"}
HIDDEN_OF_SCHEDULED = {"return_s", "request_s", "due_s"}


def assert_same_but_for_what_is_hidden(snapshot: RowSnapshot, rows: CenterRows) -> None:
    before, after = snapshot.state[0], rows.states[0]
    for name in set(before.dtype.names) - HIDDEN_FIELDS:
        assert before[name].tobytes() == after[name].tobytes(), name
    known, drawn = before["slots"]["person"], after["slots"]["person"]
    is_scheduled = known["status"] == SCHEDULED
    due_is_hidden = rows.parameters[0]["queues"]["hidden_due"][known["queue"]] & (known["overdue"] == 0)
    for name in set(before["queues"].dtype.names) - PLACES_IN_DEMAND:
        np.testing.assert_array_equal(before["queues"][name], after["queues"][name], name)
    for name in set(known.dtype.names) - HIDDEN_OF_CONTACTS:
        compared = ~is_scheduled if name in HIDDEN_OF_SCHEDULED else np.ones(len(known), bool)
        if name == "due_s":
            compared &= due_is_hidden == 0
        np.testing.assert_array_equal(known[name][compared], drawn[name][compared], name)
    # Of the heaps, only that of the clocks may have another order, of the same contacts.
    for name in ("heap_key", "heap_place"):
        here, there = (state["slots"][name][:, BY_CLOCK + 1 :] for state in (before, after))
        np.testing.assert_array_equal(here, there)
    np.testing.assert_array_equal(before["slots"]["heap_item"][:, 1:], after["slots"]["heap_item"][:, 1:])
    np.testing.assert_array_equal(before["slots"]["unused"], after["slots"]["unused"])
    came = int(before["next_demand"])
    demand = rows.demands[0, : rows.demand_counts[0]]
    assert demand[:came].tobytes() == snapshot.demand[:came].tobytes()


@entry_point
def write_observation_again(states, parameters, center, candidates, mask):
    write_observation(states[0], parameters[0], center, candidates, mask)


def assert_a_new_observation_would_be_the_same(rows: CenterRows) -> None:
    center, candidates, mask = np.zeros_like(rows.center[0]), np.zeros_like(rows.candidates[0]), rows.mask[0].copy()
    write_observation_again(rows.states, rows.parameters, center, candidates, mask)
    assert center.tobytes() == rows.center[0].tobytes()
    assert candidates.tobytes() == rows.candidates[0].tobytes()
    assert mask.tobytes() == rows.mask[0].tobytes()


def assert_none_is_lost_and_nothing_lies_in_the_past(snapshot: RowSnapshot, rows: CenterRows) -> None:
    state, demand = rows.states[0], rows.demands[0, : rows.demand_counts[0]]
    came, now_s = int(state["next_demand"]), float(state["now_s"])
    scenario = rows.scenario
    rest, former = demand[came:], snapshot.demand[came:]
    listed = np.isinf(rest["arrival_s"])
    assert (np.diff(rest["arrival_s"][~listed]) >= 0).all()
    assert (np.diff(listed.astype(int)) >= 0).all()  # lists are the end
    assert listed.sum() == np.isinf(former["arrival_s"]).sum()
    for queue, supply in enumerate(state["queues"]):
        assert (demand["queue"][supply["first_supply"] : supply["end_supply"]] == queue).all()
        assert np.isinf(demand["arrival_s"][supply["first_supply"] : supply["end_supply"]]).all()
    assert (np.maximum(rest["arrival_s"], 0.0) >= now_s).all()
    assert state["next_arrival_s"] == (max(rest["arrival_s"][0], 0.0) if len(rest) else np.inf)
    for index, entry in enumerate(scenario.channels):
        scripted_s = [script.at_s for script in scenario.scripted_contacts if script.channel == entry.name]
        for part in (rest, former):
            mine = part["arrival_s"][part["queue"] == index]
            # What is neither of the backlog nor of the script comes at a time that no script names.
            kept = np.sort(mine[(mine <= 0.0) | np.isin(mine, scripted_s)])
            if part is rest:
                kept_now = kept
        np.testing.assert_array_equal(kept_now, kept)
    contacts = state["slots"]["person"]
    is_real_time = np.array([entry.is_real_time for entry in scenario.channels])
    waiting = (contacts["status"] == WAITING) & is_real_time[contacts["queue"]]
    assert (contacts["abandon_s"][waiting] >= now_s - 1e-6).all()
    assert (contacts["return_s"][contacts["status"] == SCHEDULED] >= now_s - 1e-6).all()
    in_after_work = state["reps"]["status"] == AFTER_WORK
    ends_s = state["rep_event_s"][: len(in_after_work)][in_after_work]
    assert (np.isfinite(ends_s) & (ends_s >= now_s)).all()


def play_with_fresh_restores(scenario: Scenario, seed: int) -> None:
    """Play an episode with random open actions, lose foresight now and then, and audit after every step."""
    rows = CenterRows(scenario, 1)
    rows.start(rows.all_rows, np.array([seed]), np.array([0]))
    auditor = Auditor(scenario, rows)
    generator = np.random.default_rng(seed)
    while not rows.done[0]:
        if generator.random() < 0.2:
            snapshot = rows.snapshot(0)
            rows.restore(0, snapshot, fresh_seed=int(generator.integers(1000)))
            assert_same_but_for_what_is_hidden(snapshot, rows)
            assert_a_new_observation_would_be_the_same(rows)
            assert_none_is_lost_and_nothing_lies_in_the_past(snapshot, rows)
        auditor.check()
        auditor.check_question()
        rows.step(rows.all_rows, np.array([random_action(generator, rows.mask[0])]))
    auditor.check()
    assert rows.metrics(0)["lost"] == 0.0
    demand = rows.demands[0, : rows.demand_counts[0]]
    assert rows.states[0]["next_demand"] == np.isfinite(demand["arrival_s"]).sum()  # they all came


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(scenario=scenarios(), seed=st.integers(0, 2**31 - 1))
def test_a_fresh_restore_changes_nothing_observed_and_all_adds_up_while_playing_on(scenario, seed):
    play_with_fresh_restores(scenario, seed)


@pytest.mark.slow
@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(scenario=scenarios(), seed=st.integers(0, 2**31 - 1))
def test_a_fresh_restore_changes_nothing_observed_in_many_centers(scenario, seed):
    play_with_fresh_restores(scenario, seed)


def test_an_episode_that_is_over_stays_as_it_is():
    center = Center(scripted(contact(100))).wait_until(np.inf)
    snapshot = center.snapshot()
    center.restore(snapshot, fresh_seed=1)
    for name in center.record.dtype.names:
        np.testing.assert_array_equal(center.record[name], snapshot.row.state[0][name], name)


# Laws of those present ----------------------------------------------------------------------------

# Somebody to ask about at any time: a free rep with an e-mail that nobody serves.
WATCH = contact(0, "watched")
WATCHED = {"name": "watched", "kind": "deferred", "handle_time": 600}
WATCHER = {"name": "watcher", "count": 1, "skills": ["watched"]}


def watched(channels: list[dict[str, Any]], *contacts: dict[str, Any], reps: int = 20, **keys: Any) -> Center:
    """Return a center of `reps` reps with all skills, where some question comes every ten seconds."""
    skills = [entry["name"] for entry in channels]
    group = {"name": "all", "count": reps, "skills": skills} | keys.pop("group", {})
    keys = {"review_interval_s": 10, "terminal_charge": "none"} | keys
    return Center(scripted(WATCH, *contacts, channels=[*channels, WATCHED], reps=[group, WATCHER], **keys))


def play(center: Center, until_s: float) -> Center:
    """Let every contact be served at once where a rep is free, until a question comes at or after `until_s`."""
    while center.time_s < until_s and not center.is_done:
        names = sorted(name for name in center.open if name.startswith(("assign", "serve")) and "watched" not in name)
        center.do(names[0] if names else "wait")
    return center


def when_open(center: Center, name: str) -> Center:
    """Answer wait until the action of that name is open, and carry it out."""
    while name not in center.open:
        center.do("wait")
    return center.do(name)


def restore(center: Center, snapshot: Snapshot, **fresh: int) -> None:
    _, center.info = center.restore(snapshot, **fresh)


def of_status(center: Center, status: int, channel_name: str = "") -> np.ndarray:
    contacts = center.record["slots"]["person"]
    queues = [i for i, entry in enumerate(center.scenario.channels) if entry.name == channel_name]
    is_there = (contacts["status"] == status) & (np.isin(contacts["queue"], queues) if channel_name else True)
    return np.flatnonzero(is_there & (contacts["queue"] != len(center.scenario.channels) - 1))


def fresh_values(center: Center, count: int, read: Any) -> np.ndarray:
    """Return what `read(record)` is in `count` fresh restores, [seed, ...]."""
    snapshot, values = center.snapshot(), []
    for seed in range(count):
        center.restore(snapshot, fresh_seed=seed)
        values.append(np.array(read(center.record)))
    center.restore(snapshot)
    return np.array(values)


def assert_mean(values: np.ndarray, expected: float) -> None:
    assert values.mean() == pytest.approx(expected, abs=4 * values.std() / np.sqrt(values.size))


def fresh_work_s(center: Center, count: int) -> np.ndarray:
    """Return the seconds until each service under way would end."""
    reps = center.record["slots"]["person"]["rep"][of_status(center, IN_SERVICE)]
    assert len(reps) > 0
    return fresh_values(center, count, lambda record: record["rep_event_s"][reps] - record["now_s"])


def test_the_rest_of_exponential_work_is_exponential_with_the_same_mean():
    center = play(watched([channel(VOICE, handle_time=EXPONENTIAL)], *[contact(0)] * 20), 400)
    left_s = fresh_work_s(center, 100)
    assert len(np.unique(left_s)) == left_s.size
    assert stats.kstest(left_s.ravel(), stats.expon(scale=600).cdf).pvalue > 1e-4


@pytest.mark.parametrize("speed", [1.0, 0.5])
def test_the_rest_of_lognormal_work_has_the_mean_residual_time_at_the_work_done(speed):
    group = {"proficiency": {"voice": {"speed": speed}}}
    center = play(watched([channel(VOICE, handle_time=LOGNORMAL)], *[contact(0)] * 20, group=group), 400)
    done_s = speed * center.time_s
    expected_s = LOGNORMAL_LAW.mean_residual_s(np.array([done_s]))[0]
    assert_mean(fresh_work_s(center, 200), expected_s / speed)
    record = center.record
    hidden = of_status(center, IN_SERVICE)
    work_s = fresh_values(center, 20, lambda record: record["slots"]["person"]["handle_s"][hidden])
    assert (work_s >= done_s).all()
    assert (record["slots"]["person"]["work_done_s"][hidden] == 0).all()


def test_waiting_work_that_nobody_has_begun_is_drawn_from_the_whole_law():
    center = watched([channel(EMAIL, handle_time=LOGNORMAL)], *[contact(0, "email")] * 20).wait_until(500)
    waiting = of_status(center, WAITING)
    handle_s = fresh_values(center, 100, lambda record: record["slots"]["person"]["handle_s"][waiting])
    law = stats.lognorm(s=np.sqrt(np.log1p(1.5**2)), scale=600 / np.sqrt(1 + 1.5**2))
    assert stats.kstest(handle_s.ravel(), law.cdf).pvalue > 1e-4


def test_suspended_work_exceeds_what_was_done_of_it():
    channels = [VOICE, channel(EMAIL, handle_time=LOGNORMAL)]
    center = watched(channels, contact(0, "email"), contact(300), reps=1)
    when_open(when_open(center, "serve:email:oldest"), "interrupt:least_value_at_stake")
    (suspended,) = of_status(center, SUSPENDED)
    assert center.record["slots"]["person"]["work_done_s"][suspended] == 300
    left_s = fresh_values(center, 600, lambda record: record["slots"]["person"]["work_left_s"][suspended])
    assert_mean(left_s, LOGNORMAL_LAW.mean_residual_s(np.array([300.0]))[0])


def test_a_scripted_contact_and_a_callback_keep_the_law_they_came_with():
    """Of the voice channel's exponential law neither the scripted 500 s nor, on the other channel, its own 600 s."""
    voice = channel(VOICE, handle_time=EXPONENTIAL, callback_offer={"to": "email", "accept_prob": 1})
    callback = channel(VOICE, name="chat", handle_time=700, callback_offer={"to": "email", "accept_prob": 1})
    center = watched([voice, callback, EMAIL], contact(0, handle_time=500), contact(0, "chat"), contact(0), reps=1)
    play(center, 1)
    while of_status(center, WAITING).size and "offer_callback" in center.open:
        center.do("offer_callback")
    assert of_status(center, WAITING, "email").size == 2
    everybody = np.sort(np.concatenate([of_status(center, IN_SERVICE), of_status(center, WAITING)]))
    handle_s = fresh_values(center, 50, lambda record: record["slots"]["person"]["handle_s"][everybody])
    by_kind = sorted(handle_s.T.tolist(), key=lambda drawn: len(set(drawn)))
    assert sorted([by_kind[0][0], by_kind[1][0]]) == [500, 700]
    assert [len(set(drawn)) for drawn in by_kind] == [1, 1, 50]


@pytest.mark.parametrize(("law", "expected"), [(EXPONENTIAL, None), (LOGNORMAL, LOGNORMAL_LAW)])
def test_the_rest_of_patience_is_that_of_those_who_have_waited_so_long(law, expected):
    voice = channel(VOICE, handle_time=100_000, patience=law)
    center = play(watched([voice], contact(0), *[contact(100)] * 30, reps=1), 300)
    waiting = of_status(center, WAITING)
    assert len(waiting) > 10
    left_s = fresh_values(center, 100, lambda record: record["slots"]["person"]["abandon_s"][waiting] - record["now_s"])
    if expected is None:
        assert stats.kstest(left_s.ravel(), stats.expon(scale=600).cdf).pvalue > 1e-4
    else:
        assert_mean(left_s, expected.mean_residual_s(np.array([center.time_s - 100]))[0])


def test_a_caller_hangs_up_when_the_fresh_patience_ends():
    voice = channel(VOICE, handle_time=100_000, patience=EXPONENTIAL)
    center = play(watched([voice], contact(0), contact(100), reps=1), 130)  # past the threshold, no other clock is left
    (waiting,) = of_status(center, WAITING)
    snapshot = center.snapshot()
    for fresh_seed in range(5):
        restore(center, snapshot, fresh_seed=fresh_seed)
        abandon_s = center.record["slots"]["person"]["abandon_s"][waiting]
        while center.record["queue_count"]["abandoned"][0] == 0:
            assert center.time_s <= abandon_s
            center.do("wait")
        assert center.time_s >= abandon_s


# After-contact work and new work ------------------------------------------------------------------


@pytest.mark.parametrize("speed", [1.0, 0.5])
def test_the_rest_of_after_contact_work_is_that_of_one_that_has_taken_so_long(speed):
    """Sixty calls of 100 s, or 200 s at half speed; of their after-contact work 600 s, or half of 500 s, are over."""
    group = {"proficiency": {"voice": {"speed": speed}}}
    voice = channel(VOICE, handle_time=100, after_work=LOGNORMAL)
    center = play(watched([voice], *[contact(0)] * 60, reps=60, group=group), 700)
    (reps,) = np.nonzero(center.record["reps"]["status"] == AFTER_WORK)
    assert len(reps) > 5
    done_s = speed * (center.time_s - 100 / speed)
    left_s = fresh_values(center, 200, lambda record: record["rep_event_s"][reps] - record["now_s"])
    assert_mean(left_s, LOGNORMAL_LAW.mean_residual_s(np.array([done_s]))[0] / speed)
    assert len(np.unique(left_s)) == left_s.size


def test_a_rep_comes_free_when_the_fresh_after_contact_work_ends():
    voice = channel(VOICE, handle_time=100, after_work=EXPONENTIAL)
    center = play(watched([voice], contact(0), reps=1), 110)
    snapshot, ends_s = center.snapshot(), []
    for fresh_seed in range(5):
        restore(center, snapshot, fresh_seed=fresh_seed)
        ends_s.append(float(center.record["rep_event_s"][0]))
        while center.record["reps"]["status"][0] == AFTER_WORK:
            assert center.time_s <= ends_s[-1]
            center.do("wait")
        assert center.time_s >= ends_s[-1]
    assert len(set(ends_s)) == 5


def returned_with_new_work(*contacts: dict[str, Any], **keys: Any) -> Center:
    """Return a center of ten reps where ten calls of 100 s are all unresolved, and call again at 200 s with work of
    their own; `contacts` come besides."""
    returns = {"prob": 1, "after": 100, "to": "second", "new_work": True}
    voice = channel(VOICE, handle_time=100, resolution={"prob": 0, "returns": returns})
    second = channel(VOICE, name="second", handle_time=LOGNORMAL, **keys)
    return watched([voice, second, channel(EMAIL, handle_time=7)], *[contact(0)] * 10, *contacts, reps=10)


def test_new_work_of_those_who_will_come_back_is_drawn_from_the_law_of_their_channel():
    center = play(returned_with_new_work(), 150)
    scheduled = of_status(center, SCHEDULED, "second")
    assert len(scheduled) == 10
    handle_s = fresh_values(center, 200, lambda record: record["slots"]["person"]["handle_s"][scheduled])
    law = stats.lognorm(s=np.sqrt(np.log1p(1.5**2)), scale=600 / np.sqrt(1 + 1.5**2))
    assert stats.kstest(handle_s.ravel(), law.cdf).pvalue > 1e-4


def test_new_work_in_hand_exceeds_what_was_done_of_it():
    center = play(returned_with_new_work(), 400)
    done_s = center.time_s - 200
    assert_mean(fresh_work_s(center, 300), LOGNORMAL_LAW.mean_residual_s(np.array([done_s]))[0])


def test_new_work_stays_unknown_when_it_is_put_off_to_a_callback():
    busy = [contact(120, "email", handle_time=10_000)] * 10
    center = play(returned_with_new_work(*busy, callback_offer={"to": "email", "accept_prob": 1}), 150)
    while of_status(center, WAITING, "email").size < 10:
        center.do("offer_callback" if "offer_callback" in center.open else "wait")
    waiting = of_status(center, WAITING, "email")
    handle_s = fresh_values(center, 200, lambda record: record["slots"]["person"]["handle_s"][waiting])
    law = stats.lognorm(s=np.sqrt(np.log1p(1.5**2)), scale=600 / np.sqrt(1 + 1.5**2))
    assert stats.kstest(handle_s.ravel(), law.cdf).pvalue > 1e-4


# Pick-ups -----------------------------------------------------------------------------------------


def interrupted(pick_up: Any, *calls_s: float, mode: str = "accumulate", resumed: bool = True) -> Center:
    """Return a center whose only rep began an e-mail at 0, and left it for a call of 50 s at each of `calls_s`: after
    the first one in the midst of a pick-up."""
    email = channel(EMAIL, handle_time=5000, pick_up=pick_up, pick_up_mode=mode)
    calls = [contact(at_s, handle_time=50) for at_s in calls_s]
    center = when_open(watched([VOICE, email], contact(0, "email"), *calls, reps=1), "serve:email:oldest")
    for at_s in calls_s:
        assert of_status(center, PICKING_UP).size == (at_s != calls_s[0])
        when_open(center, "interrupt:least_value_at_stake")
        if at_s != calls_s[-1] or resumed:
            when_open(center, "resume")
    return center


@pytest.mark.parametrize("mode", ["restart", "accumulate"])
def test_the_rest_of_a_pick_up_is_that_of_one_that_has_taken_so_long(mode):
    center = interrupted(LOGNORMAL, 100, mode=mode)
    began_s, snapshot, seed = center.time_s, center.snapshot(), 0
    while center.record["rep_event_s"][0] < began_s + 400:  # one that takes long
        center.restore(snapshot, fresh_seed=seed)
        seed += 1
    center.wait_until(began_s + 300)
    (picking_up,) = of_status(center, PICKING_UP)
    left_s = fresh_values(center, 600, lambda record: record["rep_event_s"][0] - record["now_s"])
    assert_mean(left_s, LOGNORMAL_LAW.mean_residual_s(np.array([center.time_s - began_s]))[0])
    assert center.record["slots"]["person"]["handle_s"][picking_up] == 5000


def test_the_unpaid_rest_of_an_interrupted_pick_up_is_that_of_one_that_has_taken_so_long():
    center = interrupted(LOGNORMAL, 100, 200, resumed=False)  # picked up from 150 to 200 s
    (suspended,) = of_status(center, SUSPENDED)
    center.restore(center.snapshot(), fresh_seed=9)  # what is drawn anew can be drawn anew again
    left_s = fresh_values(center, 600, lambda record: record["slots"]["person"]["pick_up_left_s"][suspended])
    assert_mean(left_s, LOGNORMAL_LAW.mean_residual_s(np.array([50.0]))[0])


def test_the_rests_of_interrupted_pick_ups_add_up_as_before():
    """Pick-ups of 100 s: one from 150 to 180, so 70 are left; then, from 230 on, 170 of which 20 are paid by 250. With
    the third 100 s the one begun at 300 takes 150 + 100 = 250 s."""
    center = interrupted(100, 100, 180, 250)
    (picking_up,) = of_status(center, PICKING_UP)
    for until_s in (300, 400, 540):
        center.wait_until(until_s)
        ends_s = fresh_values(center, 3, lambda record: record["rep_event_s"][0])
        assert ends_s.tolist() == [550, 550, 550]
        left_s = fresh_values(center, 3, lambda record: record["slots"]["person"]["pick_up_left_s"][picking_up])
        assert left_s.tolist() == [250, 250, 250]


# Those who will come back -------------------------------------------------------------------------


def test_who_dials_again_does_so_at_a_fresh_time():
    voice = channel(VOICE, patience=60, redial={"prob": 1, "delay": LOGNORMAL})
    center = watched([voice], *[contact(0)] * 20).wait_until(300)
    scheduled = of_status(center, SCHEDULED)
    assert len(scheduled) > 5
    left_s = fresh_values(
        center, 200, lambda record: record["slots"]["person"]["return_s"][scheduled] - record["now_s"]
    )
    assert_mean(left_s, LOGNORMAL_LAW.mean_residual_s(np.array([center.time_s - 60]))[0])


def test_who_dials_again_after_a_return_does_so_by_the_law_of_dialling_again():
    """Both came back after random times, were not served, and dial again 5,000 s after they hung up."""
    returns = {"prob": 1, "after": {"distribution": "exponential", "mean_s": 100}}
    voice = channel(VOICE, patience=60, redial={"prob": 1, "delay": 5000}, resolution={"prob": 0, "returns": returns})
    center = play(watched([voice], *[contact(0)] * 2, reps=2), 310).wait_until(1500)
    scheduled = of_status(center, SCHEDULED)
    assert center.record["queue_count"]["redialled"][0] == len(scheduled) == 2
    fresh = fresh_values(center, 3, lambda record: record["slots"]["person"]["return_s"][scheduled])
    assert (fresh == center.record["slots"]["person"]["abandon_s"][scheduled] + 5000).all()


def returning(**due: float) -> Center:
    """Return a center where an hour's calls, all unresolved, come back as e-mails with half the work."""
    after = {"distribution": "exponential", "mean_s": 2000}
    returns = {"prob": 1, "after": after, "to": "email", "work_frac": 0.5}
    voice = channel(VOICE, handle_time=EXPONENTIAL, resolution={"prob": 0, "returns": returns})
    return watched([voice, channel(EMAIL, due={"after_s": 7200, **due})], *[contact(0)] * 20)


def test_unresolved_customers_come_back_at_a_fresh_time_with_the_work_that_is_known():
    center = play(returning(), 900)
    scheduled = of_status(center, SCHEDULED)
    assert len(scheduled) > 5
    contacts = fresh_values(center, 100, lambda record: record["slots"]["person"][scheduled])
    assert stats.kstest((contacts["return_s"] - center.time_s).ravel(), stats.expon(scale=2000).cdf).pvalue > 1e-4
    assert contacts["due_s"] == pytest.approx(contacts["return_s"] + 7200)
    assert (contacts["handle_s"] == center.record["slots"]["person"]["handle_s"][scheduled]).all()


def test_who_has_asked_and_waits_for_the_window_is_in_the_books():
    center = play(returning(opens_after_s=1500), 2000)
    scheduled = of_status(center, SCHEDULED)
    record = center.record["slots"]["person"][scheduled].copy()
    has_asked = record["request_s"] <= center.time_s
    assert 0 < has_asked.sum() < len(scheduled)
    contacts = fresh_values(center, 50, lambda record: record["slots"]["person"][scheduled])
    assert (contacts["return_s"][:, has_asked] == record["return_s"][has_asked]).all()
    asked_s = contacts["request_s"][:, ~has_asked]
    assert (asked_s > center.time_s).all()
    assert contacts["return_s"][:, ~has_asked] == pytest.approx(asked_s + 1500)
    assert len(np.unique(asked_s)) == asked_s.size


@pytest.mark.parametrize(
    "keys",
    [
        {"follow_up": {"prob": 1, "after": EXPONENTIAL, "window_s": 900, "to": "email"}},
        {"error": {"prob": 1, "rework": {"to": "email", "delay_s": 5000, "work_frac": 1}}},
    ],
)
def test_follow_ups_and_rework_keep_their_time_and_work(keys):
    center = play(watched([channel(VOICE, handle_time=EXPONENTIAL, **keys), EMAIL], *[contact(0)] * 20), 400)
    scheduled = of_status(center, SCHEDULED)
    assert len(scheduled) > 2
    for name in ("return_s", "due_s", "handle_s"):
        fresh = fresh_values(center, 3, lambda record, name=name: record["slots"]["person"][name][scheduled])
        assert (fresh == center.record["slots"]["person"][name][scheduled]).all()


def test_an_attempt_under_way_ends_as_it_will_and_the_next_one_has_fresh_luck():
    reach = {"prob": 0.5, "attempt_s": 200, "retry_after_s": 1000, "max_attempts": 5}
    outbound = channel(EMAIL, handle_time=EXPONENTIAL, interruptible=False, reach=reach, due={"after_s": 40_000})
    center = play(watched([outbound], *[contact(0, "email")] * 20, review_interval_s=100), 100)
    in_service = of_status(center, IN_SERVICE)
    contacts = center.record["slots"]["person"][in_service]
    is_reached = contacts["reached"] == 1
    ends_s = fresh_values(center, 200, lambda record: record["rep_event_s"][contacts["rep"]])
    assert (ends_s[:, ~is_reached] == 200).all()
    assert stats.kstest((ends_s[:, is_reached] - center.time_s).ravel(), stats.expon(scale=600).cdf).pvalue > 1e-4
    # Work on those who were not reached has not begun: it is not taken as longer than the ringing.
    handle_s = fresh_values(center, 200, lambda record: record["slots"]["person"]["handle_s"][in_service[~is_reached]])
    assert stats.kstest(handle_s.ravel(), stats.expon(scale=600).cdf).pvalue > 1e-4
    play(center, 250)
    scheduled = of_status(center, SCHEDULED)
    assert (fresh_values(center, 3, lambda record: record["slots"]["person"]["return_s"][scheduled]) == 1200).all()
    snapshot, reached = center.snapshot(), []
    for seed in range(100):
        restore(center, snapshot, fresh_seed=seed)
        play(center, 1201)
        reached.append(int(center.record["slots"]["person"]["reached"][scheduled].sum()))
    n = len(scheduled)
    assert np.mean(reached) == pytest.approx(0.5 * n, abs=4 * np.sqrt(0.25 * n / 100))


# Luck and the future ------------------------------------------------------------------------------


def test_whether_a_callback_is_accepted_is_open_again():
    voice = channel(VOICE, callback_offer={"to": "email", "accept_prob": 0.3})
    center = play(watched([voice, EMAIL], contact(0), contact(10), reps=1), 10)
    snapshot, accepted = center.snapshot(), 0
    for seed in range(400):
        restore(center, snapshot, fresh_seed=seed)
        center.do("offer_callback")
        accepted += int(center.record["queue_count"]["callbacks_accepted"][0])
    assert accepted / 400 == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 400))


def test_a_look_ahead_meets_the_law_of_a_scripted_call_and_not_the_one_of_the_record():
    """Nobody serves the call of second 1,000, which costs 1 % of an account value that only then is known."""
    value = {"distribution": "log_uniform", "low_usd": 100, "high_usd": 10_000}
    voice = channel(VOICE, patience=60, harm={"abandonment_prob": 0.01})
    center = watched([voice], contact(1000, value_usd=value), review_interval_s=1100)
    snapshot = center.snapshot()

    def cost_usd(**fresh: int) -> float:
        restore(center, snapshot, **fresh)
        center.wait_until(1100)
        return float(center.record["cost_usd"].sum())

    to_come_usd = 0.01 * float(snapshot.row.demand["value_usd"][-1])
    assert cost_usd() == pytest.approx(to_come_usd)
    costs_usd = np.array([cost_usd(fresh_seed=seed) for seed in range(400)])
    assert_mean(costs_usd, 0.01 * LogUniformValue.model_validate(value).mean_value_usd)
    assert not np.isclose(costs_usd, to_come_usd).any()


def test_the_backlog_that_has_not_entered_at_second_0_keeps_its_times_with_fresh_needs():
    email = channel(EMAIL, handle_time=EXPONENTIAL, initial_backlog={"mean_contacts": 20, "max_age_s": 3600})
    center = watched([email], contact(0, "email", handle_time=77))
    came = int(center.record["next_demand"])
    former = center.snapshot().row.demand
    assert 0 < came < len(former) - 2
    center.restore(center.snapshot(), fresh_seed=1)
    rest = center.snapshot().row.demand
    assert rest["arrival_s"].tolist() == former["arrival_s"].tolist()
    assert rest[:came].tobytes() == former[:came].tobytes()
    is_backlog = former["arrival_s"][came:] < 0
    assert (rest["handle_s"][came:] != former["handle_s"][came:])[is_backlog].all()
    assert rest["handle_s"][came:][~is_backlog].tolist() == former["handle_s"][came:][~is_backlog].tolist()


# Rows of later origin -----------------------------------------------------------------------------


def test_a_hidden_due_time_exceeds_the_wait_so_far_and_follows_its_law():
    email = {"name": "email", "kind": "deferred", "handle_time": 600, "due": {"hidden_after": EXPONENTIAL}}
    contacts = [contact(0, "email") for _ in range(200)]
    center = Center(scripted(*contacts, contact(400), channels=[VOICE, email], terminal_charge="none"))
    center.wait_until(400)
    snapshot = center.snapshot()
    hidden = np.flatnonzero(
        (center.record["slots"]["person"]["queue"] == 1) & (center.record["slots"]["person"]["status"] == WAITING)
    )
    hidden = hidden[center.record["slots"]["person"]["overdue"][hidden] == 0]
    left_s = []
    for seed in range(20):
        center.restore(snapshot, fresh_seed=seed)
        left_s.append(center.record["slots"]["person"]["due_s"][hidden] - 400)
    assert np.min(left_s) > 0
    # Without memory what is left has the law itself.
    assert stats.kstest(np.concatenate(left_s), "expon", args=(0, 600)).pvalue > 1e-4


def test_chats_side_by_side_end_at_the_pace_of_their_number():
    chat = channel(VOICE, name="chat", handle_time=EXPONENTIAL, concurrency={"speed_frac": [1, 0.5, 0.5]})
    groups = [{"name": "all", "count": 1, "skills": ["chat"], "capacity_units": 3}]
    contacts = [contact(0, "chat", handle_time=EXPONENTIAL) for _ in range(2)] + [contact(1, "chat")]
    center = Center(scripted(*contacts, channels=[chat], reps=groups, terminal_charge="none"))
    center.do("assign:longest_idle").do("assign:longest_idle")
    snapshot = center.snapshot()  # the third chat is asked about
    assert center.record["reps"]["n_held"][0] == 2
    first_ends_s = []
    for seed in range(400):
        center.restore(snapshot, fresh_seed=seed)
        first_ends_s.append(center.record["rep_event_s"][:2].min() - center.time_s)
    # Two of rate 0.5 / 600 each: the first ends after an exponential time of mean 600.
    assert stats.kstest(first_ends_s, "expon", args=(0, 600)).pvalue > 1e-4


def test_who_misses_a_shift_that_has_not_begun_is_open_again():
    shifts = [{"start": "01:00", "end": "02:00"}]
    groups = [
        {"name": "first", "count": 1, "skills": ["voice", "email"], "shifts": [{"start": "00:00", "end": "01:00"}]},
        {"name": "later", "count": 50, "skills": ["voice"], "shifts": shifts, "absence_prob": 0.4},
    ]
    center = Center(scripted(contact(60, "email"), contact(4000, handle_time=60), reps=groups, terminal_charge="none"))
    snapshot = center.snapshot()
    absent = []
    for seed in range(40):
        _, center.info = center.restore(snapshot, fresh_seed=seed)
        center.wait_until(4000)
        absent.append(int(center.record["reps"]["absent"][1:51].sum()))
    assert len(set(absent)) > 1
    # 2,000 shifts: standard error sqrt(0.4 * 0.6 / 2000) = 0.011.
    assert np.sum(absent) / 2000 == pytest.approx(0.4, abs=4 * 0.011)


def test_recorded_days_go_on_as_any_of_them_does(tmp_path):
    record = tmp_path / "days.csv"
    record.write_text("day,channel,at_s\n0,voice,100\n0,voice,5000\n1,voice,100\n1,voice,6000\n1,voice,7000\n")
    center = Center(scripted(replay={"file": str(record)}, horizon={"days": 1}))
    snapshot = center.snapshot()
    assert center.time_s == 100
    rests = set()
    for seed in range(20):
        center.restore(snapshot, fresh_seed=seed)
        demand = center._rows.demands[0, : center._rows.demand_counts[0]]
        assert demand["arrival_s"][0] == 100
        rests.add(tuple(demand["arrival_s"][1:].tolist()))
    assert rests == {(5000.0,), (6000.0, 7000.0)}
