"""Nothing is lost for want of room: records grow in the middle of a run, and what cannot grow is refused by name."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from playing import EMAIL, VOICE, channel, scripted

from agents.episodes import play_episodes
from agents.rules.compiled.loop import _play_rows
from agents.rules.rule_policy import RulePolicy
from envs.center_rows import CenterRows
from envs.errors import ConfigurationError
from envs.inputs.parameters import check_contacts, choose_sizes
from envs.interface.units import DAY_S
from envs.scenario.scenario import Scenario, load_scenario
from envs.simulator.machine.record_types import MAX_CONTACTS, SIZES
from envs.simulator.machine.state import state_type
from envs.simulator.step import move_rows
from experiments.description.describe import describe

PROGRAM = Path(__file__).parents[1] / "growing.py"


def with_backlog(mean_contacts: float, **keys) -> Scenario:
    email = channel(EMAIL, initial_backlog={"mean_contacts": mean_contacts})
    return scripted(channels=[VOICE, email], **keys)


def test_records_that_grow_in_mid_run_play_the_same_episode_as_large_ones(tmp_path):
    settings = {"NUMBA_DISABLE_JIT": "1", "BLENDED_CACHE_FOLDER": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", PROGRAM],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_equal_record_types_are_one_object_however_often_they_are_made_and_grow():
    # numba compares equal types field by field at every call of compiled code, unless they are the same object.
    small, large = CenterRows(with_backlog(1), 1), CenterRows(with_backlog(200), 2)
    assert small.sizes.contacts < large.sizes.contacts
    for mine, other in zip(
        (*small.kernel_arrays(), *small.seen_arrays()), (*large.kernel_arrays(), *large.seen_arrays()), strict=True
    ):
        assert mine.dtype is other.dtype
    assert state_type(SIZES[0]) is state_type(SIZES[0])


def test_rows_of_any_number_and_records_that_grow_share_the_compiled_code():
    scenario = scripted(channels=[VOICE, channel(EMAIL, arrivals={"rate_per_hour": 500})], horizon={"days": 0.5})
    fifo = RulePolicy("fifo", scenario)
    rows = CenterRows(scenario, 1)
    rows.start(rows.all_rows, np.zeros(1, np.int64), np.zeros(1, np.int64))
    fifo.play_until(rows, rows.all_rows, np.array([60.0]))
    assert rows.sizes.contacts == 128  # 83 e-mails came while the first took ten minutes: the rows have grown once
    compiled = [len(function.signatures) for function in (move_rows, _play_rows)]
    fifo.play_until(rows, rows.all_rows, np.array([np.inf]))
    assert rows.sizes.contacts >= 4096  # of 6,000 e-mails of ten minutes each one rep does 72
    several = CenterRows(scenario, 3)
    several.start(several.all_rows, np.zeros(3, np.int64), np.arange(3))
    fifo.play_until(several, several.all_rows, np.full(3, np.inf))
    assert [len(function.signatures) for function in (move_rows, _play_rows)] == compiled
    assert several.counts(0)["cost_usd"].tolist() == rows.counts(0)["cost_usd"].tolist()


def test_a_recording_center_that_goes_on_in_rows_that_keep_no_journal_leaves_no_note_behind():
    # An unlimited list is called before the router is asked: then a note waits for the next event to move it.
    scenario = load_scenario("collections_blend")
    recording, plain = CenterRows(scenario, 1, journal=True), CenterRows(scenario, 2)
    recording.start(recording.all_rows, np.zeros(1, np.int64), np.zeros(1, np.int64))
    for _ in range(100):
        if recording.states["n_notes"][0] > 0:
            break
        recording.drain(0)
        recording.step(recording.all_rows, np.flatnonzero(recording.mask[0])[-1:])
    assert recording.states["n_notes"][0] > 0
    plain.restore(1, recording.snapshot(0))
    assert plain.states["n_notes"][1] == 0
    assert plain.journals["n_entries"].tolist() == [0]


def test_there_is_room_for_twice_the_initial_backlog_from_the_start():
    for mean_contacts in (0, 32, 33, 5000, 20_000):
        assert choose_sizes(with_backlog(mean_contacts)).contacts >= 2 * mean_contacts
    assert choose_sizes(with_backlog(32)).contacts == 64  # the least of 64 * 2^k that holds twice as many
    assert choose_sizes(with_backlog(33)).contacts == 128


def test_a_backlog_of_thousands_is_there_to_the_last_contact():
    scenario = with_backlog(5000, horizon={"days": 0.05}, terminal_charge="none")
    (counts,) = play_episodes(scenario, RulePolicy("fifo", scenario), 0, np.arange(1))
    email = counts["queue_count"][1]
    assert email["lost"] == email["blocked"] == 0
    assert abs(email["arrived"] - 5000) < 6 * 5000**0.5
    assert email["arrived"] == email["completed"] + counts["left"]["open"][1]


def test_contacts_beyond_the_largest_size_are_an_error_that_says_when_and_how_many():
    scenario = with_backlog(0)
    check_contacts(scenario, MAX_CONTACTS, 0.0)
    message = rf"1.50 days after the start more than {MAX_CONTACTS} contacts are open.*at most {MAX_CONTACTS}; less of"
    with pytest.raises(ConfigurationError, match=message):
        check_contacts(scenario, 2 * MAX_CONTACTS, 1.5 * DAY_S)


SKILLS = ["voice", "email"]
SHIFT = {"start": "08:00", "end": "09:00"}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"reps": 1025}, r"groups\[\] can hold at once .* = 1025: must be at most 1024"),
        (
            {"channels": [VOICE, EMAIL, *[channel(VOICE, name=f"c{i}") for i in range(31)]]},
            r"number of channels\[\] = 33: must be at most 32",
        ),
        (
            {"reps": [{"name": f"g{i}", "count": 1, "skills": SKILLS} for i in range(129)]},
            r"kinds of reps .* = 129: must be at most 128",
        ),
        (
            {
                "reps": [{"name": "all", "count": 1000, "skills": SKILLS, "shifts": [SHIFT]}],
                "horizon": {"days": 33},
            },
            r"starts and ends of shifts and breaks .* = 66000: must be at most 65536",
        ),
    ],
)
def test_each_limit_is_an_error_with_key_number_and_limit(keys, message):
    groups = keys.get("reps", 1)
    if "channels" in keys:
        groups = [{"name": "all", "count": 1, "skills": [entry["name"] for entry in keys["channels"]]}]
    scenario = scripted(**keys | {"reps": groups})
    with pytest.raises(ConfigurationError, match=message):
        choose_sizes(scenario)


def test_describe_warns_of_more_open_contacts_than_there_is_room_for_at_first():
    # 2,000 e-mails an hour of 600 s are work for 333 reps, and one is there: almost all of 48,000 a day stay open.
    email = channel(EMAIL, arrivals={"rate_per_hour": 2000})
    (warning,) = [text for text in describe(scripted(channels=[VOICE, email])).warnings if text.startswith("many open")]
    assert "about 47,856 contacts" in warning  # 48,000 - 144 that one rep can do in 86,400 s
    assert "room for 65,536 takes" in warning  # the least of 64 * 2^k that holds as many
    email = channel(EMAIL, arrivals={"rate_per_hour": 10})
    assert not [text for text in describe(scripted(channels=[VOICE, email])).warnings if text.startswith("many open")]


@pytest.mark.parametrize("patience", [None, 1e8])
def test_describe_counts_callers_who_never_leave_among_the_open_contacts(patience):
    # 400 calls an hour of 600 s for one rep: 6 of them are done in an hour, 394 * 24 = 9,456 stay on the line.
    voice = channel(VOICE, arrivals={"rate_per_hour": 400}, handle_time=600, patience=patience)
    (warning,) = [text for text in describe(scripted(channels=[voice, EMAIL])).warnings if text.startswith("many open")]
    assert "about 9,456 contacts" in warning


def test_describe_says_what_room_for_a_large_backlog_takes():
    email = channel(EMAIL, initial_backlog={"mean_contacts": 40_000, "max_age_s": 0})
    (warning,) = [text for text in describe(scripted(channels=[VOICE, email])).warnings if text.startswith("many open")]
    assert "room for 131,072 takes" in warning  # the least of 64 * 2^k that holds twice as many
